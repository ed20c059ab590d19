//! Hundreds of random commands that must keep every promise at once. The same seed, the same run.

use super::*;
use std::fmt::Debug;

/// A linear congruential generator (Knuth's MMIX): the same seed, the same throws.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn once_in(&mut self, throws: usize) -> bool {
        self.below(throws) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn some<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let chosen = from.iter().filter(|_| self.once_in(6));
        chosen.cloned().collect()
    }
}

/// A command that often makes sense on this table, and sometimes does not.
fn any_act(dice: &mut Dice, step: u32, rooms: &Rooms) -> Act {
    const NAMES: [&str; 6] = ["Ada", "Ad\u{430}", "Bob", "Eve", " ", "Zoë"];
    const TEXTS: [&str; 4] = ["hello", "hullo", "", "再见"];
    let mut room_nos: Vec<_> = rooms.rooms.keys().copied().collect();
    let mut users: Vec<_> = rooms.users.keys().copied().collect();
    let mut tokens: Vec<_> = rooms.tokens.keys().copied().collect();
    room_nos.push(RoomNo(9_999));
    users.push(UserNo(9_999));
    tokens.push(TokenHash([255; 32]));
    room_nos.sort();
    users.sort();
    tokens.sort();
    let mut seats = vec![(RoomNo(9_999), UserNo(9_999))];
    for room in room_nos.iter().filter_map(|no| rooms.room(*no)) {
        seats.extend(room.members.values().map(|m| (room.head.no, m.user)));
    }

    let (room, user) = (dice.pick(&room_nos), dice.pick(&users));
    let fresh = TokenHash(digest(id(step), "token"));
    let wish = |dice: &mut Dice| (!dice.once_in(3)).then(|| dice.pick(&NAMES).to_owned());
    let seat = |dice: &mut Dice| {
        let guest = !dice.once_in(3);
        // Four in a row have one default name.
        let id = Uuid::from_u128(id(step / 4).as_u128() + u128::from(step) + 1);
        let (avatar, name) = (7, wish(dice));
        let asked = dice.once_in(2).then(|| request(dice.below(5) as u32));
        Seat {
            who: if guest {
                Newcomer::Guest { id, avatar, name }
            } else {
                Newcomer::Known { user, name }
            },
            token: guest.then_some(fresh),
            request: asked,
        }
    };
    match dice.below(27) {
        0 => Act::Register {
            id: id(step),
            username: dice.pick(&NAMES).to_owned() + &"i".repeat(dice.below(6)),
            secret: "argon2".into(),
            avatar: 7,
        },
        1 => Act::Login { user, token: fresh },
        2 => Act::Logout {
            token: dice.pick(&tokens),
        },
        3 => Act::Seal { user },
        4 => Act::Note(Note::default()),
        5 | 6 => Act::Expire {
            guests: dice.some(&seats),
            rooms: if dice.once_in(3) { vec![room] } else { vec![] },
            tokens: dice.some(&tokens),
            requests: vec![request(dice.below(5) as u32)],
        },
        7 | 8 => {
            let (room, user) = dice.pick(&seats);
            leave(room, user)
        }
        9 | 10 => Act::Create {
            room: NewRoom {
                id: id(step),
                name: wish(dice),
                secret: dice.once_in(3).then(|| "argon2".into()),
                listed: dice.once_in(2),
            },
            seat: seat(dice),
        },
        11..=14 => Act::Join {
            room,
            by_number: dice.once_in(3),
            proof: dice.pick(&[None, Some(1), Some(1), Some(2)]),
            seat: seat(dice),
            silent: dice.some(&users),
        },
        20..=23 => {
            let (room, user) = dice.pick(&seats);
            let uuid = id(dice.below(60) as u32);
            let last = rooms.room(room).map_or(1, |room| room.last);
            // What the store might still say of it: also of what this table knows better.
            let recalled = dice.once_in(2).then(|| Spoken {
                user: if dice.once_in(3) { UserNo(1) } else { user },
                at: 1 + dice.below(last as usize) as Place,
                sent: 5,
                digest: digest(uuid, dice.pick(&TEXTS)),
                now: (!dice.once_in(3)).then(|| digest(uuid, dice.pick(&TEXTS))),
                reply: None,
            });
            if dice.once_in(3) {
                delete_recalling(room, user, uuid, recalled)
            } else {
                edit_recalling(room, user, uuid, dice.pick(&TEXTS), recalled)
            }
        }
        24 => {
            let last = rooms.room(room).map_or(0, |room| room.last);
            prune(room, dice.below(last as usize + 3) as Place)
        }
        _ => {
            let (room, user) = dice.pick(&seats);
            let uuid = id(dice.below(60) as u32);
            Act::Say {
                room,
                user,
                uuid,
                given: !dice.once_in(10),
                text: dice.pick(&TEXTS).into(),
                reply: dice.once_in(4).then(|| dice.below(9) as Place),
                answers: true,
                recalled: None,
            }
        }
    }
}

