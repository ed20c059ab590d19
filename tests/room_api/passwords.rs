//! Many passwords at once: what is right gets in, and who guesses waits behind itself.

use crate::support::{DEADLINE, Guest, Server, Waiting, create};
use serde_json::json;
use std::time::{Duration, Instant};

/// A class of a hundred takes a few seconds of hashing on two cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many joins of a room at once from this address; their answers come later.
fn joins(
    from: [u8; 4],
    count: usize,
    server: &Server,
    room: &Guest,
    password: &str,
) -> Vec<Waiting> {
    let http = server.client().calling_from(from);
    let body = json!({"roomId":room.room_id,"roomPassword":password}).to_string();
    (0..count)
        .map(|_| http.begin("POST", "/room/join", body.clone()))
        .collect()
}

#[test]
fn a_hundred_with_the_right_password_get_in_at_once_from_one_address() {
    let server = Server::start(&["--data", "none"]);
    let room = create(&server.client(), json!({"roomPassword":"sesame"}));
    let until = Instant::now() + PATIENCE;
    for join in joins([127, 0, 0, 1], 100, &server, &room, "sesame") {
        let left = until.saturating_duration_since(Instant::now());
        join.finish_within(left).data();
    }
}

#[test]
fn who_guesses_at_once_is_refused_in_the_end_and_keeps_nobody_else_out() {
    let server = Server::start(&["--data", "none"]);
    let room = create(&server.client(), json!({"roomPassword":"sesame"}));
    let start = Instant::now();
    let guesses = joins([127, 0, 0, 1], 100, &server, &room, "simsim");

    let right = joins([127, 0, 0, 2], 1, &server, &room, "sesame");
    let asked = Instant::now();
    right
        .into_iter()
        .for_each(|join| drop(join.finish().data()));
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "another address waited {:?}",
        asked.elapsed()
    );

    let mut wrong = 0;
    for guess in guesses {
        let reply = guess.finish_within(DEADLINE);
        match reply.status {
            429 => drop(reply.refused(429, "too_fast")),
            _ => {
                reply.refused(403, "wrong_password");
                wrong += 1;
            }
        }
    }
    let most = 60 + start.elapsed().as_secs() + 1; // one comes back each second
    assert!(
        (55..=most).contains(&wrong),
        "{wrong} guesses were tried, of {most} at most"
    );
    let still_right = joins([127, 0, 0, 2], 1, &server, &room, "sesame");
    still_right
        .into_iter()
        .for_each(|join| drop(join.finish_within(Duration::from_secs(5)).data()));
}
