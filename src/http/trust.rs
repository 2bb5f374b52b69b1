//! Authorities beyond the system's: the bundles that configuration and environment name.
//!
//! It reads certificates; whether a server's chain leads to one of them is the verifier's to judge.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{BundleFault, Error};
use crate::host::Environment;

/// Where Linux distributions keep the system's bundle; the first that exists is the one.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// PEM bundles trusted on top of the system's roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    bundles: Vec<Bundle>,
    /// The system's own bundle, where a variable would otherwise make the platform verifier forget it.
    system: Option<PathBuf>,
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
        let named = |variable| {
            environment.path(variable).map(|path| Bundle { path, variable: Some(variable) })
        };
        let company = ca_bundle
            .map(|path| Bundle { path: path.to_owned(), variable: None })
            .or_else(|| named("AWS_CA_BUNDLE"));
        let bundles = [company, named("SSL_CERT_FILE"), named("NODE_EXTRA_CA_CERTS")];
        // The platform verifier takes these two as a replacement of the system's roots, on Linux only.
        let replaced = cfg!(all(unix, not(target_os = "macos")))
            && ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.os(name).is_some());
        Self { bundles: bundles.into_iter().flatten().collect(), system: system_bundle().filter(|_| replaced) }
    }

    /// Every certificate of every bundle. One that is missing or holds none is a fault: silence would surface
    /// later as an untrusted server.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut all = Vec::new();
        for Bundle { path, variable } in &self.bundles {
            let bad = |what| Error::BadBundle { path: path.clone(), variable: *variable, what };
            all.extend(read(path).map_err(bad)?);
        }
        if let Some(path) = &self.system {
            all.extend(read(path).unwrap_or_default());
        }
        Ok(all)
    }
}

fn system_bundle() -> Option<PathBuf> {
    SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, BundleFault> {
    let text = fs::read(path).map_err(|error| BundleFault::Unreadable(error.kind()))?;
    let usable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).filter(usable).collect();
    if certificates.is_empty() { Err(BundleFault::NoCertificate) } else { Ok(certificates) }
}
