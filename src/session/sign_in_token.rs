//! What a sign-in leaves behind to get credentials with: an ID token, or the session at an Identity Center.

use crate::{
    cache::{PortalSession, SignInRecord},
    oidc::VerifiedToken,
};

/// A token that AWS accepts for credentials.
#[derive(Clone, Debug)]
pub(super) enum SignInToken {
    /// The ID token of an OpenID provider.
    Id(Box<VerifiedToken>),
    /// The access token of an Identity Center.
    Portal(PortalSession),
}

impl SignInToken {
    /// Whether this record belongs to another sign-in or another user.
    pub(super) fn is_replaced(&self, stored: &SignInRecord) -> bool {
        match self {
            Self::Id(token) => stored.recall_token().is_none_or(|other| other.subject() != token.subject()),
            Self::Portal(own) => stored.portal.as_ref().is_none_or(|other| other.sign_in_id != own.sign_in_id),
        }
    }

    /// Marks the token as refused, unless the record has a newer one.
    pub(super) fn mark_spent(&self, stored: &mut SignInRecord) {
        match self {
            Self::Id(token) => stored.mark_spent_if_current(token),
            Self::Portal(portal) => stored.mark_portal_spent_if_current(portal),
        }
    }
}
