//! The locks of a folder, which outlive what they guarded.
//!
//! Taking one is for `lock`.

use std::path::{Path, PathBuf};

use super::is_fingerprint;
use crate::files;

/// The files of all locks in a folder: of profiles, of applications, and of the sealing key.
pub fn list_lock_files(folder: &Path) -> Result<Vec<PathBuf>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter(|name| is_lock_file(name)).map(|name| folder.join(name)).collect())
}

fn is_lock_file(name: &str) -> bool {
    name.strip_suffix(".lock").is_some_and(|guarded| is_fingerprint(guarded) || guarded == "key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_what_it_guards() {
        let ours = ["key.lock", "0123456789abcdef0123456789abcdef.lock"];
        let foreign = ["mine.lock", "key", "package-lock.json", "0123456789abcdef0123456789abcdef.json"];
        assert!(ours.iter().all(|name| is_lock_file(name)) && !foreign.iter().any(|name| is_lock_file(name)));
    }
}
