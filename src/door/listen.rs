//! A listener, its accept thread and its connections, from the first to the last. Does not know
//! what they say.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::conn::Conn;
use super::ledger::Ledger;
use super::print::{header, print};
use super::{CONNECTION_STACK, Caps, Kind, Refuse, SEND_BUFFER};

/// After an accept error that will not pass by itself (no descriptors left): until a connection
/// ends, at most this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the accept thread may log a failure. It can fail a thousand times a second.
const COMPLAINT_EVERY: Duration = Duration::from_secs(1);
/// How many that were turned away are kept open, so that their requests, still on the way, do not
/// reset the connection before the 503 was read. Each costs a descriptor; the oldest is closed for
/// a newer one.
const TURNED_AWAY: usize = 64;
/// For threads to notice that their connection was cut.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// What is done with each connection, on its own thread.
pub type Serve = Arc<dyn Fn(Conn) + Send + Sync>;

/// One listener, its accept thread and its connections. Dropping it stops it without waiting.
pub struct Door {
    address: SocketAddr,
    /// Owned by the accept thread, so that the port is closed when that has ended.
    listener: Weak<TcpListener>,
    ledger: Arc<Ledger>,
    /// None once joined.
    accepting: Option<JoinHandle<()>>,
}

impl Door {
    /// Accepts from now on; `serve` runs on each connection's own thread.
    pub fn open(
        listener: TcpListener,
        kind: Kind,
        caps: Arc<Caps>,
        refuse: Refuse,
        serve: Serve,
    ) -> io::Result<Door> {
        listener.set_nonblocking(false)?;
        // A connection has what its listener has. Answers and frames leave whole; waiting for more
        // would only delay them.
        let options = SockRef::from(&listener);
        options.set_tcp_nodelay(true)?;
        options.set_send_buffer_size(SEND_BUFFER)?;
        let address = listener.local_addr()?;
        let listener = Arc::new(listener);
        let ledger = Arc::new(Ledger::default());
        let porter = Porter {
            listener: Arc::clone(&listener),
            kind,
            caps,
            refuse,
            serve,
            ledger: Arc::clone(&ledger),
            turned_away: VecDeque::new(),
            complained: None,
        };
        let accepting = thread::Builder::new()
            .name(format!("{kind}-door"))
            .spawn(move || porter.accept_all())?;
        Ok(Door {
            address,
            listener: Arc::downgrade(&listener),
            ledger,
            accepting: Some(accepting),
        })
    }

    /// Where it listens, with the port that was really opened.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// No new connections; idle ones end now, those with a request in hand finish it and close.
    /// Returns at once.
    pub fn stop(&self) {
        self.ledger.stop();
        self.wake();
    }

    /// Stops, and waits until all connections have ended or the deadline has passed; then shuts
    /// down what is left. Returns how many those were.
    pub fn join(mut self, deadline: Instant) -> usize {
        self.stop();
        let left = self.ledger.wait_until_empty(deadline);
        if left > 0 {
            self.ledger.cut();
            self.ledger.wait_until_empty(Instant::now() + CUT_GRACE);
        }
        if let Some(accepting) = self.accepting.take() {
            while !accepting.is_finished() {
                self.wake();
                thread::sleep(Duration::from_millis(1));
            }
            // It does not panic; if it did, it has ended, too.
            let _ = accepting.join();
        }
        left
    }

