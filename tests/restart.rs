//! What parlor keeps over a restart, on which file, and what it says when it cannot start.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{
    DEADLINE, Guest, PASSWORD, Server, account, create, join, join_as, log_in, places, texts,
    until, uuid,
};

/// How parlor is ended before it starts again.
#[derive(Clone, Copy)]
enum End {
    Stop,
    Kill,
}

fn again(server: &mut Server, end: End) {
    match end {
        End::Stop => server.stop(),
        End::Kill => server.kill(),
    }
    server.restart();
}

fn everything_is_there(end: End) {
    let mut server = Server::start(&[]);
    let http = server.client();
    let account_before = account(&http, "Ada");
    let owned = account_before.make_room(json!({"name":"Chess","password":"sesame"}));
    let first = create(
        &http,
        json!({"roomName":"Tea","roomPassword":"sesame","userName":"Bob"}),
    );
    let second = join_as(
        &http,
        json!({"roomId":first.room_id,"roomPassword":"sesame"}),
    );
    let sealed = join_as(
        &http,
        json!({"roomId":first.room_id,"roomPassword":"sesame"}),
    );
    server.login(&sealed.token);
    let id = uuid();
    let said = second.say_as(&id, "one");
    first.say("two");
    let before = first.fetch(json!({"after":0}));
    let room_before = account_before.http.get(&format!("/rooms/{owned}")).json;
    let user_before = http.get(&format!("/users/{}", second.id)).json;

    again(&mut server, end);
    let http = server.client();
    let [first, second, sealed] = [first, second, sealed].map(|guest| guest.via(&http));

    let after = first.fetch(json!({"after":0,"epoch":before["epoch"]}));
    assert_eq!(
        after["data"], before["data"],
        "the same entries in the same places"
    );
    assert_eq!(
        (&after["epoch"], &after["complete"]),
        (&before["epoch"], &json!(true))
    );
    assert_eq!(
        texts(&second.drain()),
        [format!("{}加入了房间", sealed.name), "two".into()],
        "pending entries"
    );
    assert_eq!(second.say_as(&id, "one"), said, "a uuid is remembered");
    sealed
        .call("/room/heartbeat")
        .refused(401, "token_required");
    server.login(&sealed.token);

    assert_eq!(log_in(&http, "Ada").user, account_before.user);
    let account_now = http.bearer(&account_before.token);
    assert_eq!(account_now.get("/rooms/me").json, json!([room_before]));
    assert_eq!(http.get(&format!("/users/{}", second.id)).json, user_before);
    http.post("/room/join", json!({"roomId":owned}))
        .refused(403, "wrong_password");
    let joined = http
        .post(
            "/room/join",
            json!({"roomId":first.room_id,"roomPassword":"sesame"}),
        )
        .data();
    assert_eq!(joined["room"]["roomName"], "Tea");
    let list = joined["room"]["userContainer"]["userList"]
        .as_array()
        .expect("a list")
        .clone();
    let ids: Vec<_> = list.iter().map(|u| u["id"].as_u64()).collect();
    assert_eq!(
        ids[..3],
        [&first, &second, &sealed].map(|g| Some(g.id)),
        "members in join order"
    );
    assert_eq!(
        first.fetch(json!({"after":before["next"]}))["data"][0]["at"],
        json!(before["next"].as_u64().map(|n| n + 1))
    );
}

#[test]
fn everything_is_there_after_a_stop() {
    everything_is_there(End::Stop);
}

#[test]
fn everything_is_there_after_a_kill() {
    everything_is_there(End::Kill);
}

#[test]
fn what_was_drained_before_a_stop_is_not_pending_after_it() {
    let mut server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    ada.say("drained");
    assert_eq!(texts(&bob.drain()), ["drained"]);
    ada.say("pending");
    again(&mut server, End::Stop);
    assert_eq!(texts(&bob.via(&server.client()).drain()), ["pending"]);
}

