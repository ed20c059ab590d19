//! The past of a room: pages to an explicit end, memory and database read as one, what is no
//! longer kept, and search.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;
use support::{Caller, DEADLINE, Guest, Heard, Line, Server, create, join_as, places, until, uuid};

/// Half of the requests that a socket may have unanswered: an answer that was read may still
/// count for a moment.
const IN_FLIGHT: usize = 16;

fn server(args: &[&str]) -> Server {
    Server::start(&[&["--user-rate", "0", "--room-rate", "0"], args].concat())
}

/// Ada, who made the room, and Bob. Their coming takes the places 1 and 2.
fn two(server: &Server) -> (Guest, Guest) {
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"})).with_token();
    let bob = json!({"roomId":ada.room_id,"userName":"Bob"});
    let bob = join_as(&http, bob).with_token();
    (ada, bob)
}

fn line(server: &Server, guest: &Guest) -> Line {
    let mut line = Line::open(server.ws).expect("a line");
    line.auth(&guest.token, json!({})).expect("auth");
    line
}

/// The next frame that is an answer.
fn answer(line: &mut Line) -> Value {
    loop {
        match line.read(DEADLINE) {
            Heard::Frame(frame) if frame.get("code").is_some() => return frame,
            Heard::Frame(_) => {}
            other => panic!("{other:?}, not an answer"),
        }
    }
}

/// Says these texts, a few in flight; answers their uuids.
fn say_all(line: &mut Line, room: u64, texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let texts: Vec<_> = texts.into_iter().collect();
    let mut uuids = vec![];
    for chunk in texts.chunks(IN_FLIGHT) {
        for text in chunk {
            let (uuid, data) = (uuid(), json!({"type":"Text","text":text}));
            line.send(&json!({"type":"msg","uuid":uuid,"room":room,"data":data}))
                .expect("sent");
            uuids.push(uuid);
        }
        for _ in chunk {
            let answer = answer(line);
            assert_eq!(answer["code"], 0, "{answer}");
        }
    }
    uuids
}

fn entries(page: &Value) -> &Vec<Value> {
    page["data"].as_array().expect("a list")
}

fn texts(frames: &[Value]) -> Vec<String> {
    let text = |f: &Value| f["data"]["data"]["text"].as_str().map(str::to_owned);
    frames.iter().filter_map(text).collect()
}

/// Reads pages of a room on one transport.
enum Pages {
    Http(Caller),
    Socket(Line),
}

impl Pages {
    fn both(server: &Server, guest: &Guest) -> [Pages; 2] {
        [
            Pages::Http(Caller::new(server.http, &guest.token)),
            Pages::Socket(line(server, guest)),
        ]
    }

    /// `at`: the way and where from; none for the newest.
    fn page(&mut self, room: u64, at: Option<(&str, u64)>, limit: u64) -> Value {
        let page = match self {
            Pages::Http(caller) => {
                let at = at.map_or(String::new(), |(way, at)| format!("{way}={at}&"));
                let path = format!("/rooms/{room}/messages?{at}limit={limit}");
                caller.get(&path).expect("a page")
            }
            Pages::Socket(line) => {
                let mut request = json!({"type":"history","room":room,"limit":limit});
                if let Some((way, at)) = at {
                    request[way] = json!(at);
                }
                line.send(&request).expect("sent");
                answer(line)
            }
        };
        assert_eq!(page["code"], 0, "{page}");
        page
    }

    /// From a place to the end.
    fn onwards(&mut self, room: u64, after: u64, limit: u64) -> Vec<Value> {
        let (mut all, mut at) = (vec![], after);
        loop {
            let page = self.page(room, Some(("after", at)), limit);
            assert_eq!(page["complete"], true, "after {at}");
            let found = places(entries(&page));
            let expected: Vec<u64> = (at + 1..).take(found.len()).collect();
            assert_eq!(found, expected, "after {at}");
            assert_eq!(page["next"], at + found.len() as u64);
            all.extend(entries(&page).iter().cloned());
            if page["more"] == false {
                return all;
            }
            assert!(!found.is_empty(), "nothing, and more: {page}");
            at = page["next"].as_u64().expect("next");
        }
    }

