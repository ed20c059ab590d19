//! The WebSocket protocol (second document) as PROTOCOL.md completes it.

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod document;
mod framing;
mod history;
mod leaving;
mod messages;
mod together;
