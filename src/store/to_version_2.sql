-- From version 1: a room had one owner, its maker, in a column of its own.

CREATE TABLE owners (
    room INTEGER NOT NULL REFERENCES rooms (no),
    user INTEGER NOT NULL REFERENCES users (no),
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

-- A guest that is gone cannot come back: it owns nothing any more.
INSERT INTO owners (room, user)
    SELECT r.no, r.owner FROM rooms r JOIN users u ON u.no = r.owner
    WHERE r.ended IS NULL AND u.gone = 0;

ALTER TABLE rooms DROP COLUMN owner;
ALTER TABLE rooms ADD COLUMN flag TEXT;
ALTER TABLE rooms ADD COLUMN key BLOB;
ALTER TABLE rooms ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;

CREATE TABLE mutes (
    room  INTEGER NOT NULL REFERENCES rooms (no),
    user  INTEGER NOT NULL REFERENCES users (no),
    until INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept_out (
    room INTEGER NOT NULL REFERENCES rooms (no),
    user INTEGER NOT NULL REFERENCES users (no),
    name TEXT NOT NULL,
    host TEXT,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

DROP INDEX entries_notices;
CREATE INDEX entries_notices ON entries (room, at) WHERE kind IN (2, 3, 7);
