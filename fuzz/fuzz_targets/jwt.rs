//! Fuzzes the verification of ID tokens with any text, and with any header and claims under a valid signature.
//!
//! Run with `cargo +nightly fuzz run jwt -- -max_total_time=300 -dict=fuzz/jwt.dict`.
#![no_main]

mod provider;

use std::sync::LazyLock;

use bedrock_sso::{
    lock,
    oidc::{ExpectedClaims, RecallProof, TokenGrant, UnverifiedToken, VerifiedToken, verify_token},
    secret::Secret,
    store,
    time::Timestamp,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use self::provider::{ISSUER, KEYS, METADATA, NOW, sign};

/// A sealed record, which is necessary to restore a stored token.
static PROOF: LazyLock<RecallProof> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store::open_file_store(folder.path());
    let lock = lock::try_acquire(&folder.path().join("p.lock")).expect("a lock").expect("it is free");
    store.write_record(&lock, "p.session", Timestamp::from_unix(0), b"record").expect("it is stored");
    RecallProof::from(&store.read_record("p.session").expect("it is read").expect("it is there"))
});

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 2 {
        0 => any_text(&String::from_utf8_lossy(rest)),
        _ => signed(rest),
    }
});

/// Any text must be rejected, because only the holder of the key can make a valid token.
fn any_text(text: &str) {
    let _ = VerifiedToken::from_sealed_store(Secret::new(text), *PROOF);
    assert!(judge(text).is_none(), "a token without a valid signature was accepted");
}

/// Takes the header and the claims from the input, before and after its first zero byte, and signs them.
fn signed(invented: &[u8]) {
    let mut parts = invented.splitn(2, |byte| *byte == 0);
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Some(token) = judge(&sign(header, claims)) {
        check(&token);
    }
}

fn judge(token: &str) -> Option<VerifiedToken> {
    let nonce = Secret::new("n");
    let expected = ExpectedClaims {
        issuer: ISSUER,
        issuer_alias: None,
        client_id: "client",
        organization: None,
        exchange_algorithms: None,
        proof: None,
        grant: TokenGrant::AuthorizationCode { nonce: &nonce },
        access_token: Some(&nonce),
        now: Timestamp::from_unix(NOW),
        server_date: Some(Timestamp::from_unix(NOW + 100)),
    };
    verify_token(UnverifiedToken::new(Secret::new(token)), &KEYS, &METADATA, &expected).ok()
}

/// Checks what must hold for every accepted token, whose claims are parsed again in another way.
fn check(token: &VerifiedToken) {
    let claim = |name| token.claim(name).cloned().unwrap_or(Value::Null);
    assert_eq!(claim("iss"), ISSUER);
    assert_eq!(claim("nonce"), "n");
    let audience = claim("aud");
    assert!(audience == "client" || audience.as_array().is_some_and(|all| all.contains(&json!("client"))));
    assert!(audience.as_array().is_none_or(|all| all.len() < 2) || claim("azp") == "client");
    assert!(token.expires_at() > Timestamp::from_unix(NOW - 60));
    assert!(!token.subject().is_empty() && claim("sub") == token.subject());
    let recalled =
        VerifiedToken::from_sealed_store(token.raw().clone(), token.recall_proof()).expect("it was just read");
    assert_eq!((recalled.subject(), recalled.expires_at()), (token.subject(), token.expires_at()));
}
