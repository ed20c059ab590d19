//! SQLite: open, load, commit, read back.
//!
//! Knows rows and events; not who may do what, nor who is listening. One connection writes, the
//! scribe's; readers and the checkpointer have their own.

use std::fs::{File, TryLockError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::*;
use crate::rooms::{Member, Rooms, Rules, digest};

/// `PRAGMA user_version` of a database that this parlor writes.
const SCHEMA_VERSION: i64 = 1;
/// `PRAGMA application_id`: "prlr". Tells parlor's files from other programs'.
const APPLICATION_ID: i64 = 0x7072_6c72;
/// Statements that a connection keeps prepared: all of them.
const PREPARED: usize = 64;
/// Connections for reading. Each costs up to 2 MB of page cache; reads are short.
const READERS: usize = 4;
/// How long a statement waits for another connection's lock (a checkpoint, or memory mode's).
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Where the data is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    File(PathBuf),
    /// Gone when the process is.
    Memory,
}

/// What a power cut may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Durability {
    /// Nothing that was acknowledged (`synchronous=FULL`).
    Full,
    /// The last moments before it, never the file's health (`synchronous=NORMAL`).
    Fast,
}

/// What a store holds when it is opened. Messages stay where they are.
pub struct Loaded {
    pub store: Store,
    pub source: Source,
    pub rooms: Rooms,
    pub cursors: Vec<(RoomNo, UserNo, Place)>,
    pub heard: Vec<(UserNo, Nanos)>,
    pub used: Vec<(TokenHash, Nanos)>,
    /// Names the sequence itself (PROTOCOL.md, The order).
    pub epoch: String,
}

/// The writing side. Only the scribe has it.
pub struct Store {
    db: Connection,
    /// Holds the lock against a second parlor. Dropped after `db`: closing any descriptor of the
    /// file earlier would drop SQLite's own POSIX locks on it.
    _lock: Option<File>,
}

/// How to open one more connection to the same database.
#[derive(Clone)]
pub struct Source {
    uri: PathBuf,
    full: bool,
    memory: bool,
}

impl Source {
    fn new(data: &Data, durability: Durability) -> Source {
        let uri = match data {
            Data::File(path) => path.clone(),
            // The memdb VFS shares a name that begins with / among a process's connections.
            Data::Memory => format!("file:/parlor-{}?vfs=memdb", Uuid::new_v4()).into(),
        };
        let memory = *data == Data::Memory;
        Source {
            uri,
            full: durability == Durability::Full && !memory,
            memory,
        }
    }

    pub fn is_memory(&self) -> bool {
        self.memory
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if self.memory {
            flags |= OpenFlags::SQLITE_OPEN_URI;
        }
        let db = Connection::open_with_flags(&self.uri, flags)?;
        db.busy_timeout(LOCK_WAIT)?;
        db.set_prepared_statement_cache_capacity(PREPARED);
        Ok(db)
    }

    fn prepare(&self, db: &Connection) -> rusqlite::Result<()> {
        // Before the first table, or never (schema.sql).
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update(None, "secure_delete", true)?;
        let mode = if self.memory { "MEMORY" } else { "WAL" };
        db.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
        db.pragma_update(
            None,
            "synchronous",
            if self.full { "FULL" } else { "NORMAL" },
        )?;
        // The checkpointer does it, on its own thread.
        db.pragma_update(None, "wal_autocheckpoint", 0)
    }
}

/// Opens the database, makes it where there is none, and loads all but the messages.
/// Every error is a sentence that names the file and the way out.
pub fn open(
    data: &Data,
    durability: Durability,
    rules: Rules,
    new_epoch: bool,
) -> Result<Loaded, String> {
    let name = match data {
        Data::File(path) => path.display().to_string(),
        Data::Memory => "memory".into(),
    };
    let lock = match data {
        Data::File(path) => Some(lock(path)?),
        Data::Memory => None,
    };
    let broken = |e: rusqlite::Error| {
        format!("cannot use {name} as parlor's database: {e}; choose another file with --data")
    };
    let source = Source::new(data, durability);
    let db = source.connect().map_err(broken)?;
    let version = check_origin(&db, &name)?;
    source.prepare(&db).map_err(broken)?;
    if version == 0 {
        create(&db).map_err(broken)?;
    }
    let store = Store { db, _lock: lock };
    let epoch = store.begin(durability, new_epoch).map_err(broken)?;
    store.load(source, rules, epoch).map_err(broken)
}

