//! The process that climbs the ladder: alone in its session, holding the lock, answering to nobody but Ctrl-C.
//!
//! Its caller may vanish at any moment; then its words go nowhere and its work goes on.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write},
    thread,
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{event::WorkerMessage, watchdog::Watchdog};
use crate::{
    aws::Aws,
    cache::{Cache, LockedCache},
    config::Profile,
    failure::{Exit, Failure, SystemError},
    hint::Invocation,
    host::{self, ExecutionContext, Host},
    http::{self, Client},
    lock,
    oidc::ClientFiles,
    secret::Secret,
    session::{Ladder, LadderPurpose, MethodPreference, UserInput, WorkerResult},
};

/// What a caller writes to our standard input when its person has given up.
pub(super) const CANCEL: &[u8] = b"cancel";

/// What a pasted line begins with on its way to us.
pub(super) const PASTE: &[u8] = b"paste ";

/// Longer than any address a browser ends on.
const MAX_LINE_BYTES: u64 = 128 * 1024;

/// Pasted lines that have not been judged yet.
const MAX_PENDING_PASTES: usize = 4;

/// The words that carry a purpose to a new process, which reads them as any other command line.
pub(super) fn encode_purpose(purpose: LadderPurpose) -> Vec<&'static str> {
    match purpose {
        LadderPurpose::Credentials { may_prompt: true } => vec!["credentials"],
        LadderPurpose::Credentials { may_prompt: false } => vec!["credentials", "--no-login"],
        LadderPurpose::Login { force, method: wish } => {
            let flags = [
                (force, "--force"),
                (wish == MethodPreference::NoBrowser, "--no-browser"),
                (wish == MethodPreference::Device, "--device"),
            ];
            let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag);
            ["login"].into_iter().chain(flags).collect()
        }
        LadderPurpose::Renewal => vec!["renewal"],
        LadderPurpose::Token { ahead: true } => vec!["token", "--ahead"],
        LadderPurpose::Token { ahead: false } => vec!["token"],
    }
}

/// Does one errand from its beginning to its end. `terminal`: whoever waits has one at which a person can be asked.
/// `invocation`: how the user reaches this profile, for the commands that the browser's page names.
pub fn run_worker_process(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    purpose: LadderPurpose,
    terminal: bool,
    invocation: &Invocation,
) -> Result<(), Failure> {
    host::detach_session();
    cache.create_folder()?;
    let _watchdog = Watchdog::for_worker(profile);
    let began = Instant::now();
    // A slow disk under a file that somebody else named must not hold up a process that has the lock. Preparing costs
    // milliseconds, so it is left out where the lock is taken. Its failure is handled with the lock, to be noted for `status`.
    let prepared =
        (!lock::is_held(&cache.lock_path())?).then(|| LadderInputs::new(host, profile, invocation, began));
    let Some((prepared, cache)) = prepared.zip(cache.try_lock()?) else {
        send_message(&WorkerMessage::Busy);
        return Ok(());
    };
    let result = announce_start(host, &cache, purpose)
        .and(prepared)
        .and_then(|prepared| run_ladder(host, profile, &cache, &prepared, purpose, terminal));
    record_result(host, &cache, purpose, &result);
    // The next one may come in; what it finds is complete.
    drop(cache);
    let failed = result.as_ref().err().cloned();
    send_message(&result.into());
    failed.map_or(Ok(()), Err)
}

fn announce_start(host: &Host, cache: &LockedCache<'_>, purpose: LadderPurpose) -> Result<(), Failure> {
    let now = (host.now)();
    cache.announce(now)?;
    if matches!(purpose, LadderPurpose::Renewal | LadderPurpose::Token { ahead: true }) {
        cache.update_notes(|notes| notes.renewal_tried = Some(now))?;
    }
    // A keyring that refuses must be known before a person signs in, or a refresh token is spent, in vain.
    Ok(cache.check_storage()?)
}

/// What a climb needs beside the lock.
struct LadderInputs<'a> {
    client: Client,
    client_files: ClientFiles,
    aws: Aws,
    invocation: &'a Invocation,
    started: Instant,
}

