//! Finding it: `GET /where` and `GET /qr.svg`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Site, field, json, lang, page, refused, room_of};
use crate::door::{Answer, Request, header};
use crate::hub::Hub;
use crate::model::{ListedRoom, Refusal};
use crate::qr;
use crate::wire::{place, room_api};

/// Rooms shown to who stands before the door: a screen or two. Others are joined by their number.
const MAX_SHOWN: usize = 100;

/// How old the list of rooms may be: it is looked for among all rooms, under the lock that every
/// message takes, and anybody may ask for it.
const FRESH: Duration = Duration::from_secs(1);

/// The listed rooms, not looked for at each request.
#[derive(Default)]
pub struct Listing(Mutex<Option<(Instant, Shown)>>);

/// The first of them, and whether there are more.
type Shown = (Vec<ListedRoom>, bool);

impl Listing {
    fn rooms(&self, hub: &Hub) -> Shown {
        // Whole after each step, so a poisoned one is still right.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some((at, shown)) if at.elapsed() < FRESH => shown.clone(),
            _ => {
                let shown = hub.listed(MAX_SHOWN);
                *kept = Some((Instant::now(), shown.clone()));
                shown
            }
        }
    }
}

impl Site {
    pub(super) fn place(&self) -> Answer {
        let (rooms, more) = self.listing.rooms(&self.calls.hub);
        let place = place::Place {
            name: &self.name,
            lang: self.lang,
            closed: self.closed,
            addresses: &self.reach.urls(),
            rooms: &rooms,
            more,
        };
        json(200, place::place(&place))
    }

    /// Draws addresses of this server and of its rooms only: nobody gets a code from here that
    /// leads elsewhere, or nowhere.
    pub(super) fn qr(&self, request: &Request) -> Answer {
        let text = field(request, "text").unwrap_or_default();
        if text.is_empty() || text.len() > qr::MAX_BYTES {
            let most = qr::MAX_BYTES;
            let sentences = [
                format!("text 应为本服务器的地址，1 到 {most} 个字节，例如 /qr.svg?text={EXAMPLE}"),
                format!(
                    "text must be an address of this server, of 1 to {most} bytes, such as \
                     /qr.svg?text={EXAMPLE}"
                ),
            ];
            return self.refuse_in(request, 400, sentences);
        }
        if !self.reach.leads_here(&text, page::host(request)) {
            let sentences = [
                "只为本服务器的页面生成二维码：http://HOST:PORT/ 或 http://HOST:PORT/#/room/7"
                    .into(),
                "Only links to this server's page are drawn: http://HOST:PORT/ or \
                 http://HOST:PORT/#/room/7."
                    .into(),
            ];
            return self.refuse_in(request, 403, sentences);
        }
        if room_in(&text).is_some_and(|room| !self.has(room)) {
            let refusal = Refusal::NoSuchRoom;
            let failure = room_api::failure(&refusal, lang(request, self.lang), None);
            return refused(&refusal, failure);
        }
        match qr::svg(&text) {
            Some(svg) => Answer::from_string(svg)
                .with_header(header("Content-Type", "image/svg+xml"))
                // The link may hold an owner's key.
                .with_header(header("Cache-Control", "no-store"))
                .with_header(header("Content-Security-Policy", "default-src 'none'")),
            // As long as `MAX_BYTES` is less than a code can hold, this does not happen.
            None => self.refuse_in(request, 400, ["太长".into(), "It is too long.".into()]),
        }
    }

    /// Whether there is a room of this name in a link: its number, or its `roomId`.
    fn has(&self, room: &str) -> bool {
        room_of(room).is_ok_and(|room| self.calls.hub.find(room).is_some())
    }
}

/// What a link into the page calls the room: what stands before `/board` or `?owner=KEY`.
fn room_in(link: &str) -> Option<&str> {
    let (_, inside) = link.split_once("#/room/")?;
    inside.split(['/', '?']).next()
}

const EXAMPLE: &str = "http%3A%2F%2F192.168.1.5%3A8080%2F%23%2Froom%2F7";
