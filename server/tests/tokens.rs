//! The verification of ID tokens, with a provider on loopback that signs true and false ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, time::Duration};

use bedrock_sso::{
    config::Issuer,
    host::{Environment, now},
    http::{Client, HttpSettings},
    secret::Secret,
    time::Timestamp,
};
use bedrock_sso_server::{
    config::TrustedIssuer,
    token::{Caller, TokenError, TokenVerifier},
};
use serde_json::{Value, json};
use testworld::{CLIENT_ID, Endpoint, Fault, Knob, World};

fn trusted(world: &World) -> TrustedIssuer {
    TrustedIssuer {
        issuer: Issuer::parse(&world.issuer()).unwrap(),
        audiences: vec!["other-client".to_owned(), CLIENT_ID.to_owned()],
        person: ["email", "upn"].map(str::to_owned).into(),
        group_claims: vec!["groups".to_owned()],
        department_claims: vec!["department".to_owned()],
        team_claims: vec!["team".to_owned()],
    }
}

fn verifier_of(issuers: &[TrustedIssuer]) -> TokenVerifier {
    let environment = Environment::Fixed(BTreeMap::new());
    TokenVerifier::new(Client::new(HttpSettings::from_environment(&environment)).unwrap(), issuers)
}

fn verifier(world: &World) -> TokenVerifier {
    verifier_of(&[trusted(world)])
}

async fn identify(verifier: &TokenVerifier, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
    verifier.identify_caller(&Secret::new(token), now).await
}

/// The outcome for the next token of this world.
async fn identify_next(world: &World, verifier: &TokenVerifier) -> Result<Caller, TokenError> {
    identify(verifier, &world.issue_id_token(), now()).await
}

fn later(seconds: u64) -> Timestamp {
    now().saturating_add(Duration::from_secs(seconds))
}

fn is_not_believed(outcome: &Result<Caller, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::NotBelieved(_)))
}

fn lacks_keys(outcome: &Result<Caller, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::NoKeys { .. }))
}

#[tokio::test]
async fn true_token_names_person_groups_and_department() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "groups": ["web", "ai"], "department": "Research" }));
    let caller = identify_next(&world, &verifier(&world)).await.unwrap();
    assert_eq!(caller.person.as_str(), "demo@example.com");
    assert_eq!(caller.record.groups, ["ai", "web"]);
    assert_eq!(caller.record.department.as_deref(), Some("Research"));
    assert_eq!((caller.record.issuer, caller.record.subject), (world.issuer(), "00u-demo-1".to_owned()));
    assert!(caller.record.token_issued_at.unix_seconds().abs_diff(world.now()) < 5);
}

#[tokio::test]
async fn forged_token_is_never_believed() {
    let world = World::new();
    let verifier = verifier(&world);
    for forgery in ["none", "hs256-public-key", "broken-signature", "other-key", "unknown-kid"] {
        world.next(1, Knob::Forgery, forgery);
        let outcome = identify_next(&world, &verifier).await;
        assert!(is_not_believed(&outcome), "{forgery}: {outcome:?}");
    }
    identify_next(&world, &verifier).await.unwrap();
}

