//! Who else may read and write what stands somewhere, as far as its rights tell.
//!
//! It looks; nothing is changed.

use std::{
    fs::{self, Metadata},
    path::Path,
};

/// Whether every user of this machine may write what stands here: into the file, or another in its place.
pub fn is_world_writable(path: &Path) -> bool {
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| is_open_to_others(&found));
    // The parent of a bare name is the empty path, which names no folder.
    let named = |folder: &Path| if folder.as_os_str().is_empty() { is_open(Path::new(".")) } else { is_open(folder) };
    is_open(path) || path.parent().is_some_and(named)
}

/// Whether every user may write into a file, or replace what lies in a folder.
pub fn is_open_to_others(found: &Metadata) -> bool {
    const BY_OTHERS: u32 = 0o002;
    /// In such a folder each user may replace only files of their own.
    const STICKY: u32 = 0o1000;
    let mode = permission_bits(found);
    mode & BY_OTHERS != 0 && !(found.is_dir() && mode & STICKY != 0)
}

/// Whether only its owner may look into a file or a folder.
pub fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| permission_bits(&found) & 0o077 == 0)
}

/// Whether every user of the machine may read a file.
pub(super) fn is_world_readable(found: &Metadata) -> bool {
    permission_bits(found) & 0o004 != 0
}

#[cfg(unix)]
fn permission_bits(found: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(found)
}

/// Windows' lists of rights are inherited from folders that are one person's or the administrators' own.
#[cfg(windows)]
fn permission_bits(_: &Metadata) -> u32 {
    0o700
}
