//! Tokens that are recalled from the sealed store, and the `Debug` output of tokens.

use super::*;

#[test]
fn sealed_token_is_recalled_unchanged() {
    let raw = Secret::new(KEY.sign_token(&header(), &claims()));
    let token = VerifiedToken::from_sealed_store(raw, RecallProof::for_tests()).unwrap();
    assert_eq!((token.subject(), token.expires_at()), ("person-1", Timestamp::from_unix(NOW + 3600)));
    assert_eq!(token.claim("email"), Some(&json!("ada@example.com")));
}

#[test]
fn invalid_text_is_not_recalled_as_a_token() {
    for bad in ["", "a.b.c", "e30.e30.", "..", "x"] {
        assert!(VerifiedToken::from_sealed_store(Secret::new(bad), RecallProof::for_tests()).is_none(), "{bad}");
    }
}

#[test]
fn debug_output_hides_the_token() {
    let raw = Secret::new(KEY.sign_token(&header(), &claims()));
    let unverified = format!("{:?}", UnverifiedToken::new(raw.clone()));
    let verified = format!("{:?}", VerifiedToken::from_sealed_store(raw.clone(), RecallProof::for_tests()));
    for shown in [unverified, verified] {
        for secret in ["ada@example.com", "person-1", NONCE.expose(), &raw.expose()[..10]] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
