//! Edits and deletions: who may, who hears of it, that everybody is shown the same afterwards, and
//! that what was said before is gone.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::{
    DEADLINE, Guest, Heard, Line, Server, Shape, Ws, create, join_as, libfaketime, places, until,
    uuid,
};

/// Ada made the room, Bob talks in it, Cid listens. Their coming takes the places 1 to 3.
struct House {
    server: Server,
    ada: Guest,
    bob: Guest,
    cid: Guest,
}

impl House {
    fn in_memory() -> House {
        House::with(&["--data", "none"])
    }

    fn on_disk() -> House {
        House::with(&[])
    }

    /// Without limits on rates.
    fn with(args: &[&str]) -> House {
        let server = Server::start(&[&["--user-rate", "0", "--room-rate", "0"], args].concat());
        let http = server.client();
        let ada = create(&http, json!({"userName":"Ada"})).with_token();
        let join = |name: &str| {
            let body = json!({"roomId":ada.room_id,"userName":name});
            join_as(&http, body).with_token()
        };
        let (bob, cid) = (join("Bob"), join("Cid"));
        House {
            server,
            ada,
            bob,
            cid,
        }
    }

    fn room(&self) -> u64 {
        self.ada.room
    }

    fn restart_with(&mut self, flag: &str, value: &str) {
        self.server.restart_with(flag, value);
        let http = self.server.client();
        for guest in [&mut self.ada, &mut self.bob, &mut self.cid] {
            *guest = guest.via(&http).with_token();
        }
    }

    fn restart(&mut self) {
        self.restart_with("--memory", "64");
    }

    fn ws(&self, guest: &Guest) -> Ws {
        self.server.login(&guest.token)
    }

    /// `GET /rooms/:id/messages` with this query.
    fn history(&self, query: &str) -> Value {
        let path = format!("/rooms/{}/messages{query}", self.room());
        self.cid.http.get(&path).done(200).clone()
    }

    fn search(&self, query: &str) -> Value {
        let path = format!("/rooms/{}/search?q={query}", self.room());
        self.cid.http.get(&path).done(200).clone()
    }

    fn last(&self) -> u64 {
        self.history("?limit=1")["data"][0]["at"]
            .as_u64()
            .expect("at")
    }

    /// Everything that can be read of the room without changing it: pages of many sizes both ways
    /// on both transports, fetches, searches, and what a resuming socket is sent.
    fn shown(&self) -> Vec<(String, Value)> {
        let (room, last) = (self.room(), self.last());
        let mut shown = vec![];
        let mut ws = self.ws(&self.cid);
        for limit in [1, 3, 200] {
            for at in 0..=last + 1 {
                for way in ["after", "before"] {
                    let over_http = self.history(&format!("?{way}={at}&limit={limit}"));
                    let request = json!({"type":"history","room":room,way:at,"limit":limit});
                    let on_socket = ws.ask(request);
                    for field in ["code", "data", "next", "complete", "more"] {
                        assert_eq!(on_socket[field], over_http[field], "{field} {way} {at}");
                    }
                    shown.push((format!("{way} {at}, {limit}"), over_http));
                }
            }
        }
        for v in [0, 1] {
            let fetched = self.cid.fetch(json!({"after":0,"limit":1000,"v":v}));
            shown.push((format!("fetch, v {v}"), fetched));
            let mut line = Line::open(self.server.ws).expect("a line");
            let resume = json!({"v":v,"resume":{(room.to_string()):0}});
            line.auth(&self.cid.token, resume).expect("auth");
            line.send(&json!({"type":"ping"})).expect("sent");
            let mut frames = vec![];
            loop {
                match line.read(DEADLINE) {
                    Heard::Frame(frame) if frame["type"] == "ping" => break,
                    Heard::Frame(frame) if frame["type"] == "presence" => {}
                    Heard::Frame(frame) => frames.push(frame),
                    other => panic!("{other:?} while resuming"),
                }
            }
            shown.push((format!("resume, v {v}"), json!(frames)));
        }
        for query in ["one", "two", "three", "four", "five", "o"] {
            shown.push((format!("search {query}"), self.search(query)));
        }
        shown
    }
}

fn edit(ws: &mut Ws, room: u64, uuid: &str, text: &str) -> Value {
    let data = json!({"type":"Text","text":text});
    ws.ask(json!({"type":"edit","room":room,"uuid":uuid,"data":data}))
}

fn delete(ws: &mut Ws, room: u64, uuid: &str) -> Value {
    ws.ask(json!({"type":"delete","room":room,"uuid":uuid}))
}

