//! Hundreds of random commands that must keep every promise at once. The same seed, the same run.

use super::*;
use std::fmt::Debug;

/// A linear congruential generator (Knuth's MMIX): the same seed, the same throws.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn once_in(&mut self, throws: usize) -> bool {
        self.below(throws) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn some<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let chosen = from.iter().filter(|_| self.once_in(6));
        chosen.cloned().collect()
    }
}

/// A command that often makes sense on this table, and sometimes does not.
fn any_act(dice: &mut Dice, step: u32, rooms: &Rooms) -> Act {
    const NAMES: [&str; 6] = ["Ada", "Ad\u{430}", "Bob", "Eve", " ", "Zoë"];
    const TEXTS: [&str; 4] = ["hello", "hullo", "", "再见"];
    let mut room_nos: Vec<_> = rooms.rooms.keys().copied().collect();
    let mut users: Vec<_> = rooms.users.keys().copied().collect();
    let mut tokens: Vec<_> = rooms.tokens.keys().copied().collect();
    room_nos.push(RoomNo(9_999));
    users.push(UserNo(9_999));
    tokens.push(TokenHash([255; 32]));
    room_nos.sort();
    users.sort();
    tokens.sort();
    let mut seats = vec![(RoomNo(9_999), UserNo(9_999))];
    for room in room_nos.iter().filter_map(|no| rooms.room(*no)) {
        seats.extend(room.members.values().map(|m| (room.head.no, m.user)));
    }

    let (room, user) = (dice.pick(&room_nos), dice.pick(&users));
    let fresh = TokenHash(digest(id(step), "token"));
    let wish = |dice: &mut Dice| (!dice.once_in(3)).then(|| dice.pick(&NAMES).to_owned());
    let seat = |dice: &mut Dice| {
        let guest = !dice.once_in(3);
        // Four in a row have one default name.
        let id = Uuid::from_u128(id(step / 4).as_u128() + u128::from(step) + 1);
        let (avatar, name) = (7, wish(dice));
        let asked = dice.once_in(2).then(|| request(dice.below(5) as u32));
        Seat {
            who: if guest {
                Newcomer::Guest { id, avatar, name }
            } else {
                Newcomer::Known { user, name }
            },
            token: guest.then_some(fresh),
            request: asked,
        }
    };
    match dice.below(34) {
        0 => Act::Register {
            id: id(step),
            username: dice.pick(&NAMES).to_owned() + &"i".repeat(dice.below(6)),
            secret: "argon2".into(),
            avatar: 7,
        },
        1 => Act::Login { user, token: fresh },
        2 => Act::Logout {
            token: dice.pick(&tokens),
        },
        3 => Act::Seal { user },
        4 => Act::Note(Note::default()),
        5 | 6 => Act::Expire {
            guests: dice.some(&seats),
            rooms: if dice.once_in(3) { vec![room] } else { vec![] },
            tokens: dice.some(&tokens),
            requests: vec![request(dice.below(5) as u32)],
        },
        7 | 8 => {
            let (room, user) = dice.pick(&seats);
            leave(room, user)
        }
        9 | 10 => Act::Create {
            room: NewRoom {
                id: id(step),
                name: wish(dice),
                secret: dice.once_in(3).then(|| "argon2".into()),
                listed: dice.once_in(2),
                key: KEY,
            },
            seat: seat(dice),
        },
        11..=14 => Act::Join {
            room,
            by_number: dice.once_in(3),
            key: dice.once_in(8).then(|| dice.pick(&[KEY, OTHER_KEY])),
            from: dice.pick(&[HERE, IpAddr::from([10, 0, 0, 7])]),
            proof: dice.pick(&[None, Some(1), Some(1), Some(2)]),
            seat: seat(dice),
            silent: dice.some(&users),
            beside: Beside {
                users: step.is_multiple_of(3).then_some(user).into_iter().collect(),
                listening: step as usize % (MAX_TABS + 1),
            },
        },
        20..=23 => {
            let (room, user) = dice.pick(&seats);
            let uuid = id(dice.below(60) as u32);
            let last = rooms.room(room).map_or(1, |room| room.last);
            // What the store might still say of it: also of what this table knows better.
            let recalled = dice.once_in(2).then(|| Spoken {
                user: if dice.once_in(3) { UserNo(1) } else { user },
                at: 1 + dice.below(last as usize) as Place,
                sent: 5,
                digest: digest(uuid, dice.pick(&TEXTS)),
                now: (!dice.once_in(3)).then(|| digest(uuid, dice.pick(&TEXTS))),
                reply: None,
            });
            if dice.once_in(3) {
                delete_recalling(room, user, uuid, recalled)
            } else {
                edit_recalling(room, user, uuid, dice.pick(&TEXTS), recalled)
            }
        }
        27..=32 => {
            let owning = |(room, user): &&(RoomNo, UserNo)| {
                let known = rooms.user(*user);
                let room = rooms.room(*room);
                room.is_some_and(|r| r.is_owner(*user)) && known.is_some_and(|k| k.user.sealed)
            };
            let mut owners: Vec<_> = seats.iter().filter(owning).copied().collect();
            owners.push(dice.pick(&seats));
            let (room, user) = dice.pick(&owners);
            let uuids = (0..3).map(|_| (id(dice.below(60) as u32), None)).collect();
            let near = rooms.room(room).into_iter();
            let near = near.flat_map(|r| r.seats.keys().chain(r.kept_out.keys()));
            let mut near: Vec<_> = near.copied().collect();
            near.push(dice.pick(&users));
            near.sort();
            let power = any_power(dice, &near, uuids);
            Act::Owner { room, user, power }
        }
        33 => Act::Open {
            room: NewRoom {
                id: id(step),
                name: Some(dice.pick(&NAMES).to_owned()),
                secret: None,
                listed: true,
                key: OTHER_KEY,
            },
        },
        24 => {
            let last = rooms.room(room).map_or(0, |room| room.last);
            prune(room, dice.below(last as usize + 3) as Place)
        }
        _ => {
            let (room, user) = dice.pick(&seats);
            let uuid = id(dice.below(60) as u32);
            Act::Say {
                room,
                user,
                uuid,
                given: !dice.once_in(10),
                text: dice.pick(&TEXTS).into(),
                reply: dice.once_in(4).then(|| dice.below(9) as Place),
                answers: true,
                recalled: None,
            }
        }
    }
}

