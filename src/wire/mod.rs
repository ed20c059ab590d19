//! JSON in and out, pure. What a request means and how an answer reads; no socket, no table.

pub mod accounts;
pub mod export;
pub mod fields;
pub mod notices;
pub mod owner;
pub mod place;
pub mod refusal;
pub mod room_api;
#[cfg(test)]
mod samples;
pub mod socket;

use chrono::{DateTime, Local, SecondsFormat, Utc};

pub use crate::model::Lang;

use crate::model::Nanos;

impl Lang {
    /// By `Accept-Language` (RFC 9110, 12.5.4), or `default` where it names neither.
    pub fn of(header: Option<&str>, default: Lang) -> Lang {
        let mut best = (0.0, default);
        for range in header.unwrap_or_default().split(',') {
            let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = quality
                .trim()
                .strip_prefix("q=")
                .and_then(|q| q.parse().ok());
            let quality: f32 = quality.unwrap_or(1.0);
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let lang = match primary.to_ascii_lowercase().as_str() {
                "zh" => Lang::Zh,
                "en" => Lang::En,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, lang);
            }
        }
        best.1
    }
}

/// The first document's form: UTC, milliseconds, `2022-06-22T08:10:43.412+00:00`.
pub fn utc_millis(at: Nanos) -> String {
    DateTime::from_timestamp_nanos(at).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// The second document's form: local time, nanoseconds, `2022-12-22T14:33:59.579746716+08:00`.
pub fn local_nanos(at: Nanos) -> String {
    let utc: DateTime<Utc> = DateTime::from_timestamp_nanos(at);
    utc.with_timezone(&Local)
        .to_rfc3339_opts(SecondsFormat::Nanos, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_form_of_their_document() {
        let at = 1_655_885_443_412_345_678;
        assert_eq!(utc_millis(at), "2022-06-22T08:10:43.412+00:00");
        let local = local_nanos(at);
        assert_eq!(local.len(), "2022-12-22T14:33:59.579746716+08:00".len());
        assert!(local[19..].starts_with(".412345678"), "{local}");
        let back = DateTime::parse_from_rfc3339(&local).unwrap();
        assert_eq!(back.timestamp_nanos_opt(), Some(at));
    }

    #[test]
    fn the_preferred_language_wins() {
        let of = |header| Lang::of(header, Lang::Zh);
        assert_eq!(of(None), Lang::Zh);
        assert_eq!(of(Some("en")), Lang::En);
        assert_eq!(of(Some("en-GB,zh;q=0.5")), Lang::En);
        assert_eq!(of(Some("fr, en;q=0.3, zh-CN;q=0.8")), Lang::Zh);
        assert_eq!(of(Some("de;q=nonsense,*")), Lang::Zh);
        assert_eq!(Lang::of(Some("en;q=0"), Lang::Zh), Lang::Zh);
    }
}
