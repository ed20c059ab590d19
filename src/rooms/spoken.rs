//! The memory of uuids: what the newest messages of all rooms were called, and by whom.

use std::collections::{HashMap, HashSet, VecDeque};

use uuid::Uuid;

use crate::model::*;

/// The newest `SPOKEN_KEPT` messages of all rooms by their uuids.
#[derive(Clone, Debug, Default)]
pub(super) struct SpokenMemory {
    by_uuid: HashMap<(RoomNo, Uuid), Spoken>,
    /// Keys of `by_uuid`, oldest first.
    order: VecDeque<(RoomNo, Uuid)>,
    /// Rooms made since the start of which nothing was forgotten: a uuid not found is a new one.
    pub complete: HashSet<RoomNo>,
}

impl SpokenMemory {
    pub fn find(&self, room: RoomNo, uuid: Uuid) -> Option<&Spoken> {
        self.by_uuid.get(&(room, uuid))
    }

    pub fn add(&mut self, entry: &Entry, message: &Message) {
        let key = (entry.room, message.uuid);
        let digest = digest(&message.text);
        let spoken = Spoken {
            user: entry.user,
            at: entry.at,
            sent: entry.sent,
            digest,
        };
        self.by_uuid.insert(key, spoken);
        self.order.push_back(key);
        if self.order.len() > SPOKEN_KEPT
            && let Some(old) = self.order.pop_front()
        {
            self.by_uuid.remove(&old);
            self.complete.remove(&old.0);
        }
    }
}

/// The digest of a text, for `Spoken`.
pub fn digest(text: &str) -> Digest {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}