#[track_caller]
fn done(answer: Value) {
    let expected = json!({"type":answer["type"],"code":0,"msg":"","room":answer["room"]});
    assert_eq!(answer, expected);
}

#[track_caller]
fn refused(answer: Value, code: u8) {
    assert_eq!(answer["code"], code, "{answer}");
    let reason = answer["msg"].as_str().unwrap_or_default();
    assert!(!reason.is_empty(), "a reason: {answer}");
}

fn entries(page: &Value) -> &Vec<Value> {
    page["data"].as_array().expect("a list")
}

/// The texts of a page of frames, with the place of each.
fn said(page: &Value) -> Vec<(u64, String)> {
    let said = entries(page).iter().filter(|frame| frame["type"] == "recv");
    said.map(|frame| {
        let text = frame["data"]["data"]["text"].as_str().expect("a text");
        (frame["at"].as_u64().expect("at"), text.to_string())
    })
    .collect()
}

#[track_caller]
fn same(before: &[(String, Value)], after: &[(String, Value)]) {
    for ((what, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before, after, "{what}");
    }
    assert_eq!(before.len(), after.len());
}

// ---- Who hears of it ----

#[test]
fn an_edit_is_the_message_again_at_a_place_of_its_own() {
    let house = House::in_memory();
    let room = house.room();
    let (mut cids, mut bobs) = (house.ws(&house.cid), house.ws(&house.bob));
    let mut bobs_phone = house.server.login_v1(&house.bob.token);
    let id = uuid();
    bobs.say_as(&id, room, "one");
    let first = cids.recv();
    assert_eq!(bobs_phone.recv(), first);

    let data = json!({"type":"Text","text":"two"});
    let request = json!({"type":"edit","room":room,"uuid":id,"data":data,"id":7});
    let answer = bobs_phone.ask(request);
    assert_eq!(
        answer,
        json!({"type":"edit","code":0,"msg":"","id":7,"room":room})
    );
    let again = cids.recv();
    Shape::strict(&[]).check(
        &again,
        &json!({"type":"recv","at":5,"data":{
            "uuid":id,"sender":house.bob.id,"room":room,"data":{"type":"Text","text":"two"},
            "sent":first["data"]["sent"],"modified":true,"seq":4,"name":"Bob"}}),
    );
    assert_eq!(bobs_phone.recv(), again, "with v 1 one's own too");
    bobs.nothing_more();
    let mut at_seq = again.clone();
    at_seq["at"] = json!(4);
    assert_eq!(house.history("?after=3")["data"], json!([at_seq, again]));
}

#[test]
fn a_deletion_is_told_to_v_1_only_and_leaves_a_tombstone() {
    let house = House::in_memory();
    let room = house.room();
    let (mut ada, mut bob) = (house.ws(&house.ada), house.ws(&house.bob));
    let mut cids = house.ws(&house.cid);
    let mut cids_phone = house.server.login_v1(&house.cid.token);
    let id = uuid();
    bob.say_as(&id, room, "one");
    for ws in [&mut ada, &mut cids, &mut cids_phone] {
        ws.heard();
    }
    let answer = ada.ask(json!({"type":"delete","room":room,"uuid":id,"id":"x"}));
    assert_eq!(
        answer,
        json!({"type":"delete","code":0,"msg":"","id":"x","room":room})
    );
    let told = cids_phone.recv();
    assert_eq!(
        told,
        json!({"type":"deleted","room":room,"uuid":id,"seq":4,"at":5,"by":house.ada.id})
    );
    for ws in [&mut ada, &mut bob, &mut cids, &mut cids_phone] {
        ws.nothing_more();
    }
    let tombstone =
        json!({"type":"deleted","room":room,"uuid":id,"seq":4,"at":4,"by":house.ada.id});
    assert_eq!(house.history("?after=3")["data"], json!([tombstone, told]));
}

#[test]
fn who_deleted_what_another_said_is_told_where_it_stood_also_after_a_restart() {
    let mut house = House::on_disk();
    let room = house.room();
    let (mut ada, mut bob) = (house.ws(&house.ada), house.ws(&house.bob));
    let (others, own) = (uuid(), uuid());
    bob.say_as(&others, room, "one");
    bob.say_as(&own, room, "two");
    ada.hear(2);
    done(delete(&mut ada, room, &others));
    done(delete(&mut bob, room, &own));
    let expected = json!([
        {"type":"deleted","room":room,"uuid":others,"seq":4,"at":4,"by":house.ada.id},
        {"type":"deleted","room":room,"uuid":own,"seq":5,"at":5},
    ]);
    // A page that ends before the deletions themselves.
    assert_eq!(house.history("?after=3&limit=2")["data"], expected);
    house.restart();
    assert_eq!(house.history("?after=3&limit=2")["data"], expected);
}

