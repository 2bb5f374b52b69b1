//! Repeats a request to AWS while its failure is transient.

use std::time::Duration;

use crate::host;

/// The number of attempts, including the first one.
const ATTEMPTS: u32 = 3;

/// The usual backoff before the second attempt.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// An error that a moment later may not occur again.
pub(super) trait TransientError {
    /// Returns whether the same request may succeed a moment later.
    fn is_transient(&self) -> bool;
}

/// Sends a request up to [`ATTEMPTS`] times, as long as its failure is transient. The backoff begins with `first_pause`
/// and doubles before each further attempt.
pub(super) async fn retry_transient<T, E: TransientError>(
    first_pause: Duration,
    question: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    for attempt in 1..ATTEMPTS {
        match question().await {
            Err(error) if error.is_transient() => pause_before_retry(first_pause, attempt).await,
            settled => return settled,
        }
    }
    question().await
}

/// Waits for half of the backoff and a random part of the other half, so that the machines of a team do not retry at
/// the same moment.
async fn pause_before_retry(first_pause: Duration, attempt: u32) {
    let pause = first_pause * 2_u32.pow(attempt - 1);
    let mut random = [0];
    host::fill_random(&mut random);
    let chance = f64::from(random[0]) / 255.0;
    // Another attempt at once would meet the same overload.
    tokio::time::sleep(pause.mul_f64(0.5 + chance / 2.0)).await;
}
