//! The default headers, for a profile without `telemetry.headers`: those of AWS's guidance sample for Claude Code on
//! Bedrock.
//!
//! Collectors and dashboards that were built for the sample then work unchanged. So the names, the claims and the
//! fallback values are the sample's and must not be changed.

use ring::digest;

use super::{TelemetryHeaders, claim_text::read_first_claim};
use crate::{config::Provider, oidc::VerifiedToken, text::format_uuid};

/// A header, the claims that it may take its value from, and the value if the token has none of them.
type DefaultHeader = (&'static str, &'static [&'static str], &'static str);

/// The last claim exists only for a profile whose `session_name` names it.
const EMAIL: DefaultHeader =
    ("x-user-email", &["email", "preferred_username", "mail", "userinfo:email"], "unknown@example.com");

const NAME_CLAIMS: [&str; 2] = ["cognito:username", "preferred_username"];

/// The headers that only copy a claim. The names with `custom:` are those of Cognito, which adds this prefix to
/// attributes that a company defines.
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

/// A stable identifier of the user that does not reveal the subject: the first 16 bytes of its SHA-256 digest as a
/// UUID.
fn derive_user_id(subject: &str) -> String {
    format_uuid(digest::digest(&digest::SHA256, subject.as_bytes()).as_ref())
}
