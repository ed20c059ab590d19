//! The words of the house: ids, entries, commands, events, refusals, limits.
//!
//! Plain data. Knows no JSON, socket, clock or database.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

mod owner;

pub use owner::*;

// ---- Limits. Each is a promise to the neighbours of whoever would like more. ----

/// A text is something to read on a phone; what is longer is a file.
pub const MAX_TEXT_CHARS: usize = 4_000;
/// A name must fit on a line beside its message.
pub const MAX_NAME_CHARS: usize = 64;
/// argon2 reads all of it, so it must have an end; no one types more.
pub const MAX_PASSWORD_CHARS: usize = 128;
/// One page of history: a phone's screen ten times over.
pub const MAX_PAGE: usize = 200;
/// One drain or cursor fetch of the room API, in entries …
pub const MAX_FETCH: usize = 1_000;
/// … and in bytes of text, so that an answer stays one that a script can hold.
pub const MAX_FETCH_BYTES: usize = 1024 * 1024;
/// A resume past this many missed entries of a room is a reload: the newest page comes instead.
pub const MAX_RESUME: u64 = 5_000;
/// One user's live tokens: a few devices and lost answers. The oldest goes first.
pub const MAX_TOKENS: usize = 32;
/// A guest that nobody sealed and that was silent for this long gives its name to a newcomer.
pub const NAME_HELD: std::time::Duration = std::time::Duration::from_secs(30 * 60);
/// A room without a call for this long ends.
pub const ROOM_LIFE: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 3600);
/// Uuids that the rules remember by themselves; older ones are looked up in the store. About
/// 100 bytes each, and a retry comes within seconds.
pub const SPOKEN_KEPT: usize = 16_384;
/// Avatars are numbered 0 to 49 (first document: `avatarIndex`).
pub const AVATARS: u8 = 50;

/// UTC nanoseconds since 1970. The clock never gives the order.
pub type Nanos = i64;
pub const SECOND: Nanos = 1_000_000_000;

/// A place in a room's order: 1, 2, 3 … without gaps. 0 stands before the first.
pub type Place = u64;

/// The number of a room, from 1, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RoomNo(pub i64);

/// The number of a user, from 1, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UserNo(pub i64);

/// The language of names that are made and of sentences for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Lang {
    /// As both documents have it.
    #[default]
    Zh,
    En,
}

/// SHA-256 of a token. The token itself is known to its owner alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TokenHash(pub [u8; 32]);

/// SHA-256 of a message's uuid and its text as first said: what a repeated uuid is compared with,
/// also after an edit.
pub type Digest = [u8; 32];

/// One place of a room's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub room: RoomNo,
    pub at: Place,
    pub sent: Nanos,
    /// Who said or did it.
    pub user: UserNo,
    pub user_id: Uuid,
    /// The name of that user then.
    pub name: Arc<str>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Message(Message),
    Joined {
        avatar: u8,
    },
    Left {
        avatar: u8,
    },
    /// A message that was deleted: it keeps its place and its uuid.
    Tombstone {
        uuid: Uuid,
        /// Who deleted it, where that is not its author.
        by: Option<UserNo>,
    },
    /// A message said earlier has another text. The entry shows the newest, whichever edit it is.
    Edited {
        of: Target,
        text: Arc<str>,
    },
    Deleted {
        of: Target,
    },
    /// An owner did something.
    Notice {
        avatar: u8,
        what: Notice,
    },
}

/// The message that an edit or a deletion is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub uuid: Uuid,
    /// Where it was said.
    pub seq: Place,
    pub author: UserNo,
    pub said: Nanos,
    pub reply: Option<Place>,
    /// Of its first text.
    pub origin: Digest,
}

impl Target {
    /// Who deleted it, where that is not its author.
    pub fn deleted_by(&self, user: UserNo) -> Option<UserNo> {
        (self.author != user).then_some(user)
    }
}

