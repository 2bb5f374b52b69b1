//! The folder that holds the records of all profiles: which keys exist in it, and the lock of each key.
//!
//! All files of one key have the name `<key>.<extension>`. The extension says which it is: a sealed record, its notes,
//! its lock, or the note of the lock's holder. One lock guards everything under its key. Files with other names belong
//! to the store (the sealing key) or to other programs, and this module ignores them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{CREDENTIALS, FORMER_SESSION, NOTES, PROVIDER, REGISTRATION, SIGN_IN, parse_record, serialize_record};
use crate::{
    files,
    lock::{self, ExclusiveLock},
    log,
    store::{self, SealedFiles},
    time::Timestamp,
};

#[derive(Debug)]
pub struct RecordFolder {
    pub(super) store: SealedFiles,
    pub(super) path: PathBuf,
}

/// Everything under one key, locked. Only this type and types that contain it have functions that write, so code
/// without the lock cannot write. Dropping it releases the lock.
#[derive(Debug)]
pub struct LockedRecord<'f> {
    pub(super) folder: &'f RecordFolder,
    pub(super) key: String,
    pub(super) lock: ExclusiveLock,
}

/// Notes in plain text.
pub trait StoredNotes: Default + Serialize + DeserializeOwned {
    /// Makes all texts safe to print. Any process of this user can write the file, and control characters in it could
    /// change what the user sees at the terminal.
    fn escape_texts(self) -> Self;
}

impl RecordFolder {
    pub fn new(store: SealedFiles, path: PathBuf) -> Self {
        Self { store, path }
    }

    pub fn lock_path(&self, key: &str) -> PathBuf {
        self.path.join(format!("{key}.lock"))
    }

    /// Takes the lock of a key; `None` if another process holds it. The folder must exist.
    pub(super) fn try_lock_key(&self, key: &str) -> Result<Option<LockedRecord<'_>>, files::Error> {
        let lock = lock::try_acquire(&self.lock_path(key))?;
        Ok(lock.map(|lock| LockedRecord { folder: self, key: key.to_owned(), lock }))
    }

    /// Waits for the lock of a key; `None` if another process still holds it after `limit`. The folder must exist.
    pub fn lock_key_within(&self, key: &str, limit: Duration) -> Result<Option<LockedRecord<'_>>, files::Error> {
        let lock = lock::acquire_within(&self.lock_path(key), limit)?;
        Ok(lock.map(|lock| LockedRecord { folder: self, key: key.to_owned(), lock }))
    }

    /// The notes under a key. Notes that cannot be read count as empty: they only ever delay or explain something.
    pub(super) fn load_notes_of<N: StoredNotes>(&self, key: &str) -> N {
        let bytes = files::read_if_exists(&self.notes_path(key)).ok().flatten();
        bytes.and_then(|bytes| parse_record::<N>(&bytes)).map_or_else(N::default, N::escape_texts)
    }

    pub(super) fn notes_path(&self, key: &str) -> PathBuf {
        self.path.join(format!("{key}.{NOTES}"))
    }
}

impl LockedRecord<'_> {
    /// Seals a record and stores it in place of the earlier one. `expires` stays readable without the key.
    pub(super) fn store(&self, kind: &str, expires: Timestamp, record: &impl Serialize) -> Result<(), store::Error> {
        self.folder.store.write_record(&self.lock, &format!("{}.{kind}", self.key), expires, &serialize_record(record))
    }

    pub(super) fn remove(&self, kind: &str) -> Result<(), store::Error> {
        self.folder.store.remove_record(&self.lock, &format!("{}.{kind}", self.key))
    }

    /// Loads the notes, changes them, and stores them. The lock makes this safe against other writers.
    pub(super) fn update_notes_as<N: StoredNotes>(&self, change: impl FnOnce(&mut N)) -> Result<(), files::Error> {
        let mut notes = self.folder.load_notes_of(&self.key);
        change(&mut notes);
        files::write_without_sync(&self.folder.notes_path(&self.key), &serialize_record(&notes))
    }

    /// Removes everything under this key. Every removal is tried; the first error is returned.
    ///
    /// The lock file stays: another process may already wait for it, and would otherwise hold a lock on a deleted file.
    /// The holder's note is removed when the lock is released.
    pub fn remove_all(&self) -> Result<(), store::Error> {
        let sealed = [SIGN_IN, CREDENTIALS, PROVIDER, REGISTRATION, FORMER_SESSION].map(|kind| self.remove(kind));
        let notes = files::remove_file(&self.folder.notes_path(&self.key)).map_err(store::Error::from);
        sealed.into_iter().chain([notes]).collect()
    }
}

