//! What an owner takes home: every entry in its last state, who was there, in four formats; for
//! owners only, and however large the room, in the memory of one page.

mod support;

use serde_json::{Value, json};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::{
    Account, DEADLINE, Guest, Http, Reply, Server, account, create, join, join_as, until, uuid,
};

const FORMATS: [&str; 4] = ["json", "csv", "txt", "html"];

fn path(room: u64, format: &str) -> String {
    format!("/rooms/{room}/export?format={format}")
}

fn exported(http: &Http, room: u64, format: &str) -> Reply {
    let reply = http.get(&path(room, format));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// A CSV as a program reads it, under the names of its columns.
fn table(csv: &str) -> Vec<Value> {
    let csv = csv
        .strip_prefix('\u{feff}')
        .expect("the mark that Excel wants");
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(csv.as_bytes());
    let columns = reader.headers().expect("a header").clone();
    let row = |cells: csv::StringRecord| {
        let pairs = columns.iter().zip(cells.iter());
        pairs
            .map(|(name, cell)| (name.to_owned(), Value::from(cell)))
            .collect::<Value>()
    };
    reader
        .records()
        .map(|cells| row(cells.expect("a row")))
        .collect()
}

fn of<'a>(rows: &'a [Value], kind: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["kind"] == kind).collect()
}

/// Ada made the room Physics. Ben said four things in it: hello, which he changed; one that he took
/// back; one that is hostile to every format; and an answer to the first. Cid came and left.
struct House {
    server: Server,
    ada: Account,
    room: u64,
    ben: Guest,
}

const HOSTILE: &str =
    "=HYPERLINK(\"x\"),\r\n<script>alert(1)</script>\n10:00:00  Ada: hm\u{202e}🦜";

impl House {
    fn new(args: &[&str]) -> House {
        let server = Server::start(args);
        let http = server.client();
        let ada = account(&http, "Ada");
        let room = ada.make_room(json!({"name":"Physics"}));
        let ben = join_as(&http, json!({"roomId":room,"userName":"Ben"})).with_token();
        let mut ws = server.login(&ben.token);
        let (first, second) = (uuid(), uuid());
        let seq = ws.say_as(&first, room, "helo")["seq"].clone();
        ws.say_as(&second, room, "oh no, a secret");
        let data = json!({"type":"Text","text":"hello"});
        let edit = json!({"type":"edit","room":room,"uuid":first,"data":data});
        assert_eq!(ws.ask(edit)["code"], 0);
        let delete = json!({"type":"delete","room":room,"uuid":second});
        assert_eq!(ws.ask(delete)["code"], 0);
        ws.say(room, HOSTILE);
        ben.send(json!({"content":"so","reply":seq,"uuid":uuid()}))
            .data();
        let cid = join_as(&http, json!({"roomId":room,"userName":"Cid"}));
        cid.call("/room/leave").data();
        House {
            server,
            ada,
            room,
            ben,
        }
    }

    fn export(&self, format: &str) -> Reply {
        exported(&self.ada.http.english(), self.room, format)
    }
}

