//! Who else may read and write what stands somewhere, as far as its rights tell.
//!
//! It looks; nothing is changed.

#[cfg(unix)]
use std::fs;
use std::path::Path;

/// Whether every user of this machine may write what stands here: into the file, or another in its place.
#[cfg(unix)]
pub fn is_world_writable(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const BY_OTHERS: u32 = 0o002;
    /// In such a folder each may replace only what is their own.
    const STICKY: u32 = 0o1000;
    let mode = |path: &Path| fs::metadata(path).map_or(0, |it| it.mode());
    let folder = path.parent().map_or(0, mode);
    mode(path) & BY_OTHERS != 0 || folder & BY_OTHERS != 0 && folder & STICKY == 0
}

/// Windows' lists of rights are inherited from folders that are one person's or the administrators' own.
#[cfg(not(unix))]
pub fn is_world_writable(_: &Path) -> bool {
    false
}

/// Whether only its owner may look into a file or a folder.
#[cfg(unix)]
pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 == 0)
}

/// A person's own folders are theirs alone here.
#[cfg(not(unix))]
pub fn is_private(_: &Path) -> bool {
    true
}