    /// From the newest back to the first that is kept; and the last page.
    fn back(&mut self, room: u64, limit: u64) -> (Vec<Value>, Value) {
        let (mut all, mut at): (Vec<Value>, _) = (vec![], None);
        loop {
            let mut page = self.page(room, at.map(|at| ("before", at)), limit);
            let found = places(entries(&page));
            if let Some(at) = at {
                let expected: Vec<u64> = (at - found.len() as u64..at).collect();
                assert_eq!(found, expected, "before {at}");
            }
            all.splice(0..0, entries(&page).iter().cloned());
            if page["more"] == false {
                page["data"] = json!(null);
                return (all, page);
            }
            assert_eq!(page["complete"], true, "before {at:?}");
            assert_eq!(page["next"], found[0], "before {at:?}");
            at = Some(found[0]);
        }
    }
}

/// The whole room, which has to be the same both ways, over HTTP and on a socket.
fn whole(server: &Server, guest: &Guest, limits: &[u64]) -> Vec<Value> {
    let mut readings = vec![];
    for mut pages in Pages::both(server, guest) {
        for limit in limits {
            readings.push(pages.onwards(guest.room, 0, *limit));
            let (all, end) = pages.back(guest.room, *limit);
            assert_eq!(
                (&end["next"], &end["complete"], &end["more"]),
                (&json!(1), &json!(true), &json!(false))
            );
            readings.push(all);
        }
    }
    let first = readings.swap_remove(0);
    for other in readings {
        assert!(other == first, "each reading is the same");
    }
    first
}

// ---- Pages ----

#[test]
fn pages_lead_both_ways_to_an_explicit_end() {
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    let mut bobs = line(&server, &bob);
    say_all(&mut bobs, bob.room, (0..420).map(|i| i.to_string()));
    let all = whole(&server, &ada, &[1, 7, 200, 100_000]);
    assert_eq!(all.len(), 422);
    let said: Vec<_> = (0..420).map(|i| i.to_string()).collect();
    assert_eq!(texts(&all), said);
    server.restart();
    let ada = ada.via(&server.client());
    assert!(whole(&server, &ada, &[1, 7, 200]) == all, "also afterwards");
}

#[test]
fn where_there_is_nothing_a_page_says_so() {
    let server = server(&["--data", "none"]);
    let (ada, bob) = two(&server);
    bob.say("three");
    for mut pages in Pages::both(&server, &ada) {
        for (at, found, next, complete, more) in [
            (None, vec![1, 2, 3], 1, true, false),
            (Some(("after", 0)), vec![1, 2, 3], 3, true, false),
            (Some(("after", 3)), vec![], 3, true, false),
            (Some(("after", 4)), vec![], 3, false, false),
            (Some(("before", 0)), vec![], 1, true, false),
            (Some(("before", 1)), vec![], 1, true, false),
            (Some(("before", 2)), vec![1], 1, true, false),
            (Some(("before", 4)), vec![1, 2, 3], 1, true, false),
            (Some(("before", 5)), vec![1, 2, 3], 1, false, false),
        ] {
            let page = pages.page(ada.room, at, 10);
            let told = [&page["next"], &page["complete"], &page["more"]];
            assert_eq!(places(entries(&page)), found, "{at:?}");
            assert_eq!(
                told,
                [&json!(next), &json!(complete), &json!(more)],
                "{at:?}"
            );
        }
        let page = pages.page(ada.room, Some(("after", 0)), 3);
        assert_eq!(page["more"], false, "as many as there are");
        let page = pages.page(ada.room, None, 2);
        assert_eq!((&page["next"], &page["more"]), (&json!(2), &json!(true)));
    }
}

