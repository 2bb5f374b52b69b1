//! The application's private keys: as files for the program, and as the provider knows them.
//!
//! They prove nothing but tests. Kept as DER, so that no scanner takes them for keys that somebody lost.

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

/// A key file that an application may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKey {
    Rsa,
    /// The same in the older form, PKCS#1.
    RsaOlder,
    /// The same under [`PASSPHRASE`], by PBKDF2 and AES-256-CBC.
    RsaLocked,
    P256,
    /// The same in the older form, SEC1.
    P256Older,
    /// The same under [`PASSPHRASE`], by scrypt.
    P256Locked,
    P384,
    /// Sound, and unknown to the provider.
    Stranger,
}

pub const PASSPHRASE: &str = "öffne dich, 3 %";

const RSA: &[u8] = include_bytes!("../keys/client-rsa.pk8");
const P256: &[u8] = include_bytes!("../keys/client-p256.pk8");
const P384: &[u8] = include_bytes!("../keys/client-p384.pk8");

impl ClientKey {
    fn parts(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::Rsa => ("PRIVATE KEY", RSA),
            Self::RsaOlder => ("RSA PRIVATE KEY", include_bytes!("../keys/client-rsa.pk1")),
            Self::RsaLocked => ("ENCRYPTED PRIVATE KEY", include_bytes!("../keys/client-rsa-locked.pk8")),
            Self::P256 => ("PRIVATE KEY", P256),
            Self::P256Older => ("EC PRIVATE KEY", include_bytes!("../keys/client-p256.sec1")),
            Self::P256Locked => ("ENCRYPTED PRIVATE KEY", include_bytes!("../keys/client-p256-locked.pk8")),
            Self::P384 => ("PRIVATE KEY", P384),
            Self::Stranger => ("PRIVATE KEY", include_bytes!("../keys/rsa-two.pk8")),
        }
    }

    /// PKCS#8, for whoever makes a certificate of it.
    pub fn der(self) -> &'static [u8] {
        match self {
            Self::P256 | Self::P256Older | Self::P256Locked => P256,
            Self::P384 => P384,
            Self::Stranger => self.parts().1,
            Self::Rsa | Self::RsaOlder | Self::RsaLocked => RSA,
        }
    }

    /// Writes it as PEM, readable by its owner alone; what may be seen nowhere else goes into the ledger.
    pub(crate) fn write(self, world: &Common, folder: &Path) -> PathBuf {
        let (label, der) = self.parts();
        let encoded = STANDARD.encode(der);
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
        world.ledger.keep("a line of the private key", lines[lines.len() / 2].to_owned());
        world.ledger.keep("passphrase", PASSPHRASE.to_owned());
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

/// Judges an assertion (RFC 7523 §3), as strictly as a provider that has seen attacks.
pub(crate) fn judge(world: &Common, assertion: &str, endpoint: &str) -> Result<(), &'static str> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or("the assertion is no JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("the assertion is no JWT")?;
    let header = json_of(header).map_err(|_| "its header is no JSON")?;
    let claims = json_of(claims).map_err(|_| "its claims are no JSON")?;
    let algorithm = header["alg"].as_str().filter(|name| algorithms(world).iter().any(|known| known == name));
    let algorithm = algorithm.and_then(Algorithm::named).ok_or("it is signed in a way that is not taken here")?;
    let signature = decode(signature).ok_or("its signature is no base64url")?;
    signature::UnparsedPublicKey::new(algorithm.verification(), public(algorithm))
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "its signature is wrong")?;
    if claims["iss"] != CLIENT_ID || claims["sub"] != CLIENT_ID {
        return Err("it speaks for another client");
    }
    let audience = match world.knobs.peek(Knob::AssertionAudience) {
        Some(wanted) if wanted == "endpoint" => format!("{}{endpoint}", world.provider_origin()),
        _ => world.issuer(),
    };
    if claims["aud"] != audience.as_str() {
        return Err("it is meant for somebody else");
    }
    times(world, &claims)?;
    let id = claims["jti"].as_str().filter(|id| id.len() >= 16).ok_or("its jti can be guessed")?;
    let is_new = world.provider.0.lock().unwrap().assertions.insert(id.to_owned());
    if is_new { Ok(()) } else { Err("it was used before") }
}

fn times(world: &Common, claims: &Value) -> Result<(), &'static str> {
    let now = world.provider_now();
    let time = |name: &str| claims[name].as_i64();
    match (time("iat"), time("exp")) {
        (Some(from), _) if from > now + 30 => Err("it was issued in the future"),
        (Some(_), Some(until)) if until <= now => Err("it has expired"),
        (Some(_), Some(until)) if until > now + 600 => Err("it lives too long"),
        (Some(_), Some(_)) => Ok(()),
        _ => Err("it has no times"),
    }
}

/// As discovery says them.
pub(crate) fn algorithms(world: &Common) -> Vec<String> {
    match world.knobs.peek(Knob::AssertionAlgorithms) {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => ["RS256", "PS256", "ES256", "ES384"].map(str::to_owned).to_vec(),
    }
}

/// The registered key of this algorithm's kind.
fn public(algorithm: Algorithm) -> Vec<u8> {
    let random = SystemRandom::new();
    let ecdsa = |kind: &'static signature::EcdsaSigningAlgorithm, der: &[u8]| {
        EcdsaKeyPair::from_pkcs8(kind, der, &random).expect("the kept key is sound").public_key().as_ref().to_vec()
    };
    match algorithm {
        Algorithm::ES256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, P256),
        Algorithm::ES384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, P384),
        _ => RsaKeyPair::from_pkcs8(RSA).expect("the kept key is sound").public().as_ref().to_vec(),
    }
}

/// The identifiers that were seen.
pub(crate) type Seen = HashSet<String>;
