//! Reads configuration files as text. It limits their size, requires UTF-8, and requires that only administrators can
//! write the administrator's file.
//!
//! The content is not interpreted here; see `config_file`.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{ConfigInputs, Error, UnreadableReason, ValueLocation};
use crate::{
    files::{FileKind, ReadError, RegularFile},
    host::{Environment, FolderTrust, check_folder_trust, find_untrusted_writer},
    text,
};

/// The size limit of a configuration file. More than a thousand profiles fit into it, so a larger file is a mistake.
pub(super) const MAX_FILE_BYTES: u64 = 256 * 1024;

/// A file that was read.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub path: PathBuf,
    /// The path for messages, with `~` for the home directory.
    pub display_path: String,
    pub text: String,
    pub owner: FileOwner,
    /// Whether `--config` or a variable names the file. If not, the file is in its default place.
    pub is_named: bool,
}

/// Whether a file is the administrator's or the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileOwner {
    Administrator,
    User,
}

impl FileOwner {
    /// The owner of the file that this run of `setup` writes.
    pub(super) fn of_written_file(inputs: &ConfigInputs<'_>) -> Self {
        if inputs.with_user_layers { Self::User } else { Self::Administrator }
    }
}

impl SourceFile {
    /// Reads a file without checking who can write it; `None` if it does not exist.
    pub(super) fn read_file(path: &Path, rank: FileOwner, environment: &Environment) -> Result<Option<Self>, Error> {
        Self::read_checked(path, rank, environment, |_| Ok(()))
    }

    /// Reads a file with the checks that its owner requires; `None` if it does not exist.
    pub(super) fn read_for_owner(
        path: &Path,
        rank: FileOwner,
        environment: &Environment,
    ) -> Result<Option<Self>, Error> {
        match rank {
            FileOwner::Administrator => Self::read_administrator_file(path, environment),
            FileOwner::User => Self::read_file(path, rank, environment),
        }
    }

    /// Reads the administrator's file. It applies to every user of the computer, so only administrators may be able to
    /// write it or its folder.
    ///
    /// The folder is checked first, even if the file does not exist: a user who can write the folder could delete the
    /// file and with it all enforced values.
    pub(super) fn read_administrator_file(path: &Path, environment: &Environment) -> Result<Option<Self>, Error> {
        let folder = path.parent().unwrap_or(path);
        let unreadable = |why| Err(Error::Unreadable { file: display_path(folder, environment), why });
        match check_folder_trust(folder) {
            Ok(FolderTrust::Absent) => return Ok(None),
            Ok(FolderTrust::Trusted) => {}
            Ok(FolderTrust::Untrusted(who)) => return unreadable(UnreadableReason::Untrusted { who }),
            Err(failure) => return unreadable(UnreadableReason::Other(failure.to_string())),
        }
        Self::read_checked(path, FileOwner::Administrator, environment, |file| match find_untrusted_writer(file) {
            Ok(None) => Ok(()),
            Ok(Some(who)) => Err(UnreadableReason::Untrusted { who }),
            Err(failure) => Err(UnreadableReason::Other(failure.to_string())),
        })
    }

    /// Reads a file after `judge` has accepted it. Both use the same open file, so nobody can exchange it in between.
    fn read_checked(
        path: &Path,
        rank: FileOwner,
        environment: &Environment,
        judge: impl Fn(&File) -> Result<(), UnreadableReason>,
    ) -> Result<Option<Self>, Error> {
        let file = match RegularFile::open(path) {
            Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened,
        };
        let read = || {
            let file = file.map_err(|error| classify_read_error(&error))?;
            judge(file.file())?;
            decode_utf8(file.read_to_limit(MAX_FILE_BYTES).map_err(|error| classify_read_error(&error))?)
        };
        let text = read().map_err(|why| Error::Unreadable { file: display_path(path, environment), why })?;
        Ok(Some(Self::from_text(path, rank, text, environment)))
    }

    /// A file with this text, which does not need to exist.
    pub(super) fn from_text(path: &Path, owner: FileOwner, text: impl Into<String>, environment: &Environment) -> Self {
        let (path, display_path) = (path.to_owned(), display_path(path, environment));
        Self { path, display_path, text: text.into(), owner, is_named: false }
    }

    pub(super) fn location_at(&self, offset: usize) -> ValueLocation {
        ValueLocation::File { file: self.display_path.clone(), line: self.line_number(offset) }
    }

    /// The line number of a byte offset, counted from 1.
    pub(super) fn line_number(&self, offset: usize) -> usize {
        find_line_number(self.text.as_bytes(), offset)
    }
}

fn find_line_number(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// The path for messages: with `~` for the home directory, and with control characters escaped.
pub fn display_path(path: &Path, environment: &Environment) -> String {
    let below_home = find_home_folder(environment).and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    match below_home {
        Some(rest) => text::display_path(&Path::new("~").join(rest)),
        None => text::display_path(path),
    }
}

/// Replaces a leading `~/` with the home directory; `None` if the home directory is unknown.
pub(super) fn expand_home(path: &str, environment: &Environment) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(find_home_folder(environment)?.join(rest)),
        None => Some(path.into()),
    }
}

fn find_home_folder(environment: &Environment) -> Option<PathBuf> {
    environment.var_path("HOME").or_else(|| environment.var_path("USERPROFILE"))
}

fn classify_read_error(error: &ReadError) -> UnreadableReason {
    match error {
        ReadError::NotRegular(FileKind::Folder) => UnreadableReason::Directory,
        ReadError::TooLarge { limit } => UnreadableReason::TooLarge { limit: *limit },
        ReadError::Io(error) if error.kind() == ErrorKind::PermissionDenied => UnreadableReason::Denied,
        ReadError::Io(_) | ReadError::NotRegular(_) => UnreadableReason::Other(error.to_string()),
    }
}

/// Decodes the text. UTF-16 gets a message of its own, because Windows PowerShell writes it by default.
fn decode_utf8(bytes: Vec<u8>) -> Result<String, UnreadableReason> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UnreadableReason::Utf16);
    }
    String::from_utf8(bytes).map_err(|refused| UnreadableReason::NotUtf8 {
        line: find_line_number(refused.as_bytes(), refused.utf8_error().valid_up_to()),
    })
}
