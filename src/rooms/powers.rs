//! What an owner does, and how one becomes an owner: decided. Changes nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::speak::target;
use super::{Decision, Known, Member, Room, Rooms, check_name};
use crate::model::*;

/// Who stands at a room's door, and what it has shown there.
pub(super) struct Comer<'a> {
    /// It found the room by its number, which can be guessed.
    pub by_number: bool,
    /// The owner key.
    pub key: Option<KeyHash>,
    /// Where it calls from.
    pub from: IpAddr,
    /// The version of the secret that its password was checked against.
    pub proof: Option<u32>,
    /// Who else is there and calls from there.
    pub beside: &'a Beside,
}

/// An owner at work.
struct Hand<'a> {
    now: Nanos,
    room: &'a Room,
    known: &'a Known,
    member: &'a Member,
}

impl Hand<'_> {
    /// The notice of it, at the place after `last`.
    fn tells(&self, last: Place, what: Notice) -> Event {
        let avatar = self.known.user.avatar;
        self.does(last, Body::Notice { avatar, what })
    }

    fn does(&self, last: Place, body: Body) -> Event {
        let Hand {
            now,
            room,
            known,
            member,
        } = self;
        let entry = room.next_entry(last, *now, &known.user, &member.name, body);
        Event::Entry(Arc::new(entry))
    }

    /// The notice of something that became so with it; nothing if it was so before.
    fn unless(&self, was_so: bool, what: Notice) -> Decision {
        let events = match was_so {
            true => vec![],
            false => vec![self.tells(self.room.last, what)],
        };
        Ok((events, Reply::Ok))
    }
}

impl Rooms {
    pub(super) fn power(&self, now: Nanos, room: RoomNo, user: UserNo, power: &Power) -> Decision {
        let (room, known, member) = self.seated(room, user)?;
        if !room.is_owner(user) {
            return Err(Refusal::NotOwner);
        }
        if !known.user.sealed {
            return Err(Refusal::TokenRequired);
        }
        let hand = Hand {
            now,
            room,
            known,
            member,
        };
        let (head, no) = (&room.head, room.head.no);
        match power {
            Power::Rename(name) => {
                check_name(NameOf::Room, name)?;
                let to: Arc<str> = name.as_str().into();
                hand.unless(head.name == to, Notice::Renamed { to })
            }
            Power::Password(None) if head.secret.is_none() => Ok((vec![], Reply::Ok)),
            Power::Password(secret) => {
                let changed = Event::RoomSecret {
                    room: no,
                    secret: secret.clone(),
                    version: head.secret_version.wrapping_add(1),
                };
                let on = secret.is_some();
                let told = hand.tells(room.last, Notice::Password { on });
                Ok((vec![changed, told], Reply::Ok))
            }
            Power::Lock(on) => hand.unless(head.locked == *on, Notice::Locked { on: *on }),
            Power::Quiet(on) => hand.unless(head.quiet == *on, Notice::Quiet { on: *on }),
            Power::Mute {
                user,
                minutes,
                from,
            } => self.mute(&hand, *user, *minutes, *from),
            Power::Kick {
                user,
                keep_out,
                from,
            } => self.kick(&hand, *user, keep_out.then_some(*from)),
            Power::Allow(user) => {
                let out = room.kept_out.get(user).ok_or(Refusal::NotKeptOut)?;
                let target = named(*user, &out.who.name);
                let allowed = hand.tells(room.last, Notice::Allowed { target });
                let user = *user;
                Ok((vec![Event::LetIn { room: no, user }, allowed], Reply::Ok))
            }
            Power::Wipe {
                user,
                name,
                messages,
                done,
            } => {
                let mut events = vec![];
                let mut seen = BTreeSet::new();
                for (uuid, recalled) in messages.iter().take(WIPE_STEP) {
                    let said = self.spoken.find(no, *uuid).or(recalled.as_ref());
                    let theirs =
                        |s: &&Spoken| s.user == *user && s.now.is_some() && s.at > room.floor;
                    let Some(said) = said.filter(theirs).filter(|_| seen.insert(*uuid)) else {
                        continue;
                    };
                    let of = target(*uuid, said);
                    let at = room.last + events.len() as Place;
                    events.push(hand.does(at, Body::Deleted { of }));
                }
                let wiped = events.len() as u64;
                if let Some(count) = done.map(|before| before + wiped).filter(|n| *n > 0) {
                    let name = room.member(*user).map_or(name, |member| &member.name);
                    let target = named(*user, name);
                    let at = room.last + events.len() as Place;
                    events.push(hand.tells(at, Notice::Wiped { target, count }));
                }
                Ok((events, Reply::Wiped(wiped)))
            }
            Power::Appoint { user, on } => self.appoint(&hand, *user, *on),
            Power::Link(key) => {
                let told = hand.tells(room.last, Notice::Link);
                let (room, key) = (no, *key);
                Ok((vec![Event::RoomKey { room, key }, told], Reply::Ok))
            }
            Power::Close => Ok((self.ending(room, now), Reply::Ok)),
        }
    }

