//! SQLite: open, load, commit, read back.
//!
//! Knows rows and events; not who may do what, nor who is listening. One connection writes, the
//! scribe's; readers and the checkpointer have their own. This file opens and loads.

mod migrate;
mod notices;
mod powers;
mod read;
mod rows;
mod uuids;
mod write;

pub use read::{Readers, Span};
pub use uuids::is_taken;
pub use write::{Checkpointer, Copying};

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use uuid::Uuid;

use crate::model::*;
use crate::rooms::{Member, Rooms, Rules};
use rows::user_of;
use uuids::Uuids;

/// `PRAGMA user_version` of a database that this parlor writes.
const SCHEMA_VERSION: i64 = 4;
/// `PRAGMA application_id`: "prlr". Tells parlor's files from other programs'.
const APPLICATION_ID: i64 = 0x7072_6c72;
/// Statements that a connection keeps prepared: all of them.
const PREPARED: usize = 64;
/// What each connection keeps of the file, in KiB. Uuids are all over their index: it is read again
/// and again where it does not fit.
const CACHE_KIB: i64 = 8 * 1024;
/// How long a statement waits for another connection's lock (a checkpoint, or memory mode's).
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often it looks. SQLite's own handler soon sleeps 10 ms and more, for a lock held for three.
const LOCK_POLL: Duration = Duration::from_micros(500);

/// Asked by SQLite for the n-th time whether to try again.
fn wait_for_lock(times: i32) -> bool {
    std::thread::sleep(LOCK_POLL);
    LOCK_POLL * times.unsigned_abs() < LOCK_WAIT
}

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
    /// What is looked up while a transaction is open. In SQLite a reading that fails takes back all that its
    /// connection has not committed, without a word to who writes. None: memory, which does not fail.
    aside: Option<Connection>,
    db: Connection,
    uuids: Uuids,
    /// A transaction was begun that neither `commit` nor `release` has ended.
    begun: bool,
    /// The last parlor did not end by itself: its log may hold what was deleted.
    pub unclean: bool,
    /// None: memory. Dropped after `db`: closing any descriptor of the file earlier would drop
    /// SQLite's own POSIX locks on it.
    file: Option<Locked>,
    /// The ended room that is being cleared, and those whose stays are not to go with it.
    kept_of: (i64, HashSet<i64>),
}

/// The database's file: its lock against a second parlor, and where it is to be.
struct Locked {
    path: PathBuf,
    /// Device and inode.
    place: (u64, u64),
    /// The same of the write-ahead log beside it, once there is one.
    log: Option<(PathBuf, (u64, u64))>,
    _lock: File,
}

fn place_of(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

impl Locked {
    fn new(path: &Path, lock: File) -> Result<Locked, String> {
        let place = lock.metadata().map(|m| (m.dev(), m.ino()));
        Ok(Locked {
            path: path.to_owned(),
            place: place.map_err(|e| format!("cannot look at {}: {e}", path.display()))?,
            log: None,
            _lock: lock,
        })
    }

    /// To be called when the log has been written to.
    fn note_log(&mut self) {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        self.log = place_of(Path::new(&path)).map(|place| (path.into(), place));
    }

    /// Whether the file is still what its name stands for. SQLite would go on writing to one that
    /// was deleted, and all would be gone with the process.
    fn is_in_place(&self) -> bool {
        let mut files = [(&self.path, &self.place)]
            .into_iter()
            .chain(self.log.as_ref().map(|(path, place)| (path, place)));
        files.all(|(path, place)| place_of(path) == Some(*place))
    }
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
        let mut db = Connection::open_with_flags(&self.uri, flags)?;
        db.busy_handler(Some(wait_for_lock))?;
        db.set_prepared_statement_cache_capacity(PREPARED);
        Ok(db)
    }

    fn prepare(&self, db: &Connection) -> rusqlite::Result<()> {
        // Before the first table, or never (schema.sql).
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update(None, "secure_delete", true)?;
        let mode = if self.memory { "MEMORY" } else { "WAL" };
        db.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The checkpointer does it, on its own thread.
        db.pragma_update(None, "wal_autocheckpoint", 0)
    }

    /// Commits from here on wait for the disk only if they are to be durable at once.
    fn relax(&self, db: &Connection) -> rusqlite::Result<()> {
        match self.full {
            true => Ok(()),
            false => db.pragma_update(None, "synchronous", "NORMAL"),
        }
    }
}

/// A database that is parlor's to use, and nobody else's now. Nothing was written yet.
pub struct Opened {
    name: String,
    source: Source,
    db: Connection,
    /// Of its schema; 0 for a new file.
    version: i64,
    lock: Option<Locked>,
    durability: Durability,
}

