//! Clients that ask and never read, or read a byte a second: backpressure, then cut, and what waits
//! for them is bounded by constants.

use crate::raw::{connect, get, send};
use crate::support::{DEADLINE, Guest, Server, create, join, uuid};
use crate::vitals::Vitals;
use serde_json::{Value, json};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A whole answer, or a chunk of frames, may take this long to leave (door, hub::socket).
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// What two busy cores may add, and the Close frame's own grace.
const LATE: Duration = Duration::from_secs(10);
/// What may wait for one client: 1 MiB of frames, one page, the buffers that grow by doubling, and
/// a thread more.
const MOST_EACH: u64 = 4 * 1024 * 1024;

/// Frames as a client sends them, under a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![first];
    if length < 126 {
        frame.push(0x80 | length as u8);
    } else {
        frame.extend([0xfe, (length >> 8) as u8, length as u8]);
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A WebSocket of the token's user, of which nothing but the answer to `auth` was read.
fn socket(server: &Server, token: &str) -> TcpStream {
    let mut stream = connect(server.ws);
    // What it does not read fills up soon.
    SockRef::from(&stream)
        .set_recv_buffer_size(4096)
        .expect("a small buffer");
    send(
        &stream,
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let auth = json!({"type":"auth","token":token}).to_string();
    send(&stream, masked(0x81, auth.as_bytes()));
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(br#""code":0,"msg":""}"#) {
        stream.read_exact(&mut byte).expect("an answer to auth");
        read.push(byte[0]);
    }
    stream
}

/// Whether the server's end of a connection is still there.
fn is_served(stream: &TcpStream) -> bool {
    let port = |address: std::io::Result<SocketAddr>| address.expect("connected").port();
    let (ours, theirs) = (port(stream.local_addr()), port(stream.peer_addr()));
    let ends = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    ends.lines().skip(1).any(|end| {
        let mut fields = end.split_whitespace().skip(1);
        let mut is = |port: u16| {
            fields
                .next()
                .is_some_and(|a| a.ends_with(&format!(":{port:04X}")))
        };
        // 01: established.
        is(theirs) && is(ours) && fields.next() == Some("01")
    })
}

/// Sends `bytes` again and again until the other side has cut the connection.
/// What does not fit is not waited for.
fn flood(what: &str, stream: &TcpStream, bytes: &[u8]) {
    let start = Instant::now();
    let mut taken_last = start;
    let (mut stream, mut at, mut sent) = (stream, 0, 0u64);
    stream.set_nonblocking(true).expect("an option");
    loop {
        match stream.write(&bytes[at..]) {
            Ok(taken) => {
                at = (at + taken) % bytes.len();
                sent += taken as u64;
                taken_last = Instant::now();
                // Some MB at once, then less: the cores are shared.
                if sent > 4 * 1024 * 1024 {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                // Our kernel passes over a reset that lies beyond the window that we shut, and asks
                // again later and later: the server's end tells sooner.
                if taken_last.elapsed() > Duration::from_secs(1) && !is_served(stream) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(_) => break,
        }
        // Where both windows are shut at the wrong moment, nothing gets through any more, though the
        // server has no more to write than its kernel keeps: then it ends as a silent client does.
        let waited = taken_last.elapsed();
        assert!(
            waited < SILENCE + LATE && sent < MOST_TAKEN,
            "{what}: not cut; {sent} bytes were taken, the last {waited:?} ago"
        );
    }
    println!(
        "{what}: cut after {:?}; {sent} bytes were taken",
        start.elapsed()
    );
}

/// PROTOCOL.md: a socket that is silent for so long is closed.
const SILENCE: Duration = Duration::from_secs(75);
/// Bytes that a flooder gets rid of: each asks for an answer of about its size, and what both kernels
/// and the queue keep of those is less.
const MOST_TAKEN: u64 = 32 * 1024 * 1024;

/// Reads a byte a second until the connection is over.
fn sip(mut stream: &TcpStream) {
    let start = Instant::now();
    let mut byte = [0];
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    // What is on its way when it is cut may still be read: that it is over shows in a write, which
    // the other side resets.
    while !matches!(stream.read(&mut byte), Ok(0)) && stream.write_all(b"\r").is_ok() {
        assert!(
            start.elapsed() < WRITE_DEADLINE + LATE,
            "not cut within {:?}",
            start.elapsed()
        );
        std::thread::sleep(Duration::from_secs(1)); // this is the attack
    }
    let took = start.elapsed();
    println!("a byte a second: cut after {took:?}");
    // By the deadline on its answer, and by nothing else.
    assert!(took > WRITE_DEADLINE - Duration::from_secs(5), "{took:?}");
}

/// Says so many long texts that a fetch of all is about a mebibyte.
fn fill(guest: &Guest) {
    for _ in 0..80 {
        guest.say(&"🦜".repeat(4_000));
    }
}

#[test]
fn who_asks_and_never_reads_is_cut_within_a_constant_and_costs_nobody_else() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let flooders: Vec<Guest> = (0..3).map(|_| join(&http, &ada.room_id)).collect();
    let elsewhere = create(&http, json!({}));
    let mut calm = server.login(&elsewhere.token);
    fill(&ada);
    let before = Vitals::of(&server);

    let fetch = ada.body(json!({"after":0,"limit":1000})).to_string();
    let asked = format!(
        "POST /message/fetch HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{fetch}",
        fetch.len()
    );
    let message = |_| {
        let data = json!({"type":"Text","text":"flood"});
        json!({"type":"msg","uuid":uuid(),"room":ada.room,"data":data})
    };
    let history = json!({"type":"history","room":ada.room,"limit":200});
    let frame = |value: &Value| masked(0x81, value.to_string().as_bytes());
    let messages: Vec<u8> = (0..50).map(message).flat_map(|m| frame(&m)).collect();
    let pages = frame(&history).repeat(20);
    let pings = masked(0x89, &[b'p'; 125]).repeat(20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stream = connect(server.http);
            flood("requests", &stream, asked.repeat(20).as_bytes());
        });
        scope.spawn(|| {
            let stream = connect(server.http);
            SockRef::from(&stream)
                .set_recv_buffer_size(4096)
                .expect("a small buffer");
            send(&stream, &asked);
            sip(&stream);
        });
        let kinds = [
            ("pings", &pings),
            ("messages", &messages),
            ("pages", &pages),
        ];
        for (guest, (what, frames)) in flooders.iter().zip(kinds) {
            let server = &server;
            scope.spawn(move || flood(what, &socket(server, &guest.token), frames));
        }
        // Meanwhile memory is bounded, and nobody else waits.
        let mut most = before;
        let start = Instant::now();
        while start.elapsed() < WRITE_DEADLINE {
            let since = Instant::now();
            calm.say(elsewhere.room, "calm");
            assert_eq!(get(server.http, "/healthz"), Some(200));
            let took = since.elapsed();
            assert!(took < Duration::from_secs(2), "others waited {took:?}");
            let now = Vitals::of(&server);
            most.rss = most.rss.max(now.rss);
            std::thread::sleep(Duration::from_millis(200));
        }
        println!("before: {before:?}\nat most: {most:?}");
        assert!(
            most.rss <= before.rss + 5 * MOST_EACH,
            "{before:?}, {most:?}"
        );
    });
    before.again(&server, 0);
}
