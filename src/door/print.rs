//! A whole answer, as bytes. Pure: no sockets.

use std::io;

use tiny_http::{HTTPVersion, Header};

use super::Answer;

/// On every answer unless it has its own. The page may be opened from elsewhere, and no call rests
/// on cookies, so any origin may call; nobody needs to know what the server is built with.
const ALWAYS: [(&str, &str); 3] = [
    ("Server", "parlor"),
    ("X-Content-Type-Options", "nosniff"),
    ("Access-Control-Allow-Origin", "*"),
];

/// The bytes of `answer`; without its content, but with its length, where `head_only` says so.
/// `connection` is what the `Connection` header says, where there is one.
pub fn print(mut answer: Answer, head_only: bool, connection: Option<&str>) -> io::Result<Vec<u8>> {
    for (name, value) in ALWAYS {
        if !answer
            .headers()
            .iter()
            .any(|header| header.field.equiv(name))
        {
            answer.add_header(header(name, value));
        }
    }
    let status = answer.status_code().0;
    let mut bytes = Vec::with_capacity(512 + answer.data_length().unwrap_or(0));
    answer.with_chunked_threshold(usize::MAX).raw_print(
        &mut bytes,
        HTTPVersion(1, 1),
        &[],
        head_only,
        None,
    )?;
    // RFC 9110, 8.6: no Content-Length where there cannot be content; tiny_http writes one.
    if matches!(status, 100..=199 | 204 | 304) {
        cut_line(&mut bytes, b"\r\nContent-Length: ");
    }
    // tiny_http never prints these: its own listener decided them.
    let own = match (connection, status) {
        // RFC 9110, 15.5.22: it says what to upgrade to.
        (Some(connection), 426) => {
            format!("\r\nConnection: {connection}, Upgrade\r\nUpgrade: websocket")
        }
        (None, 426) => "\r\nConnection: Upgrade\r\nUpgrade: websocket".into(),
        (Some(connection), _) => format!("\r\nConnection: {connection}"),
        (None, _) => String::new(),
    };
    let at = line_end(&bytes, 0);
    bytes.splice(at..at, own.into_bytes());
    Ok(bytes)
}

/// The head of an answer whose length nobody knows yet: its content follows in chunks (RFC 9112,
/// 7.1), or without, up to the end of the connection.
pub fn print_head(answer: Answer, chunked: bool, connection: Option<&str>) -> io::Result<Vec<u8>> {
    let mut bytes = print(answer, true, connection)?;
    cut_line(&mut bytes, b"\r\nContent-Length: ");
    if chunked {
        let at = line_end(&bytes, 0);
        bytes.splice(at..at, *b"\r\nTransfer-Encoding: chunked");
    }
    Ok(bytes)
}

/// A header that the program itself writes.
pub fn header(name: &'static str, value: &str) -> Header {
    // Only what is not ASCII fails.
    Header::from_bytes(name, value).expect("an ASCII header")
}

/// Cuts the first line that begins so (with the line end before it).
fn cut_line(bytes: &mut Vec<u8>, begin: &[u8]) {
    if let Some(at) = bytes
        .windows(begin.len())
        .position(|window| window == begin)
    {
        let end = line_end(bytes, at + 2);
        bytes.drain(at..end);
    }
}

/// Where the line that `from` is in ends.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.iter().skip(from);
    rest.take_while(|byte| **byte != b'\r').count() + from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: Answer, head_only: bool, connection: Option<&str>) -> String {
        let text = String::from_utf8(print(answer, head_only, connection).unwrap()).unwrap();
        let is_date = |line: &&str| line.starts_with("Date: ");
        assert_eq!(text.split("\r\n").filter(is_date).count(), 1, "{text}");
        let rest: Vec<&str> = text.split("\r\n").filter(|line| !is_date(line)).collect();
        rest.join("\r\n")
    }

    #[test]
    fn an_answer_has_its_length_and_the_headers_of_all() {
        assert_eq!(
            text(Answer::from_data("hi"), false, Some("close")),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nServer: parlor\r\nX-Content-Type-Options: nosniff\r\n\
             Access-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nhi"
        );
        let large = text(Answer::from_data("a".repeat(2_000_000)), false, None);
        assert!(large.contains("\r\nContent-Length: 2000000\r\n"));
        assert!(!large.contains("Transfer-Encoding") && !large.contains("Connection"));
    }

    #[test]
    fn what_follows_in_pieces_has_no_length() {
        for (chunked, connection) in [(true, None), (false, Some("close"))] {
            let head = print_head(Answer::from_data(""), chunked, connection).unwrap();
            let head = String::from_utf8(head).unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"));
            assert!(!head.contains("Content-Length"), "{head}");
            let coded = head.contains("\r\nTransfer-Encoding: chunked\r\n");
            assert_eq!(coded, chunked, "{head}");
        }
    }

    #[test]
    fn head_has_the_length_but_no_content() {
        let head = text(Answer::from_data("hi"), true, None);
        assert!(head.ends_with("\r\nContent-Length: 2\r\n\r\n"), "{head}");
    }

    #[test]
    fn an_answer_without_content_has_no_length() {
        let empty = text(Answer::from_data("").with_status_code(204), false, None);
        assert!(
            !empty.contains("Content-Length") && empty.ends_with("\r\n\r\n"),
            "{empty}"
        );
        assert_eq!(empty.matches("\r\n\r\n").count(), 1, "{empty}");
    }

    #[test]
    fn an_answers_own_header_wins() {
        let own =
            Answer::from_data("").with_header(header("access-control-allow-origin", "https://x"));
        let own = text(own, false, None);
        assert!(
            own.contains("https://x") && !own.contains("Access-Control-Allow-Origin: *"),
            "{own}"
        );
    }
}
