//! Where a message stands, by its uuid; and that no room has two of one uuid.
//!
//! Uuids are all over an index of them: each message more would be a page more in the log. So those of
//! the newest messages are kept in memory, and brought into their table some with each commit and in the
//! table's order, where many share a page. A stop brings them all, and so does a start after a crash,
//! which reads them from the entries. Knows nothing of what messages say.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use uuid::Uuid;

use super::{Store, rows};
use crate::model::*;

/// Uuids kept in memory, near enough (2 MB): the more there are, the more of them share a page, and
/// the longer takes a start after a crash (some 100 ms).
const FRESH: usize = 32_768;

/// A room and a uuid, in the table's order.
type Key = (i64, [u8; 16]);

fn key(room: RoomNo, uuid: Uuid) -> Key {
    (room.0, uuid.into_bytes())
}

/// Whether a message was not written because there is one of its uuid in its room.
pub fn is_taken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|e| e.extended_code);
    code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}

/// The uuids that are not in their table yet.
pub(super) struct Uuids {
    limit: usize,
    /// Where their messages stand. Of each room all those above its `indexed`, and maybe some that the
    /// table has as well.
    fresh: BTreeMap<Key, Place>,
    /// What the transaction has changed of that: what was there before, in the order of the changes.
    undo: Vec<(Key, Option<Place>)>,
    hand: Option<Hand>,
}

/// It goes through the uuids again and again, and brings them into the table.
struct Hand {
    /// The last that it took.
    at: Key,
    /// The greatest of its room when it came there. What comes behind that later, as uuids do that grow
    /// with time, waits for the next time: it would never leave.
    end: Key,
    /// The newest message of its room when it came there: when it leaves, the table has all up to it.
    until: Place,
}

