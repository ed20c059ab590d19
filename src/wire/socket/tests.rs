//! The second document's examples, read and written; then what PROTOCOL.md adds to them.

use super::*;
use crate::wire::samples::{self, *};
use serde_json::json;

fn auth(frame: Value) -> Auth {
    match parse(&frame.to_string()) {
        Incoming::Auth(auth) => auth,
        _ => panic!("{frame} is an auth"),
    }
}

fn msg(frame: Value) -> Msg {
    match parse(&frame.to_string()) {
        Incoming::Msg(msg) => msg,
        _ => panic!("{frame} is a msg"),
    }
}

fn ask(frame: Value) -> Ask {
    match parse(&frame.to_string()) {
        Incoming::Ask(ask) => ask,
        _ => panic!("{frame} is a request of ours"),
    }
}

fn call(frame: Value) -> Result<Call, Refusal> {
    ask(frame).call
}

/// The document's message, with some fields changed.
fn hello(changes: Value) -> Value {
    let mut frame = json!({
        "type": "msg", "uuid": MESSAGE, "room": 1,
        "data": {"type": "Text", "text": "Hello, Chatoy!"}
    });
    for (key, change) in changes.as_object().expect("an object") {
        frame[key] = change.clone();
    }
    frame
}

fn spoken() -> Result<Reply, Refusal> {
    let (at, sent) = (3, nanos(SAID));
    Ok(Reply::Said { at, sent })
}

/// An echo of a `history` request.
fn echo(id: Option<Value>) -> Echo {
    Echo {
        kind: "history",
        id,
        lang: Lang::En,
    }
}

// ---- The document's examples ----

