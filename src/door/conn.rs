//! One client connection, on its own thread: reads whole requests and writes whole answers, each
//! under its deadline. Decides nothing about them.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tiny_http::Method;

use super::body::Body;
use super::caps::Place;
use super::head::{self, Head};
use super::ledger::{Ledger, State};
use super::print::{print, print_head};
use super::{
    Answer, BODY_DEADLINE, Fault, HEAD_DEADLINE, IDLE_KEEP_ALIVE, Kind, MAX_HEAD, PIECE_DEADLINE,
    Pieces, Refuse, Request, WRITE_DEADLINE,
};

/// One read. A usual request comes whole, and an idle connection holds no more than this.
const READ_SIZE: usize = 4 * 1024;
/// What `PIECE_DEADLINE` is for.
const PIECE: usize = 64 * 1024;
/// Empty lines between two requests. One is an old client's habit, more is somebody who holds a
/// connection without ever asking anything.
const MAX_EMPTY_LINES: usize = 4;
/// How long, and for how many bytes, a client that is still sending when it is refused gets to read
/// why: closing a socket with unread bytes resets it, which throws the answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// One client connection. Dropping it closes the socket and gives its place back.
pub struct Conn {
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    kind: Kind,
    name: String,
    place: Place,
    ledger: Arc<Ledger>,
    refuse: Refuse,
    /// Read but not yet part of a request. Shorter than `MAX_HEAD + READ_SIZE`.
    buffer: Vec<u8>,
    accepted: Instant,
    /// No request has been read yet.
    first: bool,
    /// Nothing more will be read from it.
    over: bool,
}

/// Why there is no next request.
enum End {
    /// Closed or broken by the peer, or stopped by us.
    Closed,
    /// A deadline passed.
    Late,
    Refused(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> End {
        End::Refused(fault)
    }
}

/// What the socket would give without waiting.
enum Ahead {
    Bytes,
    Nothing,
    End,
}

impl Conn {
    pub(super) fn new(
        stream: Arc<TcpStream>,
        peer: SocketAddr,
        kind: Kind,
        place: Place,
        ledger: Arc<Ledger>,
        refuse: Refuse,
    ) -> Conn {
        Conn {
            stream,
            // So that an IPv4 client is the same one whichever socket it came through.
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            kind,
            name: format!("{kind}-{}", place.number()),
            place,
            ledger,
            refuse,
            buffer: Vec::new(),
            accepted: Instant::now(),
            first: true,
            over: false,
        }
    }

    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its thread's name: `http-7`, `ws-7`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts as a connection of `client` from here on; false where that one has too many.
    pub fn stand_for(&mut self, client: IpAddr) -> bool {
        self.place.stand_for(client)
    }

    /// True once the door is closing. Whoever holds a request back (a long poll) should answer it
    /// now.
    pub fn stopping(&self) -> bool {
        self.ledger.is_stopping()
    }

    /// True once the peer has closed its side or reset the connection; does not wait. Somebody who
    /// closes one direction only and still reads looks the same. What was sent before the close
    /// hides it until it is read.
    pub fn gone(&self) -> bool {
        matches!(self.ahead(), Ahead::End)
    }

