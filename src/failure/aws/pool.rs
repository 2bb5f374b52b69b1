//! What a person can do when a Cognito identity pool gives no credentials.
//!
//! A pool answers for three: itself, the provider it must know, and the role it hands out.

use super::{Failure, Reason, Said, aws, provider_name, quoted, side_by_side, whatever};
use crate::{
    config::{PoolId, Profile, RoleArn},
    oidc::VerifiedToken,
    text::line,
};

pub(super) struct Asked<'a> {
    pub(super) id: &'a PoolId,
    pub(super) role: Option<&'a RoleArn>,
    pub(super) profile: &'a Profile,
    pub(super) token: &'a VerifiedToken,
}

pub(super) fn refused(reason: Reason, said: &Said, asked: &Asked<'_>) -> Failure {
    let Asked { id, role, profile, token } = asked;
    let (what, pool, provider) = (quoted(said), id.as_str(), provider_name(profile));
    match reason {
        Reason::UnknownLogin => aws(
            "pool_provider",
            format!("{what}; {}", side_by_side(profile, token)),
            format!(
                "make {provider} an identity provider of the pool {pool}, with client {}",
                line(&profile.client_id)
            ),
        ),
        Reason::InvalidIdentityToken => aws(
            "invalid_identity_token",
            format!("{what}; {}", side_by_side(profile, token)),
            format!("check that the pool {pool} knows {provider} with client {}", line(&profile.client_id)),
        ),
        Reason::ExpiredToken => {
            aws("expired_token", what, "set this computer's clock, then run `bedrock-sso login`")
        }
        Reason::NotFound => aws(
            "pool_not_found",
            what,
            format!("check `identity_pool_id`: {} has no pool {pool}", id.region()),
        ),
        Reason::PoolConfiguration => aws(
            "pool_role",
            what,
            format!(
                "give the pool {pool} a role for authenticated users whose trust policy allows \
                 sts:AssumeRoleWithWebIdentity (and sts:TagSession, where the pool passes attributes on) to this pool"
            ),
        ),
        Reason::AccessDenied => aws("pool_denied", what, denied(*role)),
        Reason::LimitExceeded => {
            aws("limit", what, "have your AWS administrator raise the account's limits of Amazon Cognito")
        }
        Reason::Validation => aws("validation", what, "check `identity_pool_id` and `role_arn`"),
        other => whatever(other, what),
    }
}

/// CustomRoleArn chooses among the roles that the token brings along; it adds none.
fn denied(role: Option<&RoleArn>) -> String {
    match role {
        Some(role) => format!(
            "leave `role_arn` out: a pool gives {} only to tokens that name it themselves (cognito:roles)",
            role.as_str()
        ),
        None => "check the pool's rules for choosing a role, and what it does when none matches".to_owned(),
    }
}
