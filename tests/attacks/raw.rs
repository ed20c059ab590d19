//! A connection below any protocol: bytes out, bytes in, each wait with a deadline.

use crate::support::DEADLINE;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("a connection");
    stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// Sends what the other side takes: it may have refused and closed before the last byte.
pub fn send(mut stream: &TcpStream, bytes: impl AsRef<[u8]>) -> bool {
    stream.write_all(bytes.as_ref()).is_ok()
}

/// All that comes until the connection ends; fails if it has not by then.
pub fn rest(mut stream: &TcpStream, patience: Duration) -> Vec<u8> {
    let until = Instant::now() + patience;
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).expect("a timeout");
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return all,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => panic!(
                "{e}: the connection has not ended within {patience:?}; came: {:?}",
                String::from_utf8_lossy(&all)
            ),
        }
    }
}

/// The status of the answer at the front of `bytes`; none if there is no answer.
pub fn status(bytes: &[u8]) -> Option<u16> {
    let line = bytes.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

/// `GET path`, answered and over; its status.
pub fn get(address: SocketAddr, path: &str) -> Option<u16> {
    let stream = connect(address);
    send(
        &stream,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    );
    status(&rest(&stream, DEADLINE))
}
