//! What a command comes to. Changes nothing.

use std::sync::Arc;

use uuid::Uuid;

use super::powers::{Comer, guest_gone};
use super::speak::Said;
use super::{Decision, Known, Member, Room, Rooms, check_name, skeleton};
use crate::model::*;

/// Who takes a seat.
struct Coming {
    user: User,
    /// It is made with this command.
    made: bool,
    name: Arc<str>,
    /// On that name: another will not do.
    insists: bool,
}

impl Rooms {
    /// What a command comes to on this table. Changes nothing.
    pub fn decide(&self, command: &Command) -> Decision {
        let now = command.now;
        match &command.act {
            Act::Register {
                id,
                username,
                secret,
                avatar,
            } => self.register(now, *id, username, secret, *avatar),
            Act::Login { user, token } => {
                let known = self.users.get(user).ok_or(Refusal::WrongLogin)?;
                Ok((self.give_token(known, *token, now), Reply::Ok))
            }
            Act::Logout { token } => {
                self.tokens.get(token).ok_or(Refusal::BadToken)?;
                Ok((vec![Event::TokenGone(*token)], Reply::Ok))
            }
            Act::Create { room, seat } => match self.again(seat, None, now) {
                Some((mut events, reply)) => {
                    // The first answer was lost, and the key in it.
                    if let Reply::Seated { room: no, user } = reply
                        && self
                            .rooms
                            .get(&no)
                            .is_some_and(|r| r.is_owner(user) && r.head.key != Some(room.key))
                    {
                        let (room, key) = (no, room.key);
                        events.push(Event::RoomKey { room, key });
                    }
                    Ok((events, reply))
                }
                None => self.create(now, room, seat),
            },
            Act::Open { room } => self.open(now, room),
            Act::Join {
                room,
                by_number,
                key,
                from,
                proof,
                seat,
                silent,
                beside,
            } => {
                let comer = Comer {
                    by_number: *by_number,
                    key: *key,
                    from: *from,
                    proof: *proof,
                    beside,
                };
                if let Some((mut events, reply)) = self.again(seat, Some(*room), now) {
                    if let Reply::Seated { user, .. } = reply {
                        events.extend(self.claim(now, *room, user, *key)?);
                    }
                    return Ok((events, reply));
                }
                let room = self.rooms.get(room).ok_or(Refusal::NoSuchRoom)?;
                if let Newcomer::Known { user, .. } = &seat.who
                    && room.member(*user).is_some()
                {
                    let (room, user) = (room.head.no, *user);
                    let events = self.claim(now, room, user, *key)?;
                    return Ok((events, Reply::Seated { room, user }));
                }
                self.join(now, room, seat, &comer, silent)
            }
            Act::Leave { room, user } => {
                let (room, known, member) = self.seated(*room, *user)?;
                Ok((self.leave(now, room, known, member, room.last), Reply::Ok))
            }
            Act::Say {
                room,
                user,
                uuid,
                given,
                text,
                reply,
                answers,
                recalled,
            } => {
                let said = Said {
                    uuid: *uuid,
                    given: *given,
                    text,
                    reply: *reply,
                    answers: *answers,
                };
                self.say(now, (*room, *user), &said, recalled.as_ref())
            }
            Act::Edit {
                room,
                user,
                uuid,
                text,
                recalled,
            } => self.edit(now, (*room, *user), *uuid, text, recalled.as_ref()),
            Act::Delete {
                room,
                user,
                uuid,
                recalled,
            } => self.delete(now, (*room, *user), *uuid, recalled.as_ref()),
            Act::Owner { room, user, power } => self.power(now, *room, *user, power),
            Act::Prune { room, floor } => {
                let room = self.rooms.get(room).ok_or(Refusal::NoSuchRoom)?;
                let further = *floor > room.floor && *floor <= room.last;
                let pruned = Event::Pruned {
                    room: room.head.no,
                    floor: *floor,
                };
                Ok((further.then_some(pruned).into_iter().collect(), Reply::Ok))
            }
            Act::Seal { user } => {
                let known = self.users.get(user).ok_or(Refusal::BadToken)?;
                let events = if known.user.sealed {
                    vec![]
                } else {
                    vec![Event::Sealed(*user)]
                };
                Ok((events, Reply::Ok))
            }
            Act::Expire {
                guests,
                rooms,
                tokens,
                requests,
            } => Ok((self.expire(now, guests, rooms, tokens, requests), Reply::Ok)),
            Act::Note(note) => Ok((vec![Event::Noted(note.clone())], Reply::Ok)),
        }
    }

