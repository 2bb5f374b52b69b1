//! OpenID Connect: what the provider says of itself, the question, the exchanges, the judgement of the answer.
//!
//! It speaks to the provider only; what may be kept and when to ask a person is for `session`.

mod response;
mod application;
pub mod callback;
mod claims;
mod device;
mod discovery;
mod error;
mod form;
mod key_set;
mod client_probe;
pub mod page;
mod provider;
mod rejection;
mod authorization_request;
mod revocation;
#[cfg(test)]
mod testing;
mod token_endpoint;
mod verify;

pub use self::{
    application::{Application, ClientCredentialError, ClientFileFault, ClientFiles, StoredClientCredentials},
    authorization_request::{AuthorizationRequest, build_authorization_request},
    client_probe::{ClientProbe, probe_client},
    device::{DeviceCode, DevicePollOutcome},
    discovery::{ProviderMetadata, build_discovery_url, discover_issuer, discover_provider},
    error::{ClientAuthMethod, Error, PollPace, ProviderEndpoint, ResponseSource},
    form::ProviderSession,
    key_set::{ProviderKeys, fetch_keys, is_supported_algorithm},
    provider::{find_issuer_alias, find_organization},
    rejection::{ClockSkew, TokenPart, TokenRejection},
    token_endpoint::TokenResponse,
    verify::{ExpectedClaims, RecallProof, TokenGrant, UnverifiedToken, VerifiedToken, verify_token},
};
