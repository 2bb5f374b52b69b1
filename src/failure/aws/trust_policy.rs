//! The advice when a role's trust policy refuses a sign-in.
//!
//! STS says only that the call is not allowed, and answers alike for a role that does not exist. It compares the token and
//! the session name with the policy, so the hint shows what it has compared. The program does not know the policy.

use super::format_provider_name;
use crate::{
    config::{OidcSettings, Profile, RoleArn},
    identity,
    oidc::VerifiedToken,
    text::sanitize_line,
};

/// Everything of the token that a trust policy of `packaging/aws` can have a condition on, in the order of the policy.
pub(super) fn suggest_trust_check(profile: &Profile, oidc: &OidcSettings, token: &VerifiedToken) -> String {
    let role = oidc.federation.role().map_or("the role", RoleArn::as_str);
    let facts = [
        describe_audience(token),
        describe_subject(token),
        describe_session_name(profile, token),
        describe_tags(token),
    ];
    let (facts, methods, provider) = (facts.join(", "), describe_methods(token), format_provider_name(oidc));
    let action = format!("sts:AssumeRoleWithWebIdentity for {provider}");
    format!("check that {role} exists and that its trust policy allows {action} with {facts} and {methods}")
}

/// With `azp`, which some providers send too: AWS compares that claim of Google's tokens.
fn describe_audience(token: &VerifiedToken) -> String {
    let audience = join_texts(token, "aud").unwrap_or_default();
    match join_texts(token, "azp").filter(|party| *party != audience) {
        Some(party) => format!("audience {audience} (azp {party})"),
        None => format!("audience {audience}"),
    }
}

fn describe_subject(token: &VerifiedToken) -> String {
    format!("subject {}", sanitize_line(token.subject()))
}

/// A role can demand that the name is the subject or a session tag. `session_name` of the profile decides what it is.
fn describe_session_name(profile: &Profile, token: &VerifiedToken) -> String {
    let name = identity::derive_session_name(token, &profile.session_name).name;
    let tags = identity::read_session_tags(token);
    let source = match tags.iter().find(|(_, value)| **value == name) {
        _ if name == token.subject() => "the subject".to_owned(),
        Some((tag, _)) => format!("the session tag {}", sanitize_line(tag)),
        None => "neither the subject nor a session tag".to_owned(),
    };
    format!("session name {} ({source})", sanitize_line(&name))
}

/// The session tags of the token, as the end of a phrase with "with".
pub(super) fn describe_tags(token: &VerifiedToken) -> String {
    let tags = identity::read_session_tags(token);
    match tags.is_empty() {
        true => "no session tags".to_owned(),
        false => format!("session tags {}", list_tags(&tags)),
    }
}

/// How the user proved who they are, as the provider says.
fn describe_methods(token: &VerifiedToken) -> String {
    join_texts(token, "amr").map_or_else(|| "no amr".to_owned(), |methods| format!("amr {methods}"))
}

/// Session tags as `Name=value`, for messages.
pub(super) fn list_tags(tags: &std::collections::BTreeMap<String, String>) -> String {
    let tags = tags.iter().map(|(name, value)| format!("{}={}", sanitize_line(name), sanitize_line(value)));
    tags.collect::<Vec<_>>().join(" ")
}

/// The texts of a claim that holds one or several of them. `None` if the token lacks the claim.
fn join_texts(token: &VerifiedToken, claim: &str) -> Option<String> {
    let claim = token.claim(claim)?;
    let one = std::slice::from_ref(claim);
    let texts = claim.as_array().map_or(one, Vec::as_slice).iter().filter_map(|text| text.as_str());
    let texts: Vec<_> = texts.map(sanitize_line).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}
