//! The rules as promises. No socket, clock or disk: a table, and commands whose time and ids are
//! made up here.

mod long_run;
mod powers;

use super::*;

const MINUTE: Nanos = 60 * SECOND;
/// The owner key of every room here, and one that is none's.
const KEY: KeyHash = KeyHash([1; 32]);
const OTHER_KEY: KeyHash = KeyHash([2; 32]);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A table that commands are carried out on, and what they may not make up themselves.
struct House {
    rooms: Rooms,
    now: Nanos,
    /// Ids and tokens that were handed out.
    made: u8,
}

fn house() -> House {
    house_for(100)
}

fn house_for(max_members: usize) -> House {
    House {
        rooms: Rooms::new(Rules {
            max_members,
            require_token: false,
            closed: false,
            lang: Lang::Zh,
        }),
        now: 1_000 * MINUTE,
        made: 0,
    }
}

/// An id whose first 5 hexadecimal digits, which default names are made of, are those of `n`.
fn id(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n) << 108)
}

fn token(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

fn request(n: u32) -> Request {
    Request {
        uuid: id(n),
        from: [127, 0, 0, 1].into(),
    }
}

/// The seat of somebody who showed a token.
fn known(user: UserNo, name: Option<&str>) -> Seat {
    let name = name.map(str::to_owned);
    Seat {
        who: Newcomer::Known { user, name },
        token: None,
        request: None,
    }
}

fn asked_by(request: Request, seat: Seat) -> Seat {
    Seat {
        request: Some(request),
        ..seat
    }
}

fn create(room: NewRoom, seat: Seat) -> Act {
    Act::Create { room, seat }
}

fn join(room: RoomNo, seat: Seat) -> Act {
    join_over(room, seat, &[])
}

/// A join that was told which members are silent.
fn join_over(room: RoomNo, seat: Seat, silent: &[UserNo]) -> Act {
    Act::Join {
        room,
        by_number: false,
        key: None,
        from: HERE,
        proof: None,
        seat,
        silent: silent.to_vec(),
        beside: Beside::default(),
    }
}

fn join_by_number(room: RoomNo, seat: Seat, proof: Option<u32>) -> Act {
    Act::Join {
        room,
        by_number: true,
        key: None,
        from: HERE,
        proof,
        seat,
        silent: vec![],
        beside: Beside::default(),
    }
}

fn leave(room: RoomNo, user: UserNo) -> Act {
    Act::Leave { room, user }
}

fn say(room: RoomNo, user: UserNo, uuid: Uuid, text: &str) -> Act {
    say_recalling(room, user, uuid, text, None)
}

/// A message of whose uuid the store knew `recalled`.
fn say_recalling(
    room: RoomNo,
    user: UserNo,
    uuid: Uuid,
    text: &str,
    recalled: Option<Spoken>,
) -> Act {
    Act::Say {
        room,
        user,
        uuid,
        given: true,
        text: text.into(),
        reply: None,
        answers: true,
        recalled,
    }
}

fn edit(room: RoomNo, user: UserNo, uuid: Uuid, text: &str) -> Act {
    edit_recalling(room, user, uuid, text, None)
}

/// An edit of a message of whose uuid the store knew `recalled`.
fn edit_recalling(
    room: RoomNo,
    user: UserNo,
    uuid: Uuid,
    text: &str,
    recalled: Option<Spoken>,
) -> Act {
    let text = text.into();
    Act::Edit {
        room,
        user,
        uuid,
        text,
        recalled,
    }
}

fn delete(room: RoomNo, user: UserNo, uuid: Uuid) -> Act {
    delete_recalling(room, user, uuid, None)
}

fn delete_recalling(room: RoomNo, user: UserNo, uuid: Uuid, recalled: Option<Spoken>) -> Act {
    Act::Delete {
        room,
        user,
        uuid,
        recalled,
    }
}

fn prune(room: RoomNo, floor: Place) -> Act {
    Act::Prune { room, floor }
}

fn silent_guests(guests: &[(RoomNo, UserNo)]) -> Act {
    Act::Expire {
        guests: guests.to_vec(),
        rooms: vec![],
        tokens: vec![],
        requests: vec![],
    }
}

fn idle_rooms(rooms: &[RoomNo]) -> Act {
    Act::Expire {
        guests: vec![],
        rooms: rooms.to_vec(),
        tokens: vec![],
        requests: vec![],
    }
}

impl House {
    fn run(&mut self, act: Act) -> Decision {
        let now = self.now;
        let decision = self.rooms.decide(&Command { now, act });
        if let Ok((events, _)) = &decision {
            events.iter().for_each(|event| self.rooms.apply(event));
        }
        decision
    }

    #[track_caller]
    fn ok(&mut self, act: Act) -> (Vec<Event>, Reply) {
        self.run(act.clone())
            .unwrap_or_else(|refusal| panic!("{act:?} is refused: {refusal:?}"))
    }

    #[track_caller]
    fn events(&mut self, act: Act) -> Vec<Event> {
        self.ok(act).0
    }

    #[track_caller]
    fn refusal(&mut self, act: Act) -> Refusal {
        match self.run(act.clone()) {
            Err(refusal) => refusal,
            Ok(done) => panic!("{act:?} is not refused: {done:?}"),
        }
    }

    fn fresh(&mut self) -> u8 {
        self.made += 1;
        self.made
    }

    /// The seat of a guest made with the call, its id and token being the next number's.
    fn guest(&mut self, name: Option<&str>) -> Seat {
        let n = self.fresh();
        self.guest_as(id(n.into()), name)
    }

    fn guest_as(&mut self, id: Uuid, name: Option<&str>) -> Seat {
        let name = name.map(str::to_owned);
        let avatar = 7;
        Seat {
            who: Newcomer::Guest { id, avatar, name },
            token: Some(token(self.made)),
            request: None,
        }
    }

    fn new_room(&mut self, secret: Option<&str>, listed: bool) -> NewRoom {
        NewRoom {
            id: id(self.fresh().into()),
            name: None,
            secret: secret.map(Into::into),
            listed,
            key: KEY,
        }
    }

    #[track_caller]
    fn seated(&mut self, act: Act) -> (RoomNo, UserNo) {
        match self.ok(act).1 {
            Reply::Seated { room, user } => (room, user),
            other => panic!("seated by {other:?}"),
        }
    }

    /// An open room and the guest who owns it.
    fn room(&mut self) -> (RoomNo, UserNo) {
        let (room, seat) = (self.new_room(None, false), self.guest(Some("owner")));
        self.seated(create(room, seat))
    }

    fn room_with(&mut self, secret: Option<&str>, listed: bool) -> RoomNo {
        let (room, seat) = (self.new_room(secret, listed), self.guest(None));
        self.seated(create(room, seat)).0
    }

    /// A guest who has joined.
    #[track_caller]
    fn guest_in(&mut self, room: RoomNo, name: &str) -> UserNo {
        let seat = self.guest(Some(name));
        self.seated(join(room, seat)).1
    }

    fn account(&mut self, name: &str) -> UserNo {
        let register = self.register(name);
        match self.ok(register).1 {
            Reply::Registered(user) => user,
            other => panic!("registered by {other:?}"),
        }
    }

    fn register(&mut self, name: &str) -> Act {
        Act::Register {
            id: id(self.fresh().into()),
            username: name.to_owned(),
            secret: "argon2".into(),
            avatar: 7,
        }
    }

    #[track_caller]
    fn place(&mut self, act: Act) -> Place {
        match self.ok(act).1 {
            Reply::Said { at, .. } => at,
            other => panic!("said by {other:?}"),
        }
    }

    /// Who is in a room, by name, in join order.
    fn names(&self, room: RoomNo) -> Vec<&str> {
        let room = self.rooms.room(room).expect("this room is there");
        room.members.values().map(|m| &*m.name).collect()
    }
}

/// What events put into a room's order: the place, who, and a word.
fn places(events: &[Event]) -> Vec<(Place, &str, &str)> {
    let entries = events.iter().filter_map(|event| match event {
        Event::Entry(entry) => Some(entry),
        _ => None,
    });
    let place = |entry: &'_ Arc<Entry>| match &entry.body {
        Body::Message(_) => "says",
        Body::Joined { .. } => "joins",
        Body::Left { .. } => "leaves",
        Body::Edited { .. } => "edits",
        Body::Deleted { .. } => "deletes",
        Body::Tombstone { .. } => "is gone",
        Body::Notice { .. } => "acts",
    };
    entries.map(|e| (e.at, &*e.name, place(e))).collect()
}

