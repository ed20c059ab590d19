//! What a stranger meets at the door, byte by byte: every status it gives, its limits in space and
//! time, and how connections are kept, shared out and ended. Raw sockets, because a good client
//! would not send most of this.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{DEADLINE, Server, until};

const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
const MAX_BODY: usize = 64 * 1024;

fn server() -> Server {
    Server::start(&["--data", "none"])
}

/// One connection, and what came on it but was not yet looked at.
struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
    patience: Duration,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map_or("", |(_, value)| value);
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// Is `word` an element of this header, in any case?
    fn lists(&self, name: &str, word: &str) -> bool {
        let mut words = self.header(name).split(',').map(str::trim);
        words.any(|w| w.eq_ignore_ascii_case(word))
    }
}

impl Raw {
    fn connect(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("a connection");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        Raw {
            stream,
            read: Vec::new(),
            patience: DEADLINE,
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        println!(
            "> {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(300)])
        );
        // The door may have refused and closed before the last byte; what it says is still to be
        // read.
        if let Err(error) = self.stream.write_all(bytes) {
            println!("  not all sent: {error}");
        }
    }

    fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    /// Reads once. False at the end of the connection.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        self.stream
            .set_read_timeout(Some(self.patience))
            .expect("a timeout");
        let read = match self.stream.read(&mut bytes) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!(
                "{error}; read so far {:?}",
                String::from_utf8_lossy(&self.read)
            ),
        };
        self.read.extend_from_slice(&bytes[..read]);
        read > 0
    }

    /// Waits for these very bytes.
    fn expect(&mut self, bytes: &[u8]) {
        while self.read.len() < bytes.len() && self.more() {}
        let came = String::from_utf8_lossy(&self.read).into_owned();
        assert!(self.read.starts_with(bytes), "came: {came:?}");
        self.read.drain(..bytes.len());
    }

    fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    fn answer_to(&mut self, method: &str) -> Answer {
        let (answer, head, length) = loop {
            if let Some(parsed) = parse_head(&self.read) {
                break parsed;
            }
            let came = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.more(), "no whole answer: {came:?}");
        };
        let length = if method == "HEAD" { 0 } else { length };
        while self.read.len() < head + length {
            assert!(self.more(), "cut short: {answer:?}");
        }
        let body = self.read.drain(..head + length).skip(head).collect();
        let answer = Answer {
            body: String::from_utf8(body).expect("UTF-8"),
            ..answer
        };
        println!("< {} {:?} {}", answer.status, answer.headers, answer.body);
        answer
    }

    /// The connection ends here, without another byte.
    fn ends(&mut self) {
        while self.more() {}
        let came = String::from_utf8_lossy(&self.read).into_owned();
        assert!(self.read.is_empty(), "more came: {came:?}");
    }
}

/// The answer without its body, the head's length and the body's.
fn parse_head(bytes: &[u8]) -> Option<(Answer, usize, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(head) = response.parse(bytes).expect("an HTTP answer") else {
        return None;
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response
        .headers
        .iter()
        .map(|h| (h.name.to_owned(), text(h.value)))
        .collect();
    let answer = Answer {
        status: response.code?,
        headers,
        body: String::new(),
    };
    let length = match answer.header("Content-Length") {
        "" => 0,
        digits => digits.parse().expect("a length"),
    };
    Some((answer, head, length))
}

/// Sends `bytes` on a connection of its own; the door has to refuse with `status`, in a sentence,
/// and close.
fn refused(address: SocketAddr, bytes: impl AsRef<[u8]>, status: u16) -> Answer {
    let mut raw = Raw::connect(address);
    raw.send(bytes);
    refusal(&mut raw, status)
}

fn refusal(raw: &mut Raw, status: u16) -> Answer {
    let answer = raw.answer();
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.lists("Connection", "close"), "{answer:?}");
    assert_eq!(
        answer.header("Access-Control-Allow-Origin"),
        "*",
        "{answer:?}"
    );
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert!(json.is_object(), "a JSON object: {answer:?}");
    raw.ends();
    answer
}

