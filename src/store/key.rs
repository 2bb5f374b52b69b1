//! The key that seals everything, kept in a private file of its own.
//!
//! It protects copies, backups and synchronised folders of the sealed files; not against whoever reads as this user.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    files, host,
    lock::{self, Shared},
};

/// A 256-bit key, wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The keeper: a file readable by its owner only.
#[derive(Debug)]
pub(super) struct KeyFile(PathBuf);

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

impl KeyFile {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self(folder.join("key"))
    }

    /// The key, if there is one. A file of another length is none: what it sealed cannot be opened any more.
    pub(super) fn read(&self) -> Result<Option<Key>, files::Error> {
        let bytes = files::read(&self.0)?.map(Zeroizing::new);
        Ok(bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new))
    }

    /// The key, made now if there is none.
    pub(super) fn read_or_make(&self) -> Result<InUse, files::Error> {
        loop {
            let share = lock::share(&self.lock_path())?;
            if let Some(key) = self.read()? {
                return Ok(InUse { key, _share: share });
            }
            drop(share);
            self.make()?;
        }
    }

    /// Two profiles may come at once: the second finds what the first has made.
    fn make(&self) -> Result<(), files::Error> {
        let Some(_held) = lock::try_take(&self.lock_path())? else { return Ok(()) };
        if self.read()?.is_some() {
            return Ok(());
        }
        let mut key: Key = Zeroizing::new([0; 32]);
        host::random(key.as_mut());
        files::replace(&self.0, key.as_ref())
    }

    /// Forgets the key, unless it is needed. Whoever has it in use is sealing a record with it, and needs it.
    pub(super) fn forget_unless(
        &self,
        is_needed: impl FnOnce(&Key) -> Result<bool, files::Error>,
    ) -> Result<(), files::Error> {
        let Some(_held) = lock::try_take(&self.lock_path())? else { return Ok(()) };
        match self.read()? {
            Some(key) if is_needed(&key)? => Ok(()),
            _ => files::remove(&self.0),
        }
    }

    /// A lock of its own, since profiles share the key and nothing else.
    fn lock_path(&self) -> PathBuf {
        self.0.with_extension("lock")
    }
}
