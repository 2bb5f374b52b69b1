//! Failures of this machine and of the moment: files, storage, waiting, asking.
//!
//! What the facts are is for the rooms that met them; no other machine has a part in these.

use std::io::ErrorKind;

use crate::{
    cache::{FailureKind, FailureReport},
    failure::{Exit, Failure},
    files::{self, FileAction},
    hint::{Hint, NextCommand},
    lock::LockHolder,
    session::{NoSignInMethod, SignInNeeded},
    store,
    text::sanitize_line,
    time::{Timestamp, format_duration},
};

impl From<files::Error> for Failure {
    fn from(error: files::Error) -> Self {
        let hint = match error.action {
            FileAction::Read | FileAction::List => {
                format!("make sure that you may read {}", error.path.display())
            }
            FileAction::Open
            | FileAction::Lock
            | FileAction::Write
            | FileAction::WriteInto
            | FileAction::Replace
            | FileAction::Create
            | FileAction::Remove => {
                format!("make sure that you may write to {} and that the disk is not full", describe_folder(&error))
            }
        };
        // This program refused the file, so neither permissions nor the disk are at fault.
        let is_refused = matches!(error.source.kind(), ErrorKind::Other | ErrorKind::FileTooLarge);
        let hint = if is_refused { "check that file, then try again".to_owned() } else { hint };
        Self::new(Exit::Storage, "storage/files", error.to_string(), hint)
    }
}

fn describe_folder(error: &files::Error) -> String {
    error.path.parent().unwrap_or(&error.path).display().to_string()
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Files(error) => error.into(),
            store::Error::Keyring(refusal) => refusal.into(),
        }
    }
}

impl From<SignInNeeded> for Failure {
    fn from(reason: SignInNeeded) -> Self {
        let (slug, what, hint) = match reason {
            SignInNeeded::PromptNotAllowed => (
                "sign-in/not_allowed",
                "you need to sign in, and this command may not ask you to".to_owned(),
                Hint::run(NextCommand::Login),
            ),
            SignInNeeded::IdTokenExpired => (
                "sign-in/no_token",
                "the ID token is no longer good, and only signing in again brings a new one".to_owned(),
                Hint::run(NextCommand::LoginForce),
            ),
            SignInNeeded::BackoffActive { until, now, why } => (
                "sign-in/paused",
                format!(
                    "you need to sign in; the last sign-in led nowhere{}; so no further browser tab is opened for {}",
                    why.map_or_else(String::new, |why| format!(": {why}")),
                    format_duration(until.duration_since(now))
                ),
                Hint::run(NextCommand::Login).text(" to sign in now"),
            ),
            SignInNeeded::SignInTimedOut { after } => (
                "sign-in/unanswered",
                format!("nobody finished the sign-in within {}", format_duration(after)),
                Hint::run(NextCommand::Login).text(" and complete it in the browser"),
            ),
            SignInNeeded::NoBrowser { why } => (
                "sign-in/no_browser",
                format!("you need to sign in, and the browser could not be started: {}", sanitize_line(&why)),
                Hint::run(NextCommand::LoginNoBrowser).text(", or set `browser` in the profile"),
            ),
            SignInNeeded::BrowserFailed { why } => (
                "sign-in/browser_failed",
                format!("you need to sign in, and the browser failed: {}", sanitize_line(&why)),
                Hint::run(NextCommand::LoginNoBrowser).text(", or set `browser` in the profile"),
            ),
            SignInNeeded::NoMethod(NoSignInMethod::Unattended) => (
                "sign-in/unattended",
                "you need to sign in, and nobody sits at this build machine".to_owned(),
                Hint::default()
                    .command(NextCommand::LoginDevice)
                    .text(" shows a code even here; a build of its own is better given a role of its own"),
            ),
            SignInNeeded::NoMethod(NoSignInMethod::NoTerminal) => (
                "sign-in/no_terminal",
                "you need to sign in, and this command has neither a browser nor a terminal to ask you".to_owned(),
                Hint::run(NextCommand::Login),
            ),
            SignInNeeded::NoMethod(NoSignInMethod::NoTerminalToPaste) => (
                "sign-in/no_terminal",
                "you need to sign in, and an address can be pasted at a terminal only".to_owned(),
                Hint::run(NextCommand::Login).text(" in a terminal, or with --device"),
            ),
            SignInNeeded::CodeExpired { after } => (
                "sign-in/expired_code",
                format!("nobody entered the code within {}", format_duration(after)),
                Hint::run(NextCommand::Login).text(" for a new one"),
            ),
            SignInNeeded::PromptElsewhere { pid, address: None } => (
                "sign-in/waiting",
                format!("you need to sign in; a sign-in is waiting for you in process {pid}"),
                "finish it where it was shown, or end that process".into(),
            ),
            SignInNeeded::PromptElsewhere { pid: _, address: Some(address) } => (
                "sign-in/waiting",
                "you need to sign in; a sign-in is waiting for you in the browser".to_owned(),
                format!("complete it, or open {address}").into(),
            ),
        };
        Self::new(Exit::SignInNeeded, slug, what, hint)
    }
}

