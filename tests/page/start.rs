//! What parlor prints at start for a person who looks at a terminal, in a network of its own where
//! the addresses are known. Needs root, `unshare`, `ip` and `script`.

use super::finding::read;
use crate::support::{PARLOR, Server, TempDir};
use serde_json::{Value, json};
use std::process::Command;

/// Runs on a terminal, in a machine whose only network is 192.168.7.0/24.
const MACHINE: &str = "ip link set lo up
    [ -z \"$ADDRESS\" ] || ip addr add \"$ADDRESS/24\" dev lo
    exec script -qec 'sh ./run' /dev/null";
/// Starts parlor there, asks it where it is and stops it.
const RUN: &str = "$PARLOR $FLAGS --ws :8081 --data none & parlor=$!
    tries=0
    until curl -sf --noproxy '*' \"http://$ASK/where\" > where; do
        [ $tries -lt 100 ] || break
        tries=$((tries + 1)); sleep 0.1
    done
    kill $parlor; wait $parlor";

/// What stood on the terminal, and what `/where` said.
struct Started {
    screen: String,
    place: Value,
}

fn start(address: &str, ask: &str, flags: &str, variables: &[(&str, &str)]) -> Started {
    let dir = TempDir::new();
    std::fs::write(dir.path().join("run"), RUN).expect("a script");
    let mut machine = Command::new("timeout");
    machine.args(["20", "unshare", "-n", "sh", "-c", MACHINE]);
    machine.current_dir(dir.path()).env("TERM", "xterm");
    machine
        .env("PARLOR", PARLOR)
        .env("FLAGS", flags)
        .env("ADDRESS", address)
        .env("ASK", ask);
    machine.envs(variables.iter().copied());
    let output = machine
        .stdin(std::process::Stdio::null())
        .output()
        .expect("timeout runs");
    let screen = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .replace('\r', "");
    println!("{screen}\n{}", String::from_utf8_lossy(&output.stderr));
    let place = std::fs::read(dir.path().join("where")).expect("/where was asked");
    Started {
        screen,
        place: serde_json::from_slice(&place).expect("/where answers JSON"),
    }
}

const ESCAPE: char = '\u{1b}';

/// The code on a terminal, which is black on white whatever the terminal's colours are.
fn code_on(screen: &str) -> String {
    let mut dark: Vec<Vec<bool>> = Vec::new();
    for line in screen.lines().filter(|line| line.starts_with(ESCAPE)) {
        let line = line
            .strip_prefix("\u{1b}[38;5;16;48;5;231m")
            .expect("black on white");
        let line = line
            .strip_suffix("\u{1b}[0m")
            .expect("and as before after it");
        for half in ["█▀", "█▄"] {
            dark.push(line.chars().map(|c| half.contains(c)).collect());
        }
    }
    // The last line has one row only.
    dark.truncate(dark[0].len());
    read(&dark)
}

#[test]
fn who_starts_it_on_a_terminal_is_shown_where_others_come_in() {
    let all = start("192.168.7.5", "127.0.0.1:8080", "--http :8080", &[]);
    assert_eq!(code_on(&all.screen), "http://192.168.7.5:8080/");
    for line in [
        "HTTP       http://127.0.0.1:8080/",
        "Network    http://192.168.7.5:8080/",
    ] {
        assert!(all.screen.lines().any(|l| l == line), "{line}");
    }
    assert_eq!(all.place["addresses"], json!(["http://192.168.7.5:8080"]));

    let one = start(
        "192.168.7.5",
        "192.168.7.5:8080",
        "--http 192.168.7.5:8080",
        &[],
    );
    assert_eq!(code_on(&one.screen), "http://192.168.7.5:8080/");
    assert!(!one.screen.contains("Network"), "said once");
    assert_eq!(one.place["addresses"], json!(["http://192.168.7.5:8080"]));
}

#[test]
fn there_is_no_code_where_nobody_wants_or_can_use_it() {
    let ask = "127.0.0.1:8080";
    let loopback = start("192.168.7.5", ask, "--http 127.0.0.1:8080", &[]);
    assert!(
        loopback
            .screen
            .contains("No QR code: http://127.0.0.1:8080/ is reached from this machine only")
    );
    assert!(loopback.screen.contains("--http :8080 lets others in"));
    assert!(!loopback.screen.contains(ESCAPE) && !loopback.screen.contains("192.168.7.5"));

    let alone = start("", ask, "--http :8080", &[]);
    assert!(
        alone
            .screen
            .contains("No QR code: this machine has no address that others reach")
    );
    assert!(!alone.screen.contains(ESCAPE) && !alone.screen.contains("Network"));
    assert_eq!(alone.place["addresses"], json!(["http://127.0.0.1:8080"]));

    for (flags, variables) in [
        ("--http :8080 --no-qr", &[][..]),
        ("--http :8080", &[("PARLOR_NO_QR", "1")]),
        ("--http :8080", &[("TERM", "dumb")]),
    ] {
        let quiet = start("192.168.7.5", ask, flags, variables);
        assert!(quiet.screen.contains("Network    http://192.168.7.5:8080/"));
        assert!(!quiet.screen.contains(ESCAPE) && !quiet.screen.contains("QR"));
    }
}

#[test]
fn a_script_that_reads_what_is_printed_sees_no_code() {
    let mut server = Server::start(&["--data", "none"]);
    server.stop();
    let printed = server.stdout();
    assert!(printed.contains("HTTP       http://"), "{printed}");
    assert!(
        !printed.contains(ESCAPE) && !printed.contains("QR"),
        "{printed}"
    );
}
