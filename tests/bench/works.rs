//! The works, in the order of the table.

use std::thread;
use std::time::{Duration, Instant};

use super::crowd::{Crowd, SPEAKERS, TEXT};
use super::floor::{self, Costs, Floor};
use super::requests::{get, post, run};
use super::seed::Seed;
use super::server::{Parlor, field_of, segments_sent};
use super::{Row, percentile};

type Work = fn() -> Row;

pub const ALL: [(&str, Work); 9] = [
    ("class", class),
    ("hall", hall),
    ("storm", storm),
    ("pair", pair),
    ("beside", beside),
    ("http", http),
    ("idle", idle),
    ("million", million),
    ("rest", rest),
];

/// Until caches are warm.
const WARM_UP: Duration = Duration::from_secs(1);
/// Messages, each in a commit of its own, after which the log has its size: as a server that runs since
/// yesterday has it.
const LOG_FILLED: usize = 5_000;
/// A second, so that each has its own.
const LOG_RATE: f64 = 1_000.0;

fn everybody(seed: &Seed) -> Vec<(i64, u64, String)> {
    let seats = seed.rooms.iter().flat_map(|room| {
        room.members
            .iter()
            .map(|member| (room.no, room.last, member.token.clone()))
    });
    seats.collect()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The one in the middle: what a busy neighbour did to one turn says nothing.
fn median(mut of_turns: Vec<f64>) -> f64 {
    of_turns.sort_by(f64::total_cmp);
    of_turns[of_turns.len() / 2]
}

/// CPU in microseconds, by so many.
fn each(time: Duration, of: u64) -> f64 {
    time.as_secs_f64() * 1e6 / of as f64
}

/// A room at a steady rate, in turns with the floor: the machine has its moods.
fn paced(work: &'static str, members: usize, rate: f64, rows: usize, limit: f64, p99: f64) -> Row {
    const TURNS: usize = 10;
    let seed = Seed::new(work, &[members], 0);
    let parlor = Parlor::start(&seed, &[]);
    let mut crowd = Crowd::new();
    crowd.seat(parlor.ws, &everybody(&seed));
    let warm_up = |crowd: &mut Crowd| match rows {
        0 => crowd.speak(rate, rate as usize, SPEAKERS),
        _ => crowd.speak(LOG_RATE, LOG_FILLED, SPEAKERS),
    };
    warm_up(&mut crowd);
    let mut floor = Floor::start(&floor::Work {
        receivers: members,
        rooms: 1,
        bytes: (crowd.bytes / crowd.heard.max(1)) as usize,
        frames: 1,
        rows,
        folder: seed.folder().to_owned(),
        rounds: None,
    });
    warm_up(&mut floor.crowd);
    crowd.begin();
    floor.crowd.begin();
    let messages = rate as usize;
    let (mut cpu, mut least, mut took) = (vec![], vec![], Duration::ZERO);
    for _ in 0..TURNS {
        let before = floor.cpu();
        floor.crowd.speak(rate, messages, SPEAKERS);
        least.push(each(floor.cpu() - before, messages as u64));
        let (before, begun) = (parlor.cpu(), Instant::now());
        crowd.speak(rate, messages, SPEAKERS);
        cpu.push(each(parlor.cpu() - before, messages as u64));
        took += begun.elapsed();
    }
    let (cpu, least) = (median(cpu), median(least));
    let others = (members - 1) as f64;
    let row = Row {
        work,
        per_second: crowd.heard as f64 / took.as_secs_f64(),
        p50: percentile(&mut crowd.latencies, 50.0),
        p99: percentile(&mut crowd.latencies, 99.0),
        cpu: cpu / others,
        floor: least / others,
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        more: vec![
            ("CPU of a message, µs", cpu),
            ("of the floor's", least),
            ("answer p50, ms", percentile(&mut crowd.answers, 50.0)),
            (
                "the floor's p50, ms",
                percentile(&mut floor.crowd.latencies, 50.0),
            ),
            ("p99", percentile(&mut floor.crowd.latencies, 99.0)),
        ],
        ..Row::default()
    };
    let targets = vec![
        (
            format!("ratio at most {limit}"),
            row.ratio().is_some_and(|r| r <= limit),
        ),
        (format!("p99 under {p99} ms"), row.p99 < p99),
    ];
    let expected = (TURNS * messages * (members - 1)) as u64;
    counted(Row { targets, ..row }, &crowd, expected)
}

/// What was lost, repeated, out of order or refused.
fn count(row: &mut Row, crowd: &Crowd, expected: u64) {
    row.lost += expected.saturating_sub(crowd.heard) + crowd.refused + crowd.unanswered();
    row.repeated += crowd.repeated + crowd.heard.saturating_sub(expected);
    row.out_of_order += crowd.out_of_order;
}

/// The row with all that, which is to be nothing.
fn counted(mut row: Row, crowd: &Crowd, expected: u64) -> Row {
    count(&mut row, crowd, expected);
    let clean = row.lost + row.repeated + row.out_of_order == 0;
    row.targets
        .push(("nothing lost, repeated or out of order".into(), clean));
    row
}

fn class() -> Row {
    // A commit for each message.
    paced("class", 30, 20.0, 1, 1.3, 5.0)
}

fn hall() -> Row {
    // Sends alone.
    paced("hall", 1_000, 50.0, 0, 1.2, 15.0)
}

const STORM_ROOMS: usize = 10;
const STORM_MEMBERS: usize = 100;
const STORM_WRITERS: usize = 4;
const STORM_IN_FLIGHT: usize = 16;

/// The writers of ten rooms, each with so many messages that are not answered yet.
struct Storm {
    crowd: Crowd,
    said: u64,
}

impl Storm {
    fn begin(parlor: &Parlor, seed: &Seed) -> Storm {
        let mut crowd = Crowd::new();
        crowd.exact = false;
        crowd.seat(parlor.ws, &everybody(seed)[..STORM_ROOMS * STORM_MEMBERS]);
        let mut storm = Storm { crowd, said: 0 };
        storm.rise();
        storm
    }

    fn rise(&mut self) {
        for room in 0..STORM_ROOMS {
            for writer in 0..STORM_WRITERS {
                self.say(room * STORM_MEMBERS + writer, STORM_IN_FLIGHT);
            }
        }
    }

    fn say(&mut self, client: usize, count: usize) {
        self.crowd.say_many(client, count);
        self.said += count as u64;
    }

    fn rage(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let answered = self.crowd.turn(Duration::from_millis(100));
            for of_one in answered.chunk_by(|one, next| one == next) {
                self.say(of_one[0], of_one.len());
            }
        }
    }

    /// Until everybody has heard everything.
    fn settle(&mut self) -> u64 {
        let expected = self.said * (STORM_MEMBERS - 1) as u64;
        self.crowd.settle(expected);
        expected
    }
}

