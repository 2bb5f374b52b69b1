//! The record of what `setup` wrote and of what the files contained before, so that `--remove` can restore them.
//!
//! It is a JSON file, `setup.json`. This module stores it; the plan decides how to undo an edit.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, SetupFileKind};
use crate::files;

/// Everything that setup wrote on this computer, either for one user or for all users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupRecord {
    version: u32,
    pub files: Vec<FileRecord>,
    /// Folders that were created for the record itself, the innermost last.
    pub folders: Vec<PathBuf>,
}

/// One file that setup wrote. Its two texts are what removal compares the present text with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    pub path: PathBuf,
    pub kind: SetupFileKind,
    /// The text as it would be without setup. `None`: the file did not exist.
    pub before: Option<String>,
    /// The text that setup wrote last.
    pub wrote: String,
    /// Folders that were created for the file, the innermost last.
    pub folders: Vec<PathBuf>,
}

/// The version of the record's format. With a higher number, older releases of this program refuse the record instead of
/// misreading it.
const VERSION: u32 = 1;

impl SetupRecord {
    /// Loads the record. A missing or empty file is an empty record.
    ///
    /// Fails for a record of another version. Treating it as empty would overwrite it, and with it the earlier contents
    /// of other programs' files.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let Some(bytes) = files::read_if_exists(path)?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(Self::default());
        };
        let record: Option<Self> = serde_json::from_slice(&bytes).ok();
        record
            .filter(|record| record.version == VERSION)
            .ok_or_else(|| Error::RecordVersion { path: path.to_owned(), files: list_recorded_paths(&bytes) })
    }

    /// Stores the record, or deletes its file if it has no entries. Call it before writing the files that it lists: an
    /// entry without a change does no harm, but a change without an entry cannot be undone.
    pub fn save(&self, path: &Path) -> Result<(), files::Error> {
        if self.files.is_empty() {
            return files::remove_file(path);
        }
        let record = Self { version: VERSION, ..self.clone() };
        let bytes = serde_json::to_vec_pretty(&record).expect("texts and paths that came from texts serialise");
        files::write_atomically(path, &bytes)
    }

    /// The entry of a file.
    pub fn find_file(&self, path: &Path) -> Option<&FileRecord> {
        self.files.iter().find(|written| written.path == path)
    }

    /// The folders that were created for this file.
    pub fn folders_of(&self, path: &Path) -> Vec<PathBuf> {
        self.find_file(path).map(|written| written.folders.clone()).unwrap_or_default()
    }

    /// Adds an entry, which replaces an earlier one of the same file.
    pub fn put_file(&mut self, written: FileRecord) {
        self.files.retain(|known| known.path != written.path);
        self.files.push(written);
    }

    /// Removes the entry of a file. The file itself is not touched.
    pub fn remove_file(&mut self, path: &Path) {
        self.files.retain(|written| written.path != path);
    }
}

/// The files that a record of another version lists, as far as its structure can be recognised. The user needs their
/// names to clean up by hand.
fn list_recorded_paths(bytes: &[u8]) -> Vec<PathBuf> {
    let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let files = record.get("files").and_then(serde_json::Value::as_array).into_iter().flatten();
    files.filter_map(|file| file.get("path")?.as_str().map(PathBuf::from)).collect()
}
