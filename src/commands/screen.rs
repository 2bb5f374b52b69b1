//! Shows the user what a sign-in needs from them, and reads the address that they paste.
//!
//! `login` writes to stdout, because hosts show that. Automatic callers, such as an SDK that runs `credentials`, hide
//! our streams and parse stdout. For those the prompt goes directly to the terminal of the session.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
};

use super::{
    progress::ProgressLine, qr_code::DeviceCodeView, write_stderr_if_terminal, write_stderr_line, write_stdout,
};
use crate::{
    cli::GlobalArgs,
    host::{EchoGuard, Environment, Terminal},
    session::{PromptMethod, SignInEvent, SignInPrompt},
    text::sanitize_line,
    time::format_duration,
    worker::{PasteSender, ProgressEvent},
};

/// Shows the events of one sign-in. Dropping it removes the progress line and restores the terminal.
pub(super) struct SignInScreen<'a> {
    environment: &'a Environment,
    mode: ScreenMode,
    progress: ProgressLine,
    /// Set from the first prompt for a pasted address until the end.
    pasting: Option<PastePrompt>,
}

/// Where the output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ScreenMode {
    /// To stdout.
    Login,
    /// To the terminal, or to stderr if that is one.
    Automatic,
}

/// A terminal in which the user pastes an address. The address contains an authorization code, so the terminal does not
/// show it.
struct PastePrompt {
    terminal: Arc<Terminal>,
    /// Turns the echo on again when it is dropped. `None`: the terminal could not turn it off.
    _echo_off: Option<EchoGuard>,
}

impl<'a> SignInScreen<'a> {
    /// For `login`, which has a progress line.
    pub(super) fn for_login(environment: &'a Environment, global: &GlobalArgs) -> Self {
        let progress = ProgressLine::for_stdout(environment, global);
        Self { environment, mode: ScreenMode::Login, progress, pasting: None }
    }

    /// For all other commands that may prompt.
    pub(super) fn for_automatic(environment: &'a Environment) -> Self {
        Self { environment, mode: ScreenMode::Automatic, progress: ProgressLine::hidden(), pasting: None }
    }

    /// Shows one event. Lines that the user pastes later go to the worker through `reply`.
    pub(super) fn show_event(&mut self, event: ProgressEvent<'_>, reply: &PasteSender) {
        if let ProgressEvent::SignIn(
            SignInEvent::Prompt(_)
            | SignInEvent::BrowserFailed { .. }
            | SignInEvent::RequestRefused { .. }
            | SignInEvent::NoRefreshToken,
        )
        | ProgressEvent::OtherProcess { .. } = event
        {
            self.progress.clear();
        }
        match event {
            // The progress line would overwrite the line in which the user pastes.
            ProgressEvent::Waiting { .. } if self.pasting.is_some() => {}
            ProgressEvent::Waiting { left } => {
                self.progress
                    .show_text(&format!("Waiting for your sign-in: {} left. Ctrl-C cancels.", format_duration(left)));
            }
            ProgressEvent::SignIn(SignInEvent::Answered) => {
                self.progress.show_text("Signed in. Requesting AWS credentials…");
            }
            ProgressEvent::SignIn(SignInEvent::Prompt(SignInPrompt { address, way: PromptMethod::Paste { to } })) => {
                // The terminal shows the instructions. A host that reads stdout needs a line with an address too.
                if self.mode == ScreenMode::Login && !io::stdout().is_terminal() {
                    write_stdout_line(&format!(
                        "To sign in, follow the instructions in the terminal, or go to {address} on this computer"
                    ));
                }
                self.prompt_for_paste(to.expose(), reply);
            }
            ProgressEvent::SignIn(SignInEvent::Prompt(prompt)) => match self.mode {
                ScreenMode::Login => self.show_on_stdout(prompt),
                ScreenMode::Automatic => self.show_on_terminal(prompt),
            },
            ProgressEvent::SignIn(SignInEvent::BrowserFailed { why, address }) => {
                let text = format!("The browser did not open ({why}). To sign in, go to {address}");
                match Terminal::open_foreground().filter(|_| self.mode == ScreenMode::Automatic) {
                    Some(terminal) => terminal.show_text(&format!("{text}\n")),
                    None => self.show_line(&text),
                }
            }
            // Also for automatic callers, because their users see the error page and wait for nothing.
            ProgressEvent::SignIn(SignInEvent::RequestRefused { message, hint }) => {
                write_stderr_line(&format!("bedrock-sso: {message}\n  hint: {hint}"));
            }
            ProgressEvent::SignIn(SignInEvent::NoRefreshToken) => self.show_warning(
                "The provider issued no refresh token, so you must sign in again when these credentials expire. \
                 Ask its administrator to allow refresh tokens (`offline_access`) for this application.",
            ),
            ProgressEvent::OtherProcess { pid } => self.show_line(&format!(
                "Another sign-in is in progress. Complete it in the window where you started it, or end process {pid} \
                 and sign in again"
            )),
            ProgressEvent::SignIn(SignInEvent::PasteRejected(why)) => {
                if let Some(pasting) = &self.pasting {
                    pasting.terminal.show_text(&format!("{why}\nPaste the whole address again: "));
                }
            }
        }
    }

