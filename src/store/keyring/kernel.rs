//! A copy of the key in the kernel's keyring of this user, so that a warm call need not ask the session's.
//!
//! It is a convenience: whatever goes wrong here, the Secret Service is asked instead. The copy never touches a disk,
//! is readable by this user only, and ends after some hours, at the latest with the machine.

use linux_keyutils::{Key as Entry, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

use super::SealingKey;
use crate::log;

const NAME: &str = "bedrock-sso:sealing-key";
/// A working day; the next call after it asks the Secret Service once.
const LIFETIME_SECONDS: usize = 12 * 60 * 60;

/// Whether there may be a copy at all.
pub(super) const HAS_COPY: bool = true;

pub(super) fn read_copy() -> Option<SealingKey> {
    let mut key: SealingKey = Zeroizing::new([0; 32]);
    match find_entry().and_then(|entry| entry.read(&mut *key)) {
        Ok(32) => Some(key),
        Ok(_) => None,
        Err(why) => {
            log::debug("keyring", format_args!("no copy of the key in the kernel: {why:?}"));
            None
        }
    }
}

pub(super) fn store_copy(key: &SealingKey) {
    if let Err(why) = add_entry(key) {
        remove_copy();
        log::info("keyring", format_args!("the kernel keeps no copy of the key: {why:?}"));
    }
}

pub(super) fn remove_copy() {
    // An entry that cannot be invalidated ends with its time; until then it opens only what its key sealed.
    let _ = find_entry().and_then(|entry| entry.invalidate());
}

fn find_entry() -> Result<Entry, KeyError> {
    open_user_keyring()?.search(NAME)
}

fn open_user_keyring() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, false)
}

/// Only who possesses an entry may set its attributes. Sessions of many services and containers do not lead to the
/// user's keyring, so this process links it to its own first.
fn add_entry(key: &SealingKey) -> Result<(), KeyError> {
    let ring = open_user_keyring()?;
    KeyRing::from_special_id(KeyRingIdentifier::Process, true)?.link_keyring(ring)?;
    let entry = ring.add_key(NAME, key.as_ref())?;
    let readable = Permission::VIEW | Permission::READ | Permission::SEARCH;
    entry.set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(readable).build())?;
    entry.set_timeout(LIFETIME_SECONDS)
}
