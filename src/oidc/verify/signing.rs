//! Test keys that sign tokens for the tests of `verify`, with another library than the one that verifies. Only ES512 has
//! a single library; `key_set` tests it with the example of its standard.
//!
//! They sign any header and claims, valid or forged.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p521::ecdsa::{Signature, SigningKey, signature::Signer};
use ring::{
    digest,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::oidc::ProviderKeys;

pub(super) const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

pub(super) struct TestSigningKey {
    kid: &'static str,
    pair: TestKeyPair,
}

enum TestKeyPair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    P521(SigningKey),
    Ed25519(Ed25519KeyPair),
}

pub(super) fn encode_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn build_key_set(keys: &[Value]) -> ProviderKeys {
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

impl TestSigningKey {
    pub(super) fn for_algorithm(algorithm: &str, kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |kind| {
            let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap()
        };
        let pair = match algorithm {
            "ES256" => TestKeyPair::P256(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => TestKeyPair::P384(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
            "ES512" => TestKeyPair::P521(SigningKey::from_slice(&[1; 66]).unwrap()),
            "EdDSA" => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                TestKeyPair::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            _ => {
                let document = include_bytes!("../../../tests/support/keys/rsa-one.pk8");
                TestKeyPair::Rsa(RsaKeyPair::from_pkcs8(document).unwrap())
            }
        };
        Self { kid, pair }
    }

    pub(super) fn public_jwk(&self) -> Value {
        let point = |point: &[u8], curve| {
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({ "kty": "EC", "crv": curve, "x": encode_base64url(x), "y": encode_base64url(y) })
        };
        let mut jwk = match &self.pair {
            TestKeyPair::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": encode_base64url(public.n), "e": encode_base64url(public.e) })
            }
            TestKeyPair::P256(key) => point(key.public_key().as_ref(), "P-256"),
            TestKeyPair::P384(key) => point(key.public_key().as_ref(), "P-384"),
            TestKeyPair::P521(key) => point(&key.verifying_key().to_sec1_point(false).to_bytes(), "P-521"),
            TestKeyPair::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode_base64url(key.public_key()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(super) fn public_jwk_with(&self, member: &str, value: Value) -> Value {
        let mut jwk = self.public_jwk();
        jwk[member] = value;
        jwk
    }

    /// Signs any header and claims, with the algorithm that the header names.
    pub(super) fn sign_token(&self, header: &Value, claims: &Value) -> String {
        self.sign_raw_token(&header.to_string(), &claims.to_string())
    }

    pub(super) fn sign_raw_token(&self, header: &str, claims: &str) -> String {
        let named: Value = serde_json::from_str(header).unwrap_or_default();
        let signed = format!("{}.{}", encode_base64url(header), encode_base64url(claims));
        let signature = self.sign(named["alg"].as_str().unwrap_or_default(), signed.as_bytes());
        format!("{signed}.{}", encode_base64url(signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            TestKeyPair::Rsa(key) => {
                let padding: &dyn signature::RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            TestKeyPair::P256(key) | TestKeyPair::P384(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            TestKeyPair::P521(key) => Signer::<Signature>::sign(key, message).to_bytes().to_vec(),
            TestKeyPair::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

/// Computes `at_hash` by the table of OIDC Core §3.1.3.6 (SHA-512 for Ed25519).
pub(super) fn compute_at_hash(algorithm: &str, access_token: &str) -> String {
    let hash = match &algorithm[2..] {
        "256" => &digest::SHA256,
        "384" => &digest::SHA384,
        _ => &digest::SHA512,
    };
    let digest = digest::digest(hash, access_token.as_bytes());
    encode_base64url(&digest.as_ref()[..digest.as_ref().len() / 2])
}
