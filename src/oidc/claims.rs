//! Reads the header and the claims of a token: a JSON object with unique member names (RFC 7519 §4) and typed
//! accessors.
//!
//! A claim of a wrong type is an error, never a default, so that a check cannot be skipped by a strange value.
//! `verify` compares the values.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::rejection::TokenRejection;
use crate::time::Timestamp;

/// The difference between two honest clocks that the time checks accept (RFC 7519 §4.1.4 allows "a few minutes").
pub(super) const LEEWAY: Duration = Duration::from_secs(60);

/// The claims of a token, or the parameters of its header. Invariant: every name occurred once.
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// Decodes one part of a token. Returns `None` for anything except a base64url JSON object with unique names.
    pub(super) fn from_encoded_part(part: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Returns the value as it is. A JSON `null` is present, so that an explicit `null` fails the type checks.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn require(&self, claim: &'static str) -> Result<&Value, TokenRejection> {
        self.value(claim).ok_or(TokenRejection::Missing { claim })
    }

    pub(super) fn require_text(&self, claim: &'static str) -> Result<&str, TokenRejection> {
        self.require(claim)?.as_str().ok_or(TokenRejection::WrongClaimType { claim })
    }

    pub(super) fn optional_text(&self, claim: &'static str) -> Result<Option<&str>, TokenRejection> {
        self.value(claim).map(|value| value.as_str().ok_or(TokenRejection::WrongClaimType { claim })).transpose()
    }

    /// Returns a NumericDate.
    pub(super) fn require_time(&self, claim: &'static str) -> Result<Timestamp, TokenRejection> {
        read_numeric_date(self.require(claim)?).ok_or(TokenRejection::WrongClaimType { claim })
    }

    /// Returns the audiences: one text or a list of texts (RFC 7519 §4.1.3). A list with any other element fails.
    pub(super) fn require_audiences(&self) -> Result<Vec<&str>, TokenRejection> {
        let wrong_type = TokenRejection::WrongClaimType { claim: "aud" };
        match self.require("aud")? {
            Value::String(one) => Ok(vec![one]),
            Value::Array(many) => many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(wrong_type),
            _ => Err(wrong_type),
        }
    }
}

/// Returns a NumericDate (RFC 7519 §2), without its fraction. Entra's v1 endpoint writes it as a text.
pub(super) fn read_numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(truncate_seconds)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    seconds.map(Timestamp::from_unix)
}

/// Returns the whole seconds of a fractional date. Dates that a 64-bit counter could not represent exactly fail.
fn truncate_seconds(seconds: f64) -> Option<i64> {
    const LIMIT: f64 = 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "the condition bounds the value; the fraction is dropped")]
    (seconds.abs() < LIMIT).then_some(seconds as i64)
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueNamesVisitor)
    }
}

/// Rejects an object in which a name occurs twice (RFC 7519 §4). Two parsers could each read another value: AWS might
/// see another `sub` or `aud` than this program verified.
struct UniqueNamesVisitor;

impl<'de> Visitor<'de> for UniqueNamesVisitor {
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
