//! The rules: commands read from bytes, each carried out on a table and on the hub that everybody
//! reads, and after each of them all that they say in two places is the same in both.

use super::bytes::Bytes;
use super::runner::{counted, happened};
use parlor::hub::{Hub, Policy, Settled, Waiter};
use parlor::model::*;
use parlor::rooms::{Looks, Marked, Room, Rooms, Rules, check_name, digest, skeleton};
use parlor::store::{self, Data, Durability, Loaded};
use parlor::wire::{Lang, refusal};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

const RULES: Rules = Rules {
    max_members: 5,
    require_token: false,
    closed: false,
    lang: Lang::Zh,
};

const NAMES: [&str; 10] = [
    "Ada",
    "Ad\u{430}",
    "Ada-2",
    " Ada ",
    "",
    "\u{202e}Ada",
    "A\u{300}\u{300}\u{300}da",
    "\u{1f980}",
    "\u{2800}",
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
];
const TEXTS: [&str; 5] = ["hello", "hullo", " ", "再见\u{202e}", "\0"];

pub fn run(input: &[u8]) -> Vec<u64> {
    let mut bytes = Bytes(input);
    let (mut table, hub) = (Rooms::new(RULES), fresh_hub());
    let mut told = Told::default();
    let (mut now, mut step, mut kinds) = (0, 0, vec![]);
    while !bytes.is_empty() {
        step += 1;
        // Mostly a second, sometimes none, or past all that is kept for a time; and a clock may
        // go back.
        // A nanosecond is never the same: a guest's seat is known by that of its making.
        now += *bytes.pick(&[1, 1, 1, 0, 700, -5, 86_400]) * SECOND + 1;
        let act = act(&mut bytes, step, &table, &told);
        let command = Command { now, act };
        let decision = table.decide(&command);
        assert_eq!(decision, table.decide(&command), "{command:?}");
        kinds.push(match decision {
            Err(why) => {
                check_refusal(&why, &command, &table);
                happened((kind(&command.act), refusal::word(&why)))
            }
            Ok((events, reply)) => {
                for event in &events {
                    told.hear(event, &table);
                    table.apply(event);
                }
                if let Reply::Seated { room, user } = reply {
                    let seated = table.room(room).and_then(|room| room.member(user));
                    assert!(seated.is_some(), "{user:?} was told of a seat it has not");
                    told.check_seat(&command.act, user, &events);
                }
                let made: Vec<u8> = events.iter().map(event_kind).collect();
                hub.publish(vec![Settled {
                    room: command.act.room(),
                    events,
                    outcome: Ok(reply),
                    waiter: Waiter::Nobody,
                }]);
                happened((kind(&command.act), made))
            }
        });
        check_table(&table, &told);
        check_hub(&hub, &table, &told);
    }
    counted(kinds.into_iter())
}

/// A hub over an empty database in memory. Nothing is stored here: the table is what is tested.
fn fresh_hub() -> Hub {
    thread_local! {
        static EMPTY: RefCell<Option<Loaded>> = const { RefCell::new(None) };
    }
    let policy = Policy {
        require_token: false,
        user_rate: 0,
        room_rate: 0,
        idle: Duration::from_secs(120),
        hold: Duration::from_secs(3_600),
        session: Duration::from_secs(3_600),
        memory: 1 << 20,
        lang: Lang::Zh,
    };
    EMPTY.with_borrow_mut(|empty| {
        let loaded = empty.get_or_insert_with(|| {
            let opened = store::open(&Data::Memory, Durability::Fast).expect("memory");
            opened.load(RULES, false).expect("an empty database")
        });
        Hub::new(loaded, policy, 0)
    })
}

/// What the events said so far.
#[derive(Default)]
struct Told {
    /// The last place of each room.
    last: BTreeMap<RoomNo, Place>,
    floors: BTreeMap<RoomNo, Place>,
    /// Who is in which room, and since which place.
    here: BTreeMap<(RoomNo, UserNo), Place>,
    ended: BTreeSet<RoomNo>,
    gone: BTreeSet<UserNo>,
    tokens: BTreeMap<TokenHash, UserNo>,
    asked: Vec<Request>,
    /// Guests that were made by a call that can be asked again.
    made_by: HashMap<Request, UserNo>,
}

