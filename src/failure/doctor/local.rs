//! What a person can do about this program itself and what it keeps on this machine.
//!
//! What was found, and how grave it is, is for `doctor`.

use crate::{
    failure::{
        Exit, Failure,
        oidc::{PORTS, describe_bind_attempt},
    },
    hint::{Hint, NextCommand},
    oidc::callback::BindAttempt,
    shell::quote_shown_path,
};

/// Paths and texts are safe to print already.
#[derive(Debug)]
pub enum LocalFinding {
    /// Another program of our name on `PATH`; whether a shell would start it instead of this one.
    OtherCopy { path: String, version: String, comes_first: bool },
    /// The configuration holds, and something of it is likely to be wrong; how much more there is.
    ConfigWarnings { first: String, more: usize },
    /// Others may look into what is kept.
    ReadableByOthers { path: String, is_folder: bool },
    /// Nothing that is kept could bring credentials without a person.
    NotSignedIn,
    /// Registered ports that others hold; one that is free, if any is.
    PortsTaken { attempts: Vec<BindAttempt>, free_port: Option<u16> },
    /// A variable is set, and a file decides in its place; the names of others.
    UnusedVariable { name: String, why: String, more: Vec<String> },
    /// The browser that is named is none that can be started.
    NoSuchBrowser { program: String, by_profile: bool },
}

impl From<LocalFinding> for Failure {
    fn from(found: LocalFinding) -> Self {
        let (exit, slug, what, hint) = match found {
            LocalFinding::OtherCopy { path, version, comes_first } => (
                Exit::Configuration,
                "doctor/other_copy",
                match comes_first {
                    true => format!("a shell starts another copy: {path} ({version})"),
                    false => format!("another copy is on PATH as well: {path} ({version})"),
                },
                Hint::from("keep one of them, and run ")
                    .command(NextCommand::Setup)
                    .text(" with it so that every hook names it"),
            ),
            LocalFinding::ConfigWarnings { first, more } => (
                Exit::Configuration,
                "doctor/configuration",
                match more {
                    0 => first,
                    more => format!("{first} (and {more} more)"),
                },
                Hint::from("change it as it says; ").command(NextCommand::ConfigCheck).text(" has every warning"),
            ),
            LocalFinding::ReadableByOthers { path, is_folder } => (
                Exit::Storage,
                "doctor/exposed",
                format!("other users of this machine may look into {path}"),
                format!("run `chmod {} {}`", if is_folder { "700" } else { "600" }, quote_shown_path(&path)).into(),
            ),
            LocalFinding::NotSignedIn => (
                Exit::SignInNeeded,
                "doctor/not_signed_in",
                "nobody is signed in".to_owned(),
                Hint::run(NextCommand::Login),
            ),
            LocalFinding::PortsTaken { attempts, free_port: left } => {
                let tried: Vec<String> = attempts.iter().map(describe_bind_attempt).collect();
                let left = left.map_or_else(String::new, |port| format!("; {port} is free"));
                let what = format!("{}{left}", tried.join("; "));
                (Exit::SignInNeeded, "sign-in/port", what, PORTS.into())
            }
            LocalFinding::UnusedVariable { name, why, more } => {
                let more = match more.is_empty() {
                    true => String::new(),
                    false => format!("; nor are {}", more.join(", ")),
                };
                let what = format!("{name} is not used, because {why}{more}");
                let hint = "unset it; docs/variables.md names the key that says the same in a file";
                (Exit::Configuration, "doctor/unused_variable", what, hint.into())
            }
            LocalFinding::NoSuchBrowser { program, by_profile } => (
                Exit::SignInNeeded,
                "doctor/no_such_browser",
                format!("the browser to be opened does not exist: {program}"),
                format!(
                    "install it, or name another in {}",
                    if by_profile { "`browser` of the profile" } else { "the variable BROWSER" }
                )
                .into(),
            ),
        };
        Self::new(exit, slug, what, hint)
    }
}
