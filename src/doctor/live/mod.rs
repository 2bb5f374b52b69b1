//! The checks of `doctor --live`: real calls with the credentials that are kept.
//!
//! Each stands in the table below, as those of `doctor` itself do, and signs nobody in.

use super::Check;

/// In the order in which they are told, after all others.
pub(super) const CHECKS: &[Check] = &[];
