//! The page and what it stands on: its files, where it says that the server is, the QR codes.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod finding;
mod start;
