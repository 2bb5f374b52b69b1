//! Sign-ins, refreshes and exchanges run in a worker: a separate process that outlives the caller that started it.
//!
//! SDKs stop waiting after five to sixty seconds and kill their helper, but users need longer than that to sign in.
//! When the SDK's caller is killed, the worker goes on, and the next call finds the result in the cache.
//!
//! `WorkerClient` is the caller's side: it starts a worker, or waits for one that another caller has started. `process`
//! is the worker's side. Only workers, and the commands that delete or edit records, take the locks and write; callers
//! only read. A worker stores its result before it reports it, so a caller that misses the report loses nothing.

mod caller_input;
mod error;
#[cfg(test)]
mod fuzzed_answers;
mod process;
mod protocol;
mod quota_identity;
mod request;
mod wait;
mod watchdog;

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    cache::{Cache, FailureKind, Freshness, RENEWAL_PAUSE, assess_credentials},
    config::{CallerKind, Profile},
    failure::Failure,
    host::{self, Host},
    lock, log,
    secret::Secret,
    session::{
        CredentialsPurpose, LadderPurpose, LoginCondition, MethodPreference, PortalTokenUse, Prompting,
        SessionCredentials, TokenUse, check_destinations, find_credentials, find_token_for,
    },
    time::Timestamp,
};

pub use error::Error;
pub use process::{CallerTerminal, report_early_failure, run_worker_process};
pub use protocol::CallerLog;
pub use quota_identity::{QuotaIdentity, find_stored_identity};
pub use request::parse_purpose;
pub use wait::{PasteSender, ProgressEvent, ProgressHandler};

/// A caller's access to the worker of one profile.
#[derive(Debug)]
pub struct WorkerClient<'a> {
    pub host: &'a Host,
    pub profile: &'a Profile,
    pub cache: &'a Cache,
    pub caller: CallerKind,
    /// The arguments with which a worker finds the same profile and configuration file.
    pub profile_arguments: Vec<OsString>,
    /// How often `--verbose` is passed on, besides the environment's logging.
    pub verbose: u8,
}

/// How long a caller waits.
#[derive(Clone, Copy, Debug)]
struct WaitLimits {
    /// In total. The caller's own worker has deadlines of its own, which end earlier.
    total: Duration,
    /// For a worker that another caller has started.
    other_worker: Duration,
    /// After the user was prompted. `None`: the prompt does not change the limit.
    after_prompt: Option<Duration>,
}

impl WaitLimits {
    /// For a caller that has valid credentials already. It waits for better ones only shortly, and hardly at all once
    /// the user has to sign in for them.
    const SHORT: Self = Self {
        total: Duration::from_secs(10),
        other_worker: Duration::from_secs(10),
        after_prompt: Some(Duration::from_secs(3)),
    };
}

impl<'a> WorkerClient<'a> {
    /// `config` is the configuration file that the command line names, if it names one.
    pub fn new(
        host: &'a Host,
        profile: &'a Profile,
        cache: &'a Cache,
        caller: CallerKind,
        config: Option<&Path>,
        verbose: u8,
    ) -> Self {
        let mut words: Vec<OsString> = vec!["--profile".into(), profile.name.clone().into()];
        if let Some(file) = config {
            // As one argument, because the name of the file may begin with a dash.
            let mut word = OsString::from("--config=");
            word.push(file);
            words.push(word);
        }
        Self { host, profile, cache, caller, profile_arguments: words, verbose }
    }
}

