//! `require`: what the program asks the provider for, which sign-ins it accepts, and when the user must sign in again.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Knob, World, wait_until};

use crate::{PROGRAM, SPENT, counts};

const ALL: &str =
    "require = { acr = [\"2\", \"3\"], amr = [\"mfa\", \"hwk\"], max_age = \"1h\", email_domain = [\"example.com\"] }";

/// A world whose provider states a strong sign-in.
fn strict_world() -> World {
    let world = World::new();
    world.set(Knob::Claims, json!({ "acr": "2", "amr": ["pwd", "mfa", "hwk"] }));
    world
}

fn desk<'w>(world: &'w World, lines: &str) -> Desk<'w> {
    Desk::with(world, PROGRAM, lines)
}

/// The parameters of the last request to this endpoint, from its query or its form.
fn last_parameters(world: &World, endpoint: Endpoint) -> BTreeMap<String, String> {
    let requests = world.ledger().requests();
    let last = requests.iter().rfind(|request| request.endpoint == endpoint).unwrap();
    let query = last.target.split_once('?').map_or("", |(_, query)| query);
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn status(desk: &Desk<'_>) -> Value {
    desk.run(["status", "--json"]).expect_code(0).document()
}

#[test]
fn the_request_asks_for_what_the_profile_requires() {
    let world = strict_world();
    desk(&world, ALL).credentials();
    let asked = last_parameters(&world, Endpoint::Authorize);
    assert_eq!((asked["acr_values"].as_str(), asked["max_age"].as_str()), ("2 3", "3600"));
    assert!(!asked.contains_key("claims"), "{asked:?}");
}

#[test]
fn essential_claims_are_requested_where_discovery_offers_it() {
    let world = strict_world();
    world.set(Knob::DiscoveryDocument, json!({ "claims_parameter_supported": true }));
    desk(&world, ALL).credentials();
    let asked = last_parameters(&world, Endpoint::Authorize);
    let claims: Value = serde_json::from_str(&asked["claims"]).unwrap();
    assert_eq!(claims["id_token"]["acr"], json!({ "essential": true, "values": ["2", "3"] }));
    assert_eq!(claims["id_token"]["email_verified"], json!({ "essential": true }));
    assert!(!asked.contains_key("acr_values"), "{asked:?}");
}

#[test]
fn a_strong_sign_in_is_accepted_and_refreshed_silently() {
    let world = strict_world();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world, ALL);
    desk.credentials();
    let requirements = &status(&desk)["requirements"];
    assert_eq!((&requirements["met"], &requirements["unmet"]), (&json!(true), &json!(null)));
    assert_eq!((&requirements["acr"], &requirements["max_age_seconds"]), (&json!(["2", "3"]), &json!(3600)));
    // A refreshed token may omit all of these claims.
    let omitted = json!({ "acr": null, "amr": null, "auth_time": null, "email": null, "email_verified": null });
    world.next(1, Knob::IdTokenClaims, omitted);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
    assert_eq!(status(&desk)["requirements"]["met"], true);
}

#[test]
fn a_weak_sign_in_is_rejected_and_not_sent_to_aws() {
    for (claims, slug) in [
        (json!({ "acr": "1" }), "token/acr"),
        (json!({ "acr": null }), "token/acr"),
        (json!({ "amr": ["mfa"] }), "token/amr"),
        (json!({ "amr": null }), "token/amr"),
        (json!({ "auth_time": null }), "token/max_age"),
        (json!({ "email": "demo@evil-example.com" }), "token/email_domain"),
        (json!({ "email": null }), "token/email_domain"),
        (json!({ "email_verified": false }), "token/email_unverified"),
    ] {
        let world = strict_world();
        world.next(1, Knob::IdTokenClaims, claims.clone());
        let desk = desk(&world, ALL);
        let outcome = desk.run(["credentials"]);
        assert_eq!(outcome.stdout, "", "{claims}");
        outcome.fails(6, slug);
        let status = status(&desk);
        let facts = (&status["signed_in"], &status["can_renew"], &status["requirements"]["met"]);
        assert_eq!(facts, (&json!(false), &json!(false), &json!(null)), "{claims}: nothing is stored");
        assert_eq!(counts(&world), [1, 1, 0, 0], "{claims}");
        desk.run(["login"]).expect_code(0);
        assert_eq!(counts(&world), [2, 2, 0, 1], "{claims}: the next sign-in is a strong one");
    }
}

