//! What the clock brings: what is to be written although nobody waits, and what has expired.

use std::time::{Duration, Instant};

use super::Hub;
use crate::model::*;
use crate::rooms::Room;

/// Heartbeats and uses of tokens are kept on disk to the minute.
const NOTE_HEARD_EVERY: Duration = Duration::from_secs(60);
/// Cursors are kept on disk this late: after a crash an entry may come again.
const NOTE_CURSORS_EVERY: Duration = Duration::from_secs(5);

impl Hub {
    /// What is due to be written although nobody waits for it; `all` at the end.
    pub fn take_note(&self, all: bool) -> Note {
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
        }
        if all {
            let here = table.people.iter().filter(|(_, person)| person.online);
            note.presence
                .extend(here.map(|(user, person)| (*user, false, person.heard)));
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
    pub fn overdue(&self, now: Nanos) -> Option<Act> {
        let table = self.table();
        let rooms = table.rooms.rooms();
        let unused = |room: &&Room| {
            let used = table
                .halls
                .get(&room.head.no)
                .map_or(self.start, |hall| hall.used);
            let listening = table
                .halls
                .get(&room.head.no)
                .is_some_and(|h| !h.ears.is_empty());
            !listening && used.max(self.start).elapsed() >= ROOM_LIFE
        };
        let mut ended: Vec<RoomNo> = rooms.filter(unused).map(|room| room.head.no).collect();
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
                .is_some_and(|room| room.head.owner != *user)
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
        // In the order of their numbers, so that the same silence gives the same notices.
        guests.sort();
        ended.sort();
        tokens.sort();
        let nothing = guests.is_empty() && ended.is_empty() && tokens.is_empty();
        let idle = nothing && !table.rooms.has_old_requests(now - REQUEST_LIFE);
        (!idle).then_some(Act::Expire {
            guests,
            rooms: ended,
            tokens,
        })
    }
}
