//! What a caller wants of the ladder: how far it goes, what is fresh enough, and whether it may prompt.
//!
//! It is also what a caller writes on the command line of a worker, as JSON.

use serde::{Deserialize, Serialize};

use crate::config::CallerKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LadderPurpose {
    Credentials(CredentialsPurpose),
    /// The ID token itself, without a prompt.
    IdToken(TokenUse),
}

/// Who needs AWS credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsPurpose {
    /// A program.
    Automatic(Prompting),
    /// A user, or a host whose credentials AWS refused, wants to be signed in.
    Login { mode: LoginCondition, method: MethodPreference },
    /// Nobody waits: credentials that are about to expire are renewed, without a prompt.
    Renewal,
}

/// Whether a program's user may be prompted to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompting {
    Allowed,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginCondition {
    /// Signs in only if the stored session is no longer enough.
    IfNeeded,
    /// `--force`: signs in although the stored session may be valid.
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    Now,
    /// Telemetry's next call, while nobody waits.
    NextCall,
}

/// Which sign-in method the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodPreference {
    /// None: the profile and the surroundings decide.
    Any,
    /// Print the address, and open no browser.
    NoBrowser,
    /// A code to enter in any browser.
    Device,
}

impl LadderPurpose {
    pub fn caller(self) -> CallerKind {
        match self {
            Self::Credentials(CredentialsPurpose::Login { .. }) => CallerKind::SignIn,
            Self::Credentials(CredentialsPurpose::Automatic(Prompting::Allowed)) => CallerKind::MayPrompt,
            Self::Credentials(CredentialsPurpose::Automatic(Prompting::Never) | CredentialsPurpose::Renewal)
            | Self::IdToken(TokenUse::Now | TokenUse::NextCall) => CallerKind::NonInteractive,
        }
    }

    pub fn is_login(self) -> bool {
        self.caller() == CallerKind::SignIn
    }

    pub(super) fn is_forced_login(self) -> bool {
        matches!(self, Self::Credentials(CredentialsPurpose::Login { mode: LoginCondition::Always, .. }))
    }

    /// What the command line says about the sign-in method.
    pub fn method_preference(self) -> MethodPreference {
        match self {
            Self::Credentials(CredentialsPurpose::Login { method, .. }) => method,
            Self::Credentials(CredentialsPurpose::Automatic(_) | CredentialsPurpose::Renewal) | Self::IdToken(_) => {
                MethodPreference::Any
            }
        }
    }
}
