//! The records that the ladder reads and changes in memory, each together with the lock that lets it store them.
//!
//! A change becomes visible to other processes only by `store`. The record was loaded under the lock and no other
//! process can write it meanwhile, so `store` never overwrites another process's change.

use std::ops::{Deref, DerefMut};

use crate::{
    cache::{CredentialsRecord, LockedCredentials, LockedSignIn, SignInRecord},
    store,
};

/// Both records of a profile, for the steps that need both locks.
pub(super) struct OpenRecords<'s, 'c> {
    pub(super) sign_in: OpenSignIn<'s>,
    pub(super) credentials: OpenCredentials<'c>,
}

/// A record, loaded under its lock. It dereferences to the record.
pub(super) struct OpenRecord<'l, L, R> {
    pub(super) lock: &'l L,
    record: R,
}

/// The sign-in.
pub(super) type OpenSignIn<'l> = OpenRecord<'l, LockedSignIn<'l>, SignInRecord>;

/// The credentials of one role.
pub(super) type OpenCredentials<'l> = OpenRecord<'l, LockedCredentials<'l>, CredentialsRecord>;

impl<'l> OpenSignIn<'l> {
    pub(super) fn load(lock: &'l LockedSignIn<'l>) -> Result<Self, store::Error> {
        Ok(Self { record: lock.load_sign_in()?, lock })
    }

    /// Writes the record as it is now.
    pub(super) fn store(&self) -> Result<(), store::Error> {
        self.lock.store_sign_in(&self.record)
    }
}

impl<'l> OpenCredentials<'l> {
    pub(super) fn load(lock: &'l LockedCredentials<'l>) -> Result<Self, store::Error> {
        Ok(Self { record: lock.load_credentials()?, lock })
    }

    /// Writes the record as it is now.
    pub(super) fn store(&self) -> Result<(), store::Error> {
        self.lock.store_credentials(&self.record)
    }
}

impl<L, R> Deref for OpenRecord<'_, L, R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.record
    }
}

impl<L, R> DerefMut for OpenRecord<'_, L, R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.record
    }
}
