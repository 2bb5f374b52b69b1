//! Fuzzes what the server reads from a request: the header, and the claims of a token with a valid signature.
//!
//! Run with `cargo +nightly fuzz run caller -- -max_total_time=300 -dict=fuzz/jwt.dict`.
#![no_main]

mod provider;

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use bedrock_sso::{
    config::Issuer,
    oidc::{ExpectedClaims, TokenGrant, UnverifiedToken, verify_token},
    secret::Secret,
    time::Timestamp,
};
use bedrock_sso_server::{api::read_bearer, config::TrustedIssuer, person::Person, token::read_caller};
use libfuzzer_sys::fuzz_target;

use self::provider::{ISSUER, KEYS, METADATA, NOW, sign};

static TRUSTED: LazyLock<TrustedIssuer> = LazyLock::new(|| TrustedIssuer {
    issuer: Issuer::parse(ISSUER).expect("an address"),
    audiences: vec!["client".to_owned()],
    person: ["email", "{team}+{sub}"].map(str::to_owned).into(),
    group_claims: ["groups", "cognito:groups"].map(str::to_owned).into(),
    department_claims: vec!["department".to_owned()],
    team_claims: vec!["team".to_owned()],
});

fuzz_target!(|input: &[u8]| {
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers: HeaderMap = [(header::AUTHORIZATION, value)].into_iter().collect();
        if let Some(token) = read_bearer(&headers) {
            assert!(!token.is_empty() && input.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer")));
        }
    }
    let token = sign(br#"{"alg":"EdDSA","kid":"one"}"#, input);
    let expected = ExpectedClaims {
        issuer: ISSUER,
        issuer_alias: None,
        client_id: "client",
        organization: None,
        exchange_algorithms: None,
        proof: None,
        grant: TokenGrant::RefreshToken { subject: None },
        access_token: None,
        now: Timestamp::from_unix(NOW),
        server_date: None,
    };
    let Ok(token) = verify_token(UnverifiedToken::new(Secret::new(token)), &KEYS, &METADATA, &expected) else { return };
    let Ok(caller) = read_caller(&TRUSTED, &token) else { return };
    assert_eq!(Person::parse(caller.person.as_str()), Ok(caller.person));
    let groups = &caller.record.groups;
    assert!(groups.is_sorted_by(|one, other| one < other) && groups.iter().all(|group| group.trim() == group));
    assert!(!groups.iter().any(String::is_empty));
});
