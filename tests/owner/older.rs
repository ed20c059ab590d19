//! A database that an older parlor left: its rooms keep their owners.
//!
//! Version 1, as schema.sql had it until the powers of owners came.

use crate::support::{Http, Server, join_as};
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};

const VERSION_1: &str = r#"
-- parlor's database, version 1 (PRAGMA user_version). store.rs sets auto_vacuum and secure_delete
-- before this runs, since both are dear to change once there is data.
-- Times are UTC nanoseconds since 1970. Numbers are AUTOINCREMENT: never used twice.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Accounts, and every guest that ever was: messages name their sender by number.
CREATE TABLE users (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE,          -- uuid, 16 bytes
    name       TEXT NOT NULL,                 -- an account's username
    avatar     INTEGER NOT NULL,
    sealed     INTEGER NOT NULL,
    secret     TEXT,                          -- argon2id; null for a guest
    status     INTEGER NOT NULL,              -- 0 normal, 1 destroyed, 2 banned
    registered INTEGER NOT NULL,
    heard      INTEGER NOT NULL,              -- last call, to the minute
    gone       INTEGER NOT NULL DEFAULT 0     -- a guest that left its last room
) STRICT;

-- What is loaded at start: everybody but the guests that are gone.
CREATE INDEX users_here ON users (no) WHERE gone = 0;

CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,                    -- SHA-256 of the token
    user INTEGER NOT NULL REFERENCES users (no),
    used INTEGER NOT NULL                     -- last use, to the minute
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_of ON tokens (user);

CREATE TABLE rooms (
    no             INTEGER PRIMARY KEY AUTOINCREMENT,
    id             BLOB NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    secret         TEXT,                      -- argon2id; null for an open room
    secret_version INTEGER NOT NULL,
    listed         INTEGER NOT NULL,
    owner          INTEGER NOT NULL REFERENCES users (no),
    created        INTEGER NOT NULL,
    floor          INTEGER NOT NULL DEFAULT 0, -- entries up to this place are no longer kept
    ended          INTEGER                    -- its entries are being deleted, in small steps
) STRICT;

