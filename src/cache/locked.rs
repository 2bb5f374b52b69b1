//! The records of a profile under their locks: the only form in which they can be written.
//!
//! The sign-in is locked before the credentials, never after them, so that no two processes wait for each other.

use std::{ops::Deref, time::Duration};

use super::{
    CREDENTIALS, Cache, CachedProvider, CredentialsNotes, CredentialsRecord, FORMER_SESSION, Freshness, LockedRecord,
    PROVIDER, PROVIDER_LIFETIME, SIGN_IN, SignInNotes, SignInRecord, assess_credentials, list_record_keys,
    parse_record, record_folder::log_failure,
};
use crate::{files, log, store, time::Timestamp};

/// How long to wait for a process that stores credentials of another role, before these are removed.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct LockedSignIn<'c> {
    cache: &'c Cache,
    pub(super) record: LockedRecord<'c>,
}

#[derive(Debug)]
pub struct LockedCredentials<'c> {
    cache: &'c Cache,
    pub(super) record: LockedRecord<'c>,
}

impl Deref for LockedSignIn<'_> {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        self.cache
    }
}

impl Deref for LockedCredentials<'_> {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        self.cache
    }
}

impl Cache {
    /// Takes the lock of the sign-in; `None` if another process holds it. The folder must exist.
    pub fn try_lock_sign_in(&self) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        let record = self.folder.try_lock_key(self.sign_in_key())?;
        Ok(record.map(|record| LockedSignIn { cache: self, record }))
    }

    /// Takes the lock of the credentials, after that of the sign-in if both are needed.
    pub fn try_lock_credentials(&self) -> Result<Option<LockedCredentials<'_>>, files::Error> {
        let record = self.folder.try_lock_key(&self.credentials_key)?;
        Ok(record.map(|record| LockedCredentials { cache: self, record }))
    }

    /// Takes the lock of the sign-in as soon as it is free; `None` if another process still holds it after `limit`.
    pub fn lock_sign_in_within(&self, limit: Duration) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        let record = self.folder.lock_key_within(self.sign_in_key(), limit)?;
        Ok(record.map(|record| LockedSignIn { cache: self, record }))
    }

    /// Takes the lock of the credentials as soon as it is free, after that of the sign-in if both are needed.
    pub fn lock_credentials_within(&self, limit: Duration) -> Result<Option<LockedCredentials<'_>>, files::Error> {
        let record = self.folder.lock_key_within(&self.credentials_key, limit)?;
        Ok(record.map(|record| LockedCredentials { cache: self, record }))
    }
}

impl LockedSignIn<'_> {
    /// Fails if records cannot be stored, before the user signs in or a refresh token is spent.
    pub fn check_storage(&self) -> Result<(), store::Error> {
        self.record.check_storage()
    }

    pub fn store_sign_in(&self, sign_in: &SignInRecord) -> Result<(), store::Error> {
        self.record.store(SIGN_IN, Timestamp::from_unix(0), sign_in)
    }

    pub fn store_provider(&self, known: &CachedProvider) -> Result<(), store::Error> {
        self.record.store(PROVIDER, known.at.saturating_add(PROVIDER_LIFETIME), known)
    }

    pub fn remove_provider(&self) -> Result<(), store::Error> {
        self.record.remove(PROVIDER)
    }

    pub fn update_notes(&self, change: impl FnOnce(&mut SignInNotes)) -> Result<(), files::Error> {
        self.record.update_notes_as(change)
    }

    /// Updates the notes where a failure to store them must not cost the user anything; it is only logged.
    pub fn try_update_notes(&self, change: impl FnOnce(&mut SignInNotes)) {
        log_failure(self.update_notes(change));
    }

    /// Reports to waiting processes that this one is at work.
    pub fn announce(&self, now: Timestamp) -> Result<(), files::Error> {
        self.record.announce(now)
    }

    /// Removes the sign-in with all credentials that came from it, what version 0.1 stored for this profile, and the sealing
    /// key with the last record. Each part is tried, even if removing another one failed.
    pub fn remove_sign_in_and_credentials(&self) -> Result<(), store::Error> {
        let mut results = vec![self.record.remove_all()];
        for key in self.list_credentials_keys()?.into_iter().chain([self.former_key()]) {
            results.push(self.remove_record(&key));
        }
        results.push(self.folder.remove_unused_key());
        results.into_iter().collect()
    }

    /// Removes what stands under a key, once no other process is at work with it.
    fn remove_record(&self, key: &str) -> Result<(), store::Error> {
        match self.folder.lock_key_within(key, REMOVAL_TIMEOUT)? {
            Some(locked) => locked.remove_all(),
            None => {
                log::warn("cache", format_args!("{key} is in use and was not removed"));
                Ok(())
            }
        }
    }

    /// Removes the credentials that came from this sign-in, but those of this profile: another user signed in.
    ///
    /// A process that gets credentials at this moment checks whose sign-in it is before it stores them.
    pub fn remove_other_credentials(&self) -> Result<(), store::Error> {
        let mut keys = self.list_credentials_keys()?.into_iter().filter(|key| *key != self.credentials_key);
        keys.try_for_each(|key| self.remove_record(&key))
    }
}

