//! What the clock brings: what is to be written although nobody waits, and what has expired.

use std::time::{Duration, Instant};

use super::{Hub, Table};
use crate::model::*;

/// Heartbeats and uses of tokens are kept on disk to the minute.
const NOTE_HEARD_EVERY: Duration = Duration::from_secs(60);
/// Cursors are kept on disk this late: after a crash an entry may come again.
const NOTE_CURSORS_EVERY: Duration = Duration::from_secs(5);
/// How long a lost create or join answer can be asked for again (PROTOCOL.md, `request`). By the
/// clock that does not jump: the other one is set right just when a Pi has booted.
const REQUEST_LIFE: Duration = Duration::from_secs(600);

impl Hub {
    /// What is due to be written although nobody waits for it; `all` at the end.
    pub fn take_note(&self, now: Nanos, all: bool) -> Note {
        let table = &mut *self.table();
        let mut note = Note {
            presence: std::mem::take(&mut table.presence),
            ..Note::default()
        };
        if all || table.noted_cursors.elapsed() >= NOTE_CURSORS_EVERY {
            table.noted_cursors = Instant::now();
            for ((room, user), seat) in table.seats.iter_mut().filter(|(_, seat)| seat.unnoted) {
                seat.unnoted = false;
                note.cursors.push((*room, *user, seat.cursor));
            }
        }
        if all || table.noted_heard.elapsed() >= NOTE_HEARD_EVERY {
            table.noted_heard = Instant::now();
            for (user, person) in table.people.iter_mut().filter(|(_, person)| person.unnoted) {
                person.unnoted = false;
                note.heard.push((*user, person.heard));
            }
            for (token, session) in table.sessions.iter_mut().filter(|(_, s)| s.unnoted) {
                session.unnoted = false;
                note.used.push((*token, session.used));
            }
            let anybody = table.people.values().any(|person| person.online);
            note.alive = anybody.then_some(now);
        }
        if all {
            let here = table.people.iter().filter(|(_, person)| person.online);
            note.presence
                .extend(here.map(|(user, _)| (*user, false, now)));
        }
        note
    }

    /// A note that the disk did not take is due again.
    pub fn give_back_note(&self, note: &Note) {
        let table = &mut *self.table();
        for (room, user, _) in &note.cursors {
            table
                .seats
                .get_mut(&(*room, *user))
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        for (user, _) in &note.heard {
            table
                .people
                .get_mut(user)
                .into_iter()
                .for_each(|p| p.unnoted = true);
        }
        for (token, _) in &note.used {
            table
                .sessions
                .get_mut(token)
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        table.presence.splice(0..0, note.presence.iter().copied());
    }

    /// Who and what was silent for too long, as the rules are to check. None: nothing.
    pub fn overdue(&self) -> Option<Act> {
        let table = self.table();
        // Those of `--room` stay.
        let rooms = table.rooms.rooms().filter(|r| r.head.flag.is_none());
        let mut rooms: Vec<_> = rooms
            .map(|room| room.head.no)
            .filter(|no| table.is_unused(*no, self.start))
            .collect();
        let mut guests = vec![];
        for (user, person) in &table.people {
            if person.silence(self.start) < self.policy.hold {
                continue;
            }
            if let Some(known) = table.rooms.user(*user).filter(|k| !k.user.is_account()) {
                guests.extend(known.rooms.iter().map(|room| (*room, *user)));
            }
        }
        // An owner stays; asking again every second would be for nothing.
        guests.retain(|(room, user)| {
            table
                .rooms
                .room(*room)
                .is_some_and(|room| !room.is_owner(*user))
        });
        let expired = |(token, user): &(TokenHash, UserNo)| {
            let account = table
                .rooms
                .user(*user)
                .is_some_and(|known| known.user.is_account());
            account
                && table
                    .sessions
                    .get(token)
                    .is_some_and(|s| s.until <= Instant::now())
        };
        let mut tokens: Vec<_> = table
            .rooms
            .tokens()
            .filter(expired)
            .map(|(token, _)| token)
            .collect();
        let old = table
            .requests
            .iter()
            .filter(|(_, since)| since.elapsed() >= REQUEST_LIFE);
        let mut requests: Vec<_> = old.map(|(request, _)| *request).collect();
        // In the order of their numbers, so that the same silence gives the same notices.
        guests.sort();
        rooms.sort();
        tokens.sort();
        requests.sort();
        let nothing = guests.is_empty() && rooms.is_empty() && tokens.is_empty();
        (!nothing || !requests.is_empty()).then_some(Act::Expire {
            guests,
            rooms,
            tokens,
            requests,
        })
    }

    /// Leaves out of a command who is no longer silent: it may have waited, for a password's hash
    /// or for the disk. Says who else calls from where somebody comes from. Called by the scribe,
    /// just before the rules decide.
    pub fn look_again(&self, act: &mut Act) {
        match act {
            Act::Join {
                room,
                from,
                silent,
                beside,
                ..
            } => {
                let table = self.table();
                silent.retain(|user| table.is_silent(*user, NAME_HELD, self.start));
                if let Some(room) = table.rooms.room(*room) {
                    *beside = table.beside(room, *from, &self.policy);
                }
            }
            Act::Expire { guests, rooms, .. } => {
                let table = self.table();
                guests.retain(|(_, user)| table.is_silent(*user, self.policy.hold, self.start));
                rooms.retain(|room| table.is_unused(*room, self.start));
            }
            _ => {}
        }
    }
}

impl Table {
    /// Nobody called or listened in a room for as long as it lives.
    fn is_unused(&self, room: RoomNo, start: Instant) -> bool {
        let hall = self.halls.get(&room);
        let used = hall.map_or(start, |hall| hall.used.max(start));
        hall.is_none_or(|hall| hall.ears.is_empty()) && used.elapsed() >= ROOM_LIFE
    }

    pub(super) fn is_silent(&self, user: UserNo, time: Duration, start: Instant) -> bool {
        let person = self.people.get(&user);
        person.is_some_and(|person| person.silence(start) >= time)
    }
}
