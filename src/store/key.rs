//! The key that seals everything, and its two keepers: a private file, or the operating system's keyring.
//!
//! Which one is the profile's choice, and never changes by itself: a keyring that refuses is an error, not a reason for
//! the file.

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

/// Where the key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyLocation {
    /// A file readable by its owner only. It protects copies, backups and synchronised folders of the sealed files; not
    /// against whoever reads as this user.
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
    pub(super) fn new(keeper: KeyLocation, folder: &Path) -> Self {
        Self { location: keeper, file: folder.join("key") }
    }

    /// The key, if there is one.
    pub(super) fn read_key(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(keyring::read_key)
    }

    /// The key, if there is one that can be read without asking the user to unlock the keyring.
    pub(super) fn read_without_prompt(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(|_| keyring::read_key(UnlockPolicy::NoPrompt))
    }

    /// The key as its keeper itself has it, once `stale`, which may be a copy from nearer by, has opened nothing.
    pub(super) fn read_replacement(&self, stale: &SealingKey) -> Result<Option<SealingKey>, Error> {
        match self.location {
            KeyLocation::File => Ok(None),
            KeyLocation::Keyring(when_locked) => Ok(keyring::read_replacement(stale, when_locked)?),
        }
    }

    /// The key, made now if there is none. Nobody forgets it while the lock lives: what it seals meanwhile can be opened
    /// afterwards.
    pub(super) fn read_or_create(&self) -> Result<(SealingKey, SharedLock), Error> {
        loop {
            let share = lock::acquire_shared(&self.lock_path())?;
            if let Some(key) = self.read_uncached()? {
                if let KeyLocation::Keyring(_) = self.location {
                    // An empty file says that the keyring has the key, so that it is found there whatever storage is
                    // named later.
                    files::open_or_create_private(&self.marker_path())?;
                }
                return Ok((key, share));
            }
            drop(share);
            self.create_if_absent()?;
        }
    }

    /// Finds out whether a record could be stored, before the user is asked for what it holds.
    pub(super) fn ensure_available(&self) -> Result<(), Error> {
        match self.location {
            KeyLocation::File => Ok(()),
            KeyLocation::Keyring(_) => self.read_or_create().map(drop),
        }
    }

    /// Two profiles may come at once: the second finds what the first has made.
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

    /// Forgets the key, unless it is needed. Whoever has it in use is sealing a record with it, and needs it.
    pub(super) fn remove_unless(
        &self,
        is_needed: impl FnOnce(&SealingKey) -> Result<bool, files::Error>,
    ) -> Result<(), Error> {
        let Some(_held) = lock::try_acquire(&self.lock_path())? else { return Ok(()) };
        match self.read_uncached() {
            Ok(Some(key)) if is_needed(&key)? => Ok(()),
            // Without a key there may still be a marker, or what a killed write of the key left behind.
            Ok(Some(_) | None) => self.remove_key(),
            Err(error) if error.is_keyring_absent() => self.remove_key(),
            Err(error) => Err(error),
        }
    }

    /// Where there is no keyring, there is no key in it.
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

    /// What is sealed must be openable tomorrow, so only the keeper's own word counts here.
    fn read_uncached(&self) -> Result<Option<SealingKey>, Error> {
        self.read_with(keyring::read_uncached)
    }

    /// The key from the file or from the keyring. A file of another length is not a key, and what was sealed with the lost
    /// key cannot be opened any more.
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

    /// A lock of its own, since profiles share the key and nothing else.
    fn lock_path(&self) -> PathBuf {
        self.file.with_extension("lock")
    }

    fn marker_path(&self) -> PathBuf {
        self.file.with_file_name(KEYRING_MARKER)
    }
}

const KEYRING_MARKER: &str = "keyring";

/// Whether the system's keyring was given a key for what lies in this folder, be it under an earlier configuration.
pub fn has_key_in_keyring(folder: &Path) -> bool {
    folder.join(KEYRING_MARKER).exists()
}
