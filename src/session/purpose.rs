//! What a caller wants from the ladder: credentials or an ID token, how fresh, and whether the user may be prompted.
//!
//! The caller passes it to the worker on the command line, as JSON. Both are the same version of the program, so this
//! format may change between versions.

use serde::{Deserialize, Serialize};

use crate::config::CallerKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LadderPurpose {
    /// AWS credentials.
    Credentials(CredentialsPurpose),
    /// The ID token itself, never with a prompt.
    IdToken(TokenUse),
    /// The access token of an Identity Center, with which `setup` lists what is assigned to the user, and `quota` asks who
    /// the user is.
    PortalToken(PortalTokenUse),
}

/// Who needs AWS credentials, which decides whether the user may be prompted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsPurpose {
    /// A program, for example an SDK that runs `credentials`.
    Automatic(Prompting),
    /// `login`, run by the user, or by a host whose credentials AWS refused.
    Login { mode: LoginCondition, method: MethodPreference },
    /// A background renewal of credentials that expire soon. No caller waits for it, and it never prompts.
    Renewal,
}

/// Whether a program's user may be prompted to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompting {
    Allowed,
    Never,
}

/// When `login` prompts the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginCondition {
    /// Only if neither the stored credentials nor a refresh are enough.
    IfNeeded,
    /// Always, even if the stored session is valid (`--force`).
    Always,
}

/// When the ID token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// The caller waits for it.
    Now,
    /// A background refresh for telemetry's next call. No caller waits for it.
    NextCall,
}

/// Which access token of an Identity Center a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortalTokenUse {
    /// For `setup`: the stored one if it is valid. It may need a sign-in.
    First,
    /// For `setup`: another one, because the portal has refused the stored one. It may need a sign-in.
    AfterRefusal,
    /// For `quota`, which never prompts: the stored one if it is valid, or a refreshed one.
    WithoutPrompt,
}

/// Which sign-in method the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodPreference {
    /// No method: the profile and the execution context decide.
    Any,
    /// `--no-browser`: print the address instead of opening a browser.
    NoBrowser,
    /// `--device`: a code to enter in any browser.
    Device,
}

impl LadderPurpose {
    /// Whether this caller may prompt, in the terms of the profile's `login` setting.
    pub fn caller(self) -> CallerKind {
        match self {
            Self::Credentials(CredentialsPurpose::Login { .. })
            | Self::PortalToken(PortalTokenUse::First | PortalTokenUse::AfterRefusal) => CallerKind::SignIn,
            Self::Credentials(CredentialsPurpose::Automatic(Prompting::Allowed)) => CallerKind::MayPrompt,
            Self::Credentials(CredentialsPurpose::Automatic(Prompting::Never) | CredentialsPurpose::Renewal)
            | Self::IdToken(TokenUse::Now | TokenUse::NextCall)
            | Self::PortalToken(PortalTokenUse::WithoutPrompt) => CallerKind::NonInteractive,
        }
    }

    /// Whether the caller is `login`, or `setup` on the user's behalf, which may always prompt.
    pub fn is_login(self) -> bool {
        self.caller() == CallerKind::SignIn
    }

    pub(super) fn is_forced_login(self) -> bool {
        matches!(self, Self::Credentials(CredentialsPurpose::Login { mode: LoginCondition::Always, .. }))
    }

    /// The sign-in method that the command line asks for.
    pub fn method_preference(self) -> MethodPreference {
        match self {
            Self::Credentials(CredentialsPurpose::Login { method, .. }) => method,
            Self::Credentials(CredentialsPurpose::Automatic(_) | CredentialsPurpose::Renewal)
            | Self::IdToken(_)
            | Self::PortalToken(_) => MethodPreference::Any,
        }
    }
}
