//! Which connections a door has and what each is doing, so that it can end them and wait for them.
//! Knows streams only to shut them down.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// One for each door.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<Entries>,
    /// A connection ended, or `stopping` was set.
    changed: Condvar,
}

#[derive(Default)]
struct Entries {
    stopping: bool,
    /// By number. One for each connection thread, from before it starts until it ends.
    open: HashMap<u64, Entry>,
}

struct Entry {
    /// Weak, so that the connection is closed when its owner drops it.
    stream: Weak<TcpStream>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// For the head of a request.
    Waiting,
    /// Has a request in hand.
    Busy,
    /// Speaks something else, whose owner ends it.
    Upgraded,
}

/// A connection thread's entry; struck out on drop.
pub struct Entered {
    ledger: Arc<Ledger>,
    number: u64,
}

impl Ledger {
    /// None if the door is stopping.
    pub fn begin(ledger: &Arc<Ledger>, number: u64, stream: &Arc<TcpStream>) -> Option<Entered> {
        let mut entries = ledger.lock();
        if entries.stopping {
            return None;
        }
        let entry = Entry {
            stream: Arc::downgrade(stream),
            state: State::Waiting,
        };
        entries.open.insert(number, entry);
        Some(Entered {
            ledger: Arc::clone(ledger),
            number,
        })
    }

    /// Notes what a connection is doing. False if the door is stopping. Under one lock with `stop`,
    /// so that none begins to wait just after all that wait were woken.
    pub fn note(&self, number: u64, state: State) -> bool {
        let mut entries = self.lock();
        if let Some(entry) = entries.open.get_mut(&number) {
            entry.state = state;
        }
        !entries.stopping
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    pub fn stop(&self) {
        let mut entries = self.lock();
        if !entries.stopping {
            entries.stopping = true;
            entries.shut_down(Shutdown::Read, |state| state == State::Waiting);
            self.changed.notify_all();
        }
    }

    pub fn cut(&self) {
        self.lock().shut_down(Shutdown::Both, |_| true);
    }

    /// Until a connection has ended, the door is stopping, or this time has passed.
    pub fn pause(&self, time: Duration) {
        let entries = self.lock();
        if !entries.stopping {
            // However it ends, the accept thread goes on.
            let _ = self.changed.wait_timeout(entries, time);
        }
    }

    /// How many are left when all have ended or the deadline has passed.
    pub fn wait_until_empty(&self, deadline: Instant) -> usize {
        let time = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), time, |entries| !entries.open.is_empty());
        let (entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        entries.open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock can panic half way, so what a poisoned one holds is still right.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn shut_down(&self, how: Shutdown, which: fn(State) -> bool) {
        let streams = self.open.values().filter(|entry| which(entry.state));
        for stream in streams.filter_map(|entry| entry.stream.upgrade()) {
            // Fails only where the peer is gone already.
            let _ = stream.shutdown(how);
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.ledger.lock().open.remove(&self.number);
        self.ledger.changed.notify_all();
    }
}
