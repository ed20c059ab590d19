//! `/where` and `/qr.svg`: what the page begins with, and the code that a phone reads.

use crate::support::{Http, Server, account, create, join, until};
use serde_json::{Value, json};

/// What a reader makes of the dark squares of a code, the quiet zone around them cut off.
pub fn read(dark: &[Vec<bool>]) -> String {
    const QUIET: usize = 4;
    let size = dark.len();
    let rim = |at| !(QUIET..size - QUIET).contains(&at);
    for (y, row) in dark.iter().enumerate() {
        assert_eq!(row.len(), size, "square");
        let bare = (0..size).all(|x| !(row[x] && (rim(x) || rim(y))));
        assert!(bare, "nothing in the quiet zone");
    }
    let inside = |x: usize, y: usize| dark[y + QUIET][x + QUIET];
    let grid = rqrr::SimpleGrid::from_func(size - 2 * QUIET, inside);
    rqrr::Grid::new(grid).decode().expect("readable").1
}

/// The dark squares of an SVG that is drawn of rectangles.
fn squares(svg: &str) -> Vec<Vec<bool>> {
    let between = |from: &str, to: &str| {
        let (_, rest) = svg
            .split_once(from)
            .unwrap_or_else(|| panic!("no {from} in {svg}"));
        rest.split_once(to).expect("an end").0
    };
    let view: Vec<usize> = numbers(between("viewBox=\"", "\""));
    let [0, 0, width, height] = view[..] else {
        panic!("{view:?}")
    };
    assert_eq!(width, height);
    assert!(
        svg.contains("fill=\"#fff\"/>") && svg.contains("<path fill=\"#000\""),
        "{svg}"
    );
    let drawn = between(" d=\"", "\"");
    let boxes: Vec<Vec<usize>> = drawn.split('M').skip(1).map(numbers).collect();
    // Each is as large as the squares that it covers; the smallest side is one.
    let unit = boxes
        .iter()
        .flat_map(|b| [b[2], b[3]])
        .min()
        .expect("dark squares");
    let mut dark = vec![vec![false; width / unit]; width / unit];
    for b in boxes {
        for row in &mut dark[b[1] / unit..(b[1] + b[3]) / unit] {
            row[b[0] / unit..(b[0] + b[2]) / unit].fill(true);
        }
    }
    dark
}

fn numbers(text: &str) -> Vec<usize> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn drawn(http: &Http, link: &str) -> String {
    let reply = http.get(&format!("/qr.svg?text={}", encoded(link)));
    assert_eq!(reply.status, 200, "{link}: {}", reply.body);
    assert_eq!(reply.header("Content-Type"), Some("image/svg+xml"));
    assert_eq!(
        reply.header("Cache-Control"),
        Some("no-store"),
        "may hold a key"
    );
    read(&squares(&reply.body))
}

#[test]
fn a_code_is_read_as_the_link_that_was_given() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let (own, port) = (server.http, server.http.port());
    let key = "0123456789abcdef0123456789abcdef";
    let maker = create(&http, json!({}));
    let (room, id) = (maker.room, &maker.room_id);
    for link in [
        format!("http://{own}"),
        format!("http://{own}/"),
        format!("http://{own}/#/room/{room}"),
        format!("http://{own}/#/room/{room}/board"),
        format!("http://{own}/#/room/{room}?owner={key}"),
        format!("http://{own}/#/room/{room}/board?owner={key}"),
        format!("http://localhost:{port}/#/room/{id}"),
    ] {
        assert_eq!(drawn(&http, &link), link);
    }
    // Behind a proxy it is called otherwise, and the page asks for that.
    let named = http.named("chat.example.org");
    for link in [
        "https://chat.example.org/".to_owned(),
        format!("http://chat.example.org/#/room/{room}"),
    ] {
        assert_eq!(drawn(&named, &link), link);
    }
}

#[test]
fn no_code_leads_into_a_room_that_is_not_there() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client().english();
    let room = create(&http, json!({})).room;
    for place in [
        (room + 1).to_string(),
        format!("{}/board", room + 1),
        format!("{}?owner=0123456789abcdef", room + 1),
        "0123456789abcdef0123456789abcdef".into(),
        "0".into(),
        "99999999999999999999".into(),
        "nowhere".into(),
        "?owner=0123456789abcdef".into(),
    ] {
        let link = format!("http://{}/#/room/{place}", server.http);
        let reply = http.get(&format!("/qr.svg?text={}", encoded(&link)));
        let sentence = reply.refused(404, "room_not_found");
        assert_eq!(sentence, "There is no such room.", "{place}");
    }
}

#[test]
fn no_code_leads_elsewhere() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client().english();
    let own = server.http;
    let refused = |link: &str, status, code| {
        let reply = http.get(&format!("/qr.svg?text={}", encoded(link)));
        let sentence = reply.refused(status, code);
        assert!(!sentence.contains("evil"), "{sentence}");
    };
    for link in [
        "http://evil.example/".to_owned(),
        "https://chat.example.org/".into(),
        format!("http://{own}@evil.example/"),
        format!("http://evil.example/#{own}"),
        format!("http://{own}.evil.example/"),
        format!("http://{own}/protocol"),
        format!("http://{own}/#/room/<script>"),
        format!("{own}/"),
        "WIFI:T:WPA;S:evil;P:evil;;".into(),
        "javascript:alert(1)".into(),
    ] {
        refused(&link, 403, "forbidden");
    }
    refused("", 400, "bad_request");
    refused(
        &format!("http://{own}/#/room/{}", "7".repeat(300)),
        400,
        "bad_request",
    );
    http.get("/qr.svg").refused(400, "bad_request");
    // In the language of whoever asks.
    let chinese = server.client().get("/qr.svg").refused(400, "bad_request");
    assert!(chinese.contains("地址"), "{chinese}");
}

#[test]
fn where_tells_the_name_the_addresses_and_the_rooms_that_anybody_may_see() {
    let server = Server::start(&["--data", "none", "--name", "Class 7b", "--lang", "en"]);
    let http = server.client();
    let place = || {
        let reply = http.get("/where");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
        reply.json
    };
    let empty = json!({
        "name": "Class 7b", "lang": "en", "closed": false, "rooms": [], "more": false,
        "addresses": [format!("http://{}", server.http)], "version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(place(), empty);

    let ada = account(&http, "Ada");
    let open = ada.make_room(json!({"name":"Physics"}));
    let shut = create(
        &http,
        json!({"roomName":"Chess","roomPassword":"e4","listed":true}),
    );
    create(&http, json!({"roomName":"Secret"}));
    for _ in 0..2 {
        join(&http, &open.to_string());
    }
    let rooms = json!([
        {"id": open, "name": "Physics", "password": false, "locked": false, "members": 3},
        {"id": shut.room, "name": "Chess", "password": true, "locked": false, "members": 1},
    ]);
    until("the rooms are shown", || place()["rooms"] == rooms);
    assert!(
        !place().to_string().contains("Secret"),
        "not listed is not shown"
    );
}

#[test]
fn no_more_than_a_hundred_rooms_are_shown_and_that_is_said() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    for n in 1..=101 {
        create(
            &http,
            json!({"roomName": format!("Room {n}"), "listed": true}),
        );
    }
    until("all but one are shown", || {
        http.get("/where").json["more"] == true
    });
    let place = http.get("/where").json;
    let shown: Vec<&Value> = place["rooms"].as_array().expect("a list").iter().collect();
    assert_eq!(shown.len(), 100);
    assert_eq!(
        (&shown[0]["name"], &shown[99]["name"]),
        (&json!("Room 1"), &json!("Room 100"))
    );
}