    /// Somebody known, by the name that it has here or elsewhere.
    fn called(&self, room: &Room, user: UserNo) -> Option<Named> {
        let elsewhere = || self.users.get(&user).map(|known| &known.user.name);
        let here = room.member(user).map(|member| &member.name);
        Some(named(user, here.or_else(elsewhere)?))
    }

    /// `from` is where that one calls from, if nobody else does.
    fn mute(&self, hand: &Hand, user: UserNo, minutes: u32, from: Option<IpAddr>) -> Decision {
        let room = hand.room;
        if minutes > MAX_MUTE_MINUTES {
            return Err(Refusal::BadField {
                field: "minutes",
                want: Want::Minutes,
            });
        }
        let muted = room.muted.get(&user).map(|muted| &muted.who);
        let muted = muted.filter(|muted| muted.until > hand.now);
        let here = room.member(user).map(|member| &member.name);
        let name = here.or(muted.map(|muted| &muted.name));
        let target = named(user, name.ok_or(Refusal::NoSuchMember)?);
        if minutes > 0 && room.is_owner(user) {
            return Err(Refusal::IsOwner);
        }
        let until = (minutes > 0).then(|| muted_until(hand.now, minutes));
        let lifts_nothing = until.is_none() && muted.is_none();
        let name = target.name.clone();
        let (mut events, _) = hand.unless(lifts_nothing, Notice::Muted { target, until })?;
        events.extend(until.map(|until| Event::Muted {
            room: room.head.no,
            who: Muted {
                user,
                until,
                person: muted.map_or(user, |muted| muted.person),
                name,
                from: from.or(muted.and_then(|muted| muted.from)),
            },
            forgets: room.least_muted(user),
        }));
        Ok((events, Reply::Muted(until)))
    }

    /// `keep_out` brings where that one calls from, if nobody else does.
    fn kick(&self, hand: &Hand, user: UserNo, keep_out: Option<Option<IpAddr>>) -> Decision {
        let room = hand.room;
        let no = room.head.no;
        let (_, known, member) = self.seated(no, user).map_err(|_| Refusal::NoSuchMember)?;
        if room.is_owner(user) {
            return Err(Refusal::IsOwner);
        }
        let (target, kept_out) = (named(user, &member.name), keep_out.is_some());
        let mut events = vec![hand.tells(room.last, Notice::Kicked { target, kept_out })];
        events.extend(self.leave(hand.now, room, known, member, room.last + 1));
        if let Some(from) = keep_out {
            let name = member.name.clone();
            if room.kept_out.len() >= MAX_KEPT_OUT
                && let Some((first, _)) = room.kept_out.first_key_value()
            {
                let (room, user) = (no, *first);
                events.push(Event::LetIn { room, user });
            }
            let who = KeptOut { user, name, from };
            events.push(Event::KeptOut { room: no, who });
        }
        Ok((events, Reply::Ok))
    }

