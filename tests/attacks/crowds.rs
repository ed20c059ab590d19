//! A thousand who connect and ask nothing, a thousand who ask a byte a second, and bodies that
//! never end.

use crate::raw::{connect, get, rest, send, status};
use crate::support::{Server, Ws, create, join, record, until};
use crate::vitals::Vitals;
use serde_json::json;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const IDLE: usize = 1_000;
const DRIPPING: usize = 1_000;
const STALLED: usize = 200;
/// A thread's touched stack and a buffer of 4 KiB, unoptimised.
const MOST_EACH: u64 = 64 * 1024;
/// The door's deadlines …
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
const BODY_DEADLINE: Duration = Duration::from_secs(20);
/// … and what two busy cores may add.
const LATE: Duration = Duration::from_secs(8);

/// The 99th percentile of so many messages said one after the other, until they are answered.
fn p99(ws: &mut Ws, room: u64, count: usize) -> Duration {
    record(); // hundreds of lines that say nothing
    let mut took: Vec<Duration> = (0..count)
        .map(|_| {
            let since = Instant::now();
            ws.say(room, "tick");
            since.elapsed()
        })
        .collect();
    took.sort();
    took[count * 99 / 100]
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_thousand_who_ask_nothing_or_a_byte_a_second_are_cut_in_time_and_cost_nobody_else() {
    // The attackers' own descriptors.
    rlimit::increase_nofile_limit(8_192).expect("more open files");
    let server = Server::start(&[
        "--data",
        "none",
        "--max-per-address",
        "4096",
        "--user-rate",
        "0",
        "--room-rate",
        "0",
    ]);
    let http = server.client();
    let ada = create(&http, json!({}));
    join(&http, &ada.room_id);
    let mut ws = server.login(&ada.token);
    let quiet = p99(&mut ws, ada.room, 400);
    let before = Vitals::of(&server);

    let start = Instant::now();
    let open = |count: usize, begun: &str| -> Vec<TcpStream> {
        let already = Vitals::of(&server).threads;
        let begin = |n| {
            // No faster than they are let in, or the kernel lets them knock again a second later.
            if n % 100 == 99 {
                until("they are let in", || {
                    Vitals::of(&server).threads >= already + n - 50
                });
            }
            let stream = connect(server.http);
            send(&stream, begun);
            stream
        };
        (0..count).map(begin).collect()
    };
    let stalled = open(
        STALLED,
        "POST /room/create HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
    );
    let idle = open(IDLE, "");
    let dripping = open(DRIPPING, "GET /healthz HTTP/1.1\r\nA: ");
    println!("all there after {:?}", start.elapsed());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when an assertion fails: the scope waits for its threads.
        let dripped = Over(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let second = Instant::now();
                for stream in &dripping {
                    send(stream, "a"); // fails once it is cut
                }
                std::thread::sleep(Duration::from_secs(1).saturating_sub(second.elapsed()));
            }
        });
        let crowd = IDLE + DRIPPING + STALLED;
        until("the whole crowd is let in", || {
            Vitals::of(&server).threads >= before.threads + crowd
        });
        let during = Vitals::of(&server);
        let busy = p99(&mut ws, ada.room, 400);
        println!("before: {before:?}\nduring: {during:?}\np99 quiet {quiet:?}, crowded {busy:?}");
        assert!(
            during.rss <= before.rss + crowd as u64 * MOST_EACH,
            "{before:?}, {during:?}"
        );
        // Within noise: other tests run beside this one.
        assert!(
            busy < quiet * 5 + Duration::from_millis(100),
            "p99 {quiet:?} before, {busy:?} in the crowd"
        );

        let left = |deadline: Duration| (deadline + LATE).saturating_sub(start.elapsed());
        for stream in &idle {
            let said = rest(stream, left(HEAD_DEADLINE));
            assert!(said.is_empty(), "who asked nothing is told nothing");
        }
        let idle_took = start.elapsed();
        for stream in &dripping {
            assert_eq!(status(&rest(stream, left(HEAD_DEADLINE))), Some(408));
        }
        drop(dripped);
        assert!(
            idle_took >= HEAD_DEADLINE - Duration::from_secs(1),
            "cut early: {idle_took:?}"
        );
        for stream in &stalled {
            assert_eq!(status(&rest(stream, left(BODY_DEADLINE))), Some(408));
        }
    });
    assert_eq!(get(server.http, "/healthz"), Some(200));
    before.again(&server, 0);
}
