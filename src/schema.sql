-- parlor's database, version 4 (PRAGMA user_version). store.rs sets auto_vacuum and secure_delete
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
    created        INTEGER NOT NULL,
    floor          INTEGER NOT NULL DEFAULT 0, -- entries up to this place are no longer kept
    ended          INTEGER,                   -- its entries are being deleted, in small steps
    flag           TEXT,                      -- the name by which --room knows it
    key            BLOB,                      -- SHA-256 of its owner key
    locked         INTEGER NOT NULL DEFAULT 0,
    quiet          INTEGER NOT NULL DEFAULT 0,
    indexed        INTEGER NOT NULL DEFAULT 0  -- uuids of entries up to this place are in their table
) STRICT;

CREATE TABLE owners (
    room INTEGER NOT NULL REFERENCES rooms (no),
    user INTEGER NOT NULL REFERENCES users (no),
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE mutes (
    room   INTEGER NOT NULL REFERENCES rooms (no),
    user   INTEGER NOT NULL REFERENCES users (no),
    until  INTEGER NOT NULL,
    person INTEGER NOT NULL REFERENCES users (no), -- who was muted first, and came back as user
    name   TEXT NOT NULL,                     -- whoever has one that looks like it is it again
    host   TEXT,                              -- and who calls from there, while nobody else does
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept_out (
    room INTEGER NOT NULL REFERENCES rooms (no),
    user INTEGER NOT NULL REFERENCES users (no),
    name TEXT NOT NULL,                       -- whoever has one that looks like it, too
    host TEXT,                                -- and whoever calls from there
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

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
                                              -- 5 an edit, 6 a deletion, 7 an owner's act
    sender INTEGER NOT NULL,
    name   TEXT NOT NULL,                     -- of the sender then
    sent   INTEGER NOT NULL,
    uuid   BLOB,                              -- of a message, also when it is deleted
    target INTEGER,                           -- of an edit or deletion: where it was said
    body   TEXT NOT NULL,                     -- JSON, by kind
    origin BLOB,                              -- SHA-256 of uuid and first text, once modified
    PRIMARY KEY (room, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_notices ON entries (room, at) WHERE kind IN (2, 3, 7);
-- In whose attendance somebody is.
CREATE INDEX entries_comings ON entries (sender) WHERE kind IN (2, 3);

-- Where a message stands. No room has two of one uuid; those above the room's indexed may be missing
-- here (store/uuids.rs).
CREATE TABLE uuids (
    room INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (room, uuid)
) STRICT, WITHOUT ROWID;

-- Creates and joins that may be asked for again within ten minutes.
CREATE TABLE requests (
    uuid BLOB NOT NULL,
    host TEXT NOT NULL,
    room INTEGER NOT NULL,
    user INTEGER NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (uuid, host)
) STRICT, WITHOUT ROWID;

-- When a user was there. Attendance is exported from it, and it goes with the last room that the
-- user came to, or by its age.
CREATE TABLE presence (
    user INTEGER NOT NULL REFERENCES users (no),
    came INTEGER NOT NULL,
    went INTEGER,                             -- null while it is there
    PRIMARY KEY (user, came)
) STRICT, WITHOUT ROWID;

CREATE INDEX presence_open ON presence (user) WHERE went IS NULL;
CREATE INDEX presence_ended ON presence (went) WHERE went IS NOT NULL;
