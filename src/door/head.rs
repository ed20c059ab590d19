//! The head of a request, from bytes (RFC 9112). Pure: no sockets, no clock, and no idea what a
//! path means.

use tiny_http::{HTTPVersion, Header, HeaderField, Method};

use super::{Fault, MAX_BODY, MAX_HEAD, MAX_HEADERS};

#[derive(Debug)]
pub struct Head {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub version: HTTPVersion,
    pub headers: Vec<Header>,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expects_continue: bool,
}

/// How the body's end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes, at most `MAX_BODY`; 0 where there is no body.
    Length(usize),
    Chunked,
}

/// Reads the head at the front of `bytes`, which has no empty lines before it. `None`: some of it
/// is still to come. Otherwise the head and how many bytes it took. Only whole lines and the very
/// first byte are judged, so calling again is worth while only after a line's end.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    match bytes.first() {
        None => return Ok(None),
        // What a TLS handshake begins with: somebody typed https.
        Some(0x16) => {
            return Err(Fault::new(
                400,
                "This port speaks plain http. Use an address that begins with http://.",
            ));
        }
        Some(byte) if !is_token(*byte) => {
            return Err(Fault::new(400, "This is not an HTTP request."));
        }
        Some(_) => {}
    }
    let window = &bytes[..bytes.len().min(MAX_HEAD)];
    let end = find(window, b"\r\n\r\n").map(|at| at + 4);
    let judged = end.or_else(|| {
        window
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map(|at| at + 1)
    });
    if let Some(judged) = judged {
        let lines = &window[..judged];
        check_bytes(lines)?;
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(lines) {
            Ok(httparse::Status::Complete(length)) => return Ok(Some((head(&request)?, length))),
            Ok(httparse::Status::Partial) => {}
            Err(error) => return Err(explain(error, lines)),
        }
    }
    if bytes.len() < MAX_HEAD {
        Ok(None)
    } else if judged.is_none() {
        Err(Fault::new(414, "The address in the request is too long."))
    } else {
        Err(Fault::new(
            431,
            "The head of the request is larger than 16 KiB.",
        ))
    }
}

/// How many bytes of empty lines stand before a request line. RFC 9112, 2.2: a server should
/// overlook them.
pub fn empty_lines(bytes: &[u8]) -> usize {
    bytes
        .chunks_exact(2)
        .take_while(|pair| *pair == b"\r\n")
        .count()
        * 2
}

/// No byte that two readers of the same head could take differently: no control characters, nothing
/// beyond ASCII, and line ends are CR LF only.
fn check_bytes(lines: &[u8]) -> Result<(), Fault> {
    let mut before = 0;
    for &byte in lines {
        let fits = match byte {
            b'\n' => before == b'\r',
            _ if before == b'\r' => false,
            b'\r' | b'\t' => true,
            _ => matches!(byte, b' '..=b'~'),
        };
        if !fits {
            let sentence = match byte {
                0x80.. => "The head of the request has a character that is not ASCII.",
                b'\n' => "A line of the request's head does not end with CR LF.",
                _ => "The head of the request has a control character.",
            };
            return Err(Fault::new(400, sentence));
        }
        before = byte;
    }
    Ok(())
}

fn explain(error: httparse::Error, lines: &[u8]) -> Fault {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => Fault::new(431, "The request has more than 100 header lines."),
        Error::Version if third_word(lines).starts_with(b"HTTP/") => {
            Fault::new(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        }
        Error::HeaderName | Error::HeaderValue => {
            Fault::new(400, "A header line of the request is malformed.")
        }
        Error::Version | Error::Token | Error::NewLine | Error::Status => {
            Fault::new(400, "The request line is malformed.")
        }
    }
}

fn third_word(lines: &[u8]) -> &[u8] {
    let line = lines
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    line.split(|byte| *byte == b' ').nth(2).unwrap_or_default()
}

