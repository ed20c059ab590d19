//! Resume: a socket that comes back gets all it missed, once and in order, or is told plainly that
//! it cannot.

mod support;

use serde_json::{Value, json};
use support::{Account, Guest, Server, Ws, account, create, join, join_as, places};
use tungstenite::Message;

fn server() -> Server {
    Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"])
}

/// Ada, who comes and goes, and Bob, who talks.
fn two(server: &Server) -> (Guest, Guest) {
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (ada.with_token(), bob)
}

fn epoch(guest: &Guest) -> Value {
    guest.fetch(json!({"after":0,"limit":1}))["epoch"].clone()
}

/// A socket that resumes one room after a place, and the answer to its `auth`.
fn resume(server: &Server, ada: &Guest, at: u64, epoch: &Value) -> (Ws, Value) {
    let mut ws = server.socket();
    let seen = json!({(ada.room.to_string()):at});
    let answer = ws.auth_with(&ada.token, json!({"resume":seen,"epoch":epoch}));
    (ws, answer)
}

fn room_of(answer: &Value) -> &Value {
    let rooms = answer["rooms"].as_array().expect("a list");
    assert_eq!(rooms.len(), 1, "{answer}");
    &rooms[0]
}

/// The next frames, as they came.
fn frames(ws: &mut Ws, count: usize) -> Vec<Value> {
    (0..count).map(|_| ws.recv()).collect()
}

/// Says so many texts, a few of them in flight, amid what others say.
fn flood(ws: &mut Ws, room: u64, count: usize) {
    const IN_FLIGHT: usize = 10;
    let mut begun = 0;
    for answered in 0..count {
        while begun < count && begun - answered < IN_FLIGHT {
            ws.begin_say(room, "hello");
            begun += 1;
        }
        let answer = loop {
            let frame = ws.recv();
            if frame["type"] == "send" {
                break frame;
            }
        };
        assert_eq!(answer["code"], 0, "{answer}");
    }
}

#[test]
fn what_was_missed_follows_the_answer_in_order_and_then_what_is_live() {
    let server = server();
    let (ada, bob) = two(&server);
    let mut before = server.login_v1(&ada.token);
    bob.say("seen");
    let seen = before.recv()["at"].as_u64().expect("at");
    drop(before);

    (0..5).for_each(|i| bob.say(&format!("{i}")));
    ada.say("from my phone");
    join(&server.client(), &ada.room_id)
        .call("/room/leave")
        .data();
    let path = format!("/rooms/{}/messages?after={seen}", ada.room);
    let missed = ada.http.get(&path).done(200)["data"].clone();
    assert_eq!(missed.as_array().map(Vec::len), Some(8));

    let (mut ws, answer) = resume(&server, &ada, seen, &epoch(&ada));
    assert_eq!(
        room_of(&answer),
        &json!({"id":ada.room,"name":room_of(&answer)["name"],"at":seen + 8,"complete":true,
                "owner":true,"locked":false,"quiet":false})
    );
    assert_eq!(answer["gone"], json!([]));
    assert_eq!(json!(frames(&mut ws, 8)), missed);
    bob.say("live");
    assert_eq!(ws.recv()["at"], seen + 9);
    ws.say(ada.room, "back again");
}

#[test]
fn a_resume_at_the_end_brings_nothing() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, answer) = resume(&server, &ada, 2, &epoch(&ada));
    assert_eq!(room_of(&answer)["complete"], true);
    ws.nothing_more();
    bob.say("live");
    assert_eq!(ws.recv()["at"], 3);
}

