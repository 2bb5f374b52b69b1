//! The configuration: the file as written, its layers, and the profile that cannot be wrong.

mod profile;

pub use profile::*;
