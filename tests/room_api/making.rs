//! Create and join: who is seated, under which name, with what in the answer.

use crate::support::{Guest, Http, Server, Shape, create, join, join_as, texts, uuid};
use serde_json::{Value, json};

#[test]
fn everything_is_optional_on_create() {
    let server = Server::start(&[]);
    let data = server.client().post("/room/create", json!({})).data();
    let mut shape = Shape::loose();
    shape.check(
        &data,
        &json!({
            "user": {"id": "<int:user>", "userId": "<hex32:userId>", "userName": "用户{userId:5}", "avatarIndex": "<avatar>"},
            "room": {"id": "<int>", "roomId": "<hex32:roomId>", "roomName": "聊天室{roomId:5}", "roomPassword": "",
                "userContainer": {"userList": [{"id": "<int:user>", "userId": "<hex32:userId>"}]}},
            "token": "<hex64>"
        }),
    );
    let join = server
        .client()
        .post("/room/join", json!({"roomId":data["room"]["roomId"]}))
        .data();
    assert_eq!(join["room"]["roomPassword"], "");
}

#[test]
fn names_of_ones_own_are_used_in_answers_and_notices() {
    let server = Server::start(&[]);
    let http = server.client();
    let created = http
        .post(
            "/room/create",
            json!({"userName":"Ada","roomName":"Chess club"}),
        )
        .data();
    assert_eq!(created["user"]["userName"], "Ada");
    assert_eq!(
        created["user"]["cachingMessage"][0]["content"],
        "Ada加入了房间"
    );
    assert_eq!(created["room"]["roomName"], "Chess club");

    let joined = http
        .post(
            "/room/join",
            json!({"roomId":created["room"]["roomId"],"userName":"Grace"}),
        )
        .data();
    assert_eq!(joined["user"]["userName"], "Grace");
    assert_eq!(
        joined["room"]["userContainer"]["userList"][0]["cachingMessage"][0]["content"],
        "Grace加入了房间"
    );
}

#[test]
fn a_name_may_have_64_characters_of_any_script() {
    let server = Server::start(&[]);
    let name = "🦜".repeat(64);
    let made = create(&server.client(), json!({"userName":name,"roomName":name}));
    assert_eq!(made.name, name);
}

#[test]
fn rooms_and_users_have_numbers_that_map_to_their_ids() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let other = create(&http, json!({}));
    let grace = join(&http, &ada.room_id);
    assert_eq!(grace.room, ada.room, "one room, one number");
    assert_ne!(other.room, ada.room);
    assert_eq!([ada.id, other.id, grace.id].map(|id| id > 0), [true; 3]);
    assert!(ada.id != other.id && other.id != grace.id && ada.id != grace.id);

    let list = http
        .post("/room/join", json!({"roomId":ada.room_id}))
        .data()["room"]["userContainer"]["userList"]
        .clone();
    let pairs: Vec<_> = (0..2)
        .map(|i| (list[i]["userId"].clone(), list[i]["id"].clone()))
        .collect();
    assert_eq!(
        pairs,
        [&ada, &grace].map(|g| (json!(g.user_id), json!(g.id)))
    );
}

#[test]
fn a_room_is_named_by_its_id_in_any_spelling_and_by_its_number() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"listed":true}));
    let hyphenated = uuid::Uuid::parse_str(&ada.room_id)
        .expect("a uuid")
        .hyphenated()
        .to_string();
    for name in [
        json!(ada.room_id),
        json!(ada.room_id.to_uppercase()),
        json!(hyphenated),
        json!(ada.room),
        json!(ada.room.to_string()),
    ] {
        let guest = join_as(&http, json!({"roomId":name}));
        assert_eq!(
            (guest.room_id.as_str(), guest.room),
            (ada.room_id.as_str(), ada.room),
            "{name}"
        );
    }
    let by_number = http.post(
        "/message/fetch",
        json!({"roomId":ada.room,"userId":ada.user_id}),
    );
    assert_eq!(
        by_number.data().as_array().map(Vec::len),
        Some(5),
        "a roomId is a number in any call"
    );
}

