//! Puts it together: store, hub, scribe, doors; and takes it apart in the right order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::calls::{Calls, Opened};
use crate::cli::{Config, RoomFlag};
use crate::clock;
use crate::door::{Caps, Door, Kind};
use crate::http::{self, Listing, Newcomers, Site};
use crate::hub::live::Bell;
use crate::hub::{Hub, Policy, Waiter};
use crate::model::Act;
use crate::qr;
use crate::reach::Reach;
use crate::rooms::Rules;
use crate::scribe::{Desk, Keep, Scribe};
use crate::store::{self, Data};
use crate::wire::{Lang, refusal};

/// Looking after sockets, presence and expiry.
const PULSE: Duration = Duration::from_secs(1);
/// Of one pulse, while raised hands wait to be told.
const TICKS: u32 = 4;
/// Stopping takes 5 s at most (README). For the answers of sockets …
const ANSWER_PATIENCE: Duration = Duration::from_millis(1_500);
/// … for requests in hand and for clients' Close frames …
const DOOR_PATIENCE: Duration = Duration::from_millis(2_500);
/// … and for the disk.
const STOP_PATIENCE: Duration = Duration::from_millis(4_800);

/// A running parlor.
pub struct Server {
    reach: Arc<Reach>,
    http: SocketAddr,
    ws: SocketAddr,
    data: Data,
    doors: [Door; 2],
    hub: Arc<Hub>,
    scribe: Scribe,
    pulse: Pulse,
    opened: Vec<Opened>,
}

/// Opens the database and then the ports. The error is a sentence that names the flag.
pub fn start(config: Config) -> Result<Server, String> {
    let rules = Rules {
        max_members: config.max_members,
        require_token: config.require_token,
        closed: config.closed,
        lang: config.lang,
    };
    let opened = store::open(&config.data, config.durability)?;
    let listeners = [
        listen(config.http, "--http", "HTTP")?,
        listen(config.ws, "--ws", "WebSockets")?,
    ];
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_err(|e| format!("cannot tell the port that was opened: {e}"))
    };
    let (http, ws) = (address(&listeners[0])?, address(&listeners[1])?);

    // Written to only now that the ports are ours.
    let mut loaded = opened.load(rules, config.new_epoch)?;
    let policy = Policy {
        require_token: config.require_token,
        user_rate: config.user_rate,
        room_rate: config.room_rate,
        idle: config.idle,
        hold: config.hold,
        session: config.session,
        memory: config.memory << 20,
        lang: config.lang,
    };
    let keep = Keep {
        messages: config.keep_messages,
        days: config.keep_days,
    };
    let hub = Arc::new(Hub::new(&mut loaded, policy, clock::now()));
    let scribe = Scribe::start(
        loaded.store,
        &loaded.source,
        loaded.rooms,
        hub.clone(),
        keep,
    )?;
    let pulse = Pulse::start(hub.clone(), scribe.desk.clone())?;
    let reach = Arc::new(Reach::new(http));
    let (http, ws) = (reachable(http), reachable(ws));
    let site = Arc::new(Site {
        calls: Calls::new(hub.clone(), scribe.desk.clone()),
        proxies: config.trust_proxy.clone(),
        newcomers: Newcomers::default(),
        name: config.name,
        lang: config.lang,
        closed: config.closed,
        reach: reach.clone(),
        listing: Listing::default(),
        http,
        ws,
    });
    let opened = open_rooms(&site.calls, &config.rooms)?;
    let caps = Caps::new(
        config.max_connections,
        config.max_per_address,
        config.trust_proxy,
    );
    let open = |listener, kind| {
        let site = site.clone();
        let serve = Arc::new(move |conn| http::serve(&site, conn));
        Door::open(listener, kind, caps.clone(), http::refuse, serve)
            .map_err(|e| format!("cannot serve: {e}"))
    };
    let [on_http, on_ws] = listeners;
    let doors = [open(on_http, Kind::Http)?, open(on_ws, Kind::Ws)?];
    Ok(Server {
        reach,
        http,
        ws,
        data: config.data,
        doors,
        hub,
        scribe,
        pulse,
        opened,
    })
}

/// The rooms of `--room`, before anybody can come in; those that were made now.
fn open_rooms(calls: &Calls, rooms: &[RoomFlag]) -> Result<Vec<Opened>, String> {
    let mut opened = vec![];
    for RoomFlag { name, password } in rooms {
        let made = calls.open(name, password.as_deref()).map_err(|refusal| {
            let why = refusal::sentence(&refusal, Lang::En);
            format!("cannot make the room of --room {name:?}: {why}")
        })?;
        opened.extend(made);
    }
    if calls.hub.is_closed() && calls.hub.has_no_room() {
        log::warn!("there is no room, and with --closed nobody makes one: give --room NAME");
    }
    Ok(opened)
}

/// Connections that may wait to be accepted. After a restart everybody comes back at once, and whom the
/// kernel has no room for tries again a second later. (Linux allows net.core.somaxconn, 4,096.)
const BACKLOG: i32 = 1_024;

