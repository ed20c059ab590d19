//! Log lines on stderr: when, how grave, on which thread, what.
//!
//! A connection's thread bears its name (`ws-7`), so the thread says whose line it is.

use std::io::Write as _;
use std::thread;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use log::LevelFilter;

/// Starts logging. Only parlor's own lines: those of its libraries might show what peers sent.
pub fn start(level: LevelFilter) {
    env_logger::Builder::new()
        .filter_module("parlor", level)
        .format(|out, record| {
            writeln!(
                out,
                "{} {:<5} {} {}",
                // `Utc::now()` panics before 1970, and what is said of a panic must not.
                DateTime::<Utc>::from(SystemTime::now()).format("%Y-%m-%dT%H:%M:%S%.3fZ"),
                record.level(),
                thread::current().name().unwrap_or("unnamed"),
                one_line(&record.args().to_string()),
            )
        })
        .init();
}

/// A record is one line whatever it quotes, and sends no escape sequence to a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}
