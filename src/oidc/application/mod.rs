//! The application before the provider: its name, and what proves it (RFC 6749 §2.3), in every form it posts.
//!
//! It presents; what proves the application is kept by `cache`, and told by the profile.

mod assertion;
mod private_key;
mod pem;

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded::{Serializer, byte_serialize};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ClientAuthMethod, ProviderEndpoint, ProviderMetadata, ResponseSource};
use crate::{
    config::{ClientAuth, Profile},
    host::Host,
    secret::Secret,
    url::SecureUrl,
};
use assertion::AssertionSigner;

pub use assertion::ClientFiles;
pub use private_key::ClientFileFault;

/// Everything needed is at hand, so that nobody signs in for nothing.
#[derive(Debug)]
pub struct Application<'a> {
    pub profile: &'a Profile,
    proof: ClientCredential<'a>,
}

#[derive(Debug)]
enum ClientCredential<'a> {
    None,
    Secret(Secret),
    Key(Box<AssertionSigner<'a>>),
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
    /// What is wrong with the file of the private key.
    Key(ClientFileFault),
    Certificate(ClientFileFault),
}

/// Where a form goes, and how an application may prove itself there.
#[derive(Debug)]
pub(super) struct ClientAuthEndpoint<'a> {
    kind: ProviderEndpoint,
    pub(super) url: &'a SecureUrl,
    methods: Option<&'a [String]>,
    algorithms: Option<&'a [String]>,
}

impl ClientAuthEndpoint<'_> {
    pub(super) fn response_source(&self) -> ResponseSource {
        ResponseSource { endpoint: self.kind, host: self.url.authority().to_owned() }
    }
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
                ClientCredential::Key(Box::new(AssertionSigner::new(key, files, kept.passphrase.as_ref(), host)?))
            }
        };
        Ok(Self { profile, proof })
    }

    /// Adds to the form what names and proves the application. Gives the Authorization header, where that does both: some
    /// providers refuse the client's name in two places.
    pub(super) fn append_proof(
        &self,
        endpoint: &ClientAuthEndpoint<'_>,
        form: &mut Serializer<'_, String>,
    ) -> Option<Secret> {
        let client_id = &self.profile.client_id;
        match &self.proof {
            ClientCredential::None => form.append_pair("client_id", client_id),
            ClientCredential::Secret(secret) if uses_post_method(endpoint.methods) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose())
            }
            ClientCredential::Secret(secret) => return Some(build_basic_header(client_id, secret)),
            // RFC 7521 §4.2 leaves the name to the assertion, and Entra demands it beside.
            ClientCredential::Key(signer) => form
                .append_pair("client_id", client_id)
                .append_pair("client_assertion_type", assertion::ASSERTION_TYPE)
                .append_pair("client_assertion", signer.sign_assertion(self.profile, endpoint).expose()),
        };
        None
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
    /// How an application may prove itself at this endpoint: as at that for tokens (RFC 8628 §3.1), unless the provider
    /// says something of its own for revocation.
    pub(super) fn auth_endpoint<'a>(&'a self, kind: ProviderEndpoint, url: &'a SecureUrl) -> ClientAuthEndpoint<'a> {
        let own = self.revocation_auth_methods.as_deref().filter(|_| kind == ProviderEndpoint::Revocation);
        let methods = own.or(self.token_auth_methods.as_deref());
        ClientAuthEndpoint { kind, url, methods, algorithms: self.auth_algorithms.as_deref() }
    }
}

#[cfg(test)]
mod tests;
