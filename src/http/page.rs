//! What is the same for everybody and built in: the page, and the protocol's text out of README.
//! And `GET /` for who is no browser.
//!
//! Knows files and how to hand them out, not what is in them.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::Site;
use crate::door::{Answer, Kind, Request, header};

/// The files of the page by their names: `/page/NAME`, and the first one at `/`.
macro_rules! page {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../page/", $name)).as_slice()),)*] };
}
static PAGE: &[(&str, &[u8])] = &page! {
    "index.html"
    "app.js"
    "chat.js"
    "dom.js"
    "home.js"
    "i18n.js"
    "icon.svg"
    "list.js"
    "net.js"
    "people.js"
    "room.js"
    "store.js"
    "style.css"
    "sync.js"
};

/// README's chapters on both protocols, as its contents stand between these two headings.
const README: &str = include_str!("../../README.md");
const FROM: &str = "## Before the examples";
const TO: &str = "## What is promised, and what is not";

/// Made when the first of them is asked for: some milliseconds of packing.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    PAGE.iter()
        .map(|(name, bytes)| File::new(name, bytes))
        .collect()
});
static PROTOCOL: LazyLock<File> =
    LazyLock::new(|| File::new("protocol.txt", chapters().as_bytes()));

/// One file, as it is and packed.
struct File {
    name: &'static str,
    kind: &'static str,
    plain: Form,
    /// None where that would not be shorter.
    packed: Option<Form>,
}

/// The bytes of a file in one coding, with the strong entity tag of these bytes.
struct Form {
    bytes: Cow<'static, [u8]>,
    tag: String,
}

impl Form {
    fn new(bytes: Cow<'static, [u8]>) -> Form {
        let digest = Sha256::digest(&bytes);
        let hex: String = digest[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let tag = format!("\"{hex}\"");
        Form { bytes, tag }
    }
}

impl File {
    fn new(name: &'static str, bytes: &'static [u8]) -> File {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to a Vec cannot fail; if it did, the plain form would do.
        let packed = packer.write_all(bytes).and_then(|()| packer.finish());
        let packed = packed.ok().filter(|packed| packed.len() < bytes.len());
        File {
            name,
            kind: kind_of(name),
            plain: Form::new(bytes.into()),
            packed: packed.map(|packed| Form::new(packed.into())),
        }
    }

    /// The file in the best form that the client takes; 304 where it has that already.
    fn answer(&self, request: &Request) -> Answer {
        let packed = self.packed.as_ref().filter(|_| takes_gzip(request));
        let form = packed.unwrap_or(&self.plain);
        let known = request
            .all("If-None-Match")
            .any(|tags| names(tags, &form.tag));
        let answer = match known {
            true => Answer::from_data("").with_status_code(304),
            false => Answer::from_data(form.bytes.to_vec())
                .with_header(header("Content-Type", self.kind)),
        };
        let answer = match packed {
            Some(_) if !known => answer.with_header(header("Content-Encoding", "gzip")),
            _ => answer,
        };
        answer
            .with_header(header("ETag", &form.tag))
            // Kept, but asked for again each time: after an update nobody has half of the old page.
            .with_header(header("Cache-Control", "no-cache"))
            .with_header(header("Vary", "Accept, Accept-Encoding"))
    }
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether gzip is at least as welcome as the plain bytes (RFC 9110, 12.5.3).
fn takes_gzip(request: &Request) -> bool {
    let (mut gzip, mut any, mut identity) = (None, 0.0, 0.0);
    for coding in request
        .all("Accept-Encoding")
        .flat_map(|line| line.split(','))
    {
        let (name, quality) = quality(coding);
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "identity" => identity = quality,
            "*" => any = quality,
            _ => {}
        }
    }
    let gzip = gzip.unwrap_or(any);
    gzip > 0.0 && gzip >= identity
}

/// An element of an `Accept…` header and its weight: 1 where none is given, 0 where it is nonsense.
fn quality(element: &str) -> (&str, f32) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |q| q.parse().unwrap_or(0.0));
    (name, weight)
}

/// Whether an `If-None-Match` has this tag (RFC 9110, 13.1.2: weak or strong is the same here).
fn names(tags: &str, tag: &str) -> bool {
    let mut tags = tags.split(',').map(str::trim);
    tags.any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag)
}

/// Whether the client says that it reads HTML, as each browser does and curl does not.
fn is_browser(request: &Request) -> bool {
    let mut kinds = request.all("Accept").flat_map(|line| line.split(','));
    kinds.any(|kind| {
        let (name, weight) = quality(kind);
        name.eq_ignore_ascii_case("text/html") && weight > 0.0
    })
}

