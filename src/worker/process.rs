//! The worker process: it takes the locks, runs the ladder, and reports to its caller.
//!
//! It runs in a session of its own (`setsid`), so that a host that kills its process group does not kill the worker. It
//! ends when the ladder ends, when the user presses Ctrl-C, or when the watchdog stops it. If the caller disappears,
//! the messages are lost and the work continues.
//!
//! It takes the sign-in's lock first and the credentials' lock second. If another process holds one of them, the worker
//! reports `Busy` and ends, and the caller waits for that process; only a background renewal waits in the worker. If the
//! worker dies, the kernel releases its locks, and everything that the ladder has stored so far stays valid.

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
    oidc::{self, ClientFiles},
    secret::Secret,
    session::{
        self, ClimbOutcome, CredentialsPurpose, Ladder, LadderPurpose, PortalTokenUse, SessionCredentials, TokenUse,
    },
};

/// Whether the caller has a terminal at which the user can be prompted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerTerminal {
    Present,
    Absent,
}

/// Runs the ladder for one request. It reports the result through the pipe, also a failure: the caller does not see
/// this process's stderr or exit code.
pub fn run_worker_process(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    purpose: LadderPurpose,
    terminal: CallerTerminal,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let process = WorkerProcess { host, profile, cache, terminal, invocation, started: Instant::now() };
    // Before any work, so that the caller's death cannot interrupt it.
    host::detach_session();
    let _watchdog = Watchdog::for_worker(profile);
    match purpose {
        LadderPurpose::Credentials(purpose) => process.report(process.get_credentials(purpose)),
        LadderPurpose::IdToken(token_use) => process.report(process.get_id_token(token_use)),
        LadderPurpose::PortalToken(PortalTokenUse::WithoutPrompt) => {
            process.report(process.get_portal_token_without_prompt())
        }
        LadderPurpose::PortalToken(token_use @ (PortalTokenUse::First | PortalTokenUse::AfterRefusal)) => {
            process.report(process.get_portal_token(token_use))
        }
    }
}

/// Reports a failure that happened before the ladder could run, for example in the configuration.
pub fn report_early_failure(failure: &Failure) {
    send_message::<()>(&WorkerMessage::Failed(failure.clone().into_report(FailureKind::Other)));
}

/// How long a background renewal waits for a process that uses the same sign-in for another role.
const RENEWAL_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the ladder runs at most: the first time, once more if AWS refuses a cached token, and once more if the
/// user changes during the exchange.
const MAX_CLIMBS: u32 = 3;

struct WorkerProcess<'a> {
    host: &'a Host,
    profile: &'a Profile,
    cache: &'a Cache,
    terminal: CallerTerminal,
    /// The flags that select this profile, for the commands that the browser's page names.
    invocation: &'a Invocation,
    started: Instant,
}

