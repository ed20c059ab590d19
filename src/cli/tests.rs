//! What each flag and variable may be, and the sentences that refuse the rest.

use super::*;
use std::os::unix::ffi::OsStringExt;

fn with(args: &[&str], env: &[(&str, &str)]) -> Result<Config, Exit> {
    parse(args.iter().map(OsString::from), |name| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.into())
    })
}

/// The sentence that `args` and `env` are refused with.
fn refusal(args: &[&str], env: &[(&str, &str)]) -> String {
    let exit = with(args, env).expect_err(&format!("{args:?} {env:?} is accepted"));
    assert_eq!(exit.code, 2, "{}", exit.output);
    assert!(
        exit.output.starts_with("parlor: ") && exit.output.ends_with('\n'),
        "{:?}",
        exit.output
    );
    exit.output
}

fn config(args: &[&str]) -> Config {
    with(args, &[]).unwrap_or_else(|exit| panic!("{args:?}: {}", exit.output))
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(config(&[]), Config::default());
}

#[test]
fn each_flag_sets_its_own_field_and_so_does_its_variable() {
    let scratch = std::env::temp_dir().join("parlor-cli.db");
    let file = scratch
        .to_str()
        .expect("the temporary directory has a UTF-8 name");
    let base = Config::default();
    let cases = [
        (
            "--http",
            "127.0.0.1:9",
            Config {
                http: ([127, 0, 0, 1], 9).into(),
                ..base.clone()
            },
        ),
        (
            "--ws",
            "[::1]:0",
            Config {
                ws: (std::net::Ipv6Addr::LOCALHOST, 0).into(),
                ..base.clone()
            },
        ),
        (
            "--data",
            file,
            Config {
                data: Data::File(scratch.clone()),
                ..base.clone()
            },
        ),
        (
            "--data",
            "none",
            Config {
                data: Data::Memory,
                ..base.clone()
            },
        ),
        (
            "--durability",
            "fast",
            Config {
                durability: Durability::Fast,
                ..base.clone()
            },
        ),
        (
            "--name",
            "Class 7b",
            Config {
                name: "Class 7b".into(),
                ..base.clone()
            },
        ),
        (
            "--lang",
            "en",
            Config {
                lang: Lang::En,
                ..base.clone()
            },
        ),
        (
            "--max-connections",
            "1",
            Config {
                max_connections: 1,
                ..base.clone()
            },
        ),
        (
            "--max-per-address",
            "2",
            Config {
                max_per_address: 2,
                ..base.clone()
            },
        ),
        (
            "--trust-proxy",
            "10.0.0.0/8, ::1",
            Config {
                trust_proxy: networks("10.0.0.0/8,::1/128").expect("two networks"),
                ..base.clone()
            },
        ),
        (
            "--max-members",
            "3",
            Config {
                max_members: 3,
                ..base.clone()
            },
        ),
        (
            "--user-rate",
            "0",
            Config {
                user_rate: 0,
                ..base.clone()
            },
        ),
        (
            "--room-rate",
            "5",
            Config {
                room_rate: 5,
                ..base.clone()
            },
        ),
        (
            "--idle",
            "6",
            Config {
                idle: Duration::from_secs(6),
                ..base.clone()
            },
        ),
        (
            "--hold",
            "7",
            Config {
                hold: Duration::from_secs(7),
                ..base.clone()
            },
        ),
        (
            "--session",
            "8",
            Config {
                session: Duration::from_secs(8),
                ..base.clone()
            },
        ),
        (
            "--room",
            "Physics:sesame:open",
            Config {
                rooms: vec![RoomFlag {
                    name: "Physics".into(),
                    password: Some("sesame:open".into()),
                }],
                ..base.clone()
            },
        ),
        (
            "--log",
            "debug",
            Config {
                log: LevelFilter::Debug,
                ..base.clone()
            },
        ),
    ];
    for (flag, value, wanted) in cases {
        assert_eq!(config(&[flag, value]), wanted, "{flag}");
        assert_eq!(config(&[&format!("{flag}={value}")]), wanted, "{flag}=");
        let variable = variable_of(flag);
        assert_eq!(with(&[], &[(&variable, value)]), Ok(wanted), "{variable}");
    }
    let sealed = Config {
        require_token: true,
        ..base.clone()
    };
    let anew = Config {
        new_epoch: true,
        ..base.clone()
    };
    let closed = Config {
        closed: true,
        ..base.clone()
    };
    assert_eq!(config(&["--closed"]), closed);
    let bare = Config { qr: false, ..base };
    assert_eq!(config(&["--require-token"]), sealed);
    assert_eq!(config(&["--new-epoch"]), anew);
    assert_eq!(config(&["--no-qr"]), bare);
    for on in ["1", "true", "TRUE"] {
        assert_eq!(
            with(&[], &[("PARLOR_REQUIRE_TOKEN", on)]),
            Ok(sealed.clone())
        );
        assert_eq!(with(&[], &[("PARLOR_NEW_EPOCH", on)]), Ok(anew.clone()));
        assert_eq!(with(&[], &[("PARLOR_CLOSED", on)]), Ok(closed.clone()));
        assert_eq!(with(&[], &[("PARLOR_NO_QR", on)]), Ok(bare.clone()));
    }
}