/// One parlor per file: an flock, which SQLite's own (fcntl) locks do not see.
fn lock(path: &Path) -> Result<File, String> {
    let name = path.display();
    let fresh = !path.exists();
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|e| format!("cannot open {name}: {e}; choose another file with --data"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(format!(
                "{name} is in use by another parlor; stop that one, or choose another file with --data"
            ));
        }
        Err(TryLockError::Error(e)) => return Err(format!("cannot lock {name}: {e}")),
    }
    if fresh {
        // So that the new file's name outlives a power cut, too.
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| format!("cannot write to the folder of {name}: {e}"))?;
    }
    Ok(file)
}

/// The schema version, 0 for a new file; or why this file is not parlor's to touch.
fn check_origin(db: &Connection, name: &str) -> Result<i64, String> {
    let ask = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        Ok((
            ask("PRAGMA application_id")?,
            ask("PRAGMA user_version")?,
            ask("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (origin, version, things) = read().map_err(|e| {
        format!("{name} is not a parlor database ({e}); choose another file with --data")
    })?;
    match (origin, version, things) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, SCHEMA_VERSION, _) => Ok(SCHEMA_VERSION),
        (APPLICATION_ID, _, _) => Err(format!(
            "{name} was written by a newer parlor (schema {version}, this one knows {SCHEMA_VERSION}); \
             run that parlor, or choose another file with --data"
        )),
        _ => Err(format!(
            "{name} is another program's SQLite database; choose another file with --data"
        )),
    }
}

fn create(db: &Connection) -> rusqlite::Result<()> {
    let tx = db.unchecked_transaction()?;
    tx.execute_batch(include_str!("schema.sql"))?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.commit()
}

/// Changes with each start of the machine; empty where the system does not tell.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

impl Store {
    /// Marks the database as in use and settles its epoch.
    fn begin(&self, durability: Durability, new_epoch: bool) -> rusqlite::Result<String> {
        let boot = boot_id();
        let unclean = self.meta("clean")?.as_deref() == Some("0");
        let was_fast = self.meta("durability")?.as_deref() == Some("fast");
        let same_boot = !boot.is_empty() && self.meta("boot")?.as_deref() == Some(&boot);
        // A power cut may have taken acknowledged places, which are then used again.
        let lost = unclean && was_fast && !same_boot;
        let epoch = match self.meta("epoch")? {
            Some(epoch) if !lost && !new_epoch => epoch,
            _ => Uuid::new_v4().simple().to_string(),
        };
        let tx = self.db.unchecked_transaction()?;
        let durability = if durability == Durability::Full {
            "full"
        } else {
            "fast"
        };
        for (key, value) in [
            ("epoch", epoch.as_str()),
            ("clean", "0"),
            ("durability", durability),
            ("boot", &boot),
        ] {
            self.set_meta(key, value)?;
        }
        // Whoever was there when the process ended was last heard then.
        tx.execute(
            "UPDATE presence SET went = max(came, (SELECT heard FROM users WHERE no = user))
             WHERE went IS NULL",
            [],
        )?;
        tx.commit()?;
        Ok(epoch)
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<String>> {
        let mut get = self
            .db
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        get.query_row([key], |row| row.get(0)).optional()
    }

    fn set_meta(&self, key: &str, value: &str) -> rusqlite::Result<()> {
        let mut set = self
            .db
            .prepare_cached("REPLACE INTO meta (key, value) VALUES (?1, ?2)")?;
        set.execute([key, value]).map(|_| ())
    }

    fn load(self, source: Source, rules: Rules, epoch: String) -> rusqlite::Result<Loaded> {
        let mut rooms = Rooms::new(rules);
        let (mut cursors, mut heard, mut used) = (vec![], vec![], vec![]);
        let db = &self.db;

        let sql = "SELECT no, id, name, avatar, sealed, secret, status, registered, heard
                   FROM users WHERE gone = 0 ORDER BY no";
        each(db, sql, |row| {
            let user = user_of(row)?;
            heard.push((user.no, row.get("heard")?));
            rooms.put_user(user);
            Ok(())
        })?;
        each(
            db,
            "SELECT hash, user, used FROM tokens ORDER BY used, hash",
            |row| {
                let token = TokenHash(row.get(0)?);
                used.push((token, row.get(2)?));
                rooms.put_token(token, UserNo(row.get(1)?));
                Ok(())
            },
        )?;
        let sql = "SELECT no, id, name, secret, secret_version, listed, owner, created,
                     max(floor, coalesce((SELECT max(at) FROM entries WHERE room = no), 0))
                   FROM rooms WHERE ended IS NULL ORDER BY no";
        each(db, sql, |row| {
            let head = RoomHead {
                no: RoomNo(row.get(0)?),
                id: row.get::<_, [u8; 16]>(1).map(Uuid::from_bytes)?,
                name: row.get(2)?,
                secret: row.get(3)?,
                secret_version: row.get(4)?,
                listed: row.get(5)?,
                owner: UserNo(row.get(6)?),
                created: row.get(7)?,
            };
            rooms.put_room(head, row.get::<_, i64>(8)? as Place);
            Ok(())
        })?;
        each(
            db,
            "SELECT room, user, joined, name, cursor FROM members ORDER BY room, joined",
            |row| {
                let (room, user) = (RoomNo(row.get(0)?), UserNo(row.get(1)?));
                rooms.put_member(
                    room,
                    row.get::<_, i64>(2)? as Place,
                    Member {
                        user,
                        name: row.get(3)?,
                    },
                );
                cursors.push((room, user, row.get::<_, i64>(4)? as Place));
                Ok(())
            },
        )?;
        each(
            db,
            "SELECT uuid, host, room, user, made FROM requests ORDER BY made",
            |row| {
                let uuid = row.get::<_, [u8; 16]>(0).map(Uuid::from_bytes)?;
                let host: String = row.get(1)?;
                let (room, user) = (RoomNo(row.get(2)?), UserNo(row.get(3)?));
                if let Ok(from) = host.parse::<IpAddr>() {
                    rooms.put_request(
                        Request { uuid, from },
                        Done {
                            room,
                            user,
                            at: row.get(4)?,
                        },
                    );
                }
                Ok(())
            },
        )?;
        let used_up = |table: &str| {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
            let seq = db
                .query_row(sql, [table], |row| row.get::<_, i64>(0))
                .optional();
            seq.map(|seq| seq.unwrap_or(0))
        };
        rooms.used_numbers(used_up("rooms")?, used_up("users")?);
        Ok(Loaded {
            store: self,
            source,
            rooms,
            cursors,
            heard,
            used,
            epoch,
        })
    }

    /// Writes all events as one transaction, on disk when it returns (by the durability chosen).
    /// After an error nobody can know what the disk kept.
    pub fn commit<'a>(&mut self, events: impl Iterator<Item = &'a Event>) -> rusqlite::Result<()> {
        self.within(|store| {
            for event in events {
                store.write(event)?;
            }
            Ok(())
        })
    }

