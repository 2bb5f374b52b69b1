//! Fuzzes the verification of ID tokens with any text, and with any header and claims under a valid signature.
//!
//! Run with `cargo +nightly fuzz run jwt -- -max_total_time=300 -dict=fuzz/jwt.dict`.
#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bedrock_sso::{
    lock,
    oidc::{
        ExpectedClaims, ProviderKeys, ProviderMetadata, RecallProof, TokenGrant, UnverifiedToken, VerifiedToken,
        verify_token,
    },
    secret::Secret,
    store,
    time::Timestamp,
    url::SecureUrl,
};
use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));
static KEYS: LazyLock<ProviderKeys> = LazyLock::new(|| {
    let ours = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": URL_SAFE_NO_PAD.encode(KEY.public_key()) });
    // This key never signs, so a token that is accepted under its name is a forgery.
    let rsa = json!({ "kty": "RSA", "kid": "two", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xab; 256]) });
    serde_json::from_value(json!({ "keys": [ours, rsa] })).expect("a key set")
});
static METADATA: LazyLock<ProviderMetadata> = LazyLock::new(|| {
    let endpoint = SecureUrl::parse("https://id.example/x").expect("an address");
    ProviderMetadata {
        issuer: ISSUER.to_owned(),
        authorization_endpoint: endpoint.clone(),
        token_endpoint: endpoint.clone(),
        jwks_uri: endpoint,
        revocation_endpoint: None,
        device_authorization_endpoint: None,
        userinfo_endpoint: None,
        end_session_endpoint: None,
        algorithms: None,
        scopes_supported: None,
        token_auth_methods: None,
        revocation_auth_methods: None,
        auth_algorithms: None,
        iss_parameter: false,
        requires_pushed_requests: false,
        acr_values: None,
        claims: None,
        claims_parameter: false,
    }
});

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
    let mut parts = invented.splitn(2, |byte| *byte == 0).map(|part| URL_SAFE_NO_PAD.encode(part));
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(message.as_bytes()));
    if let Some(token) = judge(&format!("{message}.{signature}")) {
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
