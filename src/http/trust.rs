//! Collects the certificate authorities that configuration and environment add to the system's.
//!
//! Additions never replace the system's authorities. `verifier` checks the servers' certificates.

use std::path::{Path, PathBuf};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use x509_cert::{Certificate, der::Decode as _};

use super::{BundleFault, Error};
use crate::{
    files::{ReadError, RegularFile},
    host::{Environment, VariableUse},
};

/// The paths of the system's bundle on Linux distributions. The first that exists is used.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The largest accepted bundle, forty times the system's own. The limit also stops a path to an endless device.
const MAX_BUNDLE_BYTES: u64 = 10 << 20;

/// The PEM bundles to trust in addition to the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustConfig {
    bundles: Vec<CaBundle>,
    /// The system's own bundle. Set if a variable would make the platform verifier ignore it.
    system_bundle: Option<PathBuf>,
    /// Whether to trust only the certificates of [`TrustConfig::read_certificates`]. Set if the platform verifier
    /// would read a variable that the program must not use.
    pub(super) skips_platform_verifier: bool,
    /// The folder of `SSL_CERT_DIR`, which the platform verifier reads.
    certificate_folder: Option<CaBundle>,
}

/// One PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CaBundle {
    path: PathBuf,
    /// The variable that named it; `None` for the configuration.
    variable: Option<&'static str>,
}

impl TrustConfig {
    /// Combines the system's authorities with the profile's bundle. If `variables` permits it, adds `SSL_CERT_FILE`,
    /// `NODE_EXTRA_CA_CERTS`, `SSL_CERT_DIR` and, if the profile has no bundle, `AWS_CA_BUNDLE`.
    pub fn new(ca_bundle: Option<&Path>, environment: &Environment, variables: VariableUse) -> Self {
        let named = |variable| {
            let path = environment.var_path(variable).filter(|_| variables == VariableUse::Honored)?;
            Some(CaBundle { path, variable: Some(variable) })
        };
        let configured = ca_bundle.map(|path| CaBundle { path: path.to_owned(), variable: None });
        let company = configured.or_else(|| named("AWS_CA_BUNDLE"));
        let bundles = [company, named("SSL_CERT_FILE"), named("NODE_EXTRA_CA_CERTS")];
        let is_overridden = overrides_system_roots(environment);
        Self {
            bundles: bundles.into_iter().flatten().collect(),
            system_bundle: find_system_bundle().filter(|_| is_overridden),
            skips_platform_verifier: is_overridden && variables == VariableUse::Ignored,
            certificate_folder: named("SSL_CERT_DIR"),
        }
    }

    /// Reads every bundle. Fails if one is missing or contains no certificate: otherwise the user would later see only
    /// an untrusted server.
    pub(super) fn read_certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut all = Vec::new();
        if let Some(CaBundle { path, variable }) = self.certificate_folder.as_ref().filter(|it| !it.path.is_absolute())
        {
            let (path, variable) = (path.clone(), *variable);
            return Err(Error::BadBundle { path, variable, fault: BundleFault::Relative });
        }
        for CaBundle { path, variable } in &self.bundles {
            let is_relative = variable.is_some() && !path.is_absolute();
            let bad = |what| Error::BadBundle { path: path.clone(), variable: *variable, fault: what };
            let read = if is_relative { Err(BundleFault::Relative) } else { read_bundle(path) };
            all.extend(read.map_err(bad)?);
        }
        if let Some(path) = &self.system_bundle {
            all.extend(read_bundle(path).unwrap_or_default());
        }
        Ok(all)
    }
}

/// Returns whether a variable is set that replaces the system's authorities in the platform verifier (Linux only).
fn overrides_system_roots(environment: &Environment) -> bool {
    cfg!(all(unix, not(target_os = "macos")))
        && ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.var_os(name).is_some())
}

/// The PEM file with the system's own authorities. `None` if the system has no such file, as on Windows.
pub(super) fn find_system_bundle() -> Option<PathBuf> {
    SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Reads the usable certificates of a bundle. Damaged ones are skipped, as OpenSSL does, if at least one is usable.
pub(super) fn read_bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, BundleFault> {
    let text =
        RegularFile::open(path).and_then(|file| file.read_to_limit(MAX_BUNDLE_BYTES)).map_err(|error| match error {
            ReadError::Io(error) => BundleFault::Unreadable(error.kind()),
            ReadError::NotRegular(kind) => BundleFault::NotRegular(kind),
            ReadError::TooLarge { .. } => BundleFault::TooLarge,
        })?;
    let usable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).filter(usable).collect();
    if certificates.is_empty() { Err(diagnose_bundle(&text)) } else { Ok(certificates) }
}

