//! Who is in which room, and what may happen next: `decide` and `apply`.
//!
//! Pure. No socket, clock, thread, lock, random source or database; a command brings its time, its
//! ids and what was observed outside. The same commands give the same events, always: nothing here
//! iterates over a hash map on the way to an event.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use crate::model::*;

/// The limits that a flag sets.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub max_members: usize,
    /// Guests are sealed from birth.
    pub require_token: bool,
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
    /// Keys of `requests`, oldest first.
    request_order: VecDeque<Request>,
    spoken: SpokenMemory,
    next_room: i64,
    next_user: i64,
}

#[derive(Clone, Debug)]
pub struct Room {
    pub head: RoomHead,
    /// The last place taken.
    pub last: Place,
    /// In join order: the key is the place of the member's join notice.
    pub members: BTreeMap<Place, Member>,
    seats: HashMap<UserNo, Place>,
    /// Skeletons of the members' names.
    names: HashMap<String, UserNo>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub user: UserNo,
    /// The name in this room. No two members' names have the same skeleton.
    pub name: Arc<str>,
}

/// A user with what belongs to it.
#[derive(Clone, Debug)]
pub struct Known {
    pub user: User,
    pub rooms: BTreeSet<RoomNo>,
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

    fn seat(&mut self, at: Place, member: Member) {
        self.names.insert(skeleton(&member.name), member.user);
        self.seats.insert(member.user, at);
        self.members.insert(at, member);
    }

    fn unseat(&mut self, user: UserNo) {
        if let Some(member) = self
            .seats
            .remove(&user)
            .and_then(|at| self.members.remove(&at))
        {
            self.names.remove(&skeleton(&member.name));
        }
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

    /// A name near to `wish` that nobody here has.
    fn free_name(&self, wish: &str) -> String {
        let stem: String = wish.chars().take(MAX_NAME_CHARS - 5).collect();
        (2..)
            .map(|n| format!("{stem}-{n}"))
            .find(|name| !self.names.contains_key(&skeleton(name)))
            .unwrap_or(stem)
    }
}

/// What two names must not share: how they look, by Unicode Technical Standard 39.
/// Blanks at the ends, and how many stand in a row, are not seen.
pub fn skeleton(name: &str) -> String {
    // U+2800 is a Braille cell without dots: a letter to Unicode, a blank to the eye.
    let blank = |c: char| c.is_whitespace() || c == '\u{2800}';
    let skeleton: String = unicode_security::skeleton(name).collect();
    skeleton
        .split(blank)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A name that can be shown: 1 to 64 characters, no controls, something to see.
pub fn check_name(of: NameOf, name: &str) -> Result<(), Refusal> {
    // Embeddings, overrides and isolates (Unicode Standard Annex 9): they turn the letters around.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let fault = if name.chars().count() > MAX_NAME_CHARS {
        NameFault::TooLong
    } else if skeleton(name).is_empty() {
        NameFault::Empty
    } else if name.chars().any(|c| c.is_control() || turns(c)) {
        NameFault::Controls
    } else {
        return Ok(());
    };
    Err(Refusal::BadName(of, fault))
}

fn check_text(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(Refusal::BadText);
    }
    Ok(())
}

/// What a command comes to: the events that make it so, and what its sender is told.
pub type Decision = Result<(Vec<Event>, Reply), Refusal>;

// ---- Reading ----

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
            request_order: VecDeque::new(),
            spoken: SpokenMemory::default(),
            next_room: 1,
            next_user: 1,
        }
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

    /// Whether the scribe must ask the store about a uuid before `decide`.
    pub fn has_forgotten(&self, room: RoomNo, uuid: Uuid) -> bool {
        !self.spoken.complete.contains(&room) && self.spoken.find(room, uuid).is_none()
    }

    pub fn has_old_requests(&self, before: Nanos) -> bool {
        self.request_order
            .front()
            .is_some_and(|r| self.requests.get(r).is_none_or(|d| d.at < before))
    }

    fn seated(&self, room: RoomNo, user: UserNo) -> Result<(&Room, &Known, &Member), Refusal> {
        let room = self.rooms.get(&room).ok_or(Refusal::NoSuchRoom)?;
        let member = room.member(user).ok_or(Refusal::NotMember)?;
        let known = self.users.get(&user).ok_or(Refusal::NotMember)?;
        Ok((room, known, member))
    }
}

// ---- Deciding ----

