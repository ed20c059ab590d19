//! A thread per WebSocket: the handshake, `auth`, then requests into commands. Frames leave
//! through `hub::socket` alone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket, http};

use crate::calls::{Calls, Join};
use crate::clock;
use crate::door::{Answer, Conn, Request, header};
use crate::http::{refuse, store_span};
use crate::hub::socket::{Close, SEND_BUFFER, Socket, text_frame};
use crate::hub::{Attached, CaughtUp, Waiter};
use crate::model::*;
use crate::secrets::hash_token;
use crate::store::Span;
use crate::wire::socket::{self as wire, Ask, Auth, Call, Incoming, Msg};
use crate::wire::{Lang, refusal};

/// A frame and a message: PROTOCOL.md, Limits.
const MAX_FRAME: usize = 64 * 1024;
/// tungstenite allocates it for each socket at once; a chat message fits.
const READ_BUFFER: usize = 2 * 1024;
/// All attempts to say who one is share this …
const AUTH_DEADLINE: Duration = Duration::from_secs(10);
/// … and these.
const AUTH_ATTEMPTS: u32 = 5;
/// What is not a request, until the socket is closed: a client that does not learn.
const MAX_ERRORS: u32 = 10;
/// Requests of one socket that wait for the scribe. A client that sends faster than the disk
/// answers fills its own queue, not everybody's.
const MAX_UNANSWERED: usize = 32;
/// One page of the past, in memory and in the socket's queue, with room for what is live.
const PAGE_BYTES: usize = 128 * 1024;
/// For the handshake's answer, a few hundred bytes.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// After our Close frame for a client that broke the protocol: to read why, before the reset.
const LINGER: Duration = Duration::from_secs(1);

/// Why a plain GET of `/ws` gets nothing, and what would.
pub fn upgrade_required() -> Answer {
    refuse(
        426,
        "This is the WebSocket endpoint: connect with a WebSocket client (RFC 6455).",
    )
    .with_header(header("Sec-WebSocket-Version", "13"))
}

/// One connection that asked for `/ws`, until it is over; `from` is who the limits count.
pub fn serve(calls: &Calls, mut conn: Conn, request: Request, from: IpAddr) {
    let response = match handshake(&request) {
        Ok(response) => response,
        Err(answer) => {
            // It is over either way: what follows may be frames.
            let request = Request {
                keep_alive: false,
                ..request
            };
            let _ = conn.answer(&request, answer);
            return;
        }
    };
    let name = conn.name().to_owned();
    let (stream, rest, place) = conn.into_parts();
    if let Err(e) = welcome(&stream, &response) {
        return log::debug!("the handshake did not get through: {e}");
    }
    let socket = Socket::new(place.number(), &name, stream);
    // In a panic, too, the socket is closed and its writer thread joined.
    let _finish = Finish(&socket);
    let pipe = Pipe {
        socket: socket.clone(),
        deadline: Some(Instant::now() + AUTH_DEADLINE),
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_frame_size(Some(MAX_FRAME))
        .max_message_size(Some(MAX_FRAME));
    let reader = WebSocket::from_partially_read(pipe, rest, Role::Server, Some(config));
    let seat = calls.hub.attach(&socket);
    log::debug!("connected from {from}");
    Session {
        calls,
        socket: &socket,
        seat,
        from,
        who: None,
        attempts: 0,
        errors: 0,
    }
    .run(reader);
    log::debug!("disconnected");
}

struct Finish<'a>(&'a Socket);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// The answer that makes it a WebSocket (RFC 6455, 4.2.2), or the one that says why not.
fn handshake(request: &Request) -> Result<Vec<u8>, Answer> {
    let bad = |_| refuse(400, "The head of this handshake is malformed.");
    let mut asked = http::Request::builder().method("GET").uri("/ws");
    for header in &request.headers {
        asked = asked.header(header.field.as_str().as_str(), header.value.as_str());
    }
    let mut asked = asked.body(()).map_err(bad)?;
    *asked.version_mut() = match request.version {
        tiny_http::HTTPVersion(1, 1) => http::Version::HTTP_11,
        _ => http::Version::HTTP_10,
    };
    use tungstenite::error::ProtocolError as Wrong;
    let response = create_response(&asked).map_err(|e| match e {
        Error::Protocol(Wrong::MissingSecWebSocketKey | Wrong::InvalidSecWebSocketKey) => {
            refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64.")
        }
        _ => upgrade_required(),
    })?;
    let mut bytes = vec![];
    write_response(&mut bytes, &response)
        .map_err(|_| refuse(500, "The answer to the handshake could not be written."))?;
    Ok(bytes)
}

