//! Kick, keep out, allow.

use super::{Class, class, class_on, elsewhere, join_named, noticed};
use crate::support::{Server, account, join_as, until};
use serde_json::json;

fn kick(class: &Class, user: u64, keep_out: bool) {
    class.acts(json!({"act":"kick","user":user,"keepOut":keep_out}));
}

#[test]
fn who_is_kicked_hears_why_and_is_closed_with_4001() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let mut old = class.server.login(&class.bob.token);
    kick(&class, class.bob.id, false);
    let notice = noticed(&mut bob, "kicked");
    assert_eq!(notice["keptOut"], false);
    assert_eq!(notice["target"], json!({"id":class.bob.id,"name":"Bob"}));
    assert_eq!(bob.recv()["type"], "left");
    let kicked = bob.recv();
    let is = (&kicked["type"], &kicked["room"], &kicked["keptOut"]);
    assert_eq!(is, (&json!("kicked"), &json!(class.room()), &json!(false)));
    assert!(!kicked["msg"].as_str().unwrap_or_default().is_empty());
    assert_eq!(bob.recv_or_code(), Err(4001));
    assert_eq!(
        old.recv_or_code(),
        Err(4001),
        "no frame that its document has not"
    );

    assert_eq!(noticed(&mut ada, "kicked"), notice);
    let left = ada.recv();
    assert_eq!((&left["type"], &left["at"]), (&json!("left"), &json!(4)));
    ada.nothing_more();
    class
        .bob
        .send(json!({"content":"but"}))
        .refused(403, "not_a_member");
    join_named(&class.server.client(), &class.teacher, "Bob");
}

#[test]
fn who_is_kicked_and_is_in_another_room_stays_connected_there() {
    let class = class();
    let http = class.server.client();
    let other = elsewhere(&http, &class.bob);
    let (_, mut bob) = class.sockets();
    kick(&class, class.bob.id, false);
    noticed(&mut bob, "kicked");
    assert_eq!(bob.recv()["type"], "left");
    assert_eq!(bob.recv()["type"], "kicked");
    class.teacher.say("he hears nothing of it");
    bob.say(other, "here I am");
    bob.nothing_more();
}

#[test]
fn an_account_is_closed_with_4001_too_and_may_log_on_again() {
    let class = class();
    let eve = account(&class.server.client(), "Eve");
    let join = json!({"roomId":class.teacher.room_id});
    eve.http.post("/room/join", join.clone()).data();
    let mut ws = class.server.login_v1(&eve.token);
    kick(&class, eve.id, false);
    noticed(&mut ws, "kicked");
    assert_eq!(ws.recv()["type"], "left");
    assert_eq!(ws.recv()["type"], "kicked");
    assert_eq!(ws.recv_or_code(), Err(4001));
    let again = class.server.socket().auth_v1(&eve.token);
    assert_eq!((&again["code"], &again["rooms"]), (&json!(0), &json!([])));
    eve.http.post("/room/join", join).data();
}

#[test]
fn who_is_kicked_while_it_waits_for_news_is_told_that_it_is_no_member() {
    let class = class();
    class.bob.drain();
    let waiting = class.bob.begin_fetch(json!({"wait":60}));
    kick(&class, class.bob.id, false);
    waiting.finish().refused(403, "not_a_member");
}

#[test]
fn who_is_kept_out_does_not_come_back_by_number_or_name_until_it_is_allowed() {
    let class = class();
    let http = class.server.client();
    let eve = account(&http, "Eve");
    let join_eve = |http: &crate::support::Http, name: Option<&str>| {
        let mut body = json!({"roomId":class.teacher.room_id});
        if let Some(name) = name {
            body["userName"] = json!(name);
        }
        http.bearer(&eve.token).post("/room/join", body)
    };
    join_eve(&http, None).data();
    kick(&class, eve.id, true);
    assert_eq!(
        class.state()["keptOut"],
        json!([{"user":eve.id,"name":"Eve"}])
    );
    join_eve(&http, None).refused(403, "kept_out");
    join_eve(&http, Some("Somebody")).refused(403, "kept_out");
    let named = |name| {
        http.post(
            "/room/join",
            json!({"roomId":class.teacher.room_id,"userName":name}),
        )
    };
    named("Eve").refused(403, "kept_out");
    named("\u{415}ve").refused(403, "kept_out");
    // All call from one address, as a class behind a router does: the others come and go.
    named("Zoe").data();
    let mut ws = class.server.login_v1(&eve.token);
    let refused = ws.ask(json!({"type":"join","room":class.teacher.room_id}));
    assert_eq!(refused["code"], 15, "{refused}");

    let class = class.restarted();
    let http = class.server.client();
    let again = || {
        let body = json!({"roomId":class.teacher.room_id});
        http.bearer(&eve.token).post("/room/join", body)
    };
    again().refused(403, "kept_out");
    class.acts(json!({"act":"allow","user":eve.id}));
    assert_eq!(class.state()["keptOut"], json!([]));
    again().data();
}

