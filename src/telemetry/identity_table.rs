//! The table of what telemetry says about a user: each row is a fact in two spellings, as an HTTP header and as an
//! OpenTelemetry attribute, with the claims that it is read from.
//!
//! Names, claims and fallback values are those of AWS's guidance sample for Claude Code on Bedrock. Collectors and
//! dashboards that were built for the sample then work unchanged, so they must not be changed.

use ring::digest;

use super::claim_text::read_first_claim;
use crate::{config::Provider, oidc::VerifiedToken, text::format_uuid};

/// One fact about a user.
#[derive(Debug)]
pub(super) struct IdentityField {
    pub(super) header: &'static str,
    pub(super) attribute: &'static str,
    pub(super) source: FieldSource,
}

/// Where the value of a field comes from.
#[derive(Debug)]
pub(super) enum FieldSource {
    /// The first of the claims that has a value. The header has the fallback without one, and the attribute is left out.
    Claims { names: &'static [&'static str], fallback: &'static str },
    /// The name of the user, or the first part of the e-mail address.
    UserName,
    /// An identifier that is derived from the subject.
    SubjectDigest,
    /// The kind of the identity provider.
    Provider,
}

const fn field(
    header: &'static str,
    attribute: &'static str,
    names: &'static [&'static str],
    fallback: &'static str,
) -> IdentityField {
    IdentityField { header, attribute, source: FieldSource::Claims { names, fallback } }
}

/// All fields. The names with `custom:` are those of Cognito, which adds this prefix to attributes that a company
/// defines.
pub(super) const IDENTITY_FIELDS: [IdentityField; 11] = [
    field("x-user-email", "user.email", EMAIL_CLAIMS, "unknown@example.com"),
    IdentityField { header: "x-user-id", attribute: "user.id", source: FieldSource::SubjectDigest },
    IdentityField { header: "x-user-name", attribute: "user.name", source: FieldSource::UserName },
    field(
        "x-department",
        "department",
        &["department", "dept", "division", "custom:department", "custom:dept"],
        "unspecified",
    ),
    field("x-team-id", "team.id", &["team", "team_id", "group", "custom:team", "custom:team_id"], "default-team"),
    field(
        "x-cost-center",
        "cost_center",
        &["cost_center", "costCenter", "cost_code", "custom:cost_center", "custom:costCenter"],
        "general",
    ),
    IdentityField { header: "x-organization", attribute: "organization", source: FieldSource::Provider },
    field("x-location", "location", &["location", "office_location", "office", "custom:location"], "remote"),
    field("x-role", "role", &["role", "job_title", "title", "custom:role"], "user"),
    field("x-manager", "manager", &["manager", "manager_email", "custom:manager"], "unassigned"),
    field(
        "x-project",
        "project",
        &["project", "custom:project", "https://aws.amazon.com/tags/principal_tags/Project"],
        "",
    ),
];

/// The last claim exists only for a profile whose `session_name` names it.
const EMAIL_CLAIMS: &[&str] = &["email", "preferred_username", "mail", "userinfo:email"];

const NAME_CLAIMS: [&str; 2] = ["cognito:username", "preferred_username"];

impl IdentityField {
    /// The value of the header: the fallback where the token says nothing.
    pub(super) fn header_value(&self, token: &VerifiedToken, provider: Provider) -> String {
        let value = self.attribute_value(token, provider);
        value.unwrap_or_else(|| match self.source {
            FieldSource::Claims { fallback, .. } => fallback.to_owned(),
            // The name in the fallback for the e-mail address.
            FieldSource::UserName => "unknown".to_owned(),
            FieldSource::SubjectDigest | FieldSource::Provider => String::new(),
        })
    }

    /// The value of the attribute; `None` if the token says nothing, because a relay vouches for what it adds.
    pub(super) fn attribute_value(&self, token: &VerifiedToken, provider: Provider) -> Option<String> {
        match self.source {
            FieldSource::Claims { names, fallback: _ } => read_first_claim(token, names),
            FieldSource::UserName => read_first_claim(token, &NAME_CLAIMS).or_else(|| {
                let email = read_first_claim(token, EMAIL_CLAIMS)?;
                Some(email.split('@').next().unwrap_or_default().to_owned())
            }),
            FieldSource::SubjectDigest => Some(derive_user_id(token.subject())),
            FieldSource::Provider => Some(provider.spec().telemetry_organization.to_owned()),
        }
    }
}

/// A stable identifier of the user that does not reveal the subject: the first 16 bytes of its SHA-256 digest as a
/// UUID.
fn derive_user_id(subject: &str) -> String {
    format_uuid(digest::digest(&digest::SHA256, subject.as_bytes()).as_ref())
}