#[test]
fn coming_back_again_and_again_while_others_write_leaves_no_gap_and_no_repeat() {
    const WRITERS: usize = 4;
    const EACH: usize = 60;
    const AT_A_TIME: usize = 7;
    let server = server();
    let (ada, _) = two(&server);
    let epoch = epoch(&ada);
    let guests: Vec<_> = (0..WRITERS)
        .map(|_| join(&server.client(), &ada.room_id))
        .collect();
    let mut at = 2 + WRITERS as u64;
    let end = at + (WRITERS * EACH) as u64;
    let writers: Vec<_> = guests
        .into_iter()
        .map(|guest| {
            let mut ws = server.login(&guest.token);
            std::thread::spawn(move || flood(&mut ws, guest.room, EACH))
        })
        .collect();
    while at < end {
        let (mut ws, answer) = resume(&server, &ada, at, &epoch);
        assert_eq!(room_of(&answer)["complete"], true);
        for _ in 0..AT_A_TIME.min((end - at) as usize) {
            let frame = ws.recv();
            assert_eq!(frame["at"], at + 1, "{frame}");
            at += 1;
        }
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("a writer"));
    resume(&server, &ada, end, &epoch).0.nothing_more();
}

#[test]
fn a_cursor_that_cannot_be_right_brings_the_newest_200_and_says_so() {
    let server = server();
    let (ada, bob) = two(&server);
    flood(&mut server.login(&bob.token), bob.room, 250);
    let (epoch, last) = (epoch(&ada), 252);
    for (at, epoch, why) in [
        (last - 1, json!("another"), "of another sequence"),
        (last, json!("another"), "of another sequence"),
        (last + 1, epoch.clone(), "beyond the end"),
        (u64::MAX, epoch, "beyond all numbers"),
    ] {
        let (mut ws, answer) = resume(&server, &ada, at, &epoch);
        assert_eq!(
            (&room_of(&answer)["complete"], &room_of(&answer)["at"]),
            (&json!(false), &json!(last)),
            "{why}"
        );
        let newest = places(&frames(&mut ws, 200));
        assert_eq!(newest, (53..=last).collect::<Vec<_>>(), "{why}");
        ws.nothing_more();
    }
}

#[test]
fn up_to_5000_missed_entries_all_come_and_of_more_the_newest_200() {
    let server = server();
    let (ada, bob) = two(&server);
    flood(&mut server.login(&bob.token), bob.room, 5_001);
    let (epoch, last) = (epoch(&ada), 5_003);

    let (mut ws, answer) = resume(&server, &ada, last - 5_000, &epoch);
    assert_eq!(room_of(&answer)["complete"], true);
    let all = places(&frames(&mut ws, 5_000));
    assert!(
        all.into_iter().eq(last - 4_999..=last),
        "all, once, in order"
    );
    ws.nothing_more();

    let (mut ws, answer) = resume(&server, &ada, last - 5_001, &epoch);
    assert_eq!(room_of(&answer)["complete"], false);
    let newest = places(&frames(&mut ws, 200));
    assert_eq!(newest, (last - 199..=last).collect::<Vec<_>>());
    ws.nothing_more();
}

#[test]
fn a_room_one_is_no_longer_in_is_gone_and_one_not_named_begins_live() {
    let server = server();
    let http = server.client();
    let ada: Account = account(&http, "Ada");
    let [left, named, unnamed] =
        ["left", "named", "unnamed"].map(|name| ada.make_room(json!({"name":name})));
    let mut ws = server.login(&ada.token);
    assert_eq!(ws.ask(json!({"type":"leave","room":left}))["code"], 0);
    [named, unnamed]
        .iter()
        .for_each(|room| drop(ws.say(*room, "hello")));
    drop(ws);

    let mut ws = server.socket();
    let seen = json!({(left.to_string()):1,(named.to_string()):1,"999":7});
    let answer = ws.auth_with(&ada.token, json!({"resume":seen}));
    assert_eq!(answer["gone"], json!([left, 999]));
    assert_eq!(
        answer["rooms"],
        json!([
            {"id":named,"name":"named","at":2,"complete":true,
             "owner":true,"locked":false,"quiet":false},
            {"id":unnamed,"name":"unnamed","at":2,"complete":true,
             "owner":true,"locked":false,"quiet":false}
        ])
    );
    let frame = ws.recv();
    assert_eq!(
        (&frame["data"]["room"], &frame["at"]),
        (&json!(named), &json!(2))
    );
    ws.nothing_more();
    let bob = join_as(&http, json!({"roomId":unnamed}));
    let frame = ws.recv();
    assert_eq!(
        (&frame["type"], &frame["user"]["id"]),
        (&json!("joined"), &json!(bob.id))
    );
}