#[tokio::test]
async fn token_for_others_is_never_believed() {
    let world = World::new();
    let (verifier, slash) = (verifier(&world), format!("{}/", world.issuer()));
    for claims in [
        json!({ "aud": "foreign-client" }),
        json!({ "aud": ["foreign-client"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "aud": 7 }),
        json!({ "aud": [CLIENT_ID, "foreign-client"] }),
        json!({ "aud": [CLIENT_ID, "foreign-client"], "azp": "foreign-client" }),
        json!({ "azp": "foreign-client" }),
        json!({ "azp": 7 }),
        json!({ "iss": "https://foreign.example.com" }),
        json!({ "iss": slash }),
        json!({ "iss": null }),
        json!({ "sub": "" }),
        json!({ "sub": null }),
        json!({ "exp": null }),
        json!({ "iat": null }),
        json!({ "exp": "soon" }),
    ] {
        world.next(1, Knob::IdTokenClaims, claims.clone());
        let outcome = identify_next(&world, &verifier).await;
        assert!(is_not_believed(&outcome), "{claims}: {outcome:?}");
    }
}

#[tokio::test]
async fn token_of_another_time_is_never_believed() {
    let world = World::new();
    let verifier = verifier(&world);
    let identify_at = async |times: Value| {
        world.next(1, Knob::IdTokenTimes, times);
        identify_next(&world, &verifier).await
    };
    for times in
        [json!({ "exp": -75 }), json!({ "nbf": 75 }), json!({ "iat": 75 }), json!({ "iat": -9000, "exp": -3600 })]
    {
        let outcome = identify_at(times.clone()).await;
        assert!(is_not_believed(&outcome), "{times}: {outcome:?}");
    }
    // Honest clocks differ by some seconds.
    for times in [json!({ "exp": -30 }), json!({ "nbf": 30 }), json!({ "iat": 30 })] {
        identify_at(times).await.unwrap();
    }
}

#[tokio::test]
async fn clock_that_is_off_makes_no_token_true() {
    let world = World::new();
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    identify(&verifier, &token, now()).await.unwrap();
    for wrong in [later(3700), Timestamp::from_unix(0), Timestamp::from_unix(i64::MAX)] {
        let outcome = identify(&verifier, &token, wrong).await;
        assert!(is_not_believed(&outcome), "{wrong:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn text_that_is_no_token_is_not_believed() {
    let world = World::new();
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    let (head, signature) = token.rsplit_once('.').unwrap();
    for text in ["", ".", "..", "a.b.c", "hunter2", head, &format!("{head}."), &format!("{token}.{signature}")] {
        let outcome = identify(&verifier, text, now()).await;
        assert!(is_not_believed(&outcome), "{text}: {outcome:?}");
    }
    let large = format!("{head}{}.{signature}", "A".repeat(300 * 1024));
    assert!(is_not_believed(&identify(&verifier, &large, now()).await));
}

#[tokio::test]
async fn token_with_any_character_changed_is_not_believed() {
    let world = World::new();
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    identify(&verifier, &token, now()).await.unwrap();
    for (index, old) in token.char_indices() {
        for new in ["A", "_", "=", ".", " ", ""] {
            let mut changed = token.clone();
            changed.replace_range(index..=index, new);
            if new != old.to_string() {
                let outcome = identify(&verifier, &changed, now()).await;
                assert!(is_not_believed(&outcome), "{index} {new:?}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn each_configured_audience_is_accepted() {
    let world = World::new();
    let verifier = verifier(&world);
    for claims in [
        json!({ "aud": "other-client" }),
        json!({ "aud": CLIENT_ID, "azp": CLIENT_ID }),
        json!({ "aud": ["other-client", CLIENT_ID], "azp": CLIENT_ID }),
        json!({ "aud": ["foreign-client", CLIENT_ID], "azp": CLIENT_ID }),
    ] {
        world.next(1, Knob::IdTokenClaims, claims.clone());
        assert!(identify_next(&world, &verifier).await.is_ok(), "{claims}");
    }
}

#[tokio::test]
async fn issuers_are_not_confused() {
    let (world, other) = (World::new(), World::new());
    let verifier = verifier_of(&[trusted(&world), trusted(&other)]);
    for world in [&world, &other] {
        assert_eq!(identify_next(world, &verifier).await.unwrap().record.issuer, world.issuer());
    }
    // Signed by one provider in the name of the other. Worlds share their RSA keys, and no others.
    world.set(Knob::Algorithm, "ES256");
    world.next(1, Knob::IdTokenClaims, json!({ "iss": other.issuer() }));
    assert!(is_not_believed(&identify_next(&world, &verifier).await));
}

#[tokio::test]
async fn token_without_the_claims_names_nobody() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": null }));
    let outcome = identify_next(&world, &verifier(&world)).await;
    assert!(matches!(&outcome, Err(TokenError::NobodyNamed { claims }) if claims == &["email", "upn"]), "{outcome:?}");
    // The subject names a person where it is configured.
    let with_subject = TrustedIssuer { person: ["email", "sub"].map(str::to_owned).into(), ..trusted(&world) };
    let caller = identify_next(&world, &verifier_of(&[with_subject])).await.unwrap();
    assert_eq!(caller.person.as_str(), "00u-demo-1");
}

#[tokio::test]
async fn token_with_too_many_groups_has_no_groups() {
    let world = World::new();
    let verifier = verifier(&world);
    for claims in [json!({ "_claim_names": { "groups": "src1" } }), json!({ "hasgroups": true })] {
        world.next(1, Knob::Claims, claims.clone());
        let caller = identify_next(&world, &verifier).await.unwrap();
        assert!(caller.record.groups.is_empty() && caller.are_groups_missing, "{claims}");
    }
}

#[tokio::test]
async fn new_key_of_the_provider_is_fetched() {
    let world = World::new();
    let verifier = verifier(&world);
    identify_next(&world, &verifier).await.unwrap();
    world.rotate_keys();
    // Within a minute after a fetch there is no other, so that forged tokens cause none.
    let token = world.issue_id_token();
    assert!(is_not_believed(&identify(&verifier, &token, later(30)).await));
    assert_eq!(world.count(Endpoint::Keys), 1);
    identify(&verifier, &token, later(61)).await.unwrap();
    assert_eq!(world.counts([Endpoint::Discovery, Endpoint::Keys]), [2, 2]);
}

#[tokio::test]
async fn forged_tokens_cause_one_request_a_minute() {
    let world = World::new();
    let verifier = verifier(&world);
    world.set(Knob::Forgery, "unknown-kid");
    for second in 0..200 {
        assert!(is_not_believed(&identify(&verifier, &world.issue_id_token(), later(second)).await));
    }
    assert_eq!(world.count(Endpoint::Keys), 4);
}

#[tokio::test]
async fn without_any_keys_nothing_is_decided() {
    let world = World::new();
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    for (knob, fault) in [
        (Knob::DiscoveryFault, Fault::Status(503)),
        (Knob::DiscoveryFault, Fault::Close),
        (Knob::DiscoveryFault, Fault::Portal),
        (Knob::KeysFault, Fault::Status(500)),
        (Knob::KeysFault, Fault::Portal),
    ] {
        world.next(1, knob, fault.clone());
        let outcome = identify(&verifier, &token, now()).await;
        assert!(lacks_keys(&outcome), "{fault:?}: {outcome:?}");
    }
    world.stop_provider();
    assert!(lacks_keys(&identify(&verifier, &token, now()).await));
    world.start_provider();
    identify(&verifier, &token, now()).await.unwrap();
}

#[tokio::test]
async fn provider_that_never_answers_is_given_up() {
    let world = World::new();
    world.set(Knob::KeysFault, Fault::Hang);
    let begun = std::time::Instant::now();
    let outcome = identify_next(&world, &verifier(&world)).await;
    assert!(lacks_keys(&outcome) && begun.elapsed() < Duration::from_secs(30), "{outcome:?}");
}

#[tokio::test]
async fn cached_keys_serve_for_a_day_while_the_provider_is_down() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 200_000);
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    identify(&verifier, &token, now()).await.unwrap();
    world.stop_provider();
    for seconds in [0, 3599, 3600, 7200, 80_000] {
        identify(&verifier, &token, later(seconds)).await.unwrap();
    }
    // A token of a key that may be new is neither true nor false.
    world.next(1, Knob::Forgery, "unknown-kid");
    let unknown = world.issue_id_token();
    assert!(lacks_keys(&identify(&verifier, &unknown, later(80_100)).await));
    // A wrong signature of a known key is false.
    world.next(1, Knob::Forgery, "broken-signature");
    let broken = world.issue_id_token();
    assert!(is_not_believed(&identify(&verifier, &broken, later(80_200)).await));
    // Nobody knows by then which keys the provider has withdrawn.
    assert!(lacks_keys(&identify(&verifier, &token, later(86_400)).await));
    world.start_provider();
    identify(&verifier, &token, later(86_500)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_keys_serve_while_the_provider_hangs() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 86_400);
    let verifier = std::sync::Arc::new(verifier(&world));
    let token = world.issue_id_token();
    identify(&verifier, &token, now()).await.unwrap();
    world.set(Knob::KeysFault, Fault::Hold);
    let (fetching, its_token) = (verifier.clone(), token.clone());
    let fetching = tokio::spawn(async move { identify(&fetching, &its_token, later(3700)).await.is_ok() });
    while world.count(Endpoint::Keys) < 2 {
        tokio::task::yield_now().await;
    }
    // One request waits for the provider, and no other.
    for _ in 0..3 {
        identify(&verifier, &token, later(3700)).await.unwrap();
    }
    assert!(!fetching.is_finished());
    world.release();
    assert!(fetching.await.unwrap());
}

#[tokio::test]
async fn withdrawn_key_verifies_nothing_after_an_hour() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 86_400);
    let verifier = verifier(&world);
    let token = world.issue_id_token();
    identify(&verifier, &token, now()).await.unwrap();
    // The provider publishes a key for one more rotation.
    world.rotate_keys();
    world.rotate_keys();
    identify(&verifier, &token, later(3500)).await.unwrap();
    assert!(is_not_believed(&identify(&verifier, &token, later(3700)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn first_requests_share_one_fetch_of_the_keys() {
    let world = World::new();
    let verifier = std::sync::Arc::new(verifier(&world));
    let token = world.issue_id_token();
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { identify(&verifier, &token, now()).await.is_ok() })
        })
        .collect();
    for request in requests {
        assert!(request.await.unwrap());
    }
    assert_eq!(world.counts([Endpoint::Discovery, Endpoint::Keys]), [1, 1]);
}