/// The name of an event's variant.
fn kind(event: &Event) -> String {
    let shown = format!("{event:?}");
    let end = shown.find(|c: char| !c.is_alphanumeric());
    shown[..end.unwrap_or(shown.len())].to_owned()
}

// ---- The order ----

#[test]
fn a_room_is_a_sequence_without_gaps() {
    let mut house = house();
    let (room, owner) = house.room();
    let seat = house.guest(Some("Ada"));
    let (mut all, reply) = house.ok(join(room, seat));
    let Reply::Seated { user: ada, .. } = reply else {
        panic!("{reply:?}");
    };
    all.extend(house.events(say(room, ada, id(900), "hello")));
    assert_eq!(
        house.refusal(say(room, UserNo(99), id(901), "who?")),
        Refusal::NotMember
    );
    all.extend(house.events(leave(room, ada)));
    all.extend(house.events(say(room, owner, id(902), "gone")));
    assert_eq!(
        places(&all),
        [
            (2, "Ada", "joins"),
            (3, "Ada", "says"),
            (4, "Ada", "leaves"),
            (5, "owner", "says"),
        ],
        "and 1 is the owner's own coming"
    );
}

#[test]
fn a_room_is_made_after_its_owner_and_before_its_first_entry() {
    let mut house = house();
    let (room, seat) = (house.new_room(None, false), house.guest(None));
    let events = house.events(create(room, asked_by(request(1), seat)));
    let kinds: Vec<_> = events.iter().map(kind).collect();
    let order = [
        "UserMade",
        "TokenMade",
        "RoomMade",
        "Owner",
        "Entry",
        "Requested",
    ];
    assert_eq!(kinds, order);
}

#[test]
fn a_text_is_1_to_4000_characters_and_not_only_blanks() {
    let mut house = house();
    let (room, owner) = house.room();
    let long = "字".repeat(MAX_TEXT_CHARS);
    assert_eq!(house.place(say(room, owner, id(900), &long)), 2);
    for text in ["", " \n\t", &(long + "字")] {
        let refusal = house.refusal(say(room, owner, id(901), text));
        assert_eq!(refusal, Refusal::BadText);
    }
}

#[test]
fn a_reply_is_to_a_message_that_there_is() {
    let mut house = house();
    let (room, user) = house.room();
    let reply_to = |place, answers| Act::Say {
        room,
        user,
        uuid: id(900 + place as u32),
        given: true,
        text: "yes".into(),
        reply: Some(place),
        answers,
        recalled: None,
    };
    // Not seen there, or not there whatever was seen.
    for (nowhere, seen) in [(0, false), (1, false), (2, true)] {
        assert_eq!(
            house.refusal(reply_to(nowhere, seen)),
            Refusal::BadField {
                field: "reply",
                want: Want::Seq
            }
        );
    }
    assert_eq!(house.place(reply_to(1, true)), 2);
}

// ---- Uuids ----

#[test]
fn a_uuid_again_from_the_same_sender_with_the_same_text_is_the_same_message() {
    let mut house = house();
    let (room, owner) = house.room();
    let (first, answer) = house.ok(say(room, owner, id(900), "hello"));
    house.now += MINUTE;
    assert_eq!(places(&first).len(), 1);
    assert_eq!(
        house.ok(say(room, owner, id(900), "hello")),
        (vec![], answer),
        "nothing is said twice, and the first time stands"
    );
}

