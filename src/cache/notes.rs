//! Notes beside the sealed records, in plain text: what was tried and when, how it failed, and the quota usage.
//!
//! They hold nothing secret, so `status` can show them while the keyring is locked. Any process of the user can write
//! them, so they grant no access: wrong notes can cause or delay a prompt, delay a renewal, or show a wrong text.

use serde::{Deserialize, Serialize};

use super::{Cache, PromptBackoff, record_folder::StoredNotes};
use crate::{
    hint::Hint,
    quota::{QuotaUsage, StoredDenial},
    text::escape_controls,
    time::Timestamp,
};

/// Notes about a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInNotes {
    /// Until when automatic callers may not prompt. `door` is its stored name since version 0.1.
    #[serde(rename = "door")]
    pub prompt_backoff: PromptBackoff,
    /// When a worker last tried to refresh the ID token in the background.
    pub renewal_tried: Option<Timestamp>,
    pub last_failure: Option<LastFailure>,
}

/// Notes about the credentials of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsNotes {
    pub last_failure: Option<LastFailure>,
    /// When a worker last tried to renew the credentials in the background.
    pub renewal_tried: Option<Timestamp>,
    /// When the latest attempt to get credentials failed. `None` after a success.
    pub renewal_failed: Option<Timestamp>,
    /// The usage that the quota service reported last.
    pub usage: Option<QuotaUsage>,
    /// The latest answer of the quota service, if it was a denial.
    pub denial: Option<StoredDenial>,
    /// The day on which the user was last warned about the usage, in days since 1970.
    pub warned_on: Option<i64>,
}

/// A failure and its time. It is stored because SDKs and hosts often hide the program's stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    pub at: Timestamp,
    #[serde(flatten)]
    pub report: FailureReport,
}

/// A failure as text for the user, with the [`FailureKind`] that programs decide by. This form is stored, and it is
/// sent from a worker to its caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    #[serde(default)]
    pub kind: FailureKind,
    pub code: u8,
    pub slug: String,
    pub message: String,
    pub hint: Hint,
}

/// The kind of a failure: the only part of it that other processes decide by. Slug and message are for users, and a
/// provider's error code can become a slug, so they must not decide anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The user would have to sign in, and this caller may not prompt. Another caller may.
    PromptNotAllowed,
    /// The user has to sign in, for any other reason.
    SignInNeeded,
    /// The user cancelled.
    Interrupted,
    /// The quota service denied the request. A service that does not answer has another kind: an earlier approval lasts.
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
        let Self { prompt_backoff, renewal_tried, last_failure } = self;
        Self {
            prompt_backoff: prompt_backoff.escape_texts(),
            renewal_tried,
            last_failure: last_failure.map(LastFailure::escape_texts),
        }
    }
}

impl StoredNotes for CredentialsNotes {
    fn escape_texts(self) -> Self {
        let Self { last_failure, renewal_tried, renewal_failed, usage, denial, warned_on } = self;
        let (last_failure, denial) =
            (last_failure.map(LastFailure::escape_texts), denial.map(StoredDenial::escape_texts));
        Self { last_failure, renewal_tried, renewal_failed, usage, denial, warned_on }
    }
}

impl Cache {
    /// The notes of the sign-in; empty if they are absent or cannot be parsed.
    pub fn load_sign_in_notes(&self) -> SignInNotes {
        self.folder.load_notes_of(self.sign_in_key())
    }

    pub fn load_credentials_notes(&self) -> CredentialsNotes {
        self.folder.load_notes_of(&self.credentials_key)
    }

    /// The latest failure of the sign-in or the credentials, for `status`.
    pub fn load_last_failure(&self) -> Option<LastFailure> {
        let failures = [self.load_sign_in_notes().last_failure, self.load_credentials_notes().last_failure];
        failures.into_iter().flatten().max_by_key(|failure| failure.at)
    }
}
