//! Hands that are up: a state like presence, no part of the order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::Ear;
use super::socket::text_frame;
use super::{Hub, Table};
use crate::model::*;
use crate::wire::owner as wire;

/// A room is told at most so often whose hands are up: thirty go up at once when a teacher asks.
const HANDS_EVERY: Duration = Duration::from_millis(500);

impl Hub {
    /// A member's hand goes up or down. One that is up keeps its turn.
    pub fn hand(&self, room: RoomNo, user: UserNo, on: bool) -> Result<(), Refusal> {
        let news = {
            let table = &mut *self.table();
            let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            found.member(user).ok_or(Refusal::NotMember)?;
            let hands = &mut table.halls.entry(room).or_default().hands;
            match (on, hands.contains(&user)) {
                (true, false) => {
                    hands.push(user);
                    table.hands.insert(room);
                }
                (false, true) => table.lower(room, Some(user)),
                _ => {}
            }
            table.hands_news()
        };
        tell(news);
        Ok(())
    }

    /// An owner lowers one hand, or all.
    pub fn lower(&self, room: RoomNo, owner: UserNo, user: Option<UserNo>) -> Result<(), Refusal> {
        let news = {
            let table = &mut *self.table();
            let found = table.rooms.room(room).ok_or(Refusal::NoSuchRoom)?;
            found.member(owner).ok_or(Refusal::NotMember)?;
            if !found.is_owner(owner) {
                return Err(Refusal::NotOwner);
            }
            if user.is_some_and(|user| found.member(user).is_none()) {
                return Err(Refusal::NoSuchMember);
            }
            table.lower(room, user);
            table.hands_news()
        };
        tell(news);
        Ok(())
    }

    /// Whether some room is still to be told whose hands are up.
    pub fn holds_hands_back(&self) -> bool {
        !self.table().hands.is_empty()
    }

    /// By the pulse: tells what was held back.
    pub fn tell_hands(&self) {
        let news = self.table().hands_news();
        tell(news);
    }
}

/// Who hears it, and the frame.
type News = Vec<(Arc<Vec<Ear>>, String)>;

fn tell(news: News) {
    for (ears, frame) in news {
        let frame = text_frame(frame);
        for ear in ears.iter().filter(|ear| ear.v > 0) {
            ear.socket.push(&frame);
        }
    }
}

impl Table {
    /// One hand goes down, or all.
    pub(super) fn lower(&mut self, room: RoomNo, user: Option<UserNo>) {
        let Some(hall) = self.halls.get_mut(&room) else {
            return;
        };
        let before = hall.hands.len();
        hall.hands.retain(|up| user.is_some_and(|user| *up != user));
        if hall.hands.len() < before {
            self.hands.insert(room);
        }
    }

    /// One frame for each room where hands went up or down and that was not told a moment ago.
    fn hands_news(&mut self) -> News {
        if self.hands.is_empty() {
            return vec![];
        }
        let mut news = vec![];
        let halls = &mut self.halls;
        self.hands.retain(|room| {
            let Some(hall) = halls.get_mut(room) else {
                return false;
            };
            if hall.hands_told.is_some_and(|at| at.elapsed() < HANDS_EVERY) {
                return true;
            }
            hall.hands_told = Some(Instant::now());
            news.push((hall.ears.clone(), wire::hands(*room, &hall.hands)));
            false
        });
        news
    }
}
