//! What a person can do when a Cognito identity pool gives no credentials.
//!
//! A pool answers for three: itself, the provider it must know, and the role it hands out.

use super::{
    AwsErrorDetails, AwsRefusalReason, Failure, RefusalAdvice, advise_on_common_refusal, advise_on_other_refusal,
    compare_token_to_profile, format_provider_name, make_aws_failure, quote_refusal, suggest_clock_and_login,
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
    let (mut what, pool) = (quote_refusal(said), id.as_str());
    let (provider, client) = (format_provider_name(profile), sanitize_line(&profile.client_id));
    if matches!(reason, AwsRefusalReason::UnknownLogin | AwsRefusalReason::InvalidIdentityToken) {
        what = format!("{what}; {}", compare_token_to_profile(profile, token));
    }
    let (slug, hint): RefusalAdvice = match reason {
        AwsRefusalReason::UnknownLogin => (
            "pool_provider",
            format!("make {provider} an identity provider of the pool {pool}, with client {client}").into(),
        ),
        AwsRefusalReason::InvalidIdentityToken => (
            "invalid_identity_token",
            format!("check that the pool {pool} knows {provider} with client {client}").into(),
        ),
        AwsRefusalReason::ExpiredToken => ("expired_token", suggest_clock_and_login()),
        AwsRefusalReason::NotFound => {
            ("pool_not_found", format!("check `identity_pool_id`: {} has no pool {pool}", id.region()).into())
        }
        AwsRefusalReason::PoolConfiguration => (
            "pool_role",
            format!(
                "give the pool {pool} a role for authenticated users whose trust policy allows \
                 sts:AssumeRoleWithWebIdentity (and sts:TagSession, where the pool passes attributes on) to this pool"
            )
            .into(),
        ),
        AwsRefusalReason::AccessDenied => ("pool_denied", suggest_pool_role_fix(profile.federation.role()).into()),
        AwsRefusalReason::LimitExceeded => {
            ("limit", "have your AWS administrator raise the account's limits of Amazon Cognito".into())
        }
        AwsRefusalReason::Validation => ("validation", "check `identity_pool_id` and `role_arn`".into()),
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
        AwsRefusalReason::IdpRejectedClaim
        | AwsRefusalReason::IdpCommunication
        | AwsRefusalReason::SessionTooLong
        | AwsRefusalReason::PackedPolicyTooLarge => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
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
