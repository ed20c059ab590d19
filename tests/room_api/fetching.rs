//! Fetch: the document's drain, the cursor, waiting.

use crate::support::{DEADLINE, Guest, Server, Shape, create, join, join_as, places, texts, uuid};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Ada, and Bob who reads what she says.
fn two(server: &Server) -> (Guest, Guest) {
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (ada, bob)
}

fn entries(answer: &Value) -> Vec<Value> {
    answer["data"].as_array().expect("a list").clone()
}

#[test]
fn a_drain_gives_all_but_ones_own_in_order_and_once() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ada.drain();
    bob.say("one");
    ada.say("my own");
    bob.say("two");
    join_as(
        &server.client(),
        json!({"roomId":ada.room_id,"userName":"Cid"}),
    );
    bob.say("three");
    let pending = ada.drain();
    assert_eq!(texts(&pending), ["one", "two", "Cid加入了房间", "three"]);
    let at = places(&pending);
    assert!(at.is_sorted_by(|a, b| a < b), "{at:?}");
    assert_eq!(ada.drain(), [] as [Value; 0]);
    assert_eq!(
        texts(&bob.drain()),
        ["my own", "Cid加入了房间"],
        "each member has a cursor of its own"
    );
}

#[test]
fn entries_carry_what_a_newer_client_needs() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    let id = uuid();
    let answer = bob.say_as(&id, "hello");
    Shape::strict(&["reply"]).check(
        &json!(ada.drain()),
        &json!([
            {"type": "system", "content": "Bob加入了房间", "at": 2, "sent": "<utc-ms>"},
            {"type": "message", "userId": bob.user_id, "contentType": "text", "content": "hello",
             "at": 3, "seq": 3, "sent": answer["sent"], "uuid": id, "userName": "Bob", "modified": false}
        ]),
    );
}

#[test]
fn a_message_sent_without_a_uuid_is_given_one() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ada.say("one");
    ada.say("two");
    let pending = bob.drain();
    let mut shape = Shape::loose();
    shape.check(
        &json!(pending),
        &json!([{"uuid": "<uuid:one>"}, {"uuid": "<uuid:two>"}]),
    );
    assert_ne!(shape.get("one"), shape.get("two"));
}

#[test]
fn a_cursor_fetch_gives_what_stands_after_it_own_entries_included() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ada.say("mine");
    bob.say("his");
    let all = ada.fetch(json!({"after":0}));
    assert_eq!(
        texts(&entries(&all)),
        ["Ada加入了房间", "Bob加入了房间", "mine", "his"]
    );
    assert_eq!(places(&entries(&all)), [1, 2, 3, 4]);
    assert_eq!((&all["next"], &all["complete"]), (&json!(4), &json!(true)));
    Shape::loose().check(&all, &json!({"epoch": "<epoch>"}));

    let rest = ada.fetch(json!({"after":3,"epoch":all["epoch"]}));
    assert_eq!(texts(&entries(&rest)), ["his"]);
    assert_eq!(
        (&rest["next"], &rest["complete"], &rest["epoch"]),
        (&json!(4), &json!(true), &all["epoch"])
    );

    let end = ada.fetch(json!({"after":4}));
    assert_eq!(
        (entries(&end), &end["next"], &end["complete"]),
        (vec![], &json!(4), &json!(true))
    );
}

#[test]
fn a_cursor_fetch_lost_on_the_way_is_fetched_again() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ["one", "two", "three"]
        .iter()
        .for_each(|text| ada.say(text));
    let first = bob.fetch(json!({"after":2}));
    assert_eq!(texts(&entries(&first)), ["one", "two", "three"]);
    assert_eq!(bob.fetch(json!({"after":2}))["data"], first["data"]);
    bob.fetch(json!({"after":5}));
    assert_eq!(
        bob.fetch(json!({"after":2}))["data"],
        first["data"],
        "a cursor may go back"
    );
}

#[test]
fn a_cursor_fetch_acknowledges_up_to_its_cursor_and_nothing_beyond() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ["one", "two", "three"]
        .iter()
        .for_each(|text| ada.say(text));
    bob.fetch(json!({"after":3}));
    assert_eq!(
        texts(&bob.drain()),
        ["two", "three"],
        "\"one\" at 3 was acknowledged"
    );
    assert_eq!(bob.drain(), [] as [Value; 0]);
}