impl LockedCredentials<'_> {
    pub fn store_credentials(&self, record: &CredentialsRecord) -> Result<(), store::Error> {
        let expires = record.credentials.as_ref().map_or(Timestamp::from_unix(0), |it| it.expiration);
        self.record.store(CREDENTIALS, expires, record)
    }

    pub fn update_notes(&self, change: impl FnOnce(&mut CredentialsNotes)) -> Result<(), files::Error> {
        self.record.update_notes_as(change)
    }

    /// Updates the notes where a failure to store them must not cost the user anything; it is only logged.
    pub fn try_update_notes(&self, change: impl FnOnce(&mut CredentialsNotes)) {
        log_failure(self.update_notes(change));
    }

    /// Reports to waiting processes that this one is at work.
    pub fn announce(&self, now: Timestamp) -> Result<(), files::Error> {
        self.record.announce(now)
    }

    pub fn remove_all(&self) -> Result<(), store::Error> {
        self.record.remove_all()
    }
}

impl Cache {
    /// The keys of all credentials that come from this sign-in.
    pub fn list_credentials_keys(&self) -> Result<Vec<String>, files::Error> {
        let prefix = format!("{}-", self.sign_in_key());
        Ok(list_record_keys(&self.folder.path)?.into_iter().filter(|key| key.starts_with(&prefix)).collect())
    }

    /// Whether nothing at all is stored of the sign-in and its credentials, and nothing by version 0.1 for this profile.
    pub fn is_empty(&self) -> Result<bool, files::Error> {
        let keys = list_record_keys(&self.folder.path)?;
        let is_ours = |key: &String| key.starts_with(self.sign_in_key()) || *key == self.former_key();
        Ok(!keys.iter().any(is_ours))
    }

    /// Whether this version has stored a sign-in, be it one that cannot be opened.
    pub(super) fn has_own_sign_in(&self) -> Result<bool, files::Error> {
        Ok(files::list_files(&self.folder.path)?.contains(&self.sign_in_name(SIGN_IN)))
    }

    /// Whether this version or 0.1 has stored a sign-in, be it one that cannot be opened.
    pub fn has_sign_in(&self) -> Result<bool, files::Error> {
        let names = files::list_files(&self.folder.path)?;
        let former = format!("{}.{FORMER_SESSION}", self.former_key());
        Ok(names.contains(&self.sign_in_name(SIGN_IN)) || names.contains(&former))
    }

    /// Whether anything is stored of this profile's credentials, be it a record that cannot be opened.
    pub fn has_credentials(&self) -> Result<bool, files::Error> {
        Ok(list_record_keys(&self.folder.path)?.contains(&self.credentials_key))
    }

    /// When the last of the credentials from this sign-in expire, unless all have.
    pub fn find_latest_expiry(&self, now: Timestamp) -> Result<Option<Timestamp>, files::Error> {
        let read = |key: &String| self.folder.store.read_record(&format!("{key}.{CREDENTIALS}")).ok().flatten();
        let keys = self.list_credentials_keys()?;
        let records = keys.iter().filter_map(|key| parse_record::<CredentialsRecord>(&read(key)?));
        let former = self.load_former_session().ok().map(|former| former.credentials);
        let credentials = records.chain(former).filter_map(|record| record.credentials);
        let valid = credentials.filter(|credentials| assess_credentials(credentials, now) != Freshness::Spent);
        Ok(valid.map(|credentials| credentials.expiration).max())
    }
}