impl Rooms {
    /// What a command comes to on this table. Changes nothing.
    pub fn decide(&self, command: &Command) -> Decision {
        let now = command.now;
        match &command.act {
            Act::Register {
                id,
                username,
                secret,
                avatar,
            } => self.register(now, *id, username, secret, *avatar),
            Act::Login { user, token } => {
                let known = self.users.get(user).ok_or(Refusal::WrongLogin)?;
                Ok((self.give_token(known, *token, now), Reply::Ok))
            }
            Act::Logout { token } => {
                self.tokens.get(token).ok_or(Refusal::BadToken)?;
                Ok((vec![Event::TokenGone(*token)], Reply::Ok))
            }
            Act::Create { room, seat } => match self.again(seat, None, now) {
                Some(again) => Ok(again),
                None => self.create(now, room, seat),
            },
            Act::Join {
                room,
                by_number,
                proof,
                seat,
                silent,
            } => {
                if let Some(again) = self.again(seat, Some(*room), now) {
                    return Ok(again);
                }
                let room = self.rooms.get(room).ok_or(Refusal::NoSuchRoom)?;
                if let Newcomer::Known { user, .. } = &seat.who
                    && room.member(*user).is_some()
                {
                    return Ok((
                        vec![],
                        Reply::Seated {
                            room: room.head.no,
                            user: *user,
                        },
                    ));
                }
                match &room.head.secret {
                    Some(_) if *proof != Some(room.head.secret_version) => {
                        return Err(Refusal::WrongPassword);
                    }
                    None if *by_number && !room.head.listed => return Err(Refusal::PrivateRoom),
                    _ => {}
                }
                self.join(now, room, seat, silent)
            }
            Act::Leave { room, user } => {
                let (room, known, member) = self.seated(*room, *user)?;
                Ok((self.leave(now, room, known, member, room.last), Reply::Ok))
            }
            Act::Say {
                room,
                user,
                uuid,
                given,
                text,
                reply,
                recalled,
            } => {
                let (room, known, member) = self.seated(*room, *user)?;
                let earlier = self.spoken.find(room.head.no, *uuid).or(recalled.as_ref());
                if let Some(earlier) = earlier.filter(|_| *given) {
                    if earlier.user != *user || earlier.digest != digest(text) {
                        return Err(Refusal::UuidTaken);
                    }
                    return Ok((
                        vec![],
                        Reply::Said {
                            at: earlier.at,
                            sent: earlier.sent,
                        },
                    ));
                }
                check_text(text)?;
                if reply.is_some_and(|place| place == 0 || place > room.last) {
                    return Err(Refusal::BadField {
                        field: "reply",
                        want: Want::Seq,
                    });
                }
                let message = Message {
                    uuid: *uuid,
                    text: text.clone(),
                    reply: *reply,
                    modified: false,
                };
                let body = Body::Message(message);
                let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
                let reply = Reply::Said {
                    at: entry.at,
                    sent: entry.sent,
                };
                Ok((vec![Event::Entry(Arc::new(entry))], reply))
            }
            Act::Seal { user } => {
                let known = self.users.get(user).ok_or(Refusal::BadToken)?;
                let events = if known.user.sealed {
                    vec![]
                } else {
                    vec![Event::Sealed(*user)]
                };
                Ok((events, Reply::Ok))
            }
            Act::Expire {
                guests,
                rooms,
                tokens,
            } => Ok((self.expire(now, guests, rooms, tokens), Reply::Ok)),
            Act::Note(note) => Ok((vec![Event::Noted(note.clone())], Reply::Ok)),
        }
    }

    fn register(
        &self,
        now: Nanos,
        id: Uuid,
        username: &str,
        secret: &Arc<str>,
        avatar: u8,
    ) -> Decision {
        check_name(NameOf::Account, username)?;
        if self.accounts.contains_key(&skeleton(username)) {
            return Err(Refusal::UsernameTaken);
        }
        let no = UserNo(self.next_user);
        let user = User {
            no,
            id,
            name: username.into(),
            avatar,
            sealed: true,
            secret: Some(secret.clone()),
            status: 0,
            registered: now,
        };
        Ok((vec![Event::UserMade(user)], Reply::Registered(no)))
    }

    /// The oldest token makes way when a user has many.
    fn give_token(&self, known: &Known, token: TokenHash, at: Nanos) -> Vec<Event> {
        let oldest = known
            .tokens
            .front()
            .filter(|_| known.tokens.len() >= MAX_TOKENS);
        let made = Event::TokenMade {
            token,
            user: known.user.no,
            at,
        };
        oldest
            .map(|t| Event::TokenGone(*t))
            .into_iter()
            .chain([made])
            .collect()
    }

