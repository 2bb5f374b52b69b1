//! What the provider must prove about a sign-in: the checked value of the key `require`.
//!
//! `require_table` parses it, the provider's `SignInProofSupport` says what the provider can prove, and `oidc` asks for
//! it and verifies it.

use std::time::Duration;

use super::fingerprint::FingerprintHasher;
use crate::{text::sanitize_line, time::format_duration};

/// The requirements of a profile. An empty list and `None` require nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInRequirements {
    /// The accepted authentication contexts (`acr`), of which a sign-in has one.
    pub acr: Vec<String>,
    /// The authentication methods (`amr`) that a sign-in must have used, all of them.
    pub amr: Vec<String>,
    /// How long ago the user may have authenticated (`auth_time`).
    pub max_age: Option<Duration>,
    /// The accepted domains of the user's e-mail address.
    pub email_domain: Vec<String>,
}

impl SignInRequirements {
    /// Whether the profile requires nothing.
    pub fn is_empty(&self) -> bool {
        let Self { acr, amr, max_age, email_domain } = self;
        acr.is_empty() && amr.is_empty() && max_age.is_none() && email_domain.is_empty()
    }

    /// The requirements in one line, for messages: `acr 2 or 3, max_age 12 h`.
    pub fn describe(&self) -> String {
        let Self { acr, amr, max_age, email_domain } = self;
        let list = |name: &str, values: &[String], between: &str| {
            (!values.is_empty()).then(|| format!("{name} {}", sanitize_line(&values.join(between))))
        };
        let parts = [
            list("acr", acr, " or "),
            list("amr", amr, " and "),
            max_age.map(|age| format!("max_age {}", format_duration(age))),
            list("email_domain", email_domain, " or "),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Adds the requirements to a fingerprint. Without requirements it adds nothing, so that the fingerprints of earlier
    /// versions stay valid and no user has to sign in again after an upgrade.
    pub(super) fn add_to_fingerprint(&self, hasher: &mut FingerprintHasher) {
        if self.is_empty() {
            return;
        }
        let Self { acr, amr, max_age, email_domain } = self;
        hasher.add_text("require");
        for list in [acr, amr, email_domain] {
            hasher.add_list(list.iter().map(String::as_str));
        }
        // The smallest legal age is a minute, so zero means that none is required.
        hasher.add_number(max_age.map_or(0, |age| age.as_secs()));
    }
}
