//! README's words for whoever runs parlor are tried as they stand there: the proxies' configuration
//! with TLS, HTTP and WebSocket through it, and the systemd unit.
//!
//! A block is the one after `<!-- file: NAME -->` in README.

mod support;

use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{DEADLINE, Http, Server, TempDir, Ws, create, join, until};

const README: &str = include_str!("../README.md");

/// The name, and parlor's address, that README's blocks have.
const HOST: &str = "chat.example.org";
const UPSTREAM: &str = "127.0.0.1:8080";

fn block(name: &str) -> &'static str {
    let (_, rest) = README
        .split_once(&format!("<!-- file: {name} -->\n```"))
        .unwrap_or_else(|| panic!("README has no file {name}"));
    let (_, rest) = rest.split_once('\n').expect("the language");
    rest.split_once("\n```\n").expect("the end of the block").0
}

/// A proxy with README's configuration. Dropped, it is ended.
struct Proxy {
    child: Child,
    /// A loopback address of its own: two runs at once do not meet.
    address: SocketAddr,
    dir: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Asked first: only so does it clear away what it made.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let start = Instant::now();
        while start.elapsed() < DEADLINE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    fn nginx(upstream: SocketAddr) -> Proxy {
        Proxy::start(upstream, |dir, address| {
            let site = replaced(
                block("nginx"),
                "listen 443 ssl;",
                &format!("listen {address} ssl;"),
            );
            let site = replaced(&site, "/etc/ssl/chat.example.org.pem", "cert.pem");
            let site = replaced(&site, "/etc/ssl/chat.example.org.key", "key.pem");
            let site = replaced(&site, UPSTREAM, &upstream.to_string());
            let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {kind};"))
                .join(" ");
            let whole = format!(
                "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
                 http {{ access_log off; {temp}\n{site}\n}}"
            );
            fs::write(dir.join("nginx.conf"), whole).expect("a file");
            let mut command = Command::new("nginx");
            command
                .arg("-p")
                .arg(dir)
                .args(["-e", "stderr", "-c", "nginx.conf"]);
            command
        })
    }

    fn caddy(upstream: SocketAddr) -> Proxy {
        Proxy::start(upstream, |dir, address| {
            let (ip, port) = (address.ip(), address.port());
            // A certificate of our own, since there is nobody here who would sign one.
            let site = format!("https://{HOST}:{port} {{\n\tbind {ip}\n\ttls cert.pem key.pem");
            let site = replaced(block("caddy"), &format!("{HOST} {{"), &site);
            let site = replaced(&site, UPSTREAM, &upstream.to_string());
            let whole = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}\n");
            fs::write(dir.join("Caddyfile"), whole).expect("a file");
            let mut command = Command::new("caddy");
            command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
            command
                .env("HOME", dir)
                .env("XDG_DATA_HOME", dir)
                .env("XDG_CONFIG_HOME", dir);
            command
        })
    }

    fn start(upstream: SocketAddr, command: impl FnOnce(&Path, SocketAddr) -> Command) -> Proxy {
        println!("a proxy before {upstream}");
        let dir = TempDir::new();
        let own = uuid::Uuid::new_v4().into_bytes();
        let ip: IpAddr = [127, own[0], own[1], own[2].max(1)].into();
        let address = SocketAddr::new(ip, 8443);
        certificate(dir.path());
        let mut command = command(dir.path(), address);
        let log = fs::File::create(dir.path().join("log")).expect("a file");
        command.current_dir(dir.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let mut proxy = Proxy {
            child,
            address,
            dir,
        };
        until("the proxy listens", || {
            let ended = proxy.child.try_wait().expect("a child to ask");
            let log = || fs::read_to_string(proxy.dir.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "{ended:?}: {}", log());
            TcpStream::connect_timeout(&address, DEADLINE).is_ok()
        });
        proxy
    }

    /// An address without TLS, each connection to which is carried on by `openssl s_client`: what
    /// the proxy shows has to be the certificate of that name.
    fn tunnel(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let entrance = listener.local_addr().expect("an address");
        let (to, authority) = (self.address, self.dir.path().join("cert.pem"));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let out: OwnedFd = client.try_clone().expect("a descriptor").into();
                let mut tls = Command::new("openssl");
                tls.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"]);
                tls.args(["-connect", &to.to_string(), "-servername", HOST]);
                tls.args(["-verify_hostname", HOST, "-CAfile"])
                    .arg(&authority);
                tls.stdin(OwnedFd::from(client))
                    .stdout(out)
                    .stderr(Stdio::null());
                let mut tls = tls.spawn().expect("openssl");
                std::thread::spawn(move || tls.wait());
            }
        });
        entrance
    }
}