impl<'a> LadderInputs<'a> {
    /// Reads the certificate bundles and the key files, and makes the HTTP client.
    fn new(
        host: &Host,
        profile: &Profile,
        invocation: &'a Invocation,
        began: Instant,
    ) -> Result<Self, Failure> {
        let client = Client::new(profile.network_settings(&host.environment))?;
        let aws = Aws::new(&client, profile, &host.environment, host.now)?;
        let client_files = ClientFiles::read_for_profile(profile);
        Ok(Self { client, client_files, aws, invocation, started: began })
    }
}

/// Runs the ladder, and listens for the user's interruption.
fn run_ladder(
    host: &Host,
    profile: &Profile,
    cache: &LockedCache<'_>,
    LadderInputs { client, client_files, aws, invocation, started: began }: &LadderInputs<'_>,
    purpose: LadderPurpose,
    terminal: bool,
) -> Result<WorkerResult, Failure> {
    let (around, tell) = (ExecutionContext::detect(&host.environment, terminal), |said| {
        send_message(&WorkerMessage::from(said));
    });
    let (around, tell, began) = (&around, &tell, *began);
    let ladder = Ladder {
        purpose,
        profile,
        host,
        cache,
        client,
        client_files,
        aws,
        context: around,
        report: tell,
        invocation,
        started: began,
    };
    let climbed = match purpose {
        LadderPurpose::Token { .. } => {
            http::block_on(ladder.get_id_token()).map(|token| token.map(WorkerResult::Token))
        }
        _ => http::block_on(ladder.get_credentials(listen_to_caller()))
            .map(|ready| ready.map(WorkerResult::Credentials)),
    };
    climbed.map_err(SystemError::Runtime)?
}

/// What the person at the caller's terminal does. Its mere disappearance means nothing.
fn listen_to_caller<'a>() -> UserInput<'a> {
    let (cancel, told) = oneshot::channel();
    let (paste, pasted) = mpsc::channel(MAX_PENDING_PASTES);
    thread::spawn(move || {
        let mut words = BufReader::new(io::stdin());
        loop {
            let mut line = Zeroizing::new(Vec::new());
            let read = words.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
            match line.strip_suffix(b"\n") {
                _ if read.is_err() || line.is_empty() => return,
                Some(CANCEL) => break,
                // One that nobody asked for, or that comes too fast, is dropped: nothing may keep us from the next word.
                Some(line) => drop(parse_pasted_line(line).map(|text| paste.try_send(text))),
                None => {}
            }
        }
        // The climb may have ended in the same moment.
        let _ = cancel.send(());
    });
    let cancelled = Box::pin(async {
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    UserInput { cancel_signal: cancelled, pasted_lines: pasted }
}

fn parse_pasted_line(line: &[u8]) -> Option<Secret> {
    line.strip_prefix(PASTE).map(|text| Secret::new(String::from_utf8_lossy(text)))
}

/// The last failure is kept for `status` and for those who waited; a success forgets it. That nothing could be renewed
/// silently is no failure of anybody's: the credentials still serve.
fn record_result(
    host: &Host,
    cache: &LockedCache<'_>,
    purpose: LadderPurpose,
    result: &Result<WorkerResult, Failure>,
) {
    let is_needless = match (purpose, result) {
        (LadderPurpose::Renewal, Err(failure)) => failure.exit == Exit::SignInNeeded,
        (LadderPurpose::Token { ahead }, Err(failure)) => ahead || failure.exit == Exit::SignInNeeded,
        // It says nothing of AWS, which may have been what failed.
        (LadderPurpose::Token { .. }, Ok(_)) => true,
        _ => false,
    };
    if is_needless {
        return;
    }
    let last_failure = result.as_ref().err().map(|failure| failure.to_last_failure((host.now)()));
    cache.try_update_notes(|notes| notes.last_failure = last_failure);
}

/// Says something to the caller, if it is still there.
pub(super) fn send_message(event: &WorkerMessage) {
    let mut line = serde_json::to_vec(event).expect("events hold texts and numbers, which always serialise");
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    zeroize::Zeroize::zeroize(&mut line);
}

/// A log that travels to the caller, who writes it where people look.
#[derive(Debug)]
pub struct CallerLog;

impl Write for CallerLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send_message(&WorkerMessage::Log(String::from_utf8_lossy(bytes).trim_end().to_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
