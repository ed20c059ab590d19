//! Events into rows, one transaction a batch; and what keeps the file in shape.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::rows;
use super::{Source, Store};
use crate::model::*;

/// The largest file that is built anew: a fraction of a second, when nobody waits.
const MAX_SCRUB: i64 = 16 * 1024 * 1024;

impl Store {
    /// Writes events into the transaction, which it begins where none is. After an error it holds all
    /// but what failed; `commit` or `release` ends it.
    pub fn write(&mut self, events: &[Event]) -> rusqlite::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.open()?;
        events.iter().try_for_each(|event| self.write_one(event))
    }

    /// Ends the transaction: what was written is on disk (by the durability chosen). After an error
    /// nobody can know what the disk kept.
    pub fn commit(&mut self) -> rusqlite::Result<()> {
        self.within(|store| store.uuids.bring_some(&store.db))
    }

    /// What a crash has left out of the table of uuids.
    pub(super) fn take_in_uuids(&mut self) -> rusqlite::Result<()> {
        match self.unclean || !self.uuids.is_empty() {
            true => self.within(|store| store.uuids.bring_all(&store.db)),
            false => Ok(()),
        }
    }

    /// Writes and commits a little something: whether the disk takes commits (again).
    pub fn probe(&mut self, now: Nanos) -> rusqlite::Result<()> {
        self.within(|store| store.set_meta("probed", &now.to_string()))
    }

    fn within(
        &mut self,
        write: impl FnOnce(&mut Store) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let run = || {
            self.open()?;
            write(self)?;
            self.check_place()?;
            self.run("COMMIT", [])
        };
        let outcome = run();
        match outcome {
            Ok(_) => {
                self.begun = false;
                self.uuids.keep();
            }
            Err(_) => self.release(),
        }
        outcome.map(drop)
    }

    /// Whether the file is where it was opened, or the error that a commit would be.
    pub fn check_place(&self) -> rusqlite::Result<()> {
        if self.file.as_ref().is_none_or(|file| file.is_in_place()) {
            return Ok(());
        }
        let moved = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY_DBMOVED);
        let why = "its file or the log beside it (-wal) was deleted, moved or replaced; put it back, or stop \
                   parlor, which copies what the log holds"
            .to_owned();
        Err(rusqlite::Error::SqliteFailure(moved, Some(why)))
    }

    /// Begins a transaction, unless one was begun. An error if that is no more: what was written is not
    /// to be taken for what is written next.
    fn open(&mut self) -> rusqlite::Result<()> {
        match (self.begun, self.db.is_autocommit()) {
            (true, false) => return Ok(()),
            (true, true) => {
                let lost = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
                let why = "its transaction was taken back".to_owned();
                return Err(rusqlite::Error::SqliteFailure(lost, Some(why)));
            }
            (false, _) => self.run("BEGIN IMMEDIATE", [])?,
        };
        self.begun = true;
        Ok(())
    }

    /// Takes back what was written since the last commit.
    pub fn release(&mut self) {
        self.begun = false;
        self.uuids.release();
        if !self.db.is_autocommit() {
            // What failed may have rolled back by itself; nothing is left to do if this fails.
            let _ = self.run("ROLLBACK", []);
        }
    }

    /// Builds the file anew if it is small, so that nothing is left of what was deleted: secure
    /// delete overwrites a row where it stood last, not where SQLite had moved it from.
    pub fn scrub(&mut self) -> rusqlite::Result<()> {
        let count = |sql| self.db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let bytes = count("PRAGMA page_count")? * count("PRAGMA page_size")?;
        match bytes <= MAX_SCRUB {
            true => self.db.execute_batch("VACUUM"),
            false => Ok(()),
        }
    }

    /// Marks a clean end, and leaves one file: the write-ahead log is copied and emptied.
    pub fn end(mut self) -> rusqlite::Result<()> {
        self.within(|store| {
            store.uuids.bring_all(&store.db)?;
            store.set_meta("clean", "1")
        })?;
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    pub(super) fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    fn write_one(&mut self, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::UserMade(u) => {
                self.run(
                    "INSERT INTO users (no, id, name, avatar, sealed, secret, status, registered, heard)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                    params![
                        u.no.0,
                        u.id.as_bytes(),
                        u.name,
                        u.avatar,
                        u.sealed,
                        u.secret,
                        u.status,
                        u.registered
                    ],
                )?;
            }
            Event::GuestGone(user) => {
                self.run("UPDATE users SET gone = 1 WHERE no = ?1", [user.0])?;
                self.run("DELETE FROM tokens WHERE user = ?1", [user.0])?;
            }
            Event::Sealed(user) => {
                self.run("UPDATE users SET sealed = 1 WHERE no = ?1", [user.0])?;
            }
            Event::TokenMade { token, user, at } => {
                self.run(
                    "INSERT INTO tokens (hash, user, used) VALUES (?1, ?2, ?3)",
                    params![token.0, user.0, at],
                )?;
            }
            Event::TokenGone(token) => {
                self.run("DELETE FROM tokens WHERE hash = ?1", [token.0])?;
            }
            Event::RoomMade(r) => {
                self.run(
                    "INSERT INTO rooms (no, id, name, secret, secret_version, listed, created,
                       flag, key, locked, quiet)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        r.no.0,
                        r.id.as_bytes(),
                        r.name,
                        r.secret,
                        r.secret_version,
                        r.listed,
                        r.created,
                        r.flag,
                        r.key.map(|key| key.0),
                        r.locked,
                        r.quiet
                    ],
                )?;
            }
            Event::RoomEnded { room, at } => {
                self.run(
                    "UPDATE rooms SET ended = ?2 WHERE no = ?1",
                    params![room.0, at],
                )?;
                for of_room in [
                    "DELETE FROM members WHERE room = ?1",
                    "DELETE FROM owners WHERE room = ?1",
                    "DELETE FROM mutes WHERE room = ?1",
                    "DELETE FROM kept_out WHERE room = ?1",
                ] {
                    self.run(of_room, [room.0])?;
                }
                self.uuids.forget(*room, Place::MAX);
            }
            Event::Pruned { room, floor } => {
                let sql = "UPDATE rooms SET floor = ?2 WHERE no = ?1";
                self.run(sql, [room.0, *floor as i64])?;
                let sql = "DELETE FROM uuids WHERE room = ?1 AND uuid IN
                             (SELECT uuid FROM entries WHERE room = ?1 AND at <= ?2)";
                self.run(sql, [room.0, *floor as i64])?;
                self.uuids.forget(*room, *floor);
                let sql = "DELETE FROM entries WHERE room = ?1 AND at <= ?2";
                self.run(sql, [room.0, *floor as i64])?;
            }
            Event::Entry(entry) => self.write_entry(entry)?,
            Event::Owner { .. }
            | Event::RoomSecret { .. }
            | Event::RoomKey { .. }
            | Event::Muted { .. }
            | Event::KeptOut { .. }
            | Event::LetIn { .. } => self.write_power(event)?,
            Event::Requested { request, done } => {
                self.run(
                    "REPLACE INTO requests (uuid, host, room, user, made) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        request.uuid.as_bytes(),
                        request.from.to_string(),
                        done.room.0,
                        done.user.0,
                        done.at
                    ],
                )?;
            }
            Event::RequestForgotten(request) => {
                let sql = "DELETE FROM requests WHERE uuid = ?1 AND host = ?2";
                self.run(
                    sql,
                    params![request.uuid.as_bytes(), request.from.to_string()],
                )?;
            }
            Event::Noted(note) => self.write_note(note)?,
        }
        Ok(())
    }

    fn write_entry(&mut self, e: &Entry) -> rusqlite::Result<()> {
        let (kind, body, target) = rows::kind_body_target(&e.body)?;
        let uuid = e.message().map(|m| m.uuid);
        if let Some(uuid) = uuid {
            self.claim(e.room, uuid, e.at)?;
        }
        self.run(
            "INSERT INTO entries (room, at, kind, sender, name, sent, uuid, target, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                e.room.0,
                e.at as i64,
                kind,
                e.user.0,
                e.name,
                e.sent,
                uuid.map(Uuid::into_bytes),
                target,
                body
            ],
        )?;
        match &e.body {
            Body::Message(_) | Body::Tombstone { .. } => {}
            Body::Edited { of, text } => {
                let body = rows::message_body(text, of.reply)?;
                let sql = "UPDATE entries SET body = ?3, origin = ?4 WHERE room = ?1 AND at = ?2";
                self.run(sql, params![e.room.0, of.seq as i64, body, of.origin])?;
            }
            Body::Deleted { of } => {
                let (kind, body) = (
                    rows::KIND_TOMBSTONE,
                    rows::tombstone_body(of.deleted_by(e.user))?,
                );
                let sql = "UPDATE entries SET kind = ?3, body = ?4, origin = ?5
                           WHERE room = ?1 AND at = ?2";
                self.run(sql, params![e.room.0, of.seq as i64, kind, body, of.origin])?;
            }
            Body::Joined { .. } => {
                self.run(
                    "INSERT INTO members (room, user, joined, name, cursor)
                     VALUES (?1, ?2, ?3, ?4, ?3)",
                    params![e.room.0, e.user.0, e.at as i64, e.name],
                )?;
            }
            Body::Left { .. } => {
                let sql = "DELETE FROM members WHERE room = ?1 AND user = ?2";
                self.run(sql, [e.room.0, e.user.0])?;
            }
            Body::Notice { what, .. } => self.write_change(e, what)?,
        }
        Ok(())
    }

    fn write_note(&self, note: &Note) -> rusqlite::Result<()> {
        for (room, user, cursor) in &note.cursors {
            self.run(
                "UPDATE members SET cursor = max(cursor, ?3) WHERE room = ?1 AND user = ?2",
                [room.0, user.0, *cursor as i64],
            )?;
        }
        for (user, at) in &note.heard {
            self.run("UPDATE users SET heard = ?2 WHERE no = ?1", [user.0, *at])?;
        }
        for (token, at) in &note.used {
            self.run(
                "UPDATE tokens SET used = ?2 WHERE hash = ?1",
                params![token.0, at],
            )?;
        }
        for (user, came, at) in &note.presence {
            let sql = if *came {
                // Of a guest that is gone only where somebody may still ask for it.
                "INSERT OR IGNORE INTO presence (user, came) SELECT no, ?2 FROM users
                 WHERE no = ?1 AND (gone = 0 OR EXISTS
                   (SELECT 1 FROM entries WHERE sender = ?1 AND kind IN (2, 3)))"
            } else {
                "UPDATE presence SET went = max(came, ?2) WHERE user = ?1 AND went IS NULL"
            };
            self.run(sql, [user.0, *at])?;
        }
        if let Some(at) = note.alive {
            self.set_meta("alive", &at.to_string())?;
        }
        Ok(())
    }

    /// Deletes some entries of ended rooms, or some attendance of who was in no other: at most
    /// `rows`. False when there is nothing to do.
    pub fn clear_ended(&mut self, rows: usize) -> rusqlite::Result<bool> {
        let sql = "SELECT no FROM rooms WHERE ended IS NOT NULL LIMIT 1";
        let mut ended = self.db.prepare_cached(sql)?;
        let found = ended.query_row([], |row| row.get::<_, i64>(0)).optional()?;
        drop(ended);
        let Some(room) = found else { return Ok(false) };
        // Before the entries, by which they are found.
        let stays_of = self.next_to_forget(room, rows)?;
        self.within(|store| {
            if let Some(user) = stays_of {
                let sql = "DELETE FROM presence WHERE user = ?1 AND came IN
                             (SELECT p.came FROM presence p JOIN users u ON u.no = p.user
                              WHERE p.user = ?1 AND (p.went IS NOT NULL OR u.gone) LIMIT ?2)";
                return store.run(sql, [user, rows as i64]).map(|_| ());
            }
            let sql = "DELETE FROM entries WHERE room = ?1 AND at <= (SELECT max(at) FROM
                         (SELECT at FROM entries WHERE room = ?1 ORDER BY at LIMIT ?2))";
            let uuids = "DELETE FROM uuids WHERE room = ?1 AND uuid IN
                           (SELECT uuid FROM uuids WHERE room = ?1 LIMIT ?2)";
            if store.run(sql, [room, rows as i64])? == 0
                && store.run(uuids, [room, rows as i64])? == 0
            {
                store.run("DELETE FROM rooms WHERE no = ?1", [room])?;
            }
            store.db.execute_batch("PRAGMA incremental_vacuum(64)")
        })?;
        Ok(true)
    }

    /// Of those who came or left within the first `rows` entries of an ended room, one whose stays
    /// are in no other room's attendance. Who was looked at once is not looked at again.
    fn next_to_forget(&mut self, room: i64, rows: usize) -> rusqlite::Result<Option<i64>> {
        if self.kept_of.0 != room {
            self.kept_of = (room, HashSet::new());
        }
        let seen = "SELECT DISTINCT sender FROM
                      (SELECT sender, kind FROM entries WHERE room = ?1 ORDER BY at LIMIT ?2)
                    WHERE kind IN (2, 3)";
        // Who is there goes on being there: that stay has no end yet. One step for each room that
        // somebody was in, however often: the index has the rooms of a sender in their order.
        let has_some = "SELECT EXISTS (SELECT 1 FROM presence p JOIN users u ON u.no = p.user
              WHERE u.no = ?1 AND (p.went IS NOT NULL OR u.gone))
            AND NOT EXISTS (WITH RECURSIVE been (room) AS (
                SELECT min(room) FROM entries WHERE sender = ?1 AND kind IN (2, 3)
              UNION ALL
                SELECT (SELECT min(e.room) FROM entries e
                  WHERE e.sender = ?1 AND e.kind IN (2, 3) AND e.room > been.room)
                FROM been WHERE been.room IS NOT NULL)
              SELECT 1 FROM been JOIN rooms r ON r.no = been.room WHERE r.ended IS NULL)";
        let mut seen = self.db.prepare_cached(seen)?;
        let mut has_some = self.db.prepare_cached(has_some)?;
        for user in seen.query_map([room, rows as i64], |row| row.get::<_, i64>(0))? {
            let user = user?;
            if self.kept_of.1.contains(&user) {
                continue;
            }
            if has_some.query_row([user], |row| row.get(0))? {
                return Ok(Some(user));
            }
            self.kept_of.1.insert(user);
        }
        Ok(None)
    }

    /// Deletes attendance that ended before a time: at most `rows`. False when there is none.
    pub fn forget_stays(&mut self, before: Nanos, rows: usize) -> rusqlite::Result<bool> {
        let old = "SELECT 1 FROM presence WHERE went < ?1 LIMIT 1";
        let mut find = self.db.prepare_cached(old)?;
        let found = find.exists([before])?;
        drop(find);
        if found {
            self.within(|store| {
                let sql = "DELETE FROM presence WHERE (user, came) IN
                             (SELECT user, came FROM presence WHERE went < ?1 LIMIT ?2)";
                store.run(sql, [before, rows as i64]).map(|_| ())
            })?;
        }
        Ok(found)
    }

    /// Of the `rows` entries after a place, the last one of those sent before a time that stand
    /// together at the front: up to there a room can be pruned.
    pub fn old_until(
        &self,
        room: RoomNo,
        floor: Place,
        before: Nanos,
        rows: usize,
    ) -> rusqlite::Result<Option<Place>> {
        let sql = "SELECT at, sent FROM entries WHERE room = ?1 AND at > ?2 ORDER BY at LIMIT ?3";
        let mut select = self.db.prepare_cached(sql)?;
        let mut found = select.query(params![room.0, floor as i64, rows as i64])?;
        let mut until = None;
        while let Some(row) = found.next()? {
            if row.get::<_, Nanos>(1)? >= before {
                break;
            }
            until = Some(row.get::<_, i64>(0)? as Place);
        }
        Ok(until)
    }
}

