//! The verification of ID tokens: a rejected token is neither stored nor sent to AWS.

use serde_json::{Value, json};
use testworld::{Algorithm, Endpoint, Failed, Knob, World};

use super::{desk, fails, final_page};

/// Asserts that a sign-in with this manipulated ID token fails, stores nothing and sends nothing to AWS, and that the
/// next `login` succeeds.
#[track_caller]
fn assert_rejected(knob: Knob, manipulation: impl Into<Value>, slug: &str) -> Failed {
    let world = World::new();
    let manipulation = manipulation.into();
    world.next(1, knob, manipulation.clone());
    let desk = desk(&world);
    let failed = fails(&desk, 6, &format!("token/{slug}"));
    assert_eq!(world.count(Endpoint::Assume), 0, "{manipulation}: the token is not sent to AWS");
    let page = final_page(&desk);
    assert!(page.contains("Sign-in failed") && page.contains(&format!("<code>token/{slug}</code>")), "{page}");

    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(
        (&status["signed_in"], &status["identity"], &status["can_renew"]),
        (&json!(false), &json!(null), &json!(false)),
        "{manipulation}: nothing is stored"
    );
    assert_eq!(status["last_error"]["slug"], format!("token/{slug}"));

    fails(&desk, 4, "sign-in/paused");
    assert_eq!(desk.tabs(), 1, "{manipulation}: no second tab for automatic callers");
    desk.run(["login"]).expect_code(0);
    let counts = world.counts([Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume]);
    assert_eq!(counts, [2, 0, 1], "{manipulation}: login prompts the user");
    failed
}

#[test]
fn id_token_of_another_issuer_is_rejected() {
    let failed = assert_rejected(Knob::IdTokenClaims, json!({ "iss": "https://other.example" }), "issuer");
    failed.message_has(&["https://other.example", "http://127.0.0.1:"]);
}

#[test]
fn id_token_for_another_audience_is_rejected() {
    let failed = assert_rejected(Knob::IdTokenClaims, json!({ "aud": "another-client" }), "audience");
    failed.message_has(&["another-client", "demo-client"]);
    assert_rejected(Knob::IdTokenClaims, json!({ "aud": [] }), "audience");
}

#[test]
fn id_token_issued_to_another_client_is_rejected() {
    assert_rejected(Knob::IdTokenClaims, json!({ "azp": "another-client" }), "azp");
    assert_rejected(Knob::IdTokenClaims, json!({ "aud": ["demo-client", "another-client"] }), "azp");
}

#[test]
fn id_token_of_another_sign_in_is_rejected() {
    assert_rejected(Knob::IdTokenClaims, json!({ "nonce": "of-another-sign-in" }), "nonce");
    assert_rejected(Knob::IdTokenClaims, json!({ "nonce": null }), "missing_claim");
}

#[test]
fn id_token_with_a_wrong_signature_is_rejected() {
    assert_rejected(Knob::Forgery, "broken-signature", "signature");
    assert_rejected(Knob::Forgery, "other-key", "signature");
}

#[test]
fn unsigned_or_hmac_signed_id_token_is_rejected() {
    assert_rejected(Knob::Forgery, "none", "algorithm").message_has(&["\"none\""]);
    assert_rejected(Knob::Forgery, "hs256-public-key", "algorithm").message_has(&["\"HS256\""]);
}

#[test]
fn expired_id_token_is_rejected() {
    assert_rejected(Knob::IdTokenTimes, json!({ "iat": -3600, "exp": -120 }), "expired");
    assert_rejected(Knob::IdTokenClaims, json!({ "exp": null }), "missing_claim");
}

#[test]
fn id_token_from_the_future_is_rejected() {
    assert_rejected(Knob::IdTokenTimes, json!({ "nbf": 600 }), "not_yet_valid");
    assert_rejected(Knob::IdTokenTimes, json!({ "iat": 600, "exp": 4200 }), "not_yet_valid");
}