impl Entry {
    /// The message, if that is what stands here.
    pub fn message(&self) -> Option<&Message> {
        match &self.body {
            Body::Message(message) => Some(message),
            Body::Joined { .. }
            | Body::Left { .. }
            | Body::Tombstone { .. }
            | Body::Edited { .. }
            | Body::Deleted { .. }
            | Body::Notice { .. } => None,
        }
    }

    /// The text that the entry shows.
    pub fn text(&self) -> Option<&Arc<str>> {
        match &self.body {
            Body::Message(message) => Some(&message.text),
            Body::Edited { text, .. } => Some(text),
            Body::Joined { .. }
            | Body::Left { .. }
            | Body::Tombstone { .. }
            | Body::Deleted { .. }
            | Body::Notice { .. } => None,
        }
    }

    /// Somebody came or went, or an owner did something: what `cachingMessage` shows.
    pub fn is_notice(&self) -> bool {
        match self.body {
            Body::Joined { .. } | Body::Left { .. } | Body::Notice { .. } => true,
            Body::Message(_)
            | Body::Tombstone { .. }
            | Body::Edited { .. }
            | Body::Deleted { .. } => false,
        }
    }

    /// What it costs as JSON in an answer, in bytes, within a few.
    pub fn json_weight(&self) -> usize {
        let escaped = |text: &str| -> usize {
            let width = |byte| match byte {
                b'"' | b'\\' => 2,
                0..0x20 => 6,
                _ => 1,
            };
            text.bytes().map(width).sum()
        };
        let text = self.text().map_or(0, |text| escaped(text));
        320 + escaped(&self.name) + text
    }

    /// What it costs to keep in memory, in bytes, near enough for a budget.
    pub fn weight(&self) -> usize {
        let text = self.text().map_or(0, |text| text.len());
        160 + self.name.len() + text
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub uuid: Uuid,
    pub text: Arc<str>,
    /// The `seq` of the message that this one answers.
    pub reply: Option<Place>,
    pub modified: bool,
}

/// Somebody known: a guest (as long as it is in a room) or an account.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub no: UserNo,
    pub id: Uuid,
    pub name: Arc<str>,
    pub avatar: u8,
    /// Sealed: every HTTP call in its name needs its token (PROTOCOL.md, Identity).
    pub sealed: bool,
    /// The argon2id hash of an account's password; a guest has none.
    pub secret: Option<Arc<str>>,
    pub status: i64,
    pub registered: Nanos,
}

impl User {
    pub fn is_account(&self) -> bool {
        self.secret.is_some()
    }
}

/// The status of an account that was banned (PROTOCOL.md, Accounts).
pub const STATUS_BANNED: i64 = 2;

/// What a room is, its members aside.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomHead {
    pub no: RoomNo,
    pub id: Uuid,
    pub name: Arc<str>,
    /// The argon2id hash of its password, or an open room.
    pub secret: Option<Arc<str>>,
    /// Counts the changes of `secret`, so that a check made outside can be matched to it.
    pub secret_version: u32,
    /// May be joined by its number without a password.
    pub listed: bool,
    /// The name by which `--room` knows it, whatever it is called since.
    pub flag: Option<Arc<str>>,
    /// Whoever shows this key becomes an owner. None: until an owner makes one.
    pub key: Option<KeyHash>,
    /// Nobody new comes in.
    pub locked: bool,
    /// Only owners write.
    pub quiet: bool,
    pub created: Nanos,
}

/// The key of a create or join that can be asked again: the client's uuid, and its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Request {
    pub uuid: Uuid,
    pub from: IpAddr,
}

/// Who takes a seat.
#[derive(Clone, Debug, PartialEq)]
pub enum Newcomer {
    /// Made with this call. `name` is what was wished for; without a wish a default is made.
    Guest {
        id: Uuid,
        avatar: u8,
        name: Option<String>,
    },
    /// Somebody who showed a token.
    Known { user: UserNo, name: Option<String> },
}

