//! The caller's side of an errand: send a worker if nobody is at work, else wait for whoever is.
//!
//! What is done meanwhile is for the worker, and what a person is shown of it for `commands`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::ChildStdout,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::{Errand, Patience, cancel, event::Event, paste};
use crate::{
    cache::{Freshness, LastFailure},
    failure::{Busy, Denied, Failure, Interrupted, SignInNeeded},
    host::Terminal,
    lock::{self, LockHolder},
    log,
    secret::Secret,
    session::{Asking, Brought, Purpose, Ready, Said, Way, ready, token_for},
    time::Moment,
};

/// How often a waiting caller looks whether the lock is free again.
const LOOK: Duration = Duration::from_millis(40);

/// How often whoever waits for a person is told how long that may still last.
const TICK: Duration = Duration::from_secs(1);

/// A worker that dies without a word is replaced this often.
const DEATHS: u32 = 3;

/// What a waiting caller hears.
#[derive(Debug)]
enum Heard {
    Event(Event),
    /// The pipe of the worker with this process number has closed.
    Gone(u32),
    /// A line from our terminal.
    Pasted(Secret),
    /// Ctrl-C at our terminal.
    Interrupted,
}

/// What a caller is told while it waits, for the person to see.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    Asking(&'a Asking),
    /// Another process waits for the user, and only there can the sign-in be finished.
    Elsewhere {
        pid: u32,
    },
    /// The person has this long to act.
    Waiting {
        left: Duration,
    },
    /// They have acted.
    Answered,
    /// The browser failed, and nobody has come to the address.
    BrowserFailed {
        why: &'a str,
        address: &'a str,
    },
    /// What was pasted is not the answer, and this is why.
    NotThat(&'a str),
}

/// How what is told reaches the person, and what they paste comes back.
pub type Tell<'a> = &'a mut dyn FnMut(Told<'_>, &Reply);

/// The way back from the person at the terminal.
#[derive(Clone, Debug)]
pub struct Reply(Sender<Heard>);

impl Reply {
    /// Hands over a pasted line; `false` once nobody wants any.
    pub fn paste(&self, line: Secret) -> bool {
        self.0.send(Heard::Pasted(line)).is_ok()
    }
}

/// One caller's wait, from its beginning to its end.
struct Wait<'a, 'b> {
    errand: &'a Errand<'a>,
    purpose: Purpose,
    patience: Patience,
    began: Instant,
    began_at: Moment,
    deadline: Instant,
    shown: Option<Shown>,
    /// The holder's note that was read last.
    seen: Option<LockHolder>,
    /// Until when a person is waited for, once they are asked and until they have acted.
    asked_until: Option<Instant>,
    tell: Tell<'b>,
    reply: Reply,
    terminal: bool,
    hear: Receiver<Heard>,
    say: Sender<Heard>,
}

/// What the user was shown. It is shown once.
#[derive(PartialEq, Eq)]
enum Shown {
    /// An address and the code to enter there. A provider has one address for all of its codes.
    Address(String, Option<String>),
    /// The process in which the user finishes the sign-in.
    Elsewhere(u32),
}

/// How one round ended.
enum Round {
    Done(Result<Brought, Failure>),
    /// Somebody else is, or was, at work.
    Again,
    Died,
}

impl Errand<'_> {
    pub(super) fn fetch(
        &self,
        purpose: Purpose,
        patience: Patience,
        tell: Tell<'_>,
    ) -> Result<Brought, Failure> {
        self.cache.prepare()?;
        let (say, hear) = channel();
        listen_for_ctrl_c(say.clone());
        let (began, began_at) = (Instant::now(), (self.host.now)());
        let deadline = began + patience.whole;
        let (reply, terminal) = (Reply(say.clone()), Terminal::ours().is_some());
        let mut wait = Wait {
            errand: self,
            purpose,
            patience,
            began,
            began_at,
            deadline,
            shown: None,
            seen: None,
            asked_until: None,
            tell,
            reply,
            terminal,
            hear,
            say,
        };
        wait.until_the_end()
    }
}

