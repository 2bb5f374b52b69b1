//! Each way in which a token can be wrong, signed by a true key wherever a signature is not the point.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{
    signing::{ALGORITHMS, Signing, at_hash, base64url, key_set},
    *,
};
use crate::oidc::testing;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";
const ACCESS_TOKEN: &str = "an-access-token";

static NONCE: LazyLock<Secret> = LazyLock::new(|| Secret::new("n-0S6_WzA2Mj"));
static ACCESS: LazyLock<Secret> = LazyLock::new(|| Secret::new(ACCESS_TOKEN));
static KEY: LazyLock<Signing> = LazyLock::new(|| Signing::fit_for("RS256", "one"));

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "one" })
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "client", "sub": "person-1", "nonce": NONCE.expose(),
        "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 3600, "email": "ada@example.com",
    })
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: "client",
        nonce: Some(&NONCE),
        access_token: Some(&ACCESS),
        previous_subject: None,
        now: Moment::from_unix(NOW),
        server_date: Some(Moment::from_unix(NOW)),
    }
}

fn judge_by(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<VerifiedToken, Rejection> {
    verify(Unverified::new(Secret::new(token)), keys, &testing::metadata(ISSUER), expected)
}

fn judge(token: &str) -> Result<VerifiedToken, Rejection> {
    judge_by(token, &key_set(&[KEY.public()]), &expected())
}

/// The judgement of a token, good but for one change of its claims.
fn with_claims(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, Rejection> {
    with_claims_expecting(change, &expected())
}

fn with_claims_expecting(
    change: impl FnOnce(&mut Value),
    expected: &Expected<'_>,
) -> Result<VerifiedToken, Rejection> {
    let mut claims = claims();
    change(&mut claims);
    judge_by(&KEY.token(&header(), &claims), &key_set(&[KEY.public()]), expected)
}

fn with_claim(name: &str, value: Value) -> Result<VerifiedToken, Rejection> {
    with_claims(|claims| claims[name] = value)
}

fn without_claim(name: &str) -> Result<VerifiedToken, Rejection> {
    with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)))
}

fn with_header(change: impl FnOnce(&mut Value)) -> Result<VerifiedToken, Rejection> {
    let mut header = header();
    change(&mut header);
    judge(&KEY.token(&header, &claims()))
}

fn with_keys(keys: &[Value]) -> Result<VerifiedToken, Rejection> {
    judge_by(&KEY.token(&header(), &claims()), &key_set(keys), &expected())
}

fn refusal(judgement: Result<VerifiedToken, Rejection>) -> Rejection {
    judgement.expect_err("the token was believed")
}

fn unknown(kid: Option<&str>) -> Rejection {
    Rejection::UnknownKey { kid: kid.map(Foreign::new) }
}

mod accepted {
    use super::*;

    #[test]
    fn a_good_token_says_who_and_until_when() {
        let token = judge(&KEY.token(&header(), &claims())).unwrap();
        assert_eq!((token.subject(), token.expires()), ("person-1", Moment::from_unix(NOW + 3600)));
        assert_eq!(token.claim("email"), Some(&json!("ada@example.com")));
        assert_eq!(token.claims().len(), 8);
        assert_eq!(token.raw().expose(), KEY.token(&header(), &claims()));
    }

    #[test]
    fn every_algorithm_is_believed_with_its_own_access_token_hash() {
        for algorithm in ALGORITHMS {
            let key = Signing::fit_for(algorithm, "k");
            let header = json!({ "alg": algorithm, "kid": "k" });
            let mut claims = claims();
            claims["at_hash"] = json!(at_hash(algorithm, ACCESS_TOKEN));
            let keys = key_set(&[key.public()]);
            judge_by(&key.token(&header, &claims), &keys, &expected())
                .unwrap_or_else(|why| panic!("{algorithm}: {why:?}"));
            claims["at_hash"] = json!(at_hash(algorithm, "another"));
            let forged = judge_by(&key.token(&header, &claims), &keys, &expected());
            assert_eq!(refusal(forged), Rejection::AccessTokenHash, "{algorithm}");
        }
    }

    #[test]
    fn a_type_may_be_left_out_or_written_small() {
        assert!(with_header(|header| drop(header.as_object_mut().unwrap().remove("typ"))).is_ok());
        assert!(with_header(|header| header["typ"] = json!("jwt")).is_ok());
    }