/// A certificate for the host, signed by itself.
fn certificate(dir: &Path) {
    let mut make = Command::new("openssl");
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    make.args(["-nodes", "-days", "2", "-subj", &format!("/CN={HOST}")]);
    make.args(["-addext", &format!("subjectAltName=DNS:{HOST}")]);
    make.args(["-keyout", "key.pem", "-out", "cert.pem"]);
    let made = make.current_dir(dir).output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    text.replace(from, to)
}

/// A client that asks for the host by its name.
fn through(proxy: &Proxy) -> Http {
    Http::new(proxy.tunnel()).named(HOST)
}

/// Rooms over HTTP, a fetch that waits, sockets, and what is too large, all through the proxy.
fn serves(start: impl FnOnce(SocketAddr) -> Proxy) {
    let server = Server::start(&["--data", "none"]);
    let proxy = start(server.http);
    let http = through(&proxy);
    assert_eq!(http.get("/healthz").body.trim(), "ok");
    let ada = create(&http, json!({"userName":"Ada"}));
    let bob = join(&http, &ada.room_id);

    let mut waiting = bob.begin_fetch(json!({"after":2,"wait":60}));
    assert!(!waiting.answered_within(Duration::from_millis(100)));
    let mut ws = Ws::connect_as(proxy.tunnel(), HOST);
    ws.auth(&ada.token);
    ws.say(ada.room, "你好 through the proxy");
    assert_eq!(
        waiting.finish().json["data"][0]["content"],
        "你好 through the proxy"
    );

    let mut ear = Ws::connect_as(proxy.tunnel(), HOST);
    ear.auth(&bob.token);
    ws.say(ada.room, &"界".repeat(4_000));
    assert_eq!(ear.hear(1)[0].chars().count(), 4_000);
    ear.send(tungstenite::Message::Ping("here?".into()));
    ear.ponged(b"here?");
}

#[test]
fn nginx_as_readme_has_it_serves_http_and_websockets_over_tls() {
    serves(Proxy::nginx);
}

#[test]
fn nginx_refuses_what_is_too_large_for_parlor_before_it_is_here() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Proxy::nginx(nobody.local_addr().expect("an address"));
    let mut client = TcpStream::connect(proxy.tunnel()).expect("a connection");
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let length = 64 * 1024 + 1;
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).expect("a head written");
    let mut status = [0; 13];
    client.read_exact(&mut status).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 413 ");
}

#[test]
fn caddy_as_readme_has_it_serves_http_and_websockets_over_tls() {
    serves(Proxy::caddy);
}

