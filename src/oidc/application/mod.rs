//! The application before the provider: its name, and what proves it (RFC 6749 §2.3), in every form it posts.
//!
//! It presents; what proves the application is kept by `cache`, and told by the profile.

mod assertion;
mod private_key;
mod pem;

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded::byte_serialize;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ClientAuthMethod, ProviderMetadata};
use crate::{
    config::{ClientAuth, Profile},
    host::Host,
    secret::Secret,
    url::SecureUrl,
};
use assertion::AssertionSigner;

pub use assertion::{ClientFileError, ClientFiles};
pub use private_key::ClientFileFault;

/// Everything needed is at hand, so that nobody signs in for nothing.
#[derive(Debug)]
pub struct Application<'a> {
    pub profile: &'a Profile,
    proof: ClientCredential,
}

#[derive(Debug)]
enum ClientCredential {
    None,
    Secret(Secret),
    Key(Box<AssertionSigner>),
}

/// What is kept of the application besides what the profile says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredClientCredentials {
    pub secret: Option<Secret>,
    /// Of the private key.
    pub passphrase: Option<Secret>,
}

/// What is missing, although the profile demands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCredentialError {
    MissingSecret,
    UnusableFile(ClientFileError),
}

/// Where a form goes, and how an application may prove itself there.
#[derive(Debug)]
pub(super) struct ClientAuthEndpoint<'a> {
    pub(super) url: &'a SecureUrl,
    methods: Option<&'a [String]>,
    algorithms: Option<&'a [String]>,
}

/// What goes along with a form.
#[derive(Debug, Default)]
pub(super) struct ClientAuthParameters {
    /// The Authorization header.
    pub(super) header: Option<Secret>,
    pub(super) fields: Vec<(&'static str, Secret)>,
}

impl<'a> Application<'a> {
    pub fn from_profile(
        profile: &'a Profile,
        kept: StoredClientCredentials,
        files: &ClientFiles,
        host: &Host,
    ) -> Result<Self, ClientCredentialError> {
        let proof = match &profile.client_auth {
            ClientAuth::None => ClientCredential::None,
            ClientAuth::Secret => ClientCredential::Secret(kept.secret.ok_or(ClientCredentialError::MissingSecret)?),
            ClientAuth::PrivateKey(key) => {
                let assertor = AssertionSigner::from_profile(profile, key, files, kept.passphrase.as_ref(), host);
                ClientCredential::Key(Box::new(assertor.map_err(ClientCredentialError::UnusableFile)?))
            }
        };
        Ok(Self { profile, proof })
    }

    pub(super) fn build_auth_parameters(&self, endpoint: &ClientAuthEndpoint<'_>) -> ClientAuthParameters {
        let client_id = &self.profile.client_id;
        let id = || ("client_id", Secret::new(client_id));
        match &self.proof {
            ClientCredential::None => ClientAuthParameters { header: None, fields: vec![id()] },
            ClientCredential::Secret(secret) if uses_post_method(endpoint.methods) => {
                ClientAuthParameters { header: None, fields: vec![id(), ("client_secret", secret.clone())] }
            }
            // Some providers refuse the client's name in two places.
            ClientCredential::Secret(secret) => {
                ClientAuthParameters { header: Some(build_basic_header(client_id, secret)), fields: Vec::new() }
            }
            // RFC 7521 §4.2 leaves the name to the assertion, and Entra demands it beside.
            ClientCredential::Key(assertor) => {
                let kind = ("client_assertion_type", Secret::new(assertion::ASSERTION_TYPE));
                let assertion = ("client_assertion", assertor.sign_assertion(self.profile, endpoint));
                ClientAuthParameters { header: None, fields: vec![id(), kind, assertion] }
            }
        }
    }

    pub(super) fn auth_method(&self) -> Option<ClientAuthMethod> {
        match self.proof {
            ClientCredential::None => None,
            ClientCredential::Secret(_) => Some(ClientAuthMethod::Secret),
            ClientCredential::Key(_) => Some(ClientAuthMethod::Key),
        }
    }

    /// What a provider might quote.
    pub(super) fn client_secret(&self) -> Option<&Secret> {
        match &self.proof {
            ClientCredential::None | ClientCredential::Key(_) => None,
            ClientCredential::Secret(secret) => Some(secret),
        }
    }
}

/// The header is the standard's own way, and the default where the provider says nothing (RFC 8414 §2).
fn uses_post_method(methods: Option<&[String]>) -> bool {
    let offers = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    offers("client_secret_post") && !offers("client_secret_basic")
}

/// Each half is encoded as in a form before the two are joined (RFC 6749 §2.3.1), which many programs forget.
fn build_basic_header(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

impl ProviderMetadata {
    pub(super) fn token_auth_endpoint(&self) -> ClientAuthEndpoint<'_> {
        self.endpoint_with_token_auth(&self.token_endpoint)
    }

    /// An endpoint at which the application proves itself as at that for tokens (RFC 8628 §3.1).
    pub(super) fn endpoint_with_token_auth<'a>(&'a self, url: &'a SecureUrl) -> ClientAuthEndpoint<'a> {
        let methods = self.token_auth_methods.as_deref();
        ClientAuthEndpoint { url, methods, algorithms: self.auth_algorithms.as_deref() }
    }

    /// A provider that says nothing of its own for this endpoint is believed to mean the same everywhere.
    pub(super) fn revocation_auth_endpoint<'a>(&'a self, url: &'a SecureUrl) -> ClientAuthEndpoint<'a> {
        let as_for_tokens = self.endpoint_with_token_auth(url);
        let methods = self.revocation_auth_methods.as_deref().or(as_for_tokens.methods);
        ClientAuthEndpoint { methods, ..as_for_tokens }
    }
}

#[cfg(test)]
mod tests;
