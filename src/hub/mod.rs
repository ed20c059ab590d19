//! The shared table behind its one lock, and everybody who listens to it.
//!
//! Only this file locks the table, in `table()`; nothing waits (channel, disk, hash) under that
//! lock, and no socket is written to. What lasts is changed by `publish` alone, which the scribe
//! calls after the commit: nobody can see what is not saved.

mod deliver;
pub mod live;
mod recent;
pub mod socket;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::clock;
use crate::model::*;
use crate::rooms::{Room, Rooms};
use crate::store::{Loaded, Readers, Span};
use live::{Bell, Buckets, Ear, Hall, NOTICES_KEPT, Person, Seat};
use recent::Recent;
use socket::{Close, Socket};

/// Wrong passwords that one address may try at one room or account (PROTOCOL.md, Limits).
const WRONG_PASSWORDS_A_MINUTE: u32 = 60;
/// Joins of one room from one address: a classroom is one address, and comes in a minute.
const JOINS_A_MINUTE: u32 = 120;
/// A user's burst, in seconds of its rate; a room's is one second.
const USER_BURST: f64 = 3.0;
/// Newest notices shown of one member, and of all members of one answer (PROTOCOL.md).
const NOTICES_EACH: usize = 3;
const NOTICES_IN_ALL: usize = 64;
/// Heartbeats and uses of tokens are kept on disk to the minute.
const NOTE_HEARD_EVERY: Duration = Duration::from_secs(60);
/// Cursors are kept on disk this late: after a crash an entry may come again.
const NOTE_CURSORS_EVERY: Duration = Duration::from_secs(5);
/// PROTOCOL.md: the server pings every 30 s and closes a socket that is silent for 75 s.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);

/// The flags that the hub follows.
#[derive(Clone, Debug)]
pub struct Policy {
    pub require_token: bool,
    /// Messages a second; 0 is no limit.
    pub user_rate: u32,
    pub room_rate: u32,
    pub idle: Duration,
    pub hold: Duration,
    pub session: Duration,
}

pub struct Hub {
    table: Mutex<Table>,
    policy: Policy,
    readers: Readers,
    epoch: String,
    start: Instant,
}

struct Table {
    rooms: Rooms,
    /// The server stops: who comes now is closed at once.
    stopping: bool,
    /// All of them, those that have not said who they are among them.
    sockets: HashMap<u64, Arc<Socket>>,
    people: HashMap<UserNo, Person>,
    seats: HashMap<(RoomNo, UserNo), Seat>,
    halls: HashMap<RoomNo, Hall>,
    sessions: HashMap<TokenHash, Session>,
    recent: Recent,
    wrong_passwords: Buckets<(IpAddr, Target)>,
    joins: Buckets<(IpAddr, RoomNo)>,
    noted_heard: Instant,
    noted_cursors: Instant,
    presence: Vec<(UserNo, bool, Nanos)>,
}

struct Session {
    /// Of an account's token; a guest's is valid as long as the membership.
    until: Instant,
    used: Nanos,
    unnoted: bool,
}

/// What a password opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Room(RoomNo),
    Account(String),
}

/// A command that was settled: what is to be told to everybody, and to its sender.
pub struct Settled {
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

/// Who calls, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caller {
    pub room: RoomNo,
    pub user: UserNo,
    /// A valid token was shown for an open guest: it is to be sealed.
    pub seal: bool,
}

/// What is pending for a member. Dropped without `handed` it stays pending.
pub struct Drain<'a> {
    hub: &'a Hub,
    seat: (RoomNo, UserNo),
    upto: Place,
    pub entries: Vec<Arc<Entry>>,
}

impl Drain<'_> {
    /// The answer was written: what it held is forgotten.
    pub fn handed(self) {
        let mut table = self.hub.table();
        if let Some(seat) = table.seats.get_mut(&self.seat) {
            seat.unnoted |= seat.cursor < self.upto;
            seat.cursor = seat.cursor.max(self.upto);
        }
    }
}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.hub.table().seats.get_mut(&self.seat) {
            seat.handing = false;
        }
    }
}

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

