//! Waiting for what another process or thread does: the one place where the harness polls.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far more than a busy machine needs; only a failing test waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Short beside the start of a process, long beside one look.
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
