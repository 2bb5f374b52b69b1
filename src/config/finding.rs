//! What `config check` reports about a configuration that has no error: how many profiles it has, and warnings.
//!
//! A warning never stops a command. A fault that makes the configuration unusable is an `Error` instead.

use std::fmt;

use super::error::ValueLocation;
use crate::text::sanitize_line;

/// One line of `config check` about a usable configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFinding {
    /// The number of profiles in a file, or in the environment.
    Profiles { source: String, count: usize },
    /// A file whose `[defaults]` have no effect, because the file defines no profile and enforces nothing.
    UnusedDefaults { file: String },
    /// A file that every user of this computer can change.
    WritableFile { file: String },
    /// A variable whose name begins like one of this program's but that it does not read, and the most similar name.
    UnknownVariable { name: String, nearest: Option<String> },
    /// A correct value with a consequence that the administrator must know.
    Note { location: ValueLocation, profile: String, key: &'static str, reason: String },
    /// A value that is legal but probably a mistake.
    Suspicious { location: ValueLocation, profile: String, key: &'static str, reason: String },
}

impl ConfigFinding {
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Profiles { .. } | Self::Note { .. } => false,
            Self::UnusedDefaults { .. }
            | Self::WritableFile { .. }
            | Self::UnknownVariable { .. }
            | Self::Suspicious { .. } => true,
        }
    }

    /// Whether both findings report the same value of `[defaults]`, which several profiles share. `config check` prints
    /// only the first of them.
    pub(super) fn is_same_value(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Suspicious { location, profile: _, key, reason },
                Self::Suspicious { location: other_location, profile: _, key: other_key, reason: other_reason },
            )
            | (
                Self::Note { location, profile: _, key, reason },
                Self::Note { location: other_location, profile: _, key: other_key, reason: other_reason },
            ) => (location, key, reason) == (other_location, other_key, other_reason),
            (one, other) => one == other,
        }
    }

    /// The finding as text, without the prefix `ok:`, `note:` or `warning:`.
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
                format!("{file}: every user of this computer can change it; run `chmod o-w` on the file and its folder")
            }
            Self::UnknownVariable { name, nearest } => {
                let meant = nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                format!("{}: bedrock-sso reads no variable of this name{meant}", sanitize_line(name))
            }
            Self::Note { location, profile, key, reason } | Self::Suspicious { location, profile, key, reason } => {
                format!("{location}: [profiles.{profile}] {key}: {reason}")
            }
        }
    }

    fn prefix(&self) -> &'static str {
        match self {
            Self::Profiles { .. } => "ok",
            Self::Note { .. } => "note",
            Self::UnusedDefaults { .. }
            | Self::WritableFile { .. }
            | Self::UnknownVariable { .. }
            | Self::Suspicious { .. } => "warning",
        }
    }
}

impl fmt::Display for ConfigFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.prefix(), self.message())
    }
}
