//! What `setup` wrote, and what stood there before, so that `--remove` leaves no trace.
//!
//! It remembers; undoing is for `plan`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::files;

/// Everything that setup wrote on this machine, for one user or for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    pub files: Vec<Written>,
    /// Folders that were made for the record itself, the innermost last.
    pub folders: Vec<PathBuf>,
}

/// One file: as it would be without us, and as we left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub path: PathBuf,
    pub kind: Kind,
    /// `None`: there was none.
    pub before: Option<String>,
    pub wrote: String,
    /// Folders that were made for it, the innermost last.
    pub folders: Vec<PathBuf>,
}

const VERSION: u32 = 1;

impl Record {
    /// What is remembered; nothing, when there is no record, or none that this version reads.
    pub fn read(path: &Path) -> Result<Self, files::Error> {
        let bytes = files::read(path)?.unwrap_or_default();
        let record: Option<Self> = serde_json::from_slice(&bytes).ok();
        Ok(record.filter(|record| record.version == VERSION).unwrap_or_default())
    }

    /// Kept before the files themselves are written: what was remembered and then not done does no harm.
    pub fn keep(&self, path: &Path) -> Result<(), files::Error> {
        if self.files.is_empty() {
            return files::remove(path);
        }
        let record = Self { version: VERSION, ..self.clone() };
        let bytes =
            serde_json::to_vec_pretty(&record).expect("texts and paths that came from texts serialise");
        files::replace(path, &bytes)
    }

    pub fn of(&self, path: &Path) -> Option<&Written> {
        self.files.iter().find(|written| written.path == path)
    }

    /// In the place of what is remembered of the same file.
    pub fn put(&mut self, written: Written) {
        self.files.retain(|known| known.path != written.path);
        self.files.push(written);
    }

    pub fn forget(&mut self, path: &Path) {
        self.files.retain(|written| written.path != path);
    }
}