CREATE TABLE members (
    room   INTEGER NOT NULL REFERENCES rooms (no),
    user   INTEGER NOT NULL REFERENCES users (no),
    joined INTEGER NOT NULL,                  -- place of the join notice: the join order
    name   TEXT NOT NULL,
    cursor INTEGER NOT NULL,                  -- pending is what stands after this place
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

-- A room's order: at is 1, 2, 3 … without gaps.
CREATE TABLE entries (
    room   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    kind   INTEGER NOT NULL,                  -- 1 message, 2 joined, 3 left, 4 a deleted message,
                                              -- 5 an edit, 6 a deletion
    sender INTEGER NOT NULL,
    name   TEXT NOT NULL,                     -- of the sender then
    sent   INTEGER NOT NULL,
    uuid   BLOB,                              -- of a message, also when it is deleted
    target INTEGER,                           -- of an edit or deletion: where it was said
    body   TEXT NOT NULL,                     -- JSON, by kind
    origin BLOB,                              -- SHA-256 of uuid and first text, once modified
    PRIMARY KEY (room, at)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX entries_uuid ON entries (room, uuid) WHERE uuid IS NOT NULL;
CREATE INDEX entries_notices ON entries (room, at) WHERE kind IN (2, 3);

-- Creates and joins that may be asked for again within ten minutes.
CREATE TABLE requests (
    uuid BLOB NOT NULL,
    host TEXT NOT NULL,
    room INTEGER NOT NULL,
    user INTEGER NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (uuid, host)
) STRICT, WITHOUT ROWID;

-- When a user was there. Attendance is exported from it.
CREATE TABLE presence (
    user INTEGER NOT NULL REFERENCES users (no),
    came INTEGER NOT NULL,
    went INTEGER,                             -- null while it is there
    PRIMARY KEY (user, came)
) STRICT, WITHOUT ROWID;

CREATE INDEX presence_open ON presence (user) WHERE went IS NULL;
"#;

/// What parlor of version 1 wrote for two guests in a room, one of them its maker, and for a room
/// that its maker, a guest, has left for good.
fn write_version_1(file: &std::path::Path, tokens: [&str; 2]) {
    let db = Connection::open(file).expect("a file");
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .expect("a pragma");
    db.pragma_update(None, "journal_mode", "WAL")
        .expect("a pragma");
    db.execute_batch(VERSION_1).expect("version 1");
    db.pragma_update(None, "application_id", 0x7072_6c72)
        .expect("a pragma");
    db.pragma_update(None, "user_version", 1).expect("a pragma");
    let now = 1_700_000_000_000_000_000_i64;
    for (key, value) in [("epoch", "e1"), ("clean", "1"), ("durability", "full")] {
        db.execute("INSERT INTO meta VALUES (?1, ?2)", [key, value])
            .expect("meta");
    }
    for (no, name, gone) in [(1, "Ada", 0), (2, "Bob", 0), (3, "Gone", 1)] {
        db.execute(
            "INSERT INTO users (no, id, name, avatar, sealed, secret, status, registered, heard, gone)
             VALUES (?1, ?2, ?3, 7, 0, NULL, 0, ?4, ?4, ?5)",
            params![no, [no as u8; 16], name, now, gone],
        )
        .expect("a user");
    }
    for (user, token) in tokens.iter().enumerate() {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        db.execute(
            "INSERT INTO tokens VALUES (?1, ?2, ?3)",
            params![hash, user as i64 + 1, now],
        )
        .expect("a token");
    }
    for (no, owner) in [(1, 1), (2, 3), (3, 1)] {
        db.execute(
            "INSERT INTO rooms (no, id, name, secret, secret_version, listed, owner, created, floor)
             VALUES (?1, ?2, 'Old room', NULL, 1, 1, ?3, ?4, 0)",
            params![no, [100 + no as u8; 16], owner, now],
        )
        .expect("a room");
    }
    // The third has ended, and is the highest number ever used.
    db.execute("UPDATE rooms SET ended = 5 WHERE no = 3", [])
        .expect("an end");
    for (room, at, user, name) in [(1, 1, 1, "Ada"), (1, 2, 2, "Bob"), (2, 1, 2, "Bob")] {
        db.execute(
            "INSERT INTO members VALUES (?1, ?2, ?3, ?4, ?3)",
            params![room, user, at, name],
        )
        .expect("a member");
        db.execute(
            "INSERT INTO entries (room, at, kind, sender, name, sent, body)
             VALUES (?1, ?2, 2, ?3, ?4, ?5, '{\"avatar\":7}')",
            params![room, at, user, name, now],
        )
        .expect("an entry");
    }
    db.execute(
        "INSERT INTO entries (room, at, kind, sender, name, sent, uuid, body)
         VALUES (1, 3, 1, 2, 'Bob', ?1, ?2, '{\"text\":\"from before\"}')",
        params![now, [9_u8; 16]],
    )
    .expect("a message");
}

#[test]
fn a_database_of_version_1_is_taken_over_with_its_owners() {
    let dir = crate::support::TempDir::new();
    let file = dir.path().join("old.db");
    let tokens = ["a".repeat(64), "b".repeat(64)];
    write_version_1(&file, [&tokens[0], &tokens[1]]);
    let path = file.to_str().expect("a plain path");
    let mut server = Server::start(&["--data", path]);
    let of = |server: &Server, token: &str| server.client().bearer(token);
    let act = |http: &Http, room: u64, act| http.post(&format!("/rooms/{room}/owner"), act);

    let ada = of(&server, &tokens[0]);
    let page = ada.get("/rooms/1/messages").done(200)["data"].clone();
    assert_eq!(page[2]["data"]["data"]["text"], "from before");
    assert_eq!(
        act(&ada, 1, json!({"act":"state"})).done(200)["owners"],
        json!([1])
    );
    let bob = of(&server, &tokens[1]);
    act(&bob, 1, json!({"act":"state"})).failed(403, 5);
    act(&bob, 2, json!({"act":"state"})).failed(403, 5);
    // It has no key until one is made.
    let key = act(&ada, 1, json!({"act":"link"})).done(200)["ownerKey"].clone();
    let join = json!({"ownerKey":key,"token":tokens[1]});
    bob.post("/rooms/1/join", join).done(201);
    act(&bob, 1, json!({"act":"rename","name":"New room"})).done(200);
    let made = server.client().post("/room/create", json!({})).data();
    assert!(
        made["room"]["id"].as_u64() > Some(3),
        "no number twice: {made}"
    );

    server.restart();
    let bob = of(&server, &tokens[1]);
    assert_eq!(
        act(&bob, 1, json!({"act":"state"})).done(200)["owners"],
        json!([1, 2])
    );
    assert_eq!(bob.get("/rooms/1").json["name"], "New room");
    let page = bob.get("/rooms/1/messages").done(200)["data"].clone();
    assert_eq!(page[2]["data"]["data"]["text"], "from before");
    // The uuid of what was said then is still that message's.
    let again = |http: &Http, user: &str, text: &str| {
        let user = user.repeat(16);
        let message =
            json!({"userId":user,"uuid":"09".repeat(16),"contentType":"text","content":text});
        let call = json!({"roomId":1,"userId":user,"message":message});
        http.post("/message/send", call)
    };
    again(&of(&server, &tokens[0]), "01", "from before").refused(409, "uuid_taken");
    again(&bob, "02", "something else").refused(409, "uuid_taken");
    assert_eq!(again(&bob, "02", "from before").data()["seq"], 3);
    server.stop();
    let db = Connection::open(&file).expect("the file");
    let version: i64 = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a version");
    assert_eq!(version, 4);
    let broken: i64 = db
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })
        .expect("a check");
    assert_eq!(broken, 0);
}

/// What parlor of version 2 made of that: Bob was muted for a long time.
#[test]
fn a_mute_of_version_2_holds_on_and_for_who_comes_back_by_that_name() {
    let dir = crate::support::TempDir::new();
    let file = dir.path().join("old.db");
    let tokens = ["a".repeat(64), "b".repeat(64)];
    write_version_1(&file, [&tokens[0], &tokens[1]]);
    let db = Connection::open(&file).expect("the file");
    db.execute_batch(include_str!("../../src/store/to_version_2.sql"))
        .expect("version 2");
    db.pragma_update(None, "user_version", 2).expect("a pragma");
    db.execute("INSERT INTO mutes VALUES (1, 2, ?1)", [i64::MAX / 2])
        .expect("a mute");
    drop(db);
    let mut server = Server::start(&["--data", file.to_str().expect("a plain path")]);
    for _ in 0..2 {
        let ada = server.client().bearer(&tokens[0]);
        let state = ada.post("/rooms/1/owner", json!({"act":"state"}));
        let muted = state.done(200)["muted"][0].clone();
        assert_eq!((&muted["user"], &muted["name"]), (&json!(2), &json!("Bob")));
        server.restart();
    }
    let bob = server.client().bearer(&tokens[1]);
    let left = json!({"roomId":1,"userId":"02".repeat(16)});
    bob.post("/room/leave", left).data();
    let again = join_as(&server.client(), json!({"roomId":1,"userName":"Bob"}));
    again.send(json!({"content":"but"})).refused(403, "muted");
}
