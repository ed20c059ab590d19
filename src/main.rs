//! argv to exit code: 0 after SIGTERM or SIGINT (130 after a second one), 1 when something fails, 2
//! when a flag or variable is wrong.

mod logging;

use std::env;
use std::io::{self, Write as _};
use std::process::{self, ExitCode};
use std::sync::mpsc::{self, Receiver};
use std::thread;

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
    raise_open_files(config.max_connections);
    // Before the server: a signal during the start is not lost, and stopping needs no new thread.
    let asked_to_stop = signals().map_err(|why| format!("cannot listen for signals: {why}"))?;
    let server = server::start(config)?;
    let mut out = io::stdout();
    let _ = writeln!(out, "{}", server.lines().join("\n")).and_then(|()| out.flush());

    let _ = asked_to_stop.recv();
    log::info!("stopping");
    if server.stop() {
        Ok(())
    } else {
        Err("not everything stopped in time".into())
    }
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

/// Each connection is an open file, and many systems allow 1,024 until a program asks for more.
fn raise_open_files(connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < connections as u64 => {
            log::warn!(
                "the system allows {limit} open files, fewer than the {connections} of --max-connections"
            );
        }
        Ok(_) => {}
        Err(why) => log::warn!("the limit on open files stays as it is: {why}"),
    }
}
