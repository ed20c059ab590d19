//! HTTP and WebSocket in one room, and the one order that everyone sees.

use crate::support::{Guest, Server, Shape, Ws, create, join, join_as, places, texts, uuid};
use serde_json::{Value, json};
use std::time::Instant;

/// Ada and Bob in one room; no limits on rates.
fn start() -> (Server, Guest, Guest) {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (server, ada, bob)
}

#[test]
fn a_member_on_http_and_one_on_a_socket_read_each_other() {
    let (server, ada, bob) = start();
    let mut ws = server.login(&ada.token);
    bob.say("from HTTP");
    let heard = ws.heard();
    assert_eq!(
        (&heard["sender"], &heard["room"]),
        (&json!(bob.id), &json!(bob.room))
    );
    assert_eq!(heard["data"], json!({"type":"Text","text":"from HTTP"}));

    let id = uuid();
    let sent = ws.say_as(&id, ada.room, "from a socket");
    Shape::loose().check(
        &json!(bob.drain()),
        &json!([{"type": "message", "userId": ada.user_id, "contentType": "text", "content": "from a socket",
            "uuid": id, "at": sent["at"], "seq": sent["seq"], "userName": "Ada", "sent": "<utc-ms>"}]),
    );
}

#[test]
fn what_a_socket_was_sent_is_pending_all_the_same() {
    let (server, ada, bob) = start();
    let mut ws = server.login(&ada.token);
    bob.say("hello");
    ws.hear(1);
    assert_eq!(
        texts(&ada.with_token().drain()),
        ["Bob加入了房间", "hello"],
        "only fetch moves what is pending"
    );
}

#[test]
fn with_v_1_a_socket_is_told_who_comes_and_goes() {
    let (server, ada, _) = start();
    let mut ws = server.login_v1(&ada.token);
    let cid = join_as(
        &server.client(),
        json!({"roomId":ada.room_id,"userName":"Cid"}),
    );
    let user = json!({"id": cid.id, "name": "Cid", "avatar": "<avatar:cid>"});
    let mut shape = Shape::strict(&[]);
    let joined = ws.recv();
    shape.check(
        &joined,
        &json!({"type": "joined", "room": ada.room, "at": 3, "user": user, "sent": "<local-ns>"}),
    );
    cid.call("/room/leave").data();
    let left = ws.recv();
    shape.check(
        &left,
        &json!({"type": "left", "room": ada.room, "at": 4, "user": user, "sent": "<local-ns>"}),
    );
}

#[test]
fn without_v_1_a_socket_gets_no_type_that_its_document_does_not_have() {
    let (server, ada, bob) = start();
    let mut ws = server.login(&ada.token);
    let cid = join(&server.client(), &ada.room_id);
    let mut other = server.login_v1(&cid.token);
    other.send_json(json!({"type":"typing","room":ada.room}));
    cid.with_token().call("/room/leave").data();
    drop(other);
    bob.say("the first frame for Ada");
    let frame = ws.recv();
    assert_eq!(
        (&frame["type"], &frame["data"]["data"]["text"]),
        (&json!("recv"), &json!("the first frame for Ada"))
    );
    assert_eq!(frame["at"], 5, "the notices had their places");
}

#[test]
fn the_places_of_a_room_have_no_gap_whatever_takes_them() {
    let (server, ada, bob) = start();
    let (mut reader, mut bobs) = (server.login_v1(&ada.token), server.login(&bob.token));
    let bob = bob.with_token();
    let mut expected = 3..;
    for round in 0..5 {
        bobs.say(bob.room, &format!("socket {round}"));
        bob.say(&format!("HTTP {round}"));
        let guest = join(&server.client(), &ada.room_id);
        guest.call("/room/leave").data();
        for _ in 0..4 {
            let frame = reader.recv();
            assert_eq!(frame["at"].as_u64(), expected.next(), "{frame}");
        }
    }
}

