//! The door that an unanswered sign-in closes for automatic callers.
//!
//! Hosts retry a failing helper dozens of times in a minute; each retry must not be a browser tab. It counts and
//! decides; who counts as automatic is `session`'s business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{text::escape_controls, time::Timestamp};

/// A minute after the first tab that led nowhere, doubling up to a quarter of an hour.
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// Tabs opened since the last good sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptBackoff {
    /// How many tabs led nowhere so far.
    fruitless: u32,
    /// When the last of them was opened or given up.
    at: Option<Timestamp>,
    /// Whether the last one's end is known. A sign-in killed half way leaves this false.
    ended: bool,
    /// What the last one ended in, for those who are turned away meanwhile.
    why: Option<String>,
}

impl PromptBackoff {
    /// A tab is about to open. Written down first, so that a process killed while it waits still counts.
    pub fn record_prompt(&mut self, now: Timestamp) {
        *self = Self { fruitless: self.fruitless.saturating_add(1), at: Some(now), ended: false, why: self.why.take() };
    }

    /// The tab led nowhere, and this is why.
    pub fn record_failure(&mut self, now: Timestamp, why: String) {
        *self = Self { fruitless: self.fruitless.max(1), at: Some(now), ended: true, why: Some(why) };
    }

    /// With its text made safe for a terminal.
    pub(super) fn escape_texts(self) -> Self {
        Self { why: self.why.map(|why| escape_controls(&why)), ..self }
    }

    pub fn failure_reason(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Somebody signed in: all is forgotten.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Until when automatic callers may not ask; `None` when they may.
    ///
    /// One sign-in that was killed is forgiven, for the next caller must not be stuck; a second is not, or a host that
    /// kills its whole process group would open a tab each time.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let counted = if self.ended { self.fruitless } else { self.fruitless.saturating_sub(1) };
        let at = self.at.filter(|at| counted > 0 && *at <= now)?;
        let span = FIRST_BACKOFF.saturating_mul(1 << (counted - 1).min(10)).min(MAX_BACKOFF);
        Some(at.saturating_add(span)).filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000_000);

    fn after(tabs: u32) -> PromptBackoff {
        let mut door = PromptBackoff::default();
        for _ in 0..tabs {
            door.record_prompt(NOW);
            door.record_failure(NOW, "refused".into());
        }
        door
    }

    #[test]
    fn the_backoff_doubles_up_to_fifteen_minutes() {
        let minutes = |tabs| after(tabs).blocked_until(NOW).map(|until| until.duration_since(NOW).as_secs() / 60);
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
    fn a_clock_set_back_ends_the_backoff() {
        assert!(after(3).blocked_until(Timestamp::from_unix(NOW.unix_seconds() - 1)).is_none());
    }
}
