//! Setting a laptop up: what the files of other programs must say, shown as a difference, applied whole or not at all.
//!
//! Pure edits, a record of them, and their undoing; who is asked, and in which words, is for `commands`.

pub mod aws;
mod command_line;
mod parsed_command;
pub mod claude;
pub mod fleet;
#[cfg(test)]
mod generated;
mod plan;
mod record;
pub mod settings;
pub mod sample_import;
mod profile_names;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use command_line::CommandTemplate;
pub use parsed_command::{ParsedCommand, expand_home};
pub use plan::{FileChange, SetupPlan};
pub use profile_names::{DEFAULT_NAME_TEMPLATE, name_roles};
pub use record::SetupRecord;

use crate::trait_impls::impl_from;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    pub after: String,
    pub diff: Vec<DiffLine>,
}

/// One line of the difference that a person is shown: only what is ours, for the rest may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    Added(String),
    Removed(String),
}

/// The lines that one text has and the other does not, as often as it has them. Lines are added or replaced, never moved.
pub fn diff_lines(before: &str, after: &str) -> Vec<DiffLine> {
    let missing_in = |text: &str, other: &str| {
        let mut others: Vec<&str> = other.lines().collect();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| match others.iter().position(|other| other == line) {
            Some(same) => {
                others.remove(same);
                false
            }
            None => true,
        });
        // The blank line before the first is not shown.
        let first = lines.iter().take_while(|line| line.is_empty()).count();
        lines.split_off(first)
    };
    let removed = missing_in(before, after).into_iter().map(DiffLine::Removed);
    removed.chain(missing_in(after, before).into_iter().map(DiffLine::Added)).collect()
}

/// Whose file it is, and what of it is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupFileKind {
    /// Our own configuration.
    Configuration,
    /// AWS's configuration file, with the names of our profiles in the order in which they were added.
    Aws {
        profile: String,
        /// Those after the first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<String>,
    },
    /// Claude Code's settings, with the names of our keys.
    Claude { top: Vec<String>, env: Vec<String> },
}

/// Why setup goes no further; nothing has been written.
#[derive(Debug)]
pub enum Error {
    /// A file cannot be read or written.
    Files(crate::files::Error),
    /// A file is not UTF-8 text.
    NotText { path: PathBuf },
    /// AWS's configuration file is left alone.
    Aws { path: PathBuf, refusal: aws::AwsEditRefused },
    /// Claude Code's settings are left alone.
    Settings { path: PathBuf, refusal: settings::SettingsEditRefused },
    /// Some caller would read this path differently than it is written.
    UnquotableProgram(PathBuf),
    /// A policy for all users cannot name a program in one user's home.
    ProgramInHome { program: PathBuf },
    /// A file of facts that tells none.
    Import { path: PathBuf, error: sample_import::ImportError },
    /// There is neither a configuration to distribute nor a fact to make one of.
    NothingToDistribute { path: PathBuf },
    /// There is no configuration, and nothing says what shall be in one.
    NoValues,
    /// A configuration is distributed as it is, and facts were given beside it.
    FlagsBesideFile { path: PathBuf },
    /// In the folder for a fleet lies what no earlier run wrote.
    UnknownFile { path: PathBuf },
    /// What an earlier setup wrote down is not of this version; the files that it names.
    RecordVersion { path: PathBuf, files: Vec<PathBuf> },
    /// Our own configuration has this profile already, and says something else.
    ProfileDiffers { path: PathBuf, profile: String },
    /// Two roles would have profiles of one name.
    ProfileNameCollision { name: String, roles: [String; 2] },
    /// One AWS profile is named for several roles.
    OneAwsProfileForRoles,
    /// The profile that commands shall choose is neither one of the new ones nor in a file.
    UnknownDefaultProfile { name: String, names: Vec<String> },
}

/// The text behind its byte order mark, which some editors write, and the mark.
fn split_byte_order_mark(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len())
}

impl_from!(Error: Files(crate::files::Error));