    /// The seat that an earlier call with this `request` took, with a fresh token.
    fn again(&self, seat: &Seat, room: Option<RoomNo>, now: Nanos) -> Option<(Vec<Event>, Reply)> {
        let done = self.requests.get(&seat.request?)?;
        let (_, known, _) = self.seated(done.room, done.user).ok()?;
        let same_room = room.is_none_or(|room| room == done.room);
        let same_user = match &seat.who {
            // Made by that very call: whoever was there before must show a token.
            Newcomer::Guest { .. } => known.user.registered == done.at,
            Newcomer::Known { user, .. } => *user == done.user,
        };
        if !same_room || !same_user || now.saturating_sub(done.at) >= REQUEST_LIFE {
            return None;
        }
        let events = seat
            .token
            .map(|token| self.give_token(known, token, now))
            .unwrap_or_default();
        Some((
            events,
            Reply::Seated {
                room: done.room,
                user: done.user,
            },
        ))
    }

    /// The newcomer as a user, and whether it is made with this command.
    fn newcomer(&self, now: Nanos, who: &Newcomer) -> Result<(User, bool), Refusal> {
        match who {
            Newcomer::Known { user, .. } => {
                let known = self.users.get(user).ok_or(Refusal::BadToken)?;
                Ok((known.user.clone(), false))
            }
            Newcomer::Guest { id, avatar, name } => {
                let name = match name {
                    Some(name) => name.as_str().into(),
                    None => default_name("用户", *id),
                };
                let no = UserNo(self.next_user);
                let (avatar, registered) = (*avatar, now);
                let guest = User {
                    no,
                    id: *id,
                    name,
                    avatar,
                    sealed: self.rules.require_token,
                    secret: None,
                    status: 0,
                    registered,
                };
                Ok((guest, true))
            }
        }
    }

    fn create(&self, now: Nanos, room: &NewRoom, seat: &Seat) -> Decision {
        let name: Arc<str> = match &room.name {
            Some(name) => {
                check_name(NameOf::Room, name)?;
                name.as_str().into()
            }
            None => default_name("聊天室", room.id),
        };
        let (user, _) = self.newcomer(now, &seat.who)?;
        let head = RoomHead {
            no: RoomNo(self.next_room),
            id: room.id,
            name,
            secret: room.secret.clone(),
            secret_version: 1,
            listed: room.listed,
            owner: user.no,
            created: now,
        };
        let room = Room::new(head.clone());
        let (mut events, reply) = self.join(now, &room, seat, &[])?;
        // After its owner, before its first entry.
        let entry = events
            .iter()
            .position(|event| matches!(event, Event::Entry(_)));
        events.insert(entry.unwrap_or(0), Event::RoomMade(head));
        Ok((events, reply))
    }

    fn join(&self, now: Nanos, room: &Room, seat: &Seat, silent: &[UserNo]) -> Decision {
        let (mut user, made) = self.newcomer(now, &seat.who)?;
        let (Newcomer::Guest { name: wish, .. } | Newcomer::Known { name: wish, .. }) = &seat.who;
        let mut name: Arc<str> = wish.as_deref().map_or(user.name.clone(), Into::into);
        check_name(NameOf::Member, &name)?;

        let mut events = vec![];
        let mut last = room.last;
        if let Some(&holder) = room.names.get(&skeleton(&name)) {
            let displaced = silent.contains(&holder)
                && room.head.owner != holder
                && self.users.get(&holder).is_some_and(|h| !h.user.sealed);
            if displaced {
                let (_, known, member) = self.seated(room.head.no, holder)?;
                events = self.leave(now, room, known, member, last);
                last += 1;
            } else if wish.is_some() || !made {
                return Err(Refusal::NameTaken {
                    suggest: room.free_name(&name),
                });
            } else {
                name = room.free_name(&name).into();
            }
        }
        let members = room.members.len() - usize::from(!events.is_empty());
        if members >= self.rules.max_members {
            return Err(Refusal::RoomFull {
                members: self.rules.max_members,
            });
        }
        if made {
            user.name = name.clone();
            events.push(Event::UserMade(user.clone()));
        }
        if let Some(token) = seat.token {
            match self.users.get(&user.no) {
                Some(known) => events.extend(self.give_token(known, token, now)),
                None => events.push(Event::TokenMade {
                    token,
                    user: user.no,
                    at: now,
                }),
            }
        }
        let body = Body::Joined {
            avatar: user.avatar,
        };
        events.push(Event::Entry(Arc::new(
            room.next_entry(last, now, &user, &name, body),
        )));
        let (no, user) = (room.head.no, user.no);
        if let Some(request) = seat.request {
            events.push(Event::Requested {
                request,
                done: Done {
                    room: no,
                    user,
                    at: now,
                },
            });
        }
        Ok((events, Reply::Seated { room: no, user }))
    }

