//! Notes in the clear about one profile: nothing secret, readable when the key is not.
//!
//! What follows from them is for the modules that write them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Cache, Door, NOTES, readable, written};
use crate::{files, lock::Held, quota::Usage, text::verbatim, time::Moment};

/// What is kept in the clear for one profile: nothing secret, readable when the key is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    pub door: Door,
    pub last_failure: Option<LastFailure>,
    pub renewal_tried: Option<Moment>,
    /// What the quota service counted last, and the day (since 1970) on which somebody was warned of it.
    pub usage: Option<Usage>,
    pub warned_on: Option<i64>,
}

/// The last failure, kept because callers hide our stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    pub at: Moment,
    pub code: u8,
    pub slug: String,
    pub message: String,
    pub hint: String,
}

impl Notes {
    /// Any process of this user can write the file, so its texts are made safe for a terminal before anybody shows them.
    fn escaped(self) -> Self {
        let Self { door, last_failure, renewal_tried, usage, warned_on } = self;
        let last_failure = last_failure.map(|LastFailure { at, code, slug, message, hint }| {
            let [slug, message, hint] = [slug, message, hint].map(|text| verbatim(&text));
            LastFailure { at, code, slug, message, hint }
        });
        Self { door: door.escaped(), last_failure, renewal_tried, usage, warned_on }
    }
}

impl Cache {
    /// Notes that cannot be read are empty ones: they only ever make us more careful.
    pub fn notes(&self) -> Notes {
        let bytes = files::read(&self.notes_path()).ok().flatten();
        bytes.and_then(|bytes| readable(&bytes)).map_or_else(Notes::default, Notes::escaped)
    }

    pub fn keep_notes(&self, held: &Held, notes: &Notes) -> Result<(), files::Error> {
        assert!(held.guards(&self.notes_path()), "only the holder of the profile's lock stores notes");
        files::replace_for_now(&self.notes_path(), &written(notes))
    }

    pub(super) fn notes_path(&self) -> PathBuf {
        self.folder.join(self.name(NOTES))
    }
}
