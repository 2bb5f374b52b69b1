//! Safe wrappers for the Windows functions that the standard library lacks: consoles, inherited streams, owners and
//! rights of files, the current user, and system folders.
//!
//! All unsafe code for Windows is here. Each block states why it is sound.

use std::{fs::File, io, os::windows::io::AsRawHandle, path::PathBuf, ptr::null_mut};

use windows_sys::{
    Win32::{
        Foundation::LocalFree,
        System::Console::{
            ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, SetConsoleMode,
        },
    },
    core::GUID,
};

/// Turns the console's echo on or off. Returns false if stdin is not a console.
pub(super) fn set_console_echo(on: bool) -> bool {
    let console = io::stdin();
    let Some(mode) = read_console_mode(&console) else { return false };
    let mode = if on { mode | ENABLE_ECHO_INPUT } else { mode & !ENABLE_ECHO_INPUT };
    // SAFETY: the call takes plain values, and the handle of stdin, which this process never closes.
    #[expect(unsafe_code, reason = "the standard library cannot silence a console")]
    let is_set = unsafe { SetConsoleMode(console.as_raw_handle(), mode) };
    is_set != 0
}

/// Returns the console's mode; `None` if the stream is not a console.
fn read_console_mode(console: &impl AsRawHandle) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: the call takes a handle, which may be absent or not a console's, and writes one number into `mode`.
    #[expect(unsafe_code, reason = "the standard library has no name for this mode")]
    let known = unsafe { GetConsoleMode(console.as_raw_handle(), &raw mut mode) };
    (known != 0).then_some(mode)
}

/// Stops children from inheriting this process's streams. Windows passes every inheritable handle to each child, even
/// if the child's own streams are null (rust-lang/rust#54760).
pub(super) fn disable_stream_inheritance() {
    use windows_sys::Win32::{
        Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation},
        System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE},
    };
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: both calls take plain values and tolerate a handle that is absent or invalid; nothing is
        // dereferenced.
        #[expect(unsafe_code, reason = "the standard library has no name for this flag")]
        unsafe {
            SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0);
        }
    }
}

/// Returns whether the console reads line by line. In another mode, a full-screen program is using it.
pub(super) fn is_line_mode(console: &File) -> bool {
    read_console_mode(console).is_some_and(|mode| mode & ENABLE_LINE_INPUT != 0)
}

/// Returns whether stdout's console interprets escape sequences. Otherwise it would print them as text.
pub(super) fn stdout_supports_escapes() -> bool {
    read_console_mode(&io::stdout()).is_some_and(|mode| mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0)
}

/// Returns the current user's security identifier, in the notation of SDDL.
pub(super) fn read_own_sid() -> io::Result<String> {
    use std::{
        mem::size_of_val,
        os::windows::io::{FromRawHandle as _, OwnedHandle},
    };
    use windows_sys::Win32::{
        Security::{Authorization::ConvertSidToStringSidW, GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser},
        System::Threading::{GetCurrentProcess, OpenProcessToken},
    };
    /// An identifier has at most 68 bytes, and the structure that points to it 16. The element type gives the
    /// alignment.
    const ROOM: usize = 32;
    let (mut token, mut text, mut length, mut room) = (null_mut(), null_mut(), 0, [0_u64; ROOM]);
    // SAFETY: the first call returns a handle, which `OwnedHandle` closes. The second writes at most the size of
    // `room`: a structure at its start, which points to the identifier behind it and which the third reads. The third
    // returns a text that ends with a zero and is read before it is freed. No result is used after its call has
    // failed.
    #[expect(unsafe_code, reason = "the standard library does not name the user of a process")]
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        let token = OwnedHandle::from_raw_handle(token);
        let size = size_of_val(&room) as u32;
        let place = room.as_mut_ptr();
        if GetTokenInformation(token.as_raw_handle(), TokenUser, place.cast(), size, &raw mut length) == 0 {
            return Err(io::Error::last_os_error());
        }
        let user = place.cast::<TOKEN_USER>().read();
        if ConvertSidToStringSidW(user.User.Sid, &raw mut text) == 0 {
            return Err(io::Error::last_os_error());
        }
        let units = (0..).map(|at| *text.add(at)).take_while(|unit| *unit != 0).collect::<Vec<u16>>();
        LocalFree(text.cast());
        Ok(String::from_utf16_lossy(&units))
    }
}

