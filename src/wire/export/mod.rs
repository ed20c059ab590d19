//! `GET /rooms/:id/export`: a room's entries and attendance as a file. Pure, and bit by bit: each
//! writer appends to a text that is on its way before the next bit is made.

mod csv;
mod html;
mod json;
mod text;

use std::borrow::Cow;

use chrono::{DateTime, Local, Utc};
use uuid::Uuid;

use crate::model::*;
use crate::wire::room_api::notice_sentence;

/// What the file begins with.
pub struct Opening<'a> {
    pub room: &'a RoomView,
    /// Entries up to this place are no longer kept.
    pub floor: Place,
    pub now: Nanos,
}

/// An entry as it is now. Edits and deletions show in the message that they are about.
pub struct Line<'a> {
    pub kind: &'static str,
    pub at: Place,
    pub sent: Nanos,
    pub user: UserNo,
    pub name: &'a str,
    /// Of a message, or what a notice says. None: deleted.
    pub text: Option<Cow<'a, str>>,
    pub uuid: Option<Uuid>,
    pub reply: Option<Place>,
    pub edited: bool,
}

impl Line<'_> {
    pub fn is_message(&self) -> bool {
        self.uuid.is_some()
    }
}

/// The line of an entry, with notices in this language.
pub fn line(entry: &Entry, lang: Lang) -> Option<Line<'_>> {
    let notice = || notice_sentence(entry, lang).map(Cow::from);
    let (kind, text, uuid, reply, edited) = match &entry.body {
        Body::Message(m) => {
            let text = Some(Cow::from(&*m.text));
            ("message", text, Some(m.uuid), m.reply, m.modified)
        }
        Body::Tombstone { uuid, .. } => ("deleted", None, Some(*uuid), None, false),
        Body::Joined { .. } => ("joined", notice(), None, None, false),
        Body::Left { .. } => ("left", notice(), None, None, false),
        Body::Notice { .. } => ("notice", notice(), None, None, false),
        Body::Edited { .. } | Body::Deleted { .. } => return None,
    };
    Some(Line {
        kind,
        at: entry.at,
        sent: entry.sent,
        user: entry.user,
        name: &entry.name,
        text,
        uuid,
        reply,
        edited,
    })
}

/// Somebody was there.
#[derive(Debug, PartialEq)]
pub struct Stay<'a> {
    pub user: UserNo,
    pub name: &'a str,
    pub from: Nanos,
    /// None: still is.
    pub to: Option<Nanos>,
}

/// A kind of file.
pub trait Write {
    fn open(&mut self, out: &mut String, opening: &Opening);
    fn line(&mut self, out: &mut String, line: &Line);
    /// All entries are written; who was there follows.
    fn turn(&mut self, out: &mut String);
    fn stay(&mut self, out: &mut String, stay: &Stay);
    fn close(&mut self, out: &mut String);
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Json,
    Csv,
    Text,
    Html,
}

impl Format {
    /// By its name in the query.
    pub fn of(name: &str) -> Option<Format> {
        match name {
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "txt" => Some(Format::Text),
            "html" => Some(Format::Html),
            _ => None,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Text => "txt",
            Format::Html => "html",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Text => "text/plain; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
        }
    }

    pub fn writer(self, lang: Lang) -> Box<dyn Write> {
        match self {
            Format::Json => Box::new(json::Json::default()),
            Format::Csv => Box::new(csv::Csv),
            Format::Text => Box::new(text::Text::new(lang)),
            Format::Html => Box::new(html::Html::new(lang)),
        }
    }
}

/// What an HTML export may do: show itself.
pub use html::POLICY;

/// `Content-Disposition` with a file name that every system takes, made of a room's name and the
/// day: as it is (RFC 8187), and in ASCII for who does not know that.
pub fn disposition(room: &RoomView, format: Format, now: Nanos) -> String {
    let mut name = String::new();
    for c in room.name.chars() {
        match c {
            c if c.is_alphanumeric() => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_end_matches('-');
    let number = room.no.0;
    let (day, extension) = (local(now).format("%Y-%m-%d"), format.extension());
    let plain: String = name.chars().filter(char::is_ascii).collect();
    let file = |name: &str| match name.trim_matches('-') {
        "" => format!("room-{number}-{day}.{extension}"),
        name => format!("{name}-{day}.{extension}"),
    };
    // Of letters, digits, hyphens and dots: the same in both codings but for what is not ASCII.
    let full: String = form_urlencoded::byte_serialize(file(name).as_bytes()).collect();
    format!(
        "attachment; filename=\"{}\"; filename*=UTF-8''{full}",
        file(&plain)
    )
}

fn local(at: Nanos) -> DateTime<Local> {
    let utc: DateTime<Utc> = DateTime::from_timestamp_nanos(at);
    utc.with_timezone(&Local)
}

/// `2022-12-22 14:33:59`, the server's time.
fn second(at: Nanos) -> String {
    local(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `UTC+08:00`, of that very moment.
fn zone(at: Nanos) -> String {
    local(at).format("UTC%:z").to_string()
}

/// A text as a program for people may show it: what controls a terminal or is no character of HTML
/// is replaced.
fn plain(text: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match text.contains(control) {
        true => text.replace(control, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// The words of a file for people.
struct Words {
    lang: &'static str,
    exported: &'static str,
    gone: &'static str,
    deleted: &'static str,
    edited: &'static str,
    attendance: &'static str,
    name: &'static str,
    from: &'static str,
    to: &'static str,
    here: &'static str,
}

fn words(lang: Lang) -> Words {
    match lang {
        Lang::Zh => Words {
            lang: "zh",
            exported: "导出时间",
            gone: "更早的消息已不再保存。",
            deleted: "（已删除）",
            edited: "（已编辑）",
            attendance: "出席记录",
            name: "名称",
            from: "从",
            to: "到",
            here: "仍在线",
        },
        Lang::En => Words {
            lang: "en",
            exported: "Exported",
            gone: "Earlier messages are no longer kept.",
            deleted: "(deleted)",
            edited: "(edited)",
            attendance: "Attendance",
            name: "Name",
            from: "From",
            to: "To",
            here: "still there",
        },
    }
}

#[cfg(test)]
mod tests;
