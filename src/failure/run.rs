//! What a person can do when the command of `exec`, or the shell of `env`, cannot have the credentials.
//!
//! How commands are started is for `host`, and how a shell is spoken to for `shell`.

use std::{ffi::OsString, io};

use crate::{
    failure::{Exit, Failure},
    shell::Unwritable,
    text::line,
};

/// Why a command was not run.
#[derive(Debug)]
pub enum NotRun {
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

impl NotRun {
    pub fn of(command: &[OsString], error: &io::Error) -> Self {
        let command = command.first().map_or_else(String::new, |word| line(&word.to_string_lossy()));
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { command },
            _ => Self::NotStarted { command, why: error.to_string() },
        }
    }
}

impl From<NotRun> for Failure {
    fn from(reason: NotRun) -> Self {
        match reason {
            NotRun::Nested { profile, variable } => Self::new(
                Exit::Usage,
                "exec/nested",
                format!(
                    "this is the inside of a `bedrock-sso exec` already, with profile {}",
                    line(&profile)
                ),
                format!("end that one first (`exit`), or unset {variable} if you mean it"),
            ),
            NotRun::NotFound { command } => Self::new(
                Exit::NotFound,
                "exec/not_found",
                format!("there is no command {command}"),
                "check its spelling and the PATH; a builtin or an alias needs its shell: `-- bash -c '…'`",
            ),
            NotRun::NotStarted { command, why } => Self::new(
                Exit::NotStarted,
                "exec/not_started",
                format!("{command} cannot be started: {}", line(&why)),
                "check that it is a program and that you may execute it",
            ),
        }
    }
}

impl From<Unwritable> for Failure {
    fn from(Unwritable { shell }: Unwritable) -> Self {
        Self::new(
            Exit::Usage,
            "usage/unwritable",
            format!("AWS's answer holds a character that {shell:?} has no way to write"),
            "use `bedrock-sso exec -- cmd`, which needs no writing",
        )
    }
}
