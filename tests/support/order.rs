//! What the tests of the order share: a socket and an HTTP connection that report a broken line
//! instead of failing (parlor is killed under them) and do not print (there are too many frames),
//! the entries of a room in one shape however they came, and a random source with a seed.

use super::DEADLINE;
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::{Error, Message, WebSocket};

/// An entry of a room's order, from a frame or from a fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: u64,
    /// Where the message was first said; 0 for a notice.
    pub seq: u64,
    /// Empty for a notice.
    pub uuid: String,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// As the first document words it.
    Notice(String),
    Text(String),
    /// A deletion, or what it left behind.
    Gone,
}

impl Entry {
    /// A frame of the order; none where it is another one.
    pub fn of_frame(frame: &Value) -> Option<Entry> {
        let at = frame["at"].as_u64()?;
        let notice = |words: &str| {
            let name = frame["user"]["name"].as_str().expect("a name");
            Entry::notice(at, format!("{name}{words}"))
        };
        match frame["type"].as_str()? {
            "recv" => {
                let text = frame["data"]["data"]["text"].as_str();
                let text = text.unwrap_or_else(|| panic!("a text in {frame}"));
                Some(Entry::said(
                    at,
                    &frame["data"],
                    What::Text(text.to_string()),
                ))
            }
            "deleted" => Some(Entry::said(at, frame, What::Gone)),
            "joined" => Some(notice("加入了房间")),
            "left" => Some(notice("离开了房间")),
            _ => None,
        }
    }

    /// An entry of a fetch with `"v":1`.
    pub fn of_fetch(entry: &Value) -> Entry {
        let at = entry["at"]
            .as_u64()
            .unwrap_or_else(|| panic!("a place in {entry}"));
        let content = || entry["content"].as_str().expect("content").to_string();
        match entry["type"].as_str() {
            Some("system") => Entry::notice(at, content()),
            Some("message" | "edited") => Entry::said(at, entry, What::Text(content())),
            Some("deleted") => Entry::said(at, entry, What::Gone),
            _ => panic!("no entry: {entry}"),
        }
    }

    fn notice(at: u64, words: String) -> Entry {
        let (seq, uuid, what) = (0, String::new(), What::Notice(words));
        Entry {
            at,
            seq,
            uuid,
            what,
        }
    }

    fn said(at: u64, of: &Value, what: What) -> Entry {
        let (seq, uuid) = (of["seq"].as_u64(), of["uuid"].as_str());
        let (Some(seq), Some(uuid)) = (seq, uuid) else {
            panic!("seq and uuid in {of}");
        };
        let uuid = uuid.to_string();
        Entry {
            at,
            seq,
            uuid,
            what,
        }
    }
}

/// What came of reading a `Line`.
#[derive(Debug)]
pub enum Heard {
    Frame(Value),
    /// Nothing within the patience.
    Nothing,
    /// The connection is over; "closed 1013" and the like where a Close frame said so.
    Over(String),
}

/// A WebSocket.
pub struct Line {
    socket: WebSocket<TcpStream>,
}

impl Line {
    pub fn open(addr: SocketAddr) -> Result<Line, String> {
        Line::open_on(addr, None)
    }

    /// `buffer`: what the kernel takes for a client that does not read.
    pub fn open_on(addr: SocketAddr, buffer: Option<usize>) -> Result<Line, String> {
        let opened = || -> std::io::Result<TcpStream> {
            let kind = socket2::Type::STREAM;
            let socket = socket2::Socket::new(socket2::Domain::for_address(addr), kind, None)?;
            if let Some(buffer) = buffer {
                socket.set_recv_buffer_size(buffer)?;
            }
            socket.connect_timeout(&addr.into(), DEADLINE)?;
            let stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = opened().map_err(|e| format!("no connection: {e}"))?;
        let upgraded = tungstenite::client(format!("ws://{addr}/ws"), stream);
        let (socket, _) = upgraded.map_err(|e| format!("no WebSocket: {e}"))?;
        Ok(Line { socket })
    }

    /// `auth` with these fields too; answers the answer.
    pub fn auth(&mut self, token: &str, mut fields: Value) -> Result<Value, String> {
        fields["type"] = json!("auth");
        fields["token"] = json!(token);
        self.send(&fields)?;
        match self.read(DEADLINE) {
            Heard::Frame(answer) => {
                let told = (&answer["type"], &answer["code"]);
                assert_eq!(told, (&json!("auth"), &json!(0)), "{answer}");
                Ok(answer)
            }
            Heard::Over(why) => Err(why),
            Heard::Nothing => panic!("no answer to auth within {DEADLINE:?}"),
        }
    }

    pub fn send(&mut self, frame: &Value) -> Result<(), String> {
        let sent = self.socket.send(Message::text(frame.to_string()));
        sent.map_err(|e| e.to_string())
    }

    /// A Close frame; what is still on its way is not read.
    pub fn close(mut self) {
        let _ = self.socket.close(None);
        let _ = self.socket.flush();
    }

    pub fn read(&mut self, patience: Duration) -> Heard {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            if let Err(e) = self.socket.get_ref().set_read_timeout(Some(left)) {
                return Heard::Over(e.to_string());
            }
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let frame = serde_json::from_str(&text);
                    return Heard::Frame(frame.expect("frames are JSON"));
                }
                Ok(Message::Close(Some(frame))) => {
                    return Heard::Over(format!("closed {}", u16::from(frame.code)));
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => return Heard::Over(format!("{other:?}")),
                Err(Error::Io(e))
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Heard::Nothing;
                }
                Err(e) => return Heard::Over(e.to_string()),
            }
        }
    }
}

