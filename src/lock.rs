//! One process at a time for one profile, released by the kernel if its holder dies.
//!
//! It excludes and names the holder; what is done while holding is not its business.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, FileAction},
    time::Timestamp,
};

/// What the name of a holder's note ends with.
pub const HOLDER_EXTENSION: &str = "holder";

/// How often, and how far apart, a lock that looks taken is tried again.
const LOCK_ATTEMPTS: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(3);

/// How often a file is opened that somebody is taking away.
#[cfg(windows)]
const OPEN_ATTEMPTS: u32 = 40;

/// How often one who waits for a lock looks whether it is free.
const POLL_INTERVAL: Duration = Duration::from_millis(40);

/// Proof that this process is the one: writing to the store demands it.
#[derive(Debug)]
pub struct ExclusiveLock {
    note_path: PathBuf,
    // Closing the file is what releases the lock.
    _file: File,
}

/// Proof that nobody is the one: any number of processes may have it at a time, and none of them a [`ExclusiveLock`].
#[derive(Debug)]
pub struct SharedLock {
    // Closing the file is what releases the lock.
    _file: File,
}

/// Who holds a lock, as the holder's note says. Any process of this user can write such a note, so it has nothing but
/// numbers, a flag, and what the store has sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub since: Timestamp,
    /// Whether the holder waits for the user.
    #[serde(default)]
    pub is_prompting: bool,
    /// The local address at which the user can take part; `cache` seals and opens it.
    #[serde(default)]
    pub sealed_address: Option<Vec<u8>>,
}

impl LockHolder {
    pub fn for_this_process(now: Timestamp) -> Self {
        Self { pid: std::process::id(), since: now, is_prompting: false, sealed_address: None }
    }
}

/// Takes the lock if nobody has it.
///
/// The lock is a file of its own: Windows locks are mandatory, and a locked record could not be read. It is tried a few
/// times, because [`is_held`] holds it for some microseconds while it looks.
pub fn try_acquire(path: &Path) -> Result<Option<ExclusiveLock>, files::Error> {
    let mut file = open_lock_file(path)?;
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) if is_same_file(path, &file) => {
                return Ok(Some(ExclusiveLock { note_path: holder_path(path), _file: file }));
            }
            Ok(()) => file = reopen_lock_file(path)?,
            Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY_PAUSE),
            Err(TryLockError::Error(source)) => {
                return Err(files::Error::at(FileAction::Lock, path)(source));
            }
        }
    }
    Ok(None)
}

