//! What a worker can be asked for: the request decides the type of the answer on both sides of the pipe.
//!
//! The steps to the answer are in `session`.

use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cache::{Cache, Freshness, assess_credentials},
    config::Profile,
    files, lock,
    secret::Secret,
    session::{CredentialsPurpose, LadderPurpose, SessionCredentials, TokenUse, find_credentials, find_token_for},
    store,
    time::Timestamp,
};

pub(super) trait WorkerRequest: Copy {
    type Answer: Serialize + DeserializeOwned;

    fn purpose(self) -> LadderPurpose;

    /// The answer, if another process has stored it.
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

impl WorkerRequest for TokenUse {
    type Answer = Secret;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::IdToken(self)
    }

    fn find_stored(self, cache: &Cache, _: &Profile, now: Timestamp) -> Result<Option<Secret>, store::Error> {
        Ok(find_token_for(&cache.load_sign_in()?, self, now))
    }
}

/// The lock that a request needs and another process holds, if there is one. The sign-in's is first, because its holder may
/// be waiting for the user.
pub(super) fn find_held_lock(purpose: LadderPurpose, cache: &Cache) -> Result<Option<PathBuf>, files::Error> {
    let paths = match purpose {
        LadderPurpose::Credentials(_) => vec![cache.sign_in_lock_path(), cache.credentials_lock_path()],
        LadderPurpose::IdToken(_) => vec![cache.sign_in_lock_path()],
    };
    for path in paths {
        if lock::is_held(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The purpose as an argument on a worker's command line, see [`parse_purpose`].
pub(super) fn encode_purpose(purpose: LadderPurpose) -> String {
    serde_json::to_string(&purpose).expect("a purpose holds words only, which always serialise")
}

/// What a worker was started for; `None` if the argument is not from this version of the program.
pub fn parse_purpose(argument: &str) -> Option<LadderPurpose> {
    serde_json::from_str(argument).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{LoginCondition, MethodPreference, Prompting};

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
        ] {
            assert_eq!(parse_purpose(&encode_purpose(purpose)), Some(purpose));
        }
        assert_eq!(parse_purpose("credentials"), None);
    }
}