    #[test]
    fn a_token_without_a_key_name_is_tried_on_every_key() {
        let other = Signing::fit_for("EdDSA", "two");
        let token = KEY.token(&json!({ "alg": "RS256" }), &claims());
        assert!(judge_by(&token, &key_set(&[other.public(), KEY.public()]), &expected()).is_ok());
    }

    #[test]
    fn several_keys_of_one_name_are_all_tried() {
        let keys = ["two", "two"].map(|kid| Signing::fit_for("ES256", kid));
        for key in &keys {
            let token = key.token(&json!({ "alg": "ES256", "kid": "two" }), &claims());
            let set = key_set(&[keys[0].public(), keys[1].public()]);
            assert!(judge_by(&token, &set, &expected()).is_ok());
        }
    }

    #[test]
    fn keys_of_kinds_unknown_here_are_passed_over() {
        assert!(with_keys(&[json!({ "kty": "lattice" }), json!(7), KEY.public()]).is_ok());
    }

    #[test]
    fn several_audiences_are_fine_when_the_authorized_party_is_us() {
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
            assert_eq!(with_claim("exp", exp).unwrap().expires(), Moment::from_unix(NOW + 3600));
        }
    }

    #[test]
    fn a_minute_of_difference_between_clocks_is_forgiven() {
        for (claim, time) in [("exp", NOW - 59), ("iat", NOW + 60), ("nbf", NOW + 60)] {
            assert!(with_claim(claim, json!(time)).is_ok(), "{claim}");
        }
    }

    #[test]
    fn a_token_without_nbf_or_at_hash_is_fine() {
        assert!(without_claim("nbf").is_ok());
        assert!(without_claim("at_hash").is_ok());
    }

    #[test]
    fn a_refresh_may_bring_no_nonce_or_an_old_one() {
        let refresh =
            || Expected { nonce: None, previous_subject: Some("person-1"), access_token: None, ..expected() };
        let without = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("nonce"));
        assert!(with_claims_expecting(without, &refresh()).is_ok());
        assert!(with_claims_expecting(|claims| claims["nonce"] = json!("old"), &refresh()).is_ok());
        assert!(with_claims_expecting(|claims| claims["at_hash"] = json!("unchecked"), &refresh()).is_ok());
    }

    #[test]
    fn a_group_heavy_token_is_fine() {
        let groups: Vec<_> = (0..2000).map(|n| format!("a-rather-long-name-of-a-group-{n}")).collect();
        assert!(with_claim("groups", json!(groups)).is_ok());
    }
}

mod form {
    use super::*;

    #[test]
    fn a_token_of_more_than_256_kib_is_rejected() {
        assert_eq!(refusal(judge(&"x".repeat(LARGEST + 1))), Rejection::TooLarge);
        assert_eq!(refusal(judge(&"x".repeat(LARGEST))), Rejection::Malformed(Part::Shape));
    }

    #[test]
    fn a_token_of_other_than_three_parts_is_rejected() {
        let good = KEY.token(&header(), &claims());
        for bad in ["", ".", "a.b", &format!("{good}."), &format!("{good}.{good}"), &format!("a.{good}")] {
            assert_eq!(refusal(judge(bad)), Rejection::Malformed(Part::Shape), "{bad}");
        }
    }

    #[test]
    fn parts_that_are_not_base64url_json_objects_are_rejected() {
        let key = &*KEY;
        let claims = claims().to_string();
        for bad in ["[]", "7", "", "{", "\u{feff}{}", r#"{"alg":7}"#, r#"{"alg":"RS256","kid":7}"#, "{}"] {
            let judgement = judge(&key.token_of_text(bad, &claims));
            assert_eq!(refusal(judgement), Rejection::Malformed(Part::Header), "{bad}");
        }
        for bad in ["[]", "7", "", "{", "null", "{\"sub\":\"\\ud800\"}", "{\"exp\":1e999}"] {
            let judgement = judge(&key.token_of_text(&header().to_string(), bad));
            assert_eq!(refusal(judgement), Rejection::Malformed(Part::Claims), "{bad}");
        }
        let good = key.token_of_text(&header().to_string(), &claims);
        for bad in [format!("{good}="), format!("{good}+"), format!("{good} ")] {
            assert_eq!(refusal(judge(&bad)), Rejection::Malformed(Part::Signature));
        }
    }

    #[test]
    fn a_claim_that_comes_twice_is_rejected() {
        let twice = claims().to_string().replacen('{', "{\"sub\":\"someone-else\",", 1);
        let judgement = judge(&KEY.token_of_text(&header().to_string(), &twice));
        assert_eq!(refusal(judgement), Rejection::Malformed(Part::Claims));
    }

