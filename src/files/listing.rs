//! Lists the names in a folder. It opens no file and follows no symlink.

use std::{
    fs::{self, DirEntry, FileType},
    io,
    path::Path,
};

use super::{Error, FileAction};

/// The names of the regular files in a folder; empty if the folder does not exist.
pub fn list_files(folder: &Path) -> Result<Vec<String>, Error> {
    let files = read_entries(folder)?.into_iter().filter(|(_, kind)| kind.is_file());
    // Names that are not Unicode are skipped: this program creates none.
    Ok(files.filter_map(|(entry, _)| entry.file_name().into_string().ok()).collect())
}

/// The sorted paths of everything in a folder and its subfolders, relative to the folder, with `/` as separator. Empty
/// if the folder does not exist. Symlinks are listed and not followed. A folder below `DEPTH` is listed without its
/// content.
pub fn list_recursively(folder: &Path) -> Result<Vec<String>, Error> {
    /// Deeper than any folder that this program creates.
    const DEPTH: usize = 4;
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    while let Some((within, depth)) = folders.pop() {
        for (entry, kind) in read_entries(&folder.join(&within))? {
            let name = format!("{within}{}", entry.file_name().display());
            match kind.is_dir() && depth < DEPTH {
                true => folders.push((name + "/", depth + 1)),
                false => found.push(name),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The entries of a folder with their kinds; empty if the folder does not exist.
fn read_entries(folder: &Path) -> Result<Vec<(DirEntry, FileType)>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| {
            entries.map(|entry| entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))).collect()
        }),
    };
    entries.map_err(Error::at(FileAction::List, folder))
}
