//! Failures of a role chain: STS refused `AssumeRole` for one of its links.
//!
//! A link needs two permissions: the policies of the previous role must allow the call, and the trust policy of the
//! link's own role must allow the previous role. AWS does not say which of the two is missing, so the hints name both.

use super::{
    AwsErrorDetails, AwsRefusalReason, Error, Failure, Hint, RefusalAdvice, SET_CLOCK, STS, advise_on_common_refusal,
    advise_on_other_refusal, describe_block, make_aws_failure, quote_refusal,
};
use crate::config::{ChainedRole, Profile, RoleArn, SignInSettings};

/// The failure at link `at`, counted from 0 here and from 1 in the message.
pub(super) fn describe_link_failure(error: Error, at: usize, profile: &Profile) -> Failure {
    let Some(link) = profile.role_chain.get(at) else { return error.into() };
    if let Some(failure) = describe_block(&error) {
        return failure;
    }
    let here = format!("link {} of the role chain ({})", at + 1, link.role.as_str());
    let failure = if let Error::Refused { reason, details } = error {
        describe_link_refusal(reason, &details, link, &find_previous_role(at, profile))
    } else {
        error.into()
    };
    failure.with_subject(&here)
}

/// The role whose credentials call `AssumeRole` for this link: the previous link's, or the one of the first exchange.
/// An identity pool may choose that one, and then the profile does not know its name.
fn find_previous_role(at: usize, profile: &Profile) -> String {
    let earlier = at.checked_sub(1).and_then(|at| profile.role_chain.get(at)).map(|link| &link.role);
    let role = earlier.or_else(|| profile.oidc()?.federation.role()).map(RoleArn::as_str);
    let chosen = match &profile.sign_in {
        SignInSettings::Oidc(_) => "the identity pool's role",
        SignInSettings::IdentityCenter(_) => "the permission set",
    };
    role.unwrap_or(chosen).to_owned()
}

/// `before` is the previous role, as [`find_previous_role`] found it.
fn describe_link_refusal(
    reason: AwsRefusalReason,
    details: &AwsErrorDetails,
    link: &ChainedRole,
    before: &str,
) -> Failure {
    let (what, message) = (quote_refusal(details, STS.name), details.message.to_safe_line());
    let role = link.role.as_str();
    let both = |action: &str| -> Hint {
        format!(
            "allow {action} together with sts:AssumeRole in the trust policy of {role} and the policies of {before}"
        )
        .into()
    };
    let (slug, hint): RefusalAdvice = match reason {
        // `tags` and `source_identity` of a link need actions of their own. AWS's text names the one that is missing.
        AwsRefusalReason::AccessDenied if message.contains("TagSession") => ("tag_session", both("sts:TagSession")),
        AwsRefusalReason::AccessDenied if message.contains("SetSourceIdentity") => {
            ("source_identity", both("sts:SetSourceIdentity"))
        }
        AwsRefusalReason::AccessDenied => {
            let external = suggest_external_id(link);
            let trust = format!("name {before} in the trust policy of {role}{external}");
            ("chain_denied", format!("allow {before} to call sts:AssumeRole on {role}, and {trust}").into())
        }
        AwsRefusalReason::SessionTooLong => {
            ("duration", "lower the link's `duration`: AWS allows at most 1 hour for a chained role".into())
        }
        AwsRefusalReason::Validation => {
            ("validation", "check the link's `session_name`, `tags`, `source_identity` and `duration`".into())
        }
        AwsRefusalReason::PackedPolicyTooLarge => ("tags_too_large", "use fewer or shorter `tags` in the link".into()),
        // The previous link's credentials are seconds old, so only a wrong clock makes them expired.
        AwsRefusalReason::ExpiredToken => ("expired_token", SET_CLOCK.into()),
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
        // Codes of operations that take an ID token, and of Cognito.
        AwsRefusalReason::InvalidIdentityToken
        | AwsRefusalReason::IdpRejectedClaim
        | AwsRefusalReason::IdpCommunication
        | AwsRefusalReason::UnknownLogin
        | AwsRefusalReason::NotFound
        | AwsRefusalReason::PoolConfiguration
        | AwsRefusalReason::LimitExceeded => advise_on_other_refusal(),
    };
    make_aws_failure(slug, what, hint)
}

/// The end of the hint. Without the right external ID a trust policy that requires one refuses as if it did not match
/// at all.
fn suggest_external_id(link: &ChainedRole) -> &'static str {
    match link.external_id {
        Some(_) => ", with the same external ID",
        None => " (if it requires an external ID, set the link's `external_id`)",
    }
}
