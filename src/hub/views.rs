//! Rooms as they show themselves: to who stands at the door, and to their members.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::live::NOTICES_KEPT;
use super::{Hub, unreadable};
use crate::model::*;
use crate::rooms::Room;
use crate::store::Span;

/// Newest notices shown of one member, and of all members of one answer (PROTOCOL.md).
const NOTICES_EACH: usize = 3;
const NOTICES_IN_ALL: usize = 64;

/// A room as its door sees it.
pub struct Entrance {
    pub no: RoomNo,
    pub secret: Option<Arc<str>>,
    pub secret_version: u32,
    pub listed: bool,
    pub members: Vec<UserNo>,
    /// Members silent for so long that a newcomer may have their name.
    pub silent: Vec<UserNo>,
}

/// Notices, oldest first, and the place up to which they were read.
type Stored = (VecDeque<Arc<Entry>>, Place);

impl Hub {
    pub fn entrance(&self, room: RoomRef) -> Result<Entrance, Refusal> {
        let mut table = self.table();
        let found = table.find(room).ok_or(Refusal::NoSuchRoom)?;
        // With --require-token everyone is sealed.
        let open = !self.policy.require_token;
        let silent = |user: &UserNo| open && table.is_silent(*user, NAME_HELD, self.start);
        let entrance = Entrance {
            no: found.head.no,
            secret: found.head.secret.clone(),
            secret_version: found.head.secret_version,
            listed: found.head.listed,
            silent: found
                .members
                .values()
                .map(|m| m.user)
                .filter(silent)
                .collect(),
            members: found.members.values().map(|m| m.user).collect(),
        };
        table.halls.entry(entrance.no).or_default().used = Instant::now();
        Ok(entrance)
    }

    /// A room with its members and each one's pending notices.
    pub fn view(&self, room: RoomNo) -> Result<RoomView, Refusal> {
        let stored = self.stored_notices(room)?;

        let table = &mut *self.table();
        let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        let hall = table.halls.entry(room).or_default();
        if let Some((mut loaded, upto)) = stored.filter(|_| hall.notices.is_none()) {
            // What was published since they were read is in memory.
            let newer = table
                .recent
                .after(room, upto, found.last)
                .into_iter()
                .flatten();
            loaded.extend(newer.filter(|e| e.is_notice()).cloned());
            hall.notices = Some(loaded);
        }
        let notices = hall.notices.get_or_insert_default();
        let mut left = NOTICES_IN_ALL;
        let members = found.members.values().filter_map(|member| {
            let known = table.rooms.user(member.user)?;
            let person = table.people.get(&member.user);
            let cursor = table
                .seats
                .get(&(room, member.user))
                .map_or(found.last, |s| s.cursor);
            let mut pending: Vec<_> = notices
                .iter()
                .rev()
                .take_while(|e| e.at > cursor)
                .filter(|e| e.user != member.user)
                .take(NOTICES_EACH.min(left))
                .cloned()
                .collect();
            pending.reverse();
            left -= pending.len();
            Some(MemberView {
                no: member.user,
                id: known.user.id,
                name: member.name.clone(),
                avatar: known.user.avatar,
                heard: person.map_or(0, |p| p.heard),
                online: person.is_some_and(|p| p.online),
                notices: pending,
            })
        });
        let members = members.collect();
        Ok(RoomView {
            members,
            ..head_view(found)
        })
    }

    /// The newest notices of a room and the place up to which they were read; None if memory has
    /// them.
    fn stored_notices(&self, room: RoomNo) -> Result<Option<Stored>, Refusal> {
        let last = {
            let table = self.table();
            if table
                .halls
                .get(&room)
                .is_some_and(|hall| hall.notices.is_some())
            {
                return Ok(None);
            }
            table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?.last
        };
        let notices = self
            .readers
            .notices(room, last, NOTICES_KEPT)
            .map_err(unreadable)?;
        Ok(Some((notices.into(), last)))
    }

    /// A room without its members, or None.
    pub fn find(&self, room: RoomRef) -> Option<(RoomView, bool)> {
        let table = self.table();
        let found = table.find(room)?;
        Some((head_view(found), found.head.listed))
    }

    /// The oldest `limit` listed rooms by number, and whether there are more.
    pub fn listed(&self, limit: usize) -> (Vec<ListedRoom>, bool) {
        let table = self.table();
        let mut listed: Vec<&Room> = table.rooms.rooms().filter(|r| r.head.listed).collect();
        listed.sort_unstable_by_key(|room| room.head.no);
        let shown = listed.iter().take(limit).map(|room| ListedRoom {
            no: room.head.no,
            name: room.head.name.clone(),
            password: room.head.secret.is_some(),
            // Not before owners have that power.
            locked: false,
            members: room.members.len(),
        });
        (shown.collect(), listed.len() > limit)
    }

    /// The rooms that a user is in, by number.
    pub fn rooms_of(&self, user: UserNo) -> Vec<RoomView> {
        let table = self.table();
        let rooms = table
            .rooms
            .user(user)
            .into_iter()
            .flat_map(|known| &known.rooms);
        rooms
            .filter_map(|no| table.rooms.room(*no))
            .map(head_view)
            .collect()
    }

    /// The join notice of a member.
    pub fn joined_entry(&self, room: RoomNo, user: UserNo) -> Result<Arc<Entry>, Refusal> {
        let place = {
            let table = self.table();
            let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            found.joined(user).ok_or(Refusal::NotMember)?
        };
        self.entry(room, place)?.ok_or(Refusal::NotMember)
    }

    /// Whether a message stands at this place, to be answered.
    pub fn is_message(&self, room: RoomNo, place: Place) -> Result<bool, Refusal> {
        let found = self.entry(room, place)?;
        Ok(found.is_some_and(|entry| entry.message().is_some()))
    }

    fn entry(&self, room: RoomNo, place: Place) -> Result<Option<Arc<Entry>>, Refusal> {
        let page = self.page(room, Span::After(place.saturating_sub(1)), 1)?;
        Ok(page.entries.into_iter().find(|entry| entry.at == place))
    }
}

pub(super) fn head_view(room: &Room) -> RoomView {
    RoomView {
        no: room.head.no,
        id: room.head.id,
        name: room.head.name.clone(),
        description: String::new(),
        created: room.head.created,
        last: room.last,
        members: vec![],
    }
}
