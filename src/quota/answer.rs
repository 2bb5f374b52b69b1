//! What the quota service answers, as far as it can be believed.
//!
//! Whether it is allowed must be said: an empty object is no refusal.

use serde::Deserialize;

use super::QuotaUsage;
use crate::{http, text::UntrustedText};

/// A usable answer: what was counted, where the service allows it.
pub(super) type QuotaAnswer = Result<Option<QuotaUsage>, QuotaDenied>;

/// The service's no, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaDenied {
    /// `monthly_exceeded`, `missing_identity` …
    pub reason: UntrustedText,
    pub message: UntrustedText,
    pub usage: Option<QuotaUsage>,
    /// Whose limit it is.
    pub policy: Option<UntrustedText>,
    pub period: QuotaPeriod,
}

/// When a limit begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaPeriod {
    Day,
    Month,
    /// It is no limit of time: the service does not know the person, or failed.
    NotPeriodic,
}

#[derive(Deserialize)]
struct QuotaAnswerBody {
    allowed: bool,
    reason: Option<String>,
    message: Option<String>,
    usage: Option<QuotaUsage>,
    policy: Option<QuotaPolicy>,
}

#[derive(Deserialize)]
struct QuotaPolicy {
    #[serde(rename = "type")]
    kind: Option<String>,
    identifier: Option<String>,
}

/// `None` for what is no answer.
pub(super) fn parse_answer(body: &[u8]) -> Option<QuotaAnswer> {
    let QuotaAnswerBody { allowed, reason, message, usage, policy } = http::parse_json_object(body)?;
    if allowed {
        return Some(Ok(usage));
    }
    let reason = reason.unwrap_or_default();
    Some(Err(QuotaDenied {
        period: parse_period(&reason),
        reason: UntrustedText::new(reason),
        message: UntrustedText::new(message.unwrap_or_default()),
        usage,
        policy: policy.and_then(QuotaPolicy::display_name).map(UntrustedText::new),
    }))
}

fn parse_period(reason: &str) -> QuotaPeriod {
    match reason {
        reason if reason.starts_with("daily_") => QuotaPeriod::Day,
        reason if reason.starts_with("monthly_") => QuotaPeriod::Month,
        _ => QuotaPeriod::NotPeriodic,
    }
}

impl QuotaPolicy {
    fn display_name(self) -> Option<String> {
        match (self.kind, self.identifier) {
            (Some(kind), Some(identifier)) => Some(format!("{kind} {identifier}")),
            (one, other) => one.or(other),
        }
    }
}
