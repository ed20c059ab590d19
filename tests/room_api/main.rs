//! The HTTP room API (first document) as PROTOCOL.md completes it.

#[path = "../support/mod.rs"]
mod support;

mod document;
mod fetching;
mod making;
mod names;
mod passwords;
mod refusals;
mod staying;
mod talking;