/// A seat to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    pub who: Newcomer,
    /// Of a token made for this answer; a known user keeps the one it showed.
    pub token: Option<TokenHash>,
    pub request: Option<Request>,
}

/// A room to make. Without a name a default is made of its id.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRoom {
    pub id: Uuid,
    pub name: Option<String>,
    pub secret: Option<Arc<str>>,
    pub listed: bool,
    pub key: KeyHash,
}

/// A wish to change something that lasts, with everything in it that the rules may not look up
/// themselves: the time, ids, hashes, and what was observed outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub now: Nanos,
    pub act: Act,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// `POST /users`.
    Register {
        id: Uuid,
        username: String,
        secret: Arc<str>,
        avatar: u8,
    },
    /// `POST /login`; the password was checked outside.
    Login {
        user: UserNo,
        token: TokenHash,
    },
    /// `POST /logout`.
    Logout {
        token: TokenHash,
    },
    /// A room and its maker's seat.
    Create {
        room: NewRoom,
        seat: Seat,
    },
    /// A room of `--room`, without a maker, unless it is there already.
    Open {
        room: NewRoom,
    },
    Join {
        room: RoomNo,
        /// Found by its number, which can be guessed, not by its id.
        by_number: bool,
        /// The owner key that was shown.
        key: Option<KeyHash>,
        /// Where the call came from.
        from: IpAddr,
        /// The version of the room's secret that the given password was checked against.
        proof: Option<u32>,
        seat: Seat,
        /// Members silent so long that they may be displaced by their name's newcomer, as
        /// observed outside.
        silent: Vec<UserNo>,
        /// Who else is there and calls from there (filled in by the scribe).
        beside: Beside,
    },
    Leave {
        room: RoomNo,
        user: UserNo,
    },
    Say {
        room: RoomNo,
        user: UserNo,
        uuid: Uuid,
        /// The uuid was the client's: it may be a repetition.
        given: bool,
        text: Arc<str>,
        reply: Option<Place>,
        /// A message stands at `reply`, as was seen outside.
        answers: bool,
        /// What the store knows of `uuid` where the rules have forgotten (filled in by the scribe).
        recalled: Option<Spoken>,
    },
    /// Another text for an own message.
    Edit {
        room: RoomNo,
        user: UserNo,
        uuid: Uuid,
        text: Arc<str>,
        recalled: Option<Spoken>,
    },
    /// By its author or an owner of the room.
    Delete {
        room: RoomNo,
        user: UserNo,
        uuid: Uuid,
        recalled: Option<Spoken>,
    },
    /// By an owner of the room.
    Owner {
        room: RoomNo,
        user: UserNo,
        power: Power,
    },
    /// Entries up to `floor` are no longer kept.
    Prune {
        room: RoomNo,
        floor: Place,
    },
    /// A valid token was shown for an open guest.
    Seal {
        user: UserNo,
    },
    /// What the clock brings. Observed outside; checked again by the rules.
    Expire {
        guests: Vec<(RoomNo, UserNo)>,
        rooms: Vec<RoomNo>,
        tokens: Vec<TokenHash>,
        /// Creates and joins that are not asked for again.
        requests: Vec<Request>,
    },
    /// Bookkeeping that nobody waits for.
    Note(Note),
}

impl Act {
    /// The room that it happens in; without one, `RoomNo(0)`.
    pub fn room(&self) -> RoomNo {
        match self {
            Act::Join { room, .. }
            | Act::Leave { room, .. }
            | Act::Say { room, .. }
            | Act::Edit { room, .. }
            | Act::Delete { room, .. }
            | Act::Owner { room, .. }
            | Act::Prune { room, .. } => *room,
            Act::Register { .. }
            | Act::Login { .. }
            | Act::Logout { .. }
            | Act::Create { .. }
            | Act::Open { .. }
            | Act::Seal { .. }
            | Act::Expire { .. }
            | Act::Note(_) => RoomNo(0),
        }
    }
}

