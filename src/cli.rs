//! Flags and environment variables into a checked [`Config`].
//!
//! Knows what each setting is called, what it may be and what to say when it is something else. It
//! looks at the file system and asks for addresses, but opens no port and no database.

mod addresses;
mod rooms;

pub use rooms::RoomFlag;

use std::ffi::OsString;
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use argh::FromArgs;
use log::LevelFilter;

use crate::door::Proxies;
use crate::model::{Lang, MAX_NAME_CHARS, NameOf};
use crate::rooms::check_name;
use crate::store::{Data, Durability};

use addresses::{address, collide, networks};

/// The most that a count or a rate may be: far past what one machine serves, and small enough that
/// no sum overflows.
const MAX_COUNT: u32 = 1_000_000;
/// The longest span, ten years: adding it to any clock's now stays a time.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// The same in days.
const MAX_DAYS: u32 = 10 * 365;

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where HTTP is served; port 0 picks a free one. Never in conflict with `ws`.
    pub http: SocketAddr,
    /// Where WebSockets are served; port 0 picks a free one.
    pub ws: SocketAddr,
    /// A file in a directory that exists, or memory.
    pub data: Data,
    pub durability: Durability,
    /// What the page calls this server: 1 to 64 characters.
    pub name: String,
    /// Of default names, and of sentences where a client has not said which it reads.
    pub lang: Lang,
    /// Where the terminal is shown a QR code of the page's address.
    pub qr: bool,
    /// Every guest is sealed from birth.
    pub require_token: bool,
    /// Cursors of before this start are void: the data was restored from a backup.
    pub new_epoch: bool,
    /// Open connections, both ports together; at least 1.
    pub max_connections: usize,
    /// Open connections of one IPv4 address or IPv6 /64; at least 1.
    pub max_per_address: usize,
    /// Whose `X-Forwarded-For` tells the client's address; nobody's by default.
    pub trust_proxy: Proxies,
    /// Members of one room; at least 1.
    pub max_members: usize,
    /// Messages a second of one user; 0 is no limit.
    pub user_rate: u32,
    /// Messages a second in one room; 0 is no limit.
    pub room_rate: u32,
    /// Silence after which a member shows as offline; at least 1 s.
    pub idle: Duration,
    /// Silence after which a guest leaves its rooms; at least 1 s.
    pub hold: Duration,
    /// How long an account's token lives after its last use; at least 1 s.
    pub session: Duration,
    /// Mebibytes of entries kept in memory; at least 1.
    pub memory: usize,
    /// Newest entries kept of each room; 0 keeps all.
    pub keep_messages: u64,
    /// Days for which entries are kept; 0 keeps all.
    pub keep_days: u32,
    /// Rooms to make where they are not there; no two of one name.
    pub rooms: Vec<RoomFlag>,
    /// Nobody makes rooms but these.
    pub closed: bool,
    pub log: LevelFilter,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: (Ipv4Addr::UNSPECIFIED, 8080).into(),
            ws: (Ipv4Addr::UNSPECIFIED, 8081).into(),
            data: Data::File("parlor.db".into()),
            durability: Durability::Full,
            name: "parlor".into(),
            lang: Lang::Zh,
            qr: true,
            require_token: false,
            new_epoch: false,
            max_connections: 4096,
            max_per_address: 512,
            trust_proxy: Proxies::default(),
            max_members: 2000,
            user_rate: 10,
            room_rate: 200,
            idle: Duration::from_secs(120),
            hold: Duration::from_secs(30 * 24 * 60 * 60),
            session: Duration::from_secs(2 * 24 * 60 * 60),
            memory: 64,
            keep_messages: 0,
            keep_days: 0,
            rooms: vec![],
            closed: false,
            log: LevelFilter::Info,
        }
    }
}

/// What to print instead of serving, and the exit code: 0 belongs on stdout, all else on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Whole lines.
    pub output: String,
    pub code: u8,
}

