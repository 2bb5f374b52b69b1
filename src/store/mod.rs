//! Stores bytes under a name as sealed (encrypted and authenticated) files, and manages the key that seals them.
//!
//! All records of a folder share one sealing key. It lies in a private file or in the operating system's keyring, as
//! the profile says. A sealed file cannot be read without the key, changed, or put in the place of another record. An
//! older copy of the same record does open again: the seal does not protect against a replay of the user's own files.
//!
//! Reading needs no lock. Writing needs the record's lock. `cache` decides what the bytes mean.

mod key;
mod keyring;
mod sealed;
mod sealing_key;
#[cfg(test)]
mod contract;

use std::{ops::Deref, path::Path};

use zeroize::Zeroizing;

use crate::{
    files,
    trait_impls::{impl_debug, impl_from},
};
use key::KeyLocation;

pub use key::has_key_in_keyring;
pub use keyring::{KeyringContext, KeyringError, KeyringFault, MissingPart, test_round_trip as test_keyring};
pub use sealed::SealedFiles;

/// A failure of the store. An absent record is not an error.
#[derive(Debug)]
pub enum Error {
    Files(files::Error),
    Keyring(KeyringError),
}

impl Error {
    /// Whether this system or session has no keyring.
    fn is_keyring_absent(&self) -> bool {
        matches!(self, Self::Keyring(error) if error.is_absent())
    }
}

impl_from!(Error: Files(files::Error), Keyring(KeyringError));

/// What to do if the keyring is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockPolicy {
    /// Let the keyring prompt the user to unlock it, if the user can see the prompt.
    PromptUser,
    /// Leave it locked, and fail.
    NoPrompt,
}

/// The bytes of a record that was opened with the sealing key. Only a store creates this type, so a value proves that
/// this program wrote the bytes. `cache` relies on it to recall an ID token as verified.
pub struct UnsealedRecord(Zeroizing<Vec<u8>>);

impl Deref for UnsealedRecord {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl_debug!(UnsealedRecord, |_| "UnsealedRecord");

/// `storage = "none"`: every write is dropped, and every read finds nothing.
pub fn open_null_store(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), None)
}

/// `storage = "file"`: sealed files, with the key in a private file beside them.
pub fn open_file_store(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Some(KeyLocation::File))
}

/// `storage = "keyring"`: sealed files, with the key in the operating system's keyring.
pub fn open_keyring_store(folder: &Path, when_locked: UnlockPolicy) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Some(KeyLocation::Keyring(when_locked)))
}
