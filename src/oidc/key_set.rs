//! The provider's public keys (JWKS, RFC 7517) and the signature algorithms that this program accepts.
//!
//! Promise: a `TokenSigner` exists only after a published key of sufficient length verified the signature. `verify`
//! checks the claims.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey, SignatureVerificationError,
    core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Jws},
};
use p521::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{
    ProviderMetadata,
    error::{Error, ProviderEndpoint},
    rejection::TokenRejection,
    response::fetch_document,
};
use crate::{http::Client, text::UntrustedText};

/// The shortest accepted RSA signature. It is as long as its key, which must have at least 2048 bits (RFC 7518 §3.3):
/// shorter keys can be factored, and a factored key signs forged tokens.
const MIN_RSA_BYTES: usize = 256;

/// The key set that the provider publishes. Keys of unknown types are ignored, as RFC 7517 §5 recommends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderKeys(#[serde(deserialize_with = "deserialize_usable_keys")] CoreJsonWebKeySet);

/// Drops keys that the provider does not permit for verification (`key_ops`, RFC 7517 §4.3). The library ignores that
/// member, so that an encryption key could otherwise verify a token.
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

pub async fn fetch_keys(client: &Client, metadata: &ProviderMetadata) -> Result<ProviderKeys, Error> {
    fetch_document(client, ProviderEndpoint::Keys, &metadata.jwks_uri).await
}

/// Returns whether this program accepts tokens that are signed with this algorithm.
pub fn is_supported_algorithm(algorithm: &str) -> bool {
    parse_algorithm(algorithm).is_some()
}

impl ProviderKeys {
    /// The number of usable keys. With zero keys, every token fails.
    pub fn count(&self) -> usize {
        self.0.keys().len()
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys().iter().map(|key| key.key_id().map(|id| id.as_str()))).finish()
    }
}

/// Parses the name of an asymmetric signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// The list is fixed (RFC 8725 §3.1). It never contains `none`, which would accept unsigned tokens. It never contains
/// an HMAC, because an attacker could sign with the published key as the HMAC secret (RFC 8725 §2.1), and the holder
/// of a client secret could forge tokens.
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
        "ES512" => Jws::EcdsaP521Sha512,
        "EdDSA" => Jws::EdDsa,
        _ => return None,
    })
}

/// Returns whether the key that made this signature is long enough. Keys on curves have a fixed length.
fn is_long_enough(algorithm: &Jws, signature: &[u8]) -> bool {
    matches!(algorithm, Jws::EcdsaP256Sha256 | Jws::EcdsaP384Sha384 | Jws::EcdsaP521Sha512 | Jws::EdDsa)
        || signature.len() >= MIN_RSA_BYTES
}

/// Verifies a signature with a published key. The library rejects a key whose `use`, `kty` or `alg` does not permit
/// this algorithm (RFC 7517 §4.2, §4.4). Without that check, one key could be used with another algorithm than intended
/// (RFC 8725 §3.1).
fn verify_signature(
    key: &CoreJsonWebKey,
    algorithm: &Jws,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureVerificationError> {
    match key.verify_signature(algorithm, message, signature) {
        // Its check of the key comes first, so here the key permits the algorithm.
        Err(SignatureVerificationError::UnsupportedAlg(_)) if *algorithm == Jws::EcdsaP521Sha512 => {
            verify_es512(key, message, signature)
        }
        verdict => verdict,
    }
}

/// The curve and the point of a key (RFC 7518 §6.2.1).
#[derive(Deserialize)]
struct CurvePoint {
    crv: String,
    x: String,
    y: String,
}

/// Verifies ES512 (RFC 7518 §3.4), which the library does not support. It fails for a key on another curve.
fn verify_es512(key: &CoreJsonWebKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureVerificationError> {
    let unusable = || SignatureVerificationError::InvalidKey("not a key on P-521".to_owned());
    let wrong = |_| SignatureVerificationError::CryptoError("the signature is wrong".to_owned());
    // The library has no access to the coordinates except through the JSON form.
    let point = serde_json::to_value(key).and_then(serde_json::from_value::<CurvePoint>).map_err(|_| unusable())?;
    let decode = |coordinate| URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| unusable());
    if point.crv != "P-521" {
        return Err(unusable());
    }
    // SEC 1 §2.3.3: 4 marks an uncompressed point.
    let encoded = [vec![4], decode(point.x)?, decode(point.y)?].concat();
    let key = VerifyingKey::from_sec1_bytes(&encoded).map_err(|_| unusable())?;
    key.verify(message, &Signature::from_slice(signature).map_err(wrong)?).map_err(wrong)
}

/// The key that signed a token, and its algorithm. It exists only after the signature was verified.
pub(super) struct TokenSigner<'a> {
    key: &'a CoreJsonWebKey,
    algorithm: Jws,
}

