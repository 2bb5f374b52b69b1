//! File locks between processes. The kernel releases a lock when the process that holds it ends, even if it crashes.
//!
//! The holder of an exclusive lock can write a note beside it (see [`LockHolder`]), so that waiting processes can show
//! whom they wait for. The callers decide what a lock protects and in which order to take several locks.

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

/// The extension of the file with the holder's note.
pub const HOLDER_EXTENSION: &str = "holder";

/// How many times, and with which pause, a lock is tried before it counts as taken.
const LOCK_ATTEMPTS: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(3);

/// How many times to open a lock file that another process is deleting.
#[cfg(windows)]
const OPEN_ATTEMPTS: u32 = 40;

/// The pause between two attempts while a process waits for a lock.
const POLL_INTERVAL: Duration = Duration::from_millis(40);

/// An exclusive lock. Functions that write a record require a reference to it as proof.
#[derive(Debug)]
pub struct ExclusiveLock {
    note_path: PathBuf,
    // Closing the file is what releases the lock.
    _file: File,
}

/// A shared lock. Any number of processes can hold it at the same time, but none while another holds [`ExclusiveLock`].
#[derive(Debug)]
pub struct SharedLock {
    // Closing the file is what releases the lock.
    _file: File,
}

/// The note of the process that holds a lock. Any process of this user could write such a file, so it contains only
/// numbers, a flag, and an address that the store has sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub since: Timestamp,
    /// Whether the holder is waiting for the user to sign in.
    #[serde(default)]
    pub is_prompting: bool,
    /// The local address at which the user can continue the sign-in. `cache` seals it and opens it again.
    #[serde(default)]
    pub sealed_address: Option<Vec<u8>>,
}

impl LockHolder {
    /// The note of this process, before it prompts.
    pub fn for_this_process(now: Timestamp) -> Self {
        Self { pid: std::process::id(), since: now, is_prompting: false, sealed_address: None }
    }
}

/// Takes the exclusive lock; `None` if another process holds it.
///
/// The lock is a separate file, not the record itself: Windows locks are mandatory, so other processes could not read a
/// locked record. The function tries a few times, because [`is_held`] holds the lock for some microseconds.
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

/// Waits for the exclusive lock; `None` if another process still holds it after `patience`.
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

/// Takes a shared lock, and waits without limit while another process holds the exclusive lock. So use it only for
/// locks that are held for a short time.
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

/// Opens the file so that no process can delete it while it is open. On Windows a process that deletes it at this
/// moment makes `open` fail for a short time, so the function tries again.
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

/// Deletes the lock file after the record that it protected. Does nothing while a process holds the lock or has the
/// file open.
pub fn remove_if_free(path: &Path) {
    // A failure does no harm: an unused lock file may stay. Holding the lock during the deletion ensures that no other
    // process holds it.
    #[cfg(unix)]
    if let Ok(Some(_held)) = try_acquire(path) {
        let _ = files::remove_file(path);
    }
    // Windows refuses to delete the file while a process has it open.
    #[cfg(not(unix))]
    let _ = files::remove_file(path);
}

/// Whether the locked file is still the file at `path`. Another process may have deleted it and created it again after
/// this process opened it. Then this process has locked a file that no other process opens any more, and must try
/// again.
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

/// Opens the lock file again. The process that deleted it may have deleted its folder as well.
fn reopen_lock_file(path: &Path) -> Result<File, files::Error> {
    path.parent().map_or(Ok(()), files::ensure_private_folder)?;
    open_lock_file(path)
}

/// Whether a process holds the exclusive lock at this moment.
pub fn is_held(path: &Path) -> Result<bool, files::Error> {
    let file = open_lock_file(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(files::Error::at(FileAction::Lock, path)(source)),
    }
}

/// The note beside the lock. A process that crashed may have left it, so call [`is_held`] first.
pub fn read_holder(path: &Path) -> Option<LockHolder> {
    let note = files::read_if_exists(&holder_path(path)).ok()??;
    serde_json::from_slice(&note).ok()
}

fn holder_path(path: &Path) -> PathBuf {
    path.with_extension(HOLDER_EXTENSION)
}

impl ExclusiveLock {
    /// Whether this lock protects the record at this path. A record and its lock differ only in the extension.
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
        // A note that remains does no harm, because no process reads it while the lock is free.
        let _ = files::remove_file(&self.note_path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a lock that was released. A process that another test starts at the same moment inherits the open file
    /// until it executes its program, so the lock may stay held for a moment.
    fn take_free(path: &Path) -> ExclusiveLock {
        acquire_within(path, Duration::from_secs(60)).unwrap().expect("free")
    }

    #[test]
    fn lock_is_refused_until_its_holder_releases_it() {
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
    fn waiting_for_a_lock_succeeds_or_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_acquire(&path).unwrap().expect("free");
        assert!(acquire_within(&path, Duration::ZERO).unwrap().is_none());
        let waiting = std::thread::spawn(move || acquire_within(&path, Duration::from_secs(60)).unwrap().is_some());
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn shared_locks_exclude_an_exclusive_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let (one, other) = (acquire_shared(&path).unwrap(), acquire_shared(&path).unwrap());
        drop(one);
        assert!(try_acquire(&path).unwrap().is_none());
        drop(other);
        take_free(&path);
    }

    #[test]
    fn only_a_free_lock_file_is_removed() {
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

    /// A thread that holds the lock is alone, however often other threads delete the file in the meantime.

    #[test]
    fn lock_has_one_holder_despite_repeated_removal() {
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
    fn holder_note_exists_while_the_lock_is_held() {
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
