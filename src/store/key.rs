//! Creates, reads and removes the sealing key, in a private file or in the operating system's keyring.
//!
//! The profile chooses the location, and the program never changes it on its own: a keyring that fails is an error, not
//! a reason to put the key into a file.
//!
//! The key has a lock of its own (`key.lock`), because processes with locks of different records use the same key. A
//! process that seals a record holds it shared, from reading the key until the record is written. A process that
//! creates or removes the key holds it exclusively. So no key is replaced, and no key is removed while a record is
//! being sealed with it. If the key is lost, its records count as absent: the user signs in again, and enters a stored
//! client secret again.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{
    Error, KeyringError, UnlockPolicy, keyring,
    sealing_key::{SealingKey, key_from_bytes},
};
use crate::{
    files, host,
    lock::{self, SharedLock},
};

/// Where the key is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyLocation {
    /// A file that only its owner can read. It protects a copy of the sealed files that does not contain it; it does
    /// not protect against programs of the same user.
    File,
    Keyring(UnlockPolicy),
}

/// The one key of a folder of sealed files.
#[derive(Debug)]
pub(super) struct KeyManager {
    location: KeyLocation,
    file: PathBuf,
}

impl KeyManager {
    pub(super) fn new(location: KeyLocation, folder: &Path) -> Self {
        Self { location, file: folder.join("key") }
    }

    /// The key, if one exists. It may come from a copy of the keyring's key, see [`Self::read_replacement`].
    pub(super) fn read_key(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(keyring::read_key)
    }

    /// The key, if one can be read without a prompt by the keyring.
    pub(super) fn read_without_prompt(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(|_| keyring::read_key(UnlockPolicy::NoPrompt))
    }

    /// The key in the keyring itself, if it differs from `stale`. Call it when `stale` has not opened a record: it may
    /// be an outdated copy.
    pub(super) fn read_replacement(&self, stale: &SealingKey) -> Result<Option<SealingKey>, Error> {
        match self.location {
            KeyLocation::File => Ok(None),
            KeyLocation::Keyring(when_locked) => Ok(keyring::read_replacement(stale, when_locked)?),
        }
    }

    /// The key for sealing a record, created if it does not exist. No process removes the key while the returned lock
    /// lives, so hold the lock until the record is written.
    ///
    /// Creating needs the exclusive lock, which cannot be taken while this process holds a share. So the share is
    /// released, the key is created, and the loop reads it again: another process may have created or removed it in
    /// between.
    pub(super) fn read_or_create(&self) -> Result<(SealingKey, SharedLock), Error> {
        loop {
            let share = lock::acquire_shared(&self.lock_path())?;
            if let Some(key) = self.read_uncached()? {
                if let KeyLocation::Keyring(_) = self.location {
                    // An empty marker file records that the keyring holds a key for this folder. With it, `logout`
                    // finds and removes the key even after the profile names another storage.
                    files::open_or_create_private(&self.marker_path())?;
                }
                return Ok((key, share));
            }
            drop(share);
            self.create_if_absent()?;
        }
    }

    /// Fails if the key cannot be read or created. Call it before the user signs in. A key in a file needs no check:
    /// the caller has checked that the folder is writable.
    pub(super) fn ensure_available(&self) -> Result<(), Error> {
        match self.location {
            KeyLocation::File => Ok(()),
            KeyLocation::Keyring(_) => self.read_or_create().map(drop),
        }
    }

    /// Creates the key, unless it exists by now or another process holds the lock (to create or to remove the key). The
    /// caller reads the key again in any case.
    fn create_if_absent(&self) -> Result<(), Error> {
        let Some(_held) = lock::try_acquire(&self.lock_path())? else { return Ok(()) };
        if self.read_uncached()?.is_some() {
            return Ok(());
        }
        let mut key: SealingKey = Zeroizing::new([0; 32]);
        host::fill_random(key.as_mut());
        match self.location {
            KeyLocation::File => Ok(files::write_atomically(&self.file, key.as_ref())?),
            KeyLocation::Keyring(when_locked) => Ok(keyring::write_key(&key, when_locked)?),
        }
    }

    /// Removes the key, unless `is_needed` says that a record needs it or another process holds the key's lock: such a
    /// process is about to seal a record with the key.
    pub(super) fn remove_unless(
        &self,
        is_needed: impl FnOnce(&SealingKey) -> Result<bool, files::Error>,
    ) -> Result<(), Error> {
        let Some(_held) = lock::try_acquire(&self.lock_path())? else { return Ok(()) };
        match self.read_uncached() {
            Ok(Some(key)) if is_needed(&key)? => Ok(()),
            // Also without a key: a marker, or the temporary file of a killed write, may be left.
            Ok(Some(_) | None) => self.remove_key(),
            Err(error) if error.is_keyring_absent() => self.remove_key(),
            Err(error) => Err(error),
        }
    }

    /// Removes the key, and for the keyring the marker too. An absent keyring holds no key, so it counts as removed.
    fn remove_key(&self) -> Result<(), Error> {
        match self.location {
            KeyLocation::File => Ok(files::remove_file(&self.file)?),
            KeyLocation::Keyring(when_locked) => {
                let removed = keyring::remove_key(when_locked).map_err(Error::from);
                removed.or_else(|error| if error.is_keyring_absent() { Ok(()) } else { Err(error) })?;
                Ok(files::remove_file(&self.marker_path())?)
            }
        }
    }

    /// The key from its location itself, not from a copy. Decisions to seal, create or remove must not depend on a copy
    /// that may be outdated: a record that was sealed with an outdated key could not be opened later.
    fn read_uncached(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(keyring::read_uncached)
    }

    /// The key from the file or from the keyring. A file of another length counts as absent, so a new key replaces it.
    fn read_with(
        &self,
        read_keyring: fn(UnlockPolicy) -> Result<Option<SealingKey>, KeyringError>,
    ) -> Result<Option<SealingKey>, Error> {
        match self.location {
            KeyLocation::File => {
                Ok(files::read_own(&self.file)?.and_then(|bytes| key_from_bytes(&Zeroizing::new(bytes))))
            }
            KeyLocation::Keyring(when_locked) => Ok(read_keyring(when_locked)?),
        }
    }

    /// The lock of the key, see the module's description.
    fn lock_path(&self) -> PathBuf {
        self.file.with_extension("lock")
    }

    fn marker_path(&self) -> PathBuf {
        self.file.with_file_name(KEYRING_MARKER)
    }
}

const KEYRING_MARKER: &str = "keyring";

/// Whether the keyring holds a key for the records of this folder, also if an earlier configuration put it there.
pub fn has_key_in_keyring(folder: &Path) -> bool {
    folder.join(KEYRING_MARKER).exists()
}
