//! A panic where nobody expects one. The only way to one from outside is a clock before 1970, which
//! Linux does not even let anybody set: asking for the time panics.

use crate::clocks::Clock;
use crate::raw::{connect, get, rest, send};
use crate::support::{DEADLINE, Server, create, join, until};
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

const BEFORE_1970: &str = "@1969-12-31 00:00:00";

#[test]
fn a_panic_in_a_connection_costs_that_connection_and_nobody_else() {
    let clock = Clock::new();
    let server = clock.start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let mut adas = server.login(&ada.token);
    clock.jump(BEFORE_1970);
    let mut panicked = server.socket();
    panicked.send_json(json!({"type":"auth","token":bob.token}));
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicked.recv()));
    assert!(ended.is_err(), "the socket ends: {ended:?}");
    // The answer would be a 500 (a unit test of http), if its Date were not before 1970, too.
    let stream = connect(server.http);
    let body = ada.body(json!({})).to_string();
    send(
        &stream,
        format!(
            "POST /room/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(rest(&stream, DEADLINE), b"");
    clock.jump("+0");
    // Nobody else is hurt, and the same two are served again.
    adas.say(ada.room, "still here");
    bob.with_token().call("/room/heartbeat").data();
    server.login(&bob.token);
    for line in ["the connection ended by a panic", "a panic while serving"] {
        until("the log says so", || server.stderr().contains(line));
    }
}

/// Lets commits fail with EFBIG, as if the disk were full.
fn limit(server: &Server, bytes: &str) {
    let pid = server.pid().to_string();
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(
        set.is_ok_and(|s| s.success()),
        "this test needs the command prlimit (util-linux)"
    );
}

/// While commits fail, the scribe itself asks for the time every second: that is where it panics.
/// What it delivers it delivers on the same thread, under the same catch.
#[test]
fn a_panic_in_the_scribe_ends_the_process_with_a_reason_and_what_was_committed_is_safe() {
    let clock = Clock::new();
    let mut prefix = clock.prefix();
    let ignored = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    prefix.extend(ignored.map(str::to_string));
    let prefix: Vec<&str> = prefix.iter().map(String::as_str).collect();
    let mut server = Server::start_under(&prefix, &[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    ada.say("safe");
    limit(&server, "4096");
    until("commits fail", || {
        ada.send(json!({"content":"x".repeat(4_000)})).status == 503
    });
    clock.jump(BEFORE_1970);
    let status = server.ended();
    assert_eq!(status.code(), Some(70), "{status}");
    assert!(
        server.stderr().contains("the scribe panicked"),
        "the log says why"
    );
    clock.jump("+0");
    server.restart();
    let ada = ada.via(&server.client());
    let told = ada.fetch(json!({"after":1}));
    assert_eq!(told["data"][0]["content"], "safe", "{told}");
}

#[test]
fn healthz_gives_up_on_a_scribe_that_does_not_answer_after_a_second() {
    use crate::exhausted::Fault;
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let mut ws = server.login(&ada.token);
    ws.say(ada.room, "before");
    let stalled = Fault::begin(&server, "fsync,fdatasync", "delay_enter=8s");
    ws.begin_say(ada.room, "late");
    let since = Instant::now();
    until("the scribe waits for the disk", || {
        let asked = Instant::now();
        let status = get(server.http, "/healthz");
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(3), "healthz took {took:?}");
        status == Some(503)
    });
    assert!(since.elapsed() < DEADLINE);
    assert_eq!(ws.recv()["code"], 0);
    stalled.end();
    until("healthz ok again", || {
        get(server.http, "/healthz") == Some(200)
    });
}
