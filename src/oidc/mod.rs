//! OpenID Connect: what the provider says of itself, the question, the exchanges, the judgement of the answer.
//!
//! It speaks to the provider only; what may be kept and when to ask a person is for `session`.

mod answer;
mod application;
pub mod callback;
mod claims;
mod device;
mod discovery;
mod error;
mod form;
mod keys;
mod knock;
pub mod page;
mod provider;
mod rejection;
mod request;
mod revoke;
#[cfg(test)]
mod testing;
mod token;
mod verify;

pub use self::{
    application::{
        Application, ClientCredentialError, ClientFileError, ClientFileFault, ClientFiles,
        StoredClientCredentials,
    },
    device::{DeviceCode, DevicePollOutcome, poll_device_code, request_device_code},
    discovery::{ProviderMetadata, build_discovery_url, discover_issuer, discover_provider},
    error::{ClientAuthMethod, Error, PollPace, ProviderEndpoint, ResponseSource},
    keys::{ProviderKeys, fetch_keys, is_supported_algorithm},
    knock::{ClientProbe, probe_client},
    provider::{find_issuer_alias, find_organization},
    rejection::{ClockSkew, TokenPart, TokenRejection},
    request::{AuthorizationRequest, build_authorization_request},
    revoke::revoke_refresh_token,
    token::{TokenResponse, exchange_code, refresh_tokens},
    verify::{ExpectedClaims, RecallProof, TokenGrant, UnverifiedToken, VerifiedToken, verify_token},
};
