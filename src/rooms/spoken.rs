//! The memory of uuids: what the newest messages of all rooms were called, and by whom.

use std::collections::{HashMap, HashSet, VecDeque};

use uuid::Uuid;

use crate::model::*;

/// The newest messages of all rooms by their uuids. Nothing depends on how many those are: the store
/// knows them all.
#[derive(Clone, Debug)]
pub(super) struct SpokenMemory {
    /// At most so many.
    limit: usize,
    pub(super) by_uuid: HashMap<(RoomNo, Uuid), Spoken>,
    /// Keys of `by_uuid` and where they stand, oldest first; and some that stand elsewhere since: when a
    /// message was thrown away, its uuid may be another's.
    pub(super) order: VecDeque<((RoomNo, Uuid), Place)>,
    /// Rooms made since the start of which nothing was forgotten: a uuid not found is a new one.
    pub complete: HashSet<RoomNo>,
}

impl SpokenMemory {
    pub fn new(limit: usize) -> SpokenMemory {
        SpokenMemory {
            limit,
            by_uuid: HashMap::new(),
            order: VecDeque::new(),
            complete: HashSet::new(),
        }
    }

    /// A room was made: nothing was said in it yet.
    pub fn begin(&mut self, room: RoomNo) {
        if self.limit > 0 {
            self.complete.insert(room);
        }
    }

    pub fn find(&self, room: RoomNo, uuid: Uuid) -> Option<&Spoken> {
        self.by_uuid.get(&(room, uuid))
    }

    /// A message was said.
    pub fn add(&mut self, entry: &Entry, message: &Message) {
        if self.limit == 0 {
            return;
        }
        let said = digest(message.uuid, &message.text);
        let spoken = Spoken {
            user: entry.user,
            at: entry.at,
            sent: entry.sent,
            digest: said,
            now: Some(said),
            reply: message.reply,
        };
        self.put((entry.room, message.uuid), spoken);
    }

    /// It was edited or deleted: remembered anew, also when it had been forgotten, so that what
    /// the store still says of it in this batch is not asked.
    pub fn change(&mut self, room: RoomNo, target: &Target, now: Option<Digest>) {
        let spoken = Spoken {
            user: target.author,
            at: target.seq,
            sent: target.said,
            digest: target.origin,
            now,
            reply: target.reply,
        };
        self.put((room, target.uuid), spoken);
    }

    fn put(&mut self, key: (RoomNo, Uuid), spoken: Spoken) {
        if self.limit == 0 {
            return;
        }
        let at = spoken.at;
        let before = self.by_uuid.insert(key, spoken);
        if before.is_some_and(|before| before.at == at) {
            return;
        }
        self.order.push_back((key, at));
        if self.order.len() > self.limit
            && let Some((old, at)) = self.order.pop_front()
            && self.by_uuid.get(&old).is_some_and(|said| said.at == at)
        {
            self.by_uuid.remove(&old);
            self.complete.remove(&old.0);
        }
    }
}

/// The digest of a message's text, for `Spoken`. With the uuid, so that no table made beforehand
/// tells what a text was that has been deleted since.
pub fn digest(uuid: Uuid, text: &str) -> Digest {
    use sha2::Digest as _;
    let said = sha2::Sha256::new().chain_update(uuid.as_bytes());
    said.chain_update(text.as_bytes()).finalize().into()
}
