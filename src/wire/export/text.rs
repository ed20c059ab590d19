//! For reading and printing. A text cannot pretend to be a line of its own: its further lines are
//! set in.

use super::{Line, Opening, Stay, Words, Write, local, plain, second, words, zone};
use crate::model::Lang;

pub struct Text {
    words: Words,
    /// Of the last line; each day has a heading.
    day: String,
}

impl Text {
    pub fn new(lang: Lang) -> Text {
        Text {
            words: words(lang),
            day: String::new(),
        }
    }
}

/// As wide as a time before a name.
const INDENT: &str = "\n          ";

/// On one line, or on further ones that are set in, whatever ends a line.
fn indented(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let ends = [
        '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    let lines: Vec<&str> = text.split(ends).collect();
    plain(&lines.join("\n")).replace('\n', INDENT)
}

impl Write for Text {
    fn open(&mut self, out: &mut String, opening: &Opening) {
        let Words { exported, gone, .. } = self.words;
        let name = indented(&opening.room.name);
        let (now, zone) = (second(opening.now), zone(opening.now));
        *out += &format!("{name}\n{exported} {now} {zone}\n");
        if opening.floor > 0 {
            *out += &format!("{gone}\n");
        }
    }

    fn line(&mut self, out: &mut String, line: &Line) {
        let at = local(line.sent);
        let day = at.format("%Y-%m-%d").to_string();
        if day != self.day {
            *out += &format!("\n{day}\n");
            self.day = day;
        }
        let (time, name) = (at.format("%H:%M:%S"), indented(line.name));
        let text = line.text.as_deref().map(indented);
        let text = text.as_deref().unwrap_or(self.words.deleted);
        let edited = match line.edited {
            true => format!(" {}", self.words.edited),
            false => String::new(),
        };
        *out += &match line.is_message() {
            true => format!("{time}  {name}: {text}{edited}\n"),
            false => format!("{time}  * {text}\n"),
        };
    }

    fn turn(&mut self, out: &mut String) {
        *out += &format!("\n{}\n", self.words.attendance);
    }

    fn stay(&mut self, out: &mut String, stay: &Stay) {
        let from = second(stay.from);
        let to = stay.to.map_or_else(|| self.words.here.to_owned(), second);
        *out += &format!("{from} – {to}  {}\n", indented(stay.name));
    }

    fn close(&mut self, _: &mut String) {}
}
