//! README is true: its examples answer as it says, its tables name what there is.
//!
//! A block of bash after `<!-- test: NAME -->` is run; what it prints is compared with the JSON
//! after `<!-- expect: NAME -->`. Values that differ on every run are compared by shape: the second
//! id in README stands for the second id in the answers, wherever it turns up.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{PARLOR, Server, TempDir};

const README: &str = include_str!("../README.md");

/// All examples together take about 2 s; pip may have to fetch its package over a slow line.
const EXAMPLES_WITHIN: Duration = Duration::from_secs(60);
const INSTALL_WITHIN: Duration = Duration::from_secs(180);

#[test]
fn every_example_answers_as_written() {
    let blocks = blocks(README);
    let expected: BTreeMap<&str, &str> = of_kind(&blocks, "expect").collect();
    let tests: Vec<(&str, &str)> = of_kind(&blocks, "test").collect();
    for name in expected.keys() {
        assert!(
            tests.iter().any(|(test, _)| test == name),
            "nothing prints what {name:?} expects"
        );
    }

    let printed = run_examples(&tests);
    let (mut readme, mut server) = (Shapes::default(), Shapes::default());
    for (name, _) in tests {
        let wanted = readme.of(&json(expected.get(name).unwrap_or(&""), name));
        let got = server.of(&json(&printed[name], name));
        assert_eq!(got, wanted, "\nexample {name:?} printed\n{}", printed[name]);
    }
}

/// The comparison forgives other ids and times, and nothing else.
#[test]
fn a_wrong_example_is_noticed() {
    let shapes = |text: &str| Shapes::default().of(&json(text, "shapes"));
    let (a, b) = (
        "f7f121337453443eaa405d913d2cc00e",
        "e07dac5372ad4f3488bbc41a37d94918",
    );
    let answer = |me: &str, name: &str, sender: &str, sent: &str| {
        shapes(&format!(
            r#"{{"a":"{name}加入了房间","me":"{me}"}} {{"by":"{sender}","sent":"{sent}"}}"#
        ))
    };
    let time = "2022-06-22T08:10:43.412+00:00";
    let right = answer(a, "用户f7f12", a, time);
    assert_eq!(
        right,
        answer(b, "用户e07da", b, "2026-01-01T00:00:00.000+00:00")
    );
    for wrong in [
        answer(a, "用户e07da", a, time),
        answer(a, "用户f7f1", a, time),
        answer(a, "用户f7f12", b, time),
        answer(a, "用户f7f12", &a.to_uppercase(), time),
        answer(a, "用户f7f12", a, "2022-06-22T08:10:43+00:00"),
        answer(a, "用户f7f12", a, "2022-06-22T08:10:43.412579746+00:00"),
        right[..1].to_vec(),
    ] {
        assert_ne!(right, wrong);
    }
    assert_ne!(shapes(r#"{"id":1}"#), shapes(r#"{"id":2}"#));
    assert_ne!(shapes(r#"{"id":1}"#), shapes(r#"{"id":1,"more":null}"#));
}

#[test]
fn the_flag_table_says_what_help_says() {
    let help = Command::new(PARLOR)
        .arg("--help")
        .output()
        .expect("parlor runs");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let help: Vec<&str> = help.split_whitespace().collect();
    let help = help.join(" ");
    let mut rows = 0;
    for row in README.lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<&str> = row
            .split(" | ")
            .map(|cell| cell.trim_matches(['|', ' ', '`']))
            .collect();
        let [flag, variable, default, _] = cells[..] else {
            panic!("not four cells: {row}")
        };
        let flag = flag.split(' ').next().unwrap_or_default();
        let entry = help.split_once(&format!(" {flag} ")).map(|(_, rest)| rest);
        let entry = entry.unwrap_or_else(|| panic!("--help has no {flag}"));
        let (_, entry) = entry
            .split_once('[')
            .expect("an entry ends in [default …, PARLOR_…]");
        let (entry, _) = entry
            .split_once(']')
            .expect("an entry ends in [default …, PARLOR_…]");
        assert!(
            entry.starts_with(&format!("default {default}, ")),
            "{flag}: {default} is not {entry}"
        );
        assert!(
            entry.contains(&format!(" {variable}")),
            "{flag}: {variable} is not {entry}"
        );
        rows += 1;
    }
    assert_eq!(
        rows,
        help.matches("[default ").count(),
        "rows in README, flags in --help"
    );
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let (_, promises) = README.split_once("\nPromised, ").expect("promises");
    let (promises, _) = promises.split_once("\nNot promised:").expect("their end");
    let tests = sources(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .as_path(),
    );
    for promise in promises.split("\n- ").skip(1) {
        let words = promise.split('`').skip(1).step_by(2);
        let mut names = words
            .filter(|word| word.matches('_').count() > 2)
            .peekable();
        assert!(names.peek().is_some(), "no test holds: {promise}");
        for name in names {
            assert!(
                tests.contains(&format!("fn {name}()")),
                "no test is called {name}"
            );
        }
    }
}

/// All sources in a folder and those inside it.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => fs::read_to_string(&path).unwrap_or_default(),
    };
    paths.map(read).collect()
}

#[test]
fn every_dependency_has_its_reason() {
    let (_, listed) = README
        .split_once("| crate | for |")
        .expect("the table of crates");
    let (listed, _) = listed
        .split_once("\n\n")
        .expect("the end of the table of crates");
    let named: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    let mut wanted = Vec::new();
    let mut section = "";
    for line in include_str!("../Cargo.toml").lines() {
        match line.split_once('=') {
            _ if line.starts_with('[') => section = line,
            Some((name, _)) if section == "[dependencies]" => wanted.push(name.trim()),
            Some((name, _)) if section == "[dev-dependencies]" => {
                let name = name.trim();
                assert!(
                    README.contains(&format!("`{name}`, for")),
                    "what {name} is for"
                );
            }
            _ => {}
        }
    }
    assert_eq!(named, wanted);
}

#[test]
fn the_dependencies_are_as_many_and_as_deep_as_it_says() {
    let tree = |args: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        let listed = cargo.args(args.split(' ')).output().expect("cargo runs");
        String::from_utf8(listed.stdout).expect("UTF-8")
    };
    let crates = tree("tree --locked -e normal --prefix none --no-dedupe");
    let crates: BTreeSet<&str> = crates.lines().collect();
    let depths = tree("tree --locked -e normal --prefix depth --no-dedupe");
    let depth = |line: &str| {
        let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        line[..digits].parse::<u32>().ok()
    };
    let deepest = depths.lines().filter_map(depth).max().expect("a tree");
    let readme: Vec<&str> = README.split_whitespace().collect();
    let readme = readme.join(" ");
    let says = format!("counts {} crates in all", crates.len());
    assert!(readme.contains(&says), "{says}");
    let says = format!("none stands more than {deepest} steps below it");
    assert!(readme.contains(&says), "{says}");
}

