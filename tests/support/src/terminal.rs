//! A pseudo-terminal for the program, and the user who reads it and types.
//!
//! Linux only: `setsid --ctty` makes the terminal control the program's session, as in a shell.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::{desk::Desk, wait::retry_interrupted};

const DEADLINE: Duration = Duration::from_secs(30);

/// Secrets that a user has to see to paste them: they are part of the address that the user opens.
const SHOWN_TO_PASTE: [&str; 2] = ["state", "nonce"];

/// Where the program's stdout and stderr go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// To the terminal, as in a shell.
    Terminal,
    /// To a caller that reads stdout and hides stderr, as SDKs do.
    Caller,
}

/// A call of the program in a terminal.
pub struct AtTerminal<'d, 'w> {
    desk: &'d Desk<'w>,
    child: Child,
    master: File,
    shown: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: thread::JoinHandle<()>,
    stdout: Option<thread::JoinHandle<String>>,
}

/// The result of a call in a terminal.
#[derive(Debug)]
pub struct TerminalOutcome {
    pub code: Option<i32>,
    /// Everything that the terminal showed.
    pub shown: String,
    /// What the caller read from stdout.
    pub stdout: String,
}

impl<'w> Desk<'w> {
    pub fn at_terminal<'d>(&'d self, streams: Streams, arguments: &[&str]) -> AtTerminal<'d, 'w> {
        self.with_terminal(streams, |command| {
            command.arg(self.program()).args(arguments);
        })
    }

    /// Runs a shell script that prepares the terminal. The script's `"$0"` is the program.
    pub fn shell_at_terminal<'d>(&'d self, script: &str) -> AtTerminal<'d, 'w> {
        self.with_terminal(Streams::Terminal, |command| {
            command.args(["sh", "-c", script]).arg(self.program());
        })
    }

    fn with_terminal<'d>(&'d self, streams: Streams, called: impl FnOnce(&mut Command)) -> AtTerminal<'d, 'w> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has terminals");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a new terminal is ours");
        let size = Winsize { ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let slave = || {
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
            File::from(ioctl_tiocgptpeer(&master, flags).expect("a terminal has two ends"))
        };
        let mut command = Command::new("setsid");
        command.arg("--ctty");
        called(&mut command);
        command.env_clear().envs(self.variables()).current_dir(self.home()).stdin(slave());
        match streams {
            Streams::Terminal => command.stdout(slave()).stderr(slave()),
            Streams::Caller => command.stdout(Stdio::piped()).stderr(Stdio::null()),
        };
        let mut child = command.spawn().expect("setsid is part of every Linux");
        let stdout = child.stdout.take().map(|mut stdout| {
            thread::spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).map_or_else(|_| String::new(), |_| text)
            })
        });
        let shown = Arc::default();
        let master = File::from(master);
        let reader = read(master.try_clone().expect("a file can be shared"), Arc::clone(&shown));
        // Closes our copies of the program's ends of the terminal.
        drop(command);
        AtTerminal { desk: self, child, master, shown, reader, stdout }
    }
}

fn read(mut master: File, shown: Arc<(Mutex<Vec<u8>>, Condvar)>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut piece = [0; 8192];
        // At the end this is an error: the last program has closed the terminal.
        while let Ok(read @ 1..) = retry_interrupted(|| master.read(&mut piece)) {
            shown.0.lock().unwrap().extend(&piece[..read]);
            shown.1.notify_all();
        }
    })
}

impl AtTerminal<'_, '_> {
    /// Waits until the terminal has shown these words, and returns all that it has shown.
    #[track_caller]
    pub fn shows(&self, words: &str) -> String {
        self.shows_times(words, 1)
    }

    #[track_caller]
    pub fn shows_times(&self, words: &str, count: usize) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.shown.0.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&shown).into_owned();
            if text.matches(words).count() >= count {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{words:?} did not appear in: {text}");
            shown = self.shown.1.wait_timeout(shown, left.min(Duration::from_millis(100))).unwrap().0;
        }
    }

    pub fn types(&self, text: &str) {
        (&self.master).write_all(text.as_bytes()).expect("the terminal is open");
    }

    /// Whether the terminal echoes what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.master).expect("a terminal has modes").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end, and asserts that no secret was shown except those that the user has to paste.
    #[track_caller]
    pub fn finish(mut self) -> TerminalOutcome {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break status;
            }
            if Instant::now() > deadline {
                drop(self.child.kill());
                panic!("no end within {DEADLINE:?}: {}", String::from_utf8_lossy(&self.shown.0.lock().unwrap()));
            }
            thread::sleep(Duration::from_millis(10));
        };
        let stdout = self.stdout.take().map_or_else(String::new, |stdout| stdout.join().unwrap_or_default());
        while !self.reader.is_finished() {
            assert!(Instant::now() < deadline, "something still holds the terminal");
            thread::sleep(Duration::from_millis(5));
        }
        let shown = self.shown.0.lock().unwrap().clone();
        let leaks = self.desk.ledger().leaks("a terminal", &shown);
        let leaks: Vec<_> = leaks.iter().filter(|leak| !SHOWN_TO_PASTE.contains(&leak.kind)).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        TerminalOutcome { code: status.code(), shown: String::from_utf8_lossy(&shown).into_owned(), stdout }
    }
}
