//! The power goes. Parlor runs under strace, which writes down each change to its files, each
//! sync, and each byte that it tells anybody; from that the folder is rebuilt as a disk could hold
//! it at many moments, and parlor starts on it.
//!
//! `POWER_LOSS_CUTS` is how many moments (25; `make power-loss` takes 300), `POWER_LOSS_SEED` which
//! ones. Needs strace, and root with `unshare` and `mount`: parlor must believe that the machine
//! was started anew.

mod disk;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use disk::{FATES, Fate, Random};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{DEADLINE, Guest, Server, TempDir, Ws, create, join, until, uuid};
use trace::{Act, Step};

/// A server that runs under strace, and what a client of it asked for.
struct Recorder {
    server: Server,
    log: PathBuf,
    /// Of the log, what was looked through.
    seen: u64,
    /// Where the log ended before the last answer, and a word of it.
    last: (u64, String),
    ada: Guest,
    bob: Guest,
    adas: Ws,
    bobs: Ws,
    /// Each message: its uuid and what became of it.
    said: Vec<(String, Said)>,
    epoch: String,
    _dir: TempDir,
}

/// What a message may read, by the `id` of the request that changed it.
enum Said {
    Kept,
    Edited { request: String },
    Deleted { request: String },
}

/// All that is known of a run.
struct Recording {
    log: PathBuf,
    steps: Vec<Step>,
    /// The first line of the log at which somebody was told this uuid, token or request `id`.
    told: HashMap<String, usize>,
    said: Vec<(String, Said)>,
    ada: Guest,
    bob: Guest,
    epoch: String,
    _dir: TempDir,
}

fn text_of(uuid: &str) -> String {
    // Long enough that some messages take a page of their own.
    format!(
        "text of {uuid} {}",
        "·".repeat(uuid.as_bytes()[0] as usize * 3)
    )
}

fn edited_text_of(uuid: &str) -> String {
    format!("edited text of {uuid}")
}

impl Recorder {
    fn start(durability: &str) -> Recorder {
        let dir = TempDir::new();
        let log = dir.path().join("strace.log");
        let out = log.to_str().expect("a plain path");
        // -D: parlor keeps the process number that was started; -A: restarts go on in the log.
        let strace = [
            "strace", "-D", "-A", "-f", "-q", "-y", "-xx", "-s", "1000000",
        ];
        let strace = [&strace[..], &["-e", trace::CALLS, "-o", out]].concat();
        let durable = ["--durability", durability];
        let args = [&durable[..], &["--user-rate", "0", "--room-rate", "0"]].concat();
        let server = Server::start_under(&strace, &args);
        let http = server.client();
        let ada = create(&http, json!({}));
        let bob = join(&http, &ada.room_id);
        let epoch = ada.fetch(json!({"after":0}))["epoch"].clone();
        let (adas, bobs) = (server.login(&ada.token), server.login(&bob.token));
        Recorder {
            log,
            last: (0, String::new()),
            seen: 0,
            adas,
            bobs,
            said: Vec::new(),
            epoch: epoch.as_str().expect("an epoch").to_string(),
            ada: ada.with_token(),
            bob: bob.with_token(),
            server,
            _dir: dir,
        }
    }

    /// The next answer will have this word in it.
    fn will_be_told(&mut self, word: &str) {
        let begin = std::fs::metadata(&self.log).expect("a log").len();
        self.last = (begin, word.to_string());
    }

    /// strace may lose a call that a kill interrupts: what was told last is to stand in its log before.
    fn wait_for_last(&self) {
        let (begin, word) = (self.last.0, trace::hex(&self.last.1));
        until("strace has seen the last answer", || {
            let mut log = std::fs::File::open(&self.log).expect("a log");
            log.seek(SeekFrom::Start(begin)).expect("a place in it");
            let mut text = String::new();
            log.read_to_string(&mut text).expect("the log");
            let told = |line: &str| line.contains("sendto(") && line.contains(&word);
            text.lines().any(told)
        });
    }