// ---- The table ----

impl Hub {
    pub fn new(loaded: &mut Loaded, policy: Policy, now: Nanos) -> Hub {
        let start = Instant::now();
        let mut people: HashMap<_, _> = loaded
            .heard
            .drain(..)
            .map(|(user, heard)| (user, Person::new(heard)))
            .collect();
        people.shrink_to_fit();
        let seats = loaded
            .cursors
            .drain(..)
            .map(|(r, u, cursor)| ((r, u), Seat::new(cursor)));
        let sessions = loaded.used.drain(..).map(|(token, used)| {
            // A clock that went back makes no session older.
            let age = Duration::from_nanos(now.saturating_sub(used).max(0) as u64);
            let until = start + policy.session.saturating_sub(age);
            (
                token,
                Session {
                    until,
                    used,
                    unnoted: false,
                },
            )
        });
        let table = Table {
            rooms: loaded.rooms.clone(),
            stopping: false,
            sockets: HashMap::new(),
            people,
            seats: seats.collect(),
            halls: HashMap::new(),
            sessions: sessions.collect(),
            recent: Recent::default(),
            wrong_passwords: Buckets::per_minute(WRONG_PASSWORDS_A_MINUTE),
            joins: Buckets::per_minute(JOINS_A_MINUTE),
            noted_heard: start,
            noted_cursors: start,
            presence: vec![],
        };
        let (source, epoch) = (loaded.source.clone(), loaded.epoch.clone());
        Hub {
            table: Mutex::new(table),
            policy,
            readers: Readers::new(source),
            epoch,
            start,
        }
    }

    /// The lock. A panic under it ends the process (scribe.rs) or left the table whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// The rules' table as everybody sees it: what the scribe goes back to after a failed commit.
    pub fn committed(&self) -> Rooms {
        self.table().rooms.clone()
    }
}

impl Table {
    fn find(&self, room: RoomRef) -> Option<&Room> {
        match room {
            RoomRef::Id(id) => self.rooms.room_by_id(id),
            RoomRef::No(no) => self.rooms.room(no),
        }
    }

    fn person(&mut self, user: UserNo) -> &mut Person {
        self.people.entry(user).or_insert_with(|| Person::new(0))
    }

    /// A call by a user: a heartbeat.
    fn call(&mut self, user: UserNo, room: Option<RoomNo>, now: Nanos) {
        let person = self.person(user);
        person.called = Some(Instant::now());
        person.heard = now;
        person.unnoted = true;
        self.come(user, now);
        if let Some(room) = room {
            self.halls.entry(room).or_default().used = Instant::now();
        }
    }

    fn come(&mut self, user: UserNo, now: Nanos) {
        let person = self.person(user);
        if !person.online {
            person.online = true;
            self.presence.push((user, true, now));
        }
    }

    /// The user of a token that is valid now; its use is noted.
    fn session(&mut self, token: TokenHash, policy: &Policy, now: Nanos) -> Result<&User, Refusal> {
        let user = self.rooms.by_token(token).ok_or(Refusal::BadToken)?;
        if let Some(session) = self.sessions.get_mut(&token) {
            if user.is_account() && session.until <= Instant::now() {
                return Err(Refusal::BadToken);
            }
            session.until = Instant::now() + policy.session;
            session.used = now;
            session.unnoted = true;
        }
        if user.status == STATUS_BANNED {
            return Err(Refusal::Banned);
        }
        Ok(user)
    }
}

// ---- Who calls ----

