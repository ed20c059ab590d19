//! Many writers and many readers who drop and resume at random: all transcripts equal the room's
//! sequence. And readers that stall.
//!
//! `PARLOR_STRESS_SECONDS` sets how long the writers write (10), `PARLOR_STRESS_SEED` repeats the
//! random choices.

mod support;

use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::{Caller, DEADLINE, Entry, Guest, Heard, Line, Rng, Server, What, create, join};

/// Requests of one socket writer that wait for their answer; 32 are allowed.
const WINDOW: usize = 16;
/// Entries by which the last reader may be behind before the writers wait: within the 5,000 for
/// which a resume is complete, however slow the machine.
const MAX_BEHIND: u64 = 3_000;
/// How long readers may take to the end when the writers have stopped.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Entries of a transcript that a failure shows.
const TAIL: usize = 8;

/// These tests each keep the machine busy; side by side they would only wait for each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all threads of a test share.
struct World {
    http: SocketAddr,
    ws: SocketAddr,
    room: u64,
    epoch: String,
    seed: u64,
    /// The writers go on.
    writing: AtomicBool,
    /// The greatest place that a writer was told.
    told: AtomicU64,
    /// How far each reader is.
    at: Vec<AtomicU64>,
    /// The end of the order, once the writers have stopped; until then `u64::MAX`.
    goal: AtomicU64,
    /// No thread outlives it.
    deadline: Instant,
}

impl World {
    fn new(server: &Server, owner: &Guest, seed: u64, readers: usize, time: Duration) -> World {
        let epoch = owner.with_token().fetch(json!({"after":0}))["epoch"].clone();
        World {
            http: server.http,
            ws: server.ws,
            room: owner.room,
            epoch: epoch.as_str().expect("an epoch").to_string(),
            seed,
            writing: AtomicBool::new(true),
            told: AtomicU64::new(0),
            at: (0..readers).map(|_| AtomicU64::new(0)).collect(),
            goal: AtomicU64::new(u64::MAX),
            deadline: Instant::now() + time + CATCH_UP,
        }
    }

    fn writing(&self) -> bool {
        self.writing.load(Ordering::SeqCst)
    }

    fn goal(&self) -> u64 {
        self.goal.load(Ordering::SeqCst)
    }

