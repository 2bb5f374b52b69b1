//! What can go wrong between this program and the provider, as facts.
//!
//! It keeps refusals, outages and strangers' pages apart; advice belongs to `failure`.

use ::http::StatusCode;

use crate::{http, text::UntrustedText, trait_impls::impl_from, url::SecureUrlError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No answer came.
    Http(http::Error),
    /// It would send us elsewhere. None of these addresses may redirect, and a token request never follows.
    Redirected { source: ResponseSource, location: Option<UntrustedText> },
    /// A status that is neither success nor the provider's refusal: an outage, or a wrong address.
    UnexpectedStatus { source: ResponseSource, status: StatusCode },
    /// Not JSON at all: the page of a captive portal or of a proxy.
    NotJson { source: ResponseSource },
    /// JSON that ends too early, or is not what the standard describes.
    Malformed { source: ResponseSource },
    /// A whole answer without the member that matters.
    MissingMember { source: ResponseSource, member: &'static str },
    /// The document at the issuer's address speaks for another issuer.
    IssuerMismatch { configured: String, stated: UntrustedText },
    /// The profile's sign-in pages are on another host than the provider's own.
    LoginDomainMismatch { configured: String, stated: UntrustedText },
    /// Discovery names an address that is not safe to talk to.
    UnusableEndpoint { name: &'static str, stated: UntrustedText, refusal: SecureUrlError },
    /// The provider understood, and says no (RFC 6749 §5.2).
    Refused { error: UntrustedText, description: UntrustedText },
    /// The same, of the application's own proof. No token is the worse for it.
    ClientRejected { means: ClientAuthMethod, error: UntrustedText, description: UntrustedText },
}

/// Where an answer came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseSource {
    pub endpoint: ProviderEndpoint,
    pub host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderEndpoint {
    Discovery,
    Keys,
    Token,
    Revocation,
    DeviceAuthorization,
}

/// The pace at which a provider wants to be asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollPace {
    Unchanged,
    SlowDown,
}

/// Which proof the provider did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthMethod {
    Secret,
    Key,
}

impl Error {
    /// Whether the provider was not reached, or something on the way answered in its place.
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

    /// Whether the code or the refresh token is spent. Nothing else may cost a person a sign-in: no outage, no page of
    /// a captive portal, no other refusal.
    pub fn is_invalid_grant(&self) -> bool {
        self.has_error_code(&["invalid_grant"])
    }

    /// Whether the provider goes on only with the person before it (OIDC Core §3.1.2.6): Entra answers a refresh so when
    /// a policy now asks for a second factor. The refresh token is not spent by that.
    pub fn needs_interaction(&self) -> bool {
        self.has_error_code(&["consent_required", "interaction_required", "login_required"])
    }

    /// Whether the provider has a revocation endpoint, but not for refresh tokens (RFC 7009 §2.2.1).
    pub fn is_unsupported_token_type(&self) -> bool {
        self.has_error_code(&["unsupported_token_type"])
    }

    /// Whether nobody has entered the device code yet; how the wait goes on (RFC 8628 §3.5).
    pub(super) fn poll_pace(&self) -> Option<PollPace> {
        if self.has_error_code(&["authorization_pending"]) {
            return Some(PollPace::Unchanged);
        }
        self.has_error_code(&["slow_down"]).then_some(PollPace::SlowDown)
    }

    /// Whether nobody entered the device code in time.
    pub fn is_expired_device_code(&self) -> bool {
        self.has_error_code(&["expired_token"])
    }

    /// Whether the same request may succeed a moment later: the provider was not reached or is overloaded, or something
    /// else answered in its place, such as a captive portal.
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

    /// Whether the remembered description of the provider may be out of date: somebody answered where it says, and not
    /// as a provider does.
    pub fn suggests_stale_metadata(&self) -> bool {
        !matches!(self, Self::Http(_) | Self::Refused { .. } | Self::ClientRejected { .. })
    }
}

impl_from!(Error: Http(http::Error));
