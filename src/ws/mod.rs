//! A thread per WebSocket: `auth`, then requests into commands.

mod line;

pub use line::{Next, Pipe, Reader, Talk, upgrade, upgrade_required};

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tungstenite::{Message, Utf8Bytes};

use crate::calls::{Calls, Join, Step};
use crate::clock;
use crate::door::{Conn, Request, network};
use crate::http::store_span;
use crate::hub::socket::{Close, Socket, text_frame};
use crate::hub::{Attached, CaughtUp, Waiter};
use crate::model::*;
use crate::secrets::hash_token;
use crate::store::Span;
use crate::wire::socket::{self as wire, Ask, Auth, Call, Incoming, Msg};
use crate::wire::{Lang, owner, refusal};

/// Attempts to say who one is.
const AUTH_ATTEMPTS: u32 = 5;
/// What is not a request, until the socket is closed: a client that does not learn.
const MAX_ERRORS: u32 = 10;
/// Requests of one socket that wait for the scribe. A client that sends faster than the disk
/// answers fills its own queue, not everybody's.
const MAX_UNANSWERED: usize = 32;
/// One page of the past, in memory and in the socket's queue, with room for what is live.
const PAGE_BYTES: usize = 128 * 1024;

/// One connection that asked for `/ws`, until it is over; `from` is who the limits count.
pub fn serve(calls: &Calls, conn: Conn, request: Request, from: IpAddr) {
    upgrade(conn, request, |socket, reader| {
        let seat = calls.hub.attach(socket);
        log::debug!("connected from {from}");
        reader.each(&mut Session {
            calls,
            socket,
            seat,
            from,
            who: None,
            attempts: 0,
            errors: 0,
            v: 0,
            behind: VecDeque::new(),
            glancing: false,
            kept: VecDeque::new(),
        });
        log::debug!("disconnected");
    });
}

struct Session<'a> {
    calls: &'a Calls,
    socket: &'a Arc<Socket>,
    seat: Attached<'a>,
    from: IpAddr,
    /// Once `auth` has succeeded.
    who: Option<UserNo>,
    attempts: u32,
    errors: u32,
    /// The version it speaks.
    v: u64,
    /// Rooms to catch up with, and after which place to go on.
    behind: VecDeque<(RoomNo, Place)>,
    /// What comes now comes while it catches up.
    glancing: bool,
    /// What was asked meanwhile: nothing is answered between what was missed. Pings are.
    kept: VecDeque<Utf8Bytes>,
}

impl Talk for Session<'_> {
    #[inline(never)]
    fn turn(&mut self) -> Next {
        self.glancing = !self.behind.is_empty();
        if self.glancing {
            self.catch_up();
            return match self.kept.len() < MAX_UNANSWERED {
                true => Next::Glance,
                false => Next::Skip,
            };
        }
        let Some(text) = self.kept.pop_front() else {
            return Next::Wait;
        };
        if !self.socket.is_closed() {
            self.frame(&text);
        }
        Next::Skip
    }

    #[inline(never)]
    fn take(&mut self, message: Message, pipe: &mut Pipe) -> Result<(), Close> {
        let Message::Text(text) = message else {
            return Err(Close::Binary);
        };
        if self.glancing {
            self.kept.push_back(text);
            return Ok(());
        }
        self.frame(&text);
        if self.who.is_some() {
            pipe.wait_for_good();
        }
        Ok(())
    }
}

