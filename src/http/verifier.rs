//! Verifies server certificates with the platform's verifier, and records the issuer of a rejected certificate.
//!
//! It never accepts a certificate that the platform's verifier rejects. The issuer's name lets a message say which
//! TLS-intercepting proxy the user must add to the trusted authorities.

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

/// Builds the TLS configuration: TLS 1.2 and 1.3 with ring, HTTP/2 or 1.1, and the given authorities. Clients present
/// no certificate.
pub(super) fn build_tls_config(trust: &TrustConfig) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let more = trust.read_certificates()?;
    // On Windows, extra roots need a separate certificate engine, which the system may refuse. Use it only if there
    // are extra roots.
    let verifier: Arc<dyn ServerCertVerifier> = match (trust.skips_platform_verifier, more.is_empty()) {
        // The same as the platform verifier on Linux, but without the variables that it would read.
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

/// The reason of a rejection and the rejected certificate's issuer, wrapped in the TLS error.
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

/// Delegates every decision to the platform's verifier, and adds the issuer to a rejection.
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

/// Returns the issuer's common name, or else its organisation. Users recognise their proxy by it. The name comes from
/// an unverified certificate, so it is untrusted text.
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

/// Decodes big-endian UTF-16, which old Windows authorities use for their names.
fn decode_utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
