//! Opens the log file that an environment variable names.
//!
//! An untrusted repository can set that variable (a host passes its environment on). So the file is opened only if it
//! is new, or if an earlier call of this program created it. Otherwise the repository could make the program write into
//! any file of the user.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use super::{Error, FileAction, with_private_mode};

/// Opens a text file for appending: a new one, which gets `first_line`, or one that begins with it. It fails for a
/// relative path, a symlink, a device, a file of another user, and a file with another first line.
pub fn open_log_file(path: &Path, first_line: &str) -> Result<File, Error> {
    let fault = Error::at(FileAction::Open, path);
    let refused = |why| fault(io::Error::other(why));
    if !path.is_absolute() {
        return Err(refused("its path is not absolute"));
    }
    let mut file = with_no_follow(with_private_mode(OpenOptions::new().read(true).append(true).create(true)))
        .open(path)
        .map_err(fault)?;
    let found = file.metadata().map_err(fault)?;
    if !found.is_file() || !is_owned_by_us(&found) {
        return Err(refused("it is not a regular file that belongs to you"));
    }
    let mut beginning = Vec::new();
    (&mut file).take(first_line.len() as u64 + 1).read_to_end(&mut beginning).map_err(fault)?;
    match beginning.strip_suffix(b"\n") {
        // If two calls create the file at the same time, the line appears twice, which is harmless.
        None if beginning.is_empty() => {
            file.write_all(format!("{first_line}\n").as_bytes()).map_err(fault)?;
        }
        Some(line) if line == first_line.as_bytes() => {}
        _ => return Err(refused("it already exists, and this program did not create it")),
    }
    Ok(file)
}

#[cfg(unix)]
fn is_owned_by_us(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Refuses a symlink, and does not block on a named pipe.
#[cfg(unix)]
fn with_no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed())
}

/// On Windows the access rights of the folder decide who owns what.
#[cfg(windows)]
fn is_owned_by_us(_: &fs::Metadata) -> bool {
    true
}

#[cfg(windows)]
fn with_no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::windows::fs::OpenOptionsExt as _;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
}