impl Told {
    /// Nobody gets the seat of somebody else: it is one's own, made just now, or made by the same
    /// call asked before.
    fn check_seat(&mut self, act: &Act, user: UserNo, events: &[Event]) {
        let (Act::Create { seat, .. } | Act::Join { seat, .. }) = act else {
            panic!("{act:?} asks for no seat");
        };
        let mut made = events.iter();
        let made = made.any(|event| matches!(event, Event::UserMade(u) if u.no == user));
        match (&seat.who, seat.request) {
            (Newcomer::Known { user: own, .. }, _) => assert_eq!(*own, user),
            (Newcomer::Guest { .. }, Some(request)) if made => {
                self.made_by.insert(request, user);
            }
            (Newcomer::Guest { .. }, Some(request)) => {
                assert_eq!(self.made_by.get(&request), Some(&user));
            }
            (Newcomer::Guest { .. }, None) => assert!(made),
        }
    }

    fn hear(&mut self, event: &Event, before: &Rooms) {
        match event {
            Event::RoomMade(head) => {
                let number = self.last.insert(head.no, 0);
                assert_eq!(number, None, "a number used twice");
            }
            Event::Entry(entry) => {
                let last = self.last.get_mut(&entry.room).expect("its room");
                *last += 1;
                assert_eq!(entry.at, *last, "a gap: {entry:?}");
                assert!(!self.ended.contains(&entry.room), "{entry:?}");
                let seat = (entry.room, entry.user);
                match &entry.body {
                    Body::Joined { .. } => {
                        assert_eq!(self.here.insert(seat, entry.at), None, "{entry:?}");
                    }
                    Body::Left { .. } => {
                        assert!(self.here.remove(&seat).is_some(), "{entry:?}");
                    }
                    Body::Edited { of, .. } => {
                        assert_eq!(of.author, entry.user, "{entry:?}");
                        assert!(of.seq < entry.at && self.here.contains_key(&seat));
                    }
                    Body::Deleted { of } => {
                        let room = before.room(entry.room).expect("its room");
                        assert!(of.author == entry.user || room.is_owner(entry.user));
                        assert!(of.seq < entry.at && self.here.contains_key(&seat));
                    }
                    Body::Message(message) => {
                        let room = before.room(entry.room).expect("its room");
                        let may = room.may_write(entry.user, entry.sent);
                        assert_eq!(may, Ok(()), "{entry:?}");
                        assert!(self.here.contains_key(&seat), "{entry:?}");
                        assert!(message.reply.is_none_or(|place| place < entry.at));
                    }
                    Body::Notice { what, .. } => {
                        assert!(self.here.contains_key(&seat), "{entry:?}");
                        check_notice(entry, what, before);
                    }
                    Body::Tombstone { .. } => panic!("is never said: {entry:?}"),
                }
            }
            Event::RoomEnded { room, .. } => {
                assert!(self.ended.insert(*room));
                self.here.retain(|(at, _), _| at != room);
            }
            Event::GuestGone(user) => {
                assert!(self.gone.insert(*user));
                assert!(!self.here.keys().any(|(_, sitting)| sitting == user));
                self.tokens.retain(|_, owner| owner != user);
            }
            Event::TokenMade { token, user, .. } => {
                assert_eq!(self.tokens.insert(*token, *user), None, "{event:?}");
            }
            Event::TokenGone(token) => assert!(self.tokens.remove(token).is_some(), "{event:?}"),
            Event::Pruned { room, floor } => {
                let before = self.floors.insert(*room, *floor).unwrap_or(0);
                assert!(*floor > before && *floor <= self.last[room], "{event:?}");
            }
            Event::Requested { request, .. } => self.asked.push(*request),
            _ => {}
        }
    }
}

