//! The steps of a call that both transports share: whose it is, the limits, the hashing, and the
//! command that it comes to. Knows no bytes; decides nothing that the rules decide.

mod owner;

pub use owner::{Opened, Step};

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock;
use crate::door::network;
use crate::hub::{Caller, Entrance, Hub, Target};
use crate::model::*;
use crate::rooms::{check_name, skeleton};
use crate::scribe::Desk;
use crate::secrets::{self, Passwords};

pub struct Calls {
    pub hub: Arc<Hub>,
    pub desk: Desk,
    passwords: Passwords,
}

/// A room to join, and how.
pub struct Join<'a> {
    pub room: RoomRef,
    pub password: Option<&'a str>,
    /// The owner key.
    pub key: Option<&'a str>,
    pub name: Option<String>,
    pub request: Option<Uuid>,
    /// Something that was asked for before is not settled yet: a member may be none by then.
    pub asked: bool,
    /// Where the call came from.
    pub from: IpAddr,
}

/// A room to make.
pub struct Create<'a> {
    pub name: Option<String>,
    pub password: Option<&'a str>,
    pub listed: bool,
    pub user_name: Option<String>,
    pub request: Option<Uuid>,
    pub from: IpAddr,
}

/// Somebody took a seat.
pub struct Taken {
    pub room: RoomNo,
    pub user: UserNo,
    /// The token made for a guest.
    pub token: Option<String>,
    /// The password that was given is the room's.
    pub proved: bool,
    /// Of a room that was just made.
    pub owner_key: Option<String>,
}

impl Calls {
    pub fn new(hub: Arc<Hub>, desk: Desk) -> Calls {
        Calls {
            hub,
            desk,
            passwords: Passwords::default(),
        }
    }

    /// Who calls in a room, by the Identity rule; an open guest whose token is shown is sealed.
    pub fn caller(
        &self,
        room: RoomRef,
        user: Uuid,
        token: Option<&str>,
        from: IpAddr,
    ) -> Result<Caller, Refusal> {
        let token = token.map(secrets::hash_token);
        let caller = self
            .hub
            .caller(room, user, token, network(from), clock::now())?;
        if caller.seal {
            self.desk.ask(Act::Seal { user: caller.user })?;
        }
        Ok(caller)
    }

    /// The user of a token, which is sealed by showing it.
    pub fn bearer(&self, token: &str) -> Result<User, Refusal> {
        let (user, seal) = self.hub.bearer(secrets::hash_token(token), clock::now())?;
        if seal {
            self.desk.ask(Act::Seal { user: user.no })?;
        }
        Ok(user)
    }

    pub fn register(
        &self,
        username: String,
        password: &str,
        from: IpAddr,
    ) -> Result<UserNo, Refusal> {
        check_name(NameOf::Account, &username)?;
        // Known names are refused before the costly hash; the rules look again.
        if self.hub.account(&skeleton(&username)).is_some() {
            return Err(Refusal::UsernameTaken);
        }
        let (id, avatar) = (Uuid::new_v4(), secrets::any_avatar()?);
        let secret = self.passwords.hash(password, network(from))?;
        match self.desk.ask(Act::Register {
            id,
            username,
            secret,
            avatar,
        })? {
            Reply::Registered(user) => Ok(user),
            other => Err(unexpected(&other)),
        }
    }