#[test]
fn a_uuid_with_another_text_or_sender_is_taken() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    house.ok(say(room, owner, id(900), "hello"));
    for act in [
        say(room, owner, id(900), "hullo"),
        say(room, owner, id(900), ""),
        say(room, ada, id(900), "hello"),
    ] {
        assert_eq!(house.refusal(act), Refusal::UuidTaken);
    }
}

#[test]
fn a_uuid_belongs_to_its_room_alone() {
    let mut house = house();
    let ((one, first), (two, second)) = (house.room(), house.room());
    house.ok(say(one, first, id(900), "hello"));
    assert_eq!(house.place(say(two, second, id(900), "other")), 2);
}

#[test]
fn a_uuid_that_was_not_given_is_never_a_repetition() {
    let mut house = house();
    let (room, user) = house.room();
    let made = Act::Say {
        room,
        user,
        uuid: id(900),
        given: false,
        text: "hello".into(),
        reply: None,
        answers: true,
        recalled: None,
    };
    assert_eq!(house.place(made.clone()), 2);
    assert_eq!(house.place(made), 3);
}

#[test]
fn a_recalled_uuid_counts_where_memory_has_forgotten() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    let spoken = Spoken {
        user: owner,
        at: 1,
        sent: 5,
        digest: digest(id(900), "hello"),
        now: Some(digest(id(900), "hello")),
        reply: None,
    };
    let recalled = |user, text| say_recalling(room, user, id(900), text, Some(spoken));
    let (events, reply) = house.ok(recalled(owner, "hello"));
    assert_eq!((events, reply), (vec![], Reply::Said { at: 1, sent: 5 }));
    assert_eq!(house.refusal(recalled(owner, "hullo")), Refusal::UuidTaken);
    assert_eq!(house.refusal(recalled(ada, "hello")), Refusal::UuidTaken);
}

#[test]
fn the_store_is_asked_only_about_uuids_that_may_have_been_forgotten() {
    let mut house = house();
    let (room, owner) = house.room();
    assert!(!house.rooms.has_forgotten(room, id(900)), "all is known");

    let head = RoomHead {
        no: RoomNo(50),
        id: id(800),
        ..house.rooms.room(room).unwrap().head.clone()
    };
    house.rooms.put_room(head, 7, 0);
    let member = Member {
        user: owner,
        name: "owner".into(),
    };
    house.rooms.put_member(RoomNo(50), 7, member);
    let loaded = RoomNo(50);
    assert!(house.rooms.has_forgotten(loaded, id(900)), "from the store");
    assert_eq!(house.place(say(loaded, owner, id(900), "hello")), 8);
    assert!(!house.rooms.has_forgotten(loaded, id(900)), "just said");

    for n in 0..=SPOKEN_KEPT as u32 {
        house.ok(say(room, owner, id(1_000 + n), "x"));
    }
    assert!(house.rooms.has_forgotten(room, id(1_000)), "the oldest");
    assert!(!house.rooms.has_forgotten(room, id(1_001)), "the next");
    assert!(house.rooms.has_forgotten(room, id(900)), "never said");
}

// ---- Edits and deletions ----

/// The only entry that a command came to.
#[track_caller]
fn only_entry(events: &[Event]) -> &Entry {
    match events {
        [Event::Entry(entry)] => entry,
        other => panic!("not one entry: {other:?}"),
    }
}

/// What the store says of a message said at place 2 by `user`.
fn stored(user: UserNo, text: &str, now: Option<&str>) -> Spoken {
    Spoken {
        user,
        at: 2,
        sent: 5,
        digest: digest(id(900), text),
        now: now.map(|now| digest(id(900), now)),
        reply: Some(1),
    }
}

#[test]
fn an_edit_and_a_deletion_take_places_and_name_their_message() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    let said = house.now;
    let mut say = say(room, ada, id(900), "hello");
    if let Act::Say { reply, .. } = &mut say {
        *reply = Some(1);
    }
    house.ok(say);
    house.now += MINUTE;
    let of = Target {
        uuid: id(900),
        seq: 3,
        author: ada,
        said,
        reply: Some(1),
        origin: digest(id(900), "hello"),
    };
    for (text, at) in [("hullo", 4), ("hello", 5)] {
        let events = house.events(edit(room, ada, id(900), text));
        let entry = only_entry(&events);
        let (of, text) = (of.clone(), text.into());
        assert_eq!(entry.body, Body::Edited { of, text });
        assert_eq!((entry.at, entry.user, entry.sent), (at, ada, house.now));
    }
    let events = house.events(delete(room, owner, id(900)));
    let entry = only_entry(&events);
    assert_eq!(entry.body, Body::Deleted { of });
    assert_eq!((entry.at, entry.user, &*entry.name), (6, owner, "owner"));
}

#[test]
fn an_edit_is_the_authors_and_a_deletion_the_owners_too() {
    let mut house = house();
    let (room, owner) = house.room();
    let (ada, bob) = (house.guest_in(room, "Ada"), house.guest_in(room, "Bob"));
    house.ok(say(room, ada, id(900), "hello"));
    for act in [
        edit(room, owner, id(900), "hullo"),
        edit(room, bob, id(900), "hullo"),
        edit(room, bob, id(900), "hello"),
        delete(room, bob, id(900)),
    ] {
        assert_eq!(house.refusal(act), Refusal::NotYours);
    }
    let gone = UserNo(99);
    let (elsewhere, _) = house.room();
    for act in [
        edit(room, gone, id(900), "hullo"),
        delete(room, gone, id(900)),
        edit(elsewhere, ada, id(900), "hullo"),
        delete(elsewhere, ada, id(900)),
    ] {
        assert_eq!(house.refusal(act), Refusal::NotMember);
    }
    for act in [
        edit(room, ada, id(901), "hullo"),
        delete(room, owner, id(901)),
    ] {
        assert_eq!(house.refusal(act), Refusal::NoSuchMessage);
    }
    for text in ["", " ", &"x".repeat(MAX_TEXT_CHARS + 1)] {
        let act = edit(room, ada, id(900), text);
        assert_eq!(house.refusal(act), Refusal::BadText);
    }
    house.ok(leave(room, bob));
    house.ok(delete(room, owner, id(900)));
}