#[test]
fn an_address_is_kept_out_where_no_other_member_has_it() {
    let class = class();
    let http = class.server.client();
    let far = http.calling_from([127, 0, 0, 9]);
    let shared = http.calling_from([127, 0, 0, 10]);
    let enter = |http: &crate::support::Http, name| {
        http.post(
            "/room/join",
            json!({"roomId":class.teacher.room_id,"userName":name}),
        )
    };
    let number =
        |reply: crate::support::Reply| reply.data()["user"]["id"].as_u64().expect("a number");
    let alone = number(enter(&far, "Eve"));
    let one = number(enter(&shared, "Tom"));
    number(enter(&shared, "Tim"));
    kick(&class, alone, true);
    kick(&class, one, true);
    enter(&far, "Another").refused(403, "kept_out");
    enter(&shared, "Another").data();
    let class = class.restarted();
    let far = class.server.client().calling_from([127, 0, 0, 9]);
    far.post(
        "/room/join",
        json!({"roomId":class.teacher.room_id,"userName":"Third"}),
    )
    .refused(403, "kept_out");
    class.acts(json!({"act":"allow","user":alone}));
    far.post(
        "/room/join",
        json!({"roomId":class.teacher.room_id,"userName":"Third"}),
    )
    .data();
}

#[test]
fn a_member_who_is_long_away_is_no_reason_to_let_an_address_in() {
    let class = class_on(Server::start(&["--idle", "1"]));
    let http = class.server.client();
    let far = http.calling_from([127, 0, 0, 9]);
    let enter = |name| {
        let body = json!({"roomId":class.teacher.room_id,"userName":name});
        far.post("/room/join", body)
    };
    let tom = enter("Tom").data()["user"]["id"].clone();
    let mut ada = class.server.login_v1(&class.teacher.token);
    until("Tom is away", || {
        let members = ada.ask(json!({"type":"members","room":class.room()}))["data"].clone();
        let members = members.as_array().expect("a list");
        let is_away = |m: &&serde_json::Value| m["id"] == tom && m["online"] == false;
        members.iter().any(|m| is_away(&m))
    });
    let eve = enter("Eve").data()["user"]["id"].as_u64();
    kick(&class, eve.expect("a number"), true);
    enter("Another").refused(403, "kept_out");
}

#[test]
fn who_catches_up_is_kicked_as_well() {
    let class = class_on(Server::start(&["--user-rate", "0", "--room-rate", "0"]));
    let mut bob = class.server.login_v1(&class.bob.token);
    let seen = bob.ask(json!({"type":"members","room":class.room()}));
    assert_eq!(seen["code"], 0);
    drop(bob);
    for n in 0..300 {
        class.teacher.say(&format!("{n}"));
    }
    let mut bob = class.server.socket();
    let resume = json!({"resume":{(class.room().to_string()):2}});
    bob.auth_with(&class.bob.token, resume);
    kick(&class, class.bob.id, false);
    assert_eq!(bob.closed(), 4001);
}

#[test]
fn a_guest_kicked_out_of_its_last_room_is_no_more() {
    let class = class();
    kick(&class, class.bob.id, false);
    let body = json!({"roomId":class.teacher.room_id});
    let http = class.server.client().bearer(&class.bob.token);
    http.post("/room/join", body).refused(401, "bad_token");
    let _ = join_as(
        &class.server.client(),
        json!({"roomId":class.teacher.room_id}),
    );
}