/// A hash map's or set's items, in an order.
fn sorted<T: Debug>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut shown: Vec<_> = items.into_iter().map(|item| format!("{item:?}")).collect();
    shown.sort();
    shown
}

/// All that a table knows, as text.
fn shown(rooms: &Rooms) -> String {
    let Rooms {
        rules,
        rooms,
        room_ids,
        users,
        user_ids,
        accounts,
        tokens,
        requests,
        spoken,
        next_room,
        next_user,
    } = rooms;
    let inside = |room: &'_ Room| {
        let (seats, names) = (sorted(&room.seats), sorted(&room.names));
        let places = (room.last, room.floor);
        format!("{:?}", (&room.head, places, &room.members, seats, names))
    };
    let parts = [
        sorted(rooms.values().map(inside)),
        sorted(room_ids),
        sorted(users),
        sorted(user_ids),
        sorted(accounts),
        sorted(tokens),
        sorted(requests),
        sorted(&spoken.by_uuid),
        sorted(&spoken.complete),
    ];
    format!(
        "{rules:?} {parts:#?} {:?} {next_room} {next_user}",
        spoken.order
    )
}

/// That what a table says in two places is the same in both.
fn check_agreement(table: &Rooms) {
    for (no, room) in &table.rooms {
        assert_eq!(table.room_ids.get(&room.head.id), Some(no));
        assert!(*no < RoomNo(table.next_room));
        assert!(room.floor <= room.last, "{room:?}");
        assert!(room.members.len() <= table.rules.max_members);
        assert_eq!(room.seats.len(), room.members.len());
        assert_eq!(room.names.len(), room.members.len(), "no two look alike");
        for (at, member) in &room.members {
            assert!(*at <= room.last);
            assert_eq!(room.seats.get(&member.user), Some(at));
            let named = room.names.get(&skeleton(&member.name));
            assert_eq!(named, Some(&member.user));
            let known = table.users.get(&member.user);
            let known = known.unwrap_or_else(|| panic!("{member:?} is nobody"));
            assert!(known.rooms.contains(no), "{member:?} does not know");
        }
    }
    for (no, known) in &table.users {
        let user = &known.user;
        assert_eq!(table.user_ids.get(&user.id), Some(no));
        assert!(*no < UserNo(table.next_user));
        assert!(
            user.is_account() || !known.rooms.is_empty(),
            "{user:?} is nowhere"
        );
        let sits = |room: &RoomNo| table.room(*room).is_some_and(|r| r.member(*no).is_some());
        assert!(known.rooms.iter().all(sits), "{known:?}");
        assert!(known.tokens.len() <= MAX_TOKENS);
        let owns = |token| table.tokens.get(token) == Some(no);
        assert!(known.tokens.iter().all(owns), "{known:?}");
        if user.is_account() {
            assert_eq!(
                table.account(&skeleton(&user.name)).map(|a| a.no),
                Some(*no)
            );
        }
    }
    let tokens: usize = table.users.values().map(|known| known.tokens.len()).sum();
    assert_eq!(table.tokens.len(), tokens, "a token of somebody unknown");
    let accounts = table.users.values().filter(|known| known.user.is_account());
    assert_eq!(table.accounts.len(), accounts.count());
    assert_eq!(table.room_ids.len(), table.rooms.len());
    assert_eq!(table.user_ids.len(), table.users.len());
}