fn head(request: &httparse::Request) -> Result<Head, Fault> {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Fault::new(400, "The request line is malformed."));
    };
    let method: Method = method
        .parse()
        .map_err(|()| Fault::new(400, "The request line is malformed."))?;
    let version = HTTPVersion(1, minor);
    let headers = request
        .headers
        .iter()
        .map(|header| {
            Header::from_bytes(header.name, header.value)
                .map_err(|()| Fault::new(400, "A header line of the request is malformed."))
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_host(&headers, &version)?;
    let (path, query) = split_target(&method, target)?;
    let framing = framing(&method, &version, &headers)?;
    let keep_alive = if version == (1, 0) {
        has_option(&headers, "keep-alive") && !has_option(&headers, "close")
    } else {
        !has_option(&headers, "close")
    };
    let expects_continue = expects_continue(&headers, &version)?;
    Ok(Head {
        method,
        path,
        query,
        version,
        headers,
        framing,
        keep_alive,
        expects_continue,
    })
}

/// RFC 9112, 3.2: an HTTP/1.1 request has exactly one Host, and none may have two.
fn check_host(headers: &[Header], version: &HTTPVersion) -> Result<(), Fault> {
    let mut hosts = values(headers, "Host");
    match (hosts.next(), hosts.next()) {
        (None, _) if *version == (1, 0) => Ok(()),
        (None, _) => Err(Fault::new(400, "The request has no Host header.")),
        (Some(_), Some(_)) => Err(Fault::new(
            400,
            "The request has more than one Host header.",
        )),
        (Some(host), None) if host.bytes().all(is_host_byte) => Ok(()),
        (Some(_), None) => Err(Fault::new(
            400,
            "The Host header of the request is malformed.",
        )),
    }
}

/// The path and the query of a request target (RFC 9112, 3.2), both still percent-encoded.
fn split_target(method: &Method, target: &str) -> Result<(String, String), Fault> {
    let malformed = || {
        Fault::new(
            400,
            "The address in the request must be a path that begins with /.",
        )
    };
    if *method == Method::Connect {
        return Err(Fault::new(400, "This server is no proxy."));
    }
    if target == "*" && *method == Method::Options {
        return Ok(("*".to_owned(), String::new()));
    }
    let origin = if target.starts_with('/') {
        target
    } else {
        let (scheme, rest) = target.split_once("://").ok_or_else(malformed)?;
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if !known || path_at == 0 {
            return Err(malformed());
        }
        &rest[path_at..]
    };
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    let path = if path.is_empty() { "/" } else { path };
    Ok((path.to_owned(), query.to_owned()))
}

/// Which body follows (RFC 9112, 6). Whatever two readers could frame differently is refused: that
/// is how requests are smuggled past a proxy.
fn framing(method: &Method, version: &HTTPVersion, headers: &[Header]) -> Result<Framing, Fault> {
    let mut lengths = values(headers, "Content-Length");
    let length = lengths.next();
    let codings: Vec<&str> = values(headers, "Transfer-Encoding").collect();
    if !codings.is_empty() {
        if length.is_some() {
            return Err(Fault::new(
                400,
                "Content-Length and Transfer-Encoding exclude each other.",
            ));
        }
        if *version == (1, 0) {
            return Err(Fault::new(400, "HTTP/1.0 has no Transfer-Encoding."));
        }
        let chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
        return match codings[..] {
            [only] if chunked(only) => Ok(Framing::Chunked),
            // Another line, or nothing before a comma: somebody may have read only the first.
            _ if list(headers, "Transfer-Encoding").all(chunked) => Err(Fault::new(
                400,
                "The Transfer-Encoding header is malformed.",
            )),
            _ => Err(Fault::new(
                501,
                "The only Transfer-Encoding understood here is chunked.",
            )),
        };
    }
    let Some(length) = length else {
        return match method {
            Method::Post | Method::Put | Method::Patch => {
                Err(Fault::new(411, "The request needs a Content-Length."))
            }
            _ => Ok(Framing::Length(0)),
        };
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || lengths.next().is_some() {
        return Err(Fault::new(400, "The Content-Length header is malformed."));
    }
    match length.parse::<usize>() {
        Ok(length) if length <= MAX_BODY => Ok(Framing::Length(length)),
        // More digits than a number holds are too many bytes as well.
        _ => Err(Fault::too_large()),
    }
}

/// RFC 9110, 10.1.1.
fn expects_continue(headers: &[Header], version: &HTTPVersion) -> Result<bool, Fault> {
    let mut expects = false;
    for value in values(headers, "Expect") {
        if !value.eq_ignore_ascii_case("100-continue") {
            return Err(Fault::new(
                417,
                "The only expectation understood here is 100-continue.",
            ));
        }
        expects = *version != (1, 0);
    }
    Ok(expects)
}

fn values<'a>(headers: &'a [Header], name: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| HeaderField::equiv(&header.field, name))
        .map(|header| header.value.as_str())
}

