//! The key that seals everything, and its two keepers: a private file, or the operating system's keyring.
//!
//! Which one is the profile's choice, and never changes by itself: a keyring that refuses is an error, not a reason for
//! the file.

use std::{
    io::ErrorKind,
    ops::Deref,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{Error, WhenLocked, keyring};
use crate::{
    files, host,
    lock::{self, Shared},
};

/// A 256-bit key, wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// Where the key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// A file readable by its owner only. It protects copies, backups and synchronised folders of the sealed files; not
    /// against whoever reads as this user.
    File,
    Keyring(WhenLocked),
}

/// The one key of a folder of sealed files.
#[derive(Debug)]
pub(super) struct KeptKey {
    keeper: Keeper,
    file: PathBuf,
}

/// A key that nobody forgets while this lives: what it seals meanwhile can be opened afterwards.
pub(super) struct InUse {
    key: Key,
    _share: Shared,
}

impl Deref for InUse {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.key
    }
}

impl KeptKey {
    pub(super) fn new(keeper: Keeper, folder: &Path) -> Self {
        Self { keeper, file: folder.join("key") }
    }

    /// The key, if there is one.
    pub(super) fn read(&self) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => self.read_file(),
            Keeper::Keyring(when_locked) => Ok(keyring::read(when_locked)?),
        }
    }

    /// The key, if there is one that can be read without asking the user to unlock the keyring.
    pub(super) fn read_without_prompt(&self) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => self.read_file(),
            Keeper::Keyring(_) => Ok(keyring::read(WhenLocked::LeaveIt)?),
        }
    }

    /// The key as its keeper itself has it, once `stale`, which may be a copy from nearer by, has opened nothing.
    pub(super) fn read_past(&self, stale: &Key) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => Ok(None),
            Keeper::Keyring(when_locked) => Ok(keyring::read_past(stale, when_locked)?),
        }
    }

    /// The key, made now if there is none.
    pub(super) fn read_or_make(&self) -> Result<InUse, Error> {
        loop {
            let share = lock::share(&self.lock_path())?;
            if let Some(key) = self.read_itself()? {
                self.mark()?;
                return Ok(InUse { key, _share: share });
            }
            drop(share);
            self.make()?;
        }
    }

    /// Finds out whether a record could be kept, before anybody is asked for what it holds.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(()),
            Keeper::Keyring(_) => self.read_or_make().map(drop),
        }
    }

    /// An empty file says that the keyring has the key, so that it is found there whatever storage is named later.
    fn mark(&self) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(()),
            Keeper::Keyring(_) => Ok(files::open_private(&mark(self.folder())).map(drop)?),
        }
    }

    fn folder(&self) -> &Path {
        self.file.parent().expect("the key lies in the folder that was named")
    }

    /// Two profiles may come at once: the second finds what the first has made.
    fn make(&self) -> Result<(), Error> {
        let Some(_held) = lock::try_take(&self.lock_path())? else { return Ok(()) };
        if self.read_itself()?.is_some() {
            return Ok(());
        }
        let mut key: Key = Zeroizing::new([0; 32]);
        host::random(key.as_mut());
        match self.keeper {
            Keeper::File => Ok(files::replace(&self.file, key.as_ref())?),
            Keeper::Keyring(when_locked) => Ok(keyring::write(&key, when_locked)?),
        }
    }

    /// Forgets the key, unless it is needed. Whoever has it in use is sealing a record with it, and needs it.
    pub(super) fn forget_unless(
        &self,
        is_needed: impl FnOnce(&Key) -> Result<bool, files::Error>,
    ) -> Result<(), Error> {
        let Some(_held) = lock::try_take(&self.lock_path())? else { return Ok(()) };
        match self.read_itself() {
            Ok(Some(key)) if is_needed(&key)? => Ok(()),
            Err(error) if !error.is_absence() => Err(error),
            _ => self.remove(),
        }
    }

    /// Where there is no keyring, there is no key in it.
    fn remove(&self) -> Result<(), Error> {
        match self.keeper {
            Keeper::File => Ok(files::remove(&self.file)?),
            Keeper::Keyring(when_locked) => {
                let removed = keyring::remove(when_locked).map_err(Error::from);
                removed.or_else(|error| if error.is_absence() { Ok(()) } else { Err(error) })?;
                Ok(files::remove(&mark(self.folder()))?)
            }
        }
    }

    /// What is sealed must be openable tomorrow, so only the keeper's own word counts here.
    fn read_itself(&self) -> Result<Option<Key>, Error> {
        match self.keeper {
            Keeper::File => self.read_file(),
            Keeper::Keyring(when_locked) => Ok(keyring::read_itself(when_locked)?),
        }
    }

    /// A file of another length is not a key, and what was sealed with the lost key cannot be opened any more.
    fn read_file(&self) -> Result<Option<Key>, Error> {
        match files::read(&self.file) {
            Ok(bytes) => Ok(bytes.map(Zeroizing::new).and_then(|bytes| of_bytes(&bytes))),
            Err(error) if error.source.kind() == ErrorKind::FileTooLarge => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A lock of its own, since profiles share the key and nothing else.
    fn lock_path(&self) -> PathBuf {
        self.file.with_extension("lock")
    }
}

/// Whether the keyring was given a key for what lies in this folder.
pub(super) fn is_in_keyring(folder: &Path) -> bool {
    mark(folder).exists()
}

fn mark(folder: &Path) -> PathBuf {
    folder.join("keyring")
}

/// The key in these bytes; of another length they are none.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Key> {
    <[u8; 32]>::try_from(bytes).ok().map(Zeroizing::new)
}
