//! One file a verb: arguments turned into a call, and its result into output.

pub mod config;
