//! The HTTP room API (first document): one function a call.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Served, Site, bearer, json, lang, refused};
use crate::calls::{Create, Join, Taken};
use crate::door::{Answer, Conn, Request};
use crate::hub::Caller;
use crate::hub::live::Bell;
use crate::model::*;
use crate::wire::Lang;
use crate::wire::fields::Fields;
use crate::wire::room_api::{self as wire, Call, Common, FetchBody};

/// A waiting fetch looks this often whether its client is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A call on its way: who asks, and how the answer is to be written.
struct Asked<'a> {
    conn: &'a Conn,
    /// Where it came from.
    from: IpAddr,
    body: Fields<'static>,
    token: Option<String>,
    lang: Lang,
    v: Option<u64>,
}

impl Site {
    pub(super) fn room_api(&self, conn: &Conn, request: &Request, call: Call) -> Served<'_> {
        let lang = lang(request, self.lang);
        let failed =
            |refusal: Refusal, v| Served::from(refused(&refusal, wire::failure(&refusal, lang, v)));
        let read = || {
            let body = Fields::parse(&request.body)?;
            let common = wire::common(&body)?;
            Ok((body, common))
        };
        let (body, Common { v, token }) = match read() {
            Ok(read) => read,
            Err(refusal) => return failed(refusal, None),
        };
        let token = bearer(request).map(str::to_owned).or(token);
        let asked = Asked {
            conn,
            from: self.from(conn, request),
            body,
            token,
            lang,
            v,
        };
        let served = match call {
            Call::Create => self.create(&asked).map(Served::from),
            Call::Join => self.join(&asked).map(Served::from),
            Call::Send => self.send(&asked).map(Served::from),
            Call::Fetch => self.fetch(&asked),
            Call::Leave => self.leave(&asked).map(Served::from),
            Call::Heartbeat => self.heartbeat(&asked).map(Served::from),
        };
        served.unwrap_or_else(|refusal| failed(refusal, v))
    }

    fn known(&self, asked: &Asked) -> Result<Option<User>, Refusal> {
        asked
            .token
            .as_deref()
            .map(|token| self.calls.bearer(token))
            .transpose()
    }

    fn caller(&self, asked: &Asked) -> Result<Caller, Refusal> {
        let seat = wire::seat(&asked.body)?;
        self.calls
            .caller(seat.room, seat.user, asked.token.as_deref(), asked.from)
    }

    fn create(&self, asked: &Asked) -> Result<Answer, Refusal> {
        let body = wire::create(&asked.body)?;
        let user = self.known(asked)?;
        self.newcomers.may_make_room(asked.from)?;
        let taken = self.calls.create(
            user.as_ref(),
            Create {
                name: body.room_name,
                password: body.room_password.as_deref(),
                listed: body.listed,
                user_name: body.user_name,
                request: body.request,
                from: asked.from,
            },
        )?;
        self.seated(Call::Create, asked, taken, body.room_password)
    }

    fn join(&self, asked: &Asked) -> Result<Answer, Refusal> {
        let body = wire::join(&asked.body)?;
        let user = self.known(asked)?;
        let join = Join {
            room: body.room,
            password: body.room_password.as_deref(),
            key: body.key.as_deref(),
            name: body.user_name,
            request: body.request,
            asked: false,
            from: asked.from,
        };
        let taken = self.calls.take_seat(user.as_ref(), join)?;
        self.seated(Call::Join, asked, taken, body.room_password)
    }

    fn seated(
        &self,
        call: Call,
        asked: &Asked,
        taken: Taken,
        password: Option<String>,
    ) -> Result<Answer, Refusal> {
        let room = self.calls.hub.view(taken.room)?;
        let me = room
            .members
            .iter()
            .find(|m| m.no == taken.user)
            .ok_or(Refusal::NotMember)?;
        let own = self.calls.hub.joined_entry(taken.room, taken.user).ok();
        let seated = wire::Seated {
            room: &room,
            me,
            own: own.as_deref(),
            password: password
                .as_deref()
                .filter(|_| taken.proved)
                .unwrap_or_default(),
            // Whoever showed a token keeps it.
            token: taken.token.as_deref().or(asked.token.as_deref()),
            owner_key: taken.owner_key.as_deref(),
        };
        Ok(json(200, wire::seated(call, asked.lang, asked.v, &seated)))
    }

    fn send(&self, asked: &Asked) -> Result<Answer, Refusal> {
        let seat = wire::seat(&asked.body)?;
        let body = wire::send(&asked.body, seat.user)?;
        let caller = self
            .calls
            .caller(seat.room, seat.user, asked.token.as_deref(), asked.from)?;
        self.calls.hub.may_send(caller.room, caller.user)?;
        let act = self
            .calls
            .say(caller.room, caller.user, body.uuid, body.text, body.reply)?;
        let reply = self.calls.desk.ask(act).map_err(|refusal| match refusal {
            // As it is called here.
            Refusal::BadField {
                field: "reply",
                want,
            } => Refusal::BadField {
                field: "message.reply",
                want,
            },
            other => other,
        })?;
        let text = match (asked.body.object("message")?.raw("uuid"), reply) {
            (Some(uuid), Reply::Said { at, sent }) => {
                wire::said(asked.lang, asked.v, uuid, at, sent)
            }
            _ => wire::success(Call::Send, asked.lang, asked.v),
        };
        Ok(json(200, text))
    }

    fn leave(&self, asked: &Asked) -> Result<Answer, Refusal> {
        let Caller { room, user, .. } = self.caller(asked)?;
        self.calls.desk.ask(Act::Leave { room, user })?;
        Ok(json(200, wire::success(Call::Leave, asked.lang, asked.v)))
    }

    fn heartbeat(&self, asked: &Asked) -> Result<Answer, Refusal> {
        self.caller(asked)?;
        Ok(json(
            200,
            wire::success(Call::Heartbeat, asked.lang, asked.v),
        ))
    }

    fn fetch(&self, asked: &Asked) -> Result<Served<'_>, Refusal> {
        let body = wire::fetch(&asked.body)?;
        let caller = self.caller(asked)?;
        let hub = &self.calls.hub;
        let until = Instant::now() + Duration::from_secs(body.wait);
        let number = hub.begin_fetch(caller);
        if body.wait == 0 {
            return Ok(self.fetched(asked, caller, &body)?.0);
        }
        loop {
            // Listens before it looks, so that nothing slips in between.
            let bell = Arc::new(Bell::default());
            if !hub.still_fetching(caller, number, &bell) {
                return self.nothing(asked, caller, &body);
            }
            let (served, empty) = self.fetched(asked, caller, &body)?;
            let left = until.saturating_duration_since(Instant::now());
            if !empty || left.is_zero() || asked.conn.stopping() {
                return Ok(served);
            }
            drop(served);
            bell.wait(left.min(LOOK_EVERY));
            // Who waits is there; who left meanwhile is told in the next turn.
            let _ = hub.member(RoomRef::No(caller.room), caller.user);
            if asked.conn.gone() {
                // What has just come must not be handed to nobody.
                return self.nothing(asked, caller, &body);
            }
        }
    }

    /// One look, and whether there was nothing.
    fn fetched(
        &self,
        asked: &Asked,
        caller: Caller,
        body: &FetchBody,
    ) -> Result<(Served<'_>, bool), Refusal> {
        let hub = &self.calls.hub;
        if let Some(after) = body.after {
            let limit = body.limit.unwrap_or(wire::DEFAULT_FETCH);
            let page = hub.fetch_after(caller, after, body.epoch.as_deref(), limit)?;
            let shown = page.entries.iter().any(|e| wire::shows(e, asked.v));
            let empty = !shown && !page.more && page.complete;
            let text = wire::fetched(asked.lang, asked.v, &page, Some(hub.epoch()));
            return Ok((json(200, text).into(), empty));
        }
        let mut drain = hub.drain(caller, body.limit.unwrap_or(MAX_FETCH), |e| {
            wire::shows(e, asked.v)
        })?;
        let entries = drain
            .as_mut()
            .map(|d| std::mem::take(&mut d.entries))
            .unwrap_or_default();
        let page = Page {
            entries,
            ..Page::default()
        };
        let answer = json(200, wire::fetched(asked.lang, asked.v, &page, None));
        let empty = drain.is_none();
        let served = Served {
            drain,
            ..Served::from(answer)
        };
        Ok((served, empty))
    }

    /// The end of a wait that a newer fetch of the same user, or the client's going, has ended.
    fn nothing(
        &self,
        asked: &Asked,
        caller: Caller,
        body: &FetchBody,
    ) -> Result<Served<'_>, Refusal> {
        // Still a member, or the end has another reason, which is said.
        self.calls
            .hub
            .member(RoomRef::No(caller.room), caller.user)?;
        let page = Page {
            next: body.after.unwrap_or(0),
            complete: true,
            ..Page::default()
        };
        let epoch = body.after.map(|_| self.calls.hub.epoch());
        Ok(json(200, wire::fetched(asked.lang, asked.v, &page, epoch)).into())
    }
}