/// What reaches parlor of a call that claims to come from elsewhere.
fn forwarded(start: impl FnOnce(SocketAddr) -> Proxy) -> Vec<String> {
    let parlor = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = start(parlor.local_addr().expect("an address"));
    let called = through(&proxy).with("X-Forwarded-For", "192.0.2.66").begin(
        "GET",
        "/healthz",
        String::new(),
    );
    parlor.set_nonblocking(true).expect("a listener");
    let mut accepted = None;
    until("the proxy calls", || {
        accepted = parlor.accept().ok();
        accepted.is_some()
    });
    let (mut stream, _) = accepted.expect("waited for");
    stream.set_nonblocking(false).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let (mut head, mut byte) = (vec![], [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer).expect("an answer");
    assert_eq!(called.finish().status, 200);
    let head = String::from_utf8(head).expect("ASCII");
    println!("{head}");
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let named = lines.filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"));
    named.map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn a_proxy_says_who_calls_and_not_what_the_caller_claims() {
    assert_eq!(forwarded(Proxy::nginx), ["127.0.0.1"]);
    assert_eq!(forwarded(Proxy::caddy), ["127.0.0.1"]);
}

/// Of 10, in tenths: what `systemd-analyze` calls OK ends at 2.
const MAX_EXPOSURE: &str = "15";

#[test]
fn the_unit_leaves_parlor_little_to_do_harm_with() {
    let dir = TempDir::new();
    let unit = replaced(
        block("parlor.service"),
        "/usr/local/bin/parlor",
        support::PARLOR,
    );
    let path = dir.path().join("parlor.service");
    fs::write(&path, unit).expect("a file");
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(args).arg(&path);
        let done = command.output().expect("systemd-analyze runs");
        let said = [done.stdout, done.stderr].concat();
        (
            done.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (held, said) = analyze(&[
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold",
        MAX_EXPOSURE,
    ]);
    assert!(held, "{said}");
    // What it does not know it only mentions.
    let (held, said) = analyze(&["verify", "--man=no"]);
    assert!(held && !said.contains("parlor.service"), "{said}");
}

#[test]
fn the_unit_lets_parlor_call_all_that_it_calls() {
    let allowed = allowed_calls();
    let log = TempDir::new();
    let trace = log.path().join("trace");
    let trace = trace.to_str().expect("a plain path");
    let mut server = Server::start_under(&["strace", "-f", "-qq", "-o", trace], &[]);
    let http = server.client();
    let account = support::account(&http, "Mia");
    let room = account.make_room(json!({"name":"x","password":"sesame"}));
    let mut ws = server.login(&account.token);
    ws.say(room, "hello");
    drop(ws);
    // strace hands the signal on to nobody: parlor is its child.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid()));
    let parlor = children.expect("its child").trim().to_owned();
    let sent = Command::new("kill").args(["-s", "TERM", &parlor]).status();
    assert!(sent.is_ok_and(|s| s.success()));
    server.stopped();

    let trace = fs::read_to_string(trace).expect("the calls");
    let mut calls: Vec<&str> = trace.lines().filter_map(call_of).collect();
    calls.sort_unstable();
    calls.dedup();
    assert!(
        calls.contains(&"pwrite64") && calls.contains(&"accept4"),
        "{calls:?}"
    );
    // SQLite hands a new file to its database's owner where it is root; the unit's user is not.
    calls.retain(|call| *call != "fchown" && !allowed.iter().any(|allowed| allowed == call));
    assert!(calls.is_empty(), "not allowed: {calls:?}");
}

/// `7  accept4(3, …` is `accept4`.
fn call_of(line: &str) -> Option<&str> {
    let (_, call) = line.split_once(char::is_whitespace)?;
    let (name, _) = call.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && !name.is_empty()).then_some(name)
}

/// The system calls that `SystemCallFilter=` of the unit leaves, each set by its list.
fn allowed_calls() -> Vec<String> {
    let mut allowed: Vec<String> = vec![];
    for line in block("parlor.service").lines() {
        let Some(filter) = line.strip_prefix("SystemCallFilter=") else {
            continue;
        };
        let (takes, sets) = match filter.strip_prefix('~') {
            Some(sets) => (true, sets),
            None => (false, filter),
        };
        let named: Vec<String> = sets.split(' ').flat_map(calls_in).collect();
        match takes {
            true => allowed.retain(|call| !named.contains(call)),
            false => allowed.extend(named),
        }
    }
    assert!(allowed.len() > 50, "{allowed:?}");
    allowed
}

fn calls_in(set: &str) -> Vec<String> {
    let mut list = Command::new("systemd-analyze");
    let listed = list.args(["--no-pager", "syscall-filter", set]).output();
    let listed = String::from_utf8(listed.expect("systemd-analyze runs").stdout).expect("UTF-8");
    let words = listed
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|l| !l.starts_with('#'));
    let words = words.filter(|word| !word.is_empty());
    words
        .flat_map(|word| match word.starts_with('@') {
            true => calls_in(word),
            false => vec![word.to_owned()],
        })
        .collect()
}
