//! Who is not in a room reads and writes nothing in it; a token that died opens nothing; a page
//! from elsewhere gains nothing. `tests/identity.rs` holds the Identity rule itself.

use crate::raw::{connect, rest, send};
use crate::support::{DEADLINE, Guest, Http, PASSWORD, Reply, Server, account, create, join, uuid};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A room with something in it that nobody else may see, and its member.
fn secret_room(http: &Http, fields: Value) -> (Guest, String) {
    let ada = create(http, fields);
    let said = uuid();
    ada.say_as(&said, "a secret");
    (ada, said)
}

fn no_secret(reply: &Reply) {
    assert!(reply.status >= 400, "{}", reply.body);
    assert!(!reply.body.contains("a secret"), "{}", reply.body);
}

#[test]
fn who_is_not_in_a_room_reads_and_writes_nothing_there_by_any_way() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    // With a password, without one, and listed: whoever may join has still not joined.
    for fields in [
        json!({"roomPassword":"sesame"}),
        json!({}),
        json!({"listed":true}),
    ] {
        let (ada, said) = secret_room(&http, fields);
        let before = ada.fetch(json!({"after":0}));
        let stranger = create(&http, json!({}));
        let cleo = account(&http, &format!("Cleo {}", ada.room));
        let gone = {
            let bob = create(&http, json!({}));
            bob.call("/room/leave").data();
            bob
        };
        for other in [&stranger, &stranger.with_token(), &gone] {
            // The stranger's own id, in somebody else's room.
            let there = Guest {
                room_id: ada.room_id.clone(),
                room: ada.room,
                ..(*other).clone()
            };
            no_secret(&there.send(json!({"content":"let me in"})));
            for path in ["/message/fetch", "/room/heartbeat", "/room/leave"] {
                no_secret(&there.call(path));
            }
            let by_number = json!({"roomId":ada.room,"userId":other.user_id,"after":0});
            no_secret(&http.post("/message/fetch", by_number));
        }
        for token in [&stranger.token, &cleo.token] {
            let with_token = http.bearer(token);
            for path in ["messages?after=0", "messages", "search?q=secret"] {
                no_secret(&with_token.get(&format!("/rooms/{}/{path}", ada.room)));
                no_secret(&with_token.get(&format!("/rooms/{}/{path}", ada.room_id)));
                no_secret(&http.get(&format!("/rooms/{}/{path}", ada.room)));
            }
            // Ada's open id with another's token is another's.
            ada.via(&with_token)
                .call("/message/fetch")
                .refused(401, "bad_token");
            let mut ws = server.login_v1(token);
            let data = json!({"type":"Text","text":"let me in"});
            for request in [
                json!({"type":"msg","uuid":uuid(),"room":ada.room,"data":data}),
                json!({"type":"history","room":ada.room}),
                json!({"type":"members","room":ada.room}),
                json!({"type":"typing","room":ada.room}),
                json!({"type":"leave","room":ada.room}),
                json!({"type":"edit","room":ada.room,"uuid":said,"data":data}),
                json!({"type":"delete","room":ada.room,"uuid":said}),
            ] {
                ws.send_json(request.clone());
                let answer = ws.recv();
                assert_eq!(answer["code"], 4, "{request}: {answer}");
                assert!(!answer.to_string().contains("a secret"), "{answer}");
            }
            // Nor by a resume.
            let mut ws = server.socket();
            let resume = json!({"resume":{ada.room.to_string():0}});
            let answer = ws.auth_with(token, resume);
            let rooms = answer["rooms"].as_array().expect("a list");
            assert!(
                rooms.iter().all(|room| room["id"] != json!(ada.room)),
                "{answer}"
            );
            ws.nothing_more();
        }
        assert_eq!(ada.fetch(json!({"after":0})), before, "nothing changed");
    }
}

#[test]
fn an_unlisted_room_shows_nothing_of_itself_to_those_who_count_its_number() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({"roomName":"behind the curtain"}));
    let stranger = account(&http, "Cleo");
    for client in [&http, &stranger.http] {
        let there = client.get(&format!("/rooms/{}", ada.room));
        let nowhere = client.get("/rooms/999999");
        assert_eq!((there.status, &there.body), (nowhere.status, &nowhere.body));
    }
}

