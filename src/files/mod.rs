//! Reads and writes files: private to the user, and replaced in one step that a crash cannot divide.
//!
//! Our own files are created readable by the user only, in a folder that only the user can enter. A write goes to a
//! temporary file beside the target (`<name>.new`), which is synced and renamed over the target; readers see the old or
//! the new content. The temporary name is fixed, so the caller must hold the lock that guards the target.
//!
//! This module does not lock, encrypt or interpret anything.

mod error;
mod log_file;
mod listing;
mod regular_file;
mod permissions;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use error::{Error, FileAction};
pub use listing::{list_files, list_recursively};
pub use log_file::open_log_file;
pub use permissions::{is_open_to_others, is_private, is_world_writable};
pub use regular_file::{FileKind, ReadError, RegularFile, UntrustedFile, open_nonblocking, read_untrusted};

/// The largest file that is read. Ours are much smaller.
pub const MAX_FILE_SIZE: u64 = 4 << 20;

/// How much disk space is tried out. It is more than the tokens of a user in hundreds of groups need.
const PROBE_SIZE: usize = 128 << 10;

/// Reads a regular file completely; `None` if it does not exist. A file above [`MAX_FILE_SIZE`] is an error.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    Ok(read_untrusted(path, MAX_FILE_SIZE)?.map(|mut file| std::mem::take(&mut *file.bytes)))
}

/// Reads a file that this program wrote. A file above [`MAX_FILE_SIZE`] cannot be ours, and counts as absent.
pub fn read_own(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_if_exists(path) {
        Err(error) if error.source.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        read => read,
    }
}

/// Replaces a file in one step, readable by its owner only. After a crash or a power failure the file has either the
/// old or the new content; when this returns, the new content is on the disk.
///
/// The caller must hold the lock that guards `path`, because the temporary name is fixed. A killed process leaves at
/// most the temporary file, which the next write or removal deletes.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_and_rename(path, bytes, File::sync_all)?;
    sync_parent_folder(path);
    Ok(())
}

/// Like [`write_atomically`], but without waiting for the disk. Use it for files whose loss is harmless: after a power
/// failure the file can be absent, damaged or the old one. After a killed process it is intact.
pub fn write_without_sync(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_and_rename(path, bytes, |_| Ok(()))
}

fn write_and_rename(path: &Path, bytes: &[u8], settle: fn(&File) -> io::Result<()>) -> Result<(), Error> {
    let fresh = temporary_path(path);
    remove_if_exists(&fresh)?;
    let mut file = create_private(&fresh).map_err(Error::at(FileAction::Write, path))?;
    file.write_all(bytes).and_then(|()| settle(&file)).map_err(Error::at(FileAction::Write, path))?;
    drop(file);
    rename_with_retry(&fresh, path).map_err(Error::at(FileAction::Replace, path))
}

/// Who may read a new file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadableBy {
    Owner,
    Everyone,
}

/// Replaces a file that other programs use too (settings of a host), in one step. It preserves the file's permissions
/// and owner; a new file gets the permissions that `access` says.
pub fn replace_preserving_owner(path: &Path, bytes: &[u8], access: ReadableBy) -> Result<(), Error> {
    let fault = Error::at(FileAction::Replace, path);
    let fresh = path.with_added_extension("bedrock-sso-new");
    remove_if_exists(&fresh)?;
    let mut file = create_private(&fresh).map_err(fault)?;
    let written =
        file.write_all(bytes).and_then(|()| copy_permissions(path, &file, access)).and_then(|()| file.sync_all());
    drop(file);
    if let Err(source) = written.and_then(|()| rename_with_retry(&fresh, path)) {
        let _ = remove_if_exists(&fresh);
        return Err(fault(source));
    }
    sync_parent_folder(path);
    Ok(())
}

/// The folders above a file that do not exist yet, the outermost first.
pub fn find_missing_folders(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let mut missing: Vec<_> = above.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Creates the folders above a file. Existing folders do not change.
pub fn create_parent_folders(path: &Path, access: ReadableBy) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    create_folders(folder, access).map_err(Error::at(FileAction::Create, folder))
}

