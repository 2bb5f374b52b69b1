//! Ctrl-C. A process can install one handler for its whole life, but `setup` waits for a worker more than once. So the
//! handler stays, and each wait replaces what it calls.

use std::sync::Mutex;

/// What follows after Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptResponse {
    /// The listener deals with it.
    Handled,
    /// Nothing waits for it any more, so the process ends, as it does without a handler.
    EndProcess,
}

type InterruptListener = Box<dyn Fn() -> InterruptResponse + Send>;

static LISTENER: Mutex<Option<InterruptListener>> = Mutex::new(None);

/// The exit code after Ctrl-C. Shells use the same number: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Calls `listener` on another thread at each Ctrl-C, instead of an earlier listener.
pub fn listen_for_interrupts(listener: impl Fn() -> InterruptResponse + Send + 'static) {
    if let Ok(mut current) = LISTENER.lock() {
        *current = Some(Box::new(listener));
    }
    // It fails if an earlier call has installed the handler, which calls the new listener.
    let _ = ctrlc::set_handler(handle_interrupt);
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "the main thread may wait for input at this moment")]
fn handle_interrupt() {
    let response = LISTENER.lock().ok().and_then(|listener| listener.as_ref().map(|listener| listener()));
    if response != Some(InterruptResponse::Handled) {
        std::process::exit(INTERRUPTED);
    }
}
