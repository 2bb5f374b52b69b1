//! Messages and hints for a command line or an input that the program cannot use, and for the command of `exec`.
//!
//! `cli` defines what a command line may contain. The argument parser words its own errors; this file shortens them to
//! one line and adds a hint, so that they look like every other failure.

use std::{ffi::OsString, io, path::Path};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    config::{Profile, SignInSettings},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    shell::ShellValueError,
    text::{describe_io_error, sanitize_line},
};

/// An error of the argument parser, with exit code 2. The parser finds similar names, so a typing error gets the likely
/// word as its hint. For all other errors the help is the best hint.
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
            (None, known) if !known.is_empty() => format!("use one of {}", known.join(", ")).into(),
            (None, _) => {
                Hint::run(NextCommand::Help).text(" for all commands, or add `--help` to a command for its options")
            }
        };
        Self::new(Exit::Usage, slug, summarize_parse_error(error), hint)
    }
}

/// The first line of the parser's message. The lines below it repeat the usage and the tip, which the hint already
/// gives.
fn summarize_parse_error(error: &clap::Error) -> String {
    let printed = error.render().to_string();
    let sentence = printed.lines().next().unwrap_or_default();
    // The parser puts the names of missing arguments on lines of their own, and they are the fact that the user needs.
    let missing = if error.kind() == ErrorKind::MissingRequiredArgument {
        list_context_values(error, ContextKind::InvalidArg).join(", ")
    } else {
        String::new()
    };
    sanitize_line(format!("{} {missing}", sentence.strip_prefix("error: ").unwrap_or(sentence)).trim_end())
}

/// The known word that is most similar to what the user typed.
fn find_suggestion(error: &clap::Error) -> Option<String> {
    let suggested = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    // The parser sorts them from the least similar to the most similar.
    suggested.iter().find_map(|kind| list_context_values(error, *kind).pop())
}

/// All texts of this kind that the parser attached to its error. It stores a single one in another variant than
/// several.
fn list_context_values(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![sanitize_line(one)],
        Some(ContextValue::Strings(several)) => several.iter().map(|one| sanitize_line(one)).collect(),
        _ => Vec::new(),
    }
}

impl Failure {
    /// `login --client-secret-stdin`, although the profile does not use a secret. Storing it would leave a secret on
    /// the machine that nothing reads.
    pub fn from_unused_secret(profile: &Profile) -> Self {
        let hint = "set `client_auth = \"secret\"` in the profile, or omit the flag";
        describe_unused_flag(profile, "secret", hint)
    }

    /// `login --client-key-passphrase-stdin`, although the profile does not use a private key.
    pub fn from_unused_passphrase(profile: &Profile) -> Self {
        let hint = "set `client_auth = \"private_key_jwt\"` and `client_key` in the profile, or omit the flag";
        describe_unused_flag(profile, "passphrase", hint)
    }

    /// A passphrase for a profile with `storage = "none"`. The program would have to forget it at once.
    pub fn from_disabled_storage(profile: &Profile) -> Self {
        let name = sanitize_line(&profile.name);
        let what = format!("the profile {name} has storage = \"none\", so a passphrase cannot be stored");
        let hint = "set `storage = \"keyring\"` or `storage = \"file\"`, or use a private key that is not encrypted";
        Self::new(Exit::Configuration, "config/contradiction", what, hint)
    }

    /// The target of `doctor --bundle` exists and is not a bundle. Overwriting it could destroy the user's data.
    pub fn from_foreign_bundle(path: &Path) -> Self {
        let what = format!("{} exists and is not a bundle of `doctor`", path.display());
        Self::new(Exit::Usage, "usage/bundle", what, "choose another file name, or remove that file first")
    }

    /// The input on stdin cannot be a secret; `what` is the message. The value itself is never part of it.
    pub fn from_bad_secret(what: impl AsRef<str>) -> Self {
        let hint = "pipe only the secret to stdin, or run the command in a terminal to be prompted";
        Self::new(Exit::Usage, "usage/secret", what, hint)
    }

    /// `exec` inside a command of `exec`. The inner command would get the credentials of another role than the prompt
    /// of the outer shell suggests. `variable` is the one by which the outer `exec` marks its child.
    pub fn from_nested_exec(profile: &str, variable: &str) -> Self {
        let what = format!("this command already runs inside `exec` with profile {}", sanitize_line(profile));
        let hint = format!("leave it with `exit` first, or unset {variable} to nest them on purpose");
        Self::new(Exit::Usage, "exec/nested", what, hint)
    }

    /// The command of `exec` was not started. The exit codes are those of shells, so that scripts can treat `exec` as
    /// one.
    pub fn from_start_error(command: &[OsString], error: &io::Error) -> Self {
        let command = command.first().map_or_else(String::new, |word| sanitize_line(&word.to_string_lossy()));
        if error.kind() == io::ErrorKind::NotFound {
            let hint = "check its spelling and PATH; for a shell's builtin or alias, write `-- bash -c '…'`";
            return Self::new(Exit::NotFound, "exec/not_found", format!("the command {command} was not found"), hint);
        }
        let what = format!("cannot start {command}: {}", sanitize_line(&describe_io_error(error)));
        let hint = "check that it is a program and that you can execute it";
        Self::new(Exit::NotStarted, "exec/not_started", what, hint)
    }
}

/// `subject` is what the flag would store: "secret" or "passphrase".
fn describe_unused_flag(profile: &Profile, subject: &str, hint: &'static str) -> Failure {
    let name = sanitize_line(&profile.name);
    let because = match &profile.sign_in {
        SignInSettings::Oidc(oidc) => format!("it has client_auth = \"{}\"", oidc.client_auth.name()),
        SignInSettings::IdentityCenter(_) => "it signs in at IAM Identity Center".to_owned(),
    };
    let what = format!("the profile {name} uses no {subject}, because {because}");
    Failure::new(Exit::Configuration, "config/secret_not_used", what, hint)
}

/// `env` cannot write a value for this shell. cmd, for example, has no way to quote a line break or a percent sign.
/// `exec` passes the values without a shell.
impl From<ShellValueError> for Failure {
    fn from(ShellValueError { shell }: ShellValueError) -> Self {
        let what = format!("the answer of AWS has a character that cannot be quoted for {shell:?}");
        let hint = Hint::run(NextCommand::Exec).text(" instead, which needs no quoting");
        Self::new(Exit::Usage, "usage/unwritable", what, hint)
    }
}