/// Opens the database, or says why it cannot be used: a sentence that names the file and the way
/// out.
pub fn open(data: &Data, durability: Durability) -> Result<Opened, String> {
    let (name, lock) = match data {
        Data::File(path) => {
            let locked = Locked::new(path, lock(path)?)?;
            (path.display().to_string(), Some(locked))
        }
        Data::Memory => ("memory".into(), None),
    };
    let source = Source::new(data, durability);
    let db = source.connect().map_err(|e| unusable(&name, &e))?;
    let version = check_origin(&db, &name)?;
    Ok(Opened {
        name,
        source,
        db,
        version,
        lock,
        durability,
    })
}

fn unusable(name: &str, error: &rusqlite::Error) -> String {
    format!("cannot use {name} as parlor's database: {error}; choose another file with --data")
}

impl Opened {
    /// Makes what is missing, marks the database as in use, and loads all but the messages.
    pub fn load(self, rules: Rules, new_epoch: bool) -> Result<Loaded, String> {
        let Opened {
            name,
            source,
            db,
            version,
            lock,
            durability,
        } = self;
        let load = || {
            source.prepare(&db)?;
            match version {
                0 => create(&db)?,
                version => migrate::migrate(&db, version)?,
            }
            let aside = match source.is_memory() {
                true => None,
                false => Some(source.connect()?),
            };
            let mut store = Store {
                aside,
                uuids: Uuids::load(&db)?,
                db,
                begun: false,
                unclean: false,
                file: lock,
                kept_of: Default::default(),
            };
            let epoch = store.begin(durability, new_epoch)?;
            store.file.iter_mut().for_each(Locked::note_log);
            store.take_in_uuids()?;
            // Until here with full durability: the mark must not be lost.
            source.relax(&store.db)?;
            store.load(source, rules, epoch)
        };
        load().map_err(|e| unusable(&name, &e))
    }
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
        let other = rusqlite::ErrorCode::NotADatabase;
        match e.sqlite_error_code() {
            Some(code) if code == other => {
                format!("{name} is not a parlor database ({e}); choose another file with --data")
            }
            _ => format!(
                "cannot open {name}: {e}; parlor must be able to read and write it and its \
                 folder, or choose another file with --data"
            ),
        }
    })?;
    match (origin, version, things) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, migrate::OLDEST..=SCHEMA_VERSION, _) => Ok(version),
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
    tx.execute_batch(include_str!("../schema.sql"))?;
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
    fn begin(&mut self, durability: Durability, new_epoch: bool) -> rusqlite::Result<String> {
        let boot = boot_id();
        self.unclean = self.meta("clean")?.as_deref() == Some("0");
        let was_fast = self.meta("durability")?.as_deref() == Some("fast");
        let same_boot = !boot.is_empty() && self.meta("boot")?.as_deref() == Some(&boot);
        // A power cut may have taken acknowledged places, which are then used again.
        let lost = self.unclean && was_fast && !same_boot;
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
        // Whoever was there when the process ended was there when that was last noted.
        tx.execute(
            "UPDATE presence SET went = max(came,
               (SELECT heard FROM users WHERE no = user),
               coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'alive'), 0))
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
        let sql = "SELECT no, id, name, secret, secret_version, listed, created,
                     max(floor, coalesce((SELECT max(at) FROM entries WHERE room = no), 0)), floor,
                     flag, key, locked, quiet
                   FROM rooms WHERE ended IS NULL ORDER BY no";
        each(db, sql, |row| {
            let head = RoomHead {
                no: RoomNo(row.get(0)?),
                id: row.get::<_, [u8; 16]>(1).map(Uuid::from_bytes)?,
                name: row.get(2)?,
                secret: row.get(3)?,
                secret_version: row.get(4)?,
                listed: row.get(5)?,
                created: row.get(6)?,
                flag: row.get(9)?,
                key: row.get::<_, Option<[u8; 32]>>(10)?.map(KeyHash),
                locked: row.get(11)?,
                quiet: row.get(12)?,
            };
            let (last, floor): (i64, i64) = (row.get(7)?, row.get(8)?);
            rooms.put_room(head, last as Place, floor as Place);
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
        self.load_powers(&mut rooms)?;
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

#[cfg(test)]
fn in_memory() -> Store {
    let rules = Rules {
        max_members: 9,
        require_token: false,
        closed: false,
        lang: Lang::En,
    };
    let opened = open(&Data::Memory, Durability::Full).expect("memory");
    opened.load(rules, false).expect("a new database").store
}