#[test]
fn rooms_larger_than_memory_read_as_one_with_the_database() {
    let mut server = server(&["--memory", "1"]);
    let http = server.client();
    let makers: Vec<_> = (0..3)
        .map(|_| create(&http, json!({})).with_token())
        .collect();
    let mut lines: Vec<_> = makers.iter().map(|maker| line(&server, maker)).collect();
    let text = |room: u64, i: usize| {
        let length = [10, 700, 60, 3_900][i % 4];
        format!("{room}-{i} {}", "x".repeat(length - 10))
    };
    // In turn, so that each room is thrown out of memory while others are read and written.
    const PARTS: usize = 6;
    const EACH: usize = 80;
    for part in 0..PARTS {
        for (maker, line) in makers.iter().zip(&mut lines) {
            let these = (part * EACH..(part + 1) * EACH).map(|i| text(maker.room, i));
            say_all(line, maker.room, these);
            let drained = maker.fetch(json!({"after":0,"limit":5}));
            assert_eq!(entries(&drained).len(), 5);
        }
    }
    let read = |server: &Server| -> BTreeMap<u64, Vec<Value>> {
        let http = server.client();
        let via = |maker: &Guest| maker.via(&http).with_token();
        makers
            .iter()
            .map(|maker| (maker.room, whole(server, &via(maker), &[33, 200])))
            .collect()
    };
    let before = read(&server);
    let mut bytes = 0;
    for maker in &makers {
        let said: Vec<_> = (0..PARTS * EACH).map(|i| text(maker.room, i)).collect();
        bytes += said.iter().map(String::len).sum::<usize>();
        assert!(texts(&before[&maker.room]) == said, "room {}", maker.room);
    }
    assert!(bytes > 3 << 19, "{bytes} bytes do not fit into 1 MiB");
    server.restart_with("--memory", "64");
    assert!(read(&server) == before, "the same with plenty of memory");
    // Fetches by cursor walk over the border, too.
    let maker = makers[0].via(&server.client()).with_token();
    let (mut at, mut seen) = (0, 0);
    loop {
        let page = maker.fetch(json!({"after":at,"limit":100}));
        assert_eq!(page["complete"], true);
        if entries(&page).is_empty() {
            break;
        }
        assert_eq!(places(entries(&page))[0], at + 1);
        seen += entries(&page).len();
        at = page["next"].as_u64().expect("next");
    }
    assert_eq!(seen, before[&maker.room].len());
}

// ---- What is no longer kept ----

/// Waits until exactly the newest `keep` of `last` entries are kept.
fn until_pruned(server: &Server, guest: &Guest, last: u64, keep: u64) {
    let mut pages = Pages::Http(Caller::new(server.http, &guest.token));
    until("the oldest entries are gone", || {
        let page = pages.page(guest.room, Some(("after", 0)), 1);
        places(entries(&page)) == [last - keep + 1]
    });
}

