//! Turns the claims of an ID token into HTTP headers that identify the signed-in user to a telemetry collector, and into
//! attributes that a relay adds to telemetry.
//!
//! The claims are untrusted text, so every value is escaped: no claim can end its header or add another one. The
//! command `otel-headers` reads the stored token and prints the headers.

mod endpoint;
pub mod otlp;
mod attributes;
mod identity_table;
mod claim_text;

use std::collections::BTreeMap;

use crate::{config::Profile, credentials::to_json_line, oidc::VerifiedToken, secret::Secret};

pub use attributes::IdentityAttributes;
use claim_text::{escape_header_value, read_first_claim};
pub use endpoint::{CollectorRejected, check_token_collectors};
use identity_table::IDENTITY_FIELDS;

/// Header names with their values. Every value has been escaped by `escape_header_value`.
#[derive(Debug, Default)]
pub struct TelemetryHeaders(BTreeMap<String, String>);

impl TelemetryHeaders {
    /// The headers of the profile's `telemetry.headers`. If it has none, those of AWS's guidance sample, so that an
    /// existing collector and its dashboards work unchanged.
    pub fn from_claims(token: &VerifiedToken, profile: &Profile) -> Self {
        let configured = &profile.telemetry.headers;
        let mut headers = Self::default();
        if let Some(oidc) = profile.oidc().filter(|_| configured.is_empty()) {
            for field in &IDENTITY_FIELDS {
                headers.set(field.header, &field.header_value(token, oidc.provider));
            }
        }
        for (name, claims) in configured {
            // A header without a value would group all users under an empty name, so it is left out.
            if let Some(value) = read_first_claim(token, claims) {
                headers.set(name, &value);
            }
        }
        headers.with_fixed_values(profile)
    }

    /// The headers of a user of an Identity Center, of whom only the name is known. It is often an e-mail address.
    pub fn from_user_name(name: &str, profile: &Profile) -> Self {
        let mut headers = Self::default();
        headers.set("x-user-name", name);
        if name.contains('@') {
            headers.set("x-user-email", name);
        }
        headers.with_fixed_values(profile)
    }

    /// Adds `telemetry.static`, whose values come from the administrator and outrank claims.
    fn with_fixed_values(mut self, profile: &Profile) -> Self {
        for (name, value) in &profile.telemetry.fixed {
            self.set(name, value);
        }
        self
    }

    /// Adds the version of this program, and the slug of its last failure, so that an organisation sees which versions
    /// are in use and how they fail.
    pub fn set_helper_state(&mut self, last_failure: Option<&str>) {
        self.set(otlp::VERSION_HEADER, env!("CARGO_PKG_VERSION"));
        self.set(otlp::FAILURE_HEADER, last_failure.unwrap_or_default());
    }

    /// Adds the token itself, for a collector that verifies the sender. The caller must have checked the destination
    /// with [`check_token_collectors`].
    pub fn set_bearer_token(&mut self, token: &Secret) {
        self.0.insert("authorization".into(), format!("Bearer {}", token.expose()));
    }

    /// The headers for the relay on the computer: the token that only it accepts, and nothing about the user.
    pub fn for_laptop_relay(token: &Secret) -> Self {
        let mut headers = Self::default();
        headers.set_bearer_token(token);
        headers
    }

    /// The headers as one line of JSON, an object of strings, which is what Claude Code's `otelHeadersHelper` expects.
    pub fn to_document(&self) -> Secret {
        to_json_line(&self.0)
    }

    /// Sets a header, unless the value is empty after escaping.
    fn set(&mut self, name: &str, value: &str) {
        let value = escape_header_value(value);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
