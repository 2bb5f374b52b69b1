//! The process that climbs the ladder: alone in its session, holding the lock, answering to nobody but Ctrl-C.
//!
//! Its caller may vanish at any moment; then its words go nowhere and its work goes on.

use std::{
    io::{self, BufRead as _, Write},
    thread,
    time::Instant,
};

use tokio::sync::oneshot;

use super::event::Event;
use crate::{
    aws::Aws,
    cache::Cache,
    config::Profile,
    failure::{Denied, Exit, Failure},
    host::{self, Host},
    http::{self, Client, Trust},
    lock::{self, Held, Holder},
    log,
    session::{Cancelled, Ladder, Purpose, Ready, Wish},
};

/// What a caller writes to our standard input when its person has given up.
pub(super) const CANCEL: &[u8] = b"cancel\n";

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
    }
}

/// Does one errand from its beginning to its end.
pub fn work(host: &Host, profile: &Profile, cache: &Cache, purpose: Purpose) -> Result<(), Failure> {
    host::detach();
    cache.prepare()?;
    let Some(held) = lock::try_take(&cache.lock_path())? else {
        say(&Event::Busy);
        return Ok(());
    };
    let result =
        begin(host, cache, &held, purpose).and_then(|()| climb(host, profile, cache, &held, purpose));
    note(host, cache, &held, purpose, &result);
    // The next one may come in; what it finds is complete.
    drop(held);
    let failed = result.as_ref().err().cloned();
    say(&result.into());
    failed.map_or(Ok(()), Err)
}

fn begin(host: &Host, cache: &Cache, held: &Held, purpose: Purpose) -> Result<(), Failure> {
    let now = (host.now)();
    held.announce(&Holder { pid: std::process::id(), since: now, address: None, code: None })?;
    if purpose == Purpose::Renewal {
        let mut notes = cache.notes();
        notes.renewal_tried = Some(now);
        cache.keep_notes(held, &notes)?;
    }
    // A keyring that refuses must be known before a person signs in, or a refresh token is spent, in vain.
    Ok(cache.check_store(held)?)
}

/// The network, the ladder, and whoever may interrupt it.
fn climb(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    held: &Held,
    purpose: Purpose,
) -> Result<Ready, Failure> {
    let began = Instant::now();
    let client = Client::new(&Trust::of(profile.ca_bundle.as_deref(), &host.environment), &host.environment)?;
    let aws = Aws::new(&client, profile, &host.environment, host.now)?;
    let tell = |step| say(&Event::from(step));
    let ladder =
        Ladder { purpose, profile, host, cache, held, client: &client, aws: &aws, tell: &tell, began };
    http::block_on(ladder.climb(cancelled())).map_err(Denied::Runtime)?
}

/// Resolves on the caller's word, and never on its mere disappearance.
fn cancelled<'a>() -> Cancelled<'a> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let mut line = Vec::new();
        if io::stdin().lock().read_until(b'\n', &mut line).is_ok() && line == CANCEL {
            // The climb may have ended in the same moment.
            let _ = tell.send(());
        }
    });
    Box::pin(async {
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// The last failure is kept for `status` and for those who waited; a success forgets it. That nothing could be renewed
/// silently is no failure of anybody's: the credentials still serve.
fn note(host: &Host, cache: &Cache, held: &Held, purpose: Purpose, result: &Result<Ready, Failure>) {
    if purpose == Purpose::Renewal && result.as_ref().is_err_and(|failure| failure.exit == Exit::SignInNeeded)
    {
        return;
    }
    let mut notes = cache.notes();
    notes.last_failure = result.as_ref().err().map(|failure| failure.met((host.now)()));
    if let Err(error) = cache.keep_notes(held, &notes) {
        log::warn("errand", format_args!("{error}"));
    }
}

/// Says something to the caller, if it is still there.
fn say(event: &Event) {
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
