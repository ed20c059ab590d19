//! The WebSocket protocol (second document, and PROTOCOL.md): frames in, frames out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::model::*;
use crate::wire::fields::{Fields, need};
use crate::wire::owner::{self, Wish};
use crate::wire::room_api::{VERSION, shortened};
use crate::wire::{Lang, local_nanos, notices, refusal};

/// A text frame from a client.
pub enum Incoming {
    Auth(Auth),
    Msg(Msg),
    Ask(Ask),
    /// Not a request; why.
    Bad(String),
}

pub struct Auth {
    /// Empty where there was none.
    pub token: String,
    pub v: u64,
    /// What was seen before, where the client resumes; or why that makes no sense.
    pub resume: Option<Result<Resume, Refusal>>,
    pub id: Option<Value>,
}

/// A message to send, or why it is none; the uuid is echoed as it came.
pub struct Msg {
    pub uuid: Value,
    pub lang: Lang,
    pub call: Result<Say, Refusal>,
}

pub struct Say {
    pub uuid: Uuid,
    pub room: RoomRef,
    pub text: Arc<str>,
    pub reply: Option<Place>,
}

/// A request of ours, answered by the same type.
pub struct Ask {
    pub echo: Echo,
    pub call: Result<Call, Refusal>,
}

/// What an answer repeats of its request, and in which language it refuses.
#[derive(Clone)]
pub struct Echo {
    pub kind: &'static str,
    pub id: Option<Value>,
    pub lang: Lang,
}

pub enum Call {
    Ping,
    Join {
        room: RoomRef,
        password: Option<String>,
        key: Option<String>,
        name: Option<String>,
    },
    Leave {
        room: RoomRef,
    },
    Edit {
        room: RoomRef,
        uuid: Uuid,
        text: Arc<str>,
    },
    Delete {
        room: RoomRef,
        uuid: Uuid,
    },
    Members {
        room: RoomRef,
    },
    Owner {
        room: RoomRef,
        wish: Wish,
    },
    Hand {
        room: RoomRef,
        on: bool,
    },
    Typing {
        room: RoomRef,
    },
    History {
        room: RoomRef,
        span: HistorySpan,
        limit: usize,
    },
}

/// Where a page of history begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HistorySpan {
    Newest,
    After(Place),
    Before(Place),
}

pub fn parse(text: &str) -> Incoming {
    let fields = match Fields::parse(text.as_bytes()) {
        Ok(fields) => fields,
        Err(why) => return Incoming::Bad(refusal::sentence(&why, Lang::En)),
    };
    let kind = match fields.text("type") {
        Ok(Some(kind)) => kind,
        _ => return Incoming::Bad("A frame needs a type, a string such as \"msg\".".into()),
    };
    // As `Accept-Language` over HTTP: of each request, since a page switches.
    let lang = || Lang::of(fields.text("lang").ok().flatten(), Lang::En);
    let ask = |kind, call| {
        Incoming::Ask(Ask {
            echo: Echo {
                kind,
                id: fields.raw("id"),
                lang: lang(),
            },
            call,
        })
    };
    match kind {
        "auth" => Incoming::Auth(Auth {
            token: fields
                .text("token")
                .ok()
                .flatten()
                .unwrap_or_default()
                .to_owned(),
            v: fields.number("v").ok().flatten().unwrap_or(0).min(VERSION),
            resume: fields.raw("resume").map(|_| resume(&fields)),
            id: fields.raw("id"),
        }),
        "msg" => {
            let uuid = fields.raw("uuid").unwrap_or(Value::Null);
            Incoming::Msg(Msg {
                uuid,
                lang: lang(),
                call: say(&fields),
            })
        }
        "ping" => ask("ping", Ok(Call::Ping)),
        "join" => ask("join", join(&fields)),
        "leave" => ask(
            "leave",
            fields.room("room").map(|room| Call::Leave { room }),
        ),
        "members" => ask(
            "members",
            fields.room("room").map(|room| Call::Members { room }),
        ),
        "typing" => ask(
            "typing",
            fields.room("room").map(|room| Call::Typing { room }),
        ),
        "history" => ask("history", history(&fields)),
        "edit" => ask("edit", edit(&fields)),
        "delete" => ask("delete", delete(&fields)),
        "owner" => ask("owner", owner(&fields)),
        "hand" => ask("hand", hand(&fields)),
        other => Incoming::Bad(format!(
            "There is no request of type {:?}.",
            shortened(other)
        )),
    }
}

