//! What no server can do without, measured in the same run: to be woken by a message, one `send` to
//! each receiver, one row in the database. A process of its own that does nothing else: it keeps no
//! state, looks at no frame but for the time in it, and is heard by the same clients as parlor.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::crowd::{Crowd, SPEAKERS};
use super::server::{cpu_of, own_cpu};

/// What is sent to how many.
#[derive(Serialize, Deserialize)]
pub struct Work {
    pub receivers: usize,
    /// One after the other.
    pub rooms: usize,
    /// Bytes of a frame.
    pub bytes: usize,
    /// Frames of one `send`.
    pub frames: usize,
    /// Rows of one commit, in a database of this folder.
    pub rows: usize,
    pub folder: PathBuf,
    /// So many rounds by itself; None: one for each message that comes, as long as somebody is there.
    pub rounds: Option<usize>,
}

/// CPU time of one `send` and of one commit, in microseconds.
#[derive(Serialize, Deserialize)]
pub struct Costs {
    pub send: f64,
    pub commit: f64,
}

/// The first argument of the process that is the floor; the second is its work.
pub const ARGUMENT: &str = "floor-of";

/// The process that is the floor, and the clients that hear it as they hear parlor.
pub struct Floor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub crowd: Crowd,
}

impl Floor {
    pub fn start(work: &Work) -> Floor {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg(ARGUMENT)
            .arg(serde_json::to_string(work).expect("JSON"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program again");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.next().expect("a line").expect("readable");
        let address = address.parse().expect("an address");
        let mut crowd = Crowd::new();
        crowd.seat(address, &vec![(0, 0, String::new()); work.receivers]);
        Floor {
            child,
            lines,
            crowd,
        }
    }

    pub fn cpu(&self) -> Duration {
        cpu_of(&self.child)
    }

    /// What its rounds cost, when it has done them.
    pub fn costs(mut self, frames: u64) -> Costs {
        assert!(self.crowd.settle(frames), "the floor lost a frame");
        let costs = self.lines.next().expect("a line").expect("readable");
        serde_json::from_str(&costs).expect("costs")
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process that is the floor.
pub fn run(work: &str) {
    let work: Work = serde_json::from_str(work).expect("a work");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    let mut streams: Vec<_> = (0..work.receivers).map(|_| admit(&listener)).collect();
    let mut database = Rows::new(&work.folder, work.rooms);
    let (mut sending, mut committing) = (Duration::ZERO, Duration::ZERO);
    let room = work.receivers / work.rooms;
    let mut message = [0; 1024];
    for round in 0..work.rounds.unwrap_or(usize::MAX) {
        let author = work.rounds.is_none().then_some(round % SPEAKERS);
        let said = author.map(|author| {
            let length = streams[author].read(&mut message).expect("a message");
            &message[..length]
        });
        if said.is_some_and(<[u8]>::is_empty) {
            return;
        }
        let frames: Vec<u8> = (1..=work.frames)
            .flat_map(|n| recv(time_in(said), round * work.frames + n, work.bytes))
            .collect();
        let before = own_cpu();
        if work.rows > 0 {
            database.commit(work.rows);
        }
        let between = own_cpu();
        let first = round % work.rooms * room;
        for (n, stream) in streams[first..first + room].iter_mut().enumerate() {
            let answer = author == Some(n);
            let sent = stream.write_all(if answer { ANSWER } else { &frames });
            sent.expect("sent");
        }
        committing += between - before;
        sending += own_cpu() - between;
    }
    let rounds = work.rounds.unwrap_or(1) as f64;
    let costs = Costs {
        send: sending.as_secs_f64() * 1e6 / (rounds * room as f64),
        commit: committing.as_secs_f64() * 1e6 / rounds,
    };
    println!("{}", serde_json::to_string(&costs).expect("JSON"));
    // The others read what it has sent.
    let _ = streams[0].read(&mut message);
}

/// What an author gets.
const ANSWER: &[u8] = b"\x81\x53{\"type\":\"send\",\"code\":0,\"uuid\":\"00000000-0000-4000-8000-000000000000\",\"at\":1000000}";

/// A connection that was told what it takes to be a seat.
fn admit(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut bytes = [0; 1024];
    for answer in [
        &b"HTTP/1.1 101 \r\n\r\n"[..],
        b"\x81\x18{\"type\":\"auth\",\"code\":0}",
    ] {
        // What a client sends at once comes at once.
        assert_ne!(
            stream.read(&mut bytes).expect("its question"),
            0,
            "it is gone"
        );
        stream.write_all(answer).expect("sent");
    }
    stream
}

/// The time at the beginning of what was said.
fn time_in(said: Option<&[u8]>) -> &str {
    const MARK: &[u8] = br#""text":""#;
    let found = said.and_then(|said| {
        let begin = said.windows(MARK.len()).position(|w| w == MARK)? + MARK.len();
        std::str::from_utf8(said.get(begin..begin + 20)?).ok()
    });
    found.unwrap_or("00000000000000000000")
}

/// A frame of so many bytes, at a place of the order.
fn recv(time: &str, at: usize, bytes: usize) -> Vec<u8> {
    let (begin, end) = (
        format!(r#"{{"type":"recv","text":"{time}"#),
        format!(r#"","at":{at}}}"#),
    );
    let fill = bytes - 4 - begin.len() - end.len();
    let length = u16::try_from(bytes - 4).expect("a short frame");
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(format!("{begin}{:.<fill$}{end}", "").as_bytes());
    frame
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

/// parlor's table of entries with the plain index that keeps a uuid from being said twice in a room, and
/// nothing else. (parlor itself has none, see store/uuids.rs: its row may cost less than the floor's.)
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
        db.execute_batch("CREATE UNIQUE INDEX floor_uuid ON entries (room, uuid)")
            .expect("an index");
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
