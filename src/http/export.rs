//! `GET /rooms/:id/export`: all of a room for one of its owners, made while it is written.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::accounts::answered;
use super::{Served, Site, bearer, field, lang, room_of};
use crate::clock;
use crate::door::{Answer, Request, header};
use crate::hub::{Hub, Owned};
use crate::model::*;
use crate::secrets::hash_token;
use crate::store::Span;
use crate::wire::export::{self, Format, Opening, Stay, Write};

/// What one piece is made of: so much is in memory for each export, however large the room.
const PIECE_ENTRIES: usize = 200;
const PIECE_BYTES: usize = 64 * 1024;
/// Small bits are gathered up to here: a write each would cost more than they do.
const PIECE_FULL: usize = 16 * 1024;
/// Stays of somebody who comes and goes all day, in one piece.
const PIECE_STAYS: usize = 200;

impl Site {
    pub(super) fn export<'a>(&'a self, request: &Request, id: &str) -> Served<'a> {
        let lang = lang(request, self.lang);
        let begin = || {
            let token = bearer(request).ok_or(Refusal::TokenRequired)?;
            let user = self.calls.bearer(token)?;
            let owned = self.calls.hub.owned(room_of(id)?, user.no)?;
            let wanted = field(request, "format").unwrap_or("json".into());
            let format = Format::of(&wanted).ok_or(Refusal::BadField {
                field: "format",
                want: Want::Format,
            })?;
            Ok(((user.no, hash_token(token)), owned, format))
        };
        let ((user, token), owned, format) = match begin() {
            Ok(begun) => begun,
            Err(refusal) => return answered(request, false, Err(refusal)).into(),
        };
        self.note_presence();
        let now = clock::now();
        let policy = format!("{}; frame-ancestors 'none'; sandbox", export::POLICY);
        let head = Answer::from_data("")
            .with_header(header("Content-Type", format.content_type()))
            .with_header(header(
                "Content-Disposition",
                &export::disposition(&owned.room, format, now),
            ))
            .with_header(header("Cache-Control", "no-store"))
            .with_header(header("Content-Security-Policy", &policy));
        let mut export = Export {
            hub: &self.calls.hub,
            user,
            token,
            owned,
            now,
            lang,
            writer: format.writer(lang),
            stage: Stage::Opening,
        };
        let pieces = Box::new(move || {
            export.piece().map_err(|refusal| {
                log::warn!(
                    "an export of room {} broke off: {refusal:?}",
                    export.room().0
                );
                io::Error::other("an export that cannot go on")
            })
        });
        Served {
            pieces: Some(pieces),
            ..Served::from(head)
        }
    }

    /// So that who came or went a moment ago is in the attendance. If the disk does not take it
    /// now, what it has is exported all the same.
    fn note_presence(&self) {
        let note = self.calls.hub.take_note(clock::now(), false);
        let noted = self.calls.desk.ask(Act::Note(note.clone()));
        if noted == Err(Refusal::Busy) {
            self.calls.hub.give_back_note(&note);
        }
    }
}

/// An export on its way.
struct Export<'a> {
    hub: &'a Hub,
    user: UserNo,
    token: TokenHash,
    /// As it was when the export began: it ends at the place that was the last one then.
    owned: Owned,
    now: Nanos,
    lang: Lang,
    writer: Box<dyn Write>,
    stage: Stage,
}

enum Stage {
    Opening,
    /// Entries up to this place are written.
    Entries(Place),
    Comings(Comings),
    /// Who is in it to the end, the next last.
    Members(Vec<Presence>),
    /// Of one who was in the room; then on with that stage.
    Presence(Presence, Box<Stage>),
    Done,
}

/// Who came and who left, from the first.
#[derive(Default)]
struct Comings {
    /// Read up to there.
    upto: Place,
    /// Read but not looked at. At most `PIECE_ENTRIES`.
    ahead: VecDeque<Arc<Entry>>,
    /// Who is in the room there, by what name and since when. Never more than a room has members.
    inside: HashMap<UserNo, (Arc<str>, Nanos)>,
}

/// Somebody was in a room, and may have been there.
struct Presence {
    user: UserNo,
    name: Arc<str>,
    /// None: that was too long ago to be known.
    joined: Option<Nanos>,
    /// None: still is in it.
    left: Option<Nanos>,
    /// What began up to then is written.
    came: Nanos,
    /// Something of it was.
    seen: bool,
}

impl Presence {
    fn new(user: UserNo, name: Arc<str>, joined: Option<Nanos>, left: Option<Nanos>) -> Presence {
        Presence {
            user,
            name,
            joined,
            left,
            came: Nanos::MIN,
            seen: false,
        }
    }
}