/// The flags as typed. What each may be is checked later, together with the variables.
#[derive(FromArgs)]
#[argh(
    description = "A small chat server: rooms over HTTP and WebSocket, one binary, one SQLite file.",
    usage = "[--FLAG VALUE]...",
    note = "Each flag can be given as the environment variable named beside it. The flag wins;\n\
            an empty variable counts as not set.\n\n\
            ADDR is HOST:PORT, :PORT or PORT; port 0 picks a free one.",
    example = "{command_name} --http 127.0.0.1:9000 --ws 127.0.0.1:9001\n\
               {command_name} --data /var/lib/parlor/parlor.db --require-token\n\
               PARLOR_DATA=none {command_name}",
    help_triggers("-h", "--help", "help")
)]
struct Flags {
    /// ADDR where HTTP is served, and /ws too [default 0.0.0.0:8080, PARLOR_HTTP]
    #[argh(option)]
    http: Option<String>,

    /// ADDR where WebSockets are served [default 0.0.0.0:8081, PARLOR_WS]
    #[argh(option)]
    ws: Option<String>,

    /// FILE that keeps everything, or none: nothing is kept when parlor stops
    /// [default parlor.db, PARLOR_DATA]
    #[argh(option)]
    data: Option<String>,

    /// full: what was acknowledged survives a power cut; fast: spares an SD card, and a power cut
    /// may take the last messages [default full, PARLOR_DURABILITY]
    #[argh(option)]
    durability: Option<String>,

    /// what the page calls this server, such as "Class 7b" [default parlor, PARLOR_NAME]
    #[argh(option)]
    name: Option<String>,

    /// zh or en: the language of the names of who and what has none, and of messages to clients
    /// that do not say which they read [default zh, PARLOR_LANG]
    #[argh(option)]
    lang: Option<String>,

    /// show no QR code of the page's address in the terminal [default off, PARLOR_NO_QR=1]
    #[argh(switch)]
    no_qr: bool,

    /// ask every guest for its token, on HTTP too [default off, PARLOR_REQUIRE_TOKEN=1]
    #[argh(switch)]
    require_token: bool,

    /// say once, after restoring FILE from a backup: clients then load anew instead of resuming
    /// [default off, PARLOR_NEW_EPOCH=1]
    #[argh(switch)]
    new_epoch: bool,

    /// connections open at once [default 4096, PARLOR_MAX_CONNECTIONS]
    #[argh(option)]
    max_connections: Option<String>,

    /// connections of one address; for IPv6 of one /64 [default 512, PARLOR_MAX_PER_ADDRESS]
    #[argh(option)]
    max_per_address: Option<String>,

    /// CIDR of a reverse proxy whose X-Forwarded-For tells who calls; repeat for more, separate by
    /// commas in the variable [default none, PARLOR_TRUST_PROXY]
    #[argh(option)]
    trust_proxy: Vec<String>,

    /// members of one room [default 2000, PARLOR_MAX_MEMBERS]
    #[argh(option)]
    max_members: Option<String>,

    /// messages a second of one user, 0 for no limit [default 10, PARLOR_USER_RATE]
    #[argh(option)]
    user_rate: Option<String>,

    /// messages a second in one room, 0 for no limit [default 200, PARLOR_ROOM_RATE]
    #[argh(option)]
    room_rate: Option<String>,

    /// SECONDS until a silent member shows as offline [default 120, PARLOR_IDLE]
    #[argh(option)]
    idle: Option<String>,

    /// SECONDS until a silent guest leaves [default 2592000, 30 days, PARLOR_HOLD]
    #[argh(option)]
    hold: Option<String>,

    /// SECONDS from its last use that an account's token lives
    /// [default 172800, 2 days, PARLOR_SESSION]
    #[argh(option)]
    session: Option<String>,

    /// memory in MiB for the newest messages of the rooms in use [default 64, PARLOR_MEMORY]
    #[argh(option)]
    memory: Option<String>,

    /// newest entries to keep of each room, 0 for all [default 0, PARLOR_KEEP_MESSAGES]
    #[argh(option)]
    keep_messages: Option<String>,

    /// days to keep messages, 0 for ever [default 0, PARLOR_KEEP_DAYS]
    #[argh(option)]
    keep_days: Option<String>,

    /// NAME or NAME:PASSWORD of a room to make at start where it is not there, with its owner link
    /// printed once; repeat for more, separate by commas in the variable [default none, PARLOR_ROOM]
    #[argh(option)]
    room: Vec<String>,

    /// nobody makes rooms: there are only those of --room, and what was made before
    /// [default off, PARLOR_CLOSED=1]
    #[argh(switch)]
    closed: bool,

