//! Hints: one line of advice, made of text and of commands of this program.
//!
//! A hint holds a command as a value and not as text. When the hint is shown, each command gets the `--profile` and
//! `--config` flags of the current call, so that a user can copy it and reach the same profile and file. The worker
//! stores a hint before it is shown, and another call with other flags may show it.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{shell::quote_word, text::escape_controls};

/// A command of this program that a hint can name. A test parses every one of them with the real command line, so no
/// hint can name a command or flag that does not exist.
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
    LogoutBrowser,
    Setup,
    Exec,
    ConsoleNoBrowser,
    Quota,
    OtelRelayVerbose,
    Doctor,
    DoctorLive,
    ConfigCheck,
    ConfigPath,
    Help,
}

/// Which flags of the current call a command takes over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selectors {
    ProfileAndFile,
    /// The command works on all profiles and rejects `--profile`.
    File,
    /// The command reads no configuration.
    Nothing,
}

impl NextCommand {
    /// The words after the program's name, and the flags to add. The flags must stand before `--`, because everything
    /// after it belongs to the command of `exec`.
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
            Self::LogoutBrowser => ("logout --browser", Selectors::ProfileAndFile),
            Self::Setup => ("setup", Selectors::ProfileAndFile),
            Self::Exec => ("exec -- cmd", Selectors::ProfileAndFile),
            Self::ConsoleNoBrowser => ("console --no-browser", Selectors::ProfileAndFile),
            Self::Quota => ("quota", Selectors::ProfileAndFile),
            Self::OtelRelayVerbose => ("otel-relay -v", Selectors::ProfileAndFile),
            Self::Doctor => ("doctor", Selectors::ProfileAndFile),
            Self::DoctorLive => ("doctor --live", Selectors::ProfileAndFile),
            Self::ConfigCheck => ("config check", Selectors::File),
            Self::ConfigPath => ("config path", Selectors::File),
            Self::Help => ("--help", Selectors::Nothing),
        }
    }
}

/// How the user selected the profile and the configuration file of this call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The profile, if a command must name it. `None` if commands choose the same one without a flag.
    profile: Option<String>,
    /// The value of `--config`.
    config: Option<PathBuf>,
}

impl Invocation {
    /// `profile` is `None` if commands choose the same profile without a flag. `config` is the value of `--config`, if
    /// given.
    pub fn new(profile: Option<&str>, config: Option<&Path>) -> Self {
        Self { profile: profile.map(str::to_owned), config: config.map(Path::to_owned) }
    }

    /// The complete command line, quoted for the user's shell, with the flags that select the same profile and file.
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

/// A flag with its quoted value. A value that begins with a dash is joined with `=`, because the parser would otherwise
/// read it as another flag.
fn format_flag(flag: &str, value: &str) -> String {
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {flag}{separator}{}", quote_word(&escape_controls(value)))
}

/// One line of advice: an imperative with one action. It is built with [`Hint::run`], [`Hint::text`] and
/// [`Hint::command`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredHint", into = "StoredHint")]
pub struct Hint(Vec<HintPart>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum HintPart {
    Text(Cow<'static, str>),
    Command { command: NextCommand },
}

/// The form of a hint in files and between processes. A hint without a command is a plain string, because earlier
/// versions wrote all of their hints in this form.
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

    /// This hint, followed by a command in backticks.
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

    /// Whether one of the commands is a sign-in.
    pub fn names_login(&self) -> bool {
        self.0.iter().any(|part| match part {
            HintPart::Text(_) => false,
            HintPart::Command { command } => command.spelling().0.starts_with("login"),
        })
    }

    /// The same hint with `setup` in place of `login`, for a user who has no profile yet.
    #[must_use]
    pub fn with_setup_for_login(self) -> Self {
        let replace = |part| match part {
            HintPart::Command { command: NextCommand::Login | NextCommand::LoginForce } => {
                HintPart::Command { command: NextCommand::Setup }
            }
            HintPart::Text(_) | HintPart::Command { .. } => part,
        };
        Self(self.0.into_iter().map(replace).collect())
    }

    /// The hint as one line. Each command is in backticks and has the flags of `invocation`. The text is not escaped
    /// here; see [`Hint::escape_texts`].
    pub fn render(&self, invocation: &Invocation) -> String {
        let render_part = |part: &HintPart| match part {
            HintPart::Text(text) => text.clone(),
            HintPart::Command { command } => format!("`{}`", invocation.command_line(*command)).into(),
        };
        self.0.iter().map(render_part).collect()
    }

    /// The same hint with escaped control characters. A stored hint comes from a file that another program could have
    /// written, so its text must not control the terminal. Commands are values and need no escape.
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

    /// The words that a real shell makes of a command line.
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
    fn hint_command_selects_profile_and_file_of_the_call() {
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
    fn command_without_selectors_gets_no_flags() {
        let plain = Invocation::default();
        assert_eq!(plain.command_line(NextCommand::LoginForce), "bedrock-sso login --force");
        assert_eq!(plain.command_line(NextCommand::Exec), "bedrock-sso exec -- cmd");
    }

    #[test]
    fn hint_is_rendered_for_the_call_that_shows_it() {
        let hint = Hint::run(NextCommand::Login).text(" or ").command(NextCommand::LogoutAll);
        let invocation = Invocation::new(Some("work"), Some(Path::new("/c.toml")));
        assert_eq!(
            hint.render(&invocation),
            "run `bedrock-sso login --profile work --config /c.toml` or `bedrock-sso logout --all --config /c.toml`"
        );
        assert_eq!(hint.render(&Invocation::default()), "run `bedrock-sso login` or `bedrock-sso logout --all`");
    }

    #[test]
    fn stored_hint_round_trips_and_older_text_is_read() {
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
    fn stored_hint_text_cannot_control_the_terminal() {
        let hint = Hint::from("a\u{1b}[2J").command(NextCommand::Login).escape_texts();
        assert_eq!(hint.render(&Invocation::default()), "a\\u{1b}[2J`bedrock-sso login`");
    }
}
