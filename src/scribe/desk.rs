//! Where commands are handed in, and the pen.
//!
//! Whoever holds the pen is the scribe. That is its thread, or, where nothing waits, the thread that
//! brings a command. Knows nothing of what the scribe does with one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError, bounded};

use super::Work;
use crate::clock;
use crate::hub::{Slot, Waiter};
use crate::model::*;

/// How long a caller waits for the scribe before it says "not confirmed".
const PATIENCE: Duration = Duration::from_secs(60);
/// `healthz` gives up on the scribe after this.
const HEALTH_PATIENCE: Duration = Duration::from_secs(1);
/// The exit code when the scribe panicked: a supervisor starts parlor again.
const EXIT_PANIC: i32 = 70;

pub(super) enum Job {
    Do(Box<Command>, Waiter),
    /// Answered after everything before it: Ok, or why the disk takes nothing.
    Probe(Sender<Result<(), String>>),
    /// Somebody else had the pen, and there is something to be done later on.
    Look,
    Stop,
}

/// What it takes to write; none when the database is closed. Whoever holds it is the scribe.
#[derive(Clone)]
pub(super) struct Pen(pub(super) Arc<Mutex<Option<Work>>>);

impl Pen {
    /// A panic with it ends the process: nobody finds it poisoned.
    pub(super) fn wait(&self) -> MutexGuard<'_, Option<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where commands are handed in.
#[derive(Clone)]
pub struct Desk {
    pub(super) jobs: Sender<Job>,
    pub(super) pen: Pen,
}

impl Desk {
    /// Hands in a command whose outcome reaches `waiter` through the hub, maybe before this comes
    /// back. Refused before it enters when too many wait.
    pub fn submit(&self, act: Act, waiter: Waiter) -> Result<(), Refusal> {
        let command = Command {
            now: clock::now(),
            act,
        };
        let Some((command, waiter)) = self.settle_here(command, waiter) else {
            return Ok(());
        };
        self.jobs
            .try_send(Job::Do(Box::new(command), waiter))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Refusal::Busy,
                TrySendError::Disconnected(_) => Refusal::NotConfirmed,
            })
    }

    /// Settles a command in the caller's thread, if nothing waits; else gives it back. What is in
    /// the channel leaves it only into the hands of who has the pen, so nothing is overtaken.
    fn settle_here(&self, command: Command, waiter: Waiter) -> Option<(Command, Waiter)> {
        // What nobody waits for may take its time, and who asks for many is served best by batches.
        let is_urgent = match &waiter {
            Waiter::Nobody => false,
            Waiter::Slot(_) => true,
            Waiter::Socket(socket, _) => socket.is_modest(),
        };
        if !is_urgent || !self.jobs.is_empty() {
            return Some((command, waiter));
        }
        let mut pen = self.pen.0.try_lock().ok();
        let work = pen.as_mut().and_then(|pen| pen.as_mut());
        let is_free =
            |work: &&mut Work| work.brisk && work.queue.is_empty() && self.jobs.is_empty();
        let Some(work) = work.filter(is_free) else {
            return Some((command, waiter));
        };
        guard(|| work.settle(vec![(command, waiter)]));
        if work.has_sooner() {
            // Full: it looks anyway.
            let _ = self.jobs.try_send(Job::Look);
        }
        None
    }

    /// Hands in a command and waits for its outcome.
    pub fn ask(&self, act: Act) -> Result<Reply, Refusal> {
        let slot = Arc::new(Slot::default());
        self.submit(act, Waiter::Slot(slot.clone()))?;
        slot.wait(PATIENCE).unwrap_or(Err(Refusal::NotConfirmed))
    }

    /// Whether the scribe answers and the disk takes commits; else the reason, as a sentence.
    pub fn health(&self) -> Result<(), String> {
        let (answer, answered) = bounded(1);
        let asked = self.jobs.send_timeout(Job::Probe(answer), HEALTH_PATIENCE);
        asked.map_err(|_| "the scribe is overloaded".to_owned())?;
        let silent = |_| "the scribe does not answer: the disk may be stalled".to_owned();
        answered.recv_timeout(HEALTH_PATIENCE).map_err(silent)?
    }
}

/// Accepting what nobody will answer would be worse than to end.
pub(super) fn guard(write: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(write)).is_err() {
        log::error!("the scribe panicked; parlor ends (committed messages are safe)");
        std::process::exit(EXIT_PANIC);
    }
}