    fn appoint(&self, hand: &Hand, user: UserNo, on: bool) -> Decision {
        let room = hand.room;
        let (is_owner, is_member) = (room.is_owner(user), room.member(user).is_some());
        // An owner may be absent; nobody becomes one in absence.
        let target = self.called(room, user).filter(|_| is_member || is_owner);
        let target = target.ok_or(Refusal::NoSuchMember)?;
        if is_owner == on {
            return Ok((vec![], Reply::Ok));
        }
        if !on && room.owners.len() == 1 {
            return Err(Refusal::LastOwner);
        }
        Ok((made_owner(hand, target, on), Reply::Ok))
    }
}

impl Rooms {
    /// Whether a comer may enter; and whether it comes as an owner, by the key.
    pub(super) fn may_enter(
        &self,
        room: &Room,
        comer: &Comer,
        known: Option<UserNo>,
        name: &str,
    ) -> Result<bool, Refusal> {
        if comer.key.is_some() {
            return match room.head.key == comer.key {
                true => Ok(true),
                false => Err(Refusal::WrongPassword),
            };
        }
        if known.is_some_and(|user| room.is_owner(user)) {
            return Ok(false);
        }
        match &room.head.secret {
            Some(_) if comer.proof != Some(room.head.secret_version) => {
                return Err(Refusal::WrongPassword);
            }
            None if comer.by_number && !room.head.listed => return Err(Refusal::PrivateRoom),
            _ => {}
        }
        if room.keeps_out(known, name, comer.from) {
            return Err(Refusal::KeptOut);
        }
        match room.head.locked {
            true => Err(Refusal::Locked),
            false => Ok(false),
        }
    }

    /// What the owner key makes of a member that shows it. Nothing without one.
    pub(super) fn claim(
        &self,
        now: Nanos,
        room: RoomNo,
        user: UserNo,
        key: Option<KeyHash>,
    ) -> Result<Vec<Event>, Refusal> {
        let (room, known, member) = self.seated(room, user)?;
        if key.is_none() {
            return Ok(vec![]);
        }
        if room.head.key != key {
            return Err(Refusal::WrongPassword);
        }
        if room.is_owner(user) {
            return Ok(vec![]);
        }
        let hand = Hand {
            now,
            room,
            known,
            member,
        };
        let target = named(user, &member.name);
        Ok(made_owner(&hand, target, true))
    }

    /// The same for somebody whose seat these events take.
    pub(super) fn comes_as_owner(
        &self,
        now: Nanos,
        room: &Room,
        user: &User,
        seated: &[Event],
    ) -> Vec<Event> {
        let Some(joined) = joined(seated).filter(|_| !room.is_owner(user.no)) else {
            return vec![];
        };
        let target = named(user.no, &joined.name);
        let told = of_itself(now, room, user, joined, Notice::Owner { target, on: true });
        let (room, user, on) = (room.head.no, user.no, true);
        vec![told, Event::Owner { room, user, on }]
    }

