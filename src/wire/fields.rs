//! The fields of a JSON object that came from outside: each is there and of its kind, or the
//! refusal names it. `null` counts as absent; fields that nobody asks for are ignored.

use std::borrow::Cow;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::model::{MAX_PASSWORD_CHARS, Refusal, RoomNo, RoomRef, Want};

pub struct Fields<'a>(Cow<'a, Map<String, Value>>);

impl Fields<'_> {
    /// A body or frame: one JSON object.
    pub fn parse(text: &[u8]) -> Result<Fields<'static>, Refusal> {
        match serde_json::from_slice(text) {
            Ok(Value::Object(map)) => Ok(Fields(Cow::Owned(map))),
            Ok(_) => Err(Refusal::Malformed("not a JSON object".into())),
            Err(e) => Err(Refusal::Malformed(format!("not a JSON object: {e}"))),
        }
    }

    /// A field of an object inside is named by its path, `message.content`; the key ends it.
    fn get(&self, field: &str) -> Option<&Value> {
        let key = field.rsplit('.').next().unwrap_or(field);
        self.0.get(key).filter(|v| !v.is_null())
    }

    /// Whether it was sent, `null` or not.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// As it was sent, for an echo.
    pub fn raw(&self, field: &str) -> Option<Value> {
        self.get(field).cloned()
    }

    fn read<'a, T>(
        &'a self,
        field: &'static str,
        want: Want,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or(Refusal::BadField { field, want }),
        }
    }

    pub fn text(&self, field: &'static str) -> Result<Option<&str>, Refusal> {
        self.read(field, Want::Text, Value::as_str)
    }

    pub fn flag(&self, field: &'static str) -> Result<Option<bool>, Refusal> {
        self.read(field, Want::Flag, Value::as_bool)
    }

    pub fn number(&self, field: &'static str) -> Result<Option<u64>, Refusal> {
        self.read(field, Want::Number, Value::as_u64)
    }

    /// A whole number of a range; `want` names it.
    pub fn within(
        &self,
        field: &'static str,
        range: std::ops::RangeInclusive<u64>,
        want: Want,
    ) -> Result<Option<u64>, Refusal> {
        self.read(field, want, |v| v.as_u64().filter(|n| range.contains(n)))
    }

    pub fn uuid(&self, field: &'static str) -> Result<Option<Uuid>, Refusal> {
        self.read(field, Want::Uuid, |v| Uuid::parse_str(v.as_str()?).ok())
    }

    /// A room by its id or its number.
    pub fn room(&self, field: &'static str) -> Result<RoomRef, Refusal> {
        let want = Want::Room;
        let read = |v: &Value| match v {
            Value::String(text) => room_ref(text),
            _ => v.as_i64().map(|no| RoomRef::No(RoomNo(no))),
        };
        self.read(field, want, read)?
            .ok_or(Refusal::BadField { field, want })
    }

    /// A password that may be absent; an empty one counts as none.
    pub fn password(&self, field: &'static str) -> Result<Option<String>, Refusal> {
        match self.text(field)?.filter(|p| !p.is_empty()) {
            Some(p) if p.chars().count() > MAX_PASSWORD_CHARS => Err(Refusal::BadPassword),
            found => Ok(found.map(str::to_owned)),
        }
    }

    /// All fields, as numbers under numbers; `field` names this object.
    pub fn numbers(&self, field: &'static str) -> Result<Vec<(i64, u64)>, Refusal> {
        let pair = |(key, value): (&String, &Value)| Some((key.parse().ok()?, value.as_u64()?));
        let pairs: Option<Vec<_>> = self.0.iter().map(pair).collect();
        need(pairs, field, Want::Places)
    }

    pub fn object(&self, field: &'static str) -> Result<Fields<'_>, Refusal> {
        let want = Want::Object;
        let found = self.read(field, want, Value::as_object)?;
        found
            .map(|map| Fields(Cow::Borrowed(map)))
            .ok_or(Refusal::BadField { field, want })
    }
}

/// That a field which may not be missing is there.
pub fn need<T>(found: Option<T>, field: &'static str, want: Want) -> Result<T, Refusal> {
    found.ok_or(Refusal::BadField { field, want })
}

/// A room as a path or a string names it: fewer than 32 digits are its number.
pub fn room_ref(text: &str) -> Option<RoomRef> {
    if text.len() < 32 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(|no| RoomRef::No(RoomNo(no)));
    }
    Uuid::parse_str(text).ok().map(RoomRef::Id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'static> {
        Fields::parse(json.as_bytes()).unwrap_or_else(|_| panic!("{json} is an object"))
    }

    #[test]
    fn a_field_of_another_kind_is_named() {
        let f = fields(r#"{"roomName":7,"listed":"yes","limit":-1,"request":"no","message":[]}"#);
        let named = |refusal| match refusal {
            Refusal::BadField { field, .. } => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(f.text("roomName").unwrap_err()), "roomName");
        assert_eq!(named(f.flag("listed").unwrap_err()), "listed");
        assert_eq!(named(f.number("limit").unwrap_err()), "limit");
        assert_eq!(named(f.uuid("request").unwrap_err()), "request");
        assert_eq!(named(f.object("message").err().unwrap()), "message");
        assert_eq!(named(f.room("roomId").unwrap_err()), "roomId");
    }

    #[test]
    fn null_is_absent_and_an_empty_password_is_none() {
        let f = fields(r#"{"roomName":null,"roomPassword":""}"#);
        assert_eq!(f.text("roomName"), Ok(None));
        assert_eq!(f.password("roomPassword"), Ok(None));
    }

    #[test]
    fn a_room_is_named_by_number_or_id() {
        let id = "95c0f223421e453088fb11fb322d618d";
        let by_id = RoomRef::Id(Uuid::parse_str(id).unwrap());
        assert_eq!(room_ref(id), Some(by_id));
        assert_eq!(
            room_ref("95C0F223-421E-4530-88FB-11FB322D618D"),
            Some(by_id)
        );
        assert_eq!(room_ref("7"), Some(RoomRef::No(RoomNo(7))));
        assert_eq!(room_ref("-7"), None);
        assert_eq!(room_ref("me"), None);
        assert_eq!(
            fields(r#"{"roomId":7}"#).room("roomId"),
            Ok(RoomRef::No(RoomNo(7)))
        );
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        let bomb = "[".repeat(30_000);
        for text in ["", "[]", "7", "{", "{\"a\":1e999}", "\"\\ud800\"", &bomb] {
            let refusal = Fields::parse(text.as_bytes()).err();
            assert!(matches!(refusal, Some(Refusal::Malformed(_))), "{text:.20}");
        }
    }
}
