//! The routes: requests into calls, outcomes into answers. Decides nothing.

mod accounts;
mod export;
mod newcomers;
mod owners;
mod page;
mod place;
mod room_api;

pub use accounts::store_span;
pub use newcomers::Newcomers;
pub use place::Listing;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tiny_http::Method;

use crate::calls::Calls;
use crate::door::{Answer, Conn, Kind, Pieces, Proxies, Request, header};
use crate::hub::Drain;
use crate::model::*;
use crate::reach::Reach;
use crate::wire::fields::room_ref;
use crate::wire::room_api::Call;
use crate::wire::{Lang, accounts as accounts_wire, refusal, room_api as wire};
use crate::ws;

/// What the routes serve with.
pub struct Site {
    pub calls: Calls,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    pub newcomers: Newcomers,
    /// What the page calls this server.
    pub name: String,
    /// Of sentences, where a client has not said which it reads.
    pub lang: Lang,
    /// Nobody makes rooms here.
    pub closed: bool,
    pub reach: Arc<Reach>,
    pub listing: Listing,
    /// As they were really opened.
    pub http: SocketAddr,
    pub ws: SocketAddr,
}

/// An answer, and what is settled by its having been written.
struct Served<'a> {
    answer: Answer,
    /// The content, where `answer` is only its head.
    pieces: Option<Pieces<'a>>,
    drain: Option<Drain<'a>>,
}

impl From<Answer> for Served<'_> {
    fn from(answer: Answer) -> Self {
        Served {
            answer,
            pieces: None,
            drain: None,
        }
    }
}

