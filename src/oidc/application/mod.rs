//! Client authentication (RFC 6749 §2.3): the client ID, and the secret or private key that proves the application, in
//! every form that the program posts.
//!
//! `cache` stores the secret and the passphrase, and the profile names the method and the key file. This module
//! presents them. A public client has no credentials and relies on PKCE.

mod assertion;
mod private_key;
mod pem;

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded::{Serializer, byte_serialize};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ClientAuthMethod, ProviderEndpoint, ProviderMetadata, ResponseSource};
use crate::{
    config::{ClientAuth, OidcSettings},
    host::Host,
    secret::Secret,
    url::SecureUrl,
};
use assertion::AssertionSigner;

pub use assertion::ClientFiles;
pub use private_key::ClientFileFault;

/// The application of a profile, ready to authenticate.
///
/// Invariant: every credential that the profile demands is present and usable. Callers build it before they prompt, so
/// that a missing secret is reported before the user signs in, not after.
#[derive(Debug)]
pub struct Application<'a> {
    pub settings: &'a OidcSettings,
    proof: ClientCredential<'a>,
}

#[derive(Debug)]
enum ClientCredential<'a> {
    None,
    Secret(Secret),
    Key(Box<AssertionSigner<'a>>),
}

/// The client credentials that `cache` stores, sealed. Configuration files never contain them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredClientCredentials {
    pub secret: Option<Secret>,
    /// Decrypts the private key file.
    pub passphrase: Option<Secret>,
}

/// The credential that the profile demands and that is missing or unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCredentialError {
    MissingSecret,
    /// The file of the private key is unusable.
    Key(ClientFileFault),
    Certificate(ClientFileFault),
}

/// An endpoint that authenticates clients, with the methods and algorithms that the provider states for it.
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
    /// Loads the credentials of the profile. `stored` comes from the cache and `files` from the disk. Fails if one that
    /// the profile demands is missing or unusable.
    pub fn from_settings(
        settings: &'a OidcSettings,
        stored: StoredClientCredentials,
        files: &ClientFiles,
        host: &Host,
    ) -> Result<Self, ClientCredentialError> {
        let proof = match &settings.client_auth {
            ClientAuth::None => ClientCredential::None,
            ClientAuth::Secret => ClientCredential::Secret(stored.secret.ok_or(ClientCredentialError::MissingSecret)?),
            ClientAuth::PrivateKey(key) => {
                ClientCredential::Key(Box::new(AssertionSigner::new(key, files, stored.passphrase.as_ref(), host)?))
            }
        };
        Ok(Self { settings, proof })
    }

    /// Adds the client ID and the credential to the form, or returns an `Authorization` header that contains both. It
    /// never does both: RFC 6749 §2.3 forbids two methods in one request, and some providers refuse a repeated client
    /// ID.
    pub(super) fn append_proof(
        &self,
        endpoint: &ClientAuthEndpoint<'_>,
        form: &mut Serializer<'_, String>,
    ) -> Option<Secret> {
        let client_id = &self.settings.client_id;
        match &self.proof {
            ClientCredential::None => form.append_pair("client_id", client_id),
            ClientCredential::Secret(secret) if uses_post_method(endpoint.methods) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose())
            }
            ClientCredential::Secret(secret) => return Some(build_basic_header(client_id, secret)),
            // RFC 7521 §4.2 makes `client_id` optional beside an assertion. Entra requires it.
            ClientCredential::Key(signer) => form
                .append_pair("client_id", client_id)
                .append_pair("client_assertion_type", assertion::ASSERTION_TYPE)
                .append_pair("client_assertion", signer.sign_assertion(self.settings, endpoint).expose()),
        };
        None
    }

    /// The method, for errors. `None` for a public client, which has no credential that a provider could reject.
    pub(super) fn auth_method(&self) -> Option<ClientAuthMethod> {
        match self.proof {
            ClientCredential::None => None,
            ClientCredential::Secret(_) => Some(ClientAuthMethod::Secret),
            ClientCredential::Key(_) => Some(ClientAuthMethod::Key),
        }
    }

    /// The client secret, so that `form` can redact it from an error text. An assertion needs no redaction: it expires
    /// within minutes.
    pub(super) fn client_secret(&self) -> Option<&Secret> {
        match &self.proof {
            ClientCredential::None | ClientCredential::Key(_) => None,
            ClientCredential::Secret(secret) => Some(secret),
        }
    }
}

/// Returns whether the secret goes into the form. The header is the method that RFC 6749 §2.3.1 prefers and the
/// default where the provider states no method (RFC 8414 §2).
fn uses_post_method(methods: Option<&[String]>) -> bool {
    let offers = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    offers("client_secret_post") && !offers("client_secret_basic")
}

/// Builds the `Basic` header. RFC 6749 §2.3.1 requires form encoding of each half before they are joined. Without it,
/// a secret that contains `:`, `%` or `+` would be sent wrongly.
fn build_basic_header(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

impl ProviderMetadata {
    /// Returns the authentication methods of an endpoint: those of the token endpoint (RFC 8628 §3.1), unless the
    /// provider states others for revocation.
    pub(super) fn auth_endpoint<'a>(&'a self, kind: ProviderEndpoint, url: &'a SecureUrl) -> ClientAuthEndpoint<'a> {
        let own = self.revocation_auth_methods.as_deref().filter(|_| kind == ProviderEndpoint::Revocation);
        let methods = own.or(self.token_auth_methods.as_deref());
        ClientAuthEndpoint { kind, url, methods, algorithms: self.auth_algorithms.as_deref() }
    }
}

#[cfg(test)]
mod tests;
