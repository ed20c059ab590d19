//! The first document, example by example: ids and times by shape, everything else by value, and
//! no field that is neither the document's nor one of PROTOCOL.md's additions.

use crate::support::{Server, Shape};
use serde_json::json;

/// What PROTOCOL.md adds to the document's objects.
const ADDITIONS: [&str; 8] = [
    "id", "token", "ownerKey", "at", "sent", "next", "epoch", "complete",
];

#[test]
fn the_first_document_works_to_the_letter() {
    let server = Server::start(&[]);
    let http = server.client();
    let mut shape = Shape::strict(&ADDITIONS);

    let created = http.post("/room/create", json!({"roomPassword":"114514"}));
    assert_eq!(created.status, 200);
    shape.check(
        &created.json,
        &json!({
            "success": true,
            "message": "成功创建房间",
            "data": {
                "user": {
                    "avatarIndex": "<avatar:first-avatar>",
                    "userId": "<hex32:first>",
                    "userName": "用户{first:5}",
                    "cachingMessage": [{"content": "用户{first:5}加入了房间", "type": "system"}],
                    "lastHeartbeatTime": "<utc-ms:first-time>"
                },
                "room": {
                    "roomId": "<hex32:room>",
                    "roomPassword": "114514",
                    "roomName": "聊天室{room:5}",
                    "userContainer": {"userList": [{
                        "avatarIndex": "<avatar:first-avatar>",
                        "userId": "<hex32:first>",
                        "userName": "用户{first:5}",
                        "cachingMessage": [],
                        "lastHeartbeatTime": "<utc-ms:first-time>"
                    }]}
                }
            }
        }),
    );
    let (room, first) = (shape.get("room").clone(), shape.get("first").clone());

    let joined = http.post("/room/join", json!({"roomId":room,"roomPassword":"114514"}));
    assert_eq!(joined.status, 200);
    shape.check(
        &joined.json,
        &json!({
            "success": true,
            "message": "成功加入房间",
            "data": {
                "user": {
                    "avatarIndex": "<avatar:second-avatar>",
                    "userId": "<hex32:second>",
                    "userName": "用户{second:5}",
                    "cachingMessage": [{"content": "用户{second:5}加入了房间", "type": "system"}],
                    "lastHeartbeatTime": "<utc-ms:second-time>"
                },
                "room": {
                    "roomId": "<hex32:room>",
                    "roomPassword": "114514",
                    "roomName": "聊天室{room:5}",
                    "userContainer": {"userList": [
                        {
                            "avatarIndex": "<avatar:first-avatar>",
                            "userId": "<hex32:first>",
                            "userName": "用户{first:5}",
                            "cachingMessage": [{"content": "用户{second:5}加入了房间", "type": "system"}],
                            "lastHeartbeatTime": "<utc-ms:first-time>"
                        },
                        {
                            "avatarIndex": "<avatar:second-avatar>",
                            "userId": "<hex32:second>",
                            "userName": "用户{second:5}",
                            "cachingMessage": [],
                            "lastHeartbeatTime": "<utc-ms:second-time>"
                        }
                    ]}
                }
            }
        }),
    );
    let second = shape.get("second").clone();

    let sent = http.post(
        "/message/send",
        json!({
            "roomId": room,
            "userId": second,
            "message": {"type": "message", "userId": second, "contentType": "text", "content": "hello"}
        }),
    );
    assert_eq!(sent.status, 200);
    shape.check(
        &sent.json,
        &json!({"success": true, "message": "发送成功", "data": null}),
    );

    let fetch = json!({"roomId":room,"userId":first});
    let pending = http.post("/message/fetch", fetch.clone());
    let mut entries = Shape::strict(
        &[
            &ADDITIONS[..],
            &["uuid", "seq", "userName", "modified", "reply"],
        ]
        .concat(),
    );
    entries.check(
        &pending.json,
        &json!({
            "success": true,
            "message": "你成功了！",
            "data": [
                {"type": "system", "content": joined.json["data"]["user"]["cachingMessage"][0]["content"]},
                {"type": "message", "userId": second, "contentType": "text", "content": "hello"}
            ]
        }),
    );

    let drained = http.post("/message/fetch", fetch);
    assert_eq!(drained.status, 200);
    shape.check(
        &drained.json,
        &json!({"success": true, "message": "你成功了！", "data": []}),
    );
}

#[test]
fn the_optional_room_name_of_the_document_is_taken() {
    let server = Server::start(&[]);
    let body = json!({"roomPassword":"114514","roomName":"new name"});
    let created = server.client().post("/room/create", body).data();
    assert_eq!(created["room"]["roomName"], "new name");
    assert_eq!(created["room"]["roomPassword"], "114514");
}
