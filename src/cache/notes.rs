//! Notes in the clear about one profile: nothing secret, readable when the key is not.
//!
//! What follows from them is for the modules that write them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Cache, NOTES, PromptBackoff, parse_record};
use crate::{files, hint::Hint, quota::QuotaUsage, text::escape_controls, time::Timestamp};

/// What is kept in the clear for one profile: nothing secret, readable when the key is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileNotes {
    pub door: PromptBackoff,
    pub last_failure: Option<LastFailure>,
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

impl ProfileNotes {
    /// Any process of this user can write the file, so its texts are made safe for a terminal before anybody shows them.
    fn escape_texts(self) -> Self {
        let Self { door, last_failure, renewal_tried, usage, warned_on } = self;
        let last_failure = last_failure.map(|LastFailure { at, report }| {
            let FailureReport { kind, code, slug, message, hint } = report;
            let ([slug, message], hint) = ([slug, message].map(|text| escape_controls(&text)), hint.escape_texts());
            LastFailure { at, report: FailureReport { kind, code, slug, message, hint } }
        });
        Self { door: door.escape_texts(), last_failure, renewal_tried, usage, warned_on }
    }
}

impl Cache {
    /// Notes that cannot be read are empty ones: they only ever make us more careful.
    pub fn load_notes(&self) -> ProfileNotes {
        let bytes = files::read_if_exists(&self.notes_path()).ok().flatten();
        bytes.and_then(|bytes| parse_record(&bytes)).map_or_else(ProfileNotes::default, ProfileNotes::escape_texts)
    }

    pub(super) fn notes_path(&self) -> PathBuf {
        self.folder.join(self.record_name(NOTES))
    }
}
