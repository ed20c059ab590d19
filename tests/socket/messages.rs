//! `msg`, `send`, `recv`, and the requests beside them.

use crate::support::{Guest, Server, Shape, Ws, create, join_as, texts, uuid};
use serde_json::{Value, json};

fn server() -> Server {
    Server::start(&["--data", "none"])
}

/// Ada and Bob in one room.
fn two(server: &Server) -> (Guest, Guest) {
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (ada, bob)
}

/// Sends a frame that is refused with this code; answers the `send`.
fn refused(ws: &mut Ws, frame: Value, code: u64) -> Value {
    let uuid = frame["uuid"].clone();
    ws.send_json(frame);
    let answer = ws.recv();
    assert_eq!(
        (&answer["type"], &answer["code"]),
        (&json!("send"), &json!(code)),
        "{answer}"
    );
    assert_eq!(
        answer.get("sent"),
        Some(&Value::Null),
        "sent is null on failure: {answer}"
    );
    assert!(
        answer["msg"].as_str().is_some_and(|m| !m.is_empty()),
        "a reason: {answer}"
    );
    assert_eq!(answer["uuid"], uuid, "the uuid as it was sent");
    assert_eq!(
        (answer.get("seq"), answer.get("at")),
        (None, None),
        "{answer}"
    );
    answer
}

fn msg(room: u64, text: &str) -> Value {
    json!({"type":"msg","uuid":uuid(),"room":room,"data":{"type":"Text","text":text}})
}

#[test]
fn a_malformed_msg_is_code_2() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    let without = |field: &str| {
        let mut frame = msg(ada.room, "hi");
        frame.as_object_mut().expect("an object").remove(field);
        frame
    };
    let with = |field: &str, value: Value| {
        let mut frame = msg(ada.room, "hi");
        frame[field] = value;
        frame
    };
    for frame in [
        without("room"),
        without("data"),
        with("uuid", json!("not a uuid")),
        with("room", json!("one")),
        with("room", json!(1.5)),
        with("data", json!("hi")),
        with("data", json!({"type":"Text"})),
        with("data", json!({"type":"Text","text":7})),
        with("data", json!({"text":"hi"})),
    ] {
        refused(&mut ws, frame, 2);
    }
    ws.send_json(without("uuid"));
    let answer = ws.recv();
    assert_eq!(
        (&answer["type"], &answer["code"], &answer["sent"]),
        (&json!("send"), &json!(2), &Value::Null)
    );
}

#[test]
fn a_content_type_that_we_do_not_have_is_code_2_and_named() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    let mut frame = msg(ada.room, "hi");
    frame["data"] = json!({"type":"Image","url":"http://example.org/a.png"});
    let answer = refused(&mut ws, frame, 2);
    assert!(
        answer["msg"].as_str().is_some_and(|m| m.contains("Image")),
        "{answer}"
    );
}

#[test]
fn a_room_that_is_not_there_is_code_3_and_one_of_others_code_4() {
    let server = server();
    let (ada, _) = two(&server);
    let other = create(&server.client(), json!({}));
    let mut ws = server.login(&ada.token);
    refused(&mut ws, msg(999, "hi"), 3);
    refused(&mut ws, msg(0, "hi"), 3);
    refused(&mut ws, msg(other.room, "hi"), 4);
}

#[test]
fn a_text_has_1_to_4000_characters() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, mut reader) = (server.login(&ada.token), server.login(&bob.token));
    refused(&mut ws, msg(ada.room, ""), 6);
    refused(&mut ws, msg(ada.room, &"x".repeat(4001)), 6);
    refused(&mut ws, msg(ada.room, &"🦜".repeat(4001)), 6);
    for text in ["x".repeat(4000), "🦜".repeat(4000)] {
        ws.say(ada.room, &text);
        assert!(reader.hear(1) == [text]);
    }
}

#[test]
fn who_sends_too_fast_is_told_when_to_go_on() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    let refused = (0..130)
        .map(|i| ws.say_as(&uuid(), ada.room, &format!("{i}")))
        .find(|a| a["code"] != 0);
    let refused = refused.expect("a refusal: 130 at once are more than a burst of 30");
    assert_eq!(
        (&refused["code"], &refused["sent"]),
        (&json!(7), &Value::Null)
    );
    assert!(
        refused["retryAfter"]
            .as_f64()
            .is_some_and(|s| s > 0.0 && s <= 60.0),
        "{refused}"
    );
}

