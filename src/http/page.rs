//! `GET /`: what this is and where it is. And the protocol's text, out of README.

use super::Site;
use crate::door::{Answer, Request, header};

/// README's chapters on both protocols, as its contents stand between these two headings.
const README: &str = include_str!("../../README.md");
const FROM: &str = "## Before the examples";
const TO: &str = "## What is promised, and what is not";

/// The page loads nothing and nobody may frame it. The last three do not fall back on the first.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Site {
    pub(super) fn page(&self, request: &Request) -> Answer {
        let version = env!("CARGO_PKG_VERSION");
        // As the browser reached us; what it sent is shown only if it can be nothing but a host.
        let host = request
            .header("Host")
            .filter(|h| h.bytes().all(is_host))
            .unwrap_or_default();
        let http = if host.is_empty() {
            self.http.to_string()
        } else {
            host.to_owned()
        };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let ws = match name {
            "" => self.ws.to_string(),
            name => format!("{name}:{}", self.ws.port()),
        };
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>parlor</title>\n\
             <h1>parlor {version}</h1>\n<p>A small chat server.\n\
             <ul>\n<li>HTTP room API: <code>http://{http}/</code>\n\
             <li>WebSocket: <code>ws://{ws}/ws</code>\n</ul>\n\
             <p><a href=\"/protocol\">How to talk to it</a>\n</html>\n"
        );
        Answer::from_string(html)
            .with_header(header("Content-Type", "text/html; charset=utf-8"))
            .with_header(header("Content-Security-Policy", POLICY))
    }
}

fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)
}

pub(super) fn protocol() -> Answer {
    Answer::from_string(chapters()).with_header(header("Content-Type", "text/plain; charset=utf-8"))
}

fn chapters() -> &'static str {
    let from = README.find(FROM).unwrap_or(0);
    let to = README.find(TO).unwrap_or(README.len());
    README.get(from..to).unwrap_or(README)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_protocol_text_is_both_protocols_and_not_all_of_readme() {
        let text = super::chapters();
        assert!(text.contains("/room/create") && text.contains("\"auth\""));
        assert!(text.starts_with(super::FROM) && !text.contains(super::TO));
    }
}
