//! Who is an owner: by making, by the key, by being named; and who stays one.

use super::{by, class, join_named, noticed, told, try_by};
use crate::support::{Guest, account};
use serde_json::json;

#[test]
fn the_key_makes_an_owner_of_whoever_comes_with_it() {
    let class = class();
    assert!(class.key.len() == 32 && class.key.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    let (mut ada, mut bob) = class.sockets();
    class.acts(json!({"act":"password","password":"sesame"}));
    class.acts(json!({"act":"lock","on":true}));
    let http = class.server.client();
    let body = json!({"roomId":class.room(),"ownerKey":class.key,"userName":"Zoe"});
    let data = http.post("/room/join", body).data();
    assert_eq!(data.get("ownerKey"), None, "it is not told again");
    let zoe = Guest::from(&http, &data);
    for ws in [&mut ada, &mut bob] {
        noticed(ws, "password");
        noticed(ws, "locked");
        assert_eq!(ws.recv()["type"], "joined");
        let owner = noticed(ws, "owner");
        assert_eq!(owner["target"], json!({"id":zoe.id,"name":"Zoe"}));
        assert_eq!(
            (&owner["on"], &owner["user"]["id"]),
            (&json!(true), &json!(zoe.id))
        );
    }
    assert_eq!(told(&class.bob), "Zoe became an owner");
    by(&zoe, json!({"act":"lock","on":false}));

    // A member, over its socket.
    let answer = bob_claims(&mut bob, &class.key, class.room());
    assert_eq!(
        (&answer["code"], &answer["owner"]),
        (&json!(0), &json!(true))
    );
    let class = class.restarted();
    let owners = json!([class.teacher.id, class.bob.id, zoe.id]);
    assert_eq!(class.state()["owners"], owners);
}

fn bob_claims(bob: &mut crate::support::Ws, key: &str, room: u64) -> serde_json::Value {
    bob.send_json(json!({"type":"join","room":room,"ownerKey":key}));
    loop {
        let frame = bob.recv();
        if frame["type"] == "join" {
            return frame;
        }
    }
}

#[test]
fn an_account_claims_a_room_with_its_key() {
    let class = class();
    let http = class.server.client();
    let zoe = account(&http, "Zoe");
    let path = format!("/rooms/{}/join", class.room());
    zoe.http
        .post(&path, zoe.body(json!({"ownerKey":class.key})))
        .done(201);
    assert_eq!(class.state()["owners"], json!([class.teacher.id, zoe.id]));
    let room = zoe.http.post("/rooms", zoe.body(json!({"name":"Art"})));
    assert_eq!(room.json["ownerKey"].as_str().map(str::len), Some(32));
}

#[test]
fn a_wrong_key_is_a_wrong_password_and_counts_as_one() {
    let class = class();
    let http = class.server.client();
    let try_key = |key: &str| {
        let body = json!({"roomId":class.teacher.room_id,"ownerKey":key});
        http.post("/room/join", body)
    };
    try_key("").refused(403, "wrong_password");
    try_key("0123456789abcdef0123456789abcdef").refused(403, "wrong_password");
    let mut bob = class.server.login_v1(&class.bob.token);
    let wrong = bob.ask(json!({"type":"join","room":class.room(),"ownerKey":"nonsense"}));
    assert_eq!(wrong["code"], 10, "also for a member: {wrong}");
    let mut tries = 3;
    while try_key("nonsense").status == 403 {
        tries += 1;
        assert!(tries <= 70, "nobody may guess for ever");
    }
    assert!(tries >= 60, "{tries}");
    assert_eq!(class.state()["owners"], json!([class.teacher.id]));
    // A key has 128 bits and is not guessed: nobody locks out who has it.
    try_key("nonsense").refused(429, "too_fast");
    try_key(&class.key).data();
    assert_eq!(class.state()["owners"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_link_made_anew_voids_the_old_one() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let answer = ada.ask(json!({"type":"owner","room":class.room(),"act":"link"}));
    let key = answer["ownerKey"].as_str().expect("a key").to_string();
    assert!(key.len() == 32 && key != class.key);
    // Everybody hears that there is another one, nobody which.
    let frame = noticed(&mut bob, "link");
    assert_eq!(frame["user"]["id"], class.teacher.id);
    assert!(!frame.to_string().contains(&key), "{frame}");
    let class = class.restarted();
    let http = class.server.client();
    let claim = |key: &str| {
        let body = json!({"roomId":class.teacher.room_id,"ownerKey":key});
        http.post("/room/join", body)
    };
    claim(&class.key).refused(403, "wrong_password");
    claim(&key).data();
}

#[test]
fn an_owner_is_named_and_unnamed_and_the_last_one_stays() {
    let class = class();
    let (mut ada, _) = class.sockets();
    let (teacher, bob) = (class.teacher.id, class.bob.id);
    try_by(
        &class.teacher,
        json!({"act":"appoint","user":teacher,"on":false}),
    )
    .failed(403, 5);
    class.acts(json!({"act":"appoint","user":bob,"on":true}));
    let named = noticed(&mut ada, "owner");
    assert_eq!(named["target"], json!({"id":bob,"name":"Bob"}));
    assert_eq!(named["on"], true);
    by(
        &class.bob,
        json!({"act":"appoint","user":teacher,"on":false}),
    );
    let unnamed = noticed(&mut ada, "owner");
    assert_eq!(
        (&unnamed["on"], &unnamed["user"]["id"]),
        (&json!(false), &json!(bob))
    );
    try_by(&class.teacher, json!({"act":"state"})).failed(403, 5);
    let class = class.restarted();
    try_by(&class.teacher, json!({"act":"state"})).failed(403, 5);
    let state = by(&class.bob, json!({"act":"state"}));
    assert_eq!(state["owners"], json!([bob]));
}

#[test]
fn an_owner_that_leaves_is_none_any_more_and_the_last_one_stays_in_absence() {
    let class = class();
    let http = class.server.client();
    let zoe = account(&http, "Zoe");
    let path = format!("/rooms/{}/join", class.room());
    let claim = zoe.body(json!({"ownerKey":class.key}));
    zoe.http.post(&path, claim).done(201);
    class.teacher.call("/room/leave").data();
    let owner = format!("/rooms/{}/owner", class.room());
    let state = || zoe.http.post(&owner, json!({"act":"state"}));
    assert_eq!(state().done(200)["owners"], json!([zoe.id]));
    zoe.http
        .post(&owner, json!({"act":"lock","on":true}))
        .done(200);

    let mut ws = class.server.login_v1(&zoe.token);
    assert_eq!(
        ws.ask(json!({"type":"leave","room":class.room()}))["code"],
        0
    );
    state().failed(403, 4);
    assert_eq!(ws.recv()["type"], "left");
    // It comes back into its own room, locked or not, and nobody else has it.
    let back = ws.ask(json!({"type":"join","room":class.teacher.room_id}));
    assert_eq!((&back["code"], &back["owner"]), (&json!(0), &json!(true)));
    assert_eq!(state().done(200)["owners"], json!([zoe.id]));
}

#[test]
fn an_owner_keeps_its_name_however_long_it_is_silent() {
    let class = class();
    let zoe = join_named(&class.server.client(), &class.teacher, "Zoe");
    class.acts(json!({"act":"appoint","user":zoe.id,"on":true}));
    let body = json!({"roomId":class.teacher.room_id,"userName":"Zoe"});
    let http = class.server.client();
    http.post("/room/join", body).refused(409, "name_taken");
}

#[test]
fn a_create_asked_again_gives_a_key_that_opens_the_room() {
    let server = super::server();
    let http = server.client();
    let body = json!({"request":crate::support::uuid(),"userName":"Ada"});
    let first = http.post("/room/create", body.clone()).data();
    let again = http.post("/room/create", body).data();
    assert_eq!(first["room"]["id"], again["room"]["id"]);
    let join = |key: &serde_json::Value| {
        http.post(
            "/room/join",
            json!({"roomId":first["room"]["roomId"],"ownerKey":key}),
        )
    };
    join(&first["ownerKey"]).refused(403, "wrong_password");
    join(&again["ownerKey"]).data();
}
