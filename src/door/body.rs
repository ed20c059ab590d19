//! The body of a request, fed as its bytes come (RFC 9112, 6 and 7). Pure: no sockets, no clock.

use super::head::Framing;
use super::{Fault, MAX_BODY, MAX_HEAD, MAX_HEADERS};

/// All chunk-size lines of a body together. A client that writes 64 KiB in pieces of 1 KiB needs a
/// tenth of it; more is somebody who sends almost nothing at great length.
const MAX_SIZE_LINES: usize = 4 * 1024;

pub struct Body {
    /// At most `MAX_BODY` bytes.
    content: Vec<u8>,
    stage: Stage,
    /// The line begun but not ended, within the limit of its stage.
    line: Vec<u8>,
    size_lines_left: usize,
    trailers_left: usize,
    trailer_lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// So many bytes are left of a body of known length.
    Plain(usize),
    /// A chunk's size is next.
    Size,
    /// So many bytes are left of this chunk.
    Data(usize),
    /// The CR LF after a chunk is next.
    DataEnd,
    /// Trailer lines, up to an empty one.
    Trailers,
    Done,
}

impl Body {
    pub fn new(framing: Framing) -> Body {
        Body {
            content: Vec::new(),
            stage: match framing {
                Framing::Length(0) => Stage::Done,
                Framing::Length(length) => Stage::Plain(length),
                Framing::Chunked => Stage::Size,
            },
            line: Vec::new(),
            size_lines_left: MAX_SIZE_LINES,
            trailers_left: MAX_HEAD,
            trailer_lines: 0,
        }
    }

    pub fn is_whole(&self) -> bool {
        self.stage == Stage::Done
    }

    pub fn into_content(self) -> Vec<u8> {
        self.content
    }

    /// Takes what belongs to this body from the front of `bytes`; tells how many bytes that was.
    /// What is left over once the body is whole belongs to the next request.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut used = 0;
        while self.stage != Stage::Done && used < bytes.len() {
            let rest = &bytes[used..];
            used += match self.stage {
                Stage::Plain(left) | Stage::Data(left) => self.take_content(left, rest),
                _ => self.take_line(rest)?,
            };
        }
        Ok(used)
    }

    fn take_content(&mut self, left: usize, rest: &[u8]) -> usize {
        let taken = left.min(rest.len());
        self.content.extend_from_slice(&rest[..taken]);
        let left = left - taken;
        self.stage = match self.stage {
            Stage::Plain(_) if left == 0 => Stage::Done,
            Stage::Plain(_) => Stage::Plain(left),
            _ if left == 0 => Stage::DataEnd,
            _ => Stage::Data(left),
        };
        taken
    }

    fn take_line(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(rest.len(), |at| at + 1);
        let length = self.line.len() + taken;
        match self.stage {
            Stage::Size if length > self.size_lines_left => {
                return Err(Fault::new(400, "The chunk sizes of the body are too long."));
            }
            Stage::Trailers if length > self.trailers_left || self.trailer_lines > MAX_HEADERS => {
                return Err(Fault::new(431, "The trailers of the body are too long."));
            }
            Stage::DataEnd if length > 2 => return Err(malformed()),
            _ => {}
        }
        self.line.extend_from_slice(&rest[..taken]);
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.end_line(line.strip_suffix(b"\r\n").ok_or_else(malformed)?, length)?;
        }
        Ok(taken)
    }

    /// `length` counts the line's end, too.
    fn end_line(&mut self, line: &[u8], length: usize) -> Result<(), Fault> {
        if line.iter().any(|byte| !matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(malformed());
        }
        self.stage = match self.stage {
            Stage::Size => {
                self.size_lines_left -= length;
                match chunk_size(line).ok_or_else(malformed)? {
                    0 => Stage::Trailers,
                    size if size > (MAX_BODY - self.content.len()) as u64 => {
                        return Err(Fault::too_large());
                    }
                    // Not more than MAX_BODY, so it fits.
                    size => Stage::Data(size as usize),
                }
            }
            Stage::DataEnd if line.is_empty() => Stage::Size,
            Stage::Trailers if line.is_empty() => Stage::Done,
            Stage::Trailers if line.iter().position(|byte| *byte == b':') > Some(0) => {
                self.trailers_left -= length;
                self.trailer_lines += 1;
                Stage::Trailers
            }
            _ => return Err(malformed()),
        };
        Ok(())
    }
}