/// Removes a folder if it is empty.
pub fn remove_empty_folder(folder: &Path) {
    // An error means that it contains files of other programs, or is gone already. Both are fine.
    let _ = fs::remove_dir(folder);
}

/// Removes a file, and the temporary file that a killed write of it may have left. Absent files count as removed.
pub fn remove_file(path: &Path) -> Result<(), Error> {
    let (whole, half) = (remove_if_exists(path), remove_if_exists(&temporary_path(path)));
    whole.and(half)
}

fn temporary_path(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn remove_if_exists(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::at(FileAction::Remove, path)(source)),
        _ => Ok(()),
    }
}

/// Makes sure that a folder exists which only this process's user owns and can enter. It fails if another user owns it,
/// or if a symlink is in its place: root, running with a user's home, would change the permissions of the link's
/// target.
pub fn ensure_private_folder(path: &Path) -> Result<(), Error> {
    create_private_folder(path).map_err(Error::at(FileAction::Create, path))
}

/// Fails if the disk has no space for another record. Call it before the user signs in. It writes a file that the
/// system deletes automatically, also when this process is killed.
pub fn check_disk_space(folder: &Path) -> Result<(), Error> {
    let path = folder.join(format!("{}.room", std::process::id()));
    let tried = create_self_deleting(&path).and_then(|mut file| file.write_all(&[0; PROBE_SIZE]));
    tried.map_err(Error::at(FileAction::Write, &path))
}

/// Opens a file for a lock or a marker. It is created if necessary, private to the user, and never truncated.
pub fn open_or_create_private(path: &Path) -> Result<File, Error> {
    with_private_mode(OpenOptions::new().read(true).append(true).create(true))
        .open(path)
        .map_err(Error::at(FileAction::Open, path))
}

