//! Sockets among the listeners: who hears what, who is silent, and the end of all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Hub;
use super::live::{Ear, Hall};
use super::socket::{Close, Socket};
use super::views::head_view;
use crate::model::*;

/// PROTOCOL.md: the server pings every 30 s and closes a socket that is silent for 75 s.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(75);

/// A socket that the hub knows. Dropped, it hears no more, and its user goes offline in a while.
pub struct Attached<'a> {
    hub: &'a Hub,
    socket: Arc<Socket>,
    user: Option<UserNo>,
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        self.hub.detach(self.user, self.socket.id);
    }
}

impl Hub {
    /// From here on the socket is pinged, and closed when the server stops.
    pub fn attach(&self, socket: &Arc<Socket>) -> Attached<'_> {
        let stopping = {
            let mut table = self.table();
            table.sockets.insert(socket.id, socket.clone());
            table.stopping
        };
        if stopping {
            socket.close(Close::Stopping);
        }
        Attached {
            hub: self,
            socket: socket.clone(),
            user: None,
        }
    }

    fn detach(&self, user: Option<UserNo>, socket: u64) {
        let table = &mut *self.table();
        table.sockets.remove(&socket);
        let Some(user) = user else { return };
        let ears = table
            .people
            .get(&user)
            .into_iter()
            .flat_map(|person| &person.ears);
        for ear in ears.filter(|ear| ear.socket.id == socket) {
            table
                .sessions
                .get_mut(&ear.token)
                .into_iter()
                .for_each(|s| s.unnoted = true);
        }
        if let Some(person) = table.people.get_mut(&user) {
            person.ears.retain(|ear| ear.socket.id != socket);
            if person.ears.is_empty() {
                person.parted = Some(Instant::now());
            }
        }
        for room in table
            .rooms
            .user(user)
            .into_iter()
            .flat_map(|known| &known.rooms)
        {
            if let Some(hall) = table.halls.get_mut(room) {
                Arc::make_mut(&mut hall.ears).retain(|ear| ear.socket.id != socket);
            }
        }
    }

    /// Once a second, by the pulse: pings and cuts sockets, sees who went away.
    pub fn tend(&self, now: Nanos) {
        let sockets: Vec<_> = {
            let table = &mut *self.table();
            for (user, person) in &mut table.people {
                // An open socket uses its token.
                for ear in &person.ears {
                    if let Some(session) = table.sessions.get_mut(&ear.token) {
                        session.until = Instant::now() + self.policy.session;
                        session.used = now;
                    }
                }
                if person.online && !person.is_online(self.policy.idle) {
                    person.online = false;
                    table.presence.push((*user, false, now));
                }
            }
            table.sockets.values().cloned().collect()
        };
        sockets
            .iter()
            .for_each(|socket| socket.tend(PING_EVERY, SILENCE));
    }

    /// Closes every socket: the server stops.
    pub fn close_all(&self) {
        let sockets: Vec<_> = {
            let mut table = self.table();
            table.stopping = true;
            table.sockets.values().cloned().collect()
        };
        sockets
            .iter()
            .for_each(|socket| socket.close(Close::Stopping));
        self.table().halls.values_mut().for_each(Hall::ring);
    }
}

impl Attached<'_> {
    /// Seats the socket among the listeners of its user's rooms, which come back as they are at
    /// that moment. From here on it hears everything: `hold` it first, and `release` it with the
    /// answer to `auth`.
    pub fn sit(
        &mut self,
        user: UserNo,
        token: TokenHash,
        v: u64,
        now: Nanos,
    ) -> Result<Vec<RoomView>, Refusal> {
        let table = &mut *self.hub.table();
        let known = table.rooms.user(user).ok_or(Refusal::BadToken)?;
        let rooms: Vec<_> = known.rooms.iter().copied().collect();
        let ear = Ear {
            socket: self.socket.clone(),
            user,
            token,
            v,
        };
        for room in &rooms {
            Arc::make_mut(&mut table.halls.entry(*room).or_default().ears).push(ear.clone());
        }
        let views = rooms
            .iter()
            .filter_map(|no| table.rooms.room(*no))
            .map(head_view)
            .collect();
        table.person(user).ears.push(ear);
        table.come(user, now);
        self.user = Some(user);
        Ok(views)
    }
}
