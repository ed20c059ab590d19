//! What a pupil may not, and what a wrong request is told.

use super::{class, try_by};
use serde_json::{Value, json};

fn every_act(user: u64) -> Vec<Value> {
    vec![
        json!({"act":"rename","name":"Mine"}),
        json!({"act":"password","password":"mine"}),
        json!({"act":"lock","on":true}),
        json!({"act":"quiet","on":true}),
        json!({"act":"mute","user":user,"minutes":5}),
        json!({"act":"kick","user":user,"keepOut":true}),
        json!({"act":"allow","user":user}),
        json!({"act":"delete","uuid":"b1946ac9-2492-4d23-b4d6-235c615b2611"}),
        json!({"act":"wipe","user":user}),
        json!({"act":"appoint","user":user,"on":true}),
        json!({"act":"link"}),
        json!({"act":"lower"}),
        json!({"act":"close"}),
        json!({"act":"state"}),
    ]
}

#[test]
fn a_pupil_has_none_of_the_powers_on_either_transport() {
    let class = class();
    let (mut ada, mut bob) = class.sockets();
    for act in every_act(class.teacher.id)
        .into_iter()
        .chain(every_act(class.bob.id))
    {
        let why = try_by(&class.bob, act.clone()).failed(403, 5);
        assert_eq!(why, "Only an owner of the room may do this.", "{act}");
        let mut ask = act.clone();
        (ask["type"], ask["room"]) = (json!("owner"), json!(class.room()));
        assert_eq!(bob.ask(ask)["code"], 5, "{act}");
    }
    ada.nothing_more();
    class.teacher.say("nothing happened");
    assert_eq!(bob.hear(1), ["nothing happened"]);
    class.bob.say("indeed");
}

#[test]
fn a_user_id_alone_has_no_powers() {
    let class = class();
    let path = format!("/rooms/{}/owner", class.room());
    let http = class.server.client();
    for mut act in every_act(class.bob.id) {
        act["userId"] = json!(class.teacher.user_id);
        http.post(&path, act.clone()).failed(401, 1);
        act["token"] = json!(class.teacher.token);
        http.post(&path, act).failed(401, 1);
    }
    http.bearer("nonsense")
        .post(&path, json!({"act":"state"}))
        .failed(401, 1);
    assert_eq!(class.state()["owners"], json!([class.teacher.id]));
}

#[test]
fn who_is_not_in_the_room_has_no_powers_there() {
    let class = class();
    let http = class.server.client();
    let eve = crate::support::create(&http, json!({"userName":"Eve"}));
    let path = format!("/rooms/{}/owner", class.room());
    let by_eve = http.bearer(&eve.token);
    by_eve.post(&path, json!({"act":"close"})).failed(403, 4);
    by_eve
        .post("/rooms/999/owner", json!({"act":"close"}))
        .failed(404, 3);
    let mut ws = class.server.login_v1(&eve.token);
    let ask = json!({"type":"owner","room":class.room(),"act":"close"});
    assert_eq!(ws.ask(ask)["code"], 4);
}

#[test]
fn nothing_is_done_to_an_owner_or_to_nobody() {
    let class = class();
    let teacher = class.teacher.id;
    for act in ["mute", "kick"] {
        let act = json!({"act":act,"user":teacher,"minutes":5});
        let why = try_by(&class.teacher, act).failed(403, 5);
        assert!(why.contains("owner"), "{why}");
    }
    for act in ["mute", "kick", "appoint", "allow", "wipe", "lower"] {
        let act = json!({"act":act,"user":999,"minutes":5,"on":true});
        let why = try_by(&class.teacher, act.clone()).failed(404, 3);
        assert!(
            why.contains("obody") || why.contains("no such"),
            "{act}: {why}"
        );
    }
}

#[test]
fn a_wrong_request_is_told_what_would_be_right() {
    let class = class();
    let user = class.bob.id;
    for (act, part) in [
        (json!({}), "act must be one of rename,"),
        (json!({"act":"explode"}), "act must be one of rename,"),
        (json!({"act":7}), "act must be a string"),
        (json!({"act":"rename"}), "name must be a string"),
        (json!({"act":"rename","name":" "}), "room name is empty"),
        (
            json!({"act":"password"}),
            "password must be a string, or null",
        ),
        (
            json!({"act":"password","password":7}),
            "password must be a string",
        ),
        (
            json!({"act":"password","password":"x".repeat(129)}),
            "1 to 128",
        ),
        (json!({"act":"lock"}), "on must be true or false"),
        (json!({"act":"quiet","on":1}), "on must be true or false"),
        (json!({"act":"mute","minutes":5}), "user must be the number"),
        (json!({"act":"mute","user":user}), "minutes must be"),
        (
            json!({"act":"mute","user":user,"minutes":10_081}),
            "to 10080",
        ),
        (
            json!({"act":"mute","user":user,"minutes":-1}),
            "minutes must be",
        ),
        (
            json!({"act":"kick","user":"Bob"}),
            "user must be the number",
        ),
        (
            json!({"act":"kick","user":user,"keepOut":"yes"}),
            "keepOut must be",
        ),
        (json!({"act":"appoint","user":user}), "on must be"),
    ] {
        let why = try_by(&class.teacher, act.clone()).failed(400, 2);
        assert!(why.contains(part), "{act}: {why}");
    }
    let path = format!("/rooms/{}/owner", class.room());
    let zh = class.teacher.http.with("Accept-Language", "zh");
    let why = zh.post(&path, json!({"act":"explode"})).failed(400, 2);
    assert!(why.contains("以下之一"), "{why}");
    assert_eq!(class.teacher.http.get(&path).status, 405);
}
