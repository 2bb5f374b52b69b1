//! How the application proves itself: the keys whose names begin with `client_`, taken together.
//!
//! Whether the files they name are there and any good is found out when they are needed.

use std::path::PathBuf;

use super::{
    Provider, Storage,
    error::{Fault, Problem},
    read,
    resolve::Draft,
    setting::Origin,
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
    pub audience: Option<Audience>,
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
pub enum Audience {
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
const OF_KEYS: [&str; 5] =
    ["client_key", "client_certificate", "client_key_id", "client_algorithm", "client_audience"];

impl ClientAuth {
    /// As it is written in the configuration.
    pub fn word(&self) -> &'static str {
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

impl Audience {
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "issuer" => Some(Self::Issuer),
            "endpoint" => Some(Self::Endpoint),
            _ => None,
        }
    }
}

impl Draft<'_> {
    pub(super) fn client_auth(
        &mut self,
        provider: Option<Provider>,
        storage: Option<Storage>,
    ) -> Option<ClientAuth> {
        let word = self.word("client_auth", |word| AUTH_WORDS.into_iter().find(|known| *known == word))?;
        let (_, setting) = self.setting("client_auth")?;
        if word == KEY_WORD {
            return self.client_key().map(ClientAuth::PrivateKey);
        }
        self.refuse_what_is_of_keys();
        // A provider that gives every application a secret is believed to have given one.
        let is_default = matches!(setting.origin, Origin::Default);
        if word == "none" && !(is_default && provider.is_some_and(Provider::gives_secrets_to_all)) {
            return Some(ClientAuth::None);
        }
        if storage == Some(Storage::None) {
            let fault = Fault::Unkept { key: "client_auth", value: "secret", storage: "none" };
            return self.refuse(setting, fault);
        }
        Some(ClientAuth::Secret)
    }

    fn client_key(&mut self) -> Option<ClientKey> {
        let file = self.file("client_key");
        let certificate = self.file("client_certificate");
        let id = self.read("client_key_id", read::text);
        let algorithm = self.word("client_algorithm", |word| {
            Some(KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == word))
        });
        let audience = self.word("client_audience", |word| Some(Audience::of_word(word)));
        let Some(file) = file? else {
            let (_, setting) = self.setting("client_auth")?;
            let fault = Fault::Needs { key: "client_auth = \"private_key_jwt\"", needs: "client_key" };
            return self.refuse(setting, fault);
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
    fn refuse_what_is_of_keys(&mut self) {
        for key in OF_KEYS {
            let Some((_, setting)) = self.setting(key) else { continue };
            if !matches!(setting.value.as_str(), Some("" | "auto")) {
                let fault = Fault::Needs { key, needs: "client_auth = \"private_key_jwt\"" };
                self.problems.push(Problem { place: setting.origin.place(), fault });
            }
        }
    }
}
