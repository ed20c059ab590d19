//! Quiet and mute: who may not write, on which transport, and for how long.

use super::{by, class, class_on, join_named, noticed, told};
use crate::support::{Server, until, uuid};
use serde_json::{Value, json};

/// `edit` of a message over a socket; its answer.
fn edit(room: u64, uuid: &str) -> Value {
    let data = json!({"type":"Text","text":"otherwise"});
    json!({"type":"edit","room":room,"uuid":uuid,"data":data})
}

#[test]
fn in_a_quiet_room_only_owners_write_whichever_way() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let room = class.room();
    let uuid = bob.begin_say(room, "before");
    bob.recv();
    ada.recv();
    class.acts(json!({"act":"quiet","on":true}));
    for ws in [&mut ada, &mut bob] {
        assert_eq!(noticed(ws, "quiet")["on"], true);
    }
    let sentence = class.bob.send(json!({"content":"psst"}));
    sentence.refused(403, "quiet");
    bob.begin_say(room, "psst");
    assert_eq!(bob.recv()["code"], 5);
    assert_eq!(bob.ask(edit(room, &uuid))["code"], 5);
    assert_eq!(bob.ask(json!({"type":"typing","room":room}))["code"], 5);
    ada.nothing_more();

    ada.say(room, "listen");
    class.teacher.say("on HTTP, too");
    assert_eq!(bob.hear(2), ["listen", "on HTTP, too"]);
    // What was said before may still be taken back.
    let deleted = bob.ask(json!({"type":"delete","room":room,"uuid":uuid}));
    assert_eq!(deleted["code"], 0, "{deleted}");

    let class = class.restarted();
    let quiet = class.bob.send(json!({"content":"psst"}));
    quiet.refused(403, "quiet");
    class.acts(json!({"act":"quiet","on":false}));
    assert_eq!(told(&class.bob), "Ada ended the quiet: everyone may write");
    class.bob.say("at last");
}

#[test]
fn an_owner_needs_its_token_to_write_in_a_quiet_room() {
    let class = class();
    let zoe = join_named(&class.server.client(), &class.teacher, "Zoe");
    class.acts(json!({"act":"appoint","user":zoe.id,"on":true}));
    zoe.say("not quiet yet");
    class.acts(json!({"act":"quiet","on":true}));
    // Everybody in the room knows her userId.
    zoe.send(json!({"content":"I am Zoe"}))
        .refused(401, "token_required");
    zoe.with_token().say("I am Zoe");
}

#[test]
fn who_is_muted_cannot_write_and_is_told_for_how_long() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    let eve = join_named(&class.server.client(), &class.teacher, "Eve");
    for ws in [&mut ada, &mut bob] {
        assert_eq!(ws.recv()["type"], "joined");
    }
    let room = class.room();
    let uuid = bob.begin_say(room, "before");
    bob.recv();
    ada.recv();
    let answer = class.acts(json!({"act":"mute","user":class.bob.id,"minutes":3}));
    let notice = noticed(&mut bob, "muted");
    assert_eq!(notice, noticed(&mut ada, "muted"));
    assert_eq!(notice["until"], answer["until"]);
    assert_eq!(notice["target"], json!({"id":class.bob.id,"name":"Bob"}));
    assert_eq!(told(&eve), "Ada muted Bob for 3 minutes");

    let bob_http = class.bob.clone();
    let refused = bob_http.send(json!({"content":"but"}));
    refused.refused(403, "muted");
    let after = refused.json["retryAfter"].as_u64().expect("seconds");
    assert!((170..=180).contains(&after), "{after}");
    assert_eq!(refused.header("Retry-After"), Some(&*after.to_string()));
    bob.begin_say(room, "but");
    let refused = bob.recv();
    assert_eq!(refused["code"], 5, "{refused}");
    assert!(refused["retryAfter"].as_u64().is_some_and(|s| s <= 180));
    assert_eq!(bob.ask(edit(room, &uuid))["code"], 5);
    assert_eq!(bob.ask(json!({"type":"typing","room":room}))["code"], 5);
    ada.nothing_more();
    eve.say("I may");

    let class = class.restarted();
    let bob = class.bob.clone();
    bob.send(json!({"content":"but"})).refused(403, "muted");
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":0}));
    assert_eq!(told(&bob), "Ada let Bob write again");
    bob.say("thank you");
}

#[test]
fn a_mute_ends_by_itself_by_the_clock() {
    // The clock of this parlor runs a hundred times as fast.
    let fast = ["faketime", "-f", "+0 x100"];
    let args = [
        "--user-rate",
        "0",
        "--idle",
        "100000",
        "--hold",
        "100000000",
    ];
    let class = class_on(Server::start_under(&fast, &args));
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":2}));
    let speak = || class.bob.send(json!({"content":"now?","uuid":uuid()}));
    speak().refused(403, "muted");
    until("the mute has ended", || speak().status == 200);
    assert_eq!(class.state()["muted"], json!([]));
}

#[test]
fn a_mute_is_of_one_room_and_one_member() {
    let class = class();
    let http = class.server.client();
    let other = super::elsewhere(&http, &class.bob);
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":10080}));
    let mut bob = class.server.login_v1(&class.bob.token);
    bob.say(other, "here I may");
    class.teacher.say("and I here");
}

#[test]
fn who_becomes_an_owner_is_muted_no_longer() {
    let class = class();
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":5}));
    class.acts(json!({"act":"appoint","user":class.bob.id,"on":true}));
    class.bob.say("I may");
    assert_eq!(class.state()["muted"], json!([]));
    by(
        &class.bob,
        json!({"act":"appoint","user":class.bob.id,"on":false}),
    );
    class.bob.say("still");
}