/// That it was an owner who did it, with a token; the owner key aside, which makes one of anybody.
fn check_notice(entry: &Entry, what: &Notice, before: &Rooms) {
    let room = before.room(entry.room).expect("its room");
    if matches!(what, Notice::Owner { target, on: true } if target.no == entry.user) {
        return assert!(!room.is_owner(entry.user), "{entry:?}");
    }
    if let Notice::Muted { target, until } = what
        && target.no == entry.user
    {
        let is_as_long = |muted: &Marked<Muted>| Some(muted.who.until) == *until;
        assert!(room.muted.values().any(is_as_long), "{entry:?}");
        return assert!(!room.is_owner(entry.user), "{entry:?}");
    }
    let known = before.user(entry.user).expect("somebody known");
    assert!(room.is_owner(entry.user) && known.user.sealed, "{entry:?}");
    match what {
        Notice::Kicked { target, .. }
        | Notice::Muted {
            target,
            until: Some(_),
        } => {
            assert!(!room.is_owner(target.no), "{entry:?}");
            assert!(room.member(target.no).is_some(), "{entry:?}");
        }
        Notice::Owner { target, on } => {
            assert_eq!(room.is_owner(target.no), !on, "{entry:?}");
            assert!(*on || room.owners.len() > 1, "{entry:?}");
        }
        _ => {}
    }
}

fn check_table(table: &Rooms, told: &Told) {
    let mut seats = 0;
    for room in table.rooms() {
        let no = room.head.no;
        assert!(!told.ended.contains(&no), "{no:?} has ended");
        assert_eq!(room.last, told.last[&no]);
        assert_eq!(room.floor, told.floors.get(&no).copied().unwrap_or(0));
        assert_eq!(table.room_by_id(room.head.id).map(|r| r.head.no), Some(no));
        assert!(room.members.len() <= RULES.max_members);
        let looks: BTreeSet<String> = names(room).map(skeleton).collect();
        assert_eq!(looks.len(), room.members.len(), "no two look alike");
        for owner in &room.owners {
            let known = table.user(*owner).expect("somebody known");
            assert!(known.owns.contains(&no));
            assert!(!room.muted.contains_key(owner) && !room.kept_out.contains_key(owner));
        }
        for user in room.kept_out.keys() {
            assert!(room.member(*user).is_none(), "{user:?} is kept out and in");
        }
        for (at, member) in &room.members {
            seats += 1;
            assert_eq!(told.here.get(&(no, member.user)), Some(at));
            assert_eq!(room.joined(member.user), Some(*at));
            assert_eq!(room.member(member.user), Some(member));
            let known = table.user(member.user).expect("somebody known");
            assert!(known.rooms.contains(&no), "{member:?} does not know");
        }
    }
    assert_eq!(seats, told.here.len());
    assert_eq!(table.rooms().count() + told.ended.len(), told.last.len());
    for user in &told.gone {
        assert!(table.user(*user).is_none(), "{user:?} is gone");
    }
    let tokens: BTreeMap<_, _> = table.tokens().collect();
    assert_eq!(tokens, told.tokens);
    for (token, user) in tokens {
        let known = table.user(user).expect("its owner");
        assert!(known.tokens().any(|t| *t == token));
        assert!(known.tokens().count() <= MAX_TOKENS);
        assert_eq!(table.by_token(token).map(|user| user.no), Some(user));
        assert_eq!(
            table.user_by_id(known.user.id).map(|k| k.user.no),
            Some(user)
        );
        let account = known.user.is_account();
        assert!(account || !known.rooms.is_empty(), "{known:?} is nowhere");
        for room in &known.rooms {
            assert!(told.here.contains_key(&(*room, user)), "{known:?}");
        }
        if account {
            let same = table.account(&skeleton(&known.user.name));
            assert_eq!(same.map(|user| user.no), Some(user));
        }
    }
}

