//! Rooms made, joined and looked up with an account's token.

use crate::server;
use crate::support::{Server, Shape, account, create, join, join_as, texts};
use serde_json::{Value, json};

#[test]
fn an_account_makes_a_listed_room_and_is_in_it() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    let made = http.post("/rooms", json!({"token":ada.token,"name":"Chess"}));
    assert_eq!(made.status, 201);
    Shape::strict(&["ownerKey"]).check(&made.json, &json!({"id": "<int>"}));
    let room = made.json["id"].as_u64().expect("a number");

    let shown = http.get(&format!("/rooms/{room}"));
    assert_eq!(shown.status, 200);
    Shape::strict(&[]).check(
        &shown.json,
        &json!({"id": room, "name": "Chess", "description": "", "created": "<local-ns>"}),
    );
    assert_eq!(ada.http.get("/rooms/me").json, json!([shown.json]));

    let guest = join_as(&http, json!({"roomId":room}));
    let list = http
        .post("/room/join", json!({"roomId":guest.room_id}))
        .data()["room"]["userContainer"]["userList"]
        .clone();
    assert_eq!(
        (&list[0]["userName"], &list[0]["id"]),
        (&json!("Ada"), &json!(ada.id))
    );
}

#[test]
fn a_room_is_not_made_without_a_token_or_a_name() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    for token in [json!("0".repeat(64)), json!("x"), json!("")] {
        http.post("/rooms", json!({"token":token,"name":"Chess"}))
            .failed(401, 1);
    }
    http.post("/rooms", json!({"name":"Chess"})).failed(401, 1);
    http.post("/rooms", ada.body(json!({}))).failed(400, 2);
    http.post("/rooms", ada.body(json!({"name":7})))
        .failed(400, 2);
    for name in ["", &"x".repeat(65)] {
        assert_eq!(
            http.post("/rooms", ada.body(json!({"name":name}))).status,
            400
        );
    }
    assert_eq!(ada.http.get("/rooms/me").json, json!([]));
}

#[test]
fn accounts_join_rooms_by_number() {
    let server = server();
    let http = server.client();
    let (ada, bob) = (account(&http, "Ada"), account(&http, "Bob"));
    let room = ada.make_room(json!({"name":"Chess"}));
    let joined = http.post(&format!("/rooms/{room}/join"), bob.body(json!({})));
    assert_eq!(
        (joined.status, &joined.json),
        (201, &json!({"code":0,"msg":""}))
    );
    assert_eq!(
        bob.http.get("/rooms/me").json,
        ada.http.get("/rooms/me").json
    );

    bob.join_room(room); // is in it already, which is what was asked for
    let watcher = join_as(&http, json!({"roomId":room}));
    bob.join_room(room);
    assert_eq!(watcher.drain(), [] as [Value; 0], "no second notice");
}

#[test]
fn a_join_that_may_not_be_is_refused() {
    let server = Server::start(&["--data", "none", "--max-members", "2"]);
    let http = server.client();
    let (ada, bob) = (account(&http, "Ada"), account(&http, "Bob"));
    let try_join =
        |room: u64, fields: Value| http.post(&format!("/rooms/{room}/join"), bob.body(fields));

    try_join(999, json!({})).failed(404, 3);
    let open = ada.make_room(json!({"name":"open"}));
    http.post(
        &format!("/rooms/{open}/join"),
        json!({"token":"0".repeat(64)}),
    )
    .failed(401, 1);
    http.post(&format!("/rooms/{open}/join"), json!({}))
        .failed(401, 1);

    let locked = ada.make_room(json!({"name":"locked","password":"sesame"}));
    try_join(locked, json!({})).failed(403, 10);
    try_join(locked, json!({"password":"simsim"})).failed(403, 10);
    try_join(locked, json!({"password":7})).failed(400, 2);
    try_join(locked, json!({"password":"sesame"})).done(201);

    let unlisted = create(&http, json!({}));
    try_join(unlisted.room, json!({})).failed(403, 13);

    join_as(&http, json!({"roomId":open}));
    try_join(open, json!({})).failed(409, 12);
}

#[test]
fn an_account_whose_name_is_taken_in_a_room_is_given_a_suggestion() {
    let server = server();
    let http = server.client();
    let (ada, bob) = (account(&http, "Ada"), account(&http, "Bob"));
    let room = ada.make_room(json!({"name":"Chess"}));
    join_as(&http, json!({"roomId":room,"userName":"Bob"}));
    let taken = http.post(&format!("/rooms/{room}/join"), bob.body(json!({})));
    taken.failed(409, 11);
    assert!(
        taken.json["suggest"]
            .as_str()
            .is_some_and(|s| !s.is_empty() && s != "Bob"),
        "{}",
        taken.body
    );
}

#[test]
fn a_room_that_is_not_listed_shows_itself_to_members_and_by_its_id() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    let guest = create(&http, json!({"roomName":"Secret"}));
    let by_number = format!("/rooms/{}", guest.room);
    http.get(&by_number).failed(404, 3);
    ada.http.get(&by_number).failed(404, 3);
    http.get("/rooms/999").failed(404, 3);

    let shown = http.bearer(&guest.token).get(&by_number);
    assert_eq!((shown.status, &shown.json["name"]), (200, &json!("Secret")));
    let by_id = http.get(&format!("/rooms/{}", guest.room_id));
    assert_eq!((by_id.status, by_id.json), (200, shown.json));
}

#[test]
fn my_rooms_need_a_token_and_a_guest_has_one_too() {
    let server = server();
    let http = server.client();
    http.get("/rooms/me").failed(401, 1);
    http.bearer(&"0".repeat(64)).get("/rooms/me").failed(401, 1);
    http.with("Authorization", "Basic QWRhOng=")
        .get("/rooms/me")
        .failed(401, 1);

    let guest = create(&http, json!({"roomName":"Tea"}));
    let mine = http.bearer(&guest.token).get("/rooms/me");
    Shape::strict(&[]).check(
        &mine.json,
        &json!([{"id": guest.room, "name": "Tea", "description": "", "created": "<local-ns>"}]),
    );
}

#[test]
fn create_and_join_with_a_bearer_token_seat_that_user() {
    let server = server();
    let http = server.client();
    let (ada, bob) = (account(&http, "Ada"), account(&http, "Bob"));
    let made = ada
        .http
        .post("/room/create", json!({"roomName":"Chess"}))
        .data();
    assert_eq!(
        (&made["user"]["userName"], &made["user"]["id"]),
        (&json!("Ada"), &json!(ada.id))
    );
    let watcher = join(&http, made["room"]["roomId"].as_str().expect("an id"));

    let join_body = json!({"roomId":made["room"]["roomId"]});
    let joined = bob.http.post("/room/join", join_body.clone()).data();
    assert_eq!(joined["user"]["id"], json!(bob.id));
    let again = bob.http.post("/room/join", join_body.clone()).data();
    for part in [
        "/user/userId",
        "/user/id",
        "/user/userName",
        "/user/avatarIndex",
        "/user/cachingMessage",
        "/room/roomId",
    ] {
        assert_eq!(again.pointer(part), joined.pointer(part), "{part}");
    }
    assert_eq!(texts(&watcher.drain()), ["Bob加入了房间"], "one notice");
    assert_eq!(
        again["room"]["userContainer"]["userList"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(bob.http.get("/rooms/me").json[0]["name"], "Chess");

    http.bearer(&"0".repeat(64))
        .post("/room/join", join_body)
        .refused(401, "bad_token");
    http.bearer("x")
        .post("/room/create", json!({}))
        .refused(401, "bad_token");
}
