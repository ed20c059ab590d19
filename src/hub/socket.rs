//! One WebSocket's way out. Frames leave whole, in the order they were handed over, and nobody who
//! hands one over ever waits for the client.
//!
//! Knows bytes and one TCP stream; not what a frame means, nor who listens.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use tungstenite::Bytes;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

/// Chunks (each the frames of one batch) that wait for a slow client: a reader this far behind
/// will not catch up.
const MAX_QUEUED: usize = 256;
/// The same in bytes, so that a few long texts do not hold the memory of many.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// How long one chunk may take to leave: 64 KiB at 2 KiB/s, worse than any network worth serving.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Between our Close frame and the end of the connection, for the client's answer.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// For a client that is closed for being slow to take what is under way and hear why.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(10);
/// For so many milliseconds who has asked for many things at once counts as somebody who does.
const MODESTY: u64 = 1_000;
/// A writer thread runs one loop over bytes.
const WRITER_STACK: usize = if cfg!(debug_assertions) {
    256 * 1024
} else {
    64 * 1024
};

/// A text frame, encoded once for all that receive it.
pub fn text_frame(json: String) -> Bytes {
    encode(Frame::message(json, OpCode::Data(Data::Text), true))
}

pub fn ping_frame() -> Bytes {
    encode(Frame::ping(Bytes::new()))
}

fn close_frame(code: CloseCode, reason: &'static str) -> Bytes {
    encode(Frame::close(Some(CloseFrame {
        code,
        reason: reason.into(),
    })))
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to a Vec cannot fail.
    let _ = frame.format(&mut bytes);
    bytes.into()
}

/// Why parlor closes a socket (PROTOCOL.md, Close codes).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Close {
    Stopping,
    Protocol,
    Binary,
    NotUtf8,
    NoAuth,
    TooManyErrors,
    TooBig,
    TooSlow,
    Kicked,
    RoomClosed,
    Revoked,
}

impl Close {
    fn frame(self) -> Bytes {
        let (code, reason) = match self {
            Close::Stopping => (1001, "the server stops; come back"),
            Close::Protocol => (1002, "not the WebSocket protocol"),
            Close::Binary => (1003, "text frames only"),
            Close::NotUtf8 => (1007, "not UTF-8"),
            Close::NoAuth => (1008, "no auth in time"),
            Close::TooManyErrors => (1008, "too many errors"),
            Close::TooBig => (1009, "more than 64 KiB"),
            Close::TooSlow => (1013, "too slow; come back and resume"),
            Close::Kicked => (4001, "an owner removed you from the room"),
            Close::RoomClosed => (4002, "the room was closed"),
            Close::Revoked => (4003, "the token is revoked"),
        };
        close_frame(CloseCode::from(code), reason)
    }
}

/// A WebSocket as everybody but its reading thread sees it.
pub struct Socket {
    /// Of this process, never used twice.
    pub id: u64,
    name: String,
    stream: Arc<TcpStream>,
    out: Mutex<Out>,
    /// Rings when nothing is queued any more.
    quiet: Condvar,
    /// Requests that the scribe has not answered yet.
    unanswered: AtomicUsize,
    /// Milliseconds after `born`, and one, at which it last asked before it had its answer; 0: never.
    pressed: AtomicU64,
    /// Answers that have not left yet: what a stopping server waits for. (A client may read an
    /// answer and ask again before everybody else has been told.)
    pub owed: AtomicUsize,
    /// Milliseconds after `born` at which bytes last came in.
    heard: AtomicU64,
    /// Milliseconds after `born` of the last ping.
    pinged: AtomicU64,
    born: Instant,
}

struct Out {
    line: Line,
    /// Joined by the connection's thread, in `finish`.
    writer: Option<JoinHandle<()>>,
    queued_bytes: usize,
    /// When the Close frame left, or nothing more can.
    closed: Option<Instant>,
    /// What a writer thread still has to say before it ends, and since when.
    farewell: Option<Bytes>,
    parting: Option<Instant>,
}

