//! parlor, a small chat server: rooms over HTTP and WebSocket, one binary, one SQLite file.
//!
//! A message travels `door` → `http` or `ws` → `wire` → a `model::Command` → `scribe` →
//! `rooms::decide` → `store` → `hub` → the sockets. The modules in reading order:

pub mod model;
pub mod rooms;
pub mod turns;
pub mod wire;

pub mod hub;
pub mod scribe;
pub mod store;

pub mod calls;
pub mod secrets;

pub mod qr;
pub mod reach;

pub mod door;
pub mod http;
pub mod ws;

pub mod cli;
pub mod clock;
pub mod server;
