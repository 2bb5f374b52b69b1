//! Write access to the records of a profile: every function that writes belongs to a type that owns the record's lock.
//!
//! A process that needs both locks takes the sign-in's first and the credentials' second, never the other way round.
//! Otherwise two processes could each hold one lock and wait for the other. A process that holds only credentials must
//! therefore not lock the sign-in; it may read it. Only a process with the sign-in's lock may hold several credentials
//! locks at once (to remove them), so their order does not matter. The kernel releases the locks of a process that
//! dies. `tests/lock_model` searches this protocol in every interleaving.

use std::{marker::PhantomData, ops::Deref, time::Duration};

use super::{
    CREDENTIALS, Cache, CachedProvider, CredentialsNotes, CredentialsRecord, FORMER_SESSION, Freshness, LockedRecord,
    PROVIDER, PROVIDER_LIFETIME, PortalRegistrations, REGISTRATION, SIGN_IN, SignInNotes, SignInRecord,
    assess_credentials, list_record_keys, parse_record,
    record_folder::{StoredNotes, log_failure},
};
use crate::{files, lock::LockHolder, log, store, time::Timestamp};

/// How long removal waits for a process that holds the credentials of another role. Such a process does one exchange.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A record of a profile, locked, with notes of the kind `N` beside it. It dereferences to the [`Cache`], so its holder
/// can read everything.
#[derive(Debug)]
pub struct LockedPart<'c, N> {
    cache: &'c Cache,
    pub(super) record: LockedRecord<'c>,
    notes: PhantomData<N>,
}

/// The sign-in of a profile, locked.
pub type LockedSignIn<'c> = LockedPart<'c, SignInNotes>;

/// The credentials of one role, locked. Its holder can write nothing but these credentials.
pub type LockedCredentials<'c> = LockedPart<'c, CredentialsNotes>;

impl<N> Deref for LockedPart<'_, N> {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        self.cache
    }
}

impl Cache {
    /// Takes the lock of the sign-in; `None` if another process holds it. The folder must exist.
    pub fn try_lock_sign_in(&self) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        let record = self.folder.try_lock_key(self.sign_in_key())?;
        Ok(record.map(|record| LockedPart::new(self, record)))
    }

    /// Takes the lock of the credentials (after the sign-in's, for both); `None` if another process holds it.
    pub fn try_lock_credentials(&self) -> Result<Option<LockedCredentials<'_>>, files::Error> {
        let record = self.folder.try_lock_key(&self.credentials_key)?;
        Ok(record.map(|record| LockedPart::new(self, record)))
    }

    /// Waits for the lock of the sign-in; `None` if another process still holds it after `limit`.
    pub fn lock_sign_in_within(&self, limit: Duration) -> Result<Option<LockedSignIn<'_>>, files::Error> {
        let record = self.folder.lock_key_within(self.sign_in_key(), limit)?;
        Ok(record.map(|record| LockedPart::new(self, record)))
    }

    /// Waits for the lock of the credentials (after the sign-in's, for both); `None` if it is still held after `limit`.
    pub fn lock_credentials_within(&self, limit: Duration) -> Result<Option<LockedCredentials<'_>>, files::Error> {
        let record = self.folder.lock_key_within(&self.credentials_key, limit)?;
        Ok(record.map(|record| LockedPart::new(self, record)))
    }
}

impl<'c, N: StoredNotes> LockedPart<'c, N> {
    fn new(cache: &'c Cache, record: LockedRecord<'c>) -> Self {
        Self { cache, record, notes: PhantomData }
    }

    pub fn update_notes(&self, change: impl FnOnce(&mut N)) -> Result<(), files::Error> {
        self.record.update_notes_as(change)
    }

    /// Changes the notes, and only logs it if they cannot be stored: for facts that are worth less than the result.
    pub fn try_update_notes(&self, change: impl FnOnce(&mut N)) {
        log_failure(self.update_notes(change));
    }

    /// Writes the holder's note, by which waiting processes name this one.
    pub fn announce(&self, now: Timestamp) -> Result<(), files::Error> {
        self.record.lock.write_holder(&LockHolder::for_this_process(now))
    }
}

