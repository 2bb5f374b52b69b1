//! What a worker can be asked for: the request decides the type of the answer on both sides of the pipe.
//!
//! The steps to the answer are in `session`.

use serde::{Serialize, de::DeserializeOwned};

use super::caller_input::listen_to_caller;
use crate::{
    cache::{Freshness, Session, assess_credentials},
    config::Profile,
    secret::Secret,
    session::{
        self, CredentialsPurpose, Ladder, LadderPurpose, SessionCredentials, TokenUse, find_credentials, find_token_for,
    },
    time::Timestamp,
};

pub(super) trait WorkerRequest: Copy {
    type Answer: Serialize + DeserializeOwned;

    fn purpose(self) -> LadderPurpose;

    /// The answer, if the session that another process stored contains it.
    fn find_stored(self, session: &Session, profile: &Profile, now: Timestamp) -> Option<Self::Answer>;

    async fn run_ladder(self, ladder: &Ladder<'_>) -> Result<Self::Answer, session::Error>;
}

impl WorkerRequest for CredentialsPurpose {
    type Answer = SessionCredentials;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::Credentials(self)
    }

    fn find_stored(self, session: &Session, profile: &Profile, now: Timestamp) -> Option<SessionCredentials> {
        let found = find_credentials(session, profile, now)?;
        match assess_credentials(&found.credentials, now) {
            Freshness::Fresh | Freshness::RenewSoon => Some(found),
            Freshness::RenewNow | Freshness::Spent => None,
        }
    }

    async fn run_ladder(self, ladder: &Ladder<'_>) -> Result<SessionCredentials, session::Error> {
        ladder.get_credentials(listen_to_caller()).await
    }
}

impl WorkerRequest for TokenUse {
    type Answer = Secret;

    fn purpose(self) -> LadderPurpose {
        LadderPurpose::IdToken(self)
    }

    fn find_stored(self, session: &Session, _: &Profile, now: Timestamp) -> Option<Secret> {
        find_token_for(session, self, now)
    }

    /// Nobody is prompted for an ID token, so no input is read.
    async fn run_ladder(self, ladder: &Ladder<'_>) -> Result<Secret, session::Error> {
        ladder.get_id_token(self).await
    }
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