/// A fenced block and the comment before it.
struct Block<'a> {
    kind: &'a str,
    name: &'a str,
    text: &'a str,
}

/// Every marked block in order. Fails on a marker without a block, and on bash without a marker:
/// it would seem to be tested.
fn blocks(readme: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block> = Vec::new();
    let mut marker = None;
    let mut rest = readme;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if let Some(language) = line.strip_prefix("```") {
            let (text, after) = rest.split_once("\n```\n").expect("a block has an end");
            rest = after;
            assert!(
                language != "bash" || marker.is_some(),
                "unmarked bash:\n{text}"
            );
            if let Some((kind, name)) = marker.take() {
                let twice = found
                    .iter()
                    .any(|block| (block.kind, block.name) == (kind, name));
                assert!(!twice || kind == "not run", "{kind}: {name} twice");
                found.push(Block { kind, name, text });
            }
            continue;
        }
        assert!(
            marker.is_none(),
            "{marker:?} is not before a block but before {line:?}"
        );
        if let Some(comment) = line
            .strip_prefix("<!-- ")
            .and_then(|l| l.strip_suffix(" -->"))
        {
            let (kind, name) = comment.split_once(": ").unwrap_or((comment, ""));
            assert!(
                ["test", "expect", "not run", "file"].contains(&kind),
                "what is {line}?"
            );
            marker = Some((kind, name));
        }
    }
    found
}

fn of_kind<'a>(blocks: &[Block<'a>], kind: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    blocks
        .iter()
        .filter(move |block| block.kind == kind)
        .map(|block| (block.name, block.text))
}

/// Runs all examples in one bash against one fresh server; what each printed.
fn run_examples<'a>(tests: &[(&'a str, &str)]) -> BTreeMap<&'a str, String> {
    // Starts what an example prints, and is nowhere in JSON.
    const MARK: char = '\u{1e}';
    let mut script = String::from("set -eux -o pipefail\n");
    for (name, text) in tests {
        script.push_str(&format!("printf '{MARK}'; : {name}\n{text}\n"));
    }
    let client = websocket_client();
    let server = Server::start(&["--data", "none"]);
    let path = std::env::var("PATH").expect("PATH");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]);
    bash.env("PATH", format!("{}:{path}", client.display()))
        .env("no_proxy", "*")
        .env("NO_PROXY", "*");
    bash.env("HTTP", format!("http://{}", server.http))
        .env("WS", format!("ws://{}/ws", server.ws));
    let printed = run(bash, EXAMPLES_WITHIN);
    let printed: Vec<&str> = printed.split(MARK).skip(1).collect();
    assert_eq!(printed.len(), tests.len(), "examples begun");
    tests
        .iter()
        .zip(printed)
        .map(|((name, _), text)| (*name, text.to_owned()))
        .collect()
}

