//! What a command comes to. Changes nothing.

use std::sync::Arc;

use uuid::Uuid;

use super::{Decision, Known, Member, Room, Rooms, check_name, digest, skeleton};
use crate::model::*;

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
                Some(again) => Ok(again),
                None => self.create(now, room, seat),
            },
            Act::Join {
                room,
                by_number,
                proof,
                seat,
                silent,
            } => {
                if let Some(again) = self.again(seat, Some(*room), now) {
                    return Ok(again);
                }
                let room = self.rooms.get(room).ok_or(Refusal::NoSuchRoom)?;
                if let Newcomer::Known { user, .. } = &seat.who
                    && room.member(*user).is_some()
                {
                    return Ok((
                        vec![],
                        Reply::Seated {
                            room: room.head.no,
                            user: *user,
                        },
                    ));
                }
                match &room.head.secret {
                    Some(_) if *proof != Some(room.head.secret_version) => {
                        return Err(Refusal::WrongPassword);
                    }
                    None if *by_number && !room.head.listed => return Err(Refusal::PrivateRoom),
                    _ => {}
                }
                self.join(now, room, seat, silent)
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
                let (room, known, member) = self.seated(*room, *user)?;
                let earlier = self.spoken.find(room.head.no, *uuid).or(recalled.as_ref());
                let kept = |earlier: &&Spoken| *given && earlier.at > room.floor;
                if let Some(earlier) = earlier.filter(kept) {
                    if earlier.user != *user || earlier.digest != digest(*uuid, text) {
                        return Err(Refusal::UuidTaken);
                    }
                    return Ok((
                        vec![],
                        Reply::Said {
                            at: earlier.at,
                            sent: earlier.sent,
                        },
                    ));
                }
                check_text(text)?;
                if reply.is_some_and(|place| !answers || place > room.last) {
                    return Err(Refusal::BadField {
                        field: "reply",
                        want: Want::Seq,
                    });
                }
                let message = Message {
                    uuid: *uuid,
                    text: text.clone(),
                    reply: *reply,
                    modified: false,
                };
                let body = Body::Message(message);
                let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
                let reply = Reply::Said {
                    at: entry.at,
                    sent: entry.sent,
                };
                Ok((vec![Event::Entry(Arc::new(entry))], reply))
            }
            Act::Edit {
                room,
                user,
                uuid,
                text,
                recalled,
            } => {
                let (room, known, member) = self.seated(*room, *user)?;
                let earlier = self.spoken.find(room.head.no, *uuid).or(recalled.as_ref());
                let earlier = earlier.filter(|e| e.now.is_some() && e.at > room.floor);
                let earlier = earlier.ok_or(Refusal::NoSuchMessage)?;
                if earlier.user != *user {
                    return Err(Refusal::NotYours);
                }
                check_text(text)?;
                if earlier.now == Some(digest(*uuid, text)) {
                    return Ok((vec![], Reply::Ok));
                }
                let (of, text) = (target(*uuid, earlier), text.clone());
                let body = Body::Edited { of, text };
                let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
                Ok((vec![Event::Entry(Arc::new(entry))], Reply::Ok))
            }
            Act::Delete {
                room,
                user,
                uuid,
                recalled,
            } => {
                let (room, known, member) = self.seated(*room, *user)?;
                let earlier = self.spoken.find(room.head.no, *uuid).or(recalled.as_ref());
                let earlier = earlier.filter(|e| e.at > room.floor);
                let earlier = earlier.ok_or(Refusal::NoSuchMessage)?;
                if earlier.user != *user && room.head.owner != *user {
                    return Err(Refusal::NotYours);
                }
                if earlier.now.is_none() {
                    return Ok((vec![], Reply::Ok));
                }
                let body = Body::Deleted {
                    of: target(*uuid, earlier),
                };
                let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
                Ok((vec![Event::Entry(Arc::new(entry))], Reply::Ok))
            }
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
        let name: Arc<str> = match &room.name {
            Some(name) => {
                check_name(NameOf::Room, name)?;
                name.as_str().into()
            }
            None => self.default_name(NameOf::Room, room.id),
        };
        let (user, _) = self.newcomer(now, &seat.who)?;
        let head = RoomHead {
            no: RoomNo(self.next_room),
            id: room.id,
            name,
            secret: room.secret.clone(),
            secret_version: 1,
            listed: room.listed,
            owner: user.no,
            created: now,
        };
        let room = Room::new(head.clone());
        let (mut events, reply) = self.join(now, &room, seat, &[])?;
        // After its owner, before its first entry.
        let entry = events
            .iter()
            .position(|event| matches!(event, Event::Entry(_)));
        events.insert(entry.unwrap_or(0), Event::RoomMade(head));
        Ok((events, reply))
    }

    fn join(&self, now: Nanos, room: &Room, seat: &Seat, silent: &[UserNo]) -> Decision {
        let (mut user, made) = self.newcomer(now, &seat.who)?;
        let (Newcomer::Guest { name: wish, .. } | Newcomer::Known { name: wish, .. }) = &seat.who;
        let mut name: Arc<str> = wish.as_deref().map_or(user.name.clone(), Into::into);
        check_name(NameOf::Member, &name)?;

        let mut events = vec![];
        let mut last = room.last;
        if let Some(&holder) = room.names.get(&skeleton(&name)) {
            let displaced = silent.contains(&holder)
                && room.head.owner != holder
                && self.users.get(&holder).is_some_and(|h| !h.user.sealed);
            if displaced {
                let (_, known, member) = self.seated(room.head.no, holder)?;
                events = self.leave(now, room, known, member, last);
                last += 1;
            } else if wish.is_some() || !made {
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
    fn leave(
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
        if !known.user.is_account() && known.rooms.len() <= 1 {
            events.push(Event::GuestGone(known.user.no));
        }
        events
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
        let mut after = self.clone();
        let mut events = vec![];
        let mut happen = |after: &mut Rooms, more: Vec<Event>| {
            more.iter().for_each(|event| after.apply(event));
            events.extend(more);
        };
        for &(room, user) in guests {
            let Ok((room, known, member)) = after.seated(room, user) else {
                continue;
            };
            if known.user.is_account() || room.head.owner == user {
                continue;
            }
            let gone = after.leave(now, room, known, member, room.last);
            happen(&mut after, gone);
        }
        for &room in rooms.iter().filter(|no| self.rooms.contains_key(no)) {
            let alone = |user: &UserNo| {
                let known = after.users.get(user);
                known.is_some_and(|k| !k.user.is_account() && k.rooms.len() == 1)
            };
            let members = after
                .rooms
                .get(&room)
                .into_iter()
                .flat_map(|r| r.members.values());
            let gone: Vec<UserNo> = members.map(|m| m.user).filter(alone).collect();
            let ended = Event::RoomEnded { room, at: now };
            let more = [ended]
                .into_iter()
                .chain(gone.into_iter().map(Event::GuestGone))
                .collect();
            happen(&mut after, more);
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

fn target(uuid: Uuid, spoken: &Spoken) -> Target {
    Target {
        uuid,
        seq: spoken.at,
        author: spoken.user,
        said: spoken.sent,
        reply: spoken.reply,
        origin: spoken.digest,
    }
}

fn check_text(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(Refusal::BadText);
    }
    Ok(())
}