/// The page loads its own files and talks to the host that it came from; nobody may frame it. The
/// last three do not fall back on the first.
fn policy(host: Option<&str>) -> String {
    let sockets = match host {
        // Safari before 15.4 takes 'self' for http alone.
        Some(host) if !host.contains('[') => format!(" ws://{host} wss://{host}"),
        // A policy cannot name an IPv6 address.
        _ => " ws: wss:".into(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The host as the client named it, if that can be nothing else.
pub(super) fn host(request: &Request) -> Option<&str> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let host = request.header("Host")?;
    (!host.is_empty() && host.bytes().all(is_host)).then_some(host)
}

impl Site {
    pub(super) fn page(&self, request: &Request) -> Answer {
        if !is_browser(request) {
            return self.about(request);
        }
        FILES[0]
            .answer(request)
            .with_header(header("Content-Security-Policy", &policy(host(request))))
            // A link of a message does not tell others where it was said.
            .with_header(header("Referrer-Policy", "no-referrer"))
    }

    pub(super) fn page_file(&self, request: &Request, name: &str) -> Answer {
        // The first is at `/`, where its links are right.
        match FILES[1..].iter().find(|file| file.name == name) {
            Some(file) => file
                .answer(request)
                // An icon that is opened by itself is a document, too.
                .with_header(header("Content-Security-Policy", "default-src 'none'")),
            None => self.astray(Kind::Http, request),
        }
    }

    /// For curl and the like: what this is and where the rest is.
    fn about(&self, request: &Request) -> Answer {
        let host = host(request);
        let http = host.map_or_else(|| self.http.to_string(), str::to_owned);
        let name = host.map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        });
        let ws = match name {
            Some(name) => format!("{name}:{}", self.ws.port()),
            None => self.ws.to_string(),
        };
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            "parlor {version}, a small chat server\n\n\
             The page           http://{http}/  (in a browser)\n\
             HTTP room API      http://{http}/\n\
             WebSocket          ws://{ws}/ws, and ws://{http}/ws\n\
             How to talk to it  http://{http}/protocol\n"
        );
        Answer::from_string(text)
            .with_header(header("Content-Type", "text/plain; charset=utf-8"))
            .with_header(header("Content-Security-Policy", "default-src 'none'"))
            .with_header(header("Cache-Control", "no-cache"))
            .with_header(header("Vary", "Accept, Accept-Encoding"))
    }
}

pub(super) fn protocol(request: &Request) -> Answer {
    PROTOCOL.answer(request)
}

fn chapters() -> &'static str {
    let from = README.find(FROM).unwrap_or(0);
    let to = README.find(TO).unwrap_or(README.len());
    README.get(from..to).unwrap_or(README)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::{HTTPVersion, Method};

    fn asking(name: &'static str, value: &str) -> Request {
        Request {
            method: Method::Get,
            path: "/".into(),
            query: String::new(),
            version: HTTPVersion(1, 1),
            headers: vec![header(name, value)],
            body: vec![],
            keep_alive: true,
        }
    }

    #[test]
    fn the_protocol_text_is_both_protocols_and_not_all_of_readme() {
        let text = super::chapters();
        assert!(text.contains("/room/create") && text.contains("\"auth\""));
        assert!(text.starts_with(super::FROM) && !text.contains(super::TO));
    }

    #[test]
    fn every_file_has_a_kind_and_the_page_is_the_first() {
        assert_eq!(FILES[0].name, "index.html");
        for file in FILES.iter() {
            assert!(!file.kind.starts_with("application/"), "{}", file.name);
            let packed = file.packed.as_ref().map(|form| &form.tag);
            assert_ne!(packed, Some(&file.plain.tag), "{}", file.name);
        }
    }

    #[test]
    fn gzip_is_sent_to_who_prefers_it_only() {
        for (value, takes) in [
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*;q=0", false),
            ("br", false),
            ("gzip;q=0.2, identity;q=0.9", false),
            ("gzip;q=much", false),
            ("", false),
        ] {
            assert_eq!(
                takes_gzip(&asking("Accept-Encoding", value)),
                takes,
                "{value}"
            );
        }
    }

    #[test]
    fn a_tag_is_found_weak_or_strong_among_others() {
        assert!(names("\"a\", W/\"b\"", "\"b\"") && names("*", "\"b\""));
        assert!(!names("\"a\"", "\"b\"") && !names("b", "\"b\""));
    }

    #[test]
    fn who_reads_html_is_a_browser() {
        let is = |value| is_browser(&asking("Accept", value));
        assert!(is("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!is("*/*") && !is("application/json") && !is("text/html;q=0"));
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(host(&asking("Host", "x.example:80")), Some("x.example:80"));
        assert_eq!(host(&asking("Host", "x; script-src *")), None);
        assert_eq!(host(&asking("Accept", "*/*")), None);
        assert!(policy(Some("x:80")).contains("connect-src 'self' ws://x:80 wss://x:80;"));
        assert!(policy(Some("[::1]:80")).contains("connect-src 'self' ws: wss:;"));
    }
}
