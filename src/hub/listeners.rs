//! Sockets among the listeners: who hears what, who is silent, and the end of all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::live::{Ear, Hall};
use super::socket::{Close, Socket, text_frame};
use super::views::head_view;
use super::{Hub, Table};
use crate::clock;
use crate::model::*;
use crate::rooms::Room;
use crate::wire::socket as wire;

/// PROTOCOL.md: the server pings every 30 s and closes a socket that is silent for 75 s.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);

/// While the server stops: how often it looks whether all is answered.
const ANSWER_POLL: Duration = Duration::from_millis(5);
/// Members up to which presence names names: past it the lists would be most of the traffic.
const PRESENCE_LISTS: usize = 200;
/// Frames of typing a second, and at once: a hint, not a message.
const TYPING_RATE: f64 = 1.0;
const TYPING_BURST: f64 = 3.0;

/// A socket that the hub knows. Dropped, it hears no more, and its user goes offline in a while.
pub struct Attached<'a> {
    hub: &'a Hub,
    socket: Arc<Socket>,
    user: Option<UserNo>,
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.hub.detach(self.user, self.socket.id);
    }
}

impl Hub {
    /// From here on the socket is pinged, and closed when the server stops.
    pub fn attach(&self, socket: &Arc<Socket>) -> Attached<'_> {
        self.table().sockets.insert(socket.id, socket.clone());
        if self.is_stopping() {
            socket.close(Close::Stopping);
        }
        Attached {
            hub: self,
            socket: socket.clone(),
            user: None,
        }
    }

    fn detach(&self, user: Option<UserNo>, socket: u64) {
        let table = &mut *self.table();
        table.sockets.remove(&socket);
        let Some(user) = user else { return };
        let ears = table
            .people
            .get(&user)
            .into_iter()
            .flat_map(|person| &person.ears);
        for ear in ears.filter(|ear| ear.socket.id == socket) {
            table
                .sessions
                .get_mut(&ear.token)
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        if let Some(person) = table.people.get_mut(&user) {
            person.ears.retain(|ear| ear.socket.id != socket);
            if person.ears.is_empty() {
                person.parted = Some(Instant::now());
            }
        }
        for room in table
            .rooms
            .user(user)
            .into_iter()
            .flat_map(|known| &known.rooms)
        {
            if let Some(hall) = table.halls.get_mut(room) {
                Arc::make_mut(&mut hall.ears).retain(|ear| ear.socket.id != socket);
                hall.used = Instant::now();
            }
        }
    }

    /// Once a second, by the pulse: pings and cuts sockets, sees who went away, tells presence.
    pub fn tend(&self, now: Nanos) {
        let (sockets, news): (Vec<_>, _) = {
            let table = &mut *self.table();
            for (user, person) in &mut table.people {
                // An open socket uses its token; a guest's needs no date.
                let account = table.rooms.user(*user).is_some_and(|k| k.user.is_account());
                for ear in &person.ears {
                    if let Some(session) = table.sessions.get_mut(&ear.token) {
                        session.until = Instant::now() + self.policy.session;
                        session.used = now;
                        session.unnoted |= account;
                    }
                }
                if person.online && !person.is_online(self.policy.idle) {
                    person.online = false;
                    table.presence.push((*user, false, now));
                    table.changed.insert(*user, false);
                }
            }
            (
                table.sockets.values().cloned().collect(),
                table.presence_news(),
            )
        };
        for (ears, frame) in news {
            let frame = text_frame(frame);
            for ear in ears.iter().filter(|ear| ear.v > 0) {
                ear.socket.push(&frame);
            }
        }
        sockets
            .iter()
            .for_each(|socket| socket.tend(PING_EVERY, SILENCE));
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The server stops: sockets take nothing on any more, and are answered what they handed in.
    pub fn take_no_more(&self, deadline: Instant) {
        self.stopping.store(true, Ordering::SeqCst);
        let sockets: Vec<_> = self.table().sockets.values().cloned().collect();
        let owed = |socket: &Arc<Socket>| socket.owed.load(Ordering::SeqCst) > 0;
        while sockets.iter().any(owed) && Instant::now() < deadline {
            std::thread::sleep(ANSWER_POLL);
        }
    }

    /// Whether what is told now would wait for what is told already.
    pub fn is_behind(&self) -> bool {
        self.porters.are_behind()
    }

    /// What is on its way arrives; then every socket closes with 1001, and every waiting fetch looks again.
    pub fn close_all(&self, deadline: Instant) {
        self.porters.flush(deadline);
        let sockets: Vec<_> = self.table().sockets.values().cloned().collect();
        sockets
            .iter()
            .for_each(|socket| socket.close(Close::Stopping));
        self.table().halls.values_mut().for_each(Hall::ring);
    }
}

/// What a socket is told of its rooms when it has taken its seat.
pub struct Seated {
    /// Each room as it was at that moment, where the user stands in it, and whether all that was
    /// missed follows.
    pub rooms: Vec<(RoomView, Standing, bool)>,
    /// Rooms of `resume` that the user is not in any more.
    pub gone: Vec<RoomNo>,
    /// Rooms to catch up with, and the place after which to begin.
    pub behind: Vec<(RoomNo, Place)>,
}

/// How far a catching-up socket is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaughtUp {
    /// There is more to send.
    Not,
    /// It hears the room from here on, or the user is not in it any more.
    Yes,
}

