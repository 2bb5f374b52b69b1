//! Secrets in memory: a type that cannot be printed, and the functions that erase secrets after use.
//!
//! [`Secret::expose`] is the only way to the text, so a reviewer can find every use of a secret by this name.

use std::{alloc::System, hint::black_box};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};
use zeroizing_alloc::ZeroAlloc;

/// The libraries for TLS, HTTP and JSON copy secrets and do not erase their copies. So the allocator erases all memory
/// when it is freed.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

/// The number of stack bytes to erase after a call that was answered from the cache.
pub const WARM_STACK_BYTES: usize = 32 << 10;

/// The number of stack bytes to erase after a call that used the network. More would take more time, and on Windows
/// the main thread has one megabyte in total.
pub const COLD_STACK_BYTES: usize = 512 << 10;

/// Overwrites `DEPTH` bytes of the free stack and the vector registers. Cryptographic code expands keys there and does
/// not erase them.
#[inline(never)]
pub fn wipe_stack<const DEPTH: usize>() {
    let mut stack = [0_u8; DEPTH];
    let (from, to) = stack.split_at_mut(DEPTH / 2);
    // The length of a copy determines which registers the processor uses for it.
    for length in [16, 32, 64, 128, 256, 512, 1024] {
        to.split_at_mut(length).0.copy_from_slice(from.split_at(black_box(length)).0);
        black_box(&mut *to);
    }
    black_box(&mut stack);
}

/// A secret text, such as a token, a key or an authorization code. `Debug` prints a placeholder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it only where the text must be sent, sealed, or printed to standard output by contract.
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
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}
