//! Configuration files as text: found, read, bounded, UTF-8.
//!
//! It does not know what is written in them.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::error::{Error, Place, Unreadable};
use crate::{
    files::{FileKind, ReadError, RegularFile},
    host::{Environment, FolderTrust, judge_folder, stranger},
    text,
};

/// More than a thousand profiles fit; what is larger is some other file.
pub(super) const LIMIT: u64 = 256 * 1024;

/// A file that was read.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    /// The path as a person writes it.
    pub shown: String,
    pub text: String,
    pub rank: Rank,
    /// The call named it, by `--config` or by a variable: it does not lie in a default place.
    pub is_named: bool,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Administrator,
    User,
}

impl Source {
    /// `None` when there is no such file.
    pub(super) fn read(path: &Path, rank: Rank, environment: &Environment) -> Result<Option<Self>, Error> {
        Self::judged(path, rank, environment, |_| Ok(()))
    }

    /// Reads the file as its owner's rank demands.
    pub(super) fn of_rank(path: &Path, rank: Rank, environment: &Environment) -> Result<Option<Self>, Error> {
        match rank {
            Rank::Administrator => Self::of_administrator(path, environment),
            Rank::User => Self::read(path, rank, environment),
        }
    }

    /// The file that holds for every user of the machine, which nobody but an administrator may have written.
    ///
    /// The folder is judged first, also where the file is absent: whoever can write the folder can take the file away.
    pub(super) fn of_administrator(path: &Path, environment: &Environment) -> Result<Option<Self>, Error> {
        let folder = path.parent().unwrap_or(path);
        let unreadable = |why| Err(Error::Unreadable { file: shown(folder, environment), why });
        match judge_folder(folder) {
            Ok(FolderTrust::Absent) => return Ok(None),
            Ok(FolderTrust::Trusted) => {}
            Ok(FolderTrust::Untrusted(who)) => return unreadable(Unreadable::Untrusted { who }),
            Err(failure) => return unreadable(Unreadable::Other(failure.to_string())),
        }
        Self::judged(path, Rank::Administrator, environment, |file| match stranger(file) {
            Ok(None) => Ok(()),
            Ok(Some(who)) => Err(Unreadable::Untrusted { who }),
            Err(failure) => Err(Unreadable::Other(failure.to_string())),
        })
    }

    fn judged(
        path: &Path,
        rank: Rank,
        environment: &Environment,
        judge: impl Fn(&File) -> Result<(), Unreadable>,
    ) -> Result<Option<Self>, Error> {
        let shown = || shown(path, environment);
        match bytes(path, judge).and_then(decoded) {
            Ok(text) => Ok(Some(Self { path: path.to_owned(), shown: shown(), text, rank, is_named: false })),
            Err(Unreadable::Missing) => Ok(None),
            Err(why) => Err(Error::Unreadable { file: shown(), why }),
        }
    }

    /// A file as it would be with this text.
    pub(super) fn of_text(path: &Path, rank: Rank, text: &str, environment: &Environment) -> Self {
        let (path, shown) = (path.to_owned(), shown(path, environment));
        Self { path, shown, text: text.to_owned(), rank, is_named: false }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        Place::File { file: self.shown.clone(), line: self.line(offset) }
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        line(self.text.as_bytes(), offset)
    }
}

fn line(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The path with the home directory as `~`, safe to print.
pub fn shown(path: &Path, environment: &Environment) -> String {
    let below_home = home(environment).and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    match below_home {
        Some(rest) => text::path(&Path::new("~").join(rest)),
        None => text::path(path),
    }
}

/// A path in which a leading `~/` means the home directory; `None` when nobody knows where that is.
pub(super) fn expanded(path: &str, environment: &Environment) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(home(environment)?.join(rest)),
        None => Some(path.into()),
    }
}

fn home(environment: &Environment) -> Option<PathBuf> {
    environment.path("HOME").or_else(|| environment.path("USERPROFILE"))
}

fn bytes(path: &Path, judge: impl Fn(&File) -> Result<(), Unreadable>) -> Result<Vec<u8>, Unreadable> {
    let file = RegularFile::open(path).map_err(|error| unreadable(&error))?;
    judge(file.file())?;
    file.read(LIMIT).map_err(|error| unreadable(&error))
}

fn unreadable(error: &ReadError) -> Unreadable {
    match error {
        ReadError::NotRegular(FileKind::Folder) => Unreadable::Directory,
        ReadError::TooLarge { limit } => Unreadable::TooLarge { limit: *limit },
        ReadError::System(error) if error.kind() == ErrorKind::NotFound => Unreadable::Missing,
        ReadError::System(error) if error.kind() == ErrorKind::PermissionDenied => Unreadable::Denied,
        ReadError::System(_) | ReadError::NotRegular(_) => Unreadable::Other(error.to_string()),
    }
}

fn decoded(bytes: Vec<u8>) -> Result<String, Unreadable> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Unreadable::Utf16);
    }
    String::from_utf8(bytes).map_err(|refused| Unreadable::NotUtf8 {
        line: line(refused.as_bytes(), refused.utf8_error().valid_up_to()),
    })
}
