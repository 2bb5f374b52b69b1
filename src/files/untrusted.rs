//! Files that somebody else put there: read whole, up to a limit, and with who else may read them.
//!
//! Nothing is changed; what the bytes mean is not its business.

use std::{fs, io, path::Path};

use zeroize::Zeroizing;

use super::{Error, ReadError, RegularFile};

/// A file that somebody else put there.
#[derive(Debug)]
pub struct UntrustedFile {
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether every user of the machine may read it.
    pub is_world_readable: bool,
}

/// Reads a regular file that somebody else put there, up to a limit; `None` when there is none.
pub fn read_untrusted(path: &Path, limit: u64) -> Result<Option<UntrustedFile>, Error> {
    let read = || {
        let file = RegularFile::open(path)?;
        let is_exposed = is_world_readable(file.metadata());
        Ok(UntrustedFile { bytes: Zeroizing::new(file.read_to_limit(limit)?), is_world_readable: is_exposed })
    };
    match read() {
        Ok(foreign) => Ok(Some(foreign)),
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error { action: "read", path: path.to_owned(), source: error.into() }),
    }
}

#[cfg(unix)]
fn is_world_readable(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.mode() & 0o004 != 0
}

/// Who may read is said by lists of rights here, which a folder hands down; a person's own folders are theirs alone.
#[cfg(windows)]
fn is_world_readable(_: &fs::Metadata) -> bool {
    false
}