#[test]
fn only_the_newest_entries_are_kept_and_nobody_takes_the_rest_for_all() {
    const SAID: u64 = 1_198;
    const LAST: u64 = SAID + 2;
    const KEEP: u64 = 150;
    const FLOOR: u64 = LAST - KEEP;
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    let small = create(&server.client(), json!({})).with_token();
    small.say("few are all kept");
    let mut bobs = line(&server, &bob);
    let uuids = say_all(&mut bobs, bob.room, (0..SAID).map(|i| format!("text {i}")));
    let all = whole(&server, &ada, &[200]);
    let epoch = ada.fetch(json!({"after":LAST}))["epoch"].clone();

    server.restart_with("--keep-messages", &KEEP.to_string());
    let http = server.client();
    let [ada, bob, small] = [ada, bob, small].map(|guest| guest.via(&http).with_token());
    until_pruned(&server, &ada, LAST, KEEP);
    assert_eq!(whole(&server, &small, &[1, 200]).len(), 2);
    for mut pages in Pages::both(&server, &ada) {
        for limit in [1, 40, 200] {
            let (kept, end) = pages.back(ada.room, limit);
            assert!(kept == all[FLOOR as usize..], "the newest, unchanged");
            assert_eq!(
                (&end["complete"], &end["more"], &end["next"]),
                (&json!(false), &json!(false), &json!(FLOOR + 1)),
                "the end of what is kept is not the beginning"
            );
            assert!(pages.onwards(ada.room, FLOOR, limit) == kept);
        }
        for at in [0, 1, FLOOR - 1] {
            let page = pages.page(ada.room, Some(("after", at)), 5);
            assert_eq!(page["complete"], false, "after {at}");
            assert_eq!(places(entries(&page))[0], FLOOR + 1);
        }
        for at in [1, FLOOR, FLOOR + 1] {
            let page = pages.page(ada.room, Some(("before", at)), 5);
            let told = (&page["data"], &page["complete"], &page["more"]);
            assert_eq!(
                told,
                (&json!([]), &json!(false), &json!(false)),
                "before {at}"
            );
        }
    }

    // The cursor of the room API.
    for (at, complete) in [(0, false), (FLOOR - 1, false), (FLOOR, true), (LAST, true)] {
        let page = ada.fetch(json!({"after":at,"epoch":epoch,"limit":1000}));
        assert_eq!(page["complete"], complete, "after {at}");
        let expected: Vec<u64> = (at.max(FLOOR) + 1..=LAST).collect();
        assert_eq!(places(entries(&page)), expected, "after {at}");
    }
    // A socket that resumes.
    for (at, complete) in [(1, false), (FLOOR - 1, false), (FLOOR, true), (LAST, true)] {
        let mut ws = server.socket();
        let resume = json!({"resume":{(ada.room.to_string()):at},"epoch":epoch});
        let greeting = ws.auth_with(&ada.token, resume);
        assert_eq!(greeting["rooms"][0]["complete"], complete, "from {at}");
        for place in at.max(FLOOR) + 1..=LAST {
            assert_eq!(ws.recv()["at"], place, "from {at}");
        }
        ws.nothing_more();
    }
    // A drain hands over what is left.
    let mut drained = vec![];
    loop {
        let page = ada.drain();
        if page.is_empty() {
            break;
        }
        drained.extend(places(&page));
    }
    assert_eq!(
        drained,
        Vec::<u64>::new(),
        "the cursor went to the end before"
    );

    // Messages that are gone cannot be changed or answered, and their uuids are free.
    let kept = uuids.len() - KEEP as usize;
    let mut ws = server.login(&bob.token);
    for (uuid, code) in [(&uuids[0], 3), (&uuids[kept - 1], 3), (&uuids[kept], 0)] {
        let data = json!({"type":"Text","text":"another text"});
        let edit = json!({"type":"edit","room":bob.room,"uuid":uuid,"data":data});
        assert_eq!(ws.ask(edit)["code"], code);
    }
    assert_eq!(
        ws.ask(json!({"type":"delete","room":bob.room,"uuid":uuids[1]}))["code"],
        3
    );
    let reply = json!({"content":"to whom?","reply":FLOOR});
    bob.send(reply).refused(400, "bad_field");
    let again = bob.say_as(&uuids[0], "text 0");
    assert_eq!(again["at"], LAST + 2, "a new message");
    let stays = bob.send(json!({"content":"x","uuid":uuids[kept + 1]}));
    stays.refused(409, "uuid_taken");
    let search = format!("/rooms/{}/search?q=text", bob.room);
    let found = bob.http.get(&search).done(200).clone();
    assert_eq!(found["more"], false);
    assert_eq!(found["complete"], false, "older ones are not kept");
    assert_eq!(found["next"], FLOOR + 1);

    server.restart_with("--keep-messages", "0");
    let ada = ada.via(&server.client()).with_token();
    let mut pages = Pages::Socket(line(&server, &ada));
    let (kept, end) = pages.back(ada.room, 200);
    assert_eq!(kept.len() as u64, KEEP + 2, "nothing comes back");
    assert_eq!(end["complete"], false);
    let again = ada.http.get(&search).done(200)["data"].clone();
    assert_eq!(again, found["data"]);
}

/// The entries of a stopped parlor become older than they are.
fn age(server: &Server, which: &str, days: i64) {
    let db = rusqlite::Connection::open(server.data()).expect("the file");
    let nanos = days * 24 * 3600 * 1_000_000_000;
    let sql = format!("UPDATE entries SET sent = sent - {nanos} WHERE {which}");
    db.execute(&sql, []).expect("older entries");
}

