//! What the black-box tests share: a running parlor, an HTTP client, a WebSocket client, guests,
//! and JSON matched by shape. It knows the wire contract and nothing of the crate behind it.
//!
//! The transcript: every call, every frame and the server's stderr goes to `println!`, which the
//! test harness keeps and shows for a test that fails. A test of many small cases `record`s the
//! lines of the one it is at instead.

#![allow(dead_code, unused_imports)] // each test file uses its own part

use std::cell::RefCell;
use std::time::{Duration, Instant};

mod account;
mod guest;
mod http;
mod order;
mod server;
mod shape;
mod ws;

pub use account::{Account, PASSWORD, account, log_in};
pub use guest::{Guest, create, join, join_as, places, texts};
pub use http::{Http, Reply, Waiting};
pub use order::{Caller, Entry, Heard, Line, Rng, What};
pub use server::{Exit, PARLOR, Server, TempDir, libfaketime};
pub use shape::Shape;
pub use ws::Ws;

/// For every wait. Generous: two cores run many tests at once, and a test that passes never waits
/// this long.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Asks until `condition` holds, and fails with `what` at the deadline.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A fresh uuid, hyphenated, as a client makes one.
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What a line of the transcript shows of a long text.
fn short(text: &str) -> String {
    const SHOWN: usize = 2000;
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() == text.len() {
        shown
    } else {
        format!("{shown}… ({} bytes)", text.len())
    }
}

thread_local! {
    static RECORD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// A line of the transcript.
pub fn tell(line: String) {
    RECORD.with_borrow_mut(|record| match record {
        Some(lines) => lines.push(line),
        None => println!("{line}"),
    });
}

/// From here on the lines that this thread tells are kept, not printed; those kept before.
pub fn record() -> Vec<String> {
    RECORD.replace(Some(Vec::new())).unwrap_or_default()
}
