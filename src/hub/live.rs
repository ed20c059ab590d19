//! What does not last: who is there, how fast they talk, how far they have fetched, who waits.
//!
//! Plain data behind the hub's lock. Knows no thread but the bells it is handed.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::deliver::Way;
use super::socket::Socket;
use crate::model::*;

/// After the last socket closed: a reload makes no noise.
pub const PARTING: Duration = Duration::from_secs(10);
/// Newest notices of a room kept for the lists of create and join answers.
pub const NOTICES_KEPT: usize = 64;

/// One socket that listens to a room.
#[derive(Clone)]
pub struct Ear {
    /// The socket's, at hand without looking there.
    pub id: u64,
    pub socket: Arc<Socket>,
    pub user: UserNo,
    /// What it showed; when that is revoked, it is closed.
    pub token: TokenHash,
    /// The version it speaks: 0 gets what its document has and no more.
    pub v: u64,
    /// Rooms that it is catching up with: deliveries skip it there. If its user has left one
    /// meanwhile, the place of that: nothing after it is to be heard. Kept in `Person::ears`.
    pub behind: Vec<(RoomNo, Option<Place>)>,
}

impl Ear {
    /// Where it stands in a room that it is catching up with.
    pub fn catching_up(&mut self, room: RoomNo) -> Option<&mut Option<Place>> {
        let found = self.behind.iter_mut().find(|(no, _)| *no == room);
        found.map(|(_, end)| end)
    }
}

/// A user, for as long as the table knows it.
pub struct Person {
    pub ears: Vec<Ear>,
    /// The last call since the start, by the clock that does not jump …
    pub called: Option<Instant>,
    /// … and by the one that people read.
    pub heard: Nanos,
    /// When the last socket closed.
    pub parted: Option<Instant>,
    /// As presence was last told.
    pub online: bool,
    /// `heard` is not on disk yet.
    pub unnoted: bool,
    pub rate: Bucket,
    pub typing: Bucket,
    /// Where it called from last, as limits count addresses.
    pub from: Option<IpAddr>,
}

impl Person {
    pub fn new(heard: Nanos) -> Person {
        Person {
            ears: vec![],
            called: None,
            heard,
            parted: None,
            online: false,
            unnoted: false,
            rate: Bucket::default(),
            typing: Bucket::default(),
            from: None,
        }
    }

    /// PROTOCOL.md: 10 s after the last socket closed, or the idle time after the last call,
    /// whichever is later, a member is offline.
    pub fn is_online(&self, idle: Duration) -> bool {
        let within = |since: Option<Instant>, time| since.is_some_and(|s| s.elapsed() < time);
        !self.ears.is_empty() || within(self.parted, PARTING) || within(self.called, idle)
    }

    /// For how long nothing was heard; an open socket is not silence. A restart begins it anew.
    pub fn silence(&self, start: Instant) -> Duration {
        if !self.ears.is_empty() {
            return Duration::ZERO;
        }
        self.called
            .max(self.parted)
            .max(Some(start))
            .unwrap_or(start)
            .elapsed()
    }
}

/// A member's place in the fetching of a room.
pub struct Seat {
    /// Pending is what stands after this place.
    pub cursor: Place,
    /// A drain is being written to the client; until that is done there is no second one.
    pub handing: bool,
    /// Counts fetches: a newer one ends an older one's wait.
    pub fetch: u64,
    /// `cursor` is not on disk yet.
    pub unnoted: bool,
}

impl Seat {
    pub fn new(cursor: Place) -> Seat {
        Seat {
            cursor,
            handing: false,
            fetch: 0,
            unnoted: false,
        }
    }
}

/// A room's listeners.
pub struct Hall {
    /// Copied when it changes while a delivery holds it.
    pub ears: Arc<Vec<Ear>>,
    /// Fetches that wait, and whose they are.
    pub waiting: Vec<(UserNo, Weak<Bell>)>,
    pub rate: Bucket,
    /// The last call.
    pub used: Instant,
    /// What porters have not brought yet: nothing overtakes it.
    pub way: Arc<Way>,
    /// Presence was last told by counts.
    pub counted: bool,
    /// The newest notices, oldest first; None until somebody asked for them.
    pub notices: Option<VecDeque<Arc<Entry>>>,
    /// Members whose hands are up, in the order in which they went up.
    pub hands: Vec<UserNo>,
    /// When that was last told.
    pub hands_told: Option<Instant>,
}

impl Default for Hall {
    fn default() -> Self {
        Hall {
            ears: Arc::default(),
            waiting: vec![],
            rate: Bucket::default(),
            used: Instant::now(),
            way: Arc::default(),
            counted: false,
            notices: None,
            hands: vec![],
            hands_told: None,
        }
    }
}

impl Hall {
    /// Adds a listener.
    pub fn add(&mut self, ear: &Ear) {
        let ear = Ear {
            behind: vec![],
            ..ear.clone()
        };
        Arc::make_mut(&mut self.ears).push(ear);
    }