    /// Writes and commits a little something: whether the disk takes commits (again).
    pub fn probe(&mut self, now: Nanos) -> rusqlite::Result<()> {
        self.within(|store| store.set_meta("probed", &now.to_string()))
    }

    fn within(
        &mut self,
        write: impl FnOnce(&Store) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let run = || {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            write(self)?;
            self.db.execute_batch("COMMIT")
        };
        let outcome = run();
        if outcome.is_err() && !self.db.is_autocommit() {
            // What failed may have rolled back by itself; nothing is left to do if this fails.
            let _ = self.db.execute_batch("ROLLBACK");
        }
        outcome
    }

    /// Marks a clean end, and leaves one file: the write-ahead log is copied and emptied.
    pub fn end(mut self) -> rusqlite::Result<()> {
        self.within(|store| store.set_meta("clean", "1"))?;
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    fn write(&self, event: &Event) -> rusqlite::Result<()> {
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
                    "INSERT INTO rooms (no, id, name, secret, secret_version, listed, owner, created)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        r.no.0,
                        r.id.as_bytes(),
                        r.name,
                        r.secret,
                        r.secret_version,
                        r.listed,
                        r.owner.0,
                        r.created
                    ],
                )?;
            }
            Event::RoomEnded { room, at } => {
                self.run(
                    "UPDATE rooms SET ended = ?2 WHERE no = ?1",
                    params![room.0, at],
                )?;
                self.run("DELETE FROM members WHERE room = ?1", [room.0])?;
            }
            Event::Entry(entry) => self.write_entry(entry)?,
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
            Event::RequestsForgotten { before } => {
                self.run("DELETE FROM requests WHERE made < ?1", [before])?;
            }
            Event::Noted(note) => self.write_note(note)?,
        }
        Ok(())
    }

    fn write_entry(&self, e: &Entry) -> rusqlite::Result<()> {
        let (kind, body) = match &e.body {
            Body::Message(m) => (
                KIND_MESSAGE,
                json(&MessageBody {
                    text: m.text.as_ref().into(),
                    reply: m.reply,
                }),
            ),
            Body::Joined { avatar } => (KIND_JOINED, json(&NoticeBody { avatar: *avatar })),
            Body::Left { avatar } => (KIND_LEFT, json(&NoticeBody { avatar: *avatar })),
        };
        let uuid = e.message().map(|m| m.uuid.into_bytes());
        self.run(
            "INSERT INTO entries (room, at, kind, sender, name, sent, uuid, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                e.room.0,
                e.at as i64,
                kind,
                e.user.0,
                e.name,
                e.sent,
                uuid,
                body?
            ],
        )?;
        match &e.body {
            Body::Message(_) => {}
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
                "INSERT OR IGNORE INTO presence (user, came) SELECT no, ?2 FROM users WHERE no = ?1"
            } else {
                "UPDATE presence SET went = max(came, ?2) WHERE user = ?1 AND went IS NULL"
            };
            self.run(sql, [user.0, *at])?;
        }
        Ok(())
    }

    /// A message by its uuid, for the repetition rule.
    pub fn recall(&self, room: RoomNo, uuid: Uuid) -> rusqlite::Result<Option<Spoken>> {
        let mut get = self.db.prepare_cached(
            "SELECT sender, at, sent, origin, body FROM entries WHERE room = ?1 AND uuid = ?2",
        )?;
        let found = get.query_row(params![room.0, uuid.as_bytes()], |row| {
            let origin: Option<Digest> = row.get(3)?;
            let digest = match origin {
                Some(origin) => origin,
                None => digest(
                    body::<MessageBody>(row.get_ref(4)?.as_str()?)?
                        .text
                        .as_ref(),
                ),
            };
            let (user, at) = (UserNo(row.get(0)?), row.get::<_, i64>(1)? as Place);
            Ok(Spoken {
                user,
                at,
                sent: row.get(2)?,
                digest,
            })
        });
        found.optional()
    }

    /// Deletes some entries of ended rooms: at most `rows`. False when there is nothing to do.
    pub fn prune(&mut self, rows: usize) -> rusqlite::Result<bool> {
        let sql = "SELECT no FROM rooms WHERE ended IS NOT NULL LIMIT 1";
        let Some(room) = self
            .db
            .query_row(sql, [], |r| r.get::<_, i64>(0))
            .optional()?
        else {
            return Ok(false);
        };
        self.within(|store| {
            let sql = "DELETE FROM entries WHERE room = ?1 AND at <= (SELECT max(at) FROM
                         (SELECT at FROM entries WHERE room = ?1 ORDER BY at LIMIT ?2))";
            if store.run(sql, params![room, rows as i64])? == 0 {
                store.run("DELETE FROM rooms WHERE no = ?1", [room])?;
            }
            store.db.execute_batch("PRAGMA incremental_vacuum(64)")
        })?;
        Ok(true)
    }
}

