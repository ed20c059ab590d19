//! The powers of owners, step by step: what is hashed, made or read before the command.

use std::net::IpAddr;

use uuid::Uuid;

use super::{Calls, unexpected};
use crate::door::network;
use crate::model::*;
use crate::rooms::check_name;
use crate::secrets;
use crate::wire::owner::{self as wire, Wish};

/// The fields of the answer, once the command was carried out.
pub type Fields = Box<dyn FnOnce(&Reply) -> String + Send>;

/// What a wish comes to.
pub enum Step {
    /// It is done, and these are the fields of its answer.
    Done(String),
    /// This command does it.
    Do(Box<Act>, Fields),
}

/// A room of `--room` that was just made, and the key of its owner link.
#[derive(Clone, Debug)]
pub struct Opened {
    pub name: String,
    pub room: RoomNo,
    pub key: String,
}

impl Calls {
    /// What an owner wishes, up to the command that does it. `user` has shown its token.
    pub fn owner(
        &self,
        room: RoomNo,
        user: UserNo,
        wish: Wish,
        from: IpAddr,
    ) -> Result<Step, Refusal> {
        // Before anything is hashed, looked up or counted for somebody who may not; the rules look
        // again.
        let view = self.hub.owners_view(room, user)?;
        if wish == Wish::State {
            return Ok(Step::Done(wire::state_fields(&view)));
        }
        self.hub.may_send(room, user)?;
        let from = network(from);
        let plain = |power| self.step(room, user, power, |_| String::new());
        match wish {
            Wish::State => Ok(Step::Done(wire::state_fields(&view))),
            Wish::Rename(name) => plain(Power::Rename(name)),
            Wish::Password(password) => {
                let hash = |password: String| self.passwords.hash(&password, from);
                plain(Power::Password(password.map(hash).transpose()?))
            }
            Wish::Lock(on) => plain(Power::Lock(on)),
            Wish::Quiet(on) => plain(Power::Quiet(on)),
            Wish::Mute {
                user: whom,
                minutes,
            } => {
                let power = Power::Mute {
                    user: whom,
                    minutes,
                    from: self.hub.own_address(room, whom, from),
                };
                self.step(room, user, power, |reply| match reply {
                    Reply::Muted(until) => wire::muted_fields(*until),
                    _ => String::new(),
                })
            }
            Wish::Kick {
                user: whom,
                keep_out,
            } => plain(Power::Kick {
                user: whom,
                keep_out,
                from: self.hub.own_address(room, whom, from),
            }),
            Wish::Allow(whom) => plain(Power::Allow(whom)),
            // As its author does on a socket.
            Wish::Delete(uuid) => {
                let act = Act::Delete {
                    room,
                    user,
                    uuid,
                    recalled: None,
                };
                Ok(Step::Do(Box::new(act), Box::new(|_| String::new())))
            }
            Wish::Wipe(whom) => self.wipe(room, user, whom),
            Wish::Appoint { user: whom, on } => plain(Power::Appoint { user: whom, on }),
            Wish::Link => {
                let (key, hash) = secrets::new_key()?;
                self.step(room, user, Power::Link(hash), move |_| {
                    wire::link_fields(&key)
                })
            }
            Wish::Lower(whom) => {
                self.hub.lower(room, user, whom)?;
                Ok(Step::Done(String::new()))
            }
            Wish::Close => plain(Power::Close),
        }
    }

    fn step(
        &self,
        room: RoomNo,
        user: UserNo,
        power: Power,
        fields: impl FnOnce(&Reply) -> String + Send + 'static,
    ) -> Result<Step, Refusal> {
        let act = Act::Owner { room, user, power };
        Ok(Step::Do(Box::new(act), Box::new(fields)))
    }

    /// Deletes what somebody has said up to now, in steps that keep nobody waiting. The last one
    /// is handed back: it says how many there were. One that fails can be asked for again.
    fn wipe(&self, room: RoomNo, user: UserNo, whom: UserNo) -> Result<Step, Refusal> {
        let name = self.hub.anybody(whom)?.ok_or(Refusal::NoSuchUser)?.name;
        let (mut looked, last) = self.hub.ends(room)?;
        let mut count = 0;
        while looked < last {
            let (said, at) = self.hub.said_by(room, user, whom, (looked, last))?;
            looked = at;
            if said.is_empty() {
                continue;
            }
            let power = Power::Wipe {
                user: whom,
                name: name.clone(),
                messages: said.into_iter().map(|uuid| (uuid, None)).collect(),
                done: None,
            };
            match self.desk.ask(Act::Owner { room, user, power })? {
                Reply::Wiped(deleted) => count += deleted,
                other => return Err(unexpected(&other)),
            }
        }
        let power = Power::Wipe {
            user: whom,
            name,
            messages: vec![],
            done: Some(count),
        };
        self.step(room, user, power, move |_| wire::wiped_fields(count))
    }

    /// Makes a room of `--room`, unless it is there.
    pub fn open(&self, name: &str, password: Option<&str>) -> Result<Option<Opened>, Refusal> {
        check_name(NameOf::Room, name)?;
        if self.hub.has_flag(name) {
            return Ok(None);
        }
        let here = IpAddr::from([127, 0, 0, 1]);
        let hash = |password| self.passwords.hash(password, here);
        let (key, hash_of_key) = secrets::new_key()?;
        let room = NewRoom {
            id: Uuid::new_v4(),
            name: Some(name.to_owned()),
            secret: password.map(hash).transpose()?,
            listed: true,
            key: hash_of_key,
        };
        match self.desk.ask(Act::Open { room })? {
            Reply::Opened(room) => Ok(Some(Opened {
                name: name.to_owned(),
                room,
                key,
            })),
            Reply::Ok => Ok(None),
            other => Err(unexpected(&other)),
        }
    }
}
