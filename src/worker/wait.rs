//! The caller's side of a worker: start one, or wait for another process's, and pass on what it reports.
//!
//! What the user is shown of it is for `commands`.

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
    host::Terminal,
    lock::{self, LockHolder},
    log,
    secret::Secret,
    session::{
        CredentialsPurpose, LadderPurpose, PromptMethod, Prompting, SignInEvent, SignInNeeded, SignInPrompt, TokenUse,
    },
    time::Timestamp,
};

/// How often a waiting caller checks whether the lock is free.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// How often the remaining time is reported while the user is prompted.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How often a worker that ends without a result is replaced.
const MAX_WORKER_DEATHS: u32 = 3;

#[derive(Debug)]
enum WaitEvent {
    /// A line of the worker's stdout.
    Line(Zeroizing<String>),
    /// The stdout of the worker with this process number has closed.
    PipeClosed(u32),
    /// A line from the caller's terminal.
    Pasted(Secret),
    /// Ctrl-C at the caller's terminal.
    Interrupted,
}

/// What a caller can show to the user while it waits.
#[derive(Clone, Copy, Debug)]
pub enum ProgressEvent<'a> {
    SignIn(&'a SignInEvent),
    /// Another process waits for the user, and only there can the sign-in be finished.
    OtherProcess {
        pid: u32,
    },
    /// The user has this long to act.
    Waiting {
        left: Duration,
    },
}

/// Shows an event to the user. What they paste is sent back through the [`PasteSender`].
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

/// One caller's wait, from its beginning to its end.
struct WorkerWait<'a, 'b, R> {
    client: &'a WorkerClient<'a>,
    request: R,
    limits: WaitLimits,
    started: Instant,
    started_at: Timestamp,
    deadline: Instant,
    last_shown: Option<ShownPrompt>,
    /// The holder's note that was read last.
    last_note: Option<LockHolder>,
    /// Until when a person is waited for, once they are asked and until they have acted.
    prompt_deadline: Option<Instant>,
    report: ProgressHandler<'b>,
    paste_sender: PasteSender,
    terminal: CallerTerminal,
    events: Receiver<WaitEvent>,
}

/// What the user was shown. It is shown once.
#[derive(PartialEq, Eq)]
enum ShownPrompt {
    /// An address and the code to enter there. A provider has one address for all of its codes.
    Address(String, Option<String>),
    /// The process in which the user finishes the sign-in.
    OtherProcess(u32),
}

/// How one round ended.
#[derive(Debug)]
enum WaitRound<A> {
    Done(A),
    Failed(FailureReport),
    /// Another process is, or was, at work.
    Retry,
    WorkerDied,
}