#[test]
fn a_cursor_that_cannot_be_right_is_never_a_silent_gap() {
    let server = Server::start(&[]);
    let (ada, _) = two(&server);
    let epoch = ada.fetch(json!({"after":0}))["epoch"].clone();
    assert_eq!(
        ada.fetch(json!({"after":2,"epoch":epoch}))["complete"],
        true
    );
    assert_eq!(
        ada.fetch(json!({"after":3}))["complete"],
        false,
        "beyond the end"
    );
    let other = if epoch.is_string() {
        json!(uuid())
    } else {
        json!(1)
    };
    assert_eq!(
        ada.fetch(json!({"after":2,"epoch":other}))["complete"],
        false,
        "of another sequence"
    );
}

#[test]
fn a_cursor_past_all_numbers_acknowledges_nothing() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ada.say("still pending");
    for after in [u64::MAX, u64::MAX - 1] {
        assert_eq!(bob.fetch(json!({"after":after}))["complete"], false);
    }
    assert_eq!(texts(&bob.drain()), ["still pending"]);
}

#[test]
fn a_limit_makes_pages_that_join_without_gap_or_repeat() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    (0..5).for_each(|i| ada.say(&format!("{i}")));
    let mut next = json!(0);
    let mut seen = Vec::new();
    for pages in 0.. {
        assert!(pages < 10, "the pages never end");
        let page = bob.fetch(json!({"after":next,"limit":2}));
        let found = entries(&page);
        assert!(found.len() <= 2);
        assert_eq!(page["complete"], true);
        if found.is_empty() {
            break;
        }
        seen.extend(places(&found));
        next = page["next"].clone();
        assert_eq!(json!(seen.last()), next);
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);

    ada.say("new");
    ada.say("newer");
    assert_eq!(
        texts(&entries(&bob.fetch(json!({"limit":1})))),
        ["new"],
        "a drain has a limit too"
    );
    assert_eq!(texts(&bob.drain()), ["newer"]);
}

#[test]
fn who_sends_more_than_was_asked_for_finds_what_is_new_on_another_connection_at_once() {
    let server = Server::start(&["--data", "none"]);
    let (ada, bob) = two(&server);
    bob.drain();
    ada.say("first");
    let body = bob.body(json!({})).to_string();
    let head = "POST /message/fetch HTTP/1.1\r\nHost: x\r\nConnection: close";
    let mut stream = TcpStream::connect(server.http).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    write!(
        stream,
        "{head}\r\nContent-Length: {}\r\n\r\n{body}?",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("first"), "{answer}");
    // The server still waits for the client's end of the connection.
    ada.say("second");
    assert_eq!(texts(&bob.drain()), ["second"]);
}

#[test]
fn a_drain_gives_at_most_1000_entries_and_the_rest_the_next_time() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let (ada, bob) = two(&server);
    let mut socket = server.login(&ada.token);
    (0..1010).for_each(|i| drop(socket.say(ada.room, &format!("{i}"))));
    let mut seen = bob.drain();
    assert_eq!(seen.len(), 1000);
    seen.extend(bob.drain());
    assert_eq!(
        texts(&seen),
        (0..1010).map(|i| i.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(bob.drain(), [] as [Value; 0]);
}

#[test]
fn a_drain_gives_at_most_1_mib_and_the_rest_the_next_time() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let (ada, bob) = two(&server);
    let texts_sent: Vec<_> = (0..70)
        .map(|i| format!("{i:02}{}", "🦜".repeat(3998)))
        .collect();
    texts_sent.iter().for_each(|text| ada.say(text));
    let mut seen = Vec::new();
    for drains in 0.. {
        assert!(drains < 10, "the drains never end");
        let reply = bob.call("/message/fetch");
        assert!(
            reply.body.len() <= (1 << 20) + 64 * 1024,
            "{} bytes in one drain",
            reply.body.len()
        );
        let found = entries(&reply.json);
        if found.is_empty() {
            break;
        }
        seen.extend(texts(&found));
    }
    assert!(seen == texts_sent, "all 70, once, in order");
}

