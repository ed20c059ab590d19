//! Makes it so: events and stored rows onto the table.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{Known, Looks, Marked, Member, Room, Rooms, digest, skeleton};
use crate::model::*;

impl Room {
    pub fn new(head: RoomHead) -> Room {
        Room {
            head,
            last: 0,
            floor: 0,
            members: BTreeMap::new(),
            seats: HashMap::new(),
            names: HashMap::new(),
            doubles: BTreeSet::new(),
            owners: BTreeSet::new(),
            muted: BTreeMap::new(),
            kept_out: BTreeMap::new(),
        }
    }

    /// What a notice says becomes so, where no event of its own does it.
    fn change(&mut self, what: &Notice, now: Nanos) {
        match what {
            Notice::Renamed { to } => self.head.name = to.clone(),
            Notice::Locked { on } => self.head.locked = *on,
            Notice::Quiet { on } => self.head.quiet = *on,
            Notice::Muted { target, until } => {
                self.muted.retain(|_, muted| muted.who.until > now);
                let person = self.muted.get(&target.no).map(|muted| muted.who.person);
                match until {
                    Some(until) => self
                        .muted
                        .values_mut()
                        .filter(|muted| Some(muted.who.person) == person)
                        .for_each(|muted| muted.who.until = *until),
                    None => self.unmute(target.no),
                }
            }
            Notice::Password { .. }
            | Notice::Kicked { .. }
            | Notice::Allowed { .. }
            | Notice::Owner { .. }
            | Notice::Wiped { .. }
            | Notice::Link => {}
        }
    }
}

