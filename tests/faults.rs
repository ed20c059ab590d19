//! Injected faults: the disk fails under a running parlor, call by call, and then works again.
//! What was asked meanwhile is not confirmed and told to nobody; asked again, it is there once.
//!
//! Needs strace, which lets system calls fail, and the right to trace: root, as a rule.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Guest, PARLOR, Server, TempDir, Ws, create, join, places, until, uuid};

/// "Recovers by itself within a few seconds": a commit is tried every second.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
/// The calls by which SQLite makes what it wrote durable, as it was compiled.
const SYNC: &str = "fsync,fdatasync";
const UNLIMITED: [&str; 4] = ["--user-rate", "0", "--room-rate", "0"];

/// strace at a running parlor, letting calls fail. Dropped or ended, all works again.
struct Fault {
    strace: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl Fault {
    /// Lets `calls` fail as `how` says (`error=EIO:when=1`). With `only` the end of a file's
    /// name after the database's ("" or "-wal"), calls on other files go through.
    fn begin(server: &Server, calls: &str, how: &str, only: Option<&str>) -> Fault {
        println!("-- {calls} {how} {only:?} --");
        let dir = TempDir::new();
        let log = dir.path().join("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &server.pid().to_string(), "-o"]);
        command.arg(&log).args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{how}")]);
        if let Some(end) = only {
            command.args(["-P", &format!("{}{end}", server.data().display())]);
        }
        let strace = command.stderr(Stdio::piped()).spawn();
        let mut strace = strace.unwrap_or_else(|e| panic!("this test needs strace: {e}"));
        let mut said = BufReader::new(strace.stderr.take().expect("piped"));
        // Said when all threads are held; an strace that cannot trace ends, and with it the line.
        let mut line = String::new();
        said.read_line(&mut line).expect("a line of strace");
        assert!(
            line.contains(" attached"),
            "this test needs strace and the right to trace (root): {line}"
        );
        // Whoever stops reading a pipe may stop its writer.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Fault {
            strace,
            log,
            _dir: dir,
        }
    }

    /// How many calls failed so far.
    fn count(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.matches("(INJECTED)").count()
    }

    /// From here on the disk works. How many calls failed.
    fn end(mut self) -> usize {
        let asked = Command::new("kill")
            .args(["-s", "INT", &self.strace.id().to_string()])
            .status();
        assert!(asked.is_ok_and(|s| s.success()), "kill -s INT");
        until("strace lets go", || {
            self.strace.try_wait().expect("a child to ask").is_some()
        });
        let count = self.count();
        println!("-- the disk works again; {count} calls failed --");
        count
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Ada and Bob on sockets and over HTTP, and Cleo over HTTP only.
struct Class {
    server: Server,
    ada: Guest,
    bob: Guest,
    cleo: Guest,
    adas: Ws,
    bobs: Ws,
}

impl Class {
    fn start() -> Class {
        let server = Server::start(&UNLIMITED);
        let http = server.client();
        let ada = create(&http, json!({}));
        let [bob, cleo] = [(); 2].map(|()| join(&http, &ada.room_id));
        let mut adas = server.login(&ada.token);
        let mut bobs = server.login(&bob.token);
        // What becomes of its members is written as well: done before a fault begins.
        let [ada, bob] = [ada, bob].map(|guest| guest.with_token());
        adas.say(ada.room, "before");
        assert_eq!(bobs.hear(1), ["before"]);
        Class {
            server,
            ada,
            bob,
            cleo,
            adas,
            bobs,
        }
    }

    /// The whole room as each member reads it, which is the same for all.
    fn room(&self) -> Vec<Value> {
        let [a, b, c] = [&self.ada, &self.bob, &self.cleo].map(whole_room);
        assert_eq!(a, b, "Ada and Bob read the same");
        assert_eq!(a, c, "Ada and Cleo read the same");
        a
    }

    /// Kills parlor and starts it again; the sockets are new ones.
    fn kill_and_restart(&mut self) {
        self.server.kill();
        self.server.restart();
        let http = self.server.client();
        self.ada = self.ada.via(&http).with_token();
        self.bob = self.bob.via(&http).with_token();
        self.cleo = self.cleo.via(&http);
        self.adas = self.server.login(&self.ada.token);
        self.bobs = self.server.login(&self.bob.token);
    }

    /// Waits until parlor takes commits again, by itself.
    fn recovers(&self) {
        let since = Instant::now();
        until("healthz ok again", || {
            self.server.client().get("/healthz").status == 200
        });
        let took = since.elapsed();
        assert!(took < RECOVERED_WITHIN, "recovered only after {took:?}");
    }
}

/// All entries from the first place on, which have no gap.
fn whole_room(guest: &Guest) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = json!(0);
    loop {
        let page = guest.fetch(json!({"after":next}));
        assert_eq!(page["complete"], true, "{page}");
        let entries = page["data"].as_array().expect("a list").clone();
        if entries.is_empty() {
            break;
        }
        found.extend(entries);
        next = page["next"].clone();
    }
    let all: Vec<u64> = (1..=found.len() as u64).collect();
    assert_eq!(places(&found), all, "the order has no gap");
    found
}

/// How often a text is in the room.
fn times(room: &[Value], text: &str) -> usize {
    room.iter().filter(|e| e["content"] == text).count()
}

/// A message that is not confirmed on a socket; answers its uuid.
fn not_confirmed(ws: &mut Ws, room: u64, text: &str) -> String {
    let id = uuid();
    let answer = ws.say_as(&id, room, text);
    assert_eq!(answer["code"], 9, "{answer}");
    assert_eq!(answer.get("sent"), Some(&Value::Null), "{answer}");
    let reason = answer["msg"].as_str().unwrap_or_default();
    assert!(!reason.is_empty(), "a reason: {answer}");
    id
}

/// While the fault lasts nothing is confirmed and nobody sees anything; afterwards the same
/// commands leave each message once, and a kill changes nothing of that.
fn goes_on_after(calls: &str, how: &str, only: Option<&str>) {
    let mut class = Class::start();
    let room = class.ada.room;
    let dan = join(&class.server.client(), &class.ada.room_id);
    let before = class.room();
    // Seconds that outlast the fault.
    let mut dan_waits = dan.begin_fetch(json!({"after":before.len(),"wait":60}));

    let fault = Fault::begin(&class.server, calls, how, only);
    let on_socket = not_confirmed(&mut class.adas, room, "on a socket");
    let over_http = uuid();
    let http_message = json!({"content":"over HTTP","uuid":over_http});
    let refused = class.bob.send(http_message.clone());
    refused.refused(503, "not_confirmed");
    let stranger = class.server.client();
    let joining = json!({"roomId":class.ada.room_id,"request":uuid()});
    let join_again = |http: &support::Http| http.post("/room/join", joining.clone());
    join_again(&stranger).refused(503, "not_confirmed");
    let ill = || {
        let health = stranger.get("/healthz");
        assert_eq!(health.status, 503, "healthz: {}", health.body);
        let reason = health.body.trim();
        assert!(reason.len() > 10, "healthz says why: {reason}");
    };
    ill();
    let failed = fault.count();
    until("parlor tried twice to commit", || {
        fault.count() >= failed + 2
    });
    ill();
    // Not confirmed once more, and no harm done.
    let again = class.adas.say_as(&on_socket, room, "on a socket");
    assert_eq!(again["code"], 9, "{again}");
    class.cleo.call("/room/heartbeat").data();
    assert_eq!(class.room(), before, "nobody can fetch what is not saved");
    class.adas.nothing_more();
    class.bobs.nothing_more();
    let early = dan_waits.answered_within(Duration::from_millis(1));
    assert!(!early, "who waits for news has none");

    assert!(fault.end() > 2);
    class.recovers();
    assert_eq!(class.room(), before, "what was given up does not come back");
    let retried = class.adas.say_as(&on_socket, room, "on a socket");
    assert_eq!(retried["code"], 0, "the same uuid again: {retried}");
    assert_eq!(class.bobs.hear(1), ["on a socket"]);
    let woken = dan_waits.finish();
    assert_eq!(woken.data()[0]["uuid"], json!(on_socket), "{}", woken.body);
    class.bob.send(http_message.clone()).data();
    assert_eq!(class.adas.hear(1), ["over HTTP"]);
    join_again(&stranger).data();
    class.adas.say(room, "after");
    let room_after = class.room();
    // Once each: two messages, a newcomer's notice, one more message.
    assert_eq!(room_after.len(), before.len() + 4, "{room_after:?}");
    assert_eq!(room_after[..before.len()], before);
    for text in ["before", "on a socket", "over HTTP", "after"] {
        assert_eq!(times(&room_after, text), 1, "{text}");
    }

    class.kill_and_restart();
    assert_eq!(class.room(), room_after, "the same after kill -9");
    let again = class.adas.say_as(&on_socket, room, "on a socket");
    assert_eq!((&again["code"], &again["at"]), (&json!(0), &retried["at"]));
    class.bob.send(http_message).data();
    class.bobs.nothing_more();
    assert_eq!(class.room(), room_after, "nothing twice");
}

#[test]
fn a_sync_that_fails_confirms_nothing_and_parlor_goes_on_when_it_works_again() {
    goes_on_after(SYNC, "error=EIO", None);
}

#[test]
fn a_write_without_space_confirms_nothing_and_parlor_goes_on_when_there_is_some() {
    goes_on_after("pwrite64", "error=ENOSPC", None);
}

#[test]
fn a_write_that_fails_confirms_nothing_and_parlor_goes_on_when_it_works_again() {
    goes_on_after("pwrite64", "error=EIO", None);
}

#[test]
fn a_commit_that_breaks_off_halfway_confirms_nothing() {
    // The head of each commit's first page reaches the log, the page itself does not.
    goes_on_after("pwrite64", "error=EIO:when=2+", Some("-wal"));
}

/// Every single call of a commit in turn fails once: each time the message is not confirmed, the
/// next commit succeeds by itself, and asking again leaves it once.
#[test]
fn whichever_call_fails_once_asking_again_leaves_the_message_once() {
    let mut class = Class::start();
    let room = class.ada.room;
    let mut said = class.room().len();
    let mut failures = 0;
    for (calls, nth) in [(SYNC, 1)]
        .into_iter()
        .chain((1..=8).map(|nth| ("pwrite64", nth)))
    {
        let how = format!("error=EIO:when={nth}");
        let fault = Fault::begin(&class.server, calls, &how, Some("-wal"));
        // So long that it is on more than one page.
        let text = format!("{calls} {nth} {}", "x".repeat(3_000));
        let id = uuid();
        let mut answer = class.adas.say_as(&id, room, &text);
        if answer["code"] != 0 {
            failures += 1;
        } else {
            assert_eq!(fault.count(), 0, "a call failed and the answer is {answer}");
        }
        // strace counts the calls of each thread: the scribe's own fails once, too.
        for _ in 0..2 {
            if answer["code"] == 9 {
                class.bobs.nothing_more();
                class.recovers();
                answer = class.adas.say_as(&id, room, &text);
            }
        }
        assert_eq!(answer["code"], 0, "{answer}");
        assert_eq!(class.bobs.hear(1).concat(), text);
        fault.end();
        said += 1;
        let now = class.room();
        assert_eq!((now.len(), times(&now, &text)), (said, 1), "{text}");
    }
    // A message is one sync and the two writes of each of its pages, two at least.
    assert!(
        failures >= 5,
        "only {failures} of the calls were a commit's"
    );
    let before = class.room();
    class.kill_and_restart();
    assert_eq!(class.room(), before);
}

/// What was not confirmed may be stored. Killed before parlor could try again, it is there or not,
/// whole, for everybody; asking again leaves it once.
fn killed_in_a_fault(calls: &str, how: &str) {
    let mut class = Class::start();
    let room = class.ada.room;
    let before = class.room();
    let fault = Fault::begin(&class.server, calls, how, None);
    let lost = not_confirmed(&mut class.adas, room, "perhaps");
    class.bobs.nothing_more();
    class.server.kill();
    drop(fault);
    class.kill_and_restart();
    let found = class.room();
    assert_eq!(found[..before.len()], before);
    let extra = &found[before.len()..];
    assert!(
        extra.is_empty() || (extra.len() == 1 && extra[0]["uuid"] == json!(lost)),
        "{extra:?}"
    );
    let answer = class.adas.say_as(&lost, room, "perhaps");
    assert_eq!(
        (&answer["code"], &answer["at"]),
        (&json!(0), &json!(before.len() + 1)),
        "{answer}"
    );
    let found = class.room();
    assert_eq!(
        (found.len(), times(&found, "perhaps")),
        (before.len() + 1, 1)
    );
}

#[test]
fn killed_while_syncs_fail_what_was_not_confirmed_is_there_once_when_asked_again() {
    killed_in_a_fault(SYNC, "error=EIO");
}

#[test]
fn killed_while_writes_fail_what_was_not_confirmed_is_there_once_when_asked_again() {
    killed_in_a_fault("pwrite64", "error=EIO:when=2+");
}

/// The copying of the log into the database fails: nobody need notice, and nothing is lost.
#[test]
fn a_checkpoint_that_fails_costs_nothing() {
    for calls in ["pwrite64", SYNC] {
        let mut class = Class::start();
        let room = class.ada.room;
        let fault = Fault::begin(&class.server, calls, "error=EIO", Some(""));
        let mut said = 0;
        // It is begun after about 250 commits.
        while fault.count() == 0 {
            assert!(said < 2000, "no checkpoint after {said} messages");
            class.adas.say(room, &format!("{said}"));
            assert_eq!(class.bobs.hear(1), [format!("{said}")]);
            said += 1;
            // Now and then a message: a checkpoint syncs the database only where nothing was
            // written while it copied.
            std::thread::sleep(Duration::from_millis(if said % 10 == 0 { 50 } else { 3 }));
        }
        class.adas.say(room, "during");
        fault.end();
        // Enough that it is tried again, and works.
        for i in 0..300 {
            class.adas.say(room, &format!("after {i}"));
        }
        let before = class.room();
        assert_eq!(before.len(), 4 + said + 1 + 300);
        class.kill_and_restart();
        assert!(class.room() == before, "the same after kill -9");
    }
}

/// A disk that hangs is not one that fails: the answer comes late, and it is a success. Meanwhile
/// nobody sees the message, and who needs no disk does not wait.
#[test]
fn a_disk_that_stalls_delays_the_answer_and_nothing_else() {
    let mut class = Class::start();
    let room = class.ada.room;
    let before = class.room();
    let fault = Fault::begin(&class.server, SYNC, "delay_enter=5s", None);
    let since = Instant::now();
    class.adas.begin_say(room, "late");
    // As soon as the message has reached the disk.
    until("healthz says that the disk hangs", || {
        class.server.client().get("/healthz").status == 503
    });
    assert_eq!(class.room(), before);
    class.bobs.nothing_more();
    class.cleo.call("/room/heartbeat").data();
    let waited = since.elapsed();
    assert!(waited < Duration::from_secs(5), "reading took {waited:?}");
    let answer = class.adas.recv();
    assert_eq!(
        (&answer["type"], &answer["code"]),
        (&json!("send"), &json!(0)),
        "{answer}"
    );
    assert!(since.elapsed() > Duration::from_secs(3), "the disk stalled");
    assert_eq!(class.bobs.hear(1), ["late"]);
    fault.end();
    class.recovers();
    assert_eq!(class.room().len(), before.len() + 1);
}

/// What one socket asks for in one go is settled in that order, also while all of it waits for the
/// disk: who has asked to come in may speak, and who has asked to leave must show the password again.
#[test]
fn what_is_asked_in_one_go_is_settled_in_its_order_on_a_slow_disk_too() {
    let mut class = Class::start();
    let http = class.server.client();
    let locked = create(&http, json!({"roomPassword":"114514","listed":true}));
    let fault = Fault::begin(&class.server, SYNC, "delay_enter=300ms", None);
    let ws = &mut class.adas;
    let (room, id) = (locked.room, uuid());
    let join = json!({"type":"join","room":room,"password":"114514"});
    let data = json!({"type":"Text","text":"in one go"});
    let leave = json!({"type":"leave","room":room});
    ws.send_json(join.clone());
    ws.send_json(json!({"type":"msg","uuid":id,"room":room,"data":data}));
    ws.send_json(leave.clone());
    ws.send_json(join);
    ws.send_json(leave);
    ws.send_json(json!({"type":"msg","uuid":uuid(),"room":room,"data":data}));
    let answers: Vec<_> = (0..6).map(|_| ws.recv()).collect();
    let told: Vec<_> = answers
        .iter()
        .map(|a| (a["type"].as_str().unwrap_or(""), a["code"].as_u64()))
        .collect();
    let done = Some(0);
    let order = [
        ("join", done),
        ("send", done),
        ("leave", done),
        ("join", done),
        ("leave", done),
        ("send", Some(4)),
    ];
    assert_eq!(told, order, "{answers:?}");
    fault.end();
    let members = locked.with_token().fetch(json!({"after":0}));
    let said = members["data"].to_string();
    assert_eq!(said.matches("in one go").count(), 1, "{said}");
}

/// On a disk that does not work parlor says so and serves nobody.
#[test]
fn parlor_does_not_start_on_a_disk_that_fails() {
    for (calls, error) in [(SYNC, "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO")] {
        let dir = TempDir::new();
        let data = dir.path().join("data.db");
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error={error}"), PARLOR]);
        command.args(["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--data"]);
        command.arg(&data).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut started = started.unwrap_or_else(|e| panic!("this test needs strace: {e}"));
        until("parlor ends", || {
            started.try_wait().expect("a child to ask").is_some()
        });
        let ended = started.wait_with_output().expect("an output");
        let reason = String::from_utf8_lossy(&ended.stderr);
        println!("{calls} {error}: {} {reason}", ended.status);
        assert!(!ended.status.success());
        assert!(ended.stdout.is_empty(), "it printed no address");
        assert!(
            reason.contains(data.to_str().expect("a plain path")) && !reason.contains("panicked"),
            "a sentence that names the file: {reason}"
        );
    }
}
