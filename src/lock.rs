//! One process at a time for one profile, released by the kernel if its holder dies.
//!
//! It excludes and names the holder; what is done while holding is not its business.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{files, time::Moment};

/// What the name of a holder's note ends with.
pub const HOLDER: &str = "holder";

/// How often, and how far apart, a lock that looks taken is tried again.
const LOOKS: u32 = 4;
const GLANCE: Duration = Duration::from_millis(3);

/// How often a file is opened that somebody is taking away.
#[cfg(windows)]
const LOOKS_WHILE_IT_GOES: u32 = 40;

/// How often one who waits for a lock looks whether it is free.
const LOOK: Duration = Duration::from_millis(40);

/// Proof that this process is the one: writing to the store demands it.
#[derive(Debug)]
pub struct Held {
    holder: PathBuf,
    // Closing the file is what releases the lock.
    _file: File,
}

/// Proof that nobody is the one: any number of processes may have it at a time, and none of them a [`Held`].
#[derive(Debug)]
pub struct Shared {
    // Closing the file is what releases the lock.
    _file: File,
}

/// Who holds a lock, as the holder's note says. Any process of this user can write such a note, so it has nothing but
/// numbers, a flag, and what the store has sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    pub pid: u32,
    pub since: Moment,
    /// Whether the holder waits for the user.
    #[serde(default)]
    pub is_prompting: bool,
    /// The local address at which the user can take part; `cache` seals and opens it.
    #[serde(default)]
    pub sealed_address: Option<Vec<u8>>,
}

impl LockHolder {
    pub fn this_process(now: Moment) -> Self {
        Self { pid: std::process::id(), since: now, is_prompting: false, sealed_address: None }
    }
}

/// Takes the lock if nobody has it.
///
/// The lock is a file of its own: Windows locks are mandatory, and a locked record could not be read. It is tried a few
/// times, because [`is_held`] holds it for some microseconds while it looks.
pub fn try_take(path: &Path) -> Result<Option<Held>, files::Error> {
    let mut file = opened(path)?;
    for _ in 0..LOOKS {
        match file.try_lock() {
            Ok(()) if leads_to(path, &file) => {
                return Ok(Some(Held { holder: holder_path(path), _file: file }));
            }
            Ok(()) => file = opened_again(path)?,
            Err(TryLockError::WouldBlock) => std::thread::sleep(GLANCE),
            Err(TryLockError::Error(source)) => {
                return Err(files::Error { doing: "lock", path: path.to_owned(), source });
            }
        }
    }
    Ok(None)
}

/// Takes the lock as soon as it is free; `None` when it is not within that time.
pub fn take_within(path: &Path, patience: Duration) -> Result<Option<Held>, files::Error> {
    let began = Instant::now();
    loop {
        let taken = try_take(path)?;
        if taken.is_some() || began.elapsed() > patience {
            return Ok(taken);
        }
        std::thread::sleep(LOOK);
    }
}

/// Takes a share of the lock, and waits for it: only for a lock whose holders are quick.
pub fn share(path: &Path) -> Result<Shared, files::Error> {
    let mut file = opened(path)?;
    loop {
        match file.lock_shared() {
            Ok(()) if leads_to(path, &file) => return Ok(Shared { _file: file }),
            Ok(()) => file = opened_again(path)?,
            Err(source) => return Err(files::Error { doing: "lock", path: path.to_owned(), source }),
        }
    }
}

#[cfg(not(windows))]
fn opened(path: &Path) -> Result<File, files::Error> {
    files::open_private(path)
}

/// Such that nobody can remove it as long as it is open. Who removes it at this very moment is waited for.
#[cfg(windows)]
fn opened(path: &Path) -> Result<File, files::Error> {
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
            Err(source) if looks < LOOKS_WHILE_IT_GOES && is_going(&source) => looks += 1,
            opened => {
                return opened.map_err(|source| files::Error {
                    doing: "open",
                    path: path.to_owned(),
                    source,
                });
            }
        }
        std::thread::sleep(GLANCE);
    }
}

