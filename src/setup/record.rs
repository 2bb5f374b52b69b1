//! What `setup` wrote, and what stood there before, so that `--remove` leaves no trace.
//!
//! It remembers; undoing is for `plan`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Kind};
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
    /// What is remembered. A record of another version is not: taken for none it would be written over, and with it what stood
    /// in other programs' files before us.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let Some(bytes) = files::read(path)?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(Self::default());
        };
        let record: Option<Self> = serde_json::from_slice(&bytes).ok();
        record
            .filter(|record| record.version == VERSION)
            .ok_or_else(|| Error::Record { path: path.to_owned(), files: named(&bytes) })
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

/// The files that a record names which is not understood any further.
fn named(bytes: &[u8]) -> Vec<PathBuf> {
    let record: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let files = record.get("files").and_then(serde_json::Value::as_array).into_iter().flatten();
    files.filter_map(|file| file.get("path")?.as_str().map(PathBuf::from)).collect()
}
