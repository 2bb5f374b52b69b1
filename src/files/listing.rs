//! What lies in a folder, by name.
//!
//! It reads no file and follows no link.

use std::{fs, io, path::Path};

use super::Error;

/// The names of the files in a folder, without those of folders in it; none when there is no such folder.
pub fn list_files(folder: &Path) -> Result<Vec<String>, Error> {
    let fault = |source| Error { action: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fault)?;
        if entry.file_type().map_err(fault)?.is_file() {
            // A name that is no text is none of ours.
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// What lies in a folder and in the folders within it, down to a depth that is enough for what we make; each by its name from
/// the folder on, `/` between the parts. None when there is no such folder; a link is named and not followed.
pub fn list_recursively(folder: &Path) -> Result<Vec<String>, Error> {
    const DEPTH: usize = 4;
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), 0)];
    while let Some((within, depth)) = folders.pop() {
        let here = folder.join(&within);
        let fault = |source| Error { action: "list", path: here.clone(), source };
        let entries = match fs::read_dir(&here) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(fault)?,
        };
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let name = format!("{within}{}", entry.file_name().display());
            match entry.file_type().map_err(fault)?.is_dir() && depth < DEPTH {
                true => folders.push((name + "/", depth + 1)),
                false => found.push(name),
            }
        }
    }
    found.sort();
    Ok(found)
}
