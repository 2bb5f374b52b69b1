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

use super::{WaitLimits, WorkerClient, event::WorkerMessage, send_cancel, send_pasted_line};
use crate::{
    cache::{Freshness, LastFailure},
    failure::{Failure, LockWaitTimeout, SignInNeeded, SystemError, UserInterrupted},
    host::Terminal,
    lock::{self, LockHolder},
    log,
    secret::Secret,
    session::{
        LadderPurpose, PromptMethod, SessionCredentials, SignInEvent, SignInPrompt, WorkerResult,
        find_credentials, find_token_for,
    },
    time::Timestamp,
};

/// How often a waiting caller looks whether the lock is free again.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// How often whoever waits for a person is told how long that may still last.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// A worker that dies without a word is replaced this often.
const MAX_WORKER_DEATHS: u32 = 3;

/// What a waiting caller hears.
#[derive(Debug)]
enum WaitEvent {
    Message(WorkerMessage),
    /// The pipe of the worker with this process number has closed.
    PipeClosed(u32),
    /// A line from our terminal.
    Pasted(Secret),
    /// Ctrl-C at our terminal.
    Interrupted,
}

/// What a caller is told while it waits, for the person to see.
#[derive(Clone, Copy, Debug)]
pub enum ProgressEvent<'a> {
    Prompt(&'a SignInPrompt),
    /// Another process waits for the user, and only there can the sign-in be finished.
    OtherProcess {
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
    PasteRejected(&'a str),
}

/// How what is told reaches the person, and what they paste comes back.
pub type ProgressHandler<'a> = &'a mut dyn FnMut(ProgressEvent<'_>, &PasteSender);

/// The way back from the person at the terminal.
#[derive(Clone, Debug)]
pub struct PasteSender(Sender<WaitEvent>);

impl PasteSender {
    /// Hands over a pasted line; `false` once nobody wants any.
    pub fn send_line(&self, line: Secret) -> bool {
        self.0.send(WaitEvent::Pasted(line)).is_ok()
    }
}

/// One caller's wait, from its beginning to its end.
struct WorkerWait<'a, 'b> {
    client: &'a WorkerClient<'a>,
    purpose: LadderPurpose,
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
    has_terminal: bool,
    events: Receiver<WaitEvent>,
    sender: Sender<WaitEvent>,
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
enum WaitRound {
    Done(Result<WorkerResult, Failure>),
    /// Somebody else is, or was, at work.
    Retry,
    WorkerDied,
}

impl WorkerClient<'_> {
    pub(super) fn fetch_result(
        &self,
        purpose: LadderPurpose,
        patience: WaitLimits,
        tell: ProgressHandler<'_>,
    ) -> Result<WorkerResult, Failure> {
        self.cache.create_folder()?;
        let (say, hear) = channel();
        listen_for_ctrl_c(say.clone());
        let (began, began_at) = (Instant::now(), (self.host.now)());
        let deadline = began + patience.total;
        let (reply, terminal) = (PasteSender(say.clone()), Terminal::open_foreground().is_some());
        let mut wait = WorkerWait {
            client: self,
            purpose,
            limits: patience,
            started: began,
            started_at: began_at,
            deadline,
            last_shown: None,
            last_note: None,
            prompt_deadline: None,
            report: tell,
            paste_sender: reply,
            has_terminal: terminal,
            events: hear,
            sender: say,
        };
        wait.run_rounds()
    }
}

impl WorkerWait<'_, '_> {
    fn run_rounds(&mut self) -> Result<WorkerResult, Failure> {
        let mut deaths = 0;
        loop {
            let round = match lock::is_held(&self.client.cache.lock_path())? {
                true => self.await_other_worker()?,
                false => self.run_own_worker()?,
            };
            match round {
                WaitRound::Done(result) => return result,
                WaitRound::Retry => {}
                WaitRound::WorkerDied if deaths < MAX_WORKER_DEATHS => deaths += 1,
                WaitRound::WorkerDied => return Err(SystemError::WorkerDied.into()),
            }
        }
    }

    /// Sends a worker and listens to it until it ends or our patience does.
    fn run_own_worker(&mut self) -> Result<WaitRound, Failure> {
        let mut worker = self
            .client
            .spawn_worker(self.purpose, self.has_terminal)
            .map_err(SystemError::WorkerNotStarted)?;
        log::debug("errand", format_args!("sent process {} for {:?}", worker.id(), self.purpose));
        if let Some(stdout) = worker.stdout.take() {
            forward_messages(stdout, worker.id(), self.sender.clone());
        }
        loop {
            match self.next_event()? {
                WaitEvent::Message(WorkerMessage::Said(SignInEvent::Asking(asking))) => {
                    self.show_prompt(&asking);
                }
                WaitEvent::Message(WorkerMessage::Said(SignInEvent::NotThat(why))) => {
                    (self.report)(ProgressEvent::PasteRejected(&why), &self.paste_sender);
                }
                WaitEvent::Message(WorkerMessage::Said(SignInEvent::BrowserFailed { why, address })) => {
                    (self.report)(
                        ProgressEvent::BrowserFailed { why: &why, address: &address },
                        &self.paste_sender,
                    );
                }
                WaitEvent::Message(WorkerMessage::Said(SignInEvent::Answered)) => {
                    self.prompt_deadline = None;
                    (self.report)(ProgressEvent::Answered, &self.paste_sender);
                }
                WaitEvent::Pasted(line) => send_pasted_line(&mut worker, &line),
                WaitEvent::Message(WorkerMessage::Ready { credentials, session_name, role, notice }) => {
                    // It has nothing left to do; a program that takes our place would not know whose child it is.
                    let _ = worker.wait();
                    let ready = SessionCredentials { credentials, session_name, role, notice };
                    return Ok(WaitRound::Done(Ok(WorkerResult::Credentials(ready))));
                }
                WaitEvent::Message(WorkerMessage::Token(token)) => {
                    return Ok(WaitRound::Done(Ok(WorkerResult::Token(token))));
                }
                WaitEvent::Message(WorkerMessage::Failed(failure)) => {
                    return Ok(WaitRound::Done(Err(failure)));
                }
                // Another worker was faster by a moment.
                WaitEvent::Message(WorkerMessage::Busy) => return Ok(WaitRound::Retry),
                WaitEvent::Message(WorkerMessage::Log(line)) => print_log_line(&line),
                WaitEvent::PipeClosed(process) if process == worker.id() => return Ok(WaitRound::WorkerDied),
                // An earlier one, whose end is not the end of anything now.
                WaitEvent::PipeClosed(_) => {}
                WaitEvent::Interrupted => {
                    send_cancel(&mut worker);
                    return Err(UserInterrupted.into());
                }
            }
        }
    }

    /// Waits for whoever holds the lock, and takes what they leave.
    fn await_other_worker(&mut self) -> Result<WaitRound, Failure> {
        log::debug("errand", format_args!("waiting for another process"));
        let path = self.client.cache.lock_path();
        while lock::is_held(&path)? {
            if self.started.elapsed() > self.limits.other_worker {
                return Err(self.build_wait_timeout());
            }
            self.handle_holder_note(lock::read_holder(&path))?;
            match self.next_event_within(LOCK_POLL_INTERVAL)? {
                Some(WaitEvent::Interrupted) => return Err(UserInterrupted.into()),
                _ => self.report_waiting(),
            }
        }
        self.take_other_result()
    }

    /// Shows where the user can take part in another process's sign-in. A command that may not prompt fails instead.
    fn handle_holder_note(&mut self, note: Option<LockHolder>) -> Result<(), Failure> {
        if self.last_note == note {
            return Ok(());
        }
        self.last_note = note;
        let Some(holder) = self.last_note.as_ref().filter(|holder| holder.is_prompting) else {
            return Ok(());
        };
        let pid = holder.pid;
        let address = self.client.cache.open_prompt_address(holder, (self.client.host.now)());
        if matches!(
            self.purpose,
            LadderPurpose::Credentials { may_prompt: false } | LadderPurpose::Token { .. }
        ) {
            return Err(SignInNeeded::PromptElsewhere { pid, address }.into());
        }
        match address {
            Some(address) => self.show_prompt(&SignInPrompt { address, way: PromptMethod::Joining }),
            None => self.begin_user_wait(ShownPrompt::OtherProcess(pid), ProgressEvent::OtherProcess { pid }),
        }
        Ok(())
    }

    /// The work of another process: its credentials, else its failure, else nothing because it was killed.
    fn take_other_result(&self) -> Result<WaitRound, Failure> {
        if matches!(self.purpose, LadderPurpose::Login { .. }) {
            // A person's own sign-in judges for itself what the other one left.
            return Ok(WaitRound::Retry);
        }
        if let Some(brought) = self.find_stored_result()? {
            return Ok(WaitRound::Done(Ok(brought)));
        }
        let last = self.client.cache.load_notes().last_failure;
        let failure =
            last.filter(|failure| failure.at >= self.started_at && self.is_relevant_failure(failure));
        Ok(failure.map_or(WaitRound::Retry, |failure| WaitRound::Done(Err(failure.into()))))
    }

    fn find_stored_result(&self) -> Result<Option<WorkerResult>, Failure> {
        let session = self.client.cache.load_session()?;
        if matches!(self.purpose, LadderPurpose::Token { .. }) {
            let token = find_token_for(&session, self.purpose, (self.client.host.now)());
            return Ok(token.map(WorkerResult::Token));
        }
        let serves = |ready: &SessionCredentials| {
            matches!(self.client.freshness(ready), Freshness::Fresh | Freshness::RenewSoon)
        };
        Ok(find_credentials(&session, self.client.profile, (self.client.host.now)())
            .filter(serves)
            .map(WorkerResult::Credentials))
    }

    /// That somebody else may not ask a person says nothing to whoever may.
    fn is_relevant_failure(&self, failure: &LastFailure) -> bool {
        failure.slug != SignInNeeded::NOT_ALLOWED
            || self.purpose != LadderPurpose::Credentials { may_prompt: true }
    }

    fn next_event(&mut self) -> Result<WaitEvent, Failure> {
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

    /// What is heard within a span, or nothing; a failure once our own patience has ended.
    fn next_event_within(&mut self, span: Duration) -> Result<Option<WaitEvent>, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.build_wait_timeout());
        }
        match self.events.recv_timeout(span.min(left)) {
            Ok(heard) => Ok(Some(heard)),
            // Never disconnected: we hold a sender ourselves, for the next worker.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn build_wait_timeout(&self) -> Failure {
        let (cache, now) = (&self.client.cache, (self.client.host.now)());
        let holder = lock::read_holder(&cache.lock_path());
        let address = holder.as_ref().and_then(|holder| cache.open_prompt_address(holder, now));
        log::info("errand", format_args!("waited {} s, no longer", self.started.elapsed().as_secs()));
        LockWaitTimeout { holder, address, now }.into()
    }

    fn show_prompt(&mut self, asking: &SignInPrompt) {
        let shown = ShownPrompt::Address(asking.address.clone(), asking.user_code().map(str::to_owned));
        self.begin_user_wait(shown, ProgressEvent::Prompt(asking));
    }

    /// Tells the user where to act, once, and waits less if there is something to serve meanwhile.
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

/// Hands the worker's lines on as they come, and its end as well.
fn forward_messages(stdout: ChildStdout, process: u32, say: Sender<WaitEvent>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str(&line) else { continue };
            if say.send(WaitEvent::Message(event)).is_err() {
                return;
            }
        }
        // Nobody listens any more when the caller has what it wanted.
        let _ = say.send(WaitEvent::PipeClosed(process));
    });
}

/// Ctrl-C at a terminal ends the sign-in. A second handler in one process is refused and not needed.
fn listen_for_ctrl_c(say: Sender<WaitEvent>) {
    let _ = ctrlc::set_handler(move || {
        let _ = say.send(WaitEvent::Interrupted);
    });
}

/// A worker's log line goes where ours go; it is complete as it is.
fn print_log_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