    /// The next whole, valid request. None: the connection is over. The peer closed it, it was idle
    /// too long, the door is stopping, or the request was bad, which the door has already answered.
    #[allow(
        clippy::should_implement_trait,
        reason = "answer() comes between; no adapter of Iterator fits"
    )]
    pub fn next(&mut self) -> Option<Request> {
        if self.over || !self.ledger.note(self.place.number(), State::Waiting) {
            self.over = true;
            return None;
        }
        match self.read_request() {
            Ok(request) => {
                self.first = false;
                Some(request)
            }
            Err(End::Refused(fault)) => {
                self.over = true;
                self.refuse(&fault);
                None
            }
            Err(End::Closed | End::Late) => {
                self.over = true;
                None
            }
        }
    }

    /// Writes a whole answer, without its content where the request was HEAD. True: the connection
    /// stays open for the next request. False: it is over, and `part` ends it. An error: it is over.
    /// `answer` must know its length, as `from_data` and `from_string` make it.
    pub fn answer(&mut self, request: &Request, answer: Answer) -> io::Result<bool> {
        let keep = request.keep_alive && !self.over && !self.stopping();
        let connection = match keep {
            false => Some("close"),
            true if request.version == (1, 0) => Some("keep-alive"),
            true => None,
        };
        // Whatever fails from here on, half an answer may have left.
        self.over = true;
        let bytes = print(answer, request.method == Method::Head, connection)?;
        self.write(&bytes, Instant::now() + WRITE_DEADLINE)?;
        self.over = !keep;
        Ok(keep)
    }

    /// Writes an answer whose content comes piece by piece, none of it held longer than it takes to
    /// be written. As in `answer`, true means that the connection stays open, and false that `part`
    /// ends it. A client whose answer breaks off sees that: it is reset, and never gets an end.
    pub fn stream(
        &mut self,
        request: &Request,
        head: Answer,
        mut pieces: Pieces,
    ) -> io::Result<bool> {
        let chunked = request.version != (1, 0);
        let head_only = request.method == Method::Head;
        let keep = request.keep_alive && chunked && !self.over && !self.stopping();
        self.over = true;
        let mut bytes = print_head(head, chunked, (!keep).then_some("close"))?;
        let mut write = || {
            while let Some(piece) = if head_only { None } else { pieces()? } {
                if self.stopping() {
                    return Err(ErrorKind::Interrupted.into());
                }
                if piece.is_empty() {
                    // Which would be the end, in chunks.
                    continue;
                }
                if chunked {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                }
                bytes.extend_from_slice(&piece);
                if chunked {
                    bytes.extend_from_slice(b"\r\n");
                }
                self.write_bit_by_bit(&bytes)?;
                bytes.clear();
            }
            if chunked && !head_only {
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            self.write_bit_by_bit(&bytes)
        };
        if let Err(error) = write() {
            // Half an answer must not look like a whole one: without chunks the end of the
            // connection would be the end of the content.
            let _ = SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO));
            return Err(error);
        }
        self.over = !keep;
        Ok(keep)
    }

    /// Each bit under a deadline of its own.
    fn write_bit_by_bit(&self, bytes: &[u8]) -> io::Result<()> {
        let mut bits = bytes.chunks(PIECE);
        bits.try_for_each(|bit| self.write(bit, Instant::now() + PIECE_DEADLINE))
    }

    /// For an upgrade: the stream, the bytes read beyond the request, and the place, which must
    /// live as long as the connection. From here on the door's deadlines no longer apply and
    /// `Door::stop` leaves it alone; `Door::join` still waits for its thread.
    pub fn into_parts(self) -> (Arc<TcpStream>, Vec<u8>, Place) {
        self.ledger.note(self.place.number(), State::Upgraded);
        // Neither can fail on a socket; the new owner sets its own.
        let _ = self.stream.set_read_timeout(None);
        let _ = self.stream.set_write_timeout(None);
        (self.stream, self.buffer, self.place)
    }

    fn read_request(&mut self) -> Result<Request, End> {
        let head = self.read_head()?;
        self.ledger.note(self.place.number(), State::Busy);
        let body = match self.read_body(&head) {
            Err(End::Late) => {
                return Err(
                    Fault::new(408, "The body of the request did not come in time.").into(),
                );
            }
            body => body?,
        };
        Ok(Request {
            method: head.method,
            path: head.path,
            query: head.query,
            version: head.version,
            headers: head.headers,
            body,
            keep_alive: head.keep_alive,
        })
    }

    fn read_head(&mut self) -> Result<Head, End> {
        let idle_until = if self.first {
            self.accepted + HEAD_DEADLINE
        } else {
            Instant::now() + IDLE_KEEP_ALIVE
        };
        let mut empty_lines = 0;
        loop {
            let empty = head::empty_lines(&self.buffer);
            self.buffer.drain(..empty);
            empty_lines += empty / 2;
            if empty_lines > MAX_EMPTY_LINES {
                return Err(
                    Fault::new(400, "There are too many empty lines before the request.").into(),
                );
            }
            // Half an empty line is no request yet.
            if !matches!(self.buffer.as_slice(), [] | [b'\r']) {
                break;
            }
            self.buffer.shrink_to(READ_SIZE);
            self.fill(idle_until)?;
        }
        let deadline = if self.first {
            idle_until
        } else {
            Instant::now() + HEAD_DEADLINE
        };
        let mut judge = true;
        loop {
            if judge && let Some((head, length)) = head::parse(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(head);
            }
            let fresh = match self.fill(deadline) {
                Err(End::Late) => {
                    return Err(Fault::new(408, "The request did not come in time.").into());
                }
                fresh => fresh?,
            };
            // Otherwise somebody who sends single bytes would have 16 KiB parsed for each.
            judge = self.buffer.len() >= MAX_HEAD
                || self.buffer[self.buffer.len() - fresh..].contains(&b'\n');
        }
    }

    fn read_body(&mut self, head: &Head) -> Result<Vec<u8>, End> {
        let deadline = Instant::now() + BODY_DEADLINE;
        let mut body = Body::new(head.framing);
        let used = body.feed(&self.buffer)?;
        self.buffer.drain(..used);
        if head.expects_continue && !body.is_whole() {
            let go_on = self.write(b"HTTP/1.1 100 Continue\r\n\r\n", deadline);
            go_on.map_err(|_| End::Closed)?;
        }
        while !body.is_whole() {
            self.fill(deadline)?;
            let used = body.feed(&self.buffer)?;
            self.buffer.drain(..used);
        }
        Ok(body.into_content())
    }

    /// Reads once into the buffer; returns how many bytes came, never 0.
    fn fill(&mut self, deadline: Instant) -> Result<usize, End> {
        let old = self.buffer.len();
        self.buffer.resize(old + READ_SIZE, 0);
        let read = read_until(&self.stream, &mut self.buffer[old..], deadline);
        self.buffer
            .truncate(old + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => Err(End::Closed),
            Ok(fresh) => Ok(fresh),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(End::Late),
            Err(_) => Err(End::Closed),
        }
    }

    fn write(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(time_left(deadline)?))?;
            match (&*self.stream).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn refuse(&self, fault: &Fault) {
        log::debug!(
            "{}: {}: {} {}",
            self.name,
            self.peer,
            fault.status,
            fault.sentence
        );
        let answer = (self.refuse)(fault.status, fault.sentence);
        let head_only = self.buffer.starts_with(b"HEAD ");
        let written = print(answer, head_only, Some("close"))
            .and_then(|bytes| self.write(&bytes, Instant::now() + WRITE_DEADLINE));
        if written.is_ok() {
            self.linger();
        }
    }

    /// After the last answer: lingers only where the client has sent more, for up to `LINGER`.
    pub fn part(&self) {
        if self.buffer.is_empty() && !matches!(self.ahead(), Ahead::Bytes) {
            // Fails only where the peer is gone already.
            let _ = self.stream.shutdown(Shutdown::Write);
        } else {
            self.linger();
        }
    }

    /// Says that nothing more will come, and drops what still does until the client closes, too.
    fn linger(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + LINGER;
        let mut dropped = 0;
        let mut bytes = [0; READ_SIZE];
        while dropped < LINGER_BYTES {
            match read_until(&self.stream, &mut bytes, deadline) {
                Ok(read) if read > 0 => dropped += read,
                _ => break,
            }
        }
    }

    fn ahead(&self) -> Ahead {
        let socket = SockRef::from(&*self.stream);
        match socket.recv_with_flags(
            &mut [MaybeUninit::uninit()],
            libc::MSG_PEEK | libc::MSG_DONTWAIT,
        ) {
            Ok(0) => Ahead::End,
            Ok(_) => Ahead::Bytes,
            Err(error) if is_passing(&error) => Ahead::Nothing,
            Err(_) => Ahead::End,
        }
    }
}

/// One read, under an absolute deadline: `TimedOut` once it has passed.
fn read_until(stream: &TcpStream, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
    let mut stream = stream;
    loop {
        stream.set_read_timeout(Some(time_left(deadline)?))?;
        match stream.read(bytes) {
            Err(error) if is_passing(&error) => {}
            read => return read,
        }
    }
}

fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A timeout of zero would mean none at all.
    if left.is_zero() {
        Err(ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

/// Not a failure: to be tried again while the deadline allows it.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