/// What one turn of the storm came to, and the floor of just that, measured right after it.
struct Gust {
    took: Duration,
    heard: u64,
    messages: u64,
    cpu: f64,
    /// Frames of one write.
    batch: f64,
    costs: Costs,
}

impl Gust {
    fn of(storm: &mut Storm, parlor: &Parlor, seed: &Seed) -> Gust {
        const TIME: Duration = Duration::from_millis(1_600);
        const ROUNDS: usize = 400;
        let crowd = &storm.crowd;
        let (heard, messages) = (crowd.heard, crowd.answered);
        let (bytes, writes) = (crowd.bytes, crowd.writes);
        let (cpu, begun, segments) = (parlor.cpu(), Instant::now(), segments_sent());
        storm.rage(TIME);
        let (cpu, took) = (parlor.cpu() - cpu, begun.elapsed());
        let crowd = &storm.crowd;
        let (heard, messages) = (crowd.heard - heard, crowd.answered - messages);
        // All that was sent but what the clients wrote, the server wrote.
        let sends = (segments_sent() - segments).saturating_sub(crowd.writes - writes);
        let batch = (heard as f64 / sends.max(1) as f64).max(1.0).round();
        let bytes = (crowd.bytes - bytes) as f64 / heard as f64;
        storm.settle();
        let floor = Floor::start(&floor::Work {
            receivers: STORM_ROOMS * STORM_MEMBERS,
            rooms: STORM_ROOMS,
            bytes: bytes.round() as usize,
            frames: batch as usize,
            // A batch holds what its rooms said: each room's part goes to each of its sockets at once.
            rows: batch as usize * STORM_ROOMS,
            folder: seed.folder().to_owned(),
            rounds: Some(ROUNDS),
        });
        Gust {
            took,
            heard,
            messages,
            cpu: each(cpu, heard),
            batch,
            costs: floor.costs((ROUNDS * STORM_MEMBERS) as u64 * batch as u64),
        }
    }

