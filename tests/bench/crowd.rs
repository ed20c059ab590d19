//! Many WebSocket clients on one thread, as cheap as can be: epoll, one read an event, no JSON
//! parser. Every frame of the order is checked: nothing lost, repeated or out of order.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// One read: what a storm leaves in a socket while the others are read.
const READ: usize = 256 * 1024;
/// Clients that are being seated at the same time.
const AT_ONCE: usize = 64;
/// For a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// After which nothing more is expected.
const SILENCE: Duration = Duration::from_secs(10);
/// Of many latencies one in so many is kept.
const SAMPLE: u64 = 7;
/// Characters of a message.
pub const TEXT: usize = 64;
/// Those of a large room who say something.
pub const SPEAKERS: usize = 10;

pub struct Crowd {
    poll: Poll,
    events: Events,
    pub clients: Vec<Client>,
    /// How many of them were, whatever became of them: nobody looks through ten thousand at each turn.
    seated: usize,
    buffer: Vec<u8>,
    born: Instant,
    /// Deliveries, by all clients together.
    pub heard: u64,
    /// In microseconds, from the sending of a message to its receiver having it.
    pub latencies: Vec<u32>,
    /// The same for answers.
    pub answers: Vec<u32>,
    pub answered: u64,
    pub refused: u64,
    /// Bytes of frames of the order.
    pub bytes: u64,
    pub out_of_order: u64,
    pub repeated: u64,
    pub writes: u64,
    pub closed: u64,
    /// Frames of presence.
    pub presence: u64,
    /// Keep every latency.
    pub exact: bool,
}

pub struct Client {
    stream: TcpStream,
    /// The beginning of a frame that is not whole yet.
    part: Vec<u8>,
    stage: Stage,
    pub room: i64,
    /// The greatest place heard.
    at: u64,
    pub heard: u64,
    token: String,
    /// When what is not answered yet was sent.
    asked: VecDeque<u64>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Connecting,
    Upgrading,
    Authenticating,
    Seated,
    Closed,
}

impl Crowd {
    pub fn new() -> Crowd {
        Crowd {
            poll: Poll::new().expect("epoll"),
            events: Events::with_capacity(1024),
            clients: vec![],
            seated: 0,
            buffer: vec![0; READ],
            born: Instant::now(),
            heard: 0,
            latencies: vec![],
            answers: vec![],
            answered: 0,
            refused: 0,
            bytes: 0,
            out_of_order: 0,
            repeated: 0,
            writes: 0,
            closed: 0,
            presence: 0,
            exact: true,
        }
    }

    /// Nanoseconds since the beginning: what a message carries as its time.
    fn now(&self) -> u64 {
        self.born.elapsed().as_nanos() as u64
    }

    /// Connects, upgrades and authenticates clients of rooms at a last place. How long it took.
    pub fn seat(&mut self, at: SocketAddr, who: &[(i64, u64, String)]) -> Duration {
        let begun = Instant::now();
        let (first, seated) = (self.clients.len(), self.seated);
        let mut next = 0;
        while self.seated - seated < who.len() {
            let waiting = self.clients.len() - first - (self.seated - seated);
            for _ in waiting..AT_ONCE {
                let Some((room, last, token)) = who.get(next) else {
                    break;
                };
                next += 1;
                let mut stream = TcpStream::connect(at).expect("a connection");
                let id = Token(self.clients.len());
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.poll
                    .registry()
                    .register(&mut stream, id, interest)
                    .expect("registered");
                self.clients.push(Client {
                    stream,
                    part: vec![],
                    stage: Stage::Connecting,
                    room: *room,
                    at: *last,
                    heard: 0,
                    token: token.clone(),
                    asked: VecDeque::new(),
                });
            }
            self.turn(Duration::from_secs(1));
            assert!(
                begun.elapsed() < PATIENCE,
                "the server seats nobody any more"
            );
            assert_eq!(self.closed, 0, "the server closed a connection");
        }
        begun.elapsed()
    }

