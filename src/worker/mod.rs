//! Sign-ins and refreshes in a process of their own, so that they outlive the caller that began them.
//!
//! SDKs stop waiting after five to sixty seconds and kill their helper; users type passwords for longer than that.
//! `WorkerClient` is the caller's side, which starts a worker or waits for another caller's; `process` is the worker.

mod caller_input;
mod error;
mod process;
mod protocol;
mod request;
mod wait;
mod watchdog;

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Child, Command, Stdio},
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
        CredentialsPurpose, LadderPurpose, LoginCondition, MethodPreference, Prompting, SessionCredentials, TokenUse,
        check_destinations, find_credentials, find_token_for,
    },
    time::Timestamp,
};

pub use error::Error;
pub use process::{CallerTerminal, report_early_failure, run_worker_process};
pub use protocol::CallerLog;
pub use request::parse_purpose;
pub use wait::{PasteSender, ProgressEvent, ProgressHandler};

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
    /// Credentials for an automatic caller. If new ones cannot be had, those that are still valid are returned.
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
            Freshness::RenewNow => self
                .fetch_result(purpose, WaitLimits::SHORT, report)
                .or_else(|error| self.serve_valid_or_fail(cached, error)),
            Freshness::Spent => self.fetch_result(purpose, self.long_limits(), report),
        }
    }

    /// Credentials for a caller that cannot ask again: those that expire soon are renewed first.
    pub fn long_lived_credentials(&self, report: ProgressHandler<'_>) -> Result<SessionCredentials, Error> {
        match self.find_stored_credentials()? {
            Some(cached) if self.freshness(&cached) == Freshness::RenewSoon => self
                .fetch_result(CredentialsPurpose::Renewal, WaitLimits::SHORT, report)
                .or_else(|error| self.serve_valid_or_fail(cached, error)),
            _ => self.credentials(report),
        }
    }

    /// A sign-in that a user, or a host on their behalf, asked for.
    pub fn login(
        &self,
        mode: LoginCondition,
        method: MethodPreference,
        report: ProgressHandler<'_>,
    ) -> Result<SessionCredentials, Error> {
        self.fetch_result(CredentialsPurpose::Login { mode, method }, self.long_limits(), report)
    }

    /// The text of an ID token that is valid for some time.
    pub fn token(&self) -> Result<Secret, Error> {
        match self.find_stored_token()? {
            Some(token) => Ok(token),
            None => self.fetch_result(TokenUse::Now, self.long_limits(), &mut |_, _| {}),
        }
    }

    /// The stored credentials, if they may be used where the configuration says.
    fn find_stored_credentials(&self) -> Result<Option<SessionCredentials>, Error> {
        let stored = self.cache.load_credentials()?;
        check_destinations(&stored.destinations, self.profile, &self.host.environment)?;
        Ok(find_credentials(&stored, self.profile, self.now()))
    }

    /// The stored ID token, if it may be sent where the configuration says.
    fn find_stored_token(&self) -> Result<Option<Secret>, Error> {
        let sign_in = self.cache.load_sign_in()?;
        check_destinations(&sign_in.destinations, self.profile, &self.host.environment)?;
        Ok(find_token_for(&sign_in, TokenUse::Now, self.now()))
    }

    fn freshness(&self, ready: &SessionCredentials) -> Freshness {
        assess_credentials(&ready.credentials, self.now())
    }

    /// As long as a worker of this profile can live, so that its last report still arrives.
    fn long_limits(&self) -> WaitLimits {
        let total = watchdog::compute_max_lifetime(self.profile) + Duration::from_secs(5);
        WaitLimits { total, other_worker: self.profile.login_timeout, after_prompt: None }
    }

    fn serve_valid_or_fail(&self, cached: SessionCredentials, error: Error) -> Result<SessionCredentials, Error> {
        let is_final = match error.kind() {
            FailureKind::Interrupted | FailureKind::Quota => true,
            FailureKind::PromptNotAllowed | FailureKind::SignInNeeded | FailureKind::Other => false,
        };
        if is_final || self.freshness(&cached) == Freshness::Spent {
            return Err(error);
        }
        let failure = Failure::from(error);
        log::warn("worker", format_args!("serving credentials that are still valid, although: {}", failure.what()));
        Ok(cached)
    }

    /// Starts a worker that nobody waits for, unless another one is at work or was started a moment ago.
    pub fn refresh_in_background(&self, purpose: LadderPurpose) {
        let now = self.now();
        let tried = match purpose {
            LadderPurpose::Credentials(_) => self.cache.load_credentials_notes().renewal_tried,
            LadderPurpose::IdToken(_) => self.cache.load_sign_in_notes().renewal_tried,
        };
        let lately = tried.is_some_and(|tried| tried <= now && now.duration_since(tried) < RENEWAL_PAUSE);
        let own_lock = match purpose {
            LadderPurpose::Credentials(_) => self.cache.credentials_lock_path(),
            LadderPurpose::IdToken(_) => self.cache.sign_in_lock_path(),
        };
        if lately || lock::is_held(&own_lock).unwrap_or(true) {
            return;
        }
        let started = self.worker_command(purpose, CallerTerminal::Absent).and_then(|mut command| command.spawn());
        match started {
            Ok(child) => log::info("worker", format_args!("process {} renews in the background", child.id())),
            Err(error) => log::warn("worker", format_args!("no process could be started to renew: {error}")),
        }
    }

    fn worker_command(&self, purpose: LadderPurpose, terminal: CallerTerminal) -> io::Result<Command> {
        let mut command = host::build_self_command()?;
        command.arg("worker").args((terminal == CallerTerminal::Present).then_some("--terminal"));
        command.arg(request::encode_purpose(purpose)).args(&self.profile_arguments);
        command.args((0..self.log.verbose).map(|_| "--verbose"));
        Ok(command)
    }

    /// A worker whose stdin and stdout lead to this process.
    fn spawn_worker(&self, purpose: LadderPurpose, terminal: CallerTerminal) -> io::Result<Child> {
        self.worker_command(purpose, terminal)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }

    fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}
