//! What was committed becomes what everybody sees.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tungstenite::Bytes;

use super::deliver::{Closing, Delivery, Turn};
use super::live::{Ear, NOTICES_KEPT, Person, Seat};
use super::socket::{Close, Socket, text_frame};
use super::{Hub, Policy, Session, Table};
use crate::model::*;
use crate::wire::{Lang, owner as wire};

/// A command that was settled: what is to be told to everybody, and to its sender.
pub struct Settled {
    /// Where it happens; without a room, `RoomNo(0)`.
    pub room: RoomNo,
    pub events: Vec<Event>,
    pub outcome: Outcome,
    pub waiter: Waiter,
}

/// Makes the frame of an outcome.
pub type MakeFrame = Box<dyn FnOnce(&Outcome) -> String + Send>;

/// What a command came to.
pub type Outcome = Result<Reply, Refusal>;

/// Who waits for a command's outcome.
pub enum Waiter {
    Nobody,
    /// A thread.
    Slot(Arc<Slot>),
    /// A socket, which gets a frame.
    Socket(Arc<Socket>, MakeFrame),
}

/// Where one thread waits for one outcome. (A channel's `recv` would spin before it sleeps.)
#[derive(Default)]
pub struct Slot {
    outcome: Mutex<Option<Outcome>>,
    changed: Condvar,
}

impl Slot {
    pub fn fill(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.changed.notify_one();
    }

