//! `GET /rooms/:id/messages`.

use crate::server;
use crate::support::{self, Account, Guest, Server, Shape, account, join_as, log_in};
use serde_json::{Value, json};

/// A room of Ada's with ten messages after her join; Bob, a guest, reads.
fn a_room_with_history(server: &Server) -> (Account, Guest) {
    let http = server.client();
    let ada = account(&http, "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    let bob = join_as(&http, json!({"roomId":room,"userName":"Bob"}));
    (1..=8).for_each(|i| bob.say(&format!("{i}")));
    (ada, bob)
}

fn history(ada: &Account, room: u64, query: &str) -> Value {
    ada.http
        .get(&format!("/rooms/{room}/messages{query}"))
        .done(200)
        .clone()
}

fn history_places(page: &Value) -> Vec<u64> {
    support::places(page["data"].as_array().expect("a list"))
}

#[test]
fn history_holds_the_frames_a_new_socket_would_get() {
    let server = server();
    let (ada, bob) = a_room_with_history(&server);
    let page = history(&ada, bob.room, "?after=0");
    let mut shape = Shape::strict(&["reply", "avatar"]);
    let frame = |at: usize| page["data"][at - 1].clone();
    shape.check(
        &frame(2),
        &json!({"type": "joined", "room": bob.room, "at": 2, "sent": "<local-ns>",
            "user": {"id": bob.id, "name": "Bob", "avatar": "<avatar>"}}),
    );
    shape.check(
        &frame(3),
        &json!({"type": "recv", "at": 3, "data": {
            "uuid": "<uuid>", "sender": bob.id, "room": bob.room, "data": {"type": "Text", "text": "1"},
            "sent": "<local-ns>", "modified": false, "seq": 3, "name": "Bob"}}),
    );
    assert_eq!(history_places(&page), (1..=10).collect::<Vec<_>>());
    shape.check(
        &json!([
            page["code"],
            page["msg"],
            page["next"],
            page["complete"],
            page["more"]
        ]),
        &json!([0, "", 10, true, false]),
    );

    let mut socket = server.login_v1(&ada.token);
    bob.say("live");
    let live = socket.recv();
    assert_eq!(history(&ada, bob.room, "?after=10")["data"], json!([live]));
}

#[test]
fn history_pages_forwards_and_backwards() {
    let server = server();
    let (ada, bob) = a_room_with_history(&server);
    let room = bob.room;
    let forwards = history(&ada, room, "?after=2&limit=3");
    assert_eq!(history_places(&forwards), [3, 4, 5]);
    assert_eq!(
        (&forwards["next"], &forwards["more"], &forwards["complete"]),
        (&json!(5), &json!(true), &json!(true))
    );

    let newest = history(&ada, room, "?limit=3");
    assert_eq!(
        (history_places(&newest), &newest["complete"]),
        (vec![8, 9, 10], &json!(true)),
        "without a cursor the newest"
    );
    let before = history(&ada, room, "?before=8&limit=3");
    assert_eq!(history_places(&before), [5, 6, 7], "oldest first");
    assert_eq!(before["more"], true);
    let first = history(&ada, room, "?before=3&limit=3");
    assert_eq!(
        (history_places(&first), &first["more"]),
        (vec![1, 2], &json!(false))
    );

    let end = history(&ada, room, "?after=10");
    assert_eq!(
        (
            history_places(&end),
            &end["next"],
            &end["more"],
            &end["complete"]
        ),
        (vec![], &json!(10), &json!(false), &json!(true))
    );
    assert_eq!(
        history(&ada, room, "?after=11")["complete"],
        false,
        "beyond the end"
    );
}

#[test]
fn history_pages_have_at_most_200_entries() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let ada = account(&server.client(), "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    let mut socket = server.login(&ada.token);
    (0..205).for_each(|i| drop(socket.say(room, &format!("{i}"))));
    let page = history(&ada, room, "?after=0&limit=1000");
    assert_eq!(
        (history_places(&page), &page["more"]),
        ((1..=200).collect(), &json!(true))
    );
    assert_eq!(
        history_places(&history(&ada, room, "?after=200")),
        (201..=206).collect::<Vec<_>>()
    );
}

/// Pages back from the newest entry; each page ends where the one before it said.
fn walk_back(ada: &Account, room: u64, last: u64) {
    let (mut seen, mut end, mut query) = (Vec::new(), last, String::new());
    loop {
        let page = history(ada, room, &query);
        let found = history_places(&page);
        assert_eq!(page["complete"], true);
        assert_eq!(found.last(), Some(&end), "the newest of what was asked for");
        assert!(page.to_string().len() < (1 << 20) * 13 / 10);
        end = found[0] - 1;
        seen.splice(0..0, found);
        if page["more"] == false {
            break;
        }
        query = format!("?before={}", page["next"]);
    }
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
}

#[test]
fn pages_too_heavy_for_one_answer_lead_back_without_a_gap() {
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let ada = account(&server.client(), "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    let mut socket = server.login(&ada.token);
    (0..150).for_each(|_| drop(socket.say(room, &"中".repeat(4000))));
    walk_back(&ada, room, 151);
    server.restart(); // now out of the database, not out of memory
    walk_back(&log_in(&server.client(), "Ada"), room, 151);
}

#[test]
fn a_place_past_all_numbers_has_nothing_after_it() {
    let mut server = Server::start(&[]);
    let ada = account(&server.client(), "Ada");
    let room = ada.make_room(json!({"name":"Chess"}));
    // Out of memory, then out of the database.
    for _ in 0..2 {
        let ada = log_in(&server.client(), "Ada");
        for after in [u64::MAX, u64::MAX - 1] {
            let page = history(&ada, room, &format!("?after={after}"));
            assert_eq!(
                (&page["data"], &page["complete"]),
                (&json!([]), &json!(false))
            );
        }
        assert_eq!(history_places(&history(&ada, room, "")), [1]);
        assert!(!server.stderr().contains("panic"));
        server.restart();
    }
}

#[test]
fn history_is_for_members() {
    let server = server();
    let (ada, bob) = a_room_with_history(&server);
    let http = server.client();
    let stranger = account(&http, "Eve");
    let path = format!("/rooms/{}/messages", bob.room);
    http.get(&path).failed(401, 1);
    http.bearer("x").get(&path).failed(401, 1);
    stranger.http.get(&path).failed(403, 4);
    ada.http.get("/rooms/999/messages").failed(404, 3);
    for query in ["?after=x", "?after=-1", "?limit=many", "?before="] {
        ada.http.get(&format!("{path}{query}")).failed(400, 2);
    }
    http.bearer(&bob.token).get(&path).done(200);
}
