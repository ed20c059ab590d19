//! A registered user: the calls that make one and log in.

use super::Http;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery staple";

pub struct Account {
    /// Calls as this account.
    pub http: Http,
    pub token: String,
    /// The user's number.
    pub id: u64,
    /// The `user` object of the login.
    pub user: Value,
}

/// Registers and logs in.
pub fn account(http: &Http, name: &str) -> Account {
    http.post("/users", json!({"username":name,"password":PASSWORD}))
        .done(201);
    log_in(http, name)
}

pub fn log_in(http: &Http, name: &str) -> Account {
    let reply = http.post("/login", json!({"username":name,"password":PASSWORD}));
    let answer = reply.done(200);
    let token = answer["msg"].as_str().expect("a token").to_string();
    let user = answer["user"].clone();
    let id = user["id"].as_u64().expect("a number");
    Account {
        http: http.bearer(&token),
        token,
        id,
        user,
    }
}

impl Account {
    /// `POST /rooms` with these fields; answers the room's number.
    pub fn make_room(&self, fields: Value) -> u64 {
        let reply = self.http.post("/rooms", self.body(fields));
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.json["id"].as_u64().expect("a number")
    }

    pub fn join_room(&self, room: u64) {
        self.http
            .post(&format!("/rooms/{room}/join"), self.body(json!({})))
            .done(201);
    }

    /// A body with `token` and these fields.
    pub fn body(&self, mut fields: Value) -> Value {
        fields["token"] = json!(self.token);
        fields
    }
}