#[test]
fn who_keeps_32_requests_unanswered_is_never_told_that_they_are_too_many() {
    const UNANSWERED: usize = 32;
    const ALL: usize = 3_000;
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    (0..UNANSWERED).for_each(|_| drop(ws.begin_say(ada.room, "hello")));
    for answered in 1..=ALL {
        let answer = ws.recv();
        assert_eq!(answer["code"], 0, "{answer}");
        if answered + UNANSWERED <= ALL {
            ws.begin_say(ada.room, "hello");
        }
    }
}

#[test]
fn a_uuid_is_one_message_on_either_transport() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, mut reader) = (server.login(&ada.token), server.login(&bob.token));
    let by_socket = uuid();
    let first = ws.say_as(&by_socket, ada.room, "once");
    ws.say(ada.room, "between");
    assert_eq!(ws.say_as(&by_socket, ada.room, "once"), first);

    let ada = ada.with_token();
    let over_http = ada.say_as(&by_socket, "once");
    assert_eq!(
        (&over_http["seq"], &over_http["at"]),
        (&first["seq"], &first["at"])
    );

    let by_http = uuid();
    let said = ada.say_as(&by_http, "twice?");
    let again = ws.say_as(&by_http, ada.room, "twice?");
    assert_eq!(
        (&again["code"], &again["seq"], &again["at"]),
        (&json!(0), &said["seq"], &said["at"])
    );

    assert_eq!(reader.hear(3), ["once", "between", "twice?"]);
    reader.nothing_more();
}

#[test]
fn a_uuid_is_echoed_as_it_was_sent_and_compared_as_a_number() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, mut reader) = (server.login(&ada.token), server.login(&bob.token));
    let id = "67E55044-10B1-426F-9247-BB680E5FE0C8";
    let first = ws.say_as(id, ada.room, "once");
    for spelling in [id.to_lowercase(), id.replace('-', "")] {
        let again = ws.say_as(&spelling, ada.room, "once");
        assert_eq!(
            [&again["code"], &again["at"], &again["sent"]],
            [&json!(0), &first["at"], &first["sent"]]
        );
    }
    assert_eq!(reader.hear(1), ["once"]);
    reader.nothing_more();
}

#[test]
fn a_uuid_of_another_message_is_code_8() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let mut frame = msg(ada.room, "mine");
    ws.send_json(frame.clone());
    assert_eq!(ws.recv()["code"], 0);
    assert_eq!(bobs.hear(1), ["mine"]);
    refused(&mut bobs, frame.clone(), 8);
    frame["data"]["text"] = json!("another text");
    refused(&mut ws, frame, 8);
    bobs.nothing_more();
}

#[test]
fn every_socket_of_a_member_hears_the_others() {
    let server = server();
    let (ada, bob) = two(&server);
    let mut adas = [
        server.login(&ada.token),
        server.login(&ada.token),
        server.login_v1(&ada.token),
    ];
    let mut bobs = server.login(&bob.token);
    bobs.say(bob.room, "hello");
    for socket in &mut adas {
        assert_eq!(socket.hear(1), ["hello"]);
    }
}

#[test]
fn only_with_v_1_a_senders_other_sockets_hear_it() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut phone, mut old, mut new) = (
        server.login_v1(&ada.token),
        server.login(&ada.token),
        server.login_v1(&ada.token),
    );
    let mut bobs = server.login(&bob.token);
    phone.say(ada.room, "from my phone"); // its own next frame is `send`, no `recv`
    let copy = new.heard();
    assert_eq!(
        (&copy["data"]["text"], &copy["sender"]),
        (&json!("from my phone"), &json!(ada.id))
    );

    bobs.hear(1);
    bobs.say(bob.room, "then Bob");
    for socket in [&mut phone, &mut old, &mut new] {
        assert_eq!(socket.hear(1), ["then Bob"]);
    }

    ada.with_token().say("over HTTP"); // all her sockets are others then
    bobs.hear(1);
    bobs.say(bob.room, "Bob again");
    assert_eq!(phone.hear(2), ["over HTTP", "Bob again"]);
    assert_eq!(new.hear(2), ["over HTTP", "Bob again"]);
    assert_eq!(old.hear(1), ["Bob again"]);
}

#[test]
fn a_reply_names_what_it_answers() {
    let server = server();
    let (ada, bob) = two(&server);
    let (mut ws, mut reader) = (server.login(&ada.token), server.login(&bob.token));
    let question = ws.say(ada.room, "tea?");
    reader.hear(1);
    let mut frame = msg(ada.room, "I mean green");
    frame["reply"] = question["seq"].clone();
    ws.send_json(frame);
    assert_eq!(ws.recv()["code"], 0);
    assert_eq!(reader.heard()["reply"], question["seq"]);
}

