//! The file is read-only, locked by somebody else, deleted, damaged. `full_disk.rs` and `faults.rs`
//! hold the disk that is full or fails.
//!
//! Needs root for a small file system of its own, and strace.

use crate::exhausted::Fault;
use crate::support::{Guest, Server, TempDir, Ws, create, join, until, uuid};
use rusqlite::Connection;
use serde_json::json;
use std::io::{Seek, SeekFrom, Write};
use std::process::Command;

fn mount(args: &[&str]) {
    let mounted = Command::new("mount").args(args).output();
    let mounted = mounted.unwrap_or_else(|e| panic!("this test needs the command mount: {e}"));
    assert!(
        mounted.status.success(),
        "this test needs to mount a tmpfs, which takes root: {}",
        String::from_utf8_lossy(&mounted.stderr)
    );
}

/// Ada and Bob, each on a socket.
fn class(server: &Server) -> (Guest, Guest, Ws, Ws) {
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let (mut adas, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let (ada, bob) = (ada.with_token(), bob.with_token());
    adas.say(ada.room, "before");
    assert_eq!(bobs.hear(1), ["before"]);
    (ada, bob, adas, bobs)
}

/// Nothing is confirmed while it lasts, which healthz and the log say with a reason; afterwards
/// the same message is there once, without a restart.
fn goes_on_after(
    server: &Server,
    begin: impl FnOnce() -> Box<dyn FnOnce()>,
    reason: &str,
) -> (Guest, Ws, Ws) {
    let (ada, _, mut adas, mut bobs) = class(server);
    let http = server.client();
    let end = begin();
    let id = uuid();
    let answer = adas.say_as(&id, ada.room, "lost?");
    assert_eq!(answer["code"], 9, "{answer}");
    until("healthz says why", || {
        let health = http.get("/healthz");
        health.status == 503 && health.body.contains(reason)
    });
    until("the log says why", || server.stderr().contains(reason));
    bobs.nothing_more();
    end();
    until("healthz ok again", || http.get("/healthz").status == 200);
    let answer = adas.say_as(&id, ada.room, "lost?");
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(bobs.hear(1), ["lost?"]);
    (ada, adas, bobs)
}

#[test]
fn a_file_system_that_turns_read_only_is_told_and_parlor_goes_on_when_it_is_not() {
    let server = Server::start(&[]);
    let begin = || -> Box<dyn FnOnce()> {
        let fault = Fault::begin(&server, "pwrite64,ftruncate", "error=EROFS");
        Box::new(move || fault.end())
    };
    goes_on_after(&server, begin, "the database takes no commits");
}

#[test]
fn parlor_does_not_start_on_a_read_only_file_and_says_so() {
    let dir = TempDir::new();
    let path = dir.path().to_str().expect("a plain path");
    mount(&["-t", "tmpfs", "-o", "size=4m", "parlor-test", path]);
    struct Mounted<'a>(&'a str);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").args(["--lazy", self.0]).status();
        }
    }
    let _mounted = Mounted(path);
    let file = dir.path().join("data.db");
    let file = file.to_str().expect("a plain path");
    let mut server = Server::start(&["--data", file]);
    create(&server.client(), json!({}));
    server.stop();
    mount(&["-o", "remount,ro", path]);
    let args = [
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ];
    let exit = Server::refused(&args);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(
        exit.stderr.contains(file) && exit.stderr.contains("--data"),
        "it names the file and the way out: {}",
        exit.stderr
    );
    mount(&["-o", "remount,rw", path]);
    server.restart();
}

