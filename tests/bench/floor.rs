//! What no server can do without, measured in the same run: to be woken by a message, one `send` to
//! each receiver, one row in the database. A process of its own, like a server, which does nothing
//! else.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::server::own_cpu;

/// What is sent how often to how many.
#[derive(Serialize, Deserialize)]
pub struct Work {
    pub receivers: usize,
    /// One after the other.
    pub rooms: usize,
    /// Bytes of one `send`.
    pub bytes: usize,
    /// Rounds a second, each begun by a message that comes in; 0: as fast as it goes, by itself.
    pub rate: f64,
    pub rounds: usize,
    /// Rows of one commit, in a database of this folder.
    pub rows: usize,
    pub folder: PathBuf,
}

/// CPU time of one `send`, of one commit, and of being woken by a message and reading it, in
/// microseconds.
#[derive(Serialize, Deserialize)]
pub struct Floor {
    pub send: f64,
    pub commit: f64,
    pub wake: f64,
}

impl Floor {
    /// What lies between two measurements: the machine has its moods.
    pub fn between(a: Floor, b: Floor) -> Floor {
        let middle = |a: f64, b: f64| (a + b) / 2.0;
        Floor {
            send: middle(a.send, b.send),
            commit: middle(a.commit, b.commit),
            wake: middle(a.wake, b.wake),
        }
    }
}

/// The first argument of the process that is the floor; the second is its work.
pub const ARGUMENT: &str = "floor-of";

/// Bytes of a cue.
const CUE: usize = 192;

/// Reads what another process sends to its receivers, and asks it what that cost.
pub fn measure(work: &Work) -> Floor {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .arg(ARGUMENT)
        .arg(serde_json::to_string(work).expect("JSON"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("a line").expect("readable");
    let (address, receivers) = (line().parse().expect("an address"), work.receivers);
    let cue = TcpStream::connect(address).expect("a connection");
    let (rate, rounds) = (work.rate, work.rounds);
    let prompting = thread::spawn(move || prompt(cue, rate, rounds));
    let reading = thread::spawn(move || read_all(address, receivers));
    let floor = serde_json::from_str(&line()).expect("a floor");
    prompting.join().expect("the prompter");
    reading.join().expect("the reader");
    let _ = child.wait();
    floor
}

/// Says when it is time for a round, in about as many bytes as a chat message takes.
fn prompt(mut cue: TcpStream, rate: f64, rounds: usize) {
    if rate == 0.0 {
        return;
    }
    cue.set_nodelay(true).expect("a socket");
    let begun = Instant::now();
    for round in 0..rounds {
        let due = begun + Duration::from_secs_f64(round as f64 / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        cue.write_all(&[b'x'; CUE]).expect("a cue");
    }
}

fn read_all(address: SocketAddr, receivers: usize) {
    let mut poll = Poll::new().expect("epoll");
    let mut streams = vec![];
    for n in 0..receivers {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nonblocking(true).expect("a socket");
        let mut stream = mio::net::TcpStream::from_std(stream);
        let registry = poll.registry();
        let registered = registry.register(&mut stream, Token(n), Interest::READABLE);
        registered.expect("registered");
        streams.push(stream);
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 256 * 1024]);
    let mut ended = vec![false; receivers];
    while ended.contains(&false) {
        let _ = poll.poll(&mut events, None);
        for event in events.iter() {
            let index = event.token().0;
            // The last bytes and the end may come as one event.
            ended[index] |= event.is_read_closed();
            loop {
                match streams[index].read(&mut buffer) {
                    Ok(0) => ended[index] = true,
                    Ok(n) if n == buffer.len() => continue,
                    Err(e) if e.kind() != ErrorKind::WouldBlock => ended[index] = true,
                    _ => {}
                }
                break;
            }
        }
    }
}

/// The process that is the floor.
pub fn run(work: &str) {
    let work: Work = serde_json::from_str(work).expect("a work");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    let accept = |_| -> TcpStream {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream
    };
    let mut cue = accept(0);
    let mut streams: Vec<_> = (0..work.receivers).map(accept).collect();
    let mut database = Rows::new(&work.folder, work.rooms);
    let frame = vec![b'x'; work.bytes];
    let (mut sending, mut committing) = (Duration::ZERO, Duration::ZERO);
    let begun = own_cpu();
    let room = work.receivers / work.rooms;
    for round in 0..work.rounds {
        if work.rate > 0.0 {
            cue.read_exact(&mut [0; CUE]).expect("a cue");
        }
        let before = own_cpu();
        database.commit(work.rows);
        let between = own_cpu();
        let first = round % work.rooms * room;
        for stream in &mut streams[first..first + room] {
            stream.write_all(&frame).expect("sent");
        }
        committing += between - before;
        sending += own_cpu() - between;
    }
    let waking = own_cpu() - begun - committing - sending;
    let floor = Floor {
        send: sending.as_secs_f64() * 1e6 / (work.rounds * room) as f64,
        commit: committing.as_secs_f64() * 1e6 / work.rounds as f64,
        wake: waking.as_secs_f64() * 1e6 / work.rounds as f64,
    };
    println!("{}", serde_json::to_string(&floor).expect("JSON"));
}

/// The median time of one write of a page and its `fdatasync`, in microseconds.
pub fn fdatasync(folder: &Path, rounds: usize) -> f64 {
    let path = folder.join("floor.bin");
    let mut file = std::fs::File::create(&path).expect("a file");
    let mut times: Vec<f64> = vec![];
    for _ in 0..rounds {
        file.write_all(&[7; 4096]).expect("written");
        let begun = Instant::now();
        file.sync_data().expect("synced");
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let _ = std::fs::remove_file(&path);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// parlor's table of entries, and nothing else.
struct Rows {
    db: Connection,
    at: i64,
    rooms: i64,
}

impl Rows {
    fn new(folder: &Path, rooms: usize) -> Rows {
        let path = folder.join("floor.db");
        let _ = std::fs::remove_file(&path);
        let db = Connection::open(&path).expect("a database");
        db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
        db.pragma_update(None, "synchronous", "FULL").expect("FULL");
        db.pragma_update(None, "secure_delete", true)
            .expect("secure_delete");
        db.execute_batch(include_str!("../../src/schema.sql"))
            .expect("the schema");
        Rows {
            db,
            at: 0,
            rooms: rooms as i64,
        }
    }

    fn commit(&mut self, rows: usize) {
        let mut begin = self.db.prepare_cached("BEGIN IMMEDIATE").expect("SQL");
        begin.execute([]).expect("begun");
        let mut insert = self
            .db
            .prepare_cached(
                "INSERT INTO entries (room, at, kind, sender, name, sent, uuid, target, body)
                 VALUES (?1, ?2, 1, 1, 'Member 1', ?3, ?4, NULL, ?5)",
            )
            .expect("SQL");
        for _ in 0..rows {
            self.at += 1;
            let uuid = *uuid::Uuid::new_v4().as_bytes();
            let body =
                r#"{"text":"00000000000000000000............................................"}"#;
            let room = self.at % self.rooms;
            let row = params![
                room,
                self.at,
                1_750_000_000_000_000_000 + self.at,
                uuid,
                body
            ];
            insert.execute(row).expect("a row");
        }
        let mut commit = self.db.prepare_cached("COMMIT").expect("SQL");
        commit.execute([]).expect("committed");
    }
}
