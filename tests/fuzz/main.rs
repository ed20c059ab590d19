//! Bytes that nobody sends on purpose, for everything that reads bytes from a stranger, and command
//! after command for the rules. In `make test` a minute in all; `make fuzz` takes ten for each.
//!
//! Inputs worth keeping stand in `corpus/`, a folder for each target: some written by hand, the rest
//! kept by `make fuzz`. An input that fails is printed and put there, too.

mod bytes;
mod head;
mod room_api;
mod rooms;
mod runner;
mod socket;

use runner::{Target, fuzz};

#[test]
fn whatever_a_head_is_made_of_it_is_read_in_one_way_or_refused() {
    fuzz(&Target {
        name: "head",
        run: head::run,
        words: head::WORDS,
        max_bytes: 20_000,
    });
}

#[test]
fn whatever_a_body_holds_it_is_read_or_refused_with_a_sentence() {
    fuzz(&Target {
        name: "room_api",
        run: room_api::run,
        words: room_api::WORDS,
        max_bytes: 64 * 1024,
    });
}

#[test]
fn whatever_a_frame_holds_its_answer_is_a_frame() {
    fuzz(&Target {
        name: "socket",
        run: socket::run,
        words: socket::WORDS,
        max_bytes: 64 * 1024,
    });
}

#[test]
fn whatever_is_commanded_the_table_agrees_with_itself() {
    fuzz(&Target {
        name: "rooms",
        run: rooms::run,
        words: &[],
        max_bytes: 1_000,
    });
}
