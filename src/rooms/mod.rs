//! Who is in which room, and what may happen next: `decide` and `apply`.
//!
//! Pure. No socket, clock, thread, lock, random source or database; a command brings its time, its
//! ids and what was observed outside. The same commands give the same events, always: nothing here
//! iterates over a hash map on the way to an event.

mod apply;
mod decide;
mod names;
mod powers;
mod speak;
mod spoken;
#[cfg(test)]
mod tests;

pub use names::{Looks, caseless, check_name, skeleton};
pub use spoken::digest;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::*;
use powers::Comer;
use spoken::SpokenMemory;

/// The limits that a flag sets.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub max_members: usize,
    /// Guests are sealed from birth.
    pub require_token: bool,
    /// Nobody makes rooms but `--room`.
    pub closed: bool,
    /// Of the names of who and what has none.
    pub lang: Lang,
}

/// Everything that lasts, but for the texts.
#[derive(Clone, Debug)]
pub struct Rooms {
    rules: Rules,
    rooms: HashMap<RoomNo, Room>,
    room_ids: HashMap<Uuid, RoomNo>,
    /// Accounts, and guests that are in a room.
    users: HashMap<UserNo, Known>,
    user_ids: HashMap<Uuid, UserNo>,
    /// Accounts by the skeleton of their username.
    accounts: HashMap<String, UserNo>,
    tokens: HashMap<TokenHash, UserNo>,
    requests: HashMap<Request, Done>,
    spoken: SpokenMemory,
    next_room: i64,
    next_user: i64,
}

#[derive(Clone, Debug)]
pub struct Room {
    pub head: RoomHead,
    /// The last place taken.
    pub last: Place,
    /// Entries up to this place are no longer kept.
    pub floor: Place,
    /// In join order: the key is the place of the member's join notice.
    pub members: BTreeMap<Place, Member>,
    seats: HashMap<UserNo, Place>,
    /// Whose name looks like that, by the digest of the look: a text each takes more than all the rest
    /// of a member.
    names: HashMap<u64, UserNo>,
    /// Whose names are others', too: an older parlor let them in.
    doubles: BTreeSet<UserNo>,
    /// Users that are known. The last one stays here when it leaves, in absence.
    pub owners: BTreeSet<UserNo>,
    /// Who may not write. No owner; the past is swept out with the next mute.
    pub muted: BTreeMap<UserNo, Marked<Muted>>,
    /// At most `MAX_KEPT_OUT`, none of them a member.
    pub kept_out: BTreeMap<UserNo, Marked<KeptOut>>,
}

/// Somebody who is to be known again by its name.
#[derive(Clone, Debug)]
pub struct Marked<T> {
    pub who: T,
    /// Of its name: a newcomer's are compared with those of a thousand.
    looks: Looks,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub user: UserNo,
    /// The name in this room. No two members' names look alike.
    pub name: Arc<str>,
}

/// A user with what belongs to it.
#[derive(Clone, Debug)]
pub struct Known {
    pub user: User,
    pub rooms: BTreeSet<RoomNo>,
    /// Rooms that it is an owner of, also in absence.
    pub owns: BTreeSet<RoomNo>,
    /// Oldest first, at most `MAX_TOKENS`.
    tokens: VecDeque<TokenHash>,
}

impl Known {
    pub fn tokens(&self) -> impl Iterator<Item = &TokenHash> {
        self.tokens.iter()
    }
}

impl Room {
    pub fn member(&self, user: UserNo) -> Option<&Member> {
        self.members.get(self.seats.get(&user)?)
    }

    /// The place of the join notice of a member.
    pub fn joined(&self, user: UserNo) -> Option<Place> {
        self.seats.get(&user).copied()
    }

    pub fn is_owner(&self, user: UserNo) -> bool {
        self.owners.contains(&user)
    }

    /// Until when a user may not write; None: it may.
    pub fn muted_until(&self, user: UserNo, now: Nanos) -> Option<Nanos> {
        let until = self.muted.get(&user)?.who.until;
        (until > now).then_some(until)
    }

