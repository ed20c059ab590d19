//! What owners may do, and what it does; and what nobody else may.

use super::*;

/// An owner that has shown its token, and a guest, in one room.
struct Class {
    house: House,
    room: RoomNo,
    owner: UserNo,
    bob: UserNo,
}

fn class() -> Class {
    let mut house = house();
    let (room, owner) = house.room();
    house.ok(Act::Seal { user: owner });
    let bob = house.guest_in(room, "Bob");
    Class {
        house,
        room,
        owner,
        bob,
    }
}

impl Class {
    fn act(&self, power: Power) -> Act {
        let (room, user) = (self.room, self.owner);
        Act::Owner { room, user, power }
    }

    #[track_caller]
    fn does(&mut self, power: Power) -> Vec<Event> {
        let act = self.act(power);
        self.house.events(act)
    }

    /// The notice that a power came to, which stands first.
    #[track_caller]
    fn tells(&mut self, power: Power) -> Notice {
        let events = self.does(power);
        let notice = events.iter().find_map(|event| match event {
            Event::Entry(entry) => match &entry.body {
                Body::Notice { what, .. } => Some(what.clone()),
                _ => None,
            },
            _ => None,
        });
        notice.unwrap_or_else(|| panic!("no notice in {events:?}"))
    }

    #[track_caller]
    fn refuses(&mut self, power: Power) -> Refusal {
        let act = self.act(power);
        self.house.refusal(act)
    }

    fn room(&self) -> &Room {
        self.house.rooms.room(self.room).expect("the room")
    }

    fn joins(&mut self, seat: Seat, key: Option<KeyHash>, from: IpAddr) -> Act {
        Act::Join {
            room: self.room,
            by_number: false,
            key,
            from,
            proof: None,
            seat,
            silent: vec![],
            beside: Beside::default(),
        }
    }

    fn bobs(&self) -> Named {
        Named {
            no: self.bob,
            name: "Bob".into(),
        }
    }
}

fn every_power(user: UserNo) -> Vec<Power> {
    vec![
        Power::Rename("Physics".into()),
        Power::Password(Some("argon2".into())),
        Power::Lock(true),
        Power::Quiet(true),
        Power::Mute {
            user,
            minutes: 5,
            from: None,
        },
        Power::Kick {
            user,
            keep_out: true,
            from: None,
        },
        Power::Allow(user),
        Power::Wipe {
            user,
            name: "Bob".into(),
            messages: vec![],
            done: Some(1),
        },
        Power::Appoint { user, on: true },
        Power::Link(OTHER_KEY),
        Power::Close,
    ]
}

#[test]
fn only_an_owner_has_powers_and_only_with_its_token() {
    let mut class = class();
    let (room, bob) = (class.room, class.bob);
    for power in every_power(bob) {
        let by = |user| Act::Owner {
            room,
            user,
            power: power.clone(),
        };
        assert_eq!(class.house.refusal(by(bob)), Refusal::NotOwner, "{power:?}");
        let stranger = class.house.refusal(by(UserNo(99)));
        assert_eq!(stranger, Refusal::NotMember, "{power:?}");
    }
    class.does(Power::Appoint {
        user: bob,
        on: true,
    });
    for power in every_power(bob) {
        let user = bob;
        let refusal = class.house.refusal(Act::Owner { room, user, power });
        assert_eq!(refusal, Refusal::TokenRequired, "bob is open");
    }
}

#[test]
fn a_room_is_renamed_locked_and_made_quiet_once() {
    let mut class = class();
    let on = true;
    let to = || -> Arc<str> { "Physics".into() };
    for (power, notice) in [
        (
            Power::Rename("Physics".into()),
            Notice::Renamed { to: to() },
        ),
        (Power::Lock(on), Notice::Locked { on }),
        (Power::Quiet(on), Notice::Quiet { on }),
    ] {
        assert_eq!(class.tells(power.clone()), notice);
        assert_eq!(class.does(power), vec![], "it is so already");
    }
    let head = &class.room().head;
    assert_eq!((&*head.name, head.locked, head.quiet), ("Physics", on, on));
    let empty = class.refuses(Power::Rename(" ".into()));
    assert_eq!(empty, Refusal::BadName(NameOf::Room, NameFault::Empty));
}

