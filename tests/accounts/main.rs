//! Accounts: where a token comes from, the rooms of a user, the history of a room over HTTP.

#[path = "../support/mod.rs"]
mod support;

mod history;
mod refusals;
mod rooms;
mod tokens;

fn server() -> support::Server {
    support::Server::start(&["--data", "none"])
}
