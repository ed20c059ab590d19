//! Accounts and rooms by number (PROTOCOL.md, Accounts): bodies in, answers out.

use serde::Serialize;

use crate::model::*;
use crate::wire::fields::{Fields, need};
use crate::wire::{Lang, local_nanos, owner, refusal, socket};

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
    /// Of a join.
    pub key: Option<String>,
}

pub fn room(body: &Fields) -> Result<RoomBody, Refusal> {
    Ok(RoomBody {
        token: body.text("token")?.map(str::to_owned),
        name: body.text("name")?.map(str::to_owned),
        password: body.password("password")?,
        key: owner::key(body)?,
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

/// A failure that is the router's, not the rules'.
pub fn plain_failure(code: u8, msg: &str) -> String {
    json(&Answer {
        code,
        msg,
        retry_after: None,
        suggest: None,
        user: None,
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

pub fn room_made(room: RoomNo, owner_key: &str) -> String {
    json(&serde_json::json!({ "id": room.0, "ownerKey": owner_key }))
}

pub fn room_shown(room: &RoomView) -> String {
    json(&room_out(room))
}

pub fn rooms(rooms: &[RoomView]) -> String {
    json(&rooms.iter().map(room_out).collect::<Vec<_>>())
}

/// `GET /rooms/:id/messages`: the frames of the order that a socket with `v` 1 would get.
pub fn messages(page: &Page, lang: Lang) -> String {
    let fields = socket::page_fields(page, lang);
    format!(r#"{{"code":0,"msg":"",{fields}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::samples::{self, fields, named, nanos, page, says};
    use serde_json::{Value, json};

    fn ada() -> User {
        User {
            no: UserNo(7),
            id: samples::id(samples::MAKER),
            name: "Ada".into(),
            avatar: 31,
            sealed: true,
            secret: Some("argon2".into()),
            status: 0,
            registered: nanos(samples::SAID),
        }
    }

    /// Ada as the others see her: no password, no `userId`.
    fn ada_shown() -> Value {
        json!({
            "id": 7, "username": "Ada", "nickname": "Ada", "slogan": "", "status": 0,
            "registered": local_nanos(nanos(samples::SAID))
        })
    }

    #[test]
    fn a_username_and_its_password_are_read() {
        let read = |body: Value| credentials(&fields(&body));
        let good = read(json!({"username": "Ada", "password": "Lovelace"})).ok();
        let good = good.map(|c| (c.username, c.password));
        assert_eq!(good, Some(("Ada".into(), "Lovelace".into())));
        assert_eq!(named(read(json!({"password": "x"}))), "username");
        assert_eq!(
            named(read(json!({"username": 7, "password": "x"}))),
            "username"
        );
        assert_eq!(
            named(read(json!({"username": "Ada", "password": 7}))),
            "password"
        );
        let long = "密".repeat(MAX_PASSWORD_CHARS + 1);
        for password in [json!(null), json!(""), json!(long)] {
            let refusal = read(json!({"username": "Ada", "password": password})).err();
            assert_eq!(refusal, Some(Refusal::BadPassword), "{password}");
        }
    }

    #[test]
    fn a_room_is_made_and_joined_with_a_token() {
        let asked = room(&fields(
            &json!({"token": "abc", "name": "Physics", "password": ""}),
        ));
        let asked = asked.ok().map(|r| (r.token, r.name, r.password));
        let expected = (Some("abc".into()), Some("Physics".into()), None);
        assert_eq!(asked, Some(expected), "an empty password is none");
        for field in ["token", "name", "password"] {
            assert_eq!(named(room(&fields(&json!({ field: 7 })))), field);
        }
    }

    #[test]
    fn a_user_is_shown_without_its_secrets() {
        assert_eq!(samples::json(&user(&ada())), ada_shown());
    }

    #[test]
    fn success_is_code_0_and_login_adds_the_token_and_the_user() {
        assert_eq!(ok(), r#"{"code":0,"msg":""}"#);
        let expected = json!({"code": 0, "msg": "abc", "user": ada_shown()});
        assert_eq!(samples::json(&logged_in("abc", &ada())), expected);
    }

    #[test]
    fn failure_is_a_number_and_a_reason_and_login_adds_no_user() {
        let failed = |refusal, login| samples::json(&failure(&refusal, Lang::En, login));
        assert_eq!(
            failed(Refusal::WrongLogin, true),
            json!({"code": 10, "msg": "Wrong username or password.", "user": null})
        );
        assert_eq!(
            failed(Refusal::TooFast { after: 3 }, false),
            json!({"code": 7, "msg": "Too fast; try again in 3 s.", "retryAfter": 3})
        );
        let suggest = "Ada-2".to_owned();
        let taken = failed(Refusal::NameTaken { suggest }, false);
        assert_eq!(
            (&taken["code"], &taken["suggest"]),
            (&json!(11), &json!("Ada-2"))
        );
    }

    #[test]
    fn rooms_are_shown_by_number_name_and_age() {
        let created = local_nanos(nanos(samples::MADE));
        let shown = json!({"id": 1, "name": "聊天室95c0f", "description": "", "created": created});
        let made = json!({"id": 1, "ownerKey": "abc"});
        assert_eq!(samples::json(&room_made(RoomNo(1), "abc")), made);
        assert_eq!(samples::json(&room_shown(&samples::room())), shown);
        assert_eq!(samples::json(&rooms(&[samples::room()])), json!([shown]));
        assert_eq!(rooms(&[]), "[]");
    }

    #[test]
    fn history_is_the_frames_that_a_socket_would_get() {
        let said = says(3, "hello");
        let frame = samples::json(&socket::frame(&said, Lang::En));
        let expected = json!({
            "code": 0, "msg": "", "data": [frame], "next": 3, "complete": true, "more": false
        });
        let answer = messages(&page(vec![said.into()]), Lang::En);
        assert_eq!(samples::json(&answer), expected);
    }
}
