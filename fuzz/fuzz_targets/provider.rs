//! A provider whose key the fuzzers have, to sign what they invent.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bedrock_sso::{
    oidc::{ProviderKeys, ProviderMetadata},
    url::SecureUrl,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://id.example";

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));
pub(crate) static KEYS: LazyLock<ProviderKeys> = LazyLock::new(|| {
    let ours = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": URL_SAFE_NO_PAD.encode(KEY.public_key()) });
    // This key never signs, so a token that is accepted under its name is a forgery.
    let rsa = json!({ "kty": "RSA", "kid": "two", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xab; 256]) });
    serde_json::from_value(json!({ "keys": [ours, rsa] })).expect("a key set")
});
pub(crate) static METADATA: LazyLock<ProviderMetadata> = LazyLock::new(|| {
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

/// A token of these two parts, with a valid signature.
pub(crate) fn sign(header: &[u8], claims: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(KEY.sign(message.as_bytes())))
}