impl Wait<'_, '_> {
    fn until_the_end(&mut self) -> Result<Brought, Failure> {
        let mut deaths = 0;
        loop {
            let round = match lock::is_held(&self.errand.cache.lock_path())? {
                true => self.for_another()?,
                false => self.with_a_worker()?,
            };
            match round {
                Round::Done(result) => return result,
                Round::Again => {}
                Round::Died if deaths < DEATHS => deaths += 1,
                Round::Died => return Err(Denied::WorkersWord.into()),
            }
        }
    }

    /// Sends a worker and listens to it until it ends or our patience does.
    fn with_a_worker(&mut self) -> Result<Round, Failure> {
        let mut worker = self.errand.send(self.purpose, self.terminal).map_err(Denied::Worker)?;
        log::debug("errand", format_args!("sent process {} for {:?}", worker.id(), self.purpose));
        if let Some(stdout) = worker.stdout.take() {
            relay(stdout, worker.id(), self.say.clone());
        }
        loop {
            match self.next()? {
                Heard::Event(Event::Said(Said::Asking(asking))) => self.show(&asking),
                Heard::Event(Event::Said(Said::NotThat(why))) => {
                    (self.tell)(Told::NotThat(&why), &self.reply);
                }
                Heard::Event(Event::Said(Said::BrowserFailed { why, address })) => {
                    (self.tell)(Told::BrowserFailed { why: &why, address: &address }, &self.reply);
                }
                Heard::Event(Event::Said(Said::Answered)) => {
                    self.asked_until = None;
                    (self.tell)(Told::Answered, &self.reply);
                }
                Heard::Pasted(line) => paste(&mut worker, &line),
                Heard::Event(Event::Ready { credentials, session_name, role, notice }) => {
                    // It has nothing left to do; a program that takes our place would not know whose child it is.
                    let _ = worker.wait();
                    let ready = Ready { credentials, session_name, role, notice };
                    return Ok(Round::Done(Ok(Brought::Credentials(ready))));
                }
                Heard::Event(Event::Token(token)) => return Ok(Round::Done(Ok(Brought::Token(token)))),
                Heard::Event(Event::Failed(failure)) => return Ok(Round::Done(Err(failure))),
                // Another worker was faster by a moment.
                Heard::Event(Event::Busy) => return Ok(Round::Again),
                Heard::Event(Event::Log(line)) => pass_on(&line),
                Heard::Gone(process) if process == worker.id() => return Ok(Round::Died),
                // An earlier one, whose end is not the end of anything now.
                Heard::Gone(_) => {}
                Heard::Interrupted => {
                    cancel(&mut worker);
                    return Err(Interrupted.into());
                }
            }
        }
    }

    /// Waits for whoever holds the lock, and takes what they leave.
    fn for_another(&mut self) -> Result<Round, Failure> {
        log::debug("errand", format_args!("waiting for another process"));
        let path = self.errand.cache.lock_path();
        while lock::is_held(&path)? {
            if self.began.elapsed() > self.patience.others {
                return Err(self.out_of_patience());
            }
            self.read_note(lock::holder(&path))?;
            match self.next_within(LOOK)? {
                Some(Heard::Interrupted) => return Err(Interrupted.into()),
                _ => self.still_waiting(),
            }
        }
        self.what_was_left()
    }

    /// Shows where the user can take part in another process's sign-in. A command that may not prompt fails instead.
    fn read_note(&mut self, note: Option<LockHolder>) -> Result<(), Failure> {
        if self.seen == note {
            return Ok(());
        }
        self.seen = note;
        let Some(holder) = self.seen.as_ref().filter(|holder| holder.is_prompting) else { return Ok(()) };
        let pid = holder.pid;
        let address = self.errand.cache.invitation(holder, (self.errand.host.now)());
        if matches!(self.purpose, Purpose::Credentials { may_ask: false } | Purpose::Token { .. }) {
            return Err(SignInNeeded::Asking { pid, address }.into());
        }
        match address {
            Some(address) => self.show(&Asking { address, way: Way::Joining }),
            None => self.wait_for_user(Shown::Elsewhere(pid), Told::Elsewhere { pid }),
        }
        Ok(())
    }

