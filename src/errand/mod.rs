//! Cold work done by a process of its own, so that a sign-in outlives the caller that began it.
//!
//! SDKs give up after five to sixty seconds and kill their helper; people type passwords longer than that. This side
//! sends the errand and waits for its word, or for another caller's errand; `worker` is the side that climbs the ladder.

mod event;
mod wait;
mod watchdog;
mod worker;

use std::{ffi::OsString, io, io::Write as _, path::Path, process::Stdio, time::Duration};

use zeroize::Zeroizing;

use crate::{
    cache::{Cache, Freshness, RENEWAL_PAUSE, assess_credentials},
    config::{CallerKind, Profile},
    failure::{Exit, Failure, SystemError},
    host::{self, Host},
    lock, log,
    secret::Secret,
    session::{
        LadderPurpose, MethodPreference, SessionCredentials, WorkerResult, check_destinations,
        find_credentials, find_token_for,
    },
};

pub use wait::{PasteSender, ProgressEvent, ProgressHandler};
pub use worker::{CallerLog, run_worker_process};

/// One profile's cold work, seen from the process that needs the result.
#[derive(Debug)]
pub struct WorkerClient<'a> {
    pub host: &'a Host,
    pub profile: &'a Profile,
    pub cache: &'a Cache,
    pub caller: CallerKind,
    /// The words that lead a new process to the same profile.
    pub profile_arguments: Vec<OsString>,
    pub log: LogFlags,
}

/// What a new process has to be told about logging besides the environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFlags {
    pub verbose: u8,
}

/// How long a caller waits.
#[derive(Clone, Copy, Debug)]
struct WaitLimits {
    /// With a worker of ours, which has deadlines of its own.
    total: Duration,
    /// With somebody else's.
    other_worker: Duration,
    /// Once a person has to act.
    after_prompt: Option<Duration>,
}

impl WaitLimits {
    /// Of whoever holds something that still serves, and waits for better at most so long; less once a person has to act.
    const SHORT: Self = Self {
        total: Duration::from_secs(10),
        other_worker: Duration::from_secs(10),
        after_prompt: Some(Duration::from_secs(3)),
    };
}

impl<'a> WorkerClient<'a> {
    /// For this profile, from this configuration file where the command line names one.
    pub fn new(
        host: &'a Host,
        profile: &'a Profile,
        cache: &'a Cache,
        caller: CallerKind,
        config: Option<&Path>,
        log: LogFlags,
    ) -> Self {
        let mut words: Vec<OsString> = vec!["--profile".into(), profile.name.clone().into()];
        if let Some(file) = config {
            // In one word, for the name of a file may begin with a dash.
            let mut word = OsString::from("--config=");
            word.push(file);
            words.push(word);
        }
        Self { host, profile, cache, caller, profile_arguments: words, log }
    }
}

