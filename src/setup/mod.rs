//! Edits the files of other programs so that they use this program: AWS's configuration and Claude Code's settings.
//!
//! An edit changes only our own lines and leaves every other byte as it is. A plan collects the edits of one run and
//! checks them before anything is written. A record remembers what each file contained before, so that every edit can
//! be undone. Prompts and output are the job of `commands::setup`.

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
mod import_error;
mod stack_outputs;
pub mod sample_import;
mod profile_names;
mod start_url;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use command_line::CommandTemplate;
pub use import_error::ImportError;
pub use parsed_command::{ParsedCommand, expand_home};
pub use plan::{FileChange, SetupPlan};
pub use profile_names::{DEFAULT_NAME_TEMPLATE, NamedRole, name_roles};
pub use record::SetupRecord;
pub use stack_outputs::{OutputConfig, OutputProfile, StackOutputs, is_configuration, merge_profiles};
pub use start_url::{find_portal_region, normalize_start_url, parse_start_url};

use crate::trait_impls::impl_from;

/// The result of editing a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// The whole text after the edit.
    pub after: String,
    /// The changed lines, for the user. Empty if nothing changed that the user needs to see.
    pub diff: Vec<DiffLine>,
}

/// One changed line that is shown to the user. It is always one of our own lines or one that ours replace: other lines
/// of these files may contain secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    Added(String),
    Removed(String),
}

/// The lines that only one of two texts has, removed lines first. A line that occurs several times counts as often as
/// it occurs. It does not detect moved lines, because no edit of this module moves a line.
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
        // Drops the blank line that sets a new section apart.
        let first = lines.iter().take_while(|line| line.is_empty()).count();
        lines.split_off(first)
    };
    let removed = missing_in(before, after).into_iter().map(DiffLine::Removed);
    removed.chain(missing_in(after, before).into_iter().map(DiffLine::Added)).collect()
}

/// Which program reads a file, and which of its entries setup wrote. It is part of the record on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupFileKind {
    /// Our own configuration.
    Configuration,
    /// AWS's configuration file, with the names of our profiles in the order in which they were added. The order
    /// matters, because removal also removes the blank line before each profile.
    Aws {
        profile: String,
        /// The profiles after the first. Records of earlier versions have only one, and no such field.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<String>,
    },
    /// Claude Code's settings, with the names of our keys.
    Claude { top: Vec<String>, env: Vec<String> },
}

/// Why setup stops. Unless a write itself failed, all files are still unchanged.
#[derive(Debug)]
pub enum Error {
    /// A file cannot be read or written.
    Files(crate::files::Error),
    /// A file is not UTF-8 text.
    NotText { path: PathBuf },
    /// AWS's configuration file cannot be edited safely.
    Aws { path: PathBuf, refusal: aws::AwsEditRefused },
    /// Claude Code's settings cannot be edited safely.
    Settings { path: PathBuf, refusal: settings::SettingsEditRefused },
    /// A shell or an AWS tool would not read this path as it is written, even in quotes.
    UnquotableProgram(PathBuf),
    /// Settings for all users cannot call a program in one user's home.
    ProgramInHome { program: PathBuf },
    /// The file that the values should come from has no usable ones.
    Import { path: PathBuf, error: ImportError },
    /// There is no configuration to distribute, and no values were given to create one.
    NothingToDistribute { path: PathBuf },
    /// No configuration exists, and no values were given to create one.
    NoValues,
    /// A profile for IAM Identity Center lacks the values of these flags. `is_from_list`: in a terminal the user could
    /// choose them from a list.
    NoAssignment { missing: Vec<&'static str>, is_from_list: bool },
    /// Values were given beside a configuration that is distributed unchanged.
    FlagsBesideFile { path: PathBuf },
    /// The folder for a fleet contains a file that no earlier run wrote.
    UnknownFile { path: PathBuf },
    /// Another version wrote the record at `path`. `files` are the files that the record lists, as far as it can be
    /// read.
    RecordVersion { path: PathBuf, files: Vec<PathBuf> },
    /// Our own configuration already has this profile, with other values.
    ProfileDiffers { path: PathBuf, profile: String, keys: Vec<&'static str> },
    /// Two roles would get profiles with the same name.
    ProfileNameCollision { name: String, roles: [String; 2] },
    /// One name was given for the AWS profiles of several roles.
    OneAwsProfileForRoles,
    /// The wanted default profile is neither new nor in a file.
    UnknownDefaultProfile { name: String, names: Vec<String> },
}

/// Splits off the byte order mark that some editors write. Returns the mark, which may be empty, and the rest.
fn split_byte_order_mark(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len())
}

impl_from!(Error: Files(crate::files::Error));
