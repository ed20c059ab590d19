//! `kill -9` at random moments, with writers and readers at full speed: what was acknowledged is
//! there once, and nobody saw what is not there.
//!
//! `PARLOR_CRASH_ROUNDS` sets how many kills (50), `PARLOR_CRASH_SEED` repeats the random choices;
//! the moments depend on the machine too.

mod support;

use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{
    Caller, DEADLINE, Entry, Guest, Heard, Line, Rng, Server, What, create, join, until,
};

/// Messages of one socket writer that wait for their answer; 32 are allowed.
const WINDOW: usize = 24;
/// Frames of a transcript that a failure shows.
const TAIL: usize = 8;

/// The running parlor of one round, and what stays the same in all of them.
#[derive(Clone, Copy)]
struct Place<'a> {
    http: SocketAddr,
    ws: SocketAddr,
    room: u64,
    epoch: &'a str,
    /// No thread of a round outlives it.
    deadline: Instant,
}

struct Writer {
    guest: Guest,
    over_http: bool,
    rng: Rng,
    made: u64,
    /// Sent, and not answered with code 0 yet: uuid and text, in the order of sending.
    unanswered: Vec<(String, String)>,
    /// By uuid: place and text.
    stored: HashMap<String, (u64, String)>,
    /// The uuids of `stored`, to pick one.
    uuids: Vec<String>,
}

impl Writer {
    fn new(guest: Guest, over_http: bool, rng: Rng) -> Writer {
        Writer {
            guest,
            over_http,
            rng,
            made: 0,
            unanswered: vec![],
            stored: HashMap::new(),
            uuids: vec![],
        }
    }

    /// What to say again after a restart: all that was not answered, and one that was.
    fn again(&mut self) -> VecDeque<(String, String)> {
        let mut again: VecDeque<_> = self.unanswered.iter().cloned().collect();
        if !self.uuids.is_empty() {
            let index = self.rng.below(self.uuids.len() as u64) as usize;
            let uuid = self.uuids[index].clone();
            let text = self.stored[&uuid].1.clone();
            again.push_back((uuid, text));
        }
        again
    }

    fn new_message(&mut self) -> (String, String) {
        self.made += 1;
        let mut text = format!("{}.{}", self.guest.id, self.made);
        if self.rng.percent(5) {
            // Long ones fill the write-ahead log, so that kills meet checkpoints.
            text += &" long".repeat(self.rng.below(400) as usize);
        }
        let message = (self.rng.uuid(), text);
        self.unanswered.push(message.clone());
        message
    }

    /// Answered with code 0 and this place.
    fn acknowledged(&mut self, uuid: &str, at: u64) {
        if let Some((before, text)) = self.stored.get(uuid) {
            assert_eq!(
                *before, at,
                "{uuid} ({text:?}) said again has another place"
            );
            return;
        }
        let index = self.unanswered.iter().position(|(u, _)| u == uuid);
        let index = index.unwrap_or_else(|| panic!("an answer to {uuid}, which was never sent"));
        let (uuid, text) = self.unanswered.remove(index);
        self.uuids.push(uuid.clone());
        self.stored.insert(uuid, (at, text));
    }

    /// Says the rest again and then, where it is to go `on`, new messages until parlor is gone.
    fn talk(&mut self, place: Place, on: bool) -> Result<(), String> {
        if self.over_http {
            self.post(place, on)
        } else {
            self.send(place, on)
        }
    }

    fn send(&mut self, place: Place, on: bool) -> Result<(), String> {
        let mut line = Line::open(place.ws)?;
        line.auth(&self.guest.token, json!({}))?;
        let mut again = self.again();
        let mut waiting: HashMap<String, String> = HashMap::new();
        loop {
            while waiting.len() < WINDOW && (on || !again.is_empty()) {
                let (uuid, text) = again.pop_front().unwrap_or_else(|| self.new_message());
                let data = json!({"type":"Text","text":text});
                let frame = json!({"type":"msg","uuid":uuid,"room":place.room,"data":data});
                waiting.insert(uuid, text);
                line.send(&frame)?;
            }
            if waiting.is_empty() {
                return Ok(());
            }
            assert!(
                Instant::now() < place.deadline,
                "a writer's round never ends"
            );
            match line.read(DEADLINE) {
                Heard::Frame(frame) if frame["type"] == "send" => {
                    let uuid = frame["uuid"].as_str().expect("a uuid");
                    let (uuid, text) = waiting.remove_entry(uuid).expect("an answer to mine");
                    match frame["code"].as_u64() {
                        Some(0) => self.acknowledged(&uuid, frame["at"].as_u64().expect("at")),
                        Some(7 | 9) => again.push_back((uuid, text)),
                        _ => panic!("{frame}"),
                    }
                }
                Heard::Frame(_) => {}
                Heard::Over(why) => return Err(why),
                Heard::Nothing => panic!("no answer within {DEADLINE:?}: {waiting:?}"),
            }
        }
    }

