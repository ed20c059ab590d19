//! Accounts and rooms by number (PROTOCOL.md, Accounts): bodies in, answers out.

use serde::Serialize;

use crate::model::*;
use crate::wire::fields::{Fields, need};
use crate::wire::{Lang, local_nanos, refusal, socket};

pub struct Credentials {
    pub username: String,
    pub password: String,
}

pub fn credentials(body: &Fields) -> Result<Credentials, Refusal> {
    let username = need(body.text("username")?, "username", Want::Text)?.to_owned();
    let password = body.password("password")?.ok_or(Refusal::BadPassword)?;
    Ok(Credentials { username, password })
}

/// Of `POST /rooms` and `POST /rooms/:id/join`.
pub struct RoomBody {
    pub token: Option<String>,
    pub name: Option<String>,
    pub password: Option<String>,
}

pub fn room(body: &Fields) -> Result<RoomBody, Refusal> {
    Ok(RoomBody {
        token: body.text("token")?.map(str::to_owned),
        name: body.text("name")?.map(str::to_owned),
        password: body.password("password")?,
    })
}

#[derive(Serialize)]
struct Answer<'a> {
    code: u8,
    msg: &'a str,
    #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggest: Option<&'a str>,
    /// There in the answers of login only, null when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Option<UserOut<'a>>>,
}

#[derive(Serialize)]
struct UserOut<'a> {
    id: i64,
    username: &'a str,
    nickname: &'a str,
    slogan: &'a str,
    status: i64,
    registered: String,
}

fn user_out(user: &User) -> UserOut<'_> {
    UserOut {
        id: user.no.0,
        username: &user.name,
        nickname: &user.name,
        slogan: "",
        status: user.status,
        registered: local_nanos(user.registered),
    }
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

pub fn ok() -> String {
    json(&Answer {
        code: 0,
        msg: "",
        retry_after: None,
        suggest: None,
        user: None,
    })
}

pub fn logged_in(token: &str, user: &User) -> String {
    let user = Some(Some(user_out(user)));
    json(&Answer {
        code: 0,
        msg: token,
        retry_after: None,
        suggest: None,
        user,
    })
}

/// `login`: its failures carry `"user":null`.
pub fn failure(refusal: &Refusal, lang: Lang, login: bool) -> String {
    json(&Answer {
        code: refusal::number(refusal),
        msg: &refusal::sentence(refusal, lang),
        retry_after: refusal::retry_after(refusal),
        suggest: refusal::suggest(refusal),
        user: login.then_some(None),
    })
}

pub fn user(user: &User) -> String {
    json(&user_out(user))
}

#[derive(Serialize)]
struct RoomOut<'a> {
    id: i64,
    name: &'a str,
    description: &'a str,
    created: String,
}

fn room_out(room: &RoomView) -> RoomOut<'_> {
    RoomOut {
        id: room.no.0,
        name: &room.name,
        description: &room.description,
        created: local_nanos(room.created),
    }
}

pub fn room_made(room: RoomNo) -> String {
    json(&serde_json::json!({ "id": room.0 }))
}

pub fn room_shown(room: &RoomView) -> String {
    json(&room_out(room))
}

pub fn rooms(rooms: &[RoomView]) -> String {
    json(&rooms.iter().map(room_out).collect::<Vec<_>>())
}

/// `GET /rooms/:id/messages`: the frames of the order that a socket with `v` 1 would get.
pub fn messages(page: &Page) -> String {
    format!(r#"{{"code":0,"msg":"",{}}}"#, socket::page_fields(page))
}
