//! The one thread that changes anything that lasts.
//!
//! It drains its channel, completes commands with what the rules have forgotten, decides and
//! applies each on its own table, writes all events as one transaction, and only then hands them
//! to the hub. Knows no socket and no JSON.

mod checkpoints;
mod prune;

pub use prune::Keep;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::clock;
use crate::hub::{Hub, Settled, Slot, Waiter};
use crate::model::*;
use crate::rooms::Rooms;
use crate::store::{Copying, Source, Store};
use checkpoints::Checkpoints;

/// Commands that may wait. What finds it full is refused: a second of work for a slow card.
const MAX_WAITING: usize = 4_096;
/// Commands of one transaction: enough to share its cost, few enough not to keep others waiting.
const MAX_BATCH: usize = 1_024;
/// While the disk takes no commits, it is tried this often.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How often all rooms are looked through for what is no longer to be kept.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Pages written, near enough, until the write-ahead log is copied into the database: 16 MiB. A page
/// written many times meanwhile is copied once, and each copying takes the disk from the scribe.
const CHECKPOINT_PAGES: usize = 4_000;
/// A quiet server copies it all, so that what was deleted is overwritten in the file as well.
const CHECKPOINT_QUIET: Duration = Duration::from_secs(60);
/// How long a caller waits for the scribe before it says "not confirmed".
const PATIENCE: Duration = Duration::from_secs(60);
/// `healthz` gives up on the scribe after this.
const HEALTH_PATIENCE: Duration = Duration::from_secs(1);
/// The exit code when the scribe panicked: a supervisor starts parlor again.
const EXIT_PANIC: i32 = 70;
/// SQLite's and serde's frames are deep.
const STACK: usize = 1024 * 1024;

enum Job {
    Do(Box<Command>, Waiter),
    /// Answered after everything before it: Ok, or why the disk takes nothing.
    Probe(Sender<Result<(), String>>),
    Stop,
}

/// Where commands are handed in.
#[derive(Clone)]
pub struct Desk {
    jobs: Sender<Job>,
}

impl Desk {
    /// Hands in a command whose outcome reaches `waiter` through the hub.
    /// Refused before it enters when too many wait.
    pub fn submit(&self, act: Act, waiter: Waiter) -> Result<(), Refusal> {
        let command = Command {
            now: clock::now(),
            act,
        };
        self.jobs
            .try_send(Job::Do(Box::new(command), waiter))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Refusal::Busy,
                TrySendError::Disconnected(_) => Refusal::NotConfirmed,
            })
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

/// The running scribe.
pub struct Scribe {
    pub desk: Desk,
    thread: JoinHandle<()>,
    /// Something comes when the database is closed.
    ended: Receiver<()>,
}

impl Scribe {
    pub fn start(
        store: Store,
        source: &Source,
        rooms: Rooms,
        hub: Arc<Hub>,
        keep: Keep,
    ) -> Result<Scribe, String> {
        let (jobs, inbox) = bounded(MAX_WAITING);
        let checkpoints = checkpoints::start(source)?;
        let mut work = Work {
            store,
            rooms,
            hub,
            inbox,
            checkpoints,
            failing: None,
            pages: 0,
            busy: Instant::now(),
            scrub: false,
            clearing: true,
            keep,
            sweep: VecDeque::new(),
            next_sweep: Instant::now(),
            started: (Instant::now(), clock::now()),
        };
        let (end, ended) = bounded(1);
        let run = move || match catch_unwind(AssertUnwindSafe(|| work.run())) {
            Ok(()) => {
                if let Some(Checkpoints { wishes, thread }) = work.checkpoints.take() {
                    drop(wishes);
                    let _ = thread.join();
                }
                work.tidy();
                match work.store.end() {
                    Ok(()) => drop(end.send(())),
                    Err(e) => log::error!("the database was not closed cleanly: {e}"),
                }
            }
            Err(_) => {
                // Accepting what nobody will answer would be worse than to end.
                log::error!("the scribe panicked; parlor ends (committed messages are safe)");
                std::process::exit(EXIT_PANIC);
            }
        };
        let thread = thread::Builder::new()
            .name("scribe".into())
            .stack_size(STACK)
            .spawn(run);
        let thread = thread.map_err(|e| format!("cannot start the scribe's thread: {e}"))?;
        Ok(Scribe {
            desk: Desk { jobs },
            thread,
            ended,
        })
    }

    /// Settles what was handed in, writes what is due, closes the database. False if the disk does
    /// not let it end in time.
    pub fn stop(self, deadline: Instant) -> bool {
        let left = || deadline.saturating_duration_since(Instant::now());
        let asked = self.desk.jobs.send_timeout(Job::Stop, left());
        let ended = asked.is_ok() && self.ended.recv_timeout(left()).is_ok();
        if ended {
            let _ = self.thread.join();
        }
        ended
    }
}

