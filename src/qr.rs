//! A text as a QR code, drawn for a page or for a terminal. Knows nothing of what the text says.

use qrcode::QrCode;
use qrcode::render::{svg, unicode::Dense1x2};

/// Longer texts make squares too small for a phone to read across a classroom; a link into a room
/// with its owner key is half of this.
pub const MAX_BYTES: usize = 300;

/// Black on white whatever the terminal's own colours are: of the 256 that have fixed ones.
const INK_ON_PAPER: &str = "\u{1b}[38;5;16;48;5;231m";
const AS_BEFORE: &str = "\u{1b}[0m";

/// An SVG image that scales, dark on white, with the quiet zone that readers need around it. None
/// if the text is too long.
pub fn svg(text: &str) -> Option<String> {
    Some(code(text)?.render::<svg::Color>().build())
}

/// Lines for a terminal, two rows of squares in each.
pub fn terminal(text: &str) -> Option<String> {
    let drawn = code(text)?.render::<Dense1x2>().build();
    let lines = drawn.lines();
    Some(
        lines
            .map(|line| format!("{INK_ON_PAPER}{line}{AS_BEFORE}\n"))
            .collect(),
    )
}

/// It can be read with a seventh of it covered.
fn code(text: &str) -> Option<QrCode> {
    (text.len() <= MAX_BYTES)
        .then(|| QrCode::new(text).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader makes of the dark squares, the quiet zone around them cut off.
    fn read(dark: Vec<Vec<bool>>) -> String {
        const QUIET: usize = 4;
        let size = dark.len();
        let rim = |at| !(QUIET..size - QUIET).contains(&at);
        for (y, row) in dark.iter().enumerate() {
            assert_eq!(row.len(), size, "square");
            let bare = (0..size).all(|x| !(row[x] && (rim(x) || rim(y))));
            assert!(bare, "nothing in the quiet zone");
        }
        let inside = |x: usize, y: usize| dark[y + QUIET][x + QUIET];
        let grid = rqrr::SimpleGrid::from_func(size - 2 * QUIET, inside);
        rqrr::Grid::new(grid).decode().expect("readable").1
    }

    const LINK: &str = "http://192.168.1.5:8080/#/room/7?owner=0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reader_reads_in_the_terminal_what_was_drawn() {
        let drawn = terminal(LINK).expect("short enough");
        let mut dark: Vec<Vec<bool>> = vec![];
        for line in drawn.lines() {
            let line = line.strip_prefix(INK_ON_PAPER).expect("black on white");
            let line = line
                .strip_suffix(AS_BEFORE)
                .expect("and as before after it");
            for half in ["█▀", "█▄"] {
                dark.push(line.chars().map(|c| half.contains(c)).collect());
            }
        }
        // The last line has one row only.
        dark.truncate(dark[0].len());
        assert_eq!(read(dark), LINK);
    }

    #[test]
    fn a_text_that_is_too_long_is_no_code() {
        assert!(svg(&"x".repeat(MAX_BYTES)).is_some());
        assert!(svg(&"x".repeat(MAX_BYTES + 1)).is_none());
    }
}
