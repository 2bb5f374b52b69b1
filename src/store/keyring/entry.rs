//! The keyrings that the official store crates speak to, asked the same way on each system.
//!
//! How an item is found, and what the system's errors mean, the system's own file says.

use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::{
    KeyringContext, KeyringFault, KeyringItem, KeyringOptions, SERVICE, build_entry, classify_error, disable_prompts,
};
use crate::store::sealing_key::{SealingKey, key_from_bytes};

pub(super) fn read_item(it: KeyringItem, manner: KeyringOptions) -> Result<Option<SealingKey>, KeyringFault> {
    let _silence = disable_prompts(manner);
    read_entry(&build_entry(SERVICE, it.account)?)
}

/// Raw bytes, for Windows would keep a "password" in UTF-16.
pub(super) fn write_item(it: KeyringItem, key: &SealingKey, manner: KeyringOptions) -> Result<(), KeyringFault> {
    let _silence = disable_prompts(manner);
    build_entry(SERVICE, it.account)?.set_secret(key.as_ref()).map_err(classify_error)
}

pub(super) fn remove_item(it: KeyringItem, manner: KeyringOptions) -> Result<(), KeyringFault> {
    let _silence = disable_prompts(manner);
    remove_entry(&build_entry(SERVICE, it.account)?)
}

/// There is one keyring on these systems, and it has one name.
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
