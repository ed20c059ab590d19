//! Reading the order: what is pending, what stands after a cursor, pages of history. From memory
//! where it reaches, from the store outside the lock where it does not.

use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use super::callers::Caller;
use super::live::Bell;
use super::unreadable;
use crate::model::*;
use crate::store::Span;

/// What is pending for a member. Dropped without `handed` it stays pending.
pub struct Drain<'a> {
    hub: &'a Hub,
    seat: (RoomNo, UserNo),
    upto: Place,
    pub entries: Vec<Arc<Entry>>,
}

impl Drain<'_> {
    /// The answer was written: what it held is forgotten.
    pub fn handed(self) {
        let mut table = self.hub.table();
        if let Some(seat) = table.seats.get_mut(&self.seat) {
            seat.unnoted |= seat.cursor < self.upto;
            seat.cursor = seat.cursor.max(self.upto);
        }
    }
}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        let table = &mut *self.hub.table();
        if let Some(seat) = table.seats.get_mut(&self.seat) {
            seat.handing = false;
            // A fetch of the same member may wait for what was not handed over.
            if let Some(hall) = table.halls.get_mut(&self.seat.0) {
                hall.ring_for(self.seat.1);
            }
        }
    }
}

impl Hub {
    /// Begins a fetch of a member, which ends the waiting of its older ones. Its number.
    pub fn begin_fetch(&self, caller: Caller) -> u64 {
        let mut table = self.table();
        if let Some(hall) = table.halls.get_mut(&caller.room) {
            hall.ring_for(caller.user);
        }
        table
            .seats
            .get_mut(&(caller.room, caller.user))
            .map_or(0, |seat| {
                seat.fetch += 1;
                seat.fetch
            })
    }

    /// Whether no newer fetch of this member has begun; then `bell` rings when something changes.
    pub fn still_fetching(&self, caller: Caller, fetch: u64, bell: &Arc<Bell>) -> bool {
        let mut table = self.table();
        let seat = table.seats.get(&(caller.room, caller.user));
        if seat.is_none_or(|seat| seat.fetch != fetch) {
            return false;
        }
        let waiting = &mut table.halls.entry(caller.room).or_default().waiting;
        waiting.retain(|(_, bell)| bell.strong_count() > 0);
        waiting.push((caller.user, Arc::downgrade(bell)));
        true
    }