struct Work {
    store: Store,
    /// The scribe's own table: the shared one and what is being written.
    rooms: Rooms,
    hub: Arc<Hub>,
    inbox: Receiver<Job>,
    checkpoints: Option<Checkpoints>,
    /// Why the disk takes no commits, and when to try again.
    failing: Option<(String, Instant)>,
    /// Written since the last checkpoint, near enough.
    pages: usize,
    /// When somebody last wanted something, or all was copied. Neither a probe nor a note is a wish.
    busy: Instant,
    /// Something was deleted since the file was last built anew.
    scrub: bool,
    /// There may be entries of ended rooms to delete.
    clearing: bool,
    keep: Keep,
    /// Rooms still to be looked through.
    sweep: VecDeque<RoomNo>,
    next_sweep: Instant,
    /// The start, by both clocks.
    started: (Instant, Nanos),
}

impl Work {
    fn run(&mut self) {
        let mut probes = vec![];
        loop {
            let Some(first) = self.next() else { continue };
            let more = self.inbox.try_iter().take(MAX_BATCH - 1);
            let jobs: Vec<Job> = [first].into_iter().chain(more).collect();
            let mut batch = Vec::with_capacity(jobs.len());
            let mut stop = false;
            for job in jobs {
                match job {
                    Job::Do(command, waiter) => batch.push((*command, waiter)),
                    Job::Probe(answer) => probes.push(answer),
                    Job::Stop => stop = true,
                }
            }
            self.settle(batch);
            if !probes.is_empty()
                && self.failing.is_none()
                && let Err(e) = self.store.check_place()
            {
                self.fail(&e);
            }
            for probe in probes.drain(..) {
                let _ = probe.try_send(self.failing.as_ref().map_or(Ok(()), |f| Err(f.0.clone())));
            }
            if stop {
                let late = self.inbox.try_iter();
                let late = late.filter_map(|job| match job {
                    Job::Do(command, waiter) => Some((*command, waiter)),
                    Job::Probe(_) | Job::Stop => None,
                });
                let late = late.collect();
                self.settle(late);
                let note = Act::Note(self.hub.take_note(clock::now(), true));
                self.settle(vec![(
                    Command {
                        now: clock::now(),
                        act: note,
                    },
                    Waiter::Nobody,
                )]);
                return;
            }
        }
    }

    /// The next job. Without one it does what waits for quiet, and comes back with None.
    fn next(&mut self) -> Option<Job> {
        if let Some((_, again)) = &self.failing {
            let job = self.inbox.recv_deadline(*again);
            if Instant::now() >= *again {
                self.probe();
            }
            return job.ok();
        }
        let keeps_all = self.keep.messages == 0 && self.keep.days == 0;
        if !keeps_all && self.sweep.is_empty() && Instant::now() >= self.next_sweep {
            self.next_sweep = Instant::now() + SWEEP_EVERY;
            self.sweep = self.rooms.rooms().map(|room| room.head.no).collect();
        }
        if self.clearing || !self.sweep.is_empty() {
            let job = self.inbox.try_recv();
            if job.is_err() {
                self.prune();
            }
            return job.ok();
        }
        let quiet = (self.pages > 0).then(|| self.busy + CHECKPOINT_QUIET);
        let sweep = (!keeps_all).then_some(self.next_sweep);
        let Some(until) = [quiet, sweep].into_iter().flatten().min() else {
            // The desk that the hub's threads hold keeps the channel open.
            return self.inbox.recv().ok();
        };
        let job = self.inbox.recv_deadline(until);
        if job.is_err() && quiet == Some(until) {
            self.tidy();
            self.checkpoint(Copying::Truncate);
        }
        job.ok()
    }

    fn probe(&mut self) {
        match self.store.probe(clock::now()) {
            Ok(()) => {
                log::warn!("the database takes commits again");
                self.failing = None;
            }
            Err(e) => self.fail(&e),
        }
    }

    fn fail(&mut self, error: &rusqlite::Error) {
        let reason = format!("the database takes no commits: {error}");
        if self
            .failing
            .as_ref()
            .is_none_or(|(said, _)| *said != reason)
        {
            log::error!("{reason}; nothing is accepted until it does");
        }
        self.failing = Some((reason, Instant::now() + PROBE_EVERY));
        // If the log has lost its name, what it holds is to be in the file before all ends.
        self.checkpoint(Copying::Passive);
    }

