//! Tokens with a valid signature that are meant for another client, sign-in, user or organization. One claim is wrong
//! in each.

use super::*;

#[test]
fn a_token_of_another_issuer_is_rejected() {
    for issuer in ["https://id.example/", "https://ID.example", "http://id.example", ""] {
        let fact = TokenRejection::Issuer { expected: UntrustedText::new(ISSUER), actual: UntrustedText::new(issuer) };
        assert_eq!(refusal(with_claim("iss", json!(issuer))), fact);
    }
}

#[test]
fn a_token_for_another_audience_is_rejected() {
    for (audience, listed) in [
        (json!("other"), vec!["other"]),
        (json!(["other", "CLIENT"]), vec!["other", "CLIENT"]),
        (json!([]), vec![]),
        (json!("client "), vec!["client "]),
    ] {
        let actual = listed.into_iter().map(UntrustedText::new).collect();
        let fact = TokenRejection::Audience { expected: UntrustedText::new("client"), actual };
        assert_eq!(refusal(with_claim("aud", audience)), fact);
    }
}

#[test]
fn several_audiences_without_an_authorized_party_are_rejected() {
    let fact = TokenRejection::AuthorizedParty { expected: UntrustedText::new("client"), actual: None };
    assert_eq!(refusal(with_claim("aud", json!(["client", "api"]))), fact);
}

#[test]
fn a_token_issued_to_another_client_is_rejected() {
    let actual = Some(UntrustedText::new("other"));
    let fact = TokenRejection::AuthorizedParty { expected: UntrustedText::new("client"), actual };
    assert_eq!(refusal(with_claim("azp", json!("other"))), fact);
    let several = with_claims(|claims| {
        claims["aud"] = json!(["client", "other"]);
        claims["azp"] = json!("other");
    });
    assert_eq!(refusal(several), fact);
}

#[test]
fn a_token_of_another_sign_in_is_rejected() {
    assert_eq!(refusal(with_claim("nonce", json!("n-0S6_WzA2Mk"))), TokenRejection::NonceMismatch);
    assert_eq!(refusal(without_claim("nonce")), TokenRejection::Missing { claim: "nonce" });
}

#[test]
fn a_token_beside_another_access_token_is_rejected() {
    let whole = encode_base64url(ring::digest::digest(&ring::digest::SHA256, ACCESS_TOKEN.as_bytes()));
    for hash in ["", ACCESS_TOKEN, &whole, &compute_at_hash("RS384", ACCESS_TOKEN)] {
        assert_eq!(refusal(with_claim("at_hash", json!(hash))), TokenRejection::AccessTokenMismatch);
    }
}

#[test]
fn token_without_a_valid_subject_is_rejected() {
    assert_eq!(refusal(with_claim("sub", json!(""))), TokenRejection::InvalidSubject);
    assert_eq!(refusal(with_claim("sub", json!("x".repeat(256)))), TokenRejection::InvalidSubject);
    assert!(with_claim("sub", json!("x".repeat(255))).is_ok());
}

#[test]
fn refresh_that_changes_the_user_is_rejected() {
    let expected = ExpectedClaims { grant: TokenGrant::RefreshToken { subject: Some("person-2") }, ..expected() };
    assert_eq!(refusal(with_claims_expecting(|_| {}, &expected)), TokenRejection::SubjectChanged);
}

#[test]
fn required_claims_cannot_be_missing() {
    for claim in ["iss", "aud", "sub", "exp", "iat", "nonce"] {
        assert_eq!(refusal(without_claim(claim)), TokenRejection::Missing { claim });
    }
}

#[test]
fn claims_of_a_wrong_type_are_rejected() {
    for claim in ["iss", "aud", "azp", "sub", "exp", "iat", "nbf", "nonce", "at_hash"] {
        for value in [json!(null), json!(true), json!({}), json!([7])] {
            assert_eq!(refusal(with_claim(claim, value)), TokenRejection::WrongClaimType { claim });
        }
    }
    for time in [json!("soon"), json!("1800003600.5"), json!(" 1800003600"), json!(1e300), json!("")] {
        assert_eq!(refusal(with_claim("exp", time)), TokenRejection::WrongClaimType { claim: "exp" });
    }
}

#[test]
fn user_of_another_organization_is_rejected() {
    let settings = |provider, parameter: &str, named: &str| crate::config::OidcSettings {
        extra_params: [(parameter.to_owned(), named.to_owned())].into(),
        ..testing::test_settings(provider)
    };
    use crate::config::Provider::{Auth0, Google, Okta};
    for (provider, parameter, named, claim, stated, good) in [
        (Google, "hd", "acme.com", "hd", json!("acme.com"), true),
        (Google, "hd", "acme.com", "hd", json!("ACME.com"), true),
        (Google, "hd", "acme.com", "hd", json!("evil.example"), false),
        (Google, "hd", "acme.com", "hd", json!(null), false),
        (Google, "hd", "*", "hd", json!("any.example"), true),
        (Google, "hd", "*", "other", json!("acme.com"), false),
        (Auth0, "organization", "org_1", "org_id", json!("org_1"), true),
        (Auth0, "organization", "org_1", "org_id", json!("org_2"), false),
        (Auth0, "organization", "acme", "org_name", json!("acme"), true),
        (Auth0, "organization", "acme", "org_id", json!("acme"), false),
        (Okta, "hd", "acme.com", "hd", json!("evil.example"), true),
    ] {
        let settings = settings(provider, parameter, named);
        let expected = ExpectedClaims { organization: crate::oidc::find_organization(&settings), ..expected() };
        let judged = with_claims_expecting(|claims| claims[claim] = stated.clone(), &expected);
        assert_eq!(judged.is_ok(), good, "{provider:?} {named} {claim} {stated}: {judged:?}");
    }
}

#[test]
fn only_google_may_omit_the_scheme_of_its_issuer() {
    use crate::config::Provider::{Generic, Google, Okta};
    for (provider, stated, good) in [
        (Google, "id.example", true),
        (Google, ISSUER, true),
        (Google, "http://id.example", false),
        (Google, "id.example/", false),
        (Okta, "id.example", false),
        (Generic, "id.example", false),
    ] {
        let issuer = crate::config::Issuer::parse(ISSUER).unwrap();
        let settings = crate::config::OidcSettings { issuer, ..testing::test_settings(provider) };
        let expected = ExpectedClaims { issuer_alias: crate::oidc::find_issuer_alias(&settings), ..expected() };
        let judged = with_claims_expecting(|claims| claims["iss"] = json!(stated), &expected);
        assert_eq!(judged.is_ok(), good, "{provider:?} {stated}");
    }
}
