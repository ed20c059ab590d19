//! One WebSocket as a stream of messages: the handshake, reading, and the end. Frames leave through
//! `hub::socket` alone.
//!
//! Knows nothing of what is said: tests/conformance/echo.rs says something else over it.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket, http};

use crate::door::{Answer, Conn, Place, Request, header};
use crate::http::refuse;
use crate::hub::socket::{Close, Socket};

/// A frame and a message: PROTOCOL.md, Limits.
const MAX_FRAME: usize = 64 * 1024;
/// tungstenite allocates it for each socket at once; a chat message fits.
const READ_BUFFER: usize = 768;
/// All attempts to say who one is share this.
const AUTH_DEADLINE: Duration = Duration::from_secs(10);
/// For the handshake's answer, a few hundred bytes.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// After our Close frame for a client that broke the protocol: to read why, before the reset.
const LINGER: Duration = Duration::from_secs(1);

/// The opcode of a Close frame (RFC 6455, 5.5.1).
const CLOSE: u8 = 8;

/// Who talks over a WebSocket.
pub trait Talk {
    /// What is to be done before the next reading, and whether that may wait for the client.
    fn turn(&mut self) -> Next {
        Next::Wait
    }

    /// A whole message, text or binary; or why the connection is to be closed.
    fn take(&mut self, message: Message, pipe: &mut Pipe) -> Result<(), Close>;
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Wait for what the client says.
    Wait,
    /// Take what it has said already; there is more to do here.
    Glance,
    /// Read nothing.
    Skip,
}

/// Why a plain GET of `/ws` gets nothing, and what would.
pub fn upgrade_required() -> Answer {
    refuse(
        426,
        "This is the WebSocket endpoint: connect with a WebSocket client (RFC 6455).",
    )
    .with_header(header("Sec-WebSocket-Version", "13"))
}

/// The handshake, then `talk`, then the end of the connection and of its writer thread.
pub fn upgrade(conn: Conn, request: Request, talk: impl FnOnce(&Arc<Socket>, Reader)) {
    if let Some((socket, reader, place)) = open(conn, request) {
        // In a panic, too, the socket is closed, its writer thread joined, and the place given back.
        let _finish = Finish {
            socket: &socket,
            _place: place,
        };
        talk(&socket, reader);
    }
}

/// Not inlined: ten thousand threads wait for their clients on top of it, and keep what memory its
/// frame has touched.
#[inline(never)]
fn open(mut conn: Conn, request: Request) -> Option<(Arc<Socket>, Reader, Place)> {
    let response = match handshake(&request) {
        Ok(response) => response,
        Err(answer) => {
            // It is over either way: what follows may be frames.
            let request = Request {
                keep_alive: false,
                ..request
            };
            if conn.answer(&request, answer).is_ok() {
                conn.part();
            }
            return None;
        }
    };
    let name = conn.name().to_owned();
    let (stream, mut rest, place) = conn.into_parts();
    // tungstenite goes on with this buffer, whatever its size.
    rest.shrink_to_fit();
    if let Err(e) = welcome(&stream, &response) {
        log::debug!("the handshake did not get through: {e}");
        return None;
    }
    let socket = Socket::new(place.number(), &name, stream);
    let pipe = Pipe {
        socket: socket.clone(),
        deadline: Some(Instant::now() + AUTH_DEADLINE),
        glance: false,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_frame_size(Some(MAX_FRAME))
        .max_message_size(Some(MAX_FRAME));
    let reader = WebSocket::from_partially_read(pipe, rest, Role::Server, Some(config));
    Some((socket, Reader(Box::new(reader)), place))
}

struct Finish<'a> {
    socket: &'a Socket,
    _place: Place,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.socket.finish();
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
    stream.set_write_timeout(Some(HANDSHAKE_DEADLINE))?;
    stream.write_all(response)
}

/// What tungstenite reads from and writes to: reads block, writes go the way of all frames.
pub struct Pipe {
    socket: Arc<Socket>,
    /// Until then `auth` must have succeeded.
    deadline: Option<Instant>,
    /// Takes what is there, and does not wait for more.
    glance: bool,
}

impl Pipe {
    /// The client has said who it is: it may take its time.
    pub fn wait_for_good(&mut self) {
        if self.deadline.take().is_some() {
            // A socket that takes this option once takes it again.
            let _ = self.socket.stream().set_read_timeout(None);
        }
    }

    fn has_bytes(&self) -> bool {
        let socket = socket2::SockRef::from(self.socket.stream());
        let peek = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let seen = socket.recv_with_flags(&mut [MaybeUninit::uninit()], peek);
        // Its end, or an error, is something to be read, too.
        !seen.is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    }

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
        if self.glance && !self.has_bytes() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let read = self.read_by(buffer, self.deadline)?;
        self.socket.hear();
        Ok(read)
    }
}

impl Write for Pipe {
    /// tungstenite writes whole frames (its write buffer is 0), one at a time: Pongs, and the answer
    /// to a client's Close frame, after which nothing may leave.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let closes = frame.first().is_some_and(|first| first & 15 == CLOSE);
        let bytes = Bytes::copy_from_slice(frame);
        match closes {
            true => self.socket.take_leave(bytes),
            false => self.socket.push(&bytes),
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a socket's messages come from.
pub struct Reader(Box<WebSocket<Pipe>>);

impl Reader {
    /// Hands on whole messages until the connection is over or `talk` says why it is to be closed.
    /// Pings and Close frames are answered below.
    pub fn each(mut self, talk: &mut impl Talk) {
        let why = loop {
            let next = talk.turn();
            if next == Next::Skip {
                continue;
            }
            self.0.get_mut().glance = next == Next::Glance;
            match self.0.read() {
                Err(Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {}
                // After our Close frame nothing is taken on any more.
                Ok(_) if self.0.get_ref().socket.is_closed() => {}
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                }
                Ok(message) => match talk.take(message, self.0.get_mut()) {
                    Ok(()) => {}
                    Err(why) => break why,
                },
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
        self.part(why);
    }

    #[inline(never)]
    fn part(mut self, why: Close) {
        self.0.get_ref().socket.close(why);
        // Closing with unread bytes would reset the connection, and the client not read why.
        let deadline = Some(Instant::now() + LINGER);
        let mut rest = [0; 4096];
        while self
            .0
            .get_mut()
            .read_by(&mut rest, deadline)
            .is_ok_and(|n| n > 0)
        {}
    }
}
