//! Registering, logging in and out, and what of it reaches the disk.

use crate::server;
use crate::support::{
    self, PASSWORD, Reply, Server, Shape, account, create, join_as, log_in, until, uuid,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn registering_answers_201_and_logging_in_a_token_and_the_user() {
    let server = server();
    let http = server.client();
    let registered = http.post("/users", json!({"username":"Ada","password":PASSWORD}));
    assert_eq!(
        (registered.status, &registered.json),
        (201, &json!({"code":0,"msg":""}))
    );

    let login = http.post("/login", json!({"username":"Ada","password":PASSWORD}));
    assert_eq!(login.status, 200);
    Shape::strict(&[]).check(
        &login.json,
        &json!({"code": 0, "msg": "<hex64>", "user": {
            "id": "<int>", "username": "Ada", "nickname": "Ada", "slogan": "", "status": 0, "registered": "<local-ns>"
        }}),
    );
}

#[test]
fn a_username_is_taken_once_lookalikes_included() {
    let server = server();
    let http = server.client();
    account(&http, "Anna");
    for name in ["Anna", "Аnnа"] {
        http.post("/users", json!({"username":name,"password":"another"}))
            .failed(409, 11);
    }
    http.post("/users", json!({"username":"Hanna","password":"another"}))
        .done(201);
}

#[test]
fn a_username_that_differs_where_nobody_can_see_it_is_no_other() {
    let server = server();
    let http = server.client();
    account(&http, "Anna");
    account(&http, "A nna");
    let register = |name: &str| http.post("/users", json!({"username":name,"password":"another"}));
    for name in ["Anna ", " Anna", "\u{3000}Anna", "A  nna", "A\u{2800}nna"] {
        register(name).failed(409, 11);
    }
    for name in ["\u{202e}annA", "\u{200b}", "\u{2800}", " "] {
        register(name).failed(400, 2);
    }
}

#[test]
fn a_login_needs_the_username_to_the_letter() {
    let server = server();
    let http = server.client();
    account(&http, "Anna");
    for name in ["Аnnа", "Anna ", " Anna", "anna", "An\u{200b}na"] {
        http.post("/login", json!({"username":name,"password":PASSWORD}))
            .failed(401, 10);
    }
    log_in(&http, "Anna");
}

#[test]
fn a_username_as_long_as_a_body_is_refused_quickly() {
    let server = server();
    let http = server.client();
    // Three bytes each, to the door's limit; the last two cost most to bring into normal form.
    for letter in ["中", "\u{fdfa}", "\u{1dc0}"] {
        let name = letter.repeat(21_000);
        let start = Instant::now();
        let reply = http.post("/login", json!({"username":name,"password":PASSWORD}));
        assert!(matches!(reply.status, 400 | 401), "{}", reply.body);
        let register = http.post("/users", json!({"username":name,"password":PASSWORD}));
        assert_eq!(register.status, 400, "{}", register.body);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "took {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_registration_that_cannot_be_is_refused() {
    let server = server();
    let http = server.client();
    let register = |username: &str, password: &str| {
        http.post("/users", json!({"username":username,"password":password}))
    };
    for name in ["", &"x".repeat(65), "a\nb", "a\u{0}"] {
        assert_eq!(register(name, PASSWORD).status, 400, "{name:?}");
    }
    for password in ["", &"x".repeat(129)] {
        assert_eq!(register("Ada", password).status, 400);
    }
    for body in [
        json!({}),
        json!({"username":"Ada"}),
        json!({"password":"x"}),
        json!({"username":1,"password":"x"}),
        json!([]),
    ] {
        http.post("/users", body).failed(400, 2);
    }
    http.post_text("/users", "not json").failed(400, 2);
    register(&"🦜".repeat(64), &"界".repeat(128)).done(201);
}

#[test]
fn a_login_that_fails_says_why_and_has_no_user() {
    let server = server();
    let http = server.client();
    account(&http, "Ada");
    let wrong = http.post("/login", json!({"username":"Ada","password":"wrong"}));
    let reason = wrong.failed(401, 10);
    assert_eq!(wrong.json.get("user"), Some(&Value::Null));
    let unknown = http.post("/login", json!({"username":"Nobody","password":PASSWORD}));
    assert_eq!(
        unknown.failed(401, 10),
        reason,
        "who has an account is nobody's to find out"
    );
    assert_eq!(unknown.json.get("user"), Some(&Value::Null));

    let malformed = http.post("/login", json!({"username":"Ada"}));
    malformed.failed(400, 2);
    assert_eq!(malformed.json.get("user"), Some(&Value::Null));
}

#[test]
fn reasons_are_english_unless_chinese_is_preferred() {
    let server = server();
    let http = server.client();
    let reason = |http: &support::Http| http.get("/users/999").failed(404, 3);
    assert!(reason(&http).is_ascii());
    assert!(reason(&http.english()).is_ascii());
    assert!(!reason(&http.with("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")).is_ascii());
}

#[test]
fn each_login_has_a_token_of_its_own_and_logout_ends_that_one() {
    let server = server();
    let http = server.client();
    let phone = account(&http, "Ada");
    let laptop = log_in(&http, "Ada");
    assert_ne!(phone.token, laptop.token);
    assert_eq!(phone.id, laptop.id);
    let mut socket = server.login(&phone.token);

    let out = phone.http.post("/logout", json!({}));
    assert_eq!((out.status, &out.json), (200, &json!({"code":0,"msg":""})));
    phone.http.get("/rooms/me").failed(401, 1);
    phone.http.post("/logout", json!({})).failed(401, 1);
    assert_eq!(socket.closed(), 4003, "a socket of a revoked token");
    let mut late = server.socket();
    late.send_json(json!({"type":"auth","token":phone.token}));
    assert_eq!(
        late.recv(),
        json!({"type":"auth","code":1,"msg":"Login status expired!"})
    );

    assert_eq!(laptop.http.get("/rooms/me").json, json!([]));
    server.login(&laptop.token);
    http.post("/logout", json!({})).failed(401, 1);
}

#[test]
fn users_can_be_looked_up_guests_too() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    assert_eq!(http.get(&format!("/users/{}", ada.id)).json, ada.user);

    let guest = create(&http, json!({"userName":"Grace"}));
    let found = http.get(&format!("/users/{}", guest.id));
    assert_eq!(found.status, 200);
    Shape::strict(&[]).check(
        &found.json,
        &json!({"id": guest.id, "username": "Grace", "nickname": "Grace", "slogan": "", "status": 0, "registered": "<local-ns>"}),
    );
    http.get("/users/999").failed(404, 3);
    assert_eq!(http.get("/users/ada").status, 404);
}

#[test]
fn a_session_ends_when_it_was_not_used_for_its_time() {
    let server = Server::start(&["--session", "4"]);
    let http = server.client();
    let guest = create(&http, json!({}));
    let ada = account(&http, "Ada");
    let start = Instant::now();
    let mut unused = start;
    until("longer than the session, by using it", || {
        unused = Instant::now();
        ada.http.get("/rooms/me").status == 200 && start.elapsed().as_secs() >= 5
    });
    // Now unused: it goes by itself, which is seen without showing it.
    until("the session has ended", || {
        let db = rusqlite::Connection::open(server.data()).expect("the file");
        let sql = "SELECT count(*) FROM tokens WHERE user = ?1";
        let count = db.query_row(sql, [ada.id as i64], |row| row.get::<_, i64>(0));
        count.expect("a count") == 0
    });
    let after = unused.elapsed();
    assert!(after > Duration::from_millis(3_900), "{after:?}");
    ada.http.get("/rooms/me").failed(401, 1);
    let mut socket = server.socket();
    socket.send_json(json!({"type":"auth","token":ada.token}));
    assert_eq!(
        socket.recv(),
        json!({"type":"auth","code":1,"msg":"Login status expired!"})
    );
    assert_eq!(log_in(&http, "Ada").http.get("/rooms/me").json, json!([]));
    server.login(&guest.token); // a guest's token is as good as its membership
}

#[test]
fn only_hashes_of_passwords_and_tokens_reach_the_disk() {
    let mut server = Server::start(&[]);
    let http = server.client();
    let ada = account(&http, "Ada");
    let room = ada.make_room(json!({"name":"Chess","password":"a room password"}));
    let guest = create(
        &http,
        json!({"roomPassword":"another room password","request":uuid()}),
    );
    join_as(
        &http,
        json!({"roomId":room,"roomPassword":"a room password"}),
    );
    server.login(&ada.token);
    guest.with_token().say("what is said is there");
    let secrets = [
        PASSWORD,
        &ada.token,
        &guest.token,
        "a room password",
        "another room password",
    ];

    let on_disk = |server: &Server| -> Vec<u8> {
        let files = std::fs::read_dir(server.dir()).expect("the data's directory");
        files
            .flat_map(|f| std::fs::read(f.expect("an entry").path()).expect("a file"))
            .collect()
    };
    let absent = |bytes: &[u8]| {
        assert!(
            holds(bytes, "what is said is there"),
            "looked in the right place"
        );
        secrets
            .iter()
            .for_each(|s| assert!(!holds(bytes, s), "{s:?} is on the disk"));
    };
    absent(&on_disk(&server));
    server.stop();
    absent(&on_disk(&server));
    secrets
        .iter()
        .for_each(|s| assert!(!server.stderr().contains(s), "{s:?} is in the log"));
    assert!(
        !server.stderr().contains("what is said is there"),
        "a text is in the log"
    );
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[test]
fn more_than_60_wrong_passwords_for_one_account_are_too_fast() {
    let server = server();
    let http = server.client();
    account(&http, "Ada");
    let wrong = |name: &str| http.post("/login", json!({"username":name,"password":"wrong"}));
    (0..50).for_each(|_| drop(wrong("Ada").failed(401, 10)));
    let refused: Option<Reply> = (0..150)
        .map(|_| wrong("Ada"))
        .find(|reply| reply.status == 429);
    let refused = refused.expect("the 61st is refused");
    refused.failed(429, 7);
    assert!(
        refused.json["retryAfter"]
            .as_f64()
            .is_some_and(|s| s > 0.0 && s <= 60.0),
        "{}",
        refused.body
    );
    wrong("Bob").failed(401, 10);
}