#[test]
fn what_changes_nothing_takes_no_place() {
    let mut house = house();
    let (room, owner) = house.room();
    house.ok(say(room, owner, id(900), "hello"));
    let nothing = (vec![], Reply::Ok);
    assert_eq!(house.ok(edit(room, owner, id(900), "hello")), nothing);
    house.ok(edit(room, owner, id(900), "hullo"));
    assert_eq!(house.ok(edit(room, owner, id(900), "hullo")), nothing);
    house.ok(delete(room, owner, id(900)));
    assert_eq!(house.ok(delete(room, owner, id(900))), nothing);
    assert_eq!(house.rooms.room(room).unwrap().last, 4);
}

#[test]
fn a_uuid_stands_for_its_first_text_whatever_became_of_it() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    let (_, first) = house.ok(say(room, ada, id(900), "hello"));
    for change in [
        edit(room, ada, id(900), "hullo"),
        edit(room, ada, id(900), "hello"),
        delete(room, owner, id(900)),
    ] {
        house.now += MINUTE;
        house.ok(change);
        let again = house.ok(say(room, ada, id(900), "hello"));
        assert_eq!(again, (vec![], first.clone()));
        for act in [
            say(room, ada, id(900), "hullo"),
            say(room, owner, id(900), "hello"),
        ] {
            assert_eq!(house.refusal(act), Refusal::UuidTaken);
        }
    }
}

#[test]
fn what_the_store_knows_counts_until_this_batch_changes_it() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    house.ok(say(room, owner, id(950), "at place 3"));
    let recalled = Some(stored(ada, "hello", Some("hullo")));
    let edit = |text| edit_recalling(room, ada, id(900), text, recalled);
    assert_eq!(house.ok(edit("hullo")), (vec![], Reply::Ok), "as it is");
    let events = house.events(edit("hello"));
    match &only_entry(&events).body {
        Body::Edited { of, .. } => {
            assert_eq!((of.seq, of.author, of.said, of.reply), (2, ada, 5, Some(1)));
            assert_eq!(of.origin, digest(id(900), "hello"));
        }
        other => panic!("{other:?}"),
    }
    assert!(!house.rooms.has_forgotten(room, id(900)), "remembered anew");
    assert_eq!(
        house.ok(edit("hello")),
        (vec![], Reply::Ok),
        "not as stored"
    );
    house.ok(delete_recalling(room, owner, id(900), recalled));
    assert_eq!(house.refusal(edit("hi")), Refusal::NoSuchMessage);
    let again = delete_recalling(room, ada, id(900), recalled);
    assert_eq!(house.ok(again), (vec![], Reply::Ok));
    let said = say_recalling(room, ada, id(900), "hello", recalled);
    assert_eq!(house.ok(said), (vec![], Reply::Said { at: 2, sent: 5 }));

    let deleted = Some(stored(ada, "hello", None));
    let edit = edit_recalling(room, ada, id(901), "hello", deleted);
    assert_eq!(house.refusal(edit), Refusal::NoSuchMessage);
    let delete = delete_recalling(room, ada, id(901), deleted);
    assert_eq!(house.ok(delete), (vec![], Reply::Ok));
    assert_eq!(house.rooms.room(room).unwrap().last, 5);
}

#[test]
fn a_change_of_a_forgotten_message_is_remembered_and_makes_the_oldest_forgotten() {
    let mut house = house();
    let (room, owner) = house.room();
    for n in 0..SPOKEN_KEPT as u32 {
        house.ok(say(room, owner, id(1_000 + n), "x"));
    }
    // One that is remembered changes its text, not who is forgotten first.
    house.ok(edit(room, owner, id(1_000), "y"));
    assert!(!house.rooms.has_forgotten(room, id(1_000)));
    let recalled = Some(stored(owner, "hello", Some("hello")));
    house.ok(edit_recalling(room, owner, id(900), "hullo", recalled));
    assert!(!house.rooms.has_forgotten(room, id(900)));
    assert!(house.rooms.has_forgotten(room, id(1_000)));
    assert!(!house.rooms.has_forgotten(room, id(1_001)));
}

#[test]
fn a_uuid_said_again_after_its_message_was_pruned_is_the_newest_and_forgotten_last() {
    let mut house = house();
    let (room, owner) = house.room();
    let first = house.place(say(room, owner, id(900), "x"));
    for n in 1..SPOKEN_KEPT as u32 {
        house.ok(say(room, owner, id(1_000 + n), "x"));
    }
    house.ok(prune(room, first));
    assert!(house.place(say(room, owner, id(900), "y")) > first);
    house.ok(say(room, owner, id(901), "x"));
    assert!(!house.rooms.has_forgotten(room, id(900)), "just said");
    assert!(house.rooms.has_forgotten(room, id(1_001)), "the oldest");
}

// ---- Pruning ----

#[test]
fn pruning_goes_forwards_and_never_past_the_last_place() {
    let mut house = house();
    let (room, owner) = house.room();
    for n in 0..9 {
        house.ok(say(room, owner, id(900 + n), "x"));
    }
    let floor = |house: &House| house.rooms.room(room).unwrap().floor;
    let nothing = (vec![], Reply::Ok);
    assert_eq!(house.ok(prune(room, 0)), nothing);
    assert_eq!(house.ok(prune(room, 11)), nothing, "there is no place 11");
    let pruned = |floor| Event::Pruned { room, floor };
    assert_eq!(house.events(prune(room, 4)), [pruned(4)]);
    assert_eq!(floor(&house), 4);
    for back in [1, 3, 4] {
        assert_eq!(house.ok(prune(room, back)), nothing);
    }
    assert_eq!(house.events(prune(room, 10)), [pruned(10)], "all of it");
    assert_eq!(floor(&house), 10);
    assert_eq!(house.place(say(room, owner, id(990), "x")), 11);
    assert_eq!(house.refusal(prune(RoomNo(99), 1)), Refusal::NoSuchRoom);
}