    /// error, warn, info or debug, on stderr [default info, PARLOR_LOG]
    #[argh(option)]
    log: Option<String>,

    /// print name and version
    #[argh(switch, short = 'V')]
    version: bool,
}

/// Reads `args` (without the program's name) and, for flags not given, the variables that `env`
/// knows.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Config, Exit> {
    let args = words(args).map_err(Exit::usage)?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let flags = Flags::from_args(&["parlor"], &args).map_err(|early| match early.status {
        Ok(()) => Exit::asked(early.output),
        Err(()) => Exit::usage(format!(
            "{}\nparlor --help lists the flags.",
            early.output.trim_end()
        )),
    })?;
    if flags.version {
        return Err(Exit::asked(
            concat!("parlor ", env!("CARGO_PKG_VERSION"), "\n").into(),
        ));
    }
    check(flags, &Env(env)).map_err(Exit::usage)
}

impl Exit {
    fn asked(output: String) -> Self {
        Self { output, code: 0 }
    }

    fn usage(sentence: String) -> Self {
        Self {
            output: format!("parlor: {sentence}\n"),
            code: 2,
        }
    }
}

/// The arguments as text, `--flag=value` as two words: argh knows only those.
fn words(args: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for arg in args {
        let arg = arg
            .into_string()
            .map_err(|arg| format!("the argument {arg:?} is not UTF-8"))?;
        match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                words.extend([flag.to_owned(), value.to_owned()])
            }
            _ => words.push(arg),
        }
    }
    Ok(words)
}

fn check<E: Fn(&str) -> Option<OsString>>(typed: Flags, env: &Env<E>) -> Result<Config, String> {
    let mut config = Config::default();
    let http = env.set("--http", typed.http, &mut config.http, address)?;
    let ws = env.set("--ws", typed.ws, &mut config.ws, address)?;
    if collide(config.http, config.ws) {
        let (at, other) = (
            config.http,
            config.http.port().checked_add(1).unwrap_or(8081),
        );
        return Err(format!(
            "{http} {at} and {ws} {} cannot share a port: choose another for one of them, \
             for example --ws :{other}",
            config.ws
        ));
    }
    let data = env.set("--data", typed.data, &mut config.data, data)?;
    reachable(&config.data).map_err(|why| format!("{data}: {why}"))?;
    env.set(
        "--durability",
        typed.durability,
        &mut config.durability,
        durability,
    )?;
    env.set("--name", typed.name, &mut config.name, name)?;
    env.set("--lang", typed.lang, &mut config.lang, lang)?;
    let mut no_qr = !config.qr;
    env.switch("--no-qr", typed.no_qr, &mut no_qr)?;
    config.qr = !no_qr;
    env.switch(
        "--require-token",
        typed.require_token,
        &mut config.require_token,
    )?;
    env.switch("--new-epoch", typed.new_epoch, &mut config.new_epoch)?;

    let count = whole(1, MAX_COUNT as usize, "");
    env.set(
        "--max-connections",
        typed.max_connections,
        &mut config.max_connections,
        &count,
    )?;
    env.set(
        "--max-per-address",
        typed.max_per_address,
        &mut config.max_per_address,
        &count,
    )?;
    let trusted = (!typed.trust_proxy.is_empty()).then(|| typed.trust_proxy.join(","));
    env.set("--trust-proxy", trusted, &mut config.trust_proxy, networks)?;
    env.set(
        "--max-members",
        typed.max_members,
        &mut config.max_members,
        &count,
    )?;
    let rate = whole(0, MAX_COUNT, "; 0 is no limit");
    env.set("--user-rate", typed.user_rate, &mut config.user_rate, &rate)?;
    env.set("--room-rate", typed.room_rate, &mut config.room_rate, &rate)?;
    env.set("--idle", typed.idle, &mut config.idle, seconds)?;
    env.set("--hold", typed.hold, &mut config.hold, seconds)?;
    env.set("--session", typed.session, &mut config.session, seconds)?;
    env.set("--memory", typed.memory, &mut config.memory, &count)?;
    let kept = whole(0, u64::from(MAX_COUNT) * 1000, "; 0 keeps all");
    env.set(
        "--keep-messages",
        typed.keep_messages,
        &mut config.keep_messages,
        &kept,
    )?;
    let days = whole(0, MAX_DAYS, "; 0 keeps all");
    env.set("--keep-days", typed.keep_days, &mut config.keep_days, &days)?;
    config.rooms = rooms::rooms(typed.room, env)?;
    env.switch("--closed", typed.closed, &mut config.closed)?;
    env.set("--log", typed.log, &mut config.log, level)?;
    Ok(config)
}