fn each(
    db: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

fn user_of(row: &Row) -> rusqlite::Result<User> {
    Ok(User {
        no: UserNo(row.get("no")?),
        id: row.get::<_, [u8; 16]>("id").map(Uuid::from_bytes)?,
        name: row.get("name")?,
        avatar: row.get("avatar")?,
        sealed: row.get("sealed")?,
        secret: row.get("secret")?,
        status: row.get("status")?,
        registered: row.get("registered")?,
    })
}

// ---- Entries as rows ----

const KIND_MESSAGE: i64 = 1;
const KIND_JOINED: i64 = 2;
const KIND_LEFT: i64 = 3;

#[derive(Serialize, Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Place>,
}

#[derive(Serialize, Deserialize)]
struct NoticeBody {
    avatar: u8,
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn body<'a, T: Deserialize<'a>>(text: &'a str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into())
    })
}

const ENTRY_COLUMNS: &str = "e.room, e.at, e.kind, e.sender, u.id, e.name, e.sent, e.uuid, e.body,
    e.origin IS NOT NULL FROM entries e JOIN users u ON u.no = e.sender";

fn entry_of(row: &Row) -> rusqlite::Result<Entry> {
    let text = row.get_ref(8)?.as_str()?;
    let body = match row.get::<_, i64>(2)? {
        KIND_JOINED => Body::Joined {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        KIND_LEFT => Body::Left {
            avatar: body::<NoticeBody>(text)?.avatar,
        },
        _ => {
            let MessageBody { text, reply } = body(text)?;
            Body::Message(Message {
                uuid: row.get::<_, [u8; 16]>(7).map(Uuid::from_bytes)?,
                text: text.as_ref().into(),
                reply,
                modified: row.get(9)?,
            })
        }
    };
    Ok(Entry {
        room: RoomNo(row.get(0)?),
        at: row.get::<_, i64>(1)? as Place,
        user: UserNo(row.get(3)?),
        user_id: row.get::<_, [u8; 16]>(4).map(Uuid::from_bytes)?,
        name: row.get(5)?,
        sent: row.get(6)?,
        body,
    })
}

// ---- Reading ----

/// A few connections for reading, opened when first needed and shared by all threads.
pub struct Readers {
    source: Source,
    free: Receiver<Option<Connection>>,
    back: Sender<Option<Connection>>,
}

/// Which way a page is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// What stands after this place, the oldest of it.
    After(Place),
    /// What stands before this place, the newest of it.
    Before(Place),
}

