//! The reference: rooms as PROTOCOL.md has them, small enough to be believed.
//!
//! A `World` is one way in which things may stand. An answer that was lost leaves several: its
//! command may have been carried out already, may still be, or may never arrive. What is observed
//! afterwards rules out all but one. Knows no server and no connection.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub type Place = u64;
/// A connection of a socket, never used twice in a case.
pub type EarNo = usize;

#[derive(Debug, PartialEq)]
pub struct Person {
    /// The user's number.
    pub no: u64,
    pub user_id: String,
    pub name: String,
    /// It stays when it is in no room; a guest does not.
    pub account: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    who: Rc<Person>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Said(Said),
    Edited { seq: Place },
    Deleted { seq: Place },
    Joined,
    Left,
    Notice(Notice),
}

/// What an owner does.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Renamed(String),
    Quiet(bool),
    Muted(Rc<Person>, bool),
    Owner(Rc<Person>, bool),
    Kicked(Rc<Person>),
    Wiped(Rc<Person>, usize),
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    /// None: the server made one.
    uuid: Option<String>,
    /// What a repetition is compared with.
    first: String,
    /// The text as it is; None: deleted.
    now: Option<String>,
    modified: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    who: Rc<Person>,
    joined: Place,
    /// The cursor of its drains stands between these: after a crash it may be older.
    cursor: (Place, Place),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    no: u64,
    owners: BTreeSet<u64>,
    quiet: bool,
    /// By name, which each has for itself: as whom it was muted, or came back.
    muted: BTreeMap<String, BTreeSet<u64>>,
    /// None: it was never renamed.
    name: Option<String>,
    /// The entry of place 1 first.
    entries: Vec<Entry>,
    /// In join order.
    members: Vec<Member>,
}

/// What comes next, as the least that it has to hold; one of several where it may be read early
/// or late.
pub type Due = Vec<Rc<Value>>;

/// What one socket is to get, room by room: frames of the order and answers to its sending.
#[derive(Clone, Debug, PartialEq)]
pub struct Ear {
    who: Rc<Person>,
    v: u64,
    pub due: Vec<Vec<Due>>,
    /// It resumed and was answered nothing since: what it missed may not have been read yet, and
    /// shows edits and deletions of this very moment.
    pub behind: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Say {
    pub who: Rc<Person>,
    pub room: usize,
    pub uuid: Option<String>,
    pub text: String,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    NotMember,
    UuidTaken,
    NotYours,
    NoSuchMessage,
    Muted,
    Quiet,
    NotOwner,
    IsOwner,
    LastOwner,
    NoSuchMember,
}

impl Why {
    /// Of the room API.
    pub fn status_and_word(self) -> (u16, &'static str) {
        match self {
            Why::NotMember => (403, "not_a_member"),
            Why::UuidTaken => (409, "uuid_taken"),
            Why::NotYours => (403, "not_yours"),
            Why::NoSuchMessage => (404, "message_not_found"),
            Why::Muted => (403, "muted"),
            Why::Quiet => (403, "quiet"),
            Why::NotOwner => (403, "not_owner"),
            Why::IsOwner => (403, "is_owner"),
            Why::LastOwner => (403, "last_owner"),
            Why::NoSuchMember => (404, "member_not_found"),
        }
    }

