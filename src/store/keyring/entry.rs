//! macOS and Windows: reads, writes and removes items through the `keyring-core` crate, in the same way on both.
//!
//! `macos` and `windows` find the item and interpret the system's errors.

use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::{
    KeyringContext, KeyringFault, KeyringItem, KeyringOptions, SERVICE, build_entry, classify_error, disable_prompts,
};
use crate::store::sealing_key::{SealingKey, key_from_bytes};

/// The key in an item; `None` if the item is absent or its content is not a key.
pub(super) fn read_item(it: KeyringItem, options: KeyringOptions) -> Result<Option<SealingKey>, KeyringFault> {
    let _silence = disable_prompts(options);
    read_entry(&build_entry(SERVICE, it.account)?)
}

/// Writes the key as raw bytes. As a "password", Windows would store it in UTF-16.
pub(super) fn write_item(it: KeyringItem, key: &SealingKey, options: KeyringOptions) -> Result<(), KeyringFault> {
    let _silence = disable_prompts(options);
    build_entry(SERVICE, it.account)?.set_secret(key.as_ref()).map_err(classify_error)
}

/// Removes an item; an absent one counts as removed.
pub(super) fn remove_item(it: KeyringItem, options: KeyringOptions) -> Result<(), KeyringFault> {
    let _silence = disable_prompts(options);
    remove_entry(&build_entry(SERVICE, it.account)?)
}

/// These systems have one keyring, and its faults need no other advice in other environments.
pub(super) fn detect_context() -> KeyringContext {
    KeyringContext::Plain
}

pub(super) fn read_entry(item: &Entry) -> Result<Option<SealingKey>, KeyringFault> {
    match item.get_secret().map(Zeroizing::new) {
        Ok(bytes) => Ok(key_from_bytes(&bytes)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(classify_error(error)),
    }
}

pub(super) fn remove_entry(item: &Entry) -> Result<(), KeyringFault> {
    match item.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(classify_error(error)),
    }
}