    fn post(&mut self, place: Place, on: bool) -> Result<(), String> {
        let mut caller = Caller::new(place.http, &self.guest.token);
        let mut again = self.again();
        while on || !again.is_empty() {
            assert!(
                Instant::now() < place.deadline,
                "a writer's round never ends"
            );
            let (uuid, text) = again.pop_front().unwrap_or_else(|| self.new_message());
            let body = self.guest.message(json!({"content":text,"uuid":uuid}));
            let answer = caller.post("/message/send", &body)?;
            match answer["code"].as_str() {
                None => {
                    assert_eq!(answer["message"], "发送成功", "{answer}");
                    assert_eq!(answer["data"]["uuid"], uuid, "{answer}");
                    self.acknowledged(&uuid, answer["data"]["at"].as_u64().expect("at"));
                }
                Some("busy" | "not_confirmed") => again.push_back((uuid, text)),
                Some(_) => panic!("{answer}"),
            }
        }
        Ok(())
    }
}

struct Reader {
    guest: Guest,
    over_http: bool,
    /// Place 1 first; never has a gap.
    seen: Vec<Entry>,
}

impl Reader {
    fn at(&self) -> u64 {
        self.seen.len() as u64
    }

    fn tail(&self) -> &[Entry] {
        &self.seen[self.seen.len().saturating_sub(TAIL)..]
    }

    fn take(&mut self, entry: Entry) {
        assert_eq!(
            entry.at,
            self.at() + 1,
            "{} was to see the next place, and saw {entry:?} after {:#?}",
            self.guest.name,
            self.tail()
        );
        self.seen.push(entry);
    }

    /// Reads on until `goal`, or parlor is gone.
    fn follow(&mut self, place: Place, goal: u64) -> Result<(), String> {
        if self.over_http {
            self.fetch(place, goal)
        } else {
            self.listen(place, goal)
        }
    }

    fn listen(&mut self, place: Place, goal: u64) -> Result<(), String> {
        let mut line = Line::open(place.ws)?;
        let resume = json!({place.room.to_string(): self.at()});
        let fields = json!({"v":1,"resume":resume,"epoch":place.epoch});
        let answer = line.auth(&self.guest.token, fields)?;
        let told = (&answer["epoch"], &answer["rooms"][0]["complete"]);
        let whole = (&json!(place.epoch), &json!(true));
        assert_eq!(told, whole, "after {}: {answer}", self.at());
        while self.at() < goal {
            match line.read(Duration::from_millis(200)) {
                Heard::Frame(frame) if frame["type"] == "presence" => {}
                Heard::Frame(frame) => {
                    let entry = Entry::of_frame(&frame);
                    self.take(entry.unwrap_or_else(|| panic!("no entry: {frame}")));
                }
                // The next round's resume brings the rest.
                Heard::Over(why) => return Err(why),
                Heard::Nothing => assert!(
                    Instant::now() < place.deadline,
                    "{} saw nothing more after {:#?}",
                    self.guest.name,
                    self.tail()
                ),
            }
        }
        Ok(())
    }

    fn fetch(&mut self, place: Place, goal: u64) -> Result<(), String> {
        let mut caller = Caller::new(place.http, &self.guest.token);
        while self.at() < goal {
            let asked = json!({"after":self.at(),"epoch":place.epoch,"v":1,"wait":1});
            let page = caller.post("/message/fetch", &self.guest.body(asked))?;
            assert_eq!(page["success"], true, "{page}");
            let told = (&page["epoch"], &page["complete"]);
            assert_eq!(told, (&json!(place.epoch), &json!(true)), "{page}");
            let entries = page["data"].as_array().expect("a list");
            entries.iter().for_each(|e| self.take(Entry::of_fetch(e)));
            assert_eq!(page["next"], self.at(), "after the last entry");
            assert!(
                Instant::now() < place.deadline,
                "{} saw nothing more after {:#?}",
                self.guest.name,
                self.tail()
            );
        }
        Ok(())
    }

    /// Everything seen from `from` on stands in the order.
    fn saw_only(&self, order: &[Entry], from: usize) {
        for (i, entry) in self.seen.iter().enumerate().skip(from) {
            assert_eq!(
                Some(entry),
                order.get(i),
                "{} saw what the database does not hold at place {}; the order ends at {}, the \
                 transcript with {:#?}",
                self.guest.name,
                i + 1,
                order.len(),
                self.tail()
            );
        }
    }
}

