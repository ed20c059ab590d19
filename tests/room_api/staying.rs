//! Leave, heartbeat, and what becomes of those who are silent.

use crate::support::{Guest, Server, account, create, join, join_as, texts, until, uuid};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn who_leaves_is_announced_and_is_a_member_no_more() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join_as(&http, json!({"roomId":ada.room_id,"userName":"Bob"}));
    let left = bob.call("/room/leave");
    assert_eq!(
        (&left.json["message"], left.data()),
        (&json!("已离开房间"), Value::Null)
    );
    assert_eq!(texts(&ada.drain()), ["Bob加入了房间", "Bob离开了房间"]);

    for path in ["/message/fetch", "/room/heartbeat", "/room/leave"] {
        bob.call(path).refused(403, "not_a_member");
    }
    bob.send(json!({"content":"still here"}))
        .refused(403, "not_a_member");
    assert_eq!(ada.drain(), [] as [Value; 0]);

    let again = http
        .post("/room/join", json!({"roomId":ada.room_id,"userName":"Bob"}))
        .data();
    assert_eq!(
        again["room"]["userContainer"]["userList"]
            .as_array()
            .map(Vec::len),
        Some(2),
        "his name is free again"
    );
    assert_ne!(again["user"]["userId"], bob.user_id);
}

#[test]
fn a_heartbeat_moves_the_last_heartbeat_time() {
    let server = Server::start(&[]);
    let http = server.client();
    let made = http.post("/room/create", json!({})).data();
    let ada = Guest::from(&http, &made);
    let born = made["user"]["lastHeartbeatTime"].clone();
    until("a later lastHeartbeatTime", || {
        let beat = ada.call("/room/heartbeat");
        assert_eq!(beat.json["message"], "心跳成功");
        let seen = http
            .post("/room/join", json!({"roomId":ada.room_id}))
            .data();
        let now = seen["room"]["userContainer"]["userList"][0]["lastHeartbeatTime"].clone();
        now.as_str() > born.as_str()
    });
}

#[test]
fn a_request_asked_again_is_a_heartbeat() {
    let server = Server::start(&[]);
    let body = json!({"request":uuid()});
    let ask = || server.client().post("/room/create", body.clone()).data();
    let born = ask()["user"]["lastHeartbeatTime"].clone();
    until("a later lastHeartbeatTime", || {
        ask()["user"]["lastHeartbeatTime"].as_str() > born.as_str()
    });
}

#[test]
fn a_member_without_a_call_for_the_idle_time_shows_as_offline_without_a_notice() {
    let server = Server::start(&["--idle", "4"]);
    let http = server.client();
    let ada = create(&http, json!({"userName":"Ada"}));
    let watcher = join(&http, &ada.room_id);
    let shown = || {
        let seen = http
            .post("/room/join", json!({"roomId":ada.room_id}))
            .data();
        seen["room"]["userContainer"]["userList"][0]
            .get("online")
            .cloned()
    };
    ada.call("/room/heartbeat").data();
    assert_eq!(shown(), None, "online is not said");
    until("Ada offline", || {
        std::thread::sleep(Duration::from_millis(200)); // each look is a join, and they are limited
        shown() == Some(json!(false))
    });
    ada.call("/room/heartbeat").data();
    assert_eq!(shown(), None);
    assert!(
        !texts(&watcher.drain()).iter().any(|t| t.contains("Ada")),
        "presence makes no notice"
    );
}

#[test]
fn a_guest_silent_for_the_hold_time_leaves_with_a_notice_and_an_account_stays() {
    let server = Server::start(&["--data", "none", "--hold", "5"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let account = account(&http, "Account");
    account
        .http
        .post("/room/join", json!({"roomId":ada.room_id}))
        .data();
    let silent = join_as(&http, json!({"roomId":ada.room_id,"userName":"Silent"}));
    let listening = join_as(&http, json!({"roomId":ada.room_id,"userName":"Listening"}));
    let _socket = server.login(&listening.token); // an open socket is not silence
    let mut seen = Vec::new();
    until("Silent leaves", || {
        seen.extend(texts(&ada.drain()));
        seen.iter().any(|text| text == "Silent离开了房间")
    });
    silent.call("/room/heartbeat").refused(403, "not_a_member");
    listening.with_token().call("/room/heartbeat").data();
    let left: Vec<_> = seen
        .iter()
        .filter(|text| text.ends_with("离开了房间"))
        .collect();
    assert_eq!(left, ["Silent离开了房间"]);
}
