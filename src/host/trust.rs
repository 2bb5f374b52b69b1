//! Checks that only administrators, or the current user, could have written a file that applies to every user.
//!
//! It checks the open file, not the path, so that the file cannot be replaced between the check and the reading.
//! Callers decide what to do with an untrusted file.

use std::{fmt, fs::File, io, path::Path};

use crate::files::{self, FileAction};

/// Another account that could have written a file. `Display` completes a message: "every user may write it".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedWriter {
    description: String,
    /// The owner is a user outside of this container. Users inside it cannot write the file.
    is_outside_container: bool,
}

impl UntrustedWriter {
    fn from_description(who: String) -> Self {
        Self { description: who, is_outside_container: false }
    }

    pub fn is_outside_container(&self) -> bool {
        self.is_outside_container
    }
}

impl fmt::Display for UntrustedWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// Finds another account that could have written the file or folder at a path. Returns `None` if there is no such
/// account or no such file. Fails if the file cannot be read.
pub fn find_untrusted_writer_at(path: &Path) -> Result<Option<UntrustedWriter>, files::Error> {
    let found = match open_file_or_folder(path) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.and_then(|file| find_untrusted_writer(&file)),
    };
    found.map_err(files::Error::at(FileAction::Read, path))
}

/// The result of checking a folder that applies to every user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderTrust {
    Absent,
    /// Only administrators or the current user can create and delete files in it.
    Trusted,
    Untrusted(UntrustedWriter),
}

/// Checks a folder, but not the files in it. An absent folder costs one system call, because every call checks it.
pub fn check_folder_trust(path: &Path) -> io::Result<FolderTrust> {
    let judged = |found: Option<UntrustedWriter>| found.map_or(FolderTrust::Trusted, FolderTrust::Untrusted);
    match find_folder_writer(path) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(FolderTrust::Absent),
        found => found.map(judged),
    }
}

/// Reads owner and mode, which needs no permission to read the folder. The standard library would make two system
/// calls for an absent folder.
#[cfg(unix)]
fn find_folder_writer(path: &Path) -> io::Result<Option<UntrustedWriter>> {
    let found = rustix::fs::stat(path)?;
    Ok(writer_from_mode(found.st_uid, found.st_gid, rustix::fs::Mode::from_raw_mode(found.st_mode)))
}

#[cfg(windows)]
fn find_folder_writer(path: &Path) -> io::Result<Option<UntrustedWriter>> {
    find_untrusted_writer(&open_file_or_folder(path)?)
}

/// Creates a folder that every user may read and only administrators may write. Without explicit rights, a folder
/// below `ProgramData` would let every user create files.
#[cfg(windows)]
pub fn create_admin_folder(path: &Path) -> io::Result<()> {
    const RIGHTS: &str = "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
    if path.exists() { Ok(()) } else { super::windows::create_folder_with_sddl(path, RIGHTS) }
}

/// Nothing to do: other users cannot write a folder that root creates.
#[cfg(unix)]
pub fn create_admin_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn open_file_or_folder(path: &Path) -> io::Result<File> {
    files::open_nonblocking(path)
}

/// Windows opens a folder only with this flag.
#[cfg(windows)]
fn open_file_or_folder(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_BACKUP_SEMANTICS;
    File::options().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// Finds another account that could have written the open file, by its owner and mode.
#[cfg(unix)]
pub fn find_untrusted_writer(file: &File) -> io::Result<Option<UntrustedWriter>> {
    use std::os::unix::fs::MetadataExt as _;
    let found = file.metadata()?;
    let writers = rustix::fs::Mode::from_bits_truncate(found.mode() as rustix::fs::RawMode);
    Ok(writer_from_mode(found.uid(), found.gid(), writers))
}

/// The owner must be root or the current user. No other account may write, except root's group.
#[cfg(unix)]
fn writer_from_mode(owner: u32, group: u32, mode: rustix::fs::Mode) -> Option<UntrustedWriter> {
    use rustix::fs::Mode;
    let is_ours = || owner == rustix::process::geteuid().as_raw();
    let of = |who| Some(UntrustedWriter::from_description(who));
    match () {
        () if owner != 0 && !is_ours() => Some(writer_from_owner(owner)),
        () if mode.contains(Mode::WOTH) => of("every user can write to it".to_owned()),
        () if mode.contains(Mode::WGRP) && group != 0 => of(format!("group {group} can write to it")),
        () => None,
    }
}

/// Describes the owner. In a rootless container, the kernel shows this number for every user without a mapping, from
/// the host's root to any other user (user_namespaces(7)). So it proves nothing about the owner, and processes of the
/// container's own user `nobody` have the same number.
#[cfg(unix)]
fn writer_from_owner(user: u32) -> UntrustedWriter {
    const OVERFLOW: u32 = 65534;
    if user == OVERFLOW && has_unmapped_users() {
        let who = "a user outside this container owns it".to_owned();
        return UntrustedWriter { description: who, is_outside_container: true };
    }
    UntrustedWriter::from_description(format!("user {user} owns it"))
}

/// Returns whether this process's namespace has no number for some users. The initial namespace maps all of them.
#[cfg(unix)]
fn has_unmapped_users() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().ne(["0", "0", "4294967295"]))
}

