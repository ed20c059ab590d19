-- From version 2: a mute was of a user, and a guest that came back was another one. Attendance was
-- kept for ever.

CREATE TABLE new_mutes (
    room   INTEGER NOT NULL REFERENCES rooms (no),
    user   INTEGER NOT NULL REFERENCES users (no),
    until  INTEGER NOT NULL,
    person INTEGER NOT NULL REFERENCES users (no),
    name   TEXT NOT NULL,
    host   TEXT,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

INSERT INTO new_mutes
    SELECT room, user, until, user,
        coalesce((SELECT name FROM members m WHERE m.room = mutes.room AND m.user = mutes.user),
            (SELECT name FROM users WHERE no = user)),
        NULL
    FROM mutes;

DROP TABLE mutes;
ALTER TABLE new_mutes RENAME TO mutes;

CREATE INDEX entries_comings ON entries (sender) WHERE kind IN (2, 3);
CREATE INDEX presence_ended ON presence (went) WHERE went IS NOT NULL;
