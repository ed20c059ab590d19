-- From version 3: the uuid of each message was in an index of the entries at once.

CREATE TABLE uuids (
    room INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (room, uuid)
) STRICT, WITHOUT ROWID;

INSERT INTO uuids SELECT room, uuid, at FROM entries WHERE uuid IS NOT NULL ORDER BY room, uuid;

DROP INDEX entries_uuid;

ALTER TABLE rooms ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
UPDATE rooms SET indexed = coalesce((SELECT max(at) FROM entries WHERE room = no), 0);
