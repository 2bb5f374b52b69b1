//! Waiting for other processes and threads.

use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Far more than a busy machine needs. Only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Short compared with the start of a process, long compared with one check.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// Polls until the condition holds; panics after half a minute.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Repeats a call that a signal has interrupted (EINTR). std does not repeat it for sockets.
pub(crate) fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