#[test]
fn entries_older_than_the_days_kept_go_from_the_front() {
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    let said = (3..=400).map(|i| i.to_string());
    say_all(&mut line(&server, &bob), bob.room, said);
    server.stop();
    age(&server, "at <= 250", 3);
    // Behind a younger one it stays until that one goes: a cursor is one number.
    age(&server, "at = 300", 3);
    server.restart_with("--keep-days", "4");
    let [ada, bob] = [ada, bob].map(|guest| guest.via(&server.client()).with_token());
    until_pruned(&server, &ada, 400, 400);
    server.restart_with("--keep-days", "2");
    let [ada, bob] = [ada, bob].map(|guest| guest.via(&server.client()).with_token());
    until_pruned(&server, &ada, 400, 150);
    let (kept, end) = Pages::Socket(line(&server, &ada)).back(ada.room, 200);
    assert_eq!((kept.len(), &end["complete"]), (150, &json!(false)));
    let stays = bob.say_as(&uuid(), "goes on");
    assert_eq!(stays["at"], 401);

    // The strictest of both flags counts, and all may go.
    server.restart_with("--keep-messages", "20");
    let ada = ada.via(&server.client()).with_token();
    until_pruned(&server, &ada, 401, 20);
    server.stop();
    age(&server, "true", 3);
    server.restart();
    let [ada, bob] = [ada, bob].map(|guest| guest.via(&server.client()).with_token());
    let mut pages = Pages::Socket(line(&server, &ada));
    until("all are gone", || {
        entries(&pages.page(ada.room, None, 1)).is_empty()
    });
    // Nothing stands after either of these; the first cannot know what stood there.
    for (after, complete) in [(10, false), (401, true)] {
        let page = pages.page(ada.room, Some(("after", after)), 1);
        assert_eq!(
            (&page["next"], &page["complete"], &page["more"]),
            (&json!(401), &json!(complete), &json!(false))
        );
        let fetched = ada.fetch(json!({"after":after}));
        assert_eq!(
            (&fetched["next"], &fetched["complete"]),
            (&json!(401), &json!(complete))
        );
    }
    let page = pages.page(ada.room, None, 1);
    let told = (&page["complete"], &page["more"]);
    assert_eq!(told, (&json!(false), &json!(false)));
    assert_eq!(bob.say_as(&uuid(), "and on")["at"], 402);
    assert_eq!(places(entries(&pages.page(ada.room, None, 5))), [402]);
    assert_eq!(places(&ada.drain()).last(), Some(&402));
    server.restart();
    let bob = bob.via(&server.client()).with_token();
    assert_eq!(bob.say_as(&uuid(), "for ever")["at"], 403);
}

#[test]
fn pruned_texts_are_out_of_the_file() {
    let mut server = server(&[]);
    let (_, bob) = two(&server);
    let texts = (0..400).map(|i| format!("geheim {i} {}", "x".repeat(i * 9)));
    say_all(&mut line(&server, &bob), bob.room, texts);
    say_all(
        &mut line(&server, &bob),
        bob.room,
        (0..10).map(|i| format!("kept {i}")),
    );
    server.restart_with("--keep-messages", "10");
    until_pruned(&server, &bob.via(&server.client()), 412, 10);
    server.stop();
    for file in std::fs::read_dir(server.dir()).expect("a directory") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("a file");
        let found = bytes.windows(6).filter(|w| w == b"geheim").count();
        assert_eq!(found, 0, "pruned texts that are still in the file");
    }
}

