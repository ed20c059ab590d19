//! Reading back: pages of the order, notices, users. On connections of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::Source;
use super::rows::{ENTRY_COLUMNS, KIND_MESSAGE, entry_of, has_text, user_of};
use crate::model::*;
use crate::rooms::caseless;

/// Connections for reading. Each costs up to 2 MB of page cache; reads are short.
const READERS: usize = 4;

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
    /// The end of the order.
    Newest,
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
            // Past the end there is nothing, and SQLite has no place as large as that.
            Span::After(place) => (place.min(last), last, false),
            Span::Before(place) => (0, last.min(place.saturating_sub(1)), true),
            Span::Newest => (0, last, true),
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
                weight += entry.json_weight();
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

    /// Who came and who left a room between two places, at most `limit`, oldest first.
    pub fn comings(
        &self,
        room: RoomNo,
        (after, last): (Place, Place),
        limit: usize,
    ) -> rusqlite::Result<Vec<Arc<Entry>>> {
        self.with(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {ENTRY_COLUMNS} WHERE e.room = ?1 AND e.kind IN (2, 3)
                   AND e.at > ?2 AND e.at <= ?3 ORDER BY e.at LIMIT ?4"
            ))?;
            let bounds = params![room.0, after as i64, last as i64, limit as i64];
            let rows = select.query_map(bounds, entry_of)?;
            rows.map(|entry| entry.map(Arc::new)).collect()
        })
    }

    /// When a user was there within `span`: from when to when, without an end while it is. The
    /// oldest `limit` of those that began after `came`.
    pub fn presence(
        &self,
        user: UserNo,
        span: (Nanos, Nanos),
        came: Nanos,
        limit: usize,
    ) -> rusqlite::Result<Vec<(Nanos, Option<Nanos>)>> {
        self.with(|db| {
            let mut select = db.prepare_cached(
                "SELECT came, went FROM presence WHERE user = ?1 AND came > ?2 AND came <= ?4
                   AND (went IS NULL OR went >= ?3) ORDER BY came LIMIT ?5",
            )?;
            let bounds = params![user.0, came, span.0, span.1, limit as i64];
            let rows = select.query_map(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// The newest `limit` notices of a room up to the place `last`, oldest first.
    pub fn notices(
        &self,
        room: RoomNo,
        last: Place,
        limit: usize,
    ) -> rusqlite::Result<Vec<Arc<Entry>>> {
        self.with(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {ENTRY_COLUMNS} WHERE e.room = ?1 AND e.kind IN (2, 3, 7) AND e.at <= ?3
                 ORDER BY e.at DESC LIMIT ?2"
            ))?;
            let rows = select.query_map(params![room.0, limit as i64, last as i64], entry_of)?;
            let mut entries = rows
                .map(|e| e.map(Arc::new))
                .collect::<Result<Vec<_>, _>>()?;
            entries.reverse();
            Ok(entries)
        })
    }

    /// Messages that hold a text, whatever its case, the newest first: from before a place, looking
    /// at no more than `rows` messages and for no longer than `time`. And where it stopped: 0 at
    /// the beginning of the room.
    pub fn search(
        &self,
        room: RoomNo,
        before: Place,
        text: &str,
        limit: usize,
        bounds: (usize, Duration),
    ) -> rusqlite::Result<(Vec<Arc<Entry>>, Place)> {
        let (rows, time) = bounds;
        let (text, until) = (caseless(text), Instant::now() + time);
        self.with(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {ENTRY_COLUMNS} WHERE e.room = ?1 AND e.at < ?2
                 ORDER BY e.at DESC LIMIT ?3"
            ))?;
            let before = i64::try_from(before).unwrap_or(i64::MAX);
            let mut found = select.query(params![room.0, before, rows as i64])?;
            let (mut hits, mut at, mut seen) = (vec![], 0, 0);
            while let Some(row) = found.next()? {
                at = row.get::<_, i64>(1)? as Place;
                seen += 1;
                let message = row.get::<_, i64>(2)? == KIND_MESSAGE;
                if message && has_text(row.get_ref(8)?.as_str()?, &text)? {
                    hits.push(Arc::new(entry_of(row)?));
                }
                if hits.len() == limit || Instant::now() >= until {
                    return Ok((hits, at));
                }
            }
            // Fewer than were asked for: that was the beginning.
            Ok((hits, if seen < rows { 0 } else { at }))
        })
    }

    /// Messages of one person that stand between two places, the first excluded: at most `limit`,
    /// looking at no more than `rows` entries. And how far it looked.
    pub fn said_by(
        &self,
        room: RoomNo,
        user: UserNo,
        (after, last): (Place, Place),
        limit: usize,
        rows: usize,
    ) -> rusqlite::Result<(Vec<Uuid>, Place)> {
        self.with(|db| {
            let mut select = db.prepare_cached(
                "SELECT at, sender, kind, uuid FROM entries
                 WHERE room = ?1 AND at > ?2 AND at <= ?3 ORDER BY at LIMIT ?4",
            )?;
            let span = params![room.0, after as i64, last as i64, rows as i64];
            let mut found = select.query(span)?;
            let (mut said, mut at, mut seen) = (vec![], after, 0);
            while let Some(row) = found.next()? {
                at = row.get::<_, i64>(0)? as Place;
                seen += 1;
                if row.get::<_, i64>(1)? == user.0 && row.get::<_, i64>(2)? == KIND_MESSAGE {
                    said.push(row.get::<_, [u8; 16]>(3).map(Uuid::from_bytes)?);
                }
                if said.len() == limit {
                    return Ok((said, at));
                }
            }
            // Fewer than were asked for: that was the end.
            Ok((said, if seen < rows { last } else { at }))
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
