//! Where a quota service stands, how often it is asked, and what holds without its answer.
//!
//! Settings only; asking it is the business of the module of the same name.

use std::time::Duration;

use super::choice::NamedChoice;
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

impl NamedChoice for QuotaErrorPolicy {
    const CHOICES: &'static [(&'static str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}
