//! The Identity rule: open until a valid token was shown, sealed from then on.

mod support;

use serde_json::{Value, json};
use support::{Guest, Http, Server, account, create, join, uuid};

fn server() -> Server {
    Server::start(&["--data", "none"])
}

/// Every call in a user's name, leave last.
fn calls(guest: &Guest) -> Vec<support::Reply> {
    let mut replies = vec![guest.send(json!({"content":"it is me"}))];
    for path in ["/message/fetch", "/room/heartbeat", "/room/leave"] {
        replies.push(guest.call(path));
    }
    replies
}

fn assert_open(guest: &Guest) {
    guest.call("/room/heartbeat").data();
}

/// Without its token every call is refused; with it the guest goes on.
fn assert_sealed(guest: &Guest) {
    for reply in calls(guest) {
        reply.refused(401, "token_required");
    }
    for reply in calls(&guest.with_token()) {
        reply.data();
    }
}

#[test]
fn a_guest_that_never_showed_its_token_needs_none() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    for guest in [ada, bob] {
        calls(&guest)
            .into_iter()
            .for_each(|reply| drop(reply.data()));
    }
}

#[test]
fn a_token_in_a_header_seals() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    ada.with_token().call("/room/heartbeat").data();
    assert_sealed(&ada);
}

#[test]
fn a_token_in_a_body_seals() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    let shown = ada
        .http
        .post("/room/heartbeat", ada.body(json!({"token":ada.token})));
    shown.data();
    assert_sealed(&ada);
}

#[test]
fn a_websocket_auth_seals() {
    let server = server();
    let ada = create(&server.client(), json!({}));
    server.login(&ada.token);
    assert_sealed(&ada);
}

#[test]
fn a_token_shown_to_any_other_call_seals() {
    let server = server();
    let http = server.client();
    let by_header = create(&http, json!({}));
    assert_eq!(http.bearer(&by_header.token).get("/rooms/me").status, 200);
    assert_sealed(&by_header);

    let by_body = create(&http, json!({}));
    assert_eq!(
        http.post("/rooms", json!({"token":by_body.token,"name":"Chess"}))
            .status,
        201
    );
    assert_sealed(&by_body);
}

#[test]
fn a_token_seals_where_nobody_asks_for_it() {
    let server = server();
    let http = server.client();
    let anyone = create(&http, json!({"listed":true}));
    let shown = |guest: &Guest| http.bearer(&guest.token);
    for path in [
        "/".to_string(),
        format!("/users/{}", anyone.id),
        format!("/users/{}", anyone.user_id),
        "/users/999".into(),
        format!("/rooms/{}", anyone.room),
        format!("/rooms/{}", anyone.room_id),
    ] {
        let guest = create(&http, json!({}));
        shown(&guest).get(&path);
        assert_sealed(&guest);
    }
    for path in ["/users", "/login"] {
        let guest = create(&http, json!({}));
        shown(&guest).post(path, json!({"username":"Nobody","password":"x"}));
        assert_sealed(&guest);
    }
}

#[test]
fn a_token_that_is_not_valid_seals_nobody() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    for token in ["0".repeat(64), "x".into()] {
        ada.via(&http.bearer(&token))
            .call("/room/heartbeat")
            .refused(401, "bad_token");
        let body = ada.body(json!({"token":token}));
        http.post("/room/heartbeat", body).refused(401, "bad_token");
        let mut ws = server.socket();
        ws.send_json(json!({"type":"auth","token":token}));
        assert_eq!(ws.recv()["code"], 1);
    }
    assert_open(&ada);
    ada.via(&http.bearer(&bob.token))
        .call("/room/heartbeat")
        .refused(401, "bad_token");
    assert_open(&ada);
}

#[test]
fn a_sealed_guest_is_not_reached_with_anothers_token() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    server.login(&ada.token);
    for reply in calls(&ada.via(&http.bearer(&bob.token))) {
        reply.refused(401, "bad_token");
    }
    ada.with_token().call("/room/heartbeat").data();
}

#[test]
fn one_sealed_guest_leaves_the_others_open() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    server.login(&ada.token);
    assert_open(&bob);
    assert_sealed(&ada);
}

#[test]
fn refused_calls_leave_no_trace() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    server.login(&ada.token);
    bob.say("hello");
    for reply in calls(&ada) {
        reply.refused(401, "token_required");
    }
    assert_eq!(bob.drain(), [] as [Value; 0], "nothing said in her name");
    let pending = ada.with_token().drain();
    assert_eq!(pending.len(), 2, "nothing taken from her: {pending:?}");
}

#[test]
fn a_request_asked_again_does_not_hand_a_sealed_guest_to_another() {
    let server = server();
    let http = server.client();
    let body = json!({"request":uuid()});
    let ada = create(&http, body.clone());
    server.login(&ada.token);
    // The answer may have been lost: asking again gives a token that is as good as the first.
    let again = create(&http, body);
    assert_eq!(again.user_id, ada.user_id);
    assert_sealed(&again);
}

#[test]
fn a_request_asked_again_without_its_token_gives_no_token_of_that_user() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    let guest = create(&http, json!({})).with_token();
    let elsewhere = create(&http, json!({}));
    for (whose, id) in [(&ada.http, ada.id), (&guest.http, guest.id)] {
        for (path, mut body) in [
            ("/room/create", json!({})),
            ("/room/join", json!({"roomId":elsewhere.room_id})),
        ] {
            body["request"] = json!(uuid());
            let first = whose.post(path, body.clone()).data();
            assert_eq!(first["user"]["id"], id);
            let again = whose.post(path, body.clone()).data();
            assert_eq!(again["room"]["id"], first["room"]["id"]);

            let stranger = Guest::from(&http, &http.post(path, body).data());
            assert_ne!(stranger.id, id);
            let me = server.socket().auth_v1(&stranger.token)["me"].clone();
            assert_eq!(me, stranger.id, "the token is the stranger's own");
        }
    }
}

#[test]
fn an_account_is_sealed_from_birth() {
    let server = server();
    let http = server.client();
    let ada = account(&http, "Ada");
    let seated = create(&ada.http, json!({}));
    let without = Guest {
        token: ada.token.clone(),
        ..seated.via(&http)
    };
    assert_sealed(&without);
}

#[test]
fn require_token_seals_everyone() {
    let server = Server::start(&["--data", "none", "--require-token"]);
    let http: Http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    for guest in [bob, ada] {
        assert_sealed(&guest);
    }
}

#[test]
fn who_was_sealed_by_require_token_stays_so_without_it() {
    let mut server = Server::start(&["--require-token"]);
    let ada = create(&server.client(), json!({}));
    let bob = join(&server.client(), &ada.room_id);
    server.restart_without("--require-token");
    let http = server.client();
    assert_sealed(&bob.via(&http));
    assert_sealed(&ada.via(&http));
    assert_open(&create(&http, json!({})));
}

#[test]
fn a_guests_token_ends_with_its_membership() {
    let server = server();
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    bob.call("/room/leave").data();
    let mut ws = server.socket();
    ws.send_json(json!({"type":"auth","token":bob.token}));
    assert_eq!(
        ws.recv(),
        json!({"type":"auth","code":1,"msg":"Login status expired!"})
    );
}
