//! Messages and hints for a sign-in that is needed, that waits elsewhere, or whose secrets would go to new hosts.
//!
//! These failures arise on this machine: no provider and no part of AWS has refused anything. Most of them end with
//! exit code 4, which hosts and scripts read as "the user must sign in". So nearly every hint is a `login` command,
//! with the flags for the environment in which the command ran.

use crate::{
    cache::{DestinationChange, FailureKind, FailureReport, RefreshObstacle, SecretRecipient},
    failure::{
        Exit, Failure,
        oidc::{advise_on_request_refusal, describe_request_refusal, describe_unmet_requirement, quote_error},
    },
    hint::{Hint, NextCommand},
    lock::LockHolder,
    oidc::RefreshRefusal,
    session::{DestinationChanged, NoSignInMethod, SignInNeeded},
    text::sanitize_line,
    time::{Timestamp, format_duration},
};

impl From<SignInNeeded> for Failure {
    fn from(reason: SignInNeeded) -> Self {
        let (slug, what, hint) = match reason {
            // `export`, `--no-login` and `login = "explicit"`: the caller works without the user.
            SignInNeeded::PromptNotAllowed => (
                "sign-in/not_allowed",
                "you need to sign in, and this command must not prompt you".to_owned(),
                Hint::run(NextCommand::Login),
            ),
            // AWS credentials may still be valid, for which a plain `login` would be content.
            SignInNeeded::RequirementUnmet(unmet) => (
                "sign-in/requirement",
                format!("you need to sign in again: {}", describe_unmet_requirement(&unmet)),
                Hint::run(NextCommand::LoginForce),
            ),
            // `--force` skips the refresh, which would be refused again.
            SignInNeeded::RefreshRefused(refusal) => (
                "sign-in/refresh_refused",
                format!(
                    "you need to sign in, because the provider refused a refresh: {}",
                    quote_refresh_refusal(&refusal)
                ),
                Hint::run(NextCommand::LoginForce),
            ),
            // A plain `login` would be content with AWS credentials that are still valid and would get no new ID token.
            SignInNeeded::IdTokenExpired => (
                "sign-in/no_token",
                "the ID token has expired; sign in again to get a new one".to_owned(),
                Hint::run(NextCommand::LoginForce),
            ),
            // An SDK retries at once. Without this pause, each retry would open another browser tab. `login` ignores
            // the pause.
            SignInNeeded::BackoffActive { until, now, why, hint } => (
                "sign-in/paused",
                format!(
                    "the last sign-in failed{}; not opening another browser tab for {}",
                    why.map_or_else(String::new, |why| format!(": {why}")),
                    format_duration(until.duration_since(now))
                ),
                advise_during_backoff(hint),
            ),
            // An error page at the provider never returns to this program. Not every provider shows it to the probe too.
            SignInNeeded::SignInTimedOut { after, redirect_uri } => (
                "sign-in/unanswered",
                format!("the sign-in was not completed within {}", format_duration(after)),
                Hint::run(NextCommand::Login)
                    .text(" and complete it in the browser; if its page shows an error, run ")
                    .command(NextCommand::Doctor)
                    .text(format!(" and register exactly {redirect_uri}")),
            ),
            SignInNeeded::RequestRefused { refusal, redirect_uri } => (
                "sign-in/request_refused",
                format!("the provider answers the sign-in request with {}", describe_request_refusal(&refusal)),
                advise_on_request_refusal(&refusal).unwrap_or_else(|| {
                    let cause = format!("if the browser shows an error too, register exactly {redirect_uri}");
                    Hint::from(format!("{cause}, check `client_id`, and run ")).command(NextCommand::Doctor)
                }),
            ),
            SignInNeeded::NoBrowser { why } => (
                "sign-in/no_browser",
                format!("you need to sign in, but the browser could not be started: {}", sanitize_line(&why)),
                Hint::run(NextCommand::LoginNoBrowser).text(", or set `browser` in the profile"),
            ),
            SignInNeeded::BrowserFailed { why } => (
                "sign-in/browser_failed",
                format!("you need to sign in, but the browser failed: {}", sanitize_line(&why)),
                Hint::run(NextCommand::LoginNoBrowser).text(", or set `browser` in the profile"),
            ),
            // A build should not depend on a user, so the hint also names the lasting solution.
            SignInNeeded::NoMethod(NoSignInMethod::Unattended) => (
                "sign-in/unattended",
                "you need to sign in, but this build machine has no terminal to prompt you".to_owned(),
                Hint::run(NextCommand::LoginDevice).text(" to sign in with a code, or give the build an AWS role"),
            ),
            SignInNeeded::NoMethod(NoSignInMethod::NoTerminal) => (
                "sign-in/no_terminal",
                "you need to sign in, but there is no browser and no terminal to prompt you".to_owned(),
                Hint::run(NextCommand::Login).text(" in a terminal"),
            ),
            SignInNeeded::NoMethod(NoSignInMethod::NoTerminalToPaste) => (
                "sign-in/no_terminal",
                "you need to sign in, but flow = \"paste\" needs a terminal to paste the address".to_owned(),
                Hint::run(NextCommand::Login).text(" in a terminal, or run ").command(NextCommand::LoginDevice),
            ),
            // The provider decides how long a device code is valid.
            SignInNeeded::CodeExpired { after } => (
                "sign-in/expired_code",
                format!("the code was not entered within {}", format_duration(after)),
                Hint::run(NextCommand::Login).text(" to get a new code"),
            ),
            // Two prompts for one sign-in would confuse the user, so a second command does not open its own.
            SignInNeeded::PromptElsewhere { pid, address: None } => (
                "sign-in/waiting",
                format!("you need to sign in; process {pid} already waits for you to complete a sign-in"),
                format!("complete the sign-in where process {pid} shows it, or end that process").into(),
            ),
            SignInNeeded::PromptElsewhere { pid: _, address: Some(address) } => (
                "sign-in/waiting",
                "you need to sign in; a sign-in already waits for you in the browser".to_owned(),
                format!("complete it in the browser, or open {address}").into(),
            ),
        };
        Self::new(Exit::SignInNeeded, slug, what, hint)
    }
}