fn welcome(mut stream: &TcpStream, response: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)?;
    stream.set_write_timeout(Some(HANDSHAKE_DEADLINE))?;
    stream.write_all(response)
}

/// What tungstenite reads from and writes to: reads block, writes go the way of all frames.
struct Pipe {
    socket: Arc<Socket>,
    /// Until then `auth` must have succeeded.
    deadline: Option<Instant>,
}

impl Pipe {
    fn read_by(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let mut stream = self.socket.stream();
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                stream.set_read_timeout(Some(left))?;
            }
            match stream.read(buffer) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && deadline.is_some() => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_by(buffer, self.deadline)?;
        self.socket.hear();
        Ok(read)
    }
}

impl Write for Pipe {
    /// tungstenite writes whole frames (its write buffer is 0).
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        self.socket.push(Bytes::copy_from_slice(frames));
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Session<'a> {
    calls: &'a Calls,
    socket: &'a Arc<Socket>,
    seat: Attached<'a>,
    from: IpAddr,
    /// Once `auth` has succeeded.
    who: Option<UserNo>,
    attempts: u32,
    errors: u32,
}

impl Session<'_> {
    fn run(mut self, mut reader: WebSocket<Pipe>) {
        let why = loop {
            match reader.read() {
                // After our Close frame nothing is taken on any more.
                Ok(_) if self.socket.is_closed() => {}
                Ok(Message::Text(text)) => {
                    self.frame(&text);
                    if self.who.is_some() && reader.get_ref().deadline.is_some() {
                        reader.get_mut().deadline = None;
                        // A socket that takes this option once takes it again.
                        let _ = self.socket.stream().set_read_timeout(None);
                    }
                }
                Ok(Message::Binary(_)) => break Close::Binary,
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                }
                Err(Error::Io(e)) if e.kind() == ErrorKind::TimedOut => break Close::NoAuth,
                Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => return,
                Err(Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )) => return,
                Err(Error::Utf8(_)) => break Close::NotUtf8,
                Err(Error::Capacity(_)) => break Close::TooBig,
                Err(_) => break Close::Protocol,
            }
        };
        self.socket.close(why);
        // Closing with unread bytes would reset the connection, and the client not read why.
        let deadline = Some(Instant::now() + LINGER);
        let mut rest = [0; 4096];
        while reader
            .get_mut()
            .read_by(&mut rest, deadline)
            .is_ok_and(|n| n > 0)
        {}
    }

    fn say(&self, frame: String) {
        self.socket.push(text_frame(frame));
    }

    fn frame(&mut self, text: &str) {
        match (wire::parse(text), self.who) {
            (Incoming::Auth(auth), None) => self.auth(auth),
            (Incoming::Auth(auth), Some(_)) => {
                self.say(wire::auth_refused(
                    4,
                    "Already authenticated!",
                    auth.id.as_ref(),
                ));
            }
            (Incoming::Bad(why), _) => {
                self.say(wire::error(&why));
                self.errors += 1;
                if self.errors >= MAX_ERRORS {
                    self.socket.close(Close::TooManyErrors);
                }
            }
            (Incoming::Msg(_), None) => self.auth_failed(2, "Please login first!", None),
            (Incoming::Ask(ask), None) => {
                self.auth_failed(2, "Please login first!", ask.echo.id.as_ref());
            }
            (Incoming::Msg(msg), Some(who)) => self.msg(msg, who),
            (Incoming::Ask(ask), Some(who)) => self.ask(ask, who),
        }
    }

    fn auth(&mut self, auth: Auth) {
        let id = auth.id.as_ref();
        if auth.token.is_empty() {
            return self.auth_failed(2, "Please login first!", id);
        }
        let v = auth.v;
        // What came before the answer must have left before what comes after it is held.
        if !self.socket.wait_until_quiet() {
            return self.socket.close(Close::TooSlow);
        }
        self.socket.hold();
        let seated = self.calls.bearer(&auth.token).and_then(|user| {
            let token = hash_token(&auth.token);
            let resume = auth
                .resume
                .as_ref()
                .map_or(Ok(None), |r| r.clone().map(Some))?;
            let seated = self
                .seat
                .sit(user.no, token, v, resume.as_ref(), clock::now())?;
            Ok((user.no, seated))
        });
        match seated {
            Ok((me, seated)) => {
                let epoch = self.calls.hub.epoch();
                let greeting = wire::Greeting {
                    v,
                    epoch,
                    me,
                    rooms: &seated.rooms,
                    gone: &seated.gone,
                };
                let answer = wire::auth_ok((v > 0).then_some(&greeting), id);
                self.socket.release(text_frame(answer));
                self.who = Some(me);
                for (room, from) in seated.behind {
                    self.catch_up(room, from, me, v);
                }
            }
            Err(Refusal::Banned) => self.auth_failed(3, "This user is banned!", id),
            Err(Refusal::NotConfirmed) => {
                self.auth_failed(9, "Not confirmed; try again in 1 s.", id);
            }
            Err(Refusal::Busy) => self.auth_failed(7, "The server is busy; try again in 1 s.", id),
            Err(why @ Refusal::BadField { .. }) => {
                self.auth_failed(2, &refusal::sentence(&why, Lang::En), id);
            }
            Err(_) => self.auth_failed(1, "Login status expired!", id),
        }
    }

    /// What was missed in a room, page by page at the client's pace, until there is no more; from
    /// then on the hub delivers. This thread reads nothing meanwhile, so no answer comes between.
    fn catch_up(&self, room: RoomNo, mut from: Place, me: UserNo, v: u64) {
        while self.seat.catch_up(room, from) == CaughtUp::Not {
            let page = self
                .calls
                .hub
                .page_within(room, Span::After(from), MAX_PAGE, PAGE_BYTES);
            let Some(page) = page.ok().filter(|page| page.complete) else {
                // Unreadable, or pruned meanwhile. The client comes back and resumes, and is told;
                // a silent gap would be worse.
                return self.socket.close(Close::TooSlow);
            };
            let end = self.seat.end_of(room).unwrap_or(Place::MAX);
            let heard = page
                .entries
                .iter()
                .filter(|e| e.at <= end && wire::is_for(e, me, v));
            let frames = heard.map(|e| text_frame(wire::frame(e)));
            let chunk: Vec<u8> = frames.flat_map(|frame| frame.to_vec()).collect();
            if !chunk.is_empty() {
                self.socket.push(chunk.into());
            }
            if !self.socket.wait_until_quiet() {
                return self.socket.close(Close::TooSlow);
            }
            // A client that takes what it missed is there, though nothing was read from it.
            self.socket.hear();
            from = page.next;
        }
    }

    fn auth_failed(&mut self, code: u8, msg: &str, id: Option<&Value>) {
        let answer = text_frame(wire::auth_refused(code, msg, id));
        self.socket.hold();
        self.socket.release(answer);
        self.attempts += 1;
        if self.attempts >= AUTH_ATTEMPTS {
            self.socket.close(Close::NoAuth);
        }
    }

    fn msg(&self, msg: Msg, who: UserNo) {
        let uuid = msg.uuid.clone();
        let outcome = msg.call.and_then(|say| {
            let room = self.calls.hub.member(say.room, who)?;
            let act = self
                .calls
                .say(room, who, Some(say.uuid), &say.text, say.reply)?;
            self.submit(act, move |outcome| wire::send(&uuid, outcome))
        });
        if let Err(refusal) = outcome {
            self.say(wire::send(&msg.uuid, &Err(refusal)));
        }
    }

    /// Hands in a command whose answer comes back in its place among the frames of the order.
    fn submit(
        &self,
        act: Act,
        frame: impl FnOnce(&Result<Reply, Refusal>) -> String + Send + 'static,
    ) -> Result<(), Refusal> {
        let Socket {
            unanswered, owed, ..
        } = &**self.socket;
        // Counted before it looks: who stops the server sees either this one, or that it gave up.
        owed.fetch_add(1, Ordering::SeqCst);
        let before = unanswered.fetch_add(1, Ordering::Relaxed);
        let submitted = match before >= MAX_UNANSWERED || self.calls.hub.is_stopping() {
            true => Err(Refusal::Busy),
            false => {
                let waiter = Waiter::Socket(self.socket.clone(), Box::new(frame));
                self.calls.desk.submit(act, waiter)
            }
        };
        submitted.inspect_err(|_| {
            unanswered.fetch_sub(1, Ordering::Relaxed);
            owed.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn ask(&self, ask: Ask, who: UserNo) {
        let echo = ask.echo.clone();
        let answered = ask.call.and_then(|call| self.call(call, who, ask.echo));
        match answered {
            Ok(Some(frame)) => self.say(frame),
            Ok(None) => {}
            Err(refusal) => self.say(wire::refused(&echo, &refusal)),
        }
    }

    /// The answer, unless it comes through the hub.
    fn call(&self, call: Call, who: UserNo, echo: wire::Echo) -> Result<Option<String>, Refusal> {
        let hub = &self.calls.hub;
        match call {
            Call::Ping => Ok(Some(wire::answer(&echo, ""))),
            Call::Members { room } => {
                let room = hub.member(room, who)?;
                Ok(Some(wire::answer(
                    &echo,
                    &wire::members_fields(&hub.view(room)?),
                )))
            }
            Call::Typing { room } => {
                hub.typing(hub.member(room, who)?, who)?;
                Ok(Some(wire::answer(&echo, "")))
            }
            Call::History { room, span, limit } => {
                let room = hub.member(room, who)?;
                // A page goes as the client takes it: one after the other, not all into the queue.
                if !self.socket.wait_until_quiet() {
                    self.socket.close(Close::TooSlow);
                    return Ok(None);
                }
                let page = hub.page_within(room, store_span(span), limit, PAGE_BYTES)?;
                let fields = format!(r#","room":{},{}"#, room.0, wire::page_fields(&page));
                Ok(Some(wire::answer(&echo, &fields)))
            }
            Call::Join {
                room,
                password,
                name,
            } => {
                let user = hub.user(who).ok_or(Refusal::BadToken)?;
                let join = Join {
                    room,
                    password: password.as_deref(),
                    name,
                    request: None,
                    from: self.from,
                };
                let (act, _, _) = self.calls.join(Some(&user), join)?;
                self.settle(act, echo).map(|()| None)
            }
            Call::Edit { room, uuid, text } => {
                let room = hub.member(room, who)?;
                hub.may_send(room, who)?;
                let (user, text, recalled) = (who, text.into(), None);
                let act = Act::Edit {
                    room,
                    user,
                    uuid,
                    text,
                    recalled,
                };
                self.settle(act, echo).map(|()| None)
            }
            Call::Delete { room, uuid } => {
                let room = hub.member(room, who)?;
                hub.may_send(room, who)?;
                let (user, recalled) = (who, None);
                let act = Act::Delete {
                    room,
                    user,
                    uuid,
                    recalled,
                };
                self.settle(act, echo).map(|()| None)
            }
            Call::Leave { room } => {
                let room = hub.member(room, who)?;
                self.settle(Act::Leave { room, user: who }, echo)
                    .map(|()| None)
            }
        }
    }

    /// Hands in a command of ours; its answer names the room.
    fn settle(&self, act: Act, echo: wire::Echo) -> Result<(), Refusal> {
        let room = match &act {
            Act::Join { room, .. }
            | Act::Leave { room, .. }
            | Act::Edit { room, .. }
            | Act::Delete { room, .. } => room.0,
            _ => 0,
        };
        self.submit(act, move |outcome| match outcome {
            Ok(_) => wire::answer(&echo, &format!(r#","room":{room}"#)),
            Err(refusal) => wire::refused(&echo, refusal),
        })
    }
}
