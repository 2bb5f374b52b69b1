//! Tokens without a signature, and tokens that another key or an HMAC signed. The forgeries use real cryptography.

use ring::hmac;

use super::*;

#[test]
fn a_token_signed_with_none_is_rejected() {
    for name in ["none", "None", "NONE", ""] {
        let header = json!({ "alg": name, "kid": "one" }).to_string();
        let unsigned = format!("{}.{}.", encode_base64url(&header), encode_base64url(claims().to_string()));
        assert_eq!(refusal(judge(&unsigned)), TokenRejection::Algorithm { named: UntrustedText::new(name) });
        let signed = judge(&KEY.sign_raw_token(&header, &claims().to_string()));
        assert_eq!(refusal(signed), TokenRejection::Algorithm { named: UntrustedText::new(name) });
    }
}

#[test]
fn an_hmac_of_the_public_key_is_rejected() {
    let public = KEY.public_jwk();
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    // The token must fail even if a careless provider publishes that very secret in its key set.
    let secret = json!({ "kty": "oct", "kid": "one", "k": encode_base64url(&modulus) });
    for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for key in [modulus.clone(), public.to_string().into_bytes()] {
            let header = json!({ "alg": name, "kid": "one" }).to_string();
            let signed = format!("{}.{}", encode_base64url(header), encode_base64url(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &key), signed.as_bytes());
            let token = format!("{signed}.{}", encode_base64url(tag));
            let keys = build_key_set(&[public.clone(), secret.clone()]);
            let judgement = judge_by(&token, &keys, &expected());
            assert_eq!(refusal(judgement), TokenRejection::Algorithm { named: UntrustedText::new(name) });
        }
    }
}

#[test]
fn an_algorithm_that_discovery_does_not_list_is_rejected() {
    let mut metadata = testing::test_metadata(ISSUER);
    metadata.algorithms = Some(vec!["ES256".into(), "none".into()]);
    let token = UnverifiedToken::new(Secret::new(KEY.sign_token(&header(), &claims())));
    let judgement = verify_token(token.clone(), &build_key_set(&[KEY.public_jwk()]), &metadata, &expected());
    assert_eq!(refusal(judgement), TokenRejection::Algorithm { named: UntrustedText::new("RS256") });
    metadata.algorithms = Some(vec!["RS256".into()]);
    assert!(verify_token(token, &build_key_set(&[KEY.public_jwk()]), &metadata, &expected()).is_ok());
}