/// One kept HTTP connection of a token's user, opened again where it ended.
pub struct Caller {
    addr: SocketAddr,
    token: String,
    stream: Option<TcpStream>,
}

impl Caller {
    pub fn new(addr: SocketAddr, token: &str) -> Caller {
        Caller {
            addr,
            token: token.to_string(),
            stream: None,
        }
    }

    pub fn get(&mut self, path: &str) -> Result<Value, String> {
        self.call(&format!("GET {path}"), "")
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        self.call(&format!("POST {path}"), &body.to_string())
    }

    /// Asks and goes away without the answer.
    pub fn post_and_go(&mut self, path: &str, body: &Value) -> Result<(), String> {
        let begun = self.begin(&format!("POST {path}"), &body.to_string());
        self.stream = None;
        begun.map_err(|e| e.to_string())
    }

    fn call(&mut self, line: &str, body: &str) -> Result<Value, String> {
        let begun = self.begin(line, body);
        let answer = begun.and_then(|()| self.answer());
        answer.map_err(|e| {
            self.stream = None;
            e.to_string()
        })
    }

    fn begin(&mut self, line: &str, body: &str) -> std::io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect_timeout(&self.addr, DEADLINE)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.addr,
            self.token,
            body.len()
        );
        let stream = self.stream.as_mut().expect("just opened");
        stream.write_all(request.as_bytes())
    }

    /// Any status; the body has to be JSON.
    fn answer(&mut self) -> std::io::Result<Value> {
        let stream = self.stream.as_mut().expect("opened");
        let (mut read, mut buffer) = (vec![], [0; 64 * 1024]);
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut slots);
            let parsed = response.parse(&read).expect("an HTTP answer");
            if let httparse::Status::Complete(head) = parsed {
                let length = response
                    .headers
                    .iter()
                    .find(|h| h.name.eq_ignore_ascii_case("content-length"))
                    .and_then(|h| std::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
                let length = length.expect("every answer has its length");
                if read.len() >= head + length {
                    return Ok(serde_json::from_slice(&read[head..]).expect("JSON"));
                }
            }
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => read.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// What stands after a place, by pages of `GET /rooms/:id/messages`, to the end.
    pub fn order(&mut self, room: u64, after: u64) -> Vec<Entry> {
        let mut order: Vec<Entry> = vec![];
        loop {
            let at = after + order.len() as u64;
            let path = format!("/rooms/{room}/messages?after={at}&limit=200");
            let page = self.get(&path).expect("a page of the order");
            assert_eq!(page["code"], 0, "{page}");
            assert_eq!(page["complete"], true, "GET {path}");
            for frame in page["data"].as_array().expect("a list") {
                let entry = Entry::of_frame(frame).unwrap_or_else(|| panic!("no entry: {frame}"));
                let place = after + order.len() as u64 + 1;
                assert_eq!(entry.at, place, "no place is missing; GET {path}");
                order.push(entry);
            }
            assert_eq!(page["next"], after + order.len() as u64, "GET {path}");
            if page["more"] == false {
                return order;
            }
            assert!(after + order.len() as u64 > at, "an empty page, and more");
        }
    }
}

/// Random numbers from a seed (splitmix64).
pub struct Rng(u64);

impl Rng {
    /// The seed in the variable, or a fresh one; printed.
    pub fn seeded(variable: &str) -> (u64, Rng) {
        let seed = match std::env::var(variable) {
            Ok(seed) => seed.parse().expect("a seed is a number"),
            Err(_) => uuid::Uuid::new_v4().as_u64_pair().0,
        };
        println!("{variable}={seed} repeats the random choices");
        (seed, Rng(seed))
    }

    pub fn fork(&mut self) -> Rng {
        Rng(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below))
    }

    pub fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(
            ((u128::from(self.next()) << 64) | u128::from(self.next())).to_be_bytes(),
        )
        .into_uuid()
        .to_string()
    }
}
