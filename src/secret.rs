//! Values that cannot be printed: redacted in `Debug`, without `Display`, wiped on drop as all memory is.
//!
//! Who needs the text calls [`Secret::expose`]; that call is the boundary to look for in a review.

use std::{alloc::System, hint::black_box};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};
use zeroizing_alloc::ZeroAlloc;

/// The libraries below us (TLS, HTTP, JSON) copy what they carry and wipe none of it, so all memory is wiped when it is
/// given back.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

/// How many bytes of stack a call needs that finds all it asks for in what is kept, and one that climbs the ladder. More
/// would cost time, and Windows gives a program's first thread one megabyte in all.
pub const WARM_STACK_BYTES: usize = 32 << 10;
pub const COLD_STACK_BYTES: usize = 512 << 10;

/// Overwrites what work that is done has left in the processor's registers and on so much of the stack: keys are moved and
/// expanded there by code that does not clear up after itself.
#[inline(never)]
pub fn wipe_stack<const DEPTH: usize>() {
    let mut stack = [0_u8; DEPTH];
    let (from, to) = stack.split_at_mut(DEPTH / 2);
    // How long a copy is decides which registers it goes through.
    for length in [16, 32, 64, 128, 256, 512, 1024] {
        to.split_at_mut(length).0.copy_from_slice(from.split_at(black_box(length)).0);
        black_box(&mut *to);
    }
    black_box(&mut stack);
}

/// A secret text: a token, a key, a code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send, seal or print it by contract.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}
