//! Rows and what they stand for, both ways.

use rusqlite::Row;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::*;
use crate::rooms::digest;

pub(super) fn user_of(row: &Row) -> rusqlite::Result<User> {
    Ok(User {
        no: UserNo(row.get("no")?),
        id: row.get::<_, [u8; 16]>("id").map(Uuid::from_bytes)?,
        name: row.get("name")?,
        avatar: row.get("avatar")?,
        sealed: row.get("sealed")?,
        secret: row.get("secret")?,
        status: row.get("status")?,
        registered: row.get("registered")?,
    })
}

const KIND_MESSAGE: i64 = 1;
const KIND_JOINED: i64 = 2;
const KIND_LEFT: i64 = 3;

#[derive(Serialize, Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Place>,
}

#[derive(Serialize, Deserialize)]
struct NoticeBody {
    avatar: u8,
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn body<'a, T: Deserialize<'a>>(text: &'a str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into())
    })
}

/// `kind` and `body` of an entry.
pub(super) fn kind_and_body(entry: &Body) -> rusqlite::Result<(i64, String)> {
    Ok(match entry {
        Body::Message(m) => {
            let body = MessageBody {
                text: m.text.as_ref().into(),
                reply: m.reply,
            };
            (KIND_MESSAGE, json(&body)?)
        }
        Body::Joined { avatar } => (KIND_JOINED, json(&NoticeBody { avatar: *avatar })?),
        Body::Left { avatar } => (KIND_LEFT, json(&NoticeBody { avatar: *avatar })?),
    })
}

/// The digest of the text in a message's `body`.
pub(super) fn text_digest(text: &str) -> rusqlite::Result<Digest> {
    Ok(digest(&body::<MessageBody>(text)?.text))
}

/// What `entry_of` reads, and where from.
pub(super) const ENTRY_COLUMNS: &str =
    "e.room, e.at, e.kind, e.sender, u.id, e.name, e.sent, e.uuid, e.body,
    e.origin IS NOT NULL FROM entries e JOIN users u ON u.no = e.sender";

pub(super) fn entry_of(row: &Row) -> rusqlite::Result<Entry> {
    let text = row.get_ref(8)?.as_str()?;
    let body = match row.get::<_, i64>(2)? {
        KIND_JOINED => Body::Joined {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        KIND_LEFT => Body::Left {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        _ => {
            let MessageBody { text, reply } = body(text)?;
            Body::Message(Message {
                uuid: row.get::<_, [u8; 16]>(7).map(Uuid::from_bytes)?,
                text: text.as_ref().into(),
                reply,
                modified: row.get(9)?,
            })
        }
    };
    Ok(Entry {
        room: RoomNo(row.get(0)?),
        at: row.get::<_, i64>(1)? as Place,
        user: UserNo(row.get(3)?),
        user_id: row.get::<_, [u8; 16]>(4).map(Uuid::from_bytes)?,
        name: row.get(5)?,
        sent: row.get(6)?,
        body,
    })
}