/// Finds out why a file contains no usable certificate.
fn diagnose_bundle(content: &[u8]) -> BundleFault {
    match content {
        content if content.trim_ascii().is_empty() => BundleFault::Empty,
        content if Certificate::from_der(content).is_ok() => BundleFault::Binary,
        _ => BundleFault::NoCertificate,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        super::testing::{TestCertificate, write_bundle},
        *,
    };

    fn authority(name: &str) -> tempfile::NamedTempFile {
        write_bundle(&TestCertificate::new("localhost", name).authority_pem)
    }

    fn text(file: &tempfile::NamedTempFile) -> &str {
        file.path().to_str().unwrap()
    }

    #[test]
    fn all_bundles_count_and_the_profiles_replaces_awss() {
        let [profile, aws, openssl, node] = ["profile", "aws", "openssl", "node"].map(authority);
        let environment = Environment::fixed([
            ("AWS_CA_BUNDLE", text(&aws)),
            ("SSL_CERT_FILE", text(&openssl)),
            ("NODE_EXTRA_CA_CERTS", text(&node)),
        ]);
        let paths = |trust: TrustConfig| trust.bundles.into_iter().map(|bundle| bundle.path).collect::<Vec<_>>();
        let rest = [openssl.path(), node.path()];
        assert_eq!(
            paths(TrustConfig::new(Some(profile.path()), &environment, VariableUse::Honored)),
            [&[profile.path()], &rest[..]].concat()
        );
        assert_eq!(
            paths(TrustConfig::new(None, &environment, VariableUse::Honored)),
            [&[aws.path()], &rest[..]].concat()
        );
    }

    #[test]
    fn variable_adds_to_the_systems_roots() {
        let file = authority("openssl");
        let trust = TrustConfig::new(None, &Environment::fixed([("SSL_CERT_FILE", text(&file))]), VariableUse::Honored);
        let system = trust.system_bundle.as_deref().map_or(0, |path| read_bundle(path).unwrap().len());
        assert_eq!(trust.read_certificates().unwrap().len(), 1 + system);
        assert_eq!(trust.system_bundle, find_system_bundle().filter(|_| cfg!(target_os = "linux")));
        assert_eq!(TrustConfig::new(None, &Environment::fixed([]), VariableUse::Honored), TrustConfig::default());
    }

    #[test]
    fn unusable_bundle_is_named() {
        let missing = Path::new("/nowhere/ca.pem");
        let error = TrustConfig::new(Some(missing), &Environment::fixed([]), VariableUse::Honored)
            .read_certificates()
            .unwrap_err();
        let what = BundleFault::Unreadable(io::ErrorKind::NotFound);
        assert_eq!(error, Error::BadBundle { path: missing.into(), variable: None, fault: what });

        let empty = write_bundle("not a certificate\n");
        let environment = Environment::fixed([("NODE_EXTRA_CA_CERTS", text(&empty))]);
        let error = TrustConfig::new(None, &environment, VariableUse::Honored).read_certificates().unwrap_err();
        let variable = Some("NODE_EXTRA_CA_CERTS");
        let what = BundleFault::NoCertificate;
        assert_eq!(error, Error::BadBundle { path: empty.path().into(), variable, fault: what });
    }

    #[test]
    fn bundle_faults_are_distinguished() {
        let pem = TestCertificate::new("localhost", "good").authority_pem;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        for (content, what) in [
            (b"\n  \n".as_slice(), BundleFault::Empty),
            (&der, BundleFault::Binary),
            (b"\x30\x82\x01", BundleFault::NoCertificate),
            (b"-----BEGIN CERTIFICATE-----\n", BundleFault::NoCertificate),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            io::Write::write_all(&mut file, content).unwrap();
            assert_eq!(read_bundle(file.path()).unwrap_err(), what);
        }
    }

    #[cfg(unix)]
    #[test]
    fn device_as_a_bundle_is_rejected() {
        let fault = BundleFault::NotRegular(crate::files::FileKind::Device);
        assert_eq!(read_bundle(Path::new("/dev/zero")).unwrap_err(), fault);
    }

    #[test]
    fn bundle_may_have_comments_and_windows_line_ends() {
        let [one, two] = ["one", "two"].map(|name| TestCertificate::new("localhost", name).authority_pem);
        let file = write_bundle(&format!("\u{feff}# Acme\n{one}\nsubject=CN two\n{two}").replace('\n', "\r\n"));
        let trust = TrustConfig::new(Some(file.path()), &Environment::fixed([]), VariableUse::Honored);
        assert_eq!(trust.read_certificates().unwrap().len(), 2);
    }

    #[test]
    fn broken_certificate_in_a_bundle_is_skipped() {
        let good = TestCertificate::new("localhost", "good").authority_pem;
        let file = write_bundle(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{good}"));
        let trust = TrustConfig::new(Some(file.path()), &Environment::fixed([]), VariableUse::Honored);
        assert_eq!(trust.read_certificates().unwrap().len(), 1);
    }
}