#[test]
fn a_number_without_a_password_opens_listed_rooms_only() {
    let server = Server::start(&[]);
    let http = server.client();
    let by_number = |room: u64, more: Value| {
        let mut body = json!({"roomId":room});
        if let Some(password) = more.as_str() {
            body["roomPassword"] = json!(password);
        }
        http.post("/room/join", body)
    };
    let listed = create(&http, json!({"listed":true}));
    by_number(listed.room, json!(null)).data();

    let unlisted = create(&http, json!({}));
    by_number(unlisted.room, json!(null)).refused(403, "room_private");
    let said_not = create(&http, json!({"listed":false}));
    by_number(said_not.room, json!(null)).refused(403, "room_private");

    let locked = create(&http, json!({"roomPassword":"sesame"}));
    by_number(locked.room, json!("sesame")).data();
    by_number(locked.room, json!("simsim")).refused(403, "wrong_password");
}

#[test]
fn a_password_opens_its_room_and_is_echoed_only_where_it_was_proved() {
    let server = Server::start(&[]);
    let http = server.client();
    let made = http
        .post("/room/create", json!({"roomPassword":"sesame"}))
        .data();
    assert_eq!(made["room"]["roomPassword"], "sesame");
    let room = &made["room"]["roomId"];
    http.post("/room/join", json!({"roomId":room}))
        .refused(403, "wrong_password");
    http.post("/room/join", json!({"roomId":room,"roomPassword":"simsim"}))
        .refused(403, "wrong_password");
    let joined = http
        .post("/room/join", json!({"roomId":room,"roomPassword":"sesame"}))
        .data();
    assert_eq!(joined["room"]["roomPassword"], "sesame");
    assert_eq!(
        joined["room"]["userContainer"]["userList"]
            .as_array()
            .map(Vec::len),
        Some(2),
        "no ghosts of refused joins"
    );

    let open = create(&http, json!({}));
    let unneeded = http
        .post(
            "/room/join",
            json!({"roomId":open.room_id,"roomPassword":"sesame"}),
        )
        .data();
    assert_eq!(
        unneeded["room"]["roomPassword"], "",
        "an open room has nothing to prove"
    );
}

#[test]
fn the_own_join_notice_is_in_the_answer_and_not_pending() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    assert_eq!(ada.drain(), [] as [Value; 0]);
    let grace = join(&http, &ada.room_id);
    assert_eq!(grace.drain(), [] as [Value; 0]);
    assert_eq!(texts(&ada.drain()), [format!("{}加入了房间", grace.name)]);
}

#[test]
fn the_user_list_is_in_join_order_and_shows_the_newest_three_notices_of_each() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    for name in ["Bob", "Cid", "Dan"] {
        join_as(&http, json!({"roomId":ada.room_id,"userName":name})).say("never in a user list");
    }
    let last = http
        .post("/room/join", json!({"roomId":ada.room_id,"userName":"Eve"}))
        .data();
    let list = last["room"]["userContainer"]["userList"]
        .as_array()
        .expect("a list")
        .clone();
    let names: Vec<_> = list.iter().map(|u| u["userName"].clone()).collect();
    assert_eq!(names, ["Ada", "Bob", "Cid", "Dan", "Eve"]);

    let notices: Vec<_> = list
        .iter()
        .map(|u| texts(u["cachingMessage"].as_array().expect("a list")))
        .collect();
    let joined = |names: &[&str]| -> Vec<String> {
        names.iter().map(|n| format!("{n}加入了房间")).collect()
    };
    assert_eq!(
        notices[0],
        joined(&["Cid", "Dan", "Eve"]),
        "newest three, oldest first"
    );
    assert_eq!(notices[1], joined(&["Cid", "Dan", "Eve"]));
    assert_eq!(notices[2], joined(&["Dan", "Eve"]));
    assert_eq!(
        notices[4],
        joined(&[]),
        "the newcomer's own was handed over"
    );
    assert!(!last.to_string().contains("never in a user list"));

    ada.drain();
    let later = http
        .post("/room/join", json!({"roomId":ada.room_id,"userName":"Fay"}))
        .data();
    let ada_now = &later["room"]["userContainer"]["userList"][0];
    assert_eq!(
        texts(ada_now["cachingMessage"].as_array().expect("a list")),
        joined(&["Fay"]),
        "what is drained is not pending"
    );
}

