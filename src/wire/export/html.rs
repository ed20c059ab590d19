//! For looking at: one file that loads nothing and runs nothing, whoever opens it wherever.

use super::{Line, Opening, Stay, Words, Write, local, plain, second, words, zone};
use crate::model::Lang;

const STYLE: &str = "body{font:1rem/1.4 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem}\
    table{border-collapse:collapse;width:100%}\
    th,td{padding:.2rem .5rem;text-align:start;vertical-align:top;border-bottom:1px solid #8884}\
    td:first-child{white-space:nowrap}\
    .text{white-space:pre-wrap;overflow-wrap:anywhere}\
    .note{font-style:italic}\
    :root{color-scheme:light dark}";

/// In the file and beside it: the style above, by its SHA-256, and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-qCqEG2Ske30eX8Iq6ci09+KqqnXmK14Lbeb90/8m7A4='; base-uri 'none'; \
    form-action 'none'";

pub struct Html {
    words: Words,
}

impl Html {
    pub fn new(lang: Lang) -> Html {
        Html { words: words(lang) }
    }
}

/// Text between tags or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn time(at: i64) -> String {
    let full = local(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, false);
    format!("<time datetime=\"{full}\">{}</time>", second(at))
}

impl Write for Html {
    fn open(&mut self, out: &mut String, opening: &Opening) {
        let Words {
            lang,
            exported,
            gone,
            ..
        } = self.words;
        let name = escaped(&opening.room.name);
        let (now, zone) = (time(opening.now), zone(opening.now));
        let gone = match opening.floor {
            0 => String::new(),
            _ => format!("<p>{gone}</p>\n"),
        };
        *out += &format!(
            "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1 dir=\"auto\">{name}</h1>\n<p>{exported} {now} {zone}</p>\n{gone}<table>\n"
        );
    }

    fn line(&mut self, out: &mut String, line: &Line) {
        let (at, time, name) = (line.at, time(line.sent), escaped(line.name));
        let text = line.text.as_deref().map(escaped);
        let text = text.as_deref().unwrap_or(self.words.deleted);
        *out += &match line.is_message() {
            true => {
                let reply = line.reply.map(|to| format!("<a href=\"#m{to}\">↩</a> "));
                let edited = match line.edited {
                    true => format!(" <span class=\"note\">{}</span>", self.words.edited),
                    false => String::new(),
                };
                format!(
                    "<tr id=\"m{at}\"><td>{time}</td><td dir=\"auto\">{name}</td>\
                     <td class=\"text\" dir=\"auto\">{}{text}{edited}</td></tr>\n",
                    reply.unwrap_or_default()
                )
            }
            false => format!(
                "<tr><td>{time}</td><td class=\"note\" colspan=\"2\" dir=\"auto\">{text}</td></tr>\n"
            ),
        };
    }

    fn turn(&mut self, out: &mut String) {
        let Words {
            attendance,
            name,
            from,
            to,
            ..
        } = self.words;
        *out += &format!(
            "</table>\n<h2>{attendance}</h2>\n<table>\n\
             <tr><th>{from}</th><th>{to}</th><th>{name}</th></tr>\n"
        );
    }

    fn stay(&mut self, out: &mut String, stay: &Stay) {
        let to = stay.to.map_or_else(|| self.words.here.to_owned(), time);
        let (from, name) = (time(stay.from), escaped(stay.name));
        *out += &format!("<tr><td>{from}</td><td>{to}</td><td dir=\"auto\">{name}</td></tr>\n");
    }

    fn close(&mut self, out: &mut String) {
        out.push_str("</table>\n</body>\n</html>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_policy_names_the_style_that_is_in_the_file() {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digest = Sha256::digest(STYLE);
        let mut base64 = String::new();
        for three in digest.chunks(3) {
            let bits = (0..3).fold(0, |b, i| b << 8 | u32::from(*three.get(i).unwrap_or(&0)));
            let letters = (0..4).map(|i| LETTERS[(bits >> (18 - 6 * i)) as usize & 63] as char);
            base64.extend(letters.take(three.len() + 1));
        }
        base64.push('=');
        assert!(POLICY.contains(&format!("'sha256-{base64}'")), "{base64}");
    }
}
