//! `GET /where`: what the page needs to begin.

use serde::Serialize;

use crate::model::{Lang, ListedRoom};

/// What a server says of itself.
pub struct Place<'a> {
    pub name: &'a str,
    pub lang: Lang,
    /// Nobody may make rooms.
    pub closed: bool,
    /// The best first.
    pub addresses: &'a [String],
    pub rooms: &'a [ListedRoom],
    /// There are more rooms than these.
    pub more: bool,
}

#[derive(Serialize)]
struct PlaceOut<'a> {
    name: &'a str,
    lang: &'a str,
    closed: bool,
    addresses: &'a [String],
    rooms: Vec<RoomOut<'a>>,
    more: bool,
    version: &'a str,
}

#[derive(Serialize)]
struct RoomOut<'a> {
    id: i64,
    name: &'a str,
    password: bool,
    locked: bool,
    members: usize,
}

pub fn place(place: &Place) -> String {
    let rooms = place.rooms.iter().map(|room| RoomOut {
        id: room.no.0,
        name: &room.name,
        password: room.password,
        locked: room.locked,
        members: room.members,
    });
    let out = PlaceOut {
        name: place.name,
        lang: match place.lang {
            Lang::Zh => "zh",
            Lang::En => "en",
        },
        closed: place.closed,
        addresses: place.addresses,
        rooms: rooms.collect(),
        more: place.more,
        version: env!("CARGO_PKG_VERSION"),
    };
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(&out).unwrap_or_default()
}
