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
    cache::{Cache, Freshness, RENEWAL_PAUSE, freshness},
    config::{Caller, Profile},
    failure::{Denied, Exit, Failure},
    host::{self, Host},
    lock, log,
    secret::Secret,
    session::{Brought, Purpose, Ready, Wish, check_destinations, ready, token_for},
};

pub use wait::{Reply, Tell, Told};
pub use worker::{ToCaller, work};

/// One profile's cold work, seen from the process that needs the result.
#[derive(Debug)]
pub struct Errand<'a> {
    pub host: &'a Host,
    pub profile: &'a Profile,
    pub cache: &'a Cache,
    pub caller: Caller,
    /// The words that lead a new process to the same profile.
    pub words: Vec<OsString>,
    pub log: LogWords,
}

/// What a new process has to be told about logging besides the environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogWords {
    pub verbose: u8,
}

/// How long a caller waits.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// With a worker of ours, which has deadlines of its own.
    whole: Duration,
    /// With somebody else's.
    others: Duration,
    /// Once a person has to act.
    asking: Option<Duration>,
}

impl Patience {
    /// Of whoever holds something that still serves, and waits for better at most so long; less once a person has to act.
    const SHORT: Self = Self {
        whole: Duration::from_secs(10),
        others: Duration::from_secs(10),
        asking: Some(Duration::from_secs(3)),
    };
}

impl<'a> Errand<'a> {
    /// For this profile, from this configuration file where the command line names one.
    pub fn new(
        host: &'a Host,
        profile: &'a Profile,
        cache: &'a Cache,
        caller: Caller,
        config: Option<&Path>,
        log: LogWords,
    ) -> Self {
        let mut words: Vec<OsString> = vec!["--profile".into(), profile.name.clone().into()];
        if let Some(file) = config {
            // In one word, for the name of a file may begin with a dash.
            let mut word = OsString::from("--config=");
            word.push(file);
            words.push(word);
        }
        Self { host, profile, cache, caller, words, log }
    }
}

impl Errand<'_> {
    /// Credentials for an automatic caller. Whatever fails, those that are still valid are served.
    pub fn credentials(&self, tell: Tell<'_>) -> Result<Ready, Failure> {
        let session = self.cache.session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        let kept = ready(&session, self.profile, (self.host.now)());
        let purpose = Purpose::Credentials { may_ask: self.caller != Caller::Silent };
        let Some(kept) = kept else { return self.fetch_credentials(purpose, self.long(), tell) };
        let fresh = self.freshness(&kept);
        log::info(
            "errand",
            format_args!("kept credentials until {}: {fresh:?}", kept.credentials.expiration),
        );
        match fresh {
            Freshness::Fresh => Ok(kept),
            Freshness::RenewSoon => {
                self.behind_the_scenes(Purpose::Renewal);
                Ok(kept)
            }
            Freshness::RenewNow => self
                .fetch_credentials(purpose, Patience::SHORT, tell)
                .or_else(|failure| self.serve_still_valid(kept, failure)),
            Freshness::Spent => self.fetch_credentials(purpose, self.long(), tell),
        }
    }

    /// Credentials for somebody who cannot come back for newer ones: those near their end are renewed first.
    pub fn lasting(&self, tell: Tell<'_>) -> Result<Ready, Failure> {
        let session = self.cache.session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        match ready(&session, self.profile, (self.host.now)()) {
            Some(kept) if self.freshness(&kept) == Freshness::RenewSoon => self
                .fetch_credentials(Purpose::Renewal, Patience::SHORT, tell)
                .or_else(|failure| self.serve_still_valid(kept, failure)),
            _ => self.credentials(tell),
        }
    }

    /// A sign-in that a person, or a host on their behalf, asked for.
    pub fn login(&self, force: bool, wish: Wish, tell: Tell<'_>) -> Result<Ready, Failure> {
        self.fetch_credentials(Purpose::Login { force, wish }, self.long(), tell)
    }

    /// The ID token itself, with some life left.
    pub fn token(&self) -> Result<Secret, Failure> {
        let purpose = Purpose::Token { ahead: false };
        let session = self.cache.session()?;
        check_destinations(&session, self.profile, &self.host.environment)?;
        if let Some(token) = token_for(&session, purpose, (self.host.now)()) {
            return Ok(token);
        }
        match self.fetch(purpose, self.long(), &mut |_, _| {})? {
            Brought::Token(token) => Ok(token),
            Brought::Credentials(_) => Err(Denied::WorkersWord.into()),
        }
    }

    fn fetch_credentials(
        &self,
        purpose: Purpose,
        patience: Patience,
        tell: Tell<'_>,
    ) -> Result<Ready, Failure> {
        match self.fetch(purpose, patience, tell)? {
            Brought::Credentials(ready) => Ok(ready),
            Brought::Token(_) => Err(Denied::WorkersWord.into()),
        }
    }

    fn freshness(&self, ready: &Ready) -> Freshness {
        freshness(&ready.credentials, (self.host.now)())
    }

    /// As long as a worker of this profile can live, so that its own report of the end still arrives.
    fn long(&self) -> Patience {
        let whole = watchdog::longest_life(self.profile) + Duration::from_secs(5);
        Patience { whole, others: self.profile.login_timeout, asking: None }
    }

    fn serve_still_valid(&self, kept: Ready, failure: Failure) -> Result<Ready, Failure> {
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
    pub fn behind_the_scenes(&self, purpose: Purpose) {
        let now = (self.host.now)();
        let tried = self.cache.notes().renewal_tried;
        let lately = tried.is_some_and(|tried| tried <= now && now.since(tried) < RENEWAL_PAUSE);
        if lately || lock::is_held(&self.cache.lock_path()).unwrap_or(true) {
            return;
        }
        let started = self.command(purpose, false).and_then(|mut command| command.spawn());
        match started {
            Ok(child) => log::info("errand", format_args!("process {} renews behind the scenes", child.id())),
            Err(error) => log::warn("errand", format_args!("no process could be started to renew: {error}")),
        }
    }

    fn command(&self, purpose: Purpose, terminal: bool) -> io::Result<std::process::Command> {
        let mut command = host::itself()?;
        command.arg("errand").args(terminal.then_some("--terminal"));
        command.args(worker::words(purpose)).args(&self.words);
        command.args((0..self.log.verbose).map(|_| "--verbose"));
        Ok(command)
    }

    /// A worker of ours, its streams connected to us.
    fn send(&self, purpose: Purpose, terminal: bool) -> io::Result<std::process::Child> {
        self.command(purpose, terminal)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }
}

/// Tells a worker that the person at our terminal has given up. A closed pipe says no such thing: it means that the
/// caller is gone, and the sign-in goes on.
fn cancel(worker: &mut std::process::Child) {
    hand_over(worker, worker::CANCEL);
}

/// Hands a worker what the person at our terminal has pasted.
fn paste(worker: &mut std::process::Child, text: &Secret) {
    let line = Zeroizing::new([worker::PASTE, text.expose().as_bytes()].concat());
    hand_over(worker, &line);
}

fn hand_over(worker: &mut std::process::Child, line: &[u8]) {
    if let Some(stdin) = &mut worker.stdin {
        // A worker that has just ended needs no telling.
        let _ = stdin.write_all(line).and_then(|()| stdin.write_all(b"\n"));
    }
}