impl WorkerClient<'_> {
    /// The answer to a request, from a worker of this caller or from what another process's worker stored.
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
                // An earlier worker.
                WaitEvent::PipeClosed(_) => continue,
                WaitEvent::Interrupted => {
                    send_to_worker(&mut worker, &CallerMessage::Cancel);
                    return Err(Error::Interrupted);
                }
            };
            match serde_json::from_str(&line) {
                Ok(WorkerMessage::SignIn(event)) => self.show_event(&event),
                Ok(WorkerMessage::Done(answer)) => {
                    // It has nothing left to do; a program that takes our place would not know whose child it is.
                    let _ = worker.wait();
                    return Ok(WaitRound::Done(answer));
                }
                Ok(WorkerMessage::Failed(report)) => return Ok(WaitRound::Failed(report)),
                // Another worker was faster by a moment.
                Ok(WorkerMessage::Busy) => return Ok(WaitRound::Retry),
                // It is complete as it is, and goes where our own log goes.
                Ok(WorkerMessage::Log(line)) => drop(writeln!(std::io::stderr().lock(), "{line}")),
                Err(error) => {
                    log::warn("worker", format_args!("process {} sent no valid message: {error}", worker.id()));
                    return Ok(WaitRound::WorkerDied);
                }
            }
        }
    }

    /// Waits for the process that holds the lock, and takes what it stores.
    fn await_other_worker(&mut self) -> Result<WaitRound<R::Answer>, Error> {
        log::debug("worker", format_args!("waiting for another process"));
        while let Some(path) = find_held_lock(self.request.purpose(), self.client.cache)? {
            if self.started.elapsed() > self.limits.other_worker {
                return Err(self.build_wait_timeout());
            }
            self.handle_holder_note(lock::read_holder(&path))?;
            match self.next_event_within(LOCK_POLL_INTERVAL)? {
                Some(WaitEvent::Interrupted) => return Err(Error::Interrupted),
                // Lines that were pasted for a worker that has ended.
                Some(WaitEvent::Line(_) | WaitEvent::PipeClosed(_) | WaitEvent::Pasted(_)) | None => {
                    self.report_waiting();
                }
            }
        }
        self.take_other_result()
    }

    /// Shows where the user can take part in another process's sign-in. A command that may not prompt fails instead.
    fn handle_holder_note(&mut self, note: Option<LockHolder>) -> Result<(), Error> {
        if self.last_note == note {
            return Ok(());
        }
        self.last_note = note;
        let Some(holder) = self.last_note.as_ref().filter(|holder| holder.is_prompting) else {
            return Ok(());
        };
        let pid = holder.pid;
        let address = self.client.cache.open_prompt_address(holder, self.client.now());
        match self.request.purpose() {
            LadderPurpose::Credentials(CredentialsPurpose::Automatic(Prompting::Never))
            | LadderPurpose::IdToken(TokenUse::Now | TokenUse::NextCall) => {
                return Err(Error::SignInNeeded(SignInNeeded::PromptElsewhere { pid, address }));
            }
            LadderPurpose::Credentials(
                CredentialsPurpose::Automatic(Prompting::Allowed)
                | CredentialsPurpose::Login { .. }
                | CredentialsPurpose::Renewal,
            ) => {}
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

    /// What another process's worker left: the answer, else its failure, else nothing because it was killed.
    fn take_other_result(&self) -> Result<WaitRound<R::Answer>, Error> {
        let purpose = self.request.purpose();
        if purpose.is_login() {
            // A login checks for itself what the other process stored.
            return Ok(WaitRound::Retry);
        }
        let cache = self.client.cache;
        if let Some(answer) = self.request.find_stored(cache, self.client.profile, self.client.now())? {
            return Ok(WaitRound::Done(answer));
        }
        let last = match purpose {
            LadderPurpose::Credentials(_) => cache.load_credentials_notes().last_failure,
            LadderPurpose::IdToken(_) => cache.load_sign_in_notes().last_failure,
        };
        let last = last.filter(|last| last.at >= self.started_at && is_failure_for(purpose, last));
        Ok(last.map_or(WaitRound::Retry, |last| WaitRound::Failed(last.report)))
    }

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

    /// The next event within a span, if there is one; an error once the caller's own time is up.
    fn next_event_within(&mut self, span: Duration) -> Result<Option<WaitEvent>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.build_wait_timeout());
        }
        match self.events.recv_timeout(span.min(left)) {
            Ok(heard) => Ok(Some(heard)),
            // Never disconnected: `paste_sender` is a sender too, for the next worker.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn build_wait_timeout(&self) -> Error {
        let (cache, now) = (&self.client.cache, self.client.now());
        let held = find_held_lock(self.request.purpose(), cache).ok().flatten();
        let holder = held.as_deref().and_then(lock::read_holder);
        let address = holder.as_ref().and_then(|holder| cache.open_prompt_address(holder, now));
        log::info("worker", format_args!("waited {} s, no longer", self.started.elapsed().as_secs()));
        Error::LockWait(LockWaitTimeout { holder, address, now })
    }

    fn show_event(&mut self, event: &SignInEvent) {
        match event {
            SignInEvent::Prompt(prompt) => {
                let shown = ShownPrompt::Address(prompt.address.clone(), prompt.user_code().map(str::to_owned));
                return self.begin_user_wait(shown, ProgressEvent::SignIn(event));
            }
            SignInEvent::Answered => self.prompt_deadline = None,
            SignInEvent::BrowserFailed { .. } | SignInEvent::PasteRejected(_) => {}
        }
        (self.report)(ProgressEvent::SignIn(event), &self.paste_sender);
    }

    /// Shows the user where to act, once, and waits for less time if there are valid credentials meanwhile.
    fn begin_user_wait(&mut self, shown: ShownPrompt, told: ProgressEvent<'_>) {
        if self.last_shown.as_ref() == Some(&shown) {
            return;
        }
        if let Some(asking) = self.limits.after_prompt {
            self.deadline = self.deadline.min(Instant::now() + asking);
        }
        (self.report)(told, &self.paste_sender);
        self.last_shown = Some(shown);
        self.prompt_deadline = Some(self.started + self.client.profile.login_timeout);
        self.report_waiting();
    }
}

/// Whether another process's failure is the answer to this request. If that process may not prompt, this one still may.
fn is_failure_for(purpose: LadderPurpose, last: &LastFailure) -> bool {
    let may_prompt = purpose.caller() == CallerKind::MayPrompt;
    !(may_prompt && last.report.kind == FailureKind::PromptNotAllowed)
}

fn send_to_worker(worker: &mut Child, message: &CallerMessage) {
    if let Some(stdin) = &mut worker.stdin {
        // A worker that has just ended needs no message.
        let _ = stdin.write_all(&encode_line(message));
    }
}

/// Passes the worker's lines on as they come, and then that its stdout has closed.
fn forward_lines(stdout: ChildStdout, process: u32, sender: Sender<WaitEvent>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The wait has ended.
            if sender.send(WaitEvent::Line(Zeroizing::new(line))).is_err() {
                return;
            }
        }
        let _ = sender.send(WaitEvent::PipeClosed(process));
    });
}

/// Ctrl-C at a terminal ends the sign-in. A second handler in one process is refused and not needed.
fn listen_for_ctrl_c(say: Sender<WaitEvent>) {
    let _ = ctrlc::set_handler(move || {
        let _ = say.send(WaitEvent::Interrupted);
    });
}

#[cfg(test)]
mod tests;
