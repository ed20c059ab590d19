//! What an owner did, as a row's JSON, both ways.

use serde::{Deserialize, Serialize};

use crate::model::*;

#[derive(Serialize, Deserialize)]
pub(super) struct NoticeRow {
    avatar: u8,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize, Deserialize)]
struct Target {
    target: i64,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum What {
    Renamed {
        to: String,
    },
    Password {
        on: bool,
    },
    Locked {
        on: bool,
    },
    Quiet {
        on: bool,
    },
    Muted {
        #[serde(flatten)]
        who: Target,
        until: Option<Nanos>,
    },
    Kicked {
        #[serde(flatten)]
        who: Target,
        kept_out: bool,
    },
    Allowed {
        #[serde(flatten)]
        who: Target,
    },
    Owner {
        #[serde(flatten)]
        who: Target,
        on: bool,
    },
    Wiped {
        #[serde(flatten)]
        who: Target,
        count: u64,
    },
    Link,
}

impl From<&Named> for Target {
    fn from(named: &Named) -> Target {
        Target {
            target: named.no.0,
            name: named.name.to_string(),
        }
    }
}

impl From<Target> for Named {
    fn from(Target { target, name }: Target) -> Named {
        Named {
            no: UserNo(target),
            name: name.into(),
        }
    }
}

impl NoticeRow {
    pub fn new(avatar: u8, notice: &Notice) -> NoticeRow {
        let what = match notice {
            Notice::Renamed { to } => What::Renamed { to: to.to_string() },
            Notice::Password { on } => What::Password { on: *on },
            Notice::Locked { on } => What::Locked { on: *on },
            Notice::Quiet { on } => What::Quiet { on: *on },
            Notice::Muted { target, until } => What::Muted {
                who: target.into(),
                until: *until,
            },
            Notice::Kicked { target, kept_out } => What::Kicked {
                who: target.into(),
                kept_out: *kept_out,
            },
            Notice::Allowed { target } => What::Allowed { who: target.into() },
            Notice::Owner { target, on } => What::Owner {
                who: target.into(),
                on: *on,
            },
            Notice::Wiped { target, count } => What::Wiped {
                who: target.into(),
                count: *count,
            },
            Notice::Link => What::Link,
        };
        NoticeRow { avatar, what }
    }

    pub fn body(self) -> Body {
        let what = match self.what {
            What::Renamed { to } => Notice::Renamed { to: to.into() },
            What::Password { on } => Notice::Password { on },
            What::Locked { on } => Notice::Locked { on },
            What::Quiet { on } => Notice::Quiet { on },
            What::Muted { who, until } => Notice::Muted {
                target: who.into(),
                until,
            },
            What::Kicked { who, kept_out } => Notice::Kicked {
                target: who.into(),
                kept_out,
            },
            What::Allowed { who } => Notice::Allowed { target: who.into() },
            What::Owner { who, on } => Notice::Owner {
                target: who.into(),
                on,
            },
            What::Wiped { who, count } => Notice::Wiped {
                target: who.into(),
                count,
            },
            What::Link => Notice::Link,
        };
        let avatar = self.avatar;
        Body::Notice { avatar, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_comes_back_as_it_was() {
        let target = || Named {
            no: UserNo(7),
            name: "Bob \u{202e}\"".into(),
        };
        let on = true;
        for what in [
            Notice::Renamed {
                to: "化学".into()
            },
            Notice::Password { on },
            Notice::Locked { on: false },
            Notice::Quiet { on },
            Notice::Muted {
                target: target(),
                until: Some(5),
            },
            Notice::Muted {
                target: target(),
                until: None,
            },
            Notice::Kicked {
                target: target(),
                kept_out: true,
            },
            Notice::Allowed { target: target() },
            Notice::Owner {
                target: target(),
                on: false,
            },
            Notice::Wiped {
                target: target(),
                count: 3,
            },
            Notice::Link,
        ] {
            let json = serde_json::to_string(&NoticeRow::new(31, &what)).unwrap();
            let back: NoticeRow = serde_json::from_str(&json).unwrap();
            assert_eq!(back.body(), Body::Notice { avatar: 31, what }, "{json}");
        }
    }
}
