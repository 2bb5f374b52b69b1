//! What a user can do when a sign-in is needed, under way elsewhere, or would go to other hosts than before.
//!
//! What the facts are is for the modules that met them; no other machine has a part in these.

use crate::{
    cache::{DestinationChange, FailureKind, FailureReport, SecretRecipient},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    lock::LockHolder,
    session::{DestinationChanged, NoSignInMethod, SignInNeeded},
    text::sanitize_line,
    time::{Timestamp, format_duration},
};

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

/// What another process reported is shown as it was.
impl From<FailureReport> for Failure {
    fn from(FailureReport { kind: _, code, slug, message, hint }: FailureReport) -> Self {
        Self { exit: Exit::try_from(code).unwrap_or(Exit::Internal), slug, what: message, hint }
    }
}

impl Failure {
    /// Ctrl-C.
    pub fn from_interruption() -> Self {
        let hint = Hint::run(NextCommand::Login).text(" to sign in");
        Self::new(Exit::Interrupted, "interrupted", "interrupted", hint)
    }

    /// The form in which it is stored, and passed to other processes.
    pub fn into_report(self, kind: FailureKind) -> FailureReport {
        let Self { exit, slug, what, hint } = self;
        FailureReport { kind, code: exit.into(), slug, message: what, hint }
    }
}

impl From<DestinationChanged> for Failure {
    fn from(DestinationChanged { changes }: DestinationChanged) -> Self {
        let hint = Hint::run(NextCommand::Login)
            .text(" in a terminal to review the change, or ")
            .command(NextCommand::Logout)
            .text(" to start over");
        let all: Vec<_> = changes.iter().map(describe_change).collect();
        let what = format!("this sign-in would be sent to a new host: {}", all.join(", "));
        Self::new(Exit::SignInNeeded, "sign-in/destination_changed", what, hint)
    }
}

/// The recipient with its hosts, now and before.
pub fn describe_change(change: &DestinationChange) -> String {
    let before = change.stored.as_deref().map_or_else(|| "none".to_owned(), describe_host);
    format!("{} {} (before: {before})", describe_recipient(change.recipient), describe_host(&change.now))
}

fn describe_recipient(recipient: SecretRecipient) -> &'static str {
    match recipient {
        SecretRecipient::TokenEndpoint => "the provider's token endpoint",
        SecretRecipient::RevocationEndpoint => "the provider's revocation endpoint",
        SecretRecipient::Sts => "AWS STS",
        SecretRecipient::Cognito => "Amazon Cognito",
        SecretRecipient::Bedrock => "Amazon Bedrock",
        SecretRecipient::BedrockRuntime => "the Amazon Bedrock runtime",
        SecretRecipient::Console => "the sign-in to the AWS console",
        SecretRecipient::Quota => "the quota service",
    }
}

fn describe_host(host: &str) -> String {
    // The name of a partition stands for AWS's own hosts.
    if host.contains("://") { sanitize_line(host) } else { "AWS's own host".to_owned() }
}
