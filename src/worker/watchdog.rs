//! Ends a worker that hangs, so that the kernel releases its locks.
//!
//! Everything that a worker waits for has a timeout of its own. The watchdog covers the rest: a file system that does
//! not answer, a bug. Without it, one hanging worker would block every sign-in of the user until it is killed by hand.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use super::protocol::{WorkerMessage, send_message};
use crate::{cache::FailureKind, config::Profile, failure::Failure, host};

/// The time for the provider, the quota service and AWS, in addition to the user's time.
const MAX_WORK_TIME: Duration = Duration::from_secs(75);

/// How long the last message to the caller may take. The caller may have stopped reading from the pipe.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time that a worker of this profile lives.
pub(super) fn compute_max_lifetime(profile: &Profile) -> Duration {
    profile.login_timeout + MAX_WORK_TIME
}

/// A timer that acts once, unless it is dropped before.
pub(super) struct Watchdog {
    // Dropping the sender ends the waiting thread.
    _alive: Sender<()>,
}

impl Watchdog {
    /// Ends this process after [`compute_max_lifetime`].
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

/// Reports the failure to the caller if possible, and ends the process without waiting for its other threads. Records
/// stay intact: a write replaces a file in one step.
fn end_process(after: Duration) {
    let (done, reported) = channel();
    // On a thread of its own, because the main thread may hang in the middle of a message with stdout locked.
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