#[test]
fn an_export_has_every_entry_in_its_last_state() {
    let house = House::new(&["--data", "none"]);
    let file = house.export("json").json;
    assert_eq!(
        (&file["room"]["name"], &file["complete"]),
        (&json!("Physics"), &json!(true))
    );
    let entries: Vec<_> = list(&file["entries"])
        .iter()
        .map(|e| {
            json!([
                e["at"],
                e["type"],
                e["name"],
                e["text"],
                e["reply"],
                e["modified"]
            ])
        })
        .collect();
    assert_eq!(
        json!(entries),
        json!([
            [1, "joined", "Ada", "Ada joined the room", null, null],
            [2, "joined", "Ben", "Ben joined the room", null, null],
            [3, "message", "Ben", "hello", null, true],
            [4, "deleted", "Ben", null, null, null],
            [7, "message", "Ben", HOSTILE, null, false],
            [8, "message", "Ben", "so", 3, false],
            [9, "joined", "Cid", "Cid joined the room", null, null],
            [10, "left", "Cid", "Cid left the room", null, null],
        ])
    );
    // In the language of whoever asks.
    let chinese = exported(&house.ada.http, house.room, "json").json;
    assert_eq!(chinese["entries"][0]["text"], "Ada加入了房间");

    let rows = table(&house.export("csv").body);
    let kinds: Vec<&Value> = rows.iter().map(|row| &row["kind"]).collect();
    let wanted = [
        "joined",
        "joined",
        "message",
        "deleted",
        "message",
        "message",
        "joined",
        "left",
        "attendance",
        "attendance",
        "attendance",
    ];
    assert_eq!(kinds, wanted);
    let said = of(&rows, "message");
    let texts: Vec<&Value> = said.iter().map(|row| &row["text"]).collect();
    // Led by an apostrophe: no spreadsheet calculates it.
    let guarded = format!("'{}", HOSTILE);
    assert_eq!(texts, ["hello", &guarded, "so"]);
    assert_eq!(
        (&said[0]["edited"], &said[2]["reply"]),
        (&json!("yes"), &json!("3"))
    );

    for format in ["txt", "html"] {
        let text = house.export(format).body;
        for word in [
            "Physics",
            "hello",
            "Cid left the room",
            "(deleted)",
            "(edited)",
            "Attendance",
        ] {
            assert!(text.contains(word), "{format}: {word}");
        }
        assert!(!text.contains("<script") || format == "txt", "{text}");
    }
    let text = house.export("txt").body;
    let forged = text.lines().any(|line| line.starts_with("10:00:00"));
    assert!(!forged, "a text is no line of its own: {text}");
    for format in FORMATS {
        let text = house.export(format).body;
        assert!(
            !text.contains("helo") && !text.contains("secret"),
            "{format}: what is gone is gone"
        );
    }
}