#[test]
fn another_password_is_another_version_and_nobody_is_thrown_out() {
    let mut class = class();
    let secret = Some("argon2".into());
    assert_eq!(class.does(Power::Password(None)), vec![], "there is none");
    let set = class.tells(Power::Password(secret));
    assert_eq!(set, Notice::Password { on: true });
    assert_eq!(class.room().head.secret_version, 2);
    assert_eq!(class.room().members.len(), 2);
    let seat = class.house.guest(Some("Eve"));
    let old = Act::Join {
        room: class.room,
        by_number: false,
        key: None,
        from: HERE,
        proof: Some(1),
        seat,
        silent: vec![],
        beside: Beside::default(),
    };
    assert_eq!(class.house.refusal(old), Refusal::WrongPassword);
    let removed = class.tells(Power::Password(None));
    assert_eq!(removed, Notice::Password { on: false });
    assert_eq!(class.room().head.secret, None);
}

#[test]
fn in_a_locked_room_members_stay_and_nobody_new_comes() {
    let mut class = class();
    class.does(Power::Lock(true));
    let (room, bob) = (class.room, class.bob);
    assert_eq!(class.house.events(join(room, known(bob, None))), vec![]);
    let seat = class.house.guest(Some("Eve"));
    assert_eq!(class.house.refusal(join(room, seat)), Refusal::Locked);
    class.does(Power::Lock(false));
    class.house.guest_in(room, "Eve");
}

#[test]
fn in_a_quiet_room_only_owners_with_a_token_write() {
    let mut class = class();
    let (room, owner, bob) = (class.room, class.owner, class.bob);
    class.house.ok(say(room, bob, id(900), "before"));
    class.does(Power::Quiet(true));
    let by_bob = |n, text| say(room, bob, id(n), text);
    assert_eq!(class.house.refusal(by_bob(901, "now")), Refusal::Quiet);
    let edit = edit(room, bob, id(900), "otherwise");
    assert_eq!(class.house.refusal(edit), Refusal::Quiet);
    let again = class.house.events(by_bob(900, "before"));
    assert_eq!(again, vec![], "asked again, it is the first answer");
    class.house.ok(say(room, owner, id(902), "listen"));
    // userId alone, which everybody sees, does not make an owner's voice.
    let (user, on) = (bob, true);
    class.does(Power::Appoint { user, on });
    let open = class.house.refusal(by_bob(903, "I am an owner"));
    assert_eq!(open, Refusal::TokenRequired);
    class.house.ok(Act::Seal { user });
    class.house.ok(by_bob(904, "I am one"));
}

#[test]
fn a_mute_ends_by_itself_or_when_it_is_lifted() {
    let mut class = class();
    let (room, user) = (class.room, class.bob);
    let until = Some(class.house.now + 5 * MINUTE);
    let target = class.bobs();
    let told = class.tells(Power::Mute {
        user,
        minutes: 5,
        from: None,
    });
    assert_eq!(told, Notice::Muted { target, until });
    let speak = |n| say(room, user, id(n), "hello");
    let after = 300;
    assert_eq!(class.house.refusal(speak(900)), Refusal::Muted { after });
    class.house.now += 5 * MINUTE - 1;
    assert_eq!(class.house.refusal(speak(900)), Refusal::Muted { after: 1 });
    class.house.now += 1;
    class.house.ok(speak(900));

    let minutes = 0;
    assert_eq!(
        class.does(Power::Mute {
            user,
            minutes,
            from: None
        }),
        vec![]
    );
    class.does(Power::Mute {
        user,
        minutes: 5,
        from: None,
    });
    let (target, until) = (class.bobs(), None);
    let lifted = class.tells(Power::Mute {
        user,
        minutes,
        from: None,
    });
    assert_eq!(lifted, Notice::Muted { target, until });
    class.house.ok(speak(901));

    let minutes = MAX_MUTE_MINUTES + 1;
    let (field, want) = ("minutes", Want::Minutes);
    let long = class.refuses(Power::Mute {
        user,
        minutes,
        from: None,
    });
    assert_eq!(long, Refusal::BadField { field, want });
}

