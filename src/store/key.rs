//! The key that seals everything, kept in a private file of its own.
//!
//! It protects copies, backups and synchronised folders of the sealed files; not against whoever reads as this user.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{files, host, lock};

/// A 256-bit key, wiped on drop.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The keeper: a file readable by its owner only.
#[derive(Debug)]
pub(super) struct KeyFile(PathBuf);

impl KeyFile {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self(folder.join("key"))
    }

    /// The key, if there is one. A file of another length is none: what it sealed cannot be opened any more.
    pub(super) fn read(&self) -> Result<Option<Key>, files::Error> {
        let bytes = files::read(&self.0)?.map(Zeroizing::new);
        Ok(bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new))
    }

    /// The key, made now if there is none. Two profiles may come at once, so making it has a lock of its own.
    pub(super) fn read_or_make(&self) -> Result<Key, files::Error> {
        loop {
            if let Some(key) = self.read()? {
                return Ok(key);
            }
            let Some(_held) = lock::try_take(&self.0.with_extension("lock"))? else { continue };
            if self.read()?.is_none() {
                let mut key: Key = Zeroizing::new([0; 32]);
                host::random(key.as_mut());
                files::replace(&self.0, key.as_ref())?;
            }
        }
    }
}
