//! The assertion by which a private key proves the application (RFC 7523): one for each request, and none serves twice.
//!
//! It writes and signs; which key, and what is wrong with its file, is for `key`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    Endpoint,
    key::{self, Flaw, Key, thumbprint},
};
use crate::{
    config::{Audience, ClientAuth, ClientKey, KeyAlgorithm, Profile},
    files::Foreign,
    host::Host,
    oidc::provider::{Assertions, assertions},
    secret::Secret,
    time::Moment,
};

pub(super) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Long enough for a clock that is a little behind, short enough for one that was stolen.
const LIFETIME: i64 = 300;

/// What signs, and what it says of itself.
#[derive(Debug)]
pub(super) struct Assertor {
    key: Key,
    id: Option<String>,
    thumbprint: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    audience: Audience,
    habits: Assertions,
    now: fn() -> Moment,
    random: fn(&mut [u8]),
}

/// Which of the files is to blame, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFile {
    Key(Flaw),
    Certificate(Flaw),
}

/// The files that prove a profile's application, read ahead, for a slow disk must not hold up a process that has a lock. A
/// file that cannot be read matters only once something has to be proven.
#[derive(Debug)]
pub struct ClientFiles(Option<KeyFiles>);

#[derive(Debug)]
struct KeyFiles {
    key: Result<Foreign, Flaw>,
    certificate: Option<Result<Foreign, Flaw>>,
}

impl ClientFiles {
    pub fn read(profile: &Profile) -> Self {
        Self(match &profile.client_auth {
            ClientAuth::None | ClientAuth::Secret => None,
            ClientAuth::PrivateKey(ClientKey { file, certificate, .. }) => {
                Some(KeyFiles { key: key::read(file), certificate: certificate.as_deref().map(key::read) })
            }
        })
    }
}

impl Assertor {
    pub(super) fn of(
        profile: &Profile,
        said: &ClientKey,
        files: &ClientFiles,
        passphrase: Option<&Secret>,
        host: &Host,
    ) -> Result<Self, BadFile> {
        let ClientKey { file: _, certificate: _, id, algorithm, audience } = said;
        let files = files.0.as_ref().expect("they were read for this profile, which names a key");
        let key = files.key.as_ref().map_err(Clone::clone);
        let key = key.and_then(|file| Key::parse(file, passphrase)).map_err(BadFile::Key)?;
        if let Some(wanted) = algorithm.filter(|wanted| !key.algorithms().contains(wanted)) {
            return Err(BadFile::Key(Flaw::OtherAlgorithm { wanted: wanted.name() }));
        }
        let certificate = files.certificate.as_ref().map(|file| file.as_ref().map_err(Clone::clone));
        let thumbprint = certificate.map(|file| thumbprint(file?, &key, (host.now)())).transpose();
        let habits = assertions(profile.provider);
        Ok(Self {
            thumbprint: thumbprint.map_err(BadFile::Certificate)?,
            key,
            id: id.clone(),
            algorithm: *algorithm,
            audience: audience.unwrap_or(habits.audience),
            habits,
            now: host.now,
            random: host.random,
        })
    }

    pub(super) fn assertion(&self, profile: &Profile, endpoint: &Endpoint<'_>) -> Secret {
        let algorithm = self.algorithm(endpoint.algorithms);
        let named = [("kid", self.id.as_deref()), ("x5t#S256", self.thumbprint.as_deref())];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let header: BTreeMap<&str, &str> =
            [("alg", algorithm.name()), ("typ", "JWT")].into_iter().chain(named).collect();
        // One audience, and a text, not a list: an assertion for two can be carried from the one to the other
        // (draft-ietf-oauth-rfc7523bis, CVE-2025-27370).
        let audience = match self.audience {
            Audience::Issuer => profile.issuer.as_str(),
            Audience::Endpoint => endpoint.url.as_str(),
        };
        let mut id = [0; 16];
        (self.random)(&mut id);
        let now = (self.now)().unix();
        let claims = json!({
            "iss": profile.client_id,
            "sub": profile.client_id,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!(header)), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(algorithm, signed.as_bytes()));
        Secret::new(format!("{signed}.{signature}"))
    }

    /// The profile's; else the first that the key can and the provider says it takes; else what is usual there.
    fn algorithm(&self, taken: Option<&[String]>) -> KeyAlgorithm {
        let able = self.key.algorithms();
        let is_taken = |algorithm: &KeyAlgorithm| {
            taken.is_some_and(|taken| taken.iter().any(|name| name == algorithm.name()))
        };
        let usual = || able.contains(&self.habits.rsa).then_some(self.habits.rsa);
        let own = self.algorithm.or_else(|| able.iter().copied().find(is_taken)).or_else(usual);
        own.or_else(|| able.first().copied()).expect("a key that cannot sign was refused")
    }
}
