//! Reading the order: what is pending, what stands after a cursor, pages of history. From memory
//! where it reaches, from the store outside the lock where it does not.

use std::sync::Arc;

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
        if table
            .seats
            .get(&(caller.room, caller.user))
            .is_none_or(|seat| seat.fetch != fetch)
        {
            return false;
        }
        table
            .halls
            .entry(caller.room)
            .or_default()
            .waiting
            .push((caller.user, Arc::downgrade(bell)));
        true
    }

    /// Everything pending but one's own, within the bounds of one answer. Nothing while another
    /// answer is being handed over.
    pub fn drain(&self, caller: Caller, limit: usize) -> Result<Option<Drain<'_>>, Refusal> {
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
        if entries.is_empty() {
            // Only one's own: nobody waits for that.
            drain.handed();
            return Ok(None);
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
                next: last,
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

    /// The same, with a bound on what the entries weigh.
    pub fn page_within(
        &self,
        room: RoomNo,
        span: Span,
        limit: usize,
        bytes: usize,
    ) -> Result<Page, Refusal> {
        let (last, found) = {
            let table = &mut *self.table();
            let last = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?.last;
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
            (last, found)
        };
        let entries = match found {
            Some(entries) => entries,
            None => {
                let stored = self.readers.entries(room, span, last, None, limit, bytes);
                stored.map_err(unreadable)?.0
            }
        };
        let (first, end) = (entries.first().map(|e| e.at), entries.last().map(|e| e.at));
        Ok(match span {
            Span::After(place) => {
                let next = end.unwrap_or(place.min(last));
                Page {
                    entries,
                    next,
                    complete: place <= last,
                    more: next < last,
                }
            }
            Span::Newest => {
                let next = first.unwrap_or(1);
                Page {
                    entries,
                    next,
                    complete: true,
                    more: next > 1,
                }
            }
            Span::Before(place) => {
                let next = first.unwrap_or(place.min(1));
                Page {
                    entries,
                    next,
                    complete: place <= last.saturating_add(1),
                    more: next > 1,
                }
            }
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
