//! The requests to a worker: credentials, an ID token, or the access token of an Identity Center. The type of the
//! request decides the type of the answer on both sides of the pipe, so a caller cannot take a token for credentials.

use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cache::{Cache, Freshness, assess_credentials},
    config::Profile,
    files, lock,
    secret::Secret,
    session::{
        CredentialsPurpose, LadderPurpose, LoginCondition, PortalTokenUse, SessionCredentials, TokenUse,
        find_credentials, find_token_for,
    },
    store,
    time::Timestamp,
};

/// A request with its type of answer.
pub(super) trait WorkerRequest: Copy {
    type Answer: Serialize + DeserializeOwned;

    /// The request as the worker's command line carries it.
    fn purpose(self) -> LadderPurpose;

    /// The request that is left after the user has completed another process's sign-in during this wait. Otherwise
    /// `login --force` would prompt the user a second time.
    fn after_joined_sign_in(self) -> Self;

    /// The answer, if another process has stored one that is good enough. Needs no lock.
    fn find_stored(
        self,
        cache: &Cache,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Option<Self::Answer>, store::Error>;
}

impl WorkerRequest for CredentialsPurpose {
    type Answer = SessionCredentials;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::Credentials(self)
    }

    fn after_joined_sign_in(self) -> Self {
        match self {
            Self::Login { mode: LoginCondition::Always | LoginCondition::IfNeeded, method } => {
                Self::Login { mode: LoginCondition::IfNeeded, method }
            }
            Self::Automatic(_) | Self::Renewal => self,
        }
    }

    fn find_stored(
        self,
        cache: &Cache,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Option<SessionCredentials>, store::Error> {
        let found = find_credentials(&cache.load_credentials()?, profile, now);
        Ok(found.filter(|found| match assess_credentials(&found.credentials, now) {
            Freshness::Fresh | Freshness::RenewSoon => true,
            Freshness::RenewNow | Freshness::Spent => false,
        }))
    }
}

impl WorkerRequest for PortalTokenUse {
    type Answer = Secret;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::PortalToken(self)
    }

    fn after_joined_sign_in(self) -> Self {
        match self {
            Self::First | Self::AfterRefusal => Self::First,
            Self::WithoutPrompt => Self::WithoutPrompt,
        }
    }

    /// Like `login`, the caller always asks a worker of its own, which checks the hosts that receive the token.
    fn find_stored(self, _: &Cache, _: &Profile, _: Timestamp) -> Result<Option<Secret>, store::Error> {
        Ok(None)
    }
}

impl WorkerRequest for TokenUse {
    type Answer = Secret;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::IdToken(self)
    }

    fn after_joined_sign_in(self) -> Self {
        self
    }

    fn find_stored(self, cache: &Cache, _: &Profile, now: Timestamp) -> Result<Option<Secret>, store::Error> {
        Ok(find_token_for(&cache.load_sign_in()?, self, now))
    }
}

/// The first lock that the request needs and another process holds; `None` if all are free. The sign-in's comes first,
/// because its holder may be prompting the user, and the caller has to show where.
pub(super) fn find_held_lock(purpose: LadderPurpose, cache: &Cache) -> Result<Option<PathBuf>, files::Error> {
    let paths = match purpose {
        LadderPurpose::Credentials(_)
        | LadderPurpose::PortalToken(PortalTokenUse::First | PortalTokenUse::AfterRefusal) => {
            vec![cache.sign_in_lock_path(), cache.credentials_lock_path()]
        }
        LadderPurpose::IdToken(_) | LadderPurpose::PortalToken(PortalTokenUse::WithoutPrompt) => {
            vec![cache.sign_in_lock_path()]
        }
    };
    for path in paths {
        if lock::is_held(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Encodes the purpose as an argument on the worker's command line, see [`parse_purpose`].
pub(super) fn encode_purpose(purpose: LadderPurpose) -> String {
    serde_json::to_string(&purpose).expect("a purpose holds words only, which always serialise")
}

/// The purpose in a worker's argument; `None` if this version of the program did not write the argument. That happens
/// when the program is replaced while a caller runs.
pub fn parse_purpose(argument: &str) -> Option<LadderPurpose> {
    serde_json::from_str(argument).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{MethodPreference, Prompting};

    #[test]
    fn a_purpose_survives_the_command_line() {
        let login = |mode, method| LadderPurpose::Credentials(CredentialsPurpose::Login { mode, method });
        for purpose in [
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(Prompting::Allowed)),
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(Prompting::Never)),
            LadderPurpose::Credentials(CredentialsPurpose::Renewal),
            login(LoginCondition::IfNeeded, MethodPreference::Any),
            login(LoginCondition::Always, MethodPreference::NoBrowser),
            login(LoginCondition::Always, MethodPreference::Device),
            LadderPurpose::IdToken(TokenUse::Now),
            LadderPurpose::IdToken(TokenUse::NextCall),
            LadderPurpose::PortalToken(PortalTokenUse::First),
            LadderPurpose::PortalToken(PortalTokenUse::AfterRefusal),
            LadderPurpose::PortalToken(PortalTokenUse::WithoutPrompt),
        ] {
            assert_eq!(parse_purpose(&encode_purpose(purpose)), Some(purpose));
        }
        assert_eq!(parse_purpose("credentials"), None);
    }
}
