//! Notes in the clear beside the sealed records: nothing secret, and readable when the key is not.

use serde::{Deserialize, Serialize};

use super::{Cache, PromptBackoff, record_folder::StoredNotes};
use crate::{hint::Hint, quota::QuotaUsage, text::escape_controls, time::Timestamp};

/// Notes about a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInNotes {
    pub door: PromptBackoff,
    /// When a process tried to renew the ID token for the next call.
    pub renewal_tried: Option<Timestamp>,
    /// The last failure of a request for the ID token.
    pub last_failure: Option<LastFailure>,
}

/// Notes about the credentials of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsNotes {
    pub last_failure: Option<LastFailure>,
    /// When a process tried to renew the credentials for the next call.
    pub renewal_tried: Option<Timestamp>,
    /// What the quota service counted last, and the day (since 1970) on which somebody was warned of it.
    pub usage: Option<QuotaUsage>,
    pub warned_on: Option<i64>,
}

/// The last failure, stored because callers hide our stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    pub at: Timestamp,
    #[serde(flatten)]
    pub report: FailureReport,
}

/// A failure in words, with what programs decide by: the form in which it is stored, and passed between processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    #[serde(default)]
    pub kind: FailureKind,
    pub code: u8,
    pub slug: String,
    pub message: String,
    pub hint: Hint,
}

/// What waiting and later processes decide by. Code, slug and words are for users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The user would have to sign in, and this caller may not prompt. Another caller may.
    PromptNotAllowed,
    /// The user would have to sign in, for another reason.
    SignInNeeded,
    /// The user cancelled.
    Interrupted,
    /// The quota service does not approve, or did not answer and the profile demands an answer.
    Quota,
    /// Anything else, and every failure that an earlier version stored.
    #[default]
    #[serde(other)]
    Other,
}

impl FailureKind {
    pub fn is_sign_in_needed(self) -> bool {
        match self {
            Self::PromptNotAllowed | Self::SignInNeeded => true,
            Self::Interrupted | Self::Quota | Self::Other => false,
        }
    }
}

impl LastFailure {
    fn escape_texts(self) -> Self {
        let Self { at, report: FailureReport { kind, code, slug, message, hint } } = self;
        let ([slug, message], hint) = ([slug, message].map(|text| escape_controls(&text)), hint.escape_texts());
        Self { at, report: FailureReport { kind, code, slug, message, hint } }
    }
}

impl StoredNotes for SignInNotes {
    fn escape_texts(self) -> Self {
        let Self { door, renewal_tried, last_failure } = self;
        Self { door: door.escape_texts(), renewal_tried, last_failure: last_failure.map(LastFailure::escape_texts) }
    }
}

impl StoredNotes for CredentialsNotes {
    fn escape_texts(self) -> Self {
        let Self { last_failure, renewal_tried, usage, warned_on } = self;
        Self { last_failure: last_failure.map(LastFailure::escape_texts), renewal_tried, usage, warned_on }
    }
}

impl Cache {
    pub fn load_sign_in_notes(&self) -> SignInNotes {
        self.folder.load_notes_of(self.sign_in_key())
    }

    pub fn load_credentials_notes(&self) -> CredentialsNotes {
        self.folder.load_notes_of(&self.credentials_key)
    }

    /// The last failure of either, for `status`.
    pub fn load_last_failure(&self) -> Option<LastFailure> {
        let failures = [self.load_sign_in_notes().last_failure, self.load_credentials_notes().last_failure];
        failures.into_iter().flatten().max_by_key(|failure| failure.at)
    }
}
