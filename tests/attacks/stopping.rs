//! SIGTERM while everybody talks: what was acknowledged, on either transport, is there after the
//! restart, and every client that reads saw 1001. (`restart.rs` counts what was in flight.)

use crate::raw::{connect, send};
use crate::support::{DEADLINE, Guest, Http, Server, Ws, create, join, until, uuid};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SPEAKERS: usize = 8;
const LISTENERS: usize = 40;
const WAITING: usize = 10;

/// Talks on a socket until it is closed; the uuids that were acknowledged, and the code.
fn talk(mut ws: Ws, room: u64, count: &AtomicUsize) -> (BTreeSet<String>, u16) {
    let mut stored = BTreeSet::new();
    ws.begin_say(room, "on a socket");
    loop {
        match ws.recv_or_code() {
            Ok(frame) if frame["type"] == "send" => {
                if frame["code"] == 0 {
                    stored.insert(frame["uuid"].as_str().expect("a uuid").to_string());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                ws.begin_say(room, "on a socket");
            }
            Ok(_) => {}
            Err(code) => return (stored, code),
        }
    }
}

/// Talks over HTTP, a connection a message, until the server takes no more.
fn post(http: &Http, guest: &Guest, stopping: &AtomicBool) -> BTreeSet<String> {
    let mut stored = BTreeSet::new();
    while !stopping.load(Ordering::Relaxed) {
        let id = uuid();
        let body = guest.message(json!({"content":"over HTTP","uuid":id}));
        // The port is closed at some moment, and a connection that was not yet accepted ends.
        let sent = std::panic::catch_unwind(|| http.post("/message/send", body));
        match sent {
            Ok(reply) if reply.status == 200 => drop(stored.insert(id)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    stored
}

#[test]
fn sigterm_under_full_load_loses_nothing_acknowledged_and_every_reader_sees_1001() {
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let guests =
        |count: usize| -> Vec<Guest> { (0..count).map(|_| join(&http, &ada.room_id)).collect() };
    let (speakers, posters, listeners) = (guests(SPEAKERS), guests(2), guests(LISTENERS));
    let elsewhere = create(&http, json!({}));
    let stalled = server.login(&guests(1)[0].token); // never reads again
    let idle: Vec<TcpStream> = (0..50).map(|_| connect(server.http)).collect();
    for stream in &idle {
        send(stream, "POST /room/create HTTP/1.1\r\nHost: x\r\nCont");
    }
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| join(&http, &elsewhere.room_id).begin_fetch(json!({"after":100,"wait":60})))
        .collect();

    let (count, stopping) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut acknowledged = BTreeSet::new();
    std::thread::scope(|scope| {
        let talking: Vec<_> = speakers
            .iter()
            .map(|guest| {
                let (ws, count) = (server.login(&guest.token), &count);
                scope.spawn(move || talk(ws, guest.room, count))
            })
            .collect();
        let posting: Vec<_> = posters
            .iter()
            .map(|guest| {
                let (http, stopping) = (&http, &stopping);
                scope.spawn(move || post(http, guest, stopping))
            })
            .collect();
        let listening: Vec<_> = listeners
            .iter()
            .map(|guest| {
                let mut ws = server.login(&guest.token);
                scope.spawn(move || ws.closed_within(DEADLINE * 3))
            })
            .collect();
        until("all are talking", || {
            count.load(Ordering::Relaxed) >= 50 * SPEAKERS
        });
        server.signal("TERM");
        stopping.store(true, Ordering::Relaxed);
        for talk in talking {
            let (stored, code) = talk.join().expect("a speaker");
            assert_eq!(code, 1001);
            acknowledged.extend(stored);
        }
        for post in posting {
            acknowledged.extend(post.join().expect("a poster"));
        }
        for listen in listening {
            assert_eq!(listen.join().expect("a listener"), 1001);
        }
    });
    for fetch in waiting {
        assert_eq!(fetch.finish().status, 200, "who waited is answered");
    }
    server.stopped();
    drop((stalled, idle));
    server.restart();

    let ada = ada.via(&server.client());
    let (mut kept, mut next) = (BTreeSet::new(), json!(0));
    loop {
        let page = ada.fetch(json!({"after":next,"limit":1000}));
        let entries = page["data"].as_array().expect("a list");
        if entries.is_empty() {
            break;
        }
        kept.extend(
            entries
                .iter()
                .filter_map(|e| e["uuid"].as_str().map(str::to_string)),
        );
        next = page["next"].clone();
    }
    let lost: Vec<&String> = acknowledged.difference(&kept).collect();
    assert_eq!(lost, [] as [&String; 0], "acknowledged and not kept");
    assert!(
        acknowledged.len() >= 50 * SPEAKERS,
        "{}",
        acknowledged.len()
    );
}
