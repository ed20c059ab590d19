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
