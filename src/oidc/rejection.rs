//! Why a token is not believed: one variant a claim, with what was expected and what was found.
//!
//! Facts only; the advice belongs to `failure`. No variant carries a token, a nonce or a hash.

use std::time::Duration;

use crate::{text::Foreign, time::Moment};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// More than 256 KiB.
    TooLarge,
    /// Not three parts of base64url, or the named part is no JSON object with unique names.
    Malformed(Part),
    /// `none`, an HMAC, an unknown algorithm, or one that the provider's discovery does not list.
    Algorithm {
        named: Foreign,
    },
    /// The header demands an extension to be understood (RFC 7515 §4.1.11); none is.
    Critical,
    /// The header says that it is another kind of token, such as an access token.
    Type {
        named: Foreign,
    },
    /// No published key fits the token. Remembered keys may be old: see [`Rejection::wants_fresh_keys`].
    UnknownKey {
        kid: Option<Foreign>,
    },
    /// The key that the token names did not sign it.
    Signature,
    Missing {
        claim: &'static str,
    },
    /// The claim is there, but of a kind the standard does not allow.
    WrongKind {
        claim: &'static str,
    },
    Issuer {
        expected: Foreign,
        actual: Foreign,
    },
    Audience {
        expected: Foreign,
        actual: Vec<Foreign>,
    },
    /// `azp`: the client it was issued to is another, or is not named beside several audiences.
    AuthorizedParty {
        expected: Foreign,
        actual: Option<Foreign>,
    },
    /// The person is not of the organization that the profile asks for.
    Organization {
        claim: &'static str,
        expected: Foreign,
        actual: Option<Foreign>,
    },
    /// Issued for another sign-in than this one.
    Nonce,
    /// The access token beside it belongs to another answer.
    AccessTokenHash,
    Expired {
        at: Moment,
        now: Moment,
    },
    /// `nbf` lies ahead.
    NotYetValid {
        from: Moment,
        now: Moment,
    },
    /// `iat` lies ahead.
    IssuedInTheFuture {
        at: Moment,
        now: Moment,
    },
    /// A time did not fit, and the provider's own clock shows why: this machine's is wrong.
    Clock(Skew),
    /// An empty `sub`, or one of more than 255 bytes (OIDC Core §2).
    Subject,
    /// A refresh brought the token of another person (OIDC Core §12.2).
    OtherSubject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Not three parts between dots.
    Shape,
    Header,
    Claims,
    Signature,
}

/// How this machine's clock stands to the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    AheadBy(Duration),
    BehindBy(Duration),
}

impl Rejection {
    /// Whether the answer might change with the provider's present keys: it may have rotated them, or, when it was
    /// set up anew, published another key under an old name. Worth one look, not two.
    pub fn wants_fresh_keys(&self) -> bool {
        matches!(self, Self::UnknownKey { .. } | Self::Signature)
    }
}
