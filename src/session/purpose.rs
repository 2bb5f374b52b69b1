//! What a caller wants of the ladder, as far as it decides how far the ladder goes.
//!
//! Carrying it out is for `Ladder`.

use crate::config::CallerKind;

/// What the climb is for; it decides what is good enough and whether a person may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LadderPurpose {
    /// An automatic caller needs credentials.
    Credentials { may_prompt: bool },
    /// A person, or a host whose credentials AWS refused, wants to be signed in.
    Login { force: bool, method: MethodPreference },
    /// Nobody waits: renew what is about to end, silently.
    Renewal,
    /// The ID token itself, silently; `ahead` for telemetry's next call, while nobody waits.
    Token { ahead: bool },
}

impl LadderPurpose {
    /// Who calls for it.
    pub fn caller(self) -> CallerKind {
        match self {
            Self::Login { .. } => CallerKind::SignIn,
            Self::Credentials { may_prompt: true } => CallerKind::MayPrompt,
            Self::Credentials { may_prompt: false } | Self::Renewal | Self::Token { .. } => {
                CallerKind::NonInteractive
            }
        }
    }
}

/// What the command line says of the way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodPreference {
    /// Nothing: the profile and the surroundings decide.
    Any,
    /// The address is shown, and no browser opened.
    NoBrowser,
    /// A code, entered in a browser anywhere.
    Device,
}