    /// Of a socket.
    pub fn code(self) -> u64 {
        match self {
            Why::NoSuchMessage | Why::NoSuchMember => 3,
            Why::NotMember => 4,
            Why::NotYours | Why::Muted | Why::Quiet => 5,
            Why::NotOwner | Why::IsOwner | Why::LastOwner => 5,
            Why::UuidTaken => 8,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Span {
    Newest,
    After(Place),
    Before(Place),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    rooms: Vec<Room>,
    pub ears: BTreeMap<EarNo, Ear>,
    /// Sent, and the answer lost: carried out at any later moment, or never.
    pub flying: Vec<Say>,
}

impl World {
    /// A room that `owner` has just made.
    pub fn make_room(&mut self, no: u64, owner: &Rc<Person>) {
        self.rooms.push(Room {
            no,
            owners: BTreeSet::from([owner.no]),
            quiet: false,
            muted: BTreeMap::new(),
            name: None,
            entries: vec![],
            members: vec![],
        });
        self.join(self.rooms.len() - 1, owner);
    }

    pub fn last(&self, room: usize) -> Place {
        self.rooms[room].entries.len() as Place
    }

    pub fn members(&self, room: usize) -> impl Iterator<Item = u64> + '_ {
        self.rooms[room].members.iter().map(|m| m.who.no)
    }

    pub fn is_member(&self, room: usize, user: u64) -> bool {
        self.members(room).any(|no| no == user)
    }

    pub fn member(&self, room: usize, user: u64) -> Result<(), Why> {
        self.is_member(room, user)
            .then_some(())
            .ok_or(Why::NotMember)
    }

    /// All the worlds that this one may have become by now.
    pub fn unfolded(self) -> Vec<World> {
        let mut all = vec![self];
        let mut at = 0;
        while at < all.len() {
            for index in 0..all[at].flying.len() {
                let mut world = all[at].clone();
                let say = world.flying.remove(index);
                // Refused or carried out: nobody hears which.
                let _ = world.say(&say, None);
                if !all.contains(&world) {
                    all.push(world);
                }
            }
            at += 1;
        }
        all
    }

    /// The message's place, newly or as it was.
    pub fn say(&mut self, say: &Say, from: Option<EarNo>) -> Result<Place, Why> {
        self.member(say.room, say.who.no)?;
        let answer = |at: Place| json!({"type":"send","code":0,"seq":at,"at":at});
        if let Some(at) = say.uuid.as_ref().and_then(|uuid| self.find(say.room, uuid)) {
            let entry = &self.rooms[say.room].entries[at as usize - 1];
            let same = matches!(&entry.kind, Kind::Said(said) if said.first == say.text);
            if entry.who.no != say.who.no || !same {
                return Err(Why::UuidTaken);
            }
            self.owe(from, say.room, answer(at));
            return Ok(at);
        }
        self.may_write(say.room, say.who.no)?;
        let kind = Kind::Said(Said {
            uuid: say.uuid.clone(),
            first: say.text.clone(),
            now: Some(say.text.clone()),
            modified: false,
        });
        let at = self.publish(say.room, &say.who, kind, from);
        self.owe(from, say.room, answer(at));
        Ok(at)
    }

    /// Where the message with a uuid was said.
    pub fn find(&self, room: usize, uuid: &str) -> Option<Place> {
        let is_it = |entry: &Entry| match &entry.kind {
            Kind::Said(said) => said.uuid.as_deref() == Some(uuid),
            _ => false,
        };
        let index = self.rooms[room].entries.iter().position(is_it)?;
        Some(index as Place + 1)
    }

    fn said(&mut self, room: usize, uuid: &str) -> Option<(Place, u64, &mut Said)> {
        let seq = self.find(room, uuid)?;
        let entry = &mut self.rooms[room].entries[seq as usize - 1];
        match &mut entry.kind {
            Kind::Said(said) => Some((seq, entry.who.no, said)),
            _ => None,
        }
    }

    pub fn edit(
        &mut self,
        room: usize,
        who: &Rc<Person>,
        uuid: &str,
        text: &str,
    ) -> Result<(), Why> {
        self.member(room, who.no)?;
        let found = self.said(room, uuid).filter(|(_, _, s)| s.now.is_some());
        let (_, author, _) = found.ok_or(Why::NoSuchMessage)?;
        if author != who.no {
            return Err(Why::NotYours);
        }
        self.may_write(room, who.no)?;
        let (seq, _, said) = self.said(room, uuid).ok_or(Why::NoSuchMessage)?;
        if said.now.as_deref() != Some(text) {
            (said.now, said.modified) = (Some(text.into()), true);
            self.amend(room, seq);
            self.publish(room, who, Kind::Edited { seq }, None);
        }
        Ok(())
    }

    pub fn delete(&mut self, room: usize, who: &Rc<Person>, uuid: &str) -> Result<(), Why> {
        self.member(room, who.no)?;
        let is_owner = self.rooms[room].owners.contains(&who.no);
        let (seq, author, said) = self.said(room, uuid).ok_or(Why::NoSuchMessage)?;
        if author != who.no && !is_owner {
            return Err(Why::NotYours);
        }
        if said.now.take().is_some() {
            self.amend(room, seq);
            self.publish(room, who, Kind::Deleted { seq }, None);
        }
        Ok(())
    }

    /// The place of the join notice, newly or as it was.
    pub fn join(&mut self, room: usize, who: &Rc<Person>) -> Place {
        let members = &mut self.rooms[room].members;
        if let Some(member) = members.iter().find(|m| m.who.no == who.no) {
            return member.joined;
        }
        let joined = self.rooms[room].entries.len() as Place + 1;
        self.rooms[room].members.push(Member {
            who: who.clone(),
            joined,
            cursor: (joined, joined),
        });
        self.publish(room, who, Kind::Joined, None);
        let found = &mut self.rooms[room];
        if let Some(same) = found.muted.get_mut(&who.name)
            && !found.owners.contains(&who.no)
        {
            same.insert(who.no);
            let still = Notice::Muted(who.clone(), true);
            self.publish(room, who, Kind::Notice(still), None);
        }
        joined
    }

    pub fn leave(&mut self, room: usize, who: &Rc<Person>) -> Result<(), Why> {
        self.member(room, who.no)?;
        // Who leaves still hears of it.
        self.publish(room, who, Kind::Left, None);
        self.rooms[room].members.retain(|m| m.who.no != who.no);
        let nowhere = (0..self.rooms.len()).all(|room| !self.is_member(room, who.no));
        if nowhere && !who.account {
            // It cannot come back as itself.
            self.rooms
                .iter_mut()
                .for_each(|r| r.owners.retain(|owner| *owner != who.no));
        } else if self.rooms[room].owners.len() > 1 {
            self.rooms[room].owners.remove(&who.no);
        }
        Ok(())
    }

    fn may_write(&self, room: usize, user: u64) -> Result<(), Why> {
        let room = &self.rooms[room];
        match (room.owners.contains(&user), room.quiet) {
            (true, _) => Ok(()),
            (false, _) if room.is_muted(user) => Err(Why::Muted),
            (false, true) => Err(Why::Quiet),
            (false, false) => Ok(()),
        }
    }

    /// An owner's act; Ok also where it changes nothing. How many messages it deleted.
    pub fn act(&mut self, room: usize, who: &Rc<Person>, act: &Notice) -> Result<usize, Why> {
        self.member(room, who.no)?;
        let found = &self.rooms[room];
        if !found.owners.contains(&who.no) {
            return Err(Why::NotOwner);
        }
        let is_member = |person: &Person| self.is_member(room, person.no);
        let is_owner = |person: &Person| found.owners.contains(&person.no);
        let nothing_new = match act {
            Notice::Renamed(to) => found.name.as_ref() == Some(to),
            Notice::Quiet(on) => found.quiet == *on,
            Notice::Muted(whom, on) => {
                let muted = found.is_muted(whom.no);
                match (is_member(whom) || muted, *on && is_owner(whom)) {
                    (false, _) => return Err(Why::NoSuchMember),
                    (true, true) => return Err(Why::IsOwner),
                    (true, false) => !on && !muted,
                }
            }
            Notice::Owner(whom, _) if !is_member(whom) && !is_owner(whom) => {
                return Err(Why::NoSuchMember);
            }
            Notice::Owner(whom, false) if is_owner(whom) && found.owners.len() == 1 => {
                return Err(Why::LastOwner);
            }
            Notice::Owner(whom, on) => is_owner(whom) == *on,
            Notice::Kicked(whom) if !is_member(whom) => return Err(Why::NoSuchMember),
            Notice::Kicked(whom) if is_owner(whom) => return Err(Why::IsOwner),
            Notice::Kicked(_) | Notice::Wiped(..) => false,
        };
        if nothing_new {
            return Ok(0);
        }
        let mut told = act.clone();
        let mut count = 0;
        let changed = &mut self.rooms[room];
        match act {
            Notice::Renamed(to) => changed.name = Some(to.clone()),
            Notice::Quiet(on) => changed.quiet = *on,
            Notice::Muted(whom, true) => {
                let same = changed.muted.entry(whom.name.clone()).or_default();
                same.insert(whom.no);
            }
            Notice::Muted(whom, false) => drop(changed.muted.remove(&whom.name)),
            Notice::Owner(whom, true) => {
                changed.owners.insert(whom.no);
                if changed.is_muted(whom.no) {
                    changed.muted.remove(&whom.name);
                }
            }
            Notice::Owner(whom, false) => drop(changed.owners.remove(&whom.no)),
            Notice::Kicked(_) => {}
            Notice::Wiped(whom, _) => {
                count = self.wipe(room, who, whom);
                told = Notice::Wiped(whom.clone(), count);
                if count == 0 {
                    return Ok(0);
                }
            }
        }
        self.publish(room, who, Kind::Notice(told), None);
        if let Notice::Kicked(whom) = act {
            self.leave(room, whom)?;
        }
        Ok(count)
    }

    /// Every message of somebody, the oldest first.
    fn wipe(&mut self, room: usize, who: &Rc<Person>, whom: &Person) -> usize {
        let mut count = 0;
        for at in 1..=self.last(room) {
            let entry = &mut self.rooms[room].entries[at as usize - 1];
            let gone = match &mut entry.kind {
                Kind::Said(said) if entry.who.no == whom.no => said.now.take(),
                _ => None,
            };
            if gone.is_some() {
                count += 1;
                self.amend(room, at);
                self.publish(room, who, Kind::Deleted { seq: at }, None);
            }
        }
        count
    }

    /// The server was killed: drained entries may be pending again.
    pub fn crash(&mut self) {
        for room in &mut self.rooms {
            for member in &mut room.members {
                member.cursor.0 = member.joined;
            }
        }
    }

    // ---- What sockets get ----

    fn publish(&mut self, room: usize, who: &Rc<Person>, kind: Kind, from: Option<EarNo>) -> Place {
        let documented = matches!(kind, Kind::Said(_) | Kind::Edited { .. });
        self.rooms[room].entries.push(Entry {
            who: who.clone(),
            kind,
        });
        let at = self.last(room);
        let frame = Rc::new(self.rooms[room].frame(at));
        let World { rooms, ears, .. } = self;
        for (no, ear) in ears {
            let member = rooms[room].members.iter().any(|m| m.who.no == ear.who.no);
            let told = ear.v > 0 || (documented && ear.who.no != who.no);
            if member && told && from != Some(*no) {
                ear.due[room].push(vec![frame.clone()]);
            }
        }
        at
    }

    /// The message of a place has changed: so has what a socket is yet to read of it.
    fn amend(&mut self, room: usize, seq: Place) {
        let found = &self.rooms[room];
        for ear in self.ears.values_mut().filter(|ear| ear.behind) {
            for due in &mut ear.due[room] {
                let at = due[0]["at"].as_u64().unwrap_or_default();
                if found.message(at).is_some_and(|(said, _)| said == seq) {
                    due.push(Rc::new(found.frame(at)));
                }
            }
        }
    }

    fn owe(&mut self, ear: Option<EarNo>, room: usize, answer: Value) {
        if let Some(ear) = ear.and_then(|no| self.ears.get_mut(&no)) {
            ear.due[room].push(vec![Rc::new(answer)]);
        }
    }

    /// A socket takes its seat; the answer to its `auth` with `v` 1. `resume` has cursors by room.
    pub fn attach(
        &mut self,
        no: EarNo,
        who: &Rc<Person>,
        v: u64,
        resume: &BTreeMap<usize, Place>,
    ) -> Value {
        let (mut rooms, mut gone) = (vec![], vec![]);
        let mut due = vec![vec![]; self.rooms.len()];
        for (index, room) in self.rooms.iter().enumerate() {
            let (last, seen) = (room.entries.len() as Place, resume.get(&index).copied());
            if room.members.iter().all(|m| m.who.no != who.no) {
                gone.extend(seen.map(|_| json!(room.no)));
                continue;
            }
            let mut told = json!({"id":room.no,"at":last,"complete":true,"quiet":room.quiet});
            told["owner"] = json!(room.owners.contains(&who.no));
            if !room.is_muted(who.no) {
                told["muted"] = Value::Null;
            }
            if let Some(name) = &room.name {
                told["name"] = json!(name);
            }
            rooms.push(told);
            for at in seen.map_or(last, |seen| seen.min(last)) + 1..=last {
                due[index].push(vec![Rc::new(room.frame(at))]);
            }
        }
        let (who, behind) = (who.clone(), due.iter().any(|due| !due.is_empty()));
        let ear = Ear {
            who,
            v,
            due,
            behind,
        };
        self.ears.insert(no, ear);
        json!({"type":"auth","code":0,"rooms":rooms,"gone":gone})
    }

    // ---- What reading gives ----

    /// What a drain may answer: one list for each place where the cursor may stand.
    pub fn drain(&mut self, room: usize, user: u64, v: u64) -> Result<Vec<Vec<Value>>, Why> {
        self.member(room, user)?;
        let (found, last) = (&self.rooms[room], self.last(room));
        let (from, to) = found.cursor(user);
        let pending = |cursor: Place| {
            let others = (cursor + 1..=last).filter(|at| found.entry(*at).who.no != user);
            let shown = others.filter(|at| v > 0 || found.is_shown_without_v(*at));
            shown.map(|at| found.http(at)).collect::<Vec<_>>()
        };
        let mut lists: Vec<_> = (from..=to).map(pending).collect();
        lists.dedup();
        self.move_cursor(room, user, last);
        Ok(lists)
    }

    /// The answer of a fetch with a cursor.
    pub fn fetch(
        &mut self,
        room: usize,
        user: u64,
        after: Place,
        limit: usize,
        v: u64,
    ) -> Result<Value, Why> {
        self.member(room, user)?;
        let last = self.last(room);
        let (from, to, complete) = if after <= last {
            self.move_cursor(room, user, after);
            (after + 1, last.min(after + limit as Place), true)
        } else {
            // A cursor beyond the end says nothing: the newest there is.
            (
                (last + 1).saturating_sub(limit as Place).max(1),
                last,
                false,
            )
        };
        let room = &self.rooms[room];
        let shown = (from..=to).filter(|at| v > 0 || room.is_shown_without_v(*at));
        let data: Vec<_> = shown.map(|at| room.http(at)).collect();
        Ok(json!({"data":data,"next":to.max(after.min(last)),"complete":complete}))
    }

    fn move_cursor(&mut self, room: usize, user: u64, to: Place) {
        let members = self.rooms[room].members.iter_mut();
        for member in members.filter(|m| m.who.no == user) {
            let (least, most) = member.cursor;
            member.cursor = (least.max(to), most.max(to));
        }
    }

    /// A page of history.
    pub fn page(&self, room: usize, user: u64, span: Span, limit: usize) -> Result<Value, Why> {
        self.member(room, user)?;
        let (room, last, limit) = (&self.rooms[room], self.last(room), limit as Place);
        let (from, to, next, more, complete) = match span {
            Span::After(place) => {
                let to = last.min(place.saturating_add(limit));
                let next = to.max(place.min(last));
                (place + 1, to, next, next < last, place <= last)
            }
            Span::Before(_) | Span::Newest => {
                let place = match span {
                    Span::Before(place) => place,
                    _ => last + 1,
                };
                let to = last.min(place - 1);
                let from = (to + 1).saturating_sub(limit).max(1);
                // An empty page says as well that there is nothing before it.
                let next = if to == 0 { 1 } else { from };
                (from, to, next, next > 1, place <= last + 1)
            }
        };
        let data: Vec<_> = (from..=to).map(|at| room.frame(at)).collect();
        Ok(json!({"code":0,"data":data,"next":next,"more":more,"complete":complete}))
    }
}

impl Notice {
    /// The fields that are its own.
    fn frame(&self, by: &str) -> Value {
        let whom = |person: &Person| json!({"id":person.no,"name":person.name});
        let mut frame = match self {
            Notice::Renamed(to) => json!({"notice":"renamed","to":to}),
            Notice::Quiet(on) => json!({"notice":"quiet","on":on}),
            Notice::Muted(person, _) => json!({"notice":"muted","target":whom(person)}),
            Notice::Owner(person, on) => json!({"notice":"owner","target":whom(person),"on":on}),
            Notice::Kicked(person) => {
                json!({"notice":"kicked","target":whom(person),"keptOut":false})
            }
            Notice::Wiped(person, count) => {
                json!({"notice":"wiped","target":whom(person),"count":count})
            }
        };
        (frame["type"], frame["content"]) = (json!("notice"), json!(self.sentence(by)));
        frame
    }

    fn sentence(&self, by: &str) -> String {
        match self {
            Notice::Renamed(to) => format!("{by}将房间改名为“{to}”"),
            Notice::Quiet(true) => format!("{by}开启了安静模式：只有房主可以发言"),
            Notice::Quiet(false) => format!("{by}关闭了安静模式"),
            Notice::Muted(person, true) if person.name == by => format!("{by}仍被禁言 60 分钟"),
            Notice::Muted(person, true) => format!("{by}将{}禁言 60 分钟", person.name),
            Notice::Muted(person, false) => format!("{by}解除了{}的禁言", person.name),
            Notice::Owner(person, true) => format!("{by}将{}设为房主", person.name),
            Notice::Owner(person, false) => format!("{by}取消了{}的房主身份", person.name),
            Notice::Kicked(person) => format!("{by}将{}移出了房间", person.name),
            Notice::Wiped(person, count) => format!("{by}删除了{}的 {count} 条消息", person.name),
        }
    }
}

impl Room {
    fn is_muted(&self, user: u64) -> bool {
        self.muted.values().any(|same| same.contains(&user))
    }

    fn entry(&self, at: Place) -> &Entry {
        &self.entries[at as usize - 1]
    }

    fn cursor(&self, user: u64) -> (Place, Place) {
        let member = self.members.iter().find(|m| m.who.no == user);
        member.expect("a member").cursor
    }

    /// The message that stands or is edited or deleted at a place: where it was said, and what.
    fn message(&self, at: Place) -> Option<(Place, &Said)> {
        let seq = match self.entry(at).kind {
            Kind::Said(_) => at,
            Kind::Edited { seq } | Kind::Deleted { seq } => seq,
            Kind::Joined | Kind::Left | Kind::Notice(_) => return None,
        };
        match &self.entry(seq).kind {
            Kind::Said(said) => Some((seq, said)),
            _ => unreachable!("a message stands at {seq}"),
        }
    }

    fn is_shown_without_v(&self, at: Place) -> bool {
        match &self.entry(at).kind {
            Kind::Said(said) => said.now.is_some(),
            Kind::Joined | Kind::Left | Kind::Notice(_) => true,
            Kind::Edited { .. } | Kind::Deleted { .. } => false,
        }
    }

    /// The frame of an entry as it is now.
    fn frame(&self, at: Place) -> Value {
        let Entry { who, kind } = self.entry(at);
        let Some((seq, said)) = self.message(at) else {
            let kind = match kind {
                Kind::Joined => json!({"type":"joined"}),
                Kind::Notice(what) => what.frame(&who.name),
                _ => json!({"type":"left"}),
            };
            let mut frame = kind;
            (frame["room"], frame["at"]) = (json!(self.no), json!(at));
            frame["user"] = json!({"id":who.no,"name":who.name});
            return frame;
        };
        let Some(text) = said.now.as_ref() else {
            // Its text is gone, and so is that of its edits.
            return with_uuid(
                json!({"type":"deleted","room":self.no,"at":at,"seq":seq,"data":null}),
                said,
            );
        };
        let data = json!({
            "sender":who.no,"room":self.no,"seq":seq,"name":who.name,
            "modified":said.modified,"data":{"type":"Text","text":text},
        });
        json!({"type":"recv","at":at,"data":with_uuid(data, said)})
    }

    /// The same as a fetch shows it.
    fn http(&self, at: Place) -> Value {
        let Entry { who, kind } = self.entry(at);
        let Some((seq, said)) = self.message(at) else {
            let content = match kind {
                Kind::Joined => format!("{}加入了房间", who.name),
                Kind::Notice(what) => what.sentence(&who.name),
                _ => format!("{}离开了房间", who.name),
            };
            return json!({"type":"system","at":at,"content":content});
        };
        let Some(text) = said.now.as_ref() else {
            return with_uuid(
                json!({"type":"deleted","at":at,"seq":seq,"content":null}),
                said,
            );
        };
        let kind = if at == seq { "message" } else { "edited" };
        let entry = json!({
            "type":kind,"at":at,"seq":seq,"userId":who.user_id,"userName":who.name,
            "contentType":"text","content":text,"modified":said.modified,
        });
        with_uuid(entry, said)
    }
}

/// A uuid that the server made is known to nobody beforehand.
fn with_uuid(mut object: Value, said: &Said) -> Value {
    if let Some(uuid) = &said.uuid {
        object["uuid"] = json!(uuid);
    }
    object
}

/// Whether something holds all that was expected of it. Null stands for absent, too.
pub fn fits(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(_)) => wanted
            .iter()
            .all(|(key, value)| fits(value, &actual[key.as_str()])),
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| fits(w, f))
        }
        _ => expected == actual,
    }
}
