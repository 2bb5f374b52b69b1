//! A private certificate authority for one test world.
//!
//! It signs one certificate, for loopback and for the AWS hosts that a proxy may redirect to this world. Only programs
//! that are given the authority's PEM file trust it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

pub(crate) struct Authority {
    pub pem: PathBuf,
    pub config: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new(dir: &Path, year: i32) -> Result<Self, rcgen::Error> {
        let mut params = params(Vec::new(), "Demo Test Authority", year)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let names = ["127.0.0.1", "localhost", "::1", "sts.us-east-1.amazonaws.com", "sts.us-west-2.amazonaws.com"]
            .map(str::to_owned)
            .to_vec();
        let mut leaf = self::params(names, "loopback", year)?;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;

        let pem = dir.join("authority.pem");
        fs::write(&pem, issuer.pem()).expect("the world's own folder can be written");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key belongs to the certificate");
        Ok(Self { pem, config: Arc::new(config) })
    }
}

/// Apple's verifier accepts at most 825 days.
fn params(names: Vec<String>, common_name: &str, year: i32) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = rcgen::date_time_ymd(year - 1, 12, 1);
    params.not_after = rcgen::date_time_ymd(year + 1, 2, 1);
    Ok(params)
}
