//! The caller's wait: it starts a worker or waits for another caller's worker, and passes on what the worker reports.
//!
//! The wait runs in rounds. If a needed lock is held, the round waits for its holder and then reads what the holder has
//! stored. Otherwise it starts a worker and listens to it. A worker that dies, or that finds the lock taken a moment
//! later, starts the next round. The caller itself takes no lock and writes nothing. `commands` decides what is shown.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::{
    Error, WaitLimits, WorkerClient,
    process::CallerTerminal,
    protocol::{CallerMessage, WorkerMessage, encode_line},
    request::{WorkerRequest, find_held_lock},
};
use crate::{
    cache::{FailureKind, FailureReport, LastFailure},
    config::CallerKind,
    failure::LockWaitTimeout,
    host::{InterruptResponse, Terminal, listen_for_interrupts},
    lock::{self, LockHolder},
    log,
    secret::Secret,
    session::{
        CredentialsPurpose, LadderPurpose, PortalTokenUse, PromptMethod, Prompting, SignInEvent, SignInNeeded,
        SignInPrompt, TokenUse,
    },
    time::Timestamp,
};

/// How often a waiting caller checks whether the lock is free. The system sends no event for that.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// How often the remaining time is reported while the user is prompted.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How many workers that end without a result are replaced, before the caller gives up.
const MAX_WORKER_DEATHS: u32 = 3;

/// An event that ends or continues a wait; several threads send them to one channel.
#[derive(Debug)]
enum WaitEvent {
    /// A line of the worker's stdout.
    Line(Zeroizing<String>),
    /// The stdout of the worker with this process number has closed.
    PipeClosed(u32),
    /// A line from the caller's terminal.
    Pasted(Secret),
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// An event that a caller can show to the user while it waits.
#[derive(Clone, Copy, Debug)]
pub enum ProgressEvent<'a> {
    SignIn(&'a SignInEvent),
    /// Another process is prompting the user, and the user can finish the sign-in only there.
    OtherProcess {
        pid: u32,
    },
    /// The user has this long to act.
    Waiting {
        left: Duration,
    },
}

/// Shows an event to the user. Lines that the user pastes go back through the [`PasteSender`].
pub type ProgressHandler<'a> = &'a mut dyn FnMut(ProgressEvent<'_>, &PasteSender);

/// Takes lines that the user pastes at the terminal.
#[derive(Clone, Debug)]
pub struct PasteSender(Sender<WaitEvent>);

impl PasteSender {
    /// Passes a pasted line to the worker; `false` once the wait has ended.
    pub fn send_line(&self, line: Secret) -> bool {
        self.0.send(WaitEvent::Pasted(line)).is_ok()
    }
}

/// The state of one caller's wait.
struct WorkerWait<'a, 'b, R> {
    client: &'a WorkerClient<'a>,
    request: R,
    limits: WaitLimits,
    started: Instant,
    /// The same moment as a time of day: a failure that was stored earlier is not the answer to this request.
    started_at: Timestamp,
    deadline: Instant,
    last_shown: Option<ShownPrompt>,
    /// The holder's note that was read last.
    last_note: Option<LockHolder>,
    /// Whether the other process, whose lock this one waits for, prompts the user.
    joins_prompt: bool,
    /// Until when the user can act. Set by a prompt, and cleared when the user has signed in.
    prompt_deadline: Option<Instant>,
    report: ProgressHandler<'b>,
    paste_sender: PasteSender,
    terminal: CallerTerminal,
    events: Receiver<WaitEvent>,
}

/// The prompt that the user has seen. The same prompt is not shown twice, although several notes and events repeat it.
#[derive(PartialEq, Eq)]
enum ShownPrompt {
    /// An address, and the code to enter there. Both count: a provider has the same address for all its codes.
    Address(String, Option<String>),
    /// The process in which the user finishes the sign-in.
    OtherProcess(u32),
}

/// How one round of the wait ended.
#[derive(Debug)]
enum WaitRound<A> {
    Done(A),
    Failed(FailureReport),
    /// Another process holds the lock, or held it and left no answer. The next round decides again.
    Retry,
    /// The caller's own worker ended without a result.
    WorkerDied,
}

impl WorkerClient<'_> {
    /// The answer to a request, from a worker of this caller or from the records that another caller's worker stored.
    pub(super) fn fetch_result<R: WorkerRequest>(
        &self,
        request: R,
        limits: WaitLimits,
        report: ProgressHandler<'_>,
    ) -> Result<R::Answer, Error> {
        self.cache.create_folder()?;
        WorkerWait::new(self, request, limits, report).run_rounds()
    }
}

impl<'a, 'b, R: WorkerRequest> WorkerWait<'a, 'b, R> {
    fn new(client: &'a WorkerClient<'a>, request: R, limits: WaitLimits, report: ProgressHandler<'b>) -> Self {
        let (sender, events) = channel();
        listen_for_ctrl_c(sender.clone());
        let started = Instant::now();
        Self {
            client,
            request,
            limits,
            started,
            started_at: client.now(),
            deadline: started + limits.total,
            last_shown: None,
            last_note: None,
            joins_prompt: false,
            prompt_deadline: None,
            report,
            paste_sender: PasteSender(sender),
            terminal: if Terminal::open_foreground().is_some() {
                CallerTerminal::Present
            } else {
                CallerTerminal::Absent
            },
            events,
        }
    }

