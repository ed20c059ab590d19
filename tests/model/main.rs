//! Random commands of several clients on both transports against a small reference: whatever
//! parlor answers and sends has to be what the reference allows. `PARLOR_MODEL_CASES` says how
//! many cases (30 commands each, more or less); a failing one shrinks and prints its transcript.

#[path = "../support/mod.rs"]
mod support;

mod case;
mod commands;
mod reference;

use case::Case;
use commands::{Command, Events, commands};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Account, Server, account, record};

/// Each of the three tests runs its share of them.
const CASES: u32 = 200;

const RATES: [&str; 4] = ["--user-rate", "0", "--room-rate", "0"];

/// A running parlor and the accounts of clients 1 and 3.
struct House {
    server: Server,
    accounts: Vec<Account>,
}

impl House {
    fn new(flags: &[&str]) -> House {
        let server = Server::start(&[&RATES, flags].concat());
        let http = server.client();
        let accounts = ["Mia", "Noé"].map(|name| account(&http, name)).into();
        House { server, accounts }
    }

    fn is_alive(&self) -> bool {
        let asked = catch_unwind(AssertUnwindSafe(|| self.server.client().get("/healthz")));
        asked.is_ok_and(|reply| reply.status == 200)
    }
}

fn cases(percent: u32) -> u32 {
    let cases = std::env::var("PARLOR_MODEL_CASES").ok();
    let cases = cases.map_or(CASES, |n| {
        n.parse().expect("PARLOR_MODEL_CASES is a number")
    });
    (cases * percent).div_ceil(100)
}

/// Runs random cases, each in rooms of its own, in one house.
fn check(percent: u32, events: Events, flags: &[&str]) {
    let config = Config {
        cases: cases(percent),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    let house = RefCell::new(House::new(flags));
    let run = |commands: Vec<Command>| {
        record();
        let house = &mut *house.borrow_mut();
        let House { server, accounts } = house;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Case::new(server, accounts).and_then(|case| case.run(&commands))
        }));
        let why = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(panic) => match panic.downcast::<String>() {
                Ok(text) => *text,
                Err(panic) => panic
                    .downcast::<&str>()
                    .map_or("a panic".into(), |t| t.to_string()),
            },
        };
        let mut transcript = record().join("\n");
        if !house.is_alive() {
            transcript += &format!("\nand parlor has ended:\n{}", house.server.stderr());
            *house = House::new(flags);
        }
        Err(TestCaseError::fail(format!("{transcript}\n\n{why}")))
    };
    let mut runner = TestRunner::new(config);
    match runner.run(&commands(events), run) {
        Ok(()) => {}
        Err(TestError::Fail(why, commands)) => panic!("{commands:#?}\n\n{why}"),
        Err(e) => panic!("{e}"),
    }
}

const CALM: Events = Events {
    restarts: 0,
    crowds: 0,
};

#[test]
fn every_answer_and_frame_is_one_that_the_model_allows() {
    check(50, CALM, &["--durability", "fast"]);
}

#[test]
fn what_memory_forgets_is_read_the_same() {
    let events = Events { crowds: 2, ..CALM };
    check(35, events, &["--durability", "fast", "--memory", "1"]);
}

#[test]
fn a_restart_or_a_crash_changes_nothing_but_cursors() {
    let events = Events {
        restarts: 6,
        ..CALM
    };
    check(10, events, &[]);
}