    /// A message on the socket, acknowledged and heard by the other.
    fn say(&mut self) {
        let id = uuid();
        self.will_be_told(&id);
        let answer = self.adas.say_as(&id, self.ada.room, &text_of(&id));
        assert_eq!(answer["code"], 0, "{answer}");
        self.bobs.heard();
        self.said.push((id, Said::Kept));
    }

    /// Several at once, which share commits.
    fn burst(&mut self, count: usize) {
        let ids: Vec<String> = (0..count).map(|_| uuid()).collect();
        for id in &ids {
            self.adas.begin_say_as(id, self.ada.room, &text_of(id));
        }
        for id in ids {
            let answer = self.adas.recv();
            assert_eq!((&answer["uuid"], &answer["code"]), (&json!(id), &json!(0)));
            self.bobs.heard();
            self.said.push((id, Said::Kept));
        }
    }

    fn say_over_http(&mut self) {
        let id = uuid();
        self.bob.say_as(&id, &text_of(&id));
        self.adas.heard();
        self.said.push((id, Said::Kept));
    }

    /// One of the newest few, once.
    fn change(&mut self, n: usize) {
        let (room, request) = (self.ada.room, format!("change-{}", uuid()));
        let at = self.said.len() - 1 - n;
        let (id, state) = &mut self.said[at];
        let data = json!({"type":"Text","text":edited_text_of(id)});
        let (kind, now) = match n % 2 {
            0 => (
                "edit",
                Said::Edited {
                    request: request.clone(),
                },
            ),
            _ => (
                "delete",
                Said::Deleted {
                    request: request.clone(),
                },
            ),
        };
        let ask = json!({"type":kind,"id":request,"room":room,"uuid":id,"data":data});
        *state = now;
        self.will_be_told(&request);
        let answer = self.adas.ask(ask);
        assert_eq!(answer["code"], 0, "{answer}");
        if kind == "edit" {
            self.bobs.heard();
        }
    }

    /// Talks until the log was copied into the database while parlor runs.
    fn say_until_checkpoint(&mut self) {
        let data = trace::hex(self.server.data().to_str().expect("a plain path"));
        let start = self.said.len();
        self.seen = std::fs::metadata(&self.log).expect("a log").len();
        let mut tail = String::new();
        loop {
            let mut log = std::fs::File::open(&self.log).expect("a log");
            log.seek(SeekFrom::Start(self.seen)).expect("a place in it");
            self.seen += log.read_to_string(&mut tail).expect("the log") as u64;
            let synced = |line: &str| line.contains("sync(") && line.contains(&data);
            // Neither the log's sync nor the folder's.
            if tail
                .lines()
                .any(|l| synced(l) && l.contains(&format!("{data}>")))
            {
                return;
            }
            // Half a line stays for the next look.
            tail = tail.rsplit('\n').next().unwrap_or_default().to_string();
            assert!(self.said.len() < start + 1500, "no checkpoint");
            self.say();
            if self.said.len() < start + 150 {
                continue; // too early for a checkpoint
            }
            // It syncs the database only where nothing was written while it copied.
            let len = || std::fs::metadata(&self.log).expect("a log").len();
            let mut before = 0;
            until("a quiet log", || {
                std::thread::sleep(Duration::from_millis(15));
                std::mem::replace(&mut before, len()) == len()
            });
        }
    }

    fn end(&mut self, kill: bool) {
        match kill {
            true => {
                self.wait_for_last();
                self.server.kill();
            }
            false => {
                self.server.signal("TERM");
                // Answered, so that parlor need not wait for it.
                self.adas.closed();
                self.bobs.closed();
                self.server.stopped();
            }
        }
        let leader = self.server.pid().to_string();
        until("strace has written everything", || {
            let mut log = std::fs::File::open(&self.log).expect("a log");
            let end = log.metadata().expect("a length").len();
            log.seek(SeekFrom::Start(end.saturating_sub(200)))
                .expect("a place in it");
            let mut tail = String::new();
            log.read_to_string(&mut tail).expect("the log");
            let ended = |line: &str| {
                let (thread, said) = line.split_once(' ').unwrap_or_default();
                thread == leader && said.trim_start().starts_with("+++")
            };
            tail.ends_with('\n') && tail.lines().last().is_some_and(ended)
        });
    }