/// The keys of all records in a folder, also of records that no configured profile uses any more.
pub fn list_record_keys(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter_map(|name| parse_record_key(name)).map(str::to_owned).collect())
}

/// The keys in a folder under which a sign-in or its AWS credentials are stored, also ones that cannot be opened. Keys
/// that have only notes or cached provider data do not count. File names are enough, so no keyring is opened.
pub fn list_session_keys(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    let kinds = [SIGN_IN, CREDENTIALS, FORMER_SESSION];
    let is_session = |name: &&String| name.split_once('.').is_some_and(|(_, kind)| kinds.contains(&kind));
    Ok(names.iter().filter(is_session).filter_map(|name| parse_record_key(name)).map(str::to_owned).collect())
}

/// The lock files in a folder: of records, of applications and of the sealing key. A lock file outlives its record.
pub fn list_lock_files(folder: &Path) -> Result<Vec<PathBuf>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter(|name| is_lock_file(name)).map(|name| folder.join(name)).collect())
}

/// The key in the name of a record's file or its temporary file (`.new`). `None` for files of other programs.
fn parse_record_key(name: &str) -> Option<&str> {
    let (key, kind) = name.strip_suffix(".new").unwrap_or(name).split_once('.')?;
    let kinds = [SIGN_IN, CREDENTIALS, PROVIDER, REGISTRATION, NOTES, FORMER_SESSION, lock::HOLDER_EXTENSION];
    (is_record_key(key) && kinds.contains(&kind)).then_some(key)
}

/// Whether a text is a sign-in's fingerprint, or that and a role's with a hyphen between them.
fn is_record_key(text: &str) -> bool {
    text.split_once('-')
        .map_or_else(|| is_fingerprint(text), |(sign_in, own)| is_fingerprint(sign_in) && is_fingerprint(own))
}

pub(super) fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_lock_file(name: &str) -> bool {
    name.strip_suffix(".lock").is_some_and(|guarded| is_record_key(guarded) || guarded == "key")
}

/// Logs the failure of an action that must not cost the user the result.
pub(super) fn log_failure(result: Result<(), files::Error>) {
    if let Err(error) = result {
        log::warn("cache", format_args!("{error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_record_file_is_recognised_by_its_name() {
        for key in [KEY.to_owned(), format!("{KEY}-{KEY}")] {
            for kind in
                ["sign-in", "credentials", "session", "provider", "registration", "json", "holder", "sign-in.new"]
            {
                assert_eq!(parse_record_key(&format!("{key}.{kind}")), Some(key.as_str()), "{kind}");
            }
        }
        let foreign = [
            "key",
            "config.toml",
            "mine.sign-in",
            "0123456789ABCDEF0123456789abcdef.sign-in",
            &format!("{KEY}.lock"),
            &format!("{KEY}0.sign-in"),
            &format!("{KEY}-.credentials"),
            &format!("{KEY}.sign-in.bak"),
            &format!("{KEY}.toml"),
            KEY,
        ];
        assert_eq!(foreign.map(parse_record_key), [None; 10]);
    }

    #[test]
    fn session_keys_exclude_notes_and_provider_data() {
        let folder = tempfile::tempdir().unwrap();
        let create = |name: String| files::write_atomically(&folder.path().join(name), b"").unwrap();
        for kind in ["provider", "registration", "json", "holder", "lock", "sign-in.new"] {
            create(format!("{KEY}.{kind}"));
        }
        assert!(list_session_keys(folder.path()).unwrap().is_empty());
        for (key, kind) in [(KEY.replace('0', "1"), "sign-in"), (format!("{KEY}-{KEY}"), "credentials")] {
            create(format!("{key}.{kind}"));
            assert!(list_session_keys(folder.path()).unwrap().contains(&key), "{kind}");
        }
        create(format!("{KEY}.session"));
        assert_eq!(list_session_keys(folder.path()).unwrap().len(), 3);
    }

    #[test]
    fn a_lock_file_is_recognised_by_its_name() {
        let ours = ["key.lock".to_owned(), format!("{KEY}.lock"), format!("{KEY}-{KEY}.lock")];
        let foreign = ["mine.lock", "key", "package-lock.json", &format!("{KEY}.json")];
        assert!(ours.iter().all(|name| is_lock_file(name)) && !foreign.iter().any(|name| is_lock_file(name)));
    }
}