/// Parlor prunes while others read: what is said of a page must be true at every moment.
#[test]
fn nothing_hides_what_is_pruned_while_it_is_read() {
    const SAID: u64 = 6_000;
    const KEEP: u64 = 10;
    const FLOOR: u64 = SAID + 2 - KEEP;
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    let texts = (0..SAID).map(|i| i.to_string());
    say_all(&mut line(&server, &bob), bob.room, texts);
    let epoch = ada.fetch(json!({"after":SAID}))["epoch"].clone();
    server.restart_with("--keep-messages", &KEEP.to_string());

    // Follows the pruning a step behind; `read` answers the first place after one, and whether
    // that was said to be all.
    type Read<'a> = &'a mut dyn FnMut(u64) -> (u64, bool);
    let follow = |from: u64, read: Read| {
        let (mut at, mut silent, start) = (from, vec![], Instant::now());
        while at < FLOOR {
            assert!(start.elapsed() < 3 * DEADLINE, "still at {at}");
            let (first, complete) = read(at);
            if complete && first != at + 1 {
                silent.push((at, first));
            }
            if first > at + 1 {
                // Near the end of what goes next.
                at = (first + 90).min(FLOOR);
            }
        }
        silent
    };
    let by_pages = |mut pages: Pages| {
        follow(0, &mut |at| {
            let page = pages.page(ada.room, Some(("after", at)), 1);
            let complete = page["complete"].as_bool().expect("complete");
            (places(entries(&page))[0], complete)
        })
    };
    let by_resume = || {
        // Closer to the end than what no resume reaches back to.
        follow(SAID - 4_500, &mut |at| {
            let mut line = Line::open(server.ws).expect("a line");
            let seen = json!({(ada.room.to_string()):at});
            let resume = json!({"v":1,"resume":seen,"epoch":epoch});
            let greeting = line.auth(&ada.token, resume).expect("auth");
            let complete = greeting["rooms"][0]["complete"] == true;
            match line.read(DEADLINE) {
                Heard::Frame(frame) => (frame["at"].as_u64().expect("at"), complete),
                // Come back and resume: that is no silence either.
                Heard::Over(_) => (at + 1, complete),
                Heard::Nothing => panic!("nothing after {at}"),
            }
        })
    };
    let (pages, resumes) = std::thread::scope(|scope| {
        let readers = Pages::both(&server, &ada).map(|pages| scope.spawn(|| by_pages(pages)));
        let resumes = by_resume();
        let pages = readers.into_iter().flat_map(|r| r.join().expect("read"));
        (pages.collect::<Vec<_>>(), resumes)
    });
    let what = "were said to be complete and began later: (place, first)";
    assert!(
        pages.is_empty() && resumes.is_empty(),
        "pages {pages:?}, resumes {resumes:?} {what}"
    );
}

/// A message is pruned, and an edit of it is still kept.
#[test]
fn an_edit_that_outlives_its_message_is_shown_the_same_after_a_restart() {
    const SAID: u64 = 5_000;
    const KEEP: u64 = 10;
    const FLOOR: u64 = SAID + 2 + 9 - KEEP;
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    let uuids = say_all(
        &mut line(&server, &bob),
        bob.room,
        (0..SAID).map(|i| i.to_string()),
    );
    server.restart_with("--keep-messages", &KEEP.to_string());
    let [ada, bob] = [ada, bob].map(|guest| guest.via(&server.client()).with_token());
    // While the oldest go, so that the edit is in memory when its message is pruned.
    let mut bobs = line(&server, &bob);
    let edited = &uuids[uuids.len() - 3];
    let data = json!({"type":"Text","text":"edited"});
    bobs.send(&json!({"type":"edit","room":bob.room,"uuid":edited,"data":data}))
        .expect("sent");
    assert_eq!(answer(&mut bobs)["code"], 0);
    let mut others = Pages::Socket(line(&server, &ada));
    say_all(&mut bobs, bob.room, (0..8).map(|i| format!("after {i}")));
    until_pruned(&server, &ada, SAID + 2 + 9, KEEP);
    // What was said since the start is in memory, a page that begins before is not.
    let read = |pages: &mut Pages, guest: &Guest| {
        let [old, new] = [FLOOR, SAID + 2].map(|at| {
            let fetched = guest.fetch(json!({"after":at,"v":1}))["data"].clone();
            (json!(pages.onwards(guest.room, at, 200)), fetched)
        });
        assert_eq!(
            old.0.as_array().expect("a list")[1..],
            *new.0.as_array().expect("a list")
        );
        assert_eq!(
            old.1.as_array().expect("a list")[1..],
            *new.1.as_array().expect("a list")
        );
        old
    };
    let before = read(&mut others, &ada);
    server.restart();
    let ada = ada.via(&server.client()).with_token();
    assert_eq!(before, read(&mut Pages::Socket(line(&server, &ada)), &ada));
}