    /// Ends parlor, and starts it again without a power cut between.
    fn again(&mut self, kill: bool) {
        self.end(kill);
        self.server.restart();
        let http = self.server.client();
        (self.ada, self.bob) = (
            self.ada.via(&http).with_token(),
            self.bob.via(&http).with_token(),
        );
        self.adas = self.server.login(&self.ada.token);
        self.bobs = self.server.login(&self.bob.token);
    }

    fn finish(mut self) -> Recording {
        self.end(true);
        let log = std::fs::read_to_string(&self.log).expect("the log");
        let folder = self.server.dir().to_str().expect("a plain path");
        let steps = trace::read(&log, folder);
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (id, said) in &self.said {
            known.insert(id);
            match said {
                Said::Kept => {}
                Said::Edited { request } | Said::Deleted { request } => drop(known.insert(request)),
            }
        }
        known.extend([&*self.ada.token, &*self.bob.token, &*self.epoch]);
        let mut told = HashMap::new();
        for step in &steps {
            let Act::Told(bytes) = &step.act else {
                continue;
            };
            let bytes = String::from_utf8_lossy(bytes);
            // Everything of interest stands in quotes.
            for word in bytes.split('"').filter(|word| known.contains(word)) {
                told.entry(word.to_string()).or_insert(step.began);
            }
        }
        for word in known {
            assert!(told.contains_key(word), "strace saw nobody told {word}");
        }
        // What the disk model makes of a power cut after everything is what the folder holds now.
        let (files, _) = disk::after(&steps, usize::MAX, Fate::Kept, &mut Random(0));
        let mut real = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("the folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            if !name.ends_with("-shm") {
                real.insert(name, std::fs::read(entry.path()).expect("a file"));
            }
        }
        assert!(files == real, "the recording is not what happened");
        Recording {
            log: self.log,
            steps,
            told,
            said: self.said,
            ada: self.ada,
            bob: self.bob,
            epoch: self.epoch,
            _dir: self._dir,
        }
    }
}

fn record(durability: &str) -> Recording {
    let mut run = Recorder::start(durability);
    (0..30).for_each(|_| run.say());
    run.burst(25);
    run.again(false);
    (0..10).for_each(|_| run.say_over_http());
    run.burst(20);
    (0..4).for_each(|n| run.change(n));
    run.say_until_checkpoint();
    (0..15).for_each(|_| run.say());
    run.burst(25);
    (0..4).for_each(|n| run.change(n));
    run.again(true);
    (0..3).for_each(|_| run.say_over_http());
    (0..10).for_each(|_| run.say());
    (0..4).for_each(|n| run.change(n));
    run.again(false);
    (0..5).for_each(|_| run.say());
    run.finish()
}

impl Recording {
    /// Lines before which the power may go: half of them anywhere, half where something happened
    /// that is rare.
    fn cuts(&self, count: usize, random: &mut Random) -> Vec<usize> {
        let mut all = BTreeSet::new();
        let mut rare = BTreeSet::new();
        for (i, step) in self.steps.iter().enumerate() {
            let is_rare = match &step.act {
                Act::Write { name, at, .. } => *at == 0 || !name.ends_with("-wal"),
                Act::Sync(name) => !name.ends_with("-wal"),
                Act::Told(_) => false,
                _ => true,
            };
            all.extend([step.began + 1, step.ended.saturating_add(1)]);
            if is_rare {
                let near = &self.steps[i..(i + 4).min(self.steps.len())];
                rare.extend(near.iter().map(|step| step.began + 1));
                rare.insert(step.ended.saturating_add(1));
            }
        }
        let mut cuts = BTreeSet::new();
        for (from, count) in [(all, count - count / 2), (rare, count / 2)] {
            let from: Vec<usize> = from.into_iter().collect();
            for i in 0..count {
                // One of each stretch of the run.
                let (start, end) = (i * from.len() / count, (i + 1) * from.len() / count);
                cuts.insert(from[start + random.below((end - start).max(1))]);
            }
        }
        cuts.into_iter().collect()
    }

