//! Which link of a role chain refused, and what its two sides must allow.
//!
//! A link needs both: leave to call, from the role before it, and trust, from its own.

use super::{Error, Failure, Reason, STS, aws, general, quoted, whatever};
use crate::config::{Link, Profile, RoleArn};

pub(super) fn failed(error: Error, at: usize, profile: &Profile) -> Failure {
    let Some(link) = profile.role_chain.get(at) else { return error.into() };
    let here = format!("link {} of the role chain, {}", at + 1, link.role.as_str());
    let told = match error {
        Error::Refused { reason, said } => {
            let text = said.message.line().to_string();
            refused(reason, &text, quoted(&said), link, &before(at, profile))
        }
        other => general(other, &STS),
    };
    Failure { what: format!("{here}: {}", told.what), ..told }
}

/// The role whose credentials knock at this link.
fn before(at: usize, profile: &Profile) -> String {
    let earlier = at.checked_sub(1).and_then(|at| profile.role_chain.get(at)).map(|link| &link.role);
    let role = earlier.or_else(|| profile.federation.role()).map(RoleArn::as_str);
    role.unwrap_or("the identity pool's role").to_owned()
}

fn refused(reason: Reason, said: &str, what: String, link: &Link, before: &str) -> Failure {
    let role = link.role.as_str();
    let both = |action: &str| {
        format!(
            "allow {action} beside sts:AssumeRole in the trust policy of {role} and in the policies of {before}"
        )
    };
    match reason {
        Reason::AccessDenied if said.contains("TagSession") => {
            aws("tag_session", what, both("sts:TagSession"))
        }
        Reason::AccessDenied if said.contains("SetSourceIdentity") => {
            aws("source_identity", what, both("sts:SetSourceIdentity"))
        }
        Reason::AccessDenied => aws(
            "chain_denied",
            what,
            format!(
                "let {before} call sts:AssumeRole on {role}, and let the trust policy of {role} name it{}",
                external_id(link)
            ),
        ),
        Reason::TooLong => {
            aws("duration", what, "lower the link's `duration`: AWS allows a chained role 1h at most")
        }
        Reason::Validation => aws(
            "validation",
            what,
            "check the link's `session_name`, `tags`, `source_identity` and `duration`",
        ),
        Reason::PackedPolicyTooLarge => aws("tags_too_large", what, "give the link fewer or shorter `tags`"),
        Reason::ExpiredToken => aws("expired_token", what, "set this computer's clock, then try again"),
        other => whatever(other, what),
    }
}

fn external_id(link: &Link) -> &'static str {
    match link.external_id {
        Some(_) => ", with the same external id",
        None => "; if it asks for an external id, set the link's `external_id`",
    }
}