impl Readers {
    pub fn new(source: Source) -> Readers {
        let (back, free) = crossbeam_channel::bounded(READERS);
        for _ in 0..READERS {
            let _ = back.send(None);
        }
        Readers { source, free, back }
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        struct Back<'a>(Option<Connection>, &'a Sender<Option<Connection>>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                let _ = self.1.try_send(self.0.take());
            }
        }
        // The sender lives in self, so the channel is never closed.
        let mut back = Back(self.free.recv().unwrap_or_default(), &self.back);
        let db = match back.0.take() {
            Some(db) => db,
            None => {
                let db = self.source.connect()?;
                db.pragma_update(None, "query_only", true)?;
                db
            }
        };
        read(back.0.insert(db))
    }

    /// At most `limit` entries of a room up to the place `last`, oldest first, without `but`'s own;
    /// fewer when they weigh more than `bytes` (but one at least). And whether that is all.
    pub fn entries(
        &self,
        room: RoomNo,
        span: Span,
        last: Place,
        but: Option<UserNo>,
        limit: usize,
        bytes: usize,
    ) -> rusqlite::Result<(Vec<Arc<Entry>>, bool)> {
        let (from, to, down) = match span {
            Span::After(place) => (place, last, false),
            Span::Before(place) => (0, last.min(place.saturating_sub(1)), true),
        };
        self.with(|db| {
            let way = if down { "DESC" } else { "ASC" };
            let mut select = db.prepare_cached(&format!(
                "SELECT {ENTRY_COLUMNS} WHERE e.room = ?1 AND e.at > ?2 AND e.at <= ?3
                   AND e.sender <> ?5
                 ORDER BY e.at {way} LIMIT ?4"
            ))?;
            let limit_row = limit as i64 + 1;
            let but = but.map_or(0, |user| user.0);
            let mut rows = select.query(params![room.0, from as i64, to as i64, limit_row, but])?;
            let (mut entries, mut weight, mut whole) = (vec![], 0, true);
            while let Some(row) = rows.next()? {
                let entry = entry_of(row)?;
                weight += entry.weight();
                if entries.len() == limit || (weight > bytes && !entries.is_empty()) {
                    whole = false;
                    break;
                }
                entries.push(Arc::new(entry));
            }
            if down {
                entries.reverse();
            }
            Ok((entries, whole))
        })
    }

    /// The newest `limit` notices of a room, oldest first.
    pub fn notices(&self, room: RoomNo, limit: usize) -> rusqlite::Result<Vec<Arc<Entry>>> {
        self.with(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {ENTRY_COLUMNS} WHERE e.room = ?1 AND e.kind <> 1 ORDER BY e.at DESC LIMIT ?2"
            ))?;
            let rows = select.query_map(params![room.0, limit as i64], entry_of)?;
            let mut entries = rows.map(|e| e.map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
            entries.reverse();
            Ok(entries)
        })
    }

    /// Anybody who ever was, by number.
    pub fn user(&self, no: UserNo) -> rusqlite::Result<Option<User>> {
        self.with(|db| {
            let mut select = db.prepare_cached("SELECT * FROM users WHERE no = ?1")?;
            select.query_row([no.0], user_of).optional()
        })
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

    /// Copies what it can without making anybody wait; with `hard`, waits for readers and makes
    /// the scribe wait, and the log starts anew.
    /// How many pages the log held.
    pub fn run(&self, hard: bool) -> rusqlite::Result<i64> {
        let sql = match hard {
            true => "PRAGMA wal_checkpoint(TRUNCATE)",
            false => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        self.db.query_row(sql, [], |row| row.get(1))
    }
}