#[test]
fn a_listed_none_is_still_rejected() {
    let mut metadata = testing::test_metadata(ISSUER);
    metadata.algorithms = Some(vec!["none".into()]);
    let unsigned = format!("{}.{}.", encode_base64url(r#"{"alg":"none"}"#), encode_base64url(claims().to_string()));
    let token = UnverifiedToken::new(Secret::new(unsigned));
    let judgement = verify_token(token, &build_key_set(&[KEY.public_jwk()]), &metadata, &expected());
    assert_eq!(refusal(judgement), TokenRejection::Algorithm { named: UntrustedText::new("none") });
}

#[test]
fn a_token_without_its_signature_is_rejected() {
    let good = KEY.sign_token(&header(), &claims());
    let bare = &good[..=good.rfind('.').unwrap()];
    assert_eq!(refusal(judge(bare)), TokenRejection::Signature);
}

#[test]
fn token_signed_by_another_key_of_the_same_kid_is_rejected() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let [published, forger] = ["k", "k"].map(|kid| TestSigningKey::for_algorithm(algorithm, kid));
        let token = forger.sign_token(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        let judgement = judge_by(&token, &build_key_set(&[published.public_jwk()]), &expected());
        assert_eq!(refusal(judgement), TokenRejection::Signature, "{algorithm}");
    }
}

#[test]
fn a_token_of_an_unknown_key_asks_for_fresh_keys() {
    let judgement = refusal(with_header(|header| header["kid"] = json!("three")));
    assert_eq!(judgement, unknown(Some("three")));
    assert!(judgement.needs_fresh_keys());
    assert!(TokenRejection::Signature.needs_fresh_keys());
    assert!(!TokenRejection::NonceMismatch.needs_fresh_keys());
}

#[test]
fn token_without_kid_of_an_unknown_key_asks_for_fresh_keys() {
    let stranger = TestSigningKey::for_algorithm("EdDSA", "two");
    let token = stranger.sign_token(&json!({ "alg": "EdDSA" }), &claims());
    let published = TestSigningKey::for_algorithm("EdDSA", "two");
    let judgement = judge_by(&token, &build_key_set(&[published.public_jwk(), KEY.public_jwk()]), &expected());
    assert_eq!(refusal(judgement), unknown(None));
    assert_eq!(refusal(judge_by(&token, &build_key_set(&[]), &expected())), unknown(None));
}

#[test]
fn encryption_key_does_not_verify_tokens() {
    assert_eq!(refusal(with_keys(&[KEY.public_jwk_with("use", json!("enc"))])), unknown(Some("one")));
    let encrypting = KEY.public_jwk_with("alg", json!("RSA-OAEP-256"));
    assert_eq!(refusal(with_keys(&[encrypting])), unknown(Some("one")));
}

#[test]
fn key_of_another_algorithm_or_type_is_not_used() {
    assert_eq!(refusal(with_keys(&[KEY.public_jwk_with("alg", json!("PS256"))])), unknown(Some("one")));
    let elliptic = TestSigningKey::for_algorithm("ES256", "one");
    assert_eq!(refusal(with_keys(&[elliptic.public_jwk()])), unknown(Some("one")));
    let token = elliptic.sign_token(&json!({ "alg": "ES384", "kid": "one" }), &claims());
    let judgement = judge_by(&token, &build_key_set(&[elliptic.public_jwk()]), &expected());
    assert_eq!(refusal(judgement), unknown(Some("one")));
}

#[test]
fn key_inside_the_token_is_ignored() {
    let stranger = TestSigningKey::for_algorithm("EdDSA", "stranger");
    let header = json!({
        "alg": "EdDSA", "kid": "stranger", "jwk": stranger.public_jwk(), "jku": "https://evil.example/keys",
    });
    assert_eq!(refusal(judge(&stranger.sign_token(&header, &claims()))), unknown(Some("stranger")));
}

/// The signature is valid, but the key has only 1024 bits.
#[test]
fn a_token_of_a_weak_rsa_key_is_rejected() {
    let key = json!({ "kty": "RSA", "e": "AQAB", "kid": "weak", "n":
        "yUwIQvPLSvQE0RKvJ_sVlB4zlK5CPT5XQ_4_YGepJnqJG-7CWGD6hNRNbLCJT_zv0-i58hqr9ulo1kph5qzAFo7h6K-4rGkls-94nq11\
         by--vpGh7aMkQMm_i4u1-OigBxkpdSxyNwOPfdZibXBgG-syqENHUvdzekM0NoPg008" });
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJjbGllbnQiLCJzdWIiOiJzIiwiaWF0IjoxNzk5\
         OTk5OTkwLCJleHAiOjE4MDAwMDM2MDAsIm5vbmNlIjoibi0wUzZfV3pBMk1qIn0.WPemrWp-nq4ZXTVwpuO4jrzgqeRtZSRvxLvwDlpqwmAmr\
         6DC_jZAI5y8_1qX8-yx7-oUWupd6w4k2RDuOEiUqeo5xPnRIIx4TN11OU98bjH9S4AqGiUrE92eG3x4sXLzy1A7W4WR567m1uPE2zqSThik15m\
         vnSZlxhZ9tiTRExk";
    assert_eq!(refusal(judge_by(token, &build_key_set(&[key]), &expected())), unknown(None));
}
