//! The twins of the socket's `owner` and `hand` (PROTOCOL.md, Owners).

use super::accounts::{answered, shown};
use super::{Site, json, room_of};
use crate::calls::Step;
use crate::door::{Answer, Conn, Request};
use crate::wire::fields::Fields;
use crate::wire::owner as wire;

impl Site {
    pub(super) fn owner(&self, conn: &Conn, request: &Request, id: &str) -> Answer {
        let owner = || {
            let user = self.calls.bearer(shown(request, None)?)?;
            let wish = wire::wish(&Fields::parse(&request.body)?)?;
            let room = self.calls.hub.member(room_of(id)?, user.no)?;
            let from = self.from(conn, request);
            let act = wire::act_fields(&wish);
            let fields = match self.calls.owner(room, user.no, wish, from)? {
                Step::Done(fields) => fields,
                Step::Do(act, fields) => fields(&self.calls.desk.ask(*act)?),
            };
            Ok(json(200, wire::answer(&(act + &fields))))
        };
        answered(request, false, owner())
    }

    pub(super) fn hand(&self, request: &Request, id: &str) -> Answer {
        let hand = || {
            let user = self.calls.bearer(shown(request, None)?)?;
            let on = wire::on(&Fields::parse(&request.body)?)?;
            let room = self.calls.hub.member(room_of(id)?, user.no)?;
            self.calls.hub.hand(room, user.no, on)?;
            Ok(json(200, wire::answer(&wire::hand_fields(on))))
        };
        answered(request, false, hand())
    }
}