#[test]
fn a_message_edited_and_then_deleted_is_nothing_but_deleted_at_each_of_its_places() {
    let house = House::in_memory();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, room, "one");
    done(edit(&mut bob, room, &id, "two"));
    done(edit(&mut bob, room, &id, "three"));
    assert_eq!(
        said(&house.history("")),
        [4, 5, 6].map(|at| (at, "three".to_string())),
        "the newest text wherever the message is shown"
    );
    done(delete(&mut bob, room, &id));
    let gone = |at| json!({"type":"deleted","room":room,"uuid":id,"seq":4,"at":at});
    let page = house.history("?after=3");
    assert_eq!(page["data"], json!([gone(4), gone(5), gone(6), gone(7)]));
}

// ---- Who may ----

#[test]
fn only_the_author_edits_and_only_the_author_or_the_rooms_owner_deletes() {
    let house = House::in_memory();
    let room = house.room();
    let (mut ada, mut bob) = (house.ws(&house.ada), house.ws(&house.bob));
    let mut cid = house.ws(&house.cid);
    let (adas, bobs, cids) = (uuid(), uuid(), uuid());
    house.ada.say_as(&adas, "Ada's");
    house.bob.say_as(&bobs, "Bob's");
    house.cid.say_as(&cids, "Cid's");
    for ws in [&mut ada, &mut bob, &mut cid] {
        ws.hear(2);
    }
    for (ws, uuid) in [(&mut ada, &bobs), (&mut bob, &adas), (&mut cid, &bobs)] {
        refused(edit(ws, room, uuid, "other"), 5);
    }
    refused(delete(&mut bob, room, &adas), 5);
    refused(delete(&mut bob, room, &cids), 5);
    refused(delete(&mut cid, room, &bobs), 5);
    assert_eq!(house.last(), 6, "nothing of it happened");
    done(delete(&mut ada, room, &bobs));
    done(delete(&mut cid, room, &cids));
    done(delete(&mut ada, room, &adas));
    assert_eq!(said(&house.history("")), []);
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    let house = House::in_memory();
    let (room, http) = (house.room(), house.server.client());
    let other = create(&http, json!({}));
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, room, "one");
    for (room, uuid, code) in [
        (room, &uuid(), 3),
        (999, &id, 3),
        (other.room, &id, 4),
        (room, &"hello".to_string(), 2),
    ] {
        refused(edit(&mut bob, room, uuid, "two"), code);
        refused(delete(&mut bob, room, uuid), code);
    }
    // Another room's message of the same name is another message.
    other.say_as(&id, "other");
    done(edit(&mut bob, room, &id, "two"));
    assert_eq!(
        other.fetch(json!({"after":1}))["data"][0]["content"],
        "other"
    );

    for (text, code) in [("", 6), (" \n", 6), (&*"字".repeat(4001), 6)] {
        refused(edit(&mut bob, room, &id, text), code);
    }
    let image = json!({"type":"edit","room":room,"uuid":id,"data":{"type":"Image","url":"x"}});
    let refusal = bob.ask(image);
    assert!(
        refusal["msg"]
            .as_str()
            .unwrap_or_default()
            .contains("Image")
    );
    refused(refusal, 2);
    house.bob.call("/room/leave").data();
    let mut ada = house.ws(&house.ada);
    done(delete(&mut ada, room, &id));
}

#[test]
fn who_left_changes_nothing_any_more() {
    let house = House::in_memory();
    let (room, http) = (house.room(), house.server.client());
    let dan = support::account(&http, "Dan");
    dan.http
        .post("/room/join", json!({"roomId":house.ada.room_id}))
        .data();
    let mut ws = house.server.login(&dan.token);
    let id = uuid();
    ws.say_as(&id, room, "one");
    done(ws.ask(json!({"type":"leave","room":room})));
    refused(edit(&mut ws, room, &id, "two"), 4);
    refused(delete(&mut ws, room, &id), 4);
    assert_eq!(said(&house.history("")), [(5, "one".to_string())]);
}

// ---- Once and for all ----

