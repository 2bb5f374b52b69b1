//! What `config check` reports about a configuration without an error.
//!
//! Facts and their wording. What keeps a configuration from being used is an `Error`.

use std::fmt;

use super::error::ValueLocation;
use crate::text::sanitize_line;

/// One thing that was found in a configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFinding {
    /// A file, or the environment, and the number of profiles in it.
    Profiles { source: String, count: usize },
    /// A file whose `[defaults]` nothing uses: it has no profile, and enforces nothing.
    UnusedDefaults { file: String },
    /// A file that every user of this machine may change.
    WritableFile { file: String },
    /// A variable that looks like one of ours and is not read, and the variable that may be meant.
    UnknownVariable { name: String, nearest: Option<String> },
    /// A value that is legal and most likely a mistake.
    Suspicious { location: ValueLocation, profile: String, key: &'static str, reason: String },
}

impl ConfigFinding {
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Profiles { .. } => false,
            Self::UnusedDefaults { .. }
            | Self::WritableFile { .. }
            | Self::UnknownVariable { .. }
            | Self::Suspicious { .. } => true,
        }
    }

    /// Whether both say the same of one value, which several profiles share.
    pub(super) fn is_same_value(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Suspicious { location, profile: _, key, reason },
                Self::Suspicious { location: other_location, profile: _, key: other_key, reason: other_reason },
            ) => (location, key, reason) == (other_location, other_key, other_reason),
            (one, other) => one == other,
        }
    }

    /// The finding without the word that says whether it is a warning.
    pub fn message(&self) -> String {
        match self {
            Self::Profiles { source, count: 1 } => format!("{source}: 1 profile"),
            Self::Profiles { source, count } => format!("{source}: {count} profiles"),
            Self::UnusedDefaults { file } => {
                format!(
                    "{file}: [defaults] has no effect: it applies only to profiles in the same file, which has none"
                )
            }
            Self::WritableFile { file } => {
                format!("{file}: every user of this machine can change it; run `chmod o-w` on the file and its folder")
            }
            Self::UnknownVariable { name, nearest } => {
                let meant = nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                format!("{}: bedrock-sso reads no variable of this name{meant}", sanitize_line(name))
            }
            Self::Suspicious { location, profile, key, reason } => {
                format!("{location}: [profiles.{profile}] {key}: {reason}")
            }
        }
    }
}

impl fmt::Display for ConfigFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.is_warning() { "warning" } else { "ok" }, self.message())
    }
}
