//! Presence and typing: who is there now. With `v` 1 only, and no part of the order.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Guest, Server, Shape, Ws, create, join_as, uuid};

/// Told once a second; two cores run many tests at once.
const SOON: Duration = Duration::from_secs(3);
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