    fn was_told(&self, word: &str, cut: usize) -> bool {
        self.told[word] < cut
    }

    /// Parlor starts on this folder and has everything that anybody was told before the cut, in
    /// places without a gap. Answers how much is missing, which `full` does not allow.
    fn check(&self, folder: &Path, durability: &str, cut: usize) -> usize {
        let data = folder.join("data.db");
        let data = data.to_str().expect("a plain path");
        let boot = folder.join("boot_id");
        std::fs::write(&boot, format!("{}\n", uuid())).expect("a file");
        // Its own view of the file system, in which the machine was started anew.
        let boot = boot.to_str().expect("a plain path");
        let bind = format!("mount --bind '{boot}' /proc/sys/kernel/random/boot_id");
        let restarted = format!("{bind} && exec \"$0\" \"$@\"");
        let prefix = ["unshare", "-m", "sh", "-c", &restarted];
        let args = ["--data", data, "--durability", durability];
        let mut server = Server::start_under(&prefix, &args);
        let mut missing = 0;
        if self.was_told(&self.ada.token, cut) {
            missing = self.check_room(&server, durability, cut);
        }
        // And the room goes on, or begins.
        let ada = create(&server.client(), json!({}));
        ada.say("here we are again");
        server.kill();
        let db = rusqlite::Connection::open(data).expect("a database");
        let verdict: String = db
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a verdict");
        assert_eq!(verdict, "ok", "integrity_check");
        missing
    }

    fn check_room(&self, server: &Server, durability: &str, cut: usize) -> usize {
        // A token that is not known is missing, and with Ada's all that she could read.
        let known = |token: &str| get(server.http, "/rooms/me", token).is_some();
        let mut missing = [&self.ada.token, &self.bob.token]
            .into_iter()
            .filter(|token| self.was_told(token, cut) && !known(token))
            .count();
        let entries = self.read(server.http).unwrap_or_default();
        let newcomer = create(&server.client(), json!({}));
        let epoch = newcomer.fetch(json!({"after":0}))["epoch"].clone();
        for (i, entry) in entries.iter().enumerate() {
            assert_eq!(entry["at"], json!(i + 1), "the order has no gap: {entry}");
        }
        let mut messages: HashMap<&str, (&str, &Value)> = HashMap::new();
        for entry in &entries {
            let data = match entry["type"].as_str() {
                Some("recv") => &entry["data"],
                _ => entry,
            };
            if let (Some(id), true) = (data["uuid"].as_str(), data["seq"] == entry["at"]) {
                let text = data["data"]["text"].as_str().unwrap_or_default();
                let twice = messages.insert(id, (text, entry));
                assert!(twice.is_none(), "twice in the room: {entry}");
            }
        }
        for (id, said) in &self.said {
            let found = messages.remove(id.as_str());
            let (must_change, may_change, new_text) = match said {
                Said::Kept => (false, false, String::new()),
                Said::Edited { request } => (self.was_told(request, cut), true, edited_text_of(id)),
                Said::Deleted { request } => (self.was_told(request, cut), true, String::new()),
            };
            match found {
                None => missing += usize::from(self.was_told(id, cut)),
                Some((text, _)) if may_change && text == new_text => {}
                Some((text, entry)) => {
                    assert!(text == text_of(id), "another text: {entry}");
                    missing += usize::from(must_change);
                }
            }
        }
        assert!(messages.is_empty(), "nobody said {messages:?}");
        if durability == "full" {
            assert_eq!(missing, 0, "told and not there after the power came back");
            assert!(
                epoch == *self.epoch || !self.was_told(&self.epoch, cut),
                "nothing is missing, so cursors still hold"
            );
        } else if missing > 0 && self.was_told(&self.epoch, cut) {
            assert_ne!(
                epoch, *self.epoch,
                "{missing} are missing, so cursors are void"
            );
        }
        // The next one takes the next place.
        if missing == 0 {
            let mut adas = server.login(&self.ada.token);
            let answer = adas.say(self.ada.room, "the next");
            assert_eq!(answer["at"], json!(entries.len() + 1), "{answer}");
        }
        missing
    }

