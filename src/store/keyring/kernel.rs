//! A copy of the sealing key in the Linux kernel's keyring of this user, so that a warm call needs no D-Bus.
//!
//! The copy only saves time. If anything fails here, the Secret Service is asked instead. The copy is never written to
//! a disk, only this user can read it, and the kernel drops it after some hours or when the machine stops.

use linux_keyutils::{Key as Entry, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

use super::SealingKey;
use crate::log;

const NAME: &str = "bedrock-sso:sealing-key";
/// About a working day. The next call after it asks the Secret Service once.
const LIFETIME_SECONDS: usize = 12 * 60 * 60;

/// Whether this system can hold a copy.
pub(super) const HAS_COPY: bool = true;

/// The copied key. `None` if there is no copy, or if it has another length and therefore is not a key.
pub(super) fn read_copy() -> Option<SealingKey> {
    let mut key: SealingKey = Zeroizing::new([0; 32]);
    match find_entry().and_then(|entry| entry.read(&mut *key)) {
        Ok(32) => Some(key),
        Ok(_) => None,
        Err(why) => {
            log::debug("keyring", format_args!("the kernel holds no copy of the key: {why:?}"));
            None
        }
    }
}

/// Stores the copy, or leaves no copy: a half-made entry could lack its timeout.
pub(super) fn store_copy(key: &SealingKey) {
    if let Err(why) = add_entry(key) {
        remove_copy();
        log::info("keyring", format_args!("the kernel did not store a copy of the key: {why:?}"));
    }
}

/// Removes the copy, if there is one.
pub(super) fn remove_copy() {
    // An entry that cannot be invalidated ends with its timeout. Until then it opens only records that its key sealed.
    let _ = find_entry().and_then(|entry| entry.invalidate());
}

fn find_entry() -> Result<Entry, KeyError> {
    open_user_keyring()?.search(NAME)
}

fn open_user_keyring() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, false)
}

/// Adds the entry to the user's keyring, readable by this user and with a timeout.
///
/// Only a process that possesses an entry may set its attributes (keyrings(7), "Possession"). In the sessions of many
/// services and containers the user's keyring is not linked, so the process links it to its own keyring first.
fn add_entry(key: &SealingKey) -> Result<(), KeyError> {
    let ring = open_user_keyring()?;
    KeyRing::from_special_id(KeyRingIdentifier::Process, true)?.link_keyring(ring)?;
    let entry = ring.add_key(NAME, key.as_ref())?;
    let readable = Permission::VIEW | Permission::READ | Permission::SEARCH;
    entry.set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(readable).build())?;
    entry.set_timeout(LIFETIME_SECONDS)
}
