//! Authorities beyond the system's: the bundles that configuration and environment name.
//!
//! It reads certificates; whether a server's chain leads to one of them is the verifier's to judge.

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

/// Where Linux distributions keep the system's bundle; the first that exists is the one.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Forty times the system's own bundle; what is larger, or never ends, is none.
const MAX_BUNDLE_BYTES: u64 = 10 << 20;

/// PEM bundles trusted on top of the system's roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustConfig {
    bundles: Vec<CaBundle>,
    /// The system's own bundle, where a variable would otherwise make the platform verifier forget it.
    system_bundle: Option<PathBuf>,
    /// Whether the certificates of [`TrustConfig::read_certificates`] are all there are, since the platform verifier would
    /// follow a variable that does not count.
    pub(super) skips_platform_verifier: bool,
    /// A folder that the platform verifier reads.
    certificate_folder: Option<CaBundle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CaBundle {
    path: PathBuf,
    /// The variable that named it; `None` when configuration did.
    variable: Option<&'static str>,
}

impl TrustConfig {
    /// The system's authorities with those of the profile's bundle. Variables, where they count, add `SSL_CERT_FILE`,
    /// `NODE_EXTRA_CA_CERTS`, `SSL_CERT_DIR` and, where the profile has no bundle, `AWS_CA_BUNDLE`.
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

    /// Every certificate of every bundle. One that is missing or holds none is a fault: silence would surface
    /// later as an untrusted server.
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

/// The platform verifier takes these two as a replacement of the system's roots, on Linux only.
fn overrides_system_roots(environment: &Environment) -> bool {
    cfg!(all(unix, not(target_os = "macos")))
        && ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.var_os(name).is_some())
}

fn find_system_bundle() -> Option<PathBuf> {
    SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists())
}

fn read_bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, BundleFault> {
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

/// What a file without a single certificate is instead.
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
    fn every_named_bundle_counts_and_the_profiles_goes_before_awss() {
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
    fn a_variable_adds_to_the_systems_roots_and_never_replaces_them() {
        let file = authority("openssl");
        let trust = TrustConfig::new(None, &Environment::fixed([("SSL_CERT_FILE", text(&file))]), VariableUse::Honored);
        let system = trust.system_bundle.as_deref().map_or(0, |path| read_bundle(path).unwrap().len());
        assert_eq!(trust.read_certificates().unwrap().len(), 1 + system);
        assert_eq!(trust.system_bundle, find_system_bundle().filter(|_| cfg!(target_os = "linux")));
        assert_eq!(TrustConfig::new(None, &Environment::fixed([]), VariableUse::Honored), TrustConfig::default());
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
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
    fn what_is_wrong_with_a_bundle_is_told_apart() {
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
    fn a_device_in_place_of_a_bundle_is_refused() {
        let fault = BundleFault::NotRegular(crate::files::FileKind::Device);
        assert_eq!(read_bundle(Path::new("/dev/zero")).unwrap_err(), fault);
    }

    #[test]
    fn comments_and_the_line_ends_of_windows_are_no_hindrance() {
        let [one, two] = ["one", "two"].map(|name| TestCertificate::new("localhost", name).authority_pem);
        let file = write_bundle(&format!("\u{feff}# Acme\n{one}\nsubject=CN two\n{two}").replace('\n', "\r\n"));
        let trust = TrustConfig::new(Some(file.path()), &Environment::fixed([]), VariableUse::Honored);
        assert_eq!(trust.read_certificates().unwrap().len(), 2);
    }

    #[test]
    fn one_broken_certificate_does_not_spoil_a_bundle() {
        let good = TestCertificate::new("localhost", "good").authority_pem;
        let file = write_bundle(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{good}"));
        let trust = TrustConfig::new(Some(file.path()), &Environment::fixed([]), VariableUse::Honored);
        assert_eq!(trust.read_certificates().unwrap().len(), 1);
    }
}
