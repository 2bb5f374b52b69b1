//! The errors of talking to a provider, as typed facts.
//!
//! The types separate the provider's own refusals from outages and from pages of proxies and captive portals, because
//! only a refusal may cost the user a refresh token. `failure` turns the facts into messages and hints.

use ::http::StatusCode;

use crate::{http, text::UntrustedText, trait_impls::impl_from, url::SecureUrlError};

/// Why a request to the provider gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No HTTP response arrived.
    Http(http::Error),
    /// The endpoint answered with a redirect. The client never follows one: it would carry the code, the refresh token
    /// or the client secret to another host.
    Redirected { source: ResponseSource, location: Option<UntrustedText> },
    /// A status that is neither a success nor an OAuth refusal: an outage, or a wrong address.
    UnexpectedStatus { source: ResponseSource, status: StatusCode },
    /// The body is not JSON: usually the page of a captive portal or of a proxy.
    NotJson { source: ResponseSource },
    /// The JSON ends too early, or has another structure than the standard describes.
    Malformed { source: ResponseSource },
    /// A complete answer lacks a required member.
    MissingMember { source: ResponseSource, member: &'static str },
    /// The discovery document names another issuer than the configured one.
    IssuerMismatch { configured: String, stated: UntrustedText },
    /// The profile's login domain is another host than the one that the provider states.
    LoginDomainMismatch { configured: String, stated: UntrustedText },
    /// The provider stated an endpoint that is not a valid https address.
    UnusableEndpoint { name: &'static str, stated: UntrustedText, refusal: SecureUrlError },
    /// The provider refused the request (RFC 6749 §5.2).
    Refused { error: UntrustedText, description: UntrustedText },
    /// The provider refused the application's credentials. Codes and refresh tokens stay valid.
    ClientRejected { means: ClientAuthMethod, error: UntrustedText, description: UntrustedText },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseSource {
    pub endpoint: ProviderEndpoint,
    pub host: String,
}

/// The endpoints that this program contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderEndpoint {
    Discovery,
    Keys,
    Token,
    Revocation,
    DeviceAuthorization,
}

/// The poll interval that a provider requests while the user has not entered the device code (RFC 8628 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollPace {
    Unchanged,
    SlowDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthMethod {
    Secret,
    Key,
}

impl Error {
    /// Returns whether the provider was not reached, or something else on the network answered in its place.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Http(error) => error.is_network(),
            Self::Redirected { .. } | Self::UnexpectedStatus { .. } | Self::NotJson { .. } | Self::Malformed { .. } => {
                true
            }
            Self::Refused { .. }
            | Self::ClientRejected { .. }
            | Self::MissingMember { .. }
            | Self::IssuerMismatch { .. }
            | Self::LoginDomainMismatch { .. }
            | Self::UnusableEndpoint { .. } => false,
        }
    }

    /// Returns whether the provider reports the code or refresh token as spent (RFC 6749 §5.2). It is the only error
    /// after which a caller may delete a refresh token. If outages, portal pages or other refusals counted, one bad
    /// network could sign every user out.
    pub fn is_invalid_grant(&self) -> bool {
        self.has_error_code(&["invalid_grant"])
    }

    /// Returns whether the provider requires the user to interact (OIDC Core §3.1.2.6). Entra answers a refresh this
    /// way when a new policy requires a second factor. The refresh token stays valid.
    pub fn needs_interaction(&self) -> bool {
        self.has_error_code(&["consent_required", "interaction_required", "login_required"])
    }

    /// Returns whether the revocation endpoint does not accept refresh tokens (RFC 7009 §2.2.1).
    pub fn is_unsupported_token_type(&self) -> bool {
        self.has_error_code(&["unsupported_token_type"])
    }

    /// Returns how to continue polling while the user has not entered the device code, or `None` for any other error
    /// (RFC 8628 §3.5).
    pub(super) fn poll_pace(&self) -> Option<PollPace> {
        if self.has_error_code(&["authorization_pending"]) {
            return Some(PollPace::Unchanged);
        }
        self.has_error_code(&["slow_down"]).then_some(PollPace::SlowDown)
    }

    pub fn is_expired_device_code(&self) -> bool {
        self.has_error_code(&["expired_token"])
    }

    /// Returns whether the same request may succeed a moment later: the provider was not reached or is overloaded, or
    /// something else answered in its place, for example a captive portal.
    pub fn lacks_provider_answer(&self) -> bool {
        match self {
            Self::Http(error) => error.is_unanswered() || matches!(error.cause(), http::Error::Proxy { .. }),
            Self::UnexpectedStatus { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Redirected { .. } | Self::NotJson { .. } => true,
            Self::Malformed { .. }
            | Self::MissingMember { .. }
            | Self::IssuerMismatch { .. }
            | Self::LoginDomainMismatch { .. }
            | Self::UnusableEndpoint { .. }
            | Self::Refused { .. }
            | Self::ClientRejected { .. } => false,
        }
    }

    fn has_error_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused { error, .. } if codes.iter().any(|code| *error == UntrustedText::new(*code)))
    }

    /// Returns whether the cached discovery document may be out of date: a server answered at the cached address, but
    /// not as an OAuth endpoint does. `session` then fetches the document again.
    pub fn suggests_stale_metadata(&self) -> bool {
        !matches!(self, Self::Http(_) | Self::Refused { .. } | Self::ClientRejected { .. })
    }
}

impl_from!(Error: Http(http::Error));
