//! The shared table behind its one lock, and everybody who listens to it.
//!
//! Only this module locks the table, in `table()`; nothing waits (channel, disk, hash) under that
//! lock, and no socket is written to. What lasts is changed by `publish` alone, which the scribe
//! calls after the commit: nobody can see what is not saved.

mod callers;
mod deliver;
mod due;
mod export;
mod hands;
mod listeners;
pub mod live;
mod order;
mod porters;
mod publish;
mod recent;
pub mod socket;
mod views;

pub use callers::{Caller, Target};
pub use export::Owned;
pub use listeners::{Attached, CaughtUp, Seated};
pub use order::Drain;
pub use publish::{MakeFrame, Outcome, Settled, Slot, Waiter};
pub use views::Entrance;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::*;
use crate::rooms::{Room, Rooms};
use crate::store::{Loaded, Readers};
use crate::turns::Turns;
use crate::wire::Lang;
use live::{Buckets, Hall, Person, Seat};
use porters::Porters;
use recent::Recent;
use socket::Socket;

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
    /// Bytes of entries kept in memory.
    pub memory: usize,
    /// Of notices, where nobody has said which language it reads.
    pub lang: Lang,
}

pub struct Hub {
    table: Mutex<Table>,
    policy: Policy,
    readers: Readers,
    epoch: String,
    start: Instant,
    porters: Porters,
    searches: Turns<UserNo>,
    /// Numbers what is published.
    turns: AtomicU64,
    /// Sockets take nothing on any more.
    stopping: AtomicBool,
}

struct Table {
    rooms: Rooms,
    /// All of them, those that have not said who they are among them.
    sockets: HashMap<u64, Arc<Socket>>,
    people: HashMap<UserNo, Person>,
    seats: HashMap<(RoomNo, UserNo), Seat>,
    halls: HashMap<RoomNo, Hall>,
    sessions: HashMap<TokenHash, Session>,
    recent: Recent,
    wrong_passwords: Buckets<(IpAddr, Target)>,
    /// Wrong passwords from everywhere, for the delay.
    wrong_by_all: Buckets<Target>,
    joins: Buckets<(IpAddr, RoomNo)>,
    noted_heard: Instant,
    noted_cursors: Instant,
    /// Creates and joins that may be asked for again, and since when.
    requests: HashMap<Request, Instant>,
    /// Comings (true) and goings that are not on disk yet.
    presence: Vec<(UserNo, bool, Nanos)>,
    /// Who came or went since the last frames of presence.
    changed: BTreeMap<UserNo, bool>,
    /// Large rooms that somebody joined or left since then.
    recount: BTreeSet<RoomNo>,
    /// Where hands went up or down since that was last told.
    hands: BTreeSet<RoomNo>,
}

struct Session {
    /// Of an account's token; a guest's is valid as long as the membership.
    until: Instant,
    used: Nanos,
    unnoted: bool,
}

/// Wrong passwords that one address may try at one room or account (PROTOCOL.md, Limits).
const WRONG_PASSWORDS_A_MINUTE: u32 = 60;
/// Joins of one room from one address: a classroom is one address, and comes in a minute.
const JOINS_A_MINUTE: u32 = 120;

/// Searches of one user that wait for their turn: a device each. There is one turn, so that the other
/// readers of the database are there for pages.
const SEARCHES_WAITING: usize = 4;

/// A token lives so long after a start, whatever the clock says: a machine that boots with a wrong
/// one must not end everybody's session before it is set right.
const START_GRACE: Duration = Duration::from_secs(3600);

impl Hub {
    pub fn new(loaded: &mut Loaded, policy: Policy, now: Nanos) -> Hub {
        let start = Instant::now();
        let (mut presence, mut people) = (vec![], HashMap::new());
        for (user, heard) in loaded.heard.drain(..) {
            let mut person = Person::new(heard);
            // Whoever was heard a moment ago is there for the rest of the idle time.
            let age = Duration::from_nanos(now.saturating_sub(heard).max(0) as u64);
            person.called = start
                .checked_sub(age)
                .filter(|_| age < policy.idle && heard <= now);
            if person.called.is_some()
                && loaded.rooms.user(user).is_some_and(|k| !k.rooms.is_empty())
            {
                person.online = true;
                presence.push((user, true, now));
            }
            people.insert(user, person);
        }
        let seats = loaded
            .cursors
            .drain(..)
            .map(|(r, u, cursor)| ((r, u), Seat::new(cursor)));
        let sessions = loaded.used.drain(..).map(|(token, used)| {
            // A clock that went back makes no session older.
            let age = Duration::from_nanos(now.saturating_sub(used).max(0) as u64);
            // Nor does one that jumped ahead end all at once.
            let left = policy.session.saturating_sub(age);
            let until = start + left.max(START_GRACE.min(policy.session));
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
            rooms: loaded.rooms.clone().remembering(0),
            sockets: HashMap::new(),
            people,
            seats: seats.collect(),
            halls: HashMap::new(),
            sessions: sessions.collect(),
            recent: Recent::new(policy.memory),
            wrong_passwords: Buckets::per_minute(WRONG_PASSWORDS_A_MINUTE),
            wrong_by_all: Buckets::per_minute(WRONG_PASSWORDS_A_MINUTE),
            joins: Buckets::per_minute(JOINS_A_MINUTE),
            requests: loaded.rooms.requests().map(|r| (r, start)).collect(),
            noted_heard: start,
            noted_cursors: start,
            presence,
            changed: BTreeMap::new(),
            recount: BTreeSet::new(),
            hands: BTreeSet::new(),
        };
        let (source, epoch) = (loaded.source.clone(), loaded.epoch.clone());
        Hub {
            table: Mutex::new(table),
            policy,
            readers: Readers::new(source),
            epoch,
            start,
            porters: Porters::start(),
            searches: Turns::new(1, SEARCHES_WAITING),
            turns: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// The lock. A panic under it ends the process (scribe.rs) or left the table whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn lang(&self) -> Lang {
        self.policy.lang
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The rules' table as everybody sees it: what the scribe goes back to after a failed commit. It
    /// remembers no uuids.
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

    /// A call by a user: a heartbeat. `from`: where it came from, if that is known.
    fn call(&mut self, user: UserNo, room: Option<RoomNo>, from: Option<IpAddr>, now: Nanos) {
        let person = self.person(user);
        person.from = from.or(person.from);
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
            self.changed.insert(user, true);
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

/// For what the database should have given.
fn unreadable(error: rusqlite::Error) -> Refusal {
    log::error!("cannot read the database: {error}");
    Refusal::Busy
}