    /// Waits until no reader is further behind.
    fn brake(&self, most: u64) {
        let slowest = || self.at.iter().map(|at| at.load(Ordering::SeqCst)).min();
        while self.writing()
            && self.told.load(Ordering::SeqCst) > slowest().unwrap_or(u64::MAX).saturating_add(most)
        {
            self.in_time("the slowest reader comes no further");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn in_time(&self, what: &str) {
        let seed = self.seed;
        assert!(
            Instant::now() < self.deadline,
            "seed {seed}: {what}; readers at {:?}, writers at {:?}",
            self.at,
            self.told
        );
    }
}

/// A message as its writer knows it.
struct Said {
    at: u64,
    /// First what was said, then each edit that was acknowledged.
    texts: Vec<String>,
    deleted: bool,
}

struct Writer {
    guest: Guest,
    rng: Rng,
    made: u64,
    /// All that was acknowledged, by uuid.
    said: HashMap<String, Said>,
    /// Their uuids, for picking one that is not deleted.
    uuids: Vec<String>,
    /// The longest wait for an answer.
    slowest: Duration,
    /// How often the answer was to come back later.
    busy: u32,
}

#[derive(Clone)]
enum Asked {
    Say { text: String },
    Edit { uuid: String, text: String },
    Delete { uuid: String },
}

impl Asked {
    /// `id` is the uuid of what is said, and names the request otherwise.
    fn frame(&self, room: u64, id: &str) -> Value {
        let data = |text: &str| json!({"type":"Text","text":text});
        match self {
            Asked::Say { text } => json!({"type":"msg","uuid":id,"room":room,"data":data(text)}),
            Asked::Edit { uuid, text } => {
                json!({"type":"edit","uuid":uuid,"room":room,"data":data(text),"id":id})
            }
            Asked::Delete { uuid } => json!({"type":"delete","uuid":uuid,"room":room,"id":id}),
        }
    }
}

/// A request on its way.
struct Waiting {
    asked: Asked,
    frame: Value,
    /// How many are to come.
    answers: u32,
    since: Instant,
}

impl Writer {
    fn new(guest: Guest, rng: Rng) -> Writer {
        Writer {
            guest,
            rng,
            made: 0,
            said: HashMap::new(),
            uuids: vec![],
            slowest: Duration::ZERO,
            busy: 0,
        }
    }

    fn new_text(&mut self) -> String {
        self.made += 1;
        format!("{}.{}", self.guest.id, self.made)
    }

    fn acknowledged(&mut self, world: &World, uuid: &str, text: String, at: u64) {
        if let Some(said) = self.said.get(uuid) {
            assert_eq!(said.at, at, "{uuid} said again has another place");
            return;
        }
        let (texts, deleted) = (vec![text], false);
        self.said
            .insert(uuid.to_string(), Said { at, texts, deleted });
        self.uuids.push(uuid.to_string());
        world.told.fetch_max(at, Ordering::SeqCst);
    }

    /// One of one's own messages, if there is any left; the newest are changed most.
    fn own(&mut self) -> Option<String> {
        let count = self.uuids.len() as u64;
        let back = match self.rng.percent(70) {
            true => 20.min(count),
            false => count,
        };
        (count > 0).then(|| self.uuids[(count - 1 - self.rng.below(back)) as usize].clone())
    }

    fn next_request(&mut self) -> Asked {
        let chance = self.rng.below(100);
        let own = if chance < 20 { self.own() } else { None };
        match own {
            Some(uuid) if chance < 6 => {
                // From here on it is changed no more, whatever comes of it.
                self.uuids.retain(|u| *u != uuid);
                Asked::Delete { uuid }
            }
            Some(uuid) => {
                let text = self.new_text();
                Asked::Edit { uuid, text }
            }
            None => {
                let text = self.new_text();
                Asked::Say { text }
            }
        }
    }

    /// Says, edits and deletes over a socket, as the second document has it (no `v`), and checks
    /// that places only grow on it.
    fn send(&mut self, world: &World, most_behind: u64) {
        let mut line = Line::open(world.ws).expect("a connection");
        line.auth(&self.guest.token, json!({})).expect("auth");
        let mut waiting: HashMap<String, Waiting> = HashMap::new();
        let mut at = 0;
        let mut grows = |place: &Value| {
            let place = place.as_u64().expect("at");
            assert!(place > at, "place {place} after {at} on one socket");
            at = place;
            place
        };
        loop {
            while world.writing() && waiting.len() < WINDOW {
                world.brake(most_behind);
                if self.rng.percent(1) {
                    std::thread::sleep(self.rng.millis(20));
                }
                let id = self.rng.uuid();
                let asked = self.next_request();
                let frame = asked.frame(world.room, &id);
                line.send(&frame).expect("a frame sent");
                let mut answers = 1;
                if matches!(asked, Asked::Say { .. }) && self.rng.percent(5) {
                    line.send(&frame).expect("a frame sent");
                    answers = 2;
                }
                let since = Instant::now();
                let request = Waiting {
                    asked,
                    frame,
                    answers,
                    since,
                };
                waiting.insert(id, request);
            }
            if waiting.is_empty() {
                return;
            }
            let frame = match line.read(DEADLINE) {
                Heard::Frame(frame) => frame,
                other => panic!("{} waits for answers: {other:?}", self.guest.name),
            };
            let id = match frame["type"].as_str() {
                Some("send") => frame["uuid"].as_str(),
                Some("edit" | "delete") => frame["id"].as_str(),
                Some("recv") => {
                    grows(&frame["at"]);
                    continue;
                }
                _ => panic!("{frame}"),
            };
            let id = id.expect("what it answers").to_string();
            let request = waiting.get_mut(&id).expect("an answer to mine");
            if frame["code"] == 7 {
                // Refused before it was taken on: said again, and a change is given up.
                self.busy += 1;
                match request.asked {
                    Asked::Say { .. } => line.send(&request.frame).expect("a frame sent"),
                    Asked::Edit { .. } | Asked::Delete { .. } => drop(waiting.remove(&id)),
                }
                continue;
            }
            assert_eq!(frame["code"], 0, "{frame}");
            self.slowest = self.slowest.max(request.since.elapsed());
            request.answers -= 1;
            match request.asked.clone() {
                // Said twice, the second answer is the first one again.
                Asked::Say { text } => {
                    let known = self.said.contains_key(&id);
                    let place = match known {
                        true => frame["at"].as_u64().expect("at"),
                        false => grows(&frame["at"]),
                    };
                    self.acknowledged(world, &id, text, place);
                }
                Asked::Edit { uuid, text } => {
                    let said = self.said.get_mut(&uuid).expect("mine");
                    said.texts.push(text);
                }
                Asked::Delete { uuid } => self.said.get_mut(&uuid).expect("mine").deleted = true,
            }
            if waiting[&id].answers == 0 {
                waiting.remove(&id);
            }
        }
    }

    /// Says over HTTP, now and then without waiting for the answer and then again.
    fn post(&mut self, world: &World, most_behind: u64) {
        let mut caller = Caller::new(world.http, &self.guest.token);
        while world.writing() {
            world.brake(most_behind);
            let (uuid, text) = (self.rng.uuid(), self.new_text());
            let body = self.guest.message(json!({"content":text,"uuid":uuid}));
            if self.rng.percent(5) {
                let gone = caller.post_and_go("/message/send", &body);
                gone.expect("a request sent");
            }
            let since = Instant::now();
            let answer = caller.post("/message/send", &body).expect("an answer");
            self.slowest = self.slowest.max(since.elapsed());
            assert_eq!(answer["message"], "发送成功", "{answer}");
            let at = answer["data"]["at"].as_u64().expect("at");
            self.acknowledged(world, &uuid, text, at);
        }
    }
}

/// Which way a reader reads.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Socket,
    Fetch,
    /// Now this and now that, with one cursor.
    Both,
}

struct Reader {
    guest: Guest,
    rng: Rng,
    way: Way,
    /// Its index in `World::at`.
    index: usize,
    /// As it came, place 1 first; never has a gap.
    seen: Vec<Entry>,
    resumes: u32,
    /// How often parlor closed it with 1013.
    cut: u32,
    /// The previous socket, not closed yet.
    before: Option<Line>,
}

impl Reader {
    fn new(guest: Guest, rng: Rng, way: Way, index: usize) -> Reader {
        Reader {
            guest,
            rng,
            way,
            index,
            seen: vec![],
            resumes: 0,
            cut: 0,
            before: None,
        }
    }

