//! Reads the application's private key and certificate, and says precisely why a file is unusable.
//!
//! It refuses an unencrypted key that other users of this machine can read, because its owner must assume that it is
//! stolen. `assertion` decides what to sign.

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
    files::{self, UntrustedFile},
    secret::Secret,
    time::Timestamp,
};

/// The largest file that is read. Real keys and certificates are far smaller, and a path to an endless device must not
/// exhaust the memory.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Why a key or certificate file is unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFileFault {
    /// The file does not exist.
    Missing,
    /// Reading failed, with the system's message.
    Unreadable(String),
    /// The key is unencrypted, and every user of this machine can read it.
    Exposed,
    /// The file has no PEM section of the required kind.
    NotPem,
    /// OpenSSL's encryption from before PKCS#8. It derives the key with one round of MD5, so a passphrase is guessed
    /// fast.
    LegacyEncryption,
    /// PBES1 or an unknown encryption. PBES1 uses DES or RC2, which no longer protect a key.
    UnknownEncryption,
    /// The key is encrypted, and no passphrase is stored.
    NoPassphrase,
    /// The stored passphrase does not decrypt the key.
    WrongPassphrase,
    /// The key is neither RSA with 2048 to 4096 bits nor on the curve P-256 or P-384.
    Unsupported,
    /// The key cannot sign with the algorithm that the profile names.
    AlgorithmMismatch { wanted: &'static str },
    /// The certificate has expired.
    Expired { at: Timestamp },
    /// The certificate is not valid yet.
    NotYetValid { from: Timestamp },
    /// The certificate belongs to another key.
    KeyMismatch,
}

/// A private key that supports at least one signature algorithm. Its `Debug` output shows only the type of the key.
pub(super) struct ClientPrivateKey(Arc<dyn SigningKey>);

impl fmt::Debug for ClientPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientPrivateKey({:?})", self.0.algorithm())
    }
}

impl ClientPrivateKey {
    /// Parses and, if necessary, decrypts the key.
    ///
    /// The file's permissions count only for an unencrypted key: the passphrase protects an encrypted one.
    pub(super) fn parse(file: &UntrustedFile, passphrase: Option<&Secret>) -> Result<Self, ClientFileFault> {
        let UntrustedFile { bytes, is_world_readable: is_exposed } = file;
        let text = std::str::from_utf8(bytes).map_err(|_| ClientFileFault::NotPem)?;
        let section = pem::find_section(text, "PRIVATE KEY").ok_or(ClientFileFault::NotPem)?;
        if section.has_headers() {
            return Err(ClientFileFault::LegacyEncryption);
        }
        let der = section.decode_der().ok_or(ClientFileFault::NotPem)?;
        if section.label == "ENCRYPTED PRIVATE KEY" {
            let opened = decrypt_key(&der, passphrase.ok_or(ClientFileFault::NoPassphrase)?)?;
            return Self::from_der(&PrivatePkcs8KeyDer::from(opened.as_slice()).into());
        }
        if *is_exposed {
            return Err(ClientFileFault::Exposed);
        }
        let der = der.as_slice();
        Self::from_der(&match section.label {
            "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(der).into(),
            "EC PRIVATE KEY" => PrivateSec1KeyDer::from(der).into(),
            _ => PrivatePkcs8KeyDer::from(der).into(),
        })
    }

    fn from_der(der: &PrivateKeyDer<'_>) -> Result<Self, ClientFileFault> {
        let key = Self(any_supported_type(der).map_err(|_| ClientFileFault::Unsupported)?);
        if key.supported_algorithms().is_empty() { Err(ClientFileFault::Unsupported) } else { Ok(key) }
    }

    /// The algorithms that the key can sign with, the most common first.
    pub(super) fn supported_algorithms(&self) -> Vec<KeyAlgorithm> {
        KeyAlgorithm::ALL
            .into_iter()
            .filter(|each| self.0.choose_scheme(&[to_signature_scheme(*each)]).is_some())
            .collect()
    }

