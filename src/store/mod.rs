//! Sealed bytes under a name, and the keeper of the key that seals them.
//!
//! What the bytes mean is `cache`'s business; that nobody else reads or swaps them is this module's.

mod key;
mod keyring;
mod sealed;
mod sealing_key;
#[cfg(test)]
mod contract;

use std::{fmt, ops::Deref, path::Path};

use zeroize::Zeroizing;

use crate::files;
use key::KeyLocation;

pub use key::has_key_in_keyring;
pub use keyring::{KeyringContext, KeyringError, KeyringFault, MissingPart, test_round_trip as test_keyring};
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

/// The bytes of a record that was opened with the sealing key. Only a store makes one, so it proves that this program wrote
/// them.
pub struct UnsealedRecord(Zeroizing<Vec<u8>>);

impl Deref for UnsealedRecord {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl fmt::Debug for UnsealedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnsealedRecord")
    }
}

/// `storage = "none"`: nothing is stored, and nothing is found.
pub fn open_null_store(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), None)
}

/// `storage = "file"`: sealed files, and their key in a private file beside them.
pub fn open_file_store(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Some(KeyLocation::File))
}

/// `storage = "keyring"`: sealed files, and their key in the operating system's keyring.
pub fn open_keyring_store(folder: &Path, when_locked: UnlockPolicy) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Some(KeyLocation::Keyring(when_locked)))
}
