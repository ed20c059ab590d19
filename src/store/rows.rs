//! Rows and what they stand for, both ways.

use rusqlite::Row;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notices::NoticeRow;
use crate::model::*;
use crate::rooms::{caseless, digest};

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

pub(super) const KIND_MESSAGE: i64 = 1;
const KIND_JOINED: i64 = 2;
const KIND_LEFT: i64 = 3;
pub(super) const KIND_TOMBSTONE: i64 = 4;
const KIND_EDITED: i64 = 5;
const KIND_DELETED: i64 = 6;
const KIND_NOTICE: i64 = 7;

#[derive(Serialize, Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Place>,
}

/// Of an edit or a deletion: what is still known when the message itself is pruned.
#[derive(Serialize, Deserialize)]
struct TargetBody {
    uuid: Uuid,
    author: i64,
    said: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Place>,
    origin: Digest,
}

/// Of a deleted message: `{}` where its author did it, or before it was kept who did.
#[derive(Serialize, Deserialize)]
struct TombstoneBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
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

/// `kind`, `body` and `target` of an entry.
pub(super) fn kind_body_target(entry: &Body) -> rusqlite::Result<(i64, String, Option<i64>)> {
    let target = |of: &Target| {
        let body = TargetBody {
            uuid: of.uuid,
            author: of.author.0,
            said: of.said,
            reply: of.reply,
            origin: of.origin,
        };
        json(&body).map(|body| (body, Some(of.seq as i64)))
    };
    let (kind, (body, target)) = match entry {
        Body::Message(m) => (KIND_MESSAGE, (message_body(&m.text, m.reply)?, None)),
        Body::Joined { avatar } => (KIND_JOINED, (json(&NoticeBody { avatar: *avatar })?, None)),
        Body::Left { avatar } => (KIND_LEFT, (json(&NoticeBody { avatar: *avatar })?, None)),
        Body::Tombstone { by, .. } => (KIND_TOMBSTONE, (tombstone_body(*by)?, None)),
        Body::Edited { of, .. } => (KIND_EDITED, target(of)?),
        Body::Deleted { of } => (KIND_DELETED, target(of)?),
        Body::Notice { avatar, what } => {
            (KIND_NOTICE, (json(&NoticeRow::new(*avatar, what))?, None))
        }
    };
    Ok((kind, body, target))
}

pub(super) fn tombstone_body(by: Option<UserNo>) -> rusqlite::Result<String> {
    json(&TombstoneBody {
        by: by.map(|user| user.0),
    })
}

pub(super) fn message_body(text: &str, reply: Option<Place>) -> rusqlite::Result<String> {
    json(&MessageBody {
        text: text.into(),
        reply,
    })
}

/// The digest of the text in a message's `body`, and what it answers.
pub(super) fn text_digest(uuid: Uuid, text: &str) -> rusqlite::Result<(Digest, Option<Place>)> {
    let MessageBody { text, reply } = body(text)?;
    Ok((digest(uuid, &text), reply))
}

/// Whether a message's `body` holds some text, given without its case.
pub(super) fn has_text(text: &str, caseless_text: &str) -> rusqlite::Result<bool> {
    Ok(caseless(&body::<MessageBody>(text)?.text).contains(caseless_text))
}

/// What `entry_of` reads, and where from: the entry, its sender, and the message that it is about.
pub(super) const ENTRY_COLUMNS: &str =
    "e.room, e.at, e.kind, e.sender, u.id, e.name, e.sent, e.uuid, e.body,
    e.origin IS NOT NULL, e.target, t.kind, t.body
    FROM entries e JOIN users u ON u.no = e.sender
    LEFT JOIN entries t ON t.room = e.room AND t.at = e.target";

pub(super) fn entry_of(row: &Row) -> rusqlite::Result<Entry> {
    let text = row.get_ref(8)?.as_str()?;
    let uuid = || row.get::<_, [u8; 16]>(7).map(Uuid::from_bytes);
    let target = || -> rusqlite::Result<Target> {
        let of: TargetBody = body(text)?;
        Ok(Target {
            uuid: of.uuid,
            seq: row.get::<_, i64>(10)? as Place,
            author: UserNo(of.author),
            said: of.said,
            reply: of.reply,
            origin: of.origin,
        })
    };
    let body = match row.get::<_, i64>(2)? {
        KIND_JOINED => Body::Joined {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        KIND_LEFT => Body::Left {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        KIND_NOTICE => body::<NoticeRow>(text)?.body(),
        KIND_TOMBSTONE => Body::Tombstone {
            uuid: uuid()?,
            by: body::<TombstoneBody>(text)?.by.map(UserNo),
        },
        // The newest text, wherever it was given; none if the message is deleted or pruned.
        KIND_EDITED if row.get::<_, Option<i64>>(11)? == Some(KIND_MESSAGE) => Body::Edited {
            of: target()?,
            text: body::<MessageBody>(row.get_ref(12)?.as_str()?)?
                .text
                .as_ref()
                .into(),
        },
        KIND_EDITED | KIND_DELETED => Body::Deleted { of: target()? },
        _ => {
            let MessageBody { text, reply } = body(text)?;
            Body::Message(Message {
                uuid: uuid()?,
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
