//! What went wrong with a file: which action failed, on which path, and why.
//!
//! What to do about it is for `failure` to say.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::text;

/// What went wrong with which file.
#[derive(Debug)]
pub struct Error {
    pub action: FileAction,
    pub path: PathBuf,
    pub source: io::Error,
}

/// What could not be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAction {
    Read,
    List,
    Open,
    Lock,
    Write,
    /// The same of a folder.
    WriteInto,
    Replace,
    Create,
    Remove,
}

impl Error {
    /// For `map_err`: the system's error with what was being done to which file.
    pub fn at(action: FileAction, path: &Path) -> impl Fn(io::Error) -> Self + Copy {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = match self.action {
            FileAction::Read => "read",
            FileAction::List => "list",
            FileAction::Open => "open",
            FileAction::Lock => "lock",
            FileAction::Write => "write",
            FileAction::WriteInto => "write into",
            FileAction::Replace => "replace",
            FileAction::Create => "create",
            FileAction::Remove => "remove",
        };
        write!(f, "cannot {action} {}: {}", self.path.display(), text::describe_io_error(&self.source))
    }
}
