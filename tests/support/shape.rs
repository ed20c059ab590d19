//! JSON matched by shape: ids, tokens and times by form, everything else by value.
//!
//! A string of the expected JSON may be a placeholder:
//! `<hex32>` `<hex64>` `<uuid>` `<utc-ms>` `<local-ns>` `<int>` `<avatar>` `<epoch>` `<any>`.
//! With a name, `<hex32:alice>`, what it matched is kept: the same name has to match the same
//! value everywhere, and other strings may use it, `用户{alice:5}` being its first 5 characters.

use serde_json::Value;
use std::collections::HashMap;

pub struct Shape {
    /// Keys that may stand beside the expected ones; none given, any may.
    additions: Option<Vec<String>>,
    kept: HashMap<String, Value>,
}

impl Shape {
    /// Keys beside the expected ones are ignored.
    pub fn loose() -> Shape {
        Shape {
            additions: None,
            kept: HashMap::new(),
        }
    }

    /// Exactly the expected keys and, where they are there, these additions.
    pub fn strict(additions: &[&str]) -> Shape {
        let additions = additions.iter().map(|a| a.to_string()).collect();
        Shape {
            additions: Some(additions),
            kept: HashMap::new(),
        }
    }

    /// What a named placeholder matched.
    pub fn get(&self, name: &str) -> &Value {
        self.kept
            .get(name)
            .unwrap_or_else(|| panic!("nothing was kept as {name:?}"))
    }

    /// Fails unless `actual` has the expected shape.
    pub fn check(&mut self, actual: &Value, expected: &Value) {
        self.keep(actual, expected);
        if let Err(why) = self.matches("", actual, expected) {
            panic!("{why}\n  expected {expected}\n  actual   {actual}");
        }
    }

    /// Keeps what named placeholders match, before other strings refer to it.
    fn keep(&mut self, actual: &Value, expected: &Value) {
        match (expected, actual) {
            (Value::Array(wanted), Value::Array(found)) => {
                found.iter().zip(wanted).for_each(|(a, e)| self.keep(a, e));
            }
            (Value::Object(wanted), Value::Object(found)) => {
                let pairs = wanted.iter().filter_map(|(k, e)| Some((found.get(k)?, e)));
                pairs.for_each(|(a, e)| self.keep(a, e));
            }
            (Value::String(pattern), _) if pattern.starts_with('<') => {
                // What does not match is said by `matches`.
                let _ = self.matches_string("", actual, pattern);
            }
            _ => {}
        }
    }

    fn matches(&mut self, at: &str, actual: &Value, expected: &Value) -> Result<(), String> {
        match (expected, actual) {
            (Value::String(pattern), _) => self.matches_string(at, actual, pattern),
            (Value::Array(wanted), Value::Array(found)) => {
                if wanted.len() != found.len() {
                    return Err(format!(
                        "{at}: {} elements, not {}",
                        found.len(),
                        wanted.len()
                    ));
                }
                let mut pairs = found.iter().zip(wanted).enumerate();
                pairs.try_for_each(|(i, (a, e))| self.matches(&format!("{at}[{i}]"), a, e))
            }
            (Value::Object(wanted), Value::Object(found)) => {
                for (key, e) in wanted {
                    let a = found
                        .get(key)
                        .ok_or_else(|| format!("{at}.{key} is missing"))?;
                    self.matches(&format!("{at}.{key}"), a, e)?;
                }
                let allowed =
                    |k: &String| self.additions.as_ref().is_none_or(|list| list.contains(k));
                match found
                    .keys()
                    .find(|k| !wanted.contains_key(*k) && !allowed(k))
                {
                    Some(key) => Err(format!(
                        "{at}.{key} is neither documented nor an allowed addition"
                    )),
                    None => Ok(()),
                }
            }
            _ if expected == actual => Ok(()),
            _ => Err(format!("{at} is {actual}, not {expected}")),
        }
    }

    fn matches_string(&mut self, at: &str, actual: &Value, pattern: &str) -> Result<(), String> {
        let Some(inside) = pattern.strip_prefix('<').and_then(|p| p.strip_suffix('>')) else {
            let wanted = self.filled(pattern);
            let same = actual.as_str() == Some(&wanted);
            return if same {
                Ok(())
            } else {
                Err(format!("{at} is {actual}, not {wanted:?}"))
            };
        };
        let (form, name) = inside.split_once(':').unwrap_or((inside, ""));
        if !has_form(actual, form) {
            return Err(format!("{at} is {actual}, which is no <{form}>"));
        }
        if name.is_empty() {
            return Ok(());
        }
        let kept = self
            .kept
            .entry(name.to_string())
            .or_insert_with(|| actual.clone());
        if kept == actual {
            Ok(())
        } else {
            Err(format!("{at} is {actual}, but {name} was {kept}"))
        }
    }

    /// The pattern with each `{name}` and `{name:5}` replaced by what was kept.
    fn filled(&self, pattern: &str) -> String {
        let mut text = pattern.to_string();
        for (name, value) in &self.kept {
            let whole = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_string);
            let start: String = whole.chars().take(5).collect();
            text = text
                .replace(&format!("{{{name}}}"), &whole)
                .replace(&format!("{{{name}:5}}"), &start);
        }
        text
    }
}

fn has_form(value: &Value, form: &str) -> bool {
    let text = value.as_str().unwrap_or_default();
    match form {
        "any" => true,
        "int" => value.as_u64().is_some_and(|n| n >= 1),
        "avatar" => value.as_u64().is_some_and(|n| n <= 49),
        "hex32" => is_hex(text, 32),
        "hex64" => is_hex(text, 64),
        "uuid" => like(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"),
        "epoch" => !text.is_empty() || value.is_u64(),
        "utc-ms" => like(text, "dddd-dd-ddTdd:dd:dd.ddd+00:00"),
        "local-ns" => {
            let (time, zone) = text.split_at_checked(29).unwrap_or_default();
            like(time, "dddd-dd-ddTdd:dd:dd.ddddddddd")
                && (like(zone, "+dd:dd") || like(zone, "-dd:dd"))
        }
        _ => panic!("no placeholder <{form}>"),
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// `d` stands for a digit, `h` for a lowercase hex digit, anything else for itself.
fn like(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(b, p)| match p {
            b'd' => b.is_ascii_digit(),
            b'h' => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            _ => b == p,
        })
}