// ---- Search ----

fn search(guest: &Guest, query: &str) -> Value {
    let path = format!("/rooms/{}/search?{query}", guest.room);
    guest.http.get(&path).done(200).clone()
}

/// All hits, going on from `next` until there is no more; and how many calls that took.
fn search_all(guest: &Guest, query: &str) -> (Vec<String>, usize) {
    let (mut hits, mut before, mut calls) = (vec![], String::new(), 0);
    let mut lowest = u64::MAX;
    loop {
        let page = search(guest, &format!("{query}{before}"));
        calls += 1;
        let found = entries(&page);
        for frame in found {
            let at = frame["at"].as_u64().expect("at");
            assert!(at < lowest, "newest first, none twice: {at} after {lowest}");
            lowest = at;
        }
        hits.extend(texts(found));
        if page["more"] == false {
            assert_eq!(
                (&page["complete"], &page["next"]),
                (&json!(true), &json!(1))
            );
            return (hits, calls);
        }
        let next = page["next"].as_u64().expect("next");
        assert!(next <= lowest && next > 1, "{next} goes on below {lowest}");
        before = format!("&before={next}");
    }
}

#[test]
fn search_finds_a_text_whatever_its_case_and_language_newest_first() {
    let mut server = server(&[]);
    let (ada, bob) = two(&server);
    for text in [
        "Hello, World",
        "ÄPFEL und Birnen",
        "今天天气很好",
        "say HELLO again",
        "100% sure_or \"not\"\\",
        "ΟΔΟΣ ΜΟΥ, ΟΔΟΣΜΟΥ",
        "天气",
    ] {
        bob.say(text);
    }
    for _ in 0..2 {
        let ada = ada.via(&server.client()).with_token();
        let found = |q: &str| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let query = query.append_pair("q", q).finish();
            texts(entries(&search(&ada, &query)))
        };
        let hello = ["say HELLO again", "Hello, World"];
        assert_eq!(found("hello"), hello);
        assert_eq!(found("HeLLo"), hello);
        assert_eq!(found("lo, w"), ["Hello, World"]);
        assert_eq!(found("äpfel"), ["ÄPFEL und Birnen"]);
        assert_eq!(found("天气"), ["天气", "今天天气很好"]);
        assert_eq!(found("今天天"), ["今天天气很好"]);
        // Nothing is a wildcard, and the JSON that keeps a text is not searched.
        assert_eq!(found("%"), ["100% sure_or \"not\"\\"]);
        assert_eq!(found("e_o"), ["100% sure_or \"not\"\\"]);
        assert_eq!(found("\"not\"\\"), ["100% sure_or \"not\"\\"]);
        for nothing in ["*", "text", "{", "Bob", "加入", "hello world"] {
            assert_eq!(found(nothing), Vec::<String>::new(), "{nothing}");
        }
        assert_eq!(found("οδο"), ["ΟΔΟΣ ΜΟΥ, ΟΔΟΣΜΟΥ"]);
        assert_eq!(found("ΟΔΟΣ Μ"), ["ΟΔΟΣ ΜΟΥ, ΟΔΟΣΜΟΥ"]);

        let both = search(&ada, "q=hello");
        let told = (&both["complete"], &both["more"], &both["next"]);
        assert_eq!(told, (&json!(true), &json!(false), &json!(1)));
        let all = format!("/rooms/{}/messages?before=4&limit=1", ada.room);
        let frame = ada.http.get(&all).done(200)["data"][0].clone();
        assert_eq!(entries(&both)[1], frame, "a hit is its frame");
        let one = search(&ada, "q=hello&limit=1");
        assert_eq!(
            (texts(entries(&one)), &one["more"]),
            (vec![hello[0].into()], &json!(true))
        );
        let next = format!("q=hello&limit=1&before={}", one["next"]);
        assert_eq!(texts(entries(&search(&ada, &next))), [hello[1]]);
        assert_eq!(entries(&search(&ada, "q=%E5%A4%A9%E6%B0%94")).len(), 2);
        assert_eq!(entries(&search(&ada, "q=Hello,+World")).len(), 1);
        assert_eq!(entries(&search(&ada, "q=hello&before=1")).len(), 0);
        assert_eq!(
            entries(&search(&ada, "q=hello&before=18446744073709551615")).len(),
            2
        );
        server.restart();
    }
}