/// What is shown is what the rules know; nobody has anything pending from before it came, and who
/// is gone has nothing at all.
fn check_hub(hub: &Hub, table: &Rooms, told: &Told) {
    for room in table.rooms() {
        let no = room.head.no;
        let view = hub.view(no).expect("a room");
        assert_eq!(view.last, room.last);
        assert_eq!(view.name, room.head.name);
        let head = (view.locked, view.quiet, view.password);
        let secret = room.head.secret.is_some();
        assert_eq!(head, (room.head.locked, room.head.quiet, secret));
        let shown = view.members.iter().map(|member| (member.no, &*member.name));
        let sitting = room.members.values().map(|m| (m.user, &*m.name));
        assert!(shown.eq(sitting), "{view:?}");
        for member in &view.members {
            assert_eq!(member.owner, room.is_owner(member.no));
            let since = told.here[&(no, member.no)];
            for notice in &member.notices {
                assert!(notice.at > since && notice.at <= room.last, "{notice:?}");
                assert_ne!(notice.user, member.no, "one's own");
            }
        }
    }
    for user in &told.gone {
        assert!(hub.user(*user).is_none());
        assert!(hub.rooms_of(*user).is_empty());
    }
    for (no, _) in told.last.iter() {
        let view = hub.find(RoomRef::No(*no));
        assert_eq!(view.is_none(), told.ended.contains(no));
        for user in &told.gone {
            assert!(hub.member(RoomRef::No(*no), *user).is_err());
        }
    }
}

/// A name that is taken is somebody's, and one that is offered instead can be had.
fn check_refusal(why: &Refusal, command: &Command, table: &Rooms) {
    let (Refusal::NameTaken { suggest }, Act::Join { room, seat, .. }) = (why, &command.act) else {
        return;
    };
    let room = table.room(*room).expect("a room");
    let own = match &seat.who {
        Newcomer::Known { user, name: None } => table.user(*user).map(|k| k.user.name.to_string()),
        Newcomer::Known { name, .. } | Newcomer::Guest { name, .. } => name.clone(),
    };
    let wished = own.expect("a name");
    let alike = |one: &str, other: &str| Looks::of(one).meet(&Looks::of(other));
    assert!(names(room).any(|name| alike(name, &wished)), "{wished}");
    assert_eq!(check_name(NameOf::Member, suggest), Ok(()), "{suggest:?}");
    assert!(!names(room).any(|name| alike(name, suggest)), "{suggest}");
}

fn names(room: &Room) -> impl Iterator<Item = &str> {
    room.members.values().map(|member| &*member.name)
}