impl Table {
    /// Somebody is in a room from now on, or no longer: where only counts are told, they change.
    pub(super) fn recount(&mut self, room: RoomNo) {
        let crowded = |room: &Room| room.members.len() >= PRESENCE_LISTS;
        if self.rooms.room(room).is_some_and(crowded) {
            self.recount.insert(room);
        }
    }

    /// One frame for each room in which somebody came or went since the last call, or whose
    /// counts have changed.
    fn presence_news(&mut self) -> Vec<(Arc<Vec<Ear>>, String)> {
        let changed = std::mem::take(&mut self.changed);
        let recount = std::mem::take(&mut self.recount);
        let mut rooms: BTreeMap<RoomNo, [Vec<UserNo>; 2]> = BTreeMap::new();
        rooms.extend(recount.into_iter().map(|room| (room, Default::default())));
        for (user, online) in changed {
            for room in self
                .rooms
                .user(user)
                .into_iter()
                .flat_map(|known| &known.rooms)
            {
                rooms.entry(*room).or_default()[usize::from(online)].push(user);
            }
        }
        let frame = |(no, [mut went, mut came]): (RoomNo, [Vec<UserNo>; 2])| {
            let (hall, room) = (self.halls.get_mut(&no)?, self.rooms.room(no)?);
            let people = &self.people;
            let online = |user: &UserNo| people.get(user).is_some_and(|person| person.online);
            let members = || room.members.values().map(|member| member.user);
            let counts = room.members.len() > PRESENCE_LISTS;
            let counted = std::mem::replace(&mut hall.counted, counts);
            if hall.ears.iter().all(|ear| ear.v == 0) {
                return None;
            }
            if counts {
                let online = members().filter(online).count();
                let frame = wire::presence_counts(no, online, room.members.len());
                return Some((hall.ears.clone(), frame));
            }
            if counted {
                // Who heard counts until now hears of everybody.
                (came, went) = members().partition(online);
            }
            let nothing = came.is_empty() && went.is_empty();
            (!nothing).then(|| (hall.ears.clone(), wire::presence(no, &came, &went)))
        };
        rooms.into_iter().filter_map(frame).collect()
    }
}

impl Hub {
    /// Tells the others in a room that somebody is typing. No part of the order.
    pub fn typing(&self, room: RoomNo, user: UserNo) -> Result<(), Refusal> {
        let (ears, frame) = {
            let table = &mut *self.table();
            let rate = &mut table.person(user).typing;
            let taken = rate.take(TYPING_RATE, TYPING_BURST, Instant::now());
            taken.map_err(|after| Refusal::TooFast { after })?;
            let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            let member = found.member(user).ok_or(Refusal::NotMember)?;
            found.may_write(user, clock::now())?;
            let ears = table
                .halls
                .get(&room)
                .map(|hall| hall.ears.clone())
                .unwrap_or_default();
            (ears, text_frame(wire::typing(room, user, &member.name)))
        };
        for ear in ears.iter().filter(|ear| ear.v > 0 && ear.user != user) {
            ear.socket.push(&frame);
        }
        Ok(())
    }
}

