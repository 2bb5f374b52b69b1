//! Private files, replaced as a whole or not at all.
//!
//! It guards bytes against other users and against a crash half way; what the bytes mean is not its business.

mod begun;
mod foreign;
mod listing;
mod regular;
mod rights;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::text;

pub use begun::open_begun;
pub use foreign::{Foreign, read_foreign};
pub use listing::{everything_in, names};
pub use regular::{FileKind, ReadError, RegularFile, open_at_once};
pub use rights::{anyone_may_write, is_private};

/// No file of ours is larger. A larger one is refused.
pub const LIMIT: u64 = 4 << 20;

/// More than a session with the tokens of somebody in hundreds of groups.
const ROOM: usize = 128 << 10;

/// What went wrong with which file.
#[derive(Debug)]
pub struct Error {
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), text::reason(&self.source))
    }
}

/// Reads a regular file whole, up to [`LIMIT`]; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match RegularFile::open(path).and_then(|file| file.read(LIMIT)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::System(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error { doing: "read", path: path.to_owned(), source: error.into() }),
    }
}

/// Replaces a file in one step that a crash or a reader sees as done or not done, readable by its owner only.
///
/// The caller holds the lock that guards `path`, so the one fixed temporary name is safe, and a process killed half
/// way leaves nothing behind that the next write does not clear away.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_once(path, bytes, File::sync_all)?;
    sync_folder(path);
    Ok(())
}

/// Replaces a file that nobody misses after a power failure, be it then gone, torn or the one before: as [`replace`] does,
/// but without waiting for the disk.
pub fn replace_for_now(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_once(path, bytes, |_| Ok(()))
}

fn replace_once(path: &Path, bytes: &[u8], settle: fn(&File) -> io::Result<()>) -> Result<(), Error> {
    let fault = |doing| move |source| Error { doing, path: path.to_owned(), source };
    let fresh = half_written(path);
    remove_one(&fresh)?;
    let mut file = create_private(&fresh).map_err(fault("write"))?;
    file.write_all(bytes).and_then(|()| settle(&file)).map_err(fault("write"))?;
    drop(file);
    rename(&fresh, path).map_err(fault("replace"))
}

/// Who may read what is made for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Owner,
    Everyone,
}

/// Replaces a file that other programs own as well: in one step, with the permissions and the owner that it has.
pub fn replace_anothers(path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    let fault = |source| Error { doing: "replace", path: path.to_owned(), source };
    let fresh = path.with_added_extension("bedrock-sso-new");
    remove_one(&fresh)?;
    let mut file = create_private(&fresh).map_err(fault)?;
    let written =
        file.write_all(bytes).and_then(|()| like(path, &file, access)).and_then(|()| file.sync_all());
    drop(file);
    if let Err(source) = written.and_then(|()| rename(&fresh, path)) {
        // What is half done is worth nothing to anybody.
        let _ = remove_one(&fresh);
        return Err(fault(source));
    }
    sync_folder(path);
    Ok(())
}

/// The folders above a file that do not exist, the outermost first.
pub fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let above =
        path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let mut missing: Vec<_> = above.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Makes the folders above a file; those that exist stay as they are.
pub fn make_folders_for(path: &Path, access: Access) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    make_all(folder, access).map_err(|source| Error { doing: "create", path: folder.to_owned(), source })
}

/// Removes a folder that we made, unless others have put something into it.
pub fn remove_empty_folder(folder: &Path) {
    // It may hold what others need, or be gone: either is well.
    let _ = fs::remove_dir(folder);
}

/// Removes a file, and what a write of it that was killed half way left behind; what is not there is removed already.
pub fn remove(path: &Path) -> Result<(), Error> {
    let (whole, half) = (remove_one(path), remove_one(&half_written(path)));
    whole.and(half)
}

