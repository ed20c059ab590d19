//! Each power that changes the room: what it does, and that members see it on both transports.

use super::{class, noticed, told};
use crate::support::join_as;
use serde_json::json;

#[test]
fn a_room_is_renamed_and_members_see_it_on_both_transports() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let answer = ada.ask(json!({
        "type":"owner","id":"x","room":class.room(),"act":"rename","name":"Chemistry"
    }));
    assert_eq!(answer["id"], "x");
    assert_eq!(
        (&answer["code"], &answer["act"]),
        (&json!(0), &json!("rename"))
    );
    let frame = noticed(&mut bob, "renamed");
    assert_eq!(frame, noticed(&mut ada, "renamed"), "the owner as well");
    assert_eq!(frame["to"], "Chemistry");
    assert_eq!(frame["user"]["id"], json!(class.teacher.id));
    assert_eq!(frame["user"]["name"], "Ada");
    assert_eq!(
        (&frame["at"], &frame["room"]),
        (&json!(3), &json!(class.room()))
    );
    assert_eq!(frame["content"], "Ada将房间改名为“Chemistry”");
    assert_eq!(told(&class.bob), "Ada renamed the room to “Chemistry”");

    let path = format!("/rooms/{}/messages", class.room());
    let page = class.teacher.http.get(&path).done(200).clone();
    assert_eq!(page["data"][2], frame, "it is in history");
    let shown = class.teacher.http.get(&format!("/rooms/{}", class.room()));
    assert_eq!(shown.json["name"], "Chemistry");

    // A newcomer is not told of what was before it.
    let eve = join_as(
        &class.server.client(),
        json!({"roomId":class.teacher.room_id,"userName":"Eve"}),
    );
    assert_eq!(eve.drain().len(), 0);
    let class = class.restarted();
    assert_eq!(class.teacher.http.get(&path).done(200)["data"][2], frame);
    let shown = class.teacher.http.get(&format!("/rooms/{}", class.room()));
    assert_eq!(shown.json["name"], "Chemistry");
}

#[test]
fn a_socket_of_the_document_alone_hears_of_no_notice() {
    let class = class();
    let mut old = class.server.login(&class.bob.token);
    class.acts(json!({"act":"lock","on":true}));
    class.acts(json!({"act":"rename","name":"Chemistry"}));
    class.teacher.say("hello");
    assert_eq!(old.hear(1), ["hello"]);
}

#[test]
fn the_password_is_set_changed_and_removed_and_nobody_is_thrown_out() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let http = class.server.client();
    let enter = |password: Option<&str>| {
        let mut body = json!({"roomId":class.teacher.room_id});
        if let Some(password) = password {
            body["roomPassword"] = json!(password);
        }
        http.post("/room/join", body)
    };
    class.acts(json!({"act":"password","password":"sesame"}));
    for ws in [&mut ada, &mut bob] {
        assert_eq!(noticed(ws, "password")["on"], true);
    }
    assert_eq!(told(&class.bob), "Ada set a password for the room");
    enter(None).refused(403, "wrong_password");
    enter(Some("nonsense")).refused(403, "wrong_password");
    enter(Some("sesame")).data();
    class.acts(json!({"act":"password","password":"open"}));
    enter(Some("sesame")).refused(403, "wrong_password");
    let class = class.restarted();
    let http = class.server.client();
    let enter = |password: &str| {
        let body = json!({"roomId":class.teacher.room_id,"roomPassword":password});
        http.post("/room/join", body)
    };
    enter("sesame").refused(403, "wrong_password");
    enter("open").data();
    class.bob.say("still here");
    assert_eq!(class.state()["password"], true);
    class.acts(json!({"act":"password","password":null}));
    enter("").data();
    assert_eq!(class.state()["password"], false);
}

