//! The key that seals everything, and its two keepers: a private file, or the operating system's keyring.
//!
//! Which one is the profile's choice, and never changes by itself: a keyring that refuses is an error, not a reason for
//! the file.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Error, keyring};
use crate::{files, host, lock};

/// A 256-bit key, wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where the key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// A file readable by its owner only. It protects copies, backups and synchronised folders of the sealed files; not
    /// against whoever reads as this user.
    File,
    Keyring,
}

/// The one key of a folder of sealed files.
#[derive(Debug)]
pub(super) struct KeptKey {
    keeper: Keeper,
    file: PathBuf,
}

impl KeptKey {
    pub(super) fn new(keeper: Keeper, folder: &Path) -> Self {
        Self { keeper, file: folder.join("key") }
    }

    /// The key, if there is one.
    pub(super) fn read(&self) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => self.read_file(),
            Keeper::Keyring => Ok(keyring::read()?),
        }
    }

    /// The key as its keeper itself has it, once `stale`, which may be a copy from nearer by, has opened nothing.
    pub(super) fn read_past(&self, stale: &Key) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => Ok(None),
            Keeper::Keyring => Ok(keyring::read_past(stale)?),
        }
    }

    /// The key, made now if there is none. Two profiles may come at once, so making it has a lock of its own.
    pub(super) fn read_or_make(&self) -> Result<Key, Error> {
        loop {
            if let Some(key) = self.read_itself()? {
                return Ok(key);
            }
            let Some(_held) = lock::try_take(&self.file.with_extension("lock"))? else { continue };
            if self.read_itself()?.is_none() {
                let mut key: Key = Zeroizing::new([0; 32]);
                host::random(key.as_mut());
                self.write(&key)?;
            }
        }
    }

    /// Finds out whether a record could be kept, before anybody is asked for what it holds.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(()),
            Keeper::Keyring => self.read_or_make().map(drop),
        }
    }

    /// Forgets the key; what it sealed is lost with it.
    pub(super) fn remove(&self) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(files::remove(&self.file)?),
            Keeper::Keyring => Ok(keyring::remove()?),
        }
    }

    /// What is sealed must be openable tomorrow, so only the keeper's own word counts here.
    fn read_itself(&self) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => self.read_file(),
            Keeper::Keyring => Ok(keyring::read_itself()?),
        }
    }

    /// A file of another length is none: what it sealed cannot be opened any more.
    fn read_file(&self) -> Result<Option<Key>, Error> {
        let bytes = files::read(&self.file)?.map(Zeroizing::new);
        Ok(bytes.and_then(|bytes| of_bytes(&bytes)))
    }

    fn write(&self, key: &Key) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(files::replace(&self.file, key.as_ref())?),
            Keeper::Keyring => Ok(keyring::write(key)?),
        }
    }
}

/// The key in these bytes; of another length they are none.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Key> {
    <[u8; 32]>::try_from(bytes).ok().map(Zeroizing::new)
}
