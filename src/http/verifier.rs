//! The system's judgement of a server's certificate, with the issuer kept when it refuses.
//!
//! It never overrules the platform; it only remembers whom to name.

use std::{error, fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;
use x509_cert::{
    Certificate,
    der::{Decode, Tag, Tagged, asn1::ObjectIdentifier},
};

use super::{Error, TrustConfig};
use crate::text::UntrustedText;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// TLS 1.2 and 1.3 with ring, HTTP/2 where the server has it, and the trust asked for.
pub(super) fn build_tls_config(trust: &TrustConfig) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let more = trust.read_certificates()?;
    // On Windows further roots mean a certificate engine of our own, which the system may refuse: none for nothing.
    let verifier: Arc<dyn ServerCertVerifier> = match (trust.skips_platform_verifier, more.is_empty()) {
        // What the platform verifier does on Linux, without the variables that it reads.
        (true, _) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(more);
            let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            builder.build().map_err(|_| Error::NoRoots)?
        }
        (false, true) => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(|_| Error::NoRoots)?),
        (false, false) => {
            let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider));
            Arc::new(verifier.map_err(|_| Error::NoRoots)?)
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::Internal)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(IssuerCapturingVerifier(verifier)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A refusal together with the refused certificate's issuer, carried inside the error itself.
#[derive(Debug)]
pub(super) struct RefusedCertificate {
    pub(super) reason: CertificateError,
    pub(super) issuer: Option<UntrustedText>,
}

impl error::Error for RefusedCertificate {}

impl fmt::Display for RefusedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate refused: {:?}", self.reason)
    }
}

/// The platform's verifier, and a witness of whom it refused.
#[derive(Debug)]
struct IssuerCapturingVerifier(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for IssuerCapturingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(leaf, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(reason)) => {
                let refused = RefusedCertificate { reason, issuer: read_issuer_name(leaf) };
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused)))))
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The issuer's common name, else its organisation: how a person knows an intercepting proxy.
pub(super) fn read_issuer_name(certificate: &[u8]) -> Option<UntrustedText> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let parts = || certificate.tbs_certificate.issuer.0.iter().flat_map(|set| set.0.iter());
    let part =
        parts().find(|part| part.oid == COMMON_NAME).or_else(|| parts().find(|part| part.oid == ORGANISATION))?;
    let bytes = part.value.value();
    Some(UntrustedText::new(match part.value.tag() {
        Tag::BmpString => decode_utf16(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }))
}

/// Old Windows authorities write their names in UTF-16, big-endian.
fn decode_utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