#[test]
fn who_is_muted_comes_back_muted_by_number_name_and_address() {
    let mut class = class();
    let (room, there) = (class.room, IpAddr::from([10, 0, 0, 7]));
    let account = class.house.account("Bob-2");
    class
        .house
        .ok(join(class.room, known(account, Some("Eve"))));
    let mute = |user, minutes, from| Power::Mute {
        user,
        minutes,
        from,
    };
    class.does(mute(account, 5, Some(there)));
    let until = Some(class.house.now + 5 * MINUTE);
    class.house.ok(leave(room, account));
    let by_number = known(account, Some("Somebody"));
    let by_name = class.house.guest(Some("\u{415}ve"));
    let by_address = class.house.guest(Some("Other"));
    let mut back = vec![];
    for (seat, from) in [(by_number, HERE), (by_name, HERE), (by_address, there)] {
        let join = class.joins(seat, None, from);
        let (events, reply) = class.house.ok(join);
        let Reply::Seated { user, .. } = reply else {
            panic!("{reply:?}");
        };
        let told = events.iter().rev().find_map(|event| match event {
            Event::Entry(entry) if entry.user == user => Some(entry.body.clone()),
            _ => None,
        });
        let is_told = matches!(&told, Some(Body::Notice { what: Notice::Muted { target, until: to }, .. })
            if target.no == user && *to == until);
        assert!(is_told, "{told:?}");
        let speak = class.house.refusal(say(room, user, id(900), "hello"));
        assert_eq!(speak, Refusal::Muted { after: 300 });
        back.push(user);
    }
    let zoe = class.house.guest_in(room, "Zoe");
    class.house.ok(say(room, zoe, id(901), "hello"));
    // It is one person: another time for one is one for all, and so is the end of it.
    class.does(mute(back[2], 2, None));
    let speak = |class: &mut Class, user| class.house.refusal(say(room, user, id(900), "hello"));
    for user in &back {
        assert_eq!(speak(&mut class, *user), Refusal::Muted { after: 120 });
    }
    class.does(mute(back[1], 0, None));
    for (n, user) in (902..).zip(&back) {
        class.house.ok(say(room, *user, id(n), "hello"));
    }
    let seat = class.house.guest(Some("Another"));
    let again = class.joins(seat, None, there);
    assert_eq!(places(&class.house.events(again)).len(), 1, "no mute");
}

#[test]
fn nobody_is_muted_for_calling_from_where_others_do() {
    let mut class = class();
    let (room, there) = (class.room, IpAddr::from([10, 0, 0, 7]));
    let (zoe, user) = (class.house.guest_in(room, "Zoe"), class.bob);
    class.does(Power::Mute {
        user,
        minutes: 5,
        from: Some(there),
    });
    let comes = |class: &mut Class, name, users: &[UserNo], listening| {
        let seat = class.house.guest(Some(name));
        let mut join = class.joins(seat, None, there);
        if let Act::Join { beside, .. } = &mut join {
            let users = users.to_vec();
            *beside = Beside { users, listening };
        }
        let joined = class.house.events(join);
        places(&joined).len() == 2
    };
    assert!(
        !comes(&mut class, "A", &[user, zoe], 1),
        "Zoe calls from there"
    );
    assert!(!comes(&mut class, "B", &[user], MAX_TABS), "a class does");
    assert!(comes(&mut class, "C", &[user], MAX_TABS - 1), "Bob again");
    // An owner is not, nor who comes with the key.
    let seat = class.house.guest(Some("D"));
    let join = class.joins(seat, Some(KEY), there);
    assert_eq!(
        places(&class.house.events(join)).len(),
        2,
        "joined, an owner"
    );
    assert_eq!(class.room().muted.len(), 2);
    class.house.now += 5 * MINUTE;
    assert!(!comes(&mut class, "E", &[], 0), "its time is over");
}

#[test]
fn what_a_muted_one_came_back_as_is_remembered_but_not_without_end() {
    let mut class = class();
    let (room, there, user) = (class.room, IpAddr::from([10, 0, 0, 7]), class.bob);
    class.does(Power::Mute {
        user,
        minutes: 5,
        from: Some(there),
    });
    class.house.ok(leave(room, user));
    for n in 0..3 * MAX_TRACES {
        let seat = class.house.guest(Some(&format!("Guest {n}")));
        let join = class.joins(seat, None, there);
        let Reply::Seated { user, .. } = class.house.ok(join).1 else {
            panic!("a seat");
        };
        class.house.ok(leave(room, user));
    }
    // The first of all, by which the owners know it, and the last ones.
    assert_eq!(class.room().muted.len(), 1 + MAX_TRACES);
    for name in ["Bob", "Guest 23"] {
        let back = class.house.guest_in(room, name);
        let speak = class.house.refusal(say(room, back, id(900), "hello"));
        assert_eq!(speak, Refusal::Muted { after: 300 }, "{name}");
    }
    let forgotten = class.house.guest_in(room, "Guest 0");
    class.house.ok(say(room, forgotten, id(900), "hello"));
}

