//! Heads that no client should send. `door.rs` says what each status is; here, that nothing of them
//! stays.

use crate::raw::{connect, get, rest, send, status};
use crate::support::{DEADLINE, Server};
use crate::vitals::Vitals;
use std::net::{SocketAddr, TcpStream};

/// `MAX_HEAD` of the door.
const MAX_HEAD: usize = 16 * 1024;

fn head(lines: &str) -> Vec<u8> {
    format!("POST /room/create HTTP/1.1\r\nHost: x\r\n{lines}\r\n{{}}").into_bytes()
}

/// What is sent, and the statuses that are right: 0 is a close without an answer.
fn attacks() -> Vec<(Vec<u8>, &'static [u16])> {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let long = "a".repeat(1024 * 1024);
    let hello = [
        // A TLS 1.2 record, a ClientHello of 512 bytes.
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        &[0x5a; 501],
    ]
    .concat();
    vec![
        (head("Content-Length: 100000000000\r\n"), &[413]),
        (
            head("Content-Length: 18446744073709551616\r\n"),
            &[400, 413],
        ),
        (
            head(&format!("Content-Length: {}\r\n", "9".repeat(8_000))),
            &[400, 413],
        ),
        (head("Content-Length: -1\r\n"), &[400]),
        (head("Content-Length: -0\r\n"), &[400]),
        (head("Content-Length: +2\r\n"), &[400]),
        (head("Content-Length: 0x2\r\n"), &[400]),
        (head("Content-Length: 2a\r\n"), &[400]),
        (head("Content-Length: 2.0\r\n"), &[400]),
        (head("Content-Length: \r\n"), &[400]),
        (head("Content-Length: 2 2\r\n"), &[400]),
        (head("Content-Length: 2\r\nContent-Length: 2\r\n"), &[400]),
        (head("Content-Length: 2\r\nContent-Length: 3\r\n"), &[400]),
        (
            head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
            &[400],
        ),
        (
            head("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"),
            &[400],
        ),
        (
            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            &[400, 501],
        ),
        (head("Transfer-Encoding: \x0bchunked\r\n"), &[400]),
        (head("A: b\r\n\tc: d\r\n"), &[400]),
        (head("A: b\0c\r\n"), &[400]),
        (head("A\0: b\r\n"), &[400]),
        (head("A: b\rc\r\n"), &[400]),
        (head("A: b\nC: d\r\n"), &[400]),
        (head("A: \u{e9}\r\n"), &[400]),
        (head("\u{e9}: a\r\n"), &[400]),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), &[400]),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_vec(),
            &[400],
        ),
        (get("http://"), &[400]),
        (get("http:///healthz"), &[400]),
        (get("ftp://x/healthz"), &[400]),
        (get("*"), &[400]),
        (get("**"), &[400]),
        (get(&format!("/{long}")), &[414]),
        (get(&format!("http://{long}/")), &[414]),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
            &[505],
        ),
        (hello, &[400]),
        (b"\x80\x2e\x01\0\x02".to_vec(), &[400]), // an SSL 2 hello
        (b"\0".to_vec(), &[400]),
    ]
}

fn refused(address: SocketAddr, bytes: &[u8], right: &[u16]) {
    let stream = connect(address);
    send(&stream, bytes);
    let said = rest(&stream, DEADLINE);
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    let status = status(&said).unwrap_or(0);
    assert!(
        right.contains(&status),
        "{shown:?}: {status}, not {right:?}: {}",
        String::from_utf8_lossy(&said)
    );
    assert!(
        String::from_utf8_lossy(&said).contains("\r\nConnection: close\r\n"),
        "{shown:?}: {}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn whatever_a_head_holds_it_is_refused_and_leaves_nothing_behind() {
    let server = Server::start(&["--data", "none"]);
    assert_eq!(get(server.http, "/healthz"), Some(200));
    let before = Vitals::of(&server);
    for address in [server.http, server.ws] {
        for (bytes, right) in attacks() {
            refused(address, &bytes, right);
        }
    }
    // The same from many sides at once, by clients that do not wait to read why.
    for _ in 0..5 {
        let streams: Vec<TcpStream> = attacks()
            .iter()
            .map(|(bytes, _)| {
                let stream = connect(server.http);
                stream.set_nonblocking(true).expect("an option");
                send(&stream, bytes);
                stream
            })
            .collect();
        drop(streams);
    }
    assert_eq!(get(server.http, "/healthz"), Some(200));
    before.again(&server, 0);
}

/// The head's bytes, the vector that grows by doubling, and the pages of a thread's stack.
const MOST_PER_HEAD: u64 = 96 * 1024;

#[test]
fn a_head_without_end_holds_16_kib_at_most() {
    const MANY: usize = 300;
    let server = Server::start(&["--data", "none"]);
    assert_eq!(get(server.http, "/healthz"), Some(200));
    let before = Vitals::of(&server);
    // One byte less than what is refused at once.
    let begun = format!("GET /{}", "a".repeat(MAX_HEAD - 6));
    let held: Vec<TcpStream> = (0..MANY)
        .map(|_| {
            let stream = connect(server.http);
            assert!(send(&stream, &begun), "the head's beginning is taken");
            stream
        })
        .collect();
    // The last has been read when a later one is answered, near enough.
    assert_eq!(get(server.http, "/healthz"), Some(200));
    let during = Vitals::of(&server);
    println!("before: {before:?}\nduring: {during:?}");
    assert!(
        during.rss <= before.rss + MANY as u64 * MOST_PER_HEAD,
        "{MANY} heads hold too much: {before:?}, {during:?}"
    );
    // One byte more, and each is refused.
    for stream in &held {
        send(stream, "a");
    }
    for stream in &held {
        assert_eq!(status(&rest(stream, DEADLINE)), Some(414));
    }
    drop(held);
    before.again(&server, 0);
}