fn any_power(dice: &mut Dice, users: &[UserNo], messages: Vec<(Uuid, Option<Spoken>)>) -> Power {
    let (user, on) = (dice.pick(users), dice.once_in(2));
    match dice.below(11) {
        0 => Power::Rename(dice.pick(&["Physics", "Chemistry", " "]).to_owned()),
        1 => Power::Password(on.then(|| "argon2".into())),
        2 => Power::Lock(dice.once_in(4)),
        3 => Power::Quiet(dice.once_in(4)),
        4 => Power::Mute {
            user,
            minutes: dice.pick(&[0, 1, 5, MAX_MUTE_MINUTES, MAX_MUTE_MINUTES + 1]),
            from: on.then(|| IpAddr::from([10, 0, 0, 7])),
        },
        5 => Power::Kick {
            user,
            keep_out: on,
            from: dice.once_in(4).then(|| IpAddr::from([10, 0, 0, 7])),
        },
        6 => Power::Allow(user),
        7 => Power::Wipe {
            user,
            name: "gone".into(),
            messages,
            done: on.then_some(0),
        },
        8 => Power::Appoint { user, on },
        9 => Power::Link(dice.pick(&[KEY, OTHER_KEY])),
        _ if dice.once_in(4) => Power::Close,
        _ => Power::Appoint { user, on: true },
    }
}

/// A hash map's or set's items, in an order.
fn sorted<T: Debug>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut shown: Vec<_> = items.into_iter().map(|item| format!("{item:?}")).collect();
    shown.sort();
    shown
}

/// All that a table knows, as text.
fn shown(rooms: &Rooms) -> String {
    let Rooms {
        rules,
        rooms,
        room_ids,
        users,
        user_ids,
        accounts,
        tokens,
        requests,
        spoken,
        next_room,
        next_user,
    } = rooms;
    let inside = |room: &'_ Room| {
        let (seats, names) = (sorted(&room.seats), sorted(&room.names));
        let places = (room.last, room.floor);
        let powers = (&room.owners, &room.muted, &room.kept_out);
        let room = (&room.head, places, &room.members, seats, names, powers);
        format!("{room:?}")
    };
    let parts = [
        sorted(rooms.values().map(inside)),
        sorted(room_ids),
        sorted(users),
        sorted(user_ids),
        sorted(accounts),
        sorted(tokens),
        sorted(requests),
        sorted(&spoken.by_uuid),
        sorted(&spoken.complete),
    ];
    format!(
        "{rules:?} {parts:#?} {:?} {next_room} {next_user}",
        spoken.order
    )
}

