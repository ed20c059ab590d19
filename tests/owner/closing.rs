//! The end of a room.

use super::{class, elsewhere};
use serde_json::json;

#[test]
fn a_closed_room_tells_all_its_members_and_ends() {
    let class = class();
    let http = class.server.client();
    elsewhere(&http, &class.teacher);
    let (mut ada, mut bob) = class.sockets();
    let mut old = class.server.login(&class.bob.token);
    class.bob.drain();
    let waiting = class.bob.begin_fetch(json!({"wait":60}));
    let answer = ada.ask(json!({"type":"owner","room":class.room(),"act":"close","id":1}));
    assert_eq!((&answer["code"], &answer["id"]), (&json!(0), &json!(1)));
    for ws in [&mut ada, &mut bob] {
        let closed = ws.recv();
        assert_eq!(
            (&closed["type"], &closed["room"]),
            (&json!("closed"), &json!(class.room()))
        );
        assert!(!closed["msg"].as_str().unwrap_or_default().is_empty());
    }
    assert_eq!(bob.recv_or_code(), Err(4002));
    assert_eq!(
        old.recv_or_code(),
        Err(4002),
        "no frame that its document has not"
    );
    // The teacher is in another room, and stays connected.
    ada.nothing_more();
    let code = waiting.finish();
    assert!(code.status == 404 || code.status == 403, "{}", code.body);

    let seen = json!({(class.room().to_string()):1});
    let again = class
        .server
        .socket()
        .auth_with(&class.teacher.token, json!({"resume":seen}));
    assert_eq!(again["gone"], json!([class.room()]));
    let class = class.restarted();
    class
        .server
        .client()
        .post("/room/join", json!({"roomId":class.teacher.room_id}))
        .refused(404, "room_not_found");
}

#[test]
fn a_room_with_many_members_is_closed_for_all_of_them() {
    let class = class();
    let http = class.server.client();
    let mut sockets: Vec<_> = (0..80)
        .map(|n| {
            let guest = super::join_named(&http, &class.teacher, &format!("Pupil {n}"));
            class.server.login_v1(&guest.token)
        })
        .collect();
    class.teacher.say("goodbye");
    class.acts(json!({"act":"close"}));
    for ws in &mut sockets {
        let mut last = vec![];
        let code = loop {
            match ws.recv_or_code() {
                Ok(frame) => last.push(frame["type"].clone()),
                Err(code) => break code,
            }
        };
        assert_eq!(code, 4002);
        let end = &last[last.len() - 2..];
        assert_eq!(end, [json!("recv"), json!("closed")], "in this order");
    }
}
