//! Names: which can be shown, and which look alike.

use crate::model::*;

/// What two names must not share: how they look, by Unicode Technical Standard 39.
/// Blanks at the ends, and how many stand in a row, are not seen.
pub fn skeleton(name: &str) -> String {
    // U+2800 is a Braille cell without dots: a letter to Unicode, a blank to the eye.
    let blank = |c: char| c.is_whitespace() || c == '\u{2800}';
    let skeleton: String = unicode_security::skeleton(name).collect();
    skeleton
        .split(blank)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A name that can be shown: 1 to 64 characters, no controls, something to see.
pub fn check_name(of: NameOf, name: &str) -> Result<(), Refusal> {
    // Embeddings, overrides and isolates (Unicode Standard Annex 9): they turn the letters around.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let fault = if name.chars().count() > MAX_NAME_CHARS {
        NameFault::TooLong
    } else if skeleton(name).is_empty() {
        NameFault::Empty
    } else if name.chars().any(|c| c.is_control() || turns(c)) {
        NameFault::Controls
    } else {
        return Ok(());
    };
    Err(Refusal::BadName(of, fault))
}