/// A command that often makes sense on this table, and sometimes does not.
fn act(bytes: &mut Bytes, step: u32, table: &Rooms, told: &Told) -> Act {
    // One more than there ever was.
    let room = RoomNo(1 + bytes.below(told.last.len() + 1) as i64);
    let seats: Vec<(RoomNo, UserNo)> = told.here.keys().copied().collect();
    let sitting = match seats.is_empty() || bytes.once_in(12) {
        true => (room, UserNo(bytes.below(20) as i64)),
        false => *bytes.pick(&seats),
    };
    let tokens: Vec<TokenHash> = told.tokens.keys().copied().collect();
    let token = match tokens.is_empty() {
        true => TokenHash([255; 32]),
        false => *bytes.pick(&tokens),
    };
    let uuid = Uuid::from_u128(1 + bytes.below(12) as u128);
    match bytes.below(26) {
        0 => Act::Register {
            id: fresh_id(step),
            username: (*bytes.pick(&NAMES)).to_owned(),
            secret: "argon2".into(),
            avatar: 7,
        },
        1 => Act::Login {
            user: sitting.1,
            token: fresh_token(step),
        },
        2 => Act::Logout { token },
        3 => Act::Seal { user: sitting.1 },
        4 => Act::Expire {
            guests: vec![sitting, *bytes.pick(&[(room, UserNo(1)), sitting])],
            rooms: bytes.once_in(4).then_some(room).into_iter().collect(),
            tokens: bytes.once_in(2).then_some(token).into_iter().collect(),
            requests: match told.asked.is_empty() || bytes.once_in(2) {
                true => vec![],
                false => vec![*bytes.pick(&told.asked)],
            },
        },
        5 | 6 => Act::Leave {
            room: sitting.0,
            user: sitting.1,
        },
        7 | 8 => Act::Create {
            room: NewRoom {
                id: fresh_id(1_000_000 + step),
                name: wish(bytes),
                secret: bytes.once_in(3).then(|| "argon2".into()),
                listed: bytes.once_in(2),
                key: key(bytes),
            },
            seat: seat(bytes, step, sitting.1, told),
        },
        9..=12 => Act::Join {
            room,
            by_number: bytes.once_in(3),
            key: bytes.once_in(4).then(|| key(bytes)),
            from: address(bytes),
            proof: *bytes.pick(&[None, Some(1), Some(2)]),
            seat: seat(bytes, step, sitting.1, told),
            silent: bytes.once_in(3).then_some(sitting.1).into_iter().collect(),
            beside: Beside {
                users: bytes.once_in(3).then_some(sitting.1).into_iter().collect(),
                listening: 1,
            },
        },
        20 => Act::Open {
            room: NewRoom {
                id: fresh_id(1_000_000 + step),
                name: wish(bytes),
                secret: None,
                listed: true,
                key: key(bytes),
            },
        },
        21..=25 => Act::Owner {
            room: sitting.0,
            user: sitting.1,
            power: {
                let message = (uuid, recalled(bytes, sitting, uuid, table));
                power(bytes, &seats, message)
            },
        },
        13 => Act::Edit {
            room: sitting.0,
            user: sitting.1,
            uuid,
            text: (*bytes.pick(&TEXTS)).into(),
            recalled: recalled(bytes, sitting, uuid, table),
        },
        14 => Act::Delete {
            room: sitting.0,
            user: sitting.1,
            uuid,
            recalled: recalled(bytes, sitting, uuid, table),
        },
        15 => Act::Prune {
            room,
            floor: bytes.below(30) as Place,
        },
        _ => Act::Say {
            room: sitting.0,
            user: sitting.1,
            uuid,
            given: !bytes.once_in(4),
            text: (*bytes.pick(&TEXTS)).into(),
            reply: bytes.once_in(3).then(|| bytes.below(9) as Place),
            answers: !bytes.once_in(4),
            recalled: None,
        },
    }
}

fn wish(bytes: &mut Bytes) -> Option<String> {
    (!bytes.once_in(3)).then(|| (*bytes.pick(&NAMES)).to_owned())
}

fn seat(bytes: &mut Bytes, step: u32, known: UserNo, told: &Told) -> Seat {
    let guest = !bytes.once_in(3);
    let request = match bytes.below(4) {
        0 if !told.asked.is_empty() => Some(*bytes.pick(&told.asked)),
        1 => Some(Request {
            uuid: Uuid::from_u128(bytes.below(5) as u128),
            from: [127, 0, 0, 1].into(),
        }),
        _ => None,
    };
    let name = wish(bytes);
    Seat {
        who: match guest {
            true => Newcomer::Guest {
                id: fresh_id(step),
                avatar: 7,
                name,
            },
            false => Newcomer::Known { user: known, name },
        },
        token: guest.then(|| fresh_token(step)),
        request,
    }
}

fn key(bytes: &mut Bytes) -> KeyHash {
    KeyHash([bytes.below(2) as u8; 32])
}

fn address(bytes: &mut Bytes) -> IpAddr {
    [127, 0, 0, 1 + bytes.below(2) as u8].into()
}

