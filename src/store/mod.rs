//! Sealed bytes under a name, and the keeper of the key that seals them.
//!
//! What the bytes mean is `cache`'s business; that nobody else reads or swaps them is this module's.

mod key;
mod keyring;
mod sealed;
#[cfg(test)]
mod contract;

use std::path::Path;

use zeroize::Zeroizing;

use crate::{files, lock::ExclusiveLock, time::Timestamp};
use key::KeyLocation;

pub use keyring::{KeyringContext, KeyringError, KeyringFault, MissingPart};
pub use sealed::SealedFiles;

/// What can go wrong; an absent record is no error.
#[derive(Debug)]
pub enum Error {
    Files(files::Error),
    Keyring(KeyringError),
}

impl Error {
    /// Whether there is no keyring at all.
    fn is_keyring_absent(&self) -> bool {
        matches!(self, Self::Keyring(KeyringError { fault: KeyringFault::Absent { .. }, .. }))
    }
}

impl From<KeyringError> for Error {
    fn from(refusal: KeyringError) -> Self {
        Self::Keyring(refusal)
    }
}

impl From<files::Error> for Error {
    fn from(error: files::Error) -> Self {
        Self::Files(error)
    }
}

/// What becomes of a keyring that is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockPolicy {
    /// It may ask the person to unlock it, where one would see the question.
    PromptUser,
    /// It stays as it is, which is a fault.
    NoPrompt,
}

/// A place that keeps sealed records. Writing demands the profile's lock.
pub trait Store {
    /// Finds out whether a record could be kept, before a person is asked or a token spent for what it holds.
    fn check_writable(&self, held: &ExclusiveLock) -> Result<(), Error>;

    /// What is kept under a name; `None` when nothing is, or nothing that can still be opened.
    fn read_record(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error>;

    /// Keeps `plain` in place of what was there; `expires` stands readable, and authenticated, outside the seal.
    fn write_record(
        &self,
        held: &ExclusiveLock,
        name: &str,
        expires: Timestamp,
        plain: &[u8],
    ) -> Result<(), Error>;

    /// Forgets what is kept under a name, whether it can be opened or not.
    fn remove_record(&self, held: &ExclusiveLock, name: &str) -> Result<(), Error>;

    /// Seals a note for other processes of this user; `None` where there is no key. `name` is bound to it.
    fn seal_note(&self, name: &str, plain: &[u8]) -> Option<Vec<u8>>;

    /// Opens a sealed note. `None` when this program did not seal it, or the key cannot be had without a prompt.
    fn open_note(&self, name: &str, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>>;

    /// Forgets the key, once nothing is kept any more that it opens. It is every profile's, so no one lock guards it.
    fn remove_unused_key(&self) -> Result<(), Error>;
}

/// `storage = "none"`: everything is forgotten at once.
#[derive(Debug)]
pub struct NullStore;

impl Store for NullStore {
    fn check_writable(&self, _: &ExclusiveLock) -> Result<(), Error> {
        Ok(())
    }

    fn read_record(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        Ok(None)
    }

    fn write_record(&self, _: &ExclusiveLock, _: &str, _: Timestamp, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn remove_record(&self, _: &ExclusiveLock, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn seal_note(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn open_note(&self, _: &str, _: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn remove_unused_key(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// `storage = "file"`: sealed files, and their key in a private file beside them.
pub fn open_file_store(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), KeyLocation::File)
}

/// `storage = "keyring"`: sealed files, and their key in the operating system's keyring.
pub fn open_keyring_store(folder: &Path, when_locked: UnlockPolicy) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), KeyLocation::Keyring(when_locked))
}

/// Whether the operating system's keyring keeps an item, gives it back and forgets it: one of its own, that is then gone.
pub fn test_keyring() -> Result<(), Error> {
    Ok(keyring::test_round_trip()?)
}

/// Whether the operating system's keyring was given a key for this folder, be it under an earlier configuration.
pub fn has_key_in_keyring(folder: &Path) -> bool {
    key::has_key_in_keyring(folder)
}