    /// Somebody whose seat these events take may be one that is muted: then it still is.
    pub(super) fn comes_muted(
        &self,
        now: Nanos,
        room: &Room,
        user: &User,
        comer: &Comer,
        seated: &[Event],
    ) -> Vec<Event> {
        let Some(joined) = joined(seated).filter(|_| !room.is_owner(user.no)) else {
            return vec![];
        };
        let Some(muted) = room.mute_of(user.no, &joined.name, comer, now) else {
            return vec![];
        };
        let name = joined.name.clone();
        let what = Notice::Muted {
            target: named(user.no, &name),
            until: Some(muted.until),
        };
        let told = of_itself(now, room, user, joined, what);
        if muted.user == user.no {
            return vec![told];
        }
        // The first of those that it was and is no more, if they are many.
        let trace = |m: &&Muted| m.person == muted.person && m.user != m.person;
        let left = |m: &&Muted| m.user != user.no && room.member(m.user).is_none();
        let traces = room.muted.values().map(|muted| &muted.who).filter(trace);
        let mut traces = traces.filter(left).map(|muted| muted.user);
        let (first, more) = (traces.next(), traces.count());
        let who = Muted {
            user: user.no,
            name: name.clone(),
            // Only from where the owner muted it: the name may be another's, elsewhere.
            from: muted.from.filter(|from| *from == comer.from),
            ..muted.clone()
        };
        let (room, forgets) = (room.head.no, first.filter(|_| more + 1 >= MAX_TRACES));
        vec![told, Event::Muted { room, who, forgets }]
    }

    /// A room of `--room`, unless it is there.
    pub(super) fn open(&self, now: Nanos, room: &NewRoom) -> Decision {
        let name: Arc<str> = room.name.as_deref().unwrap_or_default().into();
        check_name(NameOf::Room, &name)?;
        let is_it = |room: &&Room| room.head.flag.as_ref() == Some(&name);
        if self.rooms.values().any(|room| is_it(&room)) {
            return Ok((vec![], Reply::Ok));
        }
        let head = RoomHead {
            flag: Some(name.clone()),
            listed: true,
            ..self.new_head(now, room, name)
        };
        let no = head.no;
        Ok((vec![Event::RoomMade(head)], Reply::Opened(no)))
    }

    pub(super) fn new_head(&self, now: Nanos, room: &NewRoom, name: Arc<str>) -> RoomHead {
        RoomHead {
            no: RoomNo(self.next_room),
            id: room.id,
            name,
            secret: room.secret.clone(),
            secret_version: 1,
            listed: room.listed,
            flag: None,
            key: Some(room.key),
            locked: false,
            quiet: false,
            created: now,
        }
    }

    /// The end of a room, and of the guests that are nowhere else.
    pub(super) fn ending(&self, room: &Room, now: Nanos) -> Vec<Event> {
        let no = room.head.no;
        let mut events = vec![Event::RoomEnded { room: no, at: now }];
        for member in room.members.values() {
            let Some(known) = self.users.get(&member.user) else {
                continue;
            };
            if !known.user.is_account() && known.rooms.len() == 1 {
                events.extend(guest_gone(known, no));
            }
        }
        events
    }
}

/// A guest that leaves its last room, `but`, is nobody's owner any more: nobody can be it again.
pub(super) fn guest_gone(known: &Known, but: RoomNo) -> impl Iterator<Item = Event> + '_ {
    let user = known.user.no;
    let owns = known.owns.iter().filter(move |room| **room != but);
    let no_longer = owns.map(move |&room| Event::Owner {
        room,
        user,
        on: false,
    });
    no_longer.chain([Event::GuestGone(user)])
}

/// The notice of somebody's coming.
fn joined(seated: &[Event]) -> Option<&Entry> {
    seated.iter().rev().find_map(|event| match event {
        Event::Entry(entry) => Some(&**entry),
        _ => None,
    })
}

/// What is so of somebody as soon as it has joined.
fn of_itself(now: Nanos, room: &Room, user: &User, joined: &Entry, what: Notice) -> Event {
    let avatar = user.avatar;
    let body = Body::Notice { avatar, what };
    let told = room.next_entry(joined.at, now, user, &joined.name, body);
    Event::Entry(Arc::new(told))
}

fn made_owner(hand: &Hand, target: Named, on: bool) -> Vec<Event> {
    let (room, user) = (hand.room.head.no, target.no);
    let told = hand.tells(hand.room.last, Notice::Owner { target, on });
    vec![told, Event::Owner { room, user, on }]
}

fn named(no: UserNo, name: &Arc<str>) -> Named {
    let name = name.clone();
    Named { no, name }
}
