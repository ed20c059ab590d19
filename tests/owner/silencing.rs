//! Quiet and mute: who may not write, on which transport, and for how long.

use super::{Class, by, class, class_on, join_named, noticed, told};
use crate::support::{Guest, Http, Server, libfaketime, until, uuid};
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
    let typing = bob.ask(json!({"type":"typing","room":room,"lang":"zh"}));
    assert_eq!(
        (&typing["code"], &typing["msg"]),
        (&json!(5), &json!("安静模式：现在只有房主可以发言"))
    );
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
    let again = bob.say_as(&uuid, "before");
    assert_eq!(again["seq"], 4, "what was stored before is stored still");
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":0}));
    assert_eq!(told(&bob), "Ada let Bob write again");
    bob.say("thank you");
}

#[test]
fn a_mute_ends_by_itself_by_the_clock() {
    // The wall clock of this parlor runs a hundred times as fast; how long a client may take does not.
    let library = format!("LD_PRELOAD={}", libfaketime());
    let wall = "FAKETIME_DONT_FAKE_MONOTONIC=1";
    let fast = ["env", &library, wall, "FAKETIME=+0 x100"];
    let args = [
        "--user-rate",
        "0",
        "--idle",
        "100000",
        "--hold",
        "100000000",
    ];
    let class = class_on(Server::start_under(&fast, &args));
    class.acts(json!({"act":"mute","user":class.bob.id,"minutes":10}));
    let speak = || class.bob.send(json!({"content":"now?","uuid":uuid()}));
    speak().refused(403, "muted");
    until("the mute has ended", || speak().status == 200);
    assert_eq!(class.state()["muted"], json!([]));
    // It falls on nobody who comes after that.
    class.bob.call("/room/leave").data();
    enter(&class, &class.server.client(), "Bob").say("hello");
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

/// Joins the class's room from somewhere, by a name.
fn enter(class: &Class, http: &Http, name: &str) -> Guest {
    join_named(http, &class.teacher, name).with_token()
}

#[test]
fn an_address_that_somebody_only_says_is_no_ones() {
    let class = class();
    let far = class.server.client().calling_from([127, 0, 0, 9]);
    // A guest that is open to whoever knows its id.
    let open = join_named(&class.server.client(), &class.teacher, "Anna");
    let mut eve = enter(&class, &far, "Eve");
    let lends_an_address = || {
        let body = json!({"roomId":open.room_id,"userId":open.user_id});
        far.post("/room/heartbeat", body).data();
    };
    lends_an_address();
    class.acts(json!({"act":"mute","user":eve.id,"minutes":10}));
    for name in ["Second", "Third"] {
        lends_an_address();
        eve.call("/room/leave").data();
        eve = enter(&class, &far, name);
        eve.send(json!({"content":"but"})).refused(403, "muted");
    }
    lends_an_address();
    class.acts(json!({"act":"kick","user":eve.id,"keepOut":true}));
    lends_an_address();
    let body = json!({"roomId":open.room_id,"userName":"Fourth"});
    far.post("/room/join", body).refused(403, "kept_out");
}

#[test]
fn who_is_muted_and_comes_back_as_another_guest_is_muted_still() {
    let class = class();
    let far = class.server.client().calling_from([127, 0, 0, 9]);
    let eve = enter(&class, &far, "Eve");
    let until = class.acts(json!({"act":"mute","user":eve.id,"minutes":10}))["until"].clone();
    let mut ada = class.server.login_v1(&class.teacher.token);
    eve.call("/room/leave").data();
    assert_eq!(ada.recv()["type"], "left");
    // By its name, from anywhere; by its address, whatever it is called.
    let by_name = enter(&class, &class.server.client(), "\u{415}ve");
    assert_eq!(ada.recv()["type"], "joined");
    let still = noticed(&mut ada, "muted");
    let who = (&still["user"]["id"], &still["target"]["id"]);
    assert_eq!(who, (&json!(by_name.id), &json!(by_name.id)));
    assert_eq!(still["until"], until);
    let by_address = enter(&class, &far, "Somebody");
    let refuse = |guest: &Guest| guest.send(json!({"content":"but"})).refused(403, "muted");
    refuse(&by_name);
    refuse(&by_address);
    assert_eq!(told(&class.bob), "Somebody is still muted for 10 minutes");
    // It opens one more window, and goes on in the first.
    refuse(&enter(&class, &far, "One more"));

    let class = class.restarted();
    let (http, far) = (
        class.server.client(),
        class.server.client().calling_from([127, 0, 0, 9]),
    );
    let by_name = by_name.via(&http).with_token();
    let by_address = by_address.via(&far).with_token();
    refuse(&by_name);
    by_address.call("/room/leave").data();
    let third = enter(&class, &far, "Third");
    refuse(&third);
    let state = class.state();
    let muted = state["muted"].as_array().expect("a list");
    let names: Vec<_> = muted.iter().map(|m| m["name"].as_str()).collect();
    assert_eq!(names, ["Eve", "\u{415}ve", "One more", "Third"].map(Some));
    // Unmuting any of them lifts all of it.
    class.acts(json!({"act":"mute","user":eve.id,"minutes":0}));
    assert_eq!(class.state()["muted"], json!([]));
    by_name.say("thank you");
    third.say("me, too");
    enter(&class, &far, "Fourth").say("and I");
}

#[test]
fn a_class_behind_one_address_is_not_muted_because_one_pupil_is() {
    let class = class();
    let http = class.server.client();
    // Bob calls from where the teacher does; Eve from where Tom does.
    let shared = http.calling_from([127, 0, 0, 9]);
    let (eve, tom) = (enter(&class, &shared, "Eve"), enter(&class, &shared, "Tom"));
    for user in [class.bob.id, eve.id] {
        class.acts(json!({"act":"mute","user":user,"minutes":10}));
    }
    enter(&class, &http, "Zoe").say("I am not Bob");
    enter(&class, &shared, "Tim").say("nor I Eve");
    tom.say("nor I");

    // The class comes after one that was alone there, and is muted: one or two may be taken for it,
    // and no more, and all may write when it may.
    let router = http.calling_from([127, 0, 0, 10]);
    let early = enter(&class, &router, "Early");
    class.acts(json!({"act":"mute","user":early.id,"minutes":10}));
    let mut sockets = vec![class.server.login_v1_from([127, 0, 0, 10], &early.token)];
    let mut muted = 0;
    for n in 0..8 {
        let pupil = enter(&class, &router, &format!("Pupil {n}"));
        sockets.push(class.server.login_v1_from([127, 0, 0, 10], &pupil.token));
        muted += usize::from(pupil.send(json!({"content":"hello"})).status == 403);
    }
    assert_eq!(muted, 2, "of eight");
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
