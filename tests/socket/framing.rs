//! Frames below the protocol: what is broken is answered with a Close frame that says why.

use crate::support::{DEADLINE, Guest, Server, Ws, create, join};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

const MAX_FRAME_BYTES: usize = 64 * 1024;

fn start() -> (Server, Guest, Ws) {
    let server = Server::start(&["--data", "none"]);
    let ada = create(&server.client(), json!({}));
    let ws = server.login(&ada.token);
    (server, ada, ws)
}

/// A whole frame under the mask 0, which leaves the payload as it is.
fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        n @ 0..126 => frame.push(0x80 | n as u8),
        n @ 126..65536 => frame.extend_from_slice(&[0x80 | 126, (n >> 8) as u8, n as u8]),
        n => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn a_binary_frame_is_1003() {
    let (_server, _, mut ws) = start();
    ws.send(Message::binary(br#"{"type":"ping"}"#.to_vec()));
    assert_eq!(ws.closed(), 1003);
}

#[test]
fn bytes_that_are_not_utf_8_are_1007() {
    let (_server, _, mut ws) = start();
    ws.send_raw(&masked(0x81, b"{\"type\":\"\xff\xfe\"}"));
    assert_eq!(ws.closed(), 1007);
}

#[test]
fn what_breaks_the_websocket_protocol_is_1002() {
    let unmasked = [b"\x81\x0f".as_slice(), br#"{"type":"ping"}"#].concat();
    let reserved_opcode = masked(0x83, b"{}");
    let reserved_bit = masked(0xc1, b"{}");
    let continued_nothing = masked(0x80, b"{}");
    let fragmented_ping = masked(0x09, b"");
    let (server, ada, _) = start();
    for broken in [
        unmasked,
        reserved_opcode,
        reserved_bit,
        continued_nothing,
        fragmented_ping,
    ] {
        let mut ws = server.login(&ada.token);
        ws.send_raw(&broken);
        assert_eq!(ws.closed(), 1002, "after {broken:?}");
    }
}

/// A `ping` request of exactly so many bytes.
fn ping_of(bytes: usize) -> String {
    let bare = json!({"type":"ping","pad":""}).to_string().len();
    json!({"type":"ping","pad":"x".repeat(bytes - bare)}).to_string()
}

#[test]
fn a_message_has_at_most_64_kib() {
    let (server, ada, mut ws) = start();
    ws.send_text(&ping_of(MAX_FRAME_BYTES));
    assert_eq!(ws.recv()["type"], "ping");

    ws.send_raw(&masked(0x81, ping_of(MAX_FRAME_BYTES + 1).as_bytes()));
    assert_eq!(ws.closed(), 1009);

    let mut in_parts = server.login(&ada.token);
    let text = ping_of(MAX_FRAME_BYTES + 1);
    let (first, second) = text.as_bytes().split_at(40_000);
    in_parts.send_raw(&masked(0x01, first));
    in_parts.send_raw(&masked(0x80, second));
    assert_eq!(in_parts.closed(), 1009);
}

#[test]
fn a_frame_that_only_claims_to_be_huge_is_1009() {
    let (_server, _, mut ws) = start();
    let claim = [
        [0x81, 0x80 | 127].as_slice(),
        &(1u64 << 40).to_be_bytes(),
        &[0; 4],
    ]
    .concat();
    ws.send_raw(&claim);
    assert_eq!(ws.closed(), 1009);
}

#[test]
fn a_message_in_parts_is_one_message() {
    let (_server, _, mut ws) = start();
    let text = json!({"type":"ping","id":"in parts"}).to_string();
    let (first, second) = text.as_bytes().split_at(7);
    ws.send_raw(&masked(0x01, first));
    ws.send_raw(&masked(0x89, b"between"));
    ws.ponged(b"between");
    ws.send_raw(&masked(0x80, second));
    assert_eq!(ws.recv()["id"], "in parts");
}

#[test]
fn a_ping_frame_is_answered_before_and_after_auth() {
    let (server, _, mut ws) = start();
    ws.send(Message::Ping(b"here?".to_vec().into()));
    ws.ponged(b"here?");
    let mut stranger = server.socket();
    stranger.send(Message::Ping(b"and here?".to_vec().into()));
    stranger.ponged(b"and here?");
}

#[test]
fn a_close_is_answered_with_its_code() {
    let (_server, _, mut ws) = start();
    ws.send(Message::Close(Some(CloseFrame {
        code: 1000.into(),
        reason: "bye".into(),
    })));
    assert_eq!(ws.closed(), 1000);
}

#[test]
fn a_broken_frame_costs_only_its_own_socket() {
    let (server, ada, mut broken) = start();
    let mut other = server.login(&ada.token);
    broken.send_raw(&masked(0x83, b"{}"));
    assert_eq!(broken.closed(), 1002);
    other.say(ada.room, "still here");
}

/// The opcodes of a server's whole frames.
fn opcodes(mut bytes: &[u8]) -> Vec<u8> {
    let mut found = vec![];
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            short => (usize::from(*short), rest),
        };
        found.push(first & 0x0f);
        bytes = &rest[length..];
    }
    found
}

#[test]
fn nothing_leaves_after_the_close_frame_that_answers_a_clients() {
    const ROUNDS: usize = 150;
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let ada = create(&server.client(), json!({}));
    let bob = join(&server.client(), &ada.room_id);
    /// Also when an assertion failed.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut ws = server.login(&ada.token);
            while !over.load(Ordering::Relaxed) {
                for _ in 0..8 {
                    ws.begin_say(1, "on and on");
                }
                for _ in 0..8 {
                    ws.recv();
                }
            }
        });
        let _over = Over(&over);
        for _ in 0..ROUNDS {
            let mut client = TcpStream::connect(server.ws).expect("a connection");
            client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
            let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            let auth = json!({"type":"auth","token":bob.token}).to_string();
            let hello = [handshake.as_bytes(), &masked(0x81, auth.as_bytes())].concat();
            client.write_all(&hello).expect("sent");
            let (mut heard, mut some) = (vec![], [0; 4096]);
            while !String::from_utf8_lossy(&heard).contains("\"recv\"") {
                let n = client.read(&mut some).expect("a frame in time");
                assert_ne!(n, 0, "closed: {}", String::from_utf8_lossy(&heard));
                heard.extend_from_slice(&some[..n]);
            }
            client
                .write_all(&masked(0x88, &1000_u16.to_be_bytes()))
                .expect("sent");
            client.read_to_end(&mut heard).expect("its end in time");
            let head = heard.windows(4).position(|w| w == b"\r\n\r\n");
            let frames = opcodes(&heard[head.expect("a head") + 4..]);
            let closing = frames.iter().position(|opcode| *opcode == 8);
            let closing = closing.expect("a Close frame");
            assert_eq!(frames[closing..], [8], "frames after the Close frame");
        }
    });
}
