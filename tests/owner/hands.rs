//! Hands up: who raised one, in which order, and that it is no part of the room's order.

use super::{class, join_named, noticed, try_by};
use crate::support::{Ws, until};
use serde_json::{Value, json};

/// The next frame of hands that shows these users, past older ones.
#[track_caller]
fn shows(ws: &mut Ws, users: &[u64]) {
    loop {
        let frame = ws.recv();
        assert_eq!(frame["type"], "hands", "{frame}");
        if frame["users"] == json!(users) {
            return;
        }
    }
}

fn raise(ws: &mut Ws, room: u64, on: bool) -> Value {
    ws.ask_past(json!({"type":"hand","room":room,"on":on,"id":9}))
}

#[test]
fn hands_are_shown_in_the_order_in_which_they_went_up() {
    let class = class();
    let room = class.room();
    let eve = join_named(&class.server.client(), &class.teacher, "Eve");
    let (mut ada, mut bob) = class.sockets();
    let path = format!("/rooms/{room}/hand");
    let by_eve = |on: bool| {
        let http = eve.http.bearer(&eve.token);
        http.post(&path, json!({"on":on})).done(200).clone()
    };
    assert_eq!(by_eve(true), json!({"code":0,"msg":"","on":true}));
    assert_eq!(
        raise(&mut bob, room, true),
        json!({"type":"hand","code":0,"msg":"","id":9,"room":room,"on":true})
    );
    shows(&mut ada, &[eve.id, class.bob.id]);
    raise(&mut bob, room, true);
    let members = ada.ask_past(json!({"type":"members","room":room}));
    let hands: Vec<_> = (0..3)
        .map(|n| members["data"][n].get("hand").cloned())
        .collect();
    assert_eq!(
        hands,
        [None, Some(json!(2)), Some(json!(1))],
        "it keeps its turn"
    );
    by_eve(false);
    shows(&mut ada, &[class.bob.id]);
    let page = ada.ask_past(json!({"type":"history","room":room}));
    assert_eq!(
        page["data"].as_array().map(Vec::len),
        Some(3),
        "no place in the order"
    );

    // Who leaves takes its hand down; a restart all of them.
    by_eve(true);
    shows(&mut ada, &[class.bob.id, eve.id]);
    class.bob.call("/room/leave").data();
    loop {
        let frame = ada.recv();
        if frame["type"] == "hands" && frame["users"] == json!([eve.id]) {
            break;
        }
    }
    let class = class.restarted();
    let mut ada = class.server.login_v1(&class.teacher.token);
    let members = ada.ask(json!({"type":"members","room":room}));
    assert!(!members.to_string().contains("hand"), "{members}");
}

#[test]
fn an_owner_lowers_one_hand_or_all_and_a_pupil_none() {
    let class = class();
    let room = class.room();
    let eve = join_named(&class.server.client(), &class.teacher, "Eve");
    let (mut ada, mut bob) = class.sockets();
    let mut eves = class.server.login_v1(&eve.token);
    raise(&mut bob, room, true);
    raise(&mut eves, room, true);
    raise(&mut ada, room, true);
    shows(&mut ada, &[class.bob.id, eve.id, class.teacher.id]);
    try_by(&class.bob, json!({"act":"lower","user":eve.id})).failed(403, 5);
    class.acts(json!({"act":"lower","user":class.bob.id}));
    shows(&mut ada, &[eve.id, class.teacher.id]);
    class.acts(json!({"act":"lower"}));
    shows(&mut ada, &[]);
    class.acts(json!({"act":"lower"}));
    class.acts(json!({"act":"lock","on":true}));
    noticed(&mut ada, "locked");
}

#[test]
fn a_room_is_told_of_hands_twice_a_second_at_most() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let start = std::time::Instant::now();
    for n in 0..200 {
        bob.send_json(json!({"type":"hand","room":class.room(),"on":n % 2 == 0}));
    }
    bob.send_json(json!({"type":"hand","room":class.room(),"on":true}));
    until("his hand is up", || {
        let members = ada.ask_past(json!({"type":"members","room":class.room()}));
        members["data"][1].get("hand").is_some()
    });
    class.bob.say("done");
    let mut frames = 0;
    while ada.recv()["type"] == "hands" {
        frames += 1;
    }
    let most = 2 + start.elapsed().as_millis() / 500;
    assert!(frames <= most, "{frames} in {:?}", start.elapsed());
}

#[test]
fn a_socket_of_the_document_alone_hears_of_no_hands() {
    let class = class();
    let mut old = class.server.login(&class.bob.token);
    let mut ada = class.server.login_v1(&class.teacher.token);
    raise(&mut ada, class.room(), true);
    class.teacher.say("hello");
    assert_eq!(old.hear(1), ["hello"]);
}

#[test]
fn a_hand_needs_a_token_and_a_seat() {
    let class = class();
    let http = class.server.client();
    let path = format!("/rooms/{}/hand", class.room());
    http.post(&path, json!({"on":true})).failed(401, 1);
    let eve = crate::support::create(&http, json!({}));
    let by_eve = http.bearer(&eve.token);
    by_eve.post(&path, json!({"on":true})).failed(403, 4);
    let bob = http.bearer(&class.bob.token);
    let why = bob.post(&path, json!({"on":"yes"})).failed(400, 2);
    assert!(why.starts_with("on must be"), "{why}");
    bob.post(&path, json!({})).failed(400, 2);
}
