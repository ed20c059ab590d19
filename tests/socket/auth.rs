//! Who may speak on a socket.

use crate::support::{Server, Shape, create, join, uuid};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tungstenite::Message;

fn server() -> Server {
    Server::start(&["--data", "none"])
}

fn refusal(code: u64, msg: &str) -> Value {
    json!({"type":"auth","code":code,"msg":msg})
}

#[test]
fn ws_answers_on_both_ports() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    for port in [server.ws, server.http] {
        crate::support::Ws::connect(port).auth(&ada.token);
    }
}

#[test]
fn other_paths_of_the_websocket_port_are_404() {
    let server = server();
    let http = crate::support::Http::new(server.ws);
    for path in ["/", "/wss", "/ws/", "/room/create", "/healthz"] {
        assert_eq!(http.get(path).status, 404, "{path}");
    }
}

#[test]
fn ws_without_an_upgrade_is_426_and_says_what_is_wrong() {
    let server = server();
    for port in [server.ws, server.http] {
        let reply = crate::support::Http::new(port).get("/ws");
        assert_eq!(reply.status, 426);
        assert!(
            reply.body.contains("WebSocket") && reply.body.split(' ').count() > 4,
            "a sentence: {}",
            reply.body
        );
        assert!(
            reply
                .header("Upgrade")
                .is_some_and(|u| u.eq_ignore_ascii_case("websocket")),
            "{:?}",
            reply.headers
        );
    }
}

#[test]
fn whoever_speaks_before_auth_is_told_to_log_in() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    let mut ws = server.socket();
    ws.begin_say(ada.room, "hello");
    assert_eq!(ws.recv(), refusal(2, "Please login first!"));
    ws.send_json(json!({"type":"auth"}));
    assert_eq!(ws.recv(), refusal(2, "Please login first!"));
    ws.send_json(json!({"type":"auth","token":""}));
    assert_eq!(ws.recv(), refusal(2, "Please login first!"));
    ws.auth(&ada.token);
    assert_eq!(
        ws.say(ada.room, "hello")["at"],
        2,
        "nothing was said before auth"
    );
}

#[test]
fn a_wrong_token_may_be_corrected_within_five_attempts() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    let mut ws = server.socket();
    for token in [
        "0123456789abcdef",
        &"0".repeat(64),
        "x",
        &ada.token.to_uppercase(),
    ] {
        ws.send_json(json!({"type":"auth","token":token}));
        assert_eq!(ws.recv(), refusal(1, "Login status expired!"));
    }
    ws.auth(&ada.token);
}

#[test]
fn the_fifth_failed_attempt_is_the_last() {
    let server = server();
    let mut ws = server.socket();
    for _ in 0..5 {
        ws.send_json(json!({"type":"auth","token":"x"}));
        assert_eq!(ws.recv(), refusal(1, "Login status expired!"));
    }
    assert_eq!(ws.closed(), 1008);
}

#[test]
fn a_socket_that_does_not_log_in_is_closed_after_10_seconds() {
    let server = server();
    let start = Instant::now();
    let mut ws = server.socket();
    ws.send_json(json!({"type":"auth","token":"x"})); // an attempt gives no more time
    assert_eq!(ws.closed_within(Duration::from_secs(14)), 1008);
    assert!(
        start.elapsed() >= Duration::from_secs(9),
        "after {:?}",
        start.elapsed()
    );
}

#[test]
fn a_second_auth_after_success_is_refused_and_changes_nothing() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let mut ws = server.login(&ada.token);
    ws.send_json(json!({"type":"auth","token":bob.token}));
    assert_eq!(ws.recv(), refusal(4, "Already authenticated!"));
    ws.say(ada.room, "still Ada");
    assert_eq!(bob.drain()[0]["userId"], json!(ada.user_id));
}

#[test]
fn with_v_1_auth_tells_who_and_where_one_is() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({"roomName":"Chess"}));
    join(&http, &ada.room_id);
    let answer = server.socket().auth_v1(&ada.token);
    Shape::strict(&[]).check(
        &answer,
        &json!({"type": "auth", "code": 0, "msg": "", "v": 1, "epoch": "<epoch>", "me": ada.id, "gone": [],
            "rooms": [{"id": ada.room, "name": "Chess", "at": 2, "complete": true, "owner": true, "locked": false, "quiet": false}]}),
    );
    assert_eq!(
        answer["epoch"],
        ada.with_token().fetch(json!({"after":0}))["epoch"],
        "one epoch on both transports"
    );
}

#[test]
fn auth_is_answered_after_pings_that_were_not_read() {
    const PINGS: usize = 600; // the last of their answers wait in parlor
    let server = server();
    let ada = create(&server.client(), json!({}));
    let mut ws = crate::support::Ws::connect_narrow(server.ws);
    let ping = |n: usize| format!("{n:0125}"); // as long as a ping may be
    (0..PINGS).for_each(|n| ws.send(Message::Ping(ping(n).into())));
    ws.send_json(json!({"type":"auth","token":ada.token}));
    ws.ponged(ping(PINGS - 1).as_bytes());
    assert_eq!(ws.recv(), refusal(0, ""));
}

#[test]
fn unknown_fields_are_ignored_in_auth_and_msg() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    let mut ws = server.socket();
    ws.send_json(json!({"type":"auth","token":ada.token,"colour":"red"}));
    assert_eq!(ws.recv(), refusal(0, ""));
    let data = json!({"type":"Text","text":"hi","size":12});
    let answer = ws_ask(
        &mut ws,
        json!({"type":"msg","uuid":uuid(),"room":ada.room,"data":data,"colour":[1]}),
    );
    assert_eq!(answer["code"], 0);
}

fn ws_ask(ws: &mut crate::support::Ws, frame: Value) -> Value {
    ws.send_json(frame);
    ws.recv()
}