/// That what a table says in two places is the same in both.
fn check_agreement(table: &Rooms) {
    for (no, room) in &table.rooms {
        assert_eq!(table.room_ids.get(&room.head.id), Some(no));
        assert!(*no < RoomNo(table.next_room));
        assert!(room.floor <= room.last, "{room:?}");
        assert!(room.members.len() <= table.rules.max_members);
        assert_eq!(room.seats.len(), room.members.len());
        for owner in &room.owners {
            let known = table.users.get(owner);
            let known = known.unwrap_or_else(|| panic!("{owner:?} owns and is nobody"));
            assert!(known.owns.contains(no), "{known:?} does not know");
            assert!(!room.muted.contains_key(owner), "a muted owner: {room:?}");
        }
        for (user, muted) in &room.muted {
            assert_eq!(*user, muted.who.user);
            assert_eq!(muted.looks, Looks::of(&muted.who.name));
        }
        assert!(room.kept_out.len() <= MAX_KEPT_OUT);
        for (user, out) in &room.kept_out {
            assert_eq!(*user, out.who.user);
            assert!(room.member(*user).is_none(), "kept out and in: {room:?}");
            assert!(!room.is_owner(*user), "an owner kept out: {room:?}");
        }
        for (at, member) in &room.members {
            assert!(*at <= room.last);
            assert_eq!(room.seats.get(&member.user), Some(at));
            let named = room.holders(&member.name);
            assert_eq!(named, BTreeSet::from([member.user]), "no two look alike");
            let known = table.users.get(&member.user);
            let known = known.unwrap_or_else(|| panic!("{member:?} is nobody"));
            assert!(known.rooms.contains(no), "{member:?} does not know");
        }
    }
    for (no, known) in &table.users {
        let user = &known.user;
        assert_eq!(table.user_ids.get(&user.id), Some(no));
        assert!(*no < UserNo(table.next_user));
        assert!(
            user.is_account() || !known.rooms.is_empty(),
            "{user:?} is nowhere"
        );
        let sits = |room: &RoomNo| table.room(*room).is_some_and(|r| r.member(*no).is_some());
        assert!(known.rooms.iter().all(sits), "{known:?}");
        let is_its = |room: &RoomNo| table.room(*room).is_some_and(|r| r.is_owner(*no));
        assert!(known.owns.iter().all(is_its), "{known:?}");
        assert!(known.tokens.len() <= MAX_TOKENS);
        let owns = |token| table.tokens.get(token) == Some(no);
        assert!(known.tokens.iter().all(owns), "{known:?}");
        if user.is_account() {
            assert_eq!(
                table.account(&skeleton(&user.name)).map(|a| a.no),
                Some(*no)
            );
        }
    }
    let tokens: usize = table.users.values().map(|known| known.tokens.len()).sum();
    assert_eq!(table.tokens.len(), tokens, "a token of somebody unknown");
    let accounts = table.users.values().filter(|known| known.user.is_account());
    assert_eq!(table.accounts.len(), accounts.count());
    assert_eq!(table.room_ids.len(), table.rooms.len());
    assert_eq!(table.user_ids.len(), table.users.len());
}

/// That an edit or a deletion is of a message that is kept and was not deleted before, by somebody
/// who may, and keeps what the message was.
fn check_change(before: &Rooms, entry: &Entry) {
    let of = match &entry.body {
        Body::Edited { of, .. } => {
            assert_eq!(entry.user, of.author, "{entry:?}");
            of
        }
        Body::Deleted { of } => of,
        _ => return,
    };
    let room = before.room(entry.room).expect("its room");
    assert!(of.author == entry.user || room.is_owner(entry.user));
    assert!(of.seq > room.floor && of.seq < entry.at, "{entry:?}");
    if let Some(known) = before.spoken.find(entry.room, of.uuid) {
        assert!(known.now.is_some(), "deleted before: {entry:?}");
        let kept = (known.at, known.user, known.sent, known.digest, known.reply);
        assert_eq!(kept, (of.seq, of.author, of.said, of.origin, of.reply));
    }
}

