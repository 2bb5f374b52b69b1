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
    UserInfo,
}

/// What a failed refresh says about the stored session. Only a refusal by the provider itself may cost the user a
/// prompt: if outages, portal pages or proxies counted, one bad network could open a browser on every computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshFailure {
    /// The provider will never accept this refresh token again (`invalid_grant`, RFC 6749 §5.2).
    TokenSpent,
    /// The provider does not refresh this session, so the user has to sign in. The refresh token may still be valid.
    Refused(RefreshRefusal),
    /// The provider does not accept the application. It says nothing about the session, and a sign-in would fail too.
    ApplicationRefused(Error),
    /// Anything else. It says nothing about the session.
    Unknown(Error),
}

/// The words with which a provider refused to refresh a session. Many providers have words of their own for an expired
/// session: LemonLDAP::NG answers `invalid_request`, Glewlwyd status 400 without a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshRefusal {
    OAuthError {
        error: UntrustedText,
        description: UntrustedText,
    },
    /// A status without an OAuth error.
    Status(StatusCode),
    /// A complete answer without any token.
    NoTokens,
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

    /// Decides what this error of a refresh says about the session.
    ///
    /// Providers answer 400, 401 or 404 without an OAuth error for an unknown session. Any other status without one may
    /// come from a proxy (403, 407) or from an overloaded server.
    pub fn into_refresh_failure(self) -> RefreshFailure {
        if self.is_invalid_grant() {
            return RefreshFailure::TokenSpent;
        }
        let is_application = self.has_error_code(&["invalid_client", "unauthorized_client"]);
        match self {
            Self::Refused { .. } if is_application => RefreshFailure::ApplicationRefused(self),
            Self::Refused { error, description } => {
                RefreshFailure::Refused(RefreshRefusal::OAuthError { error, description })
            }
            Self::UnexpectedStatus { status, .. } if is_session_refusal(status) => {
                RefreshFailure::Refused(RefreshRefusal::Status(status))
            }
            Self::MissingMember { .. } => RefreshFailure::Refused(RefreshRefusal::NoTokens),
            Self::ClientRejected { .. } => RefreshFailure::ApplicationRefused(self),
            Self::Http(_)
            | Self::Redirected { .. }
            | Self::UnexpectedStatus { .. }
            | Self::NotJson { .. }
            | Self::Malformed { .. }
            | Self::IssuerMismatch { .. }
            | Self::LoginDomainMismatch { .. }
            | Self::UnusableEndpoint { .. } => RefreshFailure::Unknown(self),
        }
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

/// Returns whether this status, without an OAuth error, refuses a session.
fn is_session_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND)
}

impl_from!(Error: Http(http::Error));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::ClientAuthMethod;

    fn source() -> ResponseSource {
        ResponseSource { endpoint: ProviderEndpoint::Token, host: "id.example".into() }
    }

    fn refused(code: &str) -> Error {
        Error::Refused { error: UntrustedText::new(code), description: UntrustedText::new("") }
    }

    fn status(code: u16) -> Error {
        Error::UnexpectedStatus { source: source(), status: StatusCode::from_u16(code).unwrap() }
    }

    #[test]
    fn invalid_grant_alone_spends_the_refresh_token() {
        assert_eq!(refused("invalid_grant").into_refresh_failure(), RefreshFailure::TokenSpent);
        for error in [refused("invalid_request"), refused("invalid_grants"), status(400)] {
            assert_ne!(error.into_refresh_failure(), RefreshFailure::TokenSpent);
        }
    }

    #[test]
    fn other_oauth_errors_refuse_the_session() {
        for code in ["invalid_request", "interaction_required", "temporarily_unavailable", "weird", ""] {
            let (error, description) = (UntrustedText::new(code), UntrustedText::new(""));
            let refusal = RefreshRefusal::OAuthError { error, description };
            assert_eq!(refused(code).into_refresh_failure(), RefreshFailure::Refused(refusal), "{code}");
        }
    }

    #[test]
    fn a_refused_application_says_nothing_about_the_session() {
        let (error, description) = (UntrustedText::new("access_denied"), UntrustedText::new(""));
        let means = ClientAuthMethod::Secret;
        for error in [
            refused("invalid_client"),
            refused("unauthorized_client"),
            Error::ClientRejected { means, error, description },
        ] {
            assert_eq!(error.clone().into_refresh_failure(), RefreshFailure::ApplicationRefused(error));
        }
    }

    #[test]
    fn some_statuses_without_oauth_error_refuse_the_session() {
        for code in 300..600 {
            let error = status(code);
            let expected = match code {
                400 | 401 | 404 => RefreshFailure::Refused(RefreshRefusal::Status(StatusCode::from_u16(code).unwrap())),
                _ => RefreshFailure::Unknown(error.clone()),
            };
            assert_eq!(error.into_refresh_failure(), expected, "{code}");
        }
    }

    #[test]
    fn only_a_complete_answer_without_tokens_is_a_refusal() {
        let empty = Error::MissingMember { source: source(), member: "access_token" };
        assert_eq!(empty.into_refresh_failure(), RefreshFailure::Refused(RefreshRefusal::NoTokens));
        for error in [Error::NotJson { source: source() }, Error::Malformed { source: source() }] {
            assert_eq!(error.clone().into_refresh_failure(), RefreshFailure::Unknown(error));
        }
    }
}