    /// The notice, and the end of a guest that was nowhere else. `last` is the place before.
    fn leave(
        &self,
        now: Nanos,
        room: &Room,
        known: &Known,
        who: &Member,
        last: Place,
    ) -> Vec<Event> {
        let body = Body::Left {
            avatar: known.user.avatar,
        };
        let entry = room.next_entry(last, now, &known.user, &who.name, body);
        let mut events = vec![Event::Entry(Arc::new(entry))];
        if !known.user.is_account() && known.rooms.len() <= 1 {
            events.push(Event::GuestGone(known.user.no));
        }
        events
    }

    fn expire(
        &self,
        now: Nanos,
        guests: &[(RoomNo, UserNo)],
        rooms: &[RoomNo],
        tokens: &[TokenHash],
    ) -> Vec<Event> {
        // A copy to apply to, since one guest's end moves the next one's place.
        let mut after = self.clone();
        let mut events = vec![];
        let mut happen = |after: &mut Rooms, more: Vec<Event>| {
            more.iter().for_each(|event| after.apply(event));
            events.extend(more);
        };
        for &(room, user) in guests {
            let Ok((room, known, member)) = after.seated(room, user) else {
                continue;
            };
            if known.user.is_account() || room.head.owner == user {
                continue;
            }
            let gone = after.leave(now, room, known, member, room.last);
            happen(&mut after, gone);
        }
        for &room in rooms.iter().filter(|no| self.rooms.contains_key(no)) {
            let alone = |user: &UserNo| {
                let known = after.users.get(user);
                known.is_some_and(|k| !k.user.is_account() && k.rooms.len() == 1)
            };
            let members = after
                .rooms
                .get(&room)
                .into_iter()
                .flat_map(|r| r.members.values());
            let gone: Vec<UserNo> = members.map(|m| m.user).filter(alone).collect();
            let ended = Event::RoomEnded { room, at: now };
            let more = [ended]
                .into_iter()
                .chain(gone.into_iter().map(Event::GuestGone))
                .collect();
            happen(&mut after, more);
        }
        for &token in tokens {
            if after.tokens.contains_key(&token) {
                happen(&mut after, vec![Event::TokenGone(token)]);
            }
        }
        let before = now - REQUEST_LIFE;
        if self.has_old_requests(before) {
            happen(&mut after, vec![Event::RequestsForgotten { before }]);
        }
        events
    }
}

fn default_name(stem: &str, id: Uuid) -> Arc<str> {
    format!("{stem}{}", &id.simple().to_string()[..5]).into()
}

// ---- Applying ----

impl Room {
    pub fn new(head: RoomHead) -> Room {
        Room {
            head,
            last: 0,
            members: BTreeMap::new(),
            seats: HashMap::new(),
            names: HashMap::new(),
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
                self.put_room(head.clone(), 0);
                self.spoken.complete.insert(head.no);
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
                }
            }
            Event::Entry(entry) => self.apply_entry(entry),
            Event::Requested { request, done } => self.put_request(*request, *done),
            Event::RequestsForgotten { before } => {
                while self.has_old_requests(*before) {
                    if let Some(request) = self.request_order.pop_front() {
                        self.requests.remove(&request);
                    }
                }
            }
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
            tokens: VecDeque::new(),
        };
        self.users.insert(known.user.no, known);
    }

    pub fn put_token(&mut self, token: TokenHash, user: UserNo) {
        if let Some(known) = self.users.get_mut(&user) {
            known.tokens.push_back(token);
            self.tokens.insert(token, user);
        }
    }

    pub fn put_room(&mut self, head: RoomHead, last: Place) {
        self.next_room = self.next_room.max(head.no.0 + 1);
        self.room_ids.insert(head.id, head.no);
        self.rooms.insert(
            head.no,
            Room {
                last,
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

    pub fn put_request(&mut self, request: Request, done: Done) {
        self.requests.insert(request, done);
        self.request_order.push_back(request);
    }

    /// Numbers below these were used, by rows that the table does not hold.
    pub fn used_numbers(&mut self, room: i64, user: i64) {
        self.next_room = self.next_room.max(room + 1);
        self.next_user = self.next_user.max(user + 1);
    }
}

// ---- The memory of uuids ----

/// The newest `SPOKEN_KEPT` messages of all rooms by their uuids.
#[derive(Clone, Debug, Default)]
struct SpokenMemory {
    by_uuid: HashMap<(RoomNo, Uuid), Spoken>,
    /// Keys of `by_uuid`, oldest first.
    order: VecDeque<(RoomNo, Uuid)>,
    /// Rooms made since the start of which nothing was forgotten: a uuid not found is a new one.
    complete: HashSet<RoomNo>,
}

impl SpokenMemory {
    fn find(&self, room: RoomNo, uuid: Uuid) -> Option<&Spoken> {
        self.by_uuid.get(&(room, uuid))
    }

    fn add(&mut self, entry: &Entry, message: &Message) {
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

#[cfg(test)]
mod tests;
