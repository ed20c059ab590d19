//! One case: clients that do as the commands say to a running parlor, and ask the reference at
//! each answer and each frame whether it may be so.

use crate::commands::{CLIENTS, Command, Power, ROOMS, SLOTS, Via, Way};
use crate::reference::{Due, EarNo, Notice, Person, Place, Say, Span, Why, World, fits};
use crate::support::{Account, Http, Reply, Server, Ws, create, record, tell, uuid};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// What went wrong. A panic of the test's own clients (a deadline, a broken connection) is one too.
type Checked<T = ()> = Result<T, String>;

/// Clients 1 and 3 are accounts, the others guests.
fn is_account(client: usize) -> bool {
    client % 2 == 1
}

/// Lost answers that may be open at a time: each doubles what may be.
const MAX_FLYING: usize = 2;

#[derive(Default)]
struct Client {
    name: String,
    /// None: a guest that has left its last room.
    me: Option<Me>,
    slots: [Slot; SLOTS],
}

#[derive(Clone)]
struct Me {
    who: Rc<Person>,
    token: String,
}

#[derive(Default)]
struct Slot {
    line: Option<Line>,
    /// The cursors of all its connections, by room: the greatest `at` of a frame.
    seen: BTreeMap<usize, Place>,
}

struct Line {
    ws: Ws,
    no: EarNo,
    /// Frames and answers that came and are not compared yet, by room.
    got: Vec<Vec<Value>>,
}

/// A message that was sent, or was to be.
#[derive(Clone)]
struct Sent {
    room: usize,
    uuid: String,
    text: String,
    author: usize,
    /// The answer was lost, and it was not asked for again.
    lost: bool,
}

pub struct Case<'a> {
    server: &'a mut Server,
    clients: Vec<Client>,
    /// `roomId` and number.
    rooms: Vec<(String, u64)>,
    /// All ways in which things may stand, by what was observed. Never empty.
    worlds: Vec<World>,
    sent: Vec<Sent>,
    /// Times and uuids by what they are of: they never change.
    noted: HashMap<String, Value>,
    ears: EarNo,
    asked: u64,
}