fn resume(fields: &Fields) -> Result<Resume, Refusal> {
    let epoch = fields.text("epoch")?.map(str::to_owned);
    let mut seen = BTreeMap::new();
    for (room, at) in fields.object("resume")?.numbers("resume")? {
        seen.insert(RoomNo(room), at);
    }
    Ok(Resume { epoch, seen })
}

fn say(fields: &Fields) -> Result<Say, Refusal> {
    Ok(Say {
        uuid: uuid(fields)?,
        room: fields.room("room")?,
        text: text(fields)?,
        reply: fields.number("reply")?,
    })
}

fn edit(fields: &Fields) -> Result<Call, Refusal> {
    let (uuid, room, text) = (uuid(fields)?, fields.room("room")?, text(fields)?);
    Ok(Call::Edit { room, uuid, text })
}

fn delete(fields: &Fields) -> Result<Call, Refusal> {
    let (uuid, room) = (uuid(fields)?, fields.room("room")?);
    Ok(Call::Delete { room, uuid })
}

fn owner(fields: &Fields) -> Result<Call, Refusal> {
    let (room, wish) = (fields.room("room")?, owner::wish(fields)?);
    Ok(Call::Owner { room, wish })
}

fn hand(fields: &Fields) -> Result<Call, Refusal> {
    let (room, on) = (fields.room("room")?, owner::on(fields)?);
    Ok(Call::Hand { room, on })
}

fn uuid(fields: &Fields) -> Result<Uuid, Refusal> {
    need(fields.uuid("uuid")?, "uuid", Want::Uuid)
}

/// The text of `data`, which is the document's `MessageContent`.
fn text(fields: &Fields) -> Result<Arc<str>, Refusal> {
    let data = fields.object("data")?;
    match data.text("data.type")? {
        Some("Text") => {}
        Some(other) => return Err(Refusal::UnsupportedContent(shortened(other))),
        None => {
            return Err(Refusal::BadField {
                field: "data.type",
                want: Want::Word("Text"),
            });
        }
    }
    Ok(need(data.text("data.text")?, "data.text", Want::Text)?.into())
}

fn join(fields: &Fields) -> Result<Call, Refusal> {
    Ok(Call::Join {
        room: fields.room("room")?,
        password: fields.password("password")?,
        key: owner::key(fields)?,
        name: fields.text("name")?.map(str::to_owned),
    })
}

fn history(fields: &Fields) -> Result<Call, Refusal> {
    let span = history_span(fields.number("after")?, fields.number("before")?)?;
    let limit = history_limit(fields.within("limit", 1..=u64::MAX, Want::Count)?)?;
    Ok(Call::History {
        room: fields.room("room")?,
        span,
        limit,
    })
}

pub fn history_span(after: Option<Place>, before: Option<Place>) -> Result<HistorySpan, Refusal> {
    match (after, before) {
        (None, None) => Ok(HistorySpan::Newest),
        (Some(after), None) => Ok(HistorySpan::After(after)),
        (None, Some(before)) => Ok(HistorySpan::Before(before)),
        _ => Err(Refusal::BadField {
            field: "after",
            want: Want::Alone,
        }),
    }
}

/// The size of a page of history: `MAX_PAGE` where it is not given, or more is asked for.
pub fn history_limit(limit: Option<u64>) -> Result<usize, Refusal> {
    match limit {
        Some(0) => Err(Refusal::BadField {
            field: "limit",
            want: Want::Count,
        }),
        limit => Ok(limit.map_or(MAX_PAGE, |n| n.min(MAX_PAGE as u64) as usize)),
    }
}

// ---- Frames out ----

#[derive(Serialize)]
struct Head<'a> {
    r#type: &'a str,
    code: u8,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

/// `rest` is empty, or fields with a comma before them.
fn framed(head: &Head, rest: &str) -> String {
    let mut text = json(head);
    text.pop();
    text + rest + "}"
}

/// An object's fields, with a comma before them.
fn more_fields(value: &impl Serialize) -> String {
    let text = json(value);
    let inside = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inside.map_or(String::new(), |inside| format!(",{inside}"))
}

/// `{"type":"auth","code":…,"msg":…}`.
pub fn auth_refused(code: u8, msg: &str, id: Option<&Value>) -> String {
    json(&Head {
        r#type: "auth",
        code,
        msg,
        id,
    })
}

/// What a client that speaks `v` 1 is told of itself.
pub struct Greeting<'a> {
    pub v: u64,
    pub epoch: &'a str,
    pub me: UserNo,
    /// Each with where one stands in it, and whether all that was missed follows.
    pub rooms: &'a [(RoomView, Standing, bool)],
    /// Rooms of `resume` that one is not in any more.
    pub gone: &'a [RoomNo],
}

