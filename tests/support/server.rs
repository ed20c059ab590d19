//! The built binary as a child process in a directory of its own.

use super::{DEADLINE, Http, Ws};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub const PARLOR: &str = env!("CARGO_BIN_EXE_parlor");

/// What is attacked is what people run: `make test` names the release binary.
fn under_test() -> String {
    match (env!("CARGO_CRATE_NAME"), std::env::var("PARLOR_RELEASE")) {
        ("attacks", Ok(release)) => release,
        _ => PARLOR.to_owned(),
    }
}

/// How long parlor may take to stop after SIGTERM (issue 2, point 8).
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A directory that goes away with its owner.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        let path = std::env::temp_dir().join(format!("parlor-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).expect("a directory in the temporary directory");
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A parlor that ended by itself.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running parlor. Dropped, it is killed and its directory removed.
pub struct Server {
    pub http: SocketAddr,
    pub ws: SocketAddr,
    process: Process,
    prefix: Vec<String>,
    args: Vec<String>,
    dir: TempDir, // after `process`: removed when the child is gone
}

impl Server {
    /// Starts on ports of its own; without `--data` in `args` the data is a fresh file.
    pub fn start(args: &[&str]) -> Server {
        Server::start_under(&[], args)
    }

    /// The same behind a launcher that ends in `exec "$0" "$@"` or the like.
    pub fn start_under(prefix: &[&str], args: &[&str]) -> Server {
        let mut all = vec!["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"];
        all.extend_from_slice(args);
        let dir = TempDir::new();
        let file = dir.path().join("data.db");
        if !args.contains(&"--data") {
            all.extend_from_slice(&["--data", file.to_str().expect("a plain path")]);
        }
        Server::launch(owned(prefix), owned(&all), dir)
    }

    /// Starts with these arguments and no others; the working directory is `dir()`.
    pub fn start_bare(args: &[&str]) -> Server {
        Server::launch(Vec::new(), owned(args), TempDir::new())
    }

    fn launch(prefix: Vec<String>, args: Vec<String>, dir: TempDir) -> Server {
        let process = Process::spawn(&prefix, &args, dir.path());
        let (http, ws) = process.addresses();
        Server {
            http,
            ws,
            process,
            prefix,
            args,
            dir,
        }
    }

    /// Runs parlor with these arguments, which it has to refuse; answers how it ended.
    pub fn refused(args: &[&str]) -> Exit {
        let dir = TempDir::new();
        let mut process = Process::spawn(&[], &owned(args), dir.path());
        let Some(status) = process.wait(DEADLINE) else {
            panic!("parlor {args:?} did not end within {DEADLINE:?}");
        };
        process.exit(status)
    }

    /// An HTTP client of the HTTP port.
    pub fn client(&self) -> Http {
        Http::new(self.http)
    }

    /// A WebSocket, not yet authenticated.
    pub fn socket(&self) -> Ws {
        Ws::connect(self.ws)
    }

    /// A WebSocket of the token's user, as the document has it.
    pub fn login(&self, token: &str) -> Ws {
        let mut ws = self.socket();
        ws.auth(token);
        ws
    }

    /// A WebSocket of the token's user that asked for `"v":1`; its answer to that is dropped.
    pub fn login_v1(&self, token: &str) -> Ws {
        let mut ws = self.socket();
        ws.auth_v1(token);
        ws
    }

    /// The same, which calls from there.
    pub fn login_v1_from(&self, from: [u8; 4], token: &str) -> Ws {
        let mut ws = Ws::connect_from(from, self.ws);
        ws.auth_v1(token);
        ws
    }

    /// The file given with `--data`.
    pub fn data(&self) -> PathBuf {
        let at = self
            .args
            .iter()
            .position(|a| a == "--data")
            .expect("--data was given");
        PathBuf::from(&self.args[at + 1])
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// A line of stdout that starts so, waited for.
    pub fn printed(&self, prefix: &str) -> String {
        let found = self.process.stdout.find(prefix);
        found.unwrap_or_else(|| panic!("no line {prefix:?} on stdout within {DEADLINE:?}"))
    }

    /// All that was printed so far.
    pub fn stdout(&self) -> String {
        self.process.stdout.text()
    }

    /// All that was logged so far.
    pub fn stderr(&self) -> String {
        self.process.stderr.text()
    }

    /// SIGTERM; fails unless it ends with 0 within 5 s.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.stopped();
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status();
        assert!(sent.is_ok_and(|s| s.success()), "kill -s {name} {pid}");
    }

    /// Waits for the end that a signal asked for: exit 0 within 5 s.
    pub fn stopped(&mut self) {
        let Some(status) = self.process.wait(STOP_WITHIN) else {
            panic!("parlor did not stop within {STOP_WITHIN:?}");
        };
        assert_eq!(status.code(), Some(0), "exit code after SIGTERM ({status})");
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let status = self.process.wait(DEADLINE);
        let status = status.unwrap_or_else(|| panic!("parlor did not end within {DEADLINE:?}"));
        // All that it said has come.
        self.process.exit(status);
        status
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts again without this switch, on new ports; stops it first.
    pub fn restart_without(&mut self, switch: &str) {
        self.args.retain(|arg| arg != switch);
        self.restart();
    }

    /// Starts again with this flag too, or with another value of it.
    pub fn restart_with(&mut self, flag: &str, value: &str) {
        match self.args.iter().position(|arg| arg == flag) {
            Some(at) => self.args[at + 1] = value.to_string(),
            None => self.args.extend(owned(&[flag, value])),
        }
        self.restart();
    }

    /// Starts again with the same arguments, on new ports; stops it first where it still runs.
    pub fn restart(&mut self) {
        if self.process.running() {
            self.signal("TERM");
            assert_eq!(self.ended().code(), Some(0), "exit code after SIGTERM");
        }
        println!("-- restart --");
        self.process = Process::spawn(&self.prefix, &self.args, self.dir.path());
        (self.http, self.ws) = self.process.addresses();
    }
}

/// Where Debian, Alpine, Fedora and those built by hand put it.
const LIBFAKETIME: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/arm-linux-gnueabihf/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

/// What fakes a clock, to be loaded by `env LD_PRELOAD=…`: the program faketime starts a child of its
/// own, which would outlive the test.
pub fn libfaketime() -> &'static str {
    let library = LIBFAKETIME.iter().find(|path| Path::new(path).exists());
    library.expect("this test needs libfaketime; on Debian: apt-get install faketime")
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|a| a.to_string()).collect()
}

struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    fn spawn(prefix: &[String], args: &[String], dir: &Path) -> Process {
        let mut words = prefix.to_vec();
        words.push(under_test());
        words.extend_from_slice(args);
        println!("$ {}", words.join(" "));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(dir);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PARLOR_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", words[0]));
        let stdout = Lines::of(child.stdout.take().expect("piped"), "out");
        let stderr = Lines::of(child.stderr.take().expect("piped"), "err");
        Process {
            child,
            stdout,
            stderr,
        }
    }

    /// The two addresses that parlor prints when it listens.
    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let find = |name: &str, scheme: &str, path: &str| -> SocketAddr {
            let line = self.stdout.find(name);
            let line =
                line.unwrap_or_else(|| panic!("no {name:?} line; stderr:\n{}", self.stderr.text()));
            let url = line[name.len()..].trim();
            let host = url.strip_prefix(scheme).and_then(|u| u.strip_suffix(path));
            let host = host.unwrap_or_else(|| panic!("{line:?} is not {name} {scheme}…{path}"));
            host.parse().unwrap_or_else(|e| panic!("{line:?}: {e}"))
        };
        (
            find("HTTP ", "http://", "/"),
            find("WebSocket ", "ws://", "/ws"),
        )
    }

    fn running(&mut self) -> bool {
        self.child.try_wait().expect("a child to ask").is_none()
    }

    fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child to ask") {
                return Some(status);
            }
            if start.elapsed() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn exit(&self, status: ExitStatus) -> Exit {
        self.stdout.ended();
        self.stderr.ended();
        Exit {
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The lines of a pipe, as they come. Each also goes into the transcript.
#[derive(Clone)]
struct Lines(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static, name: &'static str) -> Lines {
        let lines = Lines(Arc::default());
        let writer = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                println!("   {name} | {line}");
                writer.0.0.lock().expect("not poisoned").lines.push(line);
                writer.0.1.notify_all();
            }
            writer.0.0.lock().expect("not poisoned").ended = true;
            writer.0.1.notify_all();
        });
        lines
    }

    /// The first line with this prefix; none at the end of the pipe or at the deadline.
    fn find(&self, prefix: &str) -> Option<String> {
        let read = self.wait(|r| r.ended || r.lines.iter().any(|l| l.starts_with(prefix)));
        read.iter().find(|l| l.starts_with(prefix)).cloned()
    }

    /// Waits for the pipe's end.
    fn ended(&self) {
        self.wait(|r| r.ended);
    }

    fn text(&self) -> String {
        self.0.0.lock().expect("not poisoned").lines.join("\n")
    }

    fn wait(&self, done: impl Fn(&Seen) -> bool) -> Vec<String> {
        let (state, changed) = &*self.0;
        let guard = state.lock().expect("not poisoned");
        let waited = changed.wait_timeout_while(guard, DEADLINE, |r| !done(r));
        waited.expect("not poisoned").0.lines.clone()
    }
}
