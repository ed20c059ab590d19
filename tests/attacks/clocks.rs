//! The wall clock jumps, as that of a Pi without a battery does: order, resume and expiry stay
//! right, and sessions do not all die.
//!
//! Needs libfaketime: only the wall clock is faked, as in life.

use crate::support::{Guest, Server, TempDir, account, create, join, libfaketime, places, until};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const YEAR: i64 = 365 * 24 * 3600;

/// A clock that a server started with `prefix` reads, and that jumps when told.
pub struct Clock {
    dir: TempDir,
}

impl Clock {
    pub fn new() -> Clock {
        let clock = Clock {
            dir: TempDir::new(),
        };
        clock.jump("+0");
        clock
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// From the true time by so many seconds (`+60`, `-31536000`), or to an absolute one
    /// (`@1970-01-01 00:00:10`).
    pub fn jump(&self, to: &str) {
        println!("-- the clock jumps: {to} --");
        // Renamed into place, so that nobody reads half of it.
        let next = self.dir.path().join("next");
        std::fs::write(&next, format!("{to}\n")).expect("a file written");
        std::fs::rename(&next, self.file()).expect("a file renamed");
    }

    /// The launcher of a server that reads this clock.
    pub fn prefix(&self) -> Vec<String> {
        vec![
            "env".into(),
            format!("LD_PRELOAD={}", libfaketime()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()),
            "FAKETIME_NO_CACHE=1".into(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
            // Deadlines of locks are on the clock that does not jump.
            "FAKETIME_DONT_RESET=1".into(),
            "TZ=UTC".into(),
        ]
    }

    pub fn start(&self, args: &[&str]) -> Server {
        let prefix = self.prefix();
        let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
        Server::start_under(&prefix, args)
    }
}

/// The year that the server believes in, as the room's next message tells it.
fn year(guest: &Guest) -> i64 {
    let said = guest.say_as(&crate::support::uuid(), "what year is it?");
    let sent = said["sent"].as_str().expect("a time");
    sent[..4].parse().expect("a year")
}

fn ordered(guest: &Guest) -> usize {
    let page = guest.fetch(json!({"after":0,"limit":1000}));
    assert_eq!(page["complete"], true, "{page}");
    let entries = page["data"].as_array().expect("a list");
    let all: Vec<u64> = (1..=entries.len() as u64).collect();
    assert_eq!(places(entries), all, "the order has no gap");
    entries.len()
}

#[test]
fn a_clock_that_jumps_changes_no_order_ends_no_session_and_expires_nobody() {
    let clock = Clock::new();
    let mut server = clock.start(&[]);
    let http = server.client();
    let ada = create(&http, json!({})).with_token();
    let bob = join(&http, &ada.room_id);
    let cleo = account(&http, "Cleo");
    let request = json!({"roomId":ada.room_id,"request":crate::support::uuid()});
    let dan = join_first(&http, &request);
    let true_year = year(&ada);
    let mut bobs = server.login_v1(&bob.token);
    let (mut at, mut said) = (0, ordered(&ada));
    for (jump, years) in [
        (format!("{:+}", -YEAR - 86_400), -1),
        (format!("{:+}", 2 * YEAR), 2),
        ("@1970-01-01 00:00:10".into(), 1970 - true_year),
        ("+0".into(), 0),
        (format!("{:+}", 50 * YEAR), 50),
    ] {
        clock.jump(&jump);
        until("parlor reads the clock", || {
            said += 1;
            (year(&ada) - true_year - years).abs() <= 1
        });
        assert_eq!(ordered(&ada), said, "{jump}");
        // Live on a socket, in the order's order.
        while at < said as u64 {
            let frame = bobs.recv();
            if frame["type"] == "recv" {
                let next = frame["at"].as_u64().expect("at");
                assert!(next > at, "{frame}");
                at = next;
            }
        }
        // Sessions and memberships live, idempotent requests and resume work.
        assert_eq!(cleo.http.get("/rooms/me").status, 200, "{jump}");
        bob.with_token().call("/room/heartbeat").data();
        let mut again = server.socket();
        let answer = again.auth_with(
            &ada.token,
            json!({"resume":{ada.room.to_string(): said - 2}}),
        );
        assert_eq!(answer["rooms"][0]["complete"], true, "{answer}");
        assert_eq!(again.recv()["at"], said - 1);
        assert_eq!(again.recv()["at"], said);
    }
    // A guest that has left by none of these jumps is the same one.
    assert_eq!(dan.with_token().call("/room/heartbeat").status, 200);

    // The same over a restart in 1970, and of a clock that is right again.
    clock.jump("@1970-01-01 00:00:20");
    server.restart();
    let http = server.client();
    let ada = ada.via(&http.bearer(&ada.token));
    assert_eq!(ordered(&ada), said);
    ada.say("after a restart");
    said += 1;
    assert_eq!(ordered(&ada), said);
    assert_eq!(http.bearer(&cleo.token).get("/rooms/me").status, 200);
    bob.via(&http.bearer(&bob.token))
        .call("/room/heartbeat")
        .data();
    clock.jump("+0");
    server.restart();
    let http = server.client();
    let ada = ada.via(&http.bearer(&ada.token));
    assert_eq!(ordered(&ada), said);
    let mut again = server.socket();
    let answer = again.auth_with(
        &ada.token,
        json!({"resume":{ada.room.to_string(): said - 1}}),
    );
    assert_eq!(answer["rooms"][0]["complete"], true, "{answer}");
    assert_eq!(again.recv()["at"], said);
}

/// A Pi boots in 1970, its clock is set when it has found the network, and the next start is in
/// the true year.
#[test]
fn a_session_used_while_the_clock_stood_in_1970_lives_on_after_a_start_in_the_true_year() {
    let clock = Clock::new();
    clock.jump("@1970-01-01 00:00:20");
    let mut server = clock.start(&[]);
    let cleo = account(&server.client(), "Cleo");
    assert_eq!(cleo.http.get("/rooms/me").status, 200);
    clock.jump("+0");
    server.restart();
    let again = server.client().bearer(&cleo.token).get("/rooms/me");
    assert_eq!(again.status, 200, "{}", again.body);
}

fn join_first(http: &crate::support::Http, body: &serde_json::Value) -> Guest {
    Guest::from(http, &http.post("/room/join", body.clone()).data())
}

#[test]
fn expiry_counts_the_time_that_passed_and_not_what_the_clock_says() {
    let clock = Clock::new();
    let server = clock.start(&[
        "--data",
        "none",
        "--hold",
        "7",
        "--session",
        "7",
        "--keep-days",
        "1",
    ]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let cleo = account(&http, "Cleo");
    let start = Instant::now();
    // Years at once in both directions: nobody leaves by that …
    for jump in [format!("{:+}", 10 * YEAR), format!("{:+}", -10 * YEAR)] {
        clock.jump(&jump);
        // Cleo first: her session ends before Bob leaves.
        assert_eq!(cleo.http.get("/rooms/me").status, 200);
        ada.call("/room/heartbeat").data();
        bob.call("/room/heartbeat").data();
    }
    assert!(start.elapsed() < Duration::from_secs(7), "too slow to tell");
    // … and with the clock far back, silence ends a guest and a session all the same.
    until("the silent guest has left", || {
        let left = ada.fetch(json!({"after":0}));
        let entries = left["data"].as_array().expect("a list").clone();
        entries.iter().any(|e| {
            e["content"]
                .as_str()
                .is_some_and(|text| text.contains("离开"))
        })
    });
    assert!(start.elapsed() >= Duration::from_secs(6), "left early");
    cleo.http.get("/rooms/me").failed(401, 1);
    assert_eq!(
        ordered(&ada),
        3,
        "--keep-days waits for a clock that it can believe"
    );
}
