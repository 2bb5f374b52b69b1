//! Tests of the headers that tokens with different claims produce.

use serde_json::{Value, json};

use super::*;
use crate::{
    config::{Provider, testing::profile},
    identity::testing::build_token_with,
};

fn default_headers(claims: &Value) -> BTreeMap<String, String> {
    TelemetryHeaders::from_claims(&build_token_with(claims), &profile()).0
}

fn configured_headers(headers: &[(&str, &[&str])], claims: &Value) -> Value {
    let mut profile = profile();
    let to_list = |claims: &[&str]| claims.iter().map(|&claim| claim.to_owned()).collect();
    profile.telemetry.headers = headers.iter().map(|(name, claims)| ((*name).to_owned(), to_list(claims))).collect();
    serde_json::from_str(TelemetryHeaders::from_claims(&build_token_with(claims), &profile).to_document().expose())
        .unwrap()
}

#[test]
fn default_headers_use_the_samples_fallback_values() {
    let headers: Vec<_> = default_headers(&json!({})).into_iter().collect();
    let expected = [
        ("x-cost-center", "general"),
        ("x-department", "unspecified"),
        ("x-location", "remote"),
        ("x-manager", "unassigned"),
        ("x-organization", "amazon-internal"),
        ("x-role", "user"),
        ("x-team-id", "default-team"),
        ("x-user-email", "unknown@example.com"),
        ("x-user-id", "a9491f4c-1bf7-b0cf-fbad-cba2db8f028e"),
        ("x-user-name", "unknown"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn default_headers_take_the_first_claim_with_a_value() {
    let headers = default_headers(&json!({
        "email": "", "preferred_username": "jane", "mail": "j@example.com", "dept": "R&D", "custom:team": "core",
        "groups": ["a", "b"], "costCenter": 4711, "title": "Engineer",
        "https://aws.amazon.com/tags": { "principal_tags": { "Project": ["apollo"] } },
    }));
    for (name, value) in [
        ("x-user-email", "jane"),
        ("x-user-name", "jane"),
        ("x-department", "R&D"),
        ("x-team-id", "core"),
        ("x-cost-center", "4711"),
        ("x-role", "Engineer"),
        ("x-project", "apollo"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[test]
fn user_id_is_stable_and_hides_the_subject() {
    // The beginning of `printf subject | sha256sum`, in the form of a UUID.
    assert_eq!(default_headers(&json!({}))["x-user-id"], "a9491f4c-1bf7-b0cf-fbad-cba2db8f028e");
    assert_ne!(default_headers(&json!({ "sub": "another" }))["x-user-id"], default_headers(&json!({}))["x-user-id"]);
}

#[test]
fn organization_header_has_the_samples_provider_name() {
    for (provider, name) in [
        (Provider::Okta, "okta"),
        (Provider::Entra, "azure"),
        (Provider::Auth0, "auth0"),
        (Provider::Cognito, "cognito"),
        (Provider::Google, "amazon-internal"),
        (Provider::Generic, "amazon-internal"),
    ] {
        let profile = crate::config::testing::profile_with(|oidc| oidc.provider = provider);
        assert_eq!(TelemetryHeaders::from_claims(&build_token_with(&json!({})), &profile).0["x-organization"], name);
    }
}

#[test]
fn configured_headers_replace_the_default_ones() {
    let claims = json!({
        "email": "jane@example.com", "groups": ["a", 7, true, null, ["b"]], "level": 3, "admin": false, "o": {"x": 1},
        "https://aws.amazon.com/tags/principal_tags/Team": "platform",
    });
    let headers = configured_headers(
        &[
            ("x-mail", &["none", "email"]),
            ("x-groups", &["groups"]),
            ("x-level", &["level"]),
            ("x-admin", &["admin"]),
            ("x-team", &["https://aws.amazon.com/tags/principal_tags/Team"]),
            ("x-object", &["o"]),
            ("x-nothing", &["none"]),
        ],
        &claims,
    );
    let expected = json!({
        "x-mail": "jane@example.com", "x-groups": "a,7,true,b", "x-level": "3", "x-admin": "false", "x-team": "platform",
    });
    assert_eq!(headers, expected);
}

#[test]
fn claims_are_escaped_for_header_values() {
    for (claim, header) in [
        ("a\r\nx-admin: yes", "a%0D%0Ax-admin: yes"),
        ("nul\0tab\tdel\u{7f}", "nul%00tab%09del%7F"),
        ("  Zoë  Ünal ", "Zo%C3%AB  %C3%9Cnal"),
        ("100%", "100%25"),
        ("\u{202e}x", "%E2%80%AEx"),
        ("\r\n", ""),
    ] {
        let headers = configured_headers(&[("x-a", &["said"])], &json!({ "said": claim }));
        let expected = if header.is_empty() { json!({}) } else { json!({ "x-a": header }) };
        assert_eq!(headers, expected, "{claim:?}");
    }
}

#[test]
fn long_claim_is_cut_between_two_characters() {
    for claim in ["x".repeat(100_000), "ü".repeat(50_000), format!("{}ü", "x".repeat(510))] {
        let headers = configured_headers(&[("x-a", &["said"])], &json!({ "said": claim }));
        let value = headers["x-a"].as_str().unwrap();
        assert!((509..=512).contains(&value.len()), "{}", value.len());
        let is_whole = |(place, _): (usize, &str)| value.len() >= place + 3;
        assert!(value.match_indices('%').all(is_whole));
    }
}

#[test]
fn token_is_included_only_after_it_was_set() {
    let mut headers = TelemetryHeaders::from_claims(&build_token_with(&json!({})), &profile());
    assert!(!headers.0.contains_key("authorization"));
    headers.set_bearer_token(&Secret::new("a.b.c"));
    assert_eq!(headers.0["authorization"], "Bearer a.b.c");
}