    /// All frames of the room; None if Ada is not known.
    fn read(&self, addr: SocketAddr) -> Option<Vec<Value>> {
        let mut entries = Vec::new();
        let mut next = json!(0);
        loop {
            let path = format!("/rooms/{}/messages?limit=200&after={next}", self.ada.room);
            let page = get(addr, &path, &self.ada.token)?;
            assert_eq!(
                (&page["code"], &page["complete"]),
                (&json!(0), &json!(true))
            );
            entries.extend(page["data"].as_array().expect("a list").iter().cloned());
            next = page["next"].clone();
            if page["more"] == false {
                break;
            }
        }
        Some(entries)
    }
}

/// A GET that leaves nothing in the transcript: hundreds of disks are read through. None if 401.
fn get(addr: SocketAddr, path: &str, token: &str) -> Option<Value> {
    let mut stream = TcpStream::connect_timeout(&addr, DEADLINE).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    if head.starts_with("HTTP/1.1 401") {
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!head.to_lowercase().contains("chunked"), "{head}");
    Some(serde_json::from_str(body).expect("JSON"))
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text}")),
    )
}

/// Answers how many disks lacked something that was told.
fn lose_power(durability: &str) -> usize {
    let count = setting("POWER_LOSS_CUTS").unwrap_or(25).max(2) as usize;
    let seed = setting("POWER_LOSS_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let start = Instant::now();
    let recording = record(durability);
    let recorded = start.elapsed();
    let cuts = recording.cuts(count, &mut Random(seed));
    let mut tried = BTreeSet::new();
    let (mut lacking, mut most_unsynced) = (0, 0);
    for &cut in &cuts {
        for fate in FATES {
            let mut random = Random(seed ^ (cut as u64) << 2 ^ fate as u64);
            let (files, unsynced) = disk::after(&recording.steps, cut, fate, &mut random);
            most_unsynced = most_unsynced.max(unsynced);
            // The same disk at a later moment may have to hold more.
            if unsynced == 0 && fate != Fate::Lost {
                continue;
            }
            let dir = TempDir::new();
            for (name, bytes) in &files {
                std::fs::write(dir.path().join(name), bytes).expect("a file");
            }
            tried.insert((cut, fate as u8));
            let checked = catch_unwind(AssertUnwindSafe(|| {
                recording.check(dir.path(), durability, cut)
            }));
            match checked {
                Ok(missing) => lacking += usize::from(missing > 0),
                Err(_) => {
                    let kept = keep(
                        &recording,
                        &files,
                        &format!("{durability}-{seed}-{cut}-{fate:?}"),
                    );
                    panic!(
                        "--durability {durability}, POWER_LOSS_SEED={seed}, POWER_LOSS_CUTS={count}: \
                         power cut before line {cut} of the log, {unsynced} changes not synced: \
                         {fate:?}; reason above. The disk as parlor found it, and the log: {}",
                        kept.display()
                    );
                }
            }
        }
    }
    // Past the transcript: it says how much was tried.
    let _ = writeln!(
        std::io::stderr(),
        "power loss, {durability}: {} messages, {} steps recorded in {recorded:.1?}; {} cuts, {} disks, \
         {lacking} lacked something, at most {most_unsynced} changes not synced; {:.1?}; seed {seed}",
        recording.said.len(),
        recording.steps.len(),
        cuts.len(),
        tried.len(),
        start.elapsed(),
    );
    lacking
}

/// Puts a disk that parlor did not survive where it can be looked at.
fn keep(recording: &Recording, files: &BTreeMap<String, Vec<u8>>, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("power-loss-{name}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    std::fs::copy(&recording.log, folder.join("strace.log")).expect("a copy");
    folder
}

#[test]
fn a_power_cut_takes_nothing_that_anybody_was_told() {
    assert_eq!(lose_power("full"), 0);
}

#[test]
fn with_fast_a_power_cut_takes_the_end_at_most_and_clients_are_told() {
    lose_power("fast");
}
