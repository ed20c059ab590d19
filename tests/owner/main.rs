//! The teacher's powers, from outside: what each does, who sees it, who may not, and what is left of
//! it after a restart.

#[path = "../support/mod.rs"]
mod support;

mod claiming;
mod closing;
mod flags;
mod hands;
mod kicking;
mod older;
mod powers;
mod refusals;
mod silencing;
mod wiping;

use serde_json::{Value, json};
use support::{Guest, Http, Server, Ws, create, join_as};

fn server() -> Server {
    Server::start(&["--user-rate", "0", "--room-rate", "0"])
}

/// A teacher with a room and its owner key, and a pupil in it. Both show their tokens.
struct Class {
    server: Server,
    teacher: Guest,
    key: String,
    bob: Guest,
}

fn class() -> Class {
    class_on(server())
}

fn class_on(server: Server) -> Class {
    let http = server.client();
    let body = json!({"userName":"Ada","roomName":"Physics"});
    let made = http.post("/room/create", body).data();
    let key = made["ownerKey"].as_str().expect("an owner key").to_string();
    let teacher = Guest::from(&http, &made).with_token();
    let bob = join_named(&http, &teacher, "Bob").with_token();
    Class {
        server,
        teacher,
        key,
        bob,
    }
}

fn join_named(http: &Http, of: &Guest, name: &str) -> Guest {
    join_as(http, json!({"roomId":of.room_id,"userName":name}))
}

impl Class {
    /// An owner's act over HTTP, which has to succeed; its answer.
    fn acts(&self, act: Value) -> Value {
        by(&self.teacher, act)
    }

    fn room(&self) -> u64 {
        self.teacher.room
    }

    /// The teacher's socket and the pupil's.
    fn sockets(&self) -> (Ws, Ws) {
        let login = |guest: &Guest| self.server.login_v1(&guest.token);
        (login(&self.teacher), login(&self.bob))
    }

    /// The same calls at the ports of now.
    fn restarted(mut self) -> Class {
        self.server.restart();
        let http = self.server.client();
        self.teacher = self.teacher.via(&http).with_token();
        self.bob = self.bob.via(&http).with_token();
        self
    }

    /// The room as its owners are told of it.
    fn state(&self) -> Value {
        self.acts(json!({"act":"state"}))
    }
}

/// An act over HTTP by a guest that shows its token.
fn by(owner: &Guest, act: Value) -> Value {
    let reply = try_by(owner, act.clone());
    let answer = reply.done(200).clone();
    assert_eq!(answer["act"], act["act"], "{answer}");
    answer
}

fn try_by(owner: &Guest, act: Value) -> support::Reply {
    let path = format!("/rooms/{}/owner", owner.room);
    owner.http.bearer(&owner.token).post(&path, act)
}

/// The next frame, a notice of this kind; answers it.
#[track_caller]
fn noticed(ws: &mut Ws, kind: &str) -> Value {
    let frame = ws.recv();
    let is = (&frame["type"], &frame["notice"]);
    assert_eq!(is, (&json!("notice"), &json!(kind)), "{frame}");
    frame
}

/// The newest system sentence that is pending for a member, in English.
fn told(guest: &Guest) -> String {
    let reply = guest
        .http
        .english()
        .post("/message/fetch", guest.body(json!({})));
    let data = reply.data();
    let last = data.as_array().and_then(|list| list.last()).cloned();
    let last = last.unwrap_or_else(|| panic!("nothing is pending"));
    assert_eq!(last["type"], "system", "{last}");
    last["content"].as_str().expect("a sentence").to_string()
}

/// A room of its own for somebody, so that a kick or close does not end its membership everywhere.
fn elsewhere(http: &Http, guest: &Guest) -> u64 {
    create(&http.bearer(&guest.token), json!({"listed":true})).room
}
