//! Copies the write-ahead log into the database, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::STACK;
use crate::store::{Checkpointer, Copying, Source};

/// Pages in the log past which the scribe waits until it is copied: 32 MiB.
const CHECKPOINT_HARD: i64 = 8_192;
/// As many may be left for that: a millisecond.
const COPY_WHILE_WAITING: i64 = 64;
/// Copyings until it is done with whatever is left.
const COPY_ROUNDS: usize = 8;

/// The checkpointer's thread: it takes wishes until there is nobody to wish.
pub(super) struct Checkpoints {
    wishes: Sender<Copying>,
    under_way: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    pub(super) fn wish(&self, how: Copying) {
        self.under_way.store(true, Ordering::Relaxed);
        // Full: one is waiting already.
        let _ = self.wishes.try_send(how);
    }

    /// What can wait does not add to the log meanwhile: it would grow faster than it is copied.
    pub(super) fn are_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn end(self) {
        drop(self.wishes);
        let _ = self.thread.join();
    }
}

/// Copies the log, which begins anew if nothing was written meanwhile. Where it is written to all the
/// time, the scribe waits for the last few pages once it is long. Its file stays as long as it was: a
/// commit that makes a file no longer takes a fraction of the time, on an SD card above all.
fn copy(checkpointer: &Checkpointer, how: Copying) -> rusqlite::Result<()> {
    let mut pages = checkpointer.run(how)?;
    if how != Copying::Passive || pages <= CHECKPOINT_HARD {
        return Ok(());
    }
    for _ in 0..COPY_ROUNDS {
        let before = pages;
        pages = checkpointer.run(Copying::Passive)?;
        // Each time less was written meanwhile.
        if pages - before <= COPY_WHILE_WAITING {
            break;
        }
    }
    checkpointer.run(Copying::Restart).map(drop)
}

/// Copies the write-ahead log on a thread of its own, which ends when the scribe does. Memory
/// needs none.
pub(super) fn start(source: &Source) -> Result<Option<Checkpoints>, String> {
    if source.is_memory() {
        return Ok(None);
    }
    let checkpointer = Checkpointer::new(source)
        .map_err(|e| format!("cannot open the database a second time: {e}"))?;
    let (wishes, wished) = bounded(1);
    let under_way = Arc::new(AtomicBool::new(false));
    let told = under_way.clone();
    let run = move || {
        for how in wished.iter() {
            if let Err(e) = copy(&checkpointer, how) {
                log::warn!("the write-ahead log was not copied: {e}");
            }
            told.store(!wished.is_empty(), Ordering::Relaxed);
        }
    };
    let thread = thread::Builder::new()
        .name("checkpointer".into())
        .stack_size(STACK)
        .spawn(run);
    let thread = thread.map_err(|e| format!("cannot start the checkpointer's thread: {e}"))?;
    Ok(Some(Checkpoints {
        wishes,
        under_way,
        thread,
    }))
}