    fn at(&self) -> u64 {
        self.seen.len() as u64
    }

    /// For a failure.
    fn whose(&self, world: &World) -> String {
        let tail = &self.seen[self.seen.len().saturating_sub(TAIL)..];
        format!(
            "seed {}, {} after {} resumes, {} cuts and {tail:#?}",
            world.seed, self.guest.name, self.resumes, self.cut
        )
    }

    fn take(&mut self, world: &World, entry: Entry) {
        let next = self.at() + 1;
        assert_eq!(
            entry.at,
            next,
            "the next place, not {entry:?}: {}",
            self.whose(world)
        );
        self.seen.push(entry);
        world.at[self.index].store(next, Ordering::SeqCst);
    }

    /// Reads to the goal, dropping out and coming back.
    fn run(&mut self, world: &World) {
        while self.at() < world.goal() {
            world.in_time("a reader does not come to the end");
            let fetches = match self.way {
                Way::Socket => false,
                Way::Fetch => true,
                Way::Both => self.rng.percent(50),
            };
            let stay = match self.rng.below(4) {
                0 => self.rng.millis(20),
                1 => self.rng.millis(200),
                _ => self.rng.millis(1_500),
            };
            if fetches {
                self.fetch(world, stay);
            } else {
                self.listen(world, stay);
            }
            self.resumes += 1;
            if self.rng.percent(50) {
                std::thread::sleep(self.rng.millis(150));
            }
        }
        self.before = None;
        self.nothing_more(world);
    }

    fn resume(&mut self, world: &World, buffer: Option<usize>) -> Line {
        let opened = Line::open_on(world.ws, buffer);
        let mut line = opened.unwrap_or_else(|e| panic!("{e}: {}", self.whose(world)));
        let resume = json!({world.room.to_string(): self.at()});
        let fields = json!({"v":1,"resume":resume,"epoch":world.epoch});
        let answer = line.auth(&self.guest.token, fields);
        let answer = answer.unwrap_or_else(|e| panic!("{e}: {}", self.whose(world)));
        let told = (&answer["epoch"], &answer["rooms"][0]["complete"]);
        let whole = (&json!(world.epoch), &json!(true));
        assert_eq!(told, whole, "{answer}: {}", self.whose(world));
        line
    }