#[test]
fn a_user_list_shows_64_notices_in_all() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let room = create(&http, json!({})).room_id;
    (0..29).for_each(|_| drop(join(&http, &room)));
    let data = http.post("/room/join", json!({"roomId":room})).data();
    let list = data["room"]["userContainer"]["userList"]
        .as_array()
        .expect("a list")
        .clone();
    let shown = |user: &Value| user["cachingMessage"].as_array().expect("a list").len();
    let counts: Vec<_> = list.iter().map(shown).collect();
    assert_eq!(counts.len(), 31, "every user is listed");
    assert_eq!(counts.iter().sum::<usize>(), 64);
    assert!(counts.iter().all(|&n| n <= 3));
}

#[test]
fn a_create_asked_again_with_its_request_makes_no_second_room() {
    let server = Server::start(&[]);
    let http = server.client();
    let body = json!({"request":uuid(),"roomPassword":"sesame","userName":"Ada"});
    let first = http.post("/room/create", body.clone()).data();
    let again = http.post("/room/create", body).data();
    for part in [
        "/user/userId",
        "/user/id",
        "/user/userName",
        "/room/roomId",
        "/room/id",
        "/room/roomName",
    ] {
        assert_eq!(again.pointer(part), first.pointer(part), "{part}");
    }
    assert_eq!(
        again["user"]["cachingMessage"],
        first["user"]["cachingMessage"]
    );
    assert_eq!(
        again["room"]["userContainer"]["userList"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_ne!(again["token"], first["token"], "a fresh token");
    server.login(again["token"].as_str().expect("a token"));

    let other = http
        .post("/room/create", json!({"request":uuid(),"userName":"Ada"}))
        .data();
    assert_ne!(
        other["room"]["roomId"], first["room"]["roomId"],
        "another request is another room"
    );
}

#[test]
fn a_join_asked_again_with_its_request_makes_no_ghost_and_no_second_notice() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"roomPassword":"sesame"}));
    let body = json!({"roomId":ada.room_id,"roomPassword":"sesame","request":uuid()});
    let grace = join_as(&http, body.clone());
    let again = join_as(&http, body);
    assert_eq!(
        (&again.user_id, again.id, &again.name),
        (&grace.user_id, grace.id, &grace.name)
    );
    assert_ne!(again.token, grace.token, "a fresh token");
    server.login(&again.token);
    assert_eq!(texts(&ada.drain()), [format!("{}加入了房间", grace.name)]);

    let third = http
        .post(
            "/room/join",
            json!({"roomId":ada.room_id,"roomPassword":"sesame"}),
        )
        .data();
    let list = &third["room"]["userContainer"]["userList"];
    assert_eq!(
        list.as_array().map(Vec::len),
        Some(3),
        "Ada, Grace once, and this one"
    );
}

#[test]
fn a_taken_name_is_refused_with_a_suggestion_that_is_free() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Anna"}));
    let as_name =
        |name: &str| http.post("/room/join", json!({"roomId":ada.room_id,"userName":name}));

    let taken = as_name("Anna");
    taken.refused(409, "name_taken");
    let suggestion = taken.json["suggest"]
        .as_str()
        .expect("a suggestion")
        .to_string();
    assert_ne!(suggestion, "Anna");

    let lookalike = as_name("Аnnа"); // both А and а Cyrillic
    lookalike.refused(409, "name_taken");
    assert_eq!(as_name(&suggestion).data()["user"]["userName"], suggestion);
    assert_eq!(as_name("Hanna").status, 200, "a name that only resembles");

    create(&http, json!({"userName":"Anna"})); // another room is another set of names
}

