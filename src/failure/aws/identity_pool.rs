//! What a person can do when a Cognito identity pool gives no credentials.
//!
//! A pool answers for three: itself, the provider it must know, and the role it hands out.

use super::{
    AwsErrorDetails, AwsRefusalReason, Failure, compare_token_to_profile, describe_common_refusal,
    describe_other_refusal, format_provider_name, make_aws_failure, quote_refusal, suggest_clock_and_login,
};
use crate::{
    config::{IdentityPoolId, Profile, RoleArn},
    oidc::VerifiedToken,
    text::sanitize_line,
};

pub(super) fn describe_pool_refusal(
    reason: AwsRefusalReason,
    said: &AwsErrorDetails,
    id: &IdentityPoolId,
    profile: &Profile,
    token: &VerifiedToken,
) -> Failure {
    let (what, pool, provider) = (quote_refusal(said), id.as_str(), format_provider_name(profile));
    match reason {
        AwsRefusalReason::UnknownLogin => make_aws_failure(
            "pool_provider",
            format!("{what}; {}", compare_token_to_profile(profile, token)),
            format!(
                "make {provider} an identity provider of the pool {pool}, with client {}",
                sanitize_line(&profile.client_id)
            ),
        ),
        AwsRefusalReason::InvalidIdentityToken => make_aws_failure(
            "invalid_identity_token",
            format!("{what}; {}", compare_token_to_profile(profile, token)),
            format!("check that the pool {pool} knows {provider} with client {}", sanitize_line(&profile.client_id)),
        ),
        AwsRefusalReason::ExpiredToken => make_aws_failure("expired_token", what, suggest_clock_and_login()),
        AwsRefusalReason::NotFound => make_aws_failure(
            "pool_not_found",
            what,
            format!("check `identity_pool_id`: {} has no pool {pool}", id.region()),
        ),
        AwsRefusalReason::PoolConfiguration => make_aws_failure(
            "pool_role",
            what,
            format!(
                "give the pool {pool} a role for authenticated users whose trust policy allows \
                 sts:AssumeRoleWithWebIdentity (and sts:TagSession, where the pool passes attributes on) to this pool"
            ),
        ),
        AwsRefusalReason::AccessDenied => {
            make_aws_failure("pool_denied", what, suggest_pool_role_fix(profile.federation.role()))
        }
        AwsRefusalReason::LimitExceeded => {
            make_aws_failure("limit", what, "have your AWS administrator raise the account's limits of Amazon Cognito")
        }
        AwsRefusalReason::Validation => make_aws_failure("validation", what, "check `identity_pool_id` and `role_arn`"),
        AwsRefusalReason::Common(reason) => describe_common_refusal(reason, what),
        AwsRefusalReason::IdpRejectedClaim
        | AwsRefusalReason::IdpCommunication
        | AwsRefusalReason::SessionTooLong
        | AwsRefusalReason::PackedPolicyTooLarge => describe_other_refusal(what),
    }
}

/// CustomRoleArn chooses among the roles that the token brings along; it adds none.
fn suggest_pool_role_fix(role: Option<&RoleArn>) -> String {
    match role {
        Some(role) => format!(
            "leave `role_arn` out: a pool gives {} only to tokens that name it themselves (cognito:roles)",
            role.as_str()
        ),
        None => "check the pool's rules for choosing a role, and what it does when none matches".to_owned(),
    }
}