    fn register(
        &self,
        now: Nanos,
        id: Uuid,
        username: &str,
        secret: &Arc<str>,
        avatar: u8,
    ) -> Decision {
        check_name(NameOf::Account, username)?;
        if self.accounts.contains_key(&skeleton(username)) {
            return Err(Refusal::UsernameTaken);
        }
        let no = UserNo(self.next_user);
        let user = User {
            no,
            id,
            name: username.into(),
            avatar,
            sealed: true,
            secret: Some(secret.clone()),
            status: 0,
            registered: now,
        };
        Ok((vec![Event::UserMade(user)], Reply::Registered(no)))
    }

    /// The oldest token makes way when a user has many.
    fn give_token(&self, known: &Known, token: TokenHash, at: Nanos) -> Vec<Event> {
        let oldest = known
            .tokens
            .front()
            .filter(|_| known.tokens.len() >= MAX_TOKENS);
        let made = Event::TokenMade {
            token,
            user: known.user.no,
            at,
        };
        oldest
            .map(|t| Event::TokenGone(*t))
            .into_iter()
            .chain([made])
            .collect()
    }

    /// The seat that an earlier call with this `request` took, with a fresh token.
    fn again(&self, seat: &Seat, room: Option<RoomNo>, now: Nanos) -> Option<(Vec<Event>, Reply)> {
        let done = self.requests.get(&seat.request?)?;
        let (_, known, _) = self.seated(done.room, done.user).ok()?;
        let same_room = room.is_none_or(|room| room == done.room);
        let same_user = match &seat.who {
            // Made by that very call: whoever was there before must show a token.
            Newcomer::Guest { .. } => known.user.registered == done.at,
            Newcomer::Known { user, .. } => *user == done.user,
        };
        if !same_room || !same_user {
            return None;
        }
        let events = seat
            .token
            .map(|token| self.give_token(known, token, now))
            .unwrap_or_default();
        Some((
            events,
            Reply::Seated {
                room: done.room,
                user: done.user,
            },
        ))
    }

    /// The newcomer as a user, and whether it is made with this command.
    fn newcomer(&self, now: Nanos, who: &Newcomer) -> Result<(User, bool), Refusal> {
        match who {
            Newcomer::Known { user, .. } => {
                let known = self.users.get(user).ok_or(Refusal::BadToken)?;
                Ok((known.user.clone(), false))
            }
            Newcomer::Guest { id, avatar, name } => {
                let name = match name {
                    Some(name) => name.as_str().into(),
                    None => self.default_name(NameOf::Member, *id),
                };
                let no = UserNo(self.next_user);
                let (avatar, registered) = (*avatar, now);
                let guest = User {
                    no,
                    id: *id,
                    name,
                    avatar,
                    sealed: self.rules.require_token,
                    secret: None,
                    status: 0,
                    registered,
                };
                Ok((guest, true))
            }
        }
    }

    fn default_name(&self, of: NameOf, id: Uuid) -> Arc<str> {
        let stem = match (self.rules.lang, of) {
            (Lang::Zh, NameOf::Room) => "聊天室",
            (Lang::Zh, NameOf::Member | NameOf::Account) => "用户",
            (Lang::En, NameOf::Room) => "Room ",
            (Lang::En, NameOf::Member | NameOf::Account) => "User ",
        };
        format!("{stem}{}", &id.simple().to_string()[..5]).into()
    }

