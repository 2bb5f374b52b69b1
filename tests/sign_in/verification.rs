//! Every ID token is judged before anything uses it; what fails is neither kept nor shown to AWS.

use serde_json::{Value, json};
use testworld::{Algorithm, Endpoint, Failed, Knob, World};

use super::{desk, fails, page};

/// A sign-in that brings a token bent like this: refused, told, not kept, not sent, and forgotten by the next one.
#[track_caller]
fn rejected(knob: Knob, bent: impl Into<Value>, slug: &str) -> Failed {
    let world = World::new();
    let bent = bent.into();
    world.next(1, knob, bent.clone());
    let desk = desk(&world);
    let failed = fails(&desk, 6, &format!("token/{slug}"));
    assert_eq!(world.count(Endpoint::Assume), 0, "{bent}: AWS never saw it");
    let page = page(&desk);
    assert!(page.contains("Sign-in failed") && page.contains(&format!("<code>token/{slug}</code>")), "{page}");

    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(
        (&status["signed_in"], &status["identity"], &status["can_renew"]),
        (&json!(false), &json!(null), &json!(false)),
        "{bent}: nothing is kept"
    );
    assert_eq!(status["last_error"]["slug"], format!("token/{slug}"));

    fails(&desk, 4, "sign-in/paused");
    assert_eq!(desk.tabs(), 1, "{bent}: no second tab for automatic callers");
    desk.run(["login"]).expect_code(0);
    let counts = world.counts([Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume]);
    assert_eq!(counts, [2, 0, 1], "{bent}: a person signs in anew");
    failed
}

#[test]
fn a_token_of_another_issuer_is_rejected() {
    let failed = rejected(Knob::IdTokenClaims, json!({ "iss": "https://other.example" }), "issuer");
    failed.message_has(&["https://other.example", "http://127.0.0.1:"]);
}

#[test]
fn a_token_for_another_audience_is_rejected() {
    let failed = rejected(Knob::IdTokenClaims, json!({ "aud": "another-client" }), "audience");
    failed.message_has(&["another-client", "demo-client"]);
    rejected(Knob::IdTokenClaims, json!({ "aud": [] }), "audience");
}

#[test]
fn a_token_issued_to_another_client_is_rejected() {
    rejected(Knob::IdTokenClaims, json!({ "azp": "another-client" }), "azp");
    rejected(Knob::IdTokenClaims, json!({ "aud": ["demo-client", "another-client"] }), "azp");
}

#[test]
fn a_token_of_another_sign_in_is_rejected() {
    rejected(Knob::IdTokenClaims, json!({ "nonce": "of-another-sign-in" }), "nonce");
    rejected(Knob::IdTokenClaims, json!({ "nonce": null }), "missing_claim");
}

#[test]
fn a_token_whose_signature_is_wrong_is_rejected() {
    rejected(Knob::Forgery, "broken-signature", "signature");
    rejected(Knob::Forgery, "other-key", "signature");
}

#[test]
fn a_token_without_a_signature_or_signed_with_a_public_secret_is_rejected() {
    rejected(Knob::Forgery, "none", "algorithm").message_has(&["\"none\""]);
    rejected(Knob::Forgery, "hs256-public-key", "algorithm").message_has(&["\"HS256\""]);
}

#[test]
fn a_token_that_has_expired_is_rejected() {
    rejected(Knob::IdTokenTimes, json!({ "iat": -3600, "exp": -120 }), "expired");
    rejected(Knob::IdTokenClaims, json!({ "exp": null }), "missing_claim");
}

#[test]
fn a_token_from_the_future_is_rejected() {
    rejected(Knob::IdTokenTimes, json!({ "nbf": 600 }), "not_yet_valid");
    rejected(Knob::IdTokenTimes, json!({ "iat": 600, "exp": 4200 }), "not_yet_valid");
}

#[test]
fn a_token_that_names_nobody_is_rejected() {
    rejected(Knob::IdTokenClaims, json!({ "sub": null }), "missing_claim");
    rejected(Knob::IdTokenClaims, json!({ "sub": "" }), "subject");
}

#[test]
fn a_token_that_belongs_to_another_access_token_is_rejected() {
    rejected(Knob::IdTokenClaims, json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "at_hash");
}

#[test]
fn a_token_signed_with_an_algorithm_that_discovery_does_not_list_is_rejected() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": ["ES256"] }));
    fails(&desk(&world), 6, "token/algorithm").message_has(&["\"RS256\""]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn no_list_of_a_provider_makes_an_algorithm_without_worth_acceptable() {
    for forgery in ["none", "hs256-public-key"] {
        let world = World::new();
        let listed = json!(["RS256", "none", "HS256"]);
        world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": listed }));
        world.set(Knob::Forgery, forgery);
        fails(&desk(&world), 6, "token/algorithm");
        assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Assume)), (1, 0), "{forgery}");
    }
}

#[test]
fn a_minute_between_two_clocks_is_forgiven() {
    for times in [json!({ "iat": 50 }), json!({ "nbf": 50 })] {
        let world = World::new();
        world.set(Knob::IdTokenTimes, times);
        desk(&world).credentials();
    }
}

#[test]
fn a_key_that_stays_unknown_is_looked_for_once_more_and_then_rejected() {
    let world = World::new();
    world.set(Knob::Forgery, "unknown-kid");
    fails(&desk(&world), 6, "token/unknown_key");
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Assume)), (2, 0));
}

#[test]
fn without_any_published_key_no_token_is_believed() {
    let world = World::new();
    world.set(Knob::KeysDocument, json!({ "keys": [] }));
    fails(&desk(&world), 6, "token/unknown_key");
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Assume)), (2, 0));
}

#[test]
fn a_key_that_is_new_since_the_last_sign_in_costs_one_look() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    for looks in 2..4 {
        world.rotate_keys();
        desk.run(["login", "--force"]).expect_code(0);
        assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Discovery)), (looks, 1));
        desk.run(["login", "--force"]).expect_code(0);
        assert_eq!(world.count(Endpoint::Keys), looks, "and is remembered");
    }
}

#[test]
fn a_key_that_is_new_since_the_last_sign_in_costs_a_renewal_one_look() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    world.rotate_keys();
    desk.credentials();
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Refresh), desk.tabs()), (2, 1, 1));
}

#[test]
fn every_algorithm_that_a_provider_may_sign_with_is_verified() {
    for algorithm in Algorithm::ALL {
        let world = World::new();
        world.set(Knob::Algorithm, algorithm.name());
        let desk = desk(&world);
        // IAM documents RS and ES for its OIDC providers; of the others it hears only once they were found good.
        if algorithm.name().starts_with("RS") || algorithm.name().starts_with("ES") {
            desk.credentials();
        } else {
            fails(&desk, 7, "aws/invalid_identity_token").message_has(&["Unsupported signature algorithm"]);
        }
        assert_eq!(world.count(Endpoint::Assume), 1, "{algorithm:?}");
    }
}

#[test]
fn a_clock_that_is_behind_is_recognised_and_said() {
    let world = World::new();
    world.set(Knob::Clock, 605);
    fails(&desk(&world), 6, "token/clock").message_has(&["10 min behind"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn a_clock_that_is_ahead_is_recognised_and_said() {
    let world = World::new();
    world.set(Knob::Clock, -605);
    world.set(Knob::IdTokenLifetime, 300);
    fails(&desk(&world), 6, "token/clock").message_has(&["10 min ahead"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn a_clock_that_is_ahead_harms_nothing_while_the_token_outlasts_it() {
    let world = World::new();
    world.set(Knob::Clock, -600);
    desk(&world).credentials();
}
