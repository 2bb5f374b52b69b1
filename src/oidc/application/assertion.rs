//! The assertion by which a private key proves the application (RFC 7523): one for each request, and none serves twice.
//!
//! It writes and signs; which key, and what is wrong with its file, is for `private_key`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    ClientAuthEndpoint, ClientCredentialError,
    private_key::{self, ClientFileFault, ClientPrivateKey, compute_thumbprint},
};
use crate::{
    config::{AssertionAudience, ClientAuth, ClientKey, KeyAlgorithm, Profile},
    files::UntrustedFile,
    host::Host,
    secret::Secret,
    time::Timestamp,
};

pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Long enough for a clock that is a little behind, short enough for one that was stolen.
const ASSERTION_SECONDS: i64 = 300;

/// What signs, and what it says of itself.
#[derive(Debug)]
pub(super) struct AssertionSigner<'a> {
    key: ClientPrivateKey,
    settings: &'a ClientKey,
    thumbprint: Option<String>,
    now: fn() -> Timestamp,
    random: fn(&mut [u8]),
}

/// The files that prove a profile's application, read ahead, for a slow disk must not hold up a process that has a lock. A
/// file that cannot be read matters only once something has to be proven.
#[derive(Debug)]
pub struct ClientFiles(Option<KeyFiles>);

#[derive(Debug)]
struct KeyFiles {
    key: Result<UntrustedFile, ClientFileFault>,
    certificate: Option<Result<UntrustedFile, ClientFileFault>>,
}

impl ClientFiles {
    pub fn read_for_profile(profile: &Profile) -> Self {
        Self(match &profile.client_auth {
            ClientAuth::None | ClientAuth::Secret => None,
            ClientAuth::PrivateKey(ClientKey { file, certificate, .. }) => Some(KeyFiles {
                key: private_key::read_client_file(file),
                certificate: certificate.as_deref().map(private_key::read_client_file),
            }),
        })
    }
}

impl<'a> AssertionSigner<'a> {
    pub(super) fn new(
        settings: &'a ClientKey,
        files: &ClientFiles,
        passphrase: Option<&Secret>,
        host: &Host,
    ) -> Result<Self, ClientCredentialError> {
        let files = files.0.as_ref().expect("they were read for this profile, which names a key");
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

    pub(super) fn sign_assertion(&self, profile: &Profile, endpoint: &ClientAuthEndpoint<'_>) -> Secret {
        let spec = profile.provider.spec();
        let algorithm = self.choose_algorithm(endpoint.algorithms, spec.rsa_algorithm);
        let named = [("kid", self.settings.id.as_deref()), ("x5t#S256", self.thumbprint.as_deref())];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let header: BTreeMap<&str, &str> =
            [("alg", algorithm.name()), ("typ", "JWT")].into_iter().chain(named).collect();
        // One audience, and a text, not a list: an assertion for two can be carried from the one to the other
        // (draft-ietf-oauth-rfc7523bis, CVE-2025-27370).
        let audience = match self.settings.audience.unwrap_or(spec.assertion_audience) {
            AssertionAudience::Issuer => profile.issuer.as_str(),
            AssertionAudience::Endpoint => endpoint.url.as_str(),
        };
        let mut id = [0; 16];
        (self.random)(&mut id);
        let now = (self.now)().unix_seconds();
        let claims = json!({
            "iss": profile.client_id,
            "sub": profile.client_id,
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

    /// The profile's; else the first that the key can and the provider says it takes; else the usual one of an RSA key
    /// there.
    fn choose_algorithm(&self, taken: Option<&[String]>, usual: KeyAlgorithm) -> KeyAlgorithm {
        let able = self.key.supported_algorithms();
        let is_taken =
            |algorithm: &KeyAlgorithm| taken.is_some_and(|taken| taken.iter().any(|name| name == algorithm.name()));
        let usual = || Some(usual).filter(|algorithm| able.contains(algorithm));
        let own = self.settings.algorithm.or_else(|| able.iter().copied().find(is_taken)).or_else(usual);
        own.or_else(|| able.first().copied()).expect("a key that cannot sign was refused")
    }
}
