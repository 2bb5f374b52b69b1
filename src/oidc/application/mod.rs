//! The application before the provider: its name, and what proves it (RFC 6749 §2.3), in every form it posts.
//!
//! It presents; what proves the application is kept by `cache`, and told by the profile.

mod assertion;
mod key;
mod pem;

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded::byte_serialize;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Metadata;
use crate::{
    config::{ClientAuth, Profile},
    host::Host,
    secret::Secret,
    url::SecureUrl,
};
use assertion::Assertor;

pub use assertion::{BadFile, ClientFiles};
pub use key::Flaw;

/// Everything needed is at hand, so that nobody signs in for nothing.
#[derive(Debug)]
pub struct Application<'a> {
    pub profile: &'a Profile,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Secret(Secret),
    Key(Box<Assertor>),
}

/// What is kept of the application besides what the profile says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keepsakes {
    pub secret: Option<Secret>,
    /// Of the private key.
    pub passphrase: Option<Secret>,
}

/// What is missing, although the profile demands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    NoSecret,
    BadFile(BadFile),
}

/// Which proof the provider did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Secret,
    Key,
}

/// Where a form goes, and how an application may prove itself there.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) url: &'a SecureUrl,
    methods: Option<&'a [String]>,
    algorithms: Option<&'a [String]>,
}

/// What goes along with a form.
#[derive(Debug, Default)]
pub(super) struct Presented {
    /// The Authorization header.
    pub(super) header: Option<Secret>,
    pub(super) fields: Vec<(&'static str, Secret)>,
}

impl<'a> Application<'a> {
    pub fn of(
        profile: &'a Profile,
        kept: Keepsakes,
        files: &ClientFiles,
        host: &Host,
    ) -> Result<Self, Unproven> {
        let proof = match &profile.client_auth {
            ClientAuth::None => Proof::None,
            ClientAuth::Secret => Proof::Secret(kept.secret.ok_or(Unproven::NoSecret)?),
            ClientAuth::PrivateKey(key) => {
                let assertor = Assertor::of(profile, key, files, kept.passphrase.as_ref(), host);
                Proof::Key(Box::new(assertor.map_err(Unproven::BadFile)?))
            }
        };
        Ok(Self { profile, proof })
    }

    pub(super) fn present(&self, endpoint: &Endpoint<'_>) -> Presented {
        let client_id = &self.profile.client_id;
        let id = || ("client_id", Secret::new(client_id));
        match &self.proof {
            Proof::None => Presented { header: None, fields: vec![id()] },
            Proof::Secret(secret) if is_posted(endpoint.methods) => {
                Presented { header: None, fields: vec![id(), ("client_secret", secret.clone())] }
            }
            // Some providers refuse the client's name in two places.
            Proof::Secret(secret) => Presented { header: Some(basic(client_id, secret)), fields: Vec::new() },
            // RFC 7521 §4.2 leaves the name to the assertion, and Entra demands it beside.
            Proof::Key(assertor) => {
                let kind = ("client_assertion_type", Secret::new(assertion::KIND));
                let assertion = ("client_assertion", assertor.assertion(self.profile, endpoint));
                Presented { header: None, fields: vec![id(), kind, assertion] }
            }
        }
    }

    pub(super) fn means(&self) -> Option<Means> {
        match self.proof {
            Proof::None => None,
            Proof::Secret(_) => Some(Means::Secret),
            Proof::Key(_) => Some(Means::Key),
        }
    }

    /// What a provider might quote.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::None | Proof::Key(_) => None,
            Proof::Secret(secret) => Some(secret),
        }
    }
}

/// The header is the standard's own way, and the default where the provider says nothing (RFC 8414 §2).
fn is_posted(methods: Option<&[String]>) -> bool {
    let offers = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    offers("client_secret_post") && !offers("client_secret_basic")
}

/// Each half is encoded as in a form before the two are joined (RFC 6749 §2.3.1), which many programs forget.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

impl Metadata {
    pub(super) fn for_tokens(&self) -> Endpoint<'_> {
        self.like_tokens(&self.token_endpoint)
    }

    /// An endpoint at which the application proves itself as at that for tokens (RFC 8628 §3.1).
    pub(super) fn like_tokens<'a>(&'a self, url: &'a SecureUrl) -> Endpoint<'a> {
        let methods = self.token_auth_methods.as_deref();
        Endpoint { url, methods, algorithms: self.auth_algorithms.as_deref() }
    }

    /// A provider that says nothing of its own for this endpoint is believed to mean the same everywhere.
    pub(super) fn for_revocation<'a>(&'a self, url: &'a SecureUrl) -> Endpoint<'a> {
        let as_for_tokens = self.like_tokens(url);
        let methods = self.revocation_auth_methods.as_deref().or(as_for_tokens.methods);
        Endpoint { methods, ..as_for_tokens }
    }
}

#[cfg(test)]
mod tests;
