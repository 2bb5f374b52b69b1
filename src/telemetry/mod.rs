//! Claims to headers: what a collector is told about the person who is signed in.
//!
//! It makes text of what is known; who reads what is kept, and who prints, is others' business.

mod endpoint;
mod default_headers;
mod claim_text;

use std::collections::BTreeMap;

use crate::{config::Profile, credentials::to_json_line, oidc::VerifiedToken, secret::Secret};

use claim_text::{escape_header_value, read_first_claim};
pub use endpoint::{CollectorRejected, check_token_collectors};

/// Names and values that are safe in any request.
#[derive(Debug, Default)]
pub struct TelemetryHeaders(BTreeMap<String, String>);

impl TelemetryHeaders {
    /// The headers that the profile asks for; else the usual ones, so that dashboards find what they know.
    pub fn from_claims(token: &VerifiedToken, profile: &Profile) -> Self {
        let asked = &profile.telemetry.headers;
        let mut headers = Self::default();
        if asked.is_empty() {
            default_headers::add_default_headers(&mut headers, token, profile.provider);
        }
        for (name, claims) in asked {
            // A claim that says nothing is a header that is not sent.
            if let Some(value) = read_first_claim(token, claims) {
                headers.set(name, &value);
            }
        }
        headers
    }

    /// The token itself, for collectors that verify who sends.
    pub fn set_bearer_token(&mut self, token: &Secret) {
        self.0.insert("authorization".into(), format!("Bearer {}", token.expose()));
    }

    /// One line of JSON: an object of strings.
    pub fn to_document(&self) -> Secret {
        to_json_line(&self.0)
    }

    fn set(&mut self, name: &str, value: &str) {
        let value = escape_header_value(value);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