    /// Where somebody stands here.
    pub fn standing(&self, user: UserNo, now: Nanos) -> Standing {
        Standing {
            owner: self.is_owner(user),
            muted: self.muted_until(user, now),
            locked: self.head.locked,
            quiet: self.head.quiet,
        }
    }

    /// Whether somebody of this number or name, or who calls from there, is kept out.
    fn keeps_out(&self, user: Option<UserNo>, name: &str, from: IpAddr) -> bool {
        if self.kept_out.is_empty() {
            return false;
        }
        let looks = Looks::of(name);
        let is_it = |barred: &Marked<KeptOut>| {
            let who = &barred.who;
            Some(who.user) == user || who.from == Some(from) || barred.looks.meet(&looks)
        };
        self.kept_out.values().any(is_it)
    }

    /// The mute of whoever takes a seat: its own, or the longest of those whom it is taken for.
    fn mute_of(&self, user: UserNo, name: &str, comer: &Comer, now: Nanos) -> Option<&Muted> {
        if self.muted.is_empty() {
            return None;
        }
        let looks = Looks::of(name);
        let is_it = |muted: &&Marked<Muted>| {
            let who = &muted.who;
            let is_there = who.from == Some(comer.from);
            muted.looks.meet(&looks) || (is_there && self.is_alone(who.person, comer.beside))
        };
        let lasts = |muted: &&Marked<Muted>| muted.who.until > now;
        let own = self.muted.get(&user).filter(lasts);
        let others = self.muted.values().filter(lasts).filter(is_it);
        let muted = own.or_else(|| others.max_by_key(|muted| muted.who.until));
        muted.map(|muted| &muted.who)
    }

    /// Whether all who call from an address may be this one person, who is muted.
    fn is_alone(&self, person: UserNo, beside: &Beside) -> bool {
        let is_it = |user| {
            let muted = self.muted.get(user);
            muted.is_some_and(|muted| muted.who.person == person)
        };
        beside.listening < MAX_TABS && beside.users.iter().all(is_it)
    }

    /// Where there is no room for one more mute: of those who are not here, the one that ends first.
    fn least_muted(&self, more: UserNo) -> Option<UserNo> {
        if self.muted.len() < MAX_MUTED || self.muted.contains_key(&more) {
            return None;
        }
        let muted = self.muted.values().map(|muted| &muted.who);
        let away = muted.filter(|muted| self.member(muted.user).is_none());
        away.min_by_key(|muted| muted.until).map(|muted| muted.user)
    }

    /// Lets somebody write again, and whoever it came back as.
    fn unmute(&mut self, user: UserNo) {
        if let Some(person) = self.muted.get(&user).map(|muted| muted.who.person) {
            self.muted.retain(|_, muted| muted.who.person != person);
        }
    }

    fn seat(&mut self, at: Place, member: Member) {
        for look in Looks::of(&member.name).each() {
            if *self.names.entry(names::digest(look)).or_insert(member.user) != member.user {
                self.doubles.insert(member.user);
            }
        }
        self.seats.insert(member.user, at);
        self.members.insert(at, member);
    }

    fn unseat(&mut self, user: UserNo) {
        if let Some(member) = self
            .seats
            .remove(&user)
            .and_then(|at| self.members.remove(&at))
        {
            self.doubles.remove(&user);
            for look in Looks::of(&member.name).each() {
                let key = names::digest(look);
                if self.names.get(&key) == Some(&user) {
                    self.names.remove(&key);
                    let next = self
                        .doubles
                        .iter()
                        .find(|double| self.bears(**double, look));
                    next.map(|double| self.names.insert(key, *double));
                }
            }
        }
    }

    fn bears(&self, user: UserNo, look: &String) -> bool {
        let name = self.member(user).map(|member| Looks::of(&member.name));
        name.is_some_and(|looks| looks.each().any(|own| own == look))
    }

    fn next_entry(
        &self,
        after: Place,
        now: Nanos,
        who: &User,
        name: &Arc<str>,
        body: Body,
    ) -> Entry {
        Entry {
            room: self.head.no,
            at: after + 1,
            sent: now,
            user: who.no,
            user_id: who.id,
            name: name.clone(),
            body,
        }
    }

