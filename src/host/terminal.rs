//! The user's terminal, for messages that must be visible although the caller captures the streams, and for pasted
//! input.
//!
//! The program does not use a terminal that another program draws on or that belongs to another job: it would damage
//! the other program's display and take its input.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Read as _, Write},
};

use zeroize::Zeroizing;

use super::{
    Environment,
    hidden_input::{BACKSPACE, DELETE, EchoGuard, KILL_LINE, erase_last_char},
};
use crate::secret::Secret;

/// The longest line, longer than any callback address.
const LONGEST_LINE: usize = 64 * 1024;

/// A terminal that the program may use.
#[derive(Debug)]
pub struct Terminal {
    input: File,
    output: File,
}

impl Terminal {
    /// Opens the session's terminal, if this process runs in the foreground and the terminal reads line by line. In
    /// another mode, an editor or a host with its own interface is using it.
    pub fn open_foreground() -> Option<Self> {
        let (input, output) = open_terminal()?;
        Some(Self { input, output })
    }

    /// Writes a text. A closed terminal is not an error.
    pub fn show_text(&self, text: &str) {
        let _ = (&self.output).write_all(text.as_bytes());
    }

    /// Columns and rows, if they are known.
    pub fn size(&self) -> Option<(usize, usize)> {
        read_size(&self.output)
    }

    /// Columns and rows of stdout, if it is a terminal.
    pub fn stdout_size() -> Option<(usize, usize)> {
        read_size(&io::stdout())
    }

    /// Returns whether stdout is a terminal that interprets escape sequences, for example for colours.
    pub fn stdout_supports_escapes(environment: &Environment) -> bool {
        io::stdout().is_terminal() && supports_escapes(environment)
    }

    /// Until the guard is dropped, the terminal does not echo input, and lines may have any length. In the system's
    /// line mode, a pasted address would be cut after 1024 or 4096 bytes.
    pub fn disable_echo(&self) -> io::Result<EchoGuard> {
        EchoGuard::for_lines(self.input.try_clone()?)
    }

    /// Passes each typed or pasted line to `take`, until that returns false or the terminal is closed. Lines are
    /// secrets, because a pasted address contains the code.
    pub fn read_lines(&self, mut take: impl FnMut(Secret) -> bool) {
        let mut line = Zeroizing::new(Vec::new());
        let mut piece = Zeroizing::new(vec![0; LONGEST_LINE]);
        while let Ok(read @ 1..) = (&self.input).read(&mut piece) {
            for byte in piece.iter().take(read) {
                match *byte {
                    b'\r' | b'\n' => {
                        let text = String::from_utf8_lossy(&line).trim().to_owned();
                        line.clear();
                        if !text.is_empty() && !take(Secret::new(text)) {
                            return;
                        }
                    }
                    BACKSPACE | DELETE => erase_last_char(&mut line),
                    KILL_LINE => line.clear(),
                    byte if byte >= b' ' && line.len() < LONGEST_LINE => line.push(byte),
                    _ => {}
                }
            }
        }
    }
}

/// Opens the controlling terminal. A background job would be stopped by SIGTTIN when it reads, so the check comes
/// first.
#[cfg(unix)]
fn open_terminal() -> Option<(File, File)> {
    use rustix::{
        process::getpgrp,
        termios::{LocalModes, tcgetattr, tcgetpgrp},
    };
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    let in_front = tcgetpgrp(&terminal).ok()? == getpgrp();
    let by_line = tcgetattr(&terminal).ok()?.local_modes.contains(LocalModes::ICANON);
    (in_front && by_line).then(|| Some((terminal.try_clone().ok()?, terminal)))?
}

#[cfg(windows)]
fn open_terminal() -> Option<(File, File)> {
    let open = |name| OpenOptions::new().read(true).write(true).open(name).ok();
    let (input, output) = (open("CONIN$")?, open("CONOUT$")?);
    super::windows::is_line_mode(&input).then_some((input, output))
}

#[cfg(unix)]
fn supports_escapes(environment: &Environment) -> bool {
    environment.var_text("TERM").is_some_and(|kind| kind != "dumb")
}

/// Windows consoles do not use `TERM`. The program that opened the console, for example Windows Terminal, sets its
/// mode.
#[cfg(windows)]
fn supports_escapes(_: &Environment) -> bool {
    super::windows::stdout_supports_escapes()
}

#[cfg(unix)]
fn read_size(terminal: &impl std::os::fd::AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(windows)]
fn read_size<T>(_: &T) -> Option<(usize, usize)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(typed: &str) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        Write::write_all(&mut file.as_file(), typed.as_bytes()).unwrap();
        let (input, output) = (file.reopen().unwrap(), file.reopen().unwrap());
        let mut lines = Vec::new();
        Terminal { input, output }.read_lines(|line| {
            lines.push(line.expose().to_owned());
            lines.len() < 2
        });
        lines
    }

    #[test]
    fn typed_line_ends_with_enter_and_can_be_corrected() {
        assert_eq!(taken("abx\x7fc\r\n  \nwrong\x15 right \nthird\n"), ["abc", "right"]);
        assert_eq!(taken("a\x1b\x04b\n"), ["ab"]);
        assert_eq!(taken("a\u{e9}\x7fb\n"), ["ab"], "a character of several bytes is erased as one");
    }

    #[test]
    fn line_longer_than_the_systems_limit_is_complete() {
        let long = "x".repeat(20_000);
        assert_eq!(taken(&format!("{long}\n")), [long]);
    }
}