#[test]
fn a_resume_goes_on_over_a_restart() {
    let mut server = Server::start(&[]);
    let (ada, bob) = two(&server);
    let before = epoch(&ada);
    (0..5).for_each(|i| bob.say(&format!("{i}")));
    server.kill();
    server.restart();
    let ada = ada.via(&server.client().bearer(&ada.token));
    bob.via(&server.client()).say("after the restart");
    let (mut ws, answer) = resume(&server, &ada, 3, &before);
    assert_eq!(room_of(&answer)["complete"], true);
    assert_eq!(places(&frames(&mut ws, 5)), [4, 5, 6, 7, 8]);
    ws.nothing_more();
}

#[test]
fn without_v_1_a_resume_brings_what_its_document_has() {
    let server = server();
    let (ada, bob) = two(&server);
    ada.say("her own");
    join(&server.client(), &ada.room_id);
    bob.say("missed");
    let mut ws = server.socket();
    let seen = json!({(ada.room.to_string()):1});
    ws.send_json(json!({"type":"auth","token":ada.token,"resume":seen}));
    assert_eq!(ws.recv(), json!({"type":"auth","code":0,"msg":""}));
    assert_eq!(ws.hear(1), ["missed"]);
    ws.nothing_more();
}

#[test]
fn who_leaves_while_catching_up_hears_nothing_from_after_the_leaving() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = account(&http, "Bob");
    let joined = http.post(
        "/room/join",
        json!({"roomId":ada.room_id,"token":bob.token}),
    );
    assert_eq!(joined.status, 200, "{}", joined.body);

    let mut adas = server.login(&ada.token);
    let heavy = "x".repeat(3_500);
    (0..600).for_each(|_| drop(adas.say(ada.room, &heavy)));
    let mut slow = Ws::connect_narrow(server.ws);
    let seen = json!({(ada.room.to_string()):2});
    assert_eq!(
        slow.auth_with(&bob.token, json!({"resume":seen}))["code"],
        0
    );

    let left = server
        .login(&bob.token)
        .ask(json!({"type":"leave","room":ada.room}));
    assert_eq!(left["code"], 0, "{left}");
    (0..5).for_each(|_| drop(adas.say(ada.room, "secret")));

    let mut frames = Vec::new();
    while frames
        .last()
        .is_none_or(|frame: &Value| frame["type"] != "left")
    {
        frames.push(slow.recv());
    }
    assert_eq!(places(&frames), (3..=603).collect::<Vec<_>>());
    slow.nothing_more();
}

#[test]
fn a_ping_is_answered_while_what_was_missed_is_still_on_its_way() {
    const MISSED: usize = 3_000;
    let server = server();
    let (ada, bob) = two(&server);
    flood(&mut server.login(&bob.token), bob.room, MISSED);
    let mut ws = Ws::connect_narrow(server.ws);
    let seen = json!({(ada.room.to_string()):2});
    ws.auth_with(&ada.token, json!({"resume":seen}));
    ws.send(Message::Ping("still there?".into()));
    ws.send_json(json!({"type":"members","room":ada.room}));
    ws.ponged(b"still there?");
    let mut after = 0;
    let answer = loop {
        let frame = ws.recv();
        match frame["type"] == "recv" {
            true => after += 1,
            false => break frame,
        }
    };
    assert!(
        after > MISSED / 2,
        "{after} of {MISSED} came after the Pong"
    );
    assert_eq!(answer["type"], "members", "answered after what was missed");
    bob.with_token().say("live");
    assert_eq!(ws.recv()["at"], MISSED + 3);
}