pub fn auth_ok(greeting: Option<&Greeting>, id: Option<&Value>) -> String {
    #[derive(Serialize)]
    struct Told<'a> {
        v: u64,
        epoch: &'a str,
        me: i64,
        rooms: Vec<RoomOut<'a>>,
        gone: Vec<i64>,
    }
    #[derive(Serialize)]
    struct RoomOut<'a> {
        id: i64,
        name: &'a str,
        at: Place,
        complete: bool,
        owner: bool,
        locked: bool,
        quiet: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        muted: Option<String>,
    }
    let head = Head {
        r#type: "auth",
        code: 0,
        msg: "",
        id,
    };
    let Some(g) = greeting else {
        return json(&head);
    };
    let mut rooms = Vec::with_capacity(g.rooms.len());
    for (room, standing, complete) in g.rooms {
        rooms.push(RoomOut {
            owner: standing.owner,
            locked: standing.locked,
            quiet: standing.quiet,
            muted: standing.muted.map(local_nanos),
            id: room.no.0,
            name: &room.name,
            at: room.last,
            complete: *complete,
        });
    }
    let told = Told {
        v: g.v,
        epoch: g.epoch,
        me: g.me.0,
        rooms,
        gone: g.gone.iter().map(|room| room.0).collect(),
    };
    framed(&head, &more_fields(&told))
}

/// `{"type":"send",…}`: the answer of `msg`.
pub fn send(uuid: &Value, lang: Lang, outcome: &Result<Reply, Refusal>) -> String {
    #[derive(Serialize)]
    struct Send<'a> {
        r#type: &'a str,
        code: u8,
        msg: &'a str,
        uuid: &'a Value,
        sent: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Place>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Place>,
        #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    }
    let none = Send {
        r#type: "send",
        code: 0,
        msg: "",
        uuid,
        sent: None,
        seq: None,
        at: None,
        retry_after: None,
    };
    match outcome {
        Ok(Reply::Said { at, sent }) => json(&Send {
            sent: Some(local_nanos(*sent)),
            seq: Some(*at),
            at: Some(*at),
            ..none
        }),
        Ok(_) => json(&none),
        Err(refusal) => {
            let msg = refusal::sentence(refusal, lang);
            let retry_after = refusal::retry_after(refusal);
            json(&Send {
                code: refusal::number(refusal),
                msg: &msg,
                retry_after,
                ..none
            })
        }
    }
}

/// The answer of a request of ours: `fields` are more fields, with a comma before them.
pub fn answer(echo: &Echo, fields: &str) -> String {
    framed(
        &Head {
            r#type: echo.kind,
            code: 0,
            msg: "",
            id: echo.id.as_ref(),
        },
        fields,
    )
}

