//! The key that seals every record.
//!
//! Where it is kept is for `key` to say.

use zeroize::Zeroizing;

/// A 256-bit key, wiped on drop.
pub(super) type SealingKey = Zeroizing<[u8; 32]>;

/// The key that these bytes are; `None` unless there are 32 of them.
pub(super) fn key_from_bytes(bytes: &[u8]) -> Option<SealingKey> {
    <[u8; 32]>::try_from(bytes).ok().map(Zeroizing::new)
}