impl<'a> Case<'a> {
    /// Client 0 makes the first room and client 1 the second; all are in the first.
    pub fn new(server: &'a mut Server, accounts: &[Account]) -> Checked<Case<'a>> {
        let mut case = Case {
            server,
            clients: vec![],
            rooms: vec![],
            worlds: vec![World::default()],
            sent: vec![],
            noted: HashMap::new(),
            ears: 0,
            asked: 0,
        };
        for client in 0..CLIENTS {
            let mut new = Client::default();
            new.name = format!("Guest{client}");
            if is_account(client) {
                let account = &accounts[client / 2];
                let username = account.user["username"].as_str();
                new.name = username.ok_or("no username")?.into();
                let who = Person {
                    no: account.id,
                    user_id: String::new(),
                    name: new.name.clone(),
                    account: true,
                };
                new.me = Some(Me {
                    who: Rc::new(who),
                    token: account.token.clone(),
                });
            }
            case.clients.push(new);
        }
        for room in 0..ROOMS {
            let data = case.seat(room, "/room/create", json!({}))?;
            let id = data["room"]["roomId"].as_str().ok_or("no roomId")?;
            let no = data["room"]["id"].as_u64().ok_or("no room.id")?;
            case.rooms.push((id.to_string(), no));
            let owner = case.who(room).ok_or("the maker")?;
            case.worlds.iter_mut().for_each(|w| w.make_room(no, &owner));
        }
        for client in 1..CLIENTS {
            case.join(client, 0, Via::Http)?;
        }
        Ok(case)
    }

    pub fn run(mut self, commands: &[Command]) -> Checked {
        for command in commands {
            tell(format!("-- {command:?}"));
            self.command(command)?;
        }
        tell("-- the end: retries, history both ways, all sockets".into());
        self.settle()
    }

    fn command(&mut self, command: &Command) -> Checked {
        match *command {
            Command::Send {
                who,
                room,
                via,
                lost,
                text,
            } => self.send(who, room, via, lost, words(text)),
            Command::Burst { room } => self.burst(room),
            Command::Again {
                which,
                by,
                room,
                text,
                via,
                upper,
            } => {
                let Some((index, sent)) = self.earlier(which) else {
                    return Ok(());
                };
                let (by, room) = (by.unwrap_or(sent.author), room.unwrap_or(sent.room));
                let text = text.map_or(sent.text.clone(), words);
                let uuid = if upper {
                    sent.uuid.to_uppercase()
                } else {
                    sent.uuid.clone()
                };
                let retried = (by, room, &text) == (sent.author, sent.room, &sent.text);
                self.sent[index].lost &= !(retried && self.who(by).is_some());
                self.say(by, room, via, &uuid, text)
            }
            Command::Edit {
                which,
                by,
                slot,
                text,
            } => {
                let Some((_, sent)) = self.earlier(which) else {
                    return Ok(());
                };
                let (by, text) = (by.unwrap_or(sent.author), text.map_or(sent.text, words));
                let data = json!({"type":"Text","text":text});
                let ask = json!({"type":"edit","room":self.rooms[sent.room].1,"uuid":sent.uuid,"data":data});
                self.change(by, slot, sent.room, ask, |world, who| {
                    world.edit(sent.room, who, &sent.uuid, &text)
                })
            }
            Command::Delete { which, by, slot } => {
                let Some((_, sent)) = self.earlier(which) else {
                    return Ok(());
                };
                let by = by.unwrap_or(sent.author);
                let ask = json!({"type":"delete","room":self.rooms[sent.room].1,"uuid":sent.uuid});
                self.change(by, slot, sent.room, ask, |world, who| {
                    world.delete(sent.room, who, &sent.uuid)
                })
            }
            Command::Drain { who, room, v } => self.drain(who, room, v),
            Command::Fetch {
                who,
                room,
                back,
                limit,
                v,
            } => self.fetch(who, room, self.back(room, back), limit, v),
            Command::Page {
                who,
                room,
                way,
                limit,
                via,
            } => {
                let span = match way {
                    Way::Newest => Span::Newest,
                    Way::After { back } => Span::After(self.back(room, back)),
                    Way::Before { back } => Span::Before(self.back(room, back).max(1)),
                };
                self.page(who, room, span, limit, via).map(drop)
            }
            Command::Owner {
                who,
                room,
                via,
                power,
            } => self.act(who, room, via, power),
            Command::Leave { who, room, via } => self.leave(who, room, via),
            Command::Join { who, room, via } => self.join(who, room, via),
            Command::Connect {
                who,
                slot,
                v,
                resume,
            } => self.connect(who, slot, v, resume),
            Command::Drop { who, slot } => self.hang_up(who, slot),
            Command::Listen { who, slot } => self.listen(who, slot),
            Command::Crowd => {
                let lines = record();
                crowd(self.server);
                record();
                lines.into_iter().for_each(tell);
                Ok(())
            }
            Command::Stop => self.stop(),
            Command::Kill => self.kill(),
        }
    }

    /// The message sent so many sends ago.
    fn earlier(&self, which: usize) -> Option<(usize, Sent)> {
        let index = self.sent.len().checked_sub(which + 1)?;
        Some((index, self.sent[index].clone()))
    }

    /// A place that far back from behind the end.
    fn back(&self, room: usize, back: u64) -> Place {
        (self.worlds[0].last(room) + 2).saturating_sub(back)
    }

    fn who(&self, client: usize) -> Option<Rc<Person>> {
        self.clients[client].me.as_ref().map(|me| me.who.clone())
    }

    fn http(&self, client: usize) -> Http {
        let http = self.server.client();
        match &self.clients[client].me {
            Some(me) => http.bearer(&me.token),
            None => http,
        }
    }

    // ---- What was seen, against what may be ----

    /// Keeps the worlds in which `check` holds, as it leaves them; one at least has to be left.
    fn observe(&mut self, check: impl Fn(&mut World) -> Checked) -> Checked {
        let (mut kept, mut why) = (Vec::<World>::new(), vec![]);
        for world in self.worlds.drain(..) {
            for mut world in world.unfolded() {
                match check(&mut world) {
                    Ok(()) if kept.contains(&world) => {}
                    Ok(()) => kept.push(world),
                    Err(e) if why.contains(&e) => {}
                    Err(e) => why.push(e),
                }
            }
        }
        if kept.is_empty() {
            return Err(format!("this may not be:\n{}", why.join("\nor\n")));
        }
        if kept.len() > 1 {
            tell(format!("   ({} worlds)", kept.len()));
        }
        self.worlds = kept;
        Ok(())
    }

    /// That something never changes.
    fn note(&mut self, of: String, value: &Value) -> Checked {
        let noted = self
            .noted
            .entry(of.clone())
            .or_insert_with(|| value.clone());
        match noted == value {
            true => Ok(()),
            false => Err(format!("{of} was {noted} and is {value}")),
        }
    }

    /// Times and uuids of an entry as HTTP shows it.
    fn note_http(&mut self, room: usize, entry: &Value) -> Checked {
        let (at, seq) = (&entry["at"], &entry["seq"]);
        self.note(
            format!("HTTP's time of {at} in room {room}"),
            &entry["sent"],
        )?;
        if seq.is_u64() {
            self.note(format!("the uuid of {seq} in room {room}"), &entry["uuid"])?;
        }
        Ok(())
    }

    /// Of a frame of the order.
    fn note_frame(&mut self, room: usize, frame: &Value) -> Checked {
        let inside = if frame["type"] == "recv" {
            &frame["data"]
        } else {
            frame
        };
        let (seq, sent) = (&inside["seq"], &inside["sent"]);
        let at = if seq.is_null() { &frame["at"] } else { seq };
        if sent.is_string() {
            self.note(format!("the socket's time of {at} in room {room}"), sent)?;
        }
        if seq.is_u64() {
            self.note(format!("the uuid of {seq} in room {room}"), &inside["uuid"])?;
        }
        Ok(())
    }

    // ---- Sending ----

    fn send(&mut self, client: usize, room: usize, via: Via, lost: bool, text: String) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        if let Via::Plain = via {
            let reply = self.post_message(client, room, &who, None, &text).finish();
            let say = Say {
                who,
                room,
                uuid: None,
                text,
            };
            return self.observe(|world| match world.say(&say, None) {
                Ok(_) => expect(&json!({"success":true,"data":null}), &reply.json),
                Err(why) => refused(&reply, why),
            });
        }
        let uuid = uuid();
        let lost = lost && self.worlds.iter().all(|w| w.flying.len() < MAX_FLYING);
        self.sent.push(Sent {
            room,
            uuid: uuid.clone(),
            text: text.clone(),
            author: client,
            lost,
        });
        if !lost {
            return self.say(client, room, via, &uuid, text);
        }
        match via {
            Via::Socket(slot) => {
                self.open(client, slot)?;
                let no = self.rooms[room].1;
                self.line(client, slot)?.ws.begin_say_as(&uuid, no, &text);
                self.hang_up(client, slot)?;
            }
            _ => drop(self.post_message(client, room, &who, Some(&uuid), &text)),
        }
        let say = Say {
            who,
            room,
            uuid: Some(uuid),
            text,
        };
        self.worlds
            .iter_mut()
            .for_each(|w| w.flying.push(say.clone()));
        Ok(())
    }

