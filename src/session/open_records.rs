//! The records that the ladder works with, each with the lock under which it is stored.

use std::ops::{Deref, DerefMut};

use crate::{
    cache::{CredentialsRecord, LockedCredentials, LockedSignIn, SignInRecord},
    store,
};

/// Both records of a profile, for what needs the two locks.
pub(super) struct OpenRecords<'s, 'c> {
    pub(super) sign_in: OpenSignIn<'s>,
    pub(super) credentials: OpenCredentials<'c>,
}

/// The sign-in.
pub(super) struct OpenSignIn<'l> {
    pub(super) lock: &'l LockedSignIn<'l>,
    record: SignInRecord,
}

/// The credentials of one role.
pub(super) struct OpenCredentials<'l> {
    pub(super) lock: &'l LockedCredentials<'l>,
    record: CredentialsRecord,
}

impl<'l> OpenSignIn<'l> {
    pub(super) fn load(lock: &'l LockedSignIn<'l>) -> Result<Self, store::Error> {
        Ok(Self { record: lock.load_sign_in()?, lock })
    }

    pub(super) fn store(&self) -> Result<(), store::Error> {
        self.lock.store_sign_in(&self.record)
    }
}

impl<'l> OpenCredentials<'l> {
    pub(super) fn load(lock: &'l LockedCredentials<'l>) -> Result<Self, store::Error> {
        Ok(Self { record: lock.load_credentials()?, lock })
    }

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