#[test]
fn the_same_text_makes_no_new_place_and_the_first_text_again_is_an_edit() {
    let house = House::in_memory();
    let room = house.room();
    let (mut bob, mut cid) = (house.ws(&house.bob), house.ws(&house.cid));
    let id = uuid();
    bob.say_as(&id, room, "one");
    done(edit(&mut bob, room, &id, "one"));
    cid.heard();
    cid.nothing_more();
    assert_eq!(
        house.history("?after=3")["data"][0]["data"]["modified"],
        false,
        "nothing was changed"
    );
    done(edit(&mut bob, room, &id, "two"));
    done(edit(&mut bob, room, &id, "two"));
    done(edit(&mut bob, room, &id, "one"));
    assert_eq!(cid.hear(2), ["two", "one"]);
    cid.nothing_more();
    let page = house.history("?after=3");
    assert_eq!(places(entries(&page)), [4, 5, 6]);
    for frame in entries(&page) {
        assert_eq!(frame["data"]["modified"], true, "modified stays: {frame}");
    }
}

#[test]
fn a_deleted_message_cannot_be_edited_and_deleting_twice_is_harmless() {
    let mut house = House::on_disk();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, room, "one");
    done(delete(&mut bob, room, &id));
    for _ in 0..2 {
        refused(edit(&mut bob, room, &id, "two"), 3);
        refused(edit(&mut bob, room, &id, "one"), 3);
        done(delete(&mut bob, room, &id));
        done(delete(&mut house.ws(&house.ada), room, &id));
        refused(delete(&mut house.ws(&house.cid), room, &id), 5);
        assert_eq!(house.last(), 5);
        house.restart();
        bob = house.ws(&house.bob);
    }
}

#[test]
fn changes_in_flight_at_once_happen_one_after_the_other() {
    let mut house = House::on_disk();
    let room = house.room();
    let id = uuid();
    house.bob.say_as(&id, "0");
    let texts: Vec<_> = (1..=60).map(|i| i.to_string()).collect();
    // Once with the uuid in memory, once with it in the database only.
    for round in [1, 2] {
        let mut bob = Line::open(house.server.ws).expect("a line");
        bob.auth(&house.bob.token, json!({})).expect("auth");
        for chunk in texts.chunks(15) {
            for text in chunk {
                let data = json!({"type":"Text","text":format!("{round}-{text}")});
                let edit = json!({"type":"edit","room":room,"uuid":id,"data":data});
                bob.send(&edit).expect("sent");
            }
            for _ in chunk {
                match bob.read(DEADLINE) {
                    Heard::Frame(frame) => done(frame),
                    other => panic!("{other:?}, not an answer"),
                }
            }
        }
        assert_eq!(house.last(), 4 + 60 * round);
        let newest = format!("{round}-60");
        for (_, text) in said(&house.history("")) {
            assert_eq!(text, newest);
        }
        house.restart();
    }
    // Deleted in the same breath as edited.
    let mut bob = house.ws(&house.bob);
    let data = json!({"type":"Text","text":"too late"});
    bob.send_json(json!({"type":"delete","room":room,"uuid":id}));
    bob.send_json(json!({"type":"edit","room":room,"uuid":id,"data":data}));
    bob.send_json(json!({"type":"delete","room":room,"uuid":id}));
    done(bob.recv());
    refused(bob.recv(), 3);
    done(bob.recv());
    assert_eq!(house.last(), 4 + 2 * 60 + 1);
    assert_eq!(said(&house.history("")), []);
}

#[test]
fn as_many_requests_as_may_be_unanswered_are_never_refused() {
    const UNANSWERED: usize = 32;
    let house = House::in_memory();
    let mut bob = Line::open(house.server.ws).expect("a line");
    bob.auth(&house.bob.token, json!({})).expect("auth");
    let data = json!({"type":"Text","text":"one"});
    for round in 0..50 {
        for _ in 0..UNANSWERED {
            let msg = json!({"type":"msg","uuid":uuid(),"room":house.room(),"data":data});
            bob.send(&msg).expect("sent");
        }
        for n in 0..UNANSWERED {
            match bob.read(DEADLINE) {
                Heard::Frame(answer) => assert_eq!(answer["code"], 0, "{round}, {n}: {answer}"),
                other => panic!("{other:?}, not an answer"),
            }
        }
    }
}

// ---- The uuid ----

