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

/// The last failure, kept because callers hide our stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    pub at: Timestamp,
    pub code: u8,
    pub slug: String,
    pub message: String,
    pub hint: Hint,
}

impl ProfileNotes {
    /// Any process of this user can write the file, so its texts are made safe for a terminal before anybody shows them.
    fn escape_texts(self) -> Self {
        let Self { door, last_failure, renewal_tried, usage, warned_on } = self;
        let last_failure = last_failure.map(|LastFailure { at, code, slug, message, hint }| {
            let [slug, message] = [slug, message].map(|text| escape_controls(&text));
            LastFailure { at, code, slug, message, hint: hint.escape_texts() }
        });
        Self { door: door.escape_texts(), last_failure, renewal_tried, usage, warned_on }
    }
}

impl Cache {
    /// Notes that cannot be read are empty ones: they only ever make us more careful.
    pub fn load_notes(&self) -> ProfileNotes {
        let bytes = files::read_if_exists(&self.notes_path()).ok().flatten();
        bytes
            .and_then(|bytes| parse_record(&bytes))
            .map_or_else(ProfileNotes::default, ProfileNotes::escape_texts)
    }

    pub(super) fn notes_path(&self) -> PathBuf {
        self.folder.join(self.record_name(NOTES))
    }
}
