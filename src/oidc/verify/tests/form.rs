//! Tokens with an invalid size, structure or header, and tokens with one changed character.
//!
//! The right key signs them wherever a signature is possible, so only the check under test can fail.

use super::*;

#[test]
fn a_token_of_more_than_256_kib_is_rejected() {
    assert_eq!(refusal(judge(&"x".repeat(MAX_TOKEN_BYTES + 1))), TokenRejection::TooLarge);
    assert_eq!(refusal(judge(&"x".repeat(MAX_TOKEN_BYTES))), TokenRejection::Malformed(TokenPart::Structure));
}

#[test]
fn a_token_of_other_than_three_parts_is_rejected() {
    let good = KEY.sign_token(&header(), &claims());
    for bad in ["", ".", "a.b", &format!("{good}."), &format!("{good}.{good}"), &format!("a.{good}")] {
        assert_eq!(refusal(judge(bad)), TokenRejection::Malformed(TokenPart::Structure), "{bad}");
    }
}

#[test]
fn parts_that_are_not_base64url_json_objects_are_rejected() {
    let key = &*KEY;
    let claims = claims().to_string();
    for bad in ["[]", "7", "", "{", "\u{feff}{}", r#"{"alg":7}"#, r#"{"alg":"RS256","kid":7}"#, "{}"] {
        let judgement = judge(&key.sign_raw_token(bad, &claims));
        assert_eq!(refusal(judgement), TokenRejection::Malformed(TokenPart::Header), "{bad}");
    }
    for bad in ["[]", "7", "", "{", "null", "{\"sub\":\"\\ud800\"}", "{\"exp\":1e999}"] {
        let judgement = judge(&key.sign_raw_token(&header().to_string(), bad));
        assert_eq!(refusal(judgement), TokenRejection::Malformed(TokenPart::Claims), "{bad}");
    }
    let good = key.sign_raw_token(&header().to_string(), &claims);
    for bad in [format!("{good}="), format!("{good}+"), format!("{good} ")] {
        assert_eq!(refusal(judge(&bad)), TokenRejection::Malformed(TokenPart::Signature));
    }
}

#[test]
fn a_claim_that_comes_twice_is_rejected() {
    let twice = claims().to_string().replacen('{', "{\"sub\":\"someone-else\",", 1);
    let judgement = judge(&KEY.sign_raw_token(&header().to_string(), &twice));
    assert_eq!(refusal(judgement), TokenRejection::Malformed(TokenPart::Claims));
}

#[test]
fn a_header_that_names_two_algorithms_is_rejected() {
    let twice = header().to_string().replacen('{', "{\"alg\":\"none\",", 1);
    let judgement = judge(&KEY.sign_raw_token(&twice, &claims().to_string()));
    assert_eq!(refusal(judgement), TokenRejection::Malformed(TokenPart::Header));
}

#[test]
fn claims_nested_without_end_are_rejected() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let judgement = judge(&KEY.sign_raw_token(&header().to_string(), &deep));
    assert_eq!(refusal(judgement), TokenRejection::Malformed(TokenPart::Claims));
}

#[test]
fn another_kind_of_token_is_rejected() {
    for typ in ["at+jwt", "logout+jwt", ""] {
        let judgement = with_header(|header| header["typ"] = json!(typ));
        assert_eq!(refusal(judgement), TokenRejection::WrongTokenType { named: UntrustedText::new(typ) });
    }
}

#[test]
fn a_critical_extension_is_rejected() {
    for crit in [json!(["b64"]), json!([]), json!(null)] {
        assert_eq!(refusal(with_header(|header| header["crit"] = crit)), TokenRejection::CriticalHeader);
    }
}

/// Changes each character, and cuts the token at each position.
#[test]
fn a_token_changed_anywhere_is_rejected() {
    let good = KEY.sign_token(&header(), &claims());
    let keys = build_key_set(&[KEY.public_jwk()]);
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
