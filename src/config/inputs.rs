//! Where the configuration comes from in a run: paths, environment, and the flags of the command line.
//!
//! It only carries them; `layers` reads what they name.

use std::path::PathBuf;

use super::key::ConfigKey;
use crate::{
    hint::Invocation,
    host::{Environment, HostPaths},
};

/// Where the configuration comes from in this run.
#[derive(Clone, Debug)]
pub struct ConfigInputs<'a> {
    pub environment: &'a Environment,
    pub paths: &'a HostPaths,
    /// `--config`: takes the place of the user's file and must exist, like `BEDROCK_SSO_CONFIG`.
    pub file: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    pub flags: &'a [FlagOverride],
    /// Whether the user's file, the environment and the flags count, or the administrator's file alone.
    pub with_user_layers: bool,
}

impl ConfigInputs<'_> {
    /// How the user reaches what these inputs lead to, as far as the command line says it.
    pub fn invocation(&self) -> Invocation {
        Invocation::new(self.profile.as_deref(), self.file.as_deref())
    }
}

/// A key that a flag sets, for this run only, unless the administrator enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagOverride {
    pub key: &'static ConfigKey,
    /// Text as it is for keys that hold a string, TOML's syntax for the others.
    pub value: &'static str,
    /// As it was typed, e.g. `--region`.
    pub name: &'static str,
}
