//! `--room`: each room by its name and, where it has one, its password.

use std::ffi::OsString;

use super::Env;
use crate::model::{MAX_NAME_CHARS, MAX_PASSWORD_CHARS, NameOf};
use crate::rooms::{check_name, skeleton};

/// A room of `--room`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomFlag {
    pub name: String,
    /// Of the room when it is made; an owner may change it.
    pub password: Option<String>,
}

/// The rooms of `--room`, each as one flag or between the commas of the variable.
pub(super) fn rooms<E: Fn(&str) -> Option<OsString>>(
    typed: Vec<String>,
    env: &Env<E>,
) -> Result<Vec<RoomFlag>, String> {
    let (name, texts) = match env.variable("--room")? {
        Some((name, texts)) if typed.is_empty() => (
            name,
            texts.split(',').map(|t| t.trim().to_owned()).collect(),
        ),
        _ => ("--room".to_owned(), typed),
    };
    let mut rooms: Vec<RoomFlag> = vec![];
    for text in texts {
        let wrong = |why: String| format!("{name} {text:?}: {why}");
        let room = room(&text).map_err(wrong)?;
        let look = skeleton(&room.name);
        if rooms.iter().any(|other| skeleton(&other.name) == look) {
            let why = "there is such a room already, or one that looks like it; give each a name of its own";
            return Err(wrong(why.into()));
        }
        rooms.push(room);
    }
    Ok(rooms)
}

fn room(text: &str) -> Result<RoomFlag, String> {
    let (name, password) = match text.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (text, None),
    };
    if check_name(NameOf::Room, name).is_err() {
        return Err(format!(
            "give NAME or NAME:PASSWORD with a name of 1 to {MAX_NAME_CHARS} characters, for example \
             \"Class 7b\" or \"Class 7b:sesame\""
        ));
    }
    let long = password.is_some_and(|p| p.is_empty() || p.chars().count() > MAX_PASSWORD_CHARS);
    if long {
        return Err(format!(
            "give a password of 1 to {MAX_PASSWORD_CHARS} characters after the colon, or no colon"
        ));
    }
    Ok(RoomFlag {
        name: name.to_owned(),
        password: password.map(str::to_owned),
    })
}
