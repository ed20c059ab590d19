//! The socket's JSON: a frame is a request, whose answer is one object with the sender's `id` or
//! `uuid` as it was, or not a request, and then the reason is a sentence.

use super::room_api::{kinds, written_as_read};
use super::runner::happened;
use parlor::model::*;
use parlor::wire::owner::Wish;
use parlor::wire::refusal;
use parlor::wire::socket::{self as wire, Call, Incoming};
use serde_json::Value;
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
    "0",
    "-1",
    "1.5",
    "1e999",
    "1e15",
    "18446744073709551616",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\u{202e}\u{200b}\"",
    "\"\u{1f980}\"",
    "\"67e55044-10b1-426f-9247-bb680e5fe0c8\"",
    "\"type\":",
    "\"auth\"",
    "\"msg\"",
    "\"join\"",
    "\"leave\"",
    "\"edit\"",
    "\"delete\"",
    "\"members\"",
    "\"typing\"",
    "\"history\"",
    "\"ping\"",
    "\"owner\"",
    "\"hand\"",
    "\"act\":",
    "\"rename\"",
    "\"password\"",
    "\"lock\"",
    "\"quiet\"",
    "\"mute\"",
    "\"kick\"",
    "\"allow\"",
    "\"wipe\"",
    "\"appoint\"",
    "\"link\"",
    "\"lower\"",
    "\"close\"",
    "\"state\"",
    "\"on\":",
    "\"user\":",
    "\"minutes\":",
    "\"keepOut\":",
    "\"ownerKey\":",
    "\"token\":",
    "\"resume\":{\"1\":2}",
    "\"epoch\":",
    "\"v\":1",
    "\"id\":",
    "\"uuid\":",
    "\"room\":",
    "\"data\":{\"type\":\"Text\",\"text\":\"a\"}",
    "\"text\":",
    "\"reply\":",
    "\"password\":",
    "\"name\":",
    "\"after\":",
    "\"before\":",
    "\"limit\":",
];

/// What an answer adds to what it echoes.
const MAX_ANSWER_BYTES: usize = 1_000;

pub fn run(input: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(input);
    let sent: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut seen = kinds(&sent, WORDS);
    seen.push(match wire::parse(&text) {
        Incoming::Bad(why) => {
            let answer = object(&wire::error(&why), &Value::Null);
            assert!(answer["msg"].as_str().is_some_and(|msg| !msg.is_empty()));
            happened(("bad", answer["code"].as_u64()))
        }
        Incoming::Auth(auth) => {
            assert!(auth.v <= 1);
            let id = auth.id.as_ref();
            let answer = object(&wire::auth_refused(1, "no", id), &sent["id"]);
            assert_eq!(answer.get("id"), id);
            object(&wire::auth_ok(None, id), &sent["id"]);
            let resume = auth
                .resume
                .map(|resume| resume.map(|r| r.seen.len().min(3)));
            happened(("auth", auth.token.is_empty(), auth.v, format!("{resume:?}")))
        }
        Incoming::Msg(msg) => {
            let outcome = msg.call.map(|say| {
                written_as_read(Uuid::nil(), &say.text);
                let room = matches!(say.room, RoomRef::No(_));
                (Reply::Said { at: 1, sent: 0 }, (room, say.reply.is_some()))
            });
            let facts = outcome.as_ref().map(|(_, facts)| *facts);
            let facts = facts.map_err(told);
            let outcome = outcome.map(|(reply, _)| reply);
            let answer = object(&wire::send(&msg.uuid, msg.lang, &outcome), &sent["uuid"]);
            assert_eq!(answer["uuid"], sent["uuid"], "{answer}");
            happened(("msg", facts))
        }
        Incoming::Ask(ask) => {
            let answer = match &ask.call {
                Ok(_) => wire::answer(&ask.echo, ""),
                Err(why) => wire::refused(&ask.echo, why),
            };
            let answer = object(&answer, &sent["id"]);
            assert_eq!(answer["id"], sent["id"], "{answer}");
            assert_eq!(answer["type"], sent["type"], "{answer}");
            if let Ok(Call::History { limit, .. }) = &ask.call {
                assert!((1..=MAX_PAGE).contains(limit));
            }
            let mut act = "";
            if let Ok(Call::Owner { wish, .. }) = &ask.call {
                act = wish.act();
                assert_eq!(sent["act"], act);
                if let Wish::Mute { minutes, .. } = wish {
                    assert!(*minutes <= MAX_MUTE_MINUTES);
                }
            }
            happened((
                ask.echo.kind,
                act,
                ask.call.map(|_| ()).map_err(|why| told(&why)),
            ))
        }
    });
    seen
}

fn told(why: &Refusal) -> (&'static str, &'static str) {
    match why {
        Refusal::BadField { field, .. } => (refusal::word(why), field),
        _ => (refusal::word(why), ""),
    }
}

/// An answer as the client reads it: one object, hardly longer than what it echoes.
fn object(answer: &str, echoed: &Value) -> Value {
    let limit = echoed.to_string().len() + MAX_ANSWER_BYTES;
    assert!(answer.len() <= limit, "{} bytes: {answer}", answer.len());
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    assert!(answer.is_object(), "{answer}");
    answer
}
