//! One valid token, and helpers that change it in one point. The files beside this one hold the cases.

mod accepted;
mod form;
mod stored;
mod parties;
mod signature;
mod times;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{
    signing::{ALGORITHMS, TestSigningKey, build_key_set, compute_at_hash, encode_base64url},
    *,
};
use crate::oidc::testing;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";
const ACCESS_TOKEN: &str = "an-access-token";

static NONCE: LazyLock<Secret> = LazyLock::new(|| Secret::new("n-0S6_WzA2Mj"));
static ACCESS: LazyLock<Secret> = LazyLock::new(|| Secret::new(ACCESS_TOKEN));
static KEY: LazyLock<TestSigningKey> = LazyLock::new(|| TestSigningKey::for_algorithm("RS256", "one"));

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "one" })
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "client", "sub": "person-1", "nonce": NONCE.expose(),
        "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 3600, "email": "ada@example.com",
    })
}

fn expected() -> ExpectedClaims<'static> {
    ExpectedClaims {
        issuer: ISSUER,
        issuer_alias: None,
        client_id: "client",
        organization: None,
        exchange_algorithms: None,
        proof: None,
        grant: TokenGrant::AuthorizationCode { nonce: &NONCE },
        access_token: Some(&ACCESS),
        now: Timestamp::from_unix(NOW),
        server_date: Some(Timestamp::from_unix(NOW)),
    }
}

fn judge_by(token: &str, keys: &ProviderKeys, expected: &ExpectedClaims<'_>) -> Result<VerifiedToken, TokenRejection> {
    verify_token(UnverifiedToken::new(Secret::new(token)), keys, &testing::test_metadata(ISSUER), expected)
}

fn judge(token: &str) -> Result<VerifiedToken, TokenRejection> {
    judge_by(token, &build_key_set(&[KEY.public_jwk()]), &expected())
}

/// Verifies a token whose claims differ from the valid ones by one change.
fn with_claims(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, TokenRejection> {
    with_claims_expecting(change, &expected())
}

fn with_claims_expecting(
    change: impl FnOnce(&mut Value),
    expected: &ExpectedClaims<'_>,
) -> Result<VerifiedToken, TokenRejection> {
    let mut claims = claims();
    change(&mut claims);
    judge_by(&KEY.sign_token(&header(), &claims), &build_key_set(&[KEY.public_jwk()]), expected)
}

fn with_claim(name: &str, value: Value) -> Result<VerifiedToken, TokenRejection> {
    with_claims(|claims| claims[name] = value)
}

fn without_claim(name: &str) -> Result<VerifiedToken, TokenRejection> {
    with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)))
}

fn with_header(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, TokenRejection> {
    let mut header = header();
    change(&mut header);
    judge(&KEY.sign_token(&header, &claims()))
}

fn with_keys(keys: &[Value]) -> Result<VerifiedToken, TokenRejection> {
    judge_by(&KEY.sign_token(&header(), &claims()), &build_key_set(keys), &expected())
}

fn refusal(judgement: Result<VerifiedToken, TokenRejection>) -> TokenRejection {
    judgement.expect_err("the token was believed")
}

fn unknown(kid: Option<&str>) -> TokenRejection {
    TokenRejection::UnknownKey { kid: kid.map(UntrustedText::new) }
}
