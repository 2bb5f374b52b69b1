//! The folder of all records: which keys have any, and the lock of each key.
//!
//! The files of a record, of its notes and of its lock have the record's key as their name, and different endings.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{CREDENTIALS, FORMER_SESSION, NOTES, PROVIDER, SIGN_IN, parse_record, serialize_record};
use crate::{
    files,
    lock::{self, ExclusiveLock, LockHolder},
    log,
    store::{self, SealedFiles},
    time::Timestamp,
};

/// Records of one storage in one folder.
#[derive(Debug)]
pub struct RecordFolder {
    pub(super) store: SealedFiles,
    pub(super) path: PathBuf,
}

/// What stands under one key, locked. Each function that writes is one of this type, or of one that contains it, so code
/// without the lock cannot write.
#[derive(Debug)]
pub struct LockedRecord<'f> {
    pub(super) folder: &'f RecordFolder,
    pub(super) key: String,
    pub(super) lock: ExclusiveLock,
}

/// Notes in the clear.
pub(super) trait StoredNotes: Default + Serialize + DeserializeOwned {
    /// Any process of this user can write the file, so texts are made safe for a terminal before anybody shows them.
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

    /// Takes the lock of a key as soon as it is free; `None` if another process still holds it after `limit`.
    pub fn lock_key_within(&self, key: &str, limit: Duration) -> Result<Option<LockedRecord<'_>>, files::Error> {
        let lock = lock::acquire_within(&self.lock_path(key), limit)?;
        Ok(lock.map(|lock| LockedRecord { folder: self, key: key.to_owned(), lock }))
    }

    /// Removes the sealing key once no record is left that it opens.
    pub fn remove_unused_key(&self) -> Result<(), store::Error> {
        self.store.remove_unused_key()
    }

    /// Notes that cannot be read are empty ones: they only ever make us more careful.
    pub(super) fn load_notes_of<N: StoredNotes>(&self, key: &str) -> N {
        let bytes = files::read_if_exists(&self.notes_path(key)).ok().flatten();
        bytes.and_then(|bytes| parse_record::<N>(&bytes)).map_or_else(N::default, N::escape_texts)
    }

    pub(super) fn notes_path(&self, key: &str) -> PathBuf {
        self.path.join(format!("{key}.{NOTES}"))
    }
}

impl LockedRecord<'_> {
    /// Fails if records cannot be stored, before the user signs in or a refresh token is spent.
    pub fn check_storage(&self) -> Result<(), store::Error> {
        self.folder.store.check_writable(&self.lock)
    }

    pub(super) fn store(&self, kind: &str, expires: Timestamp, record: &impl Serialize) -> Result<(), store::Error> {
        self.folder.store.write_record(&self.lock, &format!("{}.{kind}", self.key), expires, &serialize_record(record))
    }

    pub(super) fn remove(&self, kind: &str) -> Result<(), store::Error> {
        self.folder.store.remove_record(&self.lock, &format!("{}.{kind}", self.key))
    }

    /// Loads the notes, changes them, and stores them.
    pub(super) fn update_notes_as<N: StoredNotes>(&self, change: impl FnOnce(&mut N)) -> Result<(), files::Error> {
        let mut notes = self.folder.load_notes_of(&self.key);
        change(&mut notes);
        files::write_without_sync(&self.folder.notes_path(&self.key), &serialize_record(&notes))
    }

    /// Reports to waiting processes that this one is at work.
    pub fn announce(&self, now: Timestamp) -> Result<(), files::Error> {
        self.lock.write_holder(&LockHolder::for_this_process(now))
    }

    /// Removes everything under this key. Each part is tried, even if removing another one failed.
    ///
    /// The lock file stays, empty, because it is held. The holder's note beside it goes with the lock.
    pub fn remove_all(&self) -> Result<(), store::Error> {
        let sealed = [SIGN_IN, CREDENTIALS, PROVIDER, FORMER_SESSION].map(|kind| self.remove(kind));
        let notes = files::remove_file(&self.folder.notes_path(&self.key)).map_err(store::Error::from);
        sealed.into_iter().chain([notes]).collect()
    }
}

/// The keys of every record in a folder, whether a profile still leads to it or not.
pub fn list_record_keys(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter_map(|name| parse_record_key(name)).map(str::to_owned).collect())
}

/// The files of all locks in a folder: of records, of applications, and of the sealing key. They outlive what they guarded.
pub fn list_lock_files(folder: &Path) -> Result<Vec<PathBuf>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter(|name| is_lock_file(name)).map(|name| folder.join(name)).collect())
}

/// The key in the name of a record, whole or half written. Other files in the folder are not this program's.
fn parse_record_key(name: &str) -> Option<&str> {
    let (key, kind) = name.strip_suffix(".new").unwrap_or(name).split_once('.')?;
    let kinds = [SIGN_IN, CREDENTIALS, PROVIDER, NOTES, FORMER_SESSION, lock::HOLDER_EXTENSION];
    (is_record_key(key) && kinds.contains(&kind)).then_some(key)
}

/// A sign-in's fingerprint, or that and the credentials'.
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

/// Logs a failure of what must not cost the user anything.
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
            for kind in ["sign-in", "credentials", "session", "provider", "json", "holder", "sign-in.new"] {
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
    fn a_lock_file_is_recognised_by_its_name() {
        let ours = ["key.lock".to_owned(), format!("{KEY}.lock"), format!("{KEY}-{KEY}.lock")];
        let foreign = ["mine.lock", "key", "package-lock.json", &format!("{KEY}.json")];
        assert!(ours.iter().all(|name| is_lock_file(name)) && !foreign.iter().any(|name| is_lock_file(name)));
    }
}
