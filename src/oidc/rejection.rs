//! Why a token is not believed: one variant a claim, with what was expected and what was found.
//!
//! Facts only; the advice belongs to `failure`. No variant carries a token, a nonce or a hash.

use std::time::Duration;

use crate::{text::UntrustedText, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRejection {
    /// More than 256 KiB.
    TooLarge,
    /// Not three parts of base64url, or the named part is no JSON object with unique names.
    Malformed(TokenPart),
    /// `none`, an HMAC, an unknown algorithm, or one that the provider's discovery does not list.
    Algorithm { named: UntrustedText },
    /// The header demands an extension to be understood (RFC 7515 §4.1.11); none is.
    CriticalHeader,
    /// The header says that it is another kind of token, such as an access token.
    WrongTokenType { named: UntrustedText },
    /// No published key fits the token. Remembered keys may be old: see [`TokenRejection::needs_fresh_keys`].
    UnknownKey { kid: Option<UntrustedText> },
    /// The key that the token names did not sign it.
    Signature,
    /// A required claim is not there.
    Missing { claim: &'static str },
    /// The claim is there, but of a kind the standard does not allow.
    WrongClaimType { claim: &'static str },
    /// `iss`: another provider issued it.
    Issuer { expected: UntrustedText, actual: UntrustedText },
    /// `aud`: it is for other clients.
    Audience { expected: UntrustedText, actual: Vec<UntrustedText> },
    /// `azp`: the client it was issued to is another, or is not named beside several audiences.
    AuthorizedParty { expected: UntrustedText, actual: Option<UntrustedText> },
    /// The person is not of the organization that the profile asks for.
    Organization { claim: &'static str, expected: UntrustedText, actual: Option<UntrustedText> },
    /// Issued for another sign-in than this one.
    NonceMismatch,
    /// The access token beside it belongs to another answer.
    AccessTokenMismatch,
    /// `exp` lies behind.
    Expired { at: Timestamp, now: Timestamp },
    /// `nbf` lies ahead.
    NotYetValid { from: Timestamp, now: Timestamp },
    /// `iat` lies ahead.
    IssuedInTheFuture { at: Timestamp, now: Timestamp },
    /// A time did not fit, and the provider's own clock shows why: this machine's is wrong.
    WrongClock(ClockSkew),
    /// An empty `sub`, or one of more than 255 bytes (OIDC Core §2).
    InvalidSubject,
    /// A refresh brought the token of another person (OIDC Core §12.2).
    SubjectChanged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPart {
    /// Not three parts between dots.
    Structure,
    Header,
    Claims,
    Signature,
}

/// How this machine's clock stands to the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSkew {
    AheadBy(Duration),
    BehindBy(Duration),
}

impl ClockSkew {
    /// How a clock that shows `here` differs from one that shows `there` at the same moment.
    pub fn between(here: Timestamp, there: Timestamp) -> Self {
        match here > there {
            true => Self::AheadBy(here.duration_since(there)),
            false => Self::BehindBy(there.duration_since(here)),
        }
    }

    /// The size of the difference, whichever clock is ahead.
    pub fn span(self) -> Duration {
        match self {
            Self::AheadBy(span) | Self::BehindBy(span) => span,
        }
    }
}

impl TokenRejection {
    /// Whether the answer might change with the provider's present keys: it may have rotated them, or, when it was
    /// set up anew, published another key under an old name. Worth one look, not two.
    pub fn needs_fresh_keys(&self) -> bool {
        matches!(self, Self::UnknownKey { .. } | Self::Signature)
    }
}
