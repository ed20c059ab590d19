//! Throws away what is no longer to be kept, in small steps between two batches.

use std::time::{Duration, Instant};

use super::Work;
use crate::clock;
use crate::hub::Waiter;
use crate::model::*;

/// Rows deleted at once: about a millisecond, and near enough as many pages in the log.
pub(super) const PRUNE_ROWS: usize = 100;
/// While there is always something to do, ended rooms are deleted step by step this often.
const CLEAR_EVERY: Duration = Duration::from_millis(250);
/// How often all rooms are looked through for what is no longer to be kept.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// If the time of day moved this much against the clock that does not jump, `--keep-days` waits
/// for the next start: a Pi that believes in another year must not throw everything away.
const MAX_CLOCK_JUMP: Duration = Duration::from_secs(3600);
/// What is kept of each room; 0 is all.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// The newest entries.
    pub messages: u64,
    /// Entries that are not older, and attendance.
    pub days: u32,
}

impl Work {
    /// Every so often all rooms are to be looked through.
    pub(super) fn begin_sweep(&mut self) {
        let now = Instant::now();
        if !self.keeps_all() && self.sweep.is_empty() && now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.sweep = self.rooms.rooms().map(|room| room.head.no).collect();
            self.clearing |= self.keep.days > 0;
        }
    }

    /// A small step of throwing away, as a command that shares the next commit.
    pub(super) fn next_prune(&mut self) -> Option<(Command, Waiter)> {
        let &no = self.sweep.front()?;
        match self.prunable(no) {
            Ok(Some(floor)) => {
                let (now, act) = (clock::now(), Act::Prune { room: no, floor });
                return Some((Command { now, act }, Waiter::Nobody));
            }
            Ok(None) => drop(self.sweep.pop_front()),
            Err(e) => self.fail(&e),
        }
        None
    }

    /// A small step of deleting ended rooms, then old attendance; where others wait for the disk,
    /// not each time.
    pub(super) fn clear(&mut self, others_wait: bool) {
        if !self.clearing || (others_wait && self.cleared.elapsed() < CLEAR_EVERY) {
            return;
        }
        self.cleared = Instant::now();
        let oldest = self.oldest();
        let mut step = || match (self.store.clear_ended(PRUNE_ROWS)?, oldest) {
            (false, Some(oldest)) => self.store.forget_stays(oldest, PRUNE_ROWS),
            (more, _) => Ok(more),
        };
        match step() {
            Ok(more) => {
                self.clearing = more;
                self.wrote(if more { PRUNE_ROWS } else { 0 });
            }
            Err(e) => self.fail(&e),
        }
    }

    /// Up to where the next step prunes a room.
    fn prunable(&self, no: RoomNo) -> rusqlite::Result<Option<Place>> {
        let Some(room) = self.rooms.room(no) else {
            return Ok(None);
        };
        let step = room.floor + PRUNE_ROWS as u64;
        let by_count = match self.keep.messages {
            0 => 0,
            keep => room.last.saturating_sub(keep).min(step),
        };
        let by_age = match self.oldest() {
            None => None,
            Some(oldest) => self.store.old_until(no, room.floor, oldest, PRUNE_ROWS)?,
        };
        let floor = by_age.unwrap_or(0).max(by_count);
        Ok((floor > room.floor).then_some(floor))
    }

    /// What was sent before is too old; None if everything is young enough, or nobody knows.
    fn oldest(&self) -> Option<Nanos> {
        let (start, began) = self.started;
        let now = clock::now();
        let passed = start.elapsed().as_nanos() as i128;
        let jump = (i128::from(now) - i128::from(began) - passed).unsigned_abs();
        let age = i64::from(self.keep.days) * 24 * 3600 * SECOND;
        (self.keep.days > 0 && jump < MAX_CLOCK_JUMP.as_nanos()).then(|| now - age)
    }
}