    /// When nobody waits: leaves nothing of what was deleted.
    fn tidy(&mut self) {
        if std::mem::take(&mut self.scrub)
            && let Err(e) = self.store.scrub()
        {
            log::warn!("deleted texts may have left pieces in the file: {e}");
        }
    }

    fn checkpoint(&mut self, how: Copying) {
        self.pages = 0;
        self.busy = Instant::now();
        if let Some(checkpoints) = &self.checkpoints {
            // Full: one is waiting already.
            let _ = checkpoints.wishes.try_send(how);
        }
    }

    /// Decides, commits and publishes one batch.
    fn settle(&mut self, batch: Vec<(Command, Waiter)>) {
        if batch.is_empty() {
            return;
        }
        if self.failing.is_some() {
            return self.refuse(batch);
        }
        if batch.iter().any(|(c, _)| !matches!(c.act, Act::Note(_))) {
            self.busy = Instant::now();
        }
        let mut decided = Vec::with_capacity(batch.len());
        let mut writes = 0;
        for (mut command, waiter) in batch {
            let room = command.act.room();
            let decision = match self.complete(&mut command) {
                Ok(()) => self.rooms.decide(&command),
                Err(e) => {
                    log::error!("cannot look up a uuid: {e}");
                    Err(Refusal::NotConfirmed)
                }
            };
            let (events, outcome) = match decision {
                Ok((events, reply)) => (events, Ok(reply)),
                Err(refusal) => (vec![], Err(refusal)),
            };
            events.iter().for_each(|event| self.rooms.apply(event));
            self.scrub |= events.iter().any(deletes);
            self.clearing |= events
                .iter()
                .any(|event| matches!(event, Event::RoomEnded { .. }));
            writes += events.len();
            decided.push((
                command,
                Settled {
                    room,
                    events,
                    outcome,
                    waiter,
                },
            ));
        }
        if writes > 0 {
            let events = decided.iter().flat_map(|(_, settled)| &settled.events);
            if let Err(e) = self.store.commit(events) {
                self.fail(&e);
                self.rooms = self.hub.committed();
                let batch = decided
                    .into_iter()
                    .map(|(command, s)| (command, s.waiter))
                    .collect();
                return self.refuse(batch);
            }
            // About a page a row, and those above it.
            self.pages += writes + 3;
        } else {
            self.store.release();
        }
        self.hub
            .publish(decided.into_iter().map(|(_, settled)| settled).collect());
        if self.pages >= CHECKPOINT_PAGES {
            self.checkpoint(Copying::Passive);
        }
    }

    /// After an I/O error nobody can know what the disk kept: none of it is confirmed.
    fn refuse(&mut self, batch: Vec<(Command, Waiter)>) {
        let refused = batch.into_iter().map(|(command, waiter)| {
            if let Act::Note(note) = &command.act {
                self.hub.give_back_note(note);
            }
            Settled {
                room: command.act.room(),
                events: vec![],
                outcome: Err(Refusal::NotConfirmed),
                waiter,
            }
        });
        self.hub.publish(refused.collect());
    }

    /// Fills in what the store knows of a uuid that the rules have forgotten, and what was seen
    /// outside since the command was made.
    fn complete(&self, command: &mut Command) -> rusqlite::Result<()> {
        self.hub.look_again(&mut command.act);
        if let Act::Owner { room, power, .. } = &mut command.act {
            return self.complete_wipe(*room, power);
        }
        let (Act::Say {
            room,
            uuid,
            given: true,
            recalled,
            ..
        }
        | Act::Edit {
            room,
            uuid,
            recalled,
            ..
        }
        | Act::Delete {
            room,
            uuid,
            recalled,
            ..
        }) = &mut command.act
        else {
            return Ok(());
        };
        if self.rooms.has_forgotten(*room, *uuid) {
            *recalled = self.store.recall(*room, *uuid)?;
        }
        Ok(())
    }
}

impl Work {
    /// The same for the messages of a step of `wipe`.
    fn complete_wipe(&self, room: RoomNo, power: &mut Power) -> rusqlite::Result<()> {
        let Power::Wipe { messages, .. } = power else {
            return Ok(());
        };
        for (uuid, recalled) in messages.iter_mut().take(WIPE_STEP) {
            if self.rooms.has_forgotten(room, *uuid) {
                *recalled = self.store.recall(room, *uuid)?;
            }
        }
        Ok(())
    }
}

/// Whether texts go with an event.
fn deletes(event: &Event) -> bool {
    match event {
        Event::RoomEnded { .. } | Event::Pruned { .. } => true,
        Event::Entry(entry) => matches!(entry.body, Body::Edited { .. } | Body::Deleted { .. }),
        _ => false,
    }
}