impl Hub {
    /// The Identity rule (PROTOCOL.md) for a call in the name of `user` in a room.
    pub fn caller(
        &self,
        room: RoomRef,
        user: Uuid,
        token: Option<TokenHash>,
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
                return Err(Refusal::BadToken);
            }
            None if sealed || self.policy.require_token => return Err(Refusal::TokenRequired),
            _ => {}
        }
        table.call(user, Some(room), now);
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
        table.call(user.no, None, now);
        let seal = !user.sealed;
        Ok((user, seal))
    }

    /// The same in a room that it must be in.
    pub fn member(&self, room: RoomRef, user: UserNo) -> Result<RoomNo, Refusal> {
        let mut table = self.table();
        let found = table.find(room).ok_or(Refusal::NoSuchRoom)?;
        found.member(user).ok_or(Refusal::NotMember)?;
        let room = found.head.no;
        table.call(user, Some(room), clock::now());
        Ok(room)
    }

    pub fn account(&self, username: &str) -> Option<User> {
        self.table().rooms.account(username).cloned()
    }

    pub fn user(&self, no: UserNo) -> Option<User> {
        self.table().rooms.user(no).map(|known| known.user.clone())
    }

    /// Also those who left: messages name them.
    pub fn anybody(&self, no: UserNo) -> Result<Option<User>, Refusal> {
        match self.user(no) {
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

// ---- Limits ----

impl Hub {
    /// Whether this user may send to this room now.
    pub fn may_send(&self, room: RoomNo, user: UserNo) -> Result<(), Refusal> {
        let (per_user, per_room) = (
            f64::from(self.policy.user_rate),
            f64::from(self.policy.room_rate),
        );
        let now = Instant::now();
        let too_fast = |after| Refusal::TooFast { after };
        let table = &mut *self.table();
        let person = table.person(user);
        person
            .rate
            .take(per_user, per_user * USER_BURST, now)
            .map_err(too_fast)?;
        let hall = table.halls.entry(room).or_default();
        hall.rate.take(per_room, per_room, now).map_err(|after| {
            table
                .people
                .get_mut(&user)
                .into_iter()
                .for_each(|p| p.rate.give_back());
            too_fast(after)
        })
    }

    pub fn may_join(&self, room: RoomNo, from: IpAddr) -> Result<(), Refusal> {
        let taken = self.table().joins.take((from, room), Instant::now());
        taken.map_err(|after| Refusal::TooFast { after })
    }

    /// Whether this address may try a password here; `right_password` gives the try back.
    pub fn may_try(&self, from: IpAddr, target: &Target) -> Result<(), Refusal> {
        let key = (from, target.clone());
        let taken = self.table().wrong_passwords.take(key, Instant::now());
        taken.map_err(|after| Refusal::TooFast { after })
    }

    pub fn right_password(&self, from: IpAddr, target: Target) {
        self.table().wrong_passwords.give_back(&(from, target));
    }
}

// ---- Looking at rooms ----

/// A room as its door sees it.
pub struct Entrance {
    pub no: RoomNo,
    pub secret: Option<Arc<str>>,
    pub secret_version: u32,
    pub listed: bool,
    /// Members silent for so long that a newcomer may have their name.
    pub silent: Vec<UserNo>,
}

impl Hub {
    pub fn entrance(&self, room: RoomRef) -> Result<Entrance, Refusal> {
        let mut table = self.table();
        let found = table.find(room).ok_or(Refusal::NoSuchRoom)?;
        let silent = |user: &UserNo| {
            let person = table.people.get(user);
            person.is_some_and(|p| p.silence(self.start) >= NAME_HELD)
        };
        let entrance = Entrance {
            no: found.head.no,
            secret: found.head.secret.clone(),
            secret_version: found.head.secret_version,
            listed: found.head.listed,
            silent: found
                .members
                .values()
                .map(|m| m.user)
                .filter(silent)
                .collect(),
        };
        table.halls.entry(entrance.no).or_default().used = Instant::now();
        Ok(entrance)
    }

    /// A room with its members and each one's pending notices.
    pub fn view(&self, room: RoomNo) -> Result<RoomView, Refusal> {
        let missing = {
            let table = self.table();
            table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            table
                .halls
                .get(&room)
                .is_none_or(|hall| hall.notices.is_none())
        };
        let loaded = if missing {
            self.load_notices(room)?
        } else {
            VecDeque::new()
        };

        let table = &mut *self.table();
        let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        let hall = table.halls.entry(room).or_default();
        let notices = hall.notices.get_or_insert(loaded);
        let mut left = NOTICES_IN_ALL;
        let members = found.members.values().filter_map(|member| {
            let known = table.rooms.user(member.user)?;
            let person = table.people.get(&member.user);
            let cursor = table
                .seats
                .get(&(room, member.user))
                .map_or(found.last, |s| s.cursor);
            let mut pending: Vec<_> = notices
                .iter()
                .rev()
                .take_while(|e| e.at > cursor)
                .filter(|e| e.user != member.user)
                .take(NOTICES_EACH.min(left))
                .cloned()
                .collect();
            pending.reverse();
            left -= pending.len();
            Some(MemberView {
                no: member.user,
                id: known.user.id,
                name: member.name.clone(),
                avatar: known.user.avatar,
                heard: person.map_or(0, |p| p.heard),
                online: person.is_some_and(|p| p.is_online(self.policy.idle)),
                notices: pending,
            })
        });
        let members = members.collect();
        Ok(RoomView {
            members,
            ..head_view(found)
        })
    }

    /// Read outside the lock; entries that came meanwhile are in memory.
    fn load_notices(&self, room: RoomNo) -> Result<VecDeque<Arc<Entry>>, Refusal> {
        let stored = self
            .readers
            .notices(room, NOTICES_KEPT)
            .map_err(unreadable)?;
        let mut notices: VecDeque<_> = stored.into();
        let last = notices.back().map_or(0, |e| e.at);
        let mut table = self.table();
        let end = table.rooms.room(room).map_or(0, |r| r.last);
        // What was committed but is not published yet will be added by `publish`.
        notices.retain(|e| e.at <= end);
        if let Some(newer) = table.recent.after(room, last, end) {
            notices.extend(newer.filter(|e| e.message().is_none()).cloned());
        }
        Ok(notices)
    }

    /// A room without its members, or None.
    pub fn find(&self, room: RoomRef) -> Option<(RoomView, bool)> {
        let table = self.table();
        let found = table.find(room)?;
        Some((head_view(found), found.head.listed))
    }

    /// The rooms that a user is in, by number.
    pub fn rooms_of(&self, user: UserNo) -> Vec<RoomView> {
        let table = self.table();
        let rooms = table
            .rooms
            .user(user)
            .into_iter()
            .flat_map(|known| &known.rooms);
        rooms
            .filter_map(|no| table.rooms.room(*no))
            .map(head_view)
            .collect()
    }

    /// An entry that was just published, from memory.
    pub fn joined_entry(&self, room: RoomNo, user: UserNo) -> Option<Arc<Entry>> {
        let mut table = self.table();
        let found = table.rooms.room(room)?;
        let (place, last) = (found.joined(user)?, found.last);
        let entry = table.recent.after(room, place - 1, last)?.next().cloned();
        entry.filter(|e| e.at == place)
    }
}

fn head_view(room: &Room) -> RoomView {
    RoomView {
        no: room.head.no,
        id: room.head.id,
        name: room.head.name.clone(),
        description: String::new(),
        created: room.head.created,
        last: room.last,
        members: vec![],
    }
}

fn unreadable(error: rusqlite::Error) -> Refusal {
    log::error!("cannot read the database: {error}");
    Refusal::Busy
}

// ---- Reading the order ----

impl Hub {
    /// Begins a fetch of a member, which ends the waiting of its older ones. Its number.
    pub fn begin_fetch(&self, caller: Caller) -> u64 {
        let mut table = self.table();
        if let Some(hall) = table.halls.get_mut(&caller.room) {
            hall.ring();
        }
        table
            .seats
            .get_mut(&(caller.room, caller.user))
            .map_or(0, |seat| {
                seat.fetch += 1;
                seat.fetch
            })
    }

    /// Whether no newer fetch of this member has begun; then `bell` rings when something changes.
    pub fn still_fetching(&self, caller: Caller, fetch: u64, bell: &Arc<Bell>) -> bool {
        let mut table = self.table();
        if table
            .seats
            .get(&(caller.room, caller.user))
            .is_none_or(|seat| seat.fetch != fetch)
        {
            return false;
        }
        table
            .halls
            .entry(caller.room)
            .or_default()
            .waiting
            .push(Arc::downgrade(bell));
        true
    }

    /// Everything pending but one's own, within the bounds of one answer. Nothing while another
    /// answer is being handed over.
    pub fn drain(&self, caller: Caller, limit: usize) -> Result<Drain<'_>, Refusal> {
        let Caller { room, user, .. } = caller;
        let (after, last, found) = {
            let table = &mut *self.table();
            let last = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?.last;
            let seat = table
                .seats
                .get_mut(&(room, user))
                .ok_or(Refusal::NotMember)?;
            let after = seat.cursor;
            if seat.handing || after >= last {
                // The drop of this one must not end the other's.
                let entries = vec![];
                return Ok(Drain {
                    hub: self,
                    seat: (RoomNo(0), user),
                    upto: after,
                    entries,
                });
            }
            seat.handing = true;
            let found = table.recent.after(room, after, last);
            (
                after,
                last,
                found.map(|newer| bounded(newer.filter(|e| e.user != user).cloned(), limit)),
            )
        };
        let mut drain = Drain {
            hub: self,
            seat: (room, user),
            upto: last,
            entries: vec![],
        };
        let (entries, whole) = match found {
            Some(found) => found,
            None => {
                let span = Span::After(after);
                let stored =
                    self.readers
                        .entries(room, span, last, Some(user), limit, MAX_FETCH_BYTES);
                stored.map_err(unreadable)?
            }
        };
        if !whole {
            drain.upto = entries.last().map_or(after, |e| e.at);
        }
        drain.entries = entries;
        Ok(drain)
    }

    /// What stands after a cursor, own entries included; all up to the cursor is acknowledged.
    pub fn fetch_after(
        &self,
        caller: Caller,
        after: Place,
        epoch: Option<&str>,
        limit: usize,
    ) -> Result<Page, Refusal> {
        let last = {
            let table = &mut *self.table();
            let last = table
                .rooms
                .room(caller.room)
                .ok_or(Refusal::NoSuchRoom)?
                .last;
            let seat = table.seats.get_mut(&(caller.room, caller.user));
            let seat = seat.ok_or(Refusal::NotMember)?;
            if after <= last && epoch.is_none_or(|e| e == self.epoch) && after > seat.cursor {
                seat.cursor = after;
                seat.unnoted = true;
            }
            last
        };
        if epoch.is_some_and(|e| e != self.epoch) || after > last {
            // Another sequence's number says nothing here: the newest there is, and that
            // something may be missing.
            let newest = self.page(caller.room, Span::Before(last + 1), limit)?;
            return Ok(Page {
                next: last,
                complete: false,
                more: false,
                ..newest
            });
        }
        self.page(caller.room, Span::After(after), limit)
    }

    /// A page of the order. `next` goes on in the same direction.
    pub fn page(&self, room: RoomNo, span: Span, limit: usize) -> Result<Page, Refusal> {
        let (last, found) = {
            let table = &mut *self.table();
            let last = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?.last;
            // Memory holds the end of the order; a page before a place ends where that one says.
            let (after, end) = match span {
                Span::After(place) => (place, last),
                Span::Before(place) => {
                    let end = last.min(place.saturating_sub(1));
                    (end.saturating_sub(limit as u64), end)
                }
            };
            let entries = table.recent.after(room, after, last);
            let within = entries.map(|newer| newer.take_while(move |e| e.at <= end).cloned());
            (last, within.map(|newer| bounded(newer, limit)))
        };
        let entries = match found {
            Some((entries, _)) => entries,
            None => {
                let stored = self
                    .readers
                    .entries(room, span, last, None, limit, MAX_FETCH_BYTES);
                stored.map_err(unreadable)?.0
            }
        };
        let (first, end) = (entries.first().map(|e| e.at), entries.last().map(|e| e.at));
        Ok(match span {
            Span::After(place) => {
                let next = end.unwrap_or(place.min(last));
                Page {
                    entries,
                    next,
                    complete: place <= last,
                    more: next < last,
                }
            }
            Span::Before(place) => {
                let next = first.unwrap_or(place.min(1));
                Page {
                    entries,
                    next,
                    complete: place <= last + 1,
                    more: next > 1,
                }
            }
        })
    }
}

/// As many as one answer may hold, and whether that is all.
fn bounded(entries: impl Iterator<Item = Arc<Entry>>, limit: usize) -> (Vec<Arc<Entry>>, bool) {
    let (mut taken, mut weight) = (vec![], 0);
    for entry in entries {
        weight += entry.weight();
        if taken.len() == limit || (weight > MAX_FETCH_BYTES && !taken.is_empty()) {
            return (taken, false);
        }
        taken.push(entry);
    }
    (taken, true)
}

// ---- Sockets ----

impl Hub {
    /// From here on the socket is pinged, and closed when the server stops.
    pub fn attach(&self, socket: &Arc<Socket>) -> Attached<'_> {
        let stopping = {
            let mut table = self.table();
            table.sockets.insert(socket.id, socket.clone());
            table.stopping
        };
        if stopping {
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
            }
        }
    }

    /// Once a second, by the pulse: pings and cuts sockets, sees who went away.
    pub fn tend(&self, now: Nanos) {
        let sockets: Vec<_> = {
            let table = &mut *self.table();
            for (user, person) in &mut table.people {
                // An open socket uses its token.
                for ear in &person.ears {
                    if let Some(session) = table.sessions.get_mut(&ear.token) {
                        session.until = Instant::now() + self.policy.session;
                        session.used = now;
                    }
                }
                if person.online && !person.is_online(self.policy.idle) {
                    person.online = false;
                    table.presence.push((*user, false, now));
                }
            }
            table.sockets.values().cloned().collect()
        };
        sockets
            .iter()
            .for_each(|socket| socket.tend(PING_EVERY, SILENCE));
    }

    /// Closes every socket: the server stops.
    pub fn close_all(&self) {
        let sockets: Vec<_> = {
            let mut table = self.table();
            table.stopping = true;
            table.sockets.values().cloned().collect()
        };
        sockets
            .iter()
            .for_each(|socket| socket.close(Close::Stopping));
        self.table().halls.values_mut().for_each(Hall::ring);
    }
}