/// The hint of the sign-in that failed. It must name `login`, which alone may prompt now.
fn advise_during_backoff(hint: Option<Hint>) -> Hint {
    match hint {
        Some(hint) if hint.names_login() => hint,
        Some(hint) => hint.text("; to try again now, run ").command(NextCommand::Login),
        None => Hint::run(NextCommand::Login).text(" to sign in now"),
    }
}

/// The provider's own words, which its administrator can search for.
pub(super) fn quote_refresh_refusal(refusal: &RefreshRefusal) -> String {
    match refusal {
        RefreshRefusal::OAuthError { error, description } => quote_error(error, description),
        RefreshRefusal::Status(status) => format!("HTTP status {}", status.as_u16()),
        RefreshRefusal::NoTokens => "an answer without tokens".to_owned(),
    }
}

/// Another process held a lock for longer than this command may wait. `lock` only waits; the command decides that it
/// was too long.
#[derive(Debug)]
pub struct LockWaitTimeout {
    /// The holder as its note beside the lock describes it. `None` if there is no readable note.
    pub holder: Option<LockHolder>,
    /// Where the user can complete the other sign-in. Any process of this user could write a note, so `cache` passes an
    /// address only after it has opened the seal.
    pub address: Option<String>,
    pub now: Timestamp,
}

impl From<LockWaitTimeout> for Failure {
    /// The user can complete a sign-in but cannot speed up a process that works on something else. The hint names the
    /// process so that it can be ended if it hangs; the operating system then releases the lock.
    fn from(LockWaitTimeout { holder, address, now }: LockWaitTimeout) -> Self {
        let is_prompting = holder.as_ref().is_some_and(|holder| holder.is_prompting);
        let what = match &holder {
            Some(LockHolder { pid, since, .. }) => {
                let span = format_duration(now.duration_since(*since));
                match is_prompting {
                    true => format!("another sign-in has been waiting for {span} in process {pid}"),
                    false => format!("process {pid} of bedrock-sso has been busy for {span}"),
                }
            }
            None => "another process of bedrock-sso is still busy".to_owned(),
        };
        let hint = match address {
            Some(address) => format!("complete it at {address}, or end that process"),
            None if is_prompting => "complete it where that process shows it, or end that process".to_owned(),
            None => "wait until it finishes, or end that process".to_owned(),
        };
        Self::new(Exit::Busy, "busy/sign_in", what, hint)
    }
}