/// `1F` or `1F;extension`, without its line end. Stricter than `httparse::parse_chunk_size`, which
/// takes an empty line for a zero.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (size, rest) = line.split_at(digits);
    let extension = rest.trim_ascii_start();
    if !extension.is_empty() && extension[0] != b';' {
        return None;
    }
    // Empty or too large for a u64 is an error here.
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

fn malformed() -> Fault {
    Fault::new(400, "The chunks of the body are malformed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and what is left over; or the status of the refusal. Fed whole and in every
    /// smaller step, always with the same end.
    fn read(framing: Framing, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), u16> {
        let steps = if bytes.len() > 2_000 {
            vec![999, bytes.len()]
        } else {
            (1..=bytes.len()).collect()
        };
        let mut ends: Vec<_> = steps
            .into_iter()
            .map(|step| read_in_steps(framing, bytes, step))
            .collect();
        ends.dedup();
        assert_eq!(ends.len(), 1, "{:?}", String::from_utf8_lossy(bytes));
        ends.remove(0)
    }

    fn read_in_steps(
        framing: Framing,
        bytes: &[u8],
        step: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), u16> {
        let mut body = Body::new(framing);
        let mut at = 0;
        while !body.is_whole() {
            assert!(
                at < bytes.len(),
                "not whole: {:?}",
                String::from_utf8_lossy(bytes)
            );
            let piece = &bytes[at..(at + step).min(bytes.len())];
            at += body.feed(piece).map_err(|fault| fault.status)?;
        }
        Ok((body.into_content(), bytes[at..].to_vec()))
    }

    fn chunked(bytes: impl AsRef<[u8]>) -> Result<String, u16> {
        read(Framing::Chunked, bytes.as_ref())
            .map(|(content, _)| String::from_utf8(content).unwrap())
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        let read = read(Framing::Length(5), b"helloGET /");
        assert_eq!(read, Ok((b"hello".to_vec(), b"GET /".to_vec())));
        assert!(Body::new(Framing::Length(0)).is_whole());
    }

    #[test]
    fn chunks_are_joined_and_trailers_dropped() {
        assert_eq!(
            chunked("5\r\nhello\r\n00a;x=\"y\"\r\n, big worl\r\n1 \r\nd\r\n0\r\nA: b\r\n\r\n")
                .unwrap(),
            "hello, big world"
        );
        let read = read(Framing::Chunked, b"1\r\na\r\n0\r\n\r\nGET /");
        assert_eq!(read, Ok((b"a".to_vec(), b"GET /".to_vec())));
    }

    #[test]
    fn malformed_chunks_are_400() {
        for wrong in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\na\r\n",
            "1 2\r\n",
            "1\na\r\n",
            "1;\0\r\na\r\n",
            "1;\r\r\na\r\n",
            "11111111111111111\r\n",
            "1\r\nab\r\n",
            "1\r\na\n0\r\n",
            "0\r\nno colon\r\n",
            "0\r\n: no name\r\n",
            "0\r\nA: b\n\r\n",
        ] {
            assert_eq!(chunked(wrong), Err(400), "{wrong:?}");
        }
    }

    #[test]
    fn chunks_are_bounded_like_any_body() {
        let full = "a".repeat(MAX_BODY);
        assert_eq!(
            chunked(format!("10000\r\n{full}\r\n0\r\n\r\n")).unwrap(),
            full
        );
        assert_eq!(chunked(format!("10000\r\n{full}\r\n1\r\n")), Err(413));
        assert_eq!(chunked("10001\r\n"), Err(413));
        assert_eq!(chunked("ffffffffffffffff\r\n"), Err(413));
        assert_eq!(chunked("1\r\na\r\n".repeat(1_400)), Err(400));
        assert_eq!(
            chunked(format!("1;{}", "a".repeat(MAX_SIZE_LINES))),
            Err(400)
        );
        assert_eq!(
            chunked(format!("0\r\nA: {}", "a".repeat(MAX_HEAD))),
            Err(431)
        );
        assert_eq!(
            chunked(format!("0\r\n{}", "A: b\r\n".repeat(MAX_HEADERS + 2))),
            Err(431)
        );
    }
}
