//! For spreadsheets: one table (RFC 4180), UTF-8 with a mark at its beginning, without which Excel
//! takes it for another coding. A cell that a spreadsheet would take for a formula is led by an
//! apostrophe: what a pupil typed is never calculated on the teacher's computer.

use super::{Line, Opening, Stay, Write, plain, second, zone};

pub struct Csv;

const MARK: &str = "\u{feff}";
const COLUMNS: [&str; 10] = [
    "kind", "at", "time", "until", "zone", "user", "name", "text", "reply", "edited",
];

/// What begins a formula: as it is, wide and small as East Asian keyboards have it, and the true
/// minus.
const FORMULA: [char; 13] = [
    '=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '\u{2212}',
];

/// A blank, or what shows nothing: a spreadsheet, or who cleans a file for one, may drop it.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Written by somebody: in quotes, and never a formula. What is not seen before it does not hide it.
fn cell(text: &str) -> String {
    let text = plain(text);
    let seen = text.trim_start_matches(is_unseen);
    let unseen = &text[..text.len() - seen.len()];
    let formula = seen.starts_with(FORMULA) || unseen.contains(['\t', '\r', '\n']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

fn row(out: &mut String, cells: [String; COLUMNS.len()]) {
    *out += &cells.join(",");
    *out += "\r\n";
}

fn number(n: Option<u64>) -> String {
    n.map(|n| n.to_string()).unwrap_or_default()
}

impl Write for Csv {
    fn open(&mut self, out: &mut String, opening: &Opening) {
        out.push_str(MARK);
        row(out, COLUMNS.map(str::to_owned));
        if opening.floor > 0 {
            let mut cells = [const { String::new() }; COLUMNS.len()];
            cells[0] = "gone".into();
            cells[1] = opening.floor.to_string();
            row(out, cells);
        }
    }

    fn line(&mut self, out: &mut String, line: &Line) {
        let cells = [
            line.kind.into(),
            line.at.to_string(),
            second(line.sent),
            String::new(),
            zone(line.sent),
            line.user.0.to_string(),
            cell(line.name),
            line.text.as_deref().map(cell).unwrap_or_default(),
            number(line.reply),
            if line.edited { "yes" } else { "" }.into(),
        ];
        row(out, cells);
    }

    fn turn(&mut self, _: &mut String) {}

    fn stay(&mut self, out: &mut String, stay: &Stay) {
        let cells = [
            "attendance".into(),
            String::new(),
            second(stay.from),
            stay.to.map(second).unwrap_or_default(),
            zone(stay.from),
            stay.user.0.to_string(),
            cell(stay.name),
            String::new(),
            String::new(),
            String::new(),
        ];
        row(out, cells);
    }

    fn close(&mut self, _: &mut String) {}
}
