//! Attacks on the built binary: each costs the one who does it, and nobody else. What the server
//! holds is read from /proc before and after, and has to be back where it was.
//!
//! The rest of the table of attacks is in `door.rs` (heads, bodies, deadlines), `full_disk.rs`,
//! `faults.rs`, `identity.rs`, `restart.rs` and `socket/`.
//!
//! Needs root for strace and a small file system, and libfaketime.

#[path = "../support/mod.rs"]
mod support;

mod backpressure;
mod clocks;
mod crowds;
mod disk;
mod exhausted;
mod floods;
mod heads;
mod identity;
mod panics;
mod raw;
mod stopping;
mod vitals;