#[test]
fn a_drain_of_control_characters_is_measured_as_it_is_written() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let (ada, bob) = two(&server);
    let mut socket = server.login(&ada.token);
    let text = "\u{1}".repeat(1000); // six bytes each in JSON
    let said: Vec<_> = (0..1000)
        .map(|_| socket.say(ada.room, &text)["at"].as_u64().expect("at"))
        .collect();
    let mut seen = Vec::new();
    while seen.len() < said.len() {
        let reply = bob.call("/message/fetch");
        assert!(
            reply.body.len() < (1 << 20) * 13 / 10,
            "{} bytes in one drain",
            reply.body.len()
        );
        let found = entries(&reply.json);
        assert!(!found.is_empty(), "{} of {} came", seen.len(), said.len());
        assert!(texts(&found).iter().all(|t| *t == text));
        seen.extend(places(&found));
    }
    assert_eq!(seen, said, "all of them, once, in order");
    assert_eq!(bob.drain(), [] as [Value; 0]);
}

#[test]
fn a_waiting_fetch_answers_when_something_arrives() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    for round in 0..3 {
        let start = Instant::now();
        let waiting = bob.begin_fetch(json!({"wait":30}));
        ada.say(&format!("round {round}"));
        assert_eq!(
            texts(&entries(&waiting.finish().json)),
            [format!("round {round}")]
        );
        assert!(start.elapsed() < DEADLINE, "long before its time");
    }
    let cursor = bob.fetch(json!({"after":0}))["next"].clone();
    let waiting = bob.begin_fetch(json!({"wait":30,"after":cursor}));
    ada.say("with a cursor");
    assert_eq!(texts(&entries(&waiting.finish().json)), ["with a cursor"]);
}

#[test]
fn a_waiting_fetch_answers_at_once_when_something_is_pending() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    ada.say("already here");
    assert_eq!(
        texts(&entries(&bob.fetch(json!({"wait":30})))),
        ["already here"]
    );
}

#[test]
fn a_waiting_fetch_answers_empty_after_its_time_and_ones_own_message_does_not_end_it() {
    let server = Server::start(&[]);
    let (_, bob) = two(&server);
    let start = Instant::now();
    let waiting = bob.begin_fetch(json!({"wait":1}));
    bob.say("to nobody");
    let reply = waiting.finish();
    assert_eq!(entries(&reply.json), [] as [Value; 0]);
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "only {:?}",
        start.elapsed()
    );
}

#[test]
fn a_newer_fetch_ends_an_older_that_waits() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    let mut older = bob.begin_fetch(json!({"wait":60}));
    let start = Instant::now();
    // Which of two calls parlor reads first is not ours to say: a fetch is the newer one at last.
    while !older.answered_within(Duration::from_millis(20)) {
        assert!(start.elapsed() < DEADLINE, "the older fetch still waits");
        bob.drain();
    }
    assert_eq!(entries(&older.finish().json), [] as [Value; 0]);
    ada.say("for the newer");
    assert_eq!(texts(&bob.drain()), ["for the newer"]);
}

#[test]
fn a_waiting_fetch_whose_client_went_away_takes_nothing_with_it() {
    let server = Server::start(&[]);
    let (ada, bob) = two(&server);
    for round in 0..3 {
        let mut waiting = bob.begin_fetch(json!({"wait":30}));
        let answered = waiting.answered_within(Duration::from_secs(1));
        assert!(!answered, "nothing is pending");
        drop(waiting);
        ada.say(&format!("round {round}"));
        assert_eq!(texts(&bob.drain()), [format!("round {round}")]);
    }
}

#[test]
fn a_waiting_fetch_does_not_keep_parlor_from_stopping() {
    let mut server = Server::start(&[]);
    let (_, bob) = two(&server);
    let _waiting = bob.begin_fetch(json!({"wait":60}));
    bob.call("/room/heartbeat").data();
    server.stop();
}

#[test]
fn pending_starts_at_the_join() {
    let server = Server::start(&[]);
    let (ada, _) = two(&server);
    ada.say("before");
    let late = join(&server.client(), &ada.room_id);
    ada.say("after");
    assert_eq!(texts(&late.drain()), ["after"]);
}