impl WorkerProcess<'_> {
    /// Sends the result to the caller.
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
        // Created once: two readers would compete for the lines on stdin.
        let mut user = None;
        let mut refused = None;
        for _ in 0..MAX_CLIMBS {
            // Each round takes both locks again, in their order. The ladder may have released the sign-in's.
            let Some(sign_in) = self.lock_sign_in(purpose)? else { return Ok(WorkerMessage::Busy) };
            let Some(credentials) = self.cache.try_lock_credentials()? else { return Ok(WorkerMessage::Busy) };
            let result = match (self.announce_credentials(&sign_in, &credentials, purpose), &inputs) {
                (Err(error), _) => Err(self.describe(error)),
                (Ok(()), Err(report)) => Err(report.clone()),
                (Ok(()), Ok(inputs)) => {
                    let user = user.get_or_insert_with(listen_to_caller);
                    match self.with_ladder(LadderPurpose::Credentials(purpose), inputs, |ladder| {
                        run(ladder.get_credentials(sign_in, &credentials, refused.as_ref(), user))
                    }) {
                        Ok(ClimbOutcome::TokenRefused(token)) => {
                            log::info("worker", format_args!("AWS refused the cached token; trying without it"));
                            refused = Some(token);
                            continue;
                        }
                        // The renewal was for the earlier user.
                        Ok(ClimbOutcome::UserChanged) if purpose == CredentialsPurpose::Renewal => {
                            return Ok(WorkerMessage::Busy);
                        }
                        Ok(ClimbOutcome::UserChanged) => {
                            log::info(
                                "worker",
                                format_args!(
                                    "the user signed out, or another user signed in, during the exchange; trying again"
                                ),
                            );
                            continue;
                        }
                        Ok(ClimbOutcome::Done(ready)) => Ok(ready),
                        Err(error) => Err(self.describe(error)),
                    }
                }
            };
            self.record_credentials_result(&credentials, purpose, result.as_ref().err());
            // The lock is released only now, so that a waiting process finds the result and the notes complete.
            drop(credentials);
            return Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done));
        }
        Ok(WorkerMessage::Busy)
    }

    /// An ID token needs the sign-in's lock alone, and is not exchanged at AWS.
    fn get_id_token(&self, token_use: TokenUse) -> Result<WorkerMessage<Secret>, session::Error> {
        let purpose = LadderPurpose::IdToken(token_use);
        let Some(inputs) = self.prepare(purpose)? else { return Ok(WorkerMessage::Busy) };
        let Some(sign_in) = self.cache.try_lock_sign_in()? else { return Ok(WorkerMessage::Busy) };
        let announced = self.announce_token(&sign_in, token_use).map_err(|error| self.describe(error));
        let result = announced.and(inputs).and_then(|inputs| {
            let result = self.with_ladder(purpose, &inputs, |ladder| run(ladder.get_id_token(&sign_in, token_use)));
            result.map_err(|error| self.describe(error))
        });
        self.record_token_result(&sign_in, token_use, result.as_ref().err());
        drop(sign_in);
        Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done))
    }

    /// An access token for `setup`. Its draft profile has no assignment, so its credentials record is removed again.
    fn get_portal_token(&self, token_use: PortalTokenUse) -> Result<WorkerMessage<Secret>, session::Error> {
        let purpose = LadderPurpose::PortalToken(token_use);
        let Some(inputs) = self.prepare(purpose)? else { return Ok(WorkerMessage::Busy) };
        let Some(sign_in) = self.cache.try_lock_sign_in()? else { return Ok(WorkerMessage::Busy) };
        let Some(credentials) = self.cache.try_lock_credentials()? else { return Ok(WorkerMessage::Busy) };
        let announced = self.announce_token(&sign_in, TokenUse::Now).map_err(|error| self.describe(error));
        let result = announced.and(inputs).and_then(|inputs| {
            let mut user = listen_to_caller();
            let result = self.with_ladder(purpose, &inputs, |ladder| {
                run(ladder.get_portal_token(&sign_in, &credentials, token_use, &mut user))
            });
            result.map_err(|error| self.describe(error))
        });
        if let Err(error) = credentials.remove_all() {
            log::warn("worker", format_args!("could not remove an empty record: {error:?}"));
        }
        Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done))
    }

    /// An access token for `quota`, which needs the sign-in's lock alone, as an ID token does.
    fn get_portal_token_without_prompt(&self) -> Result<WorkerMessage<Secret>, session::Error> {
        let purpose = LadderPurpose::PortalToken(PortalTokenUse::WithoutPrompt);
        let Some(inputs) = self.prepare(purpose)? else { return Ok(WorkerMessage::Busy) };
        let Some(sign_in) = self.cache.try_lock_sign_in()? else { return Ok(WorkerMessage::Busy) };
        let announced = self.announce_token(&sign_in, TokenUse::Now).map_err(|error| self.describe(error));
        let result = announced.and(inputs).and_then(|inputs| {
            let result =
                self.with_ladder(purpose, &inputs, |ladder| run(ladder.get_portal_token_without_prompt(&sign_in)));
            result.map_err(|error| self.describe(error))
        });
        self.record_token_result(&sign_in, TokenUse::Now, result.as_ref().err());
        drop(sign_in);
        Ok(result.map_or_else(WorkerMessage::Failed, WorkerMessage::Done))
    }

    /// Prepares what the ladder needs besides the records; `None` if another process holds a lock.
    ///
    /// It reads the files that the profile names (a CA bundle, a private key). That may be slow and must not block
    /// other processes, so it happens before a lock is taken. A failure is returned inside, because the caller of this
    /// function records it under the lock, for `status` and waiting processes.
    fn prepare(&self, purpose: LadderPurpose) -> Result<Option<Result<LadderInputs, FailureReport>>, session::Error> {
        self.cache.create_folder()?;
        if let Err(error) = self.cache.move_former_session() {
            let why = self.describe(error.into()).message;
            log::warn("worker", format_args!("could not move the record of version 0.1: {why}"));
        }
        let is_renewal = purpose == LadderPurpose::Credentials(CredentialsPurpose::Renewal);
        if !is_renewal && find_held_lock(purpose, self.cache)?.is_some() {
            return Ok(None);
        }
        Ok(Some(LadderInputs::load(self.host, self.profile).map_err(|error| self.describe(error))))
    }

    /// The lock of the sign-in; `None` if another process holds it. A background renewal can wait for it, because no
    /// caller waits for the renewal.
    fn lock_sign_in(&self, purpose: CredentialsPurpose) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        match purpose {
            CredentialsPurpose::Renewal => self.cache.lock_sign_in_within(RENEWAL_LOCK_TIMEOUT),
            CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. } => self.cache.try_lock_sign_in(),
        }
    }

    /// Writes the holder's notes for waiting processes, and checks that the result can be stored. A keyring that
    /// refuses must be noticed before the user signs in or a refresh token is used; otherwise both would be lost.
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

    /// The same as [`Self::announce_credentials`] for a request that needs the sign-in's lock alone.
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

    /// Stores a failure for `status` and for waiting callers; a success removes the earlier failure.
    fn record_credentials_result(
        &self,
        credentials: &LockedCredentials<'_>,
        purpose: CredentialsPurpose,
        failure: Option<&FailureReport>,
    ) {
        let is_recorded = match purpose {
            CredentialsPurpose::Automatic(_) | CredentialsPurpose::Login { .. } => true,
            // The stored credentials are still valid, so `status` must not show that the user has to sign in. A later
            // caller prompts when they expire.
            CredentialsPurpose::Renewal => !is_sign_in_needed(failure),
        };
        credentials.try_update_notes(|notes| {
            // While the stored credentials are valid, the next calls use them and leave the services alone.
            notes.renewal_failed = failure.map(|_| (self.host.now)());
            if is_recorded {
                notes.last_failure = self.to_last_failure(failure);
            }
        });
    }

    /// The same for an ID token. A background refresh records nothing: the host still has a valid token.
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

/// Everything that the ladder needs besides the records, built before a lock is taken.
struct LadderInputs {
    /// For the provider and the quota service.
    client: Client,
    client_files: ClientFiles,
    aws: Aws,
}

impl LadderInputs {
    /// Reads the certificate bundles and the key files, and builds the clients.
    fn load(host: &Host, profile: &Profile) -> Result<Self, session::Error> {
        let client = Client::new(profile.network_settings(&host.environment))?;
        let aws = Aws::new(&client, profile, &host.environment, host.now)?;
        let client = client.with_total_timeout(oidc::REQUEST_TIMEOUT);
        let client_files = ClientFiles::read_for_profile(profile);
        Ok(Self { client, client_files, aws })
    }
}
