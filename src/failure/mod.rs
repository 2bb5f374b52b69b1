//! Every error in the form in which a user sees it: a message, a hint, a stable slug and an exit code.
//!
//! The modules below report typed facts. This module alone turns each of them into words, so that all advice of the
//! program stands in one place and stays consistent. Code decides by the typed facts and never by a slug or a message.
//!
//! Each file words the errors of one area, and its `match`es have no `_` arm: a new error does not compile without a
//! hint.
#![deny(clippy::wildcard_enum_match_arm)]

mod aws;
mod config;
mod console;
pub mod doctor;
mod http;
mod storage;
mod sign_in;
mod portal_sign_in;
mod oidc;
mod quota;
mod relay;
mod session;
mod setup;
mod system;
mod usage;
#[cfg(test)]
mod wording;

use std::process::ExitCode;

use clap::ValueEnum;

pub use aws::BedrockCall;
pub use oidc::describe_unmet_requirement;
pub use session::report_session_error;
pub use sign_in::{LockWaitTimeout, choose_login, describe_change, describe_refresh_obstacle};

use crate::{
    hint::{Hint, Invocation},
    text::escape_controls,
};

/// The documented exit codes. Scripts and hosts such as Claude Code depend on these numbers, so a number never changes
/// its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exit {
    /// A bug, or an operating system that denies what every run needs.
    Internal = 1,
    /// A command line or an input that the program cannot use.
    Usage = 2,
    Configuration = 3,
    /// The user has to sign in, and the command could not prompt.
    SignInNeeded = 4,
    /// The identity provider refused the sign-in.
    Refused = 5,
    /// The provider issued a token that failed verification.
    TokenRejected = 6,
    Aws = 7,
    OverQuota = 8,
    Network = 9,
    /// The keyring or a file failed.
    Storage = 10,
    /// Another process held a lock for too long.
    Busy = 11,
    /// The command of `exec` exists and could not be started; shells use the same number.
    NotStarted = 126,
    /// The command of `exec` does not exist; shells use the same number.
    NotFound = 127,
    /// The user pressed Ctrl-C; shells use the same number (128 and the number of SIGINT).
    Interrupted = 130,
}

/// A failure in the form in which it is shown.
///
/// All of its texts are safe to print: no text of a provider, of AWS or of a file name can add a line or control the
/// terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    /// A stable name to search for, such as `sign-in/access_denied`. A released slug never changes its meaning.
    slug: String,
    /// The message: one line with the fact, its object and its cause.
    what: String,
    /// One line with one action for the user.
    hint: Hint,
}

impl Failure {
    /// Private, so that only this module gives advice. The module that receives foreign text shortens and escapes it.
    /// File names must stay complete, so they are escaped here.
    fn new(exit: Exit, slug: impl Into<String>, what: impl AsRef<str>, hint: impl Into<Hint>) -> Self {
        Self { exit, slug: slug.into(), what: escape_controls(what.as_ref()), hint: hint.into().escape_texts() }
    }

    /// The same failure with its subject in front, for a command that tried several: "SUBJECT: MESSAGE".
    fn with_subject(self, subject: &str) -> Self {
        Self { what: format!("{subject}: {}", self.what), ..self }
    }

    /// The same failure with other advice, for a caller that knows the cause better.
    fn with_hint(self, hint: impl Into<Hint>) -> Self {
        Self { hint: hint.into().escape_texts(), ..self }
    }

    /// The same failure with another exit code, for a command in which it has another consequence.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The code with which a command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The slug, for users and logs. Code must decide by the typed error and not by this text.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// The message, one line without control characters.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The hint, one line without control characters. Its commands select the profile and the file of `invocation`.
    pub fn hint(&self, invocation: &Invocation) -> String {
        self.hint.render(invocation)
    }

    /// The two lines that a failed command prints to stderr: the message with its slug, and the hint. The hint's
    /// commands select the profile and the file of `invocation`.
    pub fn render(&self, invocation: &Invocation) -> String {
        format!("bedrock-sso: {} [{}]\n  hint: {}\n", self.what, self.slug, self.hint(invocation))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(u8::from(exit))
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

/// The worker sends its exit code as a number, and another version of this program may have written a stored failure. A
/// number that this version does not know is an error.
impl TryFrom<u8> for Exit {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        let mut all = Self::value_variants().iter().copied();
        all.find(|exit| u8::from(*exit) == code).ok_or("not an exit code of this program")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_renders_as_message_line_and_hint_line() {
        let failure = Failure::new(Exit::Refused, "sign-in/access_denied", "the provider refused", "try again");
        assert_eq!(
            failure.render(&Invocation::default()),
            "bedrock-sso: the provider refused [sign-in/access_denied]\n  hint: try again\n"
        );
    }

    #[test]
    fn file_name_in_a_failure_is_escaped() {
        let failure = Failure::new(Exit::Storage, "files/refused", "cannot read a\nb\u{202e}c", "remove \u{1b}[2J");
        assert_eq!(
            failure.render(&Invocation::default()),
            "bedrock-sso: cannot read a\\u{a}b\\u{202e}c [files/refused]\n  hint: remove \\u{1b}[2J\n"
        );
    }

    #[test]
    fn exit_code_round_trips_as_a_number() {
        for code in (1..=11).chain([126, 127, 130]) {
            assert_eq!(u8::from(Exit::try_from(code).unwrap()), code);
        }
        assert!(Exit::try_from(0).is_err() && Exit::try_from(12).is_err());
    }
}