    fn create(&self, now: Nanos, room: &NewRoom, seat: &Seat) -> Decision {
        if self.rules.closed {
            return Err(Refusal::RoomsClosed);
        }
        let name: Arc<str> = match &room.name {
            Some(name) => {
                check_name(NameOf::Room, name)?;
                name.as_str().into()
            }
            None => self.default_name(NameOf::Room, room.id),
        };
        let head = self.new_head(now, room, name);
        let coming = self.comes(now, &seat.who)?;
        let maker = coming.user.no;
        let room = Room::new(head.clone());
        let (mut events, reply) = self.sit(now, &room, seat, coming, &[])?;
        // After its owner, before its first entry.
        let entry = events
            .iter()
            .position(|event| matches!(event, Event::Entry(_)));
        let owner = Event::Owner {
            room: head.no,
            user: maker,
            on: true,
        };
        let entry = entry.unwrap_or(0);
        events.splice(entry..entry, [Event::RoomMade(head), owner]);
        Ok((events, reply))
    }

    /// Who comes, and by what name: the one wished for, or its own.
    fn comes(&self, now: Nanos, who: &Newcomer) -> Result<Coming, Refusal> {
        let (user, made) = self.newcomer(now, who)?;
        let (Newcomer::Guest { name: wish, .. } | Newcomer::Known { name: wish, .. }) = who;
        let name: Arc<str> = wish.as_deref().map_or(user.name.clone(), Into::into);
        // One that an account has had for long may stay, whatever is refused since.
        wish.iter()
            .try_for_each(|wish| check_name(NameOf::Member, wish))?;
        let insists = wish.is_some() || !made;
        Ok(Coming {
            user,
            made,
            name,
            insists,
        })
    }

    fn join(
        &self,
        now: Nanos,
        room: &Room,
        seat: &Seat,
        comer: &Comer,
        silent: &[UserNo],
    ) -> Decision {
        let coming = self.comes(now, &seat.who)?;
        let known = (!coming.made).then_some(coming.user.no);
        let as_owner = self.may_enter(room, comer, known, &coming.name)?;
        let user = coming.user.clone();
        let (mut events, reply) = self.sit(now, room, seat, coming, silent)?;
        let told = match as_owner {
            true => self.comes_as_owner(now, room, &user, &events),
            false => self.comes_muted(now, room, &user, comer, &events),
        };
        events.extend(told);
        Ok((events, reply))
    }

    /// Takes a seat in a room that the newcomer may enter.
    fn sit(
        &self,
        now: Nanos,
        room: &Room,
        seat: &Seat,
        coming: Coming,
        silent: &[UserNo],
    ) -> Decision {
        let Coming {
            mut user,
            made,
            mut name,
            insists,
        } = coming;
        let mut events = vec![];
        let mut last = room.last;
        let holders = room.holders(&name);
        if let Some(holder) = holders.first() {
            let displaced = holders.len() == 1
                && silent.contains(holder)
                && !room.is_owner(*holder)
                && self.users.get(holder).is_some_and(|h| !h.user.sealed);
            if displaced {
                let (_, known, member) = self.seated(room.head.no, *holder)?;
                events = self.leave(now, room, known, member, last);
                last += 1;
            } else if insists {
                return Err(Refusal::NameTaken {
                    suggest: room.free_name(&name),
                });
            } else {
                name = room.free_name(&name).into();
            }
        }
        let members = room.members.len() - usize::from(!events.is_empty());
        if members >= self.rules.max_members {
            return Err(Refusal::RoomFull {
                members: self.rules.max_members,
            });
        }
        if made {
            user.name = name.clone();
            events.push(Event::UserMade(user.clone()));
        }
        if let Some(token) = seat.token {
            match self.users.get(&user.no) {
                Some(known) => events.extend(self.give_token(known, token, now)),
                None => events.push(Event::TokenMade {
                    token,
                    user: user.no,
                    at: now,
                }),
            }
        }
        let body = Body::Joined {
            avatar: user.avatar,
        };
        events.push(Event::Entry(Arc::new(
            room.next_entry(last, now, &user, &name, body),
        )));
        let (no, user) = (room.head.no, user.no);
        if let Some(request) = seat.request {
            events.push(Event::Requested {
                request,
                done: Done {
                    room: no,
                    user,
                    at: now,
                },
            });
        }
        Ok((events, Reply::Seated { room: no, user }))
    }