/// Returns owner and rights of an open file, in SDDL.
pub(super) fn read_sddl(file: &File) -> io::Result<String> {
    use windows_sys::Win32::Security::{
        Authorization::{
            ConvertSecurityDescriptorToStringSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
        },
        DACL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION,
    };
    let wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let (mut descriptor, mut text, mut length) = (null_mut(), null_mut(), 0);
    // SAFETY: the handle is open while this runs. The first call allocates a descriptor, which the second reads and
    // the last frees. The second returns a text of `length` units, which is read before it is freed. Neither result is
    // used after its call has failed.
    #[expect(unsafe_code, reason = "the standard library does not name the owner of a file")]
    unsafe {
        let fault = GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            wanted,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor,
        );
        if fault != 0 {
            return Err(io::Error::from_raw_os_error(fault.cast_signed()));
        }
        let known = ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor, SDDL_REVISION_1, wanted, &raw mut text, &raw mut length,
        );
        let said = if known == 0 {
            Err(io::Error::last_os_error())
        } else {
            let units = &*std::ptr::slice_from_raw_parts(text, length as usize);
            let said = String::from_utf16_lossy(units).trim_end_matches('\0').to_owned();
            LocalFree(text.cast());
            Ok(said)
        };
        LocalFree(descriptor);
        said
    }
}

/// Asks Windows for a folder of the whole machine, because the caller controls variables such as `ProgramData`.
/// `usual` is the path on most machines, for the case that Windows does not answer.
pub(super) fn find_machine_folder(id: &GUID, usual: &str) -> PathBuf {
    use std::{ffi::OsString, os::windows::ffi::OsStringExt as _};
    use windows_sys::Win32::{
        System::Com::CoTaskMemFree,
        UI::Shell::{KF_FLAG_DEFAULT, SHGetKnownFolderPath},
    };
    let mut text = null_mut();
    // SAFETY: the call reads the identifier and returns a text that ends with a zero, which is read before it is
    // freed. If the call fails, the text is not read, but it is freed, as the documentation demands.
    #[expect(unsafe_code, reason = "the standard library does not know these folders")]
    unsafe {
        let found = SHGetKnownFolderPath(id, KF_FLAG_DEFAULT as u32, null_mut(), &raw mut text);
        let path = (found == 0).then(|| {
            let units = (0..).map(|at| *text.add(at)).take_while(|unit| *unit != 0).collect::<Vec<u16>>();
            OsString::from_wide(&units).into()
        });
        CoTaskMemFree(text.cast_const().cast());
        path.unwrap_or_else(|| usual.into())
    }
}

/// Creates a folder with these rights, in SDDL, in one step, so that it never exists with inherited rights.
pub(super) fn create_folder_with_sddl(path: &std::path::Path, rights: &str) -> io::Result<()> {
    use std::{mem::size_of, os::windows::ffi::OsStrExt as _};
    use windows_sys::Win32::{
        Security::{
            Authorization::{ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1},
            SECURITY_ATTRIBUTES,
        },
        Storage::FileSystem::CreateDirectoryW,
    };
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let rights: Vec<u16> = rights.encode_utf16().chain([0]).collect();
    let mut descriptor = null_mut();
    // SAFETY: both texts end with a zero and live until the end of the function. The first call allocates a
    // descriptor, which is used only if the call succeeded, and freed after the second call.
    #[expect(unsafe_code, reason = "the standard library makes no folder with rights")]
    unsafe {
        let known = ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        );
        if known == 0 {
            return Err(io::Error::last_os_error());
        }
        let attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        };
        let made = match CreateDirectoryW(path.as_ptr(), &raw const attributes) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        LocalFree(descriptor);
        made
    }
}