impl Attached<'_> {
    /// Seats the socket among the listeners of its user's rooms, which come back as they are at
    /// that moment. From here on it hears everything: `hold` it first, and `release` it with the
    /// answer to `auth`.
    pub fn sit(
        &mut self,
        user: UserNo,
        token: TokenHash,
        v: u64,
        now: Nanos,
    ) -> Result<Vec<RoomView>, Refusal> {
        let table = &mut *self.hub.table();
        let known = table.rooms.user(user).ok_or(Refusal::BadToken)?;
        let rooms: Vec<_> = known.rooms.iter().copied().collect();
        let ear = Ear {
            socket: self.socket.clone(),
            user,
            token,
            v,
        };
        for room in &rooms {
            Arc::make_mut(&mut table.halls.entry(*room).or_default().ears).push(ear.clone());
        }
        let views = rooms
            .iter()
            .filter_map(|no| table.rooms.room(*no))
            .map(head_view)
            .collect();
        table.person(user).ears.push(ear);
        table.come(user, now);
        self.user = Some(user);
        Ok(views)
    }
}

// ---- What the clock brings ----

impl Hub {
    /// What is due to be written although nobody waits for it; `all` at the end.
    pub fn take_note(&self, all: bool) -> Note {
        let table = &mut *self.table();
        let mut note = Note {
            presence: std::mem::take(&mut table.presence),
            ..Note::default()
        };
        if all || table.noted_cursors.elapsed() >= NOTE_CURSORS_EVERY {
            table.noted_cursors = Instant::now();
            for ((room, user), seat) in table.seats.iter_mut().filter(|(_, seat)| seat.unnoted) {
                seat.unnoted = false;
                note.cursors.push((*room, *user, seat.cursor));
            }
        }
        if all || table.noted_heard.elapsed() >= NOTE_HEARD_EVERY {
            table.noted_heard = Instant::now();
            for (user, person) in table.people.iter_mut().filter(|(_, person)| person.unnoted) {
                person.unnoted = false;
                note.heard.push((*user, person.heard));
            }
            for (token, session) in table.sessions.iter_mut().filter(|(_, s)| s.unnoted) {
                session.unnoted = false;
                note.used.push((*token, session.used));
            }
        }
        if all {
            let here = table.people.iter().filter(|(_, person)| person.online);
            note.presence
                .extend(here.map(|(user, person)| (*user, false, person.heard)));
        }
        note
    }

