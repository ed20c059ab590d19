//! Paths and methods that are not there, told in the shape of these calls.

use crate::server;
use serde_json::{Value, json};

#[test]
fn a_method_that_is_not_theirs_is_405_with_what_is_allowed() {
    let server = server();
    let http = server.client();
    for (method, path, allowed) in [
        ("GET", "/login", "POST"),
        ("GET", "/logout", "POST"),
        ("GET", "/users", "POST"),
        ("GET", "/rooms", "POST"),
        ("GET", "/rooms/1/join", "POST"),
        ("POST", "/users/1", "GET"),
        ("POST", "/rooms/me", "GET"),
        ("POST", "/rooms/1/messages", "GET"),
        ("DELETE", "/rooms/1", "GET"),
    ] {
        let reply = http.begin(method, path, String::new()).finish();
        reply.failed(405, 2);
        assert!(
            reply.header("Allow").is_some_and(|a| a.contains(allowed)),
            "{path}: {:?}",
            reply.headers
        );
        assert_eq!(reply.json.get("success"), None, "{path}: {}", reply.body);
    }
}

#[test]
fn a_path_that_is_not_there_is_code_3() {
    let server = server();
    let http = server.client();
    for path in [
        "/rooms/1/nope",
        "/rooms/1/messages/2",
        "/users/1/2",
        "/login/now",
    ] {
        let reply = http.get(path);
        reply.failed(404, 3);
        assert_eq!(reply.json.get("success"), None, "{path}: {}", reply.body);
        http.post(path, json!({})).failed(404, 3);
    }
    let elsewhere: Value = http.get("/nope").json;
    assert_eq!(elsewhere["code"], "not_found", "the room API's shape");
}
