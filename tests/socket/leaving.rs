//! What a guest who leaves its last room still gets.

use crate::support::{Server, create, join, texts};
use serde_json::json;

#[test]
fn a_guest_that_leaves_is_answered_before_its_socket_closes() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    for round in 0..20 {
        let bob = join(&http, &ada.room_id);
        let mut ws = if round % 2 == 0 {
            server.login(&bob.token)
        } else {
            server.login_v1(&bob.token)
        };
        let uuid = ws.begin_say(bob.room, "goodbye");
        ws.send_json(json!({"type":"leave","room":bob.room,"id":round}));
        let sent = ws.recv();
        assert_eq!(
            (&sent["type"], &sent["uuid"], &sent["code"]),
            (&json!("send"), &json!(uuid), &json!(0))
        );
        let mut left = Vec::new();
        let code = loop {
            match ws.recv_or_code() {
                Ok(frame) if frame["type"] == "leave" => left.push(frame),
                Ok(frame) => assert_eq!(frame["type"], "left", "{frame}"),
                Err(code) => break code,
            }
        };
        assert_eq!(code, 4003);
        assert_eq!(left.len(), 1, "one answer: {left:?}");
        assert_eq!(
            (&left[0]["code"], &left[0]["id"]),
            (&json!(0), &json!(round))
        );
        assert_eq!(
            texts(&ada.drain())[1..],
            ["goodbye".to_string(), format!("{}离开了房间", bob.name)]
        );
    }
}

#[test]
fn who_leaves_its_last_room_is_answered_everything_before_it_is_closed() {
    let server = Server::start(&["--data", "none", "--user-rate", "0"]);
    // So many that others tell them.
    let large = create(&server.client(), json!({"userName":"Ada"}));
    let mut sockets: Vec<_> = (0..70).map(|_| server.login_v1(&large.token)).collect();
    for _ in 0..10 {
        let guest = join(&server.client(), &large.room_id);
        let small = create(
            &server.client().bearer(&guest.token),
            json!({"listed":true}),
        );
        let other = join(&server.client(), &small.room_id);
        let mut ws = server.login(&other.token);
        let answer = ws.ask(json!({"type":"join","room":large.room_id}));
        assert_eq!(answer["code"], 0, "{answer}");
        let said: Vec<_> = (0..5).map(|_| ws.begin_say(large.room, "hello")).collect();
        for room in [large.room, small.room] {
            ws.send_json(json!({"type":"leave","room":room}));
        }
        let (mut told, mut left) = (vec![], 0);
        let code = loop {
            match ws.recv_or_code() {
                Ok(frame) if frame["type"] == "send" => told.push(frame["uuid"].clone()),
                Ok(frame) if frame["type"] == "leave" => left += 1,
                Ok(_) => {}
                Err(code) => break code,
            }
        };
        assert_eq!((json!(told), left, code), (json!(said), 2, 4003));
    }
    sockets
        .iter_mut()
        .for_each(|ws| assert_eq!(ws.recv()["type"], "joined"));
}
