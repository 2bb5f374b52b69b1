//! The application's private keys: as key files for the program, and as public keys for the provider.
//!
//! They protect nothing. They are stored as DER so that secret scanners do not report them.

use std::{collections::HashSet, fs, path::Path, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use serde_json::Value;

use crate::{
    keys::{Algorithm, decode, json_of},
    knobs::Knob,
    world::{CLIENT_ID, Common},
};

/// The key files that an application can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKey {
    Rsa,
    /// The same key in the older format, PKCS#1.
    RsaPkcs1,
    /// The same key, encrypted with [`PASSPHRASE`] by PBKDF2 and AES-256-CBC.
    RsaEncrypted,
    P256,
    /// The same key in the older format, SEC1.
    P256Sec1,
    /// The same key, encrypted with [`PASSPHRASE`] by scrypt.
    P256Encrypted,
    P384,
    /// A valid key that the provider does not know.
    Unregistered,
}

pub const PASSPHRASE: &str = "öffne dich, 3 %";

const RSA: &[u8] = include_bytes!("../keys/client-rsa.pk8");
const P256: &[u8] = include_bytes!("../keys/client-p256.pk8");
const P384: &[u8] = include_bytes!("../keys/client-p384.pk8");

impl ClientKey {
    fn parts(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Rsa => ("PRIVATE KEY", RSA),
            Self::RsaPkcs1 => ("RSA PRIVATE KEY", include_bytes!("../keys/client-rsa.pk1")),
            Self::RsaEncrypted => ("ENCRYPTED PRIVATE KEY", include_bytes!("../keys/client-rsa-locked.pk8")),
            Self::P256 => ("PRIVATE KEY", P256),
            Self::P256Sec1 => ("EC PRIVATE KEY", include_bytes!("../keys/client-p256.sec1")),
            Self::P256Encrypted => ("ENCRYPTED PRIVATE KEY", include_bytes!("../keys/client-p256-locked.pk8")),
            Self::P384 => ("PRIVATE KEY", P384),
            Self::Unregistered => ("PRIVATE KEY", include_bytes!("../keys/rsa-two.pk8")),
        }
    }

    /// The key as PKCS#8, for a test that makes a certificate with it.
    pub fn der(self) -> &'static [u8] {
        match self {
            Self::P256 | Self::P256Sec1 | Self::P256Encrypted => P256,
            Self::P384 => P384,
            Self::Unregistered => self.parts().1,
            Self::Rsa | Self::RsaPkcs1 | Self::RsaEncrypted => RSA,
        }
    }

    /// Writes the key as a PEM file that only its owner can read, and records its secret parts in the ledger.
    pub(crate) fn write(self, world: &Common, folder: &Path) -> PathBuf {
        let (label, der) = self.parts();
        let encoded = STANDARD.encode(der);
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
        world.ledger.record_secret("a line of the private key", lines[lines.len() / 2].to_owned());
        world.ledger.record_secret("passphrase", PASSPHRASE.to_owned());
        let file = folder.join(format!("{self:?}.pem"));
        let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
        fs::write(&file, text).expect("the world's own folder can be written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&file, private).expect("the file is ours");
        }
        file
    }
}

/// Checks an assertion (RFC 7523 §3).
pub(crate) fn check_assertion(world: &Common, assertion: &str, endpoint: &str) -> Result<(), &'static str> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or("the assertion is not a JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("the assertion is not a JWT")?;
    let header = json_of(header).map_err(|_| "its header is not JSON")?;
    let claims = json_of(claims).map_err(|_| "its claims are not JSON")?;
    let algorithm = header["alg"].as_str().filter(|name| algorithms(world).iter().any(|known| known == name));
    let algorithm = algorithm.and_then(Algorithm::named).ok_or("its algorithm is not supported")?;
    let signature = decode(signature).ok_or("its signature is not base64url")?;
    let verification = algorithm.verification().ok_or("its algorithm is not supported")?;
    signature::UnparsedPublicKey::new(verification, registered_key(algorithm))
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "its signature is wrong")?;
    if claims["iss"] != CLIENT_ID || claims["sub"] != CLIENT_ID {
        return Err("it is for another client");
    }
    let audience = match world.knobs.peek(Knob::AssertionAudience) {
        Some(wanted) if wanted == "endpoint" => format!("{}{endpoint}", world.provider_origin()),
        _ => world.issuer(),
    };
    if claims["aud"] != audience.as_str() {
        return Err("it has another audience");
    }
    check_times(world, &claims)?;
    let id = claims["jti"].as_str().filter(|id| id.len() >= 16).ok_or("its jti can be guessed")?;
    let is_new = world.provider.0.lock().unwrap().assertions.insert(id.to_owned());
    if is_new { Ok(()) } else { Err("it was used before") }
}

fn check_times(world: &Common, claims: &Value) -> Result<(), &'static str> {
    let now = world.provider_now();
    let time = |name: &str| claims[name].as_i64();
    match (time("iat"), time("exp")) {
        (Some(from), _) if from > now + 30 => Err("it was issued in the future"),
        (Some(_), Some(until)) if until <= now => Err("it has expired"),
        (Some(_), Some(until)) if until > now + 600 => Err("its lifetime is too long"),
        (Some(_), Some(_)) => Ok(()),
        _ => Err("it has no times"),
    }
}

/// The algorithms that the discovery document announces.
pub(crate) fn algorithms(world: &Common) -> Vec<String> {
    match world.knobs.peek(Knob::AssertionAlgorithms) {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => ["RS256", "PS256", "ES256", "ES384"].map(str::to_owned).to_vec(),
    }
}

/// The registered public key for this algorithm.
fn registered_key(algorithm: Algorithm) -> Vec<u8> {
    let random = SystemRandom::new();
    let ecdsa = |kind: &'static signature::EcdsaSigningAlgorithm, der: &[u8]| {
        EcdsaKeyPair::from_pkcs8(kind, der, &random).expect("the stored key is valid").public_key().as_ref().to_vec()
    };
    match algorithm {
        Algorithm::ES256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, P256),
        Algorithm::ES384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, P384),
        _ => RsaKeyPair::from_pkcs8(RSA).expect("the stored key is valid").public().as_ref().to_vec(),
    }
}

/// The `jti` values of the assertions that were accepted: each may be used once.
pub(crate) type UsedAssertions = HashSet<String>;
