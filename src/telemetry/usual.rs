//! The headers that are sent when a profile names none: those of AWS's guidance for Claude Code on Bedrock, so that its
//! collectors and dashboards go on working.
//!
//! Names, claims and what stands in for a claim that says nothing are theirs.

use ring::digest;

use super::{Headers, value::said};
use crate::{config::Provider, oidc::VerifiedToken, text::uuid};

/// A header, the claims that may fill it, and what it says without them.
struct Usual {
    header: &'static str,
    claims: &'static [&'static str],
    otherwise: &'static str,
}

const fn usual(header: &'static str, claims: &'static [&'static str], otherwise: &'static str) -> Usual {
    Usual { header, claims, otherwise }
}

const EMAIL: Usual = usual("x-user-email", &["email", "preferred_username", "mail"], "unknown@example.com");

const NAME_CLAIMS: [&str; 2] = ["cognito:username", "preferred_username"];

/// Cognito gives the attributes that a company adds a prefix.
const OTHERS: [Usual; 7] = [
    usual(
        "x-department",
        &["department", "dept", "division", "custom:department", "custom:dept"],
        "unspecified",
    ),
    usual("x-team-id", &["team", "team_id", "group", "custom:team", "custom:team_id"], "default-team"),
    usual(
        "x-cost-center",
        &["cost_center", "costCenter", "cost_code", "custom:cost_center", "custom:costCenter"],
        "general",
    ),
    usual("x-manager", &["manager", "manager_email", "custom:manager"], "unassigned"),
    usual("x-location", &["location", "office_location", "office", "custom:location"], "remote"),
    usual("x-role", &["role", "job_title", "title", "custom:role"], "user"),
    usual(
        "x-project",
        &["project", "custom:project", "https://aws.amazon.com/tags/principal_tags/Project"],
        "",
    ),
];

pub(super) fn fill(headers: &mut Headers, token: &VerifiedToken, provider: Provider) {
    let email = found(token, EMAIL.claims).unwrap_or_else(|| EMAIL.otherwise.to_owned());
    let name =
        found(token, &NAME_CLAIMS).unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    headers.set(EMAIL.header, &email);
    headers.set("x-user-name", &name);
    headers.set("x-user-id", &pseudonym(token.subject()));
    headers.set("x-organization", provider.organization());
    for Usual { header, claims, otherwise } in OTHERS {
        headers.set(header, &found(token, claims).unwrap_or_else(|| otherwise.to_owned()));
    }
}

fn found(token: &VerifiedToken, claims: &[&str]) -> Option<String> {
    claims.iter().find_map(|claim| said(token, claim))
}

/// One person's own number, in the form of a UUID: the beginning of the subject's digest.
fn pseudonym(subject: &str) -> String {
    uuid(digest::digest(&digest::SHA256, subject.as_bytes()).as_ref())
}