#[test]
fn an_authentication_older_than_max_age_is_rejected() {
    for (seconds, slug) in [(-3700, "token/max_age"), (120, "token/max_age")] {
        let world = strict_world();
        world.next(1, Knob::IdTokenTimes, json!({ "auth_time": seconds }));
        let desk = desk(&world, ALL);
        desk.run(["credentials"]).fails(6, slug);
        assert_eq!(world.count(Endpoint::Assume), 0);
    }
    let world = strict_world();
    world.next(1, Knob::IdTokenTimes, json!({ "auth_time": -3000 }));
    desk(&world, ALL).credentials();
}

#[test]
fn a_refresh_that_states_less_needs_a_new_sign_in() {
    for lower in [
        json!({ "acr": "1" }),
        json!({ "amr": ["pwd"] }),
        json!({ "auth_time": 1_000_000_000 }),
        json!({ "email": "demo@evil.example" }),
        json!({ "email_verified": false }),
    ] {
        let world = strict_world();
        world.next(1, Knob::CredentialLifetime, SPENT);
        let desk = desk(&world, ALL);
        desk.credentials();
        world.next(1, Knob::IdTokenClaims, lower.clone());
        let outcome = desk.run(["credentials", "--no-login"]);
        assert_eq!(outcome.stdout, "", "{lower}");
        outcome.fails(4, "sign-in/requirement");
        assert_eq!(counts(&world), [1, 1, 1, 1], "{lower}");
        // The stored proof is enough for the answer: the provider is not asked again.
        desk.run(["credentials", "--no-login"]).fails(4, "sign-in/requirement");
        assert_eq!(counts(&world), [1, 1, 1, 1], "{lower}");
        let status = status(&desk);
        assert_eq!((&status["requirements"]["met"], &status["can_renew"]), (&json!(false), &json!(false)), "{lower}");
        desk.credentials();
        assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2), "{lower}: one prompt, and no refresh");
        assert!(desk.log().contains("the stored sign-in is not used: you need to sign in again"), "{lower}");
    }
}

#[test]
fn a_sign_in_that_becomes_too_old_is_not_refreshed() {
    let world = strict_world();
    world.next(1, Knob::CredentialLifetime, SPENT);
    // With the leeway of a minute, this authentication is too old in ten seconds.
    world.next(1, Knob::IdTokenTimes, json!({ "auth_time": -110 }));
    let desk = desk(&world, "require = { max_age = \"1m\" }");
    desk.credentials();
    assert_eq!(status(&desk)["requirements"]["met"], true);
    wait_until("the sign-in is too old", || status(&desk)["requirements"]["met"] == false);
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/requirement");
    // The ID token is valid for another hour, but its sign-in no longer is.
    assert_eq!(counts(&world), [1, 1, 0, 1]);
    desk.run(["status"]).prints("status: a sign-in older than max_age");
    desk.run(["login"]).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 2], 2));
}

#[test]
fn profiles_with_different_requirements_share_no_sign_in() {
    let world = strict_world();
    let desk = desk(&world, "");
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    let (head, body) = text.split_once("[profiles.claude]").unwrap();
    let strict = format!("[profiles.strict]{body}\n{ALL}\n");
    desk.configure(&format!("default_profile = \"claude\"\n{head}[profiles.claude]{body}\n{strict}"));
    desk.credentials();
    desk.run(["credentials", "--profile", "strict", "--no-login"]).fails(4, "sign-in/not_allowed");
    desk.run(["credentials", "--profile", "strict"]).expect_code(0);
    assert_eq!(desk.tabs(), 2);
}