/// That an edit or a deletion is of a message that is kept and was not deleted before, by somebody
/// who may, and keeps what the message was.
fn check_change(before: &Rooms, entry: &Entry) {
    let of = match &entry.body {
        Body::Edited { of, .. } => {
            assert_eq!(entry.user, of.author, "{entry:?}");
            of
        }
        Body::Deleted { of } => of,
        _ => return,
    };
    let room = before.room(entry.room).expect("its room");
    assert!([of.author, room.head.owner].contains(&entry.user));
    assert!(of.seq > room.floor && of.seq < entry.at, "{entry:?}");
    if let Some(known) = before.spoken.find(entry.room, of.uuid) {
        assert!(known.now.is_some(), "deleted before: {entry:?}");
        let kept = (known.at, known.user, known.sent, known.digest, known.reply);
        assert_eq!(kept, (of.seq, of.author, of.said, of.origin, of.reply));
    }
}

#[test]
fn the_same_commands_give_the_same_events_and_every_promise_holds_after_each() {
    let mut dice = Dice(2001);
    let rules = Rules {
        max_members: 4,
        require_token: false,
        lang: Lang::Zh,
    };
    let (mut table, mut copy) = (Rooms::new(rules), Rooms::new(rules));
    let mut now = 0;
    let mut history = vec![];
    let mut last: HashMap<RoomNo, Place> = HashMap::new();
    let mut floors: HashMap<RoomNo, Place> = HashMap::new();
    let mut numbers = (RoomNo(0), UserNo(0));
    for step in 0..800 {
        now += dice.below(60) as Nanos * SECOND;
        let act = any_act(&mut dice, step, &table);
        let command = Command { now, act };
        let before = shown(&table);
        let decision = table.decide(&command);
        assert_eq!(decision, table.decide(&command));
        assert_eq!(before, shown(&table), "deciding changes nothing");

        for event in decision.iter().flat_map(|(events, _)| events) {
            match event {
                Event::Entry(entry) => {
                    let last = last.entry(entry.room).or_default();
                    *last += 1;
                    assert_eq!(entry.at, *last, "no gap: {entry:?}");
                    check_change(&table, entry);
                }
                Event::Pruned { room, floor } => {
                    let before = floors.insert(*room, *floor).unwrap_or(0);
                    assert!(*floor > before && *floor <= last[room], "{event:?}");
                }
                Event::RoomMade(head) => {
                    assert!(head.no > numbers.0, "a new number");
                    numbers.0 = head.no;
                }
                Event::UserMade(user) => {
                    assert!(user.no > numbers.1, "a new number");
                    numbers.1 = user.no;
                }
                _ => {}
            }
            table.apply(event);
            copy.apply(event);
        }
        check_agreement(&table);
        assert_eq!(
            shown(&table),
            shown(&copy),
            "events say it all: {command:?}"
        );
        history.push((command, decision));
    }

    let mut again = Rooms::new(rules);
    for (command, decision) in &history {
        assert_eq!(again.decide(command), *decision);
        for event in decision.iter().flat_map(|(events, _)| events) {
            again.apply(event);
        }
    }
    let decisions = || history.iter().map(|(_, decision)| decision);
    let events = decisions().flatten().flat_map(|(events, _)| events);
    let kinds: BTreeSet<_> = events.map(kind).collect();
    assert_eq!(kinds.len(), 12, "every event happened: {kinds:?}");
    let refused = decisions().filter(|decision| decision.is_err()).count();
    assert!((100..400).contains(&refused), "{refused} were refused");
}
