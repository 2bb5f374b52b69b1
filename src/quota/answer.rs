//! Parses the answer of the quota service.
//!
//! `allowed` is the only required field. Without it the body is not an answer at all, neither an approval nor a
//! denial, and `on_error` of the profile decides. All texts come from outside, so they are [`UntrustedText`].

use serde::{Deserialize, Serialize};

use super::QuotaUsage;
use crate::{
    http,
    text::{UntrustedText, escape_controls},
    time::Timestamp,
};

/// A valid answer: an approval with the usage that the service reported, or a denial.
pub(super) type QuotaAnswer = Result<Option<QuotaUsage>, QuotaDenied>;

/// A denial, with the reason in the words of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaDenied {
    /// A code such as `monthly_exceeded` or `missing_identity`.
    pub reason: UntrustedText,
    pub message: UntrustedText,
    pub usage: Option<QuotaUsage>,
    /// The user, group or organization that the limit is for, such as `group engineering`.
    pub policy: Option<UntrustedText>,
    pub period: QuotaPeriod,
    /// When the limit starts again, or the block ends. AWS's guidance sample does not say it.
    pub resets_at: Option<Timestamp>,
}

/// A denial as it is stored for `status`, which does not ask the service. The texts come from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDenial {
    /// When the service denied the request.
    pub at: Timestamp,
    pub reason: String,
    pub message: String,
    pub policy: Option<String>,
    /// When the limit starts again, or the block ends, if the service said so.
    pub until: Option<Timestamp>,
}

/// The period after which a limit starts again from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaPeriod {
    Hour,
    Day,
    Month,
    /// An administrator has blocked the user.
    Blocked,
    /// The denial has another reason, such as an unknown user. Waiting does not help.
    NotPeriodic,
}

#[derive(Deserialize)]
struct QuotaAnswerBody {
    allowed: bool,
    reason: Option<String>,
    message: Option<String>,
    usage: Option<QuotaUsage>,
    policy: Option<QuotaPolicy>,
    resets_at: Option<String>,
}

#[derive(Deserialize)]
struct QuotaPolicy {
    #[serde(rename = "type")]
    kind: Option<String>,
    identifier: Option<String>,
}

impl StoredDenial {
    pub fn new(denied: &QuotaDenied, at: Timestamp) -> Self {
        let QuotaDenied { reason, message, policy, resets_at, usage: _, period: _ } = denied;
        Self {
            at,
            reason: reason.to_safe_line(),
            message: message.to_safe_line(),
            policy: policy.as_ref().map(UntrustedText::to_safe_line),
            until: *resets_at,
        }
    }

    /// The same with texts that a terminal can show, whatever has been written into the notes.
    #[must_use]
    pub fn escape_texts(self) -> Self {
        let Self { at, reason, message, policy, until } = self;
        let [reason, message] = [reason, message].map(|text| escape_controls(&text));
        Self { at, reason, message, policy: policy.map(|text| escape_controls(&text)), until }
    }

    pub fn period(&self) -> QuotaPeriod {
        parse_period(&self.reason)
    }

    /// Whether it can still hold: nobody has asked the service since, and its end has not come.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// Parses a body; `None` if it is not a valid answer.
pub(super) fn parse_answer(body: &[u8]) -> Option<QuotaAnswer> {
    let QuotaAnswerBody { allowed, reason, message, usage, policy, resets_at } = http::parse_json_object(body)?;
    if allowed {
        return Some(Ok(usage));
    }
    let reason = reason.unwrap_or_default();
    Some(Err(QuotaDenied {
        period: parse_period(&reason),
        reason: UntrustedText::new(reason),
        message: UntrustedText::new(message.unwrap_or_default()),
        usage,
        resets_at: resets_at.as_deref().and_then(Timestamp::from_rfc3339),
        policy: policy.and_then(QuotaPolicy::display_name).map(UntrustedText::new),
    }))
}

/// The codes of AWS's guidance sample begin with the period.
fn parse_period(reason: &str) -> QuotaPeriod {
    match reason {
        "blocked" => QuotaPeriod::Blocked,
        reason if reason.starts_with("hourly_") => QuotaPeriod::Hour,
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
