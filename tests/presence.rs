//! Presence and typing: who is there now. With `v` 1 only, and no part of the order.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Guest, Http, Server, Shape, Ws, account, create, join, join_as, until, uuid};

/// Told once a second; two cores run many tests at once.
const SOON: Duration = Duration::from_secs(8);
/// After the last socket closed.
const PARTING: Duration = Duration::from_secs(10);

/// Ada and Bob in one room.
fn start(args: &[&str]) -> (Server, Guest, Guest) {
    let server = Server::start(&[&["--data", "none"], args].concat());
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (server, ada, bob)
}

/// Reads frames of presence until one has `user` in its list `online` or `offline`; answers all.
fn told(ws: &mut Ws, room: u64, list: &str, user: &Guest, patience: Duration) -> Vec<Value> {
    let deadline = Instant::now() + patience;
    let mut frames = Vec::new();
    loop {
        let Some(frame) = ws.presence_by(deadline) else {
            panic!("{} not told {list} within {patience:?}", user.name);
        };
        let mut shape = Shape::strict(&[]);
        let lists = json!({"type":"presence","room":room,"online":"<any>","offline":"<any>"});
        shape.check(&frame, &lists);
        let found = has(&frame, list, user);
        frames.push(frame);
        if found {
            return frames;
        }
    }
}

fn has(frame: &Value, list: &str, user: &Guest) -> bool {
    let ids = frame[list].as_array().expect("a list");
    ids.contains(&json!(user.id))
}

fn cid(server: &Server, room: &Guest) -> Guest {
    let body = json!({"roomId":room.room_id,"userName":"Cid"});
    join_as(&server.client(), body)
}

#[test]
fn who_comes_is_told_soon() {
    let (server, ada, _) = start(&[]);
    let mut watcher = server.login_v1(&ada.token);
    let cid = cid(&server, &ada);
    told(&mut watcher, ada.room, "online", &cid, SOON);
}

#[test]
fn who_only_calls_comes_with_a_call_and_goes_after_the_idle_time() {
    const IDLE: Duration = Duration::from_secs(2);
    let (server, ada, _) = start(&["--idle", "2"]);
    let mut watcher = server.login_v1(&ada.token);
    let cid = cid(&server, &ada);
    for _ in 0..2 {
        let start = Instant::now();
        cid.call("/room/heartbeat").data();
        told(&mut watcher, ada.room, "online", &cid, SOON);
        told(&mut watcher, ada.room, "offline", &cid, IDLE + SOON);
        assert!(start.elapsed() >= IDLE, "after {:?}", start.elapsed());
    }
}

#[test]
fn who_goes_is_told_10_seconds_after_its_last_socket_and_a_reload_is_not() {
    let (server, ada, bob) = start(&["--idle", "1"]);
    let cid = cid(&server, &ada);
    let mut watcher = server.login_v1(&ada.token);
    let (mut bobs, mut cids) = (server.login(&bob.token), server.login(&cid.token));
    [&mut bobs, &mut cids]
        .iter_mut()
        .for_each(|ws| ws.nothing_more());
    let second = server.login(&bob.token);
    drop(bobs);

    drop(cids);
    let _reloaded = server.login(&cid.token);
    watcher.nothing_more(); // past what was told before
    let start = Instant::now();
    drop(second);
    let frames = told(&mut watcher, ada.room, "offline", &bob, PARTING + SOON);
    assert!(start.elapsed() >= PARTING, "after {:?}", start.elapsed());
    for frame in frames {
        assert!(!has(&frame, "offline", &cid), "Cid only reloaded: {frame}");
        assert!(!has(&frame, "offline", &ada), "Ada is here: {frame}");
    }
}

#[test]
fn without_v_1_nobody_is_told_and_no_place_is_taken() {
    let (server, ada, _) = start(&[]);
    let (mut plain, mut watcher) = (server.login(&ada.token), server.login_v1(&ada.token));
    let cid = cid(&server, &ada);
    told(&mut watcher, ada.room, "online", &cid, SOON);
    plain.nothing_more();
    assert_eq!(plain.say(ada.room, "hello")["at"], 4, "after three joins");
}