    /// Sends a message of a client; its time stands at the beginning of the text.
    pub fn say(&mut self, client: usize) {
        let message = self.message(client);
        self.write(client, &message);
    }

    /// So many at once, as one write.
    pub fn say_many(&mut self, client: usize, count: usize) {
        let messages: Vec<u8> = (0..count).flat_map(|_| self.message(client)).collect();
        self.write(client, &messages);
    }

    /// The frame of a message of this moment, which waits for its answer from now on.
    fn message(&mut self, client: usize) -> Vec<u8> {
        let now = self.now();
        let id = uuid::Uuid::new_v4();
        let room = self.clients[client].room;
        let text = format!(
            r#"{{"type":"msg","uuid":"{id}","room":{room},"data":{{"type":"Text","text":"{now:020}{:.<w$}"}}}}"#,
            "",
            w = TEXT - 20
        );
        self.clients[client].asked.push_back(now);
        frame(&text)
    }

    /// The first clients take turns at a steady rate, until all others have heard it.
    pub fn speak(&mut self, rate: f64, messages: usize, speakers: usize) {
        let begun = Instant::now();
        let others = self.clients.len() as u64 - 1;
        let expected = self.heard + messages as u64 * others;
        for n in 0..messages {
            let due = begun + Duration::from_secs_f64(n as f64 / rate);
            while let left = due.saturating_duration_since(Instant::now())
                && !left.is_zero()
            {
                self.turn(left);
            }
            self.say(n % speakers);
        }
        self.settle(expected);
    }

    fn write(&mut self, client: usize, bytes: &[u8]) {
        self.writes += 1;
        let sent = self.clients[client].stream.write(bytes);
        assert!(
            sent.is_ok_and(|n| n == bytes.len()),
            "a client's few bytes did not fit"
        );
    }

