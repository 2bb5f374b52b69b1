//! Every error as a person meets it: what happened, what to do, a stable slug, an exit code.
//!
//! The only place with advice. Modules below report typed facts; the files here turn each into a sentence and a remedy.
#![deny(clippy::wildcard_enum_match_arm)]

mod aws;
mod config;
mod console;
pub mod doctor;
mod http;
mod storage;
mod sign_in;
mod oidc;
mod quota;
mod session;
mod setup;
mod system;
mod usage;
#[cfg(test)]
mod wording;

use std::process::ExitCode;

use clap::ValueEnum;

pub use session::report_session_error;
pub use sign_in::{LockWaitTimeout, describe_change};

use crate::{
    hint::{Hint, Invocation},
    text::escape_controls,
};

/// The documented exit codes. Their numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exit {
    Internal = 1,
    Usage = 2,
    Configuration = 3,
    SignInNeeded = 4,
    Refused = 5,
    TokenRejected = 6,
    Aws = 7,
    OverQuota = 8,
    Network = 9,
    Storage = 10,
    Busy = 11,
    /// The command of `exec` cannot be started, as shells say it.
    NotStarted = 126,
    /// There is no such command.
    NotFound = 127,
    Interrupted = 130,
}

/// A failure in the form in which it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    /// Stable, for searching and for scripts: `sign-in/access_denied`.
    slug: String,
    /// One line that stands alone; foreign text in it is escaped already.
    what: String,
    /// One line of what to do.
    hint: Hint,
}

impl Failure {
    /// Private, so that advice is given in this room and nowhere else. Foreign text is cut where it comes in; a file's name,
    /// which must stay whole, is made safe here.
    fn new(exit: Exit, slug: impl Into<String>, what: impl AsRef<str>, hint: impl Into<Hint>) -> Self {
        Self { exit, slug: slug.into(), what: escape_controls(what.as_ref()), hint: hint.into().escape_texts() }
    }

    /// The same failure of one among several things that were tried: `subject` says which.
    fn with_subject(self, subject: &str) -> Self {
        Self { what: format!("{subject}: {}", self.what), ..self }
    }

    fn with_hint(self, hint: impl Into<Hint>) -> Self {
        Self { hint: hint.into().escape_texts(), ..self }
    }

    /// The same failure where it has another consequence.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The code with which a command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// For users and logs; what happens next must not depend on it.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// What happened, in one safe line.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do, in one safe line. Its commands lead to the profile and the file of `invocation`.
    pub fn hint(&self, invocation: &Invocation) -> String {
        self.hint.render(invocation)
    }

    /// The two lines that a command ends with. The hint's commands lead to the profile and the file of `invocation`.
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
    fn a_failure_is_one_line_of_what_and_one_of_what_to_do() {
        let failure = Failure::new(Exit::Refused, "sign-in/access_denied", "the provider refused", "ask somebody");
        assert_eq!(
            failure.render(&Invocation::default()),
            "bedrock-sso: the provider refused [sign-in/access_denied]\n  hint: ask somebody\n"
        );
    }

    #[test]
    fn the_name_of_a_file_cannot_add_a_line_or_be_obeyed() {
        let failure = Failure::new(Exit::Storage, "files/refused", "cannot read a\nb\u{202e}c", "remove \u{1b}[2J");
        assert_eq!(
            failure.render(&Invocation::default()),
            "bedrock-sso: cannot read a\\u{a}b\\u{202e}c [files/refused]\n  hint: remove \\u{1b}[2J\n"
        );
    }

    #[test]
    fn exit_codes_survive_the_way_between_processes() {
        for code in (1..=11).chain([126, 127, 130]) {
            assert_eq!(u8::from(Exit::try_from(code).unwrap()), code);
        }
        assert!(Exit::try_from(0).is_err() && Exit::try_from(12).is_err());
    }
}
