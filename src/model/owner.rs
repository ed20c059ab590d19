//! What owners of a room may do, and what its members see of it.
//!
//! Plain data, as in the file above.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{Nanos, RoomNo, SECOND, Spoken, UserNo};

/// The longest time that somebody is muted at once: a week. Who is to be silent for longer is to be
/// kept out.
pub const MAX_MUTE_MINUTES: u32 = 7 * 24 * 60;
/// Messages that one command of a `wipe` deletes: as long as a step of pruning, so that nobody
/// waits behind it.
pub const WIPE_STEP: usize = 64;
/// Kept out of one room. A teacher keeps out a few; past this the one kept out first may come back.
pub const MAX_KEPT_OUT: usize = 1_000;

/// Muted in one room. Past this, of those who are not there the one whose mute ends first is forgotten.
pub const MAX_MUTED: usize = 1_000;

/// Open sockets at the address of somebody muted that may all be its own: a phone's tabs. More are a
/// class behind one router, and nobody is muted for where it calls from.
pub const MAX_TABS: usize = 3;
/// Others that somebody muted came back as and left, remembered of each. One would do, but for who
/// plays with it.
pub const MAX_TRACES: usize = 8;

/// SHA-256 of a room's owner key. The key itself is known to its owners alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(pub [u8; 32]);

/// What an owner does that lasts, with what the rules may not look up themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Power {
    Rename(String),
    /// The argon2id hash of the new password, or an open room.
    Password(Option<Arc<str>>),
    Lock(bool),
    Quiet(bool),
    /// For so many minutes; 0 lifts it.
    Mute {
        user: UserNo,
        minutes: u32,
        /// Where it calls from, if nobody else who is there calls from there.
        from: Option<IpAddr>,
    },
    Kick {
        user: UserNo,
        keep_out: bool,
        /// The same.
        from: Option<IpAddr>,
    },
    Allow(UserNo),
    /// Deletes some of one person's messages, at most `WIPE_STEP`. The last step says it.
    Wipe {
        user: UserNo,
        /// The last name of it that is known.
        name: Arc<str>,
        /// Of the store's uuids, each with what the store says of it where the rules have forgotten
        /// (filled in by the scribe).
        messages: Vec<(Uuid, Option<Spoken>)>,
        /// How many were deleted in all: this is the last step.
        done: Option<u64>,
    },
    Appoint {
        user: UserNo,
        on: bool,
    },
    /// Another owner key.
    Link(KeyHash),
    Close,
}

/// Somebody that an owner did something to, by its name then.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub no: UserNo,
    pub name: Arc<str>,
}

/// What an owner did, as the members are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Renamed {
        to: Arc<str>,
    },
    /// `on`: the room has a password now.
    Password {
        on: bool,
    },
    Locked {
        on: bool,
    },
    Quiet {
        on: bool,
    },
    /// None: it may write again.
    Muted {
        target: Named,
        until: Option<Nanos>,
    },
    Kicked {
        target: Named,
        kept_out: bool,
    },
    Allowed {
        target: Named,
    },
    Owner {
        target: Named,
        on: bool,
    },
    Wiped {
        target: Named,
        count: u64,
    },
    /// The owner key is another one.
    Link,
}

impl Notice {
    pub fn target(&self) -> Option<&Named> {
        match self {
            Notice::Muted { target, .. }
            | Notice::Kicked { target, .. }
            | Notice::Allowed { target }
            | Notice::Owner { target, .. }
            | Notice::Wiped { target, .. } => Some(target),
            Notice::Renamed { .. }
            | Notice::Password { .. }
            | Notice::Locked { .. }
            | Notice::Quiet { .. }
            | Notice::Link => None,
        }
    }
}

/// Who may not come back until an owner allows it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptOut {
    pub user: UserNo,
    /// Nobody whose name looks like this one comes in, either.
    pub name: Arc<str>,
    /// Nor anybody who calls from there.
    pub from: Option<IpAddr>,
}

/// Who may not write for a while. Whoever looks like it is to be muted with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Muted {
    pub user: UserNo,
    pub until: Nanos,
    /// Who was muted first: all who came back as somebody else have the same one, and are muted and
    /// let write again together.
    pub person: UserNo,
    /// The name that it has here, or had.
    pub name: Arc<str>,
    /// Where it called from, if nobody else did.
    pub from: Option<IpAddr>,
}

/// Members who are there and call from the same address as somebody who joins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    pub users: Vec<UserNo>,
    /// How many of them have an open socket.
    pub listening: usize,
}

/// The end of a mute that begins now.
pub fn muted_until(now: Nanos, minutes: u32) -> Nanos {
    now.saturating_add(i64::from(minutes) * 60 * SECOND)
}

/// Seconds until a mute ends, at least one.
pub fn seconds_left(until: Nanos, now: Nanos) -> u64 {
    let left = until.saturating_sub(now).max(1);
    (left as u64).div_ceil(SECOND as u64)
}

/// A room as its owners see it.
#[derive(Clone, Debug)]
pub struct OwnersView {
    pub room: RoomNo,
    pub locked: bool,
    pub quiet: bool,
    pub password: bool,
    pub owners: Vec<UserNo>,
    /// Who may not write, and until when.
    pub muted: Vec<(Named, Nanos)>,
    pub kept_out: Vec<Named>,
}