    /// Gets the accept thread out of its accept. Linux ends the accept of a listener that is shut
    /// down; elsewhere that is an error, and a connection to ourselves does it.
    fn wake(&self) {
        let Some(listener) = self.listener.upgrade() else {
            return;
        };
        if SockRef::from(&*listener).shutdown(Shutdown::Both).is_err() {
            let ip = match self.address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            // If it fails, others are waiting in front of it, and the accept returns for those.
            let _ =
                TcpStream::connect_timeout(&SocketAddr::new(ip, self.address.port()), ACCEPT_PAUSE);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the accept thread knows.
struct Porter {
    listener: Arc<TcpListener>,
    kind: Kind,
    caps: Arc<Caps>,
    refuse: Refuse,
    serve: Serve,
    ledger: Arc<Ledger>,
    /// At most `TURNED_AWAY`, oldest first.
    turned_away: VecDeque<Arc<TcpStream>>,
    complained: Option<Instant>,
}

impl Porter {
    fn accept_all(mut self) {
        loop {
            let accepted = self.listener.accept();
            if self.ledger.is_stopping() {
                return;
            }
            match accepted {
                Ok((stream, peer)) => self.admit(Arc::new(stream), peer),
                // That one client gave up, or a signal came.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    self.complain(&format!("cannot accept a connection: {error}"));
                    self.turned_away.clear();
                    self.ledger.pause(ACCEPT_PAUSE);
                }
            }
        }
    }

    fn admit(&mut self, stream: Arc<TcpStream>, peer: SocketAddr) {
        let Some(place) = self.caps.enter(peer.ip()) else {
            self.complain(&format!("{peer} was turned away: too many connections"));
            return self.turn_away(stream);
        };
        let number = place.number();
        let Some(entered) = Ledger::begin(&self.ledger, number, &stream) else {
            return;
        };
        let ledger = Arc::clone(&self.ledger);
        let conn = Conn::new(
            Arc::clone(&stream),
            peer,
            self.kind,
            place,
            ledger,
            self.refuse,
        );
        let name = conn.name().to_owned();
        let serve = Arc::clone(&self.serve);
        let spawned = thread::Builder::new()
            .name(name.clone())
            .stack_size(CONNECTION_STACK)
            .spawn(move || {
                let _entered = entered;
                if catch_unwind(AssertUnwindSafe(|| serve(conn))).is_err() {
                    log::error!("{name}: the connection ended by a panic");
                }
            });
        if let Err(error) = spawned {
            self.complain(&format!(
                "{peer} was turned away: cannot make a thread: {error}"
            ));
            self.turn_away(stream);
        }
    }

    /// Answers 503 if that takes no waiting.
    fn turn_away(&mut self, stream: Arc<TcpStream>) {
        let answer = (self.refuse)(
            503,
            "The server has too many connections. Try again in a moment.",
        )
        .with_header(header("Retry-After", "1"));
        if let Ok(bytes) = print(answer, false, Some("close"))
            && stream.set_nonblocking(true).is_ok()
        {
            // A new connection has room for it. If it does not leave whole, there is nobody to do
            // more for.
            let _ = (&*stream).write(&bytes);
        }
        let _ = stream.shutdown(Shutdown::Write);
        if self.turned_away.len() == TURNED_AWAY {
            self.turned_away.pop_front();
        }
        self.turned_away.push_back(stream);
    }

    fn complain(&mut self, sentence: &str) {
        if self
            .complained
            .is_none_or(|at| at.elapsed() >= COMPLAINT_EVERY)
        {
            self.complained = Some(Instant::now());
            log::warn!("{}: {sentence}", self.kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::door::{Answer, Proxies, Request};

    /// Nothing here may take longer.
    const SOON: Duration = Duration::from_secs(10);

    fn refuse(status: u16, sentence: &str) -> Answer {
        Answer::from_string(sentence).with_status_code(status)
    }

    fn open(
        caps: &Arc<Caps>,
        handle: impl Fn(&mut Conn, &Request) + Send + Sync + 'static,
    ) -> Door {
        let serve = move |mut conn: Conn| {
            while let Some(request) = conn.next() {
                handle(&mut conn, &request);
                if !conn
                    .answer(&request, Answer::from_string(request.path.clone()))
                    .unwrap_or(false)
                {
                    conn.part();
                    break;
                }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Door::open(
            listener,
            Kind::Http,
            Arc::clone(caps),
            refuse,
            Arc::new(serve),
        )
        .unwrap()
    }

    fn connect(door: &Door) -> TcpStream {
        let stream = TcpStream::connect(door.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    fn ask(mut stream: &TcpStream, path: &str) {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }

    /// One answer, whose content is the path that was asked for.
    fn answer(mut stream: &TcpStream, path: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(format!("\r\n\r\n{path}").as_bytes()) {
            let mut byte = [0];
            stream
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&bytes)));
            bytes.push(byte[0]);
        }
        String::from_utf8(bytes).unwrap()
    }

    fn rest(mut stream: &TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn stop_ends_idle_connections_and_lets_a_request_in_hand_finish() {
        let (arrived, arrivals) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let caps = Caps::new(10, 10, Proxies::default());
        let door = open(&caps, move |_, request| {
            if request.path == "/slow" {
                arrived.send(()).unwrap();
                gate.lock().unwrap().recv_timeout(SOON).unwrap();
            }
        });
        let (fresh, idle, busy) = (connect(&door), connect(&door), connect(&door));
        ask(&idle, "/idle");
        assert!(!answer(&idle, "/idle").contains("Connection"));
        ask(&busy, "/slow");
        arrivals.recv_timeout(SOON).unwrap();

        door.stop();
        assert_eq!(rest(&idle), "");
        assert_eq!(rest(&fresh), "");
        go.send(()).unwrap();
        assert!(answer(&busy, "/slow").contains("\r\nConnection: close\r\n"));
        assert_eq!(rest(&busy), "");

        let address = door.address();
        assert_eq!(door.join(Instant::now() + SOON), 0);
        assert_eq!(caps.count(), 0);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn join_cuts_what_has_not_ended_by_its_deadline() {
        let (arrived, arrivals) = mpsc::channel();
        let caps = Caps::new(10, 10, Proxies::default());
        let door = open(&caps, move |conn, _| {
            arrived.send(()).unwrap();
            while !conn.gone() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let stuck = connect(&door);
        ask(&stuck, "/");
        arrivals.recv_timeout(SOON).unwrap();
        assert_eq!(door.join(Instant::now()), 1);
        assert_eq!(caps.count(), 0);
    }

    #[test]
    fn a_panic_costs_only_its_connection() {
        let caps = Caps::new(10, 10, Proxies::default());
        let door = open(&caps, |_, request| {
            assert!(request.path != "/panic", "as the test asked")
        });
        let (first, second) = (connect(&door), connect(&door));
        ask(&first, "/panic");
        assert_eq!(rest(&first), "");
        ask(&second, "/");
        answer(&second, "/");
        drop(second);
        assert_eq!(door.join(Instant::now() + SOON), 0);
        assert_eq!(caps.count(), 0);
    }

    #[test]
    fn an_upgraded_connection_is_left_alone_until_the_deadline() {
        let caps = Caps::new(10, 10, Proxies::default());
        let (sender, upgraded) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let serve = move |mut conn: Conn| {
            conn.next().unwrap();
            sender.send(conn.into_parts()).unwrap();
            gate.lock().unwrap().recv_timeout(SOON).unwrap();
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::open(
            listener,
            Kind::Ws,
            Arc::clone(&caps),
            refuse,
            Arc::new(serve),
        )
        .unwrap();
        let mut client = connect(&door);
        client
            .write_all(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\nbeyond")
            .unwrap();
        let (stream, beyond, place) = upgraded.recv_timeout(SOON).unwrap();
        assert_eq!(beyond, b"beyond");
        assert_eq!(stream.read_timeout().unwrap(), None);
        door.stop();
        client.write_all(b"more").unwrap();
        let mut more = [0; 4];
        (&*stream).read_exact(&mut more).unwrap();
        assert_eq!((&more, caps.count()), (b"more", 1));
        drop(place);
        assert_eq!(caps.count(), 0);
        go.send(()).unwrap();
        assert_eq!(door.join(Instant::now() + SOON), 0);
    }

    #[test]
    fn a_connection_sends_at_once_and_the_kernel_keeps_little_of_it() {
        let (sender, options) = mpsc::channel();
        let caps = Caps::new(1, 1, Proxies::default());
        let serve = move |conn: Conn| {
            let (stream, _, _) = conn.into_parts();
            let kept = SockRef::from(&*stream).send_buffer_size();
            sender
                .send((stream.nodelay().unwrap(), kept.unwrap()))
                .unwrap();
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::open(listener, Kind::Ws, caps, refuse, Arc::new(serve)).unwrap();
        let _client = connect(&door);
        let (at_once, kept) = options.recv_timeout(SOON).unwrap();
        assert!(at_once);
        assert!(kept <= 2 * SEND_BUFFER, "{kept}");
    }

    #[test]
    fn one_too_many_is_told_so() {
        let caps = Caps::new(1, 1, Proxies::default());
        let door = open(&caps, |_, _| {});
        let first = connect(&door);
        ask(&first, "/");
        answer(&first, "/");
        let second = connect(&door);
        ask(&second, "/");
        let refused = rest(&second);
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
    }
}
