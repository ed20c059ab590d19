//! What a running parlor holds, as /proc tells it.

use crate::support::{DEADLINE, Server};
use std::time::{Duration, Instant};

/// Memory that may be more than before when all is over. Freed memory stays with the allocator: it
/// keeps some for each core's threads, whatever was freed.
pub const ALLOCATOR_KEEPS: u64 = 32 * 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub threads: usize,
    pub descriptors: usize,
    /// Bytes in memory.
    pub rss: u64,
}

impl Vitals {
    pub fn of(server: &Server) -> Vitals {
        let proc = format!("/proc/{}", server.pid());
        let entries = |folder: &str| {
            let list = std::fs::read_dir(format!("{proc}/{folder}"));
            list.expect("parlor runs").count()
        };
        let status = std::fs::read_to_string(format!("{proc}/status")).expect("parlor runs");
        let rss = status.lines().find_map(|line| {
            let kib = line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?;
            kib.parse::<u64>().ok()
        });
        Vitals {
            threads: entries("task"),
            descriptors: entries("fd"),
            rss: rss.expect("VmRSS") * 1024,
        }
    }

    /// Waits until the server is back here. `kept` descriptors may be more: those of clients that
    /// were turned away and are to read why.
    pub fn again(self, server: &Server, kept: usize) -> Vitals {
        self.again_within(server, kept, DEADLINE)
    }

    pub fn again_within(self, server: &Server, kept: usize, patience: Duration) -> Vitals {
        let start = Instant::now();
        loop {
            let now = Vitals::of(server);
            if now.threads <= self.threads && now.descriptors <= self.descriptors + kept {
                println!("before: {self:?}\nafter:  {now:?}");
                assert!(
                    now.rss <= self.rss + ALLOCATOR_KEEPS,
                    "memory grew: {self:?}, {now:?}"
                );
                return now;
            }
            assert!(
                start.elapsed() < patience,
                "left behind after {patience:?}: before {self:?}, now {now:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