fn half_written(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn remove_one(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes sure a folder exists that only its owner can enter, and that the owner is the user who runs this process. A link
/// in its place is refused: root, with the home of a user, would change what the user's link leads to.
pub fn private_folder(path: &Path) -> Result<(), Error> {
    make_folder(path).map_err(|source| Error { doing: "create", path: path.to_owned(), source })
}

/// Finds out whether a folder's disk takes another record, before anybody is asked for what it holds. The file that tries
/// it out goes by itself, also when this process is killed.
pub fn make_sure_of_room(folder: &Path) -> Result<(), Error> {
    let path = folder.join(format!("{}.room", std::process::id()));
    let tried = create_passing(&path).and_then(|mut file| file.write_all(&[0; ROOM]));
    tried.map_err(|source| Error { doing: "write", path, source })
}

/// Opens a file for a lock: made if need be, private, never truncated.
pub fn open_private(path: &Path) -> Result<File, Error> {
    private(OpenOptions::new().read(true).append(true).create(true)).open(path).map_err(|source| Error {
        doing: "open",
        path: path.to_owned(),
        source,
    })
}

fn create_private(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().write(true).create_new(true)).open(path)
}

#[cfg(unix)]
fn create_passing(path: &Path) -> io::Result<File> {
    let file = create_private(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(windows)]
fn create_passing(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_DELETE_ON_CLOSE;
    OpenOptions::new().write(true).create_new(true).custom_flags(FILE_FLAG_DELETE_ON_CLOSE).open(path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(unix)]
fn make_folder(path: &Path) -> io::Result<()> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let folder = folder.map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => io::Error::other("it is a link, not a folder"),
        _ => error,
    })?;
    let found = folder.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("it belongs to user {}", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        folder.set_permissions(fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_all(path: &Path, access: Access) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mode = if access == Access::Owner { 0o700 } else { 0o755 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Gives `fresh` the permissions and the owner of `old`, or those for a new file: to the open file, for its name may lie
/// in a folder of somebody who puts a link to another file in its place, while we are root.
#[cfg(unix)]
fn like(old: &Path, fresh: &File, access: Access) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    const THE_GROUPS: u32 = 0o070;
    let (mode, is_given) = match fs::metadata(old) {
        // Only root may give a file away, and only root can meet a file of somebody else's here.
        Ok(found) => (found.mode() & 0o777, fchown(fresh, Some(found.uid()), Some(found.gid())).is_ok()),
        Err(_) if access == Access::Everyone => (0o644, true),
        Err(_) => return Ok(()),
    };
    // What one group might read is not for another.
    let mode = if is_given { mode } else { mode & !THE_GROUPS };
    fresh.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// The new name is durable only when its folder is; a file system that cannot say so loses nothing by our asking.
#[cfg(unix)]
fn sync_folder(path: &Path) {
    let _ = path.parent().and_then(|folder| File::open(folder).ok()).map(|folder| folder.sync_all());
}

/// The profile's own folder is the user's alone by inheritance.
#[cfg(windows)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(windows)]
fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(windows)]
fn make_all(path: &Path, _: Access) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// What lies in a folder has the folder's permissions by inheritance.
#[cfg(windows)]
fn like(_: &Path, _: &File, _: Access) -> io::Result<()> {
    Ok(())
}

/// A virus scanner or an indexer may hold the old file for a moment; waiting is all one can do about it.
#[cfg(windows)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
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
fn sync_folder(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/record");
        private_folder(path.parent().unwrap()).unwrap();
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"second"[..]));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
    }

    #[cfg(unix)]
    #[test]
    fn who_puts_a_link_in_the_place_of_a_half_written_file_gets_no_rights_to_its_target() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        let [old, victim, fresh] =
            ["old", "victim", "fresh"].map(|name| create_private(&path(name)).unwrap());
        old.set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
        fs::remove_file(path("fresh")).unwrap();
        std::os::unix::fs::symlink(path("victim"), path("fresh")).unwrap();
        like(&path("old"), &fresh, Access::Owner).unwrap();
        assert_eq!((mode("victim"), fresh.metadata().unwrap().permissions().mode() & 0o777), (0o600, 0o666));
        drop(victim);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_a_private_folder_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        fs::create_dir(&victim).unwrap();
        let mode = || fs::metadata(&victim).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(private_folder(&link).is_err());
        assert_eq!(mode(), 0o755, "what the link leads to keeps its rights");
        private_folder(&victim).unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can give a folder away.
        if std::os::unix::fs::chown(folder.path(), Some(65_533), None).is_ok() {
            let error = private_folder(folder.path()).unwrap_err();
            assert_eq!(error.source.to_string(), "it belongs to user 65533");
        }
    }

    #[test]
    fn a_write_killed_half_way_is_cleared_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        replace(&path, b"good").unwrap();
        create_private(&half_written(&path)).unwrap().write_all(b"half").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"good"[..]));
        replace(&path, b"better").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"better"[..]));
    }

    #[test]
    fn a_removal_takes_along_what_a_killed_write_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        replace(&path, b"good").unwrap();
        create_private(&half_written(&path)).unwrap().write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).unwrap().len(), 2);
        remove(&path).unwrap();
        assert_eq!(names(folder.path()).unwrap(), Vec::<String>::new());
        assert_eq!(names(&folder.path().join("nothing")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn trying_for_room_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        make_sure_of_room(folder.path()).unwrap();
        make_sure_of_room(folder.path()).unwrap();
        assert_eq!(names(folder.path()).unwrap(), Vec::<String>::new());
        assert!(make_sure_of_room(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn a_missing_file_is_no_error_and_a_folder_in_its_place_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("nothing")).unwrap().is_none());
        remove(&folder.path().join("nothing")).unwrap();
        assert!(read(folder.path()).is_err());
    }
}
