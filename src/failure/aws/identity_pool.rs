//! Failures of a Cognito identity pool, in `GetId` or `GetCredentialsForIdentity`.
//!
//! The cause is one of three: the pool's ID, the identity providers that the pool trusts, or the role that it assigns.
//! Cognito has one code (`NotAuthorizedException`) for most of them; `aws` reads the rest from its text.

use super::{
    AwsErrorDetails, AwsRefusalReason, COGNITO, Failure, RefusalAdvice, advise_on_common_refusal,
    advise_on_other_refusal, compare_token_to_profile, format_provider_name, make_aws_failure, quote_refusal,
    suggest_clock_and_login,
};
use crate::{
    config::{IdentityPoolId, OidcSettings, RoleArn},
    oidc::VerifiedToken,
    text::sanitize_line,
};

/// Describes a refusal of the pool `id`. `token` is compared with the profile where the pool does not know its issuer
/// or client.
pub(super) fn describe_pool_refusal(
    reason: AwsRefusalReason,
    said: &AwsErrorDetails,
    id: &IdentityPoolId,
    oidc: &OidcSettings,
    token: &VerifiedToken,
) -> Failure {
    let (mut what, pool) = (quote_refusal(said, COGNITO.name), id.as_str());
    let (provider, client) = (format_provider_name(oidc), sanitize_line(&oidc.client_id));
    if matches!(reason, AwsRefusalReason::UnknownLogin | AwsRefusalReason::InvalidIdentityToken) {
        what = format!("{what} ({})", compare_token_to_profile(oidc, token));
    }
    let (slug, hint): RefusalAdvice = match reason {
        // The pool has no identity provider under this name. `aws` has tried it with and without the trailing slash.
        AwsRefusalReason::UnknownLogin => (
            "pool_provider",
            format!("add {provider} with client {client} as an identity provider of the identity pool {pool}").into(),
        ),
        // The pool knows the provider, but does not accept this token of it: mostly the client differs.
        AwsRefusalReason::InvalidIdentityToken => (
            "invalid_identity_token",
            format!("check that the identity pool {pool} has {provider} with client {client}").into(),
        ),
        AwsRefusalReason::ExpiredToken => ("expired_token", suggest_clock_and_login()),
        // ResourceNotFoundException. The region is a part of the pool's ID, not the profile's `region`.
        AwsRefusalReason::NotFound => {
            ("pool_not_found", format!("check `identity_pool_id`: region {} has no pool {pool}", id.region()).into())
        }
        // InvalidIdentityPoolConfigurationException: no role for authenticated users, or one that does not trust the
        // pool.
        AwsRefusalReason::PoolConfiguration => (
            "pool_role",
            format!(
                "give the identity pool {pool} an authenticated role whose trust policy allows it \
                 sts:AssumeRoleWithWebIdentity (and sts:TagSession if the pool maps attributes)"
            )
            .into(),
        ),
        AwsRefusalReason::AccessDenied => ("pool_denied", suggest_pool_role_fix(oidc.federation.role()).into()),
        AwsRefusalReason::LimitExceeded => {
            ("limit", "ask your AWS administrator to raise the account's Amazon Cognito quotas".into())
        }
        AwsRefusalReason::Validation => ("validation", "check `identity_pool_id` and `role_arn`".into()),
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
        // Codes of STS, which a pool does not return.
        AwsRefusalReason::IdpRejectedClaim
        | AwsRefusalReason::IdpCommunication
        | AwsRefusalReason::SessionTooLong
        | AwsRefusalReason::PackedPolicyTooLarge => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

/// "Access to the requested role is forbidden": `role_arn` becomes `CustomRoleArn`, which chooses among the roles that
/// the token lists and cannot add one. Without `role_arn` the pool's own rules found no role.
fn suggest_pool_role_fix(role: Option<&RoleArn>) -> String {
    match role {
        Some(role) => format!(
            "remove `role_arn`: the pool assigns {} only if the ID token lists it in cognito:roles",
            role.as_str()
        ),
        None => "check the pool's role selection rules, and its role resolution when no rule matches".to_owned(),
    }
}
