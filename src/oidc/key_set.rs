//! The provider's public keys, and the algorithms that this program believes in.
//!
//! It says which key signed; whether the token is the right one is for `verify`.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey, SignatureVerificationError,
    core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Jws},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{
    ProviderMetadata,
    error::{Error, ProviderEndpoint},
    rejection::TokenRejection,
    response::fetch_document,
};
use crate::{http::Client, text::UntrustedText};

/// The shortest RSA signature, which is as long as its key: 2048 bits (RFC 7518 §3.3).
const MIN_RSA_BYTES: usize = 256;

/// A key set as the provider publishes it (RFC 7517); keys of kinds unknown here are left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderKeys(#[serde(deserialize_with = "deserialize_usable_keys")] CoreJsonWebKeySet);

/// Leaves out keys that are not meant for verification (`key_ops`, RFC 7517 §4.3), a member that the library passes over.
fn deserialize_usable_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CoreJsonWebKeySet, D::Error> {
    let mut set = Value::deserialize(deserializer)?;
    if let Some(keys) = set.get_mut("keys").and_then(Value::as_array_mut) {
        keys.retain(|key| match key.get("key_ops") {
            None | Some(Value::Null) => true,
            Some(operations) => {
                operations.as_array().is_some_and(|operations| operations.iter().any(|one| one == "verify"))
            }
        });
    }
    serde_json::from_value(set).map_err(D::Error::custom)
}

/// Fetches the keys that the provider publishes now.
pub async fn fetch_keys(client: &Client, metadata: &ProviderMetadata) -> Result<ProviderKeys, Error> {
    fetch_document(client, ProviderEndpoint::Keys, &metadata.jwks_uri).await
}

/// Whether tokens signed by the algorithm of this name can be believed.
pub fn is_supported_algorithm(algorithm: &str) -> bool {
    parse_algorithm(algorithm).is_some()
}

impl ProviderKeys {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.keys().len()
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys().iter().map(|key| key.key_id().map(|id| id.as_str()))).finish()
    }
}

/// The signature algorithm of this name (RFC 7518 §3.1, RFC 8037 §3.1): the asymmetric ones, so that no secret of the client
/// could ever sign a token. Never `none`, never an HMAC.
pub(super) fn parse_algorithm(name: &str) -> Option<Jws> {
    Some(match name {
        "RS256" => Jws::RsaSsaPkcs1V15Sha256,
        "RS384" => Jws::RsaSsaPkcs1V15Sha384,
        "RS512" => Jws::RsaSsaPkcs1V15Sha512,
        "PS256" => Jws::RsaSsaPssSha256,
        "PS384" => Jws::RsaSsaPssSha384,
        "PS512" => Jws::RsaSsaPssSha512,
        "ES256" => Jws::EcdsaP256Sha256,
        "ES384" => Jws::EcdsaP384Sha384,
        "EdDSA" => Jws::EdDsa,
        _ => return None,
    })
}

/// Whether a signature of this length could come from a key that is long enough.
fn is_long_enough(algorithm: &Jws, signature: &[u8]) -> bool {
    matches!(algorithm, Jws::EcdsaP256Sha256 | Jws::EcdsaP384Sha384 | Jws::EdDsa) || signature.len() >= MIN_RSA_BYTES
}

/// The key that signed a token, with the algorithm it used.
pub(super) struct TokenSigner<'a> {
    key: &'a CoreJsonWebKey,
    algorithm: Jws,
}

impl ProviderKeys {
    /// Finds the key that signed. A token that names a key is tried on the keys of that name, of which a careless
    /// provider has several; one that names none, on every key.
    pub(super) fn find_signer(
        &self,
        kid: Option<&str>,
        algorithm: Jws,
        message: &[u8],
        signature: &[u8],
    ) -> Result<TokenSigner<'_>, TokenRejection> {
        let mut rejection = TokenRejection::UnknownKey { kid: kid.map(UntrustedText::new) };
        for key in self.0.keys().iter().filter(|key| kid.is_none() || key.key_id().map(|id| id.as_str()) == kid) {
            // The library refuses, as an invalid key, one meant for encryption, or of another type or algorithm.
            match key.verify_signature(&algorithm, message, signature) {
                Ok(()) if is_long_enough(&algorithm, signature) => return Ok(TokenSigner { key, algorithm }),
                // Without a name, "another key signed it" is all that can be known.
                Ok(()) | Err(SignatureVerificationError::CryptoError(_)) if kid.is_some() => {
                    rejection = TokenRejection::Signature;
                }
                Ok(()) | Err(_) => {}
            }
        }
        Err(rejection)
    }
}

impl TokenSigner<'_> {
    /// The left half of the text's digest in base64url, by the algorithm's own hash: `compute_at_hash` (OIDC Core §3.1.3.6).
    pub(super) fn compute_half_hash(&self, text: &str) -> Option<String> {
        let digest = self.key.hash_bytes(text.as_bytes(), &self.algorithm).ok()?;
        digest.get(..digest.len() / 2).map(|half| URL_SAFE_NO_PAD.encode(half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::{
            TrustConfig,
            testing::{block_on, test_client},
        },
        oidc::{
            error::ResponseSource,
            testing::{server_authority, server_base_url, start_provider, test_metadata},
        },
    };

    const SET: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"},{"kty":"odd"},{"kty":"RSA","kid":7}]}"#;

    fn fetched(headers: &str, body: &str) -> (Result<ProviderKeys, Error>, ResponseSource) {
        let server = start_provider("200 OK", headers, body);
        let source = ResponseSource { endpoint: ProviderEndpoint::Keys, host: server_authority(&server) };
        (block_on(fetch_keys(&test_client(&TrustConfig::default()), &test_metadata(&server_base_url(&server)))), source)
    }

    #[test]
    fn keys_that_are_not_for_verification_are_left_out() {
        let key = |id: &str, operations: &str| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"AAAA"{operations}}}"#)
        };
        let keys = [
            key("a", ""),
            key("b", r#","key_ops":["sign","verify"]"#),
            key("c", r#","key_ops":["encrypt"]"#),
            key("d", r#","key_ops":[]"#),
            key("e", r#","key_ops":"verify""#),
        ];
        let keys = fetched("", &format!(r#"{{"keys":[{}]}}"#, keys.join(","))).0.unwrap();
        assert_eq!(format!("{keys:?}"), r#"[Some("a"), Some("b")]"#);
    }

    #[test]
    fn keys_are_fetched_whatever_the_content_type_and_survive_the_store() {
        for headers in ["", "Content-Type: application/jwk-set+json\r\n", "Content-Type: text/plain\r\n"] {
            let keys = fetched(headers, SET).0.unwrap();
            assert_eq!(format!("{keys:?}"), "[Some(\"a\")]");
            let sealed = serde_json::to_string(&keys).unwrap();
            assert_eq!(serde_json::from_str::<ProviderKeys>(&sealed).unwrap(), keys);
        }
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        let (keys, source) = fetched("", "{}");
        assert_eq!(keys, Err(Error::Malformed { source }));
        let (keys, source) = fetched("", "<html>");
        assert_eq!(keys, Err(Error::NotJson { source }));
    }

    #[test]
    fn no_name_but_the_nine_is_an_algorithm() {
        for name in ["none", "HS256", "HS384", "HS512", "ES512", "ES256K", "RSA-OAEP", "rs256", ""] {
            assert_eq!(parse_algorithm(name), None, "{name}");
        }
    }
}
