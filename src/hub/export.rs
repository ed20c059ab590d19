//! What an owner takes home: read page by page, each time anew, so that nothing is held while a
//! page is on its way.

use std::sync::Arc;

use super::views::head_view;
use super::{Hub, unreadable};
use crate::clock;
use crate::model::*;

/// A room as one of its owners may have all of it.
pub struct Owned {
    pub room: RoomView,
    /// Entries up to this place are no longer kept.
    pub floor: Place,
}

impl Hub {
    /// A room that this user owns; to others it is refused.
    pub fn owned(&self, room: RoomRef, user: UserNo) -> Result<Owned, Refusal> {
        let mut table = self.table();
        let found = table.find(room).ok_or(Refusal::NoSuchRoom)?;
        if !found.is_owner(user) {
            return Err(Refusal::NotOwner);
        }
        let owned = Owned {
            room: head_view(found),
            floor: found.floor,
        };
        table.call(user, Some(owned.room.no), None, clock::now());
        Ok(owned)
    }

    /// Whether it still does, by the token that it has shown.
    pub fn still_owned(&self, room: RoomNo, user: UserNo, token: TokenHash) -> Result<(), Refusal> {
        let table = &mut *self.table();
        table.session(token, &self.policy, clock::now())?;
        let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        found.is_owner(user).then_some(()).ok_or(Refusal::NotOwner)
    }

    /// The members of a room in the order in which they joined, with the places of that.
    pub fn seats(&self, room: RoomNo) -> Result<Vec<(Place, UserNo, Arc<str>)>, Refusal> {
        let table = self.table();
        let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        let members = found.members.iter();
        Ok(members
            .map(|(at, m)| (*at, m.user, m.name.clone()))
            .collect())
    }

    /// Who came and who left between two places, the oldest `limit` of it.
    pub fn comings(
        &self,
        room: RoomNo,
        span: (Place, Place),
        limit: usize,
    ) -> Result<Vec<Arc<Entry>>, Refusal> {
        self.readers.comings(room, span, limit).map_err(unreadable)
    }

    /// When a user was there within a span of time, the oldest `limit` of what began after `came`.
    pub fn presence(
        &self,
        user: UserNo,
        span: (Nanos, Nanos),
        came: Nanos,
        limit: usize,
    ) -> Result<Vec<(Nanos, Option<Nanos>)>, Refusal> {
        let read = self.readers.presence(user, span, came, limit);
        read.map_err(unreadable)
    }
}