    /// Everything pending but one's own, within the bounds of one answer. None if there is nothing,
    /// or while another answer is being handed over.
    ///
    /// `shows` says which of them the client is shown; the others are passed over.
    pub fn drain(
        &self,
        caller: Caller,
        limit: usize,
        shows: impl Fn(&Entry) -> bool,
    ) -> Result<Option<Drain<'_>>, Refusal> {
        loop {
            match self.take(caller, limit)? {
                None => return Ok(None),
                Some(mut drain) => {
                    drain.entries.retain(|entry| shows(entry));
                    if !drain.entries.is_empty() {
                        return Ok(Some(drain));
                    }
                    // Nobody waits for that; what stands after it may be more.
                    drain.handed();
                }
            }
        }
    }

    fn take(&self, caller: Caller, limit: usize) -> Result<Option<Drain<'_>>, Refusal> {
        let Caller { room, user, .. } = caller;
        let (after, last, found) = {
            let table = &mut *self.table();
            let last = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?.last;
            let seat = table
                .seats
                .get_mut(&(room, user))
                .ok_or(Refusal::NotMember)?;
            let after = seat.cursor;
            if seat.handing || after >= last {
                return Ok(None);
            }
            seat.handing = true;
            let found = table.recent.after(room, after, last);
            (
                after,
                last,
                found.map(|newer| {
                    bounded(
                        newer.filter(|e| e.user != user).cloned(),
                        limit,
                        MAX_FETCH_BYTES,
                    )
                }),
            )
        };
        let mut drain = Drain {
            hub: self,
            seat: (room, user),
            upto: last,
            entries: vec![],
        };
        let (entries, whole) = match found {
            Some(found) => found,
            None => {
                let span = Span::After(after);
                let stored =
                    self.readers
                        .entries(room, span, last, Some(user), limit, MAX_FETCH_BYTES);
                stored.map_err(unreadable)?
            }
        };
        if !whole {
            drain.upto = entries.last().map_or(after, |e| e.at);
        }
        drain.entries = entries;
        Ok(Some(drain))
    }

    /// What stands after a cursor, own entries included; all up to the cursor is acknowledged.
    pub fn fetch_after(
        &self,
        caller: Caller,
        after: Place,
        epoch: Option<&str>,
        limit: usize,
    ) -> Result<Page, Refusal> {
        let last = {
            let table = &mut *self.table();
            let last = table
                .rooms
                .room(caller.room)
                .ok_or(Refusal::NoSuchRoom)?
                .last;
            let seat = table.seats.get_mut(&(caller.room, caller.user));
            let seat = seat.ok_or(Refusal::NotMember)?;
            if after <= last && epoch.is_none_or(|e| e == self.epoch) && after > seat.cursor {
                seat.cursor = after;
                seat.unnoted = true;
            }
            last
        };
        if epoch.is_some_and(|e| e != self.epoch) || after > last {
            // Another sequence's number says nothing here: the newest there is, and that
            // something may be missing.
            let newest = self.page(caller.room, Span::Newest, limit)?;
            return Ok(Page {
                next: newest.entries.last().map_or(last, |entry| entry.at),
                complete: false,
                more: false,
                ..newest
            });
        }
        self.page(caller.room, Span::After(after), limit)
    }

    /// A page of the order. `next` goes on in the same direction.
    pub fn page(&self, room: RoomNo, span: Span, limit: usize) -> Result<Page, Refusal> {
        self.page_within(room, span, limit, MAX_FETCH_BYTES)
    }

    fn floor(&self, room: RoomNo) -> Place {
        self.table().rooms.room(room).map_or(0, |room| room.floor)
    }

    /// The same, with a bound on what the entries weigh.
    pub fn page_within(
        &self,
        room: RoomNo,
        span: Span,
        limit: usize,
        bytes: usize,
    ) -> Result<Page, Refusal> {
        let (last, floor, found) = {
            let table = &mut *self.table();
            let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            let (last, floor) = (found.last, found.floor);
            // Memory holds the end of the order; a page before a place ends where that one says.
            let (after, end) = match span {
                Span::After(place) => (place, last),
                Span::Before(place) => {
                    let end = last.min(place.saturating_sub(1));
                    (end.saturating_sub(limit as u64), end)
                }
                Span::Newest => (last.saturating_sub(limit as u64), last),
            };
            let entries = table.recent.after(room, after, last);
            let within = entries.map(|newer| newer.take_while(move |e| e.at <= end).cloned());
            let found = within.map(|newer| match span {
                Span::After(_) => bounded(newer, limit, bytes).0,
                Span::Before(_) | Span::Newest => {
                    // The newest of them, if it cannot be all.
                    let all: Vec<_> = newer.collect();
                    let mut newest = bounded(all.into_iter().rev(), limit, bytes).0;
                    newest.reverse();
                    newest
                }
            });
            (last, floor, found)
        };
        let entries = match found {
            Some(entries) => entries,
            None => {
                let stored = self.readers.entries(room, span, last, None, limit, bytes);
                stored.map_err(unreadable)?.0
            }
        };
        let (first, end) = (entries.first().map(|e| e.at), entries.last().map(|e| e.at));
        // Pruning goes on while the store is read: what counts is what came back.
        let floor = self.floor(room).max(floor);
        if let Span::After(place) = span {
            // What stood after the place is all pruned: it goes on where that ends.
            let next = end.unwrap_or(last);
            let complete = place == last || (place < last && first == Some(place + 1));
            return Ok(Page {
                entries,
                next,
                complete,
                more: next < last,
            });
        }
        let next = first.unwrap_or(floor + 1);
        let more = next > floor + 1;
        // The end of what is kept is not the beginning of the room.
        let whole = more || floor == 0;
        let within = match span {
            Span::Before(place) => {
                place <= last.saturating_add(1) && end.unwrap_or(floor) + 1 >= place.min(last + 1)
            }
            Span::Newest | Span::After(_) => true,
        };
        Ok(Page {
            entries,
            next,
            complete: whole && within,
            more,
        })
    }
}

/// Messages that one call of a search looks at, and for how long: a hundred thousand short ones a
/// second on a Pi. The next call goes on.
const SEARCH_ROWS: usize = 5_000;
const SEARCH_TIME: Duration = Duration::from_millis(50);

impl Hub {
    /// Messages that hold a text, whatever its case, newest first. `next` is where to go on:
    /// `before` it.
    pub fn search(
        &self,
        room: RoomNo,
        user: UserNo,
        before: Place,
        text: &str,
        limit: usize,
    ) -> Result<Page, Refusal> {
        let (last, floor) = {
            let table = self.table();
            let room = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            (room.last, room.floor)
        };
        let before = before.min(last + 1);
        let bounds = (SEARCH_ROWS, SEARCH_TIME);
        // It reads far more than a page: others' pages do not wait for anybody's searches.
        let (entries, stopped) = self.searches.take(user, || {
            let found = self.readers.search(room, before, text, limit, bounds);
            found.map_err(unreadable)
        })?;
        let next = stopped.max(floor + 1);
        let more = stopped > floor + 1;
        Ok(Page {
            entries,
            next,
            complete: more || floor == 0,
            more,
        })
    }
}

/// As many as one answer may hold, and whether that is all.
fn bounded(
    entries: impl Iterator<Item = Arc<Entry>>,
    limit: usize,
    bytes: usize,
) -> (Vec<Arc<Entry>>, bool) {
    let (mut taken, mut weight) = (vec![], 0);
    for entry in entries {
        weight += entry.json_weight();
        if taken.len() == limit || (weight > bytes && !taken.is_empty()) {
            return (taken, false);
        }
        taken.push(entry);
    }
    (taken, true)
}