    /// Shows the prompt of `login`. A pipe gets exactly one line, because hosts read the address from it.
    fn show_on_stdout(&self, prompt: &SignInPrompt) {
        if io::stdout().is_terminal() {
            let size = Terminal::stdout_size().unwrap_or_default();
            write_stdout_line(&DeviceCodeView::new(self.environment, size).render_prompt(prompt));
        } else {
            write_stdout_line(&prompt.to_string());
        }
    }

    /// Shows one line that is not a prompt.
    fn show_line(&self, text: &str) {
        match self.mode {
            ScreenMode::Login => write_stdout_line(text),
            ScreenMode::Automatic => write_stderr_if_terminal(text),
        }
    }

    /// Shows one line that the user did not ask for. The stdout of `login` has only what its callers expect there.
    fn show_warning(&self, text: &str) {
        match self.mode {
            ScreenMode::Login => write_stderr_line(text),
            ScreenMode::Automatic => write_stderr_if_terminal(text),
        }
    }

    /// Shows the prompt of an automatic caller.
    ///
    /// When a browser opens, the user sees the sign-in there, so a line in the terminal would only disturb the output
    /// of the program that called us. A code, on the other hand, is visible nowhere else.
    fn show_on_terminal(&self, prompt: &SignInPrompt) {
        let is_shown_elsewhere = matches!(prompt.way, PromptMethod::Browser | PromptMethod::Joining);
        match Terminal::open_foreground().filter(|_| !is_shown_elsewhere) {
            Some(terminal) => {
                let drawing = DeviceCodeView::new(self.environment, terminal.size().unwrap_or_default());
                terminal.show_text(&format!("{}\n", drawing.render_prompt(prompt)));
            }
            None => write_stderr_if_terminal(&prompt.to_string()),
        }
    }

    /// Shows the provider's address, and starts a thread that sends each pasted line to the worker.
    ///
    /// A thread is needed because reading from a terminal blocks, while this process must continue to show events.
    /// Without a terminal the user can only complete the sign-in in a browser on this computer.
    fn prompt_for_paste(&mut self, address: &str, reply: &PasteSender) {
        let Some(terminal) = Terminal::open_foreground().map(Arc::new) else { return };
        // If that fails, the terminal shows the pasted address, which can be used only once.
        let echo_off = terminal.disable_echo().ok();
        terminal.show_text(&format!(
            "To sign in, open this address in a browser on any machine:\n\n{address}\n\n\
             After the sign-in, the browser shows that you are signed in, or that it cannot connect.\n\
             If it cannot connect, copy the whole address from its address bar, paste it here\n\
             and press Enter{}: ",
            if echo_off.is_some() { " (the input is hidden)" } else { "" }
        ));
        let (reader, reply) = (Arc::clone(&terminal), reply.clone());
        thread::spawn(move || reader.read_lines(|line| reply.send_line(line)));
        self.pasting = Some(PastePrompt { terminal, _echo_off: echo_off });
    }
}

impl Drop for PastePrompt {
    fn drop(&mut self) {
        // The prompt does not end with a newline, and the Enter key is not shown.
        self.terminal.show_text("\n");
    }
}

/// Writes a line of `login` to stdout. Errors are ignored, so the sign-in continues when the host has stopped reading.
fn write_stdout_line(text: &str) {
    let _ = write_stdout(format!("{text}\n").as_bytes());
}

/// Whom AWS signed in, for a sentence; nothing if AWS did not name the user.
pub(super) fn describe_user(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" as {}", sanitize_line(name)) }
}
