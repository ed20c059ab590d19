//! Says back what a WebSocket client says, over parlor's own door, handshake, reading and writing:
//! what Autobahn's cases are run against (`make conformance`). parlor itself closes a binary frame
//! with 1003; here it is said back as well, since most cases do not care which of both they send.
//!
//! Prints the address that it listens at, and ends with its standard input.

use std::io::{Read, Write, stdin, stdout};
use std::net::TcpListener;
use std::sync::Arc;

use parlor::door::{Caps, Conn, Door, Kind, Proxies};
use parlor::http::refuse;
use parlor::hub::socket::{Close, Socket, text_frame};
use parlor::ws::{self, Pipe, Talk};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Bytes, Message};

/// One client, which opens a connection for each case; some of the last may still be ending.
const CONNECTIONS: usize = 64;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let caps = Caps::new(CONNECTIONS, CONNECTIONS, Proxies::default());
    let door = Door::open(listener, Kind::Ws, caps, refuse, Arc::new(serve)).expect("a door");
    println!("{}", door.address());
    stdout().flush().expect("somebody who reads");
    let _ = stdin().read(&mut [0]);
}

fn serve(mut conn: Conn) {
    let Some(request) = conn.next() else { return };
    ws::upgrade(conn, request, |socket, reader| {
        reader.each(&mut Echo(socket))
    });
}

struct Echo<'a>(&'a Arc<Socket>);

impl Talk for Echo<'_> {
    fn take(&mut self, message: Message, pipe: &mut Pipe) -> Result<(), Close> {
        pipe.wait_for_good();
        match message {
            Message::Text(text) => self.0.push(&text_frame(text.to_string())),
            other => self.0.push(&binary_frame(other.into_data())),
        }
        Ok(())
    }
}

fn binary_frame(data: Bytes) -> Bytes {
    let frame = Frame::message(data, OpCode::Data(Data::Binary), true);
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a Vec takes everything");
    bytes.into()
}
