//! A JSON object whose names are unique, as RFC 7519 §4 demands of claims, and the kinds its values come in.
//!
//! It reads values; what they must be is for `verify`.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::time::Moment;

/// The claims of a token, or the parameters of its header.
pub(super) struct Claims(Map<String, Value>);

/// Why a claim cannot be used.
pub(super) enum Unusable {
    Missing,
    /// It is there, and of another kind than the standard's.
    WrongKind,
}

impl Claims {
    /// Reads one of a token's parts; `None` for anything but an object with unique names.
    pub(super) fn decode(part: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice(&json).ok()
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Unusable> {
        self.value(name).ok_or(Unusable::Missing)?.as_str().ok_or(Unusable::WrongKind)
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, Unusable> {
        self.value(name).map(|value| value.as_str().ok_or(Unusable::WrongKind)).transpose()
    }

    /// A NumericDate (RFC 7519 §2), which may have a fraction; Entra's first version writes it as a text.
    pub(super) fn moment(&self, name: &str) -> Result<Moment, Unusable> {
        let seconds = match self.value(name).ok_or(Unusable::Missing)? {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        seconds.map(Moment::from_unix).ok_or(Unusable::WrongKind)
    }

    /// The audiences: one text, or a list of them (RFC 7519 §4.1.3).
    pub(super) fn audiences(&self) -> Result<Vec<&str>, Unusable> {
        match self.value("aud").ok_or(Unusable::Missing)? {
            Value::String(one) => Ok(vec![one]),
            Value::Array(many) => many.iter().map(|one| one.as_str().ok_or(Unusable::WrongKind)).collect(),
            _ => Err(Unusable::WrongKind),
        }
    }
}

/// The whole seconds of a fractional date, where 64 bits can count them.
fn whole(seconds: f64) -> Option<i64> {
    const LIMIT: f64 = 9e15;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded on the line itself; the fraction is not wanted"
    )]
    (seconds.abs() < LIMIT).then_some(seconds as i64)
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Unique)
    }
}

/// Refuses a name that comes twice: two readers could each believe another of its values.
struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with unique names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Claims, A::Error> {
        let mut claims = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Claims(claims))
    }
}
