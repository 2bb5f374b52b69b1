//! The process that runs the ladder: in a session of its own, under the cache's lock, ended by nothing but Ctrl-C.
//!
//! Its caller may disappear at any moment; then its messages reach nobody and its work goes on.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{
    caller_input::listen_to_caller,
    protocol::{WorkerMessage, send_message},
    request::find_held_lock,
    watchdog::Watchdog,
};
use crate::{
    aws::Aws,
    cache::{Cache, FailureKind, FailureReport, LastFailure, LockedCredentials, LockedSignIn},
    config::Profile,
    failure::{Failure, report_session_error},
    files,
    hint::Invocation,
    host::{self, ExecutionContext, Host},
    http::{self, Client},
    log,
    oidc::ClientFiles,
    secret::Secret,
    session::{self, ClimbOutcome, CredentialsPurpose, Ladder, LadderPurpose, SessionCredentials, TokenUse},
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
    let process = WorkerProcess { host, profile, cache, terminal, invocation, started: Instant::now() };
    host::detach_session();
    let _watchdog = Watchdog::for_worker(profile);
    match purpose {
        LadderPurpose::Credentials(purpose) => process.report(process.get_credentials(purpose)),
        LadderPurpose::IdToken(token_use) => process.report(process.get_id_token(token_use)),
    }
}

/// Reports a failure from before the work began: of the configuration, for instance.
pub fn report_early_failure(failure: &Failure) {
    send_message::<()>(&WorkerMessage::Failed(failure.clone().into_report(FailureKind::Other)));
}

/// How long a process that renews in the background waits for another one that uses the same sign-in.
const RENEWAL_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the ladder is climbed again: once without a token that AWS refused, and once after the user has changed.
const MAX_CLIMBS: u32 = 3;

struct WorkerProcess<'a> {
    host: &'a Host,
    profile: &'a Profile,
    cache: &'a Cache,
    terminal: CallerTerminal,
    /// How the user reaches this profile, for the commands that the browser's page names.
    invocation: &'a Invocation,
    started: Instant,
}

