//! Reads a secret from stdin: typed at a terminal without echo, or piped by a program.
//!
//! The input is limited in length and erased from memory when it is dropped. `commands` writes the prompt.

#[cfg(unix)]
use std::os::fd::AsFd as _;
use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
};

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The result of reading a secret.
#[derive(Debug)]
pub enum HiddenInput {
    Line(Zeroizing<Vec<u8>>),
    /// The input is longer than the limit.
    TooLong,
    /// The user pressed Ctrl-C.
    Interrupted,
}

const INTERRUPT: u8 = 3;
const END_OF_TRANSMISSION: u8 = 4;
pub(super) const BACKSPACE: u8 = 8;
/// Ctrl-U, which clears the line.
pub(super) const KILL_LINE: u8 = 21;
pub(super) const DELETE: u8 = 127;

/// Reads all of stdin, or one line from a terminal without echo. `ask` writes the prompt after echo is off, so that
/// nothing that is typed early becomes visible. The result does not contain the end of the line.
pub fn read_hidden_input(ask: impl FnOnce(), limit: usize) -> io::Result<HiddenInput> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return read_piped(stdin.lock(), limit);
    }
    let silence = EchoGuard::for_stdin()?;
    ask();
    let typed = read_typed(stdin.lock(), limit);
    drop(silence);
    typed
}

/// Reads a piped secret and removes one line end, which `echo` adds.
fn read_piped(input: impl Read, limit: usize) -> io::Result<HiddenInput> {
    // Reserve the full size at once: a growing buffer would leave copies of the secret in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 3));
    input.take(limit as u64 + 3).read_to_end(&mut bytes)?;
    if bytes.pop_if(|byte| *byte == b'\n').is_some() {
        bytes.pop_if(|byte| *byte == b'\r');
    }
    Ok(if bytes.len() > limit { HiddenInput::TooLong } else { HiddenInput::Line(bytes) })
}

/// Reads byte by byte, so that it works for a terminal in raw mode and for one that delivers whole lines.
fn read_typed(mut input: impl Read, limit: usize) -> io::Result<HiddenInput> {
    let mut line = Zeroizing::new(Vec::with_capacity(limit + 1));
    let mut byte = [0];
    loop {
        let key = if input.read(&mut byte)? == 0 { END_OF_TRANSMISSION } else { byte[0] };
        match key {
            INTERRUPT => return Ok(HiddenInput::Interrupted),
            b'\n' | b'\r' | END_OF_TRANSMISSION => return Ok(HiddenInput::Line(line)),
            BACKSPACE | DELETE => erase_last_char(&mut line),
            KILL_LINE => line.clear(),
            _ if line.len() == limit => return Ok(HiddenInput::TooLong),
            key => line.push(key),
        }
    }
}

/// Removes the last character, including all of its UTF-8 bytes.
pub(super) fn erase_last_char(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

/// Turns echo off until it is dropped.
#[cfg(unix)]
#[derive(Debug)]
pub struct EchoGuard {
    terminal: File,
    saved_modes: Termios,
    when: OptionalActions,
}

#[cfg(unix)]
impl EchoGuard {
    /// Also turns the system's line mode off, which would cut a pasted address. Signals stay on, so that Ctrl-C still
    /// ends the sign-in.
    pub(super) fn for_lines(terminal: File) -> io::Result<Self> {
        Self::without_modes(terminal, LocalModes::ICANON | LocalModes::ECHO, OptionalActions::Now)
    }

    /// Turns signals off as well: Ctrl-C then arrives as a key, so this process can restore the echo before it ends.
    fn for_stdin() -> io::Result<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        Self::without_modes(stdin.into(), modes, OptionalActions::Flush)
    }

    fn without_modes(terminal: File, modes: LocalModes, when: OptionalActions) -> io::Result<Self> {
        let saved_modes = tcgetattr(&terminal)?;
        let mut silent = saved_modes.clone();
        silent.local_modes -= modes;
        tcsetattr(&terminal, when, &silent)?;
        Ok(Self { terminal, saved_modes, when })
    }
}

#[cfg(unix)]
impl Drop for EchoGuard {
    fn drop(&mut self) {
        // It fails if the terminal is closed, which then needs no restoring.
        let _ = tcsetattr(&self.terminal, self.when, &self.saved_modes);
    }
}

/// Turns echo off for stdin only. Pasted lines stay visible. A Windows console does not cut them.
#[cfg(windows)]
#[derive(Debug)]
pub struct EchoGuard {
    is_for_stdin: bool,
}

#[cfg(windows)]
impl EchoGuard {
    #[expect(clippy::unnecessary_wraps, reason = "as on the other systems")]
    pub(super) fn for_lines(_: File) -> io::Result<Self> {
        Ok(Self { is_for_stdin: false })
    }

    fn for_stdin() -> io::Result<Self> {
        let is_silent = super::windows::set_console_echo(false);
        if is_silent { Ok(Self { is_for_stdin: true }) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(windows)]
impl Drop for EchoGuard {
    fn drop(&mut self) {
        if self.is_for_stdin {
            super::windows::set_console_echo(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unseen: io::Result<HiddenInput>) -> Option<Vec<u8>> {
        match unseen.unwrap() {
            HiddenInput::Line(line) => Some(line.to_vec()),
            HiddenInput::TooLong | HiddenInput::Interrupted => None,
        }
    }

    #[test]
    fn one_line_end_is_removed_from_piped_input() {
        for (input, wanted) in
            [("abcd", "abcd"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("ab\n\n", "ab\n"), ("", ""), (" a ", " a ")]
        {
            assert_eq!(line(read_piped(input.as_bytes(), 4)).as_deref(), Some(wanted.as_bytes()), "{input:?}");
        }
        assert!(matches!(read_piped(&b"abcde"[..], 4), Ok(HiddenInput::TooLong)));
        assert_eq!(line(read_piped(&b"abcd\r\n"[..], 4)).as_deref(), Some(&b"abcd"[..]));
        assert!(
            matches!(read_piped(io::repeat(b'x'), 4), Ok(HiddenInput::TooLong)),
            "it ends although the input does not"
        );
    }

    #[test]
    fn typed_input_can_be_corrected_and_interrupted() {
        for (keys, wanted) in [
            ("abc\rrest", "abc"),
            ("abx\u{7f}c\n", "abc"),
            ("aé\u{8}bc\n", "abc"),
            ("wrong\u{15}abc\n", "abc"),
            ("\u{7f}abc\u{4}", "abc"),
            ("abc", "abc"),
        ] {
            assert_eq!(line(read_typed(keys.as_bytes(), 8)).as_deref(), Some(wanted.as_bytes()), "{keys:?}");
        }
        assert!(matches!(read_typed(&b"abc\x03"[..], 8), Ok(HiddenInput::Interrupted)));
        assert!(matches!(read_typed(&b"123456789\n"[..], 8), Ok(HiddenInput::TooLong)));
    }
}
