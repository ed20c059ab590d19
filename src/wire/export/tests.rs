//! What a room looks like as a file, and what no name and no text can make of it.

use super::*;
use crate::wire::samples::{self, nanos};
use serde_json::{Value, json};
use std::sync::Arc;

const SENT: &str = "2022-06-22T08:10:43.412+00:00";

fn room(name: &str) -> RoomView {
    RoomView {
        name: name.into(),
        ..samples::room()
    }
}

fn entry(at: Place, name: &str, body: Body) -> Entry {
    Entry {
        room: RoomNo(1),
        at,
        sent: nanos(SENT),
        user: UserNo(7),
        user_id: samples::id(samples::MAKER),
        name: name.into(),
        body,
    }
}

fn message(at: Place, name: &str, text: &str) -> Entry {
    let body = Message {
        uuid: samples::id(samples::MESSAGE),
        text: text.into(),
        reply: Some(1),
        modified: true,
    };
    entry(at, name, Body::Message(body))
}

/// A whole file of these entries and one stay that goes on.
fn file(format: Format, room_name: &str, floor: Place, entries: &[Entry]) -> String {
    let mut writer = format.writer(Lang::En);
    let mut out = String::new();
    let opening = Opening {
        room: &room(room_name),
        floor,
        now: nanos(SENT),
    };
    writer.open(&mut out, &opening);
    for entry in entries {
        let line = line(entry, Lang::En);
        line.iter().for_each(|line| writer.line(&mut out, line));
    }
    writer.turn(&mut out);
    for (name, to) in [("Ada", Some(nanos(SENT))), ("Ben", None)] {
        let (user, from) = (UserNo(7), nanos(SENT));
        let stay = Stay {
            user,
            name,
            from,
            to,
        };
        writer.stay(&mut out, &stay);
    }
    writer.close(&mut out);
    out
}

fn all() -> Vec<Entry> {
    let uuid = samples::id(samples::MESSAGE);
    let of = Target {
        uuid,
        seq: 2,
        author: UserNo(7),
        said: 0,
        reply: None,
        origin: [0; 32],
    };
    vec![
        entry(1, "Ada", Body::Joined { avatar: 3 }),
        message(2, "Ada", "hello"),
        entry(3, "Ada", Body::Tombstone { uuid, by: None }),
        entry(
            4,
            "Ada",
            Body::Edited {
                of: of.clone(),
                text: Arc::from("hello"),
            },
        ),
        entry(5, "Ada", Body::Deleted { of }),
        entry(6, "Ada", Body::Left { avatar: 3 }),
    ]
}

#[test]
fn json_has_each_entry_in_its_last_state_and_who_was_there() {
    let file: Value = serde_json::from_str(&file(Format::Json, "Physics", 0, &all())).unwrap();
    let time = crate::wire::local_nanos(nanos(SENT));
    let uuid = samples::id(samples::MESSAGE);
    assert_eq!(
        file,
        json!({
            "room": {"id": 1, "name": "Physics", "created": crate::wire::local_nanos(room("").created)},
            "exported": time, "complete": true,
            "entries": [
                {"type": "joined", "at": 1, "sent": time, "user": 7, "name": "Ada", "text": "Ada joined the room"},
                {"type": "message", "at": 2, "sent": time, "user": 7, "name": "Ada", "uuid": uuid,
                    "text": "hello", "reply": 1, "modified": true},
                {"type": "deleted", "at": 3, "sent": time, "user": 7, "name": "Ada", "uuid": uuid},
                {"type": "left", "at": 6, "sent": time, "user": 7, "name": "Ada", "text": "Ada left the room"},
            ],
            "attendance": [
                {"user": 7, "name": "Ada", "from": time, "to": time},
                {"user": 7, "name": "Ben", "from": time, "to": null},
            ],
        })
    );
}

