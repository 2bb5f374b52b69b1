//! Headers from tokens of every kind.

use serde_json::{Value, json};

use super::*;
use crate::{
    config::{Provider, testing::profile},
    identity::testing::build_token_with,
};

fn usual(claims: &Value) -> BTreeMap<String, String> {
    TelemetryHeaders::from_claims(&build_token_with(claims), &profile()).0
}

fn asked(headers: &[(&str, &[&str])], claims: &Value) -> Value {
    let mut profile = profile();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    profile.telemetry.headers = headers.iter().map(|(name, claims)| ((*name).to_owned(), words(claims))).collect();
    serde_json::from_str(TelemetryHeaders::from_claims(&build_token_with(claims), &profile).to_document().expose())
        .unwrap()
}

#[test]
fn without_any_claim_the_usual_headers_say_what_dashboards_expect() {
    let headers: Vec<_> = usual(&json!({})).into_iter().collect();
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
fn the_usual_headers_take_the_first_claim_that_says_something() {
    let headers = usual(&json!({
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
fn a_person_has_one_number_that_does_not_name_them() {
    // The beginning of `printf subject | sha256sum`, in the form of a UUID.
    assert_eq!(usual(&json!({}))["x-user-id"], "a9491f4c-1bf7-b0cf-fbad-cba2db8f028e");
    assert_ne!(usual(&json!({ "sub": "another" }))["x-user-id"], usual(&json!({}))["x-user-id"]);
}

#[test]
fn the_organization_is_told_in_the_words_that_dashboards_know() {
    for (provider, word) in [
        (Provider::Okta, "okta"),
        (Provider::Entra, "azure"),
        (Provider::Auth0, "auth0"),
        (Provider::Cognito, "cognito"),
        (Provider::Google, "amazon-internal"),
        (Provider::Generic, "amazon-internal"),
    ] {
        let profile = Profile { provider, ..profile() };
        assert_eq!(TelemetryHeaders::from_claims(&build_token_with(&json!({})), &profile).0["x-organization"], word);
    }
}

#[test]
fn a_map_of_the_profile_takes_the_place_of_the_usual_one() {
    let claims = json!({
        "email": "jane@example.com", "groups": ["a", 7, true, null, ["b"]], "level": 3, "admin": false, "o": {"x": 1},
        "https://aws.amazon.com/tags/principal_tags/Team": "platform",
    });
    let headers = asked(
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
fn no_claim_ends_a_header_or_begins_one() {
    for (said, sent) in [
        ("a\r\nx-admin: yes", "a%0D%0Ax-admin: yes"),
        ("nul\0tab\tdel\u{7f}", "nul%00tab%09del%7F"),
        ("  Zoë  Ünal ", "Zo%C3%AB  %C3%9Cnal"),
        ("100%", "100%25"),
        ("\u{202e}x", "%E2%80%AEx"),
        ("\r\n", ""),
    ] {
        let headers = asked(&[("x-a", &["said"])], &json!({ "said": said }));
        let expected = if sent.is_empty() { json!({}) } else { json!({ "x-a": sent }) };
        assert_eq!(headers, expected, "{said:?}");
    }
}

#[test]
fn a_long_claim_is_cut_between_two_characters() {
    for said in ["x".repeat(100_000), "ü".repeat(50_000), format!("{}ü", "x".repeat(510))] {
        let headers = asked(&[("x-a", &["said"])], &json!({ "said": said }));
        let value = headers["x-a"].as_str().unwrap();
        assert!((509..=512).contains(&value.len()), "{}", value.len());
        let is_whole = |(place, _): (usize, &str)| value.len() >= place + 3;
        assert!(value.match_indices('%').all(is_whole));
    }
}

#[test]
fn the_token_goes_along_only_when_it_is_given() {
    let mut headers = TelemetryHeaders::from_claims(&build_token_with(&json!({})), &profile());
    assert!(!headers.0.contains_key("authorization"));
    headers.set_bearer_token(&Secret::new("a.b.c"));
    assert_eq!(headers.0["authorization"], "Bearer a.b.c");
}