/// A message as its uuid's memory: what a repetition is answered with and compared to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spoken {
    pub user: UserNo,
    pub at: Place,
    pub sent: Nanos,
    /// Of the text as first said.
    pub digest: Digest,
    /// Of the text as it is; None: deleted.
    pub now: Option<Digest>,
    pub reply: Option<Place>,
}

/// Cursors moved, users heard, tokens used, presence begun and ended: kept on disk, but late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    pub cursors: Vec<(RoomNo, UserNo, Place)>,
    pub heard: Vec<(UserNo, Nanos)>,
    pub used: Vec<(TokenHash, Nanos)>,
    /// A user came online (true) or went offline, and when.
    pub presence: Vec<(UserNo, bool, Nanos)>,
    /// Somebody is there, and the time of that: where a presence ends that nobody saw ending.
    pub alive: Option<Nanos>,
}

impl Note {
    pub fn is_empty(&self) -> bool {
        self.cursors.is_empty()
            && self.heard.is_empty()
            && self.used.is_empty()
            && self.presence.is_empty()
            && self.alive.is_none()
    }
}

/// A fact. Applied to a table it changes it; written to the store it lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    UserMade(User),
    /// A guest left its last room. The user's row stays for the messages that name it.
    GuestGone(UserNo),
    Sealed(UserNo),
    TokenMade {
        token: TokenHash,
        user: UserNo,
        at: Nanos,
    },
    TokenGone(TokenHash),
    RoomMade(RoomHead),
    RoomEnded {
        room: RoomNo,
        at: Nanos,
    },
    Pruned {
        room: RoomNo,
        floor: Place,
    },
    /// The next place of a room. `Joined` and `Left` change who is in it, a notice the room itself.
    Entry(Arc<Entry>),
    /// Somebody is an owner from here on, or no longer.
    Owner {
        room: RoomNo,
        user: UserNo,
        on: bool,
    },
    RoomSecret {
        room: RoomNo,
        secret: Option<Arc<str>>,
        version: u32,
    },
    RoomKey {
        room: RoomNo,
        key: KeyHash,
    },
    Muted {
        room: RoomNo,
        who: Muted,
        /// Remembered no longer.
        forgets: Option<UserNo>,
    },
    KeptOut {
        room: RoomNo,
        who: KeptOut,
    },
    /// No longer kept out.
    LetIn {
        room: RoomNo,
        user: UserNo,
    },
    /// What `request` was answered with.
    Requested {
        request: Request,
        done: Done,
    },
    RequestForgotten(Request),
    Noted(Note),
}

/// The outcome of a create or join, remembered by its `request`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    pub room: RoomNo,
    pub user: UserNo,
    pub at: Nanos,
}

/// What a command that was carried out answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Ok,
    Registered(UserNo),
    /// In the room, newly or already.
    Seated {
        room: RoomNo,
        user: UserNo,
    },
    Said {
        at: Place,
        sent: Nanos,
    },
    /// A room of `--room` was made.
    Opened(RoomNo),
    /// None: it may write again.
    Muted(Option<Nanos>),
    /// So many messages were deleted with this step.
    Wiped(u64),
}

/// What a field should have been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    Text,
    Flag,
    Number,
    /// A number from 1 on.
    Count,
    Object,
    Uuid,
    Room,
    UserId,
    /// The `userId` of the call itself.
    SameUser,
    /// The word given here and no other.
    Word(&'static str),
    /// The `seq` of a message of the room.
    Seq,
    /// 1 to 60 seconds.
    Wait,
    /// Given without `before`.
    Alone,
    /// Places by room numbers.
    Places,
    /// 0 to `MAX_MUTE_MINUTES`.
    Minutes,
    /// One of the acts of an owner.
    Act,
    /// The number of a user.
    User,
    /// A string, or null.
    TextOrNull,
    /// What a room can be exported as.
    Format,
}

