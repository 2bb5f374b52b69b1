//! Valid tokens, in every form that honest providers issue. Each differs from the standard token in one point.

use super::*;

#[test]
fn valid_token_yields_subject_and_expiry() {
    let token = judge(&KEY.sign_token(&header(), &claims())).unwrap();
    assert_eq!((token.subject(), token.expires_at()), ("person-1", Timestamp::from_unix(NOW + 3600)));
    assert_eq!(token.claim("email"), Some(&json!("ada@example.com")));
    assert_eq!(token.claims().len(), 8);
    assert_eq!(token.raw().expose(), KEY.sign_token(&header(), &claims()));
}

#[test]
fn every_algorithm_uses_its_own_at_hash() {
    for algorithm in ALGORITHMS {
        let key = TestSigningKey::for_algorithm(algorithm, "k");
        let header = json!({ "alg": algorithm, "kid": "k" });
        let mut claims = claims();
        claims["at_hash"] = json!(compute_at_hash(algorithm, ACCESS_TOKEN));
        let keys = build_key_set(&[key.public_jwk()]);
        judge_by(&key.sign_token(&header, &claims), &keys, &expected())
            .unwrap_or_else(|why| panic!("{algorithm}: {why:?}"));
        claims["at_hash"] = json!(compute_at_hash(algorithm, "another"));
        let forged = judge_by(&key.sign_token(&header, &claims), &keys, &expected());
        assert_eq!(refusal(forged), TokenRejection::AccessTokenMismatch, "{algorithm}");
    }
}

#[test]
fn algorithm_that_the_exchange_refuses_is_rejected() {
    let key = TestSigningKey::for_algorithm("EdDSA", "k");
    let token = key.sign_token(&json!({ "alg": "EdDSA", "kid": "k" }), &claims());
    let keys = build_key_set(&[key.public_jwk()]);
    let judged = |list| judge_by(&token, &keys, &ExpectedClaims { exchange_algorithms: list, ..expected() });
    let token = judged(Some(&["RS256", "EdDSA"])).unwrap();
    assert_eq!(token.signature_algorithm().as_deref(), Some("EdDSA"));
    let named = UntrustedText::new("EdDSA");
    assert_eq!(refusal(judged(Some(&["RS256"]))), TokenRejection::ExchangeAlgorithm { named });
}

#[test]
fn token_type_may_be_absent_or_lower_case() {
    assert!(with_header(|header| drop(header.as_object_mut().unwrap().remove("typ"))).is_ok());
    assert!(with_header(|header| header["typ"] = json!("jwt")).is_ok());
}

#[test]
fn token_without_kid_is_tried_with_every_key() {
    let other = TestSigningKey::for_algorithm("EdDSA", "two");
    let token = KEY.sign_token(&json!({ "alg": "RS256" }), &claims());
    assert!(judge_by(&token, &build_key_set(&[other.public_jwk(), KEY.public_jwk()]), &expected()).is_ok());
}

#[test]
fn all_keys_of_the_same_kid_are_tried() {
    let keys = ["two", "two"].map(|kid| TestSigningKey::for_algorithm("ES256", kid));
    for key in &keys {
        let token = key.sign_token(&json!({ "alg": "ES256", "kid": "two" }), &claims());
        let set = build_key_set(&[keys[0].public_jwk(), keys[1].public_jwk()]);
        assert!(judge_by(&token, &set, &expected()).is_ok());
    }
}

#[test]
fn keys_of_unknown_types_are_ignored() {
    assert!(with_keys(&[json!({ "kty": "lattice" }), json!(7), KEY.public_jwk()]).is_ok());
}

#[test]
fn several_audiences_are_accepted_with_our_azp() {
    let judgement = with_claims(|claims| {
        claims["aud"] = json!(["api", "client"]);
        claims["azp"] = json!("client");
    });
    assert!(judgement.is_ok());
    assert!(with_claim("aud", json!(["client"])).is_ok());
}

#[test]
fn times_may_be_text_or_have_a_fraction() {
    for exp in [json!("1800003600"), json!(1_800_003_600.9)] {
        assert_eq!(with_claim("exp", exp).unwrap().expires_at(), Timestamp::from_unix(NOW + 3600));
    }
}

#[test]
fn clock_difference_of_a_minute_is_accepted() {
    for (claim, time) in [("exp", NOW - 59), ("iat", NOW + 60), ("nbf", NOW + 60)] {
        assert!(with_claim(claim, json!(time)).is_ok(), "{claim}");
    }
}

#[test]
fn token_without_nbf_or_at_hash_is_accepted() {
    assert!(without_claim("nbf").is_ok());
    assert!(without_claim("at_hash").is_ok());
}

#[test]
fn refreshed_token_may_have_no_nonce_or_an_old_one() {
    let refresh = || ExpectedClaims {
        grant: TokenGrant::RefreshToken { subject: Some("person-1") },
        access_token: None,
        ..expected()
    };
    let without = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("nonce"));
    assert!(with_claims_expecting(without, &refresh()).is_ok());
    assert!(with_claims_expecting(|claims| claims["nonce"] = json!("old"), &refresh()).is_ok());
    assert!(with_claims_expecting(|claims| claims["at_hash"] = json!("unchecked"), &refresh()).is_ok());
}

#[test]
fn token_with_many_groups_is_accepted() {
    let groups: Vec<_> = (0..2000).map(|n| format!("a-rather-long-name-of-a-group-{n}")).collect();
    assert!(with_claim("groups", json!(groups)).is_ok());
}

#[test]
fn omitted_groups_are_detected() {
    for (name, value, is_so) in [
        ("_claim_names", json!({ "groups": "src1" }), true),
        ("_claim_names", json!({ "address": "src1" }), false),
        ("hasgroups", json!(true), true),
        ("hasgroups", json!("true"), true),
        ("hasgroups", json!(false), false),
        ("groups", json!(["a"]), false),
    ] {
        assert_eq!(with_claim(name, value.clone()).unwrap().has_groups_overage(), is_so, "{name} {value}");
    }
}
