//! Describes the certificate authorities of a PEM file, for a user who decides whether to trust them.

use std::path::Path;

use ring::digest;
use rustls::pki_types::CertificateDer;
use x509_cert::{Certificate, der::Decode as _};

use super::{
    Error,
    trust::{find_system_bundle, read_bundle},
};
use crate::text::UntrustedText;

/// One certificate of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleAuthority {
    /// The whole name, such as `CN=Acme Root CA,O=Acme`. It comes from the file.
    pub subject: UntrustedText,
    /// The SHA-256 fingerprint as other tools print it: pairs of hexadecimal digits between colons.
    pub fingerprint: String,
}

/// Lists the certificates of a PEM file, without those that the system's own bundle contains. Fails if the file has no
/// usable certificate; the error then names `variable`, which has the path as its value.
pub fn list_added_authorities(path: &Path, variable: &'static str) -> Result<Vec<BundleAuthority>, Error> {
    let bad = |fault| Error::BadBundle { path: path.to_owned(), variable: Some(variable), fault };
    let system = find_system_bundle().and_then(|path| read_bundle(&path).ok()).unwrap_or_default();
    let read = read_bundle(path).map_err(bad)?;
    Ok(read.iter().filter(|certificate| !system.contains(certificate)).map(BundleAuthority::new).collect())
}

impl BundleAuthority {
    fn new(certificate: &CertificateDer<'static>) -> Self {
        let subject = Certificate::from_der(certificate).map(|parsed| parsed.tbs_certificate.subject.to_string());
        let digest = digest::digest(&digest::SHA256, certificate);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Self { subject: UntrustedText::new(subject.unwrap_or_default()), fingerprint: pairs.join(":") }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            BundleFault,
            testing::{TestCertificate, write_bundle},
        },
        *,
    };

    #[test]
    fn authority_is_listed_with_subject_and_fingerprint() {
        let [one, two] =
            ["Acme Root", "Acme\u{1b}[2J"].map(|name| TestCertificate::new("localhost", name).authority_pem);
        let file = write_bundle(&format!("{one}{two}"));
        let found = list_added_authorities(file.path(), "AWS_CA_BUNDLE").unwrap();
        let [first, second] = found.as_slice() else { panic!("{found:?}") };
        assert!(first.subject.to_safe_line().contains("CN=Acme Root"), "{found:?}");
        assert!(!second.subject.to_safe_line().contains('\u{1b}'), "{found:?}");
        assert_eq!(first.fingerprint.split(':').filter(|pair| pair.len() == 2).count(), 32);
        assert_ne!(first.fingerprint, second.fingerprint);
    }

    #[test]
    fn authority_of_the_system_is_not_listed() {
        let Some(system) = find_system_bundle() else { return };
        assert_eq!(list_added_authorities(&system, "SSL_CERT_FILE").unwrap(), []);
    }

    #[test]
    fn file_without_a_certificate_is_an_error() {
        let file = write_bundle("nothing");
        let error = list_added_authorities(file.path(), "SSL_CERT_FILE").unwrap_err();
        let (path, variable) = (file.path().to_owned(), Some("SSL_CERT_FILE"));
        assert_eq!(error, Error::BadBundle { path, variable, fault: BundleFault::NoCertificate });
    }
}