#[test]
fn a_pruned_message_is_forgotten_with_its_uuid() {
    let mut house = house();
    let (room, owner) = house.room();
    for n in 0..3 {
        house.ok(say(room, owner, id(900 + n), "hello"));
    }
    house.ok(edit(room, owner, id(900), "hullo"));
    house.ok(prune(room, 3));
    for n in [0, 1] {
        for act in [
            edit(room, owner, id(900 + n), "again"),
            delete(room, owner, id(900 + n)),
        ] {
            assert_eq!(house.refusal(act), Refusal::NoSuchMessage);
        }
    }
    assert_eq!(house.place(say(room, owner, id(900), "new")), 6);
    let again = say_recalling(
        room,
        owner,
        id(901),
        "new",
        Some(stored(owner, "old", None)),
    );
    assert_eq!(
        house.place(again),
        7,
        "what the store says is pruned as well"
    );
    assert_eq!(
        house.refusal(say(room, owner, id(902), "new")),
        Refusal::UuidTaken,
        "kept"
    );
    let entry = house.events(edit(room, owner, id(900), "newer"));
    assert!(matches!(&only_entry(&entry).body, Body::Edited { of, .. } if of.seq == 6));
}

// ---- Names ----

#[test]
fn names_that_look_alike_are_one_name_and_the_suggestion_is_free() {
    let mut house = house();
    let (room, _) = house.room();
    house.guest_in(room, "Ada");
    house.guest_in(room, "Ada-2");
    for name in ["Ada", "ada", "Ad\u{430}", "A\u{200d}da"] {
        let seat = house.guest(Some(name));
        let Refusal::NameTaken { suggest } = house.refusal(join(room, seat)) else {
            panic!("{name} is refused by its name");
        };
        let free = Looks::of(&suggest);
        let taken = |name| Looks::of(name).meet(&free);
        assert!(!house.names(room).into_iter().any(taken), "{suggest}");
        check_name(NameOf::Member, &suggest).unwrap();
    }
    house.guest_in(room, "Ada-3");
}

#[test]
fn of_two_that_an_older_parlor_let_in_the_one_who_stays_has_the_name() {
    let mut house = house();
    let (room, _) = house.room();
    let (bob, eve) = (house.guest_in(room, "Bob"), house.guest_in(room, "Eve"));
    let at = house.rooms.room(room).and_then(|r| r.joined(eve));
    let (user, name) = (eve, "bob".into());
    house.rooms.rooms.get_mut(&room).unwrap().unseat(eve);
    let as_stored = Member { user, name };
    house.rooms.put_member(room, at.unwrap(), as_stored);
    house.ok(leave(room, bob));
    let seat = house.guest(Some("BOB"));
    let taken = house.refusal(join(room, seat));
    assert!(matches!(taken, Refusal::NameTaken { .. }), "{taken:?}");
    house.ok(leave(room, eve));
    house.guest_in(room, "bob");
}

#[test]
fn two_that_an_older_parlor_let_in_keep_their_names_until_they_leave() {
    let mut house = house();
    let (room, _) = house.room();
    let (bob, eve) = (house.guest_in(room, "Bob"), house.guest_in(room, "Eve"));
    let at = house.rooms.room(room).and_then(|r| r.joined(eve));
    let (user, name) = (eve, "bob".into());
    house.rooms.rooms.get_mut(&room).unwrap().unseat(eve);
    let as_stored = Member { user, name };
    house.rooms.put_member(room, at.unwrap(), as_stored);
    assert_eq!(house.names(room), ["owner", "Bob", "bob"]);
    house.ok(leave(room, eve));
    let seat = house.guest(Some("BOB"));
    let taken = house.refusal(join(room, seat));
    assert!(matches!(taken, Refusal::NameTaken { .. }), "{taken:?}");
    house.ok(leave(room, bob));
    house.guest_in(room, "BOB");
}

#[test]
fn the_suggestion_for_a_longest_name_is_no_longer() {
    let mut house = house();
    let (room, _) = house.room();
    let name = "字".repeat(MAX_NAME_CHARS);
    house.guest_in(room, &name);
    let seat = house.guest(Some(&name));
    let Refusal::NameTaken { suggest } = house.refusal(join(room, seat)) else {
        panic!("it is refused by its name");
    };
    house.guest_in(room, &suggest);
}

#[test]
fn suggestions_count_on_and_do_not_pile_up() {
    let mut house = house();
    let (room, _) = house.room();
    for (name, next) in [
        ("Max", "Max-2"),
        ("Max-2", "Max-3"),
        ("Max-9", "Max-10"),
        ("Max-999", "Max-1000"),
        ("Max-2010", "Max-2010-2"),
        ("Max-+2", "Max-+2-2"),
        ("Max-", "Max--2"),
        ("-2", "-2-2"),
    ] {
        house.guest_in(room, name);
        let seat = house.guest(Some(name));
        let suggest = next.to_owned();
        let refusal = house.refusal(join(room, seat));
        assert_eq!(refusal, Refusal::NameTaken { suggest }, "{name}");
    }
    house.guest_in(room, "Max-3");
    let suggest = "Max-4".to_owned();
    for name in ["Max", "Max-2"] {
        let seat = house.guest(Some(name));
        let suggest = suggest.clone();
        let refusal = house.refusal(join(room, seat));
        assert_eq!(refusal, Refusal::NameTaken { suggest });
    }
}

#[test]
fn a_name_is_free_again_when_its_bearer_has_left() {
    let mut house = house();
    let (room, _) = house.room();
    let ada = house.guest_in(room, "Ada");
    house.ok(leave(room, ada));
    house.guest_in(room, "Ada");
}

