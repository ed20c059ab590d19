//! What clients do, at random. Whom and what a number means is settled when the command is run,
//! so that a case that shrinks keeps its meaning.

use proptest::collection::vec;
use proptest::prelude::*;

pub const CLIENTS: usize = 4;
pub const ROOMS: usize = 2;
/// Sockets of one client.
pub const SLOTS: usize = 2;

#[derive(Clone, Copy, Debug)]
pub enum Via {
    Http,
    /// HTTP without a uuid.
    Plain,
    /// One of the client's sockets; opened where it is not.
    Socket(usize),
}

#[derive(Clone, Debug)]
pub enum Command {
    /// `lost`: the connection is dropped before the answer is read.
    Send {
        who: usize,
        room: usize,
        via: Via,
        lost: bool,
        text: u8,
    },
    /// All clients at once over HTTP, each before it reads the answer of the one before.
    Burst {
        room: usize,
    },
    /// An earlier uuid, in this room or another, by its author or somebody else.
    Again {
        which: usize,
        by: Option<usize>,
        room: Option<usize>,
        text: Option<u8>,
        via: Via,
        upper: bool,
    },
    /// Without a text the one that it has.
    Edit {
        which: usize,
        by: Option<usize>,
        slot: usize,
        text: Option<u8>,
    },
    Delete {
        which: usize,
        by: Option<usize>,
        slot: usize,
    },
    Drain {
        who: usize,
        room: usize,
        v: u64,
    },
    /// After a place that far back from behind the end.
    Fetch {
        who: usize,
        room: usize,
        back: u64,
        limit: usize,
        v: u64,
    },
    Page {
        who: usize,
        room: usize,
        way: Way,
        limit: usize,
        via: Via,
    },
    Leave {
        who: usize,
        room: usize,
        via: Via,
    },
    /// An owner's act, also of who is none.
    Owner {
        who: usize,
        room: usize,
        via: Via,
        power: Power,
    },
    Join {
        who: usize,
        room: usize,
        via: Via,
    },
    /// Opens a socket, an open one anew. Only with `v` 1 it can `resume`.
    Connect {
        who: usize,
        slot: usize,
        v: u64,
        resume: bool,
    },
    /// Drops a socket without goodbye, with all that it has not read.
    Drop {
        who: usize,
        slot: usize,
    },
    /// Reads all that is there.
    Listen {
        who: usize,
        slot: usize,
    },
    /// Others talk so much that memory forgets these rooms.
    Crowd,
    /// SIGTERM, and a new start.
    Stop,
    /// SIGKILL, and a new start.
    Kill,
}

/// Those that change what others may do or see, and leave everybody a way in.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    Rename(u8),
    Quiet(bool),
    /// For an hour, or no longer.
    Mute {
        whom: usize,
        on: bool,
    },
    Appoint {
        whom: usize,
        on: bool,
    },
    Kick {
        whom: usize,
    },
    Wipe {
        whom: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Way {
    Newest,
    After { back: u64 },
    Before { back: u64 },
}

/// What happens to a server in which share of a hundred commands.
#[derive(Clone, Copy)]
pub struct Events {
    pub restarts: u32,
    pub crowds: u32,
}

pub fn commands(events: Events) -> impl Strategy<Value = Vec<Command>> {
    let Events { restarts, crowds } = events;
    let restart = prop_oneof![Just(Command::Stop), Just(Command::Kill)];
    let command = prop_oneof![
        100 - restarts - crowds => command(),
        restarts => restart,
        crowds => Just(Command::Crowd),
    ];
    vec(command, 1..60)
}

fn command() -> impl Strategy<Value = Command> {
    use Command::*;
    let who = || 0..CLIENTS;
    let room = || prop_oneof![3 => Just(0), 1 => Just(1)];
    let slot = || 0..SLOTS;
    let via = || prop_oneof![Just(Via::Http), slot().prop_map(Via::Socket)];
    // Rather a late one: what is edited is mostly what was just said.
    let which = || prop_oneof![2 => 0..4usize, 1 => 0..40usize];
    let by = || prop_oneof![3 => Just(None), 1 => who().prop_map(Some)];
    let text = || 0..20u8;
    let v = || prop_oneof![1 => Just(0), 2 => Just(1)];
    let limit = || prop_oneof![1..5usize, Just(200)];
    let back = || 0..25u64;
    let send = (who(), room(), via(), prop::bool::weighted(0.2), text());
    let again = (
        which(),
        by(),
        prop::option::weighted(0.1, room()),
        prop::option::weighted(0.2, text()),
        via(),
        prop::bool::weighted(0.1),
    );
    let edit = (which(), by(), slot(), prop::option::weighted(0.8, text()));
    let way = prop_oneof![
        Just(Way::Newest),
        back().prop_map(|back| Way::After { back }),
        back().prop_map(|back| Way::Before { back }),
    ];
    let whom = who;
    let power = prop_oneof![
        1 => (0..3u8).prop_map(Power::Rename),
        2 => prop::bool::weighted(0.3).prop_map(Power::Quiet),
        2 => (whom(), prop::bool::weighted(0.4)).prop_map(|(whom, on)| Power::Mute { whom, on }),
        2 => (whom(), any::<bool>()).prop_map(|(whom, on)| Power::Appoint { whom, on }),
        1 => whom().prop_map(|whom| Power::Kick { whom }),
        1 => whom().prop_map(|whom| Power::Wipe { whom }),
    ];
    // Mostly by who is an owner: client 0 made the first room, client 1 the second.
    let act = prop_oneof![
        3 => room().prop_map(|room| (room, room)),
        1 => (who(), room()),
    ];
    prop_oneof![
        5 => (act, via(), power).prop_map(|((who, room), via, power)| {
            Owner { who, room, via, power }
        }),
        12 => send.prop_map(|(who, room, via, lost, text)| Send { who, room, via, lost, text }),
        1 => (who(), room(), text()).prop_map(|(who, room, text)| {
            Send { who, room, via: Via::Plain, lost: false, text }
        }),
        2 => room().prop_map(|room| Burst { room }),
        5 => again.prop_map(|(which, by, room, text, via, upper)| {
            Again { which, by, room, text, via, upper }
        }),
        7 => edit.prop_map(|(which, by, slot, text)| Edit { which, by, slot, text }),
        4 => (which(), by(), slot()).prop_map(|(which, by, slot)| Delete { which, by, slot }),
        5 => (who(), room(), v()).prop_map(|(who, room, v)| Drain { who, room, v }),
        4 => (who(), room(), back(), limit(), v()).prop_map(|(who, room, back, limit, v)| {
            Fetch { who, room, back, limit, v }
        }),
        3 => (who(), room(), way, limit(), via()).prop_map(|(who, room, way, limit, via)| {
            Page { who, room, way, limit, via }
        }),
        2 => (who(), room(), via()).prop_map(|(who, room, via)| Leave { who, room, via }),
        3 => (who(), room(), via()).prop_map(|(who, room, via)| Join { who, room, via }),
        6 => (who(), slot(), v(), prop::bool::weighted(0.8)).prop_map(|(who, slot, v, resume)| {
            Connect { who, slot, v, resume }
        }),
        2 => (who(), slot()).prop_map(|(who, slot)| Drop { who, slot }),
        8 => (who(), slot()).prop_map(|(who, slot)| Listen { who, slot }),
    ]
}