    fn row(&self) -> f64 {
        self.costs.commit / (self.batch * STORM_ROOMS as f64)
    }

    fn floor(&self) -> f64 {
        self.costs.send / self.batch + self.row() / (STORM_MEMBERS - 1) as f64
    }
}

fn storm() -> Row {
    const TURNS: usize = 9;
    let seed = Seed::new("storm", &[STORM_MEMBERS; STORM_ROOMS], 0);
    let parlor = Parlor::start(&seed, &[]);
    let mut storm = Storm::begin(&parlor, &seed);
    storm.rage(2 * WARM_UP);
    storm.settle();
    storm.crowd.latencies.clear();
    storm.crowd.answers.clear();
    let mut gusts = vec![];
    for _ in 0..TURNS {
        storm.rise();
        gusts.push(Gust::of(&mut storm, &parlor, &seed));
    }
    let took: f64 = gusts.iter().map(|gust| gust.took.as_secs_f64()).sum();
    let heard: u64 = gusts.iter().map(|gust| gust.heard).sum();
    let messages: u64 = gusts.iter().map(|gust| gust.messages).sum();
    let middle = |of: fn(&Gust) -> f64| median(gusts.iter().map(of).collect());
    let crowd = &mut storm.crowd;
    let row = Row {
        work: "storm",
        per_second: heard as f64 / took,
        p50: percentile(&mut crowd.latencies, 50.0),
        p99: percentile(&mut crowd.latencies, 99.0),
        cpu: middle(|gust| gust.cpu),
        floor: middle(Gust::floor),
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        more: vec![
            ("messages a second", messages as f64 / took),
            ("frames of one write", middle(|gust| gust.batch)),
            ("one write, µs", middle(|gust| gust.costs.send)),
            ("one row of a batch, µs", middle(Gust::row)),
            ("answer p50, ms", percentile(&mut crowd.answers, 50.0)),
        ],
        ..Row::default()
    };
    let targets = vec![(
        "ratio at most 1.3".into(),
        row.ratio().is_some_and(|r| r <= 1.3),
    )];
    let expected = storm.settle();
    counted(Row { targets, ..row }, &storm.crowd, expected)
}