#[test]
fn auth_is_read_and_answered_as_documented() {
    let Incoming::Auth(auth) = parse(r#"{"type":"auth","token":"0123456789abcdef"}"#) else {
        panic!("it is an auth");
    };
    assert_eq!(
        (&*auth.token, auth.v, auth.id),
        ("0123456789abcdef", 0, None)
    );
    assert_eq!(auth_ok(None, None), r#"{"type":"auth","code":0,"msg":""}"#);
    assert_eq!(
        auth_refused(1, "Login status expired!", None),
        r#"{"type":"auth","code":1,"msg":"Login status expired!"}"#
    );
}

#[test]
fn msg_is_read_and_answered_as_documented() {
    let Msg { uuid, call, .. } = msg(hello(json!({})));
    assert_eq!(uuid, json!(MESSAGE));
    let say = call.unwrap();
    assert_eq!((say.uuid, say.room), (id(MESSAGE), RoomRef::No(RoomNo(1))));
    assert_eq!((&*say.text, say.reply), ("Hello, Chatoy!", None));

    let example = json!({
        "type": "send", "code": 0, "msg": "", "uuid": MESSAGE, "sent": local_nanos(nanos(SAID)),
        "seq": 3, "at": 3
    });
    assert_eq!(samples::json(&send(&uuid, Lang::En, &spoken())), example);
}

#[test]
fn recv_is_written_as_documented() {
    let example = json!({
        "type": "recv",
        "data": {
            "uuid": MESSAGE,
            "sender": 2,
            "room": 1,
            "data": {"type": "Text", "text": "Hello, Chatoy!"},
            "sent": local_nanos(nanos(SAID)),
            "modified": false,
            "seq": 3,
            "name": "用户e07da"
        },
        "at": 3
    });
    assert_eq!(
        samples::json(&frame(&says(3, "Hello, Chatoy!"), Lang::En)),
        example
    );
}

// ---- Frames in ----

#[test]
fn auth_carries_a_version_that_is_spoken_here_and_an_id() {
    let sent = auth(json!({"type": "auth", "token": "abc", "v": 7, "id": [1]}));
    assert_eq!((sent.v, sent.id), (VERSION, Some(json!([1]))));
    for nothing in [json!(null), json!(7), json!("")] {
        assert_eq!(auth(json!({"type": "auth", "token": nothing})).token, "");
    }
}

#[test]
fn auth_carries_what_was_seen_before() {
    let resumed = |more: Value| {
        let mut frame = json!({"type": "auth", "token": "abc", "epoch": "e"});
        frame["resume"] = more;
        auth(frame).resume
    };
    assert!(resumed(json!(null)).is_none());
    let seen = [(RoomNo(1), 120), (RoomNo(7), 0)].into();
    let epoch = Some("e".to_owned());
    let all = resumed(json!({"1": 120, "7": 0})).unwrap();
    assert_eq!(all, Ok(Resume { epoch, seen }));
    for wrong in [
        json!(7),
        json!([1]),
        json!({"lobby": 1}),
        json!({"1": -1}),
        json!({"1": null}),
    ] {
        assert_eq!(named(resumed(wrong).unwrap()), "resume");
    }
    let frame = json!({"type": "auth", "token": "abc", "resume": {}, "epoch": 7});
    assert_eq!(named(auth(frame).resume.unwrap()), "epoch");
}

#[test]
fn a_missing_or_wrong_field_of_msg_is_named() {
    for (changes, field) in [
        (json!({"uuid": null}), "uuid"),
        (json!({"uuid": 7}), "uuid"),
        (json!({"uuid": "hello"}), "uuid"),
        (json!({"room": null}), "room"),
        (json!({"room": "lobby"}), "room"),
        (json!({"data": null}), "data"),
        (json!({"data": "hello"}), "data"),
        (json!({"data": {"text": "hi"}}), "data.type"),
        (json!({"data": {"type": 7, "text": "hi"}}), "data.type"),
        (json!({"data": {"type": "Text"}}), "data.text"),
        (json!({"data": {"type": "Text", "text": 7}}), "data.text"),
        (json!({"reply": "one"}), "reply"),
    ] {
        assert_eq!(named(msg(hello(changes)).call), field);
    }
}

#[test]
fn another_content_type_is_refused_by_its_name() {
    let image = hello(json!({"data": {"type": "Image", "url": "x"}}));
    let refusal = msg(image).call.err();
    assert_eq!(refusal, Some(Refusal::UnsupportedContent("Image".into())));
}

#[test]
fn each_request_of_ours_is_read() {
    let room = RoomRef::No(RoomNo(1));
    assert!(matches!(call(json!({"type": "ping"})), Ok(Call::Ping)));
    let join = json!({"type": "join", "room": ROOM, "password": "114514", "name": "Ada"});
    match call(join) {
        Ok(Call::Join {
            room,
            password,
            key: None,
            name,
        }) => {
            assert_eq!(room, RoomRef::Id(id(ROOM)));
            assert_eq!(password.as_deref(), Some("114514"));
            assert_eq!(name.as_deref(), Some("Ada"));
        }
        _ => panic!("it is a join"),
    }
    match call(json!({"type": "leave", "room": 1})) {
        Ok(Call::Leave { room: left }) => assert_eq!(left, room),
        _ => panic!("it is a leave"),
    }
    match call(json!({"type": "members", "room": 1})) {
        Ok(Call::Members { room: shown }) => assert_eq!(shown, room),
        _ => panic!("it is a members"),
    }
}

#[test]
fn an_edit_and_a_deletion_are_read() {
    let sent = hello(json!({"type": "edit", "id": 7}));
    assert_eq!(ask(sent.clone()).echo.id, Some(json!(7)));
    match call(sent) {
        Ok(Call::Edit { room, uuid, text }) => {
            assert_eq!((room, uuid), (RoomRef::No(RoomNo(1)), id(MESSAGE)));
            assert_eq!(&*text, "Hello, Chatoy!");
        }
        _ => panic!("it is an edit"),
    }
    match call(json!({"type": "delete", "room": ROOM, "uuid": MESSAGE.to_uppercase()})) {
        Ok(Call::Delete { room, uuid }) => {
            assert_eq!((room, uuid), (RoomRef::Id(id(ROOM)), id(MESSAGE)));
        }
        _ => panic!("it is a delete"),
    }
    for (changes, field) in [
        (json!({"uuid": null}), "uuid"),
        (json!({"uuid": "hello"}), "uuid"),
        (json!({"room": null}), "room"),
    ] {
        for kind in ["edit", "delete"] {
            let mut changes = changes.clone();
            changes["type"] = json!(kind);
            assert_eq!(named(call(hello(changes))), field, "{kind}");
        }
    }
    for (data, field) in [
        (json!(null), "data"),
        (json!("hello"), "data"),
        (json!({"text": "hi"}), "data.type"),
        (json!({"type": "Text"}), "data.text"),
        (json!({"type": "Text", "text": 7}), "data.text"),
    ] {
        let edit = hello(json!({"type": "edit", "data": data}));
        assert_eq!(named(call(edit)), field);
    }
    let image = hello(json!({"type": "edit", "data": {"type": "Image", "url": "x"}}));
    let refusal = call(image).err();
    assert_eq!(refusal, Some(Refusal::UnsupportedContent("Image".into())));
}

#[test]
fn history_has_a_beginning_and_a_size() {
    let asked = |mut frame: Value| {
        frame["type"] = json!("history");
        frame["room"] = json!(1);
        call(frame).map(|call| match call {
            Call::History { span, limit, .. } => (span, limit),
            _ => panic!("it is a history"),
        })
    };
    let most = MAX_PAGE;
    for (frame, expected) in [
        (json!({}), (HistorySpan::Newest, most)),
        (json!({"after": 0}), (HistorySpan::After(0), most)),
        (
            json!({"before": 9, "limit": 5}),
            (HistorySpan::Before(9), 5),
        ),
        (json!({"limit": 100_000}), (HistorySpan::Newest, most)),
    ] {
        assert_eq!(asked(frame), Ok(expected));
    }
    assert_eq!(named(asked(json!({"after": 1, "before": 2}))), "after");
    assert_eq!(named(asked(json!({"after": "1"}))), "after");
    assert_eq!(named(asked(json!({"before": -1}))), "before");
    assert_eq!(named(asked(json!({"limit": 0}))), "limit");
}

#[test]
fn a_missing_or_wrong_field_of_a_request_of_ours_is_named() {
    for kind in ["join", "leave", "members", "history"] {
        assert_eq!(named(call(json!({ "type": kind }))), "room");
    }
    for field in ["password", "name"] {
        let join = json!({"type": "join", "room": 1, field: 7});
        assert_eq!(named(call(join)), field);
    }
}

#[test]
fn what_is_no_request_is_said_with_its_reason() {
    for (text, reason) in [
        ("hello", "not a JSON object"),
        ("[]", "not a JSON object"),
        (r#"{"token":"abc"}"#, "type"),
        (r#"{"type":7}"#, "type"),
        (r#"{"type":"recv"}"#, r#""recv""#),
        (r#"{"type":"Msg"}"#, r#""Msg""#),
    ] {
        match parse(text) {
            Incoming::Bad(why) => assert!(why.contains(reason), "{why}"),
            _ => panic!("{text} is no request"),
        }
    }
    let long = json!({"type": "x".repeat(50_000)}).to_string();
    assert!(matches!(parse(&long), Incoming::Bad(why) if why.len() < 200));
    assert_eq!(error("No."), r#"{"type":"error","code":2,"msg":"No."}"#);
}

// ---- Frames out ----

#[test]
fn a_uuid_is_echoed_as_it_was_sent_whatever_it_was() {
    let written = [
        json!("67E55044-10B1-426F-9247-BB680E5FE0C8"),
        json!("67e5504410b1426f9247bb680e5fe0c8"),
        json!("hello"),
        json!({"a": 7}),
        json!(null),
    ];
    for uuid in written {
        let sent = msg(hello(json!({ "uuid": uuid })));
        let outcome = match sent.call {
            Ok(_) => spoken(),
            Err(refusal) => Err(refusal),
        };
        let answer = samples::json(&send(&sent.uuid, sent.lang, &outcome));
        assert_eq!(answer["uuid"], uuid);
    }
}

#[test]
fn a_failed_send_has_a_number_a_sentence_and_sent_null() {
    let answer = |refusal| samples::json(&send(&json!(MESSAGE), Lang::En, &Err(refusal)));
    assert_eq!(
        answer(Refusal::NoSuchRoom),
        json!({
            "type": "send", "code": 3, "msg": "There is no such room.", "uuid": MESSAGE,
            "sent": null
        })
    );
    assert_eq!(
        answer(Refusal::TooFast { after: 2 }),
        json!({
            "type": "send", "code": 7, "msg": "Too fast; try again in 2 s.", "uuid": MESSAGE,
            "sent": null, "retryAfter": 2
        })
    );
}

#[test]
fn the_id_of_a_request_comes_back_as_it_was() {
    for id in [json!(7), json!("seven"), json!({"n": [7]})] {
        let asked = ask(json!({"type": "history", "room": 1, "id": id}));
        let answered = answer(&asked.echo, r#","room":1"#);
        let expected = json!({"type": "history", "code": 0, "msg": "", "id": id, "room": 1});
        assert_eq!(samples::json(&answered), expected);
        let refused = samples::json(&refused(&asked.echo, &Refusal::NotMember));
        assert_eq!((&refused["id"], &refused["code"]), (&id, &json!(4)));
        let greeted = samples::json(&auth_ok(None, Some(&id)));
        assert_eq!(greeted["id"], id);
        let expired = samples::json(&auth_refused(1, "", Some(&id)));
        assert_eq!(expired["id"], id);
    }
    assert_eq!(
        answer(&echo(None), ""),
        r#"{"type":"history","code":0,"msg":""}"#
    );
}

#[test]
fn a_refusal_is_said_in_the_language_of_its_request() {
    for (lang, sentence) in [
        (json!("zh"), "你已被禁言，9 秒后可以发言"),
        (json!("en"), "You are muted; you may write again in 9 s."),
        (json!(7), "You are muted; you may write again in 9 s."),
        (json!(null), "You are muted; you may write again in 9 s."),
    ] {
        let refusal = Refusal::Muted { after: 9 };
        let asked = ask(json!({"type": "history", "room": 1, "lang": lang}));
        let refused = samples::json(&refused(&asked.echo, &refusal));
        let sent = msg(hello(json!({ "lang": lang })));
        let failed = samples::json(&send(&sent.uuid, sent.lang, &Err(refusal)));
        assert_eq!(
            (&refused["msg"], &failed["msg"]),
            (&json!(sentence), &json!(sentence))
        );
    }
}

#[test]
fn a_refusal_says_when_to_come_back_or_what_name_is_free() {
    let answer = |refusal| samples::json(&refused(&echo(None), &refusal));
    assert_eq!(answer(Refusal::Busy)["retryAfter"], 1);
    let suggest = "\"Ada\"-2".to_owned();
    let taken = answer(Refusal::NameTaken { suggest });
    assert_eq!(
        (&taken["code"], &taken["suggest"]),
        (&json!(11), &json!("\"Ada\"-2"))
    );
    let keys = answer(Refusal::NotMember);
    assert_eq!(keys.as_object().unwrap().len(), 3, "{keys}");
}

#[test]
fn a_client_that_speaks_v_1_is_told_of_itself() {
    let physics = RoomView {
        no: RoomNo(3),
        name: "\"Physics\"".into(),
        last: 9_000,
        ..samples::room()
    };
    let until = nanos(SAID);
    let stands = Standing {
        owner: true,
        muted: Some(until),
        locked: true,
        quiet: false,
    };
    let greeting = Greeting {
        v: 1,
        epoch: "e",
        me: UserNo(2),
        rooms: &[
            (samples::room(), Standing::default(), true),
            (physics, stands, false),
        ],
        gone: &[RoomNo(4)],
    };
    let rooms = json!([
        {"id": 1, "name": "聊天室95c0f", "at": 2, "complete": true,
         "owner": false, "locked": false, "quiet": false},
        {"id": 3, "name": "\"Physics\"", "at": 9_000, "complete": false,
         "owner": true, "locked": true, "quiet": false, "muted": local_nanos(until)},
    ]);
    let expected = json!({
        "type": "auth", "code": 0, "msg": "", "id": 7,
        "v": 1, "epoch": "e", "me": 2, "rooms": rooms, "gone": [4]
    });
    let answer = auth_ok(Some(&greeting), Some(&json!(7)));
    assert_eq!(samples::json(&answer), expected);
}

#[test]
fn an_edited_message_and_an_answer_say_so() {
    let data = &samples::json(&frame(&says_otherwise(4, "hullo"), Lang::En))["data"];
    assert_eq!(
        (&data["modified"], &data["reply"]),
        (&json!(true), &json!(1))
    );
}

#[test]
fn an_edit_is_the_message_again_and_a_deletion_only_its_name() {
    let expected = json!({
        "type": "recv", "at": 9,
        "data": {
            "uuid": MESSAGE, "sender": 2, "room": 1, "data": {"type": "Text", "text": "hullo"},
            "sent": local_nanos(nanos(SAID)), "modified": true, "seq": 3, "name": "用户e07da",
            "reply": 1
        }
    });
    assert_eq!(
        samples::json(&frame(&edits(9, "hullo"), Lang::En)),
        expected
    );
    let deleted = |at| json!({"type": "deleted", "room": 1, "uuid": MESSAGE, "seq": 3, "at": at});
    let mut by_owner = deleted(9);
    by_owner["by"] = json!(1);
    assert_eq!(samples::json(&frame(&deletes(9), Lang::En)), by_owner);
    assert_eq!(samples::json(&frame(&tombstone(3), Lang::En)), deleted(3));
}

#[test]
fn without_v_1_a_socket_hears_of_edits_but_not_of_deletions() {
    let (author, owner, other) = (UserNo(2), UserNo(1), UserNo(3));
    for entry in [edits(9, "hullo"), deletes(9), tombstone(3)] {
        let is_edit = entry.text().is_some();
        let heard = [author, owner, other].map(|user| is_for(&entry, user, 0));
        assert_eq!(heard, [false, is_edit, is_edit], "{entry:?}");
        assert!(
            [author, owner, other]
                .iter()
                .all(|user| is_for(&entry, *user, 1))
        );
    }
}

#[test]
fn coming_and_leaving_are_frames_of_the_order() {
    let [_, came] = came();
    for (kind, entry) in [("joined", came), ("left", left(3))] {
        let expected = json!({
            "type": kind, "room": 1, "at": entry.at,
            "user": {"id": 2, "name": "用户e07da", "avatar": 30},
            "sent": local_nanos(nanos(JOINED))
        });
        assert_eq!(samples::json(&frame(&entry, Lang::En)), expected);
    }
}

#[test]
fn without_v_1_a_socket_hears_only_what_others_say() {
    let ([_, came], left, said) = (came(), left(3), says(4, "hello"));
    let (speaker, other) = (UserNo(2), UserNo(1));
    for user in [speaker, other] {
        let heard = [&*came, &left, &said].map(|entry| is_for(entry, user, 0));
        assert_eq!(heard, [false, false, user == other]);
        assert!(
            [&*came, &left, &said]
                .iter()
                .all(|entry| is_for(entry, user, 1))
        );
    }
}

#[test]
fn members_are_shown_in_join_order() {
    let mut room = samples::room();
    room.members[0].online = false;
    room.members[0].hand = Some(2);
    room.members[1].muted = Some(5);
    room.quiet = true;
    let answer = samples::json(&answer(&echo(None), &members_fields(&room)));
    let expected = json!([
        {"id": 1, "name": "用户f7f12", "avatar": 31, "online": false, "owner": true, "hand": 2},
        {"id": 2, "name": "用户e07da", "avatar": 30, "online": true, "muted": local_nanos(5)},
    ]);
    assert_eq!((&answer["room"], &answer["data"]), (&json!(1), &expected));
    let state = json!({"name": "聊天室95c0f", "locked": false, "quiet": true, "password": false});
    assert_eq!(answer["state"], state);
}

#[test]
fn a_page_is_the_frames_of_the_order_and_how_to_go_on() {
    let [came, _] = came();
    let said = says(2, "hello");
    let frames = [
        samples::json(&frame(&came, Lang::En)),
        samples::json(&frame(&said, Lang::En)),
    ];
    let page = Page {
        more: true,
        ..page(vec![came, said.into()])
    };
    let written = samples::json(&format!("{{{}}}", page_fields(&page, Lang::En)));
    let expected = json!({"data": frames, "next": 2, "complete": true, "more": true});
    assert_eq!(written, expected);
    let nothing = format!("{{{}}}", page_fields(&Page::default(), Lang::En));
    let expected = json!({"data": [], "next": 0, "complete": false, "more": false});
    assert_eq!(samples::json(&nothing), expected);
}
