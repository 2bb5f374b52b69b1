//! One item of a keyring that the official store crates speak to, read and forgotten the same way on each system.
//!
//! Which item it is, and what its errors mean, the system's own file says.

use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::Fault;
use crate::store::key::{Key, of_bytes};

pub(super) fn key_in(item: &Entry, fault: fn(Error) -> Fault) -> Result<Option<Key>, Fault> {
    match item.get_secret().map(Zeroizing::new) {
        Ok(bytes) => Ok(of_bytes(&bytes)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

pub(super) fn forget(item: &Entry, fault: fn(Error) -> Fault) -> Result<(), Fault> {
    match item.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(fault(error)),
    }
}
