//! What a refusal is called: a word, a number, an HTTP status and a sentence in two languages.

use crate::model::*;

/// Of the room API: `code`.
pub fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) => "bad_json",
        Refusal::BadField { .. } => "bad_field",
        Refusal::UnsupportedContent(_) => "unsupported_content",
        Refusal::BadText => "bad_text",
        Refusal::BadName(..) => "bad_name",
        Refusal::BadPassword => "bad_password",
        Refusal::TokenRequired => "token_required",
        Refusal::BadToken | Refusal::OthersToken => "bad_token",
        Refusal::Banned => "banned",
        Refusal::NoSuchRoom => "room_not_found",
        Refusal::NoSuchUser => "user_not_found",
        Refusal::NoSuchMessage => "message_not_found",
        Refusal::NotYours => "not_yours",
        Refusal::NotMember => "not_a_member",
        Refusal::NoSuchMember => "member_not_found",
        Refusal::NotKeptOut => "not_kept_out",
        Refusal::NotOwner => "not_owner",
        Refusal::IsOwner => "is_owner",
        Refusal::LastOwner => "last_owner",
        Refusal::Muted { .. } => "muted",
        Refusal::Quiet => "quiet",
        Refusal::Locked => "room_locked",
        Refusal::KeptOut => "kept_out",
        Refusal::RoomsClosed => "rooms_closed",
        Refusal::PrivateRoom => "room_private",
        Refusal::WrongPassword => "wrong_password",
        Refusal::WrongLogin => "wrong_login",
        Refusal::NameTaken { .. } | Refusal::UsernameTaken => "name_taken",
        Refusal::UuidTaken => "uuid_taken",
        Refusal::RoomFull { .. } => "room_full",
        Refusal::TooFast { .. } => "too_fast",
        Refusal::Busy => "busy",
        Refusal::NotConfirmed => "not_confirmed",
    }
}

/// Of the WebSocket protocol and the accounts: `code`.
pub fn number(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::TokenRequired | Refusal::BadToken | Refusal::OthersToken => 1,
        Refusal::Malformed(_)
        | Refusal::BadField { .. }
        | Refusal::UnsupportedContent(_)
        | Refusal::BadName(..)
        | Refusal::BadPassword => 2,
        Refusal::NoSuchRoom
        | Refusal::NoSuchUser
        | Refusal::NoSuchMessage
        | Refusal::NoSuchMember
        | Refusal::NotKeptOut => 3,
        Refusal::NotMember => 4,
        Refusal::Banned
        | Refusal::NotYours
        | Refusal::NotOwner
        | Refusal::IsOwner
        | Refusal::LastOwner
        | Refusal::Muted { .. }
        | Refusal::Quiet => 5,
        Refusal::BadText => 6,
        Refusal::TooFast { .. } | Refusal::Busy => 7,
        Refusal::UuidTaken => 8,
        Refusal::NotConfirmed => 9,
        Refusal::WrongPassword | Refusal::WrongLogin => 10,
        Refusal::NameTaken { .. } | Refusal::UsernameTaken => 11,
        Refusal::RoomFull { .. } => 12,
        Refusal::PrivateRoom => 13,
        Refusal::Locked => 14,
        Refusal::KeptOut => 15,
        Refusal::RoomsClosed => 16,
    }
}

pub fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Malformed(_)
        | Refusal::BadField { .. }
        | Refusal::UnsupportedContent(_)
        | Refusal::BadText
        | Refusal::BadName(..)
        | Refusal::BadPassword => 400,
        Refusal::TokenRequired | Refusal::BadToken | Refusal::OthersToken | Refusal::WrongLogin => {
            401
        }
        Refusal::Banned
        | Refusal::NotYours
        | Refusal::NotMember
        | Refusal::NotOwner
        | Refusal::IsOwner
        | Refusal::LastOwner
        | Refusal::Muted { .. }
        | Refusal::Quiet
        | Refusal::Locked
        | Refusal::KeptOut
        | Refusal::RoomsClosed
        | Refusal::PrivateRoom
        | Refusal::WrongPassword => 403,
        Refusal::NoSuchRoom
        | Refusal::NoSuchUser
        | Refusal::NoSuchMessage
        | Refusal::NoSuchMember
        | Refusal::NotKeptOut => 404,
        Refusal::NameTaken { .. }
        | Refusal::UsernameTaken
        | Refusal::UuidTaken
        | Refusal::RoomFull { .. } => 409,
        Refusal::TooFast { .. } => 429,
        Refusal::Busy | Refusal::NotConfirmed => 503,
    }
}

