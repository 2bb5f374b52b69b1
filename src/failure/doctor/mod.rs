//! What `doctor` finds that no other command fails of by itself, and what to do about it.
//!
//! Where a command fails of it too, `doctor` tells it in that command's words.

mod machine;
mod neighbour;
mod remote;

pub use machine::Machine;
pub use neighbour::{Miscall, Neighbour, Planted};
pub use remote::Remote;

/// Texts as a sentence lists them.
fn listed(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