/// From here on who comes waits until the doors open.
fn listen(address: SocketAddr, flag: &str, what: &str) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        // std asks for 128.
        SockRef::from(&listener).listen(BACKLOG)?;
        Ok(listener)
    });
    listener.map_err(|e| {
        format!("cannot serve {what} on {address}: {e}; choose another address with {flag} ADDR (port 0 picks a free one)")
    })
}

/// An address as a person on this machine reaches it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl Server {
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    pub fn ws(&self) -> SocketAddr {
        self.ws
    }

    /// What is printed at start, for a person and for a script.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("HTTP       http://{}/", self.http),
            format!("WebSocket  ws://{}/ws", self.ws),
        ];
        // Where it listens on one address only, that one has been said.
        let others = self
            .reach
            .addresses()
            .into_iter()
            .filter(|a| *a != self.http);
        lines.extend(others.map(|address| format!("Network    http://{address}/")));
        lines.push(match &self.data {
            Data::File(path) => format!("Data       {}", path.display()),
            Data::Memory => "Data       memory only: nothing is kept when parlor stops".to_owned(),
        });
        lines
    }

    /// For a terminal that a class looks at: a QR code of the best address, or why there is none.
    pub fn invitation(&self) -> String {
        let best = self.reach.urls().swap_remove(0) + "/";
        if self.reach.bound().ip().is_loopback() {
            return format!(
                "No QR code: {best} is reached from this machine only. --http :{} lets others in.\n",
                self.http.port()
            );
        }
        if !self.reach.is_reachable() {
            return "No QR code: this machine has no address that others reach. Connect it to a \
                    network; parlor need not be started again.\n"
                .into();
        }
        match qr::terminal(&best) {
            Some(code) => format!("\n{code}{best}\n"),
            None => format!("{best}\n"),
        }
    }

    /// The owner links of the rooms that `--room` made with this start: nobody can tell them later.
    pub fn owner_links(&self) -> Vec<String> {
        let line = |made: &Opened| {
            let Opened { name, room, key } = made;
            let link = format!("{}/#/room/{}", self.reach.urls()[0], room.0);
            format!("Room       {name}: {link}\nOwner      {name}: {link}?owner={key}")
        };
        self.opened.iter().map(line).collect()
    }

    /// No new connections; what was accepted is committed and answered; sockets close with 1001;
    /// the database is closed. False if the disk did not let that happen in time.
    pub fn stop(self) -> bool {
        let start = Instant::now();
        self.doors.iter().for_each(Door::stop);
        self.hub.take_no_more(start + ANSWER_PATIENCE);
        // Also what was acknowledged over HTTP a moment ago is told before the Close frames.
        let _ = self.scribe.desk.health();
        self.hub.close_all(start + ANSWER_PATIENCE);
        let cut: usize = self
            .doors
            .into_iter()
            .map(|door| door.join(start + DOOR_PATIENCE))
            .sum();
        if cut > 0 {
            log::info!("connections that did not end in time and were cut: {cut}");
        }
        self.pulse.stop();
        self.scribe.stop(start + STOP_PATIENCE)
    }
}

/// Once a second: pings, presence, what is due to be noted, what has expired.
struct Pulse {
    ended: Arc<Bell>,
    thread: JoinHandle<()>,
}

impl Pulse {
    fn start(hub: Arc<Hub>, desk: Desk) -> Result<Pulse, String> {
        let ended = Arc::new(Bell::default());
        let bell = ended.clone();
        let run = move || {
            let mut due = Instant::now() + PULSE;
            loop {
                let left = due.saturating_duration_since(Instant::now());
                let wait = match hub.holds_hands_back() {
                    true => left.min(PULSE / TICKS),
                    false => left,
                };
                if bell.wait(wait) {
                    break;
                }
                let is_due = due <= Instant::now();
                let beat = || match is_due {
                    true => beat(&hub, &desk),
                    false => hub.tell_hands(),
                };
                if is_due {
                    due = Instant::now() + PULSE;
                }
                // What one second could not do the next one may; without a pulse nothing would
                // ever expire or be pinged again.
                if catch_unwind(AssertUnwindSafe(beat)).is_err() {
                    log::error!("a panic in the pulse");
                }
            }
        };
        let thread = thread::Builder::new().name("pulse".into()).spawn(run);
        let thread = thread.map_err(|e| format!("cannot start the pulse's thread: {e}"))?;
        Ok(Pulse { ended, thread })
    }

    fn stop(self) {
        self.ended.ring();
        let _ = self.thread.join();
    }
}

fn beat(hub: &Hub, desk: &Desk) {
    let now = clock::now();
    hub.tend(now);
    hub.tell_hands();
    let note = hub.take_note(now, false);
    if !note.is_empty()
        && desk
            .submit(Act::Note(note.clone()), Waiter::Nobody)
            .is_err()
    {
        hub.give_back_note(&note);
    }
    if let Some(act) = hub.overdue() {
        // When too much waits already, a second later will do.
        let _ = desk.submit(act, Waiter::Nobody);
    }
}
