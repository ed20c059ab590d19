//! The newest entries of the rooms in use, under one budget. What is not here is in the store.
//!
//! Pure: no lock, no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::model::*;

/// Entries kept of one room: a resume's bound, and what a drain asks for.
const PER_ROOM: usize = MAX_RESUME as usize;

pub struct Recent {
    /// Bytes of entries kept, all rooms together.
    budget: usize,
    rooms: HashMap<RoomNo, Tail>,
    /// Rooms by their last use, least recent first: the key is `Tail::used`.
    by_use: BTreeMap<u64, RoomNo>,
    uses: u64,
    weight: usize,
}

#[derive(Default)]
struct Tail {
    /// The newest entries of the room, oldest first, without gaps.
    entries: VecDeque<Arc<Entry>>,
    weight: usize,
    used: u64,
}

impl Recent {
    pub fn new(budget: usize) -> Recent {
        Recent {
            budget,
            rooms: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            weight: 0,
        }
    }

    /// Adds the next entry of its room.
    pub fn push(&mut self, entry: Arc<Entry>) {
        let room = entry.room;
        let weight = entry.weight();
        let tail = self.rooms.entry(room).or_default();
        tail.entries.push_back(entry);
        tail.weight += weight;
        self.weight += weight;
        if tail.entries.len() > PER_ROOM
            && let Some(old) = tail.entries.pop_front()
        {
            tail.weight -= old.weight();
            self.weight -= old.weight();
        }
        self.touch(room);
        while self.weight > self.budget {
            let Some((_, room)) = self.by_use.pop_first() else {
                break;
            };
            self.weight -= self.rooms.remove(&room).map_or(0, |tail| tail.weight);
        }
    }

    fn touch(&mut self, room: RoomNo) {
        if let Some(tail) = self.rooms.get_mut(&room) {
            self.uses += 1;
            self.by_use.remove(&tail.used);
            tail.used = self.uses;
            self.by_use.insert(tail.used, room);
        }
    }

    pub fn forget(&mut self, room: RoomNo) {
        if let Some(tail) = self.rooms.remove(&room) {
            self.by_use.remove(&tail.used);
            self.weight -= tail.weight;
        }
    }

    /// Entries up to a place are no longer kept.
    pub fn prune(&mut self, room: RoomNo, floor: Place) {
        let Some(tail) = self.rooms.get_mut(&room) else {
            return;
        };
        while tail.entries.front().is_some_and(|entry| entry.at <= floor) {
            let gone = tail.entries.pop_front().map_or(0, |entry| entry.weight());
            tail.weight -= gone;
            self.weight -= gone;
        }
        // An edit shows the text of its message, which is gone.
        for entry in &mut tail.entries {
            if let Body::Edited { of, .. } = &entry.body
                && of.seq <= floor
            {
                let (before, body) = (entry.weight(), Body::Deleted { of: of.clone() });
                *entry = Arc::new(Entry {
                    body,
                    ..Entry::clone(entry)
                });
                tail.weight = tail.weight + entry.weight() - before;
                self.weight = self.weight + entry.weight() - before;
            }
        }
    }

    /// `user` gave a message said at `of.seq` another text, or none: every entry that shows it follows.
    pub fn amend(&mut self, room: RoomNo, of: &Target, text: Option<&Arc<str>>, user: UserNo) {
        let Some(tail) = self.rooms.get_mut(&room) else {
            return;
        };
        for entry in &mut tail.entries {
            let body = match (&entry.body, text) {
                (Body::Message(m), Some(text)) if entry.at == of.seq => Body::Message(Message {
                    text: text.clone(),
                    modified: true,
                    ..m.clone()
                }),
                (Body::Message(m), None) if entry.at == of.seq => Body::Tombstone {
                    uuid: m.uuid,
                    by: of.deleted_by(user),
                },
                (Body::Edited { of: same, .. }, Some(text)) if same.seq == of.seq => Body::Edited {
                    of: same.clone(),
                    text: text.clone(),
                },
                (Body::Edited { of: same, .. }, None) if same.seq == of.seq => {
                    Body::Deleted { of: same.clone() }
                }
                _ => continue,
            };
            let before = entry.weight();
            *entry = Arc::new(Entry {
                body,
                ..Entry::clone(entry)
            });
            tail.weight = tail.weight + entry.weight() - before;
            self.weight = self.weight + entry.weight() - before;
        }
    }

    /// What stands after a place, oldest first; None if memory does not reach back to it. `last`
    /// is the room's last place.
    pub fn after(
        &mut self,
        room: RoomNo,
        after: Place,
        last: Place,
    ) -> Option<impl Iterator<Item = &Arc<Entry>> + use<'_>> {
        self.touch(room);
        let entries = self.rooms.get(&room).map(|tail| &tail.entries);
        let first = entries.and_then(|e| e.front()).map_or(last + 1, |e| e.at);
        let known = after >= last || after + 1 >= first;
        let skip = after.saturating_add(1).saturating_sub(first) as usize;
        known.then(|| entries.into_iter().flatten().skip(skip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn entry(room: i64, at: Place) -> Arc<Entry> {
        Arc::new(Entry {
            room: RoomNo(room),
            at,
            sent: 0,
            user: UserNo(1),
            user_id: Uuid::nil(),
            name: "a".into(),
            body: Body::Joined { avatar: 0 },
        })
    }

    fn after(recent: &mut Recent, room: i64, after: Place, last: Place) -> Option<Vec<Place>> {
        Some(
            recent
                .after(RoomNo(room), after, last)?
                .map(|e| e.at)
                .collect(),
        )
    }

    #[test]
    fn what_memory_does_not_reach_is_not_passed_off_as_nothing() {
        let mut recent = Recent::new(1 << 20);
        assert_eq!(after(&mut recent, 1, 0, 3), None);
        assert_eq!(after(&mut recent, 1, 3, 3), Some(vec![]));
        (4..=6).for_each(|at| recent.push(entry(1, at)));
        assert_eq!(after(&mut recent, 1, 2, 6), None);
        assert_eq!(after(&mut recent, 1, 3, 6), Some(vec![4, 5, 6]));
        assert_eq!(after(&mut recent, 1, 5, 6), Some(vec![6]));
        assert_eq!(after(&mut recent, 1, 9, 6), Some(vec![]));
    }

    #[test]
    fn the_room_used_longest_ago_goes_first() {
        let budget = 3 * entry(1, 1).weight();
        let mut recent = Recent::new(budget);
        (1..=3).for_each(|room| recent.push(entry(room, 1)));
        assert_eq!(after(&mut recent, 1, 0, 1), Some(vec![1]));
        recent.push(entry(4, 1));
        assert_eq!(after(&mut recent, 2, 0, 1), None);
        assert_eq!(after(&mut recent, 1, 0, 1), Some(vec![1]));
        assert_eq!(recent.weight, budget);
    }
}
