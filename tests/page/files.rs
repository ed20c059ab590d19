//! The files of the page: as small and as strict as promised, and handed out as HTTP has it.

use crate::support::{Http, Reply, Server};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

/// All files together, before they are packed: what a phone on a bad line waits for.
const MAX_PAGE_BYTES: usize = 60 * 1024;

/// The files of `src/page`, by name.
fn sources() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page");
    let entries = fs::read_dir(folder).expect("src/page");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            (name, fs::read(entry.path()).expect("a file, no folder"))
        })
        .collect()
}

fn path_of(name: &str) -> String {
    match name {
        "index.html" => "/".into(),
        name => format!("/page/{name}"),
    }
}

fn browser(server: &Server) -> Http {
    server.client().browser()
}

fn server() -> Server {
    Server::start(&["--data", "none"])
}

fn unpacked(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = GzDecoder::new(reply.bytes.as_slice()).read_to_end(&mut bytes);
    read.expect("gzip");
    bytes
}

fn tag(reply: &Reply) -> String {
    let tag = reply.header("ETag").expect("an ETag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
    tag.to_owned()
}

#[test]
fn every_file_of_the_page_is_served_as_it_is_and_nothing_else() {
    let server = server();
    let http = browser(&server);
    for (name, bytes) in sources() {
        let reply = http.get(&path_of(&name));
        assert_eq!(
            reply.status, 200,
            "{name} must be listed in src/http/page.rs"
        );
        assert_eq!(reply.bytes, bytes, "{name}");
        let kind = match name.rsplit('.').next().expect("an extension") {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("what is .{other}?"),
        };
        assert_eq!(reply.header("Content-Type"), Some(kind), "{name}");
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(reply.header("Cache-Control"), Some("no-cache"));
    }
    for path in [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/nope.js",
        "/page/../Cargo.toml",
        "/page/..%2f..%2fCargo.toml",
        "/page/app.js/x",
        "/index.html",
    ] {
        http.get(path).refused(404, "not_found");
    }
}

#[test]
fn the_page_is_small_and_has_nothing_from_elsewhere_and_nothing_inline() {
    let files = sources();
    let all: usize = files.values().map(Vec::len).sum();
    assert!(all < MAX_PAGE_BYTES, "{all} bytes");
    for (name, bytes) in files {
        let text = String::from_utf8(bytes).expect("text");
        let found = wrong(&name, &text);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// What a file of the page must not have.
fn wrong(name: &str, text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for scheme in ["http://", "https://"] {
        for (at, _) in lower.match_indices(scheme) {
            let rest: String = lower[at + scheme.len()..].chars().take(20).collect();
            // A scheme by itself may stand in a script; an address of elsewhere may not.
            let address = rest.starts_with(|c: char| c.is_ascii_alphanumeric());
            if address && !rest.starts_with("www.w3.org/2000/svg") {
                found.push(format!("{scheme}{rest}"));
            }
        }
    }
    let mut never = vec![
        "=\"//",
        "='//",
        "url(//",
        "@import",
        "eval(",
        "new function(",
    ];
    if name.ends_with(".html") || name.ends_with(".svg") {
        never.extend(["<style", " style=", "javascript:", "srcdoc"]);
        for tag in lower.match_indices("<script").map(|(at, _)| &lower[at..]) {
            let (head, rest) = tag.split_once('>').expect("a tag has an end");
            let inside = rest.split("</script").next().unwrap_or_default();
            if !head.contains(" src=") || !inside.trim().is_empty() {
                found.push(format!("an inline script: {head}"));
            }
        }
        let attributes = lower
            .split([' ', '\n', '\t', '/'])
            .filter_map(|w| w.split_once('='));
        let handlers = attributes.filter(|(name, _)| {
            name.len() > 4 && name.starts_with("on") && name.bytes().all(|b| b.is_ascii_lowercase())
        });
        found.extend(handlers.map(|(name, _)| format!("a handler: {name}")));
    }
    found.extend(
        never
            .iter()
            .filter(|word| lower.contains(**word))
            .map(|w| w.to_string()),
    );
    found
}

/// The look at the files sees what it looks for.
#[test]
fn what_does_not_belong_into_a_page_is_noticed() {
    for bad in [
        "<script>x</script>",
        "<script src=/a.js>x</script>",
        "<p onclick=\"x()\">",
        "<p\nonclick=\"x()\">",
        "<p style=\"x\">",
        "<img src=\"//cdn/x\">",
        "<link href=\"https://cdn.example/x\">",
        "<svg xmlns=\"http://www.w3.org/1999/xlink\">",
    ] {
        assert_ne!(wrong("index.html", bad), [""; 0], "{bad}");
    }
    for good in [
        "<script type=\"module\" src=\"/page/app.js\"></script>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">",
        "<p lang=\"en\">one = two",
    ] {
        assert_eq!(wrong("index.html", good), [""; 0], "{good}");
    }
    assert_ne!(wrong("app.js", "import \"https://x.example/y\""), [""; 0]);
    assert_eq!(
        wrong("app.js", "if (text.startsWith(\"http://\")) {}"),
        [""; 0]
    );
}

#[test]
fn who_takes_gzip_gets_it_and_nobody_else() {
    let server = server();
    let http = browser(&server);
    for (name, bytes) in sources() {
        let path = path_of(&name);
        let plain = http.with("Accept-Encoding", "gzip;q=0, br").get(&path);
        assert_eq!(plain.header("Content-Encoding"), None, "{name}");
        let packed = http.with("Accept-Encoding", "br, gzip;q=0.8").get(&path);
        for reply in [&plain, &packed] {
            let vary = reply.header("Vary").unwrap_or_default();
            assert!(vary.contains("Accept-Encoding"), "{name}: {vary}");
        }
        // What is tiny does not get smaller.
        if packed.header("Content-Encoding").is_none() {
            assert!(bytes.len() < 300, "{name} is not packed");
            continue;
        }
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
        assert!(packed.bytes.len() < bytes.len(), "{name}");
        assert_eq!(unpacked(&packed), bytes, "{name}");
        assert_ne!(
            tag(&plain),
            tag(&packed),
            "{name}: other bytes, another tag"
        );
    }
    let protocol = http.with("Accept-Encoding", "gzip").get("/protocol");
    assert!(
        String::from_utf8(unpacked(&protocol))
            .expect("text")
            .contains("/room/create")
    );
}

#[test]
fn who_has_a_file_is_told_so_and_gets_no_bytes() {
    let server = server();
    let http = browser(&server);
    for path in ["/", "/page/style.css", "/protocol"] {
        for coding in ["gzip", "identity"] {
            let http = http.with("Accept-Encoding", coding);
            let whole = http.get(path);
            let tag = tag(&whole);
            let asked = [
                tag.clone(),
                format!("W/{tag}"),
                format!("\"x\", {tag}"),
                "*".into(),
            ];
            for tags in asked {
                let reply = http.with("If-None-Match", &tags).get(path);
                assert_eq!((reply.status, reply.bytes.len()), (304, 0), "{path} {tags}");
                for name in ["ETag", "Cache-Control", "Vary"] {
                    assert_eq!(reply.header(name), whole.header(name), "{path} {name}");
                }
                assert_eq!(reply.header("Content-Length"), None);
            }
            let other = http.with("If-None-Match", "\"another\"").get(path);
            assert_eq!((other.status, &other.bytes), (200, &whole.bytes), "{path}");
        }
    }
}

#[test]
fn head_says_what_get_would_without_its_bytes() {
    let server = server();
    for coding in ["gzip", "identity"] {
        let http = browser(&server).with("Accept-Encoding", coding);
        for path in ["/", "/page/app.js", "/protocol"] {
            let (head, get) = (http.head(path), http.get(path));
            assert_eq!((head.status, head.bytes.len()), (200, 0));
            for name in [
                "Content-Length",
                "Content-Type",
                "ETag",
                "Content-Encoding",
                "Vary",
            ] {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
        }
    }
}

#[test]
fn the_page_may_talk_to_the_host_that_it_came_from_and_to_nobody_else() {
    let server = server();
    let policy = |host: &str| {
        let page = browser(&server).named(host).get("/");
        assert_eq!(page.header("Referrer-Policy"), Some("no-referrer"));
        let policy = page.header("Content-Security-Policy").expect("a policy");
        policy.to_owned()
    };
    let of = |host: &str| {
        let policy = policy(host);
        let directives: BTreeMap<String, String> = policy
            .split("; ")
            .map(|d| d.split_once(' ').expect("a directive and its sources"))
            .map(|(name, sources)| (name.to_owned(), sources.to_owned()))
            .collect();
        let wanted = [
            ("default-src", "'none'"),
            ("script-src", "'self'"),
            ("style-src", "'self'"),
            ("img-src", "'self' data:"),
            ("base-uri", "'none'"),
            ("form-action", "'none'"),
            ("frame-ancestors", "'none'"),
        ];
        for (name, sources) in wanted {
            assert_eq!(directives[name], sources, "{policy}");
        }
        assert_eq!(directives.len(), wanted.len() + 1, "{policy}");
        directives["connect-src"].clone()
    };
    assert_eq!(
        of("chat.example.org"),
        "'self' ws://chat.example.org wss://chat.example.org"
    );
    assert_eq!(
        of("192.168.1.5:8080"),
        "'self' ws://192.168.1.5:8080 wss://192.168.1.5:8080"
    );
    // What a policy has no word for.
    assert_eq!(of("[fd00::5]:8080"), "'self' ws: wss:");
}

#[test]
fn who_is_no_browser_gets_a_text_that_says_where_all_is() {
    let server = server();
    let about = server.client().with("Accept", "*/*").get("/");
    assert_eq!(
        about.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(
        about
            .header("Vary")
            .is_some_and(|vary| vary.contains("Accept,"))
    );
    assert!(!about.body.contains('<'), "{}", about.body);
    assert!(
        about
            .body
            .contains(&format!("http://{}/protocol", server.http))
    );
    let named = server.client().named("chat.example.org").get("/");
    assert!(
        named.body.contains("http://chat.example.org/protocol"),
        "{}",
        named.body
    );
}
