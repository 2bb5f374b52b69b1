//! The client side of OpenID Connect: discovery, the authorization request, the callback, the token exchange, and the
//! verification of the ID token.
//!
//! Promise to its callers: only [`verify_token`] turns the provider's answer into a [`VerifiedToken`], and no other
//! module can build one from foreign text. Everything else that arrives here stays untrusted. The module talks to the
//! provider only. `session` decides when to prompt the user and what to store.

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
mod sign_in_proof;
mod proof_request;
mod authorization_request;
mod revocation;
mod sign_out_page;
#[cfg(test)]
mod testing;
mod token_endpoint;
mod user_info;
mod verify;

pub use self::{
    application::{Application, ClientCredentialError, ClientFileFault, ClientFiles, StoredClientCredentials},
    authorization_request::{AuthorizationRequest, build_authorization_request, requests_offline_access},
    client_probe::{ClientProbe, RequestRefusal, probe_client, probe_request},
    device::{DeviceCode, DevicePollOutcome, ShownCode},
    discovery::{ProviderMetadata, build_discovery_url, discover_issuer, discover_provider},
    error::{ClientAuthMethod, Error, PollPace, ProviderEndpoint, RefreshFailure, RefreshRefusal, ResponseSource},
    form::ProviderSession,
    key_set::{ProviderKeys, fetch_keys, is_supported_algorithm},
    provider::{find_issuer_alias, find_organization},
    rejection::{ClockSkew, TokenPart, TokenRejection, UnmetRequirement},
    sign_in_proof::{ProofRules, SignInProof, find_proof_rules},
    sign_out_page::{NoSignOutPage, find_sign_out_page},
    token_endpoint::TokenResponse,
    user_info::{UserInfoFault, fetch_user_info},
    verify::{ExpectedClaims, RecallProof, TokenGrant, UnverifiedToken, VerifiedToken, verify_token},
};
pub(crate) use self::{
    authorization_request::{CHALLENGE_METHOD, compute_code_challenge, generate_request_secret},
    device::{DeviceCodeTimes, check_user_code},
};

/// How long one request to the provider may take during a sign-in or a refresh. It is shorter than the client's own
/// timeout, because hosts give the whole chain a minute, and some SDKs less than 22 seconds.
pub const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);
