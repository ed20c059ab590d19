//! Wipe: all that one person said, message by message, and one notice.

use super::{class, noticed, try_by};
use crate::support::texts;
use serde_json::{Value, json};

#[test]
fn all_that_one_person_said_is_deleted_and_one_notice_says_so() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let said: Vec<Value> = ["one", "two", "three"]
        .map(|text| bob.say(class.room(), text)["uuid"].clone())
        .into();
    class.teacher.say("mine stays");
    assert_eq!(ada.hear(3), ["one", "two", "three"]);
    let gone = bob.ask_past(json!({"type":"delete","room":class.room(),"uuid":said[1]}));
    assert_eq!(gone["code"], 0);
    let answer = class.acts(json!({"act":"wipe","user":class.bob.id}));
    assert_eq!(answer["count"], 2);
    let deleted: Vec<_> = (0..3).map(|_| ada.recv_past("recv")).collect();
    assert!(
        deleted.iter().all(|frame| frame["type"] == "deleted"),
        "{deleted:?}"
    );
    assert_eq!(deleted[0].get("by"), None, "his own");
    assert_eq!(
        (&deleted[1]["uuid"], &deleted[2]["uuid"]),
        (&said[0], &said[2])
    );
    assert_eq!(deleted[1]["by"], json!(class.teacher.id));
    let notice = noticed(&mut ada, "wiped");
    assert_eq!(notice["count"], 2);
    assert_eq!(notice["target"], json!({"id":class.bob.id,"name":"Bob"}));
    ada.nothing_more();

    let class = class.restarted();
    let path = format!("/rooms/{}/messages", class.room());
    let page = class.teacher.http.get(&path).done(200)["data"].clone();
    let texts: Vec<_> = page
        .as_array()
        .into_iter()
        .flatten()
        .filter(|f| f["type"] == "recv")
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(texts[0]["data"]["data"]["text"], "mine stays");
    let again = class.acts(json!({"act":"wipe","user":class.bob.id}));
    assert_eq!(again["count"], 0);
    let after = class.teacher.http.get(&path).done(200)["data"].clone();
    assert_eq!(after, page, "nothing happened");
}

#[test]
fn an_owner_deletes_one_message_of_anybody_on_either_transport() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let said: Vec<Value> = ["one", "two", "three"]
        .map(|text| bob.say(class.room(), text)["uuid"].clone())
        .into();
    ada.hear(3);
    let answer = class.acts(json!({"act":"delete","uuid":said[0]}));
    assert_eq!(answer, json!({"code":0,"msg":"","act":"delete"}));
    let ask = json!({"type":"owner","room":class.room(),"act":"delete","uuid":said[1]});
    assert_eq!(ada.ask_past(ask)["code"], 0);
    for uuid in &said[..2] {
        let deleted = bob.recv_past("recv");
        assert_eq!(
            (&deleted["type"], &deleted["uuid"], &deleted["by"]),
            (&json!("deleted"), uuid, &json!(class.teacher.id))
        );
    }
    let path = format!("/rooms/{}/messages", class.room());
    let page = class.teacher.http.get(&path).done(200)["data"].clone();
    let left: Vec<_> = page
        .as_array()
        .into_iter()
        .flatten()
        .filter(|f| f["type"] == "recv")
        .map(|f| &f["data"]["data"]["text"])
        .collect();
    assert_eq!(left, ["three"]);
    // Another time changes nothing, and what nobody said is not there.
    class.acts(json!({"act":"delete","uuid":said[0]}));
    let nothing = json!({"act":"delete","uuid":"b1946ac9-2492-4d23-b4d6-235c615b2611"});
    try_by(&class.teacher, nothing).failed(404, 3);
    bob.nothing_more();
}

#[test]
fn what_somebody_said_who_has_left_is_deleted_too() {
    let class = class();
    class.bob.say("and now I go");
    class.bob.call("/room/leave").data();
    let mut ada = class.server.login_v1(&class.teacher.token);
    let ask = json!({"type":"owner","room":class.room(),"act":"wipe","user":class.bob.id});
    let answer = ada.ask_past(ask);
    assert_eq!(
        (&answer["code"], &answer["count"]),
        (&json!(0), &json!(1)),
        "{answer}"
    );
    let told = class.teacher.fetch(json!({"after":0,"v":1}))["data"].clone();
    let told = told.as_array().expect("a list");
    let system: Vec<Value> = told
        .iter()
        .filter(|e| e["type"] == "system")
        .cloned()
        .collect();
    assert_eq!(
        texts(&system).last().map(String::as_str),
        Some("Ada删除了Bob的 1 条消息")
    );
    assert!(!told.iter().any(|entry| entry["content"] == "and now I go"));
}

#[test]
fn many_messages_are_wiped_in_steps_while_others_go_on() {
    const MANY: usize = 300;
    let class = class();
    let mut bob = class.server.login_v1(&class.bob.token);
    for n in 0..MANY {
        bob.begin_say(class.room(), &format!("spam {n}"));
        if n % 20 == 19 {
            (0..20).for_each(|_| assert_eq!(bob.recv()["code"], 0));
        }
    }
    let answer = class.acts(json!({"act":"wipe","user":class.bob.id}));
    assert_eq!(answer["count"], json!(MANY));
    let search = format!("/rooms/{}/search?q=spam", class.room());
    let found = class.teacher.http.get(&search).done(200)["data"].clone();
    assert_eq!(found, json!([]), "nothing is left of it");
    // Each has its place, and the notice the last one.
    let last = bob.ask_past(json!({"type":"history","room":class.room(),"limit":1}));
    assert_eq!(last["data"][0]["at"], json!(2 + 2 * MANY + 1));
}
