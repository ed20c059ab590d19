//! A small HTTP/1.1 client: one connection a call, headers as given, a deadline on every wait.

use super::{DEADLINE, short, tell};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// An address and the headers that every call from here carries.
#[derive(Clone)]
pub struct Http {
    addr: SocketAddr,
    /// Where the calls come from; None leaves it to the system.
    from: Option<IpAddr>,
    headers: Vec<(String, String)>,
    /// What `Host` says.
    host: String,
}

impl Http {
    pub fn new(addr: SocketAddr) -> Http {
        Http {
            addr,
            host: addr.to_string(),
            from: None,
            headers: Vec::new(),
        }
    }

    /// The same asking for a host by its name.
    pub fn named(&self, host: &str) -> Http {
        Http {
            host: host.to_owned(),
            ..self.clone()
        }
    }

    /// The same calling from another address of this machine: to parlor, somebody else.
    pub fn calling_from(&self, from: [u8; 4]) -> Http {
        Http {
            from: Some(from.into()),
            ..self.clone()
        }
    }

    /// The same with one more header.
    pub fn with(&self, name: &str, value: &str) -> Http {
        let mut http = self.clone();
        http.headers.push((name.to_string(), value.to_string()));
        http
    }

    pub fn bearer(&self, token: &str) -> Http {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    pub fn english(&self) -> Http {
        self.with("Accept-Language", "en")
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.begin("POST", path, body.to_string()).finish()
    }

    /// A body that need not be JSON.
    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.begin("POST", path, body.to_string()).finish()
    }

    pub fn get(&self, path: &str) -> Reply {
        self.begin("GET", path, String::new()).finish()
    }

    pub fn head(&self, path: &str) -> Reply {
        self.begin("HEAD", path, String::new()).finish()
    }

    /// The same as a browser asks for a page.
    pub fn browser(&self) -> Http {
        self.with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
    }

    /// Writes the whole request and leaves the answer for later.
    pub fn begin(&self, method: &str, path: &str, body: String) -> Waiting {
        tell(format!(
            "> {method} {path} {} {}",
            self.headers_in_short(),
            short(&body)
        ));
        let mut stream = self.connect();
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.host
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            head += &format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        stream
            .write_all((head + "\r\n" + &body).as_bytes())
            .expect("a request written");
        Waiting {
            stream,
            read: Vec::new(),
            ended: false,
            head_only: method == "HEAD",
        }
    }

    fn connect(&self) -> TcpStream {
        let Some(from) = self.from else {
            return TcpStream::connect_timeout(&self.addr, DEADLINE).expect("a connection");
        };
        let addr = self.addr.into();
        let socket = Socket::new(Domain::for_address(self.addr), Type::STREAM, None);
        let socket = socket.expect("a socket");
        let bound = socket.bind(&SocketAddr::new(from, 0).into());
        bound.unwrap_or_else(|e| panic!("{from} is no address of this machine: {e}"));
        socket
            .connect_timeout(&addr, DEADLINE)
            .expect("a connection");
        socket.into()
    }

    fn headers_in_short(&self) -> String {
        self.headers
            .iter()
            .map(|(n, v)| format!("[{n}: {v}]"))
            .collect()
    }
}

/// A call whose answer is not read yet.
pub struct Waiting {
    stream: TcpStream,
    read: Vec<u8>,
    ended: bool,
    head_only: bool,
}

impl Waiting {
    /// Is the whole answer here, at the latest after `patience`?
    pub fn answered_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut buffer = [0; 16 * 1024];
        while !self.ended {
            let left = until.saturating_duration_since(Instant::now());
            self.stream
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .expect("a timeout");
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => self.read.extend_from_slice(&buffer[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("the answer broke off: {e}; read so far {:?}", self.so_far()),
            }
        }
        true
    }

    pub fn finish(self) -> Reply {
        self.finish_within(DEADLINE)
    }

    /// Reads to the end of the connection, which every call here asks for.
    pub fn finish_within(mut self, patience: Duration) -> Reply {
        let whole = self.answered_within(patience);
        assert!(
            whole,
            "no whole answer within {patience:?}; read so far {:?}",
            self.so_far()
        );
        let reply = Reply::parse(&self.read, self.head_only);
        tell(format!("< {} {}", reply.status, short(&reply.body)));
        reply
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body; empty where it is packed.
    pub body: String,
    /// As it came, without its chunks.
    pub bytes: Vec<u8>,
    /// The body; null where it is not JSON.
    pub json: Value,
}

impl Reply {
    fn parse(bytes: &[u8], head_only: bool) -> Reply {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut slots);
        let parsed = response.parse(bytes);
        let Ok(httparse::Status::Complete(head)) = parsed else {
            panic!(
                "not an HTTP answer ({parsed:?}): {:?}",
                String::from_utf8_lossy(bytes)
            );
        };
        let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
        let headers: Vec<_> = response
            .headers
            .iter()
            .map(|h| (h.name.to_string(), text(h.value)))
            .collect();
        let status = response.code.expect("complete");
        let mut reply = Reply {
            status,
            headers,
            body: String::new(),
            bytes: Vec::new(),
            json: Value::Null,
        };
        let chunked = reply
            .header("Transfer-Encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        let body = if chunked {
            unchunk(&bytes[head..])
        } else {
            bytes[head..].to_vec()
        };
        if let Some(length) = reply.header("Content-Length")
            && !head_only
        {
            assert_eq!(
                length,
                body.len().to_string(),
                "Content-Length and what came"
            );
        }
        if reply.header("Content-Encoding").is_none() {
            reply.body = String::from_utf8(body.clone()).expect("an answer in UTF-8");
        }
        reply.bytes = body;
        reply.json = serde_json::from_str(&reply.body).unwrap_or_default();
        reply
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The `data` of a room API success.
    pub fn data(&self) -> Value {
        assert_eq!(
            (self.status, &self.json["success"]),
            (200, &Value::Bool(true)),
            "a success: {}",
            self.body
        );
        self.json["data"].clone()
    }

    /// A room API failure with this status and code word; answers its sentence.
    pub fn refused(&self, status: u16, code: &str) -> String {
        let json = &self.json;
        assert_eq!(
            (self.status, json["code"].as_str()),
            (status, Some(code)),
            "a refusal: {}",
            self.body
        );
        assert_eq!(json["success"], false, "{}", self.body);
        assert!(
            json.get("data").is_some_and(Value::is_null),
            "data is null: {}",
            self.body
        );
        let message = json["message"].as_str().unwrap_or_default();
        assert!(
            !message.is_empty(),
            "a sentence for a person: {}",
            self.body
        );
        message.to_string()
    }

    /// An accounts success with code 0.
    pub fn done(&self, status: u16) -> &Value {
        assert_eq!(
            (self.status, self.json["code"].as_i64()),
            (status, Some(0)),
            "a success: {}",
            self.body
        );
        &self.json
    }

    /// An accounts failure with this status and number; answers its reason.
    pub fn failed(&self, status: u16, code: i64) -> String {
        assert_eq!(
            (self.status, self.json["code"].as_i64()),
            (status, Some(code)),
            "a failure: {}",
            self.body
        );
        let reason = self.json["msg"].as_str().unwrap_or_default();
        assert!(!reason.is_empty(), "a reason: {}", self.body);
        reason.to_string()
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(rest) else {
            panic!("a broken chunk: {:?}", String::from_utf8_lossy(rest));
        };
        if size == 0 {
            return body;
        }
        let end = head + size as usize;
        assert!(rest.len() >= end + 2, "a chunk cut short");
        body.extend_from_slice(&rest[head..end]);
        rest = &rest[end + 2..];
    }
}