fn pair() -> Row {
    const MESSAGES: usize = 2_000;
    let seed = Seed::new("pair", &[2], 0);
    let parlor = Parlor::start(&seed, &[]);
    let mut crowd = Crowd::new();
    crowd.seat(parlor.ws, &everybody(&seed));
    for n in 0..LOG_FILLED {
        crowd.say(0);
        crowd.settle(n as u64 + 1);
    }
    crowd.begin();
    let mut syncs = vec![];
    let (mut cpu, mut took) = (Duration::ZERO, Duration::ZERO);
    // In turns, since the disk has its moods.
    for turn in 0..10 {
        syncs.push(floor::fdatasync(seed.folder(), MESSAGES / 10));
        let (before, begun) = (parlor.cpu(), Instant::now());
        for n in 0..MESSAGES / 10 {
            crowd.say(0);
            crowd.settle((turn * MESSAGES / 10 + n + 1) as u64);
        }
        cpu += parlor.cpu() - before;
        took += begun.elapsed();
    }
    syncs.sort_by(f64::total_cmp);
    let sync = syncs[syncs.len() / 2];
    let answer = percentile(&mut crowd.answers, 50.0);
    let over = answer * 1e3 - sync;
    let row = Row {
        work: "pair",
        per_second: MESSAGES as f64 / took.as_secs_f64(),
        p50: percentile(&mut crowd.latencies, 50.0),
        p99: percentile(&mut crowd.latencies, 99.0),
        cpu: cpu.as_secs_f64() * 1e6 / MESSAGES as f64,
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        more: vec![
            ("answer p50, ms", answer),
            ("answer p99, ms", percentile(&mut crowd.answers, 99.0)),
            ("one fdatasync p50, ms", sync / 1e3),
            ("answer over that, µs", over),
        ],
        targets: vec![("answer within a fdatasync and 150 µs".into(), over <= 150.0)],
        ..Row::default()
    };
    counted(row, &crowd, MESSAGES as u64)
}

/// A small room while ten others storm.
fn beside() -> Row {
    const RATE: f64 = 20.0;
    const SMALL: usize = 5;
    const MESSAGES: usize = 160;
    let mut members = vec![STORM_MEMBERS; STORM_ROOMS];
    members.push(SMALL);
    let seed = Seed::new("beside", &members, 0);
    let parlor = Parlor::start(&seed, &[]);
    let mut storm = Storm::begin(&parlor, &seed);
    storm.rage(WARM_UP);
    let mut crowd = Crowd::new();
    crowd.seat(parlor.ws, &everybody(&seed)[STORM_ROOMS * STORM_MEMBERS..]);
    let heard = storm.crowd.heard;
    let (cpu, begun) = (parlor.cpu(), Instant::now());
    // A thread of its own, or it would measure how long the other clients wait to be read.
    let small = thread::spawn(move || {
        crowd.speak(RATE, MESSAGES, SMALL);
        crowd
    });
    while !small.is_finished() {
        storm.rage(Duration::from_millis(200));
    }
    let (cpu, took) = (parlor.cpu() - cpu, begun.elapsed());
    let mut crowd = small.join().expect("the small room");
    let stormed = (storm.crowd.heard - heard) as f64;
    let mut row = Row {
        work: "beside",
        per_second: crowd.heard as f64 / took.as_secs_f64(),
        p50: percentile(&mut crowd.latencies, 50.0),
        p99: percentile(&mut crowd.latencies, 99.0),
        cpu: cpu.as_secs_f64() * 1e6 / (stormed + crowd.heard as f64),
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        more: vec![
            (
                "deliveries of the storm a second",
                stormed / took.as_secs_f64(),
            ),
            ("answer p99, ms", percentile(&mut crowd.answers, 99.0)),
        ],
        ..Row::default()
    };
    row.targets = vec![("p99 under 20 ms".into(), row.p99 < 20.0)];
    let expected = storm.settle();
    count(&mut row, &storm.crowd, expected);
    counted(row, &crowd, (MESSAGES * (SMALL - 1)) as u64)
}

