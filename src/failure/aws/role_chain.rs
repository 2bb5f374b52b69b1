//! Which link of a role chain refused, and what its two sides must allow.
//!
//! A link needs both: leave to call, from the role before it, and trust, from its own.

use super::{
    AwsErrorDetails, AwsRefusalReason, Error, Failure, describe_common_refusal, describe_other_refusal,
    make_aws_failure, quote_refusal,
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
    let both = |action: &str| {
        format!("allow {action} beside sts:AssumeRole in the trust policy of {role} and in the policies of {before}")
    };
    match reason {
        AwsRefusalReason::AccessDenied if message.contains("TagSession") => {
            make_aws_failure("tag_session", what, both("sts:TagSession"))
        }
        AwsRefusalReason::AccessDenied if message.contains("SetSourceIdentity") => {
            make_aws_failure("source_identity", what, both("sts:SetSourceIdentity"))
        }
        AwsRefusalReason::AccessDenied => make_aws_failure(
            "chain_denied",
            what,
            format!(
                "let {before} call sts:AssumeRole on {role}, and let the trust policy of {role} name it{}",
                suggest_external_id(link)
            ),
        ),
        AwsRefusalReason::SessionTooLong => {
            make_aws_failure("duration", what, "lower the link's `duration`: AWS allows a chained role 1h at most")
        }
        AwsRefusalReason::Validation => make_aws_failure(
            "validation",
            what,
            "check the link's `session_name`, `tags`, `source_identity` and `duration`",
        ),
        AwsRefusalReason::PackedPolicyTooLarge => {
            make_aws_failure("tags_too_large", what, "give the link fewer or shorter `tags`")
        }
        AwsRefusalReason::ExpiredToken => {
            make_aws_failure("expired_token", what, "set this computer's clock, then try again")
        }
        AwsRefusalReason::Common(reason) => describe_common_refusal(reason, what),
        AwsRefusalReason::InvalidIdentityToken
        | AwsRefusalReason::IdpRejectedClaim
        | AwsRefusalReason::IdpCommunication
        | AwsRefusalReason::UnknownLogin
        | AwsRefusalReason::NotFound
        | AwsRefusalReason::PoolConfiguration
        | AwsRefusalReason::LimitExceeded => describe_other_refusal(what),
    }
}

fn suggest_external_id(link: &ChainedRole) -> &'static str {
    match link.external_id {
        Some(_) => ", with the same external id",
        None => "; if it asks for an external id, set the link's `external_id`",
    }
}
