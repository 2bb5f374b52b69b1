//! What a person is shown while a sign-in waits for them, and where; and what they answer.
//!
//! `login` speaks on stdout, which hosts show. A caller that comes by itself hides our streams, so what must be seen then
//! goes to the terminal. stdout of `credentials` stays the protocol's.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
};

use super::{progress::ProgressLine, qr_code::DeviceCodeView, write_stderr_if_terminal, write_stdout};
use crate::{
    cli::GlobalArgs,
    host::{EchoGuard, Environment, Terminal},
    session::{PromptMethod, SignInEvent, SignInPrompt},
    time::format_duration,
    worker::{PasteSender, ProgressEvent},
};

pub(super) struct SignInScreen<'a> {
    environment: &'a Environment,
    mode: ScreenMode,
    progress: ProgressLine,
    /// Open from the first address that is to be pasted back.
    pasting: Option<PastePrompt>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScreenMode {
    Login,
    /// Of a caller that comes by itself.
    Automatic,
}

/// A terminal at which a person pastes. What they paste is not shown until this is dropped.
struct PastePrompt {
    terminal: Arc<Terminal>,
    _echo_off: Option<EchoGuard>,
}

impl<'a> SignInScreen<'a> {
    pub(super) fn for_login(environment: &'a Environment, global: &GlobalArgs) -> Self {
        let progress = ProgressLine::for_stdout(environment, global);
        Self { environment, mode: ScreenMode::Login, progress, pasting: None }
    }

    pub(super) fn for_automatic(environment: &'a Environment) -> Self {
        Self { environment, mode: ScreenMode::Automatic, progress: ProgressLine::hidden(), pasting: None }
    }

    pub(super) fn show_event(&mut self, told: ProgressEvent<'_>, reply: &PasteSender) {
        if let ProgressEvent::SignIn(SignInEvent::Prompt(_) | SignInEvent::BrowserFailed { .. })
        | ProgressEvent::OtherProcess { .. } = told
        {
            self.progress.clear();
        }
        match told {
            // The line belongs to what is being pasted.
            ProgressEvent::Waiting { .. } if self.pasting.is_some() => {}
            ProgressEvent::Waiting { left } => {
                self.progress.show_text(&format!("Waiting for you: {} left. Ctrl-C gives up.", format_duration(left)));
            }
            ProgressEvent::SignIn(SignInEvent::Answered) => {
                self.progress.show_text("You are known to the provider. Asking AWS…");
            }
            ProgressEvent::SignIn(SignInEvent::Prompt(SignInPrompt { address, way: PromptMethod::Paste { to } })) => {
                if self.mode == ScreenMode::Login && !io::stdout().is_terminal() {
                    write_stdout_line(&format!(
                        "To sign in, follow the words at the terminal, or go to {address} on this machine"
                    ));
                }
                self.prompt_for_paste(to.expose(), reply);
            }
            ProgressEvent::SignIn(SignInEvent::Prompt(prompt)) => match self.mode {
                ScreenMode::Login => self.show_on_stdout(prompt),
                ScreenMode::Automatic => self.show_on_terminal(prompt),
            },
            ProgressEvent::SignIn(SignInEvent::BrowserFailed { why, address }) => {
                let text = format!("The browser failed ({why}). To sign in, go to {address}");
                match Terminal::open_foreground().filter(|_| self.mode == ScreenMode::Automatic) {
                    Some(terminal) => terminal.show_text(&format!("{text}\n")),
                    None => self.show_line(&text),
                }
            }
            ProgressEvent::OtherProcess { pid } => self.show_line(&format!(
                "A sign-in is waiting for you already: finish it where it was shown, or end process {pid} and sign in again"
            )),
            ProgressEvent::SignIn(SignInEvent::PasteRejected(why)) => {
                if let Some(pasting) = &self.pasting {
                    pasting.terminal.show_text(&format!("{why}\nPaste the whole address again: "));
                }
            }
        }
    }

    fn show_on_stdout(&self, asking: &SignInPrompt) {
        if io::stdout().is_terminal() {
            let size = Terminal::stdout_size().unwrap_or_default();
            write_stdout_line(&DeviceCodeView::new(self.environment, size).render_prompt(asking));
        } else {
            write_stdout_line(&asking.to_string());
        }
    }

    fn show_line(&self, text: &str) {
        match self.mode {
            ScreenMode::Login => write_stdout_line(text),
            ScreenMode::Automatic => write_stderr_if_terminal(text),
        }
    }

    /// A browser that was asked to open needs no word but where somebody reads stderr; a code must be seen.
    fn show_on_terminal(&self, asking: &SignInPrompt) {
        let is_shown_elsewhere = matches!(asking.way, PromptMethod::Browser | PromptMethod::Joining);
        match Terminal::open_foreground().filter(|_| !is_shown_elsewhere) {
            Some(terminal) => {
                let drawing = DeviceCodeView::new(self.environment, terminal.size().unwrap_or_default());
                terminal.show_text(&format!("{}\n", drawing.render_prompt(asking)));
            }
            None => write_stderr_if_terminal(&asking.to_string()),
        }
    }

    fn prompt_for_paste(&mut self, address: &str, reply: &PasteSender) {
        let Some(terminal) = Terminal::open_foreground().map(Arc::new) else { return };
        // Where that is refused, the person sees what they paste.
        let hushed = terminal.disable_echo().ok();
        terminal.show_text(&format!(
            "To sign in, open this address in a browser on any machine:\n\n{address}\n\n\
             In the end the browser says that you are signed in, or that it cannot connect.\n\
             If it cannot, copy the whole address from its address bar, paste it here\n\
             and press Enter{}: ",
            if hushed.is_some() { " (it is not shown)" } else { "" }
        ));
        let (reader, reply) = (Arc::clone(&terminal), reply.clone());
        thread::spawn(move || reader.read_lines(|line| reply.send_line(line)));
        self.pasting = Some(PastePrompt { terminal, _echo_off: hushed });
    }
}

impl Drop for PastePrompt {
    fn drop(&mut self) {
        // The prompt's line has no end of its own.
        self.terminal.show_text("\n");
    }
}

/// A line of `login`. A host that no longer reads does not end the sign-in.
fn write_stdout_line(text: &str) {
    let _ = write_stdout(format!("{text}\n").as_bytes());
}
