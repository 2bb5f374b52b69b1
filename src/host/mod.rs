//! Everything outside the process: clock, environment, paths, browser, terminal, randomness.
//!
//! Function values and snapshots, so that a test can stand in for the world; no decisions.

mod environment;
mod paths;

pub use environment::Environment;
pub use paths::Paths;