#[test]
fn id_token_without_subject_is_rejected() {
    assert_rejected(Knob::IdTokenClaims, json!({ "sub": null }), "missing_claim");
    assert_rejected(Knob::IdTokenClaims, json!({ "sub": "" }), "subject");
}

#[test]
fn id_token_with_a_wrong_at_hash_is_rejected() {
    assert_rejected(Knob::IdTokenClaims, json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "at_hash");
}

#[test]
fn id_token_with_an_unlisted_algorithm_is_rejected() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": ["ES256"] }));
    fails(&desk(&world), 6, "token/algorithm").message_has(&["\"RS256\""]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn insecure_algorithm_is_rejected_even_if_listed() {
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
fn clock_difference_of_a_minute_is_tolerated() {
    for times in [json!({ "iat": 50 }), json!({ "nbf": 50 })] {
        let world = World::new();
        world.set(Knob::IdTokenTimes, times);
        desk(&world).credentials();
    }
}

#[test]
fn unknown_signing_key_is_fetched_once_more_then_rejected() {
    let world = World::new();
    world.set(Knob::Forgery, "unknown-kid");
    fails(&desk(&world), 6, "token/unknown_key");
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Assume)), (2, 0));
}

#[test]
fn id_token_is_rejected_without_published_keys() {
    let world = World::new();
    world.set(Knob::KeysDocument, json!({ "keys": [] }));
    fails(&desk(&world), 6, "token/unknown_key");
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Assume)), (2, 0));
}

#[test]
fn rotated_signing_key_is_fetched_once_at_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    for looks in 2..4 {
        world.rotate_keys();
        desk.run(["login", "--force"]).expect_code(0);
        assert_eq!(world.count(Endpoint::Keys), looks);
        desk.run(["login", "--force"]).expect_code(0);
        assert_eq!(world.count(Endpoint::Keys), looks, "the key is cached");
    }
}

#[test]
fn rotated_signing_key_is_fetched_once_at_refresh() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    world.rotate_keys();
    desk.credentials();
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Refresh), desk.tabs()), (2, 1, 1));
}

#[test]
fn every_allowed_signing_algorithm_is_verified() {
    for algorithm in Algorithm::ALL {
        let world = World::new();
        world.set(Knob::Algorithm, algorithm.name());
        let desk = desk(&world);
        // IAM documents only RS and ES for OIDC providers. A token with another algorithm is verified, and not sent to
        // AWS.
        let is_for_aws = algorithm.name().starts_with("RS") || algorithm.name().starts_with("ES");
        if is_for_aws {
            desk.credentials();
        } else {
            fails(&desk, 6, "token/algorithm").message_has(&[&algorithm.name(), "AWS"]).hint_has(&["RS256"]);
        }
        assert_eq!(world.count(Endpoint::Assume), usize::from(is_for_aws), "{algorithm:?}");
    }
}

#[test]
fn provider_without_an_algorithm_for_aws_opens_no_browser() {
    let world = World::new();
    let offers = |list: &[&str]| {
        world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": list }));
    };
    let desk = desk(&world);
    offers(&["EdDSA", "PS256"]);
    fails(&desk, 6, "token/algorithm").message_has(&["EdDSA and PS256", "AWS"]).hint_has(&["RS256"]);
    offers(&["HS256"]);
    fails(&desk, 6, "token/algorithm").message_has(&["HS256", "this program"]);
    assert_eq!(desk.tabs(), 0);
    // The administrator's correction counts at once, although the metadata are cached.
    offers(&["EdDSA", "RS256"]);
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn local_clock_behind_is_reported() {
    let world = World::new();
    world.set(Knob::Clock, 605);
    fails(&desk(&world), 6, "token/clock").message_has(&["10 min behind"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn local_clock_ahead_is_reported() {
    let world = World::new();
    world.set(Knob::Clock, -605);
    world.set(Knob::IdTokenLifetime, 300);
    fails(&desk(&world), 6, "token/clock").message_has(&["10 min ahead"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn local_clock_ahead_is_tolerated_while_token_is_valid() {
    let world = World::new();
    world.set(Knob::Clock, -600);
    desk(&world).credentials();
}