#[test]
fn who_is_kicked_leaves_with_a_notice_and_may_come_back() {
    let mut class = class();
    let (user, keep_out, from) = (class.bob, false, None);
    let events = class.does(Power::Kick {
        user,
        keep_out,
        from,
    });
    let kinds: Vec<_> = events.iter().map(kind).collect();
    assert_eq!(kinds, ["Entry", "Entry", "GuestGone"]);
    let places: Vec<_> = places(&events)
        .iter()
        .map(|(at, who, _)| (*at, *who))
        .collect();
    assert_eq!(places, [(3, "owner"), (4, "Bob")]);
    class.house.guest_in(class.room, "Bob");
}

#[test]
fn who_is_kept_out_is_so_by_number_name_and_address_until_it_is_allowed() {
    let mut class = class();
    let there = IpAddr::from([10, 0, 0, 7]);
    let account = class.house.account("Bob-2");
    class
        .house
        .ok(join(class.room, known(account, Some("Eve"))));
    let kicked = class.does(Power::Kick {
        user: account,
        keep_out: true,
        from: Some(there),
    });
    assert_eq!(kind(kicked.last().unwrap()), "KeptOut");
    let by_number = known(account, Some("Somebody"));
    let by_name = class.house.guest(Some("\u{415}ve"));
    let by_address = class.house.guest(Some("Other"));
    for (seat, from) in [(by_number, HERE), (by_name, HERE), (by_address, there)] {
        let join = class.joins(seat.clone(), None, from);
        assert_eq!(class.house.refusal(join), Refusal::KeptOut, "{seat:?}");
    }
    class.house.guest_in(class.room, "Zoë");
    let told = class.tells(Power::Allow(account));
    let name = "Eve".into();
    let target = Named { no: account, name };
    assert_eq!(told, Notice::Allowed { target });
    class
        .house
        .ok(join(class.room, known(account, Some("Eve"))));
    let again = class.refuses(Power::Allow(account));
    assert_eq!(again, Refusal::NotKeptOut);
}

#[test]
fn the_list_of_who_is_kept_out_has_an_end() {
    let mut class = class();
    let room = class.room;
    for n in 0..MAX_KEPT_OUT {
        let (user, name) = (UserNo(-(n as i64)), format!("Guest {n}").into());
        let who = KeptOut {
            user,
            name,
            from: None,
        };
        class.house.rooms.put_kept_out(room, who);
    }
    let (user, keep_out, from) = (class.bob, true, None);
    class.does(Power::Kick {
        user,
        keep_out,
        from,
    });
    assert_eq!(class.room().kept_out.len(), MAX_KEPT_OUT);
    class
        .house
        .guest_in(room, &format!("Guest {}", MAX_KEPT_OUT - 1));
    for name in ["Guest 0", "Bob"] {
        let seat = class.house.guest(Some(name));
        assert_eq!(class.house.refusal(join(room, seat)), Refusal::KeptOut);
    }
}

#[test]
fn the_list_of_who_is_muted_has_an_end_and_nobody_who_is_there_is_forgotten() {
    let mut class = class();
    let room = class.room;
    let muted = |user, until| Muted {
        user,
        until,
        person: user,
        name: format!("Guest {}", user.0).into(),
        from: None,
    };
    let late = muted_until(class.house.now, MAX_MUTE_MINUTES);
    for n in 0..MAX_MUTED as i64 - 1 {
        let who = muted(UserNo(-n - 10), late + n);
        class.house.rooms.put_muted(room, who);
    }
    let eve = class.house.guest_in(room, "Eve");
    class.house.rooms.put_muted(room, muted(eve, late - 1));
    let (user, minutes, from) = (class.bob, MAX_MUTE_MINUTES, None);
    class.does(Power::Mute {
        user,
        minutes,
        from,
    });
    let is_muted = |no: UserNo| class.room().muted.contains_key(&no);
    assert_eq!(class.room().muted.len(), MAX_MUTED);
    assert!(is_muted(class.bob) && is_muted(eve) && is_muted(UserNo(-11)));
    assert!(!is_muted(UserNo(-10)));
}

