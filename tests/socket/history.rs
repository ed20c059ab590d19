//! `history` on a socket.

use crate::support::{Guest, Server, Ws, create, join_as, places};
use serde_json::{Value, json};

/// Ada and Bob in one room; no limits on rates.
fn start() -> (Server, Guest, Guest) {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    (server, ada, bob)
}

fn page(ws: &mut Ws, room: u64, fields: Value) -> Value {
    let mut request = fields;
    request["type"] = json!("history");
    request["room"] = json!(room);
    let answer = ws.ask(request);
    assert_eq!(answer["code"], 0, "{answer}");
    answer
}

fn page_places(page: &Value) -> Vec<u64> {
    places(page["data"].as_array().expect("a list"))
}

#[test]
fn history_on_a_socket_is_the_history_over_http() {
    let (server, ada, bob) = start();
    (0..5).for_each(|i| bob.say(&format!("{i}")));
    let mut ws = server.login(&ada.token);
    let over_http = |query: &str| {
        let path = format!("/rooms/{}/messages{query}", ada.room);
        server
            .client()
            .bearer(&ada.token)
            .get(&path)
            .done(200)
            .clone()
    };
    for (request, query) in [
        (json!({"after":2,"limit":2}), "?after=2&limit=2"),
        (json!({"before":5,"limit":2}), "?before=5&limit=2"),
        (json!({}), ""),
    ] {
        let mut request = request;
        request["type"] = json!("history");
        request["room"] = json!(ada.room);
        request["id"] = json!("h");
        let answer = ws.ask(request);
        let page = over_http(query);
        for field in ["code", "msg", "data", "next", "complete", "more"] {
            assert_eq!(answer[field], page[field], "{field} of {query}");
        }
        assert_eq!(answer["id"], "h");
    }
    let stranger = create(&server.client(), json!({}));
    assert_eq!(
        server
            .login(&stranger.token)
            .ask(json!({"type":"history","room":ada.room}))["code"],
        4
    );
}

#[test]
fn pages_too_heavy_for_one_answer_lead_back_without_a_gap() {
    let (server, ada, _) = start();
    let mut ws = server.login(&ada.token);
    (0..150).for_each(|_| drop(ws.say(ada.room, &"中".repeat(4000))));
    let (mut seen, mut end) = (Vec::new(), 152);
    let mut asked = json!({});
    loop {
        let page = page(&mut ws, ada.room, asked);
        let found = page_places(&page);
        assert_eq!(page["complete"], true);
        assert_eq!(found.last(), Some(&end), "the newest of what was asked for");
        end = found[0] - 1;
        seen.splice(0..0, found);
        if page["more"] == false {
            break;
        }
        asked = json!({"before":page["next"]});
    }
    assert_eq!(seen, (1..=152).collect::<Vec<_>>());
}

#[test]
fn a_place_past_all_numbers_has_nothing_after_it() {
    let (server, ada, _) = start();
    let mut ws = server.login(&ada.token);
    for after in [u64::MAX, u64::MAX - 1] {
        let page = page(&mut ws, ada.room, json!({"after":after}));
        assert_eq!(
            (&page["data"], &page["complete"]),
            (&json!([]), &json!(false))
        );
    }
    assert_eq!(page_places(&page(&mut ws, ada.room, json!({}))), [1, 2]);
}

#[test]
fn several_pages_asked_for_at_once_all_come() {
    let (server, ada, _) = start();
    let mut speaker = server.login(&ada.token);
    (0..200).for_each(|_| drop(speaker.say(ada.room, &"中".repeat(2000))));
    let mut ws = Ws::connect_narrow(server.ws);
    ws.auth(&ada.token);
    let requests = [
        json!({}),
        json!({"after":0}),
        json!({"before":150}),
        json!({}),
    ];
    for (id, fields) in requests.iter().enumerate() {
        let mut request = fields.clone();
        request["type"] = json!("history");
        request["room"] = json!(ada.room);
        request["limit"] = json!(200);
        request["id"] = json!(id);
        ws.send_json(request);
    }
    for id in 0..requests.len() {
        let answer = ws.recv();
        assert_eq!(
            (&answer["type"], &answer["id"], &answer["code"]),
            (&json!("history"), &json!(id), &json!(0))
        );
        assert!(!page_places(&answer).is_empty());
    }
    ws.say(ada.room, "still here");
}
