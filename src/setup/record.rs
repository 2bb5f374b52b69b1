//! What `setup` wrote, and what stood there before, so that `--remove` leaves no trace.
//!
//! It remembers; undoing is for `plan`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, SetupFileKind};
use crate::files;

/// Everything that setup wrote on this machine, for one user or for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupRecord {
    version: u32,
    pub files: Vec<FileRecord>,
    /// Folders that were made for the record itself, the innermost last.
    pub folders: Vec<PathBuf>,
}

/// One file: as it would be without us, and as we left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    pub path: PathBuf,
    pub kind: SetupFileKind,
    /// `None`: there was none.
    pub before: Option<String>,
    pub wrote: String,
    /// Folders that were made for it, the innermost last.
    pub folders: Vec<PathBuf>,
}

const VERSION: u32 = 1;

impl SetupRecord {
    /// What is remembered. A record of another version is not: taken for none it would be written over, and with it what stood
    /// in other programs' files before us.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let Some(bytes) = files::read_if_exists(path)?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(Self::default());
        };
        let record: Option<Self> = serde_json::from_slice(&bytes).ok();
        record
            .filter(|record| record.version == VERSION)
            .ok_or_else(|| Error::RecordVersion { path: path.to_owned(), files: list_recorded_paths(&bytes) })
    }

    /// Kept before the files themselves are written: what was remembered and then not done does no harm.
    pub fn save(&self, path: &Path) -> Result<(), files::Error> {
        if self.files.is_empty() {
            return files::remove_file(path);
        }
        let record = Self { version: VERSION, ..self.clone() };
        let bytes = serde_json::to_vec_pretty(&record).expect("texts and paths that came from texts serialise");
        files::write_atomically(path, &bytes)
    }

    pub fn find_file(&self, path: &Path) -> Option<&FileRecord> {
        self.files.iter().find(|written| written.path == path)
    }

    /// The folders that were made for this file.
    pub fn folders_of(&self, path: &Path) -> Vec<PathBuf> {
        self.find_file(path).map(|written| written.folders.clone()).unwrap_or_default()
    }

    /// In the place of what is remembered of the same file.
    pub fn put_file(&mut self, written: FileRecord) {
        self.files.retain(|known| known.path != written.path);
        self.files.push(written);
    }

    pub fn remove_file(&mut self, path: &Path) {
        self.files.retain(|written| written.path != path);
    }
}

/// The files that a record names which is not understood any further.
fn list_recorded_paths(bytes: &[u8]) -> Vec<PathBuf> {
    let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let files = record.get("files").and_then(serde_json::Value::as_array).into_iter().flatten();
    files.filter_map(|file| file.get("path")?.as_str().map(PathBuf::from)).collect()
}
