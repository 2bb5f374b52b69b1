//! Files that somebody else put there: read whole, up to a limit, and with who else may read them.
//!
//! Nothing is changed; what the bytes mean is not its business.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use super::Error;

/// A file that somebody else put there.
#[derive(Debug)]
pub struct Foreign {
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether every user of the machine may read it.
    pub is_exposed: bool,
}

/// Reads a file that is none of ours, up to a limit; `None` when there is none.
pub fn read_foreign(path: &Path, limit: u64) -> Result<Option<Foreign>, Error> {
    let fault = |source| Error { doing: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let found = file.metadata().map_err(fault)?;
    if !found.is_file() {
        return Err(fault(io::Error::other("it is no file")));
    }
    if found.len() > limit {
        return Err(fault(io::Error::other(format!("it is larger than {} KiB", limit / 1024))));
    }
    // Room for all of it from the start, so that no copy is left behind when a buffer grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default() + 1));
    file.take(limit).read_to_end(&mut bytes).map_err(fault)?;
    Ok(Some(Foreign { bytes, is_exposed: is_exposed(&found) }))
}

#[cfg(unix)]
fn is_exposed(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.mode() & 0o004 != 0
}

/// Who may read is said by lists of rights here, which a folder hands down; a person's own folders are theirs alone.
#[cfg(windows)]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}
