//! The HTTP room API (first document) as PROTOCOL.md completes it.

#[path = "../support/mod.rs"]
mod support;

mod document;
mod fetching;
mod making;
mod refusals;
mod staying;
mod talking;
