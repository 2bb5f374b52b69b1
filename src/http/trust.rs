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
    host::Environment,
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
const LIMIT: u64 = 10 << 20;

/// PEM bundles trusted on top of the system's roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    bundles: Vec<Bundle>,
    /// The system's own bundle, where a variable would otherwise make the platform verifier forget it.
    system: Option<PathBuf>,
    /// The platform verifier would follow a variable that does not count.
    without_platform: bool,
    /// A folder that the platform verifier reads.
    folder: Option<Bundle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bundle {
    path: PathBuf,
    /// The variable that named it; `None` when configuration did.
    variable: Option<&'static str>,
}

impl Trust {
    /// The profile's bundle, else `AWS_CA_BUNDLE`; and `SSL_CERT_FILE` and `NODE_EXTRA_CA_CERTS` besides.
    pub fn of(ca_bundle: Option<&Path>, environment: &Environment) -> Self {
        let named =
            |variable| environment.path(variable).map(|path| Bundle { path, variable: Some(variable) });
        let company = ca_bundle
            .map(|path| Bundle { path: path.to_owned(), variable: None })
            .or_else(|| named("AWS_CA_BUNDLE"));
        let bundles = [company, named("SSL_CERT_FILE"), named("NODE_EXTRA_CA_CERTS")];
        Self {
            bundles: bundles.into_iter().flatten().collect(),
            system: system_bundle().filter(|_| replaces_system(environment)),
            without_platform: false,
            folder: named("SSL_CERT_DIR"),
        }
    }

    /// The profile's bundle, and the system's authorities: no variable adds one.
    pub fn of_files(ca_bundle: Option<&Path>, environment: &Environment) -> Self {
        let without_platform = replaces_system(environment);
        Self {
            bundles: ca_bundle
                .map(|path| Bundle { path: path.to_owned(), variable: None })
                .into_iter()
                .collect(),
            system: system_bundle().filter(|_| without_platform),
            without_platform,
            folder: None,
        }
    }

    /// Whether the certificates of [`Trust::certificates`] are all there are.
    pub(super) fn is_without_platform(&self) -> bool {
        self.without_platform
    }

    /// Every certificate of every bundle. One that is missing or holds none is a fault: silence would surface
    /// later as an untrusted server.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut all = Vec::new();
        if let Some(Bundle { path, variable }) = self.folder.as_ref().filter(|it| !it.path.is_absolute()) {
            let (path, variable) = (path.clone(), *variable);
            return Err(Error::BadBundle { path, variable, what: BundleFault::Relative });
        }
        for Bundle { path, variable } in &self.bundles {
            let is_relative = variable.is_some() && !path.is_absolute();
            let bad = |what| Error::BadBundle { path: path.clone(), variable: *variable, what };
            let read = if is_relative { Err(BundleFault::Relative) } else { read(path) };
            all.extend(read.map_err(bad)?);
        }
        if let Some(path) = &self.system {
            all.extend(read(path).unwrap_or_default());
        }
        Ok(all)
    }
}

/// The platform verifier takes these two as a replacement of the system's roots, on Linux only.
fn replaces_system(environment: &Environment) -> bool {
    cfg!(all(unix, not(target_os = "macos")))
        && ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.os(name).is_some())
}

fn system_bundle() -> Option<PathBuf> {
    SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, BundleFault> {
    let text = RegularFile::open(path).and_then(|file| file.read(LIMIT)).map_err(|error| match error {
        ReadError::System(error) => BundleFault::Unreadable(error.kind()),
        ReadError::NotRegular(kind) => BundleFault::NotRegular(kind),
        ReadError::TooLarge { .. } => BundleFault::TooLarge,
    })?;
    let usable =
        |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).filter(usable).collect();
    if certificates.is_empty() { Err(fault_of(&text)) } else { Ok(certificates) }
}

/// What a file without a single certificate is instead.
fn fault_of(content: &[u8]) -> BundleFault {
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
        super::testing::{Identity, bundle},
        *,
    };

    fn authority(name: &str) -> tempfile::NamedTempFile {
        bundle(&Identity::new("localhost", name).authority)
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
        let paths = |trust: Trust| trust.bundles.into_iter().map(|bundle| bundle.path).collect::<Vec<_>>();
        let rest = [openssl.path(), node.path()];
        assert_eq!(
            paths(Trust::of(Some(profile.path()), &environment)),
            [&[profile.path()], &rest[..]].concat()
        );
        assert_eq!(paths(Trust::of(None, &environment)), [&[aws.path()], &rest[..]].concat());
    }

    #[test]
    fn a_variable_adds_to_the_systems_roots_and_never_replaces_them() {
        let file = authority("openssl");
        let trust = Trust::of(None, &Environment::fixed([("SSL_CERT_FILE", text(&file))]));
        let system = trust.system.as_deref().map_or(0, |path| read(path).unwrap().len());
        assert_eq!(trust.certificates().unwrap().len(), 1 + system);
        assert_eq!(trust.system, system_bundle().filter(|_| cfg!(target_os = "linux")));
        assert_eq!(Trust::of(None, &Environment::fixed([])), Trust::default());
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
        let missing = Path::new("/nowhere/ca.pem");
        let error = Trust::of(Some(missing), &Environment::fixed([])).certificates().unwrap_err();
        let what = BundleFault::Unreadable(io::ErrorKind::NotFound);
        assert_eq!(error, Error::BadBundle { path: missing.into(), variable: None, what });

        let empty = bundle("not a certificate\n");
        let environment = Environment::fixed([("NODE_EXTRA_CA_CERTS", text(&empty))]);
        let error = Trust::of(None, &environment).certificates().unwrap_err();
        let variable = Some("NODE_EXTRA_CA_CERTS");
        let what = BundleFault::NoCertificate;
        assert_eq!(error, Error::BadBundle { path: empty.path().into(), variable, what });
    }

    #[test]
    fn what_is_wrong_with_a_bundle_is_told_apart() {
        let pem = Identity::new("localhost", "good").authority;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        for (content, what) in [
            (b"\n  \n".as_slice(), BundleFault::Empty),
            (&der, BundleFault::Binary),
            (b"\x30\x82\x01", BundleFault::NoCertificate),
            (b"-----BEGIN CERTIFICATE-----\n", BundleFault::NoCertificate),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            io::Write::write_all(&mut file, content).unwrap();
            assert_eq!(read(file.path()).unwrap_err(), what);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_in_place_of_a_bundle_is_refused() {
        let fault = BundleFault::NotRegular(crate::files::FileKind::Device);
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err(), fault);
    }

    #[test]
    fn comments_and_the_line_ends_of_windows_are_no_hindrance() {
        let [one, two] = ["one", "two"].map(|name| Identity::new("localhost", name).authority);
        let file = bundle(&format!("\u{feff}# Acme\n{one}\nsubject=CN two\n{two}").replace('\n', "\r\n"));
        let trust = Trust::of(Some(file.path()), &Environment::fixed([]));
        assert_eq!(trust.certificates().unwrap().len(), 2);
    }

    #[test]
    fn one_broken_certificate_does_not_spoil_a_bundle() {
        let good = Identity::new("localhost", "good").authority;
        let file = bundle(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{good}"));
        let trust = Trust::of(Some(file.path()), &Environment::fixed([]));
        assert_eq!(trust.certificates().unwrap().len(), 1);
    }
}
