//! A member made by create or join: what its answer said, and the calls it makes.

use super::{Http, Reply, Waiting};
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Guest {
    pub http: Http,
    pub room_id: String,
    /// The room's number.
    pub room: u64,
    pub user_id: String,
    /// The user's number.
    pub id: u64,
    pub name: String,
    pub token: String,
}

/// Creates a room; its maker.
pub fn create(http: &Http, body: Value) -> Guest {
    Guest::from(http, &http.post("/room/create", body).data())
}

/// Joins a room without a password.
pub fn join(http: &Http, room_id: &str) -> Guest {
    join_as(http, json!({"roomId":room_id}))
}

pub fn join_as(http: &Http, body: Value) -> Guest {
    Guest::from(http, &http.post("/room/join", body).data())
}

impl Guest {
    /// Reads the `data` of a create or join.
    pub fn from(http: &Http, data: &Value) -> Guest {
        let text = |v: &Value| {
            v.as_str()
                .unwrap_or_else(|| panic!("a string in {data}"))
                .to_string()
        };
        let number = |v: &Value| v.as_u64().unwrap_or_else(|| panic!("a number in {data}"));
        let (user, room) = (&data["user"], &data["room"]);
        Guest {
            http: http.clone(),
            room_id: text(&room["roomId"]),
            room: number(&room["id"]),
            user_id: text(&user["userId"]),
            id: number(&user["id"]),
            name: text(&user["userName"]),
            token: text(&data["token"]),
        }
    }

    /// The same guest, calling another address or with other headers.
    pub fn via(&self, http: &Http) -> Guest {
        Guest {
            http: http.clone(),
            ..self.clone()
        }
    }

    /// The same guest, showing its token from now on.
    pub fn with_token(&self) -> Guest {
        self.via(&self.http.bearer(&self.token))
    }

    /// A body with `roomId`, `userId` and these fields.
    pub fn body(&self, fields: Value) -> Value {
        let mut body = json!({"roomId":self.room_id,"userId":self.user_id});
        for (key, value) in fields.as_object().expect("an object") {
            body[key] = value.clone();
        }
        body
    }

    /// A send body whose message has these fields too, `content` among them.
    pub fn message(&self, fields: Value) -> Value {
        let mut message = json!({"type":"message","userId":self.user_id,"contentType":"text"});
        for (key, value) in fields.as_object().expect("an object") {
            message[key] = value.clone();
        }
        self.body(json!({"message":message}))
    }

    pub fn send(&self, fields: Value) -> Reply {
        self.http.post("/message/send", self.message(fields))
    }

    /// Says a text, which has to succeed.
    pub fn say(&self, text: &str) {
        assert_eq!(self.send(json!({"content":text})).data(), Value::Null);
    }

    /// Says a text under this uuid; answers `{"uuid","seq","at","sent"}`.
    pub fn say_as(&self, uuid: &str, text: &str) -> Value {
        self.send(json!({"content":text,"uuid":uuid})).data()
    }

    /// A fetch with these fields; the whole answer.
    pub fn fetch(&self, fields: Value) -> Value {
        let reply = self.http.post("/message/fetch", self.body(fields));
        reply.data();
        reply.json
    }

    pub fn begin_fetch(&self, fields: Value) -> Waiting {
        self.http
            .begin("POST", "/message/fetch", self.body(fields).to_string())
    }

    /// A fetch as the document has it: everything pending, which is then forgotten.
    pub fn drain(&self) -> Vec<Value> {
        self.fetch(json!({}))["data"]
            .as_array()
            .expect("a list")
            .clone()
    }

    pub fn call(&self, path: &str) -> Reply {
        self.http.post(path, self.body(json!({})))
    }
}

/// The `content` of each entry.
pub fn texts(entries: &[Value]) -> Vec<String> {
    let text = |e: &Value| {
        e["content"]
            .as_str()
            .unwrap_or_else(|| panic!("no content: {e}"))
            .to_string()
    };
    entries.iter().map(text).collect()
}

/// The `at` of each entry.
pub fn places(entries: &[Value]) -> Vec<u64> {
    entries
        .iter()
        .map(|e| e["at"].as_u64().unwrap_or_else(|| panic!("no at: {e}")))
        .collect()
}
