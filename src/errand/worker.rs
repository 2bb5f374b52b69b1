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

use super::{event::Event, watchdog::Watchdog};
use crate::{
    aws::Aws,
    cache::Cache,
    config::Profile,
    failure::{Denied, Exit, Failure},
    host::{self, Host, Surroundings},
    http::{self, Client},
    lock::{self, Held, LockHolder},
    log,
    oidc::ClientFiles,
    secret::Secret,
    session::{Brought, Ladder, Person, Purpose, Wish},
};

/// What a caller writes to our standard input when its person has given up.
pub(super) const CANCEL: &[u8] = b"cancel";

/// What a pasted line begins with on its way to us.
pub(super) const PASTE: &[u8] = b"paste ";

/// Longer than any address a browser ends on.
const LONGEST_LINE: u64 = 128 * 1024;

/// Pasted lines that have not been judged yet.
const PASTES: usize = 4;

/// The words that carry a purpose to a new process, which reads them as any other command line.
pub(super) fn words(purpose: Purpose) -> Vec<&'static str> {
    match purpose {
        Purpose::Credentials { may_ask: true } => vec!["credentials"],
        Purpose::Credentials { may_ask: false } => vec!["credentials", "--no-login"],
        Purpose::Login { force, wish } => {
            let flags = [
                (force, "--force"),
                (wish == Wish::NoBrowser, "--no-browser"),
                (wish == Wish::Device, "--device"),
            ];
            let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag);
            ["login"].into_iter().chain(flags).collect()
        }
        Purpose::Renewal => vec!["renewal"],
        Purpose::Token { ahead: true } => vec!["token", "--ahead"],
        Purpose::Token { ahead: false } => vec!["token"],
    }
}

/// Does one errand from its beginning to its end. `terminal`: whoever waits has one at which a person can be asked.
pub fn work(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    purpose: Purpose,
    terminal: bool,
) -> Result<(), Failure> {
    host::detach();
    cache.prepare()?;
    let _watchdog = Watchdog::for_worker(profile);
    let began = Instant::now();
    // A slow disk under a file that somebody else named must not hold up a process that has the lock. Preparing costs
    // milliseconds, so it is left out where the lock is taken. Its failure is handled with the lock, to be noted for `status`.
    let prepared = (!lock::is_held(&cache.lock_path())?).then(|| Prepared::new(host, profile, began));
    let held = lock::try_take(&cache.lock_path())?;
    let Some((prepared, held)) = prepared.zip(held) else {
        say(&Event::Busy);
        return Ok(());
    };
    let result = begin(host, cache, &held, purpose)
        .and(prepared)
        .and_then(|prepared| climb(host, profile, cache, &held, &prepared, purpose, terminal));
    note(host, cache, &held, purpose, &result);
    // The next one may come in; what it finds is complete.
    drop(held);
    let failed = result.as_ref().err().cloned();
    say(&result.into());
    failed.map_or(Ok(()), Err)
}

fn begin(host: &Host, cache: &Cache, held: &Held, purpose: Purpose) -> Result<(), Failure> {
    let now = (host.now)();
    held.announce(&LockHolder::this_process(now))?;
    if matches!(purpose, Purpose::Renewal | Purpose::Token { ahead: true }) {
        let mut notes = cache.notes();
        notes.renewal_tried = Some(now);
        cache.keep_notes(held, &notes)?;
    }
    // A keyring that refuses must be known before a person signs in, or a refresh token is spent, in vain.
    Ok(cache.check_store(held)?)
}

/// What a climb needs beside the lock.
struct Prepared {
    client: Client,
    client_files: ClientFiles,
    aws: Aws,
    began: Instant,
}

impl Prepared {
    /// Reads the certificate bundles and the key files, and makes the HTTP client.
    fn new(host: &Host, profile: &Profile, began: Instant) -> Result<Self, Failure> {
        let client = Client::new(profile.network(&host.environment))?;
        let aws = Aws::new(&client, profile, &host.environment, host.now)?;
        Ok(Self { client, client_files: ClientFiles::read(profile), aws, began })
    }
}

/// Runs the ladder, and listens for the user's interruption.
fn climb(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    held: &Held,
    Prepared { client, client_files, aws, began }: &Prepared,
    purpose: Purpose,
    terminal: bool,
) -> Result<Brought, Failure> {
    let (around, tell) = (Surroundings::of(&host.environment, terminal), |said| say(&Event::from(said)));
    let (around, tell, began) = (&around, &tell, *began);
    let ladder =
        Ladder { purpose, profile, host, cache, held, client, client_files, aws, around, tell, began };
    let climbed = match purpose {
        Purpose::Token { .. } => http::block_on(ladder.token()).map(|token| token.map(Brought::Token)),
        _ => http::block_on(ladder.climb(person())).map(|ready| ready.map(Brought::Credentials)),
    };
    climbed.map_err(Denied::Runtime)?
}

/// What the person at the caller's terminal does. Its mere disappearance means nothing.
fn person<'a>() -> Person<'a> {
    let (cancel, told) = oneshot::channel();
    let (paste, pasted) = mpsc::channel(PASTES);
    thread::spawn(move || {
        let mut words = BufReader::new(io::stdin());
        loop {
            let mut line = Zeroizing::new(Vec::new());
            let read = words.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            match line.strip_suffix(b"\n") {
                _ if read.is_err() || line.is_empty() => return,
                Some(CANCEL) => break,
                // One that nobody asked for, or that comes too fast, is dropped: nothing may keep us from the next word.
                Some(line) => drop(pasted_text(line).map(|text| paste.try_send(text))),
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
    Person { cancelled, pasted }
}

fn pasted_text(line: &[u8]) -> Option<Secret> {
    line.strip_prefix(PASTE).map(|text| Secret::new(String::from_utf8_lossy(text)))
}

/// The last failure is kept for `status` and for those who waited; a success forgets it. That nothing could be renewed
/// silently is no failure of anybody's: the credentials still serve.
fn note(host: &Host, cache: &Cache, held: &Held, purpose: Purpose, result: &Result<Brought, Failure>) {
    let is_needless = match (purpose, result) {
        (Purpose::Renewal, Err(failure)) => failure.exit == Exit::SignInNeeded,
        (Purpose::Token { ahead }, Err(failure)) => ahead || failure.exit == Exit::SignInNeeded,
        // It says nothing of AWS, which may have been what failed.
        (Purpose::Token { .. }, Ok(_)) => true,
        _ => false,
    };
    if is_needless {
        return;
    }
    let mut notes = cache.notes();
    notes.last_failure = result.as_ref().err().map(|failure| failure.met((host.now)()));
    if let Err(error) = cache.keep_notes(held, &notes) {
        log::warn("errand", format_args!("{error}"));
    }
}

/// Says something to the caller, if it is still there.
pub(super) fn say(event: &Event) {
    let mut line = serde_json::to_vec(event).expect("events hold texts and numbers, which always serialise");
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    zeroize::Zeroize::zeroize(&mut line);
}

/// A log that travels to the caller, who writes it where people look.
#[derive(Debug)]
pub struct ToCaller;

impl Write for ToCaller {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        say(&Event::Log(String::from_utf8_lossy(bytes).trim_end().to_owned()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
