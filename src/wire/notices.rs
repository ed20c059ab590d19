//! What owners did, as members read it: a sentence in two languages, a frame of the order.

use serde::Serialize;

use crate::model::*;
use crate::wire::{Lang, local_nanos};

/// `by` did it.
pub fn sentence(by: &str, user: UserNo, sent: Nanos, notice: &Notice, lang: Lang) -> String {
    let (zh, en) = match notice {
        Notice::Renamed { to } => (
            format!("{by}将房间改名为“{to}”"),
            format!("{by} renamed the room to “{to}”"),
        ),
        Notice::Password { on: true } => (
            format!("{by}设置了房间密码"),
            format!("{by} set a password for the room"),
        ),
        Notice::Password { on: false } => (
            format!("{by}取消了房间密码"),
            format!("{by} removed the room's password"),
        ),
        Notice::Locked { on: true } => (
            format!("{by}锁定了房间：不再允许新成员加入"),
            format!("{by} locked the room: nobody new may join"),
        ),
        Notice::Locked { on: false } => (
            format!("{by}解除了房间锁定"),
            format!("{by} unlocked the room"),
        ),
        Notice::Quiet { on: true } => (
            format!("{by}开启了安静模式：只有房主可以发言"),
            format!("{by} made the room quiet: only owners may write"),
        ),
        Notice::Quiet { on: false } => (
            format!("{by}关闭了安静模式"),
            format!("{by} ended the quiet: everyone may write"),
        ),
        Notice::Muted {
            target,
            until: Some(until),
        } => {
            let (name, minutes) = (&target.name, minutes(sent, *until));
            let unit = if minutes == 1 { "minute" } else { "minutes" };
            match target.no == user {
                // Nobody mutes itself: it has come back.
                true => (
                    format!("{by}仍被禁言 {minutes} 分钟"),
                    format!("{by} is still muted for {minutes} {unit}"),
                ),
                false => (
                    format!("{by}将{name}禁言 {minutes} 分钟"),
                    format!("{by} muted {name} for {minutes} {unit}"),
                ),
            }
        }
        Notice::Muted {
            target,
            until: None,
        } => (
            format!("{by}解除了{}的禁言", target.name),
            format!("{by} let {} write again", target.name),
        ),
        Notice::Kicked {
            target,
            kept_out: false,
        } => (
            format!("{by}将{}移出了房间", target.name),
            format!("{by} removed {} from the room", target.name),
        ),
        Notice::Kicked {
            target,
            kept_out: true,
        } => (
            format!("{by}将{}移出了房间，且不允许再次加入", target.name),
            format!("{by} removed {} from the room for good", target.name),
        ),
        Notice::Allowed { target } => (
            format!("{by}允许{}再次加入房间", target.name),
            format!("{by} allowed {} to come back", target.name),
        ),
        Notice::Owner { target, on: true } if target.no == user => {
            (format!("{by}成为房主"), format!("{by} became an owner"))
        }
        Notice::Owner { target, on: true } => (
            format!("{by}将{}设为房主", target.name),
            format!("{by} made {} an owner", target.name),
        ),
        Notice::Owner { target, on: false } => (
            format!("{by}取消了{}的房主身份", target.name),
            format!("{by} made {} a member like any other", target.name),
        ),
        Notice::Wiped { target, count } => {
            let messages = if *count == 1 { "message" } else { "messages" };
            (
                format!("{by}删除了{}的 {count} 条消息", target.name),
                format!("{by} deleted {count} {messages} of {}", target.name),
            )
        }
        Notice::Link => (
            format!("{by}更换了房主链接，旧链接已失效"),
            format!("{by} made the owner link anew; the old one is void"),
        ),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

/// Begun ones are whole.
fn minutes(from: Nanos, until: Nanos) -> u64 {
    seconds_left(until, from).div_ceil(60)
}

/// `{"type":"notice",…}`.
pub fn frame(entry: &Entry, avatar: u8, notice: &Notice, lang: Lang) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        r#type: &'a str,
        room: i64,
        at: Place,
        notice: &'a str,
        user: Who<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<Whom<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
        /// There for `muted` only, null where it was lifted.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Option<String>>,
        #[serde(rename = "keptOut", skip_serializing_if = "Option::is_none")]
        kept_out: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        content: &'a str,
        sent: String,
    }
    #[derive(Serialize)]
    struct Who<'a> {
        id: i64,
        name: &'a str,
        avatar: u8,
    }
    #[derive(Serialize)]
    struct Whom<'a> {
        id: i64,
        name: &'a str,
    }
    let mut out = Out {
        r#type: "notice",
        room: entry.room.0,
        at: entry.at,
        notice: "",
        user: Who {
            id: entry.user.0,
            name: &entry.name,
            avatar,
        },
        target: notice.target().map(|target| Whom {
            id: target.no.0,
            name: &target.name,
        }),
        to: None,
        on: None,
        until: None,
        kept_out: None,
        count: None,
        content: &sentence(&entry.name, entry.user, entry.sent, notice, lang),
        sent: local_nanos(entry.sent),
    };
    out.notice = match notice {
        Notice::Renamed { to } => {
            out.to = Some(to);
            "renamed"
        }
        Notice::Password { on } => {
            out.on = Some(*on);
            "password"
        }
        Notice::Locked { on } => {
            out.on = Some(*on);
            "locked"
        }
        Notice::Quiet { on } => {
            out.on = Some(*on);
            "quiet"
        }
        Notice::Muted { until, .. } => {
            out.until = Some(until.map(local_nanos));
            "muted"
        }
        Notice::Kicked { kept_out, .. } => {
            out.kept_out = Some(*kept_out);
            "kicked"
        }
        Notice::Allowed { .. } => "allowed",
        Notice::Owner { on, .. } => {
            out.on = Some(*on);
            "owner"
        }
        Notice::Wiped { count, .. } => {
            out.count = Some(*count);
            "wiped"
        }
        Notice::Link => "link",
    };
    // Strings and numbers under string keys: nothing here can fail to be written.
    serde_json::to_string(&out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::room_api;
    use crate::wire::samples::{json as parsed, says};
    use serde_json::{Value, json};
    use std::collections::HashSet;

    fn bob() -> Named {
        Named {
            no: UserNo(9),
            name: "Bob".into(),
        }
    }

    /// Every notice with what its frame has of its own.
    fn notices() -> Vec<(Notice, Value)> {
        let (target, whom) = (bob, || json!({"id":9,"name":"Bob"}));
        let until = says(3, "").sent + 5 * 60 * SECOND;
        let mut all = vec![
            (
                Notice::Renamed {
                    to: "“Art”".into()
                },
                json!({"notice":"renamed","to":"“Art”"}),
            ),
            (
                Notice::Muted {
                    target: target(),
                    until: Some(until),
                },
                json!({"notice":"muted","target":whom(),"until":local_nanos(until)}),
            ),
            (
                Notice::Muted {
                    target: target(),
                    until: None,
                },
                json!({"notice":"muted","target":whom(),"until":null}),
            ),
            (
                Notice::Allowed { target: target() },
                json!({"notice":"allowed","target":whom()}),
            ),
            (
                Notice::Wiped {
                    target: target(),
                    count: 3,
                },
                json!({"notice":"wiped","target":whom(),"count":3}),
            ),
            (Notice::Link, json!({"notice":"link"})),
        ];
        for on in [false, true] {
            all.extend([
                (
                    Notice::Password { on },
                    json!({"notice":"password","on":on}),
                ),
                (Notice::Locked { on }, json!({"notice":"locked","on":on})),
                (Notice::Quiet { on }, json!({"notice":"quiet","on":on})),
                (
                    Notice::Kicked {
                        target: target(),
                        kept_out: on,
                    },
                    json!({"notice":"kicked","target":whom(),"keptOut":on}),
                ),
                (
                    Notice::Owner {
                        target: target(),
                        on,
                    },
                    json!({"notice":"owner","target":whom(),"on":on}),
                ),
            ]);
        }
        all
    }

    #[test]
    fn every_notice_is_a_frame_with_who_did_what_to_whom_and_a_sentence() {
        for (what, own) in notices() {
            let avatar = 30;
            let body = Body::Notice {
                avatar,
                what: what.clone(),
            };
            let entry = Entry {
                body,
                ..says(3, "")
            };
            let mut expected = own;
            expected["type"] = json!("notice");
            (expected["room"], expected["at"]) = (json!(1), json!(3));
            expected["user"] = json!({"id":2,"name":"用户e07da","avatar":avatar});
            expected["sent"] = json!(local_nanos(entry.sent));
            let (name, user, sent) = (&entry.name, entry.user, entry.sent);
            let content = sentence(name, user, sent, &what, Lang::En);
            expected["content"] = json!(content);
            let frame = parsed(&frame(&entry, avatar, &what, Lang::En));
            assert_eq!(frame, expected);
            assert!(
                room_api::shows(&entry, None),
                "clients of the document see it"
            );
        }
    }

    #[test]
    fn every_notice_has_a_sentence_of_its_own_in_two_languages() {
        let mut said = HashSet::new();
        for (what, _) in notices() {
            for lang in [Lang::Zh, Lang::En] {
                let told = sentence("Ada", UserNo(1), says(3, "").sent, &what, lang);
                assert!(told.starts_with("Ada"), "{told}");
                let chinese = told.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
                assert_eq!(chinese, lang == Lang::Zh, "{told}");
                let whom = what.target().is_none_or(|whom| told.contains(&*whom.name));
                assert!(whom, "{told}");
                assert!(said.insert(told.clone()), "{told} is said of another, too");
            }
        }
        let itself = |lang| {
            let (target, on) = (bob(), true);
            sentence("Bob", UserNo(9), 0, &Notice::Owner { target, on }, lang)
        };
        assert_eq!(itself(Lang::En), "Bob became an owner");
        assert_eq!(itself(Lang::Zh), "Bob成为房主");
        let still = |lang| {
            let (target, until) = (bob(), Some(61 * SECOND));
            sentence("Bob", UserNo(9), 0, &Notice::Muted { target, until }, lang)
        };
        assert_eq!(still(Lang::En), "Bob is still muted for 2 minutes");
        assert_eq!(still(Lang::Zh), "Bob仍被禁言 2 分钟");
    }

    #[test]
    fn a_mute_is_told_in_minutes_and_one_of_something_is_one() {
        let (target, count) = (bob(), 1);
        let wiped = Notice::Wiped {
            target: bob(),
            count,
        };
        let muted = Notice::Muted {
            target,
            until: Some(60 * SECOND),
        };
        let told = |what| sentence("Ada", UserNo(1), 0, &what, Lang::En);
        assert_eq!(told(muted), "Ada muted Bob for 1 minute");
        assert_eq!(told(wiped), "Ada deleted 1 message of Bob");
    }
}
