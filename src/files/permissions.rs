//! Who else may read and write what stands somewhere, as far as its rights tell.
//!
//! It looks; nothing is changed.

use std::path::Path;
#[cfg(unix)]
use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
};

/// Whether every user of this machine may write what stands here: into the file, or another in its place.
#[cfg(unix)]
pub fn is_world_writable(path: &Path) -> bool {
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| is_open_to_others(&found));
    // The parent of a bare name is the empty path, which names no folder.
    let named = |folder: &Path| if folder.as_os_str().is_empty() { is_open(Path::new(".")) } else { is_open(folder) };
    is_open(path) || path.parent().is_some_and(named)
}

/// Whether every user may write into a file, or replace what lies in a folder.
#[cfg(unix)]
pub fn is_open_to_others(found: &Metadata) -> bool {
    const BY_OTHERS: u32 = 0o002;
    /// In such a folder each user may replace only files of their own.
    const STICKY: u32 = 0o1000;
    found.mode() & BY_OTHERS != 0 && !(found.is_dir() && found.mode() & STICKY != 0)
}

/// Windows' lists of rights are inherited from folders that are one person's or the administrators' own.
#[cfg(not(unix))]
pub fn is_world_writable(_: &Path) -> bool {
    false
}

/// Whether only its owner may look into a file or a folder.
#[cfg(unix)]
pub fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 == 0)
}

/// A person's own folders are theirs alone here.
#[cfg(not(unix))]
pub fn is_private(_: &Path) -> bool {
    true
}
