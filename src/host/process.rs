//! Protects this process's memory, and starts worker processes that outlive their caller.
//!
//! A child never inherits this process's streams. Callers wait until their pipes close, so a worker that held one open
//! would block them.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Prepares to start this program again. The caller adds arguments. The streams are null unless the caller sets them.
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
pub fn build_self_command() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(windows)]
    hide_console(&mut command);
    Ok(command)
}

/// Leaves the caller's session, so that a closed terminal or a signal to the caller's process group does not end this
/// process.
#[cfg(unix)]
pub fn detach_session() {
    // It fails only for a process group leader, which the caller's group signals do not reach anyway.
    let _ = rustix::process::setsid();
}

/// Changes to a folder of this program. A process that goes on to run would otherwise hold the caller's folder, which
/// then cannot be removed or unmounted.
pub fn leave_current_folder(own_folder: &Path) {
    // A failure does no harm: all paths are absolute.
    let _ = std::env::set_current_dir(own_folder);
}

/// Ends this process at once, even if its threads hold locks or wait. A normal exit runs handlers that could wait as
/// well.
#[cfg(unix)]
pub fn exit_immediately() {
    // A process may always send a signal to itself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[cfg(windows)]
#[expect(clippy::exit, clippy::disallowed_methods, reason = "other threads need not end first")]
pub fn exit_immediately() {
    std::process::exit(1);
}

/// Protects the secrets in this process's memory: a crash writes no core dump, and other processes of the same user
/// cannot read the memory. Root still can.
///
/// A limit on the size of core dumps would protect less: the kernel ignores it if it pipes dumps to a program
/// (core(5)), and every child process would inherit it.
#[cfg(target_os = "linux")]
pub fn harden_process() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // It cannot fail: the value is valid and needs no privilege.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Restores the caller's setting before exec(2). On Linux, the kernel does that automatically.
#[cfg(target_os = "linux")]
pub(super) fn undo_hardening() {}

/// The caller's limit on core dumps.
#[cfg(all(unix, not(target_os = "linux")))]
static ORIGINAL_CORE_LIMIT: std::sync::OnceLock<rustix::process::Rlimit> = std::sync::OnceLock::new();

/// Replaces the C library's function that finds the end of the stack, and always fails.
///
/// The standard library calls it at every start, only to name a stack overflow in a message. The C library then reads
/// the whole memory map or makes one system call per page, which takes a tenth of a call with cached credentials. With
/// this replacement, an overflow still ends at the guard page, but the message is the kernel's SIGSEGV. No other code
/// calls the function, and its contract permits failure.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library has no switch for this")]
#[unsafe(no_mangle)]
extern "C" fn pthread_getattr_np(_thread: usize, _attributes: *mut std::ffi::c_void) -> std::ffi::c_int {
    rustix::io::Errno::NOSYS.raw_os_error()
}

/// Provides the only function of `libm` that the program references, from the AWS SDK's retries, which are off.
/// Without it, the loader would load and bind `libm` at every start.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the linker knows it by this name only")]
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// Stops a crash from writing the secrets in memory to a core dump. Child processes may raise the limit again.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn harden_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let found = ORIGINAL_CORE_LIMIT.get_or_init(|| getrlimit(Resource::Core));
    // Lowering a limit is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: found.maximum });
}

/// Restores the caller's limit before exec(2).
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn undo_hardening() {
    if let Some(found) = ORIGINAL_CORE_LIMIT.get() {
        // The value was in effect before, so it is allowed.
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, *found);
    }
}

/// Nothing to do: `hide_console` separates a worker when it is started.
#[cfg(windows)]
pub fn detach_session() {}

/// Starts a worker without a console window, and outside the group that receives the caller's Ctrl-C.
#[cfg(windows)]
fn hide_console(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// Stops children from inheriting this process's streams: a running browser would hold the caller's pipe open.
#[cfg(windows)]
pub fn harden_process() {
    super::windows::disable_stream_inheritance();
}
