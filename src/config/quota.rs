//! Where a quota service stands, how often it is asked, and what holds without its answer.
//!
//! Settings only; asking it is the business of the module of the same name.

use std::time::Duration;

use crate::url::SecureUrl;

/// A service that says who may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    pub endpoint: SecureUrl,
    /// How long its yes holds.
    pub interval: Duration,
    pub timeout: Duration,
    pub on_error: QuotaErrorPolicy,
}

/// What holds when the service gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaErrorPolicy {
    Allow,
    Deny,
}

impl QuotaErrorPolicy {
    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}