#[test]
fn an_export_is_a_file_to_keep_and_harms_nobody_who_opens_it() {
    let house = House::new(&["--data", "none"]);
    let kinds = ["application/json", "text/csv", "text/plain", "text/html"];
    for (format, kind) in FORMATS.iter().zip(kinds) {
        let reply = house.export(format);
        let header = |name| reply.header(name).unwrap_or_default();
        assert!(header("Content-Type").starts_with(kind), "{format}");
        let file = header("Content-Disposition");
        assert!(
            file.starts_with("attachment; filename=\"Physics-"),
            "{file}"
        );
        assert!(file.contains(&format!(".{format}\"")), "{file}");
        assert_eq!(header("Cache-Control"), "no-store");
        assert_eq!(header("X-Content-Type-Options"), "nosniff");
        let policy = header("Content-Security-Policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let html = house.export("html").body;
    assert!(
        html.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'")
    );
    assert!(!html.contains("://"), "nothing from elsewhere");

    for name in ["../../etc/passwd", "a\"; filename=\"x.exe", "物理", "???"] {
        let room = house.ada.make_room(json!({"name":name}));
        let reply = exported(&house.ada.http, room, "csv");
        let file = reply.header("Content-Disposition").expect("a name");
        let safe = |c: char| c.is_ascii_alphanumeric() || " ;=\"*'%.-_".contains(c);
        assert!(
            file.chars().all(safe) && !file.contains("..") && file.matches('"').count() == 2,
            "{file}"
        );
    }
}

#[test]
fn nobody_but_an_owner_exports_a_room() {
    let house = House::new(&["--data", "none"]);
    let (http, room) = (house.server.client(), house.room);
    for format in FORMATS {
        let path = path(room, format);
        http.get(&path).failed(401, 1);
        http.bearer("0".repeat(64).as_str())
            .get(&path)
            .failed(401, 1);
        let sentence = house.ben.http.get(&path).failed(403, 5);
        assert!(sentence.contains("owner"), "{sentence}");
        account(&http, format).http.get(&path).failed(403, 5);
    }
    // Who made a room without an account owns it just so.
    let guest = create(&http, json!({"roomName":"Chess"})).with_token();
    exported(&guest.http, guest.room, "json");
}

#[test]
fn what_cannot_be_exported_is_said() {
    let house = House::new(&["--data", "none"]);
    let http = house.ada.http.english();
    let sentence = http.get(&path(house.room, "pdf")).failed(400, 2);
    assert!(
        sentence.contains("format") && sentence.contains("csv"),
        "{sentence}"
    );
    http.get("/rooms/999/export").failed(404, 3);
    http.get("/rooms/me/export").failed(404, 3);
    http.post(&path(house.room, "json"), json!({}))
        .failed(405, 2);
    let plain = http.get(&format!("/rooms/{}/export", house.room));
    assert_eq!(
        plain.json["room"]["name"], "Physics",
        "JSON where nothing else is asked for"
    );
}

#[test]
fn the_attendance_says_who_was_there_from_when_to_when() {
    let server = Server::start(&["--data", "none", "--idle", "3"]);
    let http = server.client();
    let ada = account(&http, "Ada");
    let room = ada.make_room(json!({"name":"Physics"}));
    let mut ben = join_as(&http, json!({"roomId":room,"userName":"Ben"})).with_token();
    let socket = server.login(&ben.token);
    let cid = join_as(&http, json!({"roomId":room,"userName":"Cid"})).with_token();
    let stays = |name: &str| -> Vec<(String, Option<String>)> {
        let file = exported(&ada.http, room, "json").json;
        let of_name = list(&file["attendance"])
            .iter()
            .filter(|stay| stay["name"] == name);
        let text = |v: &Value| v.as_str().map(str::to_owned);
        of_name
            .map(|s| (text(&s["from"]).expect("a time"), text(&s["to"])))
            .collect()
    };
    assert_eq!(stays("Cid").len(), 1);
    until("Cid is silent and no longer there", || {
        stays("Cid")[0].1.is_some()
    });
    cid.call("/room/heartbeat").data();
    let twice = stays("Cid");
    assert!(twice.len() == 2 && twice[1].1.is_none(), "{twice:?}");
    assert!(twice[0].0 <= twice[0].1.clone().unwrap() && twice[0].1.clone().unwrap() <= twice[1].0);
    cid.call("/room/leave").data();
    let gone = stays("Cid");
    assert!(gone.len() == 2 && gone[1].1.is_some(), "{gone:?}");
    assert_eq!(gone[0], twice[0]);

    let there = stays("Ben");
    assert!(
        there.len() == 1 && there[0].1.is_none(),
        "his socket is open: {there:?}"
    );
    ben = ben.via(&http).with_token();
    ben.call("/room/leave").data();
    let gone = stays("Ben");
    assert!(
        gone.len() == 1 && gone[0].1.is_some(),
        "left is left: {gone:?}"
    );
    drop(socket);
    // In a table the end that is still open is empty.
    let rows = table(&exported(&ada.http, room, "csv").body);
    let ada_stays: Vec<_> = of(&rows, "attendance")
        .into_iter()
        .filter(|r| r["name"] == "Ada")
        .collect();
    assert!(
        ada_stays.last().is_some_and(|stay| stay["until"] == ""),
        "{ada_stays:?}"
    );
}

#[test]
fn what_is_no_longer_kept_is_missing_and_that_is_said() {
    let mut server = Server::start(&[]);
    let ada = create(&server.client(), json!({"userName":"Ada"})).with_token();
    let ben = join(&server.client(), &ada.room_id);
    for n in 0..5 {
        ada.say(&format!("said {n}"));
    }
    server.restart_with("--keep-messages", "3");
    let ada = ada.via(&server.client()).with_token();
    until("the oldest are gone", || {
        let file = exported(&ada.http, ada.room, "json").json;
        let texts: Vec<_> = list(&file["entries"])
            .iter()
            .map(|e| e["text"].clone())
            .collect();
        texts == ["said 2", "said 3", "said 4"] && file["complete"] == false
    });
    // Nobody knows any more when they joined; that they were there is known.
    let file = exported(&ada.http, ada.room, "json").json;
    let mut names: Vec<&Value> = list(&file["attendance"])
        .iter()
        .map(|s| &s["name"])
        .collect();
    // Once before the restart and once after it.
    names.dedup();
    assert_eq!(names, [&json!("Ada"), &json!(ben.name)]);
    assert_eq!(
        table(&exported(&ada.http, ada.room, "csv").body)[0]["kind"],
        "gone"
    );
}

/// A request of one's own making, and its connection.
fn asked(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&server.http, DEADLINE).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
        .write_all(request.as_bytes())
        .expect("a request written");
    stream
}

#[test]
fn an_export_is_chunked_where_that_is_known_and_the_connection_lives_on() {
    let house = House::new(&["--data", "none"]);
    let (path, token) = (path(house.room, "csv"), &house.ada.token);
    let ask = |method: &str, version: &str, more: &str| {
        let head = format!("Host: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
        let request = format!("{method} {path} HTTP/{version}\r\n{head}");
        let mut stream = asked(&house.server, &request);
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("an answer up to its end");
        answer
    };
    let old = ask("GET", "1.0", "");
    let (head, body) = old.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.contains("\r\nConnection: close") && !head.contains("Transfer-Encoding"),
        "{head}"
    );
    assert!(!head.contains("Content-Length"), "{head}");
    assert!(of(&table(body), "attendance").len() >= 3, "{body}");

    let head = ask("HEAD", "1.1", "Connection: close\r\n");
    assert!(
        head.contains("\r\nTransfer-Encoding: chunked\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(head.matches("\r\n\r\n").count(), 1, "{head}");

    // On HTTP/1.1 the next answer follows on the same connection.
    let health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let both = ask("GET", "1.1", &format!("\r\n{health}"));
    assert!(
        both.contains("\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n") && both.ends_with("ok\n"),
        "{both}"
    );
}

/// Bytes of the server that are in memory.
fn rss(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("VmRSS") * 1024
}

const MANY: u64 = 100_000;
/// Far less than the file that is made, which is dozens of mebibytes.
const FLAT: u64 = 8 * 1024 * 1024;

/// A room with a hundred thousand messages, put into the file of a server that is stopped meanwhile.
fn large() -> (Server, Guest) {
    let mut server = Server::start(&["--user-rate", "0", "--room-rate", "0"]);
    let ada = create(&server.client(), json!({"userName":"Ada"}));
    server.stop();
    let db = rusqlite::Connection::open(server.data()).expect("parlor's file");
    let text = "'Message ' || n || ': ' || substr(hex(zeroblob(200)), 1, 300)";
    let fill = format!(
        "WITH RECURSIVE many(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM many WHERE n <= {MANY})
         INSERT INTO entries (room, at, kind, sender, name, sent, uuid, body)
         SELECT {}, n, 1, {}, 'Ada', 1700000000000000000 + n * 1000000, randomblob(16),
           json_object('text', {text}) FROM many",
        ada.room, ada.id
    );
    db.execute_batch(&fill).expect("filled");
    drop(db);
    server.restart();
    let ada = ada.via(&server.client()).with_token();
    (server, ada)
}

#[test]
fn a_hundred_thousand_messages_are_exported_in_the_memory_of_one_page() {
    let (server, ada) = large();
    // What reading costs by itself: connections to the database and their caches.
    for format in FORMATS {
        let mut stream = export_of(&server, &ada, format);
        stream
            .read_exact(&mut vec![0; 4 << 20])
            .expect("the beginning");
    }
    let before = rss(&server);
    let mut most = 0;
    for format in FORMATS {
        let mut stream = export_of(&server, &ada, format);
        let (mut file, mut piece) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            let read = stream.read(&mut piece).expect("the file up to its end");
            if read == 0 {
                break;
            }
            file.extend_from_slice(&piece[..read]);
            most = most.max(rss(&server));
        }
        let file = String::from_utf8(file).expect("UTF-8");
        let (_, file) = file.split_once("\r\n\r\n").expect("a head");
        assert!(
            file.len() as u64 > 3 * FLAT,
            "{format}: {} bytes",
            file.len()
        );
        let mut at = 0;
        for n in 2..=MANY + 1 {
            let text = format!("Message {n}: ");
            let found = file[at..].find(&text);
            at += found.unwrap_or_else(|| panic!("{format}: {text} is missing or astray"));
        }
        assert_eq!(
            file.matches("Message ").count() as u64,
            MANY,
            "{format}: each once"
        );
        match format {
            "json" => {
                let file: Value = serde_json::from_str(file).expect("JSON");
                assert_eq!(list(&file["entries"]).len() as u64, MANY + 1);
            }
            "csv" => assert_eq!(of(&table(file), "message").len() as u64, MANY),
            _ => {}
        }
    }
    println!("before {before}, at most {most}");
    assert!(most < before + FLAT, "memory grew from {before} to {most}");
}

/// An export over HTTP/1.0, which is read without taking chunks apart.
fn export_of(server: &Server, ada: &Guest, format: &str) -> TcpStream {
    let (path, token) = (path(ada.room, format), &ada.token);
    asked(
        server,
        &format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"),
    )
}

/// Each bit of an export may take this long to leave (door).
const PIECE_DEADLINE: Duration = Duration::from_secs(30);
/// What twenty exports, four full caches of the database and the messages said meanwhile take. The
/// files themselves would be twenty times forty mebibytes.
const FOR_ALL: u64 = 64 * 1024 * 1024;
/// What two busy cores may add.
const LATE: Duration = Duration::from_secs(10);

#[test]
fn who_stalls_in_an_export_is_cut_off_and_costs_nobody_else() {
    let (server, ada) = large();
    let stalled: Vec<TcpStream> = (0..20).map(|_| export_of(&server, &ada, "json")).collect();
    for stream in &stalled {
        SockRef::from(stream)
            .set_recv_buffer_size(4096)
            .expect("a small buffer");
    }
    let start = Instant::now();
    let mut socket = server.login(&ada.token);
    support::record();
    let before = rss(&server);
    // All go on as if nobody stalled: messages, fetches, another export.
    let mut slowest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        socket.say(ada.room, &"x".repeat(4_000));
        ada.fetch(json!({"after":MANY,"limit":1}));
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let mut whole = String::new();
    let mut other = export_of(&server, &ada, "csv");
    other.read_to_string(&mut whole).expect("another export");
    assert!(whole.contains("attendance,"), "a whole one");
    assert!(
        rss(&server) < before + FOR_ALL,
        "{before}, {}",
        rss(&server)
    );
    // Nobody reads while nothing can be written: or the database's log could not be emptied.
    let db = rusqlite::Connection::open(server.data()).expect("parlor's file");
    let busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(busy, Ok(0), "a transaction is open");
    drop(db);

    for mut stream in stalled {
        // Cut without an end: what came must not look like a whole file.
        let patience = (start + PIECE_DEADLINE + LATE).saturating_duration_since(Instant::now());
        until_cut(&mut stream, patience);
    }
    let took = start.elapsed();
    assert!(took > PIECE_DEADLINE - Duration::from_secs(5), "{took:?}");
}

#[test]
fn who_logs_out_gets_no_more_of_an_export() {
    let (server, ada) = large();
    let mut stream = export_of(&server, &ada, "txt");
    let mut some = [0; 4096];
    stream.read_exact(&mut some).expect("its beginning");
    let logged_out = ada.http.bearer(&ada.token).post("/logout", json!({}));
    assert_eq!(logged_out.status, 200);
    let mut rest = vec![];
    // What was on its way already still comes.
    let _ = stream.read_to_end(&mut rest);
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("Message 50:"));
    assert!(
        !rest.contains(&format!("Message {MANY}:")),
        "all of it came"
    );
}

#[test]
fn stopping_waits_for_no_export() {
    let (mut server, ada) = large();
    let mut stalled = export_of(&server, &ada, "json");
    stalled.read_exact(&mut [0; 12]).expect("its beginning");
    // Within 5 seconds, and with 0.
    server.stop();
    let mut rest = Vec::new();
    let end = stalled.read_to_end(&mut rest);
    assert!(
        !rest.ends_with(b"]}\n"),
        "a file that broke off is not whole: {end:?}"
    );
}

/// Waits, without reading, until the other side has reset the connection.
fn until_cut(stream: &mut TcpStream, patience: Duration) {
    let start = Instant::now();
    loop {
        match SockRef::from(&*stream).take_error() {
            Ok(Some(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return;
            }
            other => assert!(start.elapsed() < patience, "not cut in time: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
