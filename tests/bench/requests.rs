//! Keep-alive HTTP connections on one thread, each with one request on its way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// For a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Outcome {
    pub answers: u64,
    pub failed: u64,
    pub took: Duration,
    /// In microseconds.
    pub latencies: Vec<u32>,
}

/// A request of ours, with its length counted.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// For so long, each connection asks again when it is answered. `ask` makes the request of a
/// connection.
pub fn run(
    at: SocketAddr,
    connections: usize,
    time: Duration,
    mut ask: impl FnMut(usize) -> Vec<u8>,
) -> Outcome {
    let mut poll = Poll::new().expect("epoll");
    let mut lines: Vec<Line> = vec![];
    for n in 0..connections {
        let stream = std::net::TcpStream::connect(at).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(n), Interest::READABLE)
            .expect("registered");
        lines.push(Line {
            stream,
            part: vec![],
            asked: Instant::now(),
        });
    }
    let begun = Instant::now();
    let mut outcome = Outcome {
        answers: 0,
        failed: 0,
        took: time,
        latencies: vec![],
    };
    for (n, line) in lines.iter_mut().enumerate() {
        line.ask(&ask(n));
    }
    let (mut events, mut buffer) = (Events::with_capacity(256), vec![0; 1 << 20]);
    let mut waiting = connections;
    while waiting > 0 {
        poll.poll(&mut events, Some(Duration::from_secs(1)))
            .expect("epoll");
        assert!(begun.elapsed() < time + PATIENCE, "no answers any more");
        for event in events.iter() {
            let index = event.token().0;
            let line = &mut lines[index];
            loop {
                match line.stream.read(&mut buffer) {
                    Ok(0) => panic!("the server closed a connection"),
                    Ok(n) => {
                        line.part.extend_from_slice(&buffer[..n]);
                        if n < buffer.len() {
                            break;
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => panic!("{e}"),
                }
            }
            let Some((end, good)) = answer(&line.part) else {
                continue;
            };
            line.part.drain(..end);
            outcome.answers += 1;
            outcome.failed += u64::from(!good);
            outcome
                .latencies
                .push(line.asked.elapsed().as_micros() as u32);
            if begun.elapsed() < time {
                line.ask(&ask(index));
            } else {
                waiting -= 1;
            }
        }
    }
    outcome.took = begun.elapsed();
    outcome
}

struct Line {
    stream: TcpStream,
    part: Vec<u8>,
    asked: Instant,
}

impl Line {
    fn ask(&mut self, request: &[u8]) {
        self.asked = Instant::now();
        let sent = self.stream.write(request);
        assert!(
            sent.is_ok_and(|n| n == request.len()),
            "a request did not fit"
        );
    }
}

/// Where an answer ends, and whether it is 200; None if it is not whole.
fn answer(bytes: &[u8]) -> Option<(usize, bool)> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head + length.expect("a length");
    (bytes.len() >= end).then(|| (end, text.starts_with("HTTP/1.1 200")))
}
