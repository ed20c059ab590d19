//! Who calls, by the Identity rule (PROTOCOL.md), and how often they may.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Hub, Policy, Table, WRONG_PASSWORDS_A_MINUTE, unreadable};
use crate::clock;
use crate::model::*;

/// A user's burst, in seconds of its rate; a room's is one second.
const USER_BURST: f64 = 3.0;

/// When a room or account has seen more wrong passwords in a minute than one address may try,
/// each try waits: a step for each such minute's worth more, and no longer than a person bears.
const DELAY_STEP: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(3);

/// Who calls, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caller {
    pub room: RoomNo,
    pub user: UserNo,
    /// A valid token was shown for an open guest: it is to be sealed.
    pub seal: bool,
}

/// What a password opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Room(RoomNo),
    Account(String),
}

impl Hub {
    /// The Identity rule (PROTOCOL.md) for a call in the name of `user` in a room.
    pub fn caller(
        &self,
        room: RoomRef,
        user: Uuid,
        token: Option<TokenHash>,
        from: IpAddr,
        now: Nanos,
    ) -> Result<Caller, Refusal> {
        let mut table = self.table();
        let found = table.find(room).ok_or(Refusal::NoSuchRoom)?;
        let room = found.head.no;
        let known = table.rooms.user_by_id(user).ok_or(Refusal::NotMember)?;
        let user = found.member(known.user.no).ok_or(Refusal::NotMember)?.user;
        let sealed = known.user.sealed;
        match token {
            Some(token) if table.session(token, &self.policy, now)?.no != user => {
                return Err(Refusal::OthersToken);
            }
            None if sealed || self.policy.require_token => return Err(Refusal::TokenRequired),
            _ => {}
        }
        // Where somebody is who only says who it is, anybody could say.
        table.call(user, Some(room), token.map(|_| from), now);
        Ok(Caller {
            room,
            user,
            seal: token.is_some() && !sealed,
        })
    }

    /// The user of a token, and whether it is now to be sealed.
    pub fn bearer(&self, token: TokenHash, now: Nanos) -> Result<(User, bool), Refusal> {
        let mut table = self.table();
        let user = table.session(token, &self.policy, now)?.clone();
        table.call(user.no, None, None, now);
        let seal = !user.sealed;
        Ok((user, seal))
    }

    /// The same in a room that it must be in.
    pub fn member(&self, room: RoomRef, user: UserNo) -> Result<RoomNo, Refusal> {
        self.table().member(room, user)
    }

    /// The same, of somebody who wants to send: whether it may now. Who has asked for something that
    /// is not settled yet (`asked`) may be a member by then: the rules look again.
    pub fn sender(&self, room: RoomRef, user: UserNo, asked: bool) -> Result<RoomNo, Refusal> {
        let table = &mut *self.table();
        let room = table.seat_of(room, user, asked)?;
        table.take_turn(room, user, &self.policy)?;
        Ok(room)
    }

    /// The same, of somebody who wants to leave.
    pub fn leaver(&self, room: RoomRef, user: UserNo, asked: bool) -> Result<RoomNo, Refusal> {
        self.table().seat_of(room, user, asked)
    }

    /// An account by the skeleton of its username.
    pub fn account(&self, skeleton: &str) -> Option<User> {
        self.table().rooms.account(skeleton).cloned()
    }

    /// Somebody took or has a seat here: a call.
    pub fn called(&self, room: RoomNo, user: UserNo, from: IpAddr) {
        self.table()
            .call(user, Some(room), Some(from), clock::now());
    }

    pub fn user(&self, no: UserNo) -> Option<User> {
        self.table().rooms.user(no).map(|known| known.user.clone())
    }

    /// Also those who left: messages name them.
    pub fn anybody(&self, no: UserNo) -> Result<Option<User>, Refusal> {
        let known = {
            let table = self.table();
            // Nobody looks on the disk for who never was.
            if !table.rooms.was_given(no) {
                return Ok(None);
            }
            table.rooms.user(no).map(|known| known.user.clone())
        };
        match known {
            Some(user) => Ok(Some(user)),
            None => self.readers.user(no).map_err(unreadable),
        }
    }

    pub fn user_by_id(&self, id: Uuid) -> Option<User> {
        self.table()
            .rooms
            .user_by_id(id)
            .map(|known| known.user.clone())
    }
}

impl Hub {
    /// Whether this user may send to this room now.
    pub fn may_send(&self, room: RoomNo, user: UserNo) -> Result<(), Refusal> {
        self.table().take_turn(room, user, &self.policy)
    }

    pub fn may_join(&self, room: RoomNo, from: IpAddr) -> Result<(), Refusal> {
        let taken = self.table().joins.take((from, room), Instant::now());
        taken.map_err(|after| Refusal::TooFast { after })
    }

    /// Whether this address may try a password here; how long it is to wait before it does, when
    /// many others have tried this one. Nobody is refused for what others do.
    pub fn may_try(&self, from: IpAddr, target: &Target) -> Result<Duration, Refusal> {
        let now = Instant::now();
        let table = self.table();
        let ready = table.wrong_passwords.has_room(&(from, target.clone()), now);
        ready.map_err(|after| Refusal::TooFast { after })?;
        let wrong = table.wrong_by_all.taken(target, now);
        let over = (wrong / f64::from(WRONG_PASSWORDS_A_MINUTE) - 1.0).max(0.0);
        Ok(MAX_DELAY.min(DELAY_STEP.mul_f64(over)))
    }

    pub fn wrong_password(&self, from: IpAddr, target: Target) {
        let now = Instant::now();
        let mut table = self.table();
        table.wrong_by_all.add(target.clone(), now);
        // More at once than there was room for: then it is full.
        let _ = table.wrong_passwords.take((from, target), now);
    }
}

impl Table {
    /// The room of a member, or of somebody who may be one soon.
    fn seat_of(&mut self, room: RoomRef, user: UserNo, asked: bool) -> Result<RoomNo, Refusal> {
        match self.member(room, user) {
            Err(Refusal::NotMember) if asked => {
                let found = self.find(room).ok_or(Refusal::NoSuchRoom)?;
                Ok(found.head.no)
            }
            outcome => outcome,
        }
    }

    /// A call by a member.
    fn member(&mut self, room: RoomRef, user: UserNo) -> Result<RoomNo, Refusal> {
        let found = self.find(room).ok_or(Refusal::NoSuchRoom)?;
        found.member(user).ok_or(Refusal::NotMember)?;
        let room = found.head.no;
        self.call(user, Some(room), None, clock::now());
        Ok(room)
    }

    /// Takes one message from the rates of a user and of a room.
    fn take_turn(&mut self, room: RoomNo, user: UserNo, policy: &Policy) -> Result<(), Refusal> {
        let (per_user, per_room) = (f64::from(policy.user_rate), f64::from(policy.room_rate));
        let now = Instant::now();
        let too_fast = |after| Refusal::TooFast { after };
        self.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        let person = self.people.get_mut(&user).ok_or(Refusal::NotMember)?;
        person
            .rate
            .take(per_user, per_user * USER_BURST, now)
            .map_err(too_fast)?;
        let hall = self.halls.entry(room).or_default();
        hall.rate.take(per_room, per_room, now).map_err(|after| {
            person.rate.give_back();
            too_fast(after)
        })
    }
}
