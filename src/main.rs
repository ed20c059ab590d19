//! argv to exit code: 0 after SIGTERM or SIGINT (130 after a second one), 1 when something fails, 2
//! when a flag or variable is wrong.

mod logging;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::{self, ExitCode};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::{env, fs};

use parlor::cli::{self, Config, Exit};
use parlor::server;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let exit = match cli::parse(env::args_os().skip(1), |name| env::var_os(name)) {
        Err(exit) => exit,
        Ok(config) => match serve(config) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(why) => Exit {
                output: format!("parlor: {why}\n"),
                code: 1,
            },
        },
    };
    // Nobody may be reading: then the exit code says it alone.
    let _ = match exit.code {
        0 => io::stdout().write_all(exit.output.as_bytes()),
        _ => io::stderr().write_all(exit.output.as_bytes()),
    };
    ExitCode::from(exit.code)
}

/// Serves until a signal asks to stop.
fn serve(config: Config) -> Result<(), String> {
    logging::start(config.log);
    look_at_limits(config.max_connections);
    // Before the server: a signal during the start is not lost, and stopping needs no new thread.
    let asked_to_stop = signals().map_err(|why| format!("cannot listen for signals: {why}"))?;
    let invite = config.qr && shows_pictures();
    let server = server::start(config)?;
    let mut said = server.lines().join("\n") + "\n";
    if invite {
        said += &server.invitation();
    }
    let mut out = io::stdout();
    let _ = out.write_all(said.as_bytes()).and_then(|()| out.flush());

    let _ = asked_to_stop.recv();
    log::info!("stopping");
    if server.stop() {
        Ok(())
    } else {
        Err("not everything stopped in time".into())
    }
}

/// Whether a person looks at a terminal that can show a QR code.
fn shows_pictures() -> bool {
    io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Tells of the first SIGTERM or SIGINT. The second ends the process: whoever asks twice does not
/// want to wait.
fn signals() -> io::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (ask, asked) = mpsc::channel();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            signals.forever().next();
            let _ = ask.send(());
            signals.forever().next();
            process::exit(130);
        })?;
    Ok(asked)
}

/// What parlor itself needs of files and threads, connections aside.
const OWN_FILES: u64 = 64;
const OWN_THREADS: u64 = 32;
/// The maps of memory that a thread takes: its stack and the page that guards it, and as many for
/// what it allocates. What the program itself has is less than `OWN_MAPS`.
const MAPS_OF_A_THREAD: u64 = 4;
const OWN_MAPS: u64 = 1_000;

/// Each connection is an open file, and many systems allow 1,024 until a program asks for more; and
/// a thread. Says which of the machine's limits is lower than what the flag allows.
fn look_at_limits(connections: usize) {
    let files = rlimit::increase_nofile_limit(u64::MAX);
    let files = files.inspect_err(|why| log::warn!("the limit on open files stays: {why}"));
    let read = |path| -> Option<u64> { fs::read_to_string(path).ok()?.trim().parse().ok() };
    let maps = read("/proc/sys/vm/max_map_count");
    let processes = rlimit::getrlimit(rlimit::Resource::NPROC).map(|(soft, _)| soft);
    let threads = [
        read("/proc/sys/kernel/threads-max"),
        read("/sys/fs/cgroup/pids.max"),
        processes.ok(),
    ];
    let threads = threads.into_iter().flatten().min();
    let limits = [
        ("open files (ulimit -n)", files.ok(), OWN_FILES, 1),
        (
            "threads (ulimit -u, kernel.threads-max, pids.max)",
            threads,
            OWN_THREADS,
            1,
        ),
        (
            "memory maps (vm.max_map_count)",
            maps,
            OWN_MAPS,
            MAPS_OF_A_THREAD,
        ),
    ];
    for (what, limit, own, each) in limits {
        let Some(room) = limit.map(|limit| limit.saturating_sub(own) / each) else {
            continue;
        };
        if room < connections as u64 {
            log::warn!(
                "the machine's limit on {what} is enough for {room} connections, fewer than the \
                 {connections} of --max-connections: raise it, or lower the flag"
            );
        }
    }
}