/// The elements of a header that is a comma-separated list, over all its lines.
fn list<'a>(headers: &'a [Header], name: &'static str) -> impl Iterator<Item = &'a str> {
    values(headers, name)
        .flat_map(|value| value.split(','))
        .map(|element| element.trim_matches([' ', '\t']))
        .filter(|element| !element.is_empty())
}

fn has_option(headers: &[Header], option: &str) -> bool {
    list(headers, "Connection").any(|element| element.eq_ignore_ascii_case(option))
}

/// `tchar` of RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What `host` and `port` of RFC 3986 are made of.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Head {
        match parse(text.as_bytes()) {
            Ok(Some((head, length))) => {
                assert_eq!(length, text.len(), "{text:?}");
                head
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn status(bytes: impl AsRef<[u8]>) -> u16 {
        match parse(bytes.as_ref()) {
            Err(fault) => fault.status,
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes.as_ref())),
        }
    }

    fn get(lines: &str) -> String {
        format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
    }

    fn post(lines: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
    }

    #[test]
    fn a_head_is_read_and_its_length_told() {
        let mut bytes = b"GET /a%20b?c=d&e HTTP/1.1\r\nHost: x:1\r\nAccept:  */* \r\n\r\n".to_vec();
        let length = bytes.len();
        bytes.extend_from_slice(b"POST /next");
        let (head, taken) = parse(&bytes).unwrap().unwrap();
        assert_eq!(taken, length);
        assert_eq!(head.method, Method::Get);
        assert_eq!(
            (head.path.as_str(), head.query.as_str()),
            ("/a%20b", "c=d&e")
        );
        assert_eq!(head.headers[1].value.as_str(), "*/*");
        assert_eq!(head.framing, Framing::Length(0));
        assert!(head.keep_alive);
        for cut in 0..length {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for lines in [
            "A: b\r\n c\r\n", // obsolete fold
            "A : b\r\n",      // space before the colon
            " A: b\r\n",      // fold of the first header
            "A: b\0c\r\n",    // NUL
            "A: b\rc\r\n",    // bare CR
            "A: b\nC: d\r\n", // bare LF
            "A: b\x7f\r\n",   // DEL
            "A: \u{e9}\r\n",  // not ASCII
            "A\r\n",          // no colon
            ": b\r\n",        // no name
            "Host: y\r\n",    // a second Host
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(status(get(lines)), 400, "{lines:?}");
        }
        assert_eq!(status("GET / HTTP/1.1\nHost: x\n\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
        assert_eq!(status("GET /\r\n\r\n"), 400);
        assert_eq!(status("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.11\r\nHost: x\r\n\r\n"), 400);
        assert_eq!(status("GET / FTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("\x16\x03\x01\x02"), 400);
        assert_eq!(status("\0"), 400);
        assert_eq!(status("\r\n"), 400);
    }

    #[test]
    fn only_http_1_0_and_1_1_are_spoken() {
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        assert_eq!(status("GET / HTTP/0.9\r\n\r\n"), 505);
        assert_eq!(status("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), 505);
        assert_eq!(whole("GET / HTTP/1.0\r\n\r\n").version, (1, 0));
    }

    #[test]
    fn a_head_is_bounded_in_bytes_and_lines() {
        assert_eq!(status(format!("GET /{}", "a".repeat(MAX_HEAD))), 414);
        let line = |length: usize| get(&format!("A: {}\r\n", "a".repeat(length)));
        let rest = line(0).len();
        assert_eq!(whole(&line(MAX_HEAD - rest)).headers.len(), 2);
        assert_eq!(status(line(MAX_HEAD - rest + 1)), 431);
        let lines = |count: usize| get(&"A: b\r\n".repeat(count));
        assert_eq!(whole(&lines(MAX_HEADERS - 1)).headers.len(), MAX_HEADERS);
        assert_eq!(status(lines(MAX_HEADERS)), 431);
    }

    #[test]
    fn every_form_of_target_has_its_place() {
        let target = |method: &str, target: &str| {
            let text = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            match parse(text.as_bytes()) {
                Ok(Some((head, _))) => Ok((head.path, head.query)),
                Ok(None) => panic!("{text:?}"),
                Err(fault) => Err(fault.status),
            }
        };
        let is = |path: &str, query: &str| Ok((path.to_owned(), query.to_owned()));
        assert_eq!(target("GET", "/a?b?c"), is("/a", "b?c"));
        assert_eq!(target("GET", "//a"), is("//a", ""));
        assert_eq!(target("GET", "http://x:8080/a?b"), is("/a", "b"));
        assert_eq!(target("GET", "HTTP://x"), is("/", ""));
        assert_eq!(target("GET", "http://x?b"), is("/", "b"));
        assert_eq!(target("OPTIONS", "*"), is("*", ""));
        for (method, wrong) in [
            ("GET", "*"),
            ("GET", "a"),
            ("GET", "http:///a"),
            ("GET", "ftp://x/a"),
            ("CONNECT", "x:443"),
            ("CONNECT", "/"),
        ] {
            assert_eq!(target(method, wrong), Err(400), "{method} {wrong}");
        }
    }

    #[test]
    fn a_length_is_digits_once() {
        let length = |value: &str| parse(post(&format!("Content-Length: {value}\r\n")).as_bytes());
        for wrong in ["+1", "-1", "0x1", "", "1 1", "1,1", "1;"] {
            assert_eq!(length(wrong).unwrap_err().status, 400, "{wrong:?}");
        }
        let framing = |value| length(value).unwrap().unwrap().0.framing;
        assert_eq!(framing("65536"), Framing::Length(MAX_BODY));
        assert_eq!(framing("0"), Framing::Length(0));
        assert_eq!(framing("007"), Framing::Length(7));
        assert_eq!(length("65537").unwrap_err().status, 413);
        assert_eq!(length("100000000000").unwrap_err().status, 413);
        assert_eq!(length("99999999999999999999999").unwrap_err().status, 413);
    }

    #[test]
    fn only_chunked_once_is_understood() {
        assert_eq!(
            whole(&post("Transfer-Encoding: Chunked\r\n")).framing,
            Framing::Chunked
        );
        for (lines, expected) in [
            ("Transfer-Encoding: chunked, chunked\r\n", 400),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                400,
            ),
            ("Transfer-Encoding:\r\n", 400),
            ("Transfer-Encoding: ,chunked\r\n", 400),
            ("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n", 501),
            ("Transfer-Encoding: identity\r\n", 501),
            ("Transfer-Encoding: xchunked\r\n", 501),
        ] {
            assert_eq!(status(post(lines)), expected, "{lines:?}");
        }
        assert_eq!(
            status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400
        );
    }

    #[test]
    fn a_body_without_length_is_411_and_no_body_needs_none() {
        for method in ["POST", "PUT", "PATCH"] {
            assert_eq!(
                status(format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n")),
                411
            );
        }
        for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let head = whole(&format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert_eq!(head.framing, Framing::Length(0), "{method}");
        }
    }

    #[test]
    fn only_100_continue_may_be_expected() {
        assert!(whole(&post("Content-Length: 1\r\nExpect: 100-Continue\r\n")).expects_continue);
        assert_eq!(status(post("Content-Length: 1\r\nExpect: tea\r\n")), 417);
        let old = whole("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
        assert!(!old.expects_continue);
    }

    #[test]
    fn connections_persist_as_their_version_says() {
        assert!(!whole(&get("Connection: foo, Close\r\n")).keep_alive);
        assert!(whole(&get("Connection: Upgrade\r\n")).keep_alive);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn empty_lines_before_a_request_are_counted() {
        assert_eq!(empty_lines(b"\r\n\r\nGET"), 4);
        assert_eq!(empty_lines(b"GET\r\n"), 0);
        assert_eq!(empty_lines(b"\r\n\r"), 2);
    }
}
