//! Another program in this one's place: by exec(2) on Unix, as a child that is waited for on Windows.
//!
//! On Unix nothing of us is left that could stand between it and its signals, its terminal and its exit code.

use std::{ffi::OsString, io, process::Command};

/// Comes back only with what kept it from starting.
pub fn exec_command(words: &[OsString], set: &[(&'static str, String)], unset: &[&str]) -> io::Error {
    let Some((program, arguments)) = words.split_first() else {
        return io::ErrorKind::InvalidInput.into();
    };
    #[expect(clippy::disallowed_methods, reason = "the place that starts a person's own command")]
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

/// The console sends Ctrl-C to both of us: the command decides what it means, and we report how it ended.
#[cfg(windows)]
fn exec_or_wait(mut command: Command) -> io::Error {
    // A sign-in just before has set one already, and that one does as well.
    let _ = ctrlc::set_handler(|| {});
    match command.status() {
        #[expect(clippy::exit, clippy::disallowed_methods, reason = "its code has 32 bits, an `ExitCode` eight")]
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