#[test]
fn a_uuid_is_compared_with_the_first_text_whatever_became_of_the_message() {
    let mut house = House::on_disk();
    let room = house.room();
    let id = uuid();
    let mut bob = house.ws(&house.bob);
    let first = bob.say_as(&id, room, "one");
    let first_over_http = house.bob.say_as(&id, "one");
    let check = |house: &House, gone: bool| {
        let mut bob = house.ws(&house.bob);
        let last = house.last();
        assert_eq!(bob.say_as(&id, room, "one"), first, "the first answer");
        assert_eq!(house.bob.say_as(&id, "one"), first_over_http);
        for text in ["two", "three"] {
            assert_eq!(bob.say_as(&id, room, text)["code"], 8, "{text}");
            let again = house.bob.send(json!({"content":text,"uuid":id}));
            again.refused(409, "uuid_taken");
        }
        let other = house.cid.send(json!({"content":"one","uuid":id}));
        other.refused(409, "uuid_taken");
        assert_eq!(house.last(), last, "nothing is said twice");
        assert_eq!(said(&house.history("")).is_empty(), gone);
    };
    check(&house, false);
    done(edit(&mut bob, room, &id, "two"));
    check(&house, false);
    house.restart();
    check(&house, false);
    bob = house.ws(&house.bob);
    done(edit(&mut bob, room, &id, "three"));
    check(&house, false);
    done(delete(&mut bob, room, &id));
    check(&house, true);
    house.restart();
    check(&house, true);
    // Remembered by the deletion alone: nothing else was said since the start.
    done(delete(&mut house.ws(&house.bob), room, &id));
    check(&house, true);
}

#[test]
fn what_was_said_before_a_restart_is_not_said_again_among_new_things() {
    let mut house = House::on_disk();
    let room = house.room();
    let old: Vec<_> = (0..8).map(|_| uuid()).collect();
    let mut bob = house.ws(&house.bob);
    let first: Vec<_> = old.iter().map(|id| bob.say_as(id, room, "old")).collect();
    house.restart();
    let mut bob = house.ws(&house.bob);
    let mut cid = house.ws(&house.cid);
    let last = house.last();
    // All in one go, so that old and new are of one batch.
    let new: Vec<_> = (0..8).map(|_| uuid()).collect();
    for (old, new) in old.iter().zip(&new) {
        bob.begin_say_as(new, room, "new");
        bob.begin_say_as(old, room, "old");
        bob.begin_say_as(old, room, "other");
    }
    for n in 0..8 {
        let answer = bob.recv();
        assert_eq!(
            (&answer["code"], &answer["at"]),
            (&json!(0), &json!(last + n + 1))
        );
        assert_eq!(bob.recv(), first[n as usize]);
        assert_eq!(bob.recv()["code"], 8);
    }
    assert_eq!(cid.hear(8), ["new"; 8]);
    cid.nothing_more();
    assert_eq!(house.last(), last + 8);
}

#[test]
fn a_repeated_answer_is_the_same_message_also_when_what_it_answers_was_deleted() {
    let house = House::in_memory();
    let room = house.room();
    let (question, answer) = (uuid(), uuid());
    let asked = house.bob.say_as(&question, "one?");
    let reply = json!({"content":"two","uuid":answer,"reply":asked["seq"]});
    let said = house.cid.send(reply.clone()).data();
    let page = house.history("?after=4");
    assert_eq!(page["data"][0]["data"]["reply"], asked["seq"]);
    let (mut bob, mut cid) = (house.ws(&house.bob), house.ws(&house.cid));
    done(edit(&mut bob, room, &question, "one!"));
    cid.heard();
    assert_eq!(house.cid.send(reply.clone()).data(), said);
    done(edit(&mut cid, room, &answer, "three"));
    let page = house.history("?after=6");
    assert_eq!(
        page["data"][0]["data"]["reply"], asked["seq"],
        "an edit keeps it"
    );
    assert_eq!(bob.hear(1), ["three"]);
    done(delete(&mut bob, room, &question));
    let new = json!({"content":"four","uuid":uuid(),"reply":asked["seq"]});
    house.cid.send(new).refused(400, "bad_field");
    assert_eq!(house.cid.send(reply).data(), said, "the first answer again");
}

// ---- What is shown afterwards ----