    /// Runs rounds until one gives a result. Only rounds in which a worker died are limited in number; the deadlines
    /// limit the others.
    fn run_rounds(&mut self) -> Result<R::Answer, Error> {
        let mut deaths = 0;
        loop {
            let round = match find_held_lock(self.request.purpose(), self.client.cache)? {
                Some(_) => self.await_other_worker()?,
                None => self.run_own_worker()?,
            };
            match round {
                WaitRound::Done(answer) => return Ok(answer),
                WaitRound::Failed(report) => return Err(Error::Reported(report)),
                WaitRound::Retry => {}
                WaitRound::WorkerDied if deaths < MAX_WORKER_DEATHS => deaths += 1,
                WaitRound::WorkerDied => return Err(Error::WorkerDied),
            }
        }
    }

    /// Starts a worker and listens to it until it ends or the time is up.
    fn run_own_worker(&mut self) -> Result<WaitRound<R::Answer>, Error> {
        let purpose = self.request.purpose();
        let mut worker = self.client.spawn_worker(purpose, self.terminal).map_err(Error::NotStarted)?;
        log::debug("worker", format_args!("started process {} for {purpose:?}", worker.id()));
        if let Some(stdout) = worker.stdout.take() {
            forward_lines(stdout, worker.id(), self.paste_sender.0.clone());
        }
        loop {
            let line = match self.next_event()? {
                WaitEvent::Line(line) => line,
                WaitEvent::Pasted(line) => {
                    send_to_worker(&mut worker, &CallerMessage::Paste(line));
                    continue;
                }
                WaitEvent::PipeClosed(process) if process == worker.id() => return Ok(WaitRound::WorkerDied),
                // The event of an earlier worker, late.
                WaitEvent::PipeClosed(_) => continue,
                WaitEvent::Interrupted => {
                    send_to_worker(&mut worker, &CallerMessage::Cancel);
                    return Err(Error::Interrupted);
                }
            };
            match serde_json::from_str(&line) {
                Ok(WorkerMessage::SignIn(event)) => self.show_event(&event),
                Ok(WorkerMessage::Done(answer)) => {
                    // The worker ends at once. It is waited for because `exec` replaces this process by another
                    // program, which would get a child process that it does not know.
                    let _ = worker.wait();
                    return Ok(WaitRound::Done(answer));
                }
                Ok(WorkerMessage::Failed(report)) => return Ok(WaitRound::Failed(report)),
                // Another worker took the lock a moment earlier.
                Ok(WorkerMessage::Busy) => return Ok(WaitRound::Retry),
                // The line is formatted already.
                Ok(WorkerMessage::Log(line)) => drop(writeln!(std::io::stderr().lock(), "{line}")),
                Err(error) => {
                    log::warn(
                        "worker",
                        format_args!("process {} sent an invalid message, so it counts as dead: {error}", worker.id()),
                    );
                    return Ok(WaitRound::WorkerDied);
                }
            }
        }
    }

