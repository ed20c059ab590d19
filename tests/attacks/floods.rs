//! Floods of connections, guesses and newcomers. Limits on one address are generous, because a
//! classroom is one; nobody is refused for what others do.

use crate::raw::{connect, get, rest, send, status};
use crate::support::{DEADLINE, Http, PASSWORD, Reply, Server, account, create, join, until};
use crate::vitals::{ALLOCATOR_KEEPS, Vitals};
use serde_json::json;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many that were turned away the door keeps, on each port, to let them read why.
const TURNED_AWAY: usize = 64;

#[test]
fn a_thousand_connections_past_the_cap_are_turned_away_and_those_inside_go_on() {
    rlimit::increase_nofile_limit(8_192).expect("more open files");
    let server = Server::start(&["--data", "none", "--max-per-address", "20"]);
    let ada = create(&server.client(), json!({}));
    let mut ws = server.login(&ada.token);
    let before = Vitals::of(&server);
    let held: Vec<TcpStream> = (0..1_000).map(|_| connect(server.http)).collect();
    ws.say(ada.room, "inside");
    let during = Vitals::of(&server);
    assert!(during.threads <= before.threads + 20, "{during:?}");
    assert!(
        during.descriptors <= before.descriptors + 20 + TURNED_AWAY,
        "{during:?}"
    );
    // Another address gets in.
    let other = server.client().calling_from([127, 0, 0, 2]);
    assert_eq!(other.get("/healthz").status, 200);
    // The last that was turned away reads why.
    let last = held.last().expect("a thousand");
    assert_eq!(status(&rest(last, DEADLINE)), Some(503));
    drop(held);
    before.again(&server, TURNED_AWAY);
    assert_eq!(get(server.http, "/healthz"), Some(200));
}

/// So many wrong passwords for a room from each of these addresses; all are tried.
fn guess(clients: &[Http], count: usize, path: &str, body: &serde_json::Value) {
    for http in clients {
        for _ in 0..count {
            let reply = http.post(path, body.clone());
            assert!(matches!(reply.status, 401 | 403), "{}", reply.body);
        }
    }
}

#[test]
fn guessing_from_many_addresses_delays_a_room_and_an_account_and_locks_nobody_out() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let room = create(&http, json!({"roomPassword":"sesame"}));
    account(&http, "Ada");
    let from = |n: u8| server.client().calling_from([127, 0, 1, n]);
    let guessers: Vec<Http> = (1..=3).map(from).collect();
    let wrong_room = json!({"roomId":room.room_id,"roomPassword":"simsim"});
    let wrong_login = json!({"username":"Ada","password":"simsim"});
    // 96 in all, each address well within its own 60: past 60 in all each further one waits.
    guess(&guessers, 32, "/room/join", &wrong_room);
    guess(&guessers, 32, "/login", &wrong_login);

    let own = from(9);
    let timed = |path: &str, body: serde_json::Value| -> (Reply, Duration) {
        let since = Instant::now();
        (own.post(path, body), since.elapsed())
    };
    let right = json!({"roomId":room.room_id,"roomPassword":"sesame"});
    let (joined, took) = timed("/room/join", right);
    joined.data();
    assert!(took < Duration::from_secs(5), "waited {took:?}");
    let right = json!({"username":"Ada","password":PASSWORD});
    let (logged_in, took) = timed("/login", right);
    logged_in.done(200);
    assert!(took < Duration::from_secs(5), "waited {took:?}");
    // A room that nobody attacks does not wait.
    let elsewhere = create(&http, json!({"roomPassword":"sesame"}));
    let right = json!({"roomId":elsewhere.room_id,"roomPassword":"sesame"});
    let (joined, took) = timed("/room/join", right);
    joined.data();
    assert!(took < Duration::from_secs(2), "waited {took:?}");
}

#[test]
fn no_such_user_and_a_wrong_password_look_the_same_and_take_as_long() {
    const TRIES: usize = 15;
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    account(&http, "Ada");
    let once = |name: &str| {
        let since = Instant::now();
        let reply = http.post("/login", json!({"username":name,"password":"simsim"}));
        (since.elapsed(), reply)
    };
    // In turns, so that what else the machine does meets both; the first of each is warming up.
    let (mut there, mut nobody) = (vec![], vec![]);
    for n in 0..=TRIES {
        let (took, wrong) = once("Ada");
        let (took_nobody, unknown) = once("Nobody");
        assert_eq!(wrong.status, unknown.status);
        assert_eq!(wrong.body, unknown.body);
        let names = |reply: &Reply| -> Vec<String> {
            reply.headers.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&wrong), names(&unknown));
        if n > 0 {
            there.push(took);
            nobody.push(took_nobody);
        }
    }
    there.sort();
    nobody.sort();
    // The quickest of each: what else the machine does makes others slow.
    let [there, nobody] = [there, nobody].map(|times| times[0].as_secs_f64());
    println!("quickest: wrong password {there} s, no such user {nobody} s");
    assert!(
        (0.5..2.0).contains(&(there / nobody)),
        "{there} s and {nobody} s tell them apart"
    );
}

/// One of so many calls is refused as too fast; how many were not before.
fn refused_at_last(most: usize, mut call: impl FnMut(usize) -> Reply) -> usize {
    for n in 0..most {
        let reply = call(n);
        if reply.status == 429 {
            let after = reply.json["retryAfter"].as_f64().unwrap_or_default();
            assert!(after > 0.0 && after <= 60.0, "{}", reply.body);
            assert!(reply.header("Retry-After").is_some(), "{:?}", reply.headers);
            return n;
        }
        assert!(reply.status < 300, "{}", reply.body);
    }
    panic!("none of {most} calls was refused")
}

