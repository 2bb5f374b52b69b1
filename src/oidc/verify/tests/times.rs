//! Expired and future tokens, and wrong clocks. The cases lie exactly at the limits.

use std::time::Duration;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

#[test]
fn an_expired_token_is_rejected() {
    let fact = TokenRejection::Expired { at: at(NOW - 60), now: at(NOW) };
    assert_eq!(refusal(with_claim("exp", json!(NOW - 60))), fact);
    for long_ago in [0, -1, i64::MIN] {
        assert!(with_claim("exp", json!(long_ago)).is_err());
    }
}

#[test]
fn a_token_not_yet_valid_is_rejected() {
    let fact = TokenRejection::NotYetValid { from: at(NOW + 61), now: at(NOW) };
    assert_eq!(refusal(with_claim("nbf", json!(NOW + 61))), fact);
}

#[test]
fn a_token_issued_in_the_future_is_rejected() {
    let fact = TokenRejection::IssuedInTheFuture { at: at(NOW + 61), now: at(NOW) };
    assert_eq!(refusal(with_claim("iat", json!(NOW + 61))), fact);
    assert!(with_claim("iat", json!(i64::MAX)).is_err());
}

#[test]
fn slow_clock_is_reported_as_slow() {
    let slow = ExpectedClaims { now: at(NOW - 600), ..expected() };
    let fact = TokenRejection::WrongClock(ClockSkew::BehindBy(Duration::from_secs(600)));
    assert_eq!(refusal(with_claims_expecting(|_| {}, &slow)), fact);
}

#[test]
fn fast_clock_is_reported_as_fast() {
    let fast = ExpectedClaims { now: at(NOW + 600), ..expected() };
    let short = |claims: &mut Value| claims["exp"] = json!(NOW + 300);
    let fact = TokenRejection::WrongClock(ClockSkew::AheadBy(Duration::from_secs(600)));
    assert_eq!(refusal(with_claims_expecting(short, &fast)), fact);
}

#[test]
fn wrong_clock_without_effect_is_ignored() {
    let fast = ExpectedClaims { now: at(NOW + 600), ..expected() };
    assert!(with_claims_expecting(|_| {}, &fast).is_ok());
}

#[test]
fn clock_is_not_blamed_without_the_providers_clock() {
    let fact = TokenRejection::Expired { at: at(NOW - 60), now: at(NOW) };
    for server_date in [None, Some(at(NOW + 60)), Some(at(NOW - 60))] {
        let expected = ExpectedClaims { server_date, ..expected() };
        let old = |claims: &mut Value| claims["exp"] = json!(NOW - 60);
        assert_eq!(refusal(with_claims_expecting(old, &expected)), fact);
    }
}
