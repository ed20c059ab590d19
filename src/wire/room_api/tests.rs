//! The first document's examples, read and written; then what PROTOCOL.md adds to them.

use super::*;
use crate::wire::samples::{self, *};
use serde_json::json;

/// An answer without what PROTOCOL.md adds at the places that the document shows.
fn documented(answer: &str) -> Value {
    let mut answer = samples::json(answer);
    strip(&mut answer);
    answer
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for addition in ["id", "token", "at", "sent"] {
                map.remove(addition);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn alone() -> RoomView {
    let mut room = samples::room();
    room.members.truncate(1);
    room.members[0].notices.clear();
    room
}

/// What a call answers to the last of a room.
fn seated_last(call: Call, lang: Lang, room: &RoomView, password: &str) -> String {
    let own = &came()[room.members.len() - 1];
    let answer = Seated {
        room,
        me: room.members.last().expect("a member"),
        own: Some(own),
        password,
        token: Some("abc"),
        owner_key: None,
    };
    seated(call, lang, None, &answer)
}

// ---- The document's examples ----

#[test]
fn create_is_read_and_answered_as_documented() {
    let body = fields(&json!({"roomPassword": "114514", "roomName": "new name"}));
    let body = create(&body).unwrap();
    assert_eq!(body.room_password.as_deref(), Some("114514"));
    assert_eq!(body.room_name.as_deref(), Some("new name"));
    assert_eq!((body.user_name, body.request), (None, None));
    assert!(!body.listed);

    let answer = seated_last(Call::Create, Lang::Zh, &alone(), "114514");
    let example = r#"{
      "success": true,
      "message": "成功创建房间",
      "data": {
        "user": {
          "avatarIndex": 31,
          "userId": "f7f121337453443eaa405d913d2cc00e",
          "userName": "用户f7f12",
          "cachingMessage": [
            {
              "content": "用户f7f12加入了房间",
              "type": "system"
            }
          ],
          "lastHeartbeatTime": "2022-06-22T08:10:43.412+00:00"
        },
        "room": {
          "roomId": "95c0f223421e453088fb11fb322d618d",
          "roomPassword": "114514",
          "roomName": "聊天室95c0f",
          "userContainer": {
            "userList": [
              {
                "avatarIndex": 31,
                "userId": "f7f121337453443eaa405d913d2cc00e",
                "userName": "用户f7f12",
                "cachingMessage": [],
                "lastHeartbeatTime": "2022-06-22T08:10:43.412+00:00"
              }
            ]
          }
        }
      }
    }"#;
    assert_eq!(documented(&answer), samples::json(example));
}

#[test]
fn join_is_read_and_answered_as_documented() {
    let body = fields(&json!({"roomId": ROOM, "roomPassword": "114514"}));
    let body = join(&body).unwrap();
    assert_eq!(body.room, RoomRef::Id(id(ROOM)));
    assert_eq!(body.room_password.as_deref(), Some("114514"));
    assert_eq!((body.user_name, body.request), (None, None));

    let answer = seated_last(Call::Join, Lang::Zh, &samples::room(), "114514");
    let example = r#"{
      "success": true,
      "message": "成功加入房间",
      "data": {
        "user": {
          "avatarIndex": 30,
          "userId": "e07dac5372ad4f3488bbc41a37d94918",
          "userName": "用户e07da",
          "cachingMessage": [
            {
              "content": "用户e07da加入了房间",
              "type": "system"
            }
          ],
          "lastHeartbeatTime": "2022-06-22T08:10:52.211+00:00"
        },
        "room": {
          "roomId": "95c0f223421e453088fb11fb322d618d",
          "roomPassword": "114514",
          "roomName": "聊天室95c0f",
          "userContainer": {
            "userList": [
              {
                "avatarIndex": 31,
                "userId": "f7f121337453443eaa405d913d2cc00e",
                "userName": "用户f7f12",
                "cachingMessage": [
                  {
                    "content": "用户e07da加入了房间",
                    "type": "system"
                  }
                ],
                "lastHeartbeatTime": "2022-06-22T08:10:43.412+00:00"
              },
              {
                "avatarIndex": 30,
                "userId": "e07dac5372ad4f3488bbc41a37d94918",
                "userName": "用户e07da",
                "cachingMessage": [],
                "lastHeartbeatTime": "2022-06-22T08:10:52.211+00:00"
              }
            ]
          }
        }
      }
    }"#;
    assert_eq!(documented(&answer), samples::json(example));
}