#[test]
fn nothing_is_done_to_an_owner_and_the_last_one_stays() {
    let mut class = class();
    let (room, owner, bob) = (class.room, class.owner, class.bob);
    let appoint = |user, on| Power::Appoint { user, on };
    assert_eq!(class.refuses(appoint(owner, false)), Refusal::LastOwner);
    class.does(appoint(bob, true));
    assert_eq!(class.does(appoint(bob, true)), vec![], "it is one");
    let (keep_out, from) = (false, None);
    for power in [
        Power::Mute {
            user: bob,
            minutes: 1,
            from,
        },
        Power::Kick {
            user: bob,
            keep_out,
            from,
        },
    ] {
        assert_eq!(class.refuses(power), Refusal::IsOwner);
    }
    let expire = Act::Expire {
        guests: vec![(room, bob), (room, owner)],
        rooms: vec![],
        tokens: vec![],
        requests: vec![],
    };
    assert_eq!(class.house.events(expire), vec![], "owners do not expire");
    class.does(appoint(bob, false));
    assert_eq!(class.room().owners, BTreeSet::from([owner]));
    let nobody = class.refuses(appoint(UserNo(99), true));
    assert_eq!(nobody, Refusal::NoSuchMember);
}

#[test]
fn an_owner_that_leaves_is_none_any_more_unless_it_is_the_last() {
    let mut class = class();
    let room = class.room;
    let (ada, zoe) = (class.house.account("Ada"), class.house.account("Zoe"));
    for user in [ada, zoe] {
        class.house.ok(join(room, known(user, None)));
        class.does(Power::Appoint { user, on: true });
    }
    class.house.ok(leave(room, class.owner));
    class.house.ok(leave(room, ada));
    assert_eq!(class.room().owners, BTreeSet::from([zoe]));
    class.house.ok(leave(room, zoe));
    assert_eq!(class.room().owners, BTreeSet::from([zoe]), "in absence");
    class.house.ok(join(room, known(ada, None)));
    let rename = |user| Act::Owner {
        room,
        user,
        power: Power::Rename("Ours".into()),
    };
    class.house.ok(Act::Seal { user: class.bob });
    assert_eq!(class.house.refusal(rename(class.bob)), Refusal::NotOwner);
    assert_eq!(class.house.refusal(rename(ada)), Refusal::NotOwner);
    class.house.ok(join(room, known(zoe, None)));
    class.house.ok(rename(zoe));
}

#[test]
fn the_owner_key_opens_everything_and_makes_an_owner() {
    let mut class = class();
    class.does(Power::Password(Some("argon2".into())));
    class.does(Power::Lock(true));
    let eve = class.house.account("Eve");
    let wrong = class.joins(known(eve, None), Some(OTHER_KEY), HERE);
    assert_eq!(class.house.refusal(wrong), Refusal::WrongPassword);
    let right = class.joins(known(eve, None), Some(KEY), HERE);
    let events = class.house.events(right.clone());
    let kinds: Vec<_> = events.iter().map(kind).collect();
    assert_eq!(kinds, ["Entry", "Entry", "Owner"]);
    assert!(class.room().is_owner(eve));
    assert_eq!(class.house.events(right), vec![], "it is one already");

    // Somebody who is in it already; and a key that is void.
    let by_bob = class.joins(known(class.bob, None), Some(KEY), HERE);
    assert_eq!(class.tells(Power::Link(OTHER_KEY)), Notice::Link);
    assert_eq!(class.house.refusal(by_bob), Refusal::WrongPassword);
    let by_bob = class.joins(known(class.bob, None), Some(OTHER_KEY), HERE);
    let made = class.house.events(by_bob);
    assert_eq!(places(&made).len(), 1);
    assert_eq!(class.room().owners.len(), 3);
}

#[test]
fn a_create_asked_again_gives_a_key_that_is_right() {
    let mut house = house();
    let room = house.new_room(None, false);
    let seat = house.guest(None);
    let first = create(room.clone(), asked_by(request(1), seat));
    let (no, _) = house.seated(first);
    let room = NewRoom {
        key: OTHER_KEY,
        ..room
    };
    let seat = house.guest(None);
    let (again, _) = house.seated(create(room, asked_by(request(1), seat)));
    assert_eq!(again, no);
    assert_eq!(house.rooms.room(no).unwrap().head.key, Some(OTHER_KEY));
}