#[test]
fn english_is_spoken_to_those_who_ask_for_it() {
    let server = Server::start(&[]);
    let chinese = server.client();
    let english = chinese.with("Accept-Language", "en-US,en;q=0.9,zh;q=0.1");
    let made = english.post("/room/create", json!({"userName":"Ada"}));
    assert_eq!(made.json["message"], "Room created");
    assert_eq!(
        made.data()["user"]["cachingMessage"][0]["content"],
        "Ada joined the room"
    );
    let room = &made.json["data"]["room"]["roomId"];

    let joined = english.post("/room/join", json!({"roomId":room}));
    assert_eq!(joined.json["message"], "Joined the room");
    let ada = Guest::from(&english, &made.data());
    let guest = Guest::from(&english, &joined.data());
    assert!(
        guest.name.starts_with("用户"),
        "the default name is the document's"
    );
    assert_eq!(guest.send(json!({"content":"hi"})).json["message"], "Sent");
    assert_eq!(
        guest.call("/room/heartbeat").json["message"],
        "Heartbeat received"
    );
    assert_eq!(guest.call("/room/leave").json["message"], "Left the room");

    let fetched = ada.fetch(json!({}));
    assert_eq!(fetched["message"], "Success!");
    let entries = texts(fetched["data"].as_array().expect("a list"));
    assert_eq!(
        entries,
        [
            format!("{} joined the room", guest.name),
            "hi".into(),
            format!("{} left the room", guest.name)
        ]
    );

    let refusal = |http: &Http| {
        http.post("/room/join", json!({"roomId":uuid()}))
            .refused(404, "room_not_found")
    };
    assert!(refusal(&english).is_ascii(), "an English sentence");
    assert!(!refusal(&chinese).is_ascii(), "a Chinese sentence");
    assert_eq!(
        chinese
            .with("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
            .post("/room/create", json!({}))
            .json["message"],
        "成功创建房间"
    );
}

#[test]
fn the_version_spoken_is_echoed_where_it_was_asked_for() {
    let server = Server::start(&[]);
    let http = server.client();
    let made = http.post("/room/create", json!({"v":1}));
    assert_eq!(made.json["v"], 1);
    let ada = Guest::from(&http, &made.data());
    assert_eq!(ada.fetch(json!({"v":1}))["v"], 1);
    assert_eq!(
        http.post("/message/send", {
            let mut m = ada.message(json!({"content":"hi"}));
            m["v"] = json!(1);
            m
        })
        .json["v"],
        1
    );
    assert_eq!(ada.fetch(json!({})).get("v"), None);
    assert_eq!(http.post("/room/create", json!({})).json.get("v"), None);
}

#[test]
fn fields_that_nobody_knows_are_ignored() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(
        &http,
        json!({"colour":"red","roomname":7,"nested":{"a":[1]}}),
    );
    let guest = join_as(&http, json!({"roomId":ada.room_id,"colour":"blue"}));
    guest.send(json!({"content":"hi","colour":"green"})).data();
    assert_eq!(
        texts(
            ada.fetch(json!({"colour":"grey"}))["data"]
                .as_array()
                .expect("a list")
        )
        .last()
        .map(String::as_str),
        Some("hi")
    );
}

#[test]
fn a_full_room_takes_nobody_more() {
    let server = Server::start(&["--max-members", "2"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let guest = join(&http, &ada.room_id);
    http.post("/room/join", json!({"roomId":ada.room_id}))
        .refused(409, "room_full");
    guest.call("/room/leave").data();
    join(&http, &ada.room_id);
}