impl WorkerClient<'_> {
    /// Credentials for an automatic caller. If new ones cannot be obtained, cached ones that are still valid are
    /// returned. With fresh credentials it takes no lock, starts no process and uses no network.
    pub fn credentials(&self, report: ProgressHandler<'_>) -> Result<SessionCredentials, Error> {
        let cached = self.find_stored_credentials()?;
        let prompting = match self.caller {
            CallerKind::NonInteractive => Prompting::Never,
            CallerKind::MayPrompt | CallerKind::SignIn => Prompting::Allowed,
        };
        let purpose = CredentialsPurpose::Automatic(prompting);
        let Some(cached) = cached else { return self.fetch_result(purpose, self.long_limits(), report) };
        let fresh = self.freshness(&cached);
        log::info("worker", format_args!("cached credentials until {}: {fresh:?}", cached.credentials.expiration));
        match fresh {
            Freshness::Fresh => Ok(cached),
            Freshness::RenewSoon => {
                self.refresh_in_background(LadderPurpose::Credentials(CredentialsPurpose::Renewal));
                Ok(cached)
            }
            // An outage is longer than the pause between two calls of a host. Every call would otherwise ask again, and wait.
            Freshness::RenewNow if self.was_lately(self.cache.load_credentials_notes().renewal_failed) => Ok(cached),
            Freshness::RenewNow => self
                .fetch_result(purpose, WaitLimits::SHORT, report)
                .or_else(|error| self.serve_valid_or_fail(cached, error)),
            Freshness::Spent => self.fetch_result(purpose, self.long_limits(), report),
        }
    }

    /// Credentials for a caller that cannot ask again, such as `exec`: credentials that expire soon are renewed first.
    pub fn long_lived_credentials(&self, report: ProgressHandler<'_>) -> Result<SessionCredentials, Error> {
        match self.find_stored_credentials()? {
            Some(cached) if self.freshness(&cached) == Freshness::RenewSoon => self
                .fetch_result(CredentialsPurpose::Renewal, WaitLimits::SHORT, report)
                .or_else(|error| self.serve_valid_or_fail(cached, error)),
            _ => self.credentials(report),
        }
    }

    /// A sign-in that the user, or a host on the user's behalf, has asked for.
    pub fn login(
        &self,
        mode: LoginCondition,
        method: MethodPreference,
        report: ProgressHandler<'_>,
    ) -> Result<SessionCredentials, Error> {
        self.fetch_result(CredentialsPurpose::Login { mode, method }, self.long_limits(), report)
    }

    /// The text of an ID token that is valid for at least [`MIN_TOKEN_LIFE`](crate::cache::MIN_TOKEN_LIFE). Never
    /// prompts.
    pub fn token(&self) -> Result<Secret, Error> {
        match self.find_stored_token()? {
            Some(token) => Ok(token),
            None => self.fetch_result(TokenUse::Now, self.long_limits(), &mut |_, _| {}),
        }
    }

    /// The access token of an Identity Center, after a sign-in if one is needed and `token_use` allows it.
    pub fn portal_token(&self, token_use: PortalTokenUse, report: ProgressHandler<'_>) -> Result<Secret, Error> {
        self.fetch_result(token_use, self.long_limits(), report)
    }

    /// The stored credentials; an error if the configuration names a host that the user has not accepted.
    fn find_stored_credentials(&self) -> Result<Option<SessionCredentials>, Error> {
        let stored = self.cache.load_credentials()?;
        check_destinations(&stored.destinations, self.profile, &self.host.environment)?;
        Ok(find_credentials(&stored, self.profile, self.now()))
    }

    /// The stored ID token; an error if the configuration names a host that the user has not accepted.
    fn find_stored_token(&self) -> Result<Option<Secret>, Error> {
        let sign_in = self.cache.load_sign_in()?;
        check_destinations(&sign_in.destinations, self.profile, &self.host.environment)?;
        Ok(find_token_for(&sign_in, TokenUse::Now, self.now()))
    }

    fn freshness(&self, ready: &SessionCredentials) -> Freshness {
        assess_credentials(&ready.credentials, self.now())
    }

    /// A little longer than a worker of this profile can live, so that its last report still arrives.
    fn long_limits(&self) -> WaitLimits {
        let total = watchdog::compute_max_lifetime(self.profile) + Duration::from_secs(5);
        WaitLimits { total, other_worker: self.profile.login_timeout, after_prompt: None }
    }

    /// The cached credentials if they are still valid, else the error. A denial by the quota service and a cancellation
    /// by the user always fail: serving credentials would override the decision.
    fn serve_valid_or_fail(&self, cached: SessionCredentials, error: Error) -> Result<SessionCredentials, Error> {
        let is_final = match error.kind() {
            FailureKind::Interrupted | FailureKind::Quota => true,
            FailureKind::PromptNotAllowed | FailureKind::SignInNeeded | FailureKind::Other => false,
        };
        if is_final || self.freshness(&cached) == Freshness::Spent {
            return Err(error);
        }
        let failure = Failure::from(error);
        log::warn(
            "worker",
            format_args!("renewal failed, so serving cached credentials that are still valid: {}", failure.what()),
        );
        Ok(cached)
    }

    /// Starts a worker without waiting for it, unless another one holds the lock or has tried a moment ago. Failures
    /// are only logged, because the caller has what it needs.
    pub fn refresh_in_background(&self, purpose: LadderPurpose) {
        // The caller ends soon, and the system then waits for the worker in its place.
        drop(self.start_background_refresh(purpose));
    }

    /// The same for a caller that goes on to run, and therefore has to wait for the worker's end: until then, the system
    /// does not forget an ended process.
    pub fn refresh_beside_service(&self, purpose: LadderPurpose) {
        if let Some(mut child) = self.start_background_refresh(purpose) {
            thread::spawn(move || child.wait());
        }
    }

    fn start_background_refresh(&self, purpose: LadderPurpose) -> Option<Child> {
        let (tried, own_lock) = match purpose {
            LadderPurpose::Credentials(_) => {
                (self.cache.load_credentials_notes().renewal_tried, self.cache.credentials_lock_path())
            }
            LadderPurpose::IdToken(_) | LadderPurpose::PortalToken(_) => {
                (self.cache.load_sign_in_notes().renewal_tried, self.cache.sign_in_lock_path())
            }
        };
        // If the check itself fails, no worker is started, because it would fail in the same way.
        if self.was_lately(tried) || lock::is_held(&own_lock).unwrap_or(true) {
            return None;
        }
        let started = self.worker_command(purpose, CallerTerminal::Absent).and_then(|mut command| command.spawn());
        started
            .inspect(|child| {
                log::info("worker", format_args!("started process {} to renew in the background", child.id()));
            })
            .inspect_err(|error| {
                log::warn("worker", format_args!("could not start a worker to renew in the background: {error}"));
            })
            .ok()
    }

    /// Whether an attempt at this time is so recent that the next one has to wait. A time in the future does not count: the
    /// clock was set back.
    fn was_lately(&self, attempt: Option<Timestamp>) -> bool {
        let now = self.now();
        attempt.is_some_and(|at| at <= now && now.duration_since(at) < RENEWAL_PAUSE)
    }

    fn worker_command(&self, purpose: LadderPurpose, terminal: CallerTerminal) -> io::Result<Command> {
        let mut command = host::build_self_command()?;
        command.arg("worker").args((terminal == CallerTerminal::Present).then_some("--terminal"));
        command.arg(request::encode_purpose(purpose)).args(&self.profile_arguments);
        command.args((0..self.verbose).map(|_| "--verbose"));
        Ok(command)
    }

    /// Starts a worker whose stdin and stdout are pipes to this process.
    fn spawn_worker(&self, purpose: LadderPurpose, terminal: CallerTerminal) -> io::Result<Child> {
        self.worker_command(purpose, terminal)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }

    fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}