/// What an owner may do, to somebody who is somewhere.
fn power(bytes: &mut Bytes, seats: &[(RoomNo, UserNo)], message: (Uuid, Option<Spoken>)) -> Power {
    let user = match seats.is_empty() {
        true => UserNo(1),
        false => bytes.pick(seats).1,
    };
    let on = bytes.once_in(2);
    match bytes.below(11) {
        0 => Power::Rename((*bytes.pick(&NAMES)).to_owned()),
        1 => Power::Password(on.then(|| "argon2".into())),
        2 => Power::Lock(on),
        3 => Power::Quiet(on),
        4 => Power::Mute {
            user,
            minutes: *bytes.pick(&[0, 1, 10, MAX_MUTE_MINUTES, u32::MAX]),
            from: bytes.once_in(2).then(|| address(bytes)),
        },
        5 => Power::Kick {
            user,
            keep_out: on,
            from: bytes.once_in(2).then(|| address(bytes)),
        },
        6 => Power::Allow(user),
        7 => Power::Wipe {
            user,
            name: "Ada".into(),
            messages: vec![message, message],
            done: on.then_some(0),
        },
        8 => Power::Appoint { user, on },
        9 => Power::Link(key(bytes)),
        _ => Power::Close,
    }
}

/// What the store would say: only of a uuid that the rules have forgotten, and only of what stands
/// in the room. In these few steps they forget nothing, so it is asked in vain.
fn recalled(
    bytes: &mut Bytes,
    (room, user): (RoomNo, UserNo),
    uuid: Uuid,
    table: &Rooms,
) -> Option<Spoken> {
    let last = table.room(room).map(|room| room.last)?;
    let known = !table.has_forgotten(room, uuid);
    (!known && bytes.once_in(2)).then(|| Spoken {
        user,
        at: 1 + bytes.below(last as usize) as Place,
        sent: 5,
        digest: digest(uuid, "hello"),
        now: None,
        reply: None,
    })
}

/// Guests of the same few ids' first digits have one default name.
fn fresh_id(step: u32) -> Uuid {
    Uuid::from_u128((u128::from(step / 3) << 108) | u128::from(step))
}

fn fresh_token(step: u32) -> TokenHash {
    let mut token = [0; 32];
    token[..4].copy_from_slice(&step.to_be_bytes());
    TokenHash(token)
}

fn kind(act: &Act) -> u8 {
    match act {
        Act::Register { .. } => 0,
        Act::Login { .. } => 1,
        Act::Logout { .. } => 2,
        Act::Create { .. } => 3,
        Act::Join { .. } => 4,
        Act::Leave { .. } => 5,
        Act::Say { .. } => 6,
        Act::Edit { .. } => 7,
        Act::Delete { .. } => 8,
        Act::Prune { .. } => 9,
        Act::Seal { .. } => 10,
        Act::Expire { .. } => 11,
        Act::Note(_) => 12,
        Act::Open { .. } => 13,
        Act::Owner { power, .. } => match power {
            Power::Rename(_) => 14,
            Power::Password(_) => 15,
            Power::Lock(_) => 16,
            Power::Quiet(_) => 17,
            Power::Mute { .. } => 18,
            Power::Kick { .. } => 19,
            Power::Allow(_) => 20,
            Power::Wipe { .. } => 21,
            Power::Appoint { .. } => 22,
            Power::Link(_) => 23,
            Power::Close => 24,
        },
    }
}

fn event_kind(event: &Event) -> u8 {
    match event {
        Event::UserMade(_) => 0,
        Event::GuestGone(_) => 1,
        Event::Sealed(_) => 2,
        Event::TokenMade { .. } => 3,
        Event::TokenGone(_) => 4,
        Event::RoomMade(_) => 5,
        Event::RoomEnded { .. } => 6,
        Event::Pruned { .. } => 7,
        Event::Entry(entry) => match entry.body {
            Body::Message(_) => 8,
            Body::Joined { .. } => 9,
            Body::Left { .. } => 10,
            Body::Tombstone { .. } => 11,
            Body::Edited { .. } => 12,
            Body::Deleted { .. } => 13,
            Body::Notice { .. } => 17,
        },
        Event::Owner { .. } => 18,
        Event::Muted { .. } => 21,
        Event::KeptOut { .. } => 19,
        Event::LetIn { .. } => 20,
        Event::Requested { .. } => 14,
        Event::Noted(_) => 15,
        // Requests forgotten.
        _ => 16,
    }
}
