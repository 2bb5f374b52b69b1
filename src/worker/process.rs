//! The process that runs the ladder: in a session of its own, under the cache's lock, ended by nothing but Ctrl-C.
//!
//! Its caller may disappear at any moment; then its messages reach nobody and its work goes on.

use std::time::Instant;

use super::{
    protocol::{WorkerMessage, send_message},
    request::WorkerRequest,
    watchdog::Watchdog,
};
use crate::{
    aws::Aws,
    cache::{Cache, FailureKind, FailureReport, LastFailure, LockedCache},
    config::Profile,
    failure::{Failure, report_session_error},
    hint::Invocation,
    host::{self, ExecutionContext, Host},
    http::{self, Client},
    lock,
    oidc::ClientFiles,
    session::{self, CredentialsPurpose, Ladder, LadderPurpose, TokenUse},
};

/// Whether the caller has a terminal at which the user can be prompted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerTerminal {
    Present,
    Absent,
}

/// Does what the caller asked for and reports every result through the pipe, a failure too. The caller reads only the
/// pipe: nobody sees this process's stderr and exit code.
pub fn run_worker_process(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    purpose: LadderPurpose,
    terminal: CallerTerminal,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let process = WorkerProcess { host, profile, cache, terminal, invocation };
    match purpose {
        LadderPurpose::Credentials(request) => process.run(request),
        LadderPurpose::IdToken(request) => process.run(request),
    }
}

/// Reports a failure from before the work began: of the configuration, for instance.
pub fn report_early_failure(failure: &Failure) {
    send_message::<()>(&WorkerMessage::Failed(failure.clone().into_report(FailureKind::Other)));
}

struct WorkerProcess<'a> {
    host: &'a Host,
    profile: &'a Profile,
    cache: &'a Cache,
    terminal: CallerTerminal,
    /// How the user reaches this profile, for the commands that the browser's page names.
    invocation: &'a Invocation,
}

impl WorkerProcess<'_> {
    fn run<R: WorkerRequest>(&self, request: R) -> Result<(), Failure> {
        host::detach_session();
        let _watchdog = Watchdog::for_worker(self.profile);
        let message = self.run_under_lock(request).unwrap_or_else(|error| WorkerMessage::Failed(self.describe(error)));
        send_message(&message);
        match message {
            WorkerMessage::Failed(report) => Err(report.into()),
            WorkerMessage::SignIn(_) | WorkerMessage::Done(_) | WorkerMessage::Busy | WorkerMessage::Log(_) => Ok(()),
        }
    }

    fn run_under_lock<R: WorkerRequest>(&self, request: R) -> Result<WorkerMessage<R::Answer>, session::Error> {
        let started = Instant::now();
        self.cache.create_folder()?;
        // Reading the files that the profile names may be slow, and must not hold up other processes, so it is done
        // before the lock is taken; and not at all if another process holds it. A failure of it is reported under the
        // lock, so that it is recorded for `status`.
        let is_free = !lock::is_held(&self.cache.lock_path())?;
        let inputs = is_free.then(|| LadderInputs::load(self.host, self.profile));
        let Some((inputs, cache)) = inputs.zip(self.cache.try_lock()?) else {
            return Ok(WorkerMessage::Busy);
        };
        let result = self
            .announce_start(&cache, request.purpose())
            .and(inputs)
            .and_then(|inputs| self.run_ladder(&cache, &inputs, started, request))
            .map_err(|error| self.describe(error));
        self.record_result(&cache, request.purpose(), result.as_ref().err());
        // Other processes find the complete result as soon as the lock is free.
        drop(cache);
        Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done))
    }

    fn announce_start(&self, cache: &LockedCache<'_>, purpose: LadderPurpose) -> Result<(), session::Error> {
        let now = (self.host.now)();
        cache.announce(now)?;
        match purpose {
            LadderPurpose::Credentials(CredentialsPurpose::Renewal) | LadderPurpose::IdToken(TokenUse::NextCall) => {
                cache.update_notes(|notes| notes.renewal_tried = Some(now))?;
            }
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. })
            | LadderPurpose::IdToken(TokenUse::Now) => {}
        }
        // A keyring that refuses must be known before the user signs in, or a refresh token is spent, in vain.
        Ok(cache.check_storage()?)
    }

    fn run_ladder<R: WorkerRequest>(
        &self,
        cache: &LockedCache<'_>,
        LadderInputs { client, client_files, aws }: &LadderInputs,
        started: Instant,
        request: R,
    ) -> Result<R::Answer, session::Error> {
        let ladder = Ladder {
            purpose: request.purpose(),
            profile: self.profile,
            host: self.host,
            cache,
            client,
            client_files,
            aws,
            context: &ExecutionContext::detect(&self.host.environment, self.terminal == CallerTerminal::Present),
            report: &|event| send_message::<()>(&WorkerMessage::SignIn(event)),
            invocation: self.invocation,
            describe: &|error| self.describe(error),
            started,
        };
        http::block_on(request.run_ladder(&ladder)).map_err(session::Error::Runtime)?
    }

    fn describe(&self, error: session::Error) -> FailureReport {
        report_session_error(error, self.profile)
    }

    /// Stores the failure for `status` and for waiting callers; a success removes the last one.
    fn record_result(&self, cache: &LockedCache<'_>, purpose: LadderPurpose, failure: Option<&FailureReport>) {
        let is_sign_in_needed = failure.is_some_and(|report| report.kind.is_sign_in_needed());
        let is_recorded = match purpose {
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. }) => true,
            // The stored credentials are still valid; the user will be prompted when they are needed.
            LadderPurpose::Credentials(CredentialsPurpose::Renewal) => !is_sign_in_needed,
            // A token says nothing about AWS, which may be what failed, so it does not remove a failure.
            LadderPurpose::IdToken(TokenUse::Now) => failure.is_some() && !is_sign_in_needed,
            LadderPurpose::IdToken(TokenUse::NextCall) => false,
        };
        if is_recorded {
            let now = (self.host.now)();
            cache.try_update_notes(|notes| {
                notes.last_failure = failure.map(|report| LastFailure { at: now, report: report.clone() });
            });
        }
    }
}

/// What the ladder needs besides the lock.
struct LadderInputs {
    client: Client,
    client_files: ClientFiles,
    aws: Aws,
}

impl LadderInputs {
    /// Reads the certificate bundles and the key files, and builds the clients.
    fn load(host: &Host, profile: &Profile) -> Result<Self, session::Error> {
        let client = Client::new(profile.network_settings(&host.environment))?;
        let aws = Aws::new(&client, profile, &host.environment, host.now)?;
        Ok(Self { client, client_files: ClientFiles::read_for_profile(profile), aws })
    }
}
