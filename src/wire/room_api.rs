//! The HTTP room API (first document, and PROTOCOL.md): bodies in, envelopes out.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::model::*;
use crate::wire::fields::{Fields, need};
use crate::wire::{Lang, notices, owner, refusal, utc_millis};

/// The highest version of the protocol that is spoken here.
pub const VERSION: u64 = 1;
/// The longest `wait` of a fetch, in seconds: proxies cut calls that are silent for longer.
pub const MAX_WAIT: u64 = 60;
/// A cursor fetch without `limit`.
pub const DEFAULT_FETCH: usize = 200;

/// What every body may carry.
pub struct Common {
    /// The version to answer in, where one was asked for.
    pub v: Option<u64>,
    pub token: Option<String>,
}

pub struct CreateBody {
    pub room_password: Option<String>,
    pub room_name: Option<String>,
    pub user_name: Option<String>,
    pub listed: bool,
    pub request: Option<Uuid>,
}

pub struct JoinBody {
    pub room: RoomRef,
    pub room_password: Option<String>,
    pub key: Option<String>,
    pub user_name: Option<String>,
    pub request: Option<Uuid>,
}

/// Whose call it is, and where.
pub struct SeatBody {
    pub room: RoomRef,
    pub user: Uuid,
}

pub struct SendBody {
    pub text: Arc<str>,
    pub uuid: Option<Uuid>,
    pub reply: Option<Place>,
}

pub struct FetchBody {
    pub after: Option<Place>,
    pub epoch: Option<String>,
    pub limit: Option<usize>,
    pub wait: u64,
}

pub fn common(body: &Fields) -> Result<Common, Refusal> {
    Ok(Common {
        v: body.number("v")?.filter(|v| *v > 0).map(|v| v.min(VERSION)),
        token: body.text("token")?.map(str::to_owned),
    })
}

pub fn create(body: &Fields) -> Result<CreateBody, Refusal> {
    Ok(CreateBody {
        room_password: body.password("roomPassword")?,
        room_name: body.text("roomName")?.map(str::to_owned),
        user_name: body.text("userName")?.map(str::to_owned),
        listed: body.flag("listed")?.unwrap_or(false),
        request: body.uuid("request")?,
    })
}

pub fn join(body: &Fields) -> Result<JoinBody, Refusal> {
    Ok(JoinBody {
        room: body.room("roomId")?,
        room_password: body.password("roomPassword")?,
        key: owner::key(body)?,
        user_name: body.text("userName")?.map(str::to_owned),
        request: body.uuid("request")?,
    })
}

pub fn seat(body: &Fields) -> Result<SeatBody, Refusal> {
    let user = body.uuid("userId")?;
    Ok(SeatBody {
        room: body.room("roomId")?,
        user: need(user, "userId", Want::UserId)?,
    })
}

pub fn send(body: &Fields, user: Uuid) -> Result<SendBody, Refusal> {
    let message = body.object("message")?;
    if message.uuid("message.userId")? != Some(user) {
        return Err(Refusal::BadField {
            field: "message.userId",
            want: Want::SameUser,
        });
    }
    if message
        .text("message.type")?
        .is_some_and(|kind| kind != "message")
    {
        return Err(Refusal::BadField {
            field: "message.type",
            want: Want::Word("message"),
        });
    }
    match message.text("message.contentType")? {
        Some("text") => {}
        Some(other) => return Err(Refusal::UnsupportedContent(shortened(other))),
        None => {
            return Err(Refusal::BadField {
                field: "message.contentType",
                want: Want::Word("text"),
            });
        }
    }
    let content = message.text("message.content")?;
    Ok(SendBody {
        text: need(content, "message.content", Want::Text)?.into(),
        uuid: message.uuid("message.uuid")?,
        reply: message.number("message.reply")?,
    })
}

/// A word of the client's, short enough to stand in a sentence.
pub fn shortened(word: &str) -> String {
    word.chars().take(MAX_NAME_CHARS).collect()
}

pub fn fetch(body: &Fields) -> Result<FetchBody, Refusal> {
    let wait = body.within("wait", 0..=MAX_WAIT, Want::Wait)?.unwrap_or(0);
    let limit = body.within("limit", 1..=u64::MAX, Want::Count)?;
    Ok(FetchBody {
        after: body.number("after")?,
        epoch: body.text("epoch")?.map(str::to_owned),
        limit: limit.map(|n| n.min(MAX_FETCH as u64) as usize),
        wait,
    })
}

// ---- Answers ----

