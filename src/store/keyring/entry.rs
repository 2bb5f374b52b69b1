//! One item of a keyring that the official store crates speak to, read and forgotten the same way on each system.
//!
//! Which item it is, and what its errors mean, the system's own file says.

use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::KeyringFault;
use crate::store::sealing_key::{SealingKey, key_from_bytes};

pub(super) fn read_entry(item: &Entry, fault: fn(Error) -> KeyringFault) -> Result<Option<SealingKey>, KeyringFault> {
    match item.get_secret().map(Zeroizing::new) {
        Ok(bytes) => Ok(key_from_bytes(&bytes)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

pub(super) fn remove_entry(item: &Entry, fault: fn(Error) -> KeyringFault) -> Result<(), KeyringFault> {
    match item.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(fault(error)),
    }
}