#[test]
fn rooms_may_be_given_again_and_again_or_with_commas_in_the_variable() {
    let names = |config: Config| config.rooms.into_iter().map(|room| room.name);
    let flags = config(&["--room", "Maths, for beginners", "--room", "Art:x"]);
    assert!(names(flags).eq(["Maths, for beginners", "Art"]));
    let variable = with(&[], &[("PARLOR_ROOM", "Maths, Art:x")]);
    assert!(names(variable.expect("two rooms")).eq(["Maths", "Art"]));
    for (text, part) in [
        ("", "give NAME or NAME:PASSWORD"),
        (":sesame", "give NAME or NAME:PASSWORD"),
        ("Art:", "give a password of 1 to 128"),
    ] {
        let why = refusal(&["--room", text], &[]);
        assert!(why.contains(&format!("--room {text:?}: {part}")), "{why}");
    }
    let twice = refusal(&[], &[("PARLOR_ROOM", "Art,\u{410}rt:x")]);
    assert!(
        twice.contains("PARLOR_ROOM \"\u{410}rt:x\": there is"),
        "{twice}"
    );
}

#[test]
fn trust_proxy_may_be_given_again_and_again() {
    assert_eq!(
        config(&["--trust-proxy", "10.0.0.0/8", "--trust-proxy", "::1"]).trust_proxy,
        config(&["--trust-proxy", "10.0.0.0/8,::1"]).trust_proxy
    );
}

fn variable_of(flag: &str) -> String {
    format!("PARLOR_{}", flag[2..].replace('-', "_").to_uppercase())
}

#[test]
fn the_flag_wins_over_its_variable() {
    let env = [
        ("PARLOR_MAX_MEMBERS", "30"),
        ("PARLOR_HTTP", "nonsense"),
        ("PARLOR_REQUIRE_TOKEN", "nonsense"),
    ];
    let config = with(
        &["--max-members", "40", "--http", ":0", "--require-token"],
        &env,
    )
    .unwrap();
    assert_eq!(
        (config.max_members, config.http.port(), config.require_token),
        (40, 0, true)
    );
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let empty: Vec<(String, &str)> = ["--http", "--data", "--require-token", "--log"]
        .map(|flag| (variable_of(flag), ""))
        .into();
    let empty: Vec<(&str, &str)> = empty
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert_eq!(with(&[], &empty), Ok(Config::default()));
    assert_eq!(
        with(
            &[],
            &[("PARLOR_REQUIRE_TOKEN", "0"), ("PARLOR_NEW_EPOCH", "false")]
        ),
        Ok(Config::default())
    );
}

