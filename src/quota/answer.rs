//! What the quota service answers, as far as it can be believed.
//!
//! Whether it is allowed must be said: an empty object is no refusal.

use serde::Deserialize;

use super::Usage;
use crate::{http, text::Foreign};

/// A usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Yes(Option<Usage>),
    No(Refusal),
}

/// The service's no, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `monthly_exceeded`, `missing_identity` …
    pub reason: Foreign,
    pub message: Foreign,
    pub usage: Option<Usage>,
    /// Whose limit it is.
    pub policy: Option<Foreign>,
    pub scope: Scope,
}

/// When a limit begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Day,
    Month,
    /// It is no limit of time: the service does not know the person, or failed.
    None,
}

#[derive(Deserialize)]
struct Stated {
    allowed: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    identifier: Option<String>,
}

/// `None` for what is no answer.
pub(super) fn read(body: &[u8]) -> Option<Said> {
    let Stated { allowed, reason, message, usage, policy } = http::object(body)?;
    if allowed {
        return Some(Said::Yes(usage));
    }
    let reason = reason.unwrap_or_default();
    Some(Said::No(Refusal {
        scope: scope(&reason),
        reason: Foreign::new(reason),
        message: Foreign::new(message.unwrap_or_default()),
        usage,
        policy: policy.and_then(Policy::named).map(Foreign::new),
    }))
}

fn scope(reason: &str) -> Scope {
    match reason {
        reason if reason.starts_with("daily_") => Scope::Day,
        reason if reason.starts_with("monthly_") => Scope::Month,
        _ => Scope::None,
    }
}

impl Policy {
    fn named(self) -> Option<String> {
        match (self.kind, self.identifier) {
            (Some(kind), Some(identifier)) => Some(format!("{kind} {identifier}")),
            (one, other) => one.or(other),
        }
    }
}
