//! The system gives no more: no descriptors, no accepted connections, no threads. Who is in goes
//! on, and service is back within a second of the cause ending.
//!
//! Needs strace, which lets system calls fail, and the right to trace: root, as a rule.

use crate::raw::{connect, get, rest, send, status};
use crate::support::{DEADLINE, Server, account, create, join, log_in, until};
use crate::vitals::Vitals;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// After the cause has ended (issue 5, point 4).
const BACK_WITHIN: Duration = Duration::from_secs(1);

/// strace at a running parlor, letting calls fail until it is dropped.
pub struct Fault(Child);

impl Fault {
    pub fn begin(server: &Server, calls: &str, how: &str) -> Fault {
        println!("-- {calls} {how} --");
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &server.pid().to_string(), "-o", "/dev/null"]);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{how}")]);
        let strace = command.stderr(Stdio::piped()).spawn();
        let mut strace = strace.unwrap_or_else(|e| panic!("this test needs strace: {e}"));
        let mut said = BufReader::new(strace.stderr.take().expect("piped"));
        // Said when all threads are held.
        let mut line = String::new();
        said.read_line(&mut line).expect("a line of strace");
        assert!(
            line.contains(" attached"),
            "this test needs strace and the right to trace (root): {line}"
        );
        // Whoever stops reading a pipe may stop its writer.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Fault(strace)
    }

    /// From here on all works again.
    pub fn end(mut self) {
        let asked = Command::new("kill")
            .args(["-s", "INT", &self.0.id().to_string()])
            .status();
        assert!(asked.is_ok_and(|s| s.success()), "kill -s INT");
        until("strace lets go", || {
            self.0.try_wait().expect("a child to ask").is_some()
        });
        println!("-- all works again --");
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// New connections are served, at the latest after `BACK_WITHIN`.
fn is_back(server: &Server) {
    let since = Instant::now();
    until("a new connection is served", || {
        get(server.http, "/healthz") == Some(200)
    });
    let took = since.elapsed();
    assert!(took < BACK_WITHIN, "back only after {took:?}");
}

#[test]
fn without_descriptors_those_inside_go_on_and_others_get_in_when_there_are_some() {
    let limited = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""];
    let server = Server::start_under(&limited, &[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let (mut adas, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let before = Vitals::of(&server);
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(server.http)).collect();
    until("no descriptor is left", || {
        Vitals::of(&server).descriptors >= 63
    });
    // Those who are in talk on, and it is saved.
    for text in ["one", "two", "three"] {
        adas.say(ada.room, text);
        assert_eq!(bobs.hear(1), [text]);
    }
    drop(crowd);
    is_back(&server);
    before.again(&server, 0);
    let told = ada.with_token().fetch(json!({"after":2}));
    assert_eq!(told["data"].as_array().map(Vec::len), Some(3), "{told}");
}

#[test]
fn an_accept_that_fails_costs_those_inside_nothing_and_passes() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let (mut adas, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let before = Vitals::of(&server);
    for error in ["EMFILE", "ENFILE", "ECONNABORTED", "ENOBUFS", "EPERM"] {
        let fault = Fault::begin(&server, "accept4,accept", &format!("error={error}"));
        // The accept that was under way when it began may still succeed, one on each port.
        let outside: Vec<TcpStream> = (0..5).map(|_| connect(server.http)).collect();
        adas.say(ada.room, error);
        assert_eq!(bobs.hear(1), [error]);
        fault.end();
        is_back(&server);
        // Those that were waiting outside are served, too.
        for stream in &outside {
            send(
                stream,
                "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            );
            assert_eq!(status(&rest(stream, DEADLINE)), Some(200));
        }
    }
    before.again(&server, 0);
}

#[test]
fn without_threads_newcomers_are_turned_away_with_a_503_until_there_are_some() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let (mut adas, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let before = Vitals::of(&server);
    let fault = Fault::begin(&server, "clone3,clone", "error=EAGAIN");
    for _ in 0..5 {
        assert_eq!(get(server.http, "/healthz"), Some(503));
    }
    adas.say(ada.room, "inside");
    assert_eq!(bobs.hear(1), ["inside"]);
    fault.end();
    is_back(&server);
    // Five were turned away and are kept a while to read why.
    before.again(&server, 5);
}

#[test]
fn a_password_that_found_no_thread_to_be_hashed_on_can_be_tried_again() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    // Connected and served already, so that its thread is there.
    let inside = connect(server.http);
    send(&inside, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut first = [0; 12];
    std::io::Read::read_exact(&mut &inside, &mut first).expect("an answer");
    let fault = Fault::begin(&server, "clone3,clone", "error=EAGAIN");
    let body = r#"{"username":"Ada","password":"sesame"}"#;
    send(
        &inside,
        format!(
            "POST /users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    let said = String::from_utf8_lossy(&rest(&inside, DEADLINE)).into_owned();
    assert!(said.contains("HTTP/1.1 503 "), "busy, for now: {said}");
    fault.end();
    is_back(&server);
    account(&http, "Bea");
    log_in(&http, "Bea");
}

#[test]
fn limits_of_the_machine_below_the_flag_are_said_at_start() {
    let few = ["sh", "-c", "ulimit -n 100; exec \"$0\" \"$@\""];
    let server = Server::start_under(&few, &["--data", "none", "--max-connections", "50"]);
    let said = "open files (ulimit -n) is enough for 36 connections, fewer than the 50 of";
    until("the log says so", || server.stderr().contains(said));
    let server = Server::start_under(&few, &["--data", "none", "--max-connections", "30"]);
    assert_eq!(server.client().get("/healthz").status, 200);
    assert!(!server.stderr().contains("limit"), "{}", server.stderr());
}
