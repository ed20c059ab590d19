//! JSON that nobody sends on purpose, and texts and names made to confuse, over both transports:
//! taken as they are, or refused with a sentence; and then there byte for byte.
//!
//! What is no JSON at all, a field of a wrong kind, and names that look like another's are in
//! `room_api/`; frames that are no requests in `socket/`.

mod support;

use serde_json::{Value, json};
use support::{Guest, Server, Ws, create, join_as, uuid};

const UNHURRIED: [&str; 4] = ["--user-rate", "0", "--room-rate", "0"];

/// Values that are refused wherever they stand, and where in JSON they are not even a value.
fn no_values() -> Vec<String> {
    vec![
        "1e999".into(),
        "-1e999".into(),
        "9".repeat(60_000),
        format!("0.{}", "9".repeat(60_000)) + "e400",
        r#""\ud800""#.into(),
        r#""\udc00\ud800""#.into(),
        r#""\ud83e x""#.into(),
        format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000)),
        format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
        "[".repeat(200),
        "NaN".into(),
        "Infinity".into(),
        "0x10".into(),
        "+1".into(),
        "01".into(),
        "\"\u{1}\"".into(),
        "\"\\x41\"".into(),
        "[1,]".into(),
    ]
}

#[test]
fn a_value_that_is_none_spoils_its_body_and_its_frame_and_nothing_else() {
    let server = Server::start(&["--data", "none"]);
    let ada = create(&server.client(), json!({}));
    let mut ws = server.login(&ada.token);
    for (n, value) in no_values().iter().enumerate() {
        // In a field that is asked for, and in one that is not.
        for field in ["content", "pad"] {
            let body = format!(
                r#"{{"roomId":"{}","userId":"{}","message":{{"type":"message","userId":"{}","contentType":"text","{field}":{value}}}}}"#,
                ada.room_id, ada.user_id, ada.user_id
            );
            let spoken = ada.with_token().http.post_text("/message/send", &body);
            spoken.refused(400, "bad_json");

            let data = format!(r#"{{"type":"Text","{field}":{value}}}"#);
            let uuid = uuid();
            ws.send_text(&format!(
                r#"{{"type":"msg","uuid":"{uuid}","room":{},"data":{data}}}"#,
                ada.room
            ));
            let answer = ws.recv();
            assert_eq!(
                (&answer["type"], &answer["code"]),
                (&json!("error"), &json!(2))
            );
            assert!(answer["msg"].as_str().is_some_and(|msg| msg.len() > 10));
        }
        if n % 4 == 3 {
            // Ten close the socket.
            ws = server.login(&ada.token);
        }
    }
    ws.say(ada.room, "still here");
}

#[test]
fn what_is_deep_but_no_deeper_than_can_be_read_is_ignored_where_nobody_asks_for_it() {
    let server = Server::start(&["--data", "none"]);
    let ada = create(&server.client(), json!({}));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let body = format!(
        r#"{{"roomId":"{}","userId":"{}","pad":{deep}}}"#,
        ada.room_id, ada.user_id
    );
    ada.http.post_text("/room/heartbeat", &body).data();
    let mut ws = server.login(&ada.token);
    ws.send_text(&format!(r#"{{"type":"ping","id":{deep}}}"#));
    let id: Value = serde_json::from_str(&deep).expect("JSON");
    assert_eq!(ws.recv()["id"], id);
}

#[test]
fn an_array_in_place_of_an_object_is_refused_by_name() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client().english();
    let ada = create(&http, json!({}));
    let mut ws = server.login(&ada.token);
    let ada = ada.via(&http.bearer(&ada.token));
    let fields =
        json!([{"type":"message","userId":ada.user_id,"contentType":"text","content":"x"}]);
    for message in [json!([]), fields, json!([[["content", "x"]]])] {
        let body = ada.body(json!({"message":message}));
        let sentence = ada
            .http
            .post("/message/send", body)
            .refused(400, "bad_field");
        assert!(sentence.contains("message"), "{sentence}");
    }
    for data in [
        json!([]),
        json!([{"type":"Text","text":"x"}]),
        json!(["Text", "x"]),
    ] {
        let uuid = uuid();
        ws.send_json(json!({"type":"msg","uuid":uuid,"room":ada.room,"data":data}));
        let answer = ws.recv();
        assert_eq!(
            (&answer["uuid"], &answer["code"]),
            (&json!(uuid), &json!(2))
        );
        let sentence = answer["msg"].as_str().unwrap_or_default();
        assert!(sentence.contains("data"), "{sentence}");
    }
    let answer = ws.ask(json!({"type":"history","room":[ada.room]}));
    assert_eq!(answer["code"], 2, "{answer}");
    ws.nothing_more();
}

#[test]
fn of_a_key_that_is_repeated_the_last_counts_on_both() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    let mut ear = server.login(&bob.token);
    let bob = bob.with_token();

    let twice = |first: &str, last: &str| {
        format!(
            r#"{{"roomId":"{0}","userId":"{1}","userId":"{2}","message":{{"type":"message","userId":"{1}","userId":"{2}","contentType":"text","content":"first","content":"last"}}}}"#,
            ada.room_id, first, last
        )
    };
    // Whoever is named last is who has to be proved: Bob is sealed, and Ada's token is not his.
    let as_bob = twice(&ada.user_id, &bob.user_id);
    let by_ada = ada.with_token();
    assert_eq!(by_ada.http.post_text("/message/send", &as_bob).status, 401);
    let as_ada = twice(&bob.user_id, &ada.user_id);
    by_ada.http.post_text("/message/send", &as_ada).data();
    let heard = ear.heard();
    assert_eq!(
        (&heard["sender"], &heard["data"]["text"]),
        (&json!(ada.id), &json!("last"))
    );

    let mut ws = server.login(&ada.token);
    let (first, last) = (uuid(), uuid());
    ws.send_text(&format!(
        r#"{{"type":"ping","type":"msg","uuid":"{first}","uuid":"{last}","room":999,"room":{},"data":[],"data":{{"type":"Text","text":"first","text":"the last"}}}}"#,
        ada.room
    ));
    let answer = ws.recv();
    assert_eq!(
        (&answer["uuid"], &answer["code"]),
        (&json!(last), &json!(0))
    );
    assert_eq!(ear.hear(1), ["the last"]);
}

/// Whatever their looks, these are texts.
fn texts() -> Vec<String> {
    vec![
        (1..0x20).filter_map(char::from_u32).collect::<String>() + "x",
        "a\0b".into(),
        "\u{7f}\u{80}\u{85}\u{9f}x".into(),
        "\u{1b}[31mred\u{1b}[0m\u{7}".into(),
        "\u{202e}drowssap\u{202c} \u{2066}\u{2067}\u{2068}x\u{2069}".into(),
        "\u{200e}\u{200f}\u{61c}x".into(),
        "\u{200b}".into(),
        "a\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}b".into(),
        "\u{feff}begins with a mark of byte order".into(),
        "👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈 🇨🇳".into(),
        "🦀".repeat(4_000),
        format!("Z{}", "\u{301}\u{489}\u{36f}".repeat(1_333)),
        "\u{e9} e\u{301}".into(),
        "\u{fffe}\u{ffff}\u{10ffff}\u{fdd0}\u{e000}".into(),
        "\u{2028}\u{2029}x".into(),
        "\u{d7ff}\u{fffd}\u{1f3fb}".into(),
        " \t spaces stay \n ".into(),
        r#"</script>"'\\u0041{}[]%s${x}"#.into(),
        r#"{"type":"recv","at":1}"#.into(),
        "ﷺ".repeat(4_000),
        "再".repeat(4_000),
        "\u{1}".repeat(4_000),
    ]
}

#[test]
fn a_text_is_there_byte_for_byte_on_both_and_after_a_restart() {
    let mut server = Server::start(&UNHURRIED);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada","listed":true}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    let (mut ws, mut ear) = (server.login(&ada.token), server.login(&bob.token));
    let by_http = ada.with_token();
    let mut said = vec![];
    for text in texts() {
        by_http.say(&text);
        assert_eq!(ear.hear(1), [text.as_str()]);
        ws.say(ada.room, &text);
        assert_eq!(ear.hear(1), [text.as_str()]);
        said.extend([text.clone(), text]);
    }
    let check = |server: &Server| {
        let bob = bob.via(&server.client().bearer(&bob.token));
        let fetched = all_fetched(&bob);
        assert!(fetched == said, "{}", first_difference(&fetched, &said));
        let mut ws = server.login(&bob.token);
        let read = all_read(&mut ws, bob.room);
        assert!(read == said, "{}", first_difference(&read, &said));
    };
    check(&server);
    server.restart();
    check(&server);
}

/// All texts of the room, as a fetch with a cursor hands them over.
fn all_fetched(bob: &Guest) -> Vec<String> {
    let (mut after, mut found) = (0, vec![]);
    loop {
        let page = bob.fetch(json!({"after":after,"limit":7}));
        let entries = page["data"].as_array().expect("a list");
        let messages = entries.iter().filter(|e| e["type"] == "message");
        found.extend(messages.map(|e| e["content"].as_str().expect("a text").to_owned()));
        let next = page["next"].as_u64().expect("a place");
        if next == after {
            return found;
        }
        after = next;
    }
}

/// The same by the socket's history.
fn all_read(ws: &mut Ws, room: u64) -> Vec<String> {
    let (mut after, mut found) = (json!(0), vec![]);
    loop {
        let page = ws.ask(json!({"type":"history","room":room,"after":after}));
        let frames = page["data"].as_array().expect("a list");
        let texts = frames
            .iter()
            .filter_map(|f| f["data"]["data"]["text"].as_str());
        found.extend(texts.map(str::to_owned));
        if page["more"] != true {
            return found;
        }
        after = page["next"].clone();
    }
}

fn first_difference(found: &[String], wanted: &[String]) -> String {
    let differs = found.iter().zip(wanted).position(|(f, w)| f != w);
    match differs {
        Some(at) => format!("{at}: {:.100?}, not {:.100?}", found[at], wanted[at]),
        None => format!("{} texts, not {}", found.len(), wanted.len()),
    }
}

#[test]
fn a_text_of_which_nothing_is_left_without_blanks_is_refused_on_both() {
    let server = Server::start(&UNHURRIED);
    let ada = create(&server.client().english(), json!({}));
    let mut ws = server.login(&ada.token);
    let ada = ada.with_token();
    for text in [
        "".to_owned(),
        " \t\r\n".into(),
        "\u{3000}\u{a0}\u{2003}\u{85}\u{2028}".into(),
        "🦀".repeat(4_001),
        format!("Z{}", "\u{301}".repeat(4_000)),
    ] {
        ada.send(json!({"content":text})).refused(400, "bad_text");
        let answer = ws.say_as(&uuid(), ada.room, &text);
        assert_eq!(answer["code"], 6, "{answer}");
        assert!(answer["msg"].as_str().is_some_and(|msg| msg.len() > 10));
        assert!(answer["sent"].is_null(), "{answer}");
    }
}

/// Names that show something and stay within their line of text.
fn names() -> Vec<String> {
    vec![
        "🦀".into(),
        "👩\u{200d}👩\u{200d}👧".into(),
        "🇨🇳 \u{1f3f4}\u{e0067}\u{e007f}".into(),
        format!("Z{}", "\u{301}".repeat(63)),
        "\u{e9}mile".into(),
        "日本語の名前".into(),
        "שלום\u{200f}".into(),
        "a\u{200d}z".into(),
        "<b>'\"\\&amp;".into(),
        "'; DROP TABLE users; --".into(),
        "\u{10ffff}x".into(),
        "再".repeat(64),
        "👑".repeat(64),
    ]
}

#[test]
fn a_name_is_shown_as_it_was_given_on_both_and_after_a_restart() {
    let mut server = Server::start(&UNHURRIED);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada","listed":true}));
    let mut given: Vec<String> = vec!["Ada".into()];
    for name in names() {
        let room = create(
            &http,
            json!({"roomName":name,"userName":name,"listed":true}),
        );
        let shown = server.client().get(&format!("/rooms/{}", room.room));
        assert_eq!(shown.json["name"], name);
        let guest = join_as(&http, json!({"roomId":ada.room_id,"userName":name}));
        assert_eq!(guest.name, name);
        given.push(name);
    }
    for name in names()
        .iter()
        .map(|name| name.replacen(char::is_alphanumeric, "Q", 1))
    {
        // By a socket of somebody who is known elsewhere; what looks like another's is refused.
        let host = create(&http, json!({}));
        let mut ws = server.login(&host.token);
        let answer = ws.ask(json!({"type":"join","room":ada.room,"name":name}));
        match answer["code"].as_u64() {
            Some(0) => given.push(name),
            Some(11) => assert!(answer["suggest"].is_string(), "{answer}"),
            _ => panic!("{name:?}: {answer}"),
        }
    }
    assert!(given.len() > names().len() + 4, "some came by a socket");
    let check = |server: &Server| {
        let mut ws = server.login(&ada.token);
        let answer = ws.ask(json!({"type":"members","room":ada.room}));
        let shown = answer["data"].as_array().expect("a list").iter();
        let shown: Vec<&str> = shown.filter_map(|m| m["name"].as_str()).collect();
        assert_eq!(shown, given);
        let ada = ada.via(&server.client().bearer(&ada.token));
        let notices = ada.fetch(json!({"after":0,"limit":1000}))["data"].clone();
        let notices = notices.as_array().expect("a list").iter();
        let notices: Vec<&str> = notices.filter_map(|n| n["content"].as_str()).collect();
        let wanted: Vec<String> = given.iter().map(|n| format!("{n}加入了房间")).collect();
        assert_eq!(notices, wanted);
    };
    check(&server);
    server.restart();
    check(&server);
}

#[test]
fn a_name_that_imitates_anothers_is_refused_on_both_with_one_that_is_free() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Paypal 1","listed":true}));
    let host = create(&http, json!({}));
    let mut ws = server.login(&host.token);
    for name in [
        "P\u{430}yp\u{430}l 1",     // Cyrillic
        "Paypal l",                 // a letter for the digit
        "Pay\u{200d}pal\u{200c} 1", // zero width
        "paypal 1",
        "PAYPAL 1",
        "PaypaI 1", // a capital I
        "\u{200f}Paypal 1",
        "𝐏𝐚𝐲𝐩𝐚𝐥 1", // mathematical letters
        "Paypal\u{3000}1",
    ] {
        let reply = http.post("/room/join", json!({"roomId":ada.room_id,"userName":name}));
        reply.refused(409, "name_taken");
        let answer = ws.ask(json!({"type":"join","room":ada.room,"name":name}));
        assert_eq!(answer["code"], 11, "{name:?}: {answer}");
        for free in [&reply.json["suggest"], &answer["suggest"]] {
            assert!(
                free.as_str().is_some_and(|free| free.ends_with("-2")),
                "{free}"
            );
        }
    }
    for name in [
        "\u{202e}1 lapyaP",
        "a\u{0}",
        "\u{1b}[2J",
        "\u{200b}\u{2800}",
        "Pay\u{200b}pal 2",
        "Pay\u{2060}pal\u{feff} 2",
        "Paypal\u{2028}2",
        "Paypal 2\u{fff9}",
        "Paypal\u{1d159}2",
        "",
    ] {
        let reply = http.post("/room/join", json!({"roomId":ada.room_id,"userName":name}));
        reply.refused(400, "bad_name");
        let answer = ws.ask(json!({"type":"join","room":ada.room,"name":name}));
        assert_eq!(answer["code"], 2, "{name:?}: {answer}");
    } // Accents are letters of their own.
    for name in ["Páypal 1", "Jose", "José"] {
        let join = json!({"roomId":ada.room_id,"userName":name});
        http.post("/room/join", join).data();
    }
}