/// The environment, asked by variable name.
struct Env<E>(E);

impl<E: Fn(&str) -> Option<OsString>> Env<E> {
    /// Sets `field` from the flag where it was typed, else from its variable, else leaves it.
    /// `right` reads the text or says what would have been right. Answers what a sentence about
    /// the value calls it: the flag, the variable, or the flag with "(default)".
    fn set<T>(
        &self,
        flag: &str,
        typed: Option<String>,
        field: &mut T,
        right: impl Fn(&str) -> Result<T, String>,
    ) -> Result<String, String> {
        let (name, text) = match typed {
            Some(text) => (flag.to_owned(), text),
            None => match self.variable(flag)? {
                Some(found) => found,
                None => return Ok(format!("{flag} (default)")),
            },
        };
        *field = right(&text).map_err(|why| format!("{name} {text:?}: {why}"))?;
        Ok(name)
    }

    fn switch(&self, flag: &str, typed: bool, field: &mut bool) -> Result<String, String> {
        let typed = typed.then(|| "1".to_owned());
        self.set(flag, typed, field, |text| {
            match text.to_ascii_lowercase().as_str() {
                "1" | "true" => Ok(true),
                "0" | "false" => Ok(false),
                _ => Err("give 1 or true, 0 or false".into()),
            }
        })
    }

    /// The name and text of the flag's variable, where it is set and not empty.
    fn variable(&self, flag: &str) -> Result<Option<(String, String)>, String> {
        let name = format!(
            "PARLOR_{}",
            flag.trim_start_matches('-')
                .replace('-', "_")
                .to_uppercase()
        );
        match self.0(&name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.is_empty() => Ok(None),
            Some(Ok(text)) => Ok(Some((name, text))),
            Some(Err(text)) => Err(format!("{name} {text:?} is not UTF-8")),
        }
    }
}

fn data(text: &str) -> Result<Data, String> {
    match text {
        "" => Err("give a FILE, or none to keep nothing".into()),
        "none" => Ok(Data::Memory),
        // SQLite's own name for what is no file.
        ":memory:" => Err("give the path of a FILE, or none to keep nothing".into()),
        _ => Ok(Data::File(text.into())),
    }
}

/// Whether an SQLite file can be where `data` says, as far as one can tell without opening it.
fn reachable(data: &Data) -> Result<(), String> {
    let Data::File(file) = data else {
        return Ok(());
    };
    if file.is_dir() || file.as_os_str().as_encoded_bytes().ends_with(b"/") {
        let inside = file.join("parlor.db");
        return Err(format!(
            "{file:?} is a directory: give a FILE in it, for example {inside:?}"
        ));
    }
    if file.exists() && !file.is_file() {
        return Err(format!(
            "{file:?} is no ordinary file: give another FILE, or none to keep nothing"
        ));
    }
    match file.parent() {
        Some(parent) if parent != Path::new("") && !parent.is_dir() => Err(format!(
            "there is no directory {parent:?} for {file:?}: make it, or give a FILE elsewhere"
        )),
        _ => Ok(()),
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "full" => Ok(Durability::Full),
        "fast" => Ok(Durability::Fast),
        _ => Err("give full or fast".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    let right = check_name(NameOf::Room, text).map(|()| text.to_owned());
    right.map_err(|_| {
        format!("give 1 to {MAX_NAME_CHARS} characters that can be seen, no control characters")
    })
}

fn lang(text: &str) -> Result<Lang, String> {
    match text.to_ascii_lowercase().as_str() {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err("give zh or en".into()),
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        _ => Err("give error, warn, info or debug".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    whole(1, MAX_SECONDS, ", in seconds")(text).map(Duration::from_secs)
}

fn whole<T>(min: T, max: T, more: &'static str) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display + Copy,
{
    move |text| match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from {min} to {max}{more}")),
    }
}

#[cfg(test)]
mod tests;