/// A failure of another process, such as the worker, exactly as that process described it. The hint completes its
/// commands only when it is shown, so they select the profile of this call. A code of a newer version becomes an
/// internal error.
impl From<FailureReport> for Failure {
    fn from(FailureReport { kind: _, code, slug, message, hint }: FailureReport) -> Self {
        Self { exit: Exit::try_from(code).unwrap_or(Exit::Internal), slug, what: message, hint }
    }
}

impl Failure {
    /// The user pressed Ctrl-C during a prompt.
    pub fn from_interruption() -> Self {
        let hint = Hint::run(NextCommand::Login).text(" to sign in");
        Self::new(Exit::Interrupted, "interrupted", "interrupted", hint)
    }

    /// The record in which a failure is stored and passed to other processes. They decide by `kind` and show the rest.
    pub fn into_report(self, kind: FailureKind) -> FailureReport {
        let Self { exit, slug, what, hint } = self;
        FailureReport { kind, code: exit.into(), slug, message: what, hint }
    }
}

/// The configuration or the provider's discovery now names a host that the stored sign-in was not made for. A changed
/// variable or file could redirect tokens this way, so nothing was sent. Only `login` in a terminal lets the user
/// accept the new host.
impl From<DestinationChanged> for Failure {
    fn from(DestinationChanged { changes }: DestinationChanged) -> Self {
        let hint = Hint::run(NextCommand::Login)
            .text(" in a terminal to review the change, or ")
            .command(NextCommand::Logout)
            .text(" to start over");
        let all: Vec<_> = changes.iter().map(describe_change).collect();
        let what = format!("your stored sign-in would be sent to a new host: {}", all.join(", "));
        Self::new(Exit::SignInNeeded, "sign-in/destination_changed", what, hint)
    }
}

/// One recipient with its new and its old host: `AWS STS https://new.example (before: AWS's own host)`.
pub fn describe_change(change: &DestinationChange) -> String {
    let before = change.stored.as_deref().map_or_else(|| "none".to_owned(), describe_host);
    format!("{} {} (before: {before})", describe_recipient(change.recipient), describe_host(&change.now))
}

/// The recipient as its users call it.
fn describe_recipient(recipient: SecretRecipient) -> &'static str {
    match recipient {
        SecretRecipient::TokenEndpoint => "the provider's token endpoint",
        SecretRecipient::RevocationEndpoint => "the provider's revocation endpoint",
        SecretRecipient::UserInfoEndpoint => "the provider's UserInfo endpoint",
        SecretRecipient::Sts => "AWS STS",
        SecretRecipient::Cognito => "Amazon Cognito",
        SecretRecipient::Bedrock => "Amazon Bedrock",
        SecretRecipient::BedrockRuntime => "the Amazon Bedrock runtime",
        SecretRecipient::Console => "the sign-in service of the AWS console",
        SecretRecipient::IdentityCenterSignIn => "the sign-in service of IAM Identity Center",
        SecretRecipient::IdentityCenterPortal => "the access portal of IAM Identity Center",
        SecretRecipient::Quota => "the quota service",
    }
}

/// Why a session is not refreshed, as the end of a sentence; empty if there is nothing to add.
pub fn describe_refresh_obstacle(obstacle: RefreshObstacle) -> &'static str {
    match obstacle {
        RefreshObstacle::NoRefreshToken => "",
        RefreshObstacle::NoIdToken => ", because a refresh returns no ID token",
        RefreshObstacle::Refused => ", because the last refresh was refused",
        RefreshObstacle::MaxAge => ", because the profile has `max_age`",
        RefreshObstacle::RequirementUnmet => ", because the sign-in does not meet `require`",
    }
}

/// The command for a user whose session is not refreshed for this reason.
pub fn choose_login(obstacle: RefreshObstacle) -> NextCommand {
    match obstacle {
        // A plain `login` would be content with AWS credentials that are still valid, and would ask for another refresh.
        RefreshObstacle::RequirementUnmet | RefreshObstacle::Refused => NextCommand::LoginForce,
        RefreshObstacle::NoRefreshToken | RefreshObstacle::NoIdToken | RefreshObstacle::MaxAge => NextCommand::Login,
    }
}

/// A host in words. `host` may come from a configuration file, so it is escaped.
fn describe_host(host: &str) -> String {
    // An origin has a scheme. Anything else is the name of a partition, which stands for all of AWS's own hosts in it.
    if host.contains("://") { sanitize_line(host) } else { "AWS's own host".to_owned() }
}