    /// None if the time is over.
    pub fn wait(&self, time: Duration) -> Option<Outcome> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(outcome, time, |o| o.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

impl Hub {
    /// Applies a committed batch to the table, then tells its senders and everybody who listens.
    /// Called by the scribe alone: the order of calls is the order.
    pub fn publish(&self, batch: Vec<Settled>) {
        let mut rooms = Deliveries::new(self.policy.lang);
        let mut partings = Partings::new(self.policy.lang);
        let mut turn = self.turns.fetch_add(batch.len() as Turn, Ordering::Relaxed);
        {
            let table = &mut *self.table();
            for settled in &batch {
                let origin = match &settled.waiter {
                    Waiter::Socket(socket, _) => Some(socket.id),
                    Waiter::Slot(_) | Waiter::Nobody => None,
                };
                for event in &settled.events {
                    if let Event::RoomEnded { room, .. } = event {
                        // What is told at its end goes the way of what was told before.
                        rooms.to(*room, table);
                    }
                    let published = table.publish(event, &self.policy, &mut partings);
                    if let Some((entry, ears)) = published {
                        let delivery = rooms.to(entry.room, table);
                        delivery.add(turn, entry, ears, origin);
                    }
                }
                if origin.is_some() {
                    rooms.to(settled.room, table);
                }
                for (room, socket, frame) in partings.tells.drain(..) {
                    rooms.known(room).tell(turn, socket, frame);
                }
                turn += 1;
            }
        }
        turn -= batch.len() as Turn;
        for settled in batch {
            match settled.waiter {
                Waiter::Nobody => {}
                Waiter::Slot(slot) => slot.fill(settled.outcome),
                Waiter::Socket(socket, frame) => {
                    socket.answered();
                    let frame = frame(&settled.outcome);
                    rooms.known(settled.room).answer(turn, socket, frame);
                }
            }
            turn += 1;
        }
        for delivery in rooms.list {
            if delivery.size() <= SMALL && delivery.is_next() {
                delivery.run();
            } else {
                self.porters.carry(delivery);
            }
        }
        if !partings.closing.is_empty() {
            self.porters.after_all(Closing(partings.closing));
        }
    }
}

/// Sockets that the scribe writes to itself: a quarter of a millisecond, and no thread to wake.
const SMALL: usize = 64;

/// One batch by its rooms, in the order in which they come up.
struct Deliveries {
    list: Vec<Delivery>,
    /// Where each room is in the list.
    found: HashMap<RoomNo, usize>,
    lang: Lang,
}

/// Who is parted from a room, or from the server, with a batch.
pub(super) struct Partings {
    lang: Lang,
    /// Frames for those whom it concerns, in these rooms' deliveries.
    tells: Vec<(RoomNo, Arc<Socket>, Bytes)>,
    /// Sockets that end.
    closing: Vec<(Arc<Socket>, Close)>,
}

impl Partings {
    fn new(lang: Lang) -> Partings {
        Partings {
            lang,
            tells: vec![],
            closing: vec![],
        }
    }

    /// Somebody loses a room: its sockets hear why, and end if that was its only one.
    fn part(&mut self, room: RoomNo, ears: &[Ear], frame: &Bytes, last: Option<Close>) {
        for ear in ears {
            if ear.v > 0 {
                self.tells.push((room, ear.socket.clone(), frame.clone()));
            }
            let closing = last.map(|why| (ear.socket.clone(), why));
            self.closing.extend(closing);
        }
    }
}

impl Deliveries {
    fn new(lang: Lang) -> Deliveries {
        Deliveries {
            list: vec![],
            found: HashMap::new(),
            lang,
        }
    }

    fn to(&mut self, room: RoomNo, table: &Table) -> &mut Delivery {
        let index = *self.found.entry(room).or_insert_with(|| {
            let hall = table.halls.get(&room);
            let way = hall.map(|hall| hall.way.clone()).unwrap_or_default();
            self.list.push(Delivery::to(room, way, self.lang));
            self.list.len() - 1
        });
        &mut self.list[index]
    }

    /// One that `to` has made.
    fn known(&mut self, room: RoomNo) -> &mut Delivery {
        let index = *self.found.entry(room).or_insert_with(|| {
            self.list
                .push(Delivery::to(room, Arc::default(), self.lang));
            self.list.len() - 1
        });
        &mut self.list[index]
    }
}

impl Table {
    /// Applies one event; an entry of the order comes back with who is to hear of it. Sockets
    /// that end with it are closed at the end of the delivery.
    fn publish(
        &mut self,
        event: &Event,
        policy: &Policy,
        partings: &mut Partings,
    ) -> Option<(Arc<Entry>, Arc<Vec<Ear>>)> {
        match event {
            Event::Entry(entry) => {
                let audience = match entry.body {
                    // Who leaves still hears of it.
                    Body::Left { .. } => Some(self.unseat(entry)),
                    Body::Joined { .. } => {
                        self.seat(entry);
                        None
                    }
                    Body::Edited { ref of, ref text } => {
                        self.recent.amend(entry.room, of, Some(text), entry.user);
                        None
                    }
                    Body::Deleted { ref of } => {
                        self.recent.amend(entry.room, of, None, entry.user);
                        None
                    }
                    Body::Notice { ref what, .. } => {
                        self.part(entry.room, what, partings);
                        None
                    }
                    Body::Message(_) | Body::Tombstone { .. } => None,
                };
                self.rooms.apply(event);
                if entry.is_notice() {
                    self.recount(entry.room);
                }
                let hall = self.halls.entry(entry.room).or_default();
                if entry.is_notice()
                    && let Some(notices) = &mut hall.notices
                {
                    notices.push_back(entry.clone());
                    if notices.len() > NOTICES_KEPT {
                        notices.pop_front();
                    }
                }
                hall.ring();
                let ears = audience.unwrap_or_else(|| hall.ears.clone());
                self.recent.push(entry.clone());
                return Some((entry.clone(), ears));
            }
            Event::UserMade(user) => {
                self.people.insert(user.no, Person::new(user.registered));
            }
            Event::GuestGone(user) => {
                let known = self.rooms.user(*user).into_iter();
                known.flat_map(|known| known.tokens()).for_each(|token| {
                    self.sessions.remove(token);
                });
                if let Some(person) = self.people.remove(user) {
                    if person.online {
                        self.presence.push((*user, false, person.heard));
                    }
                    person
                        .ears
                        .into_iter()
                        .for_each(|ear| partings.closing.push((ear.socket, Close::Revoked)));
                }
            }
            Event::TokenMade { token, at, .. } => {
                let until = Instant::now() + policy.session;
                let session = Session {
                    until,
                    used: *at,
                    unnoted: false,
                };
                self.sessions.insert(*token, session);
            }
            Event::TokenGone(token) => {
                self.sessions.remove(token);
                let user = self.rooms.by_token(*token).map(|user| user.no);
                let ears = user.and_then(|no| self.people.get(&no)).into_iter();
                ears.flat_map(|person| &person.ears)
                    .filter(|ear| ear.token == *token)
                    .for_each(|ear| partings.closing.push((ear.socket.clone(), Close::Revoked)));
            }
            Event::Pruned { room, floor } => {
                self.recent.prune(*room, *floor);
                let notices = self
                    .halls
                    .get_mut(room)
                    .and_then(|hall| hall.notices.as_mut());
                notices
                    .into_iter()
                    .for_each(|notices| notices.retain(|e| e.at > *floor));
            }
            Event::RoomEnded { room, .. } => {
                let members = self
                    .rooms
                    .room(*room)
                    .into_iter()
                    .flat_map(|r| r.members.values());
                let frame = text_frame(wire::closed(*room, partings.lang));
                for member in members {
                    self.seats.remove(&(*room, member.user));
                    let alone = self.rooms.user(member.user);
                    let alone = alone.is_some_and(|known| known.rooms.len() <= 1);
                    if let Some(person) = self.people.get(&member.user) {
                        let last = alone.then_some(Close::RoomClosed);
                        partings.part(*room, &person.ears, &frame, last);
                    }
                }
                if let Some(mut hall) = self.halls.remove(room) {
                    hall.ring();
                }
                self.recent.forget(*room);
            }
            Event::Requested { request, .. } => {
                self.requests.insert(*request, Instant::now());
            }
            Event::RequestForgotten(request) => drop(self.requests.remove(request)),
            Event::RoomMade(_)
            | Event::Sealed(_)
            | Event::Owner { .. }
            | Event::RoomSecret { .. }
            | Event::RoomKey { .. }
            | Event::Muted { .. }
            | Event::KeptOut { .. }
            | Event::LetIn { .. }
            | Event::Noted(_) => {}
        }
        self.rooms.apply(event);
        None
    }

    /// An owner did something: who is thrown out hears why. (It leaves with the next event.)
    fn part(&self, room: RoomNo, what: &Notice, partings: &mut Partings) {
        let Notice::Kicked { target, kept_out } = what else {
            return;
        };
        let known = self.rooms.user(target.no);
        let alone = known.is_some_and(|known| known.rooms.len() <= 1);
        if let Some(person) = self.people.get(&target.no) {
            let frame = text_frame(wire::kicked(room, *kept_out, partings.lang));
            let last = alone.then_some(Close::Kicked);
            partings.part(room, &person.ears, &frame, last);
        }
    }

    fn seat(&mut self, entry: &Entry) {
        self.seats
            .insert((entry.room, entry.user), Seat::new(entry.at));
        let ears = self.people.get_mut(&entry.user).map(|person| {
            let live = |ear: &mut Ear| match ear.catching_up(entry.room) {
                // It goes on catching up, as if its user had stayed.
                Some(end) => {
                    *end = None;
                    false
                }
                None => true,
            };
            let ears = person.ears.iter_mut();
            ears.filter_map(|ear| live(ear).then(|| ear.clone()))
                .collect::<Vec<_>>()
        });
        let hall = self.halls.entry(entry.room).or_default();
        if let Some(ears) = ears.filter(|ears| !ears.is_empty()) {
            Arc::make_mut(&mut hall.ears).extend(ears);
        }
        hall.used = Instant::now();
        self.call(entry.user, None, None, entry.sent);
    }

    fn unseat(&mut self, entry: &Entry) -> Arc<Vec<Ear>> {
        let (room, user) = (entry.room, entry.user);
        let ears = self
            .people
            .get_mut(&user)
            .into_iter()
            .flat_map(|person| &mut person.ears);
        for ear in ears {
            if let Some(end) = ear.catching_up(room) {
                end.get_or_insert(entry.at);
            }
        }
        self.seats.remove(&(room, user));
        self.lower(room, Some(user));
        let hall = self.halls.entry(room).or_default();
        let before = hall.ears.clone();
        if before.iter().any(|ear| ear.user == user) {
            Arc::make_mut(&mut hall.ears).retain(|ear| ear.user != user);
        }
        before
    }
}
