//! Send: what is taken, what its answer says, and that a uuid is one message.

use crate::support::{Server, Shape, create, join, texts, uuid};
use serde_json::{Value, json};

#[test]
fn a_send_without_a_uuid_answers_null_and_with_one_its_place() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let first = ada.send(json!({"content":"one"}));
    assert_eq!(
        (&first.json["message"], first.data()),
        (&json!("发送成功"), Value::Null)
    );

    let id = uuid();
    let answer = ada.say_as(&id, "two");
    Shape::strict(&[]).check(
        &answer,
        &json!({"uuid": id, "seq": "<int:place>", "at": "<int:place>", "sent": "<utc-ms>"}),
    );
    assert_eq!(
        answer["at"], 3,
        "after the join notice and the first message"
    );
}

#[test]
fn a_send_asked_again_gives_the_first_answer_and_one_message() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let reader = join(&http, &ada.room_id);
    let id = uuid();
    let first = ada.say_as(&id, "once");
    ada.say("between");
    assert_eq!(ada.say_as(&id, "once"), first);
    assert_eq!(texts(&reader.drain()), ["once", "between"]);
}

#[test]
fn a_uuid_is_one_number_however_it_is_spelled() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let reader = join(&http, &ada.room_id);
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let first = ada.say_as(id, "once");
    for spelling in [id.to_uppercase(), id.replace('-', "")] {
        let again = ada.say_as(&spelling, "once");
        assert_eq!(
            [&again["seq"], &again["at"], &again["sent"]],
            [&first["seq"], &first["at"], &first["sent"]],
            "{spelling}"
        );
    }
    assert_eq!(texts(&reader.drain()), ["once"]);
}

#[test]
fn a_uuid_of_another_message_is_refused() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let id = uuid();
    ada.say_as(&id, "mine");
    ada.send(json!({"content":"another text","uuid":id}))
        .refused(409, "uuid_taken");
    bob.send(json!({"content":"mine","uuid":id}))
        .refused(409, "uuid_taken");
    assert_eq!(texts(&bob.drain()), ["mine"]);

    let elsewhere = create(&http, json!({}));
    elsewhere.say_as(&id, "a uuid is unique in its room only");
}

#[test]
fn a_content_type_that_is_not_text_is_refused_by_name() {
    let server = Server::start(&[]);
    let ada = create(&server.client(), json!({}));
    let sentence = ada
        .send(json!({"contentType":"image","content":"…"}))
        .refused(400, "unsupported_content");
    assert!(sentence.contains("image"), "{sentence}");
}

#[test]
fn a_text_has_1_to_4000_characters() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let reader = join(&http, &ada.room_id);
    ada.send(json!({"content":""})).refused(400, "bad_text");
    ada.send(json!({"content":"x".repeat(4001)}))
        .refused(400, "bad_text");
    ada.send(json!({"content":"🦜".repeat(4001)}))
        .refused(400, "bad_text");
    let longest = ["x".repeat(4000), "界".repeat(4000), "🦜".repeat(4000)];
    longest.iter().for_each(|text| ada.say(text));
    assert!(
        texts(&reader.drain()) == longest,
        "the three longest texts, and nothing that was refused"
    );
}

#[test]
fn a_text_arrives_as_it_was_sent() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let reader = join(&http, &ada.room_id);
    let odd = [
        "  spaces stay  ",
        "<b>\"quotes\" & \\ backslashes</b>",
        "lines\r\nand\ttabs",
        "👩‍👩‍👧 e\u{301} \u{202e}right to left \u{0}\u{7f}",
    ];
    odd.iter().for_each(|text| ada.say(text));
    assert_eq!(texts(&reader.drain()), odd);
}

#[test]
fn a_reply_names_what_it_answers() {
    let server = Server::start(&[]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let question = ada.say_as(&uuid(), "tea?");
    bob.send(json!({"content":"yes","reply":question["seq"]}))
        .data();
    let entries = ada.drain();
    let answer = entries.last().expect("the reply");
    assert_eq!(
        (&answer["content"], &answer["reply"]),
        (&json!("yes"), &question["seq"])
    );
}

#[test]
fn a_reply_to_what_is_no_message_is_refused_by_name() {
    let server = Server::start(&[]);
    let ada = create(&server.client().english(), json!({}));
    let notice = 1;
    for reply in [0, notice, 2, u64::MAX] {
        let sentence = ada
            .send(json!({"content":"yes","reply":reply}))
            .refused(400, "bad_field");
        assert!(sentence.contains("reply"), "{reply}: {sentence}");
    }
}

#[test]
fn who_sends_too_fast_is_told_when_to_go_on() {
    let server = Server::start(&["--data", "none"]);
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    (0..30).for_each(|i| ada.say(&format!("the burst is 30: {i}")));
    let refused = (0..100)
        .map(|i| ada.send(json!({"content":format!("{i}")})))
        .find(|r| r.status != 200);
    let refused = refused.expect("a refusal: 100 at once are more than 10 a second");
    refused.refused(429, "too_fast");
    assert!(
        refused.json["retryAfter"]
            .as_f64()
            .is_some_and(|s| s > 0.0 && s <= 60.0),
        "{}",
        refused.body
    );
    bob.say("a limit is each user's own");
}

#[test]
fn a_rate_of_0_is_no_limit() {
    let server = Server::start(&["--data", "none", "--user-rate", "0", "--room-rate", "0"]);
    let ada = create(&server.client(), json!({}));
    (0..250).for_each(|i| ada.say(&format!("{i}")));
}
