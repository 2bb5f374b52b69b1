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

/// The sign-in, loaded under its lock. It dereferences to the record.
pub(super) struct OpenSignIn<'l> {
    pub(super) lock: &'l LockedSignIn<'l>,
    record: SignInRecord,
}

/// The credentials of one role, loaded under their lock. It dereferences to the record.
pub(super) struct OpenCredentials<'l> {
    pub(super) lock: &'l LockedCredentials<'l>,
    record: CredentialsRecord,
}

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

    pub(super) fn record(&self) -> &CredentialsRecord {
        &self.record
    }
}

impl Deref for OpenSignIn<'_> {
    type Target = SignInRecord;

    fn deref(&self) -> &SignInRecord {
        &self.record
    }
}

impl DerefMut for OpenSignIn<'_> {
    fn deref_mut(&mut self) -> &mut SignInRecord {
        &mut self.record
    }
}

impl Deref for OpenCredentials<'_> {
    type Target = CredentialsRecord;

    fn deref(&self) -> &CredentialsRecord {
        &self.record
    }
}

impl DerefMut for OpenCredentials<'_> {
    fn deref_mut(&mut self) -> &mut CredentialsRecord {
        &mut self.record
    }
}
