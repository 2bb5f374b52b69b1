//! Builds and signs the assertion that authenticates the application with its private key (RFC 7523 §2.2 and §3).
//!
//! Every request has a new assertion with a random `jti`, one audience and a lifetime of minutes, so an intercepted
//! one cannot be replayed at another endpoint or later. `private_key` reads and checks the key file.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    ClientAuthEndpoint, ClientCredentialError,
    private_key::{self, ClientFileFault, ClientPrivateKey, compute_thumbprint},
};
use crate::{
    config::{AssertionAudience, ClientAuth, ClientKey, KeyAlgorithm, OidcSettings, Profile},
    files::UntrustedFile,
    host::Host,
    secret::Secret,
    time::Timestamp,
};

pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The lifetime of an assertion: long enough for a clock that is slightly slow, short enough to make a stolen
/// assertion useless soon.
const ASSERTION_SECONDS: i64 = 300;

/// A key that is ready to sign, with the settings that the assertion's header and claims need.
#[derive(Debug)]
pub(super) struct AssertionSigner<'a> {
    key: ClientPrivateKey,
    settings: &'a ClientKey,
    /// `x5t#S256` of the certificate, if the profile names one.
    thumbprint: Option<String>,
    now: fn() -> Timestamp,
    random: fn(&mut [u8]),
}

/// The key and certificate files of a profile. Callers read them before they take a lock, because a slow or remote
/// disk would otherwise block every other process. An unreadable file becomes an error only when
/// [`super::Application`] needs it.
#[derive(Debug)]
pub struct ClientFiles(Option<KeyFiles>);

#[derive(Debug)]
struct KeyFiles {
    key: Result<UntrustedFile, ClientFileFault>,
    certificate: Option<Result<UntrustedFile, ClientFileFault>>,
}

impl ClientFiles {
    /// Reads the files that the profile names. A profile with an Identity Center names none.
    pub fn read_for_profile(profile: &Profile) -> Self {
        profile.oidc().map_or(Self(None), Self::read_for_settings)
    }

    /// Reads the files that the settings name. Stores each failure instead of returning it.
    pub fn read_for_settings(settings: &OidcSettings) -> Self {
        Self(match &settings.client_auth {
            ClientAuth::None | ClientAuth::Secret => None,
            ClientAuth::PrivateKey(ClientKey { file, certificate, .. }) => Some(KeyFiles {
                key: private_key::read_client_file(file),
                certificate: certificate.as_deref().map(private_key::read_client_file),
            }),
        })
    }
}

impl<'a> AssertionSigner<'a> {
    /// Checks the files. Fails if the key is unusable, cannot sign with the configured algorithm, or does not belong to
    /// the certificate.
    /// Checks the files. Fails if the key is unusable, cannot sign with the configured algorithm, or does not belong
    /// to the certificate.
    pub(super) fn new(
        settings: &'a ClientKey,
        files: &ClientFiles,
        passphrase: Option<&Secret>,
        host: &Host,
    ) -> Result<Self, ClientCredentialError> {
        let files = files.0.as_ref().expect("the files were read for this profile, which names a key");
        let key = files.key.as_ref().map_err(Clone::clone);
        let key = key.and_then(|file| ClientPrivateKey::parse(file, passphrase)).map_err(ClientCredentialError::Key)?;
        if let Some(wanted) = settings.algorithm.filter(|wanted| !key.supported_algorithms().contains(wanted)) {
            return Err(ClientCredentialError::Key(ClientFileFault::AlgorithmMismatch { wanted: wanted.name() }));
        }
        let certificate = files.certificate.as_ref().map(|file| file.as_ref().map_err(Clone::clone));
        let thumbprint = certificate.map(|file| compute_thumbprint(file?, &key, (host.now)())).transpose();
        let thumbprint = thumbprint.map_err(ClientCredentialError::Certificate)?;
        Ok(Self { key, settings, thumbprint, now: host.now, random: host.fill_random })
    }

    /// Signs a new assertion for one request to this endpoint (claims: RFC 7523 §3).
    pub(super) fn sign_assertion(&self, settings: &OidcSettings, endpoint: &ClientAuthEndpoint<'_>) -> Secret {
        let spec = settings.provider.spec();
        let algorithm = self.choose_algorithm(endpoint.algorithms, spec.rsa_algorithm);
        let named = [("kid", self.settings.id.as_deref()), ("x5t#S256", self.thumbprint.as_deref())];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let header: BTreeMap<&str, &str> =
            [("alg", algorithm.name()), ("typ", "JWT")].into_iter().chain(named).collect();
        // Exactly one audience, as a text. A hostile provider that receives an assertion with two audiences could use
        // it at the other one (draft-ietf-oauth-rfc7523bis, CVE-2025-27370).
        let audience = match self.settings.audience.unwrap_or(spec.assertion_audience) {
            AssertionAudience::Issuer => settings.issuer.as_str(),
            AssertionAudience::Endpoint => endpoint.url.as_str(),
        };
        let mut id = [0; 16];
        (self.random)(&mut id);
        let now = (self.now)().unix_seconds();
        let claims = json!({
            "iss": settings.client_id,
            "sub": settings.client_id,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now,
            "nbf": now,
            "exp": now + ASSERTION_SECONDS,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!(header)), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(algorithm, signed.as_bytes()));
        Secret::new(format!("{signed}.{signature}"))
    }

    /// Chooses the algorithm: the profile's; else the first that the key supports and the provider lists; else the one
    /// that this provider uses for RSA keys; else the first that the key supports.
    fn choose_algorithm(&self, taken: Option<&[String]>, usual: KeyAlgorithm) -> KeyAlgorithm {
        let able = self.key.supported_algorithms();
        let is_taken =
            |algorithm: &KeyAlgorithm| taken.is_some_and(|taken| taken.iter().any(|name| name == algorithm.name()));
        let usual = || Some(usual).filter(|algorithm| able.contains(algorithm));
        let own = self.settings.algorithm.or_else(|| able.iter().copied().find(is_taken)).or_else(usual);
        own.or_else(|| able.first().copied()).expect("keys without an algorithm were rejected")
    }
}
