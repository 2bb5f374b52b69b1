//! Tokens that the wrong key signed, or none, or a secret.
//!
//! The keys are real, and so are the forgeries.

use ring::hmac;

use super::*;

#[test]
fn a_token_signed_with_none_is_rejected() {
    for name in ["none", "None", "NONE", ""] {
        let header = json!({ "alg": name, "kid": "one" }).to_string();
        let unsigned = format!("{}.{}.", base64url(&header), base64url(claims().to_string()));
        assert_eq!(refusal(judge(&unsigned)), Rejection::Algorithm { named: Foreign::new(name) });
        let signed = judge(&KEY.token_of_text(&header, &claims().to_string()));
        assert_eq!(refusal(signed), Rejection::Algorithm { named: Foreign::new(name) });
    }
}

#[test]
fn an_hmac_of_the_public_key_is_rejected() {
    let public = KEY.public();
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    // Even where the provider were so careless as to publish that very secret as a key.
    let secret = json!({ "kty": "oct", "kid": "one", "k": base64url(&modulus) });
    for (name, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for key in [modulus.clone(), public.to_string().into_bytes()] {
            let header = json!({ "alg": name, "kid": "one" }).to_string();
            let signed = format!("{}.{}", base64url(header), base64url(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &key), signed.as_bytes());
            let token = format!("{signed}.{}", base64url(tag));
            let keys = key_set(&[public.clone(), secret.clone()]);
            let judgement = judge_by(&token, &keys, &expected());
            assert_eq!(refusal(judgement), Rejection::Algorithm { named: Foreign::new(name) });
        }
    }
}

#[test]
fn an_algorithm_that_discovery_does_not_list_is_rejected() {
    let mut metadata = testing::metadata(ISSUER);
    metadata.algorithms = Some(vec!["ES256".into(), "none".into()]);
    let token = Unverified::new(Secret::new(KEY.token(&header(), &claims())));
    let judgement = verify(token.clone(), &key_set(&[KEY.public()]), &metadata, &expected());
    assert_eq!(refusal(judgement), Rejection::Algorithm { named: Foreign::new("RS256") });
    metadata.algorithms = Some(vec!["RS256".into()]);
    assert!(verify(token, &key_set(&[KEY.public()]), &metadata, &expected()).is_ok());
}

#[test]
fn a_listed_none_is_still_rejected() {
    let mut metadata = testing::metadata(ISSUER);
    metadata.algorithms = Some(vec!["none".into()]);
    let unsigned = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(claims().to_string()));
    let token = Unverified::new(Secret::new(unsigned));
    let judgement = verify(token, &key_set(&[KEY.public()]), &metadata, &expected());
    assert_eq!(refusal(judgement), Rejection::Algorithm { named: Foreign::new("none") });
}

#[test]
fn a_token_without_its_signature_is_rejected() {
    let good = KEY.token(&header(), &claims());
    let bare = &good[..=good.rfind('.').unwrap()];
    assert_eq!(refusal(judge(bare)), Rejection::Signature);
}

#[test]
fn a_token_signed_by_another_key_of_that_name_is_rejected() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let [published, forger] = ["k", "k"].map(|kid| Signing::fit_for(algorithm, kid));
        let token = forger.token(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        let judgement = judge_by(&token, &key_set(&[published.public()]), &expected());
        assert_eq!(refusal(judgement), Rejection::Signature, "{algorithm}");
    }
}

#[test]
fn a_token_of_an_unknown_key_asks_for_fresh_keys() {
    let judgement = refusal(with_header(|header| header["kid"] = json!("three")));
    assert_eq!(judgement, unknown(Some("three")));
    assert!(judgement.wants_fresh_keys());
    assert!(Rejection::Signature.wants_fresh_keys());
    assert!(!Rejection::Nonce.wants_fresh_keys());
}

#[test]
fn a_nameless_token_of_an_unknown_key_asks_for_fresh_keys() {
    let stranger = Signing::fit_for("EdDSA", "two");
    let token = stranger.token(&json!({ "alg": "EdDSA" }), &claims());
    let published = Signing::fit_for("EdDSA", "two");
    let judgement = judge_by(&token, &key_set(&[published.public(), KEY.public()]), &expected());
    assert_eq!(refusal(judgement), unknown(None));
    assert_eq!(refusal(judge_by(&token, &key_set(&[]), &expected())), unknown(None));
}

#[test]
fn a_key_for_encryption_signs_nothing() {
    assert_eq!(refusal(with_keys(&[KEY.public_but("use", json!("enc"))])), unknown(Some("one")));
    let encrypting = KEY.public_but("alg", json!("RSA-OAEP-256"));
    assert_eq!(refusal(with_keys(&[encrypting])), unknown(Some("one")));
}

#[test]
fn a_key_for_another_algorithm_or_type_does_not_fit() {
    assert_eq!(refusal(with_keys(&[KEY.public_but("alg", json!("PS256"))])), unknown(Some("one")));
    let elliptic = Signing::fit_for("ES256", "one");
    assert_eq!(refusal(with_keys(&[elliptic.public()])), unknown(Some("one")));
    let token = elliptic.token(&json!({ "alg": "ES384", "kid": "one" }), &claims());
    let judgement = judge_by(&token, &key_set(&[elliptic.public()]), &expected());
    assert_eq!(refusal(judgement), unknown(Some("one")));
}

#[test]
fn a_key_inside_the_token_is_not_looked_at() {
    let stranger = Signing::fit_for("EdDSA", "stranger");
    let header = json!({
        "alg": "EdDSA", "kid": "stranger", "jwk": stranger.public(), "jku": "https://evil.example/keys",
    });
    assert_eq!(refusal(judge(&stranger.token(&header, &claims()))), unknown(Some("stranger")));
}

/// Signed truly, by a key of 1024 bits.
#[test]
fn a_token_of_a_weak_rsa_key_is_rejected() {
    let key = json!({ "kty": "RSA", "e": "AQAB", "kid": "weak", "n":
        "yUwIQvPLSvQE0RKvJ_sVlB4zlK5CPT5XQ_4_YGepJnqJG-7CWGD6hNRNbLCJT_zv0-i58hqr9ulo1kph5qzAFo7h6K-4rGkls-94nq11\
         by--vpGh7aMkQMm_i4u1-OigBxkpdSxyNwOPfdZibXBgG-syqENHUvdzekM0NoPg008" });
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJjbGllbnQiLCJzdWIiOiJzIiwiaWF0IjoxNzk5\
         OTk5OTkwLCJleHAiOjE4MDAwMDM2MDAsIm5vbmNlIjoibi0wUzZfV3pBMk1qIn0.WPemrWp-nq4ZXTVwpuO4jrzgqeRtZSRvxLvwDlpqwmAmr\
         6DC_jZAI5y8_1qX8-yx7-oUWupd6w4k2RDuOEiUqeo5xPnRIIx4TN11OU98bjH9S4AqGiUrE92eG3x4sXLzy1A7W4WR567m1uPE2zqSThik15m\
         vnSZlxhZ9tiTRExk";
    assert_eq!(refusal(judge_by(token, &key_set(&[key]), &expected())), unknown(None));
}