#[test]
fn an_acknowledged_message_outlives_a_kill_right_after_it() {
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let mut said = Vec::new();
    for round in 0..3 {
        let mut ws = server.login(&ada.token);
        (0..20).for_each(|i| drop(ws.say(ada.room, &format!("{round}.{i}"))));
        server.kill();
        said.extend((0..20).map(|i| format!("{round}.{i}")));
        server.restart();
        let heard = bob.via(&server.client()).fetch(json!({"after":2}));
        assert_eq!(texts(heard["data"].as_array().expect("a list")), said);
        assert_eq!(
            places(heard["data"].as_array().expect("a list")),
            (3..).take(said.len()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn what_was_accepted_when_the_stop_came_is_committed_and_answered() {
    const SOCKETS: usize = 10;
    const IN_FLIGHT: usize = 4;
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let answers = Arc::new(AtomicUsize::new(0));
    let guests: Vec<_> = (0..SOCKETS).map(|_| join(&http, &ada.room_id)).collect();
    let speak = |guest: Guest| {
        let mut ws = server.login(&guest.token);
        let answers = answers.clone();
        std::thread::spawn(move || {
            (0..IN_FLIGHT).for_each(|_| drop(ws.begin_say(guest.room, "hello")));
            let mut stored = BTreeSet::new();
            loop {
                let frame = match ws.recv_or_code() {
                    Ok(frame) if frame["type"] == "send" => frame,
                    Ok(_) => continue,
                    Err(code) => return (stored, code),
                };
                if frame["code"] == 0 {
                    stored.insert(place_and_uuid(&frame));
                }
                answers.fetch_add(1, Ordering::Relaxed);
                ws.begin_say(guest.room, "hello");
            }
        })
    };
    let speakers: Vec<_> = guests.into_iter().map(speak).collect();
    until("all are talking", || {
        answers.load(Ordering::Relaxed) >= 10 * SOCKETS
    });
    server.signal("TERM");
    let mut answered = BTreeSet::new();
    for speaker in speakers {
        let (stored, code) = speaker.join().expect("a speaker");
        assert_eq!(code, 1001);
        answered.extend(stored);
    }
    server.stopped();
    server.restart();

    let (ada, mut kept) = (ada.via(&server.client()), BTreeSet::new());
    let mut next = json!(1 + SOCKETS); // past the join notices
    loop {
        let page = ada.fetch(json!({"after":next}));
        let entries = page["data"].as_array().expect("a list");
        if entries.is_empty() {
            break;
        }
        kept.extend(entries.iter().map(place_and_uuid));
        next = page["next"].clone();
    }
    let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(only(&answered, &kept), [], "answered and not kept");
    assert_eq!(only(&kept, &answered), [], "kept and not answered");
}

fn place_and_uuid(said: &Value) -> (u64, String) {
    let at = said["at"].as_u64();
    let uuid = said["uuid"].as_str().map(str::to_string);
    at.zip(uuid)
        .unwrap_or_else(|| panic!("no at or no uuid: {said}"))
}

#[test]
fn a_request_asked_again_after_a_restart_gives_the_same_answer() {
    let mut server = Server::start(&[]);
    let create_body = json!({"request":uuid(),"roomPassword":"sesame","userName":"Ada"});
    let created = server
        .client()
        .post("/room/create", create_body.clone())
        .data();
    let room = &created["room"]["roomId"];
    let join_body = json!({"roomId":room,"roomPassword":"sesame","request":uuid()});
    let joined = server.client().post("/room/join", join_body.clone()).data();
    again(&mut server, End::Stop);
    for (path, body, before) in [
        ("/room/create", create_body, created),
        ("/room/join", join_body, joined),
    ] {
        let after = server.client().post(path, body).data();
        for part in [
            "/user/userId",
            "/user/id",
            "/user/userName",
            "/user/avatarIndex",
            "/user/cachingMessage",
            "/room/roomId",
            "/room/id",
            "/room/roomPassword",
        ] {
            assert_eq!(after.pointer(part), before.pointer(part), "{part}");
        }
        assert_eq!(
            after["user"]["cachingMessage"].as_array().map(Vec::len),
            Some(1),
            "the own join notice"
        );
    }
}

fn no_number_is_used_twice(end: End) {
    let mut server = Server::start(&[]);
    let http = server.client();
    let keeper = create(&http, json!({}));
    let gone = join(&http, &keeper.room_id);
    gone.call("/room/leave").data();
    let last_room = create(&http, json!({}));
    last_room.call("/room/leave").data();
    again(&mut server, end);
    let newcomer = create(&server.client(), json!({}));
    assert!(
        newcomer.room > last_room.room,
        "room {} after {}",
        newcomer.room,
        last_room.room
    );
    assert!(
        newcomer.id > last_room.id,
        "user {} after {}",
        newcomer.id,
        last_room.id
    );
}

#[test]
fn no_number_is_used_twice_after_a_stop() {
    no_number_is_used_twice(End::Stop);
}

#[test]
fn no_number_is_used_twice_after_a_kill() {
    no_number_is_used_twice(End::Kill);
}

#[test]
fn a_second_parlor_on_the_same_file_is_refused_and_the_first_goes_on() {
    let server = Server::start(&[]);
    let data = server.data();
    let file = data.to_str().expect("a plain path");
    let second = Server::refused(&[
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains(file),
        "names the file: {}",
        second.stderr
    );
    assert!(
        !second.stdout.contains("HTTP "),
        "opened no port: {}",
        second.stdout
    );
    create(&server.client(), json!({})).say("the first goes on");
}

#[test]
fn a_file_of_a_newer_parlor_is_refused_and_left_alone() {
    let mut server = Server::start(&[]);
    server.stop();
    let data = server.data();
    let db = rusqlite::Connection::open(&data).expect("a database");
    db.pragma_update(None, "user_version", 999)
        .expect("a version set");
    drop(db);
    let before = std::fs::read(&data).expect("the file");

    let file = data.to_str().expect("a plain path");
    let refused = Server::refused(&[
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains(file) && refused.stderr.contains("newer"),
        "{}",
        refused.stderr
    );
    assert!(
        std::fs::read(&data).expect("the file") == before,
        "not a byte was changed"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = support::TempDir::new();
    let path = dir.path().join("notes.txt");
    let notes = "do not overwrite me\n".repeat(100);
    std::fs::write(&path, &notes).expect("a file");
    let file = path.to_str().expect("a plain path");
    let refused = Server::refused(&[
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains(file), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), notes);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let dir = support::TempDir::new();
    let path = dir.path().join("missing").join("data.db");
    let file = path.to_str().expect("a plain path");
    let refused = Server::refused(&[
        "--http",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        file,
    ]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains(file), "{}", refused.stderr);
}

#[test]
fn data_none_says_so_and_keeps_nothing() {
    let mut server = Server::start(&["--data", "none"]);
    assert!(
        server.printed("Data ").contains("memory"),
        "{}",
        server.printed("Data ")
    );
    let ada = create(&server.client(), json!({}));
    let epoch = ada.fetch(json!({"after":0}))["epoch"].clone();
    server.restart();
    let http = server.client();
    ada.via(&http)
        .call("/message/fetch")
        .refused(404, "room_not_found");
    let later = create(&http, json!({})).fetch(json!({"after":0}));
    assert_ne!(later["epoch"], epoch, "another sequence");
    let files: Vec<_> = std::fs::read_dir(server.dir())
        .expect("the directory")
        .collect();
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn the_data_is_parlor_db_in_the_working_directory_by_default() {
    let mut server = Server::start_bare(&["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    assert!(
        server.printed("Data ").ends_with("parlor.db"),
        "{}",
        server.printed("Data ")
    );
    let ada = create(&server.client(), json!({}));
    assert!(server.dir().join("parlor.db").is_file());
    server.restart();
    ada.via(&server.client()).say("still a member");
}

#[test]
fn a_taken_port_is_told_with_its_flag_and_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    for (flag, other) in [("--http", "--ws"), ("--ws", "--http")] {
        let refused = Server::refused(&["--data", "none", flag, &addr, other, "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1));
        assert!(
            refused.stderr.contains(flag) && refused.stderr.contains(&addr),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.starts_with("parlor: "), "{}", refused.stderr);
    }
}

#[test]
fn healthz_is_ok_while_the_scribe_answers() {
    let server = Server::start(&[]);
    let reply = server.client().get("/healthz");
    assert_eq!((reply.status, reply.body.trim()), (200, "ok"));
}

#[test]
fn who_asks_without_a_browser_learns_version_and_both_addresses() {
    let server = Server::start(&["--data", "none"]);
    let page = server.client().get("/");
    assert_eq!(page.status, 200);
    let (http, ws) = (
        format!("http://{}/", server.http),
        format!("ws://{}/ws", server.ws),
    );
    for word in ["parlor", env!("CARGO_PKG_VERSION"), &http, &ws] {
        assert!(page.body.contains(word), "{word} in {}", page.body);
    }
}

#[test]
fn a_password_that_was_right_before_is_right_after() {
    let mut server = Server::start(&[]);
    account(&server.client(), "Ada");
    again(&mut server, End::Kill);
    let http = server.client();
    http.post("/login", json!({"username":"Ada","password":"wrong"}))
        .failed(401, 10);
    http.post("/login", json!({"username":"Ada","password":PASSWORD}))
        .done(200);
    http.post("/users", json!({"username":"Ada","password":PASSWORD}))
        .failed(409, 11);
}

#[test]
fn a_session_that_was_logged_out_stays_so() {
    let mut server = Server::start(&[]);
    let ada = account(&server.client(), "Ada");
    ada.http.post("/logout", json!({})).done(200);
    again(&mut server, End::Kill);
    server
        .client()
        .bearer(&ada.token)
        .get("/rooms/me")
        .failed(401, 1);
}

#[test]
fn who_left_stays_gone() {
    let mut server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob: Guest = join(&http, &ada.room_id);
    bob.call("/room/leave").data();
    again(&mut server, End::Kill);
    bob.via(&server.client())
        .call("/room/heartbeat")
        .refused(403, "not_a_member");
    let pending: Vec<Value> = ada.via(&server.client()).drain();
    assert_eq!(pending.len(), 2, "he came, he left: {pending:?}");
}

#[test]
fn attendance_lasts_as_long_as_the_socket_was_open() {
    let mut server = Server::start(&[]);
    let ada = create(&server.client(), json!({"userName":"Ada"}));
    let mut ws = server.login_v1(&ada.token);
    let begun = Instant::now();
    // Time passes, by the presence that is told once a second.
    for _ in 0..2 {
        join(&server.client(), &ada.room_id);
        assert!(ws.presence_by(begun + DEADLINE).is_some(), "nobody came");
    }
    let here = begun.elapsed();
    server.stop();
    let db = rusqlite::Connection::open(server.data()).expect("the file");
    let sql = "SELECT max(went - came) FROM presence p JOIN users u ON u.no = p.user WHERE u.name = 'Ada'";
    let nanos: i64 = db.query_row(sql, [], |row| row.get(0)).expect("a row");
    let noted = Duration::from_nanos(nanos as u64);
    assert!(noted >= here, "{noted:?} of {here:?}");
}