#[test]
fn an_address_may_leave_out_the_host_or_name_it() {
    for (text, wanted) in [
        ("8080", "0.0.0.0:8080"),
        (":8080", "0.0.0.0:8080"),
        ("0", "0.0.0.0:0"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("[::]:0", "[::]:0"),
    ] {
        assert_eq!(address(text), Ok(wanted.parse().unwrap()), "{text}");
    }
    let localhost = address("localhost:80").unwrap();
    assert!(
        localhost.ip().is_loopback() && localhost.port() == 80,
        "{localhost}"
    );
}

#[test]
fn a_bad_value_is_refused_with_the_flag_the_value_and_what_would_be_right() {
    for (flag, value, right) in [
        ("--name", "", "1 to 64 characters"),
        ("--name", " \u{202e}", "1 to 64 characters"),
        ("--lang", "de", "zh or en"),
        ("--http", "", "HOST:PORT"),
        ("--http", "localhost", "HOST:PORT"),
        ("--http", "127.0.0.1", "HOST:PORT"),
        ("--http", ":65536", "up to 65535"),
        ("--http", ":-1", "HOST:PORT"),
        ("--http", "::1:8080", "[::1]:8080"),
        ("--http", "::", "HOST:PORT"),
        ("--http", "http://127.0.0.1:8080", "HOST:PORT"),
        ("--ws", "[::1]", "HOST:PORT"),
        ("--ws", "no\0host:8081", "no address is known for"),
        ("--data", "", "none to keep nothing"),
        ("--data", ":memory:", "none to keep nothing"),
        ("--durability", "normal", "full or fast"),
        ("--max-connections", "0", "from 1 to 1000000"),
        ("--max-connections", "1000001", "from 1 to 1000000"),
        ("--max-per-address", "-1", "from 1 to 1000000"),
        ("--trust-proxy", "", "CIDR"),
        ("--trust-proxy", "10.0.0.0/33", "10.0.0.0/8"),
        ("--trust-proxy", "10.0.0.1/8", "not the first address"),
        ("--trust-proxy", "10.0.0.0/8,proxy", "CIDR"),
        ("--max-members", "0", "from 1 to 1000000"),
        (
            "--max-members",
            "99999999999999999999999",
            "from 1 to 1000000",
        ),
        ("--user-rate", "ten", "0 is no limit"),
        ("--room-rate", "4294967296", "0 is no limit"),
        ("--memory", "0", "from 1 to"),
        ("--keep-messages", "-1", "0 keeps all"),
        ("--keep-days", "forever", "0 keeps all"),
        ("--idle", "0", "in seconds"),
        ("--hold", "30d", "in seconds"),
        ("--session", "1.5", "in seconds"),
        ("--session", "18446744073709551615", "to 315360000"),
        ("--log", "trace", "error, warn, info or debug"),
    ] {
        let sentence = refusal(&[flag, value], &[]);
        assert!(
            sentence.contains(&format!("{flag} {value:?}: ")),
            "{sentence}"
        );
        assert!(sentence.contains(right), "{sentence}");
        if !value.is_empty() {
            let variable = variable_of(flag);
            let sentence = refusal(&[], &[(&variable, value)]);
            assert!(
                sentence.contains(&format!("{variable} {value:?}: ")),
                "{sentence}"
            );
            assert!(
                !sentence.contains(&format!("{flag} ")),
                "blames the flag: {sentence}"
            );
        }
    }
    let sentence = refusal(&[], &[("PARLOR_REQUIRE_TOKEN", "yes")]);
    assert!(
        sentence.contains("PARLOR_REQUIRE_TOKEN \"yes\": give 1 or true, 0 or false"),
        "{sentence}"
    );
}

#[test]
fn one_port_for_both_is_refused_with_both_names_and_the_way_out() {
    for (http, ws) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("127.0.0.1:80", ":80"),
        ("[::]:80", "127.0.0.1:80"),
        ("[::1]:80", "[::]:80"),
    ] {
        let sentence = refusal(&["--http", http, "--ws", ws], &[]);
        assert!(
            sentence.contains("--http ") && sentence.contains("--ws :81"),
            "{sentence}"
        );
    }
    let sentence = refusal(&[], &[("PARLOR_HTTP", "8081")]);
    assert!(
        sentence.contains("PARLOR_HTTP 0.0.0.0:8081 and --ws (default) 0.0.0.0:8081"),
        "{sentence}"
    );
    for (http, ws) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:80", "127.0.0.2:80"),
        ("0.0.0.0:80", "[::1]:80"),
    ] {
        config(&["--http", http, "--ws", ws]);
    }
}