    /// The work of another process: its credentials, else its failure, else nothing because it was killed.
    fn what_was_left(&self) -> Result<Round, Failure> {
        if matches!(self.purpose, Purpose::Login { .. }) {
            // A person's own sign-in judges for itself what the other one left.
            return Ok(Round::Again);
        }
        if let Some(brought) = self.left_for_us()? {
            return Ok(Round::Done(Ok(brought)));
        }
        let last = self.errand.cache.notes().last_failure;
        let failure = last.filter(|failure| failure.at >= self.began_at && self.is_for_us(failure));
        Ok(failure.map_or(Round::Again, |failure| Round::Done(Err(failure.into()))))
    }

    fn left_for_us(&self) -> Result<Option<Brought>, Failure> {
        let session = self.errand.cache.session()?;
        if matches!(self.purpose, Purpose::Token { .. }) {
            let token = token_for(&session, self.purpose, (self.errand.host.now)());
            return Ok(token.map(Brought::Token));
        }
        let serves =
            |ready: &Ready| matches!(self.errand.freshness(ready), Freshness::Fresh | Freshness::RenewSoon);
        Ok(ready(&session, self.errand.profile, (self.errand.host.now)())
            .filter(serves)
            .map(Brought::Credentials))
    }

    /// That somebody else may not ask a person says nothing to whoever may.
    fn is_for_us(&self, failure: &LastFailure) -> bool {
        failure.slug != SignInNeeded::NOT_ALLOWED || self.purpose != Purpose::Credentials { may_ask: true }
    }

    fn next(&mut self) -> Result<Heard, Failure> {
        loop {
            let span = self.asked_until.map_or(self.patience.whole, |_| TICK);
            if let Some(heard) = self.next_within(span)? {
                return Ok(heard);
            }
            self.still_waiting();
        }
    }

    fn still_waiting(&mut self) {
        if let Some(until) = self.asked_until {
            let left = Duration::from_secs(until.saturating_duration_since(Instant::now()).as_secs());
            (self.tell)(Told::Waiting { left }, &self.reply);
        }
    }

    /// What is heard within a span, or nothing; a failure once our own patience has ended.
    fn next_within(&mut self, span: Duration) -> Result<Option<Heard>, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.out_of_patience());
        }
        match self.hear.recv_timeout(span.min(left)) {
            Ok(heard) => Ok(Some(heard)),
            // Never disconnected: we hold a sender ourselves, for the next worker.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn out_of_patience(&self) -> Failure {
        let (cache, now) = (&self.errand.cache, (self.errand.host.now)());
        let holder = lock::holder(&cache.lock_path());
        let address = holder.as_ref().and_then(|holder| cache.invitation(holder, now));
        log::info("errand", format_args!("waited {} s, no longer", self.began.elapsed().as_secs()));
        Busy { holder, address, now }.into()
    }

    fn show(&mut self, asking: &Asking) {
        let shown = Shown::Address(asking.address.clone(), asking.code().map(str::to_owned));
        self.wait_for_user(shown, Told::Asking(asking));
    }

    /// Tells the user where to act, once, and waits less if there is something to serve meanwhile.
    fn wait_for_user(&mut self, shown: Shown, told: Told<'_>) {
        if self.shown.as_ref() == Some(&shown) {
            return;
        }
        if let Some(asking) = self.patience.asking {
            self.deadline = self.deadline.min(Instant::now() + asking);
        }
        (self.tell)(told, &self.reply);
        self.shown = Some(shown);
        self.asked_until = Some(self.began + self.errand.profile.login_timeout);
        self.still_waiting();
    }
}

/// Hands the worker's lines on as they come, and its end as well.
fn relay(stdout: ChildStdout, process: u32, say: Sender<Heard>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str(&line) else { continue };
            if say.send(Heard::Event(event)).is_err() {
                return;
            }
        }
        // Nobody listens any more when the caller has what it wanted.
        let _ = say.send(Heard::Gone(process));
    });
}

/// Ctrl-C at a terminal ends the sign-in. A second handler in one process is refused and not needed.
fn listen_for_ctrl_c(say: Sender<Heard>) {
    let _ = ctrlc::set_handler(move || {
        let _ = say.send(Heard::Interrupted);
    });
}

/// A worker's log line goes where ours go; it is complete as it is.
fn pass_on(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