fn healthy(address: SocketAddr) {
    let mut raw = Raw::connect(address);
    raw.get("/healthz");
    assert_eq!(raw.answer().status, 200);
}

fn with(lines: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

fn post(lines: &str, body: &str) -> String {
    format!("POST /room/create HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}")
}

#[test]
fn a_malformed_request_is_400() {
    let server = server();
    for bytes in [
        with("A: b\r\n c\r\n"),
        with("A : b\r\n"),
        with("A: b\0c\r\n"),
        with("A: b\rc\r\n"),
        with("A: b\nC: d\r\n"),
        with("A: \u{e9}\r\n"),
        with("A\r\n"),
        with("Host: y\r\n"),
        with("Content-Length: 0\r\nContent-Length: 0\r\n"),
        with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        post("Content-Length: +2\r\n", "{}"),
        post("Content-Length: 0x2\r\n", "{}"),
        post("Content-Length: 2, 2\r\n", "{}"),
        post("Content-Length:\r\n", "{}"),
        post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "2\r\n{}xx0\r\n\r\n"),
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\nHost: x\n\n".to_owned(),
        "GET /healthz\r\n\r\n".to_owned(),
        "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "\r\n".repeat(1000),
        "\x16\x03\x01\x02\0\x01\0\x01\u{7f}".to_owned(), // a TLS hello
        "\0\0\0".to_owned(),
    ] {
        refused(server.http, &bytes, 400);
    }
    refused(server.ws, with("A : b\r\n"), 400);
}

#[test]
fn an_unknown_path_is_404() {
    let server = server();
    for address in [server.http, server.ws] {
        let mut raw = Raw::connect(address);
        raw.get("/nope");
        let answer = raw.answer();
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(
            answer.header("Access-Control-Allow-Origin"),
            "*",
            "{answer:?}"
        );
        assert_eq!(
            answer.header("X-Content-Type-Options"),
            "nosniff",
            "{answer:?}"
        );
    }
}

#[test]
fn a_wrong_method_is_405_and_learns_the_right_ones() {
    let server = server();
    for (request, right) in [("GET /room/create", "POST"), ("DELETE /healthz", "GET")] {
        let mut raw = Raw::connect(server.http);
        raw.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = raw.answer();
        assert_eq!(answer.status, 405, "{answer:?}");
        assert!(answer.lists("Allow", right), "{answer:?}");
    }
}

/// The slow ones together, because each takes its deadline of real time.
#[test]
fn a_stalled_request_is_408_and_a_silent_connection_is_closed() {
    let server = server();
    let (http, ws) = (server.http, server.ws);
    thread::scope(|scope| {
        for address in [http, ws] {
            // Ten seconds from the accept, however the bytes are spread.
            scope.spawn(move || {
                let start = Instant::now();
                let mut raw = Raw::connect(address);
                raw.patience = Duration::from_secs(25);
                for part in ["GET /heal", "thz HTTP/1.1\r\n", "Host: x\r\n"] {
                    raw.send(part);
                    thread::sleep(Duration::from_secs(2)); // this is the promise: dripping does not help
                }
                refusal(&mut raw, 408);
                let took = start.elapsed().as_secs_f32();
                assert!((9.0..20.0).contains(&took), "{took} s");
            });
            scope.spawn(move || {
                let mut raw = Raw::connect(address);
                raw.patience = Duration::from_secs(25);
                raw.ends();
            });
        }
        // Ten seconds from its first byte for a later request.
        scope.spawn(move || {
            let mut raw = Raw::connect(http);
            raw.patience = Duration::from_secs(25);
            raw.get("/healthz");
            assert_eq!(raw.answer().status, 200);
            raw.send("GET");
            refusal(&mut raw, 408);
        });
        // Twenty seconds for a body.
        for begun in [
            "Content-Length: 10\r\n\r\n{",
            "Transfer-Encoding: chunked\r\n\r\n1\r\n{",
        ] {
            scope.spawn(move || {
                let start = Instant::now();
                let mut raw = Raw::connect(http);
                raw.patience = Duration::from_secs(40);
                raw.send(format!("POST /room/create HTTP/1.1\r\nHost: x\r\n{begun}"));
                refusal(&mut raw, 408);
                let took = start.elapsed().as_secs_f32();
                assert!((19.0..35.0).contains(&took), "{took} s");
            });
        }
        // Meanwhile nobody else waits.
        scope.spawn(move || healthy(http));
    });
}

