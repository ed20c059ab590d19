//! A WebSocket client that waits with deadlines and shows each frame in the transcript.

use super::{DEADLINE, short, tell, uuid};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::{Error, Message, WebSocket};

pub struct Ws {
    socket: WebSocket<TcpStream>,
    /// The local port: which socket a line of the transcript belongs to.
    name: u16,
    pings: u32,
    /// Asked for `"v":1`: `presence` comes at any time then and is no part of the order, so
    /// `recv` passes over it.
    v1: bool,
}

impl Ws {
    /// Upgrades `/ws` at this address, of either port.
    pub fn connect(addr: SocketAddr) -> Ws {
        Ws::upgrade(
            addr,
            TcpStream::connect_timeout(&addr, DEADLINE).expect("a connection"),
        )
    }

    /// The same asking for a host by its name.
    pub fn connect_as(addr: SocketAddr, host: &str) -> Ws {
        let stream = TcpStream::connect_timeout(&addr, DEADLINE).expect("a connection");
        Ws::upgrade_as(host, stream)
    }

    /// The same on a line that takes a few KiB at a time: what is not read yet waits in parlor.
    pub fn connect_narrow(addr: SocketAddr) -> Ws {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None);
        let socket = socket.expect("a socket");
        // Before it connects, or the window has been told already.
        socket.set_recv_buffer_size(2048).expect("a small buffer");
        let connected = socket.connect_timeout(&addr.into(), DEADLINE);
        connected.expect("a connection");
        Ws::upgrade(addr, socket.into())
    }

    /// The same from an address of this machine's own.
    pub fn connect_from(from: [u8; 4], addr: SocketAddr) -> Ws {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None);
        let socket = socket.expect("a socket");
        let bound = socket.bind(&SocketAddr::from((from, 0)).into());
        bound.expect("an address of its own");
        let connected = socket.connect_timeout(&addr.into(), DEADLINE);
        connected.expect("a connection");
        Ws::upgrade(addr, socket.into())
    }

    fn upgrade(addr: SocketAddr, stream: TcpStream) -> Ws {
        Ws::upgrade_as(&addr.to_string(), stream)
    }

    fn upgrade_as(host: &str, stream: TcpStream) -> Ws {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("nodelay");
        let name = stream.local_addr().expect("an address").port();
        let upgraded = tungstenite::client(format!("ws://{host}/ws"), stream);
        let (socket, _) = upgraded.unwrap_or_else(|e| panic!("no WebSocket at {host}: {e}"));
        Ws {
            socket,
            name,
            pings: 0,
            v1: false,
        }
    }

    /// `auth` as the document has it.
    pub fn auth(&mut self, token: &str) {
        self.send_json(json!({"type":"auth","token":token}));
        assert_eq!(self.recv(), json!({"type":"auth","code":0,"msg":""}));
    }

    /// `auth` with `"v":1`; answers the answer.
    pub fn auth_v1(&mut self, token: &str) -> Value {
        self.auth_with(token, json!({}))
    }

    /// The same with more fields, such as `resume`.
    pub fn auth_with(&mut self, token: &str, mut fields: Value) -> Value {
        self.v1 = true;
        fields["type"] = json!("auth");
        fields["token"] = json!(token);
        fields["v"] = json!(1);
        self.send_json(fields);
        let answer = self.recv();
        assert_eq!(
            (&answer["type"], &answer["code"], &answer["v"]),
            (&json!("auth"), &json!(0), &json!(1)),
            "{answer}"
        );
        answer
    }

    pub fn send_json(&mut self, frame: Value) {
        self.send_text(&frame.to_string());
    }

    /// A text frame that need not be JSON.
    pub fn send_text(&mut self, text: &str) {
        tell(format!("{} > {}", self.name, short(text)));
        self.socket.send(Message::text(text)).expect("a frame sent");
    }

    /// A message of any kind.
    pub fn send(&mut self, message: Message) {
        tell(format!("{} > {}", self.name, shown(&message)));
        self.socket.send(message).expect("a frame sent");
    }

    /// Bytes past the WebSocket client, for frames that no client should send. Parlor may close
    /// before it has read them all, so that they could not be written is no failure.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        tell(format!("{} > {} raw bytes", self.name, bytes.len()));
        let _ = self.socket.get_mut().write_all(bytes);
    }

    /// `msg` with a text; answers its uuid and leaves the answer to be read.
    pub fn begin_say(&mut self, room: u64, text: &str) -> String {
        let uuid = uuid();
        self.begin_say_as(&uuid, room, text);
        uuid
    }

    pub fn begin_say_as(&mut self, uuid: &str, room: u64, text: &str) {
        let data = json!({"type":"Text","text":text});
        self.send_json(json!({"type":"msg","uuid":uuid,"room":room,"data":data}));
    }

    /// `msg` and its `send`, which has to be the next frame, with code 0; answers it.
    pub fn say(&mut self, room: u64, text: &str) -> Value {
        let answer = self.say_as(&uuid(), room, text);
        assert_eq!(answer["code"], 0, "{answer}");
        answer
    }

    /// `msg` with this uuid and its `send`, which has to be the next frame.
    pub fn say_as(&mut self, uuid: &str, room: u64, text: &str) -> Value {
        self.begin_say_as(uuid, room, text);
        let answer = self.recv();
        assert_eq!(
            (&answer["type"], &answer["uuid"]),
            (&json!("send"), &json!(uuid)),
            "{answer}"
        );
        answer
    }

    /// A request and its answer, which has to be the next frame and of the same type.
    pub fn ask(&mut self, request: Value) -> Value {
        let kind = request["type"].clone();
        self.send_json(request);
        let answer = self.recv();
        assert_eq!(answer["type"], kind, "{answer}");
        answer
    }

    /// A request and its answer, past what comes before it.
    pub fn ask_past(&mut self, request: Value) -> Value {
        let kind = request["type"].clone();
        self.send_json(request);
        loop {
            let frame = self.recv();
            if frame["type"] == kind && frame.get("code").is_some() {
                return frame;
            }
        }
    }

    /// The next frame that is not of this type.
    pub fn recv_past(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.recv();
            if frame["type"] != kind {
                return frame;
            }
        }
    }

    /// The next text frame, as JSON.
    pub fn recv(&mut self) -> Value {
        let frame = self.recv_or_code();
        frame.unwrap_or_else(|code| {
            panic!(
                "{}: closed ({code}), and a text frame was to come",
                self.name
            )
        })
    }

    /// The next text frame, as JSON; where a Close frame comes instead, its code.
    pub fn recv_or_code(&mut self) -> Result<Value, u16> {
        loop {
            let text = match self.next(DEADLINE) {
                Some(Message::Text(text)) => text,
                Some(Message::Close(Some(frame))) => return Err(frame.code.into()),
                other => panic!("{}: a text or Close frame, not {other:?}", self.name),
            };
            let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
            if !(self.v1 && frame["type"] == "presence") {
                return Ok(frame);
            }
        }
    }

    /// The next `presence`, past whatever comes before it; none at the deadline.
    pub fn presence_by(&mut self, deadline: Instant) -> Option<Value> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let text = match self.next(left)? {
                Message::Text(text) => text,
                other => panic!("{}: a text frame, not {other:?}", self.name),
            };
            let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
            if frame["type"] == "presence" {
                return Some(frame);
            }
        }
    }

    /// The next frame, a `recv`; answers its `data`.
    pub fn heard(&mut self) -> Value {
        let frame = self.recv();
        assert_eq!(frame["type"], "recv", "{frame}");
        frame["data"].clone()
    }

    /// The texts of the next `count` frames, each a `recv`.
    pub fn hear(&mut self, count: usize) -> Vec<String> {
        let text = |data: Value| data["data"]["text"].as_str().map(str::to_string);
        (0..count)
            .map(|_| text(self.heard()).expect("a text"))
            .collect()
    }

    /// Nothing came before this moment: the answer to a ping is the next frame.
    pub fn nothing_more(&mut self) {
        self.pings += 1;
        let id = format!("nothing-more-{}", self.pings);
        self.send_json(json!({"type":"ping","id":id}));
        let next = self.recv();
        assert_eq!(
            (&next["type"], &next["id"]),
            (&json!("ping"), &json!(id)),
            "nothing was to come"
        );
    }

    /// The code of the Close frame, past whatever comes before it.
    pub fn closed(&mut self) -> u16 {
        self.closed_within(DEADLINE)
    }

    pub fn closed_within(&mut self, patience: Duration) -> u16 {
        let until = Instant::now() + patience;
        loop {
            match self.next(until.saturating_duration_since(Instant::now())) {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(Message::Close(None)) => panic!("{}: a Close frame without a code", self.name),
                Some(_) => {}
                None => panic!("{}: no Close frame within {patience:?}", self.name),
            }
        }
    }

    /// The Pong with these bytes, past whatever comes before it.
    pub fn ponged(&mut self, bytes: &[u8]) {
        loop {
            match self.next(DEADLINE) {
                Some(Message::Pong(pong)) if pong[..] == *bytes => return,
                Some(Message::Close(frame)) => panic!("{}: closed ({frame:?}), no Pong", self.name),
                Some(_) => {}
                None => panic!("{}: no Pong within {DEADLINE:?}", self.name),
            }
        }
    }

    /// The next frame that is not a Ping; none at the deadline.
    fn next(&mut self, patience: Duration) -> Option<Message> {
        let until = Instant::now() + patience;
        loop {
            let left = until
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            self.socket
                .get_ref()
                .set_read_timeout(Some(left))
                .expect("a timeout");
            match self.socket.read() {
                Ok(Message::Ping(_)) => {}
                Ok(message) => {
                    tell(format!("{} < {}", self.name, shown(&message)));
                    return Some(message);
                }
                Err(Error::Io(e))
                    if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return None;
                }
                Err(e) => panic!("{}: the socket broke: {e}", self.name),
            }
        }
    }
}

fn shown(message: &Message) -> String {
    match message {
        Message::Text(text) => short(text),
        other => short(&format!("{other:?}")),
    }
}