    /// A socket for about this long.
    fn listen(&mut self, world: &World, stay: Duration) {
        let mut line = self.resume(world, None);
        let until = Instant::now() + stay;
        self.before = None;
        // Or a few frames, so that many a one drops in the midst of catching up.
        let most = match self.rng.percent(30) {
            true => self.at() + self.rng.below(300),
            false => u64::MAX,
        };
        while Instant::now() < until && self.at() < most.min(world.goal()) {
            match line.read(Duration::from_millis(20)) {
                Heard::Frame(frame) => self.hear(world, &frame),
                Heard::Nothing => {}
                Heard::Over(why) => return self.was_cut(world, &why),
            }
        }
        match self.rng.below(3) {
            0 => line.close(),
            // The next socket comes before this one goes.
            1 => self.before = Some(line),
            _ => drop(line),
        }
    }

    fn hear(&mut self, world: &World, frame: &Value) {
        if frame["type"] != "presence" {
            let entry = Entry::of_frame(frame);
            let entry = entry.unwrap_or_else(|| panic!("{frame}: {}", self.whose(world)));
            self.take(world, entry);
        }
    }

    /// 1013 is the only reason to close a reader here. Its connection may break before it read why.
    fn was_cut(&mut self, world: &World, why: &str) {
        let other_reason = why.starts_with("closed") && why != "closed 1013";
        assert!(!other_reason, "{why}: {}", self.whose(world));
        println!("{} was cut ({why}) at {}", self.guest.name, self.at());
        self.cut += 1;
    }

    /// Long polls with a cursor for about this long. Now and then an answer gets lost.
    fn fetch(&mut self, world: &World, stay: Duration) {
        let mut caller = Caller::new(world.http, &self.guest.token);
        let until = Instant::now() + stay;
        while Instant::now() < until && self.at() < world.goal() {
            let mut asked = json!({"after":self.at(),"epoch":world.epoch,"v":1,"wait":1});
            if self.rng.percent(70) {
                asked["limit"] = json!(1 + self.rng.below(1_000));
            }
            let body = self.guest.body(asked);
            if self.rng.percent(10) {
                let gone = caller.post_and_go("/message/fetch", &body);
                gone.unwrap_or_else(|e| panic!("{e}: {}", self.whose(world)));
                continue;
            }
            let page = caller.post("/message/fetch", &body);
            let page = page.unwrap_or_else(|e| panic!("{e}: {}", self.whose(world)));
            assert_eq!(page["success"], true, "{page}: {}", self.whose(world));
            assert_eq!(page["complete"], true, "{}", self.whose(world));
            for entry in page["data"].as_array().expect("a list") {
                self.take(world, Entry::of_fetch(entry));
            }
            assert_eq!(page["next"], self.at(), "{}", self.whose(world));
        }
    }