#[derive(Clone, Copy)]
pub enum Call {
    Create,
    Join,
    Send,
    Fetch,
    Leave,
    Heartbeat,
}

fn done(call: Call, lang: Lang) -> &'static str {
    let (zh, en) = match call {
        Call::Create => ("成功创建房间", "Room created"),
        Call::Join => ("成功加入房间", "Joined the room"),
        Call::Send => ("发送成功", "Sent"),
        Call::Fetch => ("你成功了！", "Success!"),
        Call::Leave => ("已离开房间", "Left the room"),
        Call::Heartbeat => ("心跳成功", "Heartbeat received"),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    message: &'a str,
    data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggest: Option<&'a str>,
    /// For who may change the language after it has asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Messages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    cursor: Option<Cursor<'a>>,
}

/// `message` in each language.
#[derive(Serialize)]
struct Messages {
    en: String,
    zh: String,
}

#[derive(Serialize)]
struct Cursor<'a> {
    next: Place,
    epoch: &'a str,
    complete: bool,
}

fn to_json(value: &impl Serialize) -> String {
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

fn envelope<T: Serialize>(call: Call, lang: Lang, v: Option<u64>, data: T) -> String {
    let message = done(call, lang);
    let (code, retry_after, suggest, cursor) = (None, None, None, None);
    to_json(&Envelope {
        success: true,
        message,
        data,
        code,
        retry_after,
        suggest,
        messages: None,
        v,
        cursor,
    })
}

/// `data` is null.
pub fn success(call: Call, lang: Lang, v: Option<u64>) -> String {
    envelope(call, lang, v, ())
}

pub fn failure(refusal: &Refusal, lang: Lang, v: Option<u64>) -> String {
    let message = refusal::sentence(refusal, lang);
    to_json(&Envelope {
        success: false,
        message: &message,
        data: (),
        code: Some(refusal::word(refusal)),
        retry_after: refusal::retry_after(refusal),
        suggest: refusal::suggest(refusal),
        messages: v.map(|_| Messages {
            en: refusal::sentence(refusal, Lang::En),
            zh: refusal::sentence(refusal, Lang::Zh),
        }),
        v,
        cursor: None,
    })
}

/// A failure that is the door's or the router's, not the rules'.
pub fn plain_failure(code: &str, message: &str) -> String {
    to_json(&Envelope {
        success: false,
        message,
        data: (),
        code: Some(code),
        retry_after: None,
        suggest: None,
        messages: None,
        v: None,
        cursor: None,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserOut<'a> {
    avatar_index: u8,
    user_id: String,
    user_name: &'a str,
    caching_message: Vec<EntryOut<'a>>,
    last_heartbeat_time: String,
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomOut<'a> {
    room_id: String,
    room_password: &'a str,
    room_name: &'a str,
    user_container: Container<'a>,
    id: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    user_list: Vec<UserOut<'a>>,
}

#[derive(Serialize)]
struct SeatedOut<'a> {
    user: UserOut<'a>,
    room: RoomOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(rename = "ownerKey", skip_serializing_if = "Option::is_none")]
    owner_key: Option<&'a str>,
}

fn user_out<'a>(member: &'a MemberView, notices: Vec<EntryOut<'a>>) -> UserOut<'a> {
    UserOut {
        avatar_index: member.avatar,
        user_id: member.id.simple().to_string(),
        user_name: &member.name,
        caching_message: notices,
        last_heartbeat_time: utc_millis(member.heard),
        id: member.no.0,
        online: (!member.online).then_some(false),
    }
}

/// What create and join tell the newcomer.
pub struct Seated<'a> {
    pub room: &'a RoomView,
    pub me: &'a MemberView,
    /// The newcomer's own join notice, handed over here.
    pub own: Option<&'a Entry>,
    /// What this request just set or proved, or nothing.
    pub password: &'a str,
    pub token: Option<&'a str>,
    /// Of a room that was just made.
    pub owner_key: Option<&'a str>,
}

pub fn seated(call: Call, lang: Lang, v: Option<u64>, seated: &Seated) -> String {
    let room = seated.room;
    let data = SeatedOut {
        user: user_out(
            seated.me,
            seated
                .own
                .map(|e| notice_out(e, lang))
                .into_iter()
                .collect(),
        ),
        room: RoomOut {
            room_id: room.id.simple().to_string(),
            room_password: seated.password,
            room_name: &room.name,
            user_container: Container {
                user_list: room
                    .members
                    .iter()
                    .map(|m| user_out(m, pending_out(m, lang)))
                    .collect(),
            },
            id: room.no.0,
        },
        token: seated.token,
        owner_key: seated.owner_key,
    };
    envelope(call, lang, v, data)
}

