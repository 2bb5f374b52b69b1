//! How the application proves itself: the keys whose names begin with `client_`, taken together.
//!
//! Whether the files they name are there and any good is found out when they are needed.

use std::path::PathBuf;

use super::{
    Provider, Storage,
    error::{ConfigFault, ConfigProblem},
    parsers,
    profile_builder::ProfileBuilder,
    setting::ValueOrigin,
};

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

/// What may be written behind `client_auth`, `client_algorithm` and `client_audience`.
pub(super) const AUTH_WORDS: [&str; 3] = ["none", "secret", "private_key_jwt"];
pub(super) const ALGORITHM_WORDS: [&str; 5] = ["auto", "RS256", "PS256", "ES256", "ES384"];
pub(super) const AUDIENCE_WORDS: [&str; 3] = ["auto", "issuer", "endpoint"];

const KEY_WORD: &str = "private_key_jwt";

/// Keys that mean something with a private key only.
const PRIVATE_KEY_SETTINGS: [&str; 5] =
    ["client_key", "client_certificate", "client_key_id", "client_algorithm", "client_audience"];

impl ClientAuth {
    /// As it is written in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret => "secret",
            Self::PrivateKey(_) => KEY_WORD,
        }
    }
}

impl KeyAlgorithm {
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384];

    /// RFC 7518 §3.1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }
}

impl AssertionAudience {
    fn from_name(word: &str) -> Option<Self> {
        match word {
            "issuer" => Some(Self::Issuer),
            "endpoint" => Some(Self::Endpoint),
            _ => None,
        }
    }
}

impl ProfileBuilder<'_> {
    pub(super) fn build_client_auth(
        &mut self,
        provider: Option<Provider>,
        storage: Option<Storage>,
    ) -> Option<ClientAuth> {
        let word =
            self.read_choice("client_auth", |word| AUTH_WORDS.into_iter().find(|known| *known == word))?;
        let (_, setting) = self.require_setting("client_auth")?;
        if word == KEY_WORD {
            return self.build_client_key().map(ClientAuth::PrivateKey);
        }
        self.reject_key_settings();
        // A provider that gives every application a secret is believed to have given one.
        let is_default = matches!(setting.origin, ValueOrigin::Default);
        if word == "none" && !(is_default && provider.is_some_and(Provider::always_issues_secret)) {
            return Some(ClientAuth::None);
        }
        if storage == Some(Storage::None) {
            let fault = ConfigFault::NeedsStorage { key: "client_auth", value: "secret", storage: "none" };
            return self.report_fault(setting, fault);
        }
        Some(ClientAuth::Secret)
    }

    fn build_client_key(&mut self) -> Option<ClientKey> {
        let file = self.read_file_path("client_key");
        let certificate = self.read_file_path("client_certificate");
        let id = self.read_key("client_key_id", parsers::parse_text);
        let algorithm = self.read_choice("client_algorithm", |word| {
            Some(KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == word))
        });
        let audience = self.read_choice("client_audience", |word| Some(AssertionAudience::from_name(word)));
        let Some(file) = file? else {
            let (_, setting) = self.require_setting("client_auth")?;
            let fault =
                ConfigFault::NeedsKey { key: "client_auth = \"private_key_jwt\"", needs: "client_key" };
            return self.report_fault(setting, fault);
        };
        let id = id?;
        Some(ClientKey {
            file,
            certificate: certificate?,
            id: (!id.is_empty()).then_some(id),
            algorithm: algorithm?,
            audience: audience?,
        })
    }

    /// Whoever names a key and forgets to say that it is to be used would else sign in without it.
    fn reject_key_settings(&mut self) {
        for key in PRIVATE_KEY_SETTINGS {
            let Some((_, setting)) = self.require_setting(key) else { continue };
            if !matches!(setting.value.as_str(), Some("" | "auto")) {
                let fault = ConfigFault::NeedsKey { key, needs: "client_auth = \"private_key_jwt\"" };
                self.problems.push(ConfigProblem { location: setting.origin.location(), fault });
            }
        }
    }
}