    fn post_message(
        &self,
        client: usize,
        room: usize,
        who: &Person,
        uuid: Option<&str>,
        text: &str,
    ) -> crate::support::Waiting {
        let mut message =
            json!({"type":"message","userId":who.user_id,"contentType":"text","content":text});
        if let Some(uuid) = uuid {
            message["uuid"] = json!(uuid);
        }
        let body = json!({"roomId":self.rooms[room].0,"userId":who.user_id,"message":message});
        self.http(client)
            .begin("POST", "/message/send", body.to_string())
    }

    /// A message under a uuid, new or not, and its answer.
    fn say(&mut self, client: usize, room: usize, via: Via, uuid: &str, text: String) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        let say = Say {
            who,
            room,
            uuid: Some(uuid.to_lowercase()),
            text,
        };
        if let Via::Socket(slot) = via {
            self.open(client, slot)?;
            let no = self.rooms[room].1;
            let line = self.line(client, slot)?;
            line.ws.begin_say_as(uuid, no, &say.text);
            let ear = line.no;
            let answer = self.answer(client, slot, room, |f| f["type"] == "send")?;
            expect(&json!({"uuid":uuid}), &answer)?;
            if answer["code"] == 0 {
                let seq = &answer["seq"];
                self.note(
                    format!("the socket's time of {seq} in room {room}"),
                    &answer["sent"],
                )?;
            }
            return self.observe(|world| match world.say(&say, Some(ear)) {
                Ok(at) => expect(&json!({"code":0,"seq":at,"at":at}), &answer),
                Err(why) => expect(&json!({"code":why.code(),"sent":null,"at":null}), &answer),
            });
        }
        let reply = self
            .post_message(client, room, &say.who, Some(uuid), &say.text)
            .finish();
        self.answered(&say, uuid, &reply)
    }

    /// The answer of HTTP to a message under a uuid.
    fn answered(&mut self, say: &Say, uuid: &str, reply: &Reply) -> Checked {
        let data = &reply.json["data"];
        if let Some(seq) = data["seq"].as_u64() {
            let of = format!("HTTP's time of {seq} in room {}", say.room);
            self.note(of, &data["sent"])?;
        }
        self.observe(|world| match world.say(say, None) {
            Ok(at) => expect(&json!({"uuid":uuid,"seq":at,"at":at}), data),
            Err(why) => refused(reply, why),
        })
    }

    fn burst(&mut self, room: usize) -> Checked {
        let mut waiting = vec![];
        for client in 0..CLIENTS {
            let Some(who) = self.who(client) else {
                continue;
            };
            let (uuid, text) = (uuid(), format!("all at once {client}"));
            let call = self.post_message(client, room, &who, Some(&uuid), &text);
            self.sent.push(Sent {
                room,
                uuid: uuid.clone(),
                text: text.clone(),
                author: client,
                lost: false,
            });
            let say = Say {
                who,
                room,
                uuid: Some(uuid),
                text,
            };
            // In whatever order.
            self.worlds
                .iter_mut()
                .for_each(|w| w.flying.push(say.clone()));
            waiting.push((say, call));
        }
        for (say, call) in waiting {
            let reply = call.finish();
            // Now it has happened: repeating it changes nothing.
            self.observe(|world| match world.flying.contains(&say) {
                true => Err("and the answer came before it happened".into()),
                false => Ok(()),
            })?;
            self.answered(&say, say.uuid.as_deref().unwrap_or_default(), &reply)?;
        }
        Ok(())
    }

    // ---- Changing ----

    fn change(
        &mut self,
        client: usize,
        slot: usize,
        room: usize,
        ask: Value,
        change: impl Fn(&mut World, &Rc<Person>) -> Result<(), Why>,
    ) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        let answer = self.ask(client, slot, room, ask)?;
        self.observe(|world| {
            let code = change(world, &who).map_or_else(Why::code, |()| 0);
            expect(&json!({"code":code}), &answer)
        })
    }

    /// An owner's act, and what becomes of who is kicked.
    fn act(&mut self, client: usize, room: usize, via: Via, power: Power) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        let (whom, on) = match power {
            Power::Rename(_) => (client, true),
            Power::Quiet(on) => (client, on),
            Power::Mute { whom, on } | Power::Appoint { whom, on } => (whom, on),
            Power::Kick { whom } | Power::Wipe { whom } => (whom, true),
        };
        let Some(target) = self.who(whom) else {
            return Ok(());
        };
        // An account may be in rooms of other cases, too: what it is told then is not known here.
        let kicks = matches!(power, Power::Kick { .. });
        // A wipe has several steps, and what is on its way may land between them.
        let wipes = matches!(power, Power::Wipe { .. });
        let lands = self.worlds.iter().any(|world| !world.flying.is_empty());
        if (kicks && is_account(whom)) || (wipes && lands) {
            return Ok(());
        }
        let user = target.no;
        let (mut ask, notice) = match power {
            Power::Rename(n) => {
                let name = format!("Room {n}");
                (json!({"act":"rename","name":name}), Notice::Renamed(name))
            }
            Power::Quiet(on) => (json!({"act":"quiet","on":on}), Notice::Quiet(on)),
            Power::Mute { .. } => {
                let minutes = if on { 60 } else { 0 };
                let ask = json!({"act":"mute","user":user,"minutes":minutes});
                (ask, Notice::Muted(target.clone(), on))
            }
            Power::Appoint { .. } => {
                let ask = json!({"act":"appoint","user":user,"on":on});
                (ask, Notice::Owner(target.clone(), on))
            }
            Power::Kick { .. } => {
                let ask = json!({"act":"kick","user":user});
                (ask, Notice::Kicked(target.clone()))
            }
            Power::Wipe { .. } => {
                let ask = json!({"act":"wipe","user":user});
                (ask, Notice::Wiped(target.clone(), 0))
            }
        };
        let answer = if let Via::Socket(slot) = via {
            (ask["type"], ask["room"]) = (json!("owner"), json!(self.rooms[room].1));
            self.ask(client, slot, room, ask)?
        } else {
            let path = format!("/rooms/{}/owner", self.rooms[room].1);
            self.http(client).post(&path, ask).json
        };
        self.observe(|world| match world.act(room, &who, &notice) {
            Ok(count) if wipes => expect(&json!({"code":0,"count":count}), &answer),
            Ok(_) => expect(&json!({"code":0}), &answer),
            Err(why) => expect(&json!({"code":why.code()}), &answer),
        })?;
        let seated = (0..ROOMS).any(|room| self.worlds[0].is_member(room, user));
        if kicks && answer["code"] == 0 && !seated {
            for slot in 0..SLOTS {
                self.closed(whom, slot, 4001)?;
            }
            self.clients[whom].me = None;
        }
        Ok(())
    }

    // ---- Reading ----

    fn body(&self, room: usize, who: &Person, mut fields: Value) -> Value {
        fields["roomId"] = json!(self.rooms[room].0);
        fields["userId"] = json!(who.user_id);
        fields
    }

    fn fetched(&mut self, room: usize, reply: &Reply) -> Checked {
        let mut data = reply.json["data"].as_array().into_iter().flatten();
        data.try_for_each(|entry| self.note_http(room, entry))
    }

    fn drain(&mut self, client: usize, room: usize, v: u64) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        let body = self.body(room, &who, json!({"v":v}));
        let reply = self.http(client).post("/message/fetch", body);
        self.fetched(room, &reply)?;
        self.observe(|world| match world.drain(room, who.no, v) {
            Err(why) => refused(&reply, why),
            Ok(lists) => {
                let allowed = lists
                    .iter()
                    .any(|list| fits(&json!(list), &reply.json["data"]));
                let due = lists.first().map_or(Value::Null, |list| json!(list));
                allowed.then_some(()).ok_or(format!("a drain of {due}"))
            }
        })
    }

    fn fetch(&mut self, client: usize, room: usize, after: Place, limit: usize, v: u64) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        let body = self.body(room, &who, json!({"v":v,"after":after,"limit":limit}));
        let reply = self.http(client).post("/message/fetch", body);
        self.fetched(room, &reply)?;
        if reply.status == 200 {
            self.note("the epoch".into(), &reply.json["epoch"])?;
        }
        self.observe(|world| match world.fetch(room, who.no, after, limit, v) {
            Err(why) => refused(&reply, why),
            Ok(page) => expect(&page, &reply.json),
        })
    }

    /// Answers the page.
    fn page(
        &mut self,
        client: usize,
        room: usize,
        span: Span,
        limit: usize,
        via: Via,
    ) -> Checked<Value> {
        let Some(who) = self.who(client) else {
            return Ok(Value::Null);
        };
        let no = self.rooms[room].1;
        let (query, fields) = match span {
            Span::Newest => (String::new(), json!({})),
            Span::After(at) => (format!("&after={at}"), json!({"after":at})),
            Span::Before(at) => (format!("&before={at}"), json!({"before":at})),
        };
        let page = if let Via::Socket(slot) = via {
            let mut ask = fields;
            (ask["type"], ask["room"], ask["limit"]) = (json!("history"), json!(no), json!(limit));
            self.ask(client, slot, room, ask)?
        } else {
            let path = format!("/rooms/{no}/messages?limit={limit}{query}");
            self.http(client).get(&path).json
        };
        for frame in page["data"].as_array().into_iter().flatten() {
            self.note_frame(room, frame)?;
        }
        self.observe(|world| match world.page(room, who.no, span, limit) {
            Err(why) => expect(&json!({"code":why.code()}), &page),
            Ok(due) => expect(&due, &page),
        })?;
        Ok(page)
    }

    // ---- Coming and going ----

    /// Create or join over HTTP; a guest without a seat anywhere is a new one. Answers `data`.
    fn seat(&mut self, client: usize, path: &str, mut body: Value) -> Checked<Value> {
        if self.who(client).is_none() {
            body["userName"] = json!(self.clients[client].name);
        }
        let reply = self.http(client).post(path, body);
        let (data, name) = (&reply.json["data"], &self.clients[client].name);
        expect(
            &json!({"success":true,"data":{"user":{"userName":name}}}),
            &reply.json,
        )?;
        let text = |v: &Value| v.as_str().map(str::to_string).ok_or("a string");
        let who = Person {
            no: data["user"]["id"].as_u64().ok_or("no user.id")?,
            user_id: text(&data["user"]["userId"])?,
            name: name.clone(),
            account: is_account(client),
        };
        let token = text(&data["token"])?;
        match &self.clients[client].me {
            Some(me) if me.who.no != who.no => return Err("seated as somebody else".into()),
            Some(me) if me.who.user_id == who.user_id => {}
            _ => {
                let who = Rc::new(who);
                self.clients[client].me = Some(Me { who, token });
            }
        }
        Ok(reply.json["data"].clone())
    }

    fn join(&mut self, client: usize, room: usize, via: Via) -> Checked {
        let id = self.rooms[room].0.clone();
        if let (Via::Socket(slot), Some(who)) = (via, self.who(client)) {
            let answer = self.ask(client, slot, room, json!({"type":"join","room":id}))?;
            return self.observe(|world| {
                world.join(room, &who);
                expect(&json!({"code":0,"room":answer["room"]}), &answer)
            });
        }
        let data = self.seat(client, "/room/join", json!({"roomId":id}))?;
        let own = &data["user"]["cachingMessage"][0];
        self.note_http(room, own)?;
        let list = data["room"]["userContainer"]["userList"].as_array();
        let list: Vec<_> = list
            .into_iter()
            .flatten()
            .map(|u| u["id"].clone())
            .collect();
        let who = self.who(client).ok_or("nobody was seated")?;
        self.observe(|world| {
            let at = world.join(room, &who);
            expect(&json!({"type":"system","at":at}), own)?;
            let members: Vec<_> = world.members(room).collect();
            expect(&json!(members), &json!(list))
        })
    }

    fn leave(&mut self, client: usize, room: usize, via: Via) -> Checked {
        let Some(who) = self.who(client) else {
            return Ok(());
        };
        if let Via::Socket(slot) = via {
            let ask = json!({"type":"leave","room":self.rooms[room].1});
            let answer = self.ask(client, slot, room, ask)?;
            self.observe(|world| {
                let code = world.leave(room, &who).map_or_else(Why::code, |()| 0);
                expect(&json!({"code":code}), &answer)
            })?;
        } else {
            let body = self.body(room, &who, json!({}));
            let reply = self.http(client).post("/room/leave", body);
            self.observe(|world| match world.leave(room, &who) {
                Ok(()) => expect(&json!({"success":true}), &reply.json),
                Err(why) => refused(&reply, why),
            })?;
        }
        let seated = (0..ROOMS).any(|room| self.worlds[0].is_member(room, who.no));
        if !seated && !is_account(client) {
            // The guest is no more, and neither is its token.
            for slot in 0..SLOTS {
                self.closed(client, slot, 4003)?;
            }
            self.clients[client].me = None;
        }
        Ok(())
    }

    // ---- Sockets ----

    fn line(&mut self, client: usize, slot: usize) -> Checked<&mut Line> {
        let line = self.clients[client].slots[slot].line.as_mut();
        line.ok_or("a socket that is open".into())
    }

    /// Opens a socket where none is.
    fn open(&mut self, client: usize, slot: usize) -> Checked {
        match self.clients[client].slots[slot].line {
            Some(_) => Ok(()),
            None => self.connect(client, slot, 1, true),
        }
    }

    fn connect(&mut self, client: usize, slot: usize, v: u64, resume: bool) -> Checked {
        self.hang_up(client, slot)?;
        let Some(me) = self.clients[client].me.clone() else {
            return Ok(());
        };
        let seen = &self.clients[client].slots[slot].seen;
        let resume = match v == 1 && resume {
            true => seen.clone(),
            false => BTreeMap::new(),
        };
        let cursors: serde_json::Map<_, _> = resume
            .iter()
            .map(|(room, at)| (self.rooms[*room].1.to_string(), json!(at)))
            .collect();
        let mut ws = self.server.socket();
        self.ears += 1;
        let no = self.ears;
        let told = if v == 0 {
            ws.auth(&me.token);
            None
        } else if resume.is_empty() {
            Some(ws.auth_v1(&me.token))
        } else {
            let mut fields = json!({"resume":cursors});
            if let Some(epoch) = self.noted.get("the epoch") {
                fields["epoch"] = epoch.clone();
            }
            Some(ws.auth_with(&me.token, fields))
        };
        let told = match told {
            None => None,
            Some(mut told) => {
                self.note("the epoch".into(), &told["epoch"])?;
                // An account may be in rooms of other cases.
                let ours = |room: &Value| self.rooms.iter().any(|(_, no)| room["id"] == *no);
                let rooms = told["rooms"].as_array().into_iter().flatten().cloned();
                let mut rooms: Vec<_> = rooms.filter(ours).collect();
                rooms.sort_by_key(|room| room["id"].as_u64());
                told["rooms"] = json!(rooms);
                Some(told)
            }
        };
        let slot = &mut self.clients[client].slots[slot];
        slot.line = Some(Line {
            ws,
            no,
            got: vec![vec![]; ROOMS],
        });
        if resume.is_empty() {
            slot.seen.clear();
        }
        for room in told.iter().flat_map(|t| t["rooms"].as_array()).flatten() {
            let at = self.rooms.iter().position(|(_, no)| room["id"] == *no);
            let (at, last) = (at.ok_or("a room")?, room["at"].as_u64().ok_or("no at")?);
            slot.seen.entry(at).or_insert(last);
        }
        self.observe(|world| {
            let due = world.attach(no, &me.who, v, &resume);
            told.as_ref().map_or(Ok(()), |told| expect(&due, told))
        })
    }

    /// Takes a frame in: one of the order, or the answer of a `msg` in `room`.
    fn take(&mut self, client: usize, slot: usize, frame: Value, asked: usize) -> Checked {
        let kind = frame["type"].as_str().unwrap_or_default();
        let room = match kind {
            "send" => {
                self.line(client, slot)?.got[asked].push(frame);
                return Ok(());
            }
            "recv" => &frame["data"]["room"],
            // Has no place in the order; the close or a `left` is what is compared.
            "kicked" => return Ok(()),
            "joined" | "left" | "deleted" | "notice" => &frame["room"],
            _ => return Err(format!("an unexpected frame {frame}")),
        };
        let Some(room) = self.rooms.iter().position(|(_, no)| room == no) else {
            return Err(format!("a frame of another room: {frame}"));
        };
        let at = frame["at"].as_u64().ok_or("no at")?;
        self.note_frame(room, &frame)?;
        let slot = &mut self.clients[client].slots[slot];
        let seen = slot.seen.entry(room).or_default();
        *seen = at.max(*seen);
        let line = slot.line.as_mut().ok_or("a socket that is open")?;
        line.got[room].push(frame);
        Ok(())
    }

    /// Reads until the answer; what comes before it is taken in. Only a `send` with code 0 has its
    /// place among the frames of the order.
    fn answer(
        &mut self,
        client: usize,
        slot: usize,
        room: usize,
        is_it: impl Fn(&Value) -> bool,
    ) -> Checked<Value> {
        loop {
            let frame = match self.line(client, slot)?.ws.recv_or_code() {
                Ok(frame) => frame,
                Err(code) => return Err(format!("closed ({code}) before the answer")),
            };
            let found = is_it(&frame);
            if !found || (frame["type"] == "send" && frame["code"] == 0) {
                self.take(client, slot, frame.clone(), room)?;
            }
            if found {
                let no = self.line(client, slot)?.no;
                let ears = self.worlds.iter_mut().flat_map(|w| w.ears.get_mut(&no));
                ears.for_each(|ear| ear.behind = false);
                return Ok(frame);
            }
        }
    }

    /// A request and its answer.
    fn ask(&mut self, client: usize, slot: usize, room: usize, mut ask: Value) -> Checked<Value> {
        self.open(client, slot)?;
        self.asked += 1;
        let (id, kind) = (json!(self.asked), ask["type"].clone());
        ask["id"] = id.clone();
        self.line(client, slot)?.ws.send_json(ask);
        self.answer(client, slot, room, |f| f["type"] == kind && f["id"] == id)
    }

    /// Compares what came with what was due, and answers whether that may be all.
    fn compare(&mut self, client: usize, slot: usize) -> Checked<bool> {
        let line = self.line(client, slot)?;
        let (no, got) = (
            line.no,
            std::mem::replace(&mut line.got, vec![vec![]; ROOMS]),
        );
        self.observe(|world| {
            let ear = world.ears.get_mut(&no).ok_or("a socket of this world")?;
            for (due, got) in ear.due.iter_mut().zip(&got) {
                let is_it = |(due, got): &(&Due, &Value)| due.iter().any(|due| fits(due, got));
                let right = due.iter().zip(got).filter(is_it);
                if right.count() < got.len() {
                    let due = due.iter().flatten().map(|due| &**due);
                    return Err(format!(
                        "due were{}
came{}",
                        listed(due),
                        listed(got.iter())
                    ));
                }
                due.drain(..got.len());
            }
            Ok(())
        })?;
        let done = |world: &World| world.ears[&no].due.iter().all(Vec::is_empty);
        Ok(self.worlds.iter().any(done))
    }

    /// Reads all that is due, and that nothing else came.
    fn listen(&mut self, client: usize, slot: usize) -> Checked {
        if self.clients[client].slots[slot].line.is_none() {
            return Ok(());
        }
        loop {
            // Its answer comes after all that was handed over before.
            self.ask(client, slot, 0, json!({"type":"ping"}))?;
            if self.compare(client, slot)? {
                return Ok(());
            }
            // An HTTP answer may be here a little before the frame.
            tell("   (more is due)".into());
            let frame = self.line(client, slot)?.ws.recv();
            self.take(client, slot, frame, 0)?;
        }
    }

    /// Reads to the end that parlor makes.
    fn closed(&mut self, client: usize, slot: usize, code: u16) -> Checked {
        if self.clients[client].slots[slot].line.is_none() {
            return Ok(());
        }
        let found = loop {
            match self.line(client, slot)?.ws.recv_or_code() {
                Ok(frame) => self.take(client, slot, frame, 0)?,
                Err(code) => break code,
            }
        };
        if found != code {
            return Err(format!("closed with {found}, not {code}"));
        }
        match self.compare(client, slot)? {
            true => self.forget(client, slot),
            false => Err("closed before all that was due had come".into()),
        }
    }

    /// Drops the connection; what came so far was right.
    fn hang_up(&mut self, client: usize, slot: usize) -> Checked {
        if self.clients[client].slots[slot].line.is_none() {
            return Ok(());
        }
        self.compare(client, slot)?;
        self.forget(client, slot)
    }

    fn forget(&mut self, client: usize, slot: usize) -> Checked {
        if let Some(line) = self.clients[client].slots[slot].line.take() {
            self.worlds
                .iter_mut()
                .for_each(|w| drop(w.ears.remove(&line.no)));
        }
        Ok(())
    }

    fn sockets(&self) -> Vec<(usize, usize)> {
        let all = (0..CLIENTS).flat_map(|client| (0..SLOTS).map(move |slot| (client, slot)));
        all.filter(|(client, slot)| self.clients[*client].slots[*slot].line.is_some())
            .collect()
    }

    // ---- Restarts ----

    fn stop(&mut self) -> Checked {
        self.server.signal("TERM");
        for (client, slot) in self.sockets() {
            self.closed(client, slot, 1001)?;
        }
        self.server.stopped();
        self.server.restart();
        self.landed()
    }

    fn kill(&mut self) -> Checked {
        self.server.kill();
        for (client, slot) in self.sockets() {
            self.hang_up(client, slot)?;
        }
        self.server.restart();
        self.landed()?;
        self.worlds.iter_mut().for_each(World::crash);
        Ok(())
    }

    /// Whatever was on its way has happened, or never will.
    fn landed(&mut self) -> Checked {
        self.observe(|world| {
            world.flying.clear();
            Ok(())
        })
    }

    // ---- The end ----

    fn settle(&mut self) -> Checked {
        for index in 0..self.sent.len() {
            let Sent {
                room,
                uuid,
                text,
                author,
                lost,
            } = self.sent[index].clone();
            if lost {
                self.say(author, room, Via::Http, &uuid, text)?;
            }
        }
        // Somebody new, who sees all of it.
        self.clients.push(Client {
            name: "Auditor".into(),
            ..Client::default()
        });
        for room in 0..ROOMS {
            self.join(CLIENTS, room, Via::Http)?;
            let (mut span, mut page) = (Span::After(0), json!({"more":true}));
            while page["more"] == true {
                page = self.page(CLIENTS, room, span, 7, Via::Http)?;
                span = Span::After(page["next"].as_u64().ok_or("no next")?);
            }
            (span, page) = (Span::Newest, json!({"more":true}));
            while page["more"] == true {
                page = self.page(CLIENTS, room, span, 7, Via::Socket(0))?;
                span = Span::Before(page["next"].as_u64().ok_or("no next")?);
            }
            self.fetch(CLIENTS, room, 0, 1000, 1)?;
            for client in 0..CLIENTS {
                self.drain(client, room, 1)?;
            }
        }
        for (client, slot) in self.sockets() {
            self.listen(client, slot)?;
        }
        // Accounts go on into the next case.
        for client in (0..CLIENTS).filter(|client| is_account(*client)) {
            (0..ROOMS).try_for_each(|room| self.leave(client, room, Via::Http))?;
        }
        Ok(())
    }
}