impl ProviderKeys {
    /// Verifies the signature and returns the key that made it (OIDC Core §3.1.3.7, items 6 and 7).
    ///
    /// A token with a `kid` is tried with every key of that name, because some providers publish several. A token
    /// without a `kid` is tried with every key. Both are safe: only keys from the provider's `jwks_uri` take part.
    pub(super) fn find_signer(
        &self,
        kid: Option<&str>,
        algorithm: Jws,
        message: &[u8],
        signature: &[u8],
    ) -> Result<TokenSigner<'_>, TokenRejection> {
        let mut rejection = TokenRejection::UnknownKey { kid: kid.map(UntrustedText::new) };
        for key in self.0.keys().iter().filter(|key| kid.is_none() || key.key_id().map(|id| id.as_str()) == kid) {
            match verify_signature(key, &algorithm, message, signature) {
                Ok(()) if is_long_enough(&algorithm, signature) => return Ok(TokenSigner { key, algorithm }),
                // With a `kid`, the named key failed. Without one, the signing key may be missing from the set.
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
    /// Computes `at_hash` for an access token: the left half of its digest, in base64url, with the hash of the
    /// signature algorithm (OIDC Core §3.1.3.6).
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
    fn keys_of_any_content_type_are_read_and_can_be_stored() {
        for headers in ["", "Content-Type: application/jwk-set+json\r\n", "Content-Type: text/plain\r\n"] {
            let keys = fetched(headers, SET).0.unwrap();
            assert_eq!(format!("{keys:?}"), "[Some(\"a\")]");
            let sealed = serde_json::to_string(&keys).unwrap();
            assert_eq!(serde_json::from_str::<ProviderKeys>(&sealed).unwrap(), keys);
        }
    }

    #[test]
    fn an_answer_that_is_not_a_key_set_is_rejected() {
        let (keys, source) = fetched("", "{}");
        assert_eq!(keys, Err(Error::Malformed { source }));
        let (keys, source) = fetched("", "<html>");
        assert_eq!(keys, Err(Error::NotJson { source }));
    }

    #[test]
    fn unsigned_and_symmetric_algorithms_are_never_accepted() {
        for name in ["none", "HS256", "HS384", "HS512", "ES256K", "RSA-OAEP", "rs256", ""] {
            assert_eq!(parse_algorithm(name), None, "{name}");
        }
    }

    /// The key, the message and the signature of RFC 7515 appendix A.4.
    const P521: (&str, &str) = (
        "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    );
    const P521_MESSAGE: &[u8] = b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    const P521_SIGNATURE: &str = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZq\
                                  wqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp\
                                  EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

    fn signed_by_p521(curve: &str, algorithm: Jws, message: &[u8]) -> Result<(), TokenRejection> {
        let (x, y) = P521;
        let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"{curve}","kid":"k","x":"{x}","y":"{y}"}}]}}"#);
        let keys: ProviderKeys = serde_json::from_str(&set).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(P521_SIGNATURE).unwrap();
        keys.find_signer(Some("k"), algorithm, message, &signature).map(drop)
    }

    #[test]
    fn es512_example_of_the_standard_is_verified() {
        assert_eq!(signed_by_p521("P-521", Jws::EcdsaP521Sha512, P521_MESSAGE), Ok(()));
        let changed = signed_by_p521("P-521", Jws::EcdsaP521Sha512, b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZB");
        assert_eq!(changed, Err(TokenRejection::Signature));
    }

    #[test]
    fn es512_needs_a_key_on_its_own_curve() {
        for curve in ["P-256", "P-384", "Ed25519"] {
            assert!(signed_by_p521(curve, Jws::EcdsaP521Sha512, P521_MESSAGE).is_err(), "{curve}");
        }
        assert!(signed_by_p521("P-521", Jws::EcdsaP384Sha384, P521_MESSAGE).is_err());
    }
}
