//! The application's private key and its certificate: from their files to what can sign and be named.
//!
//! It judges the files; what is signed is for `assertion`.

use std::{fmt, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use pkcs8::{EncryptedPrivateKeyInfo, pkcs5};
use ring::digest::{SHA256, digest};
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer},
    sign::SigningKey,
};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, Reader, SliceReader, asn1::UintRef},
};
use zeroize::Zeroizing;

use super::pem;
use crate::{
    config::KeyAlgorithm,
    files::{self, Foreign},
    secret::Secret,
    time::Moment,
};

/// No key and no certificate is larger.
const LIMIT: u64 = 64 * 1024;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    Missing,
    /// In the system's words.
    Unreadable(String),
    /// Whoever uses this machine may read the key as it is.
    Exposed,
    /// No section of the kind that was looked for.
    NotPem,
    /// Encrypted in the way that OpenSSL had before PKCS#8.
    OldEncryption,
    /// Encrypted in a way that is not understood.
    UnknownEncryption,
    NoPassphrase,
    WrongPassphrase,
    /// No RSA key of 2048 to 4096 bits, and none on the curves P-256 and P-384.
    Unsupported,
    /// The key cannot sign in the way that the profile names.
    OtherAlgorithm {
        wanted: &'static str,
    },
    Expired {
        at: Moment,
    },
    NotYetValid {
        from: Moment,
    },
    /// The certificate belongs to another key.
    OtherKey,
}

/// A key that signs.
pub(super) struct Key(Arc<dyn SigningKey>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0.algorithm())
    }
}

impl Key {
    pub(super) fn parse(file: &Foreign, passphrase: Option<&Secret>) -> Result<Self, Flaw> {
        let Foreign { bytes, is_exposed } = file;
        let text = std::str::from_utf8(bytes).map_err(|_| Flaw::NotPem)?;
        let section = pem::section(text, "PRIVATE KEY").ok_or(Flaw::NotPem)?;
        if section.has_headers() {
            return Err(Flaw::OldEncryption);
        }
        let der = section.der().ok_or(Flaw::NotPem)?;
        if section.label == "ENCRYPTED PRIVATE KEY" {
            let opened = decrypted(&der, passphrase.ok_or(Flaw::NoPassphrase)?)?;
            return Self::of(&PrivatePkcs8KeyDer::from(opened.as_slice()).into());
        }
        if *is_exposed {
            return Err(Flaw::Exposed);
        }
        let der = der.as_slice();
        Self::of(&match section.label {
            "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(der).into(),
            "EC PRIVATE KEY" => PrivateSec1KeyDer::from(der).into(),
            _ => PrivatePkcs8KeyDer::from(der).into(),
        })
    }

    fn of(der: &PrivateKeyDer<'_>) -> Result<Self, Flaw> {
        let key = Self(any_supported_type(der).map_err(|_| Flaw::Unsupported)?);
        if key.algorithms().is_empty() { Err(Flaw::Unsupported) } else { Ok(key) }
    }

    /// How it can sign, the most usual first.
    pub(super) fn algorithms(&self) -> Vec<KeyAlgorithm> {
        KeyAlgorithm::ALL
            .into_iter()
            .filter(|each| self.0.choose_scheme(&[scheme(*each)]).is_some())
            .collect()
    }

    /// The signature as a JWT carries it.
    pub(super) fn sign(&self, algorithm: KeyAlgorithm, message: &[u8]) -> Vec<u8> {
        let signer = self.0.choose_scheme(&[scheme(algorithm)]).expect("it was asked how it can sign");
        let signature = signer.sign(message).expect("a sound key signs");
        match (self.0.algorithm(), algorithm) {
            (SignatureAlgorithm::ECDSA, KeyAlgorithm::Es384) => fixed(&signature, 48),
            (SignatureAlgorithm::ECDSA, _) => fixed(&signature, 32),
            _ => Some(signature),
        }
        .expect("the library writes what the standard says")
    }
}

fn scheme(algorithm: KeyAlgorithm) -> SignatureScheme {
    match algorithm {
        KeyAlgorithm::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
        KeyAlgorithm::Ps256 => SignatureScheme::RSA_PSS_SHA256,
        KeyAlgorithm::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        KeyAlgorithm::Es384 => SignatureScheme::ECDSA_NISTP384_SHA384,
    }
}

/// TLS writes the two numbers of an ECDSA signature as ASN.1, a JWT one after the other (RFC 7518 §3.4).
fn fixed(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let (r, s) = reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))).ok()?;
    let mut fixed = Vec::with_capacity(2 * length);
    for number in [r.as_bytes(), s.as_bytes()] {
        fixed.resize(fixed.len() + length.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
    }
    Some(fixed)
}

fn decrypted(der: &[u8], passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, Flaw> {
    let locked = EncryptedPrivateKeyInfo::try_from(der).map_err(|_| Flaw::UnknownEncryption)?;
    if matches!(locked.encryption_algorithm, pkcs5::EncryptionScheme::Pbes1(_)) {
        return Err(Flaw::UnknownEncryption);
    }
    let opened = locked.decrypt(passphrase.expose()).map_err(|_| Flaw::WrongPassphrase)?;
    Ok(opened.to_bytes())
}

/// The certificate's digest, by which Entra knows the key (`x5t#S256`, RFC 7515 §4.1.8).
pub(super) fn thumbprint(file: &Foreign, key: &Key, now: Moment) -> Result<String, Flaw> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| Flaw::NotPem)?;
    let der = pem::section(text, "CERTIFICATE").and_then(|section| section.der()).ok_or(Flaw::NotPem)?;
    let certificate = Certificate::from_der(&der).map_err(|_| Flaw::NotPem)?.tbs_certificate;
    let unix = |time: x509_cert::time::Time| {
        Moment::from_unix(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
    };
    let (from, at) = (unix(certificate.validity.not_before), unix(certificate.validity.not_after));
    if at < now {
        return Err(Flaw::Expired { at });
    }
    if now < from {
        return Err(Flaw::NotYetValid { from });
    }
    let its_key = certificate.subject_public_key_info.to_der().ok();
    let ours = key.0.public_key().map(|ours| ours.to_vec());
    if its_key != ours {
        return Err(Flaw::OtherKey);
    }
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)))
}

pub(super) fn read(file: &Path) -> Result<Foreign, Flaw> {
    match files::read_foreign(file, LIMIT) {
        Ok(Some(foreign)) => Ok(foreign),
        Ok(None) => Err(Flaw::Missing),
        Err(error) => Err(Flaw::Unreadable(error.to_string())),
    }
}