impl Uuids {
    /// What is damaged is said and left out: the rest goes on. Any other error is one of the whole start.
    pub fn load(db: &Connection) -> rusqlite::Result<Uuids> {
        let (mut rooms, mut fresh) = (vec![], BTreeMap::new());
        let sql = "SELECT no, indexed FROM rooms WHERE ended IS NULL";
        super::each(db, sql, |row| {
            rooms.push((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
            Ok(())
        })?;
        let sql = "SELECT uuid, at FROM entries WHERE room = ?1 AND at > ?2 AND uuid IS NOT NULL";
        let mut select = db.prepare(sql)?;
        for (room, indexed) in rooms {
            let found = select.query_map([room, indexed], |row| {
                let key = (room, row.get(0)?);
                fresh.insert(key, row.get::<_, i64>(1)? as Place);
                Ok(())
            });
            match found.and_then(|mut rows| rows.try_for_each(|row| row)) {
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => log::error!(
                    "cannot read the database: {e}; of messages in room {room} that are sent again it is not \
                     known that they were sent before"
                ),
                read => read?,
            }
        }
        Ok(Uuids {
            limit: FRESH,
            fresh,
            undo: vec![],
            hand: None,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty()
    }

    fn set(&mut self, key: Key, place: Option<Place>) {
        let before = match place {
            Some(place) => self.fresh.insert(key, place),
            None => self.fresh.remove(&key),
        };
        self.undo.push((key, before));
    }

    fn of_room(&self, room: i64) -> impl Iterator<Item = (Key, Place)> {
        let all = (room, [0; 16])..=(room, [u8::MAX; 16]);
        self.fresh.range(all).map(|(key, place)| (*key, *place))
    }

    /// The messages of a room up to a place are deleted.
    pub fn forget(&mut self, room: RoomNo, until: Place) {
        let gone = self.of_room(room.0).filter(|(_, place)| *place <= until);
        for (key, _) in gone.collect::<Vec<_>>() {
            self.set(key, None);
        }
    }

    /// The transaction is committed.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction is taken back.
    pub fn release(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(place) => self.fresh.insert(key, place),
                None => self.fresh.remove(&key),
            };
            // It may have passed what is there again, and a place may soon be another message's.
            self.hand = None;
        }
    }

    /// Brings what is too many into the table: no more than twice what came with this transaction, so
    /// that no commit takes much longer than another.
    pub fn bring_some(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let too_many = self.fresh.len().saturating_sub(self.limit);
        self.bring(db, too_many.min(2 * self.undo.len()))
    }

    /// Brings all into the table: the next start has nothing to read.
    pub fn bring_all(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.hand = None;
        self.bring(db, self.fresh.len())?;
        self.hand = None;
        let last = "coalesce((SELECT max(at) FROM entries WHERE room = no), 0)";
        let all =
            format!("UPDATE rooms SET indexed = {last} WHERE ended IS NULL AND indexed < {last}");
        db.execute(&all, []).map(|_| ())
    }

    fn bring(&mut self, db: &Connection, count: usize) -> rusqlite::Result<()> {
        let mut insert =
            db.prepare_cached("REPLACE INTO uuids (room, uuid, at) VALUES (?1, ?2, ?3)")?;
        for _ in 0..count {
            let Some((key, place)) = self.advance(db)? else {
                break;
            };
            insert.execute(params![key.0, key.1, place as i64])?;
            self.set(key, None);
        }
        Ok(())
    }

    /// Where the hand comes next.
    fn advance(&mut self, db: &Connection) -> rusqlite::Result<Option<(Key, Place)>> {
        let one = |(key, place): (&Key, &Place)| (*key, *place);
        let Some(hand) = self.hand.take() else {
            return Ok(self.enter(self.fresh.iter().map(one).next()));
        };
        if hand.at < hand.end {
            let onward = self.fresh.range((Excluded(hand.at), Included(hand.end)));
            if let Some((at, place)) = onward.map(one).next() {
                self.hand = Some(Hand { at, ..hand });
                return Ok(Some((at, place)));
            }
        }
        let sql = "UPDATE rooms SET indexed = max(indexed, ?2) WHERE no = ?1";
        let mut left = db.prepare_cached(sql)?;
        left.execute([hand.at.0, hand.until as i64])?;
        let others = self.fresh.range((hand.at.0 + 1, [0; 16])..);
        let next = others.chain(&self.fresh).map(one).next();
        Ok(self.enter(next))
    }

    /// To the first of a room.
    fn enter(&mut self, first: Option<(Key, Place)>) -> Option<(Key, Place)> {
        let (at, _) = first?;
        let (mut end, mut until) = (at, 0);
        for (key, place) in self.of_room(at.0) {
            (end, until) = (key, until.max(place));
        }
        self.hand = Some(Hand { at, end, until });
        first
    }
}

impl Store {
    /// Notes a message that is being written; `is_taken` of the error if its room has that uuid.
    pub(super) fn claim(&mut self, room: RoomNo, uuid: Uuid, at: Place) -> rusqlite::Result<()> {
        let key = key(room, uuid);
        let sql = "SELECT 1 FROM uuids WHERE room = ?1 AND uuid = ?2";
        let is_known = self.uuids.fresh.contains_key(&key)
            || self.db.prepare_cached(sql)?.exists(params![key.0, key.1])?;
        if is_known {
            let taken = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE);
            let why = "its room has a message of that uuid".to_owned();
            return Err(rusqlite::Error::SqliteFailure(taken, Some(why)));
        }
        self.uuids.set(key, Some(at));
        Ok(())
    }

    /// A message by its uuid as it was committed, for the repetition rule: what this batch has said or
    /// changed, the rules know.
    pub fn recall(&self, room: RoomNo, uuid: Uuid) -> rusqlite::Result<Option<Spoken>> {
        let fresh = self.uuids.fresh.get(&key(room, uuid));
        let mut get = self.aside.as_ref().unwrap_or(&self.db).prepare_cached(
            "SELECT sender, at, sent, origin, body, kind FROM entries WHERE room = ?1 AND uuid = ?2
             AND at = coalesce(?3, (SELECT at FROM uuids WHERE room = ?1 AND uuid = ?2))",
        )?;
        let place = fresh.map(|place| *place as i64);
        let found = get.query_row(params![room.0, uuid.as_bytes(), place], |row| {
            let origin: Option<Digest> = row.get(3)?;
            let (now, reply) = match row.get::<_, i64>(5)? {
                rows::KIND_TOMBSTONE => (None, None),
                _ => {
                    let (now, reply) = rows::text_digest(uuid, row.get_ref(4)?.as_str()?)?;
                    (Some(now), reply)
                }
            };
            Ok(Spoken {
                user: UserNo(row.get(0)?),
                at: row.get::<_, i64>(1)? as Place,
                sent: row.get(2)?,
                // A deleted message has its origin; one without was never changed.
                digest: origin.or(now).unwrap_or_default(),
                now,
                reply,
            })
        });
        found.optional()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::in_memory;

    const ROOMS: i64 = 3;

    /// What is expected of a store, and what numbers come next.
    #[derive(Clone, Default)]
    struct Told {
        /// Where each message stands.
        kept: BTreeMap<Key, Place>,
        gone: Vec<Key>,
        last: [Place; ROOMS as usize],
    }

    fn store() -> Store {
        let mut store = in_memory();
        let rooms = (0..ROOMS).map(|no| {
            Event::RoomMade(RoomHead {
                no: RoomNo(no),
                id: Uuid::from_u128(no as u128),
                name: "Room".into(),
                secret: None,
                secret_version: 1,
                listed: true,
                flag: None,
                key: None,
                locked: false,
                quiet: false,
                created: 0,
            })
        });
        store.write(&rooms.collect::<Vec<_>>()).expect("written");
        store.commit().expect("committed");
        store
    }

    fn said(key: Key, at: Place) -> Event {
        let message = Message {
            uuid: Uuid::from_bytes(key.1),
            text: "hi".into(),
            reply: None,
            modified: false,
        };
        Event::Entry(
            Entry {
                room: RoomNo(key.0),
                at,
                sent: 0,
                user: UserNo(1),
                user_id: Uuid::nil(),
                name: "Ada".into(),
                body: Body::Message(message),
            }
            .into(),
        )
    }

    /// Small numbers that look like chance, always the same.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
            (self.0 >> 33) % sides
        }
    }