fn pending_out(member: &MemberView, lang: Lang) -> Vec<EntryOut<'_>> {
    member.notices.iter().map(|e| notice_out(e, lang)).collect()
}

#[derive(Serialize)]
struct SaidOut {
    uuid: Value,
    seq: Place,
    at: Place,
    sent: String,
}

/// The answer of a send that carried its uuid, which is echoed as it was written.
pub fn said(lang: Lang, v: Option<u64>, uuid: Value, at: Place, sent: Nanos) -> String {
    let sent = utc_millis(sent);
    envelope(
        Call::Send,
        lang,
        v,
        SaidOut {
            uuid,
            seq: at,
            at,
            sent,
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    r#type: &'a str,
    at: Place,
    sent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Place>,
}

/// Whether a client that speaks `v` is shown an entry: edits, deletions and what they leave behind
/// are not in the document.
pub fn shows(entry: &Entry, v: Option<u64>) -> bool {
    match entry.body {
        Body::Message(_) | Body::Joined { .. } | Body::Left { .. } | Body::Notice { .. } => true,
        Body::Edited { .. } | Body::Deleted { .. } | Body::Tombstone { .. } => v.is_some(),
    }
}

fn notice_out(entry: &Entry, lang: Lang) -> EntryOut<'_> {
    let name = &entry.name;
    let content = match (&entry.body, lang) {
        (Body::Joined { .. }, Lang::Zh) => Some(format!("{name}加入了房间")),
        (Body::Joined { .. }, Lang::En) => Some(format!("{name} joined the room")),
        (Body::Left { .. }, Lang::Zh) => Some(format!("{name}离开了房间")),
        (Body::Left { .. }, Lang::En) => Some(format!("{name} left the room")),
        (Body::Notice { what, .. }, _) => {
            let (user, sent) = (entry.user, entry.sent);
            Some(notices::sentence(name, user, sent, what, lang))
        }
        (Body::Message(_) | Body::Edited { .. }, _) => entry.text().map(|text| text.to_string()),
        (Body::Deleted { .. } | Body::Tombstone { .. }, _) => None,
    };
    EntryOut {
        user_id: None,
        content_type: None,
        content,
        r#type: "system",
        at: entry.at,
        sent: utc_millis(entry.sent),
        uuid: None,
        seq: None,
        user_name: None,
        modified: None,
        reply: None,
    }
}

/// What a notice says.
pub fn notice_sentence(entry: &Entry, lang: Lang) -> Option<String> {
    notice_out(entry, lang).content
}

fn entry_out(entry: &Entry, lang: Lang) -> EntryOut<'_> {
    let out = notice_out(entry, lang);
    // Type, uuid, place where it was said, whether it has another text, what it answers.
    let (r#type, uuid, seq, modified, reply) = match &entry.body {
        Body::Joined { .. } | Body::Left { .. } | Body::Notice { .. } => return out,
        Body::Message(m) => ("message", m.uuid, entry.at, Some(m.modified), m.reply),
        Body::Edited { of, .. } => ("edited", of.uuid, of.seq, Some(true), of.reply),
        Body::Deleted { of } => ("deleted", of.uuid, of.seq, None, None),
        Body::Tombstone { uuid, .. } => ("deleted", *uuid, entry.at, None, None),
    };
    EntryOut {
        user_id: Some(entry.user_id.simple().to_string()),
        content_type: out.content.is_some().then_some("text"),
        r#type,
        uuid: Some(uuid),
        seq: Some(seq),
        user_name: Some(&entry.name),
        modified,
        reply,
        ..out
    }
}

/// The answer of a fetch; with a cursor one also tells `next`, `epoch` and `complete`.
pub fn fetched(lang: Lang, v: Option<u64>, page: &Page, cursor_epoch: Option<&str>) -> String {
    let shown = page.entries.iter().filter(|e| shows(e, v));
    let data: Vec<_> = shown.map(|e| entry_out(e, lang)).collect();
    let cursor = cursor_epoch.map(|epoch| Cursor {
        next: page.next,
        epoch,
        complete: page.complete,
    });
    let message = done(Call::Fetch, lang);
    let (code, retry_after, suggest) = (None, None, None);
    to_json(&Envelope {
        success: true,
        message,
        data,
        code,
        retry_after,
        suggest,
        messages: None,
        v,
        cursor,
    })
}

#[cfg(test)]
mod tests;