    /// Signs with an algorithm from [`Self::supported_algorithms`]. Returns the signature in the form that a JWT needs.
    pub(super) fn sign(&self, algorithm: KeyAlgorithm, message: &[u8]) -> Vec<u8> {
        let signer =
            self.0.choose_scheme(&[to_signature_scheme(algorithm)]).expect("callers pass only a supported algorithm");
        let signature = signer.sign(message).expect("signing with a valid key does not fail");
        match (self.0.algorithm(), algorithm) {
            (SignatureAlgorithm::ECDSA, KeyAlgorithm::Es384) => to_fixed_length(&signature, 48),
            (SignatureAlgorithm::ECDSA, _) => to_fixed_length(&signature, 32),
            _ => Some(signature),
        }
        .expect("the library returns valid ASN.1")
    }
}

fn to_signature_scheme(algorithm: KeyAlgorithm) -> SignatureScheme {
    match algorithm {
        KeyAlgorithm::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
        KeyAlgorithm::Ps256 => SignatureScheme::RSA_PSS_SHA256,
        KeyAlgorithm::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        KeyAlgorithm::Es384 => SignatureScheme::ECDSA_NISTP384_SHA384,
    }
}

/// Converts an ECDSA signature from the ASN.1 form of TLS to the two fixed-length numbers of a JWT (RFC 7518 §3.4).
fn to_fixed_length(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let (r, s) = reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?))).ok()?;
    let mut fixed = Vec::with_capacity(2 * length);
    for number in [r.as_bytes(), s.as_bytes()] {
        fixed.resize(fixed.len() + length.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
    }
    Some(fixed)
}

/// Decrypts PKCS#8 with PBES2. A wrong passphrase and damaged data look the same.
fn decrypt_key(der: &[u8], passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, ClientFileFault> {
    let locked = EncryptedPrivateKeyInfo::try_from(der).map_err(|_| ClientFileFault::UnknownEncryption)?;
    if matches!(locked.encryption_algorithm, pkcs5::EncryptionScheme::Pbes1(_)) {
        return Err(ClientFileFault::UnknownEncryption);
    }
    let opened = locked.decrypt(passphrase.expose()).map_err(|_| ClientFileFault::WrongPassphrase)?;
    Ok(opened.to_bytes())
}

/// Computes the certificate's digest, by which Entra finds the key (`x5t#S256`, RFC 7515 §4.1.8). Fails if the
/// certificate is not valid now or belongs to another key: Entra reports neither case clearly.
pub(super) fn compute_thumbprint(
    file: &UntrustedFile,
    key: &ClientPrivateKey,
    now: Timestamp,
) -> Result<String, ClientFileFault> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| ClientFileFault::NotPem)?;
    let der = pem::find_section(text, "CERTIFICATE")
        .and_then(|section| section.decode_der())
        .ok_or(ClientFileFault::NotPem)?;
    let certificate = Certificate::from_der(&der).map_err(|_| ClientFileFault::NotPem)?.tbs_certificate;
    let unix = |time: x509_cert::time::Time| {
        Timestamp::from_unix(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
    };
    let (from, at) = (unix(certificate.validity.not_before), unix(certificate.validity.not_after));
    if at < now {
        return Err(ClientFileFault::Expired { at });
    }
    if now < from {
        return Err(ClientFileFault::NotYetValid { from });
    }
    let its_key = certificate.subject_public_key_info.to_der().ok();
    let ours = key.0.public_key().map(|ours| ours.to_vec());
    if its_key != ours {
        return Err(ClientFileFault::KeyMismatch);
    }
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)))
}

/// Reads a key or certificate file. An absent file is a fault of its own, so that the message can say so.
pub(super) fn read_client_file(file: &Path) -> Result<UntrustedFile, ClientFileFault> {
    match files::read_untrusted(file, MAX_KEY_FILE_BYTES) {
        Ok(Some(foreign)) => Ok(foreign),
        Ok(None) => Err(ClientFileFault::Missing),
        Err(error) => Err(ClientFileFault::Unreadable(error.to_string())),
    }
}
