//! Writes programs that a test then runs.
//!
//! A child process writes each file. If this process wrote it, a child that another thread starts at that moment could
//! inherit the open file, and the kernel refuses to execute a file that is open for writing (ETXTBSY).

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// Writes an executable script.
pub fn write_script(path: &Path, text: &str) {
    write("printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", text.as_ref(), path);
}

/// Makes a named pipe. It calls `mkfifo`, because rustix has the function on Linux only.
pub fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe at {}", path.display());
}

/// Copies a program. It is never a link.
pub fn copy_program(from: &Path, to: &Path) {
    write("cat <\"$1\" >\"$2\" && chmod 755 \"$2\"", from.as_ref(), to);
}

fn write(script: &str, what: &OsStr, path: &Path) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(what).arg(path).stdin(Stdio::null());
    let done = shell.status().expect("every Unix has sh");
    assert!(done.success(), "{} could not be written", path.display());
}
