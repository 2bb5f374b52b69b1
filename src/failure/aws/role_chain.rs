//! Which link of a role chain refused, and what its two sides must allow.
//!
//! A link needs both: leave to call, from the role before it, and trust, from its own.

use super::{
    AwsErrorDetails, AwsRefusalReason, Error, Failure, Hint, RefusalAdvice, advise_on_common_refusal,
    advise_on_other_refusal, make_aws_failure, quote_refusal,
};
use crate::config::{ChainedRole, Profile, RoleArn};

pub(super) fn describe_link_failure(error: Error, at: usize, profile: &Profile) -> Failure {
    let Some(link) = profile.role_chain.get(at) else { return error.into() };
    let here = format!("link {} of the role chain, {}", at + 1, link.role.as_str());
    let failure = if let Error::Refused { reason, details } = error {
        describe_link_refusal(reason, &details, link, &find_previous_role(at, profile))
    } else {
        error.into()
    };
    failure.with_subject(&here)
}

/// The role whose credentials knock at this link.
fn find_previous_role(at: usize, profile: &Profile) -> String {
    let earlier = at.checked_sub(1).and_then(|at| profile.role_chain.get(at)).map(|link| &link.role);
    let role = earlier.or_else(|| profile.federation.role()).map(RoleArn::as_str);
    role.unwrap_or("the identity pool's role").to_owned()
}

fn describe_link_refusal(
    reason: AwsRefusalReason,
    details: &AwsErrorDetails,
    link: &ChainedRole,
    before: &str,
) -> Failure {
    let (what, message) = (quote_refusal(details), details.message.to_safe_line());
    let role = link.role.as_str();
    let both = |action: &str| -> Hint {
        format!("allow {action} beside sts:AssumeRole in the trust policy of {role} and in the policies of {before}")
            .into()
    };
    let (slug, hint): RefusalAdvice = match reason {
        AwsRefusalReason::AccessDenied if message.contains("TagSession") => ("tag_session", both("sts:TagSession")),
        AwsRefusalReason::AccessDenied if message.contains("SetSourceIdentity") => {
            ("source_identity", both("sts:SetSourceIdentity"))
        }
        AwsRefusalReason::AccessDenied => {
            let external = suggest_external_id(link);
            let trust = format!("let the trust policy of {role} name it{external}");
            ("chain_denied", format!("let {before} call sts:AssumeRole on {role}, and {trust}").into())
        }
        AwsRefusalReason::SessionTooLong => {
            ("duration", "lower the link's `duration`: AWS allows a chained role 1h at most".into())
        }
        AwsRefusalReason::Validation => {
            ("validation", "check the link's `session_name`, `tags`, `source_identity` and `duration`".into())
        }
        AwsRefusalReason::PackedPolicyTooLarge => ("tags_too_large", "give the link fewer or shorter `tags`".into()),
        AwsRefusalReason::ExpiredToken => ("expired_token", "set this computer's clock, then try again".into()),
        AwsRefusalReason::Common(reason) => advise_on_common_refusal(reason),
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

fn suggest_external_id(link: &ChainedRole) -> &'static str {
    match link.external_id {
        Some(_) => ", with the same external id",
        None => "; if it asks for an external id, set the link's `external_id`",
    }
}
