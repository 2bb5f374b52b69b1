//! Checks who besides the owner may read or write a file or folder. It changes nothing.

use std::{
    fs::{self, Metadata},
    path::Path,
};

/// Whether every user of this machine may change this file: write to it, or put another file in its place.
pub fn is_world_writable(path: &Path) -> bool {
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| is_open_to_others(&found));
    // The parent of a bare file name is the empty path, which means the current folder.
    let named = |folder: &Path| if folder.as_os_str().is_empty() { is_open(Path::new(".")) } else { is_open(folder) };
    is_open(path) || path.parent().is_some_and(named)
}

/// Whether every user may write to this file, or replace files of other users in this folder.
pub fn is_open_to_others(found: &Metadata) -> bool {
    const BY_OTHERS: u32 = 0o002;
    /// In a folder with this bit, for example `/tmp`, each user may replace only their own files.
    const STICKY: u32 = 0o1000;
    let mode = permission_bits(found);
    mode & BY_OTHERS != 0 && !(found.is_dir() && mode & STICKY != 0)
}

/// Whether only the owner may read a file or enter a folder.
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

/// Windows has no such bits. Its access lists are inherited from folders that belong to one user or to administrators,
/// so every file counts as private.
#[cfg(windows)]
fn permission_bits(_: &Metadata) -> u32 {
    0o700
}
