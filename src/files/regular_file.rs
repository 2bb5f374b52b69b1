//! Opens and reads files whose path or content another user or program may control.
//!
//! A named pipe, a device or a file in `/proc` can block its reader for ever, and reading some of them has effects.
//! They are refused before anything is read. The check uses the open file, so the path cannot be exchanged after the
//! check.

use std::{
    fmt,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::{Error, FileAction, permissions::is_world_readable};
use crate::text::describe_io_error;

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    metadata: Metadata,
}

/// Why a file could not be read.
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    NotRegular(FileKind),
    TooLarge { limit: u64 },
}

/// What was found instead of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Folder,
    Fifo,
    Socket,
    Device,
    /// A file of the kernel's own file systems, such as `/proc/kmsg`.
    Kernel,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Kernel => "a file of the kernel",
        })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&describe_io_error(error)),
            Self::NotRegular(kind) => write!(f, "it is {kind}, not a regular file"),
            Self::TooLarge { limit } => write!(f, "it is larger than {} KiB", limit / 1024),
        }
    }
}

/// For callers that handle system errors only.
impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::Io(error) => return error,
            ReadError::NotRegular(_) => ErrorKind::Other,
            ReadError::TooLarge { .. } => ErrorKind::FileTooLarge,
        };
        Self::new(kind, error.to_string())
    }
}

impl RegularFile {
    /// Opens a regular file without blocking. It costs two system calls, which matters on the warm path.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = open_nonblocking(path).map_err(|error| classify_open_error(path, error))?;
        let metadata = file.metadata().map_err(ReadError::Io)?;
        match irregular_kind(&metadata) {
            None => Ok(Self { file, metadata }),
            Some(kind) => Err(ReadError::NotRegular(kind)),
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The whole content, in one allocation, so that the caller can wipe it: a growing buffer would leave copies
    /// behind.
    ///
    /// The size is known, so it omits the usual last `read`, which only reports the end. Together with `open` it
    /// therefore needs no more system calls than a plain read without the check.
    pub fn read_to_limit(mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        let size = self.metadata.len();
        if size > limit {
            return Err(ReadError::TooLarge { limit });
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| ReadError::TooLarge { limit })?];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read(room) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
        bytes.truncate(filled);
        if size > 0 && filled as u64 == size { Ok(bytes) } else { self.read_remaining(bytes, limit) }
    }

    /// Continues reading if the size was wrong. The kernel's files report no size or a meaningless one; they are
    /// refused here. Other files may have grown since they were opened.
    fn read_remaining(self, mut bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, ReadError> {
        if is_kernel_file(&self.file) {
            return Err(ReadError::NotRegular(FileKind::Kernel));
        }
        let left = (limit + 1).saturating_sub(bytes.len() as u64);
        self.file.take(left).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        if bytes.len() as u64 > limit { Err(ReadError::TooLarge { limit }) } else { Ok(bytes) }
    }
}

/// The content of a file that another user or program may have written.
#[derive(Debug)]
pub struct UntrustedFile {
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether every user of the machine may read it.
    pub is_world_readable: bool,
}

/// Reads a regular file that another user or program may have written; `None` if it does not exist. A file above
/// `limit` is an error.
pub fn read_untrusted(path: &Path, limit: u64) -> Result<Option<UntrustedFile>, Error> {
    let read = || {
        let file = RegularFile::open(path)?;
        let is_exposed = is_world_readable(file.metadata());
        Ok(UntrustedFile { bytes: Zeroizing::new(file.read_to_limit(limit)?), is_world_readable: is_exposed })
    };
    match read() {
        Ok(foreign) => Ok(Some(foreign)),
        Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at(FileAction::Read, path)(error.into())),
    }
}

/// Opens a path for reading, of whatever kind it is, without waiting for a writer at the other end of a named pipe.
#[cfg(unix)]
pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    // A worker leads its session: without NOCTTY, opening a terminal would make it the worker's controlling terminal.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(windows)]
pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn classify_open_error(_: &Path, error: io::Error) -> ReadError {
    // The system reports this for a socket, and for a device without a driver.
    match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::NXIO) => ReadError::NotRegular(FileKind::Socket),
        _ => ReadError::Io(error),
    }
}

/// Windows reports "permission denied" for a folder.
#[cfg(windows)]
fn classify_open_error(path: &Path, error: io::Error) -> ReadError {
    if path.is_dir() { ReadError::NotRegular(FileKind::Folder) } else { ReadError::Io(error) }
}

fn irregular_kind(metadata: &Metadata) -> Option<FileKind> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return None;
    }
    Some(if kind.is_dir() { FileKind::Folder } else { special_file_kind(kind) })
}

#[cfg(unix)]
fn special_file_kind(kind: fs::FileType) -> FileKind {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() { FileKind::Fifo } else { FileKind::Device }
}

#[cfg(windows)]
fn special_file_kind(_: fs::FileType) -> FileKind {
    FileKind::Device
}

/// Whether the file is in one of the kernel's file systems. Those report regular files too, and some of them block, or
/// lose their content when they are read.
#[cfg(target_os = "linux")]
fn is_kernel_file(file: &File) -> bool {
    /// From linux/magic.h: sysfs, debugfs, tracefs.
    const OTHERS: [u32; 3] = [0x6265_6572, 0x6462_6720, 0x7472_6163];
    // The integer type differs between architectures, but the low 32 bits do not.
    let kind = rustix::fs::fstatfs(file).map_or(0, |found| found.f_type as u32);
    kind == rustix::fs::PROC_SUPER_MAGIC as u32 || OTHERS.contains(&kind)
}

#[cfg(not(target_os = "linux"))]
fn is_kernel_file(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 5000;

    fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
        RegularFile::open(path)?.read_to_limit(LIMIT)
    }

    fn kind(path: impl AsRef<Path>) -> Option<FileKind> {
        match read(path.as_ref()) {
            Err(ReadError::NotRegular(kind)) => Some(kind),
            _ => None,
        }
    }

    #[test]
    fn a_regular_file_is_read_whole_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in [0, 1, 31, 4999, 5000] {
            super::super::write_atomically(&path, &vec![b'x'; length]).unwrap();
            assert_eq!(read(&path).unwrap(), vec![b'x'; length]);
        }
        super::super::write_atomically(&path, &[b'x'; 5001]).unwrap();
        assert!(matches!(read(&path), Err(ReadError::TooLarge { limit: LIMIT })));
        let missing = read(&folder.path().join("missing"));
        assert!(matches!(missing, Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound));
        assert_eq!(kind(folder.path()), Some(FileKind::Folder));
    }

    #[cfg(unix)]
    #[test]
    fn fifos_sockets_and_devices_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        testworld::make_fifo(&at("fifo"));
        std::os::unix::fs::symlink(at("fifo"), at("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!((kind(at("fifo")), kind(at("link"))), (Some(FileKind::Fifo), Some(FileKind::Fifo)));
        assert_eq!(kind(at("socket")), Some(FileKind::Socket));
        assert_eq!((kind("/dev/zero"), kind("/dev/null")), (Some(FileKind::Device), Some(FileKind::Device)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_of_proc_and_sysfs_are_refused() {
        assert_eq!(kind("/proc/self/environ"), Some(FileKind::Kernel));
        assert_eq!(kind("/sys/kernel/mm/transparent_hugepage/enabled"), Some(FileKind::Kernel));
    }
}
