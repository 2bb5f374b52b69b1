//! The headers that are sent when a profile names none: those of AWS's guidance for Claude Code on Bedrock, so that its
//! collectors and dashboards go on working.
//!
//! Names, claims and what stands in for a claim that says nothing are theirs.

use ring::digest;

use super::{TelemetryHeaders, claim_text::read_first_claim};
use crate::{config::Provider, oidc::VerifiedToken, text::format_uuid};

/// A header, the claims that may fill it, and what it says without them.
type DefaultHeader = (&'static str, &'static [&'static str], &'static str);

const EMAIL: DefaultHeader = ("x-user-email", &["email", "preferred_username", "mail"], "unknown@example.com");

const NAME_CLAIMS: [&str; 2] = ["cognito:username", "preferred_username"];

/// Cognito gives the attributes that a company adds a prefix.
const DEFAULT_HEADERS: [DefaultHeader; 7] = [
    ("x-department", &["department", "dept", "division", "custom:department", "custom:dept"], "unspecified"),
    ("x-team-id", &["team", "team_id", "group", "custom:team", "custom:team_id"], "default-team"),
    (
        "x-cost-center",
        &["cost_center", "costCenter", "cost_code", "custom:cost_center", "custom:costCenter"],
        "general",
    ),
    ("x-manager", &["manager", "manager_email", "custom:manager"], "unassigned"),
    ("x-location", &["location", "office_location", "office", "custom:location"], "remote"),
    ("x-role", &["role", "job_title", "title", "custom:role"], "user"),
    ("x-project", &["project", "custom:project", "https://aws.amazon.com/tags/principal_tags/Project"], ""),
];

pub(super) fn add_default_headers(headers: &mut TelemetryHeaders, token: &VerifiedToken, provider: Provider) {
    let (email_header, claims, fallback) = EMAIL;
    let email = read_first_claim(token, claims).unwrap_or_else(|| fallback.to_owned());
    let name =
        read_first_claim(token, &NAME_CLAIMS).unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    headers.set(email_header, &email);
    headers.set("x-user-name", &name);
    headers.set("x-user-id", &derive_user_id(token.subject()));
    headers.set("x-organization", provider.spec().telemetry_organization);
    for (header, claims, fallback) in DEFAULT_HEADERS {
        headers.set(header, &read_first_claim(token, claims).unwrap_or_else(|| fallback.to_owned()));
    }
}

/// One person's own number, in the form of a UUID: the beginning of the subject's digest.
fn derive_user_id(subject: &str) -> String {
    format_uuid(digest::digest(&digest::SHA256, subject.as_bytes()).as_ref())
}
