//! What a person can do when the command of `exec`, or the shell of `env`, cannot have the credentials.
//!
//! How commands are started is for `host`, and how a shell is spoken to for `shell`.

use std::{ffi::OsString, io};

use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    shell::ShellValueError,
    text::sanitize_line,
};

/// Why a command was not run.
#[derive(Debug)]
pub enum ExecError {
    /// It would be inside of another one.
    Nested {
        profile: String,
        variable: &'static str,
    },
    NotFound {
        command: String,
    },
    NotStarted {
        command: String,
        why: String,
    },
}

impl ExecError {
    pub fn from_start_error(command: &[OsString], error: &io::Error) -> Self {
        let command = command.first().map_or_else(String::new, |word| sanitize_line(&word.to_string_lossy()));
        if error.kind() == io::ErrorKind::NotFound {
            return Self::NotFound { command };
        }
        Self::NotStarted { command, why: error.to_string() }
    }
}

impl From<ExecError> for Failure {
    fn from(reason: ExecError) -> Self {
        match reason {
            ExecError::Nested { profile, variable } => Self::new(
                Exit::Usage,
                "exec/nested",
                format!("this is the inside of `exec` already, with profile {}", sanitize_line(&profile)),
                format!("end that one first (`exit`), or unset {variable} if you mean it"),
            ),
            ExecError::NotFound { command } => Self::new(
                Exit::NotFound,
                "exec/not_found",
                format!("there is no command {command}"),
                "check its spelling and the PATH; a builtin or an alias needs its shell: `-- bash -c '…'`",
            ),
            ExecError::NotStarted { command, why } => Self::new(
                Exit::NotStarted,
                "exec/not_started",
                format!("{command} cannot be started: {}", sanitize_line(&why)),
                "check that it is a program and that you may execute it",
            ),
        }
    }
}

impl From<ShellValueError> for Failure {
    fn from(ShellValueError { shell }: ShellValueError) -> Self {
        Self::new(
            Exit::Usage,
            "usage/unwritable",
            format!("AWS's answer holds a character that {shell:?} has no way to write"),
            Hint::from("use ").command(NextCommand::Exec).text(", which needs no writing"),
        )
    }
}