#[test]
fn send_is_read_and_answered_as_documented() {
    let body = fields(&json!({
        "roomId": ROOM,
        "userId": JOINER,
        "message": {"type": "message", "userId": JOINER, "contentType": "text", "content": "hello"}
    }));
    let whose = seat(&body).unwrap();
    assert_eq!(
        (whose.room, whose.user),
        (RoomRef::Id(id(ROOM)), id(JOINER))
    );
    let sent = send(&body, whose.user).unwrap();
    assert_eq!((&*sent.text, sent.uuid, sent.reply), ("hello", None, None));
    assert_eq!(
        success(Call::Send, Lang::Zh, None),
        r#"{"success":true,"message":"发送成功","data":null}"#
    );
}

#[test]
fn fetch_is_read_and_answered_as_documented() {
    let body = fields(&json!({"roomId": ROOM, "userId": MAKER}));
    assert_eq!(seat(&body).unwrap().user, id(MAKER));
    let drain = fetch(&body).unwrap();
    assert_eq!((drain.after, drain.epoch, drain.limit), (None, None, None));
    assert_eq!(drain.wait, 0);
    assert_eq!(
        fetched(Lang::Zh, None, &page(vec![]), None),
        r#"{"success":true,"message":"你成功了！","data":[]}"#
    );
}

// ---- Additions: what a body may carry ----

#[test]
fn every_addition_of_a_body_is_read() {
    let asked = json!({
        "roomId": 7, "userId": MAKER, "userName": "Ada", "listed": true, "request": MESSAGE,
        "after": 3, "epoch": "e", "limit": 5, "wait": 60, "v": 1, "token": "abc",
        "message": {"userId": MAKER, "contentType": "text", "content": "hi", "uuid": MESSAGE, "reply": 2}
    });
    let body = fields(&asked);
    let made = create(&body).unwrap();
    assert_eq!(made.user_name.as_deref(), Some("Ada"));
    assert_eq!((made.listed, made.request), (true, Some(id(MESSAGE))));
    let joined = join(&body).unwrap();
    assert_eq!(joined.room, RoomRef::No(RoomNo(7)));
    assert_eq!(joined.user_name.as_deref(), Some("Ada"));
    assert_eq!(joined.request, Some(id(MESSAGE)));
    let sent = send(&body, id(MAKER)).unwrap();
    assert_eq!((sent.uuid, sent.reply), (Some(id(MESSAGE)), Some(2)));
    let cursor = fetch(&body).unwrap();
    assert_eq!((cursor.after, cursor.limit), (Some(3), Some(5)));
    assert_eq!((cursor.epoch.as_deref(), cursor.wait), (Some("e"), 60));
    assert_eq!(common(&body).unwrap().token.as_deref(), Some("abc"));
}

