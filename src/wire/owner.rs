//! The powers of owners, and raised hands: requests in, answers and frames out. One for both doors.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::*;
use crate::wire::fields::{Fields, need};
use crate::wire::{Lang, local_nanos};

/// What an owner asks for, as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    Rename(String),
    /// None: no password any more.
    Password(Option<String>),
    Lock(bool),
    Quiet(bool),
    Mute {
        user: UserNo,
        minutes: u32,
    },
    Kick {
        user: UserNo,
        keep_out: bool,
    },
    Allow(UserNo),
    /// One message, of whomever.
    Delete(Uuid),
    Wipe(UserNo),
    Appoint {
        user: UserNo,
        on: bool,
    },
    Link,
    /// None: all hands.
    Lower(Option<UserNo>),
    Close,
    State,
}

impl Wish {
    /// As it is called in a request and its answer.
    pub fn act(&self) -> &'static str {
        match self {
            Wish::Rename(_) => "rename",
            Wish::Password(_) => "password",
            Wish::Lock(_) => "lock",
            Wish::Quiet(_) => "quiet",
            Wish::Mute { .. } => "mute",
            Wish::Kick { .. } => "kick",
            Wish::Allow(_) => "allow",
            Wish::Delete(_) => "delete",
            Wish::Wipe(_) => "wipe",
            Wish::Appoint { .. } => "appoint",
            Wish::Link => "link",
            Wish::Lower(_) => "lower",
            Wish::Close => "close",
            Wish::State => "state",
        }
    }
}

/// The fields of a request, on a socket or as a body.
pub fn wish(fields: &Fields) -> Result<Wish, Refusal> {
    let unknown = Refusal::BadField {
        field: "act",
        want: Want::Act,
    };
    let act = fields.text("act")?.ok_or(unknown.clone())?;
    Ok(match act {
        "rename" => Wish::Rename(need(fields.text("name")?, "name", Want::Text)?.to_owned()),
        "password" => {
            // Removed only by who says so.
            if !fields.has("password") {
                return Err(Refusal::BadField {
                    field: "password",
                    want: Want::TextOrNull,
                });
            }
            Wish::Password(fields.password("password")?)
        }
        "lock" => Wish::Lock(on(fields)?),
        "quiet" => Wish::Quiet(on(fields)?),
        "mute" => {
            let most = u64::from(MAX_MUTE_MINUTES);
            let minutes = fields.within("minutes", 0..=most, Want::Minutes)?;
            Wish::Mute {
                user: user(fields)?,
                // Not more than MAX_MUTE_MINUTES, which fits.
                minutes: need(minutes, "minutes", Want::Minutes)? as u32,
            }
        }
        "kick" => Wish::Kick {
            user: user(fields)?,
            keep_out: fields.flag("keepOut")?.unwrap_or(false),
        },
        "allow" => Wish::Allow(user(fields)?),
        "delete" => Wish::Delete(need(fields.uuid("uuid")?, "uuid", Want::Uuid)?),
        "wipe" => Wish::Wipe(user(fields)?),
        "appoint" => Wish::Appoint {
            user: user(fields)?,
            on: on(fields)?,
        },
        "link" => Wish::Link,
        "lower" => Wish::Lower(some_user(fields)?),
        "close" => Wish::Close,
        "state" => Wish::State,
        _ => return Err(unknown),
    })
}

/// Whether something is to be so.
pub fn on(fields: &Fields) -> Result<bool, Refusal> {
    need(fields.flag("on")?, "on", Want::Flag)
}

fn some_user(fields: &Fields) -> Result<Option<UserNo>, Refusal> {
    let number = fields.within("user", 1..=i64::MAX as u64, Want::User)?;
    // Within what an i64 holds.
    Ok(number.map(|no| UserNo(no as i64)))
}

fn user(fields: &Fields) -> Result<UserNo, Refusal> {
    need(some_user(fields)?, "user", Want::User)
}

/// What an owner key looks like; another is none.
pub fn key(fields: &Fields) -> Result<Option<String>, Refusal> {
    Ok(fields.text("ownerKey")?.map(str::to_owned))
}

// ---- Answers: the fields that each has, with a comma before each ----