/// Lower case makes Σ at the end of a word another letter than Σ within one.
#[test]
fn a_text_is_found_by_every_piece_of_itself() {
    let server = server(&["--data", "none"]);
    let (ada, bob) = two(&server);
    for text in ["ΟΔΟΣΜΟΥ", "İstanbul", "Straße"] {
        bob.say(text);
        let letters: Vec<char> = text.chars().collect();
        for from in 0..letters.len() {
            for to in from + 1..=letters.len() {
                let piece: String = letters[from..to].iter().collect();
                let mut query = form_urlencoded::Serializer::new(String::new());
                let query = query.append_pair("q", &piece).finish();
                let found = texts(entries(&search(&ada, &query)));
                assert!(found.contains(&text.to_string()), "{piece} of {text}");
            }
        }
    }
}

#[test]
fn a_search_goes_on_until_the_beginning_of_a_large_room() {
    const SAID: usize = 12_500;
    let mut server = server(&["--durability", "fast"]);
    let (ada, bob) = two(&server);
    let text = |i: usize| match i % 1_000 {
        0 => format!("Nadel {i}"),
        _ => format!("Heu {i}"),
    };
    say_all(&mut line(&server, &bob), bob.room, (0..SAID).map(text));
    let needles: Vec<_> = (0..SAID)
        .rev()
        .filter(|i| i % 1_000 == 0)
        .map(text)
        .collect();
    for _ in 0..2 {
        let ada = ada.via(&server.client()).with_token();
        let (hits, calls) = search_all(&ada, "q=nadel");
        assert_eq!(hits, needles);
        assert!(calls > 2, "{calls} calls: each is bounded");
        let (hits, calls) = search_all(&ada, "q=nadel&limit=2");
        assert_eq!(hits, needles);
        assert!(calls >= needles.len() / 2);
        let (hits, _) = search_all(&ada, "q=nowhere");
        assert_eq!(hits.len(), 0);
        let (hits, _) = search_all(&ada, "q=1");
        let ones = (0..SAID).rev().map(text).filter(|t| t.contains('1'));
        assert!(hits == ones.collect::<Vec<_>>(), "{} hits", hits.len());
        server.restart();
    }
}

#[test]
fn search_is_for_members_and_needs_something_to_look_for() {
    let server = server(&["--data", "none"]);
    let (ada, bob) = two(&server);
    bob.say("hello");
    let http = server.client();
    let stranger = create(&http, json!({}));
    let path = format!("/rooms/{}/search", ada.room);
    http.get(&format!("{path}?q=hello")).failed(401, 1);
    http.bearer("x")
        .get(&format!("{path}?q=hello"))
        .failed(401, 1);
    let strangers = http.bearer(&stranger.token);
    strangers.get(&format!("{path}?q=hello")).failed(403, 4);
    ada.http.get("/rooms/999/search?q=hello").failed(404, 3);
    for query in [
        "",
        "?q=",
        "?q=+",
        "?q=%20%09",
        "?before=3",
        "?q=hello&before=x",
        "?q=hello&before=-1",
        "?q=hello&limit=0",
        "?q=hello&limit=many",
    ] {
        ada.http.get(&format!("{path}{query}")).failed(400, 2);
    }
    assert_eq!(http.post(&format!("{path}?q=hello"), json!({})).status, 405);
    let by_id = format!("/rooms/{}/search?q=hello", ada.room_id);
    assert_eq!(entries(ada.http.get(&by_id).done(200)).len(), 1);
    let page = ada.http.get(&format!("{path}?q=hello&limit=1000"));
    assert_eq!(
        entries(page.done(200)).len(),
        1,
        "more than a page is a page"
    );
}