    pub fn ring(&mut self) {
        let bells = self.waiting.drain(..);
        bells
            .filter_map(|(_, bell)| bell.upgrade())
            .for_each(|bell| bell.ring());
    }

    /// Wakes the waiting fetches of one member.
    pub fn ring_for(&mut self, user: UserNo) {
        self.waiting.retain(|(whose, bell)| {
            if *whose == user {
                bell.upgrade().iter().for_each(|bell| bell.ring());
            }
            *whose != user && bell.strong_count() > 0
        });
    }
}

/// Wakes a long poll.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Until it rings (true), or the time is over.
    pub fn wait(&self, time: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, time, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A token bucket: so many at once, so many a second. A rate of 0 is no limit.
#[derive(Default)]
pub struct Bucket {
    /// What is taken, and when that was true.
    state: Option<(f64, Instant)>,
}

impl Bucket {
    /// Takes one, or says after how many seconds there will be one.
    pub fn take(&mut self, per_second: f64, burst: f64, now: Instant) -> Result<(), u64> {
        if per_second <= 0.0 {
            return Ok(());
        }
        let taken = self.level(per_second, now);
        if taken + 1.0 > burst {
            self.state = Some((taken, now));
            return Err(((taken + 1.0 - burst) / per_second).ceil().max(1.0) as u64);
        }
        self.state = Some((taken + 1.0, now));
        Ok(())
    }

    pub fn give_back(&mut self) {
        if let Some((taken, _)) = &mut self.state {
            *taken = (*taken - 1.0).max(0.0);
        }
    }

    /// How many are taken; 0: it may be forgotten.
    pub fn level(&self, per_second: f64, now: Instant) -> f64 {
        self.state.map_or(0.0, |(taken, then)| {
            let passed = now.saturating_duration_since(then).as_secs_f64();
            (taken - passed * per_second).max(0.0)
        })
    }
}

/// Buckets by key, for limits per address. Full ones are forgotten now and then.
pub struct Buckets<K> {
    per_second: f64,
    burst: f64,
    buckets: HashMap<K, Bucket>,
    sweep_at: usize,
}

/// Buckets kept before full ones are swept out.
const SWEEP: usize = 1_024;
/// How far `add` counts, in bursts.
const MOST_BURSTS: f64 = 10.0;

impl<K: std::hash::Hash + Eq> Buckets<K> {
    /// `per_minute` at once, and that many a minute.
    pub fn per_minute(per_minute: u32) -> Self {
        let burst = f64::from(per_minute);
        Buckets {
            per_second: burst / 60.0,
            burst,
            buckets: HashMap::new(),
            sweep_at: SWEEP,
        }
    }

    fn sweep(&mut self, now: Instant) {
        if self.buckets.len() >= self.sweep_at {
            let rate = self.per_second;
            self.buckets
                .retain(|_, bucket| bucket.level(rate, now) > 0.0);
            self.sweep_at = (2 * self.buckets.len()).max(SWEEP);
        }
    }

    pub fn take(&mut self, key: K, now: Instant) -> Result<(), u64> {
        self.sweep(now);
        self.buckets
            .entry(key)
            .or_default()
            .take(self.per_second, self.burst, now)
    }

    /// Whether one could be taken, or after how many seconds.
    pub fn has_room(&self, key: &K, now: Instant) -> Result<(), u64> {
        let left = self.burst - self.taken(key, now);
        if left >= 1.0 {
            Ok(())
        } else {
            Err(((1.0 - left) / self.per_second).ceil().max(1.0) as u64)
        }
    }

    /// How many are taken and have not come back yet.
    pub fn taken(&self, key: &K, now: Instant) -> f64 {
        self.buckets
            .get(key)
            .map_or(0.0, |bucket| bucket.level(self.per_second, now))
    }

    /// Takes one, also when there is none.
    pub fn add(&mut self, key: K, now: Instant) {
        // Counted past the burst, but not so far that it takes long to be forgotten.
        let most = self.burst * MOST_BURSTS;
        self.sweep(now);
        let _ = self
            .buckets
            .entry(key)
            .or_default()
            .take(self.per_second, most, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        for _ in 0..30 {
            assert_eq!(bucket.take(10.0, 30.0, at(0.0)), Ok(()));
        }
        assert_eq!(bucket.take(10.0, 30.0, at(0.0)), Err(1));
        assert_eq!(bucket.take(10.0, 30.0, at(0.11)), Ok(()));
        assert_eq!(bucket.take(10.0, 30.0, at(0.11)), Err(1));
        assert_eq!(bucket.level(10.0, at(5.0)), 0.0);
        bucket.give_back();
        assert_eq!(bucket.take(10.0, 30.0, at(0.11)), Ok(()));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        assert!((0..1_000).all(|_| bucket.take(0.0, 0.0, now).is_ok()));
    }
}