    #[test]
    fn a_uuid_is_taken_as_long_as_its_message_is_kept_whatever_happens() {
        let (mut store, mut dice) = (store(), Dice(7));
        let (mut told, mut ended) = (Told::default(), 0);
        store.uuids.limit = 20;
        for round in 0..3_000 {
            let before = told.clone();
            for _ in 0..dice.roll(12) {
                let room = dice.roll(ROOMS as u64) as i64;
                let key = (
                    room,
                    Uuid::from_u128(dice.roll(u64::MAX).into()).into_bytes(),
                );
                let last = &mut told.last[room as usize];
                *last += 1;
                store.write(&[said(key, *last)]).expect("written");
                told.kept.insert(key, *last);
            }
            if dice.roll(10) == 0 {
                let room = dice.roll(ROOMS as u64) as i64;
                let floor = told.last[room as usize].saturating_sub(dice.roll(60));
                let pruned = Event::Pruned {
                    room: RoomNo(room),
                    floor,
                };
                store.write(&[pruned]).expect("written");
                let stays = |key: &Key, at: Place| key.0 != room || at > floor;
                told.gone = told.kept.keys().copied().collect();
                told.kept.retain(|key, at| stays(key, *at));
                told.gone.retain(|key| !told.kept.contains_key(key));
            }
            match dice.roll(8) {
                0 => {
                    // As far as a commit that fails.
                    store.uuids.bring_some(&store.db).expect("brought");
                    store.release();
                    told = before;
                }
                _ => store.commit().expect("committed"),
            }
            if dice.roll(5) == 0 {
                // As after a start.
                store.uuids = Uuids::load(&store.db).expect("loaded");
                store.uuids.limit = 20;
                for (key, at) in &told.kept {
                    let known = store.recall(RoomNo(key.0), Uuid::from_bytes(key.1));
                    assert_eq!(known.expect("read").map(|known| known.at), Some(*at));
                }
            }
            if dice.roll(20) > 0 {
                continue;
            }
            let any = dice.roll(told.kept.len().max(1) as u64) as usize;
            if let Some((key, at)) = told.kept.iter().nth(any) {
                let known = store.recall(RoomNo(key.0), Uuid::from_bytes(key.1));
                assert_eq!(known.expect("read").map(|known| known.at), Some(*at));
                let again = store.write(&[said(*key, Place::MAX >> 1)]);
                assert!(again.is_err_and(|e| is_taken(&e)), "round {round}");
                store.release();
            }
            for key in &told.gone {
                let known = store.recall(RoomNo(key.0), Uuid::from_bytes(key.1));
                assert_eq!(known.expect("read"), None);
                store.write(&[said(*key, Place::MAX >> 1)]).expect("free");
                store.release();
            }
            ended += told.gone.len();
        }
        let in_table = "SELECT count(*) FROM uuids";
        let count = |sql| store.db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let brought = count(in_table).expect("a count") as usize;
        assert!(brought + store.uuids.fresh.len() >= told.kept.len());
        assert!(brought > 100 && ended > 100 && store.uuids.fresh.len() < 60);
        let behind = || count("SELECT sum(indexed) FROM rooms").expect("a sum") as Place;
        let last = told.last.iter().sum::<Place>();
        assert!(last - behind() < 100);
        // As at a stop.
        store.uuids.bring_all(&store.db).expect("brought");
        assert!(store.uuids.fresh.is_empty());
        assert_eq!(count(in_table).expect("a count") as usize, told.kept.len());
    }

    #[test]
    fn uuids_that_grow_with_time_are_left_behind_as_well() {
        let mut store = store();
        store.uuids.limit = 20;
        let indexed = |store: &Store| -> i64 {
            let sql = "SELECT indexed FROM rooms WHERE no = 1";
            store.db.query_row(sql, [], |row| row.get(0)).expect("it")
        };
        for at in 1..=1_000 {
            let key = (1, Uuid::from_u128(at.into()).into_bytes());
            store.write(&[said(key, at)]).expect("written");
            store.commit().expect("committed");
        }
        assert!(indexed(&store) > 900, "{}", indexed(&store));
    }

    #[test]
    fn a_commit_that_fails_leaves_what_is_known_as_it_was() {
        let mut store = store();
        let key = |n: u8| (1, [n; 16]);
        store.write(&[said(key(1), 1)]).expect("written");
        store.commit().expect("committed");
        store.write(&[said(key(2), 2)]).expect("written");
        // As it does when a reading fails.
        store.db.execute_batch("ROLLBACK").expect("taken back");
        store.commit().expect_err("lost");
        store.write(&[said(key(2), 2)]).expect("free again");
        let taken = store.write(&[said(key(1), 3)]);
        assert!(taken.is_err_and(|e| is_taken(&e)));
    }
}