enum Line {
    /// Nothing leaves yet: the first frame is to be the answer to `auth`.
    Held(Vec<Bytes>),
    /// Nothing is queued: frames are written where they arise.
    Direct,
    /// The kernel's buffer was full: what comes goes to the writer thread.
    Queued(Sender<Bytes>),
    Closed,
}

impl Socket {
    pub fn new(id: u64, name: &str, stream: Arc<TcpStream>) -> Arc<Socket> {
        Arc::new(Socket {
            id,
            name: name.to_owned(),
            stream,
            out: Mutex::new(Out {
                line: Line::Direct,
                writer: None,
                queued_bytes: 0,
                closed: None,
                farewell: None,
                parting: None,
            }),
            quiet: Condvar::new(),
            unanswered: AtomicUsize::new(0),
            pressed: AtomicU64::new(0),
            owed: AtomicUsize::new(0),
            heard: AtomicU64::new(0),
            pinged: AtomicU64::new(0),
            born: Instant::now(),
        })
    }

    /// Looks at all that a write needs, and changes nothing. Worth nothing, but the memory is near
    /// afterwards.
    pub fn touch(&self) -> i64 {
        let owed = self.owed.load(Ordering::Relaxed) as i64;
        owed + self.id as i64 + i64::from(self.stream.as_raw_fd())
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The out-lock. Under it there is only a non-blocking send or a `try_send`. A thread that
    /// panicked with it leaves a state that is whole: no step in between can panic.
    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on frames wait for `release`. Only while nothing is queued.
    pub fn hold(&self) {
        let mut out = self.out();
        if matches!(out.line, Line::Direct) {
            out.line = Line::Held(vec![]);
        }
    }

    /// Sends `first`, then what was held.
    pub fn release(self: &Arc<Self>, first: Bytes) {
        let mut out = self.out();
        let held = match &mut out.line {
            Line::Held(held) => {
                let held = std::mem::take(held);
                out.line = Line::Direct;
                held
            }
            _ => vec![],
        };
        self.write(&mut out, &first);
        held.iter().for_each(|chunk| self.write(&mut out, chunk));
    }

    /// Hands over whole frames. Never waits; a client that is too far behind is closed.
    pub fn push(self: &Arc<Self>, chunk: &Bytes) {
        let mut out = self.out();
        self.write(&mut out, chunk);
    }

    fn write(self: &Arc<Self>, out: &mut Out, chunk: &Bytes) {
        match &mut out.line {
            Line::Held(held) if held.len() < MAX_QUEUED => held.push(chunk.clone()),
            Line::Held(_) => self.end(out, Close::TooSlow),
            Line::Direct => {
                let sent = match self.send_now(chunk) {
                    Ok(sent) if sent == chunk.len() => return,
                    Ok(sent) => sent,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
                    Err(_) => return self.abandon(out),
                };
                self.queue(out, chunk.slice(sent..));
            }
            Line::Queued(_) if out.queued_bytes + chunk.len() > MAX_QUEUED_BYTES => {
                self.end(out, Close::TooSlow);
            }
            Line::Queued(queue) => {
                let length = chunk.len();
                match queue.try_send(chunk.clone()) {
                    Ok(()) => out.queued_bytes += length,
                    Err(TrySendError::Full(_)) => self.end(out, Close::TooSlow),
                    Err(TrySendError::Disconnected(_)) => self.abandon(out),
                }
            }
            Line::Closed => {}
        }
    }

    fn send_now(&self, bytes: &[u8]) -> std::io::Result<usize> {
        loop {
            let socket = socket2::SockRef::from(&*self.stream);
            match socket.send_with_flags(bytes, libc::MSG_DONTWAIT) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Starts a writer thread with what did not fit.
    fn queue(self: &Arc<Self>, out: &mut Out, rest: Bytes) {
        let (queue, chunks) = bounded(MAX_QUEUED);
        out.queued_bytes = rest.len();
        // The channel is new and holds more than one.
        let _ = queue.try_send(rest);
        let socket = self.clone();
        let writer = thread::Builder::new()
            .name(format!("{}-writer", self.name))
            .stack_size(WRITER_STACK)
            .spawn(move || socket.drain(chunks));
        match writer {
            Ok(writer) => {
                // An earlier one has ended, or this line would not have been direct.
                out.writer = Some(writer);
                out.line = Line::Queued(queue);
            }
            Err(e) => {
                log::warn!("{}: no writer thread for a slow client: {e}", self.name);
                self.abandon(out);
            }
        }
    }

    /// The writer thread: blocking writes, outside the out-lock, until nothing waits.
    fn drain(self: Arc<Self>, chunks: Receiver<Bytes>) {
        loop {
            let chunk = match chunks.try_recv() {
                Ok(chunk) => chunk,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let mut out = self.out();
                    // Only a holder of the out-lock adds to the channel: empty now is empty.
                    match chunks.try_recv() {
                        Ok(chunk) => chunk,
                        Err(_) => {
                            if matches!(out.line, Line::Queued(_)) {
                                out.line = Line::Direct;
                                self.quiet.notify_all();
                                return;
                            }
                            break;
                        }
                    }
                }
            };
            if self.write_slowly(&chunk, WRITE_DEADLINE).is_err() {
                let mut out = self.out();
                self.abandon(&mut out);
                return;
            }
            let mut out = self.out();
            out.queued_bytes = out.queued_bytes.saturating_sub(chunk.len());
            if out.farewell.is_some() {
                break;
            }
        }
        let farewell = self.out().farewell.take();
        if let Some(frame) = farewell {
            let _ = self.write_slowly(&frame, CLOSE_GRACE);
            let _ = self.stream.shutdown(Shutdown::Write);
            self.out().closed.get_or_insert_with(Instant::now);
        }
    }

    fn write_slowly(&self, mut bytes: &[u8], patience: Duration) -> std::io::Result<()> {
        let deadline = Instant::now() + patience;
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match (&*self.stream).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Waits until the client has taken what was handed over, as its pace allows: it may send a
    /// page of the past no faster than that. False if it does not, or the socket is closed.
    pub fn wait_until_quiet(&self) -> bool {
        let queued = |out: &mut Out| matches!(out.line, Line::Queued(_));
        let waited = self
            .quiet
            .wait_timeout_while(self.out(), WRITE_DEADLINE, queued);
        let (out, _) = waited.unwrap_or_else(PoisonError::into_inner);
        matches!(out.line, Line::Direct)
    }

    /// Says why and ends: no frame leaves after the Close frame.
    pub fn close(&self, why: Close) {
        self.end(&mut self.out(), why);
    }

    /// The same, where the client closes: `answer` is the Close frame that it is to get.
    pub fn take_leave(&self, answer: Bytes) {
        self.part(&mut self.out(), answer);
    }

    fn end(&self, out: &mut Out, why: Close) {
        if self.part(out, why.frame()) {
            log::debug!("closing {}: {why:?}", self.name);
        }
    }

    /// False if it is closed already.
    fn part(&self, out: &mut Out, farewell: Bytes) -> bool {
        let line = std::mem::replace(&mut out.line, Line::Closed);
        match line {
            Line::Closed => return false,
            // The writer thread says it, between two chunks.
            Line::Queued(_) => {
                out.farewell = Some(farewell);
                out.parting = Some(Instant::now());
            }
            Line::Held(_) | Line::Direct => {
                let _ = self.send_now(&farewell);
                let _ = self.stream.shutdown(Shutdown::Write);
                out.closed = Some(Instant::now());
            }
        }
        self.quiet.notify_all();
        true
    }

    /// The client is gone: nothing more is written, and the reading thread wakes.
    fn abandon(&self, out: &mut Out) {
        out.line = Line::Closed;
        self.quiet.notify_all();
        out.closed.get_or_insert_with(Instant::now);
        // With a reset: a client whose window is shut would hear of a FIN minutes later, if at all.
        let _ = socket2::SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO));
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Ends the connection now, and its writer thread.
    pub fn finish(&self) {
        let writer = {
            let mut out = self.out();
            out.line = Line::Closed;
            out.closed.get_or_insert_with(Instant::now);
            let _ = self.stream.shutdown(Shutdown::Both);
            out.writer.take()
        };
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }

    /// Whether nothing is taken on any more: a Close frame left or is about to.
    pub fn is_closed(&self) -> bool {
        matches!(self.out().line, Line::Closed)
    }

    /// Requests that the scribe has not answered yet.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// One more; how many there were.
    pub fn ask(&self) -> usize {
        let before = self.unanswered.fetch_add(1, Ordering::Relaxed);
        if before > 0 {
            self.pressed.store(self.age() + 1, Ordering::Relaxed);
        }
        before
    }

    /// One less.
    pub fn answered(&self) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether it has waited for each answer before it asked again, for a while.
    pub fn is_modest(&self) -> bool {
        let pressed = self.pressed.load(Ordering::Relaxed);
        pressed == 0 || pressed + MODESTY < self.age()
    }

    /// Bytes came in.
    pub fn hear(&self) {
        self.heard.store(self.age(), Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// Once a second: pings, and cuts what is silent or does not end.
    pub fn tend(self: &Arc<Self>, ping_every: Duration, silence: Duration) {
        let age = self.age();
        let since =
            |at: &AtomicU64| Duration::from_millis(age - at.load(Ordering::Relaxed).min(age));
        {
            let mut out = self.out();
            let since = out.parting.filter(|_| out.closed.is_none());
            if since.is_some_and(|since| since.elapsed() > FAREWELL_PATIENCE) {
                return self.abandon(&mut out);
            }
            if let Some(closed) = out.closed {
                if closed.elapsed() > CLOSE_GRACE {
                    let _ = self.stream.shutdown(Shutdown::Both);
                }
                return;
            }
        }
        if since(&self.heard) > silence {
            log::debug!("{} was silent for {} s", self.name, silence.as_secs());
            let mut out = self.out();
            self.abandon(&mut out);
        } else if since(&self.pinged) >= ping_every {
            self.pinged.store(age, Ordering::Relaxed);
            self.push(&ping_frame());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    /// A socket with a small kernel buffer, and the client's end of it.
    fn pair() -> (Arc<Socket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let (stream, _) = listener.accept().unwrap();
        socket2::SockRef::from(&stream)
            .set_send_buffer_size(4096)
            .unwrap();
        (Socket::new(1, "ws-test", Arc::new(stream)), client)
    }

    fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        client.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn held_frames_leave_after_the_first() {
        let (socket, mut client) = pair();
        socket.hold();
        socket.push(&"two".into());
        socket.push(&"three".into());
        socket.release("one".into());
        assert_eq!(read(&mut client, 11), b"onetwothree");
    }

    #[test]
    fn what_would_block_leaves_later_whole_and_in_order() {
        let (socket, mut client) = pair();
        // More than the kernel takes for a client that does not read, less than the bounds.
        let chunks: Vec<Bytes> = (0..200u8).map(|n| vec![n; 5_000].into()).collect();
        chunks.iter().for_each(|chunk| socket.push(chunk));
        for chunk in &chunks {
            assert_eq!(read(&mut client, chunk.len()), *chunk);
        }
        socket.push(&"direct again".into());
        assert_eq!(read(&mut client, 12), b"direct again");
        socket.finish();
    }

    #[test]
    fn a_client_too_far_behind_is_told_1013_and_nothing_after_it() {
        let (socket, mut client) = pair();
        let chunk: Bytes = vec![7; 50_000].into();
        while !socket.is_closed() {
            socket.push(&chunk);
        }
        socket.push(&"never".into());
        let mut all = vec![];
        client.read_to_end(&mut all).unwrap();
        let close = Close::TooSlow.frame();
        let body = all.len() - close.len();
        assert_eq!(all[body..], *close);
        assert!(all[..body].iter().all(|&b| b == 7));
        assert_eq!(body % chunk.len(), 0, "frames leave whole");
        socket.finish();
    }
}