/// Copies the write-ahead log into the database, on a connection of its own.
pub struct Checkpointer {
    db: Connection,
}

impl Checkpointer {
    pub fn new(source: &Source) -> rusqlite::Result<Checkpointer> {
        let db = source.connect()?;
        source.prepare(&db)?;
        Ok(Checkpointer { db })
    }

    /// Copies the log. How many pages it had.
    pub fn run(&self, how: Copying) -> rusqlite::Result<i64> {
        let sql = match how {
            Copying::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            Copying::Restart => "PRAGMA wal_checkpoint(RESTART)",
            Copying::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.db.query_row(sql, [], |row| row.get(1))
    }
}

/// How the write-ahead log is copied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Copying {
    /// What can be without making anybody wait.
    Passive,
    /// All of it, while the scribe waits; then the log is written from its beginning again.
    Restart,
    /// The same, and the file is emptied.
    Truncate,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::in_memory;

    #[test]
    fn what_sqlite_takes_back_unasked_is_not_taken_for_committed() {
        let made = |n: u8| {
            let user = User {
                no: UserNo(n.into()),
                id: Uuid::from_bytes([n; 16]),
                name: "Ada".into(),
                avatar: 0,
                sealed: false,
                secret: None,
                status: 0,
                registered: 0,
            };
            [Event::UserMade(user)]
        };
        let mut store = in_memory();
        store.write(&made(1)).expect("written");
        // As it does when a reading fails.
        store.db.execute_batch("ROLLBACK").expect("taken back");
        assert!(store.write(&made(2)).is_err());
        assert!(store.commit().is_err());
        // The next batch is one of its own.
        store.write(&made(3)).expect("written");
        store.commit().expect("committed");
        let count = "SELECT sum(no) FROM users";
        let sum: i64 = store
            .db
            .query_row(count, [], |row| row.get(0))
            .expect("a sum");
        assert_eq!(sum, 3);
    }
}