/// Waiting for another process took too long.
#[derive(Debug)]
pub struct LockWaitTimeout {
    pub holder: Option<LockHolder>,
    /// Where the user can take part, if the holder's note proves it.
    pub address: Option<String>,
    pub now: Timestamp,
}

impl From<LockWaitTimeout> for Failure {
    fn from(LockWaitTimeout { holder, address, now }: LockWaitTimeout) -> Self {
        let what = match &holder {
            Some(holder) => format!(
                "another sign-in is still waiting: process {}, for {}",
                holder.pid,
                format_duration(now.duration_since(holder.since))
            ),
            None => "another process of this program is still busy".to_owned(),
        };
        let is_prompting = holder.is_some_and(|holder| holder.is_prompting);
        let hint = match address {
            Some(address) => format!("complete it at {address}, or end that process"),
            None if is_prompting => "finish it where it was shown, or end that process".to_owned(),
            None => "wait for it, or end that process".to_owned(),
        };
        Self::new(Exit::Busy, "busy/sign_in", what, hint)
    }
}

/// Ctrl-C.
#[derive(Debug)]
pub struct UserInterrupted;

impl From<UserInterrupted> for Failure {
    fn from(UserInterrupted: UserInterrupted) -> Self {
        let hint = Hint::run(NextCommand::Login).text(" to sign in");
        Self::new(Exit::Interrupted, "interrupted", "interrupted", hint)
    }
}

/// What another process reported is shown as it was.
impl From<FailureReport> for Failure {
    fn from(FailureReport { kind: _, code, slug, message, hint }: FailureReport) -> Self {
        Self { exit: Exit::try_from(code).unwrap_or(Exit::Internal), slug, what: message, hint }
    }
}

impl Failure {
    /// The form in which it is stored, and passed to other processes.
    pub fn into_report(self, kind: FailureKind) -> FailureReport {
        let Self { exit, slug, what, hint } = self;
        FailureReport { kind, code: exit.into(), slug, message: what, hint }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn a_file_that_we_refused_gets_no_disk_full_hint() {
        let hint = |source| {
            let at_path = files::Error::at(FileAction::Replace, Path::new("/home/a/.aws/config"));
            Failure::from(at_path(source)).hint.render(&Invocation::default())
        };
        assert_eq!(hint(io::Error::other("it is no regular file")), "check that file, then try again");
        assert!(hint(ErrorKind::StorageFull.into()).contains("the disk is not full"));
    }

    #[test]
    fn file_that_cannot_be_read_gets_a_hint_about_reading() {
        let source = ErrorKind::PermissionDenied.into();
        let failure = Failure::from(files::Error::at(FileAction::Read, Path::new("/a/key"))(source));
        assert_eq!(failure.hint.render(&Invocation::default()), "make sure that you may read /a/key");
    }
}
