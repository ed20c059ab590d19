//! A commit that fails: not confirmed, told to nobody, and the room goes on by itself when the
//! disk does.
//!
//! Needs root for a small file system of its own, and `prlimit` (util-linux).

mod support;

use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use support::{Guest, Server, TempDir, Ws, create, join, until, uuid};

/// A file system of 4 MiB in memory. Dropped, it is unmounted.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> SmallDisk {
        let dir = TempDir::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "parlor-test"])
            .arg(dir.path())
            .output();
        let mounted = mounted.unwrap_or_else(|e| panic!("this test needs the command mount: {e}"));
        assert!(
            mounted.status.success(),
            "this test needs to mount a tmpfs, which takes root: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        SmallDisk(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves not one free byte.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a ballast file");
        let block = [0u8; 4096];
        while ballast.write_all(&block).is_ok() {}
    }

    fn relieve(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast file removed");
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

#[test]
fn on_a_full_disk_nothing_is_confirmed_nobody_is_told_and_the_room_goes_on_when_there_is_space() {
    let disk = SmallDisk::mount();
    let file = disk.path().join("data.db");
    let server = Server::start(&[
        "--data",
        file.to_str().expect("a plain path"),
        "--user-rate",
        "0",
        "--room-rate",
        "0",
    ]);
    goes_on_after(&server, || disk.fill(), || disk.relieve());
}

#[test]
fn an_io_error_is_survived_like_a_full_disk() {
    // Over the limit on the size of a file, with its signal ignored, a write fails with EFBIG.
    let ignore_the_signal = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let server = Server::start_under(
        &ignore_the_signal,
        &["--user-rate", "0", "--room-rate", "0"],
    );
    let limit = |bytes: &str| {
        let pid = server.pid().to_string();
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
            .status();
        assert!(
            set.is_ok_and(|s| s.success()),
            "this test needs the command prlimit (util-linux)"
        );
    };
    goes_on_after(&server, || limit("4096"), || limit("unlimited"));
}

/// The largest text there is, to use up soon what space SQLite has already.
fn long(i: usize) -> String {
    format!("{i:03}{}", "🦜".repeat(3997))
}

fn goes_on_after(server: &Server, breaks: impl FnOnce(), heals: impl FnOnce()) {
    let http = server.client();
    let ada = create(&http, json!({}));
    let bob = join(&http, &ada.room_id);
    let (mut adas, mut bobs) = (server.login(&ada.token), server.login(&bob.token));
    let (ada, bob) = (ada.with_token(), bob.with_token());
    adas.say(ada.room, "before");
    assert_eq!(bobs.hear(1), ["before"]);

    breaks();
    let (lost, text) = say_until_not_confirmed(&mut adas, &mut bobs, ada.room);
    let (over_http, http_text) = (uuid(), long(999));
    let refused = bob.send(json!({"content":http_text,"uuid":over_http}));
    refused.refused(503, "not_confirmed");
    until("healthz 503 with a reason", || {
        // What SQLite has left may be enough for a smaller commit than this.
        assert_eq!(adas.say_as(&lost, ada.room, &text)["code"], 9);
        let health = http.get("/healthz");
        health.status == 503 && health.body.trim().len() > 10
    });
    reads_go_on(&ada, &bob);
    adas.nothing_more();
    bobs.nothing_more();

    heals();
    until("healthz ok again", || http.get("/healthz").status == 200);
    let retried = adas.say_as(&lost, ada.room, &text);
    assert_eq!(retried["code"], 0, "the same uuid again: {retried}");
    assert!(bobs.hear(1) == [text.clone()]);
    let again = adas.say_as(&lost, ada.room, &text);
    assert_eq!((&again["code"], &again["at"]), (&json!(0), &retried["at"]));
    bob.say_as(&over_http, &http_text);
    assert!(adas.hear(1) == [http_text.clone()]);
    adas.say(ada.room, "after");
    assert_eq!(
        bobs.hear(1),
        ["after"],
        "and what was not confirmed came once"
    );

    let mut kept = Vec::new();
    let mut next = json!(0);
    loop {
        let page = ada.fetch(json!({"after":next}));
        let entries = page["data"].as_array().expect("a list").clone();
        if entries.is_empty() {
            break;
        }
        kept.extend(entries);
        next = page["next"].clone();
    }
    let places: Vec<u64> = support::places(&kept);
    assert_eq!(
        places,
        (1..=kept.len() as u64).collect::<Vec<_>>(),
        "the order has no gap"
    );
    let times = |text: &str| kept.iter().filter(|e| e["content"] == *text).count();
    assert_eq!(
        [
            times(&text),
            times(&http_text),
            times("before"),
            times("after")
        ],
        [1; 4]
    );
}

/// Says long texts, each heard by the reader, until one is not confirmed; answers its uuid and
/// text. SQLite may have some space of its own left, hence more than one.
fn say_until_not_confirmed(sender: &mut Ws, reader: &mut Ws, room: u64) -> (String, String) {
    for i in 0..500 {
        let (id, text) = (uuid(), long(i));
        let answer = sender.say_as(&id, room, &text);
        if answer["code"] != 0 {
            assert_eq!(answer["code"], 9, "{answer}");
            assert_eq!(answer.get("sent"), Some(&Value::Null), "{answer}");
            assert!(
                answer["msg"].as_str().is_some_and(|m| !m.is_empty()),
                "{answer}"
            );
            return (id, text);
        }
        assert!(reader.hear(1) == [text]);
    }
    panic!("500 long texts found space on a full disk");
}

/// What needs no disk still works.
fn reads_go_on(ada: &Guest, bob: &Guest) {
    for guest in [ada, bob] {
        guest.call("/room/heartbeat").data();
        let last = guest.fetch(json!({"after":1}));
        assert!(last["data"].as_array().is_some_and(|list| !list.is_empty()));
    }
}
