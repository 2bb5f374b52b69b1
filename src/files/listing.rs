//! What lies in a folder, by name.
//!
//! It reads no file and follows no link.

use std::{
    fs::{self, DirEntry, FileType},
    io,
    path::Path,
};

use super::{Error, FileAction};

/// The names of the files in a folder, without those of folders in it; none when there is no such folder.
pub fn list_files(folder: &Path) -> Result<Vec<String>, Error> {
    let files = read_entries(folder)?.into_iter().filter(|(_, kind)| kind.is_file());
    // This program gives no file a name that is not text.
    Ok(files.filter_map(|(entry, _)| entry.file_name().into_string().ok()).collect())
}

/// What lies in a folder and in the folders within it, down to a depth that is enough for what we make; each by its name from
/// the folder on, `/` between the parts. None when there is no such folder; a link is named and not followed.
pub fn list_recursively(folder: &Path) -> Result<Vec<String>, Error> {
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

/// What lies in a folder, with the kind of each entry; nothing when there is no such folder.
fn read_entries(folder: &Path) -> Result<Vec<(DirEntry, FileType)>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| {
            entries.map(|entry| entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))).collect()
        }),
    };
    entries.map_err(Error::at(FileAction::List, folder))
}