#[test]
fn a_missing_or_wrong_field_is_named() {
    let good = json!({
        "roomId": ROOM,
        "userId": MAKER,
        "message": {"type": "message", "userId": MAKER, "contentType": "text", "content": "hi"}
    });
    let with = |changes: Value| {
        let mut body = good.clone();
        merge(&mut body, changes);
        fields(&body)
    };
    for field in ["roomName", "roomPassword", "userName", "listed", "request"] {
        assert_eq!(named(create(&with(json!({field: 7})))), field);
    }
    for field in ["roomPassword", "userName", "request"] {
        assert_eq!(named(join(&with(json!({field: 7})))), field);
    }
    for wrong in [json!(null), json!([]), json!("lobby"), json!(1.5)] {
        assert_eq!(named(join(&with(json!({"roomId": wrong})))), "roomId");
        assert_eq!(named(seat(&with(json!({"roomId": wrong})))), "roomId");
        assert_eq!(named(seat(&with(json!({"userId": wrong})))), "userId");
    }
    for field in ["after", "epoch", "limit", "wait"] {
        assert_eq!(named(fetch(&with(json!({field: {}})))), field);
    }
    assert_eq!(named(common(&with(json!({"v": "1"})))), "v");
    assert_eq!(named(common(&with(json!({"token": 1})))), "token");

    let sent = |message| named(send(&with(json!({"message": message})), id(MAKER)));
    for wrong in [json!(null), json!("hello")] {
        assert_eq!(sent(wrong), "message");
    }
    for (field, wrong) in [
        ("message.userId", json!({"userId": null})),
        ("message.userId", json!({"userId": JOINER})),
        ("message.userId", json!({"userId": 7})),
        ("message.type", json!({"type": "system"})),
        ("message.type", json!({"type": 7})),
        ("message.contentType", json!({"contentType": null})),
        ("message.contentType", json!({"contentType": 7})),
        ("message.content", json!({"content": null})),
        ("message.content", json!({"content": 7})),
        ("message.uuid", json!({"uuid": "no"})),
        ("message.reply", json!({"reply": -1})),
    ] {
        assert_eq!(sent(wrong), field);
    }
}

/// Sets the fields of an object, and those of objects inside.
fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(into.entry(key).or_insert(Value::Null), change);
            }
        }
        (into, change) => *into = change,
    }
}

#[test]
fn another_content_type_is_refused_by_its_name_shortened() {
    let of_type = |kind: &str| {
        let message = json!({"userId": MAKER, "contentType": kind, "content": "hi"});
        let body = fields(&json!({ "message": message }));
        send(&body, id(MAKER)).err()
    };
    let unsupported = |kind: &str| Some(Refusal::UnsupportedContent(kind.into()));
    assert_eq!(of_type("image"), unsupported("image"));
    let long = "图".repeat(1_000);
    assert_eq!(of_type(&long), unsupported(&"图".repeat(MAX_NAME_CHARS)));
}

#[test]
fn wait_and_limit_have_their_bounds() {
    let asked = |body| fetch(&fields(&body));
    assert_eq!(asked(json!({"wait": MAX_WAIT})).unwrap().wait, MAX_WAIT);
    assert_eq!(named(asked(json!({"wait": MAX_WAIT + 1}))), "wait");
    assert_eq!(named(asked(json!({"limit": 0}))), "limit");
    let most = asked(json!({"limit": u64::MAX})).unwrap().limit;
    assert_eq!(most, Some(MAX_FETCH), "more than we give is not an error");
}

#[test]
fn the_version_spoken_is_echoed_only_where_one_was_asked_for() {
    let spoken = |v| common(&fields(&json!({ "v": v }))).unwrap().v;
    for (asked, answered) in [
        (None, None),
        (Some(0), None),
        (Some(1), Some(1)),
        (Some(9), Some(1)),
    ] {
        let v = spoken(asked);
        assert_eq!(v, answered, "to {asked:?}");
        let echo = answered.map(|v: u64| json!(v));
        let answers = [
            success(Call::Heartbeat, Lang::Zh, v),
            failure(&Refusal::Busy, Lang::Zh, v),
            fetched(Lang::Zh, v, &page(vec![]), None),
        ];
        for answer in answers {
            assert_eq!(samples::json(&answer).get("v"), echo.as_ref());
        }
    }
}

// ---- Additions: what an answer carries ----