#[test]
fn a_default_name_is_made_of_the_id_and_gives_way_when_taken() {
    let mut house = house();
    let (room, _) = house.room();
    for n in 0..2 {
        let same_start = Uuid::from_u128(id(0xf7f12).as_u128() + n);
        let seat = house.guest_as(same_start, None);
        house.ok(join(room, seat));
    }
    assert_eq!(house.names(room)[1..], ["用户f7f12", "用户f7f12-2"]);
    let user = house
        .rooms
        .user_by_id(Uuid::from_u128(id(0xf7f12).as_u128() + 1));
    assert_eq!(&*user.unwrap().user.name, "用户f7f12-2", "its own name too");
}

#[test]
fn default_names_are_in_the_language_of_the_house() {
    let mut house = house();
    house.rooms.rules.lang = Lang::En;
    let seat = house.guest_as(id(0xf7f12), None);
    let room = NewRoom {
        id: id(0x95c0f),
        name: None,
        secret: None,
        listed: false,
        key: KEY,
    };
    house.ok(Act::Create { room, seat });
    let room = house.rooms.room_by_id(id(0x95c0f)).unwrap();
    assert_eq!(&*room.head.name, "Room 95c0f");
    assert_eq!(house.names(room.head.no), ["User f7f12"]);
}

#[test]
fn the_taken_name_of_an_account_is_refused_and_another_may_be_wished_for() {
    let mut house = house();
    let ada = house.account("Ada");
    let (room, _) = house.room();
    house.guest_in(room, "Ada");
    let refusal = house.refusal(join(room, known(ada, None)));
    let suggest = "Ada-2".to_owned();
    assert_eq!(refusal, Refusal::NameTaken { suggest });
    house.ok(join(room, known(ada, Some("Countess"))));
    assert_eq!(house.names(room)[1..], ["Ada", "Countess"]);
    let account = house.rooms.user(ada).unwrap();
    assert_eq!(&*account.user.name, "Ada", "in this room only");
}

#[test]
fn usernames_that_look_alike_are_one_username() {
    let mut house = house();
    let ada = house.account("Ada");
    let other = house.register("Ad\u{430}");
    assert_eq!(house.refusal(other), Refusal::UsernameTaken);
    let found = house
        .rooms
        .account(&skeleton("Ad\u{430}"))
        .map(|user| user.no);
    assert_eq!(found, Some(ada));
}

#[test]
fn a_name_has_something_to_see_and_no_controls() {
    let mut house = house();
    let (room, owner) = house.room();
    let long = "n".repeat(MAX_NAME_CHARS + 1);
    for name in ["", " ", "\u{200b}", "\u{3164} ", "a\nb", "\u{7f}", &long] {
        let seat = house.guest(Some(name));
        let named = NewRoom {
            name: Some(name.to_owned()),
            ..house.new_room(None, false)
        };
        let register = house.register(name);
        for act in [
            join(room, seat),
            create(named, known(owner, None)),
            register,
        ] {
            let refusal = house.refusal(act);
            assert!(matches!(refusal, Refusal::BadName(..)), "{name:?}");
        }
    }
}

// ---- Displacing ----

#[test]
fn a_silent_open_guest_gives_its_name_to_a_newcomer_and_leaves_first() {
    let mut house = house();
    let (room, _) = house.room();
    let ghost = house.guest_in(room, "Ada");
    let seat = house.guest(Some("Ad\u{430}"));
    let events = house.events(join_over(room, seat, &[ghost]));
    assert_eq!(
        places(&events),
        [(3, "Ada", "leaves"), (4, "Ad\u{430}", "joins")]
    );
    assert!(events.contains(&Event::GuestGone(ghost)));
    assert_eq!(house.names(room), ["owner", "Ad\u{430}"]);
}

#[test]
fn nobody_else_is_displaced() {
    let mut house = house();
    let (room, owner) = house.room();
    let sealed = house.guest_in(room, "sealed");
    house.ok(Act::Seal { user: sealed });
    let account = house.account("account");
    house.ok(join(room, known(account, None)));
    let awake = house.guest_in(room, "awake");
    let silent = [owner, sealed, account];
    for (user, name) in [
        (owner, "owner"),
        (sealed, "sealed"),
        (account, "account"),
        (awake, "awake"),
    ] {
        let seat = house.guest(Some(name));
        let refusal = house.refusal(join_over(room, seat, &silent));
        assert!(matches!(refusal, Refusal::NameTaken { .. }), "{name}");
        assert!(house.rooms.room(room).unwrap().member(user).is_some());
    }
}

#[test]
fn a_silent_guest_stays_while_nobody_wants_its_name() {
    let mut house = house();
    let (room, _) = house.room();
    let ghost = house.guest_in(room, "Ada");
    let seat = house.guest(Some("Bob"));
    house.ok(join_over(room, seat, &[ghost]));
    assert_eq!(house.names(room), ["owner", "Ada", "Bob"]);
}

// ---- The way in ----

#[test]
fn by_number_without_a_password_only_listed_rooms_are_open() {
    let mut house = house();
    let (private, listed) = (house.room_with(None, false), house.room_with(None, true));
    let locked = house.room_with(Some("argon2"), true);
    let seat = house.guest(None);
    let by_number = |room, proof| join_by_number(room, seat.clone(), proof);
    assert_eq!(
        house.refusal(by_number(private, None)),
        Refusal::PrivateRoom
    );
    assert_eq!(
        house.refusal(by_number(locked, None)),
        Refusal::WrongPassword
    );
    house.ok(by_number(locked, Some(1)));
    house.ok(by_number(listed, None));
    house.ok(join(private, seat));
}

#[test]
fn a_password_is_proved_against_the_one_that_stands() {
    let mut house = house();
    let room = house.room_with(Some("argon2"), false);
    let seat = house.guest(None);
    for stale in [None, Some(0), Some(2)] {
        let refusal = house.refusal(join_by_number(room, seat.clone(), stale));
        assert_eq!(refusal, Refusal::WrongPassword, "{stale:?}");
    }
    house.ok(join_by_number(room, seat, Some(1)));
}

