//! Every refusal of the room API: its status, its code word, a sentence that helps.

use crate::support::{Http, Server, create, join, uuid};
use serde_json::{Value, json};

const CALLS: [&str; 6] = [
    "/room/create",
    "/room/join",
    "/message/send",
    "/message/fetch",
    "/room/leave",
    "/room/heartbeat",
];

#[test]
fn a_body_that_is_no_json_object_is_bad_json() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    for path in CALLS {
        for body in [
            "",
            "not json",
            "[1]",
            "\"text\"",
            "7",
            "null",
            "{\"roomId\":",
            "{} {}",
        ] {
            http.post_text(path, body).refused(400, "bad_json");
        }
    }
    let deep = "[".repeat(60_000);
    http.post_text("/room/create", &deep)
        .refused(400, "bad_json");
}

#[test]
fn a_missing_or_mistyped_field_is_refused_by_name() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client().english();
    let ada = create(&http, json!({}));
    let (room, user) = (&ada.room_id, &ada.user_id);
    let with_message = |message: Value| json!({"roomId":room,"userId":user,"message":message});
    let cases = [
        (
            "/room/create",
            json!({"roomPassword":114514}),
            "roomPassword",
        ),
        ("/room/create", json!({"roomName":["x"]}), "roomName"),
        ("/room/create", json!({"userName":{}}), "userName"),
        ("/room/create", json!({"listed":"yes"}), "listed"),
        ("/room/create", json!({"request":7}), "request"),
        ("/room/create", json!({"request":"not a uuid"}), "request"),
        ("/room/join", json!({}), "roomId"),
        ("/room/join", json!({"roomId":null}), "roomId"),
        ("/room/join", json!({"roomId":1.5}), "roomId"),
        (
            "/room/join",
            json!({"roomId":room,"roomPassword":1}),
            "roomPassword",
        ),
        (
            "/message/send",
            json!({"userId":user,"message":{}}),
            "roomId",
        ),
        ("/message/send", json!({"roomId":room}), "userId"),
        (
            "/message/send",
            json!({"roomId":room,"userId":user}),
            "message",
        ),
        ("/message/send", with_message(json!("hello")), "message"),
        (
            "/message/send",
            with_message(json!({"type":"message","userId":user,"contentType":"text"})),
            "content",
        ),
        (
            "/message/send",
            ada.message(json!({"content":7})),
            "content",
        ),
        (
            "/message/send",
            ada.message(json!({"content":"hi","userId":uuid()})),
            "userId",
        ),
        (
            "/message/send",
            ada.message(json!({"content":"hi","uuid":"not a uuid"})),
            "uuid",
        ),
        (
            "/message/send",
            ada.message(json!({"content":"hi","reply":"one"})),
            "reply",
        ),
        ("/message/fetch", json!({"roomId":room}), "userId"),
        ("/message/fetch", json!({"userId":user}), "roomId"),
        ("/message/fetch", ada.body(json!({"after":"1"})), "after"),
        ("/message/fetch", ada.body(json!({"after":-1})), "after"),
        ("/message/fetch", ada.body(json!({"limit":"all"})), "limit"),
        ("/message/fetch", ada.body(json!({"wait":"long"})), "wait"),
        ("/room/leave", json!({"roomId":room}), "userId"),
        ("/room/heartbeat", json!({"userId":user}), "roomId"),
    ];
    for (path, body, field) in cases {
        let sentence = http.post(path, body).refused(400, "bad_field");
        assert!(sentence.contains(field), "{sentence:?} names {field}");
    }
}

#[test]
fn a_name_is_neither_empty_nor_long_nor_invisible() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let room = create(&http, json!({})).room_id;
    for name in [
        "".to_string(),
        "x".repeat(65),
        "a\nb".into(),
        "a\u{0}".into(),
        "\u{1b}[31m".into(),
    ] {
        http.post("/room/create", json!({"roomName":name}))
            .refused(400, "bad_name");
        http.post("/room/create", json!({"userName":name}))
            .refused(400, "bad_name");
        http.post("/room/join", json!({"roomId":room,"userName":name}))
            .refused(400, "bad_name");
    }
}