    /// A name near to `wish` that nobody here has. After Max-2 comes Max-3, not Max-2-2.
    fn free_name(&self, wish: &str) -> String {
        let counted = wish.rsplit_once('-').and_then(|(stem, count)| {
            let few = (1..=3).contains(&count.len()) && count.bytes().all(|b| b.is_ascii_digit());
            let count: usize = count.parse().ok().filter(|_| few && !stem.is_empty())?;
            Some((stem, count + 1))
        });
        let (stem, from) = counted.unwrap_or((wish, 2));
        let stem: String = stem.chars().take(MAX_NAME_CHARS - 5).collect();
        (from..)
            .map(|n| format!("{stem}-{n}"))
            .find(|name| self.holders(name).is_empty())
            .unwrap_or(stem)
    }

    /// Whose names a name looks like.
    fn holders(&self, name: &str) -> BTreeSet<UserNo> {
        let looks = Looks::of(name);
        let held = looks
            .each()
            .filter_map(|look| self.names.get(&names::digest(look)));
        held.copied().collect()
    }
}

/// What a command comes to: the events that make it so, and what its sender is told.
pub type Decision = Result<(Vec<Event>, Reply), Refusal>;

impl Rooms {
    pub fn new(rules: Rules) -> Rooms {
        Rooms {
            rules,
            rooms: HashMap::new(),
            room_ids: HashMap::new(),
            users: HashMap::new(),
            user_ids: HashMap::new(),
            accounts: HashMap::new(),
            tokens: HashMap::new(),
            requests: HashMap::new(),
            spoken: SpokenMemory::new(SPOKEN_KEPT),
            next_room: 1,
            next_user: 1,
        }
    }

    /// The same rooms with a memory for so many uuids, and nothing in it. Who only looks needs none.
    pub fn remembering(self, uuids: usize) -> Rooms {
        Rooms {
            spoken: SpokenMemory::new(uuids),
            ..self
        }
    }

    /// Nobody makes rooms but `--room`.
    pub fn is_closed(&self) -> bool {
        self.rules.closed
    }

    pub fn room(&self, no: RoomNo) -> Option<&Room> {
        self.rooms.get(&no)
    }

    pub fn room_by_id(&self, id: Uuid) -> Option<&Room> {
        self.rooms.get(self.room_ids.get(&id)?)
    }

    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    pub fn user(&self, no: UserNo) -> Option<&Known> {
        self.users.get(&no)
    }

    /// Whether there ever was a user of this number.
    pub fn was_given(&self, no: UserNo) -> bool {
        (1..self.next_user).contains(&no.0)
    }

    pub fn user_by_id(&self, id: Uuid) -> Option<&Known> {
        self.users.get(self.user_ids.get(&id)?)
    }

    /// An account by the skeleton of its username.
    pub fn account(&self, skeleton: &str) -> Option<&User> {
        let no = self.accounts.get(skeleton)?;
        Some(&self.users.get(no)?.user)
    }

    pub fn by_token(&self, token: TokenHash) -> Option<&User> {
        Some(&self.users.get(self.tokens.get(&token)?)?.user)
    }

    pub fn tokens(&self) -> impl Iterator<Item = (TokenHash, UserNo)> + '_ {
        self.tokens.iter().map(|(token, user)| (*token, *user))
    }

    /// Whether the store may know of a uuid what `decide` does not.
    pub fn has_forgotten(&self, room: RoomNo, uuid: Uuid) -> bool {
        !self.spoken.complete.contains(&room) && self.spoken.find(room, uuid).is_none()
    }

    pub fn requests(&self) -> impl Iterator<Item = Request> + '_ {
        self.requests.keys().copied()
    }

    fn seated(&self, room: RoomNo, user: UserNo) -> Result<(&Room, &Known, &Member), Refusal> {
        let room = self.rooms.get(&room).ok_or(Refusal::NoSuchRoom)?;
        let member = room.member(user).ok_or(Refusal::NotMember)?;
        let known = self.users.get(&user).ok_or(Refusal::NotMember)?;
        Ok((room, known, member))
    }
}