    /// A token for a username and its password.
    pub fn login(
        &self,
        username: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<(String, User), Refusal> {
        // Nobody has such a name; looking for it would cost more than it is worth.
        if username.chars().count() > MAX_NAME_CHARS {
            return Err(Refusal::WrongLogin);
        }
        let skeleton = skeleton(username);
        // To the letter: who logs in as somebody who only looks alike is somebody else.
        let account = self
            .hub
            .account(&skeleton)
            .filter(|user| *user.name == *username);
        let secret = account.as_ref().and_then(|user| user.secret.as_deref());
        let target = Target::Account(skeleton);
        if !self.try_password(password, secret, target, network(from))? {
            return Err(Refusal::WrongLogin);
        }
        let user = account.ok_or(Refusal::WrongLogin)?;
        if user.status == STATUS_BANNED {
            return Err(Refusal::Banned);
        }
        let (token, hash) = secrets::new_token()?;
        self.desk.ask(Act::Login {
            user: user.no,
            token: hash,
        })?;
        Ok((token, user))
    }

    /// Whether a password is right, within the limits on guessing. Without a secret it is wrong,
    /// after as long.
    fn try_password(
        &self,
        password: &str,
        secret: Option<&str>,
        target: Target,
        from: IpAddr,
    ) -> Result<bool, Refusal> {
        let delay = self.hub.may_try(from, &target)?;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        self.passwords.in_turn(from, || {
            // Asked again in the turn: many may have come while there was room for one.
            self.hub.may_try(from, &target)?;
            // Without a secret there is nothing to be right about.
            let right = self.passwords.check(password, secret)? && secret.is_some();
            if !right {
                self.hub.wrong_password(from, target);
            }
            Ok(right)
        })
    }

    pub fn logout(&self, token: &str) -> Result<(), Refusal> {
        self.bearer(token)?;
        self.desk
            .ask(Act::Logout {
                token: secrets::hash_token(token),
            })
            .map(|_| ())
    }

    /// Makes a room. Without a user a guest is made, and its token.
    pub fn create(&self, user: Option<&User>, create: Create) -> Result<Taken, Refusal> {
        let Create {
            name,
            password,
            listed,
            user_name,
            request,
            from,
        } = create;
        // What is refused anyway is refused before the costly hash; the rules look again.
        if self.hub.is_closed() {
            return Err(Refusal::RoomsClosed);
        }
        name.iter()
            .try_for_each(|name| check_name(NameOf::Room, name))?;
        user_name
            .iter()
            .try_for_each(|name| check_name(NameOf::Member, name))?;
        let hash = |password| self.passwords.hash(password, network(from));
        let secret = password.map(hash).transpose()?;
        let request = request.map(|uuid| Request { uuid, from });
        let (seat, token) = self.seat(user, user_name, request)?;
        let (owner_key, key) = secrets::new_key()?;
        let room = NewRoom {
            id: Uuid::new_v4(),
            name,
            secret: secret.clone(),
            listed,
            key,
        };
        match self.desk.ask(Act::Create { room, seat })? {
            Reply::Seated { room, user } => {
                // A repeated request gives the room that it made first: with that password?
                let entrance = self.hub.entrance(RoomRef::No(room))?;
                let stands = entrance.secret;
                let proved = match (password, stands) {
                    (Some(_), stands) if stands == secret => true,
                    (Some(password), Some(stands)) => {
                        self.passwords.in_turn(network(from), || {
                            self.passwords.check(password, Some(&stands))
                        })?
                    }
                    _ => false,
                };
                self.hub.called(room, user, network(from));
                Ok(Taken {
                    room,
                    user,
                    token,
                    proved,
                    // Somebody who is no owner any more asks again in vain.
                    owner_key: (entrance.key == Some(key)).then_some(owner_key),
                })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The command that a join comes to, the guest's token, and whether the password was proved.
    pub fn join(
        &self,
        user: Option<&User>,
        join: Join,
    ) -> Result<(Act, Option<String>, bool), Refusal> {
        let from = network(join.from);
        join.name
            .iter()
            .try_for_each(|name| check_name(NameOf::Member, name))?;
        let entrance = self.hub.entrance(join.room)?;
        self.hub.may_join(entrance.no, from)?;
        // Who is in it already need not prove it again.
        let member = user.is_some_and(|user| entrance.members.contains(&user.no));
        let key = join.key.map(secrets::hash_key);
        if key.is_some() {
            self.try_key(key, &entrance, from)?;
        }
        let proof = match (&entrance.secret, join.password) {
            (Some(secret), Some(password)) if key.is_none() && (!member || join.asked) => {
                let target = Target::Room(entrance.no);
                if !self.try_password(password, Some(secret), target, from)? {
                    return Err(Refusal::WrongPassword);
                }
                Some(entrance.secret_version)
            }
            _ => None,
        };
        let request = join.request.map(|uuid| Request {
            uuid,
            from: join.from,
        });
        let (seat, token) = self.seat(user, join.name, request)?;
        let act = Act::Join {
            room: entrance.no,
            by_number: matches!(join.room, RoomRef::No(_)),
            key,
            from,
            proof,
            seat,
            silent: entrance.silent,
            beside: Beside::default(),
        };
        Ok((act, token, proof.is_some()))
    }

    /// An owner key. Wrong ones count as guesses at a password; the right one cannot be guessed, and
    /// passes whoever tries others from the same address.
    fn try_key(
        &self,
        key: Option<KeyHash>,
        entrance: &Entrance,
        from: IpAddr,
    ) -> Result<(), Refusal> {
        if entrance.key == key {
            return Ok(());
        }
        let target = Target::Room(entrance.no);
        let delay = self.hub.may_try(from, &target)?;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        self.hub.wrong_password(from, target);
        Err(Refusal::WrongPassword)
    }

    /// Joins, and waits until it is so.
    pub fn take_seat(&self, user: Option<&User>, join: Join) -> Result<Taken, Refusal> {
        let from = network(join.from);
        let (act, token, proved) = self.join(user, join)?;
        match self.desk.ask(act)? {
            Reply::Seated { room, user } => {
                self.hub.called(room, user, from);
                Ok(Taken {
                    room,
                    user,
                    token,
                    proved,
                    owner_key: None,
                })
            }
            other => Err(unexpected(&other)),
        }
    }

    fn seat(
        &self,
        user: Option<&User>,
        name: Option<String>,
        request: Option<Request>,
    ) -> Result<(Seat, Option<String>), Refusal> {
        if let Some(user) = user {
            let who = Newcomer::Known {
                user: user.no,
                name,
            };
            return Ok((
                Seat {
                    who,
                    token: None,
                    request,
                },
                None,
            ));
        }
        let (token, hash) = secrets::new_token()?;
        let who = Newcomer::Guest {
            id: Uuid::new_v4(),
            avatar: secrets::any_avatar()?,
            name,
        };
        Ok((
            Seat {
                who,
                token: Some(hash),
                request,
            },
            Some(token),
        ))
    }

    /// The command that a message comes to. Without a uuid one is made. Its sender was let through by
    /// the hub before: who is in the room, and within the rates.
    pub fn say(
        &self,
        room: RoomNo,
        user: UserNo,
        uuid: Option<Uuid>,
        text: Arc<str>,
        reply: Option<Place>,
    ) -> Result<Act, Refusal> {
        let answers = match reply {
            Some(place) => self.hub.is_message(room, place)?,
            None => false,
        };
        Ok(Act::Say {
            room,
            user,
            uuid: uuid.unwrap_or_else(Uuid::new_v4),
            given: uuid.is_some(),
            text,
            reply,
            answers,
            recalled: None,
        })
    }
}

/// The scribe answered something else than was asked: a bug, said without a panic.
pub fn unexpected(reply: &Reply) -> Refusal {
    log::error!("the scribe answered {reply:?} to another question");
    Refusal::NotConfirmed
}