#[test]
fn a_locked_room_lets_nobody_new_in_and_its_members_come_back() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    class.acts(json!({"act":"lock","on":true}));
    for ws in [&mut ada, &mut bob] {
        assert_eq!(noticed(ws, "locked")["on"], true);
    }
    drop(bob);
    let class = class.restarted();
    let http = class.server.client();
    let enter = json!({"roomId":class.teacher.room_id});
    http.post("/room/join", enter.clone())
        .refused(403, "room_locked");
    let eve = crate::support::create(&http, json!({"userName":"Eve"}));
    let mut ws = class.server.login_v1(&eve.token);
    let refused = ws.ask(json!({"type":"join","room":class.teacher.room_id}));
    assert_eq!(refused["code"], 14, "{refused}");

    let mut bob = class.server.login_v1(&class.bob.token);
    let back = bob.ask(json!({"type":"join","room":class.room()}));
    assert_eq!((&back["code"], &back["locked"]), (&json!(0), &json!(true)));
    assert_eq!(
        (&back["owner"], &back["quiet"]),
        (&json!(false), &json!(false))
    );
    class.bob.say("here I am");

    class.acts(json!({"act":"lock","on":false}));
    assert_eq!(told(&class.bob), "Ada unlocked the room");
    http.post("/room/join", enter).data();
}

#[test]
fn the_state_of_the_room_is_told_to_members_and_more_of_it_to_owners() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let user = class.bob.id;
    let until = class.acts(json!({"act":"mute","user":user,"minutes":5}))["until"].clone();
    class.acts(json!({"act":"quiet","on":true}));
    noticed(&mut bob, "muted");
    noticed(&mut bob, "quiet");
    let members = bob.ask(json!({"type":"members","room":class.room()}));
    assert_eq!(
        members["state"],
        json!({"name":"Physics","locked":false,"quiet":true,"password":false})
    );
    let (teacher, pupil) = (&members["data"][0], &members["data"][1]);
    assert_eq!(
        (&teacher["owner"], teacher.get("muted")),
        (&json!(true), None)
    );
    assert_eq!((pupil.get("owner"), &pupil["muted"]), (None, &until));

    let told = class.server.socket().auth_v1(&class.bob.token)["rooms"][0].clone();
    assert_eq!(
        (
            &told["owner"],
            &told["locked"],
            &told["quiet"],
            &told["muted"]
        ),
        (&json!(false), &json!(false), &json!(true), &until)
    );

    noticed(&mut ada, "muted");
    noticed(&mut ada, "quiet");
    let ask = json!({"type":"owner","room":class.room(),"act":"state"});
    let state = ada.ask(ask);
    assert_eq!(
        state,
        json!({
            "type":"owner","code":0,"msg":"","room":class.room(),"act":"state",
            "locked":false,"quiet":true,"password":false,"owners":[class.teacher.id],
            "muted":[{"user":user,"name":"Bob","until":until}],"keptOut":[]
        })
    );
}

#[test]
fn what_is_so_already_is_done_without_a_word() {
    let class = class();
    let (_, mut bob) = class.sockets();
    for act in [
        json!({"act":"lock","on":false}),
        json!({"act":"quiet","on":false}),
        json!({"act":"rename","name":"Physics"}),
        json!({"act":"password","password":null}),
        json!({"act":"mute","user":class.bob.id,"minutes":0}),
        json!({"act":"appoint","user":class.teacher.id,"on":true}),
        json!({"act":"appoint","user":class.bob.id,"on":false}),
        json!({"act":"wipe","user":class.bob.id}),
    ] {
        class.acts(act);
    }
    bob.nothing_more();
}

#[test]
fn an_owner_deletes_any_message_and_members_see_who_did() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let uuid = bob.begin_say(class.room(), "nonsense");
    let said = bob.recv();
    assert_eq!(said["code"], 0, "{said}");
    ada.recv();
    let answer = ada.ask(json!({"type":"delete","room":class.room(),"uuid":uuid}));
    assert_eq!(answer["code"], 0, "{answer}");
    let gone = bob.recv();
    assert_eq!(gone["type"], "deleted");
    assert_eq!(
        (&gone["by"], &gone["uuid"]),
        (&json!(class.teacher.id), &json!(uuid))
    );

    let own = bob.begin_say(class.room(), "mine");
    bob.recv();
    bob.ask(json!({"type":"delete","room":class.room(),"uuid":own}));
    assert_eq!(bob.recv().get("by"), None, "its author did");
}