    #[test]
    fn a_header_that_names_two_algorithms_is_rejected() {
        let twice = header().to_string().replacen('{', "{\"alg\":\"none\",", 1);
        let judgement = judge(&KEY.token_of_text(&twice, &claims().to_string()));
        assert_eq!(refusal(judgement), Rejection::Malformed(Part::Header));
    }

    #[test]
    fn claims_nested_without_end_are_rejected() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let judgement = judge(&KEY.token_of_text(&header().to_string(), &deep));
        assert_eq!(refusal(judgement), Rejection::Malformed(Part::Claims));
    }

    #[test]
    fn another_kind_of_token_is_rejected() {
        for typ in ["at+jwt", "logout+jwt", ""] {
            let judgement = with_header(|header| header["typ"] = json!(typ));
            assert_eq!(refusal(judgement), Rejection::Type { named: Foreign::new(typ) });
        }
    }

    #[test]
    fn a_critical_extension_is_rejected() {
        for crit in [json!(["b64"]), json!([]), json!(null)] {
            assert_eq!(refusal(with_header(|header| header["crit"] = crit)), Rejection::Critical);
        }
    }

    /// No single changed character, and no missing end, may pass.
    #[test]
    fn a_token_changed_anywhere_is_rejected() {
        let good = KEY.token(&header(), &claims());
        let keys = key_set(&[KEY.public()]);
        for at in 0..good.len() {
            for bit in [1, 2, 0x20] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(judge_by(&changed, &keys, &expected()).is_err(), "character {at}: {changed}");
            }
            assert!(judge_by(&good[..at], &keys, &expected()).is_err(), "cut at {at}");
        }
    }
}

mod signature {
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
}

mod parties {
    use super::*;

    #[test]
    fn a_token_of_another_issuer_is_rejected() {
        for issuer in ["https://id.example/", "https://ID.example", "http://id.example", ""] {
            let fact = Rejection::Issuer { expected: Foreign::new(ISSUER), actual: Foreign::new(issuer) };
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
            let actual = listed.into_iter().map(Foreign::new).collect();
            let fact = Rejection::Audience { expected: Foreign::new("client"), actual };
            assert_eq!(refusal(with_claim("aud", audience)), fact);
        }
    }

    #[test]
    fn several_audiences_without_an_authorized_party_are_rejected() {
        let fact = Rejection::AuthorizedParty { expected: Foreign::new("client"), actual: None };
        assert_eq!(refusal(with_claim("aud", json!(["client", "api"]))), fact);
    }

    #[test]
    fn a_token_issued_to_another_client_is_rejected() {
        let actual = Some(Foreign::new("other"));
        let fact = Rejection::AuthorizedParty { expected: Foreign::new("client"), actual };
        assert_eq!(refusal(with_claim("azp", json!("other"))), fact);
        let several = with_claims(|claims| {
            claims["aud"] = json!(["client", "other"]);
            claims["azp"] = json!("other");
        });
        assert_eq!(refusal(several), fact);
    }

    #[test]
    fn a_token_of_another_sign_in_is_rejected() {
        assert_eq!(refusal(with_claim("nonce", json!("n-0S6_WzA2Mk"))), Rejection::Nonce);
        assert_eq!(refusal(without_claim("nonce")), Rejection::Missing { claim: "nonce" });
    }

    #[test]
    fn a_token_beside_another_access_token_is_rejected() {
        let whole = base64url(ring::digest::digest(&ring::digest::SHA256, ACCESS_TOKEN.as_bytes()));
        for hash in ["", ACCESS_TOKEN, &whole, &at_hash("RS384", ACCESS_TOKEN)] {
            assert_eq!(refusal(with_claim("at_hash", json!(hash))), Rejection::AccessTokenHash);
        }
    }

    #[test]
    fn a_token_about_nobody_is_rejected() {
        assert_eq!(refusal(with_claim("sub", json!(""))), Rejection::Subject);
        assert_eq!(refusal(with_claim("sub", json!("x".repeat(256)))), Rejection::Subject);
        assert!(with_claim("sub", json!("x".repeat(255))).is_ok());
    }

    #[test]
    fn a_refresh_that_brings_another_person_is_rejected() {
        let expected = Expected { previous_subject: Some("person-2"), ..expected() };
        assert_eq!(refusal(with_claims_expecting(|_| {}, &expected)), Rejection::OtherSubject);
    }

