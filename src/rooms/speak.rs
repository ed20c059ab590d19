//! What is said, said otherwise and taken back: decided. Changes nothing.

use std::sync::Arc;

use uuid::Uuid;

use super::{Decision, Known, Room, Rooms, digest};
use crate::model::*;

/// A message that is to be.
pub(super) struct Said<'a> {
    pub uuid: Uuid,
    /// The uuid was the client's: it may be a repetition.
    pub given: bool,
    pub text: &'a Arc<str>,
    pub reply: Option<Place>,
    /// A message stands at `reply`.
    pub answers: bool,
}

impl Rooms {
    pub(super) fn say(
        &self,
        now: Nanos,
        (room, user): (RoomNo, UserNo),
        said: &Said,
        recalled: Option<&Spoken>,
    ) -> Decision {
        let (room, known, member) = self.seated(room, user)?;
        let &Said {
            uuid,
            given,
            text,
            reply,
            answers,
        } = said;
        let earlier = self.spoken.find(room.head.no, uuid).or(recalled);
        let kept = |earlier: &&Spoken| given && earlier.at > room.floor;
        if let Some(earlier) = earlier.filter(kept) {
            if earlier.user != user || earlier.digest != digest(uuid, text) {
                return Err(Refusal::UuidTaken);
            }
            let (at, sent) = (earlier.at, earlier.sent);
            return Ok((vec![], Reply::Said { at, sent }));
        }
        may_write(room, known, now)?;
        check_text(text)?;
        if reply.is_some_and(|place| !answers || place > room.last) {
            return Err(Refusal::BadField {
                field: "reply",
                want: Want::Seq,
            });
        }
        let message = Message {
            uuid,
            text: text.clone(),
            reply,
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

    pub(super) fn edit(
        &self,
        now: Nanos,
        (room, user): (RoomNo, UserNo),
        uuid: Uuid,
        text: &Arc<str>,
        recalled: Option<&Spoken>,
    ) -> Decision {
        let (room, known, member) = self.seated(room, user)?;
        let earlier = self.spoken.find(room.head.no, uuid).or(recalled);
        let earlier = earlier.filter(|e| e.now.is_some() && e.at > room.floor);
        let earlier = earlier.ok_or(Refusal::NoSuchMessage)?;
        if earlier.user != user {
            return Err(Refusal::NotYours);
        }
        may_write(room, known, now)?;
        check_text(text)?;
        if earlier.now == Some(digest(uuid, text)) {
            return Ok((vec![], Reply::Ok));
        }
        let (of, text) = (target(uuid, earlier), text.clone());
        let body = Body::Edited { of, text };
        let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
        Ok((vec![Event::Entry(Arc::new(entry))], Reply::Ok))
    }

    pub(super) fn delete(
        &self,
        now: Nanos,
        (room, user): (RoomNo, UserNo),
        uuid: Uuid,
        recalled: Option<&Spoken>,
    ) -> Decision {
        let (room, known, member) = self.seated(room, user)?;
        let earlier = self.spoken.find(room.head.no, uuid).or(recalled);
        let earlier = earlier.filter(|e| e.at > room.floor);
        let earlier = earlier.ok_or(Refusal::NoSuchMessage)?;
        if earlier.user != user && !room.is_owner(user) {
            return Err(Refusal::NotYours);
        }
        if earlier.now.is_none() {
            return Ok((vec![], Reply::Ok));
        }
        let of = target(uuid, earlier);
        let body = Body::Deleted { of };
        let entry = room.next_entry(room.last, now, &known.user, &member.name, body);
        Ok((vec![Event::Entry(Arc::new(entry))], Reply::Ok))
    }
}

impl Room {
    /// Whether a user may write now. In most rooms, at most times, that is two looks at the room.
    pub fn may_write(&self, user: UserNo, now: Nanos) -> Result<(), Refusal> {
        if !self.head.quiet && self.muted.is_empty() {
            return Ok(());
        }
        if self.is_owner(user) {
            return Ok(());
        }
        if let Some(until) = self.muted_until(user, now) {
            let after = seconds_left(until, now);
            return Err(Refusal::Muted { after });
        }
        match self.head.quiet {
            true => Err(Refusal::Quiet),
            false => Ok(()),
        }
    }
}

/// The same for a member. To write in a quiet room is a power, and `userId` alone, which all can
/// see, has none.
fn may_write(room: &Room, known: &Known, now: Nanos) -> Result<(), Refusal> {
    room.may_write(known.user.no, now)?;
    match room.head.quiet && !known.user.sealed {
        true => Err(Refusal::TokenRequired),
        false => Ok(()),
    }
}

pub(super) fn target(uuid: Uuid, spoken: &Spoken) -> Target {
    Target {
        uuid,
        seq: spoken.at,
        author: spoken.user,
        said: spoken.sent,
        reply: spoken.reply,
        origin: spoken.digest,
    }
}

fn check_text(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(Refusal::BadText);
    }
    Ok(())
}