#[test]
fn typing_reaches_the_others_that_asked_for_v_1() {
    let (server, ada, bob) = start(&[]);
    let (mut adas, mut plain) = (server.login_v1(&ada.token), server.login(&ada.token));
    let (mut bobs, mut own) = (server.login(&bob.token), server.login_v1(&bob.token));
    let id = uuid();
    let answer = bobs.ask(json!({"type":"typing","room":bob.room,"id":id}));
    assert_eq!((&answer["code"], &answer["id"]), (&json!(0), &json!(id)));
    assert_eq!(
        adas.recv(),
        json!({"type":"typing","room":ada.room,"user":{"id":bob.id,"name":"Bob"}})
    );
    [&mut plain, &mut own, &mut bobs]
        .into_iter()
        .for_each(Ws::nothing_more);
    let elsewhere = create(&server.client(), json!({}));
    let refused = bobs.ask(json!({"type":"typing","room":elsewhere.room}));
    assert_eq!(refused["code"], 4);
    assert_eq!(bobs.say(bob.room, "typed")["at"], 3, "no part of the order");
    assert_eq!(adas.hear(1), ["typed"]);
}

#[test]
fn members_says_what_presence_has_told() {
    // Longer than presence waits to be told: a moment online is not passed over.
    let (server, ada, _) = start(&["--idle", "2"]);
    let cid = cid(&server, &ada);
    let (mut watcher, mut asker) = (server.login_v1(&ada.token), server.login_v1(&ada.token));
    for _ in 0..4 {
        until("members says that Cid is offline", || {
            let answer = asker.ask(json!({"type":"members","room":ada.room}));
            let members = answer["data"].as_array().expect("a list").clone();
            members
                .iter()
                .any(|member| member["id"] == cid.id && member["online"] == false)
        });
        cid.call("/room/heartbeat").data();
        told(&mut watcher, ada.room, "offline", &cid, SOON);
        told(&mut watcher, ada.room, "online", &cid, SOON);
    }
}

/// Reads presence until these counts are told.
fn counted(ws: &mut Ws, online: u64, members: u64) {
    let deadline = Instant::now() + 2 * SOON;
    loop {
        let frame = ws.presence_by(deadline);
        let frame = frame.unwrap_or_else(|| panic!("not told of {online} among {members}"));
        if (&frame["onlineCount"], &frame["memberCount"]) == (&json!(online), &json!(members)) {
            return;
        }
    }
}

#[test]
fn above_200_members_only_counts_are_told_and_they_stay_right_down_to_200() {
    let (server, ada, _) = start(&[]);
    let mut guests = vec![];
    // A class joins from one address; two hundred a minute do not.
    for address in [2, 3] {
        let http = server.client().calling_from([127, 0, 0, address]);
        guests.extend((0..100).map(|_| join(&http, &ada.room_id)));
    }
    let mut watcher = server.login_v1(&ada.token);
    counted(&mut watcher, 202, 202);
    let account = account(&server.client(), "Eve");
    let eve = Http::bearer(&server.client(), &account.token);
    let joined = eve.post("/room/join", json!({"roomId":ada.room_id}));
    assert_eq!(joined.status, 200);
    counted(&mut watcher, 203, 203);
    // Who leaves is as online as before: only the counts change.
    for left in [202, 201] {
        guests.pop().expect("a guest").call("/room/leave").data();
        counted(&mut watcher, left, left);
    }
    guests.pop().expect("a guest").call("/room/leave").data();
    let frames = told(&mut watcher, ada.room, "online", &guests[0], SOON);
    let last = frames.last().expect("a frame");
    let lengths = ["online", "offline"].map(|list| last[list].as_array().map(Vec::len));
    assert_eq!(lengths, [Some(200), Some(0)], "the whole list: {last}");
}

#[test]
fn who_waits_for_messages_is_there() {
    let (server, ada, _) = start(&["--idle", "3"]);
    let mut watcher = server.login_v1(&ada.token);
    let cid = cid(&server, &ada);
    let start = Instant::now();
    let waiting = cid.begin_fetch(json!({"wait":6}));
    told(&mut watcher, ada.room, "online", &cid, SOON);
    told(&mut watcher, ada.room, "offline", &cid, 3 * SOON);
    assert!(start.elapsed() > Duration::from_secs(6), "while it waited");
    waiting.finish().data();
}
