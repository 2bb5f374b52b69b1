//! The provider's signing keys: it signs, publishes and verifies tokens, with ring except for ES512.
//!
//! `claims` and `sts` decide what a token says.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p521::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};
use ring::{
    digest, hmac,
    rand::{SecureRandom, SystemRandom},
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    pub fn name(self) -> String {
        format!("{self:?}")
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    fn family(self) -> Family {
        match self {
            Self::ES256 => Family::P256,
            Self::ES384 => Family::P384,
            Self::ES512 => Family::P521,
            Self::EdDSA => Family::Ed25519,
            _ => Family::Rsa,
        }
    }

    /// `at_hash` of OpenID Connect Core §3.1.3.6. For Ed25519 the hash is SHA-512.
    pub(crate) fn half_hash(self, text: &str) -> String {
        let hash = match self {
            Self::RS256 | Self::PS256 | Self::ES256 => &digest::SHA256,
            Self::RS384 | Self::PS384 | Self::ES384 => &digest::SHA384,
            Self::RS512 | Self::PS512 | Self::ES512 | Self::EdDSA => &digest::SHA512,
        };
        let whole = digest::digest(hash, text.as_bytes());
        encode(&whole.as_ref()[..whole.as_ref().len() / 2])
    }

    fn rsa_padding(self) -> &'static dyn signature::RsaEncoding {
        match self {
            Self::RS384 => &signature::RSA_PKCS1_SHA384,
            Self::RS512 => &signature::RSA_PKCS1_SHA512,
            Self::PS256 => &signature::RSA_PSS_SHA256,
            Self::PS384 => &signature::RSA_PSS_SHA384,
            Self::PS512 => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        }
    }

    /// `None` for ES512, which ring does not have.
    pub(crate) fn verification(self) -> Option<&'static dyn signature::VerificationAlgorithm> {
        Some(match self {
            Self::ES512 => return None,
            Self::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::EdDSA => &signature::ED25519,
        })
    }

    fn verify(self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        match (&key.pair, self.verification()) {
            (Pair::P521 { point, .. }, None) => {
                let key = VerifyingKey::from_sec1_bytes(point).expect("a sound key");
                Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            (_, Some(kind)) => signature::UnparsedPublicKey::new(kind, key.public()).verify(message, signature).is_ok(),
            (_, None) => false,
        }
    }
}

/// The ways in which a token's signature can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Forgery {
    None,
    Hs256PublicKey,
    BrokenSignature,
    /// The header names a published key, but another key has signed.
    OtherKey,
    UnknownKid,
    NoKid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    /// `point` is the public key as an uncompressed point.
    P521 {
        key: Box<SigningKey>,
        point: Vec<u8>,
    },
    Ed25519(Ed25519KeyPair),
}

struct Key {
    kid: String,
    family: Family,
    pair: Pair,
}

/// The signing keys. The newest generation signs; the one before it is still published.
pub(crate) struct Keys {
    generation: usize,
    published: Vec<Key>,
    unpublished: Vec<Key>,
    random: SystemRandom,
}

/// Generating an RSA key takes seconds, so these two are stored in the repository. They sign tokens of tests only.
const RSA: [&[u8]; 2] = [include_bytes!("../keys/rsa-one.pk8"), include_bytes!("../keys/rsa-two.pk8")];

#[derive(Debug)]
pub(crate) enum Flaw {
    NoJwt,
    Algorithm,
    UnknownKey,
    Signature,
}

impl Default for Keys {
    fn default() -> Self {
        let random = SystemRandom::new();
        let published = generation(0, &random);
        let unpublished = generation(1, &random);
        Self { generation: 0, published, unpublished, random }
    }
}

impl Keys {
    /// Makes a new key sign. The one before stays published, older ones do not.
    pub(crate) fn rotate(&mut self) {
        let newest = std::mem::replace(&mut self.unpublished, generation(self.generation + 2, &self.random));
        let of_now = format!("-{}", self.generation);
        self.published.retain(|key| key.kid.ends_with(&of_now));
        self.published.extend(newest);
        self.generation += 1;
    }

