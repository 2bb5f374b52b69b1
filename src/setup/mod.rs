//! Setting a laptop up: what the files of other programs must say, shown as a difference, applied whole or not at all.
//!
//! Pure edits, a record of them, and their undoing; who is asked, and in which words, is for `commands`.

pub mod aws;
mod call;
mod called;
pub mod claude;
pub mod fleet;
#[cfg(test)]
mod generated;
mod lines;
mod plan;
mod record;
pub mod settings;
pub mod source;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use call::{Call, Unquotable};
pub use called::Called;
pub use plan::{Change, Plan};
pub use record::Record;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub after: String,
    pub marks: Vec<Mark>,
}

/// One line of the difference that a person is shown: only what is ours, for the rest may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    Added(String),
    Removed(String),
}

/// Whose file it is, and what of it is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Our own configuration.
    Configuration,
    Aws {
        profile: String,
    },
    /// Claude Code's settings, with the names of our keys.
    Claude {
        top: Vec<String>,
        env: Vec<String>,
    },
}

/// Why setup goes no further; nothing has been written.
#[derive(Debug)]
pub enum Error {
    Files(crate::files::Error),
    NotText {
        path: PathBuf,
    },
    Aws {
        path: PathBuf,
        refusal: aws::Refusal,
    },
    Settings {
        path: PathBuf,
        refusal: settings::Refusal,
    },
    Program(Unquotable),
    /// A policy for all users cannot name a program in one user's home.
    Home {
        program: PathBuf,
    },
    /// A file of facts that tells none.
    Source {
        path: PathBuf,
        unusable: source::Unusable,
    },
    /// There is neither a configuration to distribute nor a fact to make one of.
    NothingToDistribute {
        path: PathBuf,
    },
    /// There is no configuration, and nothing says what shall be in one.
    NoFacts,
    /// A configuration is distributed as it is, and facts were given beside it.
    Whole {
        path: PathBuf,
    },
    /// In the folder for a fleet lies what no earlier run wrote.
    Strange {
        path: PathBuf,
    },
    /// What an earlier setup wrote down is not of this version; the files that it names.
    Record {
        path: PathBuf,
        files: Vec<PathBuf>,
    },
    /// Our own configuration has this profile already, and says something else.
    Differs {
        path: PathBuf,
        profile: String,
    },
}

impl From<crate::files::Error> for Error {
    fn from(error: crate::files::Error) -> Self {
        Self::Files(error)
    }
}

impl From<Unquotable> for Error {
    fn from(unquotable: Unquotable) -> Self {
        Self::Program(unquotable)
    }
}