/// Which act was carried out.
pub fn act_fields(wish: &Wish) -> String {
    format!(r#","act":"{}""#, wish.act())
}

pub fn hand_fields(on: bool) -> String {
    format!(r#","on":{on}"#)
}

pub fn muted_fields(until: Option<Nanos>) -> String {
    let until = json!(until.map(local_nanos));
    format!(r#","until":{until}"#)
}

pub fn wiped_fields(count: u64) -> String {
    format!(r#","count":{count}"#)
}

pub fn link_fields(key: &str) -> String {
    format!(r#","ownerKey":{}"#, json!(key))
}

pub fn state_fields(view: &OwnersView) -> String {
    let muted = view.muted.iter().map(
        |(who, until)| json!({ "user": who.no.0, "name": *who.name, "until": local_nanos(*until) }),
    );
    let kept_out = view.kept_out.iter();
    let kept_out = kept_out.map(|who| json!({ "user": who.no.0, "name": *who.name }));
    let owners = view.owners.iter().map(|user| user.0);
    let state = json!({
        "locked": view.locked, "quiet": view.quiet, "password": view.password,
        "owners": owners.collect::<Vec<_>>(),
        "muted": muted.collect::<Vec<_>>(),
        "keptOut": kept_out.collect::<Vec<_>>(),
    });
    inside(&state)
}

/// `owner`, `locked`, `quiet` and, where it is so, `muted`: what one may do in a room.
pub fn standing_fields(standing: &Standing) -> String {
    let mut fields = json!({
        "owner": standing.owner, "locked": standing.locked, "quiet": standing.quiet,
    });
    if let Some(until) = standing.muted {
        fields["muted"] = json!(local_nanos(until));
    }
    inside(&fields)
}

/// An object's fields, with a comma before them.
fn inside(object: &Value) -> String {
    let text = object.to_string();
    let inside = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inside.map_or(String::new(), |inside| format!(",{inside}"))
}

/// The answer over HTTP.
pub fn answer(fields: &str) -> String {
    format!(r#"{{"code":0,"msg":""{fields}}}"#)
}

// ---- Frames, unasked ----

/// Whose hands are up, in the order in which they went up.
pub fn hands(room: RoomNo, users: &[UserNo]) -> String {
    let users: Vec<_> = users.iter().map(|user| user.0).collect();
    json!({ "type": "hands", "room": room.0, "users": users }).to_string()
}

/// To the one who is thrown out.
pub fn kicked(room: RoomNo, kept_out: bool, lang: Lang) -> String {
    let msg = match (lang, kept_out) {
        (Lang::Zh, false) => "房主已将你移出房间",
        (Lang::Zh, true) => "房主已将你移出房间，你不能再次加入",
        (Lang::En, false) => "An owner removed you from the room.",
        (Lang::En, true) => "An owner removed you from the room for good.",
    };
    json!({ "type": "kicked", "room": room.0, "keptOut": kept_out, "msg": msg }).to_string()
}

/// To all members of a room that has ended.
pub fn closed(room: RoomNo, lang: Lang) -> String {
    let msg = match lang {
        Lang::Zh => "房间已关闭",
        Lang::En => "The room was closed.",
    };
    json!({ "type": "closed", "room": room.0, "msg": msg }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::samples::{fields, json as parsed, named};

    #[test]
    fn every_act_is_read_and_called_what_it_was_asked_as() {
        let (user, on) = (UserNo(7), true);
        for (body, expected) in [
            (
                json!({"act":"rename","name":"Physics"}),
                Wish::Rename("Physics".into()),
            ),
            (
                json!({"act":"password","password":"sesame"}),
                Wish::Password(Some("sesame".into())),
            ),
            (
                json!({"act":"password","password":null}),
                Wish::Password(None),
            ),
            (
                json!({"act":"password","password":""}),
                Wish::Password(None),
            ),
            (json!({"act":"lock","on":true}), Wish::Lock(on)),
            (json!({"act":"quiet","on":false}), Wish::Quiet(false)),
            (
                json!({"act":"mute","user":7,"minutes":MAX_MUTE_MINUTES}),
                Wish::Mute {
                    user,
                    minutes: MAX_MUTE_MINUTES,
                },
            ),
            (
                json!({"act":"kick","user":7}),
                Wish::Kick {
                    user,
                    keep_out: false,
                },
            ),
            (
                json!({"act":"kick","user":7,"keepOut":true}),
                Wish::Kick {
                    user,
                    keep_out: true,
                },
            ),
            (json!({"act":"allow","user":7}), Wish::Allow(user)),
            (
                json!({"act":"delete","uuid":Uuid::nil()}),
                Wish::Delete(Uuid::nil()),
            ),
            (json!({"act":"wipe","user":7}), Wish::Wipe(user)),
            (
                json!({"act":"appoint","user":7,"on":true}),
                Wish::Appoint { user, on },
            ),
            (json!({"act":"link"}), Wish::Link),
            (json!({"act":"lower","user":7}), Wish::Lower(Some(user))),
            (json!({"act":"lower"}), Wish::Lower(None)),
            (json!({"act":"close"}), Wish::Close),
            (json!({"act":"state"}), Wish::State),
        ] {
            assert_eq!(wish(&fields(&body)), Ok(expected.clone()), "{body}");
            assert_eq!(body["act"], expected.act());
            let told = parsed(&answer(&act_fields(&expected)));
            assert_eq!(told, json!({"code":0,"msg":"","act":body["act"]}));
        }
    }

    #[test]
    fn a_field_that_is_missing_or_of_another_kind_is_named() {
        for (body, field) in [
            (json!({}), "act"),
            (json!({"act":"explode"}), "act"),
            (json!({"act":"rename"}), "name"),
            (json!({"act":"password"}), "password"),
            (json!({"act":"lock","on":1}), "on"),
            (json!({"act":"mute","user":7}), "minutes"),
            (json!({"act":"mute","minutes":5}), "user"),
            (
                json!({"act":"mute","user":7,"minutes":MAX_MUTE_MINUTES + 1}),
                "minutes",
            ),
            (json!({"act":"delete"}), "uuid"),
            (json!({"act":"delete","uuid":"7"}), "uuid"),
            (json!({"act":"kick","user":0}), "user"),
            (json!({"act":"kick","user":u64::MAX}), "user"),
            (json!({"act":"kick","user":7,"keepOut":"yes"}), "keepOut"),
            (json!({"act":"lower","user":"all"}), "user"),
        ] {
            assert_eq!(named(wish(&fields(&body))), field, "{body}");
        }
    }

    #[test]
    fn the_state_is_told_with_who_is_muted_and_kept_out() {
        let who = |no, name: &str| Named {
            no: UserNo(no),
            name: name.into(),
        };
        let view = OwnersView {
            room: RoomNo(1),
            locked: true,
            quiet: false,
            password: true,
            owners: vec![UserNo(1), UserNo(5)],
            muted: vec![(who(2, "Bob \""), 5)],
            kept_out: vec![who(3, "Eve")],
        };
        let expected = json!({
            "code":0,"msg":"","locked":true,"quiet":false,"password":true,"owners":[1,5],
            "muted":[{"user":2,"name":"Bob \"","until":local_nanos(5)}],
            "keptOut":[{"user":3,"name":"Eve"}],
        });
        assert_eq!(parsed(&answer(&state_fields(&view))), expected);
    }

    #[test]
    fn frames_say_what_happened_in_two_languages() {
        for lang in [Lang::Zh, Lang::En] {
            let told = [false, true].map(|out| parsed(&kicked(RoomNo(7), out, lang)));
            assert_ne!(told[0]["msg"], told[1]["msg"]);
            assert_eq!(
                (&told[1]["type"], &told[1]["keptOut"]),
                (&json!("kicked"), &json!(true))
            );
            let end = parsed(&closed(RoomNo(7), lang));
            assert_eq!((&end["type"], &end["room"]), (&json!("closed"), &json!(7)));
        }
        let up = parsed(&hands(RoomNo(7), &[UserNo(12), UserNo(5)]));
        assert_eq!(up, json!({"type":"hands","room":7,"users":[12,5]}));
    }

    #[test]
    fn where_one_stands_says_until_when_only_to_who_is_muted() {
        let told = |muted| {
            let standing = Standing {
                owner: false,
                muted,
                locked: true,
                quiet: false,
            };
            parsed(&answer(&standing_fields(&standing)))
        };
        let free = json!({"code":0,"msg":"","owner":false,"locked":true,"quiet":false});
        assert_eq!(told(None), free);
        assert_eq!(told(Some(5))["muted"], local_nanos(5));
    }
}