    pub(crate) fn document(&self) -> Value {
        json!({ "keys": self.published.iter().map(Key::jwk).collect::<Vec<_>>() })
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, forgery: Option<Forgery>, claims: &Value) -> String {
        let family = algorithm.family();
        let signing = |keys: &'_ [Key]| keys.iter().rposition(|key| key.family == family).expect("every family");
        let true_key = &self.published[signing(&self.published)];
        let key = match forgery {
            Some(Forgery::OtherKey) => &self.unpublished[signing(&self.unpublished)],
            _ => true_key,
        };
        let mut header = json!({ "alg": algorithm.name(), "typ": "JWT", "kid": true_key.kid });
        match forgery {
            Some(Forgery::None) => header["alg"] = json!("none"),
            Some(Forgery::Hs256PublicKey) => header["alg"] = json!("HS256"),
            Some(Forgery::UnknownKid) => header["kid"] = json!("unknown-key"),
            Some(Forgery::NoKid) => drop(header.as_object_mut().expect("an object").remove("kid")),
            _ => {}
        }
        let body = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let mut signature = match forgery {
            Some(Forgery::None) => Vec::new(),
            Some(Forgery::Hs256PublicKey) => {
                let public = hmac::Key::new(hmac::HMAC_SHA256, key.public());
                hmac::sign(&public, body.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(algorithm, body.as_bytes(), &self.random),
        };
        if forgery == Some(Forgery::BrokenSignature) {
            signature[10] ^= 1;
        }
        format!("{body}.{}", encode(&signature))
    }

    /// Returns the claims of a token that one of the published keys signed.
    pub(crate) fn verify(&self, token: &str) -> Result<Value, Flaw> {
        let (body, signature) = token.rsplit_once('.').ok_or(Flaw::NoJwt)?;
        let (header, claims) = body.split_once('.').ok_or(Flaw::NoJwt)?;
        let (header, claims) = (json_of(header)?, json_of(claims)?);
        let algorithm = header["alg"].as_str().and_then(Algorithm::named).ok_or(Flaw::Algorithm)?;
        let key = self
            .published
            .iter()
            .find(|key| header["kid"] == key.kid.as_str() && key.family == algorithm.family())
            .ok_or(Flaw::UnknownKey)?;
        let signature = decode(signature).ok_or(Flaw::NoJwt)?;
        if algorithm.verify(key, body.as_bytes(), &signature) { Ok(claims) } else { Err(Flaw::Signature) }
    }
}

/// The algorithm that a token's header names.
pub(crate) fn declared_algorithm(token: &str) -> Option<Algorithm> {
    Algorithm::named(json_of(token.split('.').next()?).ok()?["alg"].as_str()?)
}

pub(crate) fn json_of(part: &str) -> Result<Value, Flaw> {
    let bytes = decode(part).ok_or(Flaw::NoJwt)?;
    serde_json::from_slice(&bytes).map_err(|_| Flaw::NoJwt)
}

fn generation(number: usize, random: &SystemRandom) -> Vec<Key> {
    let rsa = RsaKeyPair::from_pkcs8(RSA[number % RSA.len()]).expect("the stored key is valid");
    let ecdsa = |kind: &'static signature::EcdsaSigningAlgorithm| {
        let document = EcdsaKeyPair::generate_pkcs8(kind, random).expect("the system has randomness");
        EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), random).expect("just made")
    };
    let ed = Ed25519KeyPair::generate_pkcs8(random).expect("the system has randomness");
    let ed = Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("just made");
    let mut scalar = [u8::try_from(number % 100).expect("below 100") + 1; 66];
    scalar[0] = 0;
    let p521 = SigningKey::from_slice(&scalar).expect("a number below the order of the group");
    let point = p521.verifying_key().to_sec1_point(false).to_bytes().to_vec();
    let key = |name: &str, family, pair| Key { kid: format!("{name}-{number}"), family, pair };
    vec![
        key("rsa", Family::Rsa, Pair::Rsa(Box::new(rsa))),
        key("p256", Family::P256, Pair::Ecdsa(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING))),
        key("p384", Family::P384, Pair::Ecdsa(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING))),
        key("p521", Family::P521, Pair::P521 { key: Box::new(p521), point }),
        key("ed25519", Family::Ed25519, Pair::Ed25519(ed)),
    ]
}

impl Key {
    fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Rsa(pair) => pair.public().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::P521 { point, .. } => point,
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8], random: &SystemRandom) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(algorithm.rsa_padding(), random, message, &mut signature).expect("a sound key signs");
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(random, message).expect("a sound key signs").as_ref().to_vec(),
            Pair::P521 { key, .. } => Signer::<Signature>::sign(&**key, message).to_bytes().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// RFC 7517, RFC 7518 §6, RFC 8037. It has no `alg`, because one RSA key serves six algorithms.
    fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e) })
            }
            Pair::Ecdsa(_) | Pair::P521 { .. } => {
                // An uncompressed point: 4, x, y.
                let point = &self.public()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.family {
                    Family::P256 => "P-256",
                    Family::P384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A random value with this many bytes of entropy.
pub(crate) fn unguessable(bytes: usize) -> String {
    let mut value = vec![0; bytes];
    SystemRandom::new().fill(&mut value).expect("the system has randomness");
    encode(&value)
}

pub(crate) fn sha256(text: &str) -> String {
    encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
