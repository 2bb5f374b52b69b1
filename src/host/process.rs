//! Processes of our own: what guards this one, and one that goes on when its caller is gone.
//!
//! Streams are never inherited: a caller waits for its pipes to close, and ours must close when we end.

use std::{
    io,
    process::{Command, Stdio},
};

/// This very program, about to be started again with other words; streams are null until somebody says otherwise.
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
pub fn build_self_command() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(windows)]
    hide_console(&mut command);
    Ok(command)
}

/// Leaves the caller's session, so that its terminal's end or its group's signals do not reach us.
#[cfg(unix)]
pub fn detach_session() {
    // It fails only for the leader of a process group, who has nobody above to be freed from.
    let _ = rustix::process::setsid();
}

/// Ends this process at once, whatever its threads hold or wait for. Handlers that an ordinary exit runs could wait as well.
#[cfg(unix)]
pub fn exit_immediately() {
    // A process may always end itself.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[cfg(windows)]
#[expect(clippy::exit, clippy::disallowed_methods, reason = "no other thread has to agree")]
pub fn exit_immediately() {
    std::process::exit(1);
}

/// Keeps our memory, and the secrets in it, to ourselves: a crash leaves no picture of it, be it in a file or with a
/// program that collects them, and no other program of the same user looks into it. Root still can.
///
/// A limit on cores would do less: where they are piped to a program the kernel passes it by (core(5)), and every child
/// would inherit it.
#[cfg(target_os = "linux")]
pub fn harden_process() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // It cannot fail: the kernel knows this value, and asks for no privilege.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// What lets another program in our place be as free as our caller meant it to be: the kernel does that by itself.
#[cfg(target_os = "linux")]
pub(super) fn undo_hardening() {}

/// What our caller had set for cores.
#[cfg(all(unix, not(target_os = "linux")))]
static ORIGINAL_CORE_LIMIT: std::sync::OnceLock<rustix::process::Rlimit> = std::sync::OnceLock::new();

/// Answers the standard library that nobody knows where the stack ends.
///
/// It asks at every start, only to call an overflow by its name, and the C library finds out by reading the whole map of
/// the process, or by one system call for each page: a tenth of a warm call. Without the answer an overflow still ends at
/// the guard page; the kernel says SIGSEGV where Rust would have said more. Nobody else asks, and failure is an answer that
/// this function may give.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library has no switch for this")]
#[unsafe(no_mangle)]
extern "C" fn pthread_getattr_np(_thread: usize, _attributes: *mut std::ffi::c_void) -> std::ffi::c_int {
    rustix::io::Errno::NOSYS.raw_os_error()
}

/// The one function of the C library's mathematics that anything here names: the AWS SDK's retries, which are off. With it
/// at hand no library is loaded and bound for it at every start.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the linker knows it by this name only")]
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// Makes a crash leave no picture of our memory, and of the secrets in it, on disk. Whoever we start may raise the limit
/// again.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn harden_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let found = ORIGINAL_CORE_LIMIT.get_or_init(|| getrlimit(Resource::Core));
    // To lower a limit is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: found.maximum });
}

/// Gives another program in our place the limit that our caller had set.
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn undo_hardening() {
    if let Some(found) = ORIGINAL_CORE_LIMIT.get() {
        // It was allowed before.
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, *found);
    }
}

/// A process of ours was set apart when it was started.
#[cfg(windows)]
pub fn detach_session() {}

/// No console window of its own, and no Ctrl-C meant for the caller's group.
#[cfg(windows)]
fn hide_console(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// Keeps our streams from every child: a browser that lives on would hold the caller's pipe open.
#[cfg(windows)]
pub fn harden_process() {
    super::windows::disable_stream_inheritance();
}