    /// Waits until the other process has released the lock, and then uses what it has stored.
    fn await_other_worker(&mut self) -> Result<WaitRound<R::Answer>, Error> {
        log::debug("worker", format_args!("waiting for another process, which holds the lock"));
        self.joins_prompt = false;
        while let Some(path) = find_held_lock(self.request.purpose(), self.client.cache)? {
            if self.started.elapsed() > self.limits.other_worker {
                return Err(self.build_wait_timeout());
            }
            self.handle_holder_note(lock::read_holder(&path))?;
            match self.next_event_within(LOCK_POLL_INTERVAL)? {
                Some(WaitEvent::Interrupted) => return Err(Error::Interrupted),
                // Late events of an earlier worker, and lines that were pasted for it.
                Some(WaitEvent::Line(_) | WaitEvent::PipeClosed(_) | WaitEvent::Pasted(_)) | None => {
                    self.report_waiting();
                }
            }
        }
        self.take_other_result()
    }

    /// Shows where the user can finish another process's sign-in. A caller that may not prompt fails instead of
    /// waiting: only the user could end the wait.
    fn handle_holder_note(&mut self, note: Option<LockHolder>) -> Result<(), Error> {
        if self.last_note == note {
            return Ok(());
        }
        self.last_note = note;
        let Some(holder) = self.last_note.as_ref().filter(|holder| holder.is_prompting) else {
            return Ok(());
        };
        self.joins_prompt = true;
        let pid = holder.pid;
        let address = self.client.cache.open_prompt_address(holder, self.client.now());
        match self.request.purpose() {
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(Prompting::Never))
            | LadderPurpose::IdToken(TokenUse::Now | TokenUse::NextCall)
            | LadderPurpose::PortalToken(PortalTokenUse::WithoutPrompt) => {
                return Err(Error::SignInNeeded(SignInNeeded::PromptElsewhere { pid, address }));
            }
            LadderPurpose::Credentials(
                CredentialsPurpose::Automatic(Prompting::Allowed)
                | CredentialsPurpose::Login { .. }
                | CredentialsPurpose::Renewal,
            )
            | LadderPurpose::PortalToken(PortalTokenUse::First | PortalTokenUse::AfterRefusal) => {}
        }
        match address {
            Some(address) => {
                let method = PromptMethod::Joining;
                self.show_event(&SignInEvent::Prompt(SignInPrompt { address, way: method }));
            }
            None => self.begin_user_wait(ShownPrompt::OtherProcess(pid), ProgressEvent::OtherProcess { pid }),
        }
        Ok(())
    }

    /// Reads what the other process's worker has stored: the answer, or its failure. Neither is there if it was killed,
    /// so this caller starts a worker of its own.
    fn take_other_result(&mut self) -> Result<WaitRound<R::Answer>, Error> {
        let purpose = self.request.purpose();
        let cache = self.client.cache;
        if purpose.is_login() {
            // AWS may have refused the credentials that the other process stored, so `login` checks them in its own
            // worker.
            if self.joins_prompt && cache.load_sign_in()?.token_stored_at >= Some(self.started_at) {
                log::info("worker", format_args!("the user has completed the sign-in of the other process"));
                self.request = self.request.after_joined_sign_in();
            }
            return Ok(WaitRound::Retry);
        }
        if let Some(answer) = self.request.find_stored(cache, self.client.profile, self.client.now())? {
            return Ok(WaitRound::Done(answer));
        }
        let last = match purpose {
            LadderPurpose::Credentials(_) => cache.load_credentials_notes().last_failure,
            LadderPurpose::IdToken(_) | LadderPurpose::PortalToken(_) => cache.load_sign_in_notes().last_failure,
        };
        let last = last.filter(|last| last.at >= self.started_at && is_failure_for(purpose, last));
        Ok(last.map_or(WaitRound::Retry, |last| WaitRound::Failed(last.report)))
    }

    /// The next event; reports the remaining time while the user is prompted.
    fn next_event(&mut self) -> Result<WaitEvent, Error> {
        loop {
            let span = self.prompt_deadline.map_or(self.limits.total, |_| PROGRESS_INTERVAL);
            if let Some(heard) = self.next_event_within(span)? {
                return Ok(heard);
            }
            self.report_waiting();
        }
    }