/// Seconds until asking again makes sense, where waiting helps.
pub fn retry_after(refusal: &Refusal) -> Option<u64> {
    match refusal {
        Refusal::TooFast { after } | Refusal::Muted { after } => Some(*after),
        Refusal::Busy | Refusal::NotConfirmed => Some(1),
        _ => None,
    }
}

/// A free name to offer instead.
pub fn suggest(refusal: &Refusal) -> Option<&str> {
    match refusal {
        Refusal::NameTaken { suggest } => Some(suggest),
        _ => None,
    }
}

pub fn sentence(refusal: &Refusal, lang: Lang) -> String {
    let (zh, en): (String, String) = match refusal {
        Refusal::Malformed(why) => (
            format!("请求体应为 JSON 对象（{why}）"),
            format!("Malformed: {why}."),
        ),
        Refusal::BadField { field, want } => {
            let (zh, en) = wanted(*want);
            (
                format!("字段 {field} 应为 {zh}"),
                format!("{field} must be {en}."),
            )
        }
        Refusal::UnsupportedContent(kind) => (
            format!("不支持的内容类型：{kind}，只支持文本"),
            format!("Content of type {kind} is not supported; only text is."),
        ),
        Refusal::BadText => (
            format!("消息不能为空，也不能超过 {MAX_TEXT_CHARS} 个字符"),
            format!("A text has 1 to {MAX_TEXT_CHARS} characters, not only blanks."),
        ),
        Refusal::BadName(of, fault) => {
            let (zh_of, en_of) = match of {
                NameOf::Member => ("用户名称", "user name"),
                NameOf::Room => ("房间名称", "room name"),
                NameOf::Account => ("用户名", "username"),
            };
            let (zh_fault, en_fault) = match fault {
                NameFault::Empty => ("为空或不可见", "is empty or invisible"),
                NameFault::TooLong => ("过长", "is too long"),
                NameFault::Controls => (
                    "含有控制字符或不可见的字符",
                    "has control characters or ones that nobody sees",
                ),
            };
            (
                format!("{zh_of}{zh_fault}：应为 1 到 {MAX_NAME_CHARS} 个字符，不含控制字符"),
                format!(
                    "The {en_of} {en_fault}; it must have 1 to {MAX_NAME_CHARS} characters and no control characters."
                ),
            )
        }
        Refusal::BadPassword => (
            format!("密码（password）应为 1 到 {MAX_PASSWORD_CHARS} 个字符"),
            format!("The password must have 1 to {MAX_PASSWORD_CHARS} characters."),
        ),
        Refusal::TokenRequired => (
            "此请求需要令牌：Authorization: Bearer TOKEN".into(),
            "This call needs a token: Authorization: Bearer TOKEN.".into(),
        ),
        Refusal::BadToken => ("令牌无效或已过期".into(), "Login status expired!".into()),
        Refusal::OthersToken => (
            "该令牌属于其他用户".into(),
            "This token is another user's.".into(),
        ),
        Refusal::Banned => ("该用户已被封禁".into(), "This user is banned.".into()),
        Refusal::NoSuchRoom => ("房间不存在".into(), "There is no such room.".into()),
        Refusal::NoSuchUser => ("用户不存在".into(), "There is no such user.".into()),
        Refusal::NoSuchMessage => (
            "消息不存在或已被删除".into(),
            "There is no such message, or it was deleted.".into(),
        ),
        Refusal::NotYours => (
            "这是其他人的消息".into(),
            "This is somebody else's message.".into(),
        ),
        Refusal::NotMember => (
            "用户不在该房间中，请先加入房间".into(),
            "This user is not in the room; join it first.".into(),
        ),
        Refusal::NoSuchMember => (
            "房间中没有该编号的成员".into(),
            "Nobody with this number is in the room; members lists who is.".into(),
        ),
        Refusal::NotKeptOut => (
            "该编号的用户没有被禁止加入".into(),
            "Nobody with this number is kept out; the act state lists who is.".into(),
        ),
        Refusal::NotOwner => (
            "只有房主可以这样做".into(),
            "Only an owner of the room may do this.".into(),
        ),
        Refusal::IsOwner => (
            "不能对房主这样做，请先取消其房主身份".into(),
            "This cannot be done to an owner; take the ownership back first (appoint, on false)."
                .into(),
        ),
        Refusal::LastOwner => (
            "这是最后一位房主，请先设置另一位".into(),
            "This is the last owner; name another one first (appoint, on true).".into(),
        ),
        Refusal::Muted { after } => (
            format!("你已被禁言，{after} 秒后可以发言"),
            format!("You are muted; you may write again in {after} s."),
        ),
        Refusal::Quiet => (
            "安静模式：现在只有房主可以发言".into(),
            "The room is quiet: only its owners may write now.".into(),
        ),
        Refusal::Locked => (
            "房间已锁定，不再允许新成员加入".into(),
            "The room is locked: nobody new may join until an owner unlocks it.".into(),
        ),
        Refusal::KeptOut => (
            "房主不允许你加入该房间".into(),
            "An owner keeps you out of this room.".into(),
        ),
        Refusal::RoomsClosed => (
            "此服务器不允许创建房间，请加入已有的房间".into(),
            "Nobody makes rooms on this server; join one that is there.".into(),
        ),
        Refusal::PrivateRoom => (
            "该房间未公开：请用 roomId 加入".into(),
            "This room is not listed: join it by its roomId.".into(),
        ),
        Refusal::WrongPassword => (
            "房间密码缺失或错误".into(),
            "The room's password is missing or wrong.".into(),
        ),
        Refusal::WrongLogin => (
            "用户名或密码错误".into(),
            "Wrong username or password.".into(),
        ),
        Refusal::NameTaken { suggest } => (
            format!("该名称与房间内其他成员的名称相同或相似，可以使用：{suggest}"),
            format!(
                "Somebody in the room has this name or one that looks like it; {suggest} is free."
            ),
        ),
        Refusal::UsernameTaken => (
            "该用户名已被使用".into(),
            "This username, or one that looks like it, is taken; choose another.".into(),
        ),
        Refusal::UuidTaken => (
            "该 uuid 已被另一条消息使用".into(),
            "This uuid is another message's; make a new one for each message.".into(),
        ),
        Refusal::RoomFull { members } => (
            format!("房间已满（{members} 人）"),
            format!("The room is full: it has {members} members."),
        ),
        Refusal::TooFast { after } => (
            format!("操作过于频繁，请在 {after} 秒后重试"),
            format!("Too fast; try again in {after} s."),
        ),
        Refusal::Busy => (
            "服务器繁忙，请稍后重试".into(),
            "The server is busy; try again in 1 s.".into(),
        ),
        Refusal::NotConfirmed => (
            "未能确认是否已保存：请用相同的 uuid 重试".into(),
            "Not confirmed: it may or may not be stored; ask again with the same uuid.".into(),
        ),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

fn wanted(want: Want) -> (String, String) {
    let (zh, en) = match want {
        Want::Text => ("字符串", "a string"),
        Want::Flag => ("true 或 false", "true or false"),
        Want::Number => ("非负整数", "a whole number, 0 or more"),
        Want::Count => ("正整数", "a whole number, 1 or more"),
        Want::Object => ("JSON 对象", "a JSON object"),
        Want::Uuid => ("uuid", "a uuid"),
        Want::Room => (
            "房间：32 位十六进制 roomId 或房间号",
            "a room: 32 hexadecimal digits, or its number",
        ),
        Want::UserId => ("32 位十六进制数", "32 hexadecimal digits"),
        Want::SameUser => ("请求中的 userId", "the userId of the call"),
        Want::Word(word) => return (format!("\"{word}\""), format!("\"{word}\"")),
        Want::Seq => ("房间内某条消息的 seq", "the seq of a message of the room"),
        Want::Wait => ("1 到 60 秒", "1 to 60 seconds"),
        Want::Places => (
            "{房间号: at}",
            "an object of room numbers and places, such as {\"7\": 120}",
        ),
        Want::Minutes => {
            return (
                format!("0 到 {MAX_MUTE_MINUTES} 分钟（0 表示解除禁言）"),
                format!("a whole number of minutes from 0, which lifts it, to {MAX_MUTE_MINUTES}"),
            );
        }
        Want::Act => (
            "以下之一：rename、password、lock、quiet、mute、kick、allow、delete、wipe、appoint、link、lower、close、state",
            "one of rename, password, lock, quiet, mute, kick, allow, delete, wipe, appoint, link, lower, close, state",
        ),
        Want::User => ("用户编号", "the number of a user"),
        Want::TextOrNull => (
            "字符串，或 null（取消密码）",
            "a string, or null to remove it",
        ),
        Want::Format => ("json、csv、txt 或 html", "json, csv, txt or html"),
        Want::Alone => ("单独给出（不能与 before 同时使用）", "given without before"),
    };
    (zh.into(), en.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Each pattern is an arm of a match without a wildcard, and stands for its value: a new
    /// variant is a line here, or the tests do not compile.
    macro_rules! every {
        ($type:ty: $($pattern:pat => $value:expr, $expected:expr;)*) => {{
            let listed = |variant: &$type| match variant { $($pattern => {})* };
            let all = vec![$(($value, $expected)),*];
            all.iter().for_each(|(variant, _)| listed(variant));
            all
        }};
    }

    /// Every refusal with its word, number and status (PROTOCOL.md).
    fn refusals() -> Vec<(Refusal, (&'static str, u8, u16))> {
        use Refusal::*;
        let (field, want) = ("roomId", Want::Room);
        let suggest = || "Ada-2".to_owned();
        every! { Refusal:
            Malformed(_) => Malformed("no".into()), ("bad_json", 2, 400);
            BadField { .. } => BadField { field, want }, ("bad_field", 2, 400);
            UnsupportedContent(_) => UnsupportedContent("image".into()), ("unsupported_content", 2, 400);
            BadText => BadText, ("bad_text", 6, 400);
            BadName(..) => BadName(NameOf::Room, NameFault::Empty), ("bad_name", 2, 400);
            BadPassword => BadPassword, ("bad_password", 2, 400);
            TokenRequired => TokenRequired, ("token_required", 1, 401);
            BadToken => BadToken, ("bad_token", 1, 401);
            OthersToken => OthersToken, ("bad_token", 1, 401);
            Banned => Banned, ("banned", 5, 403);
            NoSuchRoom => NoSuchRoom, ("room_not_found", 3, 404);
            NoSuchUser => NoSuchUser, ("user_not_found", 3, 404);
            NoSuchMessage => NoSuchMessage, ("message_not_found", 3, 404);
            NotYours => NotYours, ("not_yours", 5, 403);
            NotMember => NotMember, ("not_a_member", 4, 403);
            NoSuchMember => NoSuchMember, ("member_not_found", 3, 404);
            NotKeptOut => NotKeptOut, ("not_kept_out", 3, 404);
            NotOwner => NotOwner, ("not_owner", 5, 403);
            IsOwner => IsOwner, ("is_owner", 5, 403);
            LastOwner => LastOwner, ("last_owner", 5, 403);
            Muted { .. } => Muted { after: 61 }, ("muted", 5, 403);
            Quiet => Quiet, ("quiet", 5, 403);
            Locked => Locked, ("room_locked", 14, 403);
            KeptOut => KeptOut, ("kept_out", 15, 403);
            RoomsClosed => RoomsClosed, ("rooms_closed", 16, 403);
            PrivateRoom => PrivateRoom, ("room_private", 13, 403);
            WrongPassword => WrongPassword, ("wrong_password", 10, 403);
            WrongLogin => WrongLogin, ("wrong_login", 10, 401);
            NameTaken { .. } => NameTaken { suggest: suggest() }, ("name_taken", 11, 409);
            UsernameTaken => UsernameTaken, ("name_taken", 11, 409);
            UuidTaken => UuidTaken, ("uuid_taken", 8, 409);
            RoomFull { .. } => RoomFull { members: 2_000 }, ("room_full", 12, 409);
            TooFast { .. } => TooFast { after: 3 }, ("too_fast", 7, 429);
            Busy => Busy, ("busy", 7, 503);
            NotConfirmed => NotConfirmed, ("not_confirmed", 9, 503);
        }
    }

    /// Everything that a field may have to be, with a part of what is said of it.
    fn wants() -> Vec<(Want, &'static str)> {
        use Want::*;
        every! { Want:
            Text => Text, "a string";
            Flag => Flag, "true or false";
            Number => Number, "0 or more";
            Count => Count, "1 or more";
            Object => Object, "object";
            Uuid => Uuid, "uuid";
            Room => Room, "a room";
            UserId => UserId, "32 hexadecimal";
            SameUser => SameUser, "of the call";
            Word(_) => Word("text"), "\"text\"";
            Seq => Seq, "seq";
            Wait => Wait, "1 to 60";
            Alone => Alone, "without before";
            Minutes => Minutes, "to 10080";
            Act => Act, "one of rename,";
            User => User, "number of a user";
            TextOrNull => TextOrNull, "or null";
            Places => Places, "room numbers and places";
            Format => Format, "csv";
        }
    }

    /// Both sentences, which are there and differ.
    fn sentences(refusal: &Refusal) -> [String; 2] {
        let both = [Lang::Zh, Lang::En].map(|lang| sentence(refusal, lang));
        let [zh, en] = &both;
        assert!(zh.chars().any(|c| c > '\u{2e80}'), "{zh:?} is Chinese");
        assert!(
            !en.is_empty() && !en.chars().any(|c| c > '\u{2e80}'),
            "{en:?} is English"
        );
        both
    }

    #[test]
    fn every_refusal_has_its_word_number_and_status() {
        for (refusal, expected) in refusals() {
            let is = (word(&refusal), number(&refusal), status(&refusal));
            assert_eq!(is, expected, "{refusal:?}");
        }
    }

    #[test]
    fn every_refusal_has_a_sentence_of_its_own_in_two_languages() {
        let mut said = HashSet::new();
        for (refusal, _) in refusals() {
            for sentence in sentences(&refusal) {
                assert!(said.insert(sentence), "{refusal:?} says what another says");
            }
        }
    }

    #[test]
    fn a_bad_field_is_named_with_what_it_should_be() {
        let field = "limit";
        for (want, part) in wants() {
            let [zh, en] = sentences(&Refusal::BadField { field, want });
            assert!(zh.contains(field) && en.starts_with(field), "{zh} {en}");
            assert!(en.contains(part), "{en:?} has {part:?}");
        }
    }

    #[test]
    fn what_a_refusal_knows_it_says() {
        for (refusal, part) in [
            (Refusal::UnsupportedContent("image".into()), "image"),
            (
                Refusal::NameTaken {
                    suggest: "Ada-2".into(),
                },
                "Ada-2",
            ),
            (Refusal::RoomFull { members: 77 }, "77"),
            (Refusal::TooFast { after: 42 }, "42"),
            (Refusal::Malformed("line 3".into()), "line 3"),
        ] {
            for sentence in sentences(&refusal) {
                assert!(sentence.contains(part), "{sentence:?} has {part:?}");
            }
        }
    }

    #[test]
    fn waiting_is_advised_only_where_it_helps_and_a_name_where_one_is_free() {
        for (refusal, _) in refusals() {
            let advised = match refusal {
                Refusal::TooFast { after } | Refusal::Muted { after } => Some(after),
                Refusal::Busy | Refusal::NotConfirmed => Some(1),
                _ => None,
            };
            assert_eq!(retry_after(&refusal), advised, "{refusal:?}");
            let offered = matches!(refusal, Refusal::NameTaken { .. }).then_some("Ada-2");
            assert_eq!(suggest(&refusal), offered, "{refusal:?}");
        }
    }
}