#[test]
fn data_must_be_a_file_in_a_directory_that_exists() {
    let directory = std::env::temp_dir();
    let directory = directory
        .to_str()
        .expect("the temporary directory has a UTF-8 name")
        .trim_end_matches('/');
    for (path, right) in [
        (directory.to_owned(), "is a directory: give a FILE in it"),
        (
            format!("{directory}/parlor-no-such/"),
            "is a directory: give a FILE in it",
        ),
        (
            format!("{directory}/parlor-no-such/parlor.db"),
            "there is no directory",
        ),
        ("/dev/null".to_owned(), "is no ordinary file"),
    ] {
        let sentence = refusal(&["--data", &path], &[]);
        assert!(
            sentence.starts_with("parlor: --data: ") && sentence.contains(right),
            "{sentence}"
        );
        assert!(sentence.contains(&path), "{sentence}");
    }
}

#[test]
fn an_unknown_flag_a_missing_value_and_a_stray_word_are_refused() {
    for args in [
        &["--htpp", ":0"][..],
        &["--http"],
        &["serve"],
        &["--require-token=1"],
        &["--log", "info", "--log", "info"],
    ] {
        let sentence = refusal(args, &[]);
        assert!(
            sentence.contains("parlor --help lists the flags"),
            "{sentence}"
        );
    }
}

#[test]
fn what_is_not_utf8_is_refused() {
    let bad = || OsString::from_vec(vec![b'-', 0xff]);
    let exit = parse([bad()], |_| None).unwrap_err();
    assert_eq!(
        (exit.code, exit.output.contains("not UTF-8")),
        (2, true),
        "{}",
        exit.output
    );
    let exit = parse([], |name| (name == "PARLOR_DATA").then(bad)).unwrap_err();
    assert_eq!(
        (exit.code, exit.output.starts_with("parlor: PARLOR_DATA ")),
        (2, true),
        "{}",
        exit.output
    );
}

#[test]
fn help_and_version_are_answers_whatever_else_is_wrong() {
    let env = [("PARLOR_HTTP", "nonsense")];
    for flag in ["--version", "-V"] {
        let exit = with(&[flag], &env).unwrap_err();
        assert_eq!(
            exit,
            Exit {
                output: "parlor 0.1.0\n".into(),
                code: 0
            }
        );
    }
    for flag in ["--help", "-h", "help"] {
        let exit = with(&[flag], &env).unwrap_err();
        assert_eq!(exit.code, 0);
        assert!(exit.output.starts_with("Usage: parlor "), "{}", exit.output);
    }
}

#[test]
fn help_names_each_flag_with_its_default_and_its_variable() {
    let help = with(&["--help"], &[])
        .unwrap_err()
        .output
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let default = Config::default();
    for (flag, default) in [
        ("--http", default.http.to_string()),
        ("--ws", default.ws.to_string()),
        ("--data", "parlor.db".into()),
        (
            "--durability",
            format!("{:?}", default.durability).to_lowercase(),
        ),
        ("--name", default.name.clone()),
        ("--lang", format!("{:?}", default.lang).to_lowercase()),
        ("--no-qr", "off".into()),
        ("--require-token", "off".into()),
        ("--new-epoch", "off".into()),
        ("--closed", "off".into()),
        ("--room", "none".into()),
        ("--max-connections", default.max_connections.to_string()),
        ("--max-per-address", default.max_per_address.to_string()),
        ("--trust-proxy", "none".into()),
        ("--max-members", default.max_members.to_string()),
        ("--user-rate", default.user_rate.to_string()),
        ("--room-rate", default.room_rate.to_string()),
        ("--idle", default.idle.as_secs().to_string()),
        ("--hold", default.hold.as_secs().to_string()),
        ("--session", default.session.as_secs().to_string()),
        ("--memory", default.memory.to_string()),
        ("--keep-messages", default.keep_messages.to_string()),
        ("--keep-days", default.keep_days.to_string()),
        ("--log", default.log.to_string().to_lowercase()),
    ] {
        let (_, entry) = help
            .split_once(&format!(" {flag} "))
            .unwrap_or_else(|| panic!("no {flag} in {help}"));
        let (_, entry) = entry
            .split_once('[')
            .expect("each entry ends in [default …, PARLOR_…]");
        let (entry, _) = entry
            .split_once(']')
            .expect("each entry ends in [default …, PARLOR_…]");
        assert!(
            entry.starts_with(&format!("default {default}, ")),
            "{flag}: {entry}"
        );
        let variable = entry
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .trim_end_matches("=1");
        assert_eq!(variable, variable_of(flag));
    }
}
