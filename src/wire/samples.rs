//! The people, the room and the message of the documents' examples, for the tests beside this.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

use crate::model::*;
use crate::wire::fields::Fields;

/// The maker of the room, the joiner, the room, and the second document's message.
pub const MAKER: &str = "f7f121337453443eaa405d913d2cc00e";
pub const JOINER: &str = "e07dac5372ad4f3488bbc41a37d94918";
pub const ROOM: &str = "95c0f223421e453088fb11fb322d618d";
pub const MESSAGE: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

pub const MADE: &str = "2022-06-22T08:10:43.412+00:00";
pub const JOINED: &str = "2022-06-22T08:10:52.211+00:00";
pub const SAID: &str = "2022-12-22T14:33:59.579746716+08:00";

pub fn id(text: &str) -> Uuid {
    Uuid::parse_str(text).expect("a uuid")
}

pub fn nanos(time: &str) -> Nanos {
    let time = DateTime::parse_from_rfc3339(time).expect("a time");
    time.timestamp_nanos_opt().expect("a time near ours")
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

pub fn fields(body: &Value) -> Fields<'static> {
    Fields::parse(body.to_string().as_bytes()).expect("an object")
}

/// The field that a refusal names.
#[track_caller]
pub fn named<T>(outcome: Result<T, Refusal>) -> &'static str {
    match outcome.err() {
        Some(Refusal::BadField { field, .. }) => field,
        other => panic!("no field is named by {other:?}"),
    }
}

fn entry(at: Place, user: (i64, &str), name: &str, sent: &str, body: Body) -> Arc<Entry> {
    Arc::new(Entry {
        room: RoomNo(1),
        at,
        sent: nanos(sent),
        user: UserNo(user.0),
        user_id: id(user.1),
        name: name.into(),
        body,
    })
}

/// The maker takes place 1, the joiner place 2.
pub fn came() -> [Arc<Entry>; 2] {
    [
        entry(
            1,
            (1, MAKER),
            "用户f7f12",
            MADE,
            Body::Joined { avatar: 31 },
        ),
        entry(
            2,
            (2, JOINER),
            "用户e07da",
            JOINED,
            Body::Joined { avatar: 30 },
        ),
    ]
}

pub fn left(at: Place) -> Arc<Entry> {
    let body = Body::Left { avatar: 30 };
    entry(at, (2, JOINER), "用户e07da", JOINED, body)
}

/// The joiner says `text`.
pub fn says(at: Place, text: &str) -> Entry {
    let message = Message {
        uuid: id(MESSAGE),
        text: text.into(),
        reply: None,
        modified: false,
    };
    let body = Body::Message(message);
    Entry::clone(&entry(at, (2, JOINER), "用户e07da", SAID, body))
}

/// What the joiner says, changed later, to answer place 1.
pub fn says_otherwise(at: Place, text: &str) -> Entry {
    let message = Message {
        uuid: id(MESSAGE),
        text: text.into(),
        reply: Some(1),
        modified: true,
    };
    Entry {
        body: Body::Message(message),
        ..says(at, text)
    }
}

/// What became of the joiner's message at place 3, which answered place 1.
fn target() -> Target {
    Target {
        uuid: id(MESSAGE),
        seq: 3,
        author: UserNo(2),
        said: nanos(SAID),
        reply: Some(1),
        origin: [7; 32],
    }
}

/// The joiner changes it at place `at`, later than it was said.
pub fn edits(at: Place, text: &str) -> Entry {
    let (of, text) = (target(), text.into());
    Entry {
        body: Body::Edited { of, text },
        sent: nanos(SAID) + 60 * SECOND,
        ..says(at, "")
    }
}

/// The maker, who owns the room, deletes it.
pub fn deletes(at: Place) -> Entry {
    let body = Body::Deleted { of: target() };
    Entry::clone(&entry(at, (1, MAKER), "用户f7f12", SAID, body))
}

/// What is left where it was said.
pub fn tombstone(at: Place) -> Entry {
    let body = Body::Tombstone {
        uuid: id(MESSAGE),
        by: None,
    };
    Entry {
        body,
        ..says(at, "")
    }
}

pub fn page(entries: Vec<Arc<Entry>>) -> Page {
    Page {
        next: entries.last().map_or(0, |entry| entry.at),
        entries,
        complete: true,
        more: false,
    }
}

/// The room after both came. The maker has the joiner's notice pending.
pub fn room() -> RoomView {
    let member = |entry: &Entry, avatar, notices| MemberView {
        no: entry.user,
        id: entry.user_id,
        name: entry.name.clone(),
        avatar,
        heard: entry.sent,
        online: true,
        owner: avatar == 31,
        muted: None,
        hand: None,
        notices,
    };
    let [maker, joiner] = came();
    RoomView {
        no: RoomNo(1),
        id: id(ROOM),
        name: "聊天室95c0f".into(),
        description: String::new(),
        created: maker.sent,
        last: 2,
        locked: false,
        quiet: false,
        password: false,
        members: vec![
            member(&maker, 31, vec![joiner.clone()]),
            member(&joiner, 30, vec![]),
        ],
    }
}
