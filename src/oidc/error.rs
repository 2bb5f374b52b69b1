//! What can go wrong between this program and the provider, as facts.
//!
//! It keeps refusals, outages and strangers' pages apart; advice belongs to `failure`.

use ::http::StatusCode;

use super::Means;
use crate::{http, text::Foreign, url::Refusal};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No answer came.
    Http(http::Error),
    /// It would send us elsewhere. None of these addresses may redirect, and a token request never follows.
    Redirected { source: Source, to: Option<Foreign> },
    /// A status that is neither success nor the provider's refusal: an outage, or a wrong address.
    Status { source: Source, status: StatusCode },
    /// Not JSON at all: the page of a captive portal or of a proxy.
    NotJson { source: Source },
    /// JSON that ends too early, or is not what the standard describes.
    Malformed { source: Source },
    /// A whole answer without the member that matters.
    Incomplete { source: Source, lacks: &'static str },
    /// The document at the issuer's address speaks for another issuer.
    Issuer { configured: String, stated: Foreign },
    /// The profile's sign-in pages are on another host than the provider's own.
    LoginDomain { configured: String, stated: Foreign },
    /// Discovery names an address that is not safe to talk to.
    Endpoint { name: &'static str, stated: Foreign, refusal: Refusal },
    /// The provider understood, and says no (RFC 6749 §5.2).
    Refused { error: Foreign, description: Foreign, uri: Option<Foreign> },
    /// The same, of the application's own proof. No token is the worse for it.
    Unbelieved { means: Means, error: Foreign, description: Foreign },
}

/// Where an answer came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub document: Document,
    pub host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    Discovery,
    Keys,
    Tokens,
    Revocation,
    Device,
}

/// The pace at which a provider wants to be asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    AsBefore,
    Slower,
}

impl Error {
    /// Whether the code or the refresh token is spent. Nothing else may cost a person a sign-in: no outage, no page of
    /// a captive portal, no other refusal.
    pub fn is_invalid_grant(&self) -> bool {
        self.is_refusal(&["invalid_grant"])
    }

    /// Whether the provider goes on only with the person before it (OIDC Core §3.1.2.6): Entra answers a refresh so when
    /// a policy now asks for a second factor. The refresh token is not spent by that.
    pub fn wants_the_person(&self) -> bool {
        self.is_refusal(&["consent_required", "interaction_required", "login_required"])
    }

    /// Whether the provider has a revocation endpoint, but not for refresh tokens (RFC 7009 §2.2.1).
    pub fn revokes_no_such_token(&self) -> bool {
        self.is_refusal(&["unsupported_token_type"])
    }

    /// Whether nobody has entered the device code yet; how the wait goes on (RFC 8628 §3.5).
    pub(super) fn keeps_waiting(&self) -> Option<Pending> {
        if self.is_refusal(&["authorization_pending"]) {
            return Some(Pending::AsBefore);
        }
        self.is_refusal(&["slow_down"]).then_some(Pending::Slower)
    }

    /// Whether nobody entered the device code in time.
    pub fn is_expired_code(&self) -> bool {
        self.is_refusal(&["expired_token"])
    }

    /// Whether it may pass by itself: the provider was not reached, or somebody else answered in its place.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Redirected { .. } | Self::Status { .. } | Self::NotJson { .. })
    }

    fn is_refusal(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused { error, .. } if codes.iter().any(|code| *error == Foreign::new(*code)))
    }

    /// Whether the remembered description of the provider may be out of date: somebody answered where it says, and not
    /// as a provider does.
    pub fn doubts_the_metadata(&self) -> bool {
        !matches!(self, Self::Http(_) | Self::Refused { .. } | Self::Unbelieved { .. })
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}
