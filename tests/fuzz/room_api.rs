//! The room API's JSON: a body is read within its limits or refused with a sentence, in JSON, and a
//! text that was read is written as it was.

use super::runner::happened;
use parlor::model::*;
use parlor::wire::fields::Fields;
use parlor::wire::refusal;
use parlor::wire::room_api::{self as wire, MAX_WAIT, VERSION};
use parlor::wire::{Lang, socket};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

pub const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e999",
    "-0",
    "18446744073709551616",
    "9223372036854775808",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\u{202e}\u{200b}\u{feff}\"",
    "\"e\u{301}\u{301}\u{301}\"",
    "\"\u{1f980}\"",
    "\"95c0f223421e453088fb11fb322d618d\"",
    "\"f7f121337453443eaa405d913d2cc00e\"",
    "\"roomId\":",
    "\"userId\":",
    "\"roomPassword\":",
    "\"roomName\":",
    "\"userName\":",
    "\"listed\":",
    "\"request\":",
    "\"message\":",
    "\"contentType\":",
    "\"content\":",
    "\"type\":",
    "\"text\"",
    "\"uuid\":",
    "\"reply\":",
    "\"after\":",
    "\"limit\":",
    "\"wait\":",
    "\"epoch\":",
    "\"token\":",
    "\"v\":",
];

/// The longest answer to a refusal: a sentence, a code, and 64 characters of the client's.
const MAX_REFUSAL_BYTES: usize = 2_000;

/// The first byte says which call it is.
pub fn run(input: &[u8]) -> Vec<u64> {
    let Some((call, body)) = input.split_first() else {
        return vec![];
    };
    let call = call % 5;
    let outcome = read(call, body);
    let mut seen = vec![];
    if let Err(why) = &outcome {
        for lang in [Lang::Zh, Lang::En] {
            let answer = wire::failure(why, lang, Some(1));
            assert!(answer.len() <= MAX_REFUSAL_BYTES, "{answer}");
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            let sentence = answer["message"].as_str().unwrap_or_default();
            assert!(!sentence.is_empty(), "{answer}");
            assert_eq!(answer["success"], false);
            assert!(answer["data"].is_null());
        }
        let field = match why {
            Refusal::BadField { field, .. } => field,
            _ => "",
        };
        seen.push(happened((call, refusal::word(why), field)));
        assert_eq!(refusal::status(why), 400, "reading looks nothing up");
    }
    if let Ok(sent) = serde_json::from_slice(body) {
        seen.extend(kinds(&sent, WORDS));
    }
    if let Ok(read) = outcome {
        seen.extend(read.iter().map(|fact| happened((call, fact))));
    }
    seen
}

/// The fields that somebody asks for, each with the kind of its value.
pub fn kinds(sent: &Value, words: &[&str]) -> Vec<u64> {
    let Value::Object(map) = sent else {
        return vec![];
    };
    let asked_for = |key: &&String| {
        words
            .iter()
            .any(|word| word.starts_with(&format!("\"{key}\":")))
    };
    let keys = map.keys().filter(asked_for);
    keys.map(|key| happened((key, kind(&map[key])))).collect()
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(n) if n.is_u64() => 2,
        Value::Number(n) if n.is_i64() => 3,
        Value::Number(_) => 4,
        Value::String(_) => 5,
        Value::Array(_) => 6,
        Value::Object(_) => 7,
    }
}

/// Which optional fields were there.
fn read(call: u8, body: &[u8]) -> Result<Vec<bool>, Refusal> {
    let body = Fields::parse(body)?;
    let common = wire::common(&body)?;
    assert!(common.v.is_none_or(|v| (1..=VERSION).contains(&v)));
    let short = |password: &Option<String>| {
        let chars = password.as_ref().map_or(1, |p| p.chars().count());
        assert!((1..=MAX_PASSWORD_CHARS).contains(&chars));
    };
    Ok(match call {
        0 => {
            let body = wire::create(&body)?;
            short(&body.room_password);
            let (name, user) = (body.room_name.is_some(), body.user_name.is_some());
            vec![name, user, body.listed, body.request.is_some()]
        }
        1 => {
            let body = wire::join(&body)?;
            short(&body.room_password);
            let by_number = matches!(body.room, RoomRef::No(_));
            vec![by_number, body.user_name.is_some(), body.request.is_some()]
        }
        2 => {
            let seat = wire::seat(&body)?;
            let sent = wire::send(&body, seat.user)?;
            written_as_read(seat.user, &sent.text);
            vec![sent.uuid.is_some(), sent.reply.is_some()]
        }
        3 => {
            wire::seat(&body)?;
            let body = wire::fetch(&body)?;
            assert!(body.wait <= MAX_WAIT);
            assert!(body.limit.is_none_or(|n| (1..=MAX_FETCH).contains(&n)));
            let (after, epoch) = (body.after.is_some(), body.epoch.is_some());
            vec![after, epoch, body.limit.is_some(), body.wait > 0]
        }
        _ => {
            wire::seat(&body)?;
            vec![]
        }
    })
}

/// In the answer of a fetch and in a frame, the text is what it was, and not longer than counted.
pub fn written_as_read(user_id: Uuid, text: &str) {
    let message = Message {
        uuid: Uuid::nil(),
        text: text.into(),
        reply: None,
        modified: false,
    };
    let entry = Entry {
        room: RoomNo(1),
        at: 1,
        sent: 0,
        user: UserNo(1),
        user_id,
        name: text.chars().take(MAX_NAME_CHARS).collect::<String>().into(),
        body: Body::Message(message),
    };
    let frame: Value = serde_json::from_str(&socket::frame(&entry, Lang::En)).expect("JSON");
    assert_eq!(frame["data"]["data"]["text"], text);
    assert_eq!(frame["data"]["name"], *entry.name);

    let weight = entry.json_weight();
    let page = Page {
        entries: vec![Arc::new(entry)],
        ..Page::default()
    };
    let answer = wire::fetched(Lang::Zh, None, &page, None);
    assert!(answer.len() <= weight + 200, "{} of {weight}", answer.len());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["data"][0]["content"], text);
}
