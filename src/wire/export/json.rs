//! For programs: everything, as it is. The only form that keeps texts byte for byte.

use serde::Serialize;

use super::{Line, Opening, Stay, Write};
use crate::wire::local_nanos;

#[derive(Default)]
pub struct Json {
    /// Something stands before in this list.
    more: bool,
}

#[derive(Serialize)]
struct RoomOut<'a> {
    id: i64,
    name: &'a str,
    created: String,
}

#[derive(Serialize)]
struct LineOut<'a> {
    r#type: &'a str,
    at: u64,
    sent: String,
    user: i64,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<bool>,
}

#[derive(Serialize)]
struct StayOut<'a> {
    user: i64,
    name: &'a str,
    from: String,
    to: Option<String>,
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

impl Json {
    /// One in a list, each on a line of its own.
    fn element(&mut self, out: &mut String, value: &impl Serialize) {
        out.push_str(if self.more { ",\n" } else { "\n" });
        out.push_str(&json(value));
        self.more = true;
    }
}

impl Write for Json {
    fn open(&mut self, out: &mut String, opening: &Opening) {
        let room = RoomOut {
            id: opening.room.no.0,
            name: &opening.room.name,
            created: local_nanos(opening.room.created),
        };
        let exported = json(&local_nanos(opening.now));
        let (room, complete) = (json(&room), opening.floor == 0);
        *out += &format!(
            "{{\"room\":{room},\n\"exported\":{exported},\n\"complete\":{complete},\n\"entries\":["
        );
    }

    fn line(&mut self, out: &mut String, line: &Line) {
        let message = line.kind == "message";
        self.element(
            out,
            &LineOut {
                r#type: line.kind,
                at: line.at,
                sent: local_nanos(line.sent),
                user: line.user.0,
                name: line.name,
                uuid: line.uuid,
                text: line.text.as_deref(),
                reply: line.reply,
                modified: message.then_some(line.edited),
            },
        );
    }

    fn turn(&mut self, out: &mut String) {
        out.push_str("],\n\"attendance\":[");
        self.more = false;
    }

    fn stay(&mut self, out: &mut String, stay: &Stay) {
        self.element(
            out,
            &StayOut {
                user: stay.user.0,
                name: stay.name,
                from: local_nanos(stay.from),
                to: stay.to.map(local_nanos),
            },
        );
    }

    fn close(&mut self, out: &mut String) {
        out.push_str("]}\n");
    }
}
