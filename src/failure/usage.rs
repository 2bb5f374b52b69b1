//! What a person can do about a command line that means nothing.
//!
//! What it may say is for `cli`.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    config::Profile,
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
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

/// What cannot be taken for what the command line asks: on stdin in place of a secret, or where a bundle shall lie.
#[derive(Debug)]
pub enum InputError<'a> {
    /// The profile has no use for one.
    SecretNotUsed {
        profile: &'a Profile,
    },
    /// The profile has no private key.
    PassphraseNotUsed {
        profile: &'a Profile,
    },
    /// The profile keeps nothing.
    StorageDisabled {
        profile: &'a Profile,
    },
    /// A file that is no earlier bundle would be lost.
    NotABundle {
        path: PathBuf,
    },
    Empty,
    TooLong {
        limit: usize,
    },
    NotText,
    NotOneLine,
}

impl From<InputError<'_>> for Failure {
    fn from(unfit: InputError<'_>) -> Self {
        let what = match unfit {
            InputError::SecretNotUsed { profile } => {
                let what = format!(
                    "the profile {} has client_auth = \"{}\", which needs no secret",
                    sanitize_line(&profile.name),
                    profile.client_auth.name()
                );
                let hint = "set client_auth = \"secret\" in the profile, or leave the flag away";
                return Self::new(Exit::Configuration, "config/secret_not_used", what, hint);
            }
            InputError::PassphraseNotUsed { profile } => {
                let what = format!(
                    "the profile {} has client_auth = \"{}\", which needs no passphrase",
                    sanitize_line(&profile.name),
                    profile.client_auth.name()
                );
                let hint =
                    "set client_auth = \"private_key_jwt\" and `client_key` in the profile, or leave the flag away";
                return Self::new(Exit::Configuration, "config/secret_not_used", what, hint);
            }
            InputError::StorageDisabled { profile } => {
                let what = format!(
                    "the profile {} has storage = \"none\", so no passphrase can be kept for it",
                    sanitize_line(&profile.name)
                );
                let hint = "set storage = \"keyring\" (or \"file\" where there is no keyring), or use a key that is not encrypted";
                return Self::new(Exit::Configuration, "config/contradiction", what, hint);
            }
            InputError::NotABundle { path } => {
                let what = format!("{} exists, and is no bundle of `doctor`", path.display());
                let hint = "name another file, or remove that one first";
                return Self::new(Exit::Usage, "usage/bundle", what, hint);
            }
            InputError::Empty => "no secret came on stdin".to_owned(),
            InputError::TooLong { limit } => format!("what came on stdin is longer than {limit} bytes"),
            InputError::NotText => "what came on stdin is not text in UTF-8".to_owned(),
            InputError::NotOneLine => "what came on stdin is more than one line of plain text".to_owned(),
        };
        let hint = "give the secret alone on stdin, or run the same command at a terminal to be asked for it";
        Self::new(Exit::Usage, "usage/secret", what, hint)
    }
}