enum Route<'a> {
    Page,
    PageFile(&'a str),
    Where,
    Qr,
    Protocol,
    Health,
    Ws,
    RoomApi(Call),
    Users,
    User(&'a str),
    Login,
    Logout,
    Rooms,
    MyRooms,
    Room(&'a str),
    RoomJoin(&'a str),
    RoomOwner(&'a str),
    RoomHand(&'a str),
    RoomMessages(&'a str),
    RoomSearch(&'a str),
    RoomExport(&'a str),
}

fn route(kind: Kind, path: &str) -> Option<Route<'_>> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    Some(match (kind, parts.as_slice()) {
        (_, ["ws"]) => Route::Ws,
        (Kind::Ws, _) => return None,
        (_, [""]) => Route::Page,
        (_, ["page", name]) => Route::PageFile(name),
        (_, ["where"]) => Route::Where,
        (_, ["qr.svg"]) => Route::Qr,
        (_, ["protocol"]) => Route::Protocol,
        (_, ["healthz"]) => Route::Health,
        (_, ["room", "create"]) => Route::RoomApi(Call::Create),
        (_, ["room", "join"]) => Route::RoomApi(Call::Join),
        (_, ["room", "leave"]) => Route::RoomApi(Call::Leave),
        (_, ["room", "heartbeat"]) => Route::RoomApi(Call::Heartbeat),
        (_, ["message", "send"]) => Route::RoomApi(Call::Send),
        (_, ["message", "fetch"]) => Route::RoomApi(Call::Fetch),
        (_, ["users"]) => Route::Users,
        (_, ["users", id]) => Route::User(id),
        (_, ["login"]) => Route::Login,
        (_, ["logout"]) => Route::Logout,
        (_, ["rooms"]) => Route::Rooms,
        (_, ["rooms", "me"]) => Route::MyRooms,
        (_, ["rooms", id]) => Route::Room(id),
        (_, ["rooms", id, "join"]) => Route::RoomJoin(id),
        (_, ["rooms", id, "owner"]) => Route::RoomOwner(id),
        (_, ["rooms", id, "hand"]) => Route::RoomHand(id),
        (_, ["rooms", id, "messages"]) => Route::RoomMessages(id),
        (_, ["rooms", id, "search"]) => Route::RoomSearch(id),
        (_, ["rooms", id, "export"]) => Route::RoomExport(id),
        _ => return None,
    })
}

/// What may be done with a route; OPTIONS always.
fn allowed(route: &Route) -> &'static str {
    match route {
        Route::RoomApi(_)
        | Route::Users
        | Route::Login
        | Route::Logout
        | Route::Rooms
        | Route::RoomJoin(_)
        | Route::RoomOwner(_)
        | Route::RoomHand(_) => "POST, OPTIONS",
        Route::Page
        | Route::PageFile(_)
        | Route::Where
        | Route::Qr
        | Route::Protocol
        | Route::Health
        | Route::Ws
        | Route::User(_)
        | Route::MyRooms
        | Route::Room(_)
        | Route::RoomMessages(_)
        | Route::RoomSearch(_)
        | Route::RoomExport(_) => "GET, HEAD, OPTIONS",
    }
}

/// One connection, until it is over or becomes a WebSocket.
pub fn serve(site: &Arc<Site>, mut conn: Conn) {
    if let Some(request) = answer_all(site, &mut conn) {
        let from = site.from(&conn, &request);
        ws::serve(&site.calls, conn, request, from);
    }
}

/// Answers until it is over; or the request to become a WebSocket. Not inlined: a WebSocket's thread
/// would keep the stack that it has touched.
#[inline(never)]
fn answer_all(site: &Arc<Site>, conn: &mut Conn) -> Option<Request> {
    while let Some(request) = conn.next() {
        let route = route(conn.kind(), &request.path);
        let from = site.from(conn, &request);
        let served = if !conn.stand_for(from) {
            crowded().into()
        } else if matches!(route, Some(Route::Ws)) && request.method == Method::Get {
            return Some(request);
        } else {
            survive(|| site.handle(conn, &request, route))
        };
        let written = match served.pieces {
            None => conn.answer(&request, served.answer),
            Some(pieces) => conn.stream(&request, served.answer, pieces),
        };
        match written {
            Ok(keep) => {
                // Until the next request it stands for nobody but the proxy.
                let peer = conn.peer().ip();
                conn.stand_for(peer);
                // Before the client sees the end, and asks for more on another connection.
                served.drain.into_iter().for_each(Drain::handed);
                if !keep {
                    conn.part();
                    return None;
                }
            }
            Err(e) => {
                log::debug!("the answer did not get through: {e}");
                return None;
            }
        }
    }
    None
}

/// For a proxy's client with too many connections: the door has let the proxy in.
fn crowded() -> Answer {
    let why = "There are too many connections from your address. Try again in a moment.";
    refuse(503, why).with_header(header("Retry-After", "1"))
}

/// A panic costs its request a 500, and nobody else anything.
fn survive<'a>(handle: impl FnOnce() -> Served<'a>) -> Served<'a> {
    catch_unwind(AssertUnwindSafe(handle)).unwrap_or_else(|_| {
        log::error!("a panic while serving a request");
        refuse(
            500,
            "Something went wrong inside parlor; its log says what.",
        )
        .into()
    })
}

/// The answer to a request that is wrong before it is anybody's: in the room API's shape.
pub fn refuse(status: u16, sentence: &str) -> Answer {
    let code = match status {
        400 => "bad_request",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "timeout",
        411 => "length_required",
        413 => "too_big",
        414 => "uri_too_long",
        417 => "expectation_failed",
        426 => "upgrade_required",
        431 => "head_too_big",
        501 => "not_implemented",
        503 => "busy",
        505 => "http_version",
        _ => "internal_error",
    };
    json(status, wire::plain_failure(code, sentence))
}

fn json(status: u16, body: String) -> Answer {
    Answer::from_string(body)
        .with_status_code(status)
        .with_header(header("Content-Type", "application/json; charset=utf-8"))
        // Answers carry tokens and texts.
        .with_header(header("Cache-Control", "no-store"))
}

fn refused(refusal: &Refusal, body: String) -> Answer {
    let answer = json(refusal::status(refusal), body);
    match refusal::retry_after(refusal) {
        Some(seconds) => answer.with_header(header("Retry-After", &seconds.to_string())),
        None => answer,
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750). Another scheme is a proxy's business.
fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("Authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn lang(request: &Request, default: Lang) -> Lang {
    Lang::of(request.header("Accept-Language"), default)
}

/// A field of the query, decoded (WHATWG URL, application/x-www-form-urlencoded).
fn field<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = form_urlencoded::parse(request.query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// A number of the query, such as `limit=20`.
fn number(request: &Request, name: &'static str) -> Result<Option<u64>, Refusal> {
    let bad = Refusal::BadField {
        field: name,
        want: Want::Number,
    };
    let found = field(request, name);
    found
        .map(|value| value.parse().map_err(|_| bad))
        .transpose()
}

fn room_of(segment: &str) -> Result<RoomRef, Refusal> {
    room_ref(segment).ok_or(Refusal::NoSuchRoom)
}

impl Site {
    /// Where a request came from, to the limits on one address.
    fn from(&self, conn: &Conn, request: &Request) -> IpAddr {
        self.proxies
            .client(conn.peer().ip(), request.all("X-Forwarded-For"))
    }

    /// The answer to a request that is wrong in what its path takes, in the shape and the language
    /// of whatever lives there.
    fn refuse_in(&self, request: &Request, status: u16, [zh, en]: [String; 2]) -> Answer {
        let first = request.path.split('/').nth(1).unwrap_or_default();
        let of_accounts = matches!(first, "users" | "login" | "logout" | "rooms");
        let default = if of_accounts { Lang::En } else { self.lang };
        let sentence = match lang(request, default) {
            Lang::Zh => zh,
            Lang::En => en,
        };
        match (of_accounts, status) {
            (false, _) => refuse(status, &sentence),
            (true, 404) => json(status, accounts_wire::plain_failure(3, &sentence)),
            (true, _) => json(status, accounts_wire::plain_failure(2, &sentence)),
        }
    }

    fn astray(&self, kind: Kind, request: &Request) -> Answer {
        let (zh, en) = match kind {
            Kind::Http => (
                "此路径不存在，请看 /",
                "There is nothing at this path; / shows what there is.",
            ),
            Kind::Ws => (
                "此端口只提供 /ws 的 WebSocket",
                "This port serves WebSockets at /ws only.",
            ),
        };
        self.refuse_in(request, 404, [zh.into(), en.into()])
    }

    fn handle(&self, conn: &Conn, request: &Request, route: Option<Route>) -> Served<'_> {
        let Some(route) = route else {
            return match request.method {
                Method::Options if request.path == "*" => preflight("GET, HEAD, POST, OPTIONS"),
                _ => self.astray(conn.kind(), request),
            }
            .into();
        };
        let allowed = allowed(&route);
        let posted = allowed.starts_with("POST");
        match &request.method {
            Method::Options => return preflight(allowed).into(),
            Method::Post if posted => {}
            Method::Get | Method::Head if !posted => {}
            _ => {
                let sentences = [
                    format!("此路径支持：{allowed}"),
                    format!("This path takes {allowed}."),
                ];
                let answer = self.refuse_in(request, 405, sentences);
                return answer.with_header(header("Allow", allowed)).into();
            }
        }
        self.notice_token(request, &route);
        match route {
            Route::Page => self.page(request).into(),
            Route::PageFile(name) => self.page_file(request, name).into(),
            Route::Where => self.place().into(),
            Route::Qr => self.qr(request).into(),
            Route::Protocol => page::protocol(request).into(),
            Route::Health => self.health().into(),
            // GET is served as a WebSocket before it comes here.
            Route::Ws => ws::upgrade_required().into(),
            Route::RoomApi(call) => self.room_api(conn, request, call),
            Route::Users => self.register(conn, request).into(),
            Route::User(id) => self.user(request, id).into(),
            Route::Login => self.login(conn, request).into(),
            Route::Logout => self.logout(request).into(),
            Route::Rooms => self.make_room(conn, request).into(),
            Route::MyRooms => self.my_rooms(request).into(),
            Route::Room(id) => self.room(request, id).into(),
            Route::RoomJoin(id) => self.join_room(conn, request, id).into(),
            Route::RoomOwner(id) => self.owner(conn, request, id).into(),
            Route::RoomHand(id) => self.hand(request, id).into(),
            Route::RoomMessages(id) => self.messages(request, id).into(),
            Route::RoomSearch(id) => self.search(request, id).into(),
            Route::RoomExport(id) => self.export(request, id),
        }
    }

    /// A token seals its guest wherever it is shown, also where nobody asks for it.
    fn notice_token(&self, request: &Request, route: &Route) {
        let unasked = matches!(
            route,
            Route::Page
                | Route::PageFile(_)
                | Route::Where
                | Route::Qr
                | Route::User(_)
                | Route::Users
                | Route::Login
                | Route::Room(_)
        );
        if let (true, Some(token)) = (unasked, bearer(request)) {
            let _ = self.calls.bearer(token);
        }
    }

    fn health(&self) -> Answer {
        let plain = |status, text: &str| {
            Answer::from_string(text)
                .with_status_code(status)
                .with_header(header("Content-Type", "text/plain; charset=utf-8"))
                .with_header(header("Cache-Control", "no-store"))
        };
        match self.calls.desk.health() {
            Ok(()) => plain(200, "ok\n"),
            Err(reason) => plain(503, &(reason + "\n")),
        }
    }
}

/// What a browser asks before a page from elsewhere may call (Fetch standard, CORS).
fn preflight(allowed: &str) -> Answer {
    Answer::from_data("")
        .with_status_code(204)
        .with_header(header("Allow", allowed))
        .with_header(header("Access-Control-Allow-Methods", allowed))
        .with_header(header(
            "Access-Control-Allow-Headers",
            "Authorization, Content-Type, Accept-Language",
        ))
        .with_header(header("Access-Control-Max-Age", "86400"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_handler_is_a_500() {
        let served = survive(|| panic!("on purpose"));
        assert_eq!(served.answer.status_code(), 500);
    }

    #[test]
    fn a_bearer_token_is_what_follows_the_scheme() {
        let request = |value| Request {
            method: Method::Get,
            path: "/rooms/me".into(),
            query: "limit=20&after=x&before=".into(),
            version: tiny_http::HTTPVersion(1, 1),
            headers: vec![header("authorization", value)],
            body: vec![],
            keep_alive: true,
        };
        assert_eq!(bearer(&request("bearer abc ")), Some("abc"));
        assert_eq!(bearer(&request("Basic abc")), None);
        assert_eq!(bearer(&request("abc")), None);
        assert_eq!(number(&request(""), "limit"), Ok(Some(20)));
        assert_eq!(number(&request(""), "wait"), Ok(None));
        assert!(number(&request(""), "after").is_err() && number(&request(""), "before").is_err());
    }
}