impl Export<'_> {
    fn room(&self) -> RoomNo {
        self.owned.room.no
    }

    /// The next piece, never empty.
    fn piece(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let mut out = String::new();
        while out.len() < PIECE_FULL && !matches!(self.stage, Stage::Done) {
            // Whoever is no longer an owner, or has logged out, gets no more of it.
            self.hub.still_owned(self.room(), self.user, self.token)?;
            self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Opening => self.opening(&mut out),
                Stage::Entries(after) => self.entries(&mut out, after)?,
                Stage::Comings(comings) => self.comings(comings)?,
                Stage::Members(mut left) => match left.pop() {
                    Some(next) => Stage::Presence(next, Box::new(Stage::Members(left))),
                    None => {
                        self.writer.close(&mut out);
                        Stage::Done
                    }
                },
                Stage::Presence(who, then) => self.presence(&mut out, who, then)?,
                Stage::Done => Stage::Done,
            };
        }
        Ok((!out.is_empty()).then(|| out.into_bytes()))
    }

    fn opening(&mut self, out: &mut String) -> Stage {
        let opening = Opening {
            room: &self.owned.room,
            floor: self.owned.floor,
            now: self.now,
        };
        self.writer.open(out, &opening);
        Stage::Entries(0)
    }

    fn entries(&mut self, out: &mut String, after: Place) -> Result<Stage, Refusal> {
        let last = self.owned.room.last;
        let span = Span::After(after);
        let page = self
            .hub
            .page_within(self.room(), span, PIECE_ENTRIES, PIECE_BYTES)?;
        for entry in page.entries.iter().take_while(|entry| entry.at <= last) {
            if let Some(line) = export::line(entry, self.lang) {
                self.writer.line(out, &line);
            }
        }
        if page.next < last && page.next > after {
            return Ok(Stage::Entries(page.next));
        }
        self.writer.turn(out);
        Ok(Stage::Comings(Comings::default()))
    }

    fn comings(&self, mut comings: Comings) -> Result<Stage, Refusal> {
        let last = self.owned.room.last;
        while let Some(entry) = comings.ahead.pop_front() {
            let (user, name) = (entry.user, entry.name.clone());
            match entry.body {
                Body::Joined { .. } => {
                    comings.inside.insert(user, (name, entry.sent));
                }
                Body::Left { .. } => {
                    let joined = comings.inside.remove(&user).map(|(_, joined)| joined);
                    let who = Presence::new(user, name, joined, Some(entry.sent));
                    return Ok(Stage::Presence(who, Box::new(Stage::Comings(comings))));
                }
                _ => {}
            }
        }
        let span = (comings.upto, last);
        let more = self.hub.comings(self.room(), span, PIECE_ENTRIES)?;
        if let Some(end) = more.last() {
            comings.upto = end.at;
            comings.ahead = more.into();
            return Ok(Stage::Comings(comings));
        }
        let seats = self.hub.seats(self.room())?;
        let here = seats.into_iter().rev().filter(|(at, ..)| *at <= last);
        let members = here.map(|(_, user, name)| {
            let joined = comings.inside.get(&user).map(|(_, joined)| *joined);
            Presence::new(user, name, joined, None)
        });
        Ok(Stage::Members(members.collect()))
    }

    /// When somebody was there while it was in the room.
    fn presence(
        &mut self,
        out: &mut String,
        mut who: Presence,
        then: Box<Stage>,
    ) -> Result<Stage, Refusal> {
        let joined = who.joined.unwrap_or(Nanos::MIN);
        let span = (joined, who.left.unwrap_or(Nanos::MAX));
        let stays = self.hub.presence(who.user, span, who.came, PIECE_STAYS)?;
        for (came, went) in &stays {
            let stay = Stay {
                user: who.user,
                name: &who.name,
                from: joined.max(*came),
                to: match (*went, who.left) {
                    (Some(went), Some(left)) => Some(went.min(left)),
                    (went, left) => went.or(left),
                },
            };
            self.writer.stay(out, &stay);
        }
        who.seen |= !stays.is_empty();
        if let Some((came, _)) = stays.last() {
            who.came = *came;
            return Ok(Stage::Presence(who, then));
        }
        // Nobody joins without being there.
        if let (false, Some(joined)) = (who.seen, who.joined) {
            let stay = Stay {
                user: who.user,
                name: &who.name,
                from: joined,
                to: Some(joined),
            };
            self.writer.stay(out, &stay);
        }
        Ok(*then)
    }
}