impl LockedSignIn<'_> {
    /// Fails if records cannot be stored. Call it before the user signs in or a refresh token is used: a rotated
    /// refresh token that cannot be stored is lost, and with it the session.
    pub fn check_storage(&self) -> Result<(), store::Error> {
        self.folder.store.check_writable(&self.record.lock)
    }

    /// Replaces the sign-in record, in one step that survives a crash. The record has no expiry.
    pub fn store_sign_in(&self, sign_in: &SignInRecord) -> Result<(), store::Error> {
        self.record.store(SIGN_IN, Timestamp::from_unix(0), sign_in)
    }

    pub fn store_provider(&self, known: &CachedProvider) -> Result<(), store::Error> {
        self.record.store(PROVIDER, known.at.saturating_add(PROVIDER_LIFETIME), known)
    }

    pub fn remove_provider(&self) -> Result<(), store::Error> {
        self.record.remove(PROVIDER)
    }

    /// Replaces the registrations. The record has no expiry, because each registration has its own.
    pub fn store_registrations(&self, registrations: &PortalRegistrations) -> Result<(), store::Error> {
        self.record.store(REGISTRATION, Timestamp::from_unix(0), registrations)
    }

    /// Removes the sign-in, all credentials that came from it, the record of version 0.1 of this profile, and the
    /// sealing key if no record needs it any more. Every removal is tried, even after another one has failed.
    ///
    /// The sign-in goes first: a process that is killed here leaves credentials that expire, but not the refresh token.
    pub fn remove_sign_in_and_credentials(&self) -> Result<(), store::Error> {
        let mut results = vec![self.record.remove_all()];
        for key in self.list_credentials_keys()?.into_iter().chain([self.former_key()]) {
            results.push(self.remove_record(&key));
        }
        results.push(self.folder.store.remove_unused_key());
        results.into_iter().collect()
    }

    /// Removes everything under a key, as soon as no other process holds its lock.
    fn remove_record(&self, key: &str) -> Result<(), store::Error> {
        match self.folder.lock_key_within(key, REMOVAL_TIMEOUT)? {
            Some(locked) => locked.remove_all(),
            None => {
                // That process checks the sign-in before it stores credentials, and drops them if the sign-in is gone.
                log::warn("cache", format_args!("{key} was not removed, because another process holds its lock"));
                Ok(())
            }
        }
    }

    /// Removes the credentials of all other roles that came from this sign-in, because another user has signed in. The
    /// caller holds the lock of its own role, and replaces those credentials itself.
    ///
    /// A process that is exchanging a token of the earlier user at this moment compares the users before it stores the
    /// result (`Ladder::was_sign_in_replaced`), so the earlier user's credentials do not reappear.
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

    /// Removes the credentials and their notes; the sign-in stays.
    pub fn remove_all(&self) -> Result<(), store::Error> {
        self.record.remove_all()
    }
}

impl Cache {
    /// The keys of all credentials that came from this sign-in, of other profiles too.
    pub fn list_credentials_keys(&self) -> Result<Vec<String>, files::Error> {
        let prefix = format!("{}-", self.sign_in_key());
        Ok(list_record_keys(&self.folder.path)?.into_iter().filter(|key| key.starts_with(&prefix)).collect())
    }

    /// Whether nothing is stored under any key of this sign-in, and nothing by version 0.1 for this profile.
    pub fn is_empty(&self) -> Result<bool, files::Error> {
        let keys = list_record_keys(&self.folder.path)?;
        let is_ours = |key: &String| key.starts_with(self.sign_in_key()) || *key == self.former_key();
        Ok(!keys.iter().any(is_ours))
    }

    /// Whether this version has stored a sign-in, even one that cannot be opened.
    pub(super) fn has_own_sign_in(&self) -> Result<bool, files::Error> {
        Ok(files::list_files(&self.folder.path)?.contains(&self.sign_in_name(SIGN_IN)))
    }

    /// Whether this version or version 0.1 has stored a sign-in, even one that cannot be opened.
    pub fn has_sign_in(&self) -> Result<bool, files::Error> {
        let names = files::list_files(&self.folder.path)?;
        let former = format!("{}.{FORMER_SESSION}", self.former_key());
        Ok(names.contains(&self.sign_in_name(SIGN_IN)) || names.contains(&former))
    }

    /// Whether anything is stored for the credentials of this profile, even a record that cannot be opened.
    pub fn has_credentials(&self) -> Result<bool, files::Error> {
        Ok(list_record_keys(&self.folder.path)?.contains(&self.credentials_key))
    }

    /// The latest expiry among the credentials of this sign-in that can be opened; `None` if all have expired.
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