fn http() -> Row {
    const CONNECTIONS: usize = 64;
    const TIME: Duration = Duration::from_secs(5);
    let seed = Seed::new("http", &[CONNECTIONS], 0);
    let parlor = Parlor::start(&seed, &[]);
    let room = &seed.rooms[0];
    let fetch = |n: usize| {
        let member = &room.members[n];
        let body = format!(r#"{{"roomId":"{}","userId":"{}"}}"#, room.id, member.id);
        post("/message/fetch", &member.token, &body)
    };
    let send = |n: usize| {
        let member = &room.members[n];
        let body = format!(
            r#"{{"roomId":"{}","userId":"{id}","message":{{"type":"message","userId":"{id}","contentType":"text","content":"{:.<w$}"}}}}"#,
            room.id,
            "",
            id = member.id,
            w = TEXT
        );
        post("/message/send", &member.token, &body)
    };
    run(parlor.http, CONNECTIONS, WARM_UP, fetch);
    let cpu = parlor.cpu();
    let mut fetched = run(parlor.http, CONNECTIONS, TIME, fetch);
    let fetch_cpu = (parlor.cpu() - cpu).as_secs_f64() * 1e6 / fetched.answers as f64;
    run(parlor.http, CONNECTIONS, WARM_UP, send);
    let cpu = parlor.cpu();
    let mut sent = run(parlor.http, CONNECTIONS, TIME, send);
    let send_cpu = (parlor.cpu() - cpu).as_secs_f64() * 1e6 / sent.answers as f64;
    let fetches = fetched.answers as f64 / fetched.took.as_secs_f64();
    let sends = sent.answers as f64 / sent.took.as_secs_f64();
    Row {
        work: "http",
        per_second: fetches,
        p50: percentile(&mut fetched.latencies, 50.0),
        p99: percentile(&mut fetched.latencies, 99.0),
        cpu: fetch_cpu,
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        lost: fetched.failed + sent.failed,
        more: vec![
            ("messages sent a second", sends),
            ("CPU of one, µs", send_cpu),
            ("send p50, ms", percentile(&mut sent.latencies, 50.0)),
            ("send p99, ms", percentile(&mut sent.latencies, 99.0)),
        ],
        targets: vec![
            ("over 65,000 fetches a second".into(), fetches > 65_000.0),
            (
                "over 20,000 durable messages a second".into(),
                sends > 20_000.0,
            ),
            ("no call failed".into(), fetched.failed + sent.failed == 0),
        ],
        ..Row::default()
    }
}

/// Memory that the kernel holds for sockets and threads, in bytes.
fn kernel_memory() -> (u64, u64) {
    let field = |name| field_of("/proc/meminfo", name) * 1024;
    (field("KernelStack:"), field("Slab:"))
}

fn idle() -> Row {
    const SOCKETS: usize = 10_000;
    let seed = Seed::new("idle", &[SOCKETS], 0);
    let parlor = Parlor::start(&seed, &[]);
    let rss_before = parlor.rss() + parlor.page_tables();
    let (stacks_before, slab_before) = kernel_memory();
    let mut crowd = Crowd::new();
    let cpu = parlor.cpu();
    let took = crowd.seat(parlor.ws, &everybody(&seed));
    let connect = parlor.cpu() - cpu;
    // Presence is told once a second.
    let calm = Instant::now() + Duration::from_secs(3);
    while Instant::now() < calm {
        crowd.turn(Duration::from_millis(100));
    }
    let (stacks, slab) = kernel_memory();
    let rss = (parlor.rss() + parlor.page_tables() - rss_before) as f64;
    let stacks = (stacks - stacks_before) as f64;
    // Both ends of each connection are on this machine; the server's is half of it.
    let slab = slab.saturating_sub(slab_before) as f64 / 2.0;
    let memory = (rss + stacks + slab) / SOCKETS as f64 / 1024.0;
    let cpu = parlor.cpu();
    crowd.say(0);
    crowd.settle(SOCKETS as u64 - 1);
    let cpu = parlor.cpu() - cpu;
    let last = percentile(&mut crowd.latencies, 100.0);
    let connects = SOCKETS as f64 / took.as_secs_f64();
    let row = Row {
        work: "idle",
        per_second: connects,
        p50: percentile(&mut crowd.latencies, 50.0),
        p99: percentile(&mut crowd.latencies, 99.0),
        cpu: each(cpu, SOCKETS as u64 - 1),
        rss: megabytes(parlor.rss()),
        threads: parlor.threads(),
        more: vec![
            ("each socket, KB (1024)", memory),
            ("of that resident, KB", rss / SOCKETS as f64 / 1024.0),
            ("kernel stacks, KB", stacks / SOCKETS as f64 / 1024.0),
            ("slab, KB", slab / SOCKETS as f64 / 1024.0),
            ("one broadcast to the last, ms", last),
            ("CPU of one connect, µs", each(connect, SOCKETS as u64)),
            (
                "frames of presence for each",
                crowd.presence as f64 / SOCKETS as f64,
            ),
        ],
        targets: vec![
            ("under 45 KB each".into(), memory < 45.0),
            ("10,000 connects a second".into(), connects >= 10_000.0),
            ("a broadcast in under 120 ms".into(), last < 120.0),
            ("at most a frame of presence a second".into(), {
                crowd.presence as f64 / SOCKETS as f64 <= took.as_secs_f64() + 3.0
            }),
        ],
        ..Row::default()
    };
    counted(row, &crowd, SOCKETS as u64 - 1)
}

fn million() -> Row {
    const ROOMS: usize = 1_000;
    const MESSAGES: u64 = 1_000;
    const PAGES: usize = 3_000;
    let seed = Seed::new("million", &[5; ROOMS], MESSAGES);
    let parlor = Parlor::start(&seed, &[]);
    let rss = megabytes(parlor.rss());
    let (mut latencies, mut failed) = (vec![], 0);
    let mut dice = 12_345_u64;
    let cpu = parlor.cpu();
    for _ in 0..10 {
        let mut left = PAGES / 10;
        let page = |_: usize| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let room = &seed.rooms[(dice >> 33) as usize % ROOMS];
            let before = (dice >> 20) % room.last + 2;
            let path = format!("/rooms/{}/messages?before={before}&limit=200", room.no);
            left = left.saturating_sub(1);
            get(&path, &room.members[0].token)
        };
        let mut pages = run(parlor.http, 1, Duration::from_millis(700), page);
        failed += pages.failed;
        latencies.append(&mut pages.latencies);
    }
    let cpu = (parlor.cpu() - cpu).as_secs_f64() * 1e6 / latencies.len() as f64;
    let after = megabytes(parlor.rss());
    let start = parlor.ready_after.as_secs_f64();
    let row = Row {
        work: "million",
        per_second: latencies.len() as f64 / 7.0,
        p50: percentile(&mut latencies, 50.0),
        p99: percentile(&mut latencies, 99.0),
        cpu,
        rss: after,
        threads: parlor.threads(),
        lost: failed,
        more: vec![
            ("start to first answer, s", start),
            ("RSS at start, MB", rss),
            ("the file, MB", megabytes(parlor.disk())),
        ],
        ..Row::default()
    };
    let targets = vec![
        ("answers within 1 s of the start".into(), start < 1.0),
        ("a page's p99 under 5 ms".into(), row.p99 < 5.0),
        ("RSS under 100 MB".into(), after < 100.0),
    ];
    Row { targets, ..row }
}

fn rest() -> Row {
    const TIME: Duration = Duration::from_secs(10);
    let seed = Seed::new("rest", &[2], 0);
    let parlor = Parlor::start(&seed, &[]);
    thread::sleep(2 * WARM_UP);
    let (cpu, wake_ups) = (parlor.cpu(), parlor.wake_ups());
    thread::sleep(TIME);
    let seconds = TIME.as_secs_f64();
    let wake_ups = (parlor.wake_ups() - wake_ups) as f64 / seconds;
    let cpu = (parlor.cpu() - cpu).as_secs_f64() * 1e6 / seconds;
    let rss = megabytes(parlor.rss());
    Row {
        work: "rest",
        per_second: wake_ups,
        cpu,
        rss,
        threads: parlor.threads(),
        more: vec![("wake-ups a second", wake_ups)],
        targets: vec![
            ("RSS under 10 MB".into(), rss < 10.0),
            ("one wake-up a second".into(), wake_ups < 1.5),
        ],
        ..Row::default()
    }
}