#[test]
fn a_body_without_length_is_411() {
    let server = server();
    for method in ["POST", "PUT", "PATCH"] {
        refused(
            server.http,
            format!("{method} /room/create HTTP/1.1\r\nHost: x\r\n\r\n"),
            411,
        );
    }
}

#[test]
fn a_body_beyond_64_kib_is_413_before_it_is_sent() {
    let server = server();
    for length in ["65537", "100000000000"] {
        refused(
            server.http,
            post(&format!("Content-Length: {length}\r\n"), ""),
            413,
        );
        let patient = format!("Content-Length: {length}\r\nExpect: 100-continue\r\n");
        refused(server.http, post(&patient, ""), 413);
    }
    refused(
        server.http,
        post("Transfer-Encoding: chunked\r\n", "10001\r\n"),
        413,
    );
    refused(
        server.http,
        post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n"),
        413,
    );
    // Who sends it nevertheless gets to read why.
    let large = "a".repeat(3 * MAX_BODY);
    refused(
        server.http,
        post(&format!("Content-Length: {}\r\n", large.len()), &large),
        413,
    );
    healthy(server.http);
}

#[test]
fn a_body_of_64_kib_is_read() {
    let server = server();
    let empty = r#"{"roomName":"a","padding":""}"#;
    let padding = "a".repeat(MAX_BODY - empty.len());
    let body = format!(r#"{{"roomName":"a","padding":"{padding}"}}"#);
    let mut raw = Raw::connect(server.http);
    raw.send(post(&format!("Content-Length: {}\r\n", body.len()), &body));
    assert_eq!(raw.answer().status, 200);
}

#[test]
fn an_endless_request_line_is_414() {
    let server = server();
    refused(server.http, format!("GET /{}", "a".repeat(MAX_HEAD)), 414);
}

#[test]
fn ws_without_an_upgrade_is_426() {
    let server = server();
    for address in [server.http, server.ws] {
        let mut raw = Raw::connect(address);
        raw.get("/ws");
        let answer = raw.answer();
        assert_eq!(answer.status, 426, "{answer:?}");
        assert!(
            !answer.body.is_empty(),
            "a sentence that says what is wrong"
        );
    }
}

#[test]
fn a_head_beyond_its_limits_is_431() {
    let server = server();
    refused(
        server.http,
        with(&format!("A: {}\r\n", "a".repeat(MAX_HEAD))),
        431,
    );
    refused(server.http, with(&"A: b\r\n".repeat(MAX_HEADERS)), 431);
    let mut raw = Raw::connect(server.http);
    raw.send(with(&"A: b\r\n".repeat(MAX_HEADERS - 1)));
    assert_eq!(raw.answer().status, 200);
}

#[test]
fn an_unknown_expectation_is_417() {
    let server = server();
    refused(
        server.http,
        post("Content-Length: 2\r\nExpect: tea\r\n", "{}"),
        417,
    );
}

#[test]
fn an_unknown_coding_is_501() {
    let server = server();
    for coding in ["gzip, chunked", "identity", "xchunked"] {
        refused(
            server.http,
            post(&format!("Transfer-Encoding: {coding}\r\n"), ""),
            501,
        );
    }
}

#[test]
fn another_version_is_505() {
    let server = server();
    for address in [server.http, server.ws] {
        refused(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
        refused(address, "GET / HTTP/2.0\r\n\r\n", 505);
        refused(address, "GET / HTTP/0.9\r\n\r\n", 505);
    }
}

/// Opens a connection that has a place, which an answer to a request shows; waits for a place until
/// the deadline.
fn admitted(address: SocketAddr) -> Raw {
    let mut found = None;
    until("a place at the door", || {
        let mut raw = Raw::connect(address);
        raw.get("/healthz");
        if raw.answer().status != 503 {
            found = Some(raw);
        }
        found.is_some()
    });
    found.expect("until() saw it")
}

fn turned_away(address: SocketAddr) {
    let answer = refused(address, with(""), 503);
    assert!(
        answer.header("Retry-After").parse::<u32>().is_ok(),
        "{answer:?}"
    );
}

#[test]
fn one_connection_too_many_is_503_until_a_place_is_given_back() {
    let server = Server::start(&["--data", "none", "--max-connections", "4"]);
    // Both ports share the places.
    let mut held: Vec<Raw> = (0..3).map(|_| admitted(server.http)).collect();
    held.push(admitted(server.ws));
    turned_away(server.http);
    turned_away(server.ws);

    held.pop();
    held.push(admitted(server.http));
    turned_away(server.http);

    // Also by those that the door ended, and by those that vanish in the middle of a request.
    let mut ended = held.remove(0);
    ended.send("nonsense\r\n\r\n");
    refusal(&mut ended, 400);
    held.push(admitted(server.http));
    let mut vanishing = held.remove(0);
    vanishing.send("GET /hea");
    drop(vanishing);
    held.push(admitted(server.http));
    turned_away(server.http);
}

#[test]
fn one_address_has_no_more_than_its_share() {
    let server = Server::start(&["--data", "none", "--max-per-address", "2"]);
    let _held = [admitted(server.http), admitted(server.http)];
    turned_away(server.http);
}

#[test]
fn head_has_the_length_but_no_content() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    raw.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = raw.answer_to("HEAD");
    let get = raw.answer();
    assert_eq!((head.status, get.status), (200, 200));
    assert!(!get.body.is_empty(), "{get:?}");
    assert_ne!(head.header("Content-Length"), "0", "{head:?}");
    assert_eq!(head.header("Access-Control-Allow-Origin"), "*", "{head:?}");
}

#[test]
fn options_lets_a_page_from_elsewhere_call() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    for (path, method) in [
        ("/room/create", "POST"),
        ("/message/fetch", "POST"),
        ("/rooms/me", "GET"),
    ] {
        raw.send(format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: x\r\nOrigin: https://elsewhere.example\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n\r\n"
        ));
        let answer = raw.answer();
        assert!((200..300).contains(&answer.status), "{answer:?}");
        assert_eq!(
            answer.header("Access-Control-Allow-Origin"),
            "*",
            "{answer:?}"
        );
        assert!(
            answer.lists("Access-Control-Allow-Methods", method),
            "{answer:?}"
        );
        for header in ["Authorization", "Content-Type", "Accept-Language"] {
            assert!(
                answer.lists("Access-Control-Allow-Headers", header),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    for _ in 0..20 {
        raw.get("/healthz");
        let answer = raw.answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.lists("Connection", "close"), "{answer:?}");
    }
    // An old client's habit: an empty line after a body.
    raw.send(post("Content-Length: 2\r\n", "{}\r\n"));
    assert_eq!(raw.answer().status, 200);
    raw.send(with("Connection: close\r\n"));
    assert!(raw.answer().lists("Connection", "close"));
    raw.ends();
}

#[test]
fn connections_opened_together_are_all_served() {
    let server = server();
    let mut all: Vec<Raw> = (0..64).map(|_| Raw::connect(server.http)).collect();
    for _ in 0..2 {
        for raw in &mut all {
            raw.get("/healthz");
        }
        for raw in &mut all {
            assert_eq!(raw.answer().status, 200);
        }
    }
}

/// While it is held up nobody is accepted: whom the kernel has no room for is not connected at all.
#[test]
fn two_hundred_who_come_at_once_find_room_at_each_door() {
    let server = Server::start(&["--data", "none", "--max-per-address", "500"]);
    server.signal("STOP");
    let come = |address| -> Vec<Raw> { (0..200).map(|_| Raw::connect(address)).collect() };
    let all = [come(server.http), come(server.ws)];
    server.signal("CONT");
    for mut raw in all.into_iter().flatten() {
        raw.get("/healthz");
        assert!(matches!(raw.answer().status, 200 | 404));
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut all = String::new();
    for _ in 0..10 {
        all += &get("/healthz");
        all += &get("/nope");
        all += &post("Content-Length: 2\r\n", "{}");
        all += &post("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n");
        all += &get("/room/create");
    }
    raw.send(all);
    for _ in 0..10 {
        for status in [200, 404, 200, 200, 405] {
            assert_eq!(raw.answer().status, status);
        }
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    raw.stream.set_nodelay(true).expect("an option");
    let body = r#"{"roomName":"bytes"}"#;
    for byte in post(&format!("Content-Length: {}\r\n", body.len()), body).bytes() {
        raw.stream.write_all(&[byte]).expect("a byte sent");
    }
    let answer = raw.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("bytes"), "{answer:?}");
}

#[test]
fn a_chunked_body_is_read_like_any_other() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    let lines = "Transfer-Encoding: chunked\r\n";
    let body =
        "9;a=\"b\"\r\n{\"roomNam\r\n00B\r\ne\":\"pieces\"\r\n1\r\n}\r\n0\r\nA: trailer\r\n\r\n";
    for _ in 0..2 {
        raw.send(post(lines, body));
        let answer = raw.answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("pieces"), "{answer:?}");
    }
}

