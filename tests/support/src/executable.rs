//! Programs that a test writes and then runs.
//!
//! A child of its own writes each: a file that this process has open for writing may be inherited by a child that another
//! thread is starting at that moment, and the kernel refuses to execute a file that anyone can write to (ETXTBSY).

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// Writes a script that its owner and others may execute.
pub fn write_script(path: &Path, text: &str) {
    write("printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", text.as_ref(), path);
}

/// Makes a named pipe. rustix can do so on Linux only.
pub fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe at {}", path.display());
}

/// Copies a program, never by a link.
pub fn copy_program(from: &Path, to: &Path) {
    write("cat <\"$1\" >\"$2\" && chmod 755 \"$2\"", from.as_ref(), to);
}

fn write(script: &str, what: &OsStr, path: &Path) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(what).arg(path).stdin(Stdio::null());
    let done = shell.status().expect("every Unix has sh");
    assert!(done.success(), "{} could not be written", path.display());
}
