//! How long it is kept who was there: as long as what it belongs to.

mod support;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::{Guest, Server, create, join_as, until};

const DAY: i64 = 24 * 3600 * 1_000_000_000;

fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.expect("a clock").as_nanos() as i64
}

fn database(server: &Server) -> Connection {
    Connection::open(server.data()).expect("the file")
}

/// How many stays the file has of these users.
fn stays(server: &Server, users: &[u64]) -> Vec<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(server.data(), flags).expect("the file");
    let count = |user: &u64| {
        let sql = "SELECT count(*) FROM presence WHERE user = ?1";
        db.query_row(sql, [*user as i64], |row| row.get(0))
    };
    let counted = users.iter().map(count).collect::<Result<_, _>>();
    counted.expect("a count")
}

/// Somebody was there so often, a minute each time, from then on.
fn was_there(server: &Server, user: u64, times: i64, from: i64) {
    let db = database(server);
    let tx = db.unchecked_transaction().expect("a transaction");
    for n in 0..times {
        let (came, went) = (
            from + 2 * n * 60_000_000_000,
            from + (2 * n + 1) * 60_000_000_000,
        );
        let sql = "INSERT INTO presence (user, came, went) VALUES (?1, ?2, ?3)";
        tx.execute(sql, [user as i64, came, went]).expect("a stay");
    }
    tx.commit().expect("a commit");
}

fn close(owner: &Guest) {
    let path = format!("/rooms/{}/owner", owner.room);
    let http = owner.http.bearer(&owner.token);
    http.post(&path, json!({"act":"close"})).done(200);
}

#[test]
fn attendance_older_than_the_days_to_keep_goes_and_younger_stays() {
    let mut server = Server::start(&[]);
    let ada = create(&server.client(), json!({}));
    server.stop();
    // More than one step of throwing away.
    was_there(&server, ada.id, 1_050, now() - 9 * DAY);
    was_there(&server, ada.id, 3, now() - DAY);
    server.restart_with("--keep-days", "2");
    let kept = |server: &Server| stays(server, &[ada.id])[0];
    until("what is older has gone", || kept(&server) < 1_000 / 2);
    until("all of it", || kept(&server) <= 5);
    let db = database(&server);
    let sql = "SELECT min(went) FROM presence";
    let oldest: i64 = db.query_row(sql, [], |row| row.get(0)).expect("a time");
    drop(db);
    assert!(oldest > now() - 2 * DAY, "{oldest}");
    assert!(kept(&server) >= 4, "the last day, and the first visit");
}

#[test]
fn without_days_to_keep_attendance_stays_as_long_as_its_room() {
    let mut server = Server::start(&["--keep-messages", "5"]);
    let ada = create(&server.client(), json!({}));
    for n in 0..9 {
        ada.say(&format!("{n}"));
    }
    server.stop();
    was_there(&server, ada.id, 150, now() - 900 * DAY);
    server.restart();
    let ada = ada.via(&server.client());
    let complete = || ada.fetch(json!({"after":0}))["complete"] == Value::Bool(false);
    until("messages are thrown away", complete);
    assert!(stays(&server, &[ada.id])[0] > 150);
}

#[test]
fn the_end_of_a_room_is_the_end_of_its_attendance_and_of_no_others() {
    let mut server = Server::start(&[]);
    let http = server.client();
    let one = create(&http, json!({"listed":true}));
    let other = create(&http, json!({"listed":true}));
    let ben = join_as(&http, json!({"roomId":one.room_id,"userName":"Ben"}));
    let cid = join_as(&http, json!({"roomId":one.room_id,"userName":"Cid"}));
    // Cid is in another room, too, and Dan was in both and has left for good.
    let elsewhere = json!({"roomId":other.room_id});
    http.bearer(&cid.token)
        .post("/room/join", elsewhere.clone())
        .data();
    let dan = join_as(&http, json!({"roomId":one.room_id,"userName":"Dan"}));
    let by_dan = http.bearer(&dan.token);
    by_dan.post("/room/join", elsewhere).data();
    let dan = dan.with_token();
    dan.call("/room/leave").data();
    let left = json!({"roomId":other.room_id,"userId":dan.user_id});
    by_dan.post("/room/leave", left).data();
    let eve = join_as(&http, json!({"roomId":one.room_id,"userName":"Eve"}));
    eve.call("/room/leave").data();
    server.stop();
    let users = [one.id, ben.id, cid.id, dan.id, eve.id, other.id];
    for user in users {
        was_there(&server, user, 250, now() - DAY);
    }
    server.restart();
    let (one, other) = (one.via(&server.client()), other.via(&server.client()));
    close(&one);
    until("its attendance is gone", || {
        stays(&server, &users[..2]) == [0, 0] && stays(&server, &[eve.id]) == [0]
    });
    let rooms = || -> i64 {
        let sql = "SELECT count(*) FROM rooms";
        let counted = database(&server).query_row(sql, [], |row| row.get(0));
        counted.expect("a count")
    };
    until("the room is, too", || rooms() == 1);
    for kept in stays(&server, &[cid.id, dan.id, other.id]) {
        assert!(kept >= 250, "{kept}");
    }
    close(&other);
    until("nobody was anywhere", || stays(&server, &users) == [0; 6]);
}

#[test]
fn the_end_of_a_room_that_saw_much_coming_and_going_keeps_nobody_waiting() {
    const COMINGS: i64 = 20_000;
    let mut server = Server::start(&[]);
    let http = server.client();
    let one = create(&http, json!({"listed":true}));
    let other = create(&http, json!({"listed":true}));
    let eve = join_as(&http, json!({"roomId":one.room_id,"userName":"Eve"}));
    let elsewhere = json!({"roomId":other.room_id});
    http.bearer(&eve.token).post("/room/join", elsewhere).data();
    server.stop();
    was_there(&server, eve.id, 1, now() - DAY);
    let db = database(&server);
    let tx = db.unchecked_transaction().expect("a transaction");
    for at in 100..100 + COMINGS {
        let sql = "INSERT INTO entries (room, at, kind, sender, name, sent, body)
                   SELECT room, ?1, 2 + ?1 % 2, sender, name, sent, body FROM entries
                   WHERE sender = ?2 AND room = ?3 LIMIT 1";
        tx.execute(sql, [at, eve.id as i64, one.room as i64])
            .expect("a row");
    }
    tx.commit().expect("a commit");
    drop(db);
    server.restart();
    let (one, other) = (one.via(&server.client()), other.via(&server.client()));
    close(&one);
    let entries = || -> i64 {
        let sql = "SELECT count(*) FROM entries WHERE sender = ?1 AND room = ?2";
        let of = [eve.id as i64, one.room as i64];
        let counted = database(&server).query_row(sql, of, |row| row.get(0));
        counted.expect("a count")
    };
    until("the room is cleared", || {
        let begun = Instant::now();
        other.say("and I?");
        assert!(
            begun.elapsed() < Duration::from_millis(500),
            "{:?}",
            begun.elapsed()
        );
        entries() == 0
    });
    assert!(stays(&server, &[eve.id])[0] > 0, "she is elsewhere, too");
}