    /// Waits for something and takes it in. The clients that were answered.
    pub fn turn(&mut self, time: Duration) -> Vec<usize> {
        let mut answered = vec![];
        let polled = self.poll.poll(&mut self.events, Some(time));
        if polled.is_err_and(|e| e.kind() != ErrorKind::Interrupted) {
            panic!("epoll failed");
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in events.iter() {
            let index = event.token().0;
            if self.clients[index].stage == Stage::Connecting && event.is_writable() {
                let _ = self.clients[index].stream.set_nodelay(true);
                self.clients[index].stage = Stage::Upgrading;
                self.write(
                    index,
                    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                );
            }
            if event.is_readable() {
                self.read(index, &mut answered);
            }
        }
        self.events = events;
        answered
    }

    fn read(&mut self, index: usize, answered: &mut Vec<usize>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            // What is left of the last read comes first.
            let client = &mut self.clients[index];
            let kept = client.part.len();
            buffer[..kept].copy_from_slice(&client.part);
            client.part.clear();
            let fresh = match client.stream.read(&mut buffer[kept..]) {
                Ok(0) => {
                    self.close(index);
                    break;
                }
                Ok(fresh) => fresh,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    client.part.extend_from_slice(&buffer[..kept]);
                    break;
                }
                Err(_) => {
                    self.close(index);
                    break;
                }
            };
            let end = kept + fresh;
            let used = self.take(index, &buffer[..end], answered);
            self.clients[index]
                .part
                .extend_from_slice(&buffer[used..end]);
            if end < buffer.len() {
                break;
            }
        }
        self.buffer = buffer;
    }

    fn close(&mut self, index: usize) {
        self.clients[index].stage = Stage::Closed;
        self.closed += 1;
    }

    /// Whole frames; how many bytes they were.
    fn take(&mut self, index: usize, bytes: &[u8], answered: &mut Vec<usize>) -> usize {
        let mut used = 0;
        if self.clients[index].stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
                return 0;
            };
            assert!(bytes.starts_with(b"HTTP/1.1 101"), "not upgraded");
            used = end + 4;
            self.clients[index].stage = Stage::Authenticating;
            let token = &self.clients[index].token;
            let auth = frame(&format!(r#"{{"type":"auth","token":"{token}","v":1}}"#));
            self.write(index, &auth);
        }
        let now = self.now();
        while let Some((opcode, start, end)) = header(&bytes[used..]) {
            let text = &bytes[used + start..used + end];
            let size = end as u64;
            used += end;
            match opcode {
                1 if text.starts_with(br#"{"type":"recv""#) => self.hear(index, text, now, size),
                1 if text.starts_with(br#"{"type":"send""#) => {
                    let asked = self.clients[index].asked.pop_front().expect("a question");
                    if text.starts_with(br#"{"type":"send","code":0,"#) {
                        self.answered += 1;
                        self.answers.push(((now - asked) / 1000) as u32);
                    } else {
                        self.refused += 1;
                    }
                    answered.push(index);
                }
                1 if text.starts_with(br#"{"type":"auth","code":0"#) => {
                    self.clients[index].stage = Stage::Seated;
                    self.seated += 1;
                    let client = &mut self.clients[index];
                    // It writes little from here on: a writable socket is no news.
                    let registry = self.poll.registry();
                    registry
                        .reregister(&mut client.stream, Token(index), Interest::READABLE)
                        .expect("registered");
                }
                1 if text.starts_with(br#"{"type":"presence""#) => self.presence += 1,
                9 => self.write(index, &[0x8a, 0x80, 0, 0, 0, 0]),
                8 => panic!("closed by the server: {}", String::from_utf8_lossy(text)),
                _ => {}
            }
        }
        used
    }

    fn hear(&mut self, index: usize, text: &[u8], now: u64, size: u64) {
        let client = &mut self.clients[index];
        let at = number(&text[text.len().saturating_sub(21)..text.len() - 1]);
        match at.cmp(&client.at) {
            std::cmp::Ordering::Greater => client.at = at,
            std::cmp::Ordering::Equal => self.repeated += 1,
            std::cmp::Ordering::Less => self.out_of_order += 1,
        }
        client.heard += 1;
        self.heard += 1;
        self.bytes += size;
        if self.exact || self.heard.is_multiple_of(SAMPLE) {
            let mark = br#""text":""#;
            let found = text
                .windows(mark.len())
                .position(|w| w == mark)
                .expect("a text");
            let sent = number(&text[found + mark.len()..][..20]);
            self.latencies
                .push((now.saturating_sub(sent) / 1000) as u32);
        }
    }

    /// Forgets what was counted so far, but for the places.
    pub fn begin(&mut self) {
        self.heard = 0;
        self.bytes = 0;
        self.answered = 0;
        self.writes = 0;
        self.latencies.clear();
        self.answers.clear();
        self.clients.iter_mut().for_each(|client| client.heard = 0);
    }

    /// Questions without an answer yet.
    pub fn unanswered(&self) -> u64 {
        self.clients.iter().map(|c| c.asked.len() as u64).sum()
    }

    /// Takes in what is still on its way, until so much was heard in all and nobody waits for an
    /// answer; false if nothing comes for long.
    pub fn settle(&mut self, heard: u64) -> bool {
        let mut last = (self.heard, Instant::now());
        while (self.heard < heard || self.unanswered() > 0) && last.1.elapsed() < SILENCE {
            self.turn(Duration::from_millis(100));
            if self.heard > last.0 {
                last = (self.heard, Instant::now());
            }
        }
        self.heard >= heard
    }
}

/// A client's frame. Its mask is 0, which is as good as any here, and costs nothing.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match text.len() {
        n @ ..126 => bytes.push(0x80 | n as u8),
        n => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(n as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The opcode of a server's frame, and where its payload begins and ends; None if it is not whole.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match second {
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize,
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize,
        ),
        n => (2, n as usize),
    };
    (bytes.len() >= start + length).then_some((first & 15, start, start + length))
}

/// The digits at the end.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    bytes[bytes.len() - digits..]
        .iter()
        .fold(0, |n, b| n * 10 + u64::from(b - b'0'))
}
