//! `--room` and `--closed`.

use crate::support::{Guest, Server, account};
use serde_json::{Value, json};

/// The address, room and key of a printed owner link.
fn link(server: &Server, name: &str) -> (u64, String) {
    let line = server.printed(&format!("Owner      {name}: "));
    let (_, url) = line.split_once(": ").expect("a link");
    let rest = url.strip_prefix(&format!("http://{}/#/room/", server.http));
    let rest = rest.unwrap_or_else(|| panic!("{url} is not at {}", server.http));
    let (room, key) = rest.split_once("?owner=").expect("an owner key");
    (room.parse().expect("a number"), key.to_string())
}

fn claim(server: &Server, room: u64, key: &str) -> Guest {
    let http = server.client();
    let body = json!({"roomId":room,"ownerKey":key,"userName":"Ada"});
    Guest::from(&http, &http.post("/room/join", body).data())
}

#[test]
fn a_room_of_the_flag_is_there_and_its_owner_link_is_printed_once() {
    let args = ["--room", "Physics", "--room", "Art:sesame"];
    let mut server = Server::start(&args);
    let (physics, key) = link(&server, "Physics");
    let (art, key_of_art) = link(&server, "Art");
    assert_ne!((physics, &key), (art, &key_of_art));
    let http = server.client();
    // Listed: its number is enough. It has no maker, so the first who comes is the first entry.
    let bob = Guest::from(
        &http,
        &http.post("/room/join", json!({"roomId":physics})).data(),
    );
    assert_eq!(bob.drain().len(), 0);
    http.post("/room/join", json!({"roomId":art}))
        .refused(403, "wrong_password");
    let enter = json!({"roomId":art,"roomPassword":"sesame"});
    http.post("/room/join", enter).data();
    let ada = claim(&server, physics, &key);
    let act = json!({"act":"rename","name":"Chemistry"});
    super::by(&ada, act);

    server.restart();
    let http = server.client();
    // A line after which all was printed.
    server.printed("Data ");
    let room = |no: u64| http.get(&format!("/rooms/{no}"));
    assert_eq!(room(physics).json["name"], "Chemistry", "the same room");
    assert_eq!(room(art + 1).status, 404, "no second one");
    let printed = server.stdout();
    assert!(!printed.contains("Owner "), "{printed}");
    let ada = ada.via(&http).with_token();
    assert_eq!(
        super::by(&ada, json!({"act":"state"}))["owners"],
        json!([ada.id])
    );
    super::by(&ada, json!({"act":"close"}));
    server.restart();
    assert!(link(&server, "Physics").0 > art, "it is made again");
}

#[test]
fn on_a_closed_server_nobody_makes_rooms() {
    let server = Server::start(&["--closed", "--room", "Physics"]);
    let http = server.client();
    let why = http
        .english()
        .post("/room/create", json!({}))
        .refused(403, "rooms_closed");
    assert!(why.contains("Nobody makes rooms"), "{why}");
    let ada = account(&http, "Ada");
    let made = ada.http.post("/rooms", ada.body(json!({"name":"Mine"})));
    made.failed(403, 16);
    let (room, key) = link(&server, "Physics");
    let ada = claim(&server, room, &key);
    assert_eq!(
        super::by(&ada, json!({"act":"state"}))["owners"],
        json!([ada.id])
    );
}

#[test]
fn a_closed_server_without_a_room_says_so() {
    let server = Server::start(&["--closed"]);
    crate::support::until("a warning", || server.stderr().contains("--closed"));
    let warning = server.stderr();
    assert!(warning.contains("--room"), "{warning}");
}

#[test]
fn a_room_that_cannot_be_made_is_refused_by_name() {
    for (args, part) in [
        (
            vec!["--room", ""],
            "--room \"\": give NAME or NAME:PASSWORD",
        ),
        (vec!["--room", ":sesame"], "give NAME"),
        (vec!["--room", "Art:"], "give a password of 1 to 128"),
        (
            vec!["--room", "Art", "--room", "Art:x"],
            "there is such a room already",
        ),
    ] {
        let exit = Server::refused(&args);
        assert_eq!(exit.code, Some(2));
        assert!(exit.stderr.contains(part), "{}", exit.stderr);
    }
}

#[test]
fn an_owner_of_a_room_of_the_flag_may_give_it_to_others() {
    let server = Server::start(&["--room", "Physics", "--data", "none"]);
    let (room, key) = link(&server, "Physics");
    let ada = claim(&server, room, &key);
    let zoe = account(&server.client(), "Zoe");
    zoe.join_room(room);
    super::by(&ada, json!({"act":"appoint","user":zoe.id,"on":true}));
    ada.call("/room/leave").refused(401, "token_required");
    ada.with_token().call("/room/leave").data();
    let path = format!("/rooms/{room}/owner");
    let state: Value = zoe
        .http
        .post(&path, json!({"act":"state"}))
        .done(200)
        .clone();
    assert_eq!(state["owners"], json!([zoe.id]));
}