/// Finds another account that could have written the open file. It asks for the current user only if an account other
/// than an administrator may write.
#[cfg(windows)]
pub fn find_untrusted_writer(file: &File) -> io::Result<Option<UntrustedWriter>> {
    let rights = super::windows::read_sddl(file)?;
    match sddl::describe_untrusted_writer(&rights, "") {
        None => Ok(None),
        Some(_) => Ok(sddl::describe_untrusted_writer(&rights, &super::windows::read_own_sid()?)
            .map(UntrustedWriter::from_description)),
    }
}

/// Parses Windows's notation for owner and rights (Security Descriptor Definition Language).
#[cfg(any(windows, test))]
mod sddl {
    /// The system, the administrators, their built-in account, and the installer of Windows (TrustedInstaller).
    const ADMINISTRATORS: [&str; 7] = [
        "SY",
        "BA",
        "LA",
        "S-1-5-18",
        "S-1-5-32-544",
        "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
        // The owner's own rights. The owner is checked separately.
        "OW",
    ];

    /// The rights to write, append, delete (the file or its contents), change the rights or the owner, and their
    /// combinations.
    const WRITE_RIGHTS: u32 =
        0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000 | 0x0200_0000;

    /// Abbreviations of rights that change nothing. Every other abbreviation, also an unknown one, counts as a right
    /// to write.
    const HARMLESS_RIGHTS: [&str; 12] = ["GX", "GR", "FR", "FX", "RC", "CC", "SW", "RP", "WP", "LO", "CR", "AS"];

    /// Returns the owner.
    pub(super) fn parse_owner(text: &str) -> &str {
        let owner = text.strip_prefix("O:").unwrap_or_default();
        // The next section starts with a letter and a colon.
        owner.split_once(':').map_or(owner, |(owner, _)| owner.get(..owner.len() - 1).unwrap_or_default())
    }

    /// Describes the first account, except administrators and `ourselves`, that could have written the file.
    pub(super) fn describe_untrusted_writer(text: &str, ourselves: &str) -> Option<String> {
        let is_trusted = |who: &str| ADMINISTRATORS.contains(&who) || !who.is_empty() && who == ourselves;
        let owner = parse_owner(text);
        if !is_trusted(owner) {
            return Some(format!("{} owns it", describe_account(owner)));
        }
        let Some((_, list)) = text.split_once("D:").filter(|(_, list)| !list.starts_with("NO_ACCESS_CONTROL")) else {
            return Some("every user can write to it".to_owned());
        };
        let list = list.split_once("S:").map_or(list, |(list, _)| list);
        let entries = list.split('(').skip(1).map(|entry| entry.split(')').next().unwrap_or_default());
        let mut harmful = entries.filter_map(|entry| {
            let mut parts = entry.split(';');
            let (kind, flags, rights) = (parts.next()?, parts.next()?, parts.next()?);
            let who = parts.nth(2)?;
            let allows = !["D", "OD", "XD"].contains(&kind);
            // Each flag has two letters, so "CIOI" does not contain the flag "IO".
            let is_inherit_only = flags.as_bytes().chunks(2).any(|flag| flag == b"IO");
            let is_for_others = is_inherit_only || is_trusted(who);
            (allows && !is_for_others && is_write_granted(rights)).then(|| describe_account(who))
        });
        harmful.next().map(|who| format!("{who} can write to it"))
    }

