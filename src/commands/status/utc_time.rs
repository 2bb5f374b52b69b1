//! A moment in JSON.

use serde::Serialize;

use crate::time::Timestamp;

/// A moment that JSON shows in UTC, such as `2026-11-20T23:46:17Z`.
#[derive(Clone, Copy, Serialize)]
#[serde(into = "String")]
pub(super) struct UtcTime(pub(super) Timestamp);

impl From<UtcTime> for String {
    fn from(time: UtcTime) -> Self {
        time.0.to_string()
    }
}