#[test]
fn a_class_registers_at_once_and_a_flood_of_accounts_is_too_fast() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let register = |http: &Http, n: usize| {
        let body = json!({"username":format!("pupil {n}"),"password":"x"});
        http.post("/users", body)
    };
    let count = refused_at_last(200, |n| register(&http, n));
    assert!(count >= 120, "only {count} of a class could register");
    let other = http.calling_from([127, 0, 0, 2]);
    register(&other, 1_000).done(201);
}

#[test]
fn logins_hold_the_memory_of_two_hashings_however_many_they_are() {
    const TWO: u64 = 2 * 19 * 1024 * 1024;
    let server = Server::start(&["--data", "none"]);
    let before = Vitals::of(&server).rss;
    account(&server.client(), "Ada");
    for _ in 0..40 {
        // Each on a connection of its own, as phones come.
        let body = json!({"username":"Ada","password":PASSWORD});
        server.client().post("/login", body).done(200);
    }
    let more = Vitals::of(&server).rss.saturating_sub(before);
    assert!(more < TWO + ALLOCATOR_KEEPS, "{} MiB", more >> 20);
}

#[test]
fn a_school_makes_rooms_at_once_and_a_flood_of_rooms_is_too_fast() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = account(&http, "Ada");
    let count = refused_at_last(1_500, |_| http.post("/room/create", json!({})));
    assert!(count >= 600, "only {count} rooms could be made");
    // The other way to make a room counts as well.
    let by_account = ada.http.post("/rooms", ada.body(json!({"name":"Chess"})));
    by_account.failed(429, 7);
    let other = http.calling_from([127, 0, 0, 2]);
    other.post("/room/create", json!({})).data();
}

/// Past the joins that one address may make in this room; then as somebody else.
fn joins_run_out(room_id: &str, by: &Http) {
    let body = json!({"roomId":room_id});
    let count = refused_at_last(200, |_| by.post("/room/join", body.clone()));
    assert!(count >= 120, "only {count} joins");
}

#[test]
fn behind_a_trusted_proxy_each_client_has_limits_of_its_own() {
    let server = Server::start(&[
        "--data",
        "none",
        "--trust-proxy",
        "127.0.0.1/32",
        "--trust-proxy",
        "10.0.0.0/8",
        "--max-per-address",
        "2",
    ]);
    let proxy = server.client();
    let ada = create(&proxy, json!({}));
    let client = |address: &str| proxy.with("X-Forwarded-For", address);
    joins_run_out(&ada.room_id, &client("198.51.100.1"));
    let body = json!({"roomId":ada.room_id});
    // What the client itself wrote further left counts for nothing; trusted hops are passed over.
    for same in [
        "203.0.113.5, 198.51.100.1",
        "203.0.113.6, 198.51.100.1, 10.1.2.3",
        "198.51.100.1:4711",
    ] {
        let refused = client(same).post("/room/join", body.clone());
        refused.refused(429, "too_fast");
    }
    client("198.51.100.2").post("/room/join", body).data();
    // The proxy has more connections than one address may.
    let held: Vec<TcpStream> = (0..20).map(|_| connect(server.http)).collect();
    for stream in &held {
        send(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(status(&rest(stream, DEADLINE)), Some(200));
    }
}

#[test]
fn who_is_no_trusted_proxy_cannot_say_that_it_is_somebody_else() {
    let trusting = ["--data", "none", "--trust-proxy", "10.0.0.0/8"];
    for args in [&trusting[..2], &trusting] {
        let server = Server::start(args);
        let http = server.client();
        let ada = create(&http, json!({}));
        joins_run_out(&ada.room_id, &http);
        for forged in ["198.51.100.7", "10.0.0.1", "127.0.0.2"] {
            let forger = http.with("X-Forwarded-For", forged);
            // Two a second are let in again; another address would have 120 at once.
            let join = || forger.post("/room/join", json!({"roomId":ada.room_id}));
            let refused = (0..100).find_map(|_| Some(join()).filter(|reply| reply.status != 200));
            refused.expect("the same address").refused(429, "too_fast");
        }
    }
}

/// PROTOCOL.md: the server pings every 30 s and closes a socket that is silent for 75 s.
#[test]
fn who_answers_no_ping_for_75_s_is_cut_and_who_does_is_not() {
    const SILENCE: Duration = Duration::from_secs(75);
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let mut adas = server.login(&ada.token);
    let mut before = Vitals::of(&server);
    until("who called over HTTP is gone", || {
        std::thread::sleep(Duration::from_millis(500));
        let last = std::mem::replace(&mut before, Vitals::of(&server));
        last.descriptors == before.descriptors
    });
    let silent = server.login(&bob.token);
    let opened = Instant::now();
    // Reading answers pings; nothing is to come.
    while Vitals::of(&server).descriptors > before.descriptors {
        assert!(opened.elapsed() < SILENCE + DEADLINE, "it is still there");
        assert_eq!(
            adas.presence_by(Instant::now() + Duration::from_secs(1)),
            None
        );
    }
    let took = opened.elapsed();
    assert!(
        took > SILENCE - Duration::from_secs(1),
        "cut after {took:?}"
    );
    adas.say(ada.room, "still here");
    drop(silent);
}