    /// Returns whether the rights, a number or abbreviations of two letters, include a right to write.
    fn is_write_granted(rights: &str) -> bool {
        match rights.strip_prefix("0x") {
            Some(number) => u32::from_str_radix(number, 16).map_or(true, |mask| mask & WRITE_RIGHTS != 0),
            None => {
                rights.as_bytes().chunks(2).any(|word| !HARMLESS_RIGHTS.iter().any(|known| known.as_bytes() == word))
            }
        }
    }

    fn describe_account(who: &str) -> String {
        match who {
            "BU" => "every user".to_owned(),
            "WD" => "everyone".to_owned(),
            "AU" => "every signed-in user".to_owned(),
            "" => "no account".to_owned(),
            who => who.to_owned(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const PERSON: &str = "S-1-5-21-1-2-3-1001";

        #[test]
        fn administrators_only_file_is_trusted() {
            for text in [
                "O:BAG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)",
                "O:SYG:SYD:(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FRFX;;;BU)S:AI(AU;SA;FA;;;WD)",
                "O:LAG:BAD:AI(D;;FA;;;WD)(A;OICIIO;GA;;;CO)(A;;FR;;;WD)(A;;FA;;;OW)",
            ] {
                assert_eq!(describe_untrusted_writer(text, ""), None, "{text}");
            }
        }

        #[test]
        fn other_possible_writer_is_named() {
            for (text, who) in [
                ("O:S-1-5-21-1-2-3-1001G:BAD:PAI(A;;FA;;;SY)", "S-1-5-21-1-2-3-1001 owns it"),
                ("O:BUG:SYD:(A;;FA;;;BA)", "every user owns it"),
                ("O:BAG:SYD:(A;;FA;;;BA)(A;;0x1301bf;;;BU)", "every user can write to it"),
                ("O:BAG:SYD:(A;;FRFW;;;AU)", "every signed-in user can write to it"),
                ("O:BAG:SYD:(A;;WD;;;S-1-5-21-1-2-3-1001)", "S-1-5-21-1-2-3-1001 can write to it"),
                ("O:BAG:SYD:(XA;;DCLC;;;WD;(Title==\"x\"))", "everyone can write to it"),
                ("O:BAG:SYD:(A;;??;;;WD)", "everyone can write to it"),
                ("O:BAG:SYD:(A;CIOI;FA;;;WD)", "everyone can write to it"),
                ("O:BAG:SYD:NO_ACCESS_CONTROL", "every user can write to it"),
                ("O:BAG:SY", "every user can write to it"),
                ("", "no account owns it"),
            ] {
                assert_eq!(describe_untrusted_writer(text, "").as_deref(), Some(who), "{text}");
            }
        }

        #[test]
        fn own_file_is_trusted() {
            let text = format!("O:{PERSON}G:BAD:(A;;FA;;;{PERSON})(A;;FA;;;SY)");
            assert_eq!((parse_owner(&text), describe_untrusted_writer(&text, PERSON)), (PERSON, None));
            assert_eq!(parse_owner("O:BA"), "BA");
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn folder_writable_by_others_is_untrusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bedrock-sso");
        assert_eq!(check_folder_trust(&path).unwrap(), FolderTrust::Absent);
        fs::create_dir(&path).unwrap();
        let with = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            check_folder_trust(&path).unwrap()
        };
        assert_eq!([with(0o755), with(0o711)], [FolderTrust::Trusted, FolderTrust::Trusted]);
        assert!(matches!(with(0o757), FolderTrust::Untrusted(_)));
    }

    #[test]
    fn path_that_cannot_be_read_is_a_file_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().join("below");
        let error = find_untrusted_writer_at(&path).unwrap_err();
        assert_eq!((error.action, error.path), (FileAction::Read, path));
    }

    #[test]
    fn file_writable_by_others_is_untrusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(&folder).unwrap();
        let with = |mode| {
            file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
            find_untrusted_writer(&file).unwrap().map(|stranger| stranger.to_string())
        };
        assert_eq!((with(0o644), with(0o600), with(0o444)), (None, None, None));
        assert_eq!(with(0o646).as_deref(), Some("every user can write to it"));
    }
}
