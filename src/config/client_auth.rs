//! How the application proves itself to the provider: the meaning of the keys whose names begin with `client_`.
//!
//! Types only. Whether the files they name are there and any good is found out when they are needed.

use std::path::PathBuf;

use super::choice::NamedChoice;

/// The method that `client_auth` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthChoice {
    None,
    Secret,
    PrivateKeyJwt,
}

/// How the application proves itself to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It does not: a public client.
    None,
    /// By a secret, which is kept beside the sessions and never here.
    Secret,
    /// By an assertion that it signs (RFC 7523).
    PrivateKey(ClientKey),
}

/// A private key, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    pub file: PathBuf,
    /// Whose digest names the key to the provider.
    pub certificate: Option<PathBuf>,
    /// The name under which the provider knows the key.
    pub id: Option<String>,
    /// Absent: by the kind of key, and by what the provider takes.
    pub algorithm: Option<KeyAlgorithm>,
    /// Absent: by the provider's habit.
    pub audience: Option<AssertionAudience>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
}

/// Whom an assertion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAudience {
    Issuer,
    /// The address that it is posted to.
    Endpoint,
}

impl NamedChoice for ClientAuthChoice {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("secret", Self::Secret), ("private_key_jwt", Self::PrivateKeyJwt)];
}

impl ClientAuth {
    /// As it is written in the configuration.
    pub fn name(&self) -> &'static str {
        let method = match self {
            Self::None => ClientAuthChoice::None,
            Self::Secret => ClientAuthChoice::Secret,
            Self::PrivateKey(_) => ClientAuthChoice::PrivateKeyJwt,
        };
        method.choice_name()
    }
}

/// The names are those of RFC 7518 §3.1. `None`: by the kind of key, and by what the provider takes.
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

/// `None`: what the provider is known to want.
impl NamedChoice for Option<AssertionAudience> {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("auto", None), ("issuer", Some(AssertionAudience::Issuer)), ("endpoint", Some(AssertionAudience::Endpoint))];
}
