//! The second document, example by example: times by shape, numbers as the server gives them,
//! everything else by value, and no field that is neither the document's nor one of PROTOCOL.md's.

use crate::support::{Server, Shape, create, join};
use serde_json::json;

const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

#[test]
fn the_second_document_works_to_the_letter() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join(&http, &ada.room_id);
    let (mut sender, mut receiver) = (server.socket(), server.login(&bob.token));

    sender.send_json(json!({"type":"auth","token":"0123456789abcdef"}));
    assert_eq!(
        sender.recv(),
        json!({"type":"auth","code":1,"msg":"Login status expired!"})
    );
    sender.send_json(json!({"type":"auth","token":ada.token}));
    assert_eq!(sender.recv(), json!({"type":"auth","code":0,"msg":""}));

    sender.send_text(&format!(
        r#"{{"type":"msg","uuid":"{UUID}","room":{},"data":{{"type":"Text","text":"Hello, Chatoy!"}}}}"#,
        ada.room
    ));
    let mut shape = Shape::strict(&["seq", "at", "name", "reply"]);
    shape.check(
        &sender.recv(),
        &json!({"type": "send", "code": 0, "msg": "", "uuid": UUID, "sent": "<local-ns:sent>"}),
    );
    shape.check(
        &receiver.recv(),
        &json!({
            "type": "recv",
            "data": {
                "uuid": UUID,
                "sender": ada.id,
                "room": ada.room,
                "data": {"type": "Text", "text": "Hello, Chatoy!"},
                "sent": "<local-ns:sent>",
                "modified": false
            }
        }),
    );
}

#[test]
fn the_additions_of_send_and_recv_are_where_they_belong() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join(&http, &ada.room_id);
    let (mut sender, mut receiver) = (server.login(&ada.token), server.login(&bob.token));
    let sent = sender.say_as(UUID, ada.room, "one");
    assert_eq!(
        (&sent["seq"], &sent["at"]),
        (&json!(3), &json!(3)),
        "after two join notices"
    );
    let frame = receiver.recv();
    assert_eq!(frame["at"], 3);
    assert_eq!(
        (&frame["data"]["seq"], &frame["data"]["name"]),
        (&json!(3), &json!("Ada"))
    );
}
