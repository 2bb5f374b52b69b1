//! The backoff after failed sign-ins, during which automatic callers may not prompt.
//!
//! Hosts retry a failing helper dozens of times in a minute, and without the backoff each retry would open a browser
//! tab. This module counts and computes times. `session` decides which callers are automatic; `login` always prompts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{hint::Hint, text::escape_controls, time::Timestamp};

/// The backoff after the first failed prompt. It doubles with each further one, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// The prompts since the last successful sign-in. The stored field names are those of version 0.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptBackoff {
    /// How many prompts did not end in a sign-in. It counts a prompt from its start.
    #[serde(rename = "fruitless")]
    unsuccessful: u32,
    /// When the last prompt started or failed.
    at: Option<Timestamp>,
    /// Whether the last prompt is known to have failed. It is false while the user is prompted, and stays false if the
    /// process is killed meanwhile.
    ended: bool,
    /// How the last prompt failed, for the message to callers during the backoff.
    why: Option<String>,
    /// The hint of that failure. Absent in notes of version 0.1.
    hint: Option<Hint>,
}

impl PromptBackoff {
    /// Counts a prompt that is about to start. Store it before the browser opens: then a process that is killed while
    /// it waits still counts.
    pub fn record_prompt(&mut self, now: Timestamp) {
        let unsuccessful = self.unsuccessful.saturating_add(1);
        *self = Self { unsuccessful, at: Some(now), ended: false, why: self.why.take(), hint: self.hint.take() };
    }

    /// Records how the prompt that was counted last has failed.
    pub fn record_failure(&mut self, now: Timestamp, why: String, hint: Hint) {
        let unsuccessful = self.unsuccessful.max(1);
        *self = Self { unsuccessful, at: Some(now), ended: true, why: Some(why), hint: Some(hint) };
    }

    /// Makes its text safe to print at a terminal.
    pub(super) fn escape_texts(self) -> Self {
        Self { why: self.why.map(|why| escape_controls(&why)), hint: self.hint.map(Hint::escape_texts), ..self }
    }

    pub fn failure_reason(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// What the user can do about that failure.
    pub fn failure_hint(&self) -> Option<&Hint> {
        self.hint.as_ref()
    }

    /// Ends the backoff after a successful sign-in.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Until when automatic callers may not prompt; `None` if they may now.
    ///
    /// The first prompt whose process was killed does not count, because the next caller must not be blocked by it. A
    /// second one does: otherwise a host that kills its whole process group would open a tab each time.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let counted = if self.ended { self.unsuccessful } else { self.unsuccessful.saturating_sub(1) };
        // A time in the future was written before the clock was set back; it must not block callers for days.
        let at = self.at.filter(|at| counted > 0 && *at <= now)?;
        let span = FIRST_BACKOFF.saturating_mul(1 << (counted - 1).min(10)).min(MAX_BACKOFF);
        Some(at.saturating_add(span)).filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000_000);

    fn after(prompts: u32) -> PromptBackoff {
        let mut backoff = PromptBackoff::default();
        for _ in 0..prompts {
            backoff.record_prompt(NOW);
            backoff.record_failure(NOW, "refused".into(), Hint::default());
        }
        backoff
    }

    #[test]
    fn the_backoff_doubles_up_to_fifteen_minutes() {
        let minutes = |prompts| after(prompts).blocked_until(NOW).map(|until| until.duration_since(NOW).as_secs() / 60);
        assert_eq!([minutes(0), minutes(1), minutes(2), minutes(3)], [None, Some(1), Some(2), Some(4)]);
        assert_eq!([minutes(4), minutes(5), minutes(50)], [Some(8), Some(15), Some(15)]);
    }

    #[test]
    fn the_backoff_ends_in_time_or_after_a_sign_in() {
        let mut door = after(1);
        assert!(door.blocked_until(NOW.saturating_add(Duration::from_secs(59))).is_some());
        assert!(door.blocked_until(NOW.saturating_add(Duration::from_secs(60))).is_none());
        door.reset();
        assert!(door.blocked_until(NOW).is_none());
    }

    #[test]
    fn only_the_second_killed_sign_in_starts_the_backoff() {
        let mut door = PromptBackoff::default();
        door.record_prompt(NOW);
        assert!(door.blocked_until(NOW).is_none());
        door.record_prompt(NOW);
        assert!(door.blocked_until(NOW).is_some());
    }

    #[test]
    fn stored_texts_cannot_control_a_terminal() {
        let mut backoff = PromptBackoff::default();
        backoff.record_failure(NOW, "why\u{1b}[2J".into(), "hint\u{1b}[2J".into());
        let escaped = backoff.escape_texts();
        assert_eq!(escaped.failure_reason(), Some("why\\u{1b}[2J"));
        assert_eq!(escaped.failure_hint(), Some(&"hint\\u{1b}[2J".into()));
    }

    #[test]
    fn a_clock_set_back_ends_the_backoff() {
        assert!(after(3).blocked_until(Timestamp::from_unix(NOW.unix_seconds() - 1)).is_none());
    }
}
