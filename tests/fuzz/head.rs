//! The head of a request: whatever is accepted has one reading only, wherever it was cut, and a
//! second reader that knows less comes to the same.

use super::runner::happened;
use parlor::door::head::{Framing, Head, parse};
use parlor::door::{MAX_BODY, MAX_HEAD, MAX_HEADERS};

pub const WORDS: &[&str] = &[
    "GET ",
    "POST ",
    "PUT ",
    "OPTIONS ",
    "CONNECT ",
    "BREW ",
    "* ",
    "http://x/",
    "https://x?",
    "?",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "\0",
    "\t",
    "\u{b}",
    "\u{7f}",
    "\u{e9}",
    "Host: x\r\n",
    "Host:\r\n",
    "Host: [::1]:80\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 65536\r\n",
    "Content-Length: 65537\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: +1\r\n",
    "Content-Length: 0x1\r\n",
    "Content-Length : 1\r\n",
    "content-LENGTH:1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding:\u{b}chunked\r\n",
    "Transfer-Encoding: ,\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Expect: 100-continue\r\n",
    " folded: 1\r\n",
    ": 1\r\n",
    "A: b\r\n",
];

pub fn run(input: &[u8]) -> Vec<u64> {
    let read = parse(input);
    check_prefixes(input, matches!(read, Ok(Some(_))));
    let what = match &read {
        Err(fault) => {
            assert!((400..=599).contains(&fault.status), "{fault:?}");
            happened((fault.status, fault.sentence))
        }
        Ok(None) => {
            assert!(input.len() < MAX_HEAD, "waits for more than a head may be");
            happened("more")
        }
        Ok(Some((head, length))) => {
            check(head, &input[..*length]);
            let version = (head.version.0, head.version.1);
            let kind = match head.framing {
                Framing::Length(n) => n.min(2),
                Framing::Chunked => 99,
            };
            let count = (head.headers.len() as u64 + 1).ilog2();
            let form = (version, head.keep_alive, head.expects_continue, count);
            happened((head.path == "*", head.query.is_empty(), kind, form))
        }
    };
    vec![what]
}

/// While it comes in, line by line, nothing is said of a head that is accepted when it is whole,
/// and nothing is refused that would be accepted later.
fn check_prefixes(input: &[u8], accepted: bool) {
    let Some(whole) = find(input, b"\r\n\r\n").filter(|_| accepted) else {
        return;
    };
    let ends = input[..whole + 3].iter().enumerate();
    for (at, _) in ends.filter(|(_, byte)| **byte == b'\n') {
        let before = parse(&input[..=at]);
        assert!(matches!(before, Ok(None)), "cut after {at}: {before:?}");
    }
}

fn check(head: &Head, bytes: &[u8]) {
    assert!(bytes.len() <= MAX_HEAD && bytes.ends_with(b"\r\n\r\n"));
    assert!(head.headers.len() <= MAX_HEADERS);
    assert!(head.path.starts_with('/') || head.path == "*", "{head:?}");
    let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(visible(&head.path) && visible(&head.query), "{head:?}");
    assert!([(1, 0), (1, 1)].contains(&(head.version.0, head.version.1)));

    // The second reader: lines, split at the first colon.
    let text = std::str::from_utf8(bytes).expect("ASCII");
    let lines: Vec<&str> = text.trim_end_matches("\r\n").split("\r\n").collect();
    let field = |line: &&str| {
        let (name, value) = line.split_once(':').expect("a colon");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let fields: Vec<(String, String)> = lines[1..].iter().map(field).collect();
    assert_eq!(fields.len(), head.headers.len());
    for ((name, value), header) in fields.iter().zip(&head.headers) {
        assert!(header.field.as_str().as_str().eq_ignore_ascii_case(name));
        assert_eq!(header.value.as_str(), value);
    }
    let all = |wanted: &str| -> Vec<&str> {
        let named = fields.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| value.as_str()).collect()
    };
    assert!(all("host").len() <= 1);
    assert!(all("host").len() == 1 || head.version == (1, 0));
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    match head.framing {
        Framing::Chunked => {
            assert!(lengths.is_empty() && codings.len() == 1, "{head:?}");
            assert!(codings[0].trim_matches([',', ' ', '\t']).len() == "chunked".len());
        }
        Framing::Length(length) => {
            assert!(length <= MAX_BODY && codings.is_empty(), "{head:?}");
            match lengths[..] {
                [] => assert_eq!(length, 0),
                [said] => assert_eq!(said.parse(), Ok(length)),
                _ => panic!("{head:?}"),
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}