#[test]
fn each_success_has_its_sentence_in_two_languages() {
    for (call, zh, en) in [
        (Call::Create, "成功创建房间", "Room created"),
        (Call::Join, "成功加入房间", "Joined the room"),
        (Call::Send, "发送成功", "Sent"),
        (Call::Fetch, "你成功了！", "Success!"),
        (Call::Leave, "已离开房间", "Left the room"),
        (Call::Heartbeat, "心跳成功", "Heartbeat received"),
    ] {
        for (lang, message) in [(Lang::Zh, zh), (Lang::En, en)] {
            let answer = samples::json(&success(call, lang, None));
            let expected = json!({"success": true, "message": message, "data": null});
            assert_eq!(answer, expected);
        }
    }
}

#[test]
fn a_seat_carries_numbers_a_token_and_who_is_offline() {
    let mut room = samples::room();
    room.members[0].online = false;
    let answer = samples::json(&seated_last(Call::Join, Lang::En, &room, ""));
    let data = &answer["data"];
    assert_eq!(data["token"], "abc");
    assert_eq!(
        (&data["user"]["id"], &data["room"]["id"]),
        (&json!(2), &json!(1))
    );
    let own =
        json!({"content": "用户e07da joined the room", "type": "system", "at": 2, "sent": JOINED});
    assert_eq!(data["user"]["cachingMessage"], json!([own]));
    assert_eq!(data["room"]["roomPassword"], "", "nothing was proved");
    let list = &data["room"]["userContainer"]["userList"];
    assert_eq!(list[0]["online"], false);
    assert_eq!(
        list[1].get("online"),
        None,
        "online is the documented shape"
    );
}

#[test]
fn a_seat_taken_before_has_no_notice_and_may_have_no_token() {
    let room = samples::room();
    let answer = Seated {
        room: &room,
        me: &room.members[1],
        own: None,
        password: "",
        token: None,
        owner_key: None,
    };
    let answer = samples::json(&seated(Call::Join, Lang::Zh, None, &answer));
    assert_eq!(answer["data"]["user"]["cachingMessage"], json!([]));
    assert_eq!(answer["data"].get("token"), None);
}

#[test]
fn entries_are_the_documents_with_their_place_and_time() {
    let [_, joined] = came();
    let entries = vec![
        joined,
        says(3, "hello").into(),
        says_otherwise(4, "hullo").into(),
        left(5),
    ];
    let sent = "2022-12-22T06:33:59.579+00:00";
    let expected = json!([
        {"type": "system", "content": "用户e07da加入了房间", "at": 2, "sent": JOINED},
        {"type": "message", "userId": JOINER, "contentType": "text", "content": "hello", "at": 3,
            "sent": sent, "uuid": MESSAGE, "seq": 3, "userName": "用户e07da", "modified": false},
        {"type": "message", "userId": JOINER, "contentType": "text", "content": "hullo", "at": 4,
            "sent": sent, "uuid": MESSAGE, "seq": 4, "userName": "用户e07da", "modified": true,
            "reply": 1},
        {"type": "system", "content": "用户e07da离开了房间", "at": 5, "sent": JOINED},
    ]);
    let page = page(entries);
    let answer = |lang| samples::json(&fetched(lang, None, &page, None));
    assert_eq!(answer(Lang::Zh)["data"], expected);
    let en = answer(Lang::En);
    assert_eq!(en["data"][0]["content"], "用户e07da joined the room");
    assert_eq!(en["data"][3]["content"], "用户e07da left the room");
}