#[test]
fn a_drain_holds_messages_in_their_last_state_and_with_v_1_what_became_of_earlier_ones() {
    let house = House::in_memory();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let dan = join_as(
        &house.server.client(),
        json!({"roomId":house.ada.room_id,"userName":"Dan"}),
    );
    let ids: Vec<_> = (0..4).map(|_| uuid()).collect();
    let [seen, edited, deleted, both] = &ids[..] else {
        unreachable!("four");
    };
    bob.say_as(seen, room, "one");
    for guest in [&house.cid, &dan] {
        let drained = guest.drain();
        assert_eq!(drained.last().map(|e| &e["content"]), Some(&json!("one")));
    }
    for id in &ids[1..] {
        bob.say_as(id, room, "two");
    }
    done(edit(&mut bob, room, seen, "one, edited"));
    done(edit(&mut bob, room, edited, "two, edited"));
    done(edit(&mut bob, room, both, "never seen"));
    done(delete(&mut bob, room, deleted));
    done(delete(&mut bob, room, both));
    done(delete(&mut house.ws(&house.ada), room, seen));
    let message = |at: u64, uuid: &str, text: &str| {
        json!({"type":"message","userId":house.bob.user_id,"contentType":"text","content":text,
            "at":at,"sent":"<utc-ms>","uuid":uuid,"seq":at,"userName":"Bob","modified":true})
    };
    let gone = |at: u64, uuid: &str, seq: u64, by: &Guest| {
        json!({"type":"deleted","userId":by.user_id,"at":at,"sent":"<utc-ms>","uuid":uuid,
            "seq":seq,"userName":by.name})
    };
    let mut again = message(10, edited, "two, edited");
    (again["type"], again["seq"]) = (json!("edited"), json!(6));
    let (ada, bob) = (&house.ada, &house.bob);

    let drained = house.cid.drain();
    let mut shape = Shape::strict(&[]);
    shape.check(&json!(drained), &json!([message(6, edited, "two, edited")]));
    assert_eq!(house.cid.drain(), Vec::<Value>::new());
    shape.check(
        &dan.fetch(json!({"v":1}))["data"],
        &json!([
            message(6, edited, "two, edited"),
            gone(7, deleted, 7, bob),
            gone(8, both, 8, bob),
            gone(9, seen, 5, bob),
            again,
            gone(11, both, 8, bob),
            gone(12, deleted, 7, bob),
            gone(13, both, 8, bob),
            gone(14, seen, 5, ada),
        ]),
    );
}

#[test]
fn who_waits_without_v_1_is_not_woken_by_what_it_is_not_shown() {
    let house = House::in_memory();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, room, "one");
    house.cid.drain();
    let at = house.last();
    let mut plain = house.cid.begin_fetch(json!({"wait":60}));
    let full = house.ada.begin_fetch(json!({"wait":60,"v":1,"after":at}));
    done(edit(&mut bob, room, &id, "two"));
    let woken = full.finish().json;
    assert_eq!(
        (&woken["data"][0]["type"], &woken["next"]),
        (&json!("edited"), &json!(at + 1))
    );
    done(delete(&mut bob, room, &id));
    assert!(!plain.answered_within(std::time::Duration::from_millis(200)));
    bob.say(room, "three");
    assert_eq!(
        support::texts(plain.finish().data().as_array().expect("a list")),
        ["three"]
    );
    // A cursor passes over what is not shown.
    let fetched = house.cid.fetch(json!({"after":3}));
    assert_eq!(
        (
            places(entries(&fetched)),
            &fetched["next"],
            &fetched["complete"]
        ),
        (vec![7], &json!(7), &json!(true))
    );
}

/// Messages, edits, deletions, answers and notices, mixed.
fn a_mixed_room(house: &House) {
    let room = house.room();
    let (mut bob, mut ada) = (house.ws(&house.bob), house.ws(&house.ada));
    let ids: Vec<_> = (0..8).map(|_| uuid()).collect();
    let first = bob.say_as(&ids[0], room, "one");
    for (id, text) in ids[1..].iter().zip(["two", "three", "four", "five", "six"]) {
        bob.say_as(id, room, text);
    }
    ada.hear(6);
    let say = |guest: &Guest, id: &str, text: &str| {
        let reply = json!({"content":text,"uuid":id,"reply":first["seq"]});
        guest.send(reply).data();
    };
    say(&house.cid, &ids[6], "an answer to one");
    say(&house.ada, &ids[7], "another to one");
    for ws in [&mut ada, &mut bob] {
        ws.hear(1);
    }
    bob.hear(1);
    done(edit(&mut bob, room, &ids[0], "one, edited"));
    done(edit(&mut bob, room, &ids[1], "two, edited"));
    ada.hear(2);
    done(delete(&mut ada, room, &ids[2]));
    done(edit(&mut bob, room, &ids[1], "two, edited again"));
    done(edit(&mut bob, room, &ids[3], "four, edited"));
    ada.hear(2);
    done(delete(&mut bob, room, &ids[3]));
    done(edit(&mut ada, room, &ids[7], "another to one, edited"));
    bob.hear(1);
    done(delete(&mut ada, room, &ids[6]));
    let dan = json!({"roomId":house.ada.room_id,"userName":"Dan"});
    let dan = join_as(&house.server.client(), dan);
    dan.call("/room/leave").data();
    done(edit(&mut bob, room, &ids[4], "five, edited"));
    bob.say(room, "the last one");
}