    /// The notice, and the end of a guest that was nowhere else. `last` is the place before.
    pub(super) fn leave(
        &self,
        now: Nanos,
        room: &Room,
        known: &Known,
        who: &Member,
        last: Place,
    ) -> Vec<Event> {
        let body = Body::Left {
            avatar: known.user.avatar,
        };
        let entry = room.next_entry(last, now, &known.user, &who.name, body);
        let mut events = vec![Event::Entry(Arc::new(entry))];
        let no = room.head.no;
        let gone = !known.user.is_account() && known.rooms.len() <= 1;
        if room.is_owner(known.user.no) && (gone || room.owners.len() > 1) {
            events.push(Event::Owner {
                room: no,
                user: known.user.no,
                on: false,
            });
        }
        if gone {
            events.extend(guest_gone(known, no));
        }
        events
    }

    /// A copy of those to whom something happens when these end, and of nobody else.
    fn part(&self, guests: &[(RoomNo, UserNo)], ending: &[RoomNo], tokens: &[TokenHash]) -> Rooms {
        let mut part = Rooms::new(self.rules);
        let ending = ending.iter().filter_map(|no| self.rooms.get(no));
        let members = ending.clone().flat_map(|room| room.members.values());
        let members = members.map(|member| member.user);
        let guests_users = guests.iter().map(|(_, user)| *user);
        let tokens_users = tokens
            .iter()
            .filter_map(|token| self.tokens.get(token).copied());
        for no in guests_users.chain(members).chain(tokens_users) {
            if let Some(known) = self.users.get(&no) {
                part.users.entry(no).or_insert_with(|| known.clone());
            }
        }
        let held = part.users.values().flat_map(Known::tokens).copied();
        part.tokens = held
            .filter_map(|token| Some((token, *self.tokens.get(&token)?)))
            .collect();
        for room in guests
            .iter()
            .filter_map(|(no, _)| self.rooms.get(no))
            .chain(ending)
        {
            part.rooms
                .entry(room.head.no)
                .or_insert_with(|| room.clone());
        }
        part
    }

    fn expire(
        &self,
        now: Nanos,
        guests: &[(RoomNo, UserNo)],
        rooms: &[RoomNo],
        tokens: &[TokenHash],
        requests: &[Request],
    ) -> Vec<Event> {
        // A copy to apply to, since one guest's end moves the next one's place.
        let mut after = self.part(guests, rooms, tokens);
        let mut events = vec![];
        let mut happen = |after: &mut Rooms, more: Vec<Event>| {
            more.iter().for_each(|event| after.apply(event));
            events.extend(more);
        };
        for &(room, user) in guests {
            let Ok((room, known, member)) = after.seated(room, user) else {
                continue;
            };
            if known.user.is_account() || room.is_owner(user) {
                continue;
            }
            let gone = after.leave(now, room, known, member, room.last);
            happen(&mut after, gone);
        }
        for room in rooms {
            let Some(room) = after.rooms.get(room).filter(|r| r.head.flag.is_none()) else {
                continue;
            };
            let ended = after.ending(room, now);
            happen(&mut after, ended);
        }
        for &token in tokens {
            if after.tokens.contains_key(&token) {
                happen(&mut after, vec![Event::TokenGone(token)]);
            }
        }
        for request in requests.iter().filter(|r| self.requests.contains_key(r)) {
            happen(&mut after, vec![Event::RequestForgotten(*request)]);
        }
        events
    }
}