/// What writers were told is so, from place `from` + 1 on, and no uuid is there twice.
fn holds(order: &[Entry], writers: &[Writer]) {
    let mut uuids = HashSet::new();
    for entry in order.iter().filter(|e| !e.uuid.is_empty()) {
        assert_eq!(entry.seq, entry.at, "a message stands where it was said");
        assert!(uuids.insert(&entry.uuid), "there twice: {entry:?}");
    }
    for writer in writers {
        for (uuid, (at, text)) in &writer.stored {
            let entry = order.get(*at as usize - 1);
            let found = entry.map(|e| (&e.uuid, &e.what));
            let what = What::Text(text.clone());
            assert_eq!(
                found,
                Some((uuid, &what)),
                "acknowledged at {at} and not there; the order ends at {}",
                order.len()
            );
        }
    }
}

fn place<'a>(server: &Server, room: u64, epoch: &'a str) -> Place<'a> {
    Place {
        http: server.http,
        ws: server.ws,
        room,
        epoch,
        deadline: Instant::now() + 2 * DEADLINE,
    }
}

#[test]
fn after_kill_9_every_acknowledged_message_is_there_once_and_nobody_saw_another() {
    let rounds: u64 = match std::env::var("PARLOR_CRASH_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("PARLOR_CRASH_ROUNDS is a number"),
        Err(_) => 50,
    };
    let (_, mut rng) = Rng::seeded("PARLOR_CRASH_SEED");
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let owner = create(&http, json!({"userName":"owner"}));
    let room = owner.room;
    let guest = || join(&http, &owner.room_id);
    let mut writers: Vec<_> = [false, false, true]
        .map(|over_http| Writer::new(guest(), over_http, rng.fork()))
        .into();
    let mut readers: Vec<_> = [false, false, false, true]
        .map(|over_http| Reader {
            guest: guest(),
            over_http,
            seen: vec![],
        })
        .into();
    let epoch = owner.with_token().fetch(json!({"after":0}))["epoch"].clone();
    let epoch = epoch.as_str().expect("an epoch").to_string();

    let mut order: Vec<Entry> = vec![];
    let mut unanswered_stored = 0;
    let began = Instant::now();
    for round in 0..rounds {
        // One kill in ten meets the start, the others writers at full speed.
        let life = match rng.percent(10) {
            true => rng.millis(10),
            false => Duration::from_millis(40) + rng.millis(120),
        };
        let now = place(&server, room, &epoch);
        let before: Vec<_> = readers.iter().map(|reader| reader.seen.len()).collect();
        let killed = &AtomicBool::new(false);
        // A reader that is too slow for this machine may be cut; nothing else may end before parlor.
        let ended = move |outcome: Result<(), String>| {
            let why = outcome.expect_err("only parlor's end ends a round");
            let early = !killed.load(Ordering::SeqCst) && why != "closed 1013";
            assert!(!early, "over before the kill: {why}");
        };
        std::thread::scope(|threads| {
            for writer in &mut writers {
                threads.spawn(move || ended(writer.talk(now, true)));
            }
            for reader in &mut readers {
                threads.spawn(move || ended(reader.follow(now, u64::MAX)));
            }
            std::thread::sleep(life);
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
        server.restart();

        let mut caller = Caller::new(server.http, &owner.token);
        let known = order.len();
        order.extend(caller.order(room, known as u64));
        let unanswered: HashSet<&String> = writers
            .iter()
            .flat_map(|w| w.unanswered.iter().map(|(uuid, _)| uuid))
            .collect();
        let stored = order[known..]
            .iter()
            .filter(|e| unanswered.contains(&e.uuid));
        unanswered_stored += stored.count();
        holds(&order, &writers);
        for (reader, from) in readers.iter().zip(before) {
            reader.saw_only(&order, from);
        }
        println!(
            "round {round}: killed after {life:?}, {} entries, {} unanswered",
            order.len(),
            unanswered.len()
        );
    }

    // Nobody is killed any more: what was not answered is said again, and readers come to the end.
    let now = place(&server, room, &epoch);
    for writer in &mut writers {
        writer.talk(now, false).expect("parlor runs");
        assert_eq!(writer.unanswered, [], "all is answered");
    }
    let mut caller = Caller::new(server.http, &owner.token);
    let last = caller.order(room, 0);
    assert_eq!(last[..order.len()], order, "the past stays as it was");
    holds(&last, &writers);
    let said = last.iter().filter(|e| !e.uuid.is_empty()).count();
    let stored: usize = writers.iter().map(|w| w.stored.len()).sum();
    assert_eq!(said, stored, "messages there, and messages acknowledged");
    for reader in &mut readers {
        until("a reader at the end of the order", || {
            reader.follow(now, last.len() as u64).is_ok()
        });
        assert_eq!(reader.at(), last.len() as u64);
        reader.saw_only(&last, 0);
    }
    let resumed: Value = readers.iter().map(Reader::at).collect();
    println!(
        "{rounds} kills in {:?}: {} places, {stored} messages, {unanswered_stored} stored though \
         their answer was lost; readers at {resumed}",
        began.elapsed(),
        last.len()
    );
}
