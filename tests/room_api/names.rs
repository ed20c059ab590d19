//! Names that differ only where nobody can see it.

use crate::support::{Server, create};
use serde_json::json;

#[test]
fn a_name_that_differs_in_blanks_only_is_taken() {
    let server = Server::start(&[]);
    let http = server.client();
    for (taken, lookalikes) in [
        ("Anna", ["Anna ", " Anna", "\u{3000}Anna\u{a0}"]),
        ("A nna", ["A  nna", "A\u{a0}nna", "A\u{2800}nna"]),
    ] {
        let room = create(&http, json!({"userName":taken})).room_id;
        for name in lookalikes {
            http.post("/room/join", json!({"roomId":room,"userName":name}))
                .refused(409, "name_taken");
        }
    }
}

#[test]
fn a_name_that_shows_nothing_or_turns_the_writing_around_is_refused() {
    let server = Server::start(&[]);
    let http = server.client();
    let room = create(&http, json!({})).room_id;
    for name in [
        " ",
        "\u{200b}",
        "\u{200b}\u{200b}",
        "\u{2800}",
        "\u{3000}",
        "\u{202e}",
        "\u{202e}annA",
        "An\u{202e}na",
        "\u{2067}Anna",
    ] {
        http.post("/room/join", json!({"roomId":room,"userName":name}))
            .refused(400, "bad_name");
        http.post("/room/create", json!({"userName":name}))
            .refused(400, "bad_name");
        http.post("/room/create", json!({"roomName":name}))
            .refused(400, "bad_name");
    }
}

#[test]
fn who_names_no_language_is_spoken_to_in_that_of_the_server() {
    let server = Server::start(&["--data", "none", "--lang", "en"]);
    let http = server.client();
    let made = http.post("/room/create", json!({}));
    assert_eq!(made.json["message"], "Room created");
    let data = made.data();
    let short = |id: &serde_json::Value| id.as_str().expect("an id")[..5].to_owned();
    let (user, room) = (&data["user"], &data["room"]);
    let name = format!("User {}", short(&user["userId"]));
    assert_eq!(user["userName"], name);
    assert_eq!(room["roomName"], format!("Room {}", short(&room["roomId"])));
    let notice = &user["cachingMessage"][0]["content"];
    assert_eq!(notice, &format!("{name} joined the room"));
    assert_eq!(
        http.post("/room/join", json!({"roomId":7}))
            .refused(404, "room_not_found"),
        "There is no such room."
    );
    // Who says that it reads Chinese gets that, and the documents' clients get what they know.
    let chinese = http.with("Accept-Language", "zh-CN");
    let joined = chinese.post("/room/join", json!({"roomId":room["roomId"]}));
    assert_eq!(joined.json["message"], "成功加入房间");
    http.get("/nope").refused(404, "not_found");
    assert!(!http.get("/nope").body.contains("路径"));
    assert!(chinese.get("/nope").body.contains("路径"));
}
