//! Claims to headers: what a collector is told about the person who is signed in.
//!
//! It makes text of what is known; who reads what is kept, and who prints, is others' business.

mod endpoint;
mod usual;
mod value;

use std::collections::BTreeMap;

use crate::{config::Profile, credentials::Document, oidc::VerifiedToken, secret::Secret};

pub use endpoint::{Exposed, may_carry_a_token};
use value::{printable, said};

/// Names and values that are safe in any request.
#[derive(Debug, Default)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The headers that the profile asks for; else the usual ones, so that dashboards find what they know.
    pub fn of(token: &VerifiedToken, profile: &Profile) -> Self {
        let asked = &profile.telemetry.headers;
        let mut headers = Self::default();
        if asked.is_empty() {
            usual::fill(&mut headers, token, profile.provider);
        }
        for (name, claims) in asked {
            // A claim that says nothing is a header that is not sent.
            if let Some(value) = claims.iter().find_map(|claim| said(token, claim)) {
                headers.set(name, &value);
            }
        }
        headers
    }

    /// The token itself, for collectors that verify who sends.
    pub fn authorize(&mut self, token: &Secret) {
        self.0.insert("authorization".into(), format!("Bearer {}", token.expose()));
    }

    /// One line of JSON: an object of strings.
    pub fn document(&self) -> Document {
        Document::of(&self.0)
    }

    fn set(&mut self, name: &str, value: &str) {
        let value = printable(value);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
