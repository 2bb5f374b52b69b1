//! A profile's cache while this process holds its lock: the only form in which records can be written.
//!
//! The stored credentials of an application have a lock of their own, see `client_credentials`.

use std::{ops::Deref, time::Duration};

use super::{Cache, CachedProvider, PROVIDER, PROVIDER_LIFETIME, ProfileNotes, SESSION, Session, serialize_record};
use crate::{
    files,
    lock::{self, ExclusiveLock, LockHolder},
    log, store,
    time::Timestamp,
};

/// The records of one profile under their lock. Every method that writes is one of this type, so code without the lock
/// cannot write.
#[derive(Debug)]
pub struct LockedCache<'c> {
    cache: &'c Cache,
    pub(super) lock: ExclusiveLock,
}

impl Deref for LockedCache<'_> {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        self.cache
    }
}

impl Cache {
    /// Takes the lock; `None` if another process holds it. The folder must exist.
    pub fn try_lock(&self) -> Result<Option<LockedCache<'_>>, files::Error> {
        Ok(lock::try_acquire(&self.lock_path())?.map(|lock| LockedCache { cache: self, lock }))
    }

    /// Takes the lock as soon as it is free; `None` if another process still holds it after `limit`.
    pub fn lock_within(&self, limit: Duration) -> Result<Option<LockedCache<'_>>, files::Error> {
        Ok(lock::acquire_within(&self.lock_path(), limit)?.map(|lock| LockedCache { cache: self, lock }))
    }
}

impl LockedCache<'_> {
    /// Fails if records cannot be stored, before the user signs in or a refresh token is spent.
    pub fn check_storage(&self) -> Result<(), store::Error> {
        self.store.check_writable(&self.lock)
    }

    pub fn store_session(&self, session: &Session) -> Result<(), store::Error> {
        let credentials = session.credentials.as_ref();
        let expires = credentials.map_or(Timestamp::from_unix(0), |credentials| credentials.expiration);
        self.store.write_record(&self.lock, &self.record_name(SESSION), expires, &serialize_record(session))
    }

    pub fn store_provider(&self, known: &CachedProvider) -> Result<(), store::Error> {
        let expires = known.at.saturating_add(PROVIDER_LIFETIME);
        self.store.write_record(&self.lock, &self.record_name(PROVIDER), expires, &serialize_record(known))
    }

    pub fn remove_provider(&self) -> Result<(), store::Error> {
        self.store.remove_record(&self.lock, &self.record_name(PROVIDER))
    }

    /// Loads the notes, changes them, and stores them.
    pub fn update_notes(&self, change: impl FnOnce(&mut ProfileNotes)) -> Result<(), files::Error> {
        let mut notes = self.load_notes();
        change(&mut notes);
        files::write_without_sync(&self.notes_path(), &serialize_record(&notes))
    }

    /// Updates the notes where a failure to store them must not cost the user anything; it is only logged.
    pub fn try_update_notes(&self, change: impl FnOnce(&mut ProfileNotes)) {
        if let Err(error) = self.update_notes(change) {
            log::warn("cache", format_args!("{error}"));
        }
    }

    /// Reports to waiting processes that this one is at work.
    pub fn announce(&self, now: Timestamp) -> Result<(), files::Error> {
        self.lock.write_holder(&LockHolder::for_this_process(now))
    }

    /// Removes every record of the profile, and the sealing key with the last profile's. Each part is tried, even if
    /// removing another one failed.
    ///
    /// The lock file stays, empty, because it is held. The holder's note beside it goes with the lock.
    pub fn remove_all(&self) -> Result<(), store::Error> {
        let sealed = [SESSION, PROVIDER].map(|kind| self.store.remove_record(&self.lock, &self.record_name(kind)));
        let notes = files::remove_file(&self.notes_path()).map_err(store::Error::from);
        let key = self.store.remove_unused_key();
        sealed.into_iter().chain([notes, key]).collect()
    }
}