    /// A note that the disk did not take is due again.
    pub fn give_back_note(&self, note: &Note) {
        let table = &mut *self.table();
        for (room, user, _) in &note.cursors {
            table
                .seats
                .get_mut(&(*room, *user))
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        for (user, _) in &note.heard {
            table
                .people
                .get_mut(user)
                .into_iter()
                .for_each(|p| p.unnoted = true);
        }
        for (token, _) in &note.used {
            table
                .sessions
                .get_mut(token)
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        table.presence.splice(0..0, note.presence.iter().copied());
    }

    /// Who and what was silent for too long, as the rules are to check. None: nothing.
    pub fn overdue(&self, now: Nanos) -> Option<Act> {
        let table = self.table();
        let rooms = table.rooms.rooms();
        let unused = |room: &&Room| {
            let used = table
                .halls
                .get(&room.head.no)
                .map_or(self.start, |hall| hall.used);
            let listening = table
                .halls
                .get(&room.head.no)
                .is_some_and(|h| !h.ears.is_empty());
            !listening && used.max(self.start).elapsed() >= ROOM_LIFE
        };
        let mut ended: Vec<RoomNo> = rooms.filter(unused).map(|room| room.head.no).collect();
        let mut guests = vec![];
        for (user, person) in &table.people {
            if person.silence(self.start) < self.policy.hold {
                continue;
            }
            if let Some(known) = table.rooms.user(*user).filter(|k| !k.user.is_account()) {
                guests.extend(known.rooms.iter().map(|room| (*room, *user)));
            }
        }
        // An owner stays; asking again every second would be for nothing.
        guests.retain(|(room, user)| {
            table
                .rooms
                .room(*room)
                .is_some_and(|room| room.head.owner != *user)
        });
        let expired = |(token, user): &(TokenHash, UserNo)| {
            let account = table
                .rooms
                .user(*user)
                .is_some_and(|known| known.user.is_account());
            account
                && table
                    .sessions
                    .get(token)
                    .is_some_and(|s| s.until <= Instant::now())
        };
        let mut tokens: Vec<_> = table
            .rooms
            .tokens()
            .filter(expired)
            .map(|(token, _)| token)
            .collect();
        // In the order of their numbers, so that the same silence gives the same notices.
        guests.sort();
        ended.sort();
        tokens.sort();
        let nothing = guests.is_empty() && ended.is_empty() && tokens.is_empty();
        let idle = nothing && !table.rooms.has_old_requests(now - REQUEST_LIFE);
        (!idle).then_some(Act::Expire {
            guests,
            rooms: ended,
            tokens,
        })
    }
}

// ---- Publishing ----

impl Hub {
    /// Applies a committed batch to the table, then tells its senders and everybody who listens.
    /// Called by the scribe alone: the order of calls is the order.
    pub fn publish(&self, batch: Vec<Settled>) {
        let mut delivery = deliver::Delivery::default();
        {
            let table = &mut *self.table();
            for (index, settled) in batch.iter().enumerate() {
                let origin = match &settled.waiter {
                    Waiter::Socket(socket, _) => Some(socket.id),
                    Waiter::Slot(_) | Waiter::Nobody => None,
                };
                for event in &settled.events {
                    if let Some((entry, ears)) = table.publish(event, &self.policy) {
                        delivery.add(index, entry, ears, origin);
                    }
                }
            }
        }
        for (index, settled) in batch.into_iter().enumerate() {
            match settled.waiter {
                Waiter::Nobody => {}
                Waiter::Slot(slot) => slot.fill(settled.outcome),
                Waiter::Socket(socket, frame) => {
                    socket
                        .unanswered
                        .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                    delivery.answer(index, socket, frame(&settled.outcome));
                }
            }
        }
        delivery.run();
    }
}

impl Table {
    /// Applies one event; an entry of the order comes back with who is to hear of it.
    fn publish(&mut self, event: &Event, policy: &Policy) -> Option<(Arc<Entry>, Arc<Vec<Ear>>)> {
        match event {
            Event::Entry(entry) => {
                let audience = match entry.body {
                    // Who leaves still hears of it.
                    Body::Left { .. } => Some(self.unseat(entry.room, entry.user)),
                    Body::Joined { .. } => {
                        self.seat(entry);
                        None
                    }
                    Body::Message(_) => None,
                };
                self.rooms.apply(event);
                let hall = self.halls.entry(entry.room).or_default();
                if entry.message().is_none()
                    && let Some(notices) = &mut hall.notices
                {
                    notices.push_back(entry.clone());
                    if notices.len() > NOTICES_KEPT {
                        notices.pop_front();
                    }
                }
                hall.ring();
                let ears = audience.unwrap_or_else(|| hall.ears.clone());
                self.recent.push(entry.clone(), recent::BUDGET);
                return Some((entry.clone(), ears));
            }
            Event::UserMade(user) => {
                self.people.insert(user.no, Person::new(user.registered));
            }
            Event::GuestGone(user) => {
                // Its sockets stay open: their token is worth nothing now, and says so.
                if let Some(person) = self.people.remove(user) {
                    if person.online {
                        self.presence.push((*user, false, person.heard));
                    }
                    person
                        .ears
                        .iter()
                        .for_each(|ear| ear.socket.close(Close::Revoked));
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
                    .for_each(|ear| ear.socket.close(Close::Revoked));
            }
            Event::RoomEnded { room, .. } => {
                let members = self
                    .rooms
                    .room(*room)
                    .into_iter()
                    .flat_map(|r| r.members.values());
                members.for_each(|member| {
                    self.seats.remove(&(*room, member.user));
                });
                self.halls.remove(room);
                self.recent.forget(*room);
            }
            Event::RoomMade(_)
            | Event::Sealed(_)
            | Event::Requested { .. }
            | Event::RequestsForgotten { .. }
            | Event::Noted(_) => {}
        }
        self.rooms.apply(event);
        None
    }

    fn seat(&mut self, entry: &Entry) {
        self.seats
            .insert((entry.room, entry.user), Seat::new(entry.at));
        let ears = self
            .people
            .get(&entry.user)
            .map(|person| person.ears.clone());
        let hall = self.halls.entry(entry.room).or_default();
        if let Some(ears) = ears.filter(|ears| !ears.is_empty()) {
            Arc::make_mut(&mut hall.ears).extend(ears);
        }
        hall.used = Instant::now();
        self.call(entry.user, None, entry.sent);
    }

    fn unseat(&mut self, room: RoomNo, user: UserNo) -> Arc<Vec<Ear>> {
        self.seats.remove(&(room, user));
        let hall = self.halls.entry(room).or_default();
        let before = hall.ears.clone();
        if before.iter().any(|ear| ear.user == user) {
            Arc::make_mut(&mut hall.ears).retain(|ear| ear.user != user);
        }
        before
    }
}
