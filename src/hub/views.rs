//! Rooms as they show themselves: to who stands at the door, and to their members.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::live::NOTICES_KEPT;
use super::{Hub, Policy, Table, unreadable};
use crate::clock;
use crate::model::*;
use crate::rooms::Room;
use crate::store::Span;

/// Newest notices shown of one member, and of all members of one answer (PROTOCOL.md).
const NOTICES_EACH: usize = 3;
const NOTICES_IN_ALL: usize = 64;

/// Entries that one step of `wipe` looks at: a few milliseconds, and no long read transaction.
const WIPE_ROWS: usize = 5_000;

/// A room as its door sees it.
pub struct Entrance {
    pub no: RoomNo,
    pub secret: Option<Arc<str>>,
    pub secret_version: u32,
    pub listed: bool,
    pub key: Option<KeyHash>,
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
            key: found.head.key,
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
        let hands = hall.hands.clone();
        let notices = hall.notices.get_or_insert_default();
        let now = clock::now();
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
                owner: found.is_owner(member.user),
                muted: found.muted_until(member.user, now),
                hand: hands
                    .iter()
                    .position(|up| *up == member.user)
                    .map(|n| n + 1),
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
            locked: room.head.locked,
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

    /// Nobody makes rooms here.
    pub fn is_closed(&self) -> bool {
        self.table().rooms.is_closed()
    }

    pub fn has_no_room(&self) -> bool {
        self.table().rooms.rooms().next().is_none()
    }

    /// Whether a room of `--room` by this name is there.
    pub fn has_flag(&self, name: &str) -> bool {
        let table = self.table();
        table
            .rooms
            .rooms()
            .any(|r| r.head.flag.as_deref() == Some(name))
    }

    /// Where somebody stands in a room that it is in.
    pub fn standing(&self, room: RoomNo, user: UserNo) -> Option<Standing> {
        let table = self.table();
        let found = table.rooms.room(room)?;
        Some(found.standing(found.member(user)?.user, clock::now()))
    }

    /// A room as its owners see it.
    pub fn owners_view(&self, room: RoomNo, user: UserNo) -> Result<OwnersView, Refusal> {
        let table = self.table();
        let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        found.member(user).ok_or(Refusal::NotMember)?;
        if !found.is_owner(user) {
            return Err(Refusal::NotOwner);
        }
        let now = clock::now();
        let muted = found.muted.values().map(|muted| &muted.who);
        // What it was in between is of no use to them.
        let is_shown = |m: &&Muted| m.user == m.person || found.member(m.user).is_some();
        let muted = muted.filter(|m| m.until > now).filter(is_shown);
        let named = |no: UserNo, name: &Arc<str>| Named {
            no,
            name: name.clone(),
        };
        let kept_out = found.kept_out.values().map(|out| &out.who);
        Ok(OwnersView {
            room,
            locked: found.head.locked,
            quiet: found.head.quiet,
            password: found.head.secret.is_some(),
            owners: found.owners.iter().copied().collect(),
            muted: muted.map(|m| (named(m.user, &m.name), m.until)).collect(),
            kept_out: kept_out.map(|out| named(out.user, &out.name)).collect(),
        })
    }

    /// Where a member calls from, if no other member who is there calls from there, nor an owner
    /// from `but`.
    pub fn own_address(&self, room: RoomNo, user: UserNo, but: IpAddr) -> Option<IpAddr> {
        let table = self.table();
        let own = table.people.get(&user)?.from.filter(|own| *own != but)?;
        let beside = table.beside(table.rooms.room(room)?, own, &self.policy);
        beside
            .users
            .iter()
            .all(|other| *other == user)
            .then_some(own)
    }

    /// Messages of one person, for a step of `wipe`, and how far that looked.
    /// In a turn of whom it is asked by, as a search is.
    pub fn said_by(
        &self,
        room: RoomNo,
        by: UserNo,
        user: UserNo,
        span: (Place, Place),
    ) -> Result<(Vec<Uuid>, Place), Refusal> {
        self.searches.take(by, || {
            let found = self.readers.said_by(room, user, span, WIPE_STEP, WIPE_ROWS);
            found.map_err(unreadable)
        })
    }

    /// The last place of a room, and where what is kept begins.
    pub fn ends(&self, room: RoomNo) -> Result<(Place, Place), Refusal> {
        let table = self.table();
        let room = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
        Ok((room.floor, room.last))
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

impl Table {
    /// Members who are there and call from an address.
    pub(super) fn beside(&self, room: &Room, from: IpAddr, policy: &Policy) -> Beside {
        let mut beside = Beside::default();
        for member in room.members.values() {
            let person = self.people.get(&member.user);
            let person = person.filter(|p| p.from == Some(from) && p.is_online(policy.idle));
            if let Some(person) = person {
                beside.users.push(member.user);
                beside.listening += usize::from(!person.ears.is_empty());
            }
        }
        beside
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
        locked: room.head.locked,
        quiet: room.head.quiet,
        password: room.head.secret.is_some(),
        members: vec![],
    }
}