/// Creates a file that must not exist yet, so that a file or symlink of another program is never written to.
fn create_private(path: &Path) -> io::Result<File> {
    with_private_mode(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// Without a name, the file disappears when it is closed.
#[cfg(unix)]
fn create_self_deleting(path: &Path) -> io::Result<File> {
    let file = create_private(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(windows)]
fn create_self_deleting(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_DELETE_ON_CLOSE;
    OpenOptions::new().write(true).create_new(true).custom_flags(FILE_FLAG_DELETE_ON_CLOSE).open(path)
}

#[cfg(unix)]
fn with_private_mode(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

/// Opens the folder before checking it, and checks and changes the open folder, so that it cannot be exchanged in
/// between.
#[cfg(unix)]
fn create_private_folder(path: &Path) -> io::Result<()> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let folder = folder.map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => io::Error::other("it is a symlink, not a folder"),
        _ => error,
    })?;
    let found = folder.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("it belongs to another user (ID {})", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        folder.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(unix)]
fn create_folders(path: &Path, access: ReadableBy) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mode = if access == ReadableBy::Owner { 0o700 } else { 0o755 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Gives the open file `fresh` the permissions and the owner of `old`, or those of a new file.
///
/// It changes the open file and not the name: the folder may belong to another user, who could put a symlink in the
/// file's place while this process is root.
#[cfg(unix)]
fn copy_permissions(old: &Path, fresh: &File, access: ReadableBy) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    const THE_GROUPS: u32 = 0o070;
    let (mode, is_given) = match fs::metadata(old) {
        // Only root can change the owner, and only root can replace another user's file here.
        Ok(found) => (found.mode() & 0o777, fchown(fresh, Some(found.uid()), Some(found.gid())).is_ok()),
        Err(_) if access == ReadableBy::Everyone => (0o644, true),
        Err(_) => return Ok(()),
    };
    // If the group could not be copied, its permissions must not go to another group.
    let mode = if is_given { mode } else { mode & !THE_GROUPS };
    fresh.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn rename_with_retry(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Syncs the folder, because the renamed file is durable only with its folder. Some file systems do not support this,
/// so an error is ignored.
#[cfg(unix)]
fn sync_parent_folder(path: &Path) {
    let _ = path.parent().and_then(|folder| File::open(folder).ok()).map(|folder| folder.sync_all());
}

/// On Windows a file inherits the access rights of its folder, and the user's profile folder is private.
#[cfg(windows)]
fn with_private_mode(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(windows)]
fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(windows)]
fn create_folders(path: &Path, _: ReadableBy) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// On Windows the new file inherits the folder's access rights, as the old one did.
#[cfg(windows)]
fn copy_permissions(_: &Path, _: &File, _: ReadableBy) -> io::Result<()> {
    Ok(())
}

/// A virus scanner or an indexer can hold the old file open for a moment, and Windows then refuses the rename. So it is
/// tried again for about a second.
#[cfg(windows)]
fn rename_with_retry(from: &Path, to: &Path) -> io::Result<()> {
    for pause in [2, 5, 10, 20, 50, 100, 200, 400] {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            done => return done,
        }
    }
    fs::rename(from, to)
}

#[cfg(windows)]
fn sync_parent_folder(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/record");
        ensure_private_folder(path.parent().unwrap()).unwrap();
        write_atomically(&path, b"first").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(read_if_exists(&path).unwrap().as_deref(), Some(&b"second"[..]));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_copied_to_the_file_not_to_a_symlink() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        let [old, victim, fresh] = ["old", "victim", "fresh"].map(|name| create_private(&path(name)).unwrap());
        old.set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
        fs::remove_file(path("fresh")).unwrap();
        std::os::unix::fs::symlink(path("victim"), path("fresh")).unwrap();
        copy_permissions(&path("old"), &fresh, ReadableBy::Owner).unwrap();
        assert_eq!((mode("victim"), fresh.metadata().unwrap().permissions().mode() & 0o777), (0o600, 0o666));
        drop(victim);
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_as_private_folder_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        fs::create_dir(&victim).unwrap();
        let mode = || fs::metadata(&victim).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(ensure_private_folder(&link).is_err());
        assert_eq!(mode(), 0o755, "the target's permissions do not change");
        ensure_private_folder(&victim).unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can give a folder away.
        if std::os::unix::fs::chown(folder.path(), Some(65_533), None).is_ok() {
            let error = ensure_private_folder(folder.path()).unwrap_err();
            assert_eq!(error.source.to_string(), "it belongs to another user (ID 65533)");
        }
    }

    #[test]
    fn a_write_replaces_the_file_of_a_killed_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        write_atomically(&path, b"good").unwrap();
        create_private(&temporary_path(&path)).unwrap().write_all(b"half").unwrap();
        assert_eq!(read_if_exists(&path).unwrap().as_deref(), Some(&b"good"[..]));
        write_atomically(&path, b"better").unwrap();
        assert_eq!(read_if_exists(&path).unwrap().as_deref(), Some(&b"better"[..]));
    }

    #[test]
    fn a_removal_also_removes_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        write_atomically(&path, b"good").unwrap();
        create_private(&temporary_path(&path)).unwrap().write_all(b"half").unwrap();
        assert_eq!(list_files(folder.path()).unwrap().len(), 2);
        remove_file(&path).unwrap();
        assert_eq!(list_files(folder.path()).unwrap(), Vec::<String>::new());
        assert_eq!(list_files(&folder.path().join("nothing")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_disk_space_check_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        check_disk_space(folder.path()).unwrap();
        check_disk_space(folder.path()).unwrap();
        assert_eq!(list_files(folder.path()).unwrap(), Vec::<String>::new());
        assert!(check_disk_space(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn a_missing_file_is_absent_and_a_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_if_exists(&folder.path().join("nothing")).unwrap().is_none());
        remove_file(&folder.path().join("nothing")).unwrap();
        assert!(read_if_exists(folder.path()).is_err());
    }
}