impl Session<'_> {
    fn say(&self, frame: String) {
        self.socket.push(&text_frame(frame));
    }

    fn frame(&mut self, text: &str) {
        match (wire::parse(text), self.who) {
            (Incoming::Auth(auth), None) => self.auth(auth),
            (Incoming::Auth(auth), Some(_)) => {
                self.say(wire::auth_refused(
                    4,
                    "Already authenticated!",
                    auth.id.as_ref(),
                ));
            }
            (Incoming::Bad(why), _) => {
                self.say(wire::error(&why));
                self.errors += 1;
                if self.errors >= MAX_ERRORS {
                    self.socket.close(Close::TooManyErrors);
                }
            }
            (Incoming::Msg(_), None) => self.auth_failed(2, "Please login first!", None),
            (Incoming::Ask(ask), None) => {
                self.auth_failed(2, "Please login first!", ask.echo.id.as_ref());
            }
            (Incoming::Msg(msg), Some(who)) => self.msg(msg, who),
            (Incoming::Ask(ask), Some(who)) => self.ask(ask, who),
        }
    }

    fn auth(&mut self, auth: Auth) {
        let id = auth.id.as_ref();
        if auth.token.is_empty() {
            return self.auth_failed(2, "Please login first!", id);
        }
        let v = auth.v;
        // What came before the answer must have left before what comes after it is held.
        if !self.socket.wait_until_quiet() {
            return self.socket.close(Close::TooSlow);
        }
        self.socket.hold();
        let seated = self.calls.bearer(&auth.token).and_then(|user| {
            let token = hash_token(&auth.token);
            let resume = auth
                .resume
                .as_ref()
                .map_or(Ok(None), |r| r.clone().map(Some))?;
            let seated = self.seat.sit(
                user.no,
                token,
                v,
                resume.as_ref(),
                network(self.from),
                clock::now(),
            )?;
            Ok((user.no, seated))
        });
        match seated {
            Ok((me, seated)) => {
                let epoch = self.calls.hub.epoch();
                let greeting = wire::Greeting {
                    v,
                    epoch,
                    me,
                    rooms: &seated.rooms,
                    gone: &seated.gone,
                };
                let answer = wire::auth_ok((v > 0).then_some(&greeting), id);
                self.socket.release(text_frame(answer));
                self.who = Some(me);
                (self.behind, self.v) = (seated.behind.into(), v);
            }
            Err(Refusal::Banned) => self.auth_failed(3, "This user is banned!", id),
            Err(Refusal::NotConfirmed) => {
                self.auth_failed(9, "Not confirmed; try again in 1 s.", id);
            }
            Err(Refusal::Busy) => self.auth_failed(7, "The server is busy; try again in 1 s.", id),
            Err(why @ Refusal::BadField { .. }) => {
                self.auth_failed(2, &refusal::sentence(&why, Lang::En), id);
            }
            Err(_) => self.auth_failed(1, "Login status expired!", id),
        }
    }

    /// One page of what was missed, at the client's pace; once there is no more, the hub delivers.
    fn catch_up(&mut self) {
        let (Some((room, from)), Some(me)) = (self.behind.pop_front(), self.who) else {
            return;
        };
        if self.socket.is_closed() || self.seat.catch_up(room, from) == CaughtUp::Yes {
            return;
        }
        let hub = &self.calls.hub;
        let page = hub.page_within(room, Span::After(from), MAX_PAGE, PAGE_BYTES);
        let Some(page) = page.ok().filter(|page| page.complete) else {
            // Unreadable, or pruned meanwhile. The client comes back and resumes, and is told; a
            // silent gap would be worse.
            return self.socket.close(Close::TooSlow);
        };
        let end = self.seat.end_of(room).unwrap_or(Place::MAX);
        let heard = page
            .entries
            .iter()
            .filter(|e| e.at <= end && wire::is_for(e, me, self.v));
        let frames = heard.map(|e| text_frame(wire::frame(e, hub.lang())));
        let chunk: Vec<u8> = frames.flat_map(|frame| frame.to_vec()).collect();
        if !chunk.is_empty() {
            self.socket.push(&chunk.into());
        }
        if !self.socket.wait_until_quiet() {
            return self.socket.close(Close::TooSlow);
        }
        // A client that takes what it missed is there, though nothing was read from it.
        self.socket.hear();
        self.behind.push_front((room, page.next));
    }

    fn auth_failed(&mut self, code: u8, msg: &str, id: Option<&Value>) {
        let answer = text_frame(wire::auth_refused(code, msg, id));
        self.socket.hold();
        self.socket.release(answer);
        self.attempts += 1;
        if self.attempts >= AUTH_ATTEMPTS {
            self.socket.close(Close::NoAuth);
        }
    }

    fn msg(&self, msg: Msg, who: UserNo) {
        let (uuid, lang) = (msg.uuid.clone(), msg.lang);
        let outcome = msg.call.and_then(|say| {
            let room = self.calls.hub.sender(say.room, who, self.asked())?;
            let act = self
                .calls
                .say(room, who, Some(say.uuid), say.text, say.reply)?;
            self.submit(act, move |outcome| wire::send(&uuid, lang, outcome))
        });
        if let Err(refusal) = outcome {
            self.say(wire::send(&msg.uuid, lang, &Err(refusal)));
        }
    }

    /// Whether something that it asked for is not settled yet.
    fn asked(&self) -> bool {
        self.socket.unanswered() > 0
    }

    /// Hands in a command whose answer comes back in its place among the frames of the order.
    fn submit(
        &self,
        act: Act,
        frame: impl FnOnce(&Result<Reply, Refusal>) -> String + Send + 'static,
    ) -> Result<(), Refusal> {
        let Socket { owed, .. } = &**self.socket;
        // Counted before it looks: who stops the server sees either this one, or that it gave up.
        owed.fetch_add(1, Ordering::SeqCst);
        let before = self.socket.ask();
        let submitted = match before >= MAX_UNANSWERED || self.calls.hub.is_stopping() {
            true => Err(Refusal::Busy),
            false => {
                let waiter = Waiter::Socket(self.socket.clone(), Box::new(frame));
                self.calls.desk.submit(act, waiter)
            }
        };
        submitted.inspect_err(|_| {
            self.socket.answered();
            owed.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn ask(&self, ask: Ask, who: UserNo) {
        let echo = ask.echo.clone();
        let answered = ask.call.and_then(|call| self.call(call, who, ask.echo));
        match answered {
            Ok(Some(frame)) => self.say(frame),
            Ok(None) => {}
            Err(refusal) => self.say(wire::refused(&echo, &refusal)),
        }
    }

    /// The answer, unless it comes through the hub.
    fn call(&self, call: Call, who: UserNo, echo: wire::Echo) -> Result<Option<String>, Refusal> {
        let hub = &self.calls.hub;
        match call {
            Call::Ping => Ok(Some(wire::answer(&echo, ""))),
            Call::Members { room } => {
                let room = hub.member(room, who)?;
                Ok(Some(wire::answer(
                    &echo,
                    &wire::members_fields(&hub.view(room)?),
                )))
            }
            Call::Typing { room } => {
                hub.typing(hub.member(room, who)?, who)?;
                Ok(Some(wire::answer(&echo, "")))
            }
            Call::History { room, span, limit } => {
                let room = hub.member(room, who)?;
                // A page goes as the client takes it: one after the other, not all into the queue.
                if !self.socket.wait_until_quiet() {
                    self.socket.close(Close::TooSlow);
                    return Ok(None);
                }
                let page = hub.page_within(room, store_span(span), limit, PAGE_BYTES)?;
                let fields = format!(
                    r#","room":{},{}"#,
                    room.0,
                    wire::page_fields(&page, hub.lang())
                );
                Ok(Some(wire::answer(&echo, &fields)))
            }
            Call::Join {
                room,
                password,
                key,
                name,
            } => {
                let user = hub.user(who).ok_or(Refusal::BadToken)?;
                let join = Join {
                    room,
                    password: password.as_deref(),
                    key: key.as_deref(),
                    name,
                    request: None,
                    asked: self.asked(),
                    from: self.from,
                };
                let (act, _, _) = self.calls.join(Some(&user), join)?;
                let (no, hub) = (act.room(), hub.clone());
                self.settle_with(act, echo, move |_| {
                    let standing = hub.standing(no, who).unwrap_or_default();
                    owner::standing_fields(&standing)
                })
            }
            Call::Edit { room, uuid, text } => {
                let room = hub.sender(room, who, self.asked())?;
                let (user, recalled) = (who, None);
                let act = Act::Edit {
                    room,
                    user,
                    uuid,
                    text,
                    recalled,
                };
                self.settle(act, echo).map(|()| None)
            }
            Call::Delete { room, uuid } => {
                let room = hub.sender(room, who, self.asked())?;
                let (user, recalled) = (who, None);
                let act = Act::Delete {
                    room,
                    user,
                    uuid,
                    recalled,
                };
                self.settle(act, echo).map(|()| None)
            }
            Call::Owner { room, wish } => {
                let room = hub.member(room, who)?;
                let told = owner::act_fields(&wish);
                match self.calls.owner(room, who, wish, self.from)? {
                    Step::Done(fields) => {
                        let fields = format!(r#","room":{}{told}{fields}"#, room.0);
                        Ok(Some(wire::answer(&echo, &fields)))
                    }
                    Step::Do(act, fields) => {
                        self.settle_with(*act, echo, move |reply| told + &fields(reply))
                    }
                }
            }
            Call::Hand { room, on } => {
                let room = hub.member(room, who)?;
                hub.hand(room, who, on)?;
                let fields = format!(r#","room":{}{}"#, room.0, owner::hand_fields(on));
                Ok(Some(wire::answer(&echo, &fields)))
            }
            Call::Leave { room } => {
                let room = hub.leaver(room, who, self.asked())?;
                self.settle(Act::Leave { room, user: who }, echo)
                    .map(|()| None)
            }
        }
    }

    /// Hands in a command of ours; its answer names the room.
    fn settle(&self, act: Act, echo: wire::Echo) -> Result<(), Refusal> {
        self.settle_with(act, echo, |_| String::new()).map(drop)
    }

    /// The same with more fields, each with a comma before it. The answer comes through the hub.
    fn settle_with(
        &self,
        act: Act,
        echo: wire::Echo,
        fields: impl FnOnce(&Reply) -> String + Send + 'static,
    ) -> Result<Option<String>, Refusal> {
        let room = act.room().0;
        let answer = move |outcome: &Result<Reply, Refusal>| match outcome {
            Ok(reply) => {
                let fields = format!(r#","room":{room}{}"#, fields(reply));
                wire::answer(&echo, &fields)
            }
            Err(refusal) => wire::refused(&echo, refusal),
        };
        self.submit(act, answer).map(|()| None)
    }
}
