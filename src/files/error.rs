//! The error of a file operation: which action failed, on which path, and why.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::text;

/// A failed file operation. Its text names action, path and cause; `failure` adds the hint.
#[derive(Debug)]
pub struct Error {
    pub action: FileAction,
    pub path: PathBuf,
    pub source: io::Error,
}

/// The action that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAction {
    Read,
    List,
    Open,
    Lock,
    Write,
    /// Writing a new file into a folder.
    WriteInto,
    Replace,
    Create,
    Remove,
}

impl Error {
    /// For `map_err`: adds action and path to the system's error.
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