#[test]
fn who_expects_100_continue_gets_it_before_the_body() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    for (framing, body) in [
        ("Content-Length: 2\r\n", "{}"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    ] {
        let lines = format!("Expect: 100-continue\r\n{framing}");
        raw.send(post(&lines, ""));
        raw.expect(b"HTTP/1.1 100 Continue\r\n\r\n");
        raw.send(body);
        assert_eq!(raw.answer().status, 200);
        // Not where the body has come already.
        raw.send(post(&lines, body));
        assert_eq!(raw.answer().status, 200);
    }
}

#[test]
fn http_1_0_is_spoken() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    raw.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = raw.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.lists("Connection", "keep-alive"), "{answer:?}");
    raw.send("GET /healthz HTTP/1.0\r\n\r\n");
    let answer = raw.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.lists("Connection", "close"), "{answer:?}");
    raw.ends();
}

#[test]
fn a_proxys_absolute_address_is_understood() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    raw.send("GET http://chat.example:8080/healthz HTTP/1.1\r\nHost: chat.example:8080\r\n\r\n");
    assert_eq!(raw.answer().status, 200);
}

#[test]
fn who_stalls_costs_only_itself() {
    let server = server();
    let stalled: Vec<Raw> = (0..200)
        .map(|n| {
            let mut raw = Raw::connect(server.http);
            raw.send(
                [
                    "",
                    "GET",
                    "GET / HTTP/1.1\r\n",
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                ][n % 4],
            );
            raw
        })
        .collect();
    for _ in 0..10 {
        healthy(server.http);
    }
    drop(stalled);
}

#[test]
fn stopping_waits_for_nobody_who_is_idle() {
    let mut server = server();
    let mut fresh = Raw::connect(server.http);
    let mut idle = [admitted(server.http), admitted(server.ws)];
    let mut half = admitted(server.http);
    half.send("GET /hea");
    server.stop();
    fresh.ends();
    idle.iter_mut().for_each(Raw::ends);
    half.ends();
}

/// Half-closing after the request is an old client's way to say that it was the last one.
#[test]
fn a_client_that_closes_its_side_still_gets_its_answer() {
    let server = server();
    let mut raw = Raw::connect(server.http);
    raw.get("/healthz");
    raw.stream
        .shutdown(Shutdown::Write)
        .expect("a half-closed connection");
    assert_eq!(raw.answer().status, 200);
    raw.ends();
}
