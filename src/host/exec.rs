//! Replaces this process by another program: with exec(2) on Unix, and with a child process on Windows.
//!
//! On Unix no process of this program remains, so signals, terminal and exit code reach the other program directly.

use std::{ffi::OsString, io, process::Command};

/// Runs the command with these variables. Returns only if it could not be started.
pub fn exec_command(words: &[OsString], set: &[(&'static str, String)], unset: &[&str]) -> io::Error {
    let Some((program, arguments)) = words.split_first() else {
        return io::ErrorKind::InvalidInput.into();
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that starts the user's command")]
    let mut command = Command::new(program);
    command.args(arguments).envs(set.iter().map(|(name, value)| (name, value)));
    for name in unset {
        command.env_remove(name);
    }
    exec_or_wait(command)
}

#[cfg(unix)]
fn exec_or_wait(mut command: Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    super::process::undo_hardening();
    command.exec()
}

/// The console sends Ctrl-C to both processes. This one ignores it, lets the command decide, and returns its exit code.
#[cfg(windows)]
fn exec_or_wait(mut command: Command) -> io::Error {
    super::listen_for_interrupts(|| super::InterruptResponse::Handled);
    match command.status() {
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "Windows exit codes have 32 bits, an `ExitCode` has eight"
        )]
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
