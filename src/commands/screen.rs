//! What a person is shown while a sign-in waits for them, and where; and what they answer.
//!
//! `login` speaks on stdout, which hosts show. A caller that comes by itself hides our streams, so what must be seen then
//! goes to the terminal. stdout of `credentials` stays the protocol's.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    thread,
};

use super::{drawing::Drawing, print, progress::Progress};
use crate::{
    cli::Global,
    errand::{Reply, Told},
    host::{Environment, Hushed, Terminal},
    session::{Asking, Way},
    time::spoken,
};

pub(super) struct Screen<'a> {
    environment: &'a Environment,
    kind: Kind,
    progress: Progress,
    /// Open from the first address that is to be pasted back.
    pasting: Option<Pasting>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login,
    /// Of a caller that comes by itself.
    Automatic,
}

/// A terminal at which a person pastes. What they paste is not shown until this is dropped.
struct Pasting {
    terminal: Arc<Terminal>,
    _hushed: Option<Hushed>,
}

impl<'a> Screen<'a> {
    pub(super) fn of_login(environment: &'a Environment, global: &Global) -> Self {
        let progress = Progress::of_stdout(environment, global);
        Self { environment, kind: Kind::Login, progress, pasting: None }
    }

    pub(super) fn automatic(environment: &'a Environment) -> Self {
        Self { environment, kind: Kind::Automatic, progress: Progress::none(), pasting: None }
    }

    pub(super) fn tell(&mut self, told: Told<'_>, reply: &Reply) {
        if let Told::Asking(_) | Told::Elsewhere { .. } | Told::BrowserFailed { .. } = told {
            self.progress.clear();
        }
        match told {
            // The line belongs to what is being pasted.
            Told::Waiting { .. } if self.pasting.is_some() => {}
            Told::Waiting { left } => {
                self.progress.show(&format!("Waiting for you: {} left. Ctrl-C gives up.", spoken(left)));
            }
            Told::Answered => self.progress.show("You are known to the provider. Asking AWS…"),
            Told::Asking(Asking { address, way: Way::Paste { to } }) => {
                if self.kind == Kind::Login && !io::stdout().is_terminal() {
                    print_line(&format!(
                        "To sign in, follow the words at the terminal, or go to {address} on this machine"
                    ));
                }
                self.ask_to_paste(to.expose(), reply);
            }
            Told::Asking(asking) if self.kind == Kind::Login => self.tell_on_stdout(asking),
            Told::Asking(asking) => self.tell_on_terminal(asking),
            Told::BrowserFailed { why, address } => {
                let text = format!("The browser failed ({why}). To sign in, go to {address}");
                match (self.kind, Terminal::ours()) {
                    (Kind::Login, _) => print_line(&text),
                    (Kind::Automatic, Some(terminal)) => terminal.show(&format!("{text}\n")),
                    (Kind::Automatic, None) => say_at_terminal(&text),
                }
            }
            Told::Elsewhere { pid } => self.tell_elsewhere(pid),
            Told::NotThat(why) => {
                if let Some(pasting) = &self.pasting {
                    pasting.terminal.show(&format!("{why}\nPaste the whole address again: "));
                }
            }
        }
    }

    fn tell_on_stdout(&self, asking: &Asking) {
        if io::stdout().is_terminal() {
            let size = Terminal::size_of_stdout().unwrap_or_default();
            print_line(&Drawing::new(self.environment, size).asking(asking));
        } else {
            print_line(&asking.to_string());
        }
    }

    fn tell_elsewhere(&self, pid: u32) {
        let text = format!(
            "A sign-in is waiting for you already: finish it where it was shown, or end process {pid} and sign in again"
        );
        match self.kind {
            Kind::Login => print_line(&text),
            Kind::Automatic => say_at_terminal(&text),
        }
    }

    /// A browser that was asked to open needs no word but where somebody reads stderr; a code must be seen.
    fn tell_on_terminal(&self, asking: &Asking) {
        let is_shown_elsewhere = matches!(asking.way, Way::Browser | Way::Joining);
        match Terminal::ours().filter(|_| !is_shown_elsewhere) {
            Some(terminal) => {
                let drawing = Drawing::new(self.environment, terminal.size().unwrap_or_default());
                terminal.show(&format!("{}\n", drawing.asking(asking)));
            }
            None => say_at_terminal(&asking.to_string()),
        }
    }

    fn ask_to_paste(&mut self, address: &str, reply: &Reply) {
        let Some(terminal) = Terminal::ours().map(Arc::new) else { return };
        // Where that is refused, the person sees what they paste.
        let hushed = terminal.hushed().ok();
        terminal.show(&format!(
            "To sign in, open this address in a browser on any machine:\n\n{address}\n\n\
             In the end the browser says that you are signed in, or that it cannot connect.\n\
             If it cannot, copy the whole address from its address bar, paste it here\n\
             and press Enter{}: ",
            if hushed.is_some() { " (it is not shown)" } else { "" }
        ));
        let (reader, reply) = (Arc::clone(&terminal), reply.clone());
        thread::spawn(move || reader.lines(|line| reply.paste(line)));
        self.pasting = Some(Pasting { terminal, _hushed: hushed });
    }
}

impl Drop for Pasting {
    fn drop(&mut self) {
        // The prompt's line has no end of its own.
        self.terminal.show("\n");
    }
}

/// A line on stderr, if a user reads it. Programs that call us take what is on stderr for a failure.
fn say_at_terminal(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        // A terminal that has gone away cannot be helped.
        let _ = writeln!(stderr, "{text}");
    }
}

/// A line of `login`. A host that no longer reads does not end the sign-in.
fn print_line(text: &str) {
    let _ = print(format!("{text}\n").as_bytes());
}