impl Attached<'_> {
    /// Seats the socket among the listeners of its user's rooms. From here on it hears everything
    /// in those it need not catch up with: `hold` it first, and `release` it with the answer to
    /// `auth`.
    pub fn sit(
        &mut self,
        user: UserNo,
        token: TokenHash,
        v: u64,
        resume: Option<&Resume>,
        from: IpAddr,
        now: Nanos,
    ) -> Result<Seated, Refusal> {
        let table = &mut *self.hub.table();
        // It may have been revoked since it was looked up.
        table
            .rooms
            .by_token(token)
            .filter(|u| u.no == user)
            .ok_or(Refusal::BadToken)?;
        let known = table.rooms.user(user).ok_or(Refusal::BadToken)?;
        let same_epoch = resume
            .and_then(|r| r.epoch.as_ref())
            .is_none_or(|epoch| *epoch == self.hub.epoch);
        let mut seated = Seated {
            rooms: vec![],
            gone: vec![],
            behind: vec![],
        };
        for room in known.rooms.iter().filter_map(|no| table.rooms.room(*no)) {
            let (no, last, floor) = (room.head.no, room.last, room.floor);
            let seen = resume.and_then(|r| r.seen.get(&no)).copied();
            let missed = seen.map(|at| {
                last.checked_sub(at)
                    .filter(|n| same_epoch && *n <= MAX_RESUME && at >= floor)
            });
            let complete = missed != Some(None);
            match missed {
                None | Some(Some(0)) => {}
                Some(Some(n)) => seated.behind.push((no, last - n)),
                Some(None) => {
                    let newest = last.saturating_sub(MAX_PAGE as u64);
                    seated.behind.push((no, newest.max(floor)));
                }
            }
            seated
                .rooms
                .push((head_view(room), room.standing(user, now), complete));
        }
        let asked = resume.iter().flat_map(|r| r.seen.keys());
        seated.gone = asked
            .filter(|no| !known.rooms.contains(no))
            .copied()
            .collect();

        let behind = seated
            .behind
            .iter()
            .map(|(room, _)| (*room, None))
            .collect();
        let ear = Ear {
            id: self.socket.id,
            socket: self.socket.clone(),
            user,
            token,
            v,
            behind,
        };
        for (room, _, _) in &seated.rooms {
            if seated.behind.iter().all(|(no, _)| *no != room.no) {
                table.halls.entry(room.no).or_default().add(&ear);
            }
        }
        let ears = &mut table.person(user).ears;
        // Most have one.
        ears.reserve_exact(1);
        ears.push(ear);
        table.person(user).from = Some(from);
        table.come(user, now);
        self.user = Some(user);
        Ok(seated)
    }

    /// Everything of a room up to `at` has been sent: makes the socket live there, if that is all.
    pub fn catch_up(&self, room: RoomNo, at: Place) -> CaughtUp {
        let table = &mut *self.hub.table();
        let last = table.rooms.room(room).map_or(at, |room| room.last);
        let ears = self
            .user
            .and_then(|user| table.people.get_mut(&user))
            .map(|p| &mut p.ears);
        let own = ears
            .into_iter()
            .flatten()
            .find(|ear| ear.socket.id == self.socket.id);
        let Some(ear) = own else { return CaughtUp::Yes };
        let end = ear.catching_up(room).and_then(|end| *end);
        if at < end.unwrap_or(last) {
            return CaughtUp::Not;
        }
        ear.behind.retain(|(no, _)| *no != room);
        let member = table
            .rooms
            .room(room)
            .is_some_and(|r| r.member(ear.user).is_some());
        if member {
            table.halls.entry(room).or_default().add(ear);
        }
        CaughtUp::Yes
    }

    /// The last place of a room that the socket may hear while it catches up, if its user has
    /// left. To be asked after a page was read: what it holds from after the leaving came later.
    pub fn end_of(&self, room: RoomNo) -> Option<Place> {
        let table = &mut *self.hub.table();
        let Some(person) = self.user.and_then(|user| table.people.get_mut(&user)) else {
            // A guest that left its last room: it is closed in a moment.
            return Some(0);
        };
        let own = |ear: &&mut Ear| ear.socket.id == self.socket.id;
        let ear = person.ears.iter_mut().find(own)?;
        *ear.catching_up(room)?
    }
}
