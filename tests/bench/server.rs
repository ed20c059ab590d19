//! The release binary as a child process, on a database made beforehand, and what `/proc` says of
//! it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use super::seed::Seed;

pub struct Parlor {
    child: Child,
    pub http: SocketAddr,
    pub ws: SocketAddr,
    /// From the start of the process to its first answer.
    pub ready_after: Duration,
    folder: PathBuf,
}

impl Parlor {
    /// Starts with the limits on rates and connections out of the way, and `more` flags.
    pub fn start(seed: &Seed, more: &[&str]) -> Parlor {
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .args([
                "--http",
                "127.0.0.1:0",
                "--ws",
                "127.0.0.1:0",
                "--log",
                "warn",
            ])
            .args(["--user-rate", "0", "--room-rate", "0"])
            .args(["--max-connections", "15000", "--max-per-address", "15000"])
            .args(["--max-members", "20000"])
            .arg("--data")
            .arg(seed.file())
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary that cargo built");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = || -> SocketAddr {
            let line = lines.next().expect("a line").expect("readable");
            let at = line.find("127.0.0.1:").expect("an address");
            let rest = &line[at..];
            rest[..rest.find('/').unwrap_or(rest.len())]
                .parse()
                .expect("an address")
        };
        let (http, ws) = (address(), address());
        let mut probe = TcpStream::connect(http).expect("a listener");
        probe
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        probe.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Parlor {
            child,
            http,
            ws,
            ready_after: begun.elapsed(),
            folder: seed.folder().to_owned(),
        }
    }

    pub fn cpu(&self) -> Duration {
        cpu_of(&self.child)
    }

    fn status(&self, field: &str) -> u64 {
        field_of(&format!("/proc/{}/status", self.child.id()), field)
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// Page tables in bytes.
    pub fn page_tables(&self) -> u64 {
        self.status("VmPTE:") * 1024
    }

    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// How often its threads have been put to sleep and woken: voluntary context switches.
    pub fn wake_ups(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its tasks");
        let status = |task: fs::DirEntry| task.path().join("status").display().to_string();
        let tasks = tasks.filter_map(Result::ok);
        tasks
            .map(|task| field_of(&status(task), "voluntary_ctxt_switches:"))
            .sum()
    }

    /// The size of the database with its log, in bytes.
    pub fn disk(&self) -> u64 {
        let files = fs::read_dir(&self.folder)
            .expect("its folder")
            .filter_map(Result::ok);
        files
            .filter_map(|f| f.metadata().ok())
            .map(|m| m.len())
            .sum()
    }
}

impl Drop for Parlor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number behind a name at the beginning of a line.
pub fn field_of(path: &str, field: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Segments with data that this machine's TCP has sent so far: on loopback one for each `send` of
/// up to 64 KiB.
pub fn segments_sent() -> u64 {
    let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut fields = names.split_whitespace().zip(values.split_whitespace());
    let sent = fields.find(|(name, _)| *name == "TCPOrigDataSent");
    sent.and_then(|(_, n)| n.parse().ok()).unwrap_or(0)
}

/// CPU time that a process has used so far, by all its threads, those that ended among them. The
/// kernel's work for a loopback packet is done, and counted, where it is sent.
pub fn cpu_of(child: &Child) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(child.id() as i32)).expect("its clock");
    Duration::from(clock.now().expect("its time"))
}

/// CPU time of the calling thread.
pub fn own_cpu() -> Duration {
    Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("its time"))
}
