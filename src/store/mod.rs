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

use crate::{files, lock::Held, time::Moment};
use key::Keeper;

pub use keyring::{Fault, Missing, Place, Refusal};
pub use sealed::SealedFiles;

/// What can go wrong; an absent record is no error.
#[derive(Debug)]
pub enum Error {
    Files(files::Error),
    Keyring(Refusal),
}

impl Error {
    /// Whether there is no keyring at all.
    fn is_absence(&self) -> bool {
        matches!(self, Self::Keyring(Refusal { fault: Fault::Absent { .. }, .. }))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
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
pub enum WhenLocked {
    /// It may ask the person to unlock it, where one would see the question.
    AskThePerson,
    /// It stays as it is, which is a fault.
    LeaveIt,
}

/// A place that keeps sealed records. Writing demands the profile's lock.
pub trait Store {
    /// Finds out whether a record could be kept, before a person is asked or a token spent for what it holds.
    fn prepare(&self, held: &Held) -> Result<(), Error>;

    /// What is kept under a name; `None` when nothing is, or nothing that can still be opened.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error>;

    /// Keeps `plain` in place of what was there; `expires` stands readable, and authenticated, outside the seal.
    fn write(&self, held: &Held, name: &str, expires: Moment, plain: &[u8]) -> Result<(), Error>;

    /// Forgets what is kept under a name, whether it can be opened or not.
    fn remove(&self, held: &Held, name: &str) -> Result<(), Error>;

    /// Seals a note for other processes of this user; `None` where there is no key. `name` is bound to it.
    fn seal_note(&self, name: &str, plain: &[u8]) -> Option<Vec<u8>>;

    /// Opens a sealed note. `None` when this program did not seal it, or the key cannot be had without a prompt.
    fn open_note(&self, name: &str, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>>;

    /// Forgets the key, once nothing is kept any more that it opens. It is every profile's, so no one lock guards it.
    fn forget_key(&self) -> Result<(), Error>;
}

/// `storage = "none"`: everything is forgotten at once.
#[derive(Debug)]
pub struct Nothing;

impl Store for Nothing {
    fn prepare(&self, _: &Held) -> Result<(), Error> {
        Ok(())
    }

    fn read(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        Ok(None)
    }

    fn write(&self, _: &Held, _: &str, _: Moment, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn remove(&self, _: &Held, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn seal_note(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn open_note(&self, _: &str, _: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn forget_key(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// `storage = "file"`: sealed files, and their key in a private file beside them.
pub fn sealed_files(folder: &Path) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Keeper::File)
}

/// `storage = "keyring"`: sealed files, and their key in the operating system's keyring.
pub fn sealed_by_keyring(folder: &Path, when_locked: WhenLocked) -> SealedFiles {
    SealedFiles::new(folder.to_owned(), Keeper::Keyring(when_locked))
}

/// Whether the operating system's keyring keeps an item, gives it back and forgets it: one of its own, that is then gone.
pub fn try_out_keyring() -> Result<(), Error> {
    Ok(keyring::try_out()?)
}

/// Whether the operating system's keyring was given a key for this folder, be it under an earlier configuration.
pub fn is_in_keyring(folder: &Path) -> bool {
    key::is_in_keyring(folder)
}
