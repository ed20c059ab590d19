//! Both listeners and every limit on a stranger: how many connections, how long until a head is
//! here, how long it may idle, how big head and body may be. Behind the door there are only whole,
//! valid requests. It does not know what a path, a room or a JSON object is; how an error is worded
//! for a client is its caller's function.
//!
//! `listen` accepts and ends, `ledger` knows which connections there are, `conn` reads and writes
//! one; `head`, `body`, `caps`, `proxies` and `print` are pure. HTTP is RFC 9110 and RFC 9112. tiny_http's
//! types are used, its listener is not (DESIGN.md says why).

mod body;
mod caps;
mod conn;
pub mod head;
mod ledger;
mod listen;
mod print;
mod proxies;

use std::fmt;
use std::io::{self, Cursor};
use std::time::Duration;

use tiny_http::{HTTPVersion, Header, Method};

pub use caps::{Caps, Place, network};
pub use conn::Conn;
pub use listen::{Door, Serve};
pub use print::header;
pub use proxies::{Network, Proxies};

/// From the accept (on a kept connection: from a request's first byte) until its head is whole. A
/// phone on a bad line needs 3; whoever drips bytes holds a thread no longer than this.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// From the end of the head until the body is whole: 64 KiB at 26 kbit/s.
pub const BODY_DEADLINE: Duration = Duration::from_secs(20);
/// Between two requests. Longer than the 60 s for which proxies commonly keep a connection, so that
/// they close first and never send into a connection that is just ending.
pub const IDLE_KEEP_ALIVE: Duration = Duration::from_secs(75);
/// For each piece of an answer that is made while it is written: 64 KiB at 17 kbit/s. All of it
/// may take long; that it goes on is what counts.
pub const PIECE_DEADLINE: Duration = Duration::from_secs(30);
/// For a whole answer, however large: 1 MiB at 280 kbit/s. Absolute, or a reader of one byte a
/// second would hold it.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// What the kernel keeps for a connection (it doubles it) before a WebSocket counts as slow. By itself
/// it would take 4 MiB, a whole answer of any size: `WRITE_DEADLINE` would be over before the client
/// had read a byte, and who never reads would hold that much.
const SEND_BUFFER: usize = 64 * 1024;
/// Request line and headers. Browsers send 1 KiB; with the cookies of other services on the same
/// host it may be 8.
pub const MAX_HEAD: usize = 16 * 1024;
/// Header lines of a request. Browsers send 20; a proxy adds 10.
pub const MAX_HEADERS: usize = 100;
/// The content of a request. A message of 4,000 characters is at most 48 KB, even if JSON escapes
/// every one.
pub const MAX_BODY: usize = 64 * 1024;

/// Per connection. Most of it is never touched, but 10,000 default stacks of 2 MiB do not fit a
/// 32-bit address space. Unoptimised frames are several times as large.
const CONNECTION_STACK: usize = if cfg!(debug_assertions) {
    512 * 1024
} else {
    128 * 1024
};

/// Which listener a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Http,
    Ws,
}

/// As threads are named: `http-7`, `ws-7`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Kind::Http => "http",
            Kind::Ws => "ws",
        })
    }
}

/// One whole, valid request.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Begins with `/` (or is `*`, for OPTIONS only); as sent, so still percent-encoded; without
    /// the query.
    pub path: String,
    /// What stood after the first `?`; as sent; empty if there was none.
    pub query: String,
    /// 1.0 or 1.1.
    pub version: HTTPVersion,
    /// At most `MAX_HEADERS`, in the order sent.
    pub headers: Vec<Header>,
    /// At most `MAX_BODY` bytes, no longer chunked.
    pub body: Vec<u8>,
    /// Whether the client will use the connection again. Set it to false to close after the answer.
    pub keep_alive: bool,
}

impl Request {
    /// The value of the first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all headers of that name, in any case, in the order sent.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |header| header.field.as_str().as_str().eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }
}

/// A whole answer; `Response::from_data` and `from_string` make it.
pub type Answer = tiny_http::Response<Cursor<Vec<u8>>>;

/// Gives the next piece of an answer's content; none at its end. An error breaks the answer off.
pub type Pieces<'a> = Box<dyn FnMut() -> io::Result<Option<Vec<u8>>> + 'a>;

/// Makes the answer of a request that the door refuses, from its status and a sentence for a
/// person.
pub type Refuse = fn(status: u16, sentence: &str) -> Answer;

/// Why a request is refused at the door. The connection ends with it: where the next request begins
/// is no longer sure.
#[derive(Debug)]
pub struct Fault {
    pub status: u16,
    pub sentence: &'static str,
}

impl Fault {
    fn new(status: u16, sentence: &'static str) -> Fault {
        Fault { status, sentence }
    }

    fn too_large() -> Fault {
        Fault::new(413, "The body of the request is larger than 64 KiB.")
    }
}
