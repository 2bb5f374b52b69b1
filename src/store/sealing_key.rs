//! The type of the sealing key. `key` decides where it is stored.

use zeroize::Zeroizing;

/// A 256-bit key, wiped on drop.
pub(super) type SealingKey = Zeroizing<[u8; 32]>;

/// A key from bytes; `None` unless there are exactly 32.
pub(super) fn key_from_bytes(bytes: &[u8]) -> Option<SealingKey> {
    <[u8; 32]>::try_from(bytes).ok().map(Zeroizing::new)
}