#[test]
fn a_wipe_deletes_what_is_theirs_once_and_says_how_much() {
    let mut class = class();
    let (room, owner, bob) = (class.room, class.owner, class.bob);
    for (n, user) in [(900, bob), (901, owner), (902, bob), (903, bob)] {
        class.house.ok(say(room, user, id(n), "hello"));
    }
    class.house.ok(delete(room, bob, id(903)));
    let uuids = [900, 901, 902, 902, 903, 999];
    let wipe = |done| Power::Wipe {
        user: bob,
        name: "Bob".into(),
        messages: uuids.iter().map(|n| (id(*n), None)).collect(),
        done,
    };
    let act = class.act(wipe(None));
    let (events, reply) = class.house.ok(act);
    assert_eq!((events.len(), reply), (2, Reply::Wiped(2)));
    assert!(events.iter().all(|event| match event {
        Event::Entry(entry) => entry.user == owner && matches!(entry.body, Body::Deleted { .. }),
        _ => false,
    }));
    let (target, count) = (class.bobs(), 2);
    let told = class.tells(wipe(Some(2)));
    assert_eq!(told, Notice::Wiped { target, count });
    assert_eq!(class.does(wipe(Some(0))), vec![], "nothing to tell");
}

#[test]
fn one_step_of_a_wipe_is_bounded() {
    let mut class = class();
    let (room, user) = (class.room, class.bob);
    let many = 0..WIPE_STEP as u32 + 1;
    for n in many.clone() {
        class.house.ok(say(room, user, id(900 + n), "hello"));
    }
    let events = class.does(Power::Wipe {
        user,
        name: "Bob".into(),
        messages: many.map(|n| (id(900 + n), None)).collect(),
        done: None,
    });
    assert_eq!(events.len(), WIPE_STEP);
}

#[test]
fn a_closed_room_ends_with_the_guests_that_are_nowhere_else() {
    let mut class = class();
    let (room, _) = class.house.room();
    class.house.ok(join(room, known(class.bob, None)));
    let events = class.does(Power::Close);
    let kinds: Vec<_> = events.iter().map(kind).collect();
    assert_eq!(kinds, ["RoomEnded", "GuestGone"]);
    assert!(class.house.rooms.room(class.room).is_none());
    assert!(class.house.rooms.user(class.bob).is_some());
    assert!(class.house.rooms.user(class.owner).is_none());
}

#[test]
fn a_room_of_the_flag_is_made_once_and_stays_its_own_whatever_it_is_called() {
    let mut house = house();
    let open = |house: &mut House| Act::Open {
        room: NewRoom {
            name: Some("Physics".into()),
            ..house.new_room(None, true)
        },
    };
    let first = open(&mut house);
    let Reply::Opened(room) = house.ok(first).1 else {
        panic!("it is made");
    };
    let again = open(&mut house);
    assert_eq!(house.ok(again), (vec![], Reply::Ok));
    assert!(house.rooms.room(room).unwrap().members.is_empty());

    let teacher = house.account("Ada");
    let claim = Act::Join {
        room,
        by_number: true,
        key: Some(KEY),
        from: HERE,
        proof: None,
        seat: known(teacher, None),
        silent: vec![],
        beside: Beside::default(),
    };
    house.ok(claim);
    let (user, power) = (teacher, Power::Rename("Chemistry".into()));
    house.ok(Act::Owner { room, user, power });
    let again = open(&mut house);
    assert_eq!(house.ok(again), (vec![], Reply::Ok), "it is the same room");
    let expire = Act::Expire {
        guests: vec![],
        rooms: vec![room],
        tokens: vec![],
        requests: vec![],
    };
    assert_eq!(house.events(expire), vec![], "it does not end of disuse");
}

#[test]
fn where_rooms_are_closed_nobody_makes_one() {
    let mut house = house();
    house.rooms.rules.closed = true;
    let (room, seat) = (house.new_room(None, false), house.guest(None));
    assert_eq!(house.refusal(create(room, seat)), Refusal::RoomsClosed);
    let room = NewRoom {
        name: Some("Physics".into()),
        ..house.new_room(None, true)
    };
    let made = house.ok(Act::Open { room }).1;
    assert!(matches!(made, Reply::Opened(_)));
}
