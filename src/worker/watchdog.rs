//! Ends a worker that hangs, so that the kernel releases the lock in its hand.
//!
//! Everything a worker waits for has a deadline of its own. This one is for what nobody foresaw.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use super::protocol::{WorkerMessage, send_message};
use crate::{cache::FailureKind, config::Profile, failure::Failure, host};

/// What the servers and AWS may take beside the user's own time.
const MAX_WORK_TIME: Duration = Duration::from_secs(75);

/// How long the last message to the caller may take. The caller may have stopped to read.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// No worker of this profile lives longer.
pub(super) fn compute_max_lifetime(profile: &Profile) -> Duration {
    profile.login_timeout + MAX_WORK_TIME
}

/// Acts once after a span, unless it is dropped before.
pub(super) struct Watchdog {
    // Dropping it is what ends the waiting thread.
    _alive: Sender<()>,
}

impl Watchdog {
    /// Ends this process after the profile's longest life.
    pub(super) fn for_worker(profile: &Profile) -> Self {
        let span = compute_max_lifetime(profile);
        Self::start(span, move || end_process(span))
    }

    fn start(span: Duration, act: impl FnOnce() + Send + 'static) -> Self {
        let (alive, ended) = channel();
        thread::spawn(move || {
            if ended.recv_timeout(span) == Err(RecvTimeoutError::Timeout) {
                act();
            }
        });
        Self { _alive: alive }
    }
}

/// Reports to the caller, if that is possible at once, and ends the process whatever its other threads do.
fn end_process(after: Duration) {
    let (done, reported) = channel();
    // The main thread may hang in the middle of a message, with stdout locked.
    thread::spawn(move || {
        let failure = Failure::from_stuck_worker(after);
        send_message::<()>(&WorkerMessage::Failed(failure.into_report(FailureKind::Other)));
        let _ = done.send(());
    });
    let _ = reported.recv_timeout(REPORT_TIMEOUT);
    host::exit_immediately();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_acts_after_its_span_and_not_before() {
        let (act, acted) = channel();
        let _watchdog = Watchdog::start(Duration::from_millis(20), move || act.send(()).unwrap());
        assert_eq!(acted.recv_timeout(Duration::from_secs(20)), Ok(()));
    }

    #[test]
    fn a_watchdog_that_is_dropped_does_nothing() {
        let (act, acted) = channel();
        drop(Watchdog::start(Duration::from_secs(600), move || act.send(()).unwrap()));
        assert_eq!(acted.recv_timeout(Duration::from_secs(20)), Err(RecvTimeoutError::Disconnected));
    }
}