pub fn refused(echo: &Echo, refusal: &Refusal) -> String {
    let msg = refusal::sentence(refusal, echo.lang);
    let code = refusal::number(refusal);
    let mut rest = String::new();
    if let Some(after) = refusal::retry_after(refusal) {
        rest += &format!(r#","retryAfter":{after}"#);
    }
    if let Some(name) = refusal::suggest(refusal) {
        rest += &format!(r#","suggest":{}"#, json(&name));
    }
    framed(
        &Head {
            r#type: echo.kind,
            code,
            msg: &msg,
            id: echo.id.as_ref(),
        },
        &rest,
    )
}

/// For what is not a request.
pub fn error(msg: &str) -> String {
    json(&Head {
        r#type: "error",
        code: 2,
        msg,
        id: None,
    })
}

/// Who came and who went.
pub fn presence(room: RoomNo, came: &[UserNo], went: &[UserNo]) -> String {
    let numbers = |users: &[UserNo]| users.iter().map(|user| user.0).collect::<Vec<_>>();
    json(&serde_json::json!({
        "type": "presence", "room": room.0, "online": numbers(came), "offline": numbers(went),
    }))
}

/// The same for a large room.
pub fn presence_counts(room: RoomNo, online: usize, members: usize) -> String {
    json(&serde_json::json!({
        "type": "presence", "room": room.0, "onlineCount": online, "memberCount": members,
    }))
}

pub fn typing(room: RoomNo, user: UserNo, name: &str) -> String {
    json(&serde_json::json!({
        "type": "typing", "room": room.0, "user": { "id": user.0, "name": name },
    }))
}

/// `,"room":…,"state":{…},"data":[…]` of a `members` answer.
pub fn members_fields(room: &RoomView) -> String {
    #[derive(Serialize)]
    struct MemberOut<'a> {
        id: i64,
        name: &'a str,
        avatar: u8,
        online: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        muted: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hand: Option<usize>,
    }
    let members = room.members.iter();
    let members: Vec<_> = members
        .map(|m| MemberOut {
            id: m.no.0,
            name: &m.name,
            avatar: m.avatar,
            online: m.online,
            owner: m.owner.then_some(true),
            muted: m.muted.map(local_nanos),
            hand: m.hand,
        })
        .collect();
    let state = serde_json::json!({
        "name": *room.name, "locked": room.locked, "quiet": room.quiet, "password": room.password,
    });
    let no = room.no.0;
    format!(r#","room":{no},"state":{state},"data":{}"#, json(&members))
}

/// `"data":[…],"next":…,"complete":…,"more":…` of a page of history.
pub fn page_fields(page: &Page, lang: Lang) -> String {
    let frames: Vec<_> = page.entries.iter().map(|e| frame(e, lang)).collect();
    format!(
        r#""data":[{}],"next":{},"complete":{},"more":{}"#,
        frames.join(","),
        page.next,
        page.complete,
        page.more
    )
}

/// Whether the second document has such a frame.
fn is_documented(entry: &Entry) -> bool {
    matches!(entry.body, Body::Message(_) | Body::Edited { .. })
}

/// Whether a socket of `user` that speaks `v` is to hear of an entry: without `v` 1 what the
/// document has, and not one's own.
pub fn is_for(entry: &Entry, user: UserNo, v: u64) -> bool {
    v > 0 || (is_documented(entry) && entry.user != user)
}

/// The frame of an entry of the order; `lang` is that of a notice.
pub fn frame(entry: &Entry, lang: Lang) -> String {
    match &entry.body {
        Body::Message(message) => recv(entry, message, (entry.user, entry.at, entry.sent)),
        Body::Edited { of, text } => {
            let message = Message {
                uuid: of.uuid,
                text: text.clone(),
                reply: of.reply,
                modified: true,
            };
            recv(entry, &message, (of.author, of.seq, of.said))
        }
        Body::Tombstone { uuid, by } => deleted(entry, *uuid, entry.at, *by),
        Body::Deleted { of } => deleted(entry, of.uuid, of.seq, of.deleted_by(entry.user)),
        Body::Joined { avatar } => notice("joined", entry, *avatar),
        Body::Left { avatar } => notice("left", entry, *avatar),
        Body::Notice { avatar, what } => notices::frame(entry, *avatar, what, lang),
    }
}

/// `said` is who said the message, where and when.
fn recv(entry: &Entry, message: &Message, said: (UserNo, Place, Nanos)) -> String {
    let (author, seq, sent) = said;
    #[derive(Serialize)]
    struct Recv<'a> {
        r#type: &'a str,
        data: Data<'a>,
        at: Place,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        uuid: Uuid,
        sender: i64,
        room: i64,
        data: Content<'a>,
        sent: String,
        modified: bool,
        seq: Place,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<Place>,
    }
    #[derive(Serialize)]
    struct Content<'a> {
        r#type: &'a str,
        text: &'a str,
    }
    json(&Recv {
        r#type: "recv",
        data: Data {
            uuid: message.uuid,
            sender: author.0,
            room: entry.room.0,
            data: Content {
                r#type: "Text",
                text: &message.text,
            },
            sent: local_nanos(sent),
            modified: message.modified,
            seq,
            name: &entry.name,
            reply: message.reply,
        },
        at: entry.at,
    })
}

/// `by` is who deleted it, where that is not its author.
fn deleted(entry: &Entry, uuid: Uuid, seq: Place, by: Option<UserNo>) -> String {
    #[derive(Serialize)]
    struct Deleted<'a> {
        r#type: &'a str,
        room: i64,
        uuid: Uuid,
        seq: Place,
        at: Place,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<i64>,
    }
    json(&Deleted {
        r#type: "deleted",
        room: entry.room.0,
        uuid,
        seq,
        at: entry.at,
        by: by.map(|user| user.0),
    })
}

fn notice(kind: &str, entry: &Entry, avatar: u8) -> String {
    #[derive(Serialize)]
    struct Notice<'a> {
        r#type: &'a str,
        room: i64,
        at: Place,
        user: Who<'a>,
        sent: String,
    }
    #[derive(Serialize)]
    struct Who<'a> {
        id: i64,
        name: &'a str,
        avatar: u8,
    }
    json(&Notice {
        r#type: kind,
        room: entry.room.0,
        at: entry.at,
        user: Who {
            id: entry.user.0,
            name: &entry.name,
            avatar,
        },
        sent: local_nanos(entry.sent),
    })
}

#[cfg(test)]
mod tests;
