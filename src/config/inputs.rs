//! The sources of the configuration in one run: paths, environment variables and flags.
//!
//! The command line is parsed once into this struct, and `layers` reads the files that it names.

use std::path::PathBuf;

use super::key::ConfigKey;
use crate::{
    hint::Invocation,
    host::{Environment, HostPaths},
};

/// The sources of the configuration in this run.
#[derive(Clone, Debug)]
pub struct ConfigInputs<'a> {
    pub environment: &'a Environment,
    pub paths: &'a HostPaths,
    /// The value of `--config`. This file replaces the user's file, and must exist.
    pub file: Option<PathBuf>,
    /// The value of `--profile`.
    pub profile: Option<String>,
    /// The flags that set a key, such as `--device`.
    pub flags: &'a [FlagOverride],
    /// Whether the user's file, the environment and the flags count. If not (`setup --system`), only the
    /// administrator's file counts.
    pub with_user_layers: bool,
}

impl ConfigInputs<'_> {
    /// The flags that a hint must repeat so that its command uses the same profile and the same file.
    pub fn invocation(&self) -> Invocation {
        Invocation::new(self.profile.as_deref(), self.file.as_deref())
    }
}

/// A key that a flag sets for this run. A value that the administrator enforces wins over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagOverride {
    pub key: &'static ConfigKey,
    /// The value, written as in an environment variable: plain text for keys that hold text, TOML for the others.
    pub value: &'static str,
    /// The flag as the user typed it, such as `--device`, for messages.
    pub name: &'static str,
}