    /// At the end of the order both ways say so, and nothing comes again.
    fn nothing_more(&mut self, world: &World) {
        let mut line = self.resume(world, None);
        let ping = json!({"type":"ping","id":"end"});
        line.send(&ping).expect("a frame sent");
        loop {
            match line.read(DEADLINE) {
                Heard::Frame(frame) if frame["type"] == "presence" => {}
                Heard::Frame(frame) if frame["type"] == "ping" => break,
                other => panic!("at the end came {other:?}: {}", self.whose(world)),
            }
        }
        let asked = json!({"after":self.at(),"epoch":world.epoch,"v":1});
        let page = self.guest.with_token().fetch(asked);
        let told = (&page["data"], &page["next"], &page["complete"]);
        assert_eq!(told, (&json!([]), &json!(self.at()), &json!(true)));
    }
}

/// What was acknowledged is there once, with its edits and deletion, in its last state.
fn holds(order: &[Entry], said: &HashMap<String, Said>) -> HashMap<String, Vec<u64>> {
    let mut places: HashMap<String, Vec<u64>> = HashMap::new();
    for entry in order.iter().filter(|e| !e.uuid.is_empty()) {
        places.entry(entry.uuid.clone()).or_default().push(entry.at);
    }
    assert_eq!(places.len(), said.len(), "messages there and acknowledged");
    for (uuid, said) in said {
        let found = places
            .get(uuid)
            .unwrap_or_else(|| panic!("{uuid} was acknowledged at {} and is not there", said.at));
        assert_eq!(found[0], said.at, "{uuid} stands where its answer said");
        let changes = said.texts.len() - 1 + usize::from(said.deleted);
        assert_eq!(
            found.len(),
            1 + changes,
            "{uuid} and its changes: {found:?}"
        );
        let what = match said.deleted {
            true => What::Gone,
            false => What::Text(said.texts[said.texts.len() - 1].clone()),
        };
        for at in found {
            let entry = &order[*at as usize - 1];
            assert_eq!(
                (entry.seq, &entry.what),
                (said.at, &what),
                "the past shows the last state: {entry:?}"
            );
        }
    }
    places
}

/// A transcript equals the order, but for texts: what was read early shows an earlier state.
fn equal(
    world: &World,
    reader: &Reader,
    order: &[Entry],
    said: &HashMap<String, Said>,
    places: &HashMap<String, Vec<u64>>,
) {
    assert_eq!(
        reader.seen.len(),
        order.len(),
        "places: {}",
        reader.whose(world)
    );
    for (seen, entry) in reader.seen.iter().zip(order) {
        if seen == entry {
            continue;
        }
        let wrong = || format!("saw {seen:?}, not {entry:?}: {}", reader.whose(world));
        let same = (seen.at, seen.seq, &seen.uuid) == (entry.at, entry.seq, &entry.uuid);
        assert!(same && !seen.uuid.is_empty(), "{}", wrong());
        let (of, at) = (&said[&seen.uuid], &places[&seen.uuid]);
        // The how-manieth change this is: 0 for the message itself.
        let change = at.iter().position(|at| *at == seen.at).expect("counted");
        // Its last place shows its last state, whenever it is read.
        assert!(change + 1 < at.len(), "{}", wrong());
        let possible = match &seen.what {
            What::Text(text) => of.texts[change..].contains(text),
            What::Gone => of.deleted,
            What::Notice(_) => false,
        };
        assert!(possible, "{}", wrong());
    }
}

/// The order when the writers have stopped; tells the readers where it ends.
fn settle(world: &World, owner: &Guest) -> Vec<Entry> {
    let order = Caller::new(world.http, &owner.token).order(world.room, 0);
    world.goal.store(order.len() as u64, Ordering::SeqCst);
    order
}

#[test]
fn forty_readers_who_drop_and_resume_all_read_what_eight_writers_wrote() {
    let _alone = alone();
    let seconds = match std::env::var("PARLOR_STRESS_SECONDS") {
        Ok(seconds) => seconds.parse().expect("PARLOR_STRESS_SECONDS is a number"),
        Err(_) => 10,
    };
    let time = Duration::from_secs(seconds);
    let (seed, mut rng) = Rng::seeded("PARLOR_STRESS_SEED");
    let server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let owner = create(&http, json!({"userName":"owner"}));
    let guest = || join(&http, &owner.room_id);
    let mut writers: Vec<_> = (0..8).map(|_| Writer::new(guest(), rng.fork())).collect();
    let way = |index| match index % 4 {
        0 => Way::Fetch,
        1 => Way::Both,
        _ => Way::Socket,
    };
    let mut readers: Vec<_> = (0..40)
        .map(|index| Reader::new(guest(), rng.fork(), way(index), index))
        .collect();
    let world = &World::new(&server, &owner, seed, readers.len(), time);

    let order = std::thread::scope(|threads| {
        let writing: Vec<_> = writers
            .iter_mut()
            .enumerate()
            .map(|(i, writer)| {
                threads.spawn(move || match i % 4 {
                    3 => writer.post(world, MAX_BEHIND),
                    _ => writer.send(world, MAX_BEHIND),
                })
            })
            .collect();
        for reader in &mut readers {
            threads.spawn(move || reader.run(world));
        }
        std::thread::sleep(time);
        world.writing.store(false, Ordering::SeqCst);
        for writer in writing {
            writer.join().expect("a writer that was answered");
        }
        settle(world, &owner)
    });

    let slowest = writers.iter().map(|w| w.slowest).max();
    let busy: u32 = writers.iter().map(|w| w.busy).sum();
    let said: HashMap<_, _> = writers.into_iter().flat_map(|w| w.said).collect();
    let places = holds(&order, &said);
    for reader in &readers {
        equal(world, reader, &order, &said, &places);
    }
    let later = Caller::new(world.http, &owner.token).order(world.room, 0);
    assert_eq!(later, order, "the same sequence, read again");
    println!(
        "{time:?}: {} places, {} messages, {} edits, {} deletions; {} resumes, {} cuts; slowest \
         answer {slowest:?}, {busy} refused as too many",
        order.len(),
        said.len(),
        said.values().map(|s| s.texts.len() - 1).sum::<usize>(),
        said.values().filter(|s| s.deleted).count(),
        readers.iter().map(|r| r.resumes).sum::<u32>(),
        readers.iter().map(|r| r.cut).sum::<u32>()
    );
}

/// Requests that a socket may have unanswered (PROTOCOL.md, Limits).
const ALLOWED_UNANSWERED: usize = 32;
/// As many as the kernel takes for listeners that do not read.
const MANY_SMALL: usize = 400;

#[test]
fn a_writer_within_the_allowed_unanswered_requests_is_never_refused() {
    let _alone = alone();
    let (_, mut rng) = Rng::seeded("PARLOR_STRESS_SEED");
    let server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let owner = create(&http, json!({}));
    // Listeners make a delivery take its time.
    let mut listeners: Vec<_> = (0..30)
        .map(|_| Line::open(server.ws).expect("a connection"))
        .collect();
    for line in &mut listeners {
        let guest = join(&http, &owner.room_id);
        line.auth(&guest.token, json!({})).expect("auth");
    }
    let mut line = Line::open(server.ws).expect("a connection");
    line.auth(&owner.token, json!({})).expect("auth");
    let (mut sent, mut answered) = (0, 0);
    while answered < MANY_SMALL {
        while sent < MANY_SMALL && sent - answered < ALLOWED_UNANSWERED {
            let data = json!({"type":"Text","text":"x"});
            let frame = json!({"type":"msg","uuid":rng.uuid(),"room":owner.room,"data":data});
            line.send(&frame).expect("a frame sent");
            sent += 1;
        }
        match line.read(DEADLINE) {
            Heard::Frame(frame) => assert_eq!(
                frame["code"], 0,
                "{sent} sent and {answered} answered before this: {frame}"
            ),
            other => panic!("no answer: {other:?}"),
        }
        answered += 1;
    }
}

// ---- Readers that stall ----

/// So long that a few hundred fill all that parlor and the kernel keep for a reader.
const LONG: usize = 3_900;
/// About 6 MB: several times that.
const MANY: u64 = 1_500;
/// What the kernel takes for the client that stalls.
const SMALL_BUFFER: usize = 16 * 1024;
/// The most that a reader gets that stalled before it is cut: 1 MiB of queue (`MAX_QUEUED_BYTES`),
/// the kernel's buffers at both ends, and as much again for what a batch adds.
const MOST_KEPT: u64 = 3 * 1024 * 1024;
/// For any answer beside a stalled reader. One blocking write to it would take 30 s.
const ANSWERED: Duration = Duration::from_secs(5);

/// Says `count` long texts, no faster than the readers in `World::at` follow.
fn say_long(world: &World, writer: &mut Writer, count: u64) {
    let mut line = Line::open(world.ws).expect("a connection");
    line.auth(&writer.guest.token, json!({})).expect("auth");
    for i in 0..count {
        world.brake(20);
        let text = format!("{i} {}", "x".repeat(LONG));
        let uuid = writer.rng.uuid();
        let data = json!({"type":"Text","text":text});
        let since = Instant::now();
        line.send(&json!({"type":"msg","uuid":uuid,"room":world.room,"data":data}))
            .expect("a frame sent");
        match line.read(DEADLINE) {
            Heard::Frame(answer) if answer["code"] == 0 => {
                let at = answer["at"].as_u64().expect("at");
                writer.acknowledged(world, &uuid, text, at);
            }
            other => panic!("no answer: {other:?}"),
        }
        writer.slowest = writer.slowest.max(since.elapsed());
    }
}

/// Reads a connection until it is over or the order is; answers why it is over.
fn read_on(world: &World, reader: &mut Reader, line: &mut Line) -> Option<String> {
    while reader.at() < world.goal() {
        world.in_time("a reader does not come to the end");
        match line.read(Duration::from_millis(100)) {
            Heard::Frame(frame) => reader.hear(world, &frame),
            Heard::Nothing => {}
            Heard::Over(why) => return Some(why),
        }
    }
    None
}

#[test]
fn a_stalled_reader_is_cut_costs_the_others_nothing_and_resumes_without_a_gap() {
    let _alone = alone();
    let (seed, mut rng) = Rng::seeded("PARLOR_STRESS_SEED");
    let server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let owner = create(&http, json!({"userName":"owner"}));
    let guest = || join(&http, &owner.room_id);
    let mut writer = Writer::new(guest(), rng.fork());
    let mut stalled = Reader::new(guest(), rng.fork(), Way::Socket, 5);
    let mut readers: Vec<_> = (0..5)
        .map(|index| Reader::new(guest(), rng.fork(), Way::Socket, index))
        .collect();
    let mut world = World::new(&server, &owner, seed, 6, Duration::from_secs(30));
    // Nobody waits for the one that stalls.
    world.at[5] = AtomicU64::new(u64::MAX);
    let world = &world;

    let mut line = stalled.resume(world, Some(SMALL_BUFFER));
    let order = std::thread::scope(|threads| {
        for reader in &mut readers {
            threads.spawn(move || {
                let mut line = reader.resume(world, None);
                let over = read_on(world, reader, &mut line);
                assert_eq!(over, None, "{} reads on", reader.whose(world));
            });
        }
        // It is live before it stalls.
        say_long(world, &mut writer, 5);
        let live = 7 + 1 + 5;
        while stalled.at() < live {
            match line.read(DEADLINE) {
                Heard::Frame(frame) => stalled.hear(world, &frame),
                other => panic!("{other:?}: {}", stalled.whose(world)),
            }
        }
        world.at[5].store(u64::MAX, Ordering::SeqCst);
        say_long(world, &mut writer, MANY);
        settle(world, &owner)
    });
    assert!(
        writer.slowest < ANSWERED,
        "an answer took {:?}",
        writer.slowest
    );
    let places = holds(&order, &writer.said);
    for reader in &readers {
        equal(world, reader, &order, &writer.said, &places);
    }

    // It reads on, gets what was on its way without a gap, and learns that it was cut.
    let before = stalled.at();
    let over = read_on(world, &mut stalled, &mut line);
    let over = over.unwrap_or_else(|| panic!("it was not cut: {}", stalled.whose(world)));
    let kept = (stalled.at() - before) * LONG as u64;
    println!(
        "stalled at {before}, cut at {} ({over}): {kept} bytes",
        stalled.at()
    );
    stalled.was_cut(world, &over);
    assert!(kept < MOST_KEPT, "{kept} bytes were kept for it");

    let mut line = stalled.resume(world, None);
    let over = read_on(world, &mut stalled, &mut line);
    assert_eq!(over, None, "resumed, it is not cut again");
    stalled.nothing_more(world);
    equal(world, &stalled, &order, &writer.said, &places);
}

#[test]
fn a_reader_that_stalls_while_it_catches_up_is_waited_for_and_goes_live_without_a_gap() {
    let _alone = alone();
    let (seed, mut rng) = Rng::seeded("PARLOR_STRESS_SEED");
    let server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let owner = create(&http, json!({"userName":"owner"}));
    let guest = || join(&http, &owner.room_id);
    let mut writer = Writer::new(guest(), rng.fork());
    let mut reader = Reader::new(guest(), rng.fork(), Way::Socket, 0);
    let world = &World::new(&server, &owner, seed, 1, Duration::from_secs(30));
    world.at[0].store(u64::MAX, Ordering::SeqCst);
    say_long(world, &mut writer, MANY);

    let mut line = reader.resume(world, Some(SMALL_BUFFER));
    // More than is kept for a live one comes while it reads nothing.
    say_long(world, &mut writer, MANY / 2);
    let order = std::thread::scope(|threads| {
        let reading = threads.spawn(|| read_on(world, &mut reader, &mut line));
        // And some while it catches up, and when it has.
        say_long(world, &mut writer, MANY / 2);
        let order = settle(world, &owner);
        let over = reading.join().expect("a transcript without a gap");
        assert_eq!(over, None, "a reader that takes what it missed is not cut");
        order
    });
    reader.nothing_more(world);
    let places = holds(&order, &writer.said);
    equal(world, &reader, &order, &writer.said, &places);
}
