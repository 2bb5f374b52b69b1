//! A file that a variable names, opened only if it is new or an earlier call began it.
//!
//! What is written into it is its caller's business.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use super::{Error, FileAction, with_private_mode};

/// Opens a file of lines that begins with `first_line`: a new one, or one that an earlier call began. A link, a device, a
/// file of somebody else's or one with another beginning is refused: whoever names it may not be its owner.
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
        return Err(refused("it is not a file of yours"));
    }
    let mut beginning = Vec::new();
    (&mut file).take(first_line.len() as u64 + 1).read_to_end(&mut beginning).map_err(fault)?;
    match beginning.strip_suffix(b"\n") {
        // Two calls may meet at a new file: it then begins twice.
        None if beginning.is_empty() => {
            file.write_all(format!("{first_line}\n").as_bytes()).map_err(fault)?;
        }
        Some(line) if line == first_line.as_bytes() => {}
        _ => return Err(refused("it is another file, which does not begin as one of ours")),
    }
    Ok(file)
}

#[cfg(unix)]
fn is_owned_by_us(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Opening a pipe does not wait for who reads it.
#[cfg(unix)]
fn with_no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed())
}

/// Whose a file is, is for the folder's list of rights to say.
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
