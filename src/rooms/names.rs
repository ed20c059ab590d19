//! Names: which can be shown, and which look alike.

use sha2::{Digest, Sha256};

use crate::model::*;

/// How a name looks, by Unicode Technical Standard 39: an account's, by which it is found.
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

/// What two names in a room must not share: how a name looks, whatever its case. Accents are letters
/// of their own in many languages, and tell two apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// By its letters as they stand: a capital I is an l …
    seen: String,
    /// … and as they are read: it is an i.
    read: String,
}

impl Looks {
    pub fn of(name: &str) -> Looks {
        Looks {
            seen: caseless(&skeleton(name)),
            read: caseless(&skeleton(&caseless(name))),
        }
    }

    /// One, or two that differ.
    pub fn each(&self) -> impl Iterator<Item = &String> {
        let read = Some(&self.read).filter(|read| **read != self.seen);
        [&self.seen].into_iter().chain(read)
    }

    /// Whether one of these names may be taken for the other.
    pub fn meet(&self, other: &Looks) -> bool {
        self.each().any(|look| other.each().any(|o| o == look))
    }
}

/// The first 64 bits of a look's SHA-256. Two that share them would only keep one another out.
pub(super) fn digest(look: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(look).into();
    digest[..8]
        .iter()
        .fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// A text without its case. Letter by letter: a word's last sigma is the same as any other, or a
/// piece of a word would not be found in it. To small letters first, for the capital ẞ.
pub fn caseless(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name that can be shown: 1 to 64 characters, no controls, something to see.
pub fn check_name(of: NameOf, name: &str) -> Result<(), Refusal> {
    let fault = if name.chars().count() > MAX_NAME_CHARS {
        NameFault::TooLong
    } else if skeleton(name).is_empty() {
        NameFault::Empty
    } else if name.chars().any(is_hidden) || has_stray_tag(name) {
        NameFault::Controls
    } else {
        return Ok(());
    };
    Err(Refusal::BadName(of, fault))
}

/// What nobody sees, or what turns the letters around it (Unicode Standard Annex 9), and no script
/// needs. The joiners stay, for Persian, Hindi and emoji; so do the marks of direction, which put a
/// comma right, variation selectors, and the formats that one script alone has.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // The soft hyphen.
            '\u{ad}'
            // The blank without width; ends of lines and paragraphs, embeddings and overrides.
            | '\u{200b}' | '\u{2028}'..='\u{202e}'
            // Joiners of words, invisible signs, isolates, what is deprecated.
            | '\u{2060}'..='\u{206f}'
            // The byte order mark; annotations.
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            // A note without a head; beams and slurs.
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
            // A tag of a language.
            | '\u{e0000}' | '\u{e0001}')
}

/// Tags are seen in one place: the flags of England, Scotland and Wales are a black one with tags.
fn has_stray_tag(name: &str) -> bool {
    let mut in_flag = false;
    name.chars().any(|c| {
        let tag = matches!(c, '\u{e0020}'..='\u{e007f}');
        in_flag = c == '\u{1f3f4}' || (tag && in_flag);
        tag && !in_flag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_in_case_only_are_the_same() {
        for same in ["straße STRASSE STRAẞE", "ΟΔΟΣ οδος οδοσ", "Äpfel äPFEL"] {
            let mut words = same.split(' ').map(caseless);
            let first = words.next();
            assert!(words.all(|word| Some(word) == first), "{same}");
        }
    }

    #[test]
    fn a_name_looks_like_another_whatever_the_case_but_not_without_its_accents() {
        let alike = |a: &str, b: &str| Looks::of(a).meet(&Looks::of(b));
        for (a, b) in [
            ("Teacher", "teacher"),
            ("Teacher", "TEACHER"),
            // Cyrillic.
            ("Teacher", "T\u{415}A\u{421}HER"),
            ("Alice", "AIice"),
            ("Alice", "ALICE"),
            ("iris", "Iris"),
            ("Mama", "mama"),
            ("Mama", "MAMA"),
            ("Müller", "MÜLLER"),
            ("Strauß", "STRAUSS"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("Ada", "a\u{200d}da"),
        ] {
            assert!(alike(a, b) && alike(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("Teacher", "Téacher"),
            ("Müller", "Muller"),
            ("Kai", "Kal"),
            ("Ali", "All"),
            ("Jose", "José"),
        ] {
            assert!(!alike(a, b) && !alike(b, a), "{a} {b}");
        }
    }

    #[test]
    fn a_name_hides_nothing_and_has_what_its_script_needs() {
        let check = |name: &str| check_name(NameOf::Member, name);
        for hidden in [
            '\0',
            '\u{9f}',
            '\u{ad}',
            '\u{200b}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2067}',
            '\u{206a}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
        ] {
            let why = Err(Refusal::BadName(NameOf::Member, NameFault::Controls));
            assert_eq!(check(&format!("A{hidden}da")), why, "{hidden:?}");
        }
        for name in [
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}🏫",
            "❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} Ada",
            "辻\u{e0100}",
            "ᠠ\u{180e}",
            "שלום\u{200f}!",
            "\u{600}1",
            "O'Neill-Ñandú",
        ] {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }
}