/// Takes the lock's file away, as the last trace of what it guarded; unless somebody has the lock, or is about to.
pub fn forget(path: &Path) {
    // It may be needed, or be gone: either is well.
    #[cfg(unix)]
    if let Ok(Some(_held)) = try_take(path) {
        let _ = files::remove(path);
    }
    // Windows itself refuses while anybody has it open.
    #[cfg(not(unix))]
    let _ = files::remove(path);
}

/// Whether who has locked this file has the lock: it may have been forgotten, and made anew, since the file was opened.
#[cfg(unix)]
fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(there), Ok(ours)) = (std::fs::metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (ours.dev(), ours.ino())
}

#[cfg(not(unix))]
fn leads_to(_: &Path, _: &File) -> bool {
    true
}

/// Whoever forgot the lock may have taken its folder along.
fn opened_again(path: &Path) -> Result<File, files::Error> {
    path.parent().map_or(Ok(()), files::private_folder)?;
    opened(path)
}

/// Whether somebody holds the lock at this moment.
pub fn is_held(path: &Path) -> Result<bool, files::Error> {
    let file = opened(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => {
            Err(files::Error { doing: "lock", path: path.to_owned(), source })
        }
    }
}

/// The note of the present holder. A dead one may have left it, so ask [`is_held`] first.
pub fn holder(path: &Path) -> Option<LockHolder> {
    let note = files::read(&holder_path(path)).ok()??;
    serde_json::from_slice(&note).ok()
}

fn holder_path(path: &Path) -> PathBuf {
    path.with_extension(HOLDER)
}

impl Held {
    /// Whether this is the lock of that record, which stands beside it under the same name and another ending.
    pub fn guards(&self, record: &Path) -> bool {
        holder_path(record) == self.holder
    }

    /// Writes the note that waiting processes read.
    pub fn announce(&self, holder: &LockHolder) -> Result<(), files::Error> {
        let note = serde_json::to_vec(holder).expect("numbers and bytes always serialise");
        files::replace_for_now(&self.holder, &note)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A note that stays is harmless: nobody reads it while the lock is free.
        let _ = files::remove(&self.holder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_take(&path).unwrap().expect("free");
        assert!(try_take(&path).unwrap().is_none() && is_held(&path).unwrap());
        drop(held);
        assert!(!is_held(&path).unwrap());
        assert!(try_take(&path).unwrap().is_some());
    }

    #[test]
    fn who_waits_gets_the_lock_when_it_is_free_and_gives_up_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_take(&path).unwrap().expect("free");
        assert!(take_within(&path, Duration::ZERO).unwrap().is_none());
        let waiting =
            std::thread::spawn(move || take_within(&path, Duration::from_secs(60)).unwrap().is_some());
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn shares_keep_out_whoever_wants_it_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let (one, other) = (share(&path).unwrap(), share(&path).unwrap());
        drop(one);
        assert!(try_take(&path).unwrap().is_none());
        drop(other);
        assert!(try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_that_is_held_is_not_forgotten_and_a_free_one_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_take(&path).unwrap().expect("free");
        forget(&path);
        assert!(is_held(&path).unwrap());
        drop(held);
        forget(&path);
        assert!(!path.exists());
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
                        let Some(held) = try_take(&path).unwrap() else { continue };
                        assert_eq!(inside.fetch_add(1, order), 0, "somebody else is inside");
                        std::thread::yield_now();
                        inside.fetch_sub(1, order);
                        drop(held);
                        forget(&path);
                    }
                });
            }
        });
    }

    #[test]
    fn the_holder_is_known_while_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.lock");
        let held = try_take(&path).unwrap().expect("free");
        let sealed_address = Some(vec![1, 2, 3]);
        let who = LockHolder { pid: 7, since: Moment::from_unix(5), is_prompting: true, sealed_address };
        held.announce(&who).unwrap();
        assert_eq!(holder(&path), Some(who));
        drop(held);
        assert_eq!(holder(&path), None);
    }
}