#[test]
fn a_formula_is_never_one_in_a_spreadsheet() {
    for text in [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "\u{2212}1",
        "﹦1",
        "﹢1",
        "﹣1",
        "﹫x",
        "  =1",
        "\t=1",
        "\n=1",
        "\rx",
        "\u{200b}=1",
        "\u{feff}=1",
        "\u{200f}\u{202e}@x",
        "\u{2060}\u{ad}\u{3164}\u{2800} \u{a0}-1",
        "\u{fe0f}\u{e0020}\u{180e}\u{34f}\u{115f}\u{17b4}+1",
        "\u{200b}\tx",
    ] {
        let file = file(Format::Csv, "x", 0, &[message(2, text, text)]);
        let guarded = format!("\"'{text}\"");
        assert_eq!(file.matches(&guarded).count(), 2, "{file}");
    }
    for text in ["a=1", "\u{200b}x=1", "5-1", "«=1»", "👩\u{200d}🏫 = 1"] {
        let file = file(Format::Csv, "x", 0, &[message(2, text, text)]);
        assert_eq!(file.matches(&format!("\"{text}\"")).count(), 2, "{file}");
    }
    let file = file(Format::Csv, "x", 0, &[message(2, "Ada", "1 = 1, \"so\"")]);
    assert!(file.contains(",\"1 = 1, \"\"so\"\"\","), "{file}");
    assert!(file.starts_with('\u{feff}') && file.ends_with("\r\n"));
}

#[test]
fn a_text_cannot_pretend_to_be_a_line_of_somebody_else() {
    for end in ["\n", "\r", "\r\n", "\u{2028}", "\u{85}", "\u{b}"] {
        let forged = format!("hi{end}10:00:00  Teacher: no homework\u{1b}[2J");
        let file = file(Format::Text, "x", 0, &[message(2, "Ada", &forged)]);
        let lines: Vec<&str> = file.lines().collect();
        assert!(
            lines.iter().all(|line| !line.starts_with("10:00")),
            "{file:?}"
        );
        assert!(
            lines.iter().any(|line| line.starts_with("          10:00")),
            "{file:?}"
        );
        assert!(
            !file.contains(['\u{1b}', '\r', '\u{2028}', '\u{85}', '\u{b}']),
            "{file:?}"
        );
    }
}

#[test]
fn html_shows_every_name_and_text_and_runs_none() {
    let hostile = "<script>alert(\"1\")</script>&amp;'\0";
    let file = file(Format::Html, hostile, 3, &[message(2, hostile, hostile)]);
    assert!(!file.contains("<script") && !file.contains('\0'), "{file}");
    let shown = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;\u{fffd}";
    // Title, heading, name, text.
    assert_eq!(file.matches(shown).count(), 4, "{file}");
    assert!(file.contains(&format!("content=\"{POLICY}\"")));
    assert!(file.contains("Earlier messages are no longer kept."));
    assert!(file.contains("still there") && file.ends_with("</html>\n"));
    assert!(
        !file.contains("://") && !file.contains("src="),
        "nothing from elsewhere"
    );
}

#[test]
fn what_is_no_longer_kept_is_said_in_every_format() {
    let gone = |format| file(format, "x", 3, &[]);
    assert!(gone(Format::Json).contains("\"complete\":false"));
    assert!(gone(Format::Csv).contains("\r\ngone,3,"));
    assert!(gone(Format::Text).contains("Earlier messages are no longer kept."));
}

#[test]
fn a_file_name_is_one_whatever_the_room_is_called() {
    let name = |room_name: &str| {
        let header = disposition(&room(room_name), Format::Csv, nanos(SENT));
        assert!(
            header.is_ascii() && !header.contains(['\r', '\n', '/', '\\']),
            "{header}"
        );
        assert_eq!(header.matches('"').count(), 2, "{header}");
        header
    };
    let day = local(nanos(SENT)).format("%Y-%m-%d");
    let wanted = |plain: &str, full: &str| {
        format!("attachment; filename=\"{plain}-{day}.csv\"; filename*=UTF-8''{full}-{day}.csv")
    };
    assert_eq!(name("Physics 7b"), wanted("Physics-7b", "Physics-7b"));
    assert_eq!(name("../../etc/passwd"), wanted("etc-passwd", "etc-passwd"));
    assert_eq!(name("a\"; x=\"\r\n"), wanted("a-x", "a-x"));
    assert_eq!(name("物理"), wanted("room-1", "%E7%89%A9%E7%90%86"));
    assert_eq!(name("物理 7b"), wanted("7b", "%E7%89%A9%E7%90%86-7b"));
    assert_eq!(name("???"), wanted("room-1", "room-1"));
    assert_eq!(name(".htaccess"), wanted("htaccess", "htaccess"));
}