#[test]
fn a_reply_to_what_is_no_message_is_code_2_and_named() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    let notice = 1;
    for reply in [0, notice, 3, u64::MAX] {
        let mut frame = msg(ada.room, "yes");
        frame["reply"] = json!(reply);
        let answer = refused(&mut ws, frame, 2);
        let reason = answer["msg"].as_str().unwrap_or_default();
        assert!(reason.contains("reply"), "{reply}: {reason}");
    }
}

#[test]
fn what_is_no_request_is_an_error_and_ten_of_them_are_too_many() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    let strange = [
        "",
        "hello",
        "[1]",
        "7",
        "null",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"dance"}"#,
        r#"{"type":"send"}"#,
    ];
    for text in strange {
        ws.send_text(text);
        let answer = ws.recv();
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!(2)),
            "{text:?}: {answer}"
        );
        assert!(
            answer["msg"].as_str().is_some_and(|m| !m.is_empty()),
            "{answer}"
        );
    }
    ws.say(ada.room, "nine are borne");
    ws.send_text("the tenth");
    assert_eq!(ws.closed(), 1008);
}

#[test]
fn a_ping_is_answered_with_its_id() {
    let server = server();
    let (ada, _) = two(&server);
    let mut ws = server.login(&ada.token);
    for id in [json!("a"), json!(7)] {
        let answer = ws.ask(json!({"type":"ping","id":id}));
        Shape::strict(&["v"]).check(
            &answer,
            &json!({"type": "ping", "code": 0, "msg": "", "id": id}),
        );
    }
    assert_eq!(ws.ask(json!({"type":"ping"})).get("id"), None);
}

#[test]
fn rooms_are_joined_and_left_on_a_socket() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada","listed":true}));
    let bob = create(&http, json!({"userName":"Bob"}));
    let mut ws = server.login(&bob.token);
    assert_eq!(
        ws.ask(json!({"type":"join","room":ada.room,"id":1}))["code"],
        0
    );
    assert_eq!(texts(&ada.drain()), ["Bob加入了房间"]);
    ws.say(ada.room, "hello");
    ada.say("welcome");
    assert_eq!(ws.hear(1), ["welcome"]);

    let left = ws.ask(json!({"type":"leave","room":ada.room,"id":2}));
    assert_eq!((&left["code"], &left["id"]), (&json!(0), &json!(2)));
    assert_eq!(texts(&ada.drain()), ["hello", "Bob离开了房间"]);
    refused(&mut ws, msg(ada.room, "still here?"), 4);
    ada.say("he is gone");
    ws.nothing_more();
}

#[test]
fn a_join_on_a_socket_needs_what_a_join_over_http_needs() {
    let server = server();
    let http = server.client();
    let locked = create(&http, json!({"roomPassword":"sesame"}));
    let private = create(&http, json!({}));
    let named = create(&http, json!({"listed":true,"userName":"Bob"}));
    let bob = create(&http, json!({"userName":"Bob"}));
    let mut ws = server.login(&bob.token);
    let mut code = |request: Value| ws.ask(request)["code"].clone();
    assert_eq!(code(json!({"type":"join","room":999})), 3);
    assert_eq!(code(json!({"type":"join"})), 2);
    assert_eq!(code(json!({"type":"join","room":private.room})), 13);
    assert_eq!(
        code(json!({"type":"join","room":locked.room,"password":"simsim"})),
        10
    );
    assert_eq!(
        code(json!({"type":"join","room":locked.room,"password":"sesame"})),
        0
    );
    assert_eq!(code(json!({"type":"join","room":named.room})), 11);
    assert_eq!(
        code(json!({"type":"join","room":named.room,"name":"Robert"})),
        0
    );
    assert_eq!(texts(&named.drain()), ["Robert加入了房间"]);
}

#[test]
fn members_are_told_to_members() {
    let server = server();
    let (ada, bob) = two(&server);
    let mut ws = server.login(&ada.token);
    let answer = ws.ask(json!({"type":"members","room":ada.room,"id":1}));
    assert_eq!((&answer["code"], &answer["id"]), (&json!(0), &json!(1)));
    let text = answer.to_string();
    assert!(
        [&ada, &bob].iter().all(|g| text.contains(&g.name)),
        "{text}"
    );
    let stranger = create(&server.client(), json!({}));
    assert_eq!(
        server
            .login(&stranger.token)
            .ask(json!({"type":"members","room":ada.room}))["code"],
        4
    );
}