#[test]
fn everything_is_shown_the_same_from_memory_from_the_database_and_after_a_restart() {
    let mut house = House::on_disk();
    a_mixed_room(&house);
    let before = house.shown();
    house.restart();
    same(&before, &house.shown());
    // What is new is in memory, what is old in the database.
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, house.room(), "two o'clock");
    let old = house.history("?before=7&limit=1")["data"][0]["data"]["uuid"].clone();
    assert!(old.is_null(), "three was deleted");
    let two = house.history("?before=6&limit=1")["data"][0]["data"]["uuid"].clone();
    let two = two.as_str().expect("two stands at 5");
    done(edit(&mut bob, house.room(), two, "two, once more"));
    done(edit(&mut bob, house.room(), &id, "three o'clock"));
    let one = house.history("?before=5&limit=1")["data"][0]["data"]["uuid"].clone();
    done(delete(
        &mut bob,
        house.room(),
        one.as_str().expect("one stands at 4"),
    ));
    let before = house.shown();
    house.restart_with("--memory", "1");
    same(&before, &house.shown());
    house.server.kill();
    house.restart();
    same(&before, &house.shown());
}

#[test]
fn what_is_pending_is_the_same_after_a_restart() {
    let mut house = House::on_disk();
    let http = house.server.client();
    let listeners: Vec<_> = (0..4)
        .map(|i| {
            let body = json!({"roomId":house.ada.room_id,"userName":format!("listener {i}")});
            join_as(&http, body)
        })
        .collect();
    a_mixed_room(&house);
    let pending = |guest: &Guest, v: u64| -> Vec<Value> {
        let fetched = guest.fetch(json!({"v":v}));
        let all = entries(&fetched).iter();
        all.filter(|e| e["type"] != "system").cloned().collect()
    };
    let before = [pending(&listeners[0], 0), pending(&listeners[1], 1)];
    assert!(before[0].len() < before[1].len() && !before[0].is_empty());
    house.restart();
    let http = house.server.client();
    let after = [
        pending(&listeners[2].via(&http), 0),
        pending(&listeners[3].via(&http), 1),
    ];
    assert_eq!(before, after);
}

#[test]
fn modified_stays_true_in_every_view() {
    let mut house = House::on_disk();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let id = uuid();
    bob.say_as(&id, room, "one");
    done(edit(&mut bob, room, &id, "two"));
    done(edit(&mut bob, room, &id, "one"));
    for _ in 0..2 {
        let frames = [house.history(""), house.search("one")];
        let frames = frames.iter().flat_map(entries);
        let modified: Vec<_> = frames.filter(|f| f["type"] == "recv").collect();
        assert_eq!(modified.len(), 4, "three places, and one hit");
        for frame in modified {
            assert_eq!(frame["data"]["modified"], true, "{frame}");
        }
        let fetched = house.cid.fetch(json!({"after":3,"v":1}));
        for entry in entries(&fetched) {
            assert_eq!(entry["modified"], true, "{entry}");
        }
        assert_eq!(entries(&fetched).len(), 3);
        house.restart();
    }
    assert_eq!(house.cid.drain()[0]["modified"], true);
}

// ---- What is gone ----

#[test]
fn what_was_deleted_or_edited_away_is_found_nowhere() {
    let mut house = House::on_disk();
    let room = house.room();
    let mut bob = house.ws(&house.bob);
    let (edited, deleted) = (uuid(), uuid());
    bob.say_as(&edited, room, "Geheimnis eins");
    bob.say_as(&deleted, room, "Geheimnis zwei");
    done(edit(&mut bob, room, &deleted, "Geheimnis drei"));
    done(edit(&mut bob, room, &edited, "Geheimnis vier"));
    done(edit(&mut bob, room, &edited, "harmlos"));
    done(delete(&mut bob, room, &deleted));
    for memory in ["64", "1"] {
        assert_eq!(house.search("geheimnis")["data"], json!([]));
        assert_eq!(entries(&house.search("HARMLOS")).len(), 1);
        for (what, shown) in house.shown() {
            assert!(!shown.to_string().contains("Geheimnis"), "{what}");
        }
        house.restart_with("--memory", memory);
    }
    let pending = house.cid.fetch(json!({"v":1})).to_string();
    assert!(pending.contains("harmlos") && !pending.contains("Geheimnis"));
    let drained = json!(house.ada.drain()).to_string();
    assert!(drained.contains("harmlos") && !drained.contains("Geheimnis"));
    house.server.stop();
    assert_eq!(found(&house.server, "Geheimnis"), 0);
    assert!(found(&house.server, "harmlos") > 0);
}

