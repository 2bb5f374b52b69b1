//! What a user can do next: text, and commands of this program within it.
//!
//! A hint stays a value until it is shown. Only then is it known with which profile and which configuration file the
//! user called, and each command is completed with the flags that lead to the same ones.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{shell::quote_word, text::escape_controls};

/// A command of this program that a hint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum NextCommand {
    Login,
    LoginForce,
    LoginDevice,
    LoginNoBrowser,
    LoginClientSecret,
    LoginKeyPassphrase,
    LoginVerbose,
    Logout,
    LogoutAll,
    Setup,
    Exec,
    ConsoleNoBrowser,
    DoctorLive,
    ConfigCheck,
    ConfigPath,
    Help,
}

/// Which flags a command needs to reach the profile and the file of the call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selectors {
    ProfileAndFile,
    /// The command concerns all profiles.
    File,
    Nothing,
}

impl NextCommand {
    /// The words after the program's name, and the flags that belong to them. Those go before `--`, behind which all words
    /// belong to another command.
    fn spelling(self) -> (&'static str, Selectors) {
        match self {
            Self::Login => ("login", Selectors::ProfileAndFile),
            Self::LoginForce => ("login --force", Selectors::ProfileAndFile),
            Self::LoginDevice => ("login --device", Selectors::ProfileAndFile),
            Self::LoginNoBrowser => ("login --no-browser", Selectors::ProfileAndFile),
            Self::LoginClientSecret => ("login --client-secret-stdin", Selectors::ProfileAndFile),
            Self::LoginKeyPassphrase => ("login --client-key-passphrase-stdin", Selectors::ProfileAndFile),
            Self::LoginVerbose => ("login -vv", Selectors::ProfileAndFile),
            Self::Logout => ("logout", Selectors::ProfileAndFile),
            Self::LogoutAll => ("logout --all", Selectors::File),
            Self::Setup => ("setup", Selectors::ProfileAndFile),
            Self::Exec => ("exec -- cmd", Selectors::ProfileAndFile),
            Self::ConsoleNoBrowser => ("console --no-browser", Selectors::ProfileAndFile),
            Self::DoctorLive => ("doctor --live", Selectors::ProfileAndFile),
            Self::ConfigCheck => ("config check", Selectors::File),
            Self::ConfigPath => ("config path", Selectors::File),
            Self::Help => ("--help", Selectors::Nothing),
        }
    }
}

/// How the user reaches the profile and the configuration file of this call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    profile: Option<String>,
    config: Option<PathBuf>,
}

impl Invocation {
    /// `profile`: `None` where commands choose it without a flag. `config`: the value of `--config`, if one was given.
    pub fn new(profile: Option<&str>, config: Option<&Path>) -> Self {
        Self { profile: profile.map(str::to_owned), config: config.map(Path::to_owned) }
    }

    /// The command as the user has to type it.
    pub fn command_line(&self, command: NextCommand) -> String {
        let profile = self.profile.as_deref().map(|name| format_flag("--profile", name));
        let config = self.config.as_deref().map(|file| format_flag("--config", &file.to_string_lossy()));
        let (words, selectors) = command.spelling();
        let selected = match selectors {
            Selectors::ProfileAndFile => [profile, config],
            Selectors::File => [None, config],
            Selectors::Nothing => [None, None],
        };
        let flags: String = selected.into_iter().flatten().collect();
        match words.split_once(" -- ") {
            Some((own, rest)) => format!("bedrock-sso {own}{flags} -- {rest}"),
            None => format!("bedrock-sso {words}{flags}"),
        }
    }
}

/// A flag with its value. A value that begins with a dash would be taken for another flag if it stood alone.
fn format_flag(flag: &str, value: &str) -> String {
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {flag}{separator}{}", quote_word(&escape_controls(value)))
}

/// One line of advice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredHint", into = "StoredHint")]
pub struct Hint(Vec<HintPart>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum HintPart {
    Text(Cow<'static, str>),
    Command { command: NextCommand },
}

/// A hint in files and between processes. One without a command is a string, as earlier versions wrote all of them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredHint {
    Text(Cow<'static, str>),
    Parts(Vec<HintPart>),
}

impl Hint {
    /// "run `bedrock-sso login`", or another command.
    pub fn run(command: NextCommand) -> Self {
        Self::from("run ").command(command)
    }

    /// This hint, followed by a command.
    #[must_use]
    pub fn command(mut self, command: NextCommand) -> Self {
        self.0.push(HintPart::Command { command });
        self
    }

    /// This hint, followed by text.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(HintPart::Text(text.into()));
        self
    }

    /// The hint for a user who called in this way, each command in backticks.
    pub fn render(&self, invocation: &Invocation) -> String {
        let render_part = |part: &HintPart| match part {
            HintPart::Text(text) => text.clone(),
            HintPart::Command { command } => format!("`{}`", invocation.command_line(*command)).into(),
        };
        self.0.iter().map(render_part).collect()
    }

    /// The same hint with text that is safe to print, wherever it came from.
    #[must_use]
    pub fn escape_texts(self) -> Self {
        let escape_part = |part| match part {
            HintPart::Text(text) => HintPart::Text(escape_controls(&text).into()),
            HintPart::Command { .. } => part,
        };
        Self(self.0.into_iter().map(escape_part).collect())
    }
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        Self::default().text(text)
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::default().text(text)
    }
}