#[test]
fn a_database_that_another_program_locks_is_told_and_parlor_goes_on_when_it_lets_go() {
    let server = Server::start(&[]);
    let data = server.data();
    let begin = || -> Box<dyn FnOnce()> {
        let other = Connection::open(data).expect("the database opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("its lock");
        Box::new(move || {
            other.execute_batch("ROLLBACK").expect("the lock let go");
        })
    };
    goes_on_after(&server, begin, "the database takes no commits");
}

#[test]
fn a_database_deleted_under_a_running_parlor_is_told_and_nothing_more_is_acknowledged() {
    let server = Server::start(&[]);
    let (ada, _, mut adas, _bobs) = class(&server);
    std::fs::remove_file(server.data()).expect("the file deleted");
    until("healthz says so", || {
        server.client().get("/healthz").status == 503
    });
    assert_eq!(adas.say_as(&uuid(), ada.room, "lost")["code"], 9);
}

/// Overwrites all pages but the first: the file is still SQLite's, and nothing in it is right.
fn damage(server: &Server) {
    let path = server.data();
    let size = std::fs::metadata(&path).expect("the file").len();
    let mut file = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("the file");
    file.seek(SeekFrom::Start(4096)).expect("a place in it");
    file.write_all(&vec![0x5a; size as usize - 4096])
        .expect("garbage written");
}

#[test]
fn parlor_does_not_start_on_a_damaged_file_and_says_so() {
    let mut server = Server::start(&[]);
    let (ada, ..) = class(&server);
    for n in 0..200 {
        let text = format!("{n} {}", "x".repeat(200));
        if ada.send(json!({"content":text})).status == 429 {
            break;
        }
    }
    server.stop();
    damage(&server);
    let file = server.data();
    let file = file.to_str().expect("a plain path");
    let args = [
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ];
    let exit = Server::refused(&args);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(
        exit.stderr.contains(file) && exit.stderr.contains("--data"),
        "it names the file and the way out: {}",
        exit.stderr
    );
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
}

/// A page of history goes bad: who asks for it is told that it cannot be read, the rest goes on.
#[test]
fn a_damaged_page_of_history_is_refused_and_the_rest_goes_on() {
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let (ada, bob, ..) = class(&server);
    let texts: Vec<String> = (0..200)
        .map(|n| format!("{n} {}", "x".repeat(900)))
        .collect();
    texts.iter().for_each(|text| ada.say(text));
    server.stop();
    // Where an old text stands; what is needed at the start stands elsewhere.
    let path = server.data();
    let bytes = std::fs::read(&path).expect("the file");
    let needle = texts[20].as_bytes();
    let at = bytes.windows(needle.len()).position(|w| w == needle);
    let page = at.expect("the text is in the file") / 4096 * 4096;
    let mut file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("the file");
    file.seek(SeekFrom::Start(page as u64))
        .expect("a place in it");
    file.write_all(&[0x5a; 4096]).expect("garbage written");
    drop(file);
    server.restart();
    let http = server.client();
    let (ada, bob) = (
        ada.via(&http.bearer(&ada.token)),
        bob.via(&http.bearer(&bob.token)),
    );
    let history = |after: u64| {
        ada.http.get(&format!(
            "/rooms/{}/messages?after={after}&limit=10",
            ada.room
        ))
    };
    let damaged = history(18);
    assert_eq!(damaged.status, 503, "{}", damaged.body);
    damaged.failed(503, 7);
    until("the log says so", || {
        server.stderr().contains("cannot read the database")
    });
    assert_eq!(history(190).status, 200);
    ada.say("after");
    let newest = bob.fetch(json!({"after":203}));
    assert_eq!(newest["data"][0]["content"], "after", "{newest}");
    assert!(!server.stderr().contains("panicked"));
    // As a crash before any uuid was brought into its table leaves it: a start reads the entries.
    server.stop();
    let db = rusqlite::Connection::open(&path).expect("the file");
    db.execute("UPDATE rooms SET indexed = 0", [])
        .expect("a change");
    drop(db);
    server.restart();
    let newest = bob.via(&server.client().bearer(&bob.token));
    newest.say("it goes on");
}

#[test]
fn a_log_deleted_under_a_running_parlor_is_told_and_what_it_held_is_saved() {
    let mut server = Server::start(&[]);
    let (ada, _, mut adas, _bobs) = class(&server);
    assert_eq!(adas.say_as(&uuid(), ada.room, "acknowledged")["code"], 0);
    for end in ["-wal", "-shm"] {
        let mut file = server.data().into_os_string();
        file.push(end);
        std::fs::remove_file(file).expect("the file deleted");
    }
    until("healthz says so", || {
        server.client().get("/healthz").status == 503
    });
    assert_eq!(adas.say_as(&uuid(), ada.room, "lost")["code"], 9);
    until("what the log held is in the file", || {
        let db = Connection::open(server.data()).expect("the file");
        let sql = "SELECT count(*) FROM entries WHERE body LIKE '%acknowledged%'";
        db.query_row(sql, [], |row| row.get::<_, i64>(0)) == Ok(1)
    });
    server.kill();
    server.restart();
    let ada = ada.via(&server.client()).with_token();
    let kept = ada.fetch(json!({"after":0}))["data"].to_string();
    assert!(kept.contains("acknowledged"), "{kept}");
}