#[test]
fn edits_and_deletions_are_entries_for_those_who_speak_v_1() {
    let entries = [
        says_otherwise(3, "hullo"),
        edits(4, "hullo"),
        tombstone(5),
        deletes(6),
    ];
    let [_, joined] = came();
    let shown = |v| entries.each_ref().map(|entry| shows(entry, v));
    assert_eq!(shown(None), [true, false, false, false]);
    assert_eq!(shown(Some(1)), [true; 4]);
    assert!(shows(&joined, None) && shows(&left(3), None));

    let sent = "2022-12-22T06:33:59.579+00:00";
    let later = "2022-12-22T06:34:59.579+00:00";
    let said = json!({"type": "message", "userId": JOINER, "contentType": "text",
        "content": "hullo", "at": 3, "sent": sent, "uuid": MESSAGE, "seq": 3,
        "userName": "用户e07da", "modified": true, "reply": 1});
    let expected = json!([
        said,
        {"type": "edited", "userId": JOINER, "contentType": "text", "content": "hullo", "at": 4,
            "sent": later, "uuid": MESSAGE, "seq": 3, "userName": "用户e07da", "modified": true,
            "reply": 1},
        {"type": "deleted", "userId": JOINER, "at": 5, "sent": sent, "uuid": MESSAGE, "seq": 5,
            "userName": "用户e07da"},
        {"type": "deleted", "userId": MAKER, "at": 6, "sent": sent, "uuid": MESSAGE, "seq": 3,
            "userName": "用户f7f12"},
    ]);
    let page = page(entries.map(Into::into).into());
    let answer = |v| samples::json(&fetched(Lang::Zh, v, &page, Some("e")));
    assert_eq!(answer(Some(1))["data"], expected);
    let plain = answer(None);
    assert_eq!(
        (&plain["data"], &plain["next"]),
        (&json!([said]), &json!(6))
    );
}

#[test]
fn only_a_cursor_is_answered_with_a_cursor() {
    let page = Page {
        complete: false,
        ..page(vec![says(3, "hello").into()])
    };
    let drained = samples::json(&fetched(Lang::Zh, None, &page, None));
    let keys: Vec<_> = drained.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    let answer = samples::json(&fetched(Lang::Zh, None, &page, Some("e")));
    assert_eq!(answer["data"][0]["content"], "hello");
    assert_eq!(answer["next"], 3);
    assert_eq!(answer["epoch"], "e");
    assert_eq!(answer["complete"], false);
}

#[test]
fn a_uuid_comes_back_as_it_was_written() {
    let written = json!("67E55044-10B1-426F-9247-BB680E5FE0C8");
    let answer = said(Lang::Zh, None, written.clone(), 3, nanos(SAID));
    let sent = "2022-12-22T06:33:59.579+00:00";
    let data = json!({"uuid": written, "seq": 3, "at": 3, "sent": sent});
    let expected = json!({"success": true, "message": "发送成功", "data": data});
    assert_eq!(samples::json(&answer), expected);
}

#[test]
fn a_failure_has_a_word_a_sentence_and_no_data() {
    let answer = |refusal, lang| samples::json(&failure(&refusal, lang, None));
    assert_eq!(
        answer(Refusal::NoSuchRoom, Lang::Zh),
        json!({"success": false, "message": "房间不存在", "data": null, "code": "room_not_found"})
    );
    assert_eq!(
        answer(Refusal::TooFast { after: 3 }, Lang::En),
        json!({
            "success": false, "message": "Too fast; try again in 3 s.", "data": null,
            "code": "too_fast", "retryAfter": 3
        })
    );
    let both = samples::json(&failure(&Refusal::NoSuchRoom, Lang::En, Some(1)));
    assert_eq!(
        both["messages"],
        json!({"en": "There is no such room.", "zh": "房间不存在"}),
        "for who asks for it"
    );
    let suggest = "Ada-2".to_owned();
    let taken = answer(Refusal::NameTaken { suggest }, Lang::En);
    assert_eq!(
        (&taken["code"], &taken["suggest"]),
        (&json!("name_taken"), &json!("Ada-2"))
    );
    assert_eq!(
        samples::json(&plain_failure("not_found", "There is nothing here.")),
        json!({
            "success": false, "message": "There is nothing here.", "data": null,
            "code": "not_found"
        })
    );
}