impl From<StoredHint> for Hint {
    fn from(stored: StoredHint) -> Self {
        match stored {
            StoredHint::Text(text) => Self::default().text(text),
            StoredHint::Parts(parts) => Self(parts),
        }
    }
}

impl From<Hint> for StoredHint {
    fn from(hint: Hint) -> Self {
        match <[HintPart; 1]>::try_from(hint.0) {
            Ok([HintPart::Text(text)]) => Self::Text(text),
            Ok(parts) => Self::Parts(parts.into()),
            Err(parts) => Self::Parts(parts),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use clap::ValueEnum as _;

    use super::*;
    #[cfg(unix)]
    use crate::cli::Cli;

    /// The words that a shell makes of a command line.
    #[cfg(unix)]
    #[expect(clippy::disallowed_methods, reason = "the test asks the real shell")]
    fn split_by_shell(line: &str) -> Vec<std::ffi::OsString> {
        let script = format!("set -- {line}; for word; do printf '%s\\0' \"$word\"; done");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        words.split_terminator('\0').map(Into::into).collect()
    }

    #[test]
    #[cfg(unix)]
    fn every_command_selects_the_profile_and_the_file_of_the_call() {
        let invocations = [
            (None, None),
            (Some("work"), None),
            (None, Some("/etc/my own.toml")),
            (Some("a b"), Some("it's \"$HOME\" `x`.toml")),
            (Some("-odd"), Some("-odd.toml")),
            (None, Some("~/not home.toml")),
        ];
        for command in NextCommand::value_variants() {
            for (profile, config) in invocations {
                let line = Invocation::new(profile, config.map(Path::new)).command_line(*command);
                let parsed = Cli::parse_args(split_by_shell(&line));
                if *command == NextCommand::Help {
                    assert_eq!(parsed.unwrap_err().kind(), clap::error::ErrorKind::DisplayHelp);
                    continue;
                }
                let global = parsed.unwrap_or_else(|error| panic!("{line}: {error}")).global;
                let concerns_one_profile = command.spelling().1 == Selectors::ProfileAndFile;
                assert_eq!(global.profile.as_deref(), profile.filter(|_| concerns_one_profile), "{line}");
                assert_eq!(global.config.as_deref(), config.map(Path::new), "{line}");
            }
        }
    }

    #[test]
    fn a_command_without_flags_is_as_short_as_it_can_be() {
        let plain = Invocation::default();
        assert_eq!(plain.command_line(NextCommand::LoginForce), "bedrock-sso login --force");
        assert_eq!(plain.command_line(NextCommand::Exec), "bedrock-sso exec -- cmd");
    }

    #[test]
    fn a_hint_is_rendered_for_the_call_that_shows_it() {
        let hint = Hint::run(NextCommand::Login).text(" or ").command(NextCommand::LogoutAll);
        let invocation = Invocation::new(Some("work"), Some(Path::new("/c.toml")));
        assert_eq!(
            hint.render(&invocation),
            "run `bedrock-sso login --profile work --config /c.toml` or `bedrock-sso logout --all --config /c.toml`"
        );
        assert_eq!(hint.render(&Invocation::default()), "run `bedrock-sso login` or `bedrock-sso logout --all`");
    }

    #[test]
    fn stored_hints_are_values_and_those_of_earlier_versions_are_text() {
        for hint in [Hint::from("check it"), Hint::run(NextCommand::LoginForce).text(" now")] {
            let stored = serde_json::to_string(&hint).unwrap();
            assert_eq!(serde_json::from_str::<Hint>(&stored).unwrap(), hint, "{stored}");
        }
        let earlier = r#""run `bedrock-sso login`""#;
        let hint: Hint = serde_json::from_str(earlier).unwrap();
        assert_eq!(hint, Hint::from("run `bedrock-sso login`"));
        assert_eq!(serde_json::to_string(&hint).unwrap(), earlier);
    }

    #[test]
    fn text_of_a_stored_hint_cannot_control_the_terminal() {
        let hint = Hint::from("a\u{1b}[2J").command(NextCommand::Login).escape_texts();
        assert_eq!(hint.render(&Invocation::default()), "a\\u{1b}[2J`bedrock-sso login`");
    }
}