    #[test]
    fn required_claims_cannot_be_missing() {
        for claim in ["iss", "aud", "sub", "exp", "iat", "nonce"] {
            assert_eq!(refusal(without_claim(claim)), Rejection::Missing { claim });
        }
    }

    #[test]
    fn claims_of_another_kind_are_rejected() {
        for claim in ["iss", "aud", "azp", "sub", "exp", "iat", "nbf", "nonce", "at_hash"] {
            for value in [json!(null), json!(true), json!({}), json!([7])] {
                assert_eq!(refusal(with_claim(claim, value)), Rejection::WrongKind { claim });
            }
        }
        for time in [json!("soon"), json!("1800003600.5"), json!(" 1800003600"), json!(1e300), json!("")] {
            assert_eq!(refusal(with_claim("exp", time)), Rejection::WrongKind { claim: "exp" });
        }
    }
}

mod times {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_unix(seconds)
    }

    #[test]
    fn an_expired_token_is_rejected() {
        let fact = Rejection::Expired { at: at(NOW - 60), now: at(NOW) };
        assert_eq!(refusal(with_claim("exp", json!(NOW - 60))), fact);
        for long_ago in [0, -1, i64::MIN] {
            assert!(with_claim("exp", json!(long_ago)).is_err());
        }
    }

    #[test]
    fn a_token_not_yet_valid_is_rejected() {
        let fact = Rejection::NotYetValid { from: at(NOW + 61), now: at(NOW) };
        assert_eq!(refusal(with_claim("nbf", json!(NOW + 61))), fact);
    }

    #[test]
    fn a_token_issued_in_the_future_is_rejected() {
        let fact = Rejection::IssuedInTheFuture { at: at(NOW + 61), now: at(NOW) };
        assert_eq!(refusal(with_claim("iat", json!(NOW + 61))), fact);
        assert!(with_claim("iat", json!(i64::MAX)).is_err());
    }

    #[test]
    fn a_clock_ten_minutes_slow_is_said_to_be_slow() {
        let slow = Expected { now: at(NOW - 600), ..expected() };
        let fact = Rejection::Clock(Skew::BehindBy(Duration::from_secs(600)));
        assert_eq!(refusal(with_claims_expecting(|_| {}, &slow)), fact);
    }

    #[test]
    fn a_clock_ten_minutes_fast_is_said_to_be_fast() {
        let fast = Expected { now: at(NOW + 600), ..expected() };
        let short = |claims: &mut Value| claims["exp"] = json!(NOW + 300);
        let fact = Rejection::Clock(Skew::AheadBy(Duration::from_secs(600)));
        assert_eq!(refusal(with_claims_expecting(short, &fast)), fact);
    }

    #[test]
    fn a_wrong_clock_that_harms_nothing_is_left_alone() {
        let fast = Expected { now: at(NOW + 600), ..expected() };
        assert!(with_claims_expecting(|_| {}, &fast).is_ok());
    }

    #[test]
    fn without_the_providers_clock_ours_is_not_blamed() {
        let fact = Rejection::Expired { at: at(NOW - 60), now: at(NOW) };
        for server_date in [None, Some(at(NOW + 60)), Some(at(NOW - 60))] {
            let expected = Expected { server_date, ..expected() };
            let old = |claims: &mut Value| claims["exp"] = json!(NOW - 60);
            assert_eq!(refusal(with_claims_expecting(old, &expected)), fact);
        }
    }
}

mod kept {
    use super::*;

    #[test]
    fn what_we_sealed_ourselves_is_taken_back_as_it_was() {
        let raw = Secret::new(KEY.token(&header(), &claims()));
        let token = VerifiedToken::recalled_from_our_own_store(raw).unwrap();
        assert_eq!((token.subject(), token.expires()), ("person-1", Moment::from_unix(NOW + 3600)));
        assert_eq!(token.claim("email"), Some(&json!("ada@example.com")));
    }

    #[test]
    fn what_is_no_token_is_not_taken_back() {
        for bad in ["", "a.b.c", "e30.e30.", "..", "x"] {
            assert!(VerifiedToken::recalled_from_our_own_store(Secret::new(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_token() {
        let raw = Secret::new(KEY.token(&header(), &claims()));
        let unverified = format!("{:?}", Unverified::new(raw.clone()));
        let verified = format!("{:?}", VerifiedToken::recalled_from_our_own_store(raw.clone()));
        for shown in [unverified, verified] {
            for secret in ["ada@example.com", "person-1", NONCE.expose(), &raw.expose()[..10]] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