#[test]
fn a_quiet_minute_takes_what_was_deleted_out_of_the_log_also_after_a_crash() {
    // A minute of this parlor is three seconds, and the time in which a request has to come half a second.
    let library = format!("LD_PRELOAD={}", libfaketime());
    let fast = ["env", &library, "FAKETIME=+0 x20"];
    let args = ["--user-rate", "0", "--idle", "100000"];
    for crash in [false, true] {
        let mut server = Server::start_under(&fast, &args);
        let ada = create(&server.client(), json!({})).with_token();
        let mut ws = server.login(&ada.token);
        let id = uuid();
        ws.say_as(&id, ada.room, "Geheimnis");
        done(delete(&mut ws, ada.room, &id));
        assert!(found(&server, "Geheimnis") > 0, "it was in the log");
        if crash {
            server.kill();
            assert!(found(&server, "Geheimnis") > 0, "it is in the log still");
            server.restart();
        }
        until("the log is empty", || {
            // Who asks wakes the scribe, whose sleep nobody has made faster.
            server.client().get("/healthz");
            found(&server, "Geheimnis") == 0
        });
    }
}

/// How often a text is in the files of the server's directory.
fn found(server: &Server, text: &str) -> usize {
    let files = std::fs::read_dir(server.dir()).expect("a directory");
    let count = |file: &Path| {
        let bytes = std::fs::read(file).expect("a file");
        let windows = bytes.windows(text.len());
        windows.filter(|w| *w == text.as_bytes()).count()
    };
    files.map(|file| count(&file.expect("a file").path())).sum()
}

/// Half of the requests that a socket may have unanswered: an answer that was read may still
/// count for a moment.
const IN_FLIGHT: usize = 16;

/// Sends these requests, a few in flight; all of them have to succeed.
fn all_done(line: &mut Line, requests: &[Value]) {
    for chunk in requests.chunks(IN_FLIGHT) {
        for request in chunk {
            line.send(request).expect("sent");
        }
        for request in chunk {
            let answer = loop {
                match line.read(DEADLINE) {
                    Heard::Frame(frame) if frame.get("code").is_some() => break frame,
                    Heard::Frame(_) => {}
                    other => panic!("{other:?}, not the answer to {request}"),
                }
            };
            assert_eq!(answer["code"], 0, "{answer}");
        }
    }
}

/// Long texts and short ones of two rooms in turn, so that the pages of the file are split and
/// joined many times over, and texts move from one to another.
#[test]
fn no_page_of_the_file_keeps_a_piece_of_what_is_gone() {
    let mut house = House::on_disk();
    let http = house.server.client();
    let other = create(&http, json!({}));
    let third = create(&http, json!({}));
    let guests = [&house.bob, &other, &third];
    let mut lines: Vec<_> = guests
        .iter()
        .map(|guest| {
            let mut line = Line::open(house.server.ws).expect("a line");
            line.auth(&guest.token, json!({})).expect("auth");
            line
        })
        .collect();
    let text = |word: &str, i: usize| {
        let length = [1, 3, 40, 200, 7, 900, 3000][i % 7];
        format!("{word}{}", "Ω".repeat(length))
    };
    let data = |text: String| json!({"type":"Text","text":text});
    let ids: Vec<Vec<String>> = (0..3).map(|_| (0..350).map(|_| uuid()).collect()).collect();
    for part in 0..7 {
        for (n, guest) in guests.iter().enumerate() {
            let requests: Vec<_> = (part * 50..(part + 1) * 50)
                .map(|i| {
                    json!({"type":"msg","uuid":ids[n][i],"room":guest.room,
                        "data":data(text("geheim", i + n))})
                })
                .collect();
            all_done(&mut lines[n], &requests);
        }
    }
    for (n, guest) in guests.iter().enumerate() {
        let change = |i: usize| {
            let id = &ids[n][i];
            match i % 3 {
                0 => json!({"type":"delete","room":guest.room,"uuid":id}),
                _ => json!({"type":"edit","room":guest.room,"uuid":id,
                    "data":data(text("offen", i * 5 + n))}),
            }
        };
        all_done(&mut lines[n], &(0..350).map(change).collect::<Vec<_>>());
    }
    let texts: Vec<_> = (0..350).filter(|i| i % 3 == 1).collect();
    for (n, guest) in guests.iter().enumerate() {
        let delete = |i: &usize| json!({"type":"delete","room":guest.room,"uuid":ids[n][*i]});
        all_done(&mut lines[n], &texts.iter().map(delete).collect::<Vec<_>>());
    }
    house.server.stop();
    assert_eq!(
        found(&house.server, "geheim"),
        0,
        "first texts, all changed"
    );
    let open = (0..350).filter(|i| i % 3 == 2).count() * 3;
    assert_eq!(
        found(&house.server, "offen"),
        open,
        "texts that are still shown"
    );
    house.restart();
}
