//! What a user can do about a command line that means nothing, about input that is not what it asks for, and about
//! the command of `exec`.
//!
//! What it may say is for `cli`, and how commands are started for `host`.

use std::{ffi::OsString, io, path::Path};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    config::Profile,
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    shell::ShellValueError,
    text::sanitize_line,
};

impl From<&clap::Error> for Failure {
    fn from(error: &clap::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "clap's enum is non-exhaustive")]
        let slug = match error.kind() {
            ErrorKind::InvalidSubcommand => "usage/unknown_command",
            ErrorKind::UnknownArgument => "usage/unknown_argument",
            _ => "usage/wrong_value",
        };
        let hint = match (find_suggestion(error), list_context_values(error, ContextKind::ValidValue)) {
            (Some(nearest), _) => format!("did you mean `{nearest}`?").into(),
            (None, known) if !known.is_empty() => format!("it is one of {}", known.join(", ")).into(),
            (None, _) => Hint::default()
                .command(NextCommand::Help)
                .text(" lists the commands, and `--help` after one what it takes"),
        };
        Self::new(Exit::Usage, slug, summarize_parse_error(error), hint)
    }
}

/// The parser's own sentence, which is the first line of what it would print.
fn summarize_parse_error(error: &clap::Error) -> String {
    let printed = error.render().to_string();
    let sentence = printed.lines().next().unwrap_or_default();
    // What is missing stands on lines of its own.
    let missing = if error.kind() == ErrorKind::MissingRequiredArgument {
        list_context_values(error, ContextKind::InvalidArg).join(", ")
    } else {
        String::new()
    };
    sanitize_line(format!("{} {missing}", sentence.strip_prefix("error: ").unwrap_or(sentence)).trim_end())
}

/// What the parser knows that comes closest to what was typed.
fn find_suggestion(error: &clap::Error) -> Option<String> {
    let suggested = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    // The parser lists them from the least like to the most.
    suggested.iter().find_map(|kind| list_context_values(error, *kind).pop())
}

/// What the parser tells of this kind, be it one or several.
fn list_context_values(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![sanitize_line(one)],
        Some(ContextValue::Strings(several)) => several.iter().map(|one| sanitize_line(one)).collect(),
        _ => Vec::new(),
    }
}

impl Failure {
    /// The profile has no use for a secret.
    pub fn from_unused_secret(profile: &Profile) -> Self {
        let hint = "set client_auth = \"secret\" in the profile, or leave the flag away";
        describe_unused_flag(profile, "secret", hint)
    }

    /// The profile has no private key.
    pub fn from_unused_passphrase(profile: &Profile) -> Self {
        let hint = "set client_auth = \"private_key_jwt\" and `client_key` in the profile, or leave the flag away";
        describe_unused_flag(profile, "passphrase", hint)
    }

    /// The profile keeps nothing, not even a passphrase.
    pub fn from_disabled_storage(profile: &Profile) -> Self {
        let name = sanitize_line(&profile.name);
        let what = format!("the profile {name} has storage = \"none\", so no passphrase can be kept for it");
        let hint =
            "set storage = \"keyring\" (or \"file\" where there is no keyring), or use a key that is not encrypted";
        Self::new(Exit::Configuration, "config/contradiction", what, hint)
    }

    /// A file that is no earlier bundle would be lost.
    pub fn from_foreign_bundle(path: &Path) -> Self {
        let what = format!("{} exists, and is no bundle of `doctor`", path.display());
        Self::new(Exit::Usage, "usage/bundle", what, "name another file, or remove that one first")
    }

    /// What came on stdin cannot be a secret: `what` says why.
    pub fn from_bad_secret(what: impl AsRef<str>) -> Self {
        let hint = "give the secret alone on stdin, or run the same command at a terminal to be asked for it";
        Self::new(Exit::Usage, "usage/secret", what, hint)
    }

    /// A command of `exec` would run inside of another one.
    pub fn from_nested_exec(profile: &str, variable: &str) -> Self {
        let what = format!("this is the inside of `exec` already, with profile {}", sanitize_line(profile));
        let hint = format!("end that one first (`exit`), or unset {variable} if you mean it");
        Self::new(Exit::Usage, "exec/nested", what, hint)
    }

    /// The command of `exec` was not started.
    pub fn from_start_error(command: &[OsString], error: &io::Error) -> Self {
        let command = command.first().map_or_else(String::new, |word| sanitize_line(&word.to_string_lossy()));
        if error.kind() == io::ErrorKind::NotFound {
            let hint = "check its spelling and the PATH; a builtin or an alias needs its shell: `-- bash -c '…'`";
            return Self::new(Exit::NotFound, "exec/not_found", format!("there is no command {command}"), hint);
        }
        let what = format!("{command} cannot be started: {}", sanitize_line(&error.to_string()));
        let hint = "check that it is a program and that you may execute it";
        Self::new(Exit::NotStarted, "exec/not_started", what, hint)
    }
}

fn describe_unused_flag(profile: &Profile, subject: &str, hint: &'static str) -> Failure {
    let (name, method) = (sanitize_line(&profile.name), profile.client_auth.name());
    let what = format!("the profile {name} has client_auth = \"{method}\", which needs no {subject}");
    Failure::new(Exit::Configuration, "config/secret_not_used", what, hint)
}

impl From<ShellValueError> for Failure {
    fn from(ShellValueError { shell }: ShellValueError) -> Self {
        let what = format!("AWS's answer holds a character that {shell:?} has no way to write");
        let hint = Hint::from("use ").command(NextCommand::Exec).text(", which needs no writing");
        Self::new(Exit::Usage, "usage/unwritable", what, hint)
    }
}
