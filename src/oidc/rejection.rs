//! Why `verify` rejects an ID token: one variant per check, with the expected and the actual value.
//!
//! No variant carries a token, a nonce or a hash, because the values reach terminals and logs. `failure` writes the
//! messages.

use std::time::Duration;

use crate::{text::UntrustedText, time::Timestamp};

/// The first check that an ID token failed. `verify` documents which attack each check stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRejection {
    /// More than 256 KiB.
    TooLarge,
    /// The token is not three base64url parts, or the named part is not a JSON object with unique member names.
    Malformed(TokenPart),
    /// `alg` is `none`, an HMAC, unknown, or missing from the provider's discovery document.
    Algorithm { named: UntrustedText },
    /// The signature is right, but the service that exchanges the token does not accept its algorithm.
    ExchangeAlgorithm { named: UntrustedText },
    /// The header requires an extension (RFC 7515 §4.1.11), and this program supports no extension.
    CriticalHeader,
    /// `typ` names another kind of token, for example an access token (RFC 9068 §2.1).
    WrongTokenType { named: UntrustedText },
    /// No published key fits the token. Cached keys may be out of date: see [`TokenRejection::needs_fresh_keys`].
    UnknownKey { kid: Option<UntrustedText> },
    /// The signature does not verify with the key that the token names.
    Signature,
    /// A required claim is missing.
    Missing { claim: &'static str },
    /// The claim has a JSON type that the standard does not allow.
    WrongClaimType { claim: &'static str },
    /// `iss`: another provider issued the token.
    Issuer { expected: UntrustedText, actual: UntrustedText },
    /// `aud`: the token is for other clients.
    Audience { expected: UntrustedText, actual: Vec<UntrustedText> },
    /// `azp`: the provider issued the token to another client, or lists several audiences without naming the client.
    AuthorizedParty { expected: UntrustedText, actual: Option<UntrustedText> },
    /// The user does not belong to the organization that the profile requires.
    Organization { claim: &'static str, expected: UntrustedText, actual: Option<UntrustedText> },
    /// The sign-in does not meet a requirement of the profile (`require`).
    Requirement(UnmetRequirement),
    /// `nonce`: the provider issued the token for another sign-in.
    NonceMismatch,
    /// `at_hash`: the access token in the same response belongs to another ID token.
    AccessTokenMismatch,
    /// `exp` is in the past.
    Expired { at: Timestamp, now: Timestamp },
    /// `nbf` is in the future.
    NotYetValid { from: Timestamp, now: Timestamp },
    /// `iat` is in the future.
    IssuedInTheFuture { at: Timestamp, now: Timestamp },
    /// A time check failed, and the provider's `Date` header shows that this machine's clock is wrong.
    WrongClock(ClockSkew),
    /// `sub` is empty or longer than 255 bytes (OIDC Core §2).
    InvalidSubject,
    /// A refresh returned the token of another user (OIDC Core §12.2).
    SubjectChanged,
}

/// The first requirement of `require` that a sign-in does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnmetRequirement {
    /// The claim names no accepted authentication context. `actual` is empty if it names none at all.
    Context { claim: &'static str, accepted: Vec<String>, actual: Vec<UntrustedText> },
    /// `amr` does not list these methods.
    Methods { missing: Vec<String>, actual: Vec<UntrustedText> },
    /// The user authenticated longer ago than `max_age` allows.
    TooOld { age: Duration, limit: Duration },
    /// There is no usable `auth_time`.
    NoAuthTime { limit: Duration },
    /// `auth_time` is in the future, so a clock is wrong.
    AuthTimeInFuture { at: Timestamp, now: Timestamp },
    /// `email` is missing, or at another domain.
    EmailDomain { accepted: Vec<String>, actual: Option<UntrustedText> },
    /// The provider does not vouch for `email`: the token lacks this claim, or its value vouches for nothing.
    EmailNotVouched { address: UntrustedText, claim: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPart {
    Structure,
    Header,
    Claims,
    Signature,
}

/// The difference between this machine's clock and the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSkew {
    AheadBy(Duration),
    BehindBy(Duration),
}

impl ClockSkew {
    /// Compares this machine's clock (`here`) with the provider's (`there`).
    pub fn between(here: Timestamp, there: Timestamp) -> Self {
        match here > there {
            true => Self::AheadBy(here.duration_since(there)),
            false => Self::BehindBy(there.duration_since(here)),
        }
    }

    /// The size of the difference, without its direction.
    pub fn span(self) -> Duration {
        match self {
            Self::AheadBy(span) | Self::BehindBy(span) => span,
        }
    }
}

impl TokenRejection {
    /// Returns whether the provider's current keys may verify the token: the provider may have rotated them, or
    /// published another key under the same `kid` after a reinstallation. Callers fetch the keys once and verify
    /// again. More fetches would let forged tokens cause requests without limit.
    pub fn needs_fresh_keys(&self) -> bool {
        matches!(self, Self::UnknownKey { .. } | Self::Signature)
    }
}
