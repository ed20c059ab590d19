//! Accounts and rooms by number (PROTOCOL.md, Accounts): one function a call.

use super::{Site, bearer, field, json, lang, number, refused, room_of};
use crate::calls::{Create, Join};
use crate::door::{Answer, Conn, Request};
use crate::model::*;
use crate::store::Span;
use crate::wire::Lang;
use crate::wire::accounts as wire;
use crate::wire::fields::{Fields, need};
use crate::wire::socket::{HistorySpan, history_limit, history_span};

pub(super) fn answered(request: &Request, login: bool, outcome: Result<Answer, Refusal>) -> Answer {
    outcome.unwrap_or_else(|refusal| {
        let lang = lang(request, Lang::En);
        refused(&refusal, wire::failure(&refusal, lang, login))
    })
}

/// The token that a call shows, in its header or its body.
pub(super) fn shown<'a>(request: &'a Request, body: Option<&'a str>) -> Result<&'a str, Refusal> {
    bearer(request).or(body).ok_or(Refusal::TokenRequired)
}

impl Site {
    pub(super) fn register(&self, conn: &Conn, request: &Request) -> Answer {
        let register = || {
            let body = wire::credentials(&Fields::parse(&request.body)?)?;
            let from = self.from(conn, request);
            self.newcomers.may_register(from)?;
            self.calls.register(body.username, &body.password, from)?;
            Ok(json(201, wire::ok()))
        };
        answered(request, false, register())
    }

    pub(super) fn login(&self, conn: &Conn, request: &Request) -> Answer {
        let login = || {
            let body = wire::credentials(&Fields::parse(&request.body)?)?;
            let from = self.from(conn, request);
            let (token, user) = self.calls.login(&body.username, &body.password, from)?;
            Ok(json(200, wire::logged_in(&token, &user)))
        };
        answered(request, true, login())
    }

    pub(super) fn logout(&self, request: &Request) -> Answer {
        let logout = || {
            let body = match request.body.as_slice() {
                [] => None,
                bytes => Fields::parse(bytes)?.text("token")?.map(str::to_owned),
            };
            self.calls.logout(shown(request, body.as_deref())?)?;
            Ok(json(200, wire::ok()))
        };
        answered(request, false, logout())
    }

    pub(super) fn user(&self, request: &Request, id: &str) -> Answer {
        let user = || {
            let found = match room_of(id).map_err(|_| Refusal::NoSuchUser)? {
                RoomRef::Id(id) => self.calls.hub.user_by_id(id),
                // Somebody who left is still named by messages.
                RoomRef::No(RoomNo(no)) => self.calls.hub.anybody(UserNo(no))?,
            };
            Ok(json(200, wire::user(&found.ok_or(Refusal::NoSuchUser)?)))
        };
        answered(request, false, user())
    }

    pub(super) fn make_room(&self, conn: &Conn, request: &Request) -> Answer {
        let make = || {
            let body = wire::room(&Fields::parse(&request.body)?)?;
            let user = self.calls.bearer(shown(request, body.token.as_deref())?)?;
            let name = need(body.name, "name", Want::Text)?;
            let password = body.password.as_deref();
            let from = self.from(conn, request);
            self.newcomers.may_make_room(from)?;
            let create = Create {
                name: Some(name),
                password,
                listed: true,
                user_name: None,
                request: None,
                from,
            };
            let taken = self.calls.create(Some(&user), create)?;
            let key = taken.owner_key.unwrap_or_default();
            Ok(json(201, wire::room_made(taken.room, &key)))
        };
        answered(request, false, make())
    }

    pub(super) fn join_room(&self, conn: &Conn, request: &Request, id: &str) -> Answer {
        let join = || {
            let body = wire::room(&Fields::parse(&request.body)?)?;
            let user = self.calls.bearer(shown(request, body.token.as_deref())?)?;
            let join = Join {
                room: room_of(id)?,
                password: body.password.as_deref(),
                key: body.key.as_deref(),
                name: body.name,
                request: None,
                asked: false,
                from: self.from(conn, request),
            };
            self.calls.take_seat(Some(&user), join)?;
            Ok(json(201, wire::ok()))
        };
        answered(request, false, join())
    }

    /// Listed rooms, and any by its id, for everybody; others for their members only: numbers can
    /// be guessed.
    pub(super) fn room(&self, request: &Request, id: &str) -> Answer {
        let room = || {
            let by = room_of(id)?;
            let (room, listed) = self.calls.hub.find(by).ok_or(Refusal::NoSuchRoom)?;
            if !listed && matches!(by, RoomRef::No(_)) {
                let token = bearer(request).ok_or(Refusal::NoSuchRoom)?;
                let user = self.calls.bearer(token)?;
                self.calls
                    .hub
                    .member(by, user.no)
                    .map_err(|_| Refusal::NoSuchRoom)?;
            }
            Ok(json(200, wire::room_shown(&room)))
        };
        answered(request, false, room())
    }

    pub(super) fn my_rooms(&self, request: &Request) -> Answer {
        let rooms = || {
            let user = self.calls.bearer(shown(request, None)?)?;
            Ok(json(200, wire::rooms(&self.calls.hub.rooms_of(user.no))))
        };
        answered(request, false, rooms())
    }

    pub(super) fn messages(&self, request: &Request, id: &str) -> Answer {
        let messages = || {
            let user = self.calls.bearer(shown(request, None)?)?;
            let room = self.calls.hub.member(room_of(id)?, user.no)?;
            let span = history_span(number(request, "after")?, number(request, "before")?)?;
            let limit = history_limit(number(request, "limit")?)?;
            let page = self.calls.hub.page(room, store_span(span), limit)?;
            Ok(json(
                200,
                wire::messages(&page, lang(request, self.calls.hub.lang())),
            ))
        };
        answered(request, false, messages())
    }

    /// Newest first, from before `before`; `next` goes on, with or without a hit.
    pub(super) fn search(&self, request: &Request, id: &str) -> Answer {
        let search = || {
            let user = self.calls.bearer(shown(request, None)?)?;
            let room = self.calls.hub.member(room_of(id)?, user.no)?;
            let text = field(request, "q").filter(|q| !q.trim().is_empty());
            let text = need(text, "q", Want::Text)?;
            let before = number(request, "before")?.unwrap_or(Place::MAX);
            let limit = history_limit(number(request, "limit")?)?;
            let page = self.calls.hub.search(room, user.no, before, &text, limit)?;
            Ok(json(
                200,
                wire::messages(&page, lang(request, self.calls.hub.lang())),
            ))
        };
        answered(request, false, search())
    }
}

pub fn store_span(span: HistorySpan) -> Span {
    match span {
        HistorySpan::Newest => Span::Newest,
        HistorySpan::After(place) => Span::After(place),
        HistorySpan::Before(place) => Span::Before(place),
    }
}