/// More than a mebibyte of entries in another room: with `--memory 1` that room alone is kept.
fn crowd(server: &Server) {
    const TEXTS: usize = 90;
    // Half of the 32 that may be unanswered: answers are counted a little after they leave.
    const AT_ONCE: usize = 15;
    let (speaker, text) = (create(&server.client(), json!({})), "中".repeat(4000));
    let mut ws = server.login(&speaker.token);
    for _ in 0..TEXTS / AT_ONCE {
        (0..AT_ONCE).for_each(|_| drop(ws.begin_say(speaker.room, &text)));
        (0..AT_ONCE).for_each(|_| assert_eq!(ws.recv()["code"], 0));
    }
}

fn words(number: u8) -> String {
    match number % 3 {
        0 => format!("你好 {number}"),
        _ => format!("hello {number}"),
    }
}

fn expect(due: &Value, actual: &Value) -> Checked {
    match fits(due, actual) {
        true => Ok(()),
        false => Err(format!("due was {due}\ncame    {actual}")),
    }
}

fn refused(reply: &Reply, why: Why) -> Checked {
    let (status, word) = why.status_and_word();
    if reply.status != status {
        return Err(format!(
            "due was {status} {word}\ncame    {} {}",
            reply.status, reply.body
        ));
    }
    expect(
        &json!({"success":false,"code":word,"data":null}),
        &reply.json,
    )
}

fn listed<'a>(frames: impl Iterator<Item = &'a Value>) -> String {
    let frames: Vec<_> = frames.map(|f| format!("\n    {f}")).collect();
    if frames.is_empty() {
        return " nothing".into();
    }
    frames.concat()
}
