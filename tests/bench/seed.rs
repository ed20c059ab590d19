//! A database with rooms, members and messages in it, made by parlor's own store: joining ten
//! thousand members over the wire is another benchmark.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parlor::model::*;
use parlor::rooms::Rules;
use parlor::secrets::{hash_token, new_token};
use parlor::store::{self, Data, Durability, Store};
use uuid::Uuid;

/// Removed with its folder when it is dropped.
pub struct Seed {
    folder: PathBuf,
    pub rooms: Vec<SeedRoom>,
}

pub struct SeedRoom {
    pub no: i64,
    pub id: String,
    pub members: Vec<SeedMember>,
    pub last: u64,
}

#[derive(Clone)]
pub struct SeedMember {
    pub id: String,
    pub token: String,
}

/// Rows of one transaction.
const BATCH: usize = 20_000;

struct Filler {
    store: Store,
    events: Vec<Event>,
}

impl Filler {
    fn put(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() >= BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.store.write(&self.events).expect("written");
        self.store.commit().expect("a commit");
        self.events.clear();
    }
}

impl Seed {
    /// Rooms with so many members each, and `messages` in each of them.
    pub fn new(name: &str, members: &[usize], messages: u64) -> Seed {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut seed = Seed {
            folder,
            rooms: vec![],
        };
        let rules = Rules {
            max_members: usize::MAX,
            require_token: false,
            closed: false,
            lang: Lang::Zh,
        };
        let opened = store::open(&Data::File(seed.file()), Durability::Full).expect("a database");
        let store = opened.load(rules, false).expect("a database").store;
        let mut filler = Filler {
            store,
            events: vec![],
        };
        let (mut user, now) = (0, parlor::clock::now());
        for (index, members) in members.iter().enumerate() {
            let no = RoomNo(index as i64 + 1);
            let head = RoomHead {
                no,
                id: Uuid::new_v4(),
                name: format!("Room {}", no.0).into(),
                secret: None,
                secret_version: 0,
                listed: true,
                flag: None,
                key: None,
                locked: false,
                quiet: false,
                created: now,
            };
            let mut room = SeedRoom {
                no: no.0,
                id: head.id.simple().to_string(),
                members: vec![],
                last: 0,
            };
            let mut users = BTreeMap::new();
            for place in 1..=*members as u64 {
                user += 1;
                let who = User {
                    no: UserNo(user),
                    id: Uuid::new_v4(),
                    name: format!("Member {user}").into(),
                    avatar: 1,
                    sealed: true,
                    secret: None,
                    status: 0,
                    registered: now,
                };
                filler.put(Event::UserMade(who.clone()));
                if place == 1 {
                    filler.put(Event::RoomMade(head.clone()));
                    filler.put(Event::Owner {
                        room: no,
                        user: who.no,
                        on: true,
                    });
                }
                let (token, _) = new_token().expect("randomness");
                let made = Event::TokenMade {
                    token: hash_token(&token),
                    user: who.no,
                    at: now,
                };
                filler.put(made);
                let joined = entry(no, place, now, &who, Body::Joined { avatar: 1 });
                filler.put(joined);
                room.members.push(SeedMember {
                    id: who.id.simple().to_string(),
                    token,
                });
                users.insert(place, who);
            }
            room.last = *members as u64;
            for n in 0..messages {
                room.last += 1;
                let message = Message {
                    uuid: Uuid::new_v4(),
                    text: format!("Message {n} of room {}, as long as people write.", no.0).into(),
                    reply: None,
                    modified: false,
                };
                let author = &users[&(n % *members as u64 + 1)];
                filler.put(entry(no, room.last, now, author, Body::Message(message)));
            }
            seed.rooms.push(room);
        }
        filler.flush();
        filler.store.end().expect("closed");
        seed
    }

    pub fn file(&self) -> PathBuf {
        self.folder.join("parlor.db")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn entry(room: RoomNo, at: Place, sent: Nanos, who: &User, body: Body) -> Event {
    Event::Entry(Arc::new(Entry {
        room,
        at,
        sent,
        user: who.no,
        user_id: who.id,
        name: who.name.clone(),
        body,
    }))
}