/// That an owner did what a notice says, to nobody who is an owner; and that nobody writes who may
/// not.
fn check_power(before: &Rooms, entry: &Entry) {
    let room = before.room(entry.room).expect("its room");
    let known = before.users.get(&entry.user);
    match &entry.body {
        Body::Notice {
            what: Notice::Owner { target, on: true },
            ..
        } if target.no == entry.user => {
            assert!(!room.is_owner(entry.user), "by the key: {entry:?}");
        }
        Body::Notice {
            what: Notice::Muted { target, until },
            ..
        } if target.no == entry.user => {
            let is_as_long = |muted: &Marked<Muted>| Some(muted.who.until) == *until;
            assert!(room.muted.values().any(is_as_long), "{entry:?}");
            assert!(!room.is_owner(entry.user), "as somebody else: {entry:?}");
        }
        Body::Notice { what, .. } => {
            assert!(room.is_owner(entry.user), "{entry:?}");
            assert!(known.is_some_and(|k| k.user.sealed), "{entry:?}");
            if let Notice::Kicked { target, .. } = what {
                assert!(!room.is_owner(target.no), "{entry:?}");
            }
            if let Notice::Owner { target, on: false } = what {
                assert!(room.owners.len() > 1 && room.is_owner(target.no));
            }
        }
        Body::Message(_) | Body::Edited { .. } if !room.is_owner(entry.user) => {
            assert!(!room.head.quiet, "in a quiet room: {entry:?}");
            let until = room.muted_until(entry.user, entry.sent);
            assert_eq!(until, None, "while muted: {entry:?}");
        }
        _ => {}
    }
}

#[test]
fn the_same_commands_give_the_same_events_and_every_promise_holds_after_each() {
    let mut dice = Dice(8);
    let rules = Rules {
        max_members: 4,
        require_token: false,
        closed: false,
        lang: Lang::Zh,
    };
    let (mut table, mut copy) = (Rooms::new(rules), Rooms::new(rules));
    let mut now = 0;
    let mut history = vec![];
    let mut last: HashMap<RoomNo, Place> = HashMap::new();
    let mut floors: HashMap<RoomNo, Place> = HashMap::new();
    let mut numbers = (RoomNo(0), UserNo(0));
    for step in 0..1_200 {
        now += dice.below(60) as Nanos * SECOND;
        let act = any_act(&mut dice, step, &table);
        let command = Command { now, act };
        let before = shown(&table);
        let decision = table.decide(&command);
        assert_eq!(decision, table.decide(&command));
        assert_eq!(before, shown(&table), "deciding changes nothing");

        for event in decision.iter().flat_map(|(events, _)| events) {
            match event {
                Event::Entry(entry) => {
                    let last = last.entry(entry.room).or_default();
                    *last += 1;
                    assert_eq!(entry.at, *last, "no gap: {entry:?}");
                    check_change(&table, entry);
                    check_power(&table, entry);
                }
                Event::Pruned { room, floor } => {
                    let before = floors.insert(*room, *floor).unwrap_or(0);
                    assert!(*floor > before && *floor <= last[room], "{event:?}");
                }
                Event::RoomMade(head) => {
                    assert!(head.no > numbers.0, "a new number");
                    numbers.0 = head.no;
                }
                Event::UserMade(user) => {
                    assert!(user.no > numbers.1, "a new number");
                    numbers.1 = user.no;
                }
                _ => {}
            }
            table.apply(event);
            copy.apply(event);
        }
        check_agreement(&table);
        assert_eq!(
            shown(&table),
            shown(&copy),
            "events say it all: {command:?}"
        );
        history.push((command, decision));
    }

    let mut again = Rooms::new(rules);
    for (command, decision) in &history {
        assert_eq!(again.decide(command), *decision);
        for event in decision.iter().flat_map(|(events, _)| events) {
            again.apply(event);
        }
    }
    let decisions = || history.iter().map(|(_, decision)| decision);
    let events = decisions().flatten().flat_map(|(events, _)| events);
    let kinds: BTreeSet<_> = events.map(kind).collect();
    assert_eq!(kinds.len(), 18, "every event happened: {kinds:?}");
    let refused = decisions().filter(|decision| decision.is_err()).count();
    assert!((100..700).contains(&refused), "{refused} were refused");
}