/// Whose name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NameOf {
    Member,
    Room,
    Account,
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NameFault {
    Empty,
    TooLong,
    /// Controls, and those of writing direction that make a name look like another.
    Controls,
}

/// Why not. Each door maps it to its own words by an exhaustive match.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The body or frame is not what was asked for; names what would be right.
    Malformed(String),
    /// A field is missing or of the wrong kind.
    BadField {
        field: &'static str,
        want: Want,
    },
    UnsupportedContent(String),
    BadText,
    BadName(NameOf, NameFault),
    BadPassword,
    /// A token is needed for this user.
    TokenRequired,
    /// The token is unknown or expired.
    BadToken,
    /// A valid token, of somebody else.
    OthersToken,
    Banned,
    NoSuchRoom,
    NoSuchUser,
    NoSuchMessage,
    /// Somebody else's message.
    NotYours,
    NotMember,
    /// Of those that an owner acts on: nobody of this number is in the room.
    NoSuchMember,
    /// Nobody of this number is kept out.
    NotKeptOut,
    /// Only owners may do this.
    NotOwner,
    /// This cannot be done to an owner.
    IsOwner,
    /// A room is not left without an owner.
    LastOwner,
    /// May not write for so many seconds.
    Muted {
        after: u64,
    },
    /// Only owners write here now.
    Quiet,
    /// Nobody new comes in.
    Locked,
    KeptOut,
    /// Nobody makes rooms on this server.
    RoomsClosed,
    PrivateRoom,
    WrongPassword,
    WrongLogin,
    NameTaken {
        suggest: String,
    },
    UsernameTaken,
    UuidTaken,
    RoomFull {
        members: usize,
    },
    /// Over a rate; `after` seconds it will do.
    TooFast {
        after: u64,
    },
    /// The server has more to do than it takes on.
    Busy,
    /// The disk did not confirm: it may or may not be stored.
    NotConfirmed,
}

// ---- Views: what a table shows of itself, copied out under its lock ----

/// A member as the others see it.
#[derive(Clone, Debug)]
pub struct MemberView {
    pub no: UserNo,
    pub id: Uuid,
    pub name: Arc<str>,
    pub avatar: u8,
    /// The last call.
    pub heard: Nanos,
    pub online: bool,
    pub owner: bool,
    /// May not write until then.
    pub muted: Option<Nanos>,
    /// 1: its hand went up first. None: it is down.
    pub hand: Option<usize>,
    /// Its newest pending notices, oldest first.
    pub notices: Vec<Arc<Entry>>,
}

/// A room as one of its members sees it.
#[derive(Clone, Debug)]
pub struct RoomView {
    pub no: RoomNo,
    pub id: Uuid,
    pub name: Arc<str>,
    pub description: String,
    pub created: Nanos,
    pub last: Place,
    pub locked: bool,
    pub quiet: bool,
    pub password: bool,
    /// In join order.
    pub members: Vec<MemberView>,
}

/// Where one member stands in a room: what it may do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    pub owner: bool,
    pub muted: Option<Nanos>,
    pub locked: bool,
    pub quiet: bool,
}

/// A room as it is shown to who stands before it.
#[derive(Clone, Debug)]
pub struct ListedRoom {
    pub no: RoomNo,
    pub name: Arc<str>,
    /// It has one.
    pub password: bool,
    /// Nobody new comes in.
    pub locked: bool,
    pub members: usize,
}

/// A page of a room's order, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub entries: Vec<Arc<Entry>>,
    /// The cursor to go on from.
    pub next: Place,
    /// Nothing that was asked for is missing.
    pub complete: bool,
    /// More stands that way.
    pub more: bool,
}

/// How a request names a room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoomRef {
    Id(Uuid),
    No(RoomNo),
}

/// What a socket has seen before (PROTOCOL.md, `resume`).
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    pub epoch: Option<String>,
    /// The greatest `at` received, by room.
    pub seen: BTreeMap<RoomNo, Place>,
}
