//! The one writer: nothing else changes anything that lasts.
//!
//! It takes all that waits, decides each command, writes and applies what comes of it, all of it as
//! one transaction and on a table of its own, and only then hands it to the hub. Its thread does that
//! for whatever is in its channel. Where nothing waits, the thread that brings a command does it
//! (desk.rs): nobody need be woken. Knows no socket and no JSON.

mod checkpoints;
mod decide;
mod desk;
mod prune;
mod queue;

pub use desk::Desk;
pub use prune::Keep;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, bounded};

use crate::clock;
use crate::hub::{Hub, Settled, Waiter};
use crate::model::*;
use crate::rooms::Rooms;
use crate::store::{Copying, Source, Store};
use checkpoints::Checkpoints;
use desk::{Job, Pen, guard};
use queue::Queue;

/// Commands that may wait. What finds it full is refused: a second of work for a slow card.
const MAX_WAITING: usize = 4_096;
/// Commands of one transaction: enough to share its cost, few enough not to keep others waiting.
const MAX_BATCH: usize = 1_024;
/// While the disk takes no commits, it is tried this often.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Pages written, near enough, until the write-ahead log is copied into the database: 16 MiB. A page
/// written many times meanwhile is copied once, and each copying takes the disk from the scribe.
const CHECKPOINT_PAGES: usize = 4_000;
/// While it is copied, what is to be thrown away waits; it is looked after so often.
const COPY_PAUSE: Duration = Duration::from_millis(20);
/// A quiet server copies it all; what was deleted is then overwritten in the file as well, and in the log.
const CHECKPOINT_QUIET: Duration = Duration::from_secs(60);
/// For so long a batch waits for more, at most, while those who want it wait for the porters anyway …
const GATHER: Duration = Duration::from_millis(4);
/// … and so often it looks whether they still do.
const GLANCE: Duration = Duration::from_micros(200);
/// A commit that took longer shows a disk that connections should not wait for themselves: their
/// pings would. The scribe's thread writes until it is quick again.
const BRISK: Duration = Duration::from_millis(20);
/// SQLite's and serde's frames are deep.
const STACK: usize = 1024 * 1024;

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
        // The last parlor has left its log, and maybe in it what was deleted.
        let (scrub, pages) = (store.unclean, usize::from(store.unclean));
        let work = Work {
            store,
            rooms,
            hub,
            checkpoints,
            failing: None,
            pages,
            busy: Instant::now(),
            scrub,
            clearing: true,
            cleared: Instant::now(),
            keep,
            sweep: VecDeque::new(),
            next_sweep: Instant::now(),
            started: (Instant::now(), clock::now()),
            queue: Queue::default(),
            brisk: true,
            asleep_until: Some(Instant::now()),
        };
        let pen = Pen(Arc::new(Mutex::new(Some(work))));
        let (end, ended) = bounded(1);
        let of_thread = pen.clone();
        let run = move || {
            guard(|| match write_all(&of_thread, &inbox) {
                Ok(()) => drop(end.send(())),
                Err(e) => log::error!("the database was not closed cleanly: {e}"),
            });
        };
        let thread = thread::Builder::new()
            .name("scribe".into())
            .stack_size(STACK)
            .spawn(run);
        let thread = thread.map_err(|e| format!("cannot start the scribe's thread: {e}"))?;
        Ok(Scribe {
            desk: Desk { jobs, pen },
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

/// The scribe's thread: writes what comes, and closes the database when it is to stop.
fn write_all(pen: &Pen, inbox: &Receiver<Job>) -> rusqlite::Result<()> {
    let mut select = Select::new();
    select.recv(inbox);
    loop {
        let until = match pen.wait().as_mut() {
            Some(work) => work.next_due(),
            None => return Ok(()),
        };
        // Without the pen, and without taking anything: that would be overtaken.
        match until {
            Some(until) if until <= Instant::now() => {}
            Some(until) => drop(select.ready_deadline(until)),
            None => drop(select.ready()),
        }
        let mut pen = pen.wait();
        let Some(work) = pen.as_mut() else {
            return Ok(());
        };
        work.gather(inbox);
        let jobs = work.queue.next(inbox);
        if !work.turn(jobs) {
            continue;
        }
        let rest = work.queue.rest(inbox);
        work.turn(rest);
        let note = Act::Note(work.hub.take_note(clock::now(), true));
        work.settle(vec![(
            Command {
                now: clock::now(),
                act: note,
            },
            Waiter::Nobody,
        )]);
        let Some(work) = pen.take() else {
            return Ok(());
        };
        return work.end();
    }
}

struct Work {
    store: Store,
    /// The scribe's own table: the shared one and what is being written.
    rooms: Rooms,
    hub: Arc<Hub>,
    checkpoints: Option<Checkpoints>,
    /// Why the disk takes no commits, and when to try again.
    failing: Option<(String, Instant)>,
    /// Written since the last checkpoint, near enough.
    pages: usize,
    /// When somebody last wanted something, or all was copied. Neither a probe nor a note is a wish.
    busy: Instant,
    /// Something was deleted since the file was last built anew, or may have been before the start.
    scrub: bool,
    /// There may be entries of ended rooms or old attendance to delete, and when some were last.
    clearing: bool,
    cleared: Instant,
    keep: Keep,
    /// Rooms still to be looked through.
    sweep: VecDeque<RoomNo>,
    next_sweep: Instant,
    /// The start, by both clocks.
    started: (Instant, Nanos),
    /// What has left the channel and waits for its batch.
    queue: Queue,
    /// The last commit was quick.
    brisk: bool,
    /// When the scribe's thread looks again by itself.
    asleep_until: Option<Instant>,
}

impl Work {
    /// Lets more come while the porters have enough to carry: its answers would not be there sooner, and
    /// a commit costs the same. Not where somebody waits for one thing.
    fn gather(&mut self, inbox: &Receiver<Job>) {
        let until = Instant::now() + GATHER;
        while self.queue.can_wait(inbox) && self.hub.is_behind() && Instant::now() < until {
            thread::sleep(GLANCE);
        }
    }

    /// One round of the scribe's thread: settles what came, or does what waits for quiet. True if
    /// it is to stop.
    fn turn(&mut self, jobs: Vec<Job>) -> bool {
        if self
            .failing
            .as_ref()
            .is_some_and(|(_, again)| *again <= Instant::now())
        {
            self.probe();
        }
        let mut batch = Vec::with_capacity(jobs.len());
        let (mut probes, mut idle, mut stop) = (vec![], true, false);
        for job in jobs {
            idle &= matches!(job, Job::Look);
            match job {
                Job::Do(command, waiter) => batch.push((*command, waiter)),
                Job::Probe(answer) => probes.push(answer),
                Job::Look => {}
                Job::Stop => stop = true,
            }
        }
        self.begin_sweep();
        if idle {
            self.rest();
        } else if self.failing.is_none() && !self.is_copying() {
            // There may never be quiet.
            batch.extend(self.next_prune());
            self.clear(true);
        }
        self.settle(batch);
        if !probes.is_empty()
            && self.failing.is_none()
            && let Err(e) = self.store.check_place()
        {
            self.fail(&e);
        }
        for probe in probes {
            let _ = probe.try_send(self.failing.as_ref().map_or(Ok(()), |f| Err(f.0.clone())));
        }
        stop
    }

    /// What waits for quiet, a small step of it.
    fn rest(&mut self) {
        if self.failing.is_some() || self.is_copying() {
            return;
        }
        if self.clearing {
            self.clear(false);
        } else if !self.sweep.is_empty() {
            let prune = self.next_prune();
            self.settle(prune.into_iter().collect());
        } else if self.quiet_at().is_some_and(|quiet| quiet <= Instant::now()) {
            // What was deleted is not to be left in the log either.
            let how = match self.scrub {
                true => Copying::Truncate,
                false => Copying::Passive,
            };
            self.tidy();
            self.checkpoint(how);
        }
    }

    fn is_copying(&self) -> bool {
        let checkpoints = self.checkpoints.as_ref();
        checkpoints.is_some_and(Checkpoints::are_under_way)
    }

    fn keeps_all(&self) -> bool {
        self.keep.messages == 0 && self.keep.days == 0
    }

    /// When all is copied, unless somebody wants something before.
    fn quiet_at(&self) -> Option<Instant> {
        (self.pages > 0).then(|| self.busy + CHECKPOINT_QUIET)
    }

    /// When there is something to do, if nobody wants anything; the scribe's thread sleeps till then.
    fn next_due(&mut self) -> Option<Instant> {
        self.asleep_until = self.due();
        self.asleep_until
    }

    /// Whether there is something to do before the scribe's thread looks by itself.
    fn has_sooner(&self) -> bool {
        let sooner = |due| self.asleep_until.is_none_or(|until| due < until);
        self.due().is_some_and(sooner)
    }

    fn due(&self) -> Option<Instant> {
        if !self.queue.is_empty() {
            return Some(self.busy);
        }
        if let Some((_, again)) = &self.failing {
            return Some(*again);
        }
        if self.clearing || !self.sweep.is_empty() {
            return Some(match self.is_copying() {
                true => Instant::now() + COPY_PAUSE,
                false => self.busy,
            });
        }
        let sweep = (!self.keeps_all()).then_some(self.next_sweep);
        [self.quiet_at(), sweep].into_iter().flatten().min()
    }

    /// Closes the database.
    fn end(mut self) -> rusqlite::Result<()> {
        if let Some(checkpoints) = self.checkpoints.take() {
            checkpoints.end();
        }
        self.tidy();
        self.store.end()
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
            checkpoints.wish(how);
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
        let (mut writes, mut written) = (0, Ok(()));
        let mut batch = batch.into_iter();
        while written.is_ok()
            && let Some((mut command, waiter)) = batch.next()
        {
            let room = command.act.room();
            let (events, outcome) = match self.decide(&mut command) {
                Ok(Ok((events, reply))) => (events, Ok(reply)),
                Ok(Err(refusal)) => (vec![], Err(refusal)),
                Err(e) => {
                    written = Err(e);
                    (vec![], Err(Refusal::NotConfirmed))
                }
            };
            events.iter().for_each(|event| self.rooms.apply(event));
            self.scrub |= events.iter().any(deletes);
            self.clearing |= events
                .iter()
                .any(|event| matches!(event, Event::RoomEnded { .. }));
            writes += events.iter().map(rows).sum::<usize>();
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
        if writes > 0 && written.is_ok() {
            let begun = Instant::now();
            written = self.store.commit();
            self.brisk = begun.elapsed() < BRISK;
        } else {
            self.store.release();
        }
        if let Err(e) = written {
            self.brisk = false;
            self.fail(&e);
            self.rooms = self.hub.committed().remembering(SPOKEN_KEPT);
            let decided = decided.into_iter().map(|(command, s)| (command, s.waiter));
            return self.refuse(decided.chain(batch).collect());
        }
        self.hub
            .publish(decided.into_iter().map(|(_, settled)| settled).collect());
        // A page a row at most, and those above it.
        self.wrote(if writes > 0 { writes + 3 } else { 0 });
    }

    /// So many pages, near enough, went to the log; it is copied when there are many.
    fn wrote(&mut self, pages: usize) {
        self.pages += pages;
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
}

/// How many rows an event writes, near enough.
fn rows(event: &Event) -> usize {
    match event {
        Event::Pruned { .. } => prune::PRUNE_ROWS,
        _ => 1,
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
