//! The assertion by which a private key proves the application (RFC 7523): one for each request, and none serves twice.
//!
//! It writes and signs; which key, and what is wrong with its file, is for `key`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    ClientAuthEndpoint,
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
pub(super) struct AssertionSigner {
    key: ClientPrivateKey,
    id: Option<String>,
    thumbprint: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    audience: AssertionAudience,
    /// How an RSA key signs where discovery does not say.
    default_rsa_algorithm: KeyAlgorithm,
    now: fn() -> Timestamp,
    random: fn(&mut [u8]),
}

/// Which of the files is to blame, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFileError {
    Key(ClientFileFault),
    Certificate(ClientFileFault),
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

impl AssertionSigner {
    pub(super) fn from_profile(
        profile: &Profile,
        said: &ClientKey,
        files: &ClientFiles,
        passphrase: Option<&Secret>,
        host: &Host,
    ) -> Result<Self, ClientFileError> {
        let ClientKey { file: _, certificate: _, id, algorithm, audience } = said;
        let files = files.0.as_ref().expect("they were read for this profile, which names a key");
        let key = files.key.as_ref().map_err(Clone::clone);
        let key = key.and_then(|file| ClientPrivateKey::parse(file, passphrase)).map_err(ClientFileError::Key)?;
        if let Some(wanted) = algorithm.filter(|wanted| !key.supported_algorithms().contains(wanted)) {
            return Err(ClientFileError::Key(ClientFileFault::AlgorithmMismatch { wanted: wanted.name() }));
        }
        let certificate = files.certificate.as_ref().map(|file| file.as_ref().map_err(Clone::clone));
        let thumbprint = certificate.map(|file| compute_thumbprint(file?, &key, (host.now)())).transpose();
        let spec = profile.provider.spec();
        Ok(Self {
            thumbprint: thumbprint.map_err(ClientFileError::Certificate)?,
            key,
            id: id.clone(),
            algorithm: *algorithm,
            audience: audience.unwrap_or(spec.assertion_audience),
            default_rsa_algorithm: spec.rsa_algorithm,
            now: host.now,
            random: host.fill_random,
        })
    }

    pub(super) fn sign_assertion(&self, profile: &Profile, endpoint: &ClientAuthEndpoint<'_>) -> Secret {
        let algorithm = self.choose_algorithm(endpoint.algorithms);
        let named = [("kid", self.id.as_deref()), ("x5t#S256", self.thumbprint.as_deref())];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let header: BTreeMap<&str, &str> =
            [("alg", algorithm.name()), ("typ", "JWT")].into_iter().chain(named).collect();
        // One audience, and a text, not a list: an assertion for two can be carried from the one to the other
        // (draft-ietf-oauth-rfc7523bis, CVE-2025-27370).
        let audience = match self.audience {
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

    /// The profile's; else the first that the key can and the provider says it takes; else what is usual there.
    fn choose_algorithm(&self, taken: Option<&[String]>) -> KeyAlgorithm {
        let able = self.key.supported_algorithms();
        let is_taken =
            |algorithm: &KeyAlgorithm| taken.is_some_and(|taken| taken.iter().any(|name| name == algorithm.name()));
        let usual = || Some(self.default_rsa_algorithm).filter(|algorithm| able.contains(algorithm));
        let own = self.algorithm.or_else(|| able.iter().copied().find(is_taken)).or_else(usual);
        own.or_else(|| able.first().copied()).expect("a key that cannot sign was refused")
    }
}