#[test]
fn a_full_room_takes_nobody_and_a_member_stays_a_member() {
    let mut house = house_for(2);
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    let seat = house.guest(None);
    let full = Refusal::RoomFull { members: 2 };
    assert_eq!(house.refusal(join(room, seat.clone())), full);
    assert_eq!(house.seated(join(room, known(owner, None))), (room, owner));
    house.ok(leave(room, ada));
    house.ok(join(room, seat));
}

#[test]
fn who_joins_again_is_answered_again_without_a_notice_or_a_password() {
    let mut house = house();
    let ada = house.account("Ada");
    let room = house.new_room(Some("argon2"), false);
    let (room, _) = house.seated(create(room, known(ada, None)));
    let (events, reply) = house.ok(join(room, known(ada, None)));
    assert_eq!((events, reply), (vec![], Reply::Seated { room, user: ada }));
}

#[test]
fn nobody_joins_what_is_not_there_or_as_nobody() {
    let mut house = house();
    let (room, _) = house.room();
    let seat = house.guest(None);
    let nowhere = house.refusal(join(RoomNo(99), seat));
    assert_eq!(nowhere, Refusal::NoSuchRoom);
    let nobody = house.refusal(join(room, known(UserNo(99), None)));
    assert_eq!(nobody, Refusal::BadToken);
}

// ---- Requests ----

#[test]
fn a_request_again_gives_the_same_seat_and_a_fresh_token() {
    let mut house = house();
    let (room, seat) = (house.new_room(None, false), house.guest(None));
    let made = house.seated(create(room, asked_by(request(1), seat)));
    let seat = house.guest(None);
    let joined = house.seated(join(made.0, asked_by(request(2), seat)));
    house.now += MINUTE;

    let (room, seat) = (house.new_room(None, false), house.guest(None));
    let fresh = token(house.made);
    let (events, reply) = house.ok(create(room, asked_by(request(1), seat)));
    let (room, user) = made;
    let at = house.now;
    let token_made = |token, user| vec![Event::TokenMade { token, user, at }];
    assert_eq!(reply, Reply::Seated { room, user });
    assert_eq!(events, token_made(fresh, user));

    let seat = house.guest(None);
    let fresh = token(house.made);
    let (events, reply) = house.ok(join(room, asked_by(request(2), seat)));
    let (room, user) = joined;
    assert_eq!(reply, Reply::Seated { room, user });
    assert_eq!(events, token_made(fresh, user));
}

#[test]
fn a_request_is_another_for_another_room_or_from_elsewhere() {
    let mut house = house();
    let ((one, _), (two, _)) = (house.room(), house.room());
    let ask = |house: &mut House, room, from: u8| {
        let request = Request {
            from: [127, 0, 0, from].into(),
            ..request(1)
        };
        let seat = house.guest(None);
        house.seated(join(room, asked_by(request, seat))).1
    };
    let first = ask(&mut house, one, 1);
    assert_eq!(ask(&mut house, one, 1), first);
    assert_ne!(ask(&mut house, one, 2), first, "from elsewhere");
    assert_ne!(ask(&mut house, two, 1), first, "another room");
}

#[test]
fn a_request_is_nobody_elses() {
    let mut house = house();
    let (ada, bob) = (house.account("Ada"), house.account("Bob"));
    let (room, _) = house.room();
    let visitor = house.guest_in(room, "visitor");
    house.now += 1;
    for user in [ada, visitor] {
        let asked = |seat| asked_by(request(user.0 as u32), seat);
        let made = house.new_room(None, false);
        let made = house.seated(create(made, asked(known(user, None))));
        assert_eq!(made.1, user);

        let room = house.new_room(None, false);
        let again = house.ok(create(room, asked(known(user, None))));
        let (room, user) = made;
        assert_eq!(again, (vec![], Reply::Seated { room, user }));

        let stranger = house.guest(None);
        for seat in [stranger, known(bob, None)] {
            let room = house.new_room(None, false);
            let (other, somebody) = house.seated(create(room, asked(seat)));
            assert_ne!(other, made.0);
            assert_ne!(somebody, user, "no token is no proof, nor is another's");
        }
    }
}

#[test]
fn a_request_whose_seat_was_left_is_a_new_one() {
    let mut house = house();
    let (room, _) = house.room();
    let seat = house.guest(Some("Ada"));
    let (_, ada) = house.seated(join(room, asked_by(request(1), seat)));
    house.ok(leave(room, ada));
    let seat = house.guest(Some("Ada"));
    let (_, again) = house.seated(join(room, asked_by(request(1), seat)));
    assert_ne!(again, ada);
}

#[test]
fn a_request_is_known_until_it_is_forgotten_whatever_the_clock_says() {
    let mut house = house();
    let (room, _) = house.room();
    let join = |house: &mut House| {
        let seat = house.guest(None);
        join(room, asked_by(request(1), seat))
    };
    let act = join(&mut house);
    let first = house.seated(act);
    house.now += 365 * 24 * 60 * MINUTE;
    let act = join(&mut house);
    assert_eq!(house.seated(act), first);
    let forget = || Act::Expire {
        guests: vec![],
        rooms: vec![],
        tokens: vec![],
        requests: vec![request(1)],
    };
    let forgotten = vec![Event::RequestForgotten(request(1))];
    assert_eq!(house.events(forget()), forgotten);
    assert_eq!(house.events(forget()), []);
    let act = join(&mut house);
    assert_ne!(house.seated(act), first);
}

// ---- The way out ----

#[test]
fn leaving_ends_a_guest_and_its_tokens() {
    let mut house = house();
    let (room, _) = house.room();
    let ada = house.guest_in(room, "Ada");
    let shown = token(house.made);
    assert_eq!(house.rooms.by_token(shown).map(|user| user.no), Some(ada));
    let events = house.events(leave(room, ada));
    assert_eq!(events[1..], [Event::GuestGone(ada)]);
    assert!(house.rooms.by_token(shown).is_none());
    assert!(house.rooms.user(ada).is_none());
    assert_eq!(house.refusal(leave(room, ada)), Refusal::NotMember);
}