    fn report_waiting(&mut self) {
        if let Some(until) = self.prompt_deadline {
            let left = Duration::from_secs(until.saturating_duration_since(Instant::now()).as_secs());
            (self.report)(ProgressEvent::Waiting { left }, &self.paste_sender);
        }
    }

    /// The next event within a time span, if there is one; an error once the deadline of this caller has passed.
    fn next_event_within(&mut self, span: Duration) -> Result<Option<WaitEvent>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.build_wait_timeout());
        }
        match self.events.recv_timeout(span.min(left)) {
            Ok(heard) => Ok(Some(heard)),
            // `Disconnected` cannot happen: `paste_sender` is a sender too.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    /// The error when the time is up: it names the process that holds the lock, and where the user can finish its
    /// sign-in.
    fn build_wait_timeout(&self) -> Error {
        let (cache, now) = (&self.client.cache, self.client.now());
        let held = find_held_lock(self.request.purpose(), cache).ok().flatten();
        let holder = held.as_deref().and_then(lock::read_holder);
        let address = holder.as_ref().and_then(|holder| cache.open_prompt_address(holder, now));
        log::info("worker", format_args!("giving up after {} s", self.started.elapsed().as_secs()));
        Error::LockWait(LockWaitTimeout { holder, address, now })
    }

    fn show_event(&mut self, event: &SignInEvent) {
        match event {
            SignInEvent::Prompt(prompt) => {
                let shown = ShownPrompt::Address(prompt.address.clone(), prompt.user_code().map(str::to_owned));
                return self.begin_user_wait(shown, ProgressEvent::SignIn(event));
            }
            SignInEvent::Answered => self.prompt_deadline = None,
            SignInEvent::BrowserFailed { .. }
            | SignInEvent::RequestRefused { .. }
            | SignInEvent::NoRefreshToken
            | SignInEvent::PasteRejected(_) => {}
        }
        (self.report)(ProgressEvent::SignIn(event), &self.paste_sender);
    }

    /// Shows a prompt to the user, unless it was shown before. A caller with valid credentials shortens its wait now.
    fn begin_user_wait(&mut self, shown: ShownPrompt, event: ProgressEvent<'_>) {
        if self.last_shown.as_ref() == Some(&shown) {
            return;
        }
        if let Some(limit) = self.limits.after_prompt {
            self.deadline = self.deadline.min(Instant::now() + limit);
        }
        (self.report)(event, &self.paste_sender);
        self.last_shown = Some(shown);
        self.prompt_deadline = Some(self.started + self.client.profile.login_timeout);
        self.report_waiting();
    }
}

/// Whether another process's failure is also the answer to this request. It is not if that process failed because it
/// may not prompt, and this one may.
fn is_failure_for(purpose: LadderPurpose, last: &LastFailure) -> bool {
    let may_prompt = purpose.caller() == CallerKind::MayPrompt;
    !(may_prompt && last.report.kind == FailureKind::PromptNotAllowed)
}

fn send_to_worker(worker: &mut Child, message: &CallerMessage) {
    if let Some(stdin) = &mut worker.stdin {
        // Fails only if the worker has just ended, and then it needs no message.
        let _ = stdin.write_all(&encode_line(message));
    }
}

/// Forwards the worker's lines as they arrive, and at the end reports that its stdout has closed.
fn forward_lines(stdout: ChildStdout, process: u32, sender: Sender<WaitEvent>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // An error means that the wait has ended.
            if sender.send(WaitEvent::Line(Zeroizing::new(line))).is_err() {
                return;
            }
        }
        let _ = sender.send(WaitEvent::PipeClosed(process));
    });
}

/// Turns Ctrl-C into an event, so that the caller can cancel its worker. After the wait it ends the process: `setup`
/// goes on with lists and prompts.
fn listen_for_ctrl_c(sender: Sender<WaitEvent>) {
    listen_for_interrupts(move || match sender.send(WaitEvent::Interrupted) {
        Ok(()) => InterruptResponse::Handled,
        Err(_) => InterruptResponse::EndProcess,
    });
}

#[cfg(test)]
mod tests;