/// The `bin` of a Python environment with `websocket-client`, made where it is not there yet.
fn websocket_client() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme-venv");
    let bin = venv.join("bin");
    let python = bin.join("python3");
    let there = Command::new(&python)
        .args(["-c", "import websocket"])
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&venv);
        run(make, INSTALL_WITHIN);
        let mut install = Command::new(python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "websocket-client>=1.8,<2",
        ]);
        run(install, INSTALL_WITHIN);
    }
    bin
}

/// What the command prints; fails with all it said unless it ends well in time.
fn run(mut command: Command, within: Duration) -> String {
    let (dir, program) = (TempDir::new(), command.get_program().to_owned());
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    command.current_dir(dir.path()).stdin(Stdio::null());
    command
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&err).expect("a file"));
    let mut child = command
        .spawn()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child to ask") {
            Some(status) => break Some(status),
            None if start.elapsed() > within => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let read =
        |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let (out, err) = (read(&out), read(&err));
    match status {
        Some(status) if status.success() => out,
        Some(status) => panic!("{status}\n{program:?} printed\n{out}\nand said\n{err}"),
        None => panic!("not within {within:?}\n{program:?} printed\n{out}\nand said\n{err}"),
    }
}

/// The JSON values in a text, one after the other.
fn json(text: &str, name: &str) -> Vec<Value> {
    let values: Result<_, _> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect();
    values.unwrap_or_else(|why| panic!("{name}: {why} in\n{text}"))
}

/// Replaces what differs on every run by its kind and, for ids, a number in order of appearance.
/// Both sides are read in the same order, so what is equal in one has to be equal in the other.
#[derive(Default)]
struct Shapes {
    ids: Vec<String>,
}

impl Shapes {
    fn of(&mut self, values: &[Value]) -> Vec<Value> {
        values.iter().for_each(|value| self.collect(value));
        values.iter().map(|value| self.shape("", value)).collect()
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::String(text) if id_kind(text).is_some() && !self.ids.contains(text) => {
                self.ids.push(text.clone());
            }
            Value::Array(list) => list.iter().for_each(|value| self.collect(value)),
            Value::Object(map) => map.values().for_each(|value| self.collect(value)),
            _ => {}
        }
    }

    fn shape(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::Number(number) if key == "avatarIndex" && number.as_u64() < Some(50) => {
                "<avatar>".into()
            }
            Value::String(text) => self.text(text).into(),
            Value::Array(list) => list.iter().map(|value| self.shape("", value)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), self.shape(key, value)))
                .collect(),
            _ => value.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        if let Some(kind) = id_kind(text) {
            let number = self.ids.iter().position(|id| id == text);
            return format!("<{kind} {}>", number.expect("collected before"));
        }
        if like(text, "dddd-dd-ddTdd:dd:dd.ddd+00:00") {
            return "<UTC, ms>".into();
        }
        if ["+dd:dd", "-dd:dd"]
            .iter()
            .any(|zone| like(text, &format!("dddd-dd-ddTdd:dd:dd.ddddddddd{zone}")))
        {
            return "<local time, ns>".into();
        }
        // Names made from the first five digits of an id.
        let mut text = text.to_owned();
        for (number, id) in self.ids.iter().enumerate() {
            for word in ["用户", "聊天室"] {
                text = text.replace(&format!("{word}{}", &id[..5]), &format!("{word}<{number}>"));
            }
        }
        text
    }
}

fn id_kind(text: &str) -> Option<&'static str> {
    match text.len() {
        32 if like(text, &"h".repeat(32)) => Some("id"),
        64 if like(text, &"h".repeat(64)) => Some("token"),
        36 if like(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") => Some("uuid"),
        _ => None,
    }
}

/// `d` stands for a digit, `h` for a lowercase hexadecimal digit, anything else for itself.
fn like(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern.bytes())
            .all(|(byte, wanted)| match wanted {
                b'd' => byte.is_ascii_digit(),
                b'h' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                _ => byte == wanted,
            })
}