/// Everything that a token opens refuses this one.
fn is_dead(server: &Server, token: &str, code: i64) {
    let http = server.client().bearer(token);
    let replies = [
        http.get("/rooms/me"),
        http.post("/rooms", json!({"name":"Chess"})),
        http.post("/room/create", json!({})),
        http.post("/logout", json!({})),
    ];
    for reply in replies {
        assert!(matches!(reply.status, 401 | 403), "{}", reply.body);
    }
    let mut ws = server.socket();
    ws.send_json(json!({"type":"auth","token":token}));
    assert_eq!(ws.recv()["code"], code);
}

#[test]
fn a_token_dies_with_logout_and_its_sockets_with_it() {
    let server = Server::start(&["--data", "none"]);
    let ada = account(&server.client(), "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    let mut ws = server.login(&ada.token);
    ws.say(room, "still here");
    ada.http.post("/logout", json!({})).done(200);
    assert_eq!(ws.closed(), 4003);
    is_dead(&server, &ada.token, 1);
}

/// No call bans yet; who administers the file can.
#[test]
fn a_token_dies_with_a_ban_and_so_does_the_login() {
    let mut server = Server::start(&[]);
    let ada = account(&server.client(), "Ada");
    ada.make_room(json!({"name":"Chess"}));
    server.stop();
    let file = Connection::open(server.data()).expect("the database opens");
    let banned = file.execute("UPDATE users SET status = 2 WHERE no = ?1", [ada.id as i64]);
    assert_eq!(banned.expect("an update"), 1);
    drop(file);
    server.restart();
    is_dead(&server, &ada.token, 3);
    let login = json!({"username":"Ada","password":PASSWORD});
    let refused = server.client().post("/login", login);
    assert!(matches!(refused.status, 401 | 403), "{}", refused.body);
    assert_eq!(refused.json["user"], Value::Null);
}

#[test]
fn a_page_from_elsewhere_gains_nothing_on_a_websocket_and_no_cookie_is_ever_set() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client().with("Origin", "https://evil.example");
    let (ada, _) = secret_room(&http, json!({}));
    let upgraded = |address: SocketAddr| {
        let stream = connect(address);
        // With whatever a browser might add by itself.
        send(
            &stream,
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Origin: https://evil.example\r\nCookie: token=x\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        stream
    };
    let streams = [server.http, server.ws].map(upgraded);
    for stream in &streams {
        // Without a token nothing comes but the end, after 10 s.
        let said = rest(stream, DEADLINE + DEADLINE);
        let said = String::from_utf8_lossy(&said);
        let (head, frames) = said.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(!head.to_lowercase().contains("cookie"), "{head}");
        assert!(!frames.contains("secret") && frames.len() < 100, "{frames}");
    }
    let replies = [
        http.get("/"),
        http.browser().get("/"),
        http.get("/healthz"),
        http.get("/nope"),
        http.post("/room/create", json!({})),
        http.post("/users", json!({"username":"Ada","password":PASSWORD})),
        http.post("/login", json!({"username":"Ada","password":PASSWORD})),
        ada.call("/message/fetch"),
    ];
    for reply in &replies {
        assert_eq!(reply.header("Set-Cookie"), None);
        assert_eq!(
            reply.header("Access-Control-Allow-Credentials"),
            None,
            "no page may use what a browser keeps"
        );
    }
}

#[test]
fn every_answer_is_nosniff_none_with_a_token_is_cached_and_a_page_loads_nothing_from_elsewhere() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = account(&http, "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    let guest = join(&http, &create(&http, json!({})).room_id);
    let answers = [
        http.post("/room/create", json!({})),
        http.post("/login", json!({"username":"Ada","password":PASSWORD})),
        http.post("/login", json!({"username":"Ada","password":"wrong"})),
        guest.call("/message/fetch"),
        guest.call("/room/leave"),
        ada.http.get("/rooms/me"),
        ada.http.get(&format!("/rooms/{room}/messages")),
        http.get("/rooms/999"),
        http.get("/healthz"),
    ];
    for reply in &answers {
        assert_eq!(
            reply.header("Cache-Control"),
            Some("no-store"),
            "{}",
            reply.body
        );
    }
    let page = http.browser().get("/");
    let policy = page.header("Content-Security-Policy").unwrap_or_default();
    for directive in [
        "default-src 'none'",
        // These do not fall back on the default.
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{directive}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let others = [
        page,
        http.get("/protocol"),
        http.get("/nope"),
        http.get("/ws"),
    ];
    for reply in answers.iter().chain(&others) {
        assert_eq!(
            reply.header("X-Content-Type-Options"),
            Some("nosniff"),
            "{}",
            reply.body
        );
    }
}
