//! How the application authenticates to the provider: the types of the keys that begin with `client_`.
//!
//! The configuration does not open the files that these keys name. They are read when the program needs them, so that a
//! call that is answered from the cache works without them.

use std::path::PathBuf;

use super::choice::NamedChoice;

/// The values of the key `client_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthChoice {
    None,
    Secret,
    PrivateKeyJwt,
}

/// How the application authenticates to the provider (RFC 6749 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It does not authenticate: the application is a public client.
    None,
    /// With a client secret. The sealed store contains the secret; the configuration never does.
    Secret,
    /// With an assertion that the program signs with a private key (RFC 7523).
    PrivateKey(ClientKey),
}

/// A private key, and how the program signs with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// The PEM file with the key.
    pub file: PathBuf,
    /// The PEM file with the key's certificate. The provider identifies the key by the certificate's digest.
    pub certificate: Option<PathBuf>,
    /// The `kid` under which the provider knows the key.
    pub id: Option<String>,
    /// `None` to choose an algorithm that fits the key and that the provider accepts.
    pub algorithm: Option<KeyAlgorithm>,
    /// `None` for the audience that the provider usually requires.
    pub audience: Option<AssertionAudience>,
}

/// The algorithm that signs an assertion. The names are those of RFC 7518 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
}

/// The audience (`aud`) of an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The issuer of the provider.
    Issuer,
    /// The endpoint that receives the assertion.
    Endpoint,
}

impl NamedChoice for ClientAuthChoice {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("secret", Self::Secret), ("private_key_jwt", Self::PrivateKeyJwt)];
}

impl ClientAuth {
    /// The name of the method in the configuration.
    pub fn name(&self) -> &'static str {
        let method = match self {
            Self::None => ClientAuthChoice::None,
            Self::Secret => ClientAuthChoice::Secret,
            Self::PrivateKey(_) => ClientAuthChoice::PrivateKeyJwt,
        };
        method.choice_name()
    }
}

/// The values of the key `client_algorithm`. `None` is "auto".
impl NamedChoice for Option<KeyAlgorithm> {
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("auto", None),
        ("RS256", Some(KeyAlgorithm::Rs256)),
        ("PS256", Some(KeyAlgorithm::Ps256)),
        ("ES256", Some(KeyAlgorithm::Es256)),
        ("ES384", Some(KeyAlgorithm::Es384)),
    ];
}

impl KeyAlgorithm {
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384];

    pub fn name(self) -> &'static str {
        Some(self).choice_name()
    }
}

/// The values of the key `client_audience`. `None` is "auto".
impl NamedChoice for Option<AssertionAudience> {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("auto", None), ("issuer", Some(AssertionAudience::Issuer)), ("endpoint", Some(AssertionAudience::Endpoint))];
}