impl WorkerClient<'_> {
    /// Credentials for an automatic caller. Whatever fails, those that are still valid are served.
    pub fn credentials(&self, tell: ProgressHandler<'_>) -> Result<SessionCredentials, Failure> {
        let session = self.cache.load_session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        let kept = find_credentials(&session, self.profile, (self.host.now)());
        let purpose = LadderPurpose::Credentials { may_prompt: self.caller != CallerKind::NonInteractive };
        let Some(kept) = kept else { return self.fetch_credentials(purpose, self.long_limits(), tell) };
        let fresh = self.freshness(&kept);
        log::info(
            "errand",
            format_args!("kept credentials until {}: {fresh:?}", kept.credentials.expiration),
        );
        match fresh {
            Freshness::Fresh => Ok(kept),
            Freshness::RenewSoon => {
                self.refresh_in_background(LadderPurpose::Renewal);
                Ok(kept)
            }
            Freshness::RenewNow => self
                .fetch_credentials(purpose, WaitLimits::SHORT, tell)
                .or_else(|failure| self.serve_valid_or_fail(kept, failure)),
            Freshness::Spent => self.fetch_credentials(purpose, self.long_limits(), tell),
        }
    }

    /// Credentials for somebody who cannot come back for newer ones: those near their end are renewed first.
    pub fn long_lived_credentials(&self, tell: ProgressHandler<'_>) -> Result<SessionCredentials, Failure> {
        let session = self.cache.load_session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        match find_credentials(&session, self.profile, (self.host.now)()) {
            Some(kept) if self.freshness(&kept) == Freshness::RenewSoon => self
                .fetch_credentials(LadderPurpose::Renewal, WaitLimits::SHORT, tell)
                .or_else(|failure| self.serve_valid_or_fail(kept, failure)),
            _ => self.credentials(tell),
        }
    }

    /// A sign-in that a person, or a host on their behalf, asked for.
    pub fn login(
        &self,
        force: bool,
        wish: MethodPreference,
        tell: ProgressHandler<'_>,
    ) -> Result<SessionCredentials, Failure> {
        self.fetch_credentials(LadderPurpose::Login { force, method: wish }, self.long_limits(), tell)
    }

    /// The ID token itself, with some life left.
    pub fn token(&self) -> Result<Secret, Failure> {
        let purpose = LadderPurpose::Token { ahead: false };
        let session = self.cache.load_session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        if let Some(token) = find_token_for(&session, purpose, (self.host.now)()) {
            return Ok(token);
        }
        match self.fetch_result(purpose, self.long_limits(), &mut |_, _| {})? {
            WorkerResult::Token(token) => Ok(token),
            WorkerResult::Credentials(_) => Err(SystemError::WorkerDied.into()),
        }
    }

    fn fetch_credentials(
        &self,
        purpose: LadderPurpose,
        patience: WaitLimits,
        tell: ProgressHandler<'_>,
    ) -> Result<SessionCredentials, Failure> {
        match self.fetch_result(purpose, patience, tell)? {
            WorkerResult::Credentials(ready) => Ok(ready),
            WorkerResult::Token(_) => Err(SystemError::WorkerDied.into()),
        }
    }

    fn freshness(&self, ready: &SessionCredentials) -> Freshness {
        assess_credentials(&ready.credentials, (self.host.now)())
    }

    /// As long as a worker of this profile can live, so that its own report of the end still arrives.
    fn long_limits(&self) -> WaitLimits {
        let whole = watchdog::compute_max_lifetime(self.profile) + Duration::from_secs(5);
        WaitLimits { total: whole, other_worker: self.profile.login_timeout, after_prompt: None }
    }

    fn serve_valid_or_fail(
        &self,
        kept: SessionCredentials,
        failure: Failure,
    ) -> Result<SessionCredentials, Failure> {
        if matches!(failure.exit, Exit::Interrupted | Exit::OverQuota)
            || self.freshness(&kept) == Freshness::Spent
        {
            return Err(failure);
        }
        log::warn(
            "errand",
            format_args!("serving credentials that are still valid, although: {}", failure.what),
        );
        Ok(kept)
    }

    /// Starts a renewal that nobody waits for, unless one runs or was tried a moment ago.
    pub fn refresh_in_background(&self, purpose: LadderPurpose) {
        let now = (self.host.now)();
        let tried = self.cache.load_notes().renewal_tried;
        let lately = tried.is_some_and(|tried| tried <= now && now.duration_since(tried) < RENEWAL_PAUSE);
        if lately || lock::is_held(&self.cache.lock_path()).unwrap_or(true) {
            return;
        }
        let started = self.worker_command(purpose, false).and_then(|mut command| command.spawn());
        match started {
            Ok(child) => log::info("errand", format_args!("process {} renews behind the scenes", child.id())),
            Err(error) => log::warn("errand", format_args!("no process could be started to renew: {error}")),
        }
    }

    fn worker_command(&self, purpose: LadderPurpose, terminal: bool) -> io::Result<std::process::Command> {
        let mut command = host::build_self_command()?;
        command.arg("errand").args(terminal.then_some("--terminal"));
        command.args(worker::encode_purpose(purpose)).args(&self.profile_arguments);
        command.args((0..self.log.verbose).map(|_| "--verbose"));
        Ok(command)
    }

    /// A worker of ours, its streams connected to us.
    fn spawn_worker(&self, purpose: LadderPurpose, terminal: bool) -> io::Result<std::process::Child> {
        self.worker_command(purpose, terminal)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }
}

/// Tells a worker that the person at our terminal has given up. A closed pipe says no such thing: it means that the
/// caller is gone, and the sign-in goes on.
fn send_cancel(worker: &mut std::process::Child) {
    write_line(worker, worker::CANCEL);
}

/// Hands a worker what the person at our terminal has pasted.
fn send_pasted_line(worker: &mut std::process::Child, text: &Secret) {
    let line = Zeroizing::new([worker::PASTE, text.expose().as_bytes()].concat());
    write_line(worker, &line);
}

fn write_line(worker: &mut std::process::Child, line: &[u8]) {
    if let Some(stdin) = &mut worker.stdin {
        // A worker that has just ended needs no telling.
        let _ = stdin.write_all(line).and_then(|()| stdin.write_all(b"\n"));
    }
}