#[test]
fn everyone_sees_one_order_however_many_speak_at_once() {
    const EACH: usize = 25;
    let (server, ada, bob) = start();
    let mut readers: Vec<_> = (0..2).map(|_| server.login(&ada.token)).collect();
    let on_http = join(&server.client(), &ada.room_id);
    let guests: Vec<_> = (0..4)
        .map(|_| join(&server.client(), &ada.room_id))
        .collect();
    let threads: Vec<_> = guests
        .into_iter()
        .enumerate()
        .map(|(n, guest)| {
            let mut ws = server.login(&guest.token);
            std::thread::spawn(move || {
                // Odd ones over HTTP, even ones on a socket.
                let guest = guest.with_token();
                for i in 0..EACH {
                    let text = format!("{n}.{i}");
                    if n % 2 == 0 {
                        drop(say_amid_others(&mut ws, guest.room, &text))
                    } else {
                        guest.say(&text)
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|t| t.join().expect("a speaker"));

    let orders: Vec<Vec<(u64, String)>> = readers
        .iter_mut()
        .map(|ws| {
            let frames = (0..4 * EACH).map(|_| ws.recv());
            frames
                .map(|f| {
                    (
                        f["at"].as_u64().expect("at"),
                        f["data"]["data"]["text"].as_str().expect("a text").into(),
                    )
                })
                .collect()
        })
        .collect();
    let first_place = orders[0][0].0;
    assert_eq!(
        orders[0].iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        (first_place..).take(4 * EACH).collect::<Vec<_>>()
    );
    assert_eq!(orders[0], orders[1]);
    for guest in [on_http, bob] {
        let drained = guest.drain();
        let messages: Vec<_> = drained
            .into_iter()
            .filter(|e| e["type"] == "message")
            .collect();
        let order: Vec<_> = places(&messages)
            .into_iter()
            .zip(texts(&messages))
            .collect();
        assert_eq!(order, orders[0]);
    }
}

/// Says a text; what others say meanwhile is not asked for.
fn say_amid_others(ws: &mut Ws, room: u64, text: &str) -> Value {
    let uuid = ws.begin_say(room, text);
    loop {
        let frame = ws.recv();
        if frame["type"] == "send" {
            assert_eq!(
                (&frame["uuid"], &frame["code"]),
                (&json!(uuid), &json!(0)),
                "{frame}"
            );
            return frame;
        }
    }
}

#[test]
fn on_one_socket_answers_and_frames_of_the_order_come_in_its_order() {
    let (server, ada, bob) = start();
    let mut ws = server.login(&ada.token);
    let speaker = {
        let mut bobs = server.login(&bob.token);
        std::thread::spawn(move || {
            (0..50).for_each(|i| drop(say_amid_others(&mut bobs, bob.room, &format!("b{i}"))))
        })
    };
    let mut last = 0;
    let (mut own, mut others) = (0, 0);
    let start = Instant::now();
    ws.begin_say(ada.room, "a0");
    while own < 50 || others < 50 {
        assert!(start.elapsed() < crate::support::DEADLINE);
        let frame = ws.recv();
        let at = frame["at"].as_u64().expect("at");
        assert!(at > last, "{at} after {last}");
        last = at;
        if frame["type"] == "send" {
            own += 1;
            if own < 50 {
                ws.begin_say(ada.room, &format!("a{own}"));
            }
        } else {
            others += 1;
        }
    }
    speaker.join().expect("Bob");
}

#[test]
fn stopping_closes_sockets_with_1001_and_ends_with_0() {
    let (mut server, ada, bob) = start();
    let (mut quiet, mut v1, mut stranger) = (
        server.login(&ada.token),
        server.login_v1(&bob.token),
        server.socket(),
    );
    server.signal("TERM");
    assert_eq!([quiet.closed(), v1.closed(), stranger.closed()], [1001; 3]);
    server.stopped();
}

#[test]
fn ctrl_c_stops_as_well() {
    let (mut server, ada, _) = start();
    let mut ws = server.login(&ada.token);
    server.signal("INT");
    assert_eq!(ws.closed(), 1001);
    server.stopped();
}