#[test]
fn a_password_has_at_most_128_characters() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    create(&http, json!({"roomPassword":"界".repeat(128)}));
    assert_eq!(
        http.post("/room/create", json!({"roomPassword":"x".repeat(129)}))
            .status,
        400
    );
}

#[test]
fn rooms_and_members_that_are_not_there_are_told_apart() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({"listed":true}));
    let stranger = create(&http, json!({}));
    for room in [
        json!(uuid()),
        json!(uuid().replace('-', "")),
        json!(999),
        json!("999"),
    ] {
        http.post("/room/join", json!({"roomId":room}))
            .refused(404, "room_not_found");
        http.post(
            "/message/fetch",
            json!({"roomId":room,"userId":ada.user_id}),
        )
        .refused(404, "room_not_found");
    }
    for user in [uuid().replace('-', ""), stranger.user_id] {
        let body = json!({"roomId":ada.room_id,"userId":user});
        for path in ["/message/fetch", "/room/leave", "/room/heartbeat"] {
            http.post(path, body.clone()).refused(403, "not_a_member");
        }
        let message = json!({"type":"message","userId":user,"contentType":"text","content":"hi"});
        http.post(
            "/message/send",
            json!({"roomId":ada.room_id,"userId":user,"message":message}),
        )
        .refused(403, "not_a_member");
    }
}

#[test]
fn a_path_that_is_not_there_and_a_method_that_is_not_theirs_are_told() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    http.post("/room/destroy", json!({}))
        .refused(404, "not_found");
    for path in CALLS {
        let reply = http.get(path);
        reply.refused(405, "method_not_allowed");
        assert!(
            reply
                .header("Allow")
                .is_some_and(|allow| allow.contains("POST")),
            "{:?}",
            reply.headers
        );
    }
}

#[test]
fn a_token_that_is_not_the_users_is_a_bad_token() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    for token in ["0".repeat(64), "0123456789abcdef".into(), bob.token] {
        ada.via(&http.bearer(&token))
            .call("/room/heartbeat")
            .refused(401, "bad_token");
    }
}

#[test]
fn more_than_120_joins_a_minute_from_one_address_are_too_fast() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    (0..100).for_each(|_| drop(join(&http, &ada.room_id)));
    refused_at_last(60, || {
        http.post("/room/join", json!({"roomId":ada.room_id}))
    });
    let elsewhere = create(&http, json!({}));
    join(&http, &elsewhere.room_id); // the limit is this address's in that room
}

#[test]
fn more_than_60_wrong_passwords_a_minute_from_one_address_are_too_fast() {
    let server = Server::start(&["--data", "none"]);
    let http: Http = server.client();
    let ada = create(&http, json!({"roomPassword":"sesame"}));
    let wrong = || {
        http.post(
            "/room/join",
            json!({"roomId":ada.room_id,"roomPassword":"simsim"}),
        )
    };
    (0..50).for_each(|_| drop(wrong().refused(403, "wrong_password")));
    refused_at_last(150, wrong);
    let elsewhere = create(&http, json!({"roomPassword":"sesame"}));
    http.post(
        "/room/join",
        json!({"roomId":elsewhere.room_id,"roomPassword":"sesame"}),
    )
    .data();
}

/// One of so many calls, and not necessarily the first, is refused as too fast.
fn refused_at_last(calls: usize, mut call: impl FnMut() -> crate::support::Reply) {
    let refused = (0..calls).map(|_| call()).find(|reply| reply.status == 429);
    let refused = refused.unwrap_or_else(|| panic!("none of {calls} calls was refused"));
    refused.refused(429, "too_fast");
    assert!(
        refused.json["retryAfter"]
            .as_f64()
            .is_some_and(|s| s > 0.0 && s <= 60.0),
        "{}",
        refused.body
    );
}