impl Rooms {
    /// Makes it so. Never fails: an event was decided, or stood in the store.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::UserMade(user) => self.put_user(user.clone()),
            Event::GuestGone(no) => {
                if let Some(known) = self.users.remove(no) {
                    self.user_ids.remove(&known.user.id);
                    known.tokens.iter().for_each(|token| {
                        self.tokens.remove(token);
                    });
                }
            }
            Event::Sealed(no) => {
                if let Some(known) = self.users.get_mut(no) {
                    known.user.sealed = true;
                }
            }
            Event::TokenMade { token, user, .. } => self.put_token(*token, *user),
            Event::TokenGone(token) => {
                let user = self.tokens.remove(token);
                if let Some(known) = user.and_then(|no| self.users.get_mut(&no)) {
                    known.tokens.retain(|t| t != token);
                }
            }
            Event::RoomMade(head) => {
                self.put_room(head.clone(), 0, 0);
                self.spoken.begin(head.no);
            }
            Event::RoomEnded { room, .. } => {
                self.spoken.complete.remove(room);
                if let Some(room) = self.rooms.remove(room) {
                    self.room_ids.remove(&room.head.id);
                    for member in room.members.values() {
                        if let Some(known) = self.users.get_mut(&member.user) {
                            known.rooms.remove(&room.head.no);
                        }
                    }
                    for owner in &room.owners {
                        if let Some(known) = self.users.get_mut(owner) {
                            known.owns.remove(&room.head.no);
                        }
                    }
                }
            }
            Event::Pruned { room, floor } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.floor = *floor;
                }
            }
            Event::Entry(entry) => self.apply_entry(entry),
            Event::Owner { room, user, on } => self.put_owner(*room, *user, *on),
            Event::RoomSecret {
                room,
                secret,
                version,
            } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.head.secret = secret.clone();
                    room.head.secret_version = *version;
                }
            }
            Event::RoomKey { room, key } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.head.key = Some(*key);
                }
            }
            Event::Muted { room, who, forgets } => {
                let place = self.rooms.get_mut(room).zip(forgets.as_ref());
                place.map(|(room, user)| room.muted.remove(user));
                self.put_muted(*room, who.clone());
            }
            Event::KeptOut { room, who } => self.put_kept_out(*room, who.clone()),
            Event::LetIn { room, user } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.kept_out.remove(user);
                }
            }
            Event::Requested { request, done } => self.put_request(*request, *done),
            Event::RequestForgotten(request) => drop(self.requests.remove(request)),
            Event::Noted(_) => {}
        }
    }

    fn apply_entry(&mut self, entry: &Entry) {
        let Some(room) = self.rooms.get_mut(&entry.room) else {
            return;
        };
        debug_assert_eq!(entry.at, room.last + 1, "a room's order has no gaps");
        room.last = entry.at;
        match &entry.body {
            Body::Message(message) => self.spoken.add(entry, message),
            Body::Edited { of, text } => {
                let now = digest(of.uuid, text);
                self.spoken.change(entry.room, of, Some(now));
            }
            Body::Deleted { of } => self.spoken.change(entry.room, of, None),
            // What a message becomes; never an event.
            Body::Tombstone { .. } => {}
            Body::Joined { .. } => {
                let member = Member {
                    user: entry.user,
                    name: entry.name.clone(),
                };
                self.put_member(entry.room, entry.at, member);
            }
            Body::Left { .. } => {
                room.unseat(entry.user);
                if let Some(known) = self.users.get_mut(&entry.user) {
                    known.rooms.remove(&entry.room);
                }
            }
            Body::Notice { what, .. } => room.change(what, entry.sent),
        }
    }

    // The same steps lead from an event and from the store's rows to the table.

    pub fn put_user(&mut self, user: User) {
        self.next_user = self.next_user.max(user.no.0 + 1);
        self.user_ids.insert(user.id, user.no);
        if user.is_account() {
            self.accounts.insert(skeleton(&user.name), user.no);
        }
        let known = Known {
            user,
            rooms: BTreeSet::new(),
            owns: BTreeSet::new(),
            tokens: VecDeque::new(),
        };
        self.users.insert(known.user.no, known);
    }

    pub fn put_token(&mut self, token: TokenHash, user: UserNo) {
        if let Some(known) = self.users.get_mut(&user) {
            // Most have one: four would be kept ready.
            known.tokens.reserve_exact(1);
            known.tokens.push_back(token);
            self.tokens.insert(token, user);
        }
    }

    pub fn put_room(&mut self, head: RoomHead, last: Place, floor: Place) {
        self.next_room = self.next_room.max(head.no.0 + 1);
        self.room_ids.insert(head.id, head.no);
        self.rooms.insert(
            head.no,
            Room {
                last,
                floor,
                ..Room::new(head)
            },
        );
    }

    pub fn put_member(&mut self, room: RoomNo, at: Place, member: Member) {
        if let (Some(place), Some(known)) =
            (self.rooms.get_mut(&room), self.users.get_mut(&member.user))
        {
            known.rooms.insert(room);
            place.seat(at, member);
        }
    }

    pub fn put_owner(&mut self, room: RoomNo, user: UserNo, on: bool) {
        let (Some(place), Some(known)) = (self.rooms.get_mut(&room), self.users.get_mut(&user))
        else {
            return;
        };
        if on {
            place.owners.insert(user);
            known.owns.insert(room);
            // Nothing keeps an owner from the room, or from speaking.
            place.unmute(user);
            place.kept_out.remove(&user);
        } else {
            place.owners.remove(&user);
            known.owns.remove(&room);
        }
    }

    pub fn put_muted(&mut self, room: RoomNo, who: Muted) {
        if let Some(room) = self.rooms.get_mut(&room) {
            let looks = Looks::of(&who.name);
            room.muted.insert(who.user, Marked { who, looks });
        }
    }

    pub fn put_kept_out(&mut self, room: RoomNo, who: KeptOut) {
        if let Some(room) = self.rooms.get_mut(&room) {
            let looks = Looks::of(&who.name);
            room.kept_out.insert(who.user, Marked { who, looks });
        }
    }

    pub fn put_request(&mut self, request: Request, done: Done) {
        self.requests.insert(request, done);
    }

    /// Numbers below these were used, by rows that the table does not hold.
    pub fn used_numbers(&mut self, room: i64, user: i64) {
        self.next_room = self.next_room.max(room + 1);
        self.next_user = self.next_user.max(user + 1);
    }
}