/// Takes the lock as soon as it is free; `None` when it is not within that time.
pub fn acquire_within(path: &Path, patience: Duration) -> Result<Option<ExclusiveLock>, files::Error> {
    let began = Instant::now();
    loop {
        let taken = try_acquire(path)?;
        if taken.is_some() || began.elapsed() > patience {
            return Ok(taken);
        }
        // The system sends no event when a file lock is released.
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Takes a share of the lock, and waits for it: only for a lock whose holders are quick.
pub fn acquire_shared(path: &Path) -> Result<SharedLock, files::Error> {
    let mut file = open_lock_file(path)?;
    loop {
        match file.lock_shared() {
            Ok(()) if is_same_file(path, &file) => return Ok(SharedLock { _file: file }),
            Ok(()) => file = reopen_lock_file(path)?,
            Err(source) => return Err(files::Error::at(FileAction::Lock, path)(source)),
        }
    }
}

#[cfg(not(windows))]
fn open_lock_file(path: &Path) -> Result<File, files::Error> {
    files::open_or_create_private(path)
}

/// Such that nobody can remove it as long as it is open. Who removes it at this very moment is waited for.
#[cfg(windows)]
fn open_lock_file(path: &Path) -> Result<File, files::Error> {
    use std::os::windows::fs::OpenOptionsExt as _;
    use windows_sys::Win32::{
        Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION},
        Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE},
    };
    let is_going = |source: &std::io::Error| {
        let code = source.raw_os_error().map(i32::cast_unsigned);
        matches!(code, Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION))
    };
    let mut options = File::options();
    options.read(true).append(true).create(true).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    let mut looks = 1;
    loop {
        match options.open(path) {
            Err(source) if looks < OPEN_ATTEMPTS && is_going(&source) => looks += 1,
            opened => {
                return opened.map_err(files::Error::at(FileAction::Open, path));
            }
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

/// Takes the lock's file away, as the last trace of what it guarded; unless somebody has the lock, or is about to.
pub fn remove_if_free(path: &Path) {
    // It may be needed, or be gone: either is well.
    #[cfg(unix)]
    if let Ok(Some(_held)) = try_acquire(path) {
        let _ = files::remove_file(path);
    }
    // Windows itself refuses while anybody has it open.
    #[cfg(not(unix))]
    let _ = files::remove_file(path);
}

/// Whether who has locked this file has the lock: it may have been forgotten, and made anew, since the file was opened.
#[cfg(unix)]
fn is_same_file(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(there), Ok(ours)) = (std::fs::metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (ours.dev(), ours.ino())
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &File) -> bool {
    true
}

/// Whoever forgot the lock may have taken its folder along.
fn reopen_lock_file(path: &Path) -> Result<File, files::Error> {
    path.parent().map_or(Ok(()), files::ensure_private_folder)?;
    open_lock_file(path)
}

/// Whether somebody holds the lock at this moment.
pub fn is_held(path: &Path) -> Result<bool, files::Error> {
    let file = open_lock_file(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(files::Error::at(FileAction::Lock, path)(source)),
    }
}

/// The note of the present holder. A dead one may have left it, so ask [`is_held`] first.
pub fn read_holder(path: &Path) -> Option<LockHolder> {
    let note = files::read_if_exists(&holder_path(path)).ok()??;
    serde_json::from_slice(&note).ok()
}

fn holder_path(path: &Path) -> PathBuf {
    path.with_extension(HOLDER_EXTENSION)
}

impl ExclusiveLock {
    /// Whether this is the lock of that record, which stands beside it under the same name and another ending.
    pub fn guards_record(&self, record: &Path) -> bool {
        holder_path(record) == self.note_path
    }

    /// Writes the note that waiting processes read.
    pub fn write_holder(&self, holder: &LockHolder) -> Result<(), files::Error> {
        let note = serde_json::to_vec(holder).expect("numbers and bytes always serialise");
        files::write_without_sync(&self.note_path, &note)
    }
}

impl Drop for ExclusiveLock {
    fn drop(&mut self) {
        // A note that stays is harmless: nobody reads it while the lock is free.
        let _ = files::remove_file(&self.note_path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a lock that was let go. A process that another test starts in the same moment has a copy of the lock until it runs
    /// its own program, so the lock may still be held for a moment.
    fn take_free(path: &Path) -> ExclusiveLock {
        acquire_within(path, Duration::from_secs(60)).unwrap().expect("free")
    }

    #[test]
    fn a_second_taker_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_acquire(&path).unwrap().expect("free");
        assert!(try_acquire(&path).unwrap().is_none() && is_held(&path).unwrap());
        drop(held);
        drop(take_free(&path));
        let began = Instant::now();
        while is_held(&path).unwrap() {
            assert!(began.elapsed() < Duration::from_secs(60), "still held");
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_waits_gets_the_lock_when_it_is_free_and_gives_up_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_acquire(&path).unwrap().expect("free");
        assert!(acquire_within(&path, Duration::ZERO).unwrap().is_none());
        let waiting = std::thread::spawn(move || acquire_within(&path, Duration::from_secs(60)).unwrap().is_some());
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn shares_keep_out_whoever_wants_it_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let (one, other) = (acquire_shared(&path).unwrap(), acquire_shared(&path).unwrap());
        drop(one);
        assert!(try_acquire(&path).unwrap().is_none());
        drop(other);
        take_free(&path);
    }

    #[test]
    fn a_lock_that_is_held_is_not_forgotten_and_a_free_one_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_acquire(&path).unwrap().expect("free");
        remove_if_free(&path);
        assert!(is_held(&path).unwrap());
        drop(held);
        drop(take_free(&path));
        let began = Instant::now();
        while path.exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "still there");
            remove_if_free(&path);
        }
    }

    /// A thread that takes the lock holds it alone, however often the file is taken away meanwhile.
    #[test]
    fn a_lock_that_is_forgotten_again_and_again_still_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Some(held) = try_acquire(&path).unwrap() else { continue };
                        assert_eq!(inside.fetch_add(1, order), 0, "somebody else is inside");
                        std::thread::yield_now();
                        inside.fetch_sub(1, order);
                        drop(held);
                        remove_if_free(&path);
                    }
                });
            }
        });
    }

    #[test]
    fn the_holder_is_known_while_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_acquire(&path).unwrap().expect("free");
        let sealed_address = Some(vec![1, 2, 3]);
        let who = LockHolder { pid: 7, since: Timestamp::from_unix(5), is_prompting: true, sealed_address };
        held.write_holder(&who).unwrap();
        assert_eq!(read_holder(&path), Some(who));
        drop(held);
        drop(take_free(&path));
        assert_eq!(read_holder(&path), None);
    }
}