#[test]
fn leaving_ends_no_account_and_no_guest_that_sits_elsewhere() {
    let mut house = house();
    let ((one, _), (two, _)) = (house.room(), house.room());
    let (ada, bob) = (house.account("Ada"), house.guest_in(two, "Bob"));
    for user in [ada, bob] {
        house.ok(join(one, known(user, None)));
        assert_eq!(house.events(leave(one, user)).len(), 1, "only the notice");
        assert!(house.rooms.user(user).is_some());
    }
    assert_eq!(house.names(two), ["owner", "Bob"]);
}

#[test]
fn silent_guests_expire_but_neither_owners_nor_accounts() {
    let mut house = house();
    let (room, owner) = house.room();
    let (ada, bob) = (house.guest_in(room, "Ada"), house.guest_in(room, "Bob"));
    let account = house.account("account");
    house.ok(join(room, known(account, None)));
    let (elsewhere, _) = house.room();
    house.ok(join(elsewhere, known(bob, None)));

    let silent = [ada, owner, account, UserNo(99), bob, ada].map(|user| (room, user));
    let events = house.events(silent_guests(&silent));
    assert_eq!(
        places(&events),
        [(5, "Ada", "leaves"), (6, "Bob", "leaves")]
    );
    assert_eq!(house.names(room), ["owner", "account"]);
    assert!(house.rooms.user(ada).is_none());
    assert!(house.rooms.user(bob).is_some(), "he sits elsewhere");
}

#[test]
fn the_end_of_a_room_ends_its_lonely_guests() {
    let mut house = house();
    let (room, owner) = house.room();
    let (lonely, busy) = (house.guest_in(room, "lonely"), house.guest_in(room, "busy"));
    let account = house.account("account");
    house.ok(join(room, known(account, None)));
    let (elsewhere, _) = house.room();
    house.ok(join(elsewhere, known(busy, None)));
    let gone = house.rooms.room(room).unwrap().head.id;

    let events = house.events(idle_rooms(&[room, RoomNo(99)]));
    let at = house.now;
    assert_eq!(
        events,
        [
            Event::RoomEnded { room, at },
            Event::GuestGone(owner),
            Event::GuestGone(lonely),
        ]
    );
    assert!(house.rooms.room(room).is_none());
    assert!(house.rooms.room_by_id(gone).is_none());
    let sits_in = |user| house.rooms.user(user).map(|known| known.rooms.len());
    assert_eq!(
        [lonely, busy, account].map(sits_in),
        [None, Some(1), Some(0)]
    );
}

// ---- Tokens and seals ----

#[test]
fn the_oldest_token_goes_when_a_user_has_many() {
    let mut house = house();
    let user = house.account("Ada");
    let tokens: Vec<_> = (0..=MAX_TOKENS as u8).map(token).collect();
    let at = house.now;
    let (newest, first) = tokens.split_last().unwrap();
    for &token in first {
        let made = Event::TokenMade { token, user, at };
        assert_eq!(house.events(Act::Login { user, token }), [made]);
    }
    let token = *newest;
    let made = Event::TokenMade { token, user, at };
    let events = house.events(Act::Login { user, token });
    assert_eq!(events, [Event::TokenGone(tokens[0]), made]);
    let valid = |token: &TokenHash| house.rooms.by_token(*token).is_some();
    assert!(!valid(&tokens[0]) && tokens[1..].iter().all(valid));
}

#[test]
fn a_token_ends_once_by_logout_or_by_age() {
    let mut house = house();
    let user = house.account("Ada");
    let (one, two) = (token(201), token(202));
    for token in [one, two] {
        house.ok(Act::Login { user, token });
    }
    let logout = Act::Logout { token: one };
    assert_eq!(house.events(logout.clone()), [Event::TokenGone(one)]);
    assert_eq!(house.refusal(logout), Refusal::BadToken);
    let expire = Act::Expire {
        guests: vec![],
        rooms: vec![],
        tokens: vec![one, two, two],
        requests: vec![],
    };
    assert_eq!(house.events(expire), [Event::TokenGone(two)]);
    assert!(house.rooms.tokens().next().is_none());
}

#[test]
fn sealing_again_changes_nothing() {
    let mut house = house();
    let (_, guest) = house.room();
    let account = house.account("Ada");
    let seal = |user| Act::Seal { user };
    assert_eq!(house.events(seal(guest)), [Event::Sealed(guest)]);
    assert_eq!(house.events(seal(guest)), []);
    assert_eq!(house.events(seal(account)), [], "sealed from birth");
    assert_eq!(house.refusal(seal(UserNo(99))), Refusal::BadToken);
}

// ---- Numbers ----

#[test]
fn a_number_is_never_used_twice() {
    let mut house = house();
    let (room, owner) = house.room();
    let ada = house.guest_in(room, "Ada");
    assert_eq!((room, owner, ada), (RoomNo(1), UserNo(1), UserNo(2)));
    house.ok(leave(room, ada));
    assert_eq!(house.guest_in(room, "Ada"), UserNo(3));
    house.ok(idle_rooms(&[room]));
    assert_eq!(house.room(), (RoomNo(2), UserNo(4)));
    house.rooms.used_numbers(40, 50);
    assert_eq!(house.room(), (RoomNo(41), UserNo(51)));
    house.rooms.used_numbers(1, 1);
    assert_eq!(house.room(), (RoomNo(42), UserNo(52)), "never back");
}

#[test]
fn rows_may_be_loaded_in_any_order() {
    let mut house = house();
    let (room, owner) = house.room();
    let head = house.rooms.room(room).unwrap().head.clone();
    let user = house.rooms.user(owner).unwrap().user.clone();
    for n in [30, 20] {
        let mut head = head.clone();
        (head.no, head.id) = (RoomNo(n.into()), id(n));
        house.rooms.put_room(head, 5, 0);
        let mut user = user.clone();
        (user.no, user.id) = (UserNo(n.into()), id(n));
        house.rooms.put_user(user);
    }
    assert_eq!(house.room(), (RoomNo(31), UserNo(31)));
}