impl WorkerProcess<'_> {
    fn report<A: Serialize>(&self, result: Result<WorkerMessage<A>, session::Error>) -> Result<(), Failure> {
        let message = result.unwrap_or_else(|error| WorkerMessage::Failed(self.describe(error)));
        send_message(&message);
        match message {
            WorkerMessage::Failed(report) => Err(report.into()),
            WorkerMessage::SignIn(_) | WorkerMessage::Done(_) | WorkerMessage::Busy | WorkerMessage::Log(_) => Ok(()),
        }
    }

    fn get_credentials(
        &self,
        purpose: CredentialsPurpose,
    ) -> Result<WorkerMessage<SessionCredentials>, session::Error> {
        let Some(inputs) = self.prepare(LadderPurpose::Credentials(purpose))? else { return Ok(WorkerMessage::Busy) };
        let mut user = None;
        let mut refused = None;
        for _ in 0..MAX_CLIMBS {
            let Some(sign_in) = self.lock_sign_in(purpose)? else { return Ok(WorkerMessage::Busy) };
            let Some(credentials) = self.cache.try_lock_credentials()? else { return Ok(WorkerMessage::Busy) };
            let result = match (self.announce_credentials(&sign_in, &credentials, purpose), &inputs) {
                (Err(error), _) => Err(self.describe(error)),
                (Ok(()), Err(report)) => Err(report.clone()),
                (Ok(()), Ok(inputs)) => {
                    let user = user.get_or_insert_with(listen_to_caller);
                    match self.with_ladder(LadderPurpose::Credentials(purpose), inputs, |ladder| {
                        run(ladder.get_credentials(sign_in, &credentials, refused.as_deref(), user))
                    }) {
                        Ok(ClimbOutcome::TokenRefused(token)) => {
                            log::info("worker", format_args!("AWS does not accept the cached ID token any more"));
                            refused = Some(token);
                            continue;
                        }
                        // The user of before wants nothing renewed any more.
                        Ok(ClimbOutcome::UserChanged) if purpose == CredentialsPurpose::Renewal => {
                            return Ok(WorkerMessage::Busy);
                        }
                        Ok(ClimbOutcome::UserChanged) => {
                            log::info("worker", format_args!("the user has signed out, or another user in, meanwhile"));
                            continue;
                        }
                        Ok(ClimbOutcome::Done(ready)) => Ok(ready),
                        Err(error) => Err(self.describe(error)),
                    }
                }
            };
            self.record_credentials_result(&credentials, purpose, result.as_ref().err());
            // Other processes find the complete result as soon as the lock is free.
            drop(credentials);
            return Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done));
        }
        Ok(WorkerMessage::Busy)
    }

    fn get_id_token(&self, token_use: TokenUse) -> Result<WorkerMessage<Secret>, session::Error> {
        let purpose = LadderPurpose::IdToken(token_use);
        let Some(inputs) = self.prepare(purpose)? else { return Ok(WorkerMessage::Busy) };
        let Some(sign_in) = self.cache.try_lock_sign_in()? else { return Ok(WorkerMessage::Busy) };
        let result = match (self.announce_token(&sign_in, token_use), &inputs) {
            (Err(error), _) => Err(self.describe(error)),
            (Ok(()), Err(report)) => Err(report.clone()),
            (Ok(()), Ok(inputs)) => {
                let result = self.with_ladder(purpose, inputs, |ladder| run(ladder.get_id_token(&sign_in, token_use)));
                result.map_err(|error| self.describe(error))
            }
        };
        self.record_token_result(&sign_in, token_use, result.as_ref().err());
        drop(sign_in);
        Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done))
    }

    /// What the ladder needs; `None` if another process is at work.
    ///
    /// Reading the files that the profile names may be slow, and must not hold up other processes, so it is done before a
    /// lock is taken; and not at all if another process holds it. A failure of it is recorded for `status` under the lock.
    fn prepare(&self, purpose: LadderPurpose) -> Result<Option<Result<LadderInputs, FailureReport>>, session::Error> {
        self.cache.create_folder()?;
        if let Err(error) = self.cache.move_former_session() {
            log::warn("worker", format_args!("{}", self.describe(error.into()).message));
        }
        let is_renewal = purpose == LadderPurpose::Credentials(CredentialsPurpose::Renewal);
        if !is_renewal && find_held_lock(purpose, self.cache)?.is_some() {
            return Ok(None);
        }
        Ok(Some(LadderInputs::load(self.host, self.profile).map_err(|error| self.describe(error))))
    }

    /// The lock of the sign-in. Nobody waits for a renewal, so it waits for other profiles that use the same sign-in.
    fn lock_sign_in(&self, purpose: CredentialsPurpose) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        match purpose {
            CredentialsPurpose::Renewal => self.cache.lock_sign_in_within(RENEWAL_LOCK_TIMEOUT),
            CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. } => self.cache.try_lock_sign_in(),
        }
    }

    /// Shows other processes that this one is at work, and fails if its result could not be stored: a keyring that refuses
    /// must be known before the user signs in, or a refresh token is spent, in vain.
    fn announce_credentials(
        &self,
        sign_in: &LockedSignIn<'_>,
        credentials: &LockedCredentials<'_>,
        purpose: CredentialsPurpose,
    ) -> Result<(), session::Error> {
        let now = (self.host.now)();
        sign_in.announce(now)?;
        credentials.announce(now)?;
        if purpose == CredentialsPurpose::Renewal {
            credentials.update_notes(|notes| notes.renewal_tried = Some(now))?;
        }
        Ok(sign_in.check_storage()?)
    }

    fn announce_token(&self, sign_in: &LockedSignIn<'_>, token_use: TokenUse) -> Result<(), session::Error> {
        let now = (self.host.now)();
        sign_in.announce(now)?;
        match token_use {
            TokenUse::NextCall => sign_in.update_notes(|notes| notes.renewal_tried = Some(now))?,
            TokenUse::Now => {}
        }
        Ok(sign_in.check_storage()?)
    }

    fn with_ladder<A>(
        &self,
        purpose: LadderPurpose,
        LadderInputs { client, client_files, aws }: &LadderInputs,
        climb: impl FnOnce(&Ladder<'_>) -> A,
    ) -> A {
        climb(&Ladder {
            purpose,
            profile: self.profile,
            host: self.host,
            client,
            client_files,
            aws,
            context: &ExecutionContext::detect(&self.host.environment, self.terminal == CallerTerminal::Present),
            report: &|event| send_message::<()>(&WorkerMessage::SignIn(event)),
            invocation: self.invocation,
            describe: &|error| self.describe(error),
            started: self.started,
        })
    }

    fn describe(&self, error: session::Error) -> FailureReport {
        report_session_error(error, self.profile)
    }

    /// Stores the failure for `status` and for waiting callers; a success removes the last one.
    fn record_credentials_result(
        &self,
        credentials: &LockedCredentials<'_>,
        purpose: CredentialsPurpose,
        failure: Option<&FailureReport>,
    ) {
        let is_recorded = match purpose {
            CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. } => true,
            // The stored credentials are still valid; the user will be prompted when they are needed.
            CredentialsPurpose::Renewal => !is_sign_in_needed(failure),
        };
        if is_recorded {
            credentials.try_update_notes(|notes| notes.last_failure = self.to_last_failure(failure));
        }
    }

    fn record_token_result(&self, sign_in: &LockedSignIn<'_>, token_use: TokenUse, failure: Option<&FailureReport>) {
        let is_recorded = match token_use {
            TokenUse::Now => !is_sign_in_needed(failure),
            TokenUse::NextCall => false,
        };
        if is_recorded {
            sign_in.try_update_notes(|notes| notes.last_failure = self.to_last_failure(failure));
        }
    }

    fn to_last_failure(&self, failure: Option<&FailureReport>) -> Option<LastFailure> {
        failure.map(|report| LastFailure { at: (self.host.now)(), report: report.clone() })
    }
}

fn is_sign_in_needed(failure: Option<&FailureReport>) -> bool {
    failure.is_some_and(|report| report.kind.is_sign_in_needed())
}

fn run<A>(work: impl Future<Output = Result<A, session::Error>>) -> Result<A, session::Error> {
    http::block_on(work).map_err(session::Error::Runtime)?
}

/// What the ladder needs besides the records.
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
