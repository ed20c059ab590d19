//! One command decided and written: what of it was seen outside, and what memory has forgotten of it.

use uuid::Uuid;

use super::Work;
use crate::model::*;
use crate::rooms::Decision;
use crate::store;

impl Work {
    /// Decides a command and writes what comes of it; an error is the whole batch's. That a message's
    /// uuid is known, though memory has forgotten it, the store says when it is written; what it was is
    /// read only then.
    pub(super) fn decide(&mut self, command: &mut Command) -> rusqlite::Result<Decision> {
        if let Err(refusal) = self.complete(command) {
            return Ok(Err(refusal));
        }
        let decision = self.rooms.decide(command);
        let written = match &decision {
            Ok((events, _)) => self.store.write(events),
            Err(_) => Ok(()),
        };
        let may_be_known = match &written {
            Ok(()) => decision.is_err(),
            Err(e) => store::is_taken(e),
        };
        if !may_be_known {
            return written.map(|()| decision);
        }
        match self.recall_said(&mut command.act) {
            Ok(false) => written.map(|()| decision),
            Ok(true) => {
                let decision = self.rooms.decide(command);
                let events = decision.as_ref().map_or(&[][..], |(events, _)| events);
                self.store.write(events).map(|()| decision)
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Fills in what was seen outside since the command was made, and what the store knows of a
    /// message that is to be changed.
    fn complete(&self, command: &mut Command) -> Result<(), Refusal> {
        self.hub.look_again(&mut command.act);
        match &mut command.act {
            Act::Edit {
                room,
                uuid,
                recalled,
                ..
            }
            | Act::Delete {
                room,
                uuid,
                recalled,
                ..
            } => *recalled = self.recall(*room, *uuid)?,
            Act::Owner {
                room,
                power: Power::Wipe { messages, .. },
                ..
            } => {
                for (uuid, recalled) in messages.iter_mut().take(WIPE_STEP) {
                    *recalled = self.recall(*room, *uuid)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The same of a message that is to be said under a uuid of its client's: whether there is one.
    fn recall_said(&self, act: &mut Act) -> Result<bool, Refusal> {
        let Act::Say {
            room,
            uuid,
            given: true,
            recalled,
            ..
        } = act
        else {
            return Ok(false);
        };
        *recalled = self.recall(*room, *uuid)?;
        Ok(recalled.is_some())
    }

    /// A message that the rules have forgotten, as the store has it.
    fn recall(&self, room: RoomNo, uuid: Uuid) -> Result<Option<Spoken>, Refusal> {
        if !self.rooms.has_forgotten(room, uuid) {
            return Ok(None);
        }
        self.store.recall(room, uuid).map_err(|e| {
            log::error!("cannot look up a uuid: {e}");
            Refusal::NotConfirmed
        })
    }
}
