//! The processes of one desk, found through `/proc`; elsewhere none are seen.
//!
//! It looks and ends; when to do so is for `desk`.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Processes with this `HOME`, as far as the kernel shows their environment.
pub(crate) fn in_home(home: &Path) -> Vec<i32> {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let lives_here = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    };
    all().filter(lives_here).collect()
}

/// Processes that were called by this path.
pub(crate) fn of(program: &Path) -> Vec<i32> {
    let wanted = program.as_os_str().as_encoded_bytes();
    let is_one = |pid: &i32| arguments(*pid).split(|byte| *byte == 0).next() == Some(wanted);
    all().filter(is_one).collect()
}

/// What a process was called with; nothing if it has ended, or is the kernel's.
fn arguments(pid: i32) -> Vec<u8> {
    let began = Instant::now();
    loop {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A program may also have erased its arguments, so this does not wait for ever.
        if !arguments.is_empty() || !may_be_loading(pid) || began.elapsed() > Duration::from_millis(100) {
            return arguments;
        }
        thread::yield_now();
    }
}

/// Whether a process without arguments may be in the middle of `execve`: its parent may have gone on, and ended, before the
/// kernel has set them. Dead processes and the kernel's threads have no memory.
fn may_be_loading(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("VmSize:"))
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What others on this machine can see of this process and those above it: arguments and environment.
pub(crate) fn in_sight() -> Vec<u8> {
    let mut seen = Vec::new();
    let mut pid = "self".to_owned();
    for _ in 0..4 {
        for view in ["cmdline", "environ"] {
            seen.extend(fs::read(format!("/proc/{pid}/{view}")).unwrap_or_default());
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let Some(parent) = status.lines().find_map(|line| line.strip_prefix("PPid:")) else { break };
        pid = parent.trim().to_owned();
    }
    // Any process list shows the arguments of all.
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        seen.extend(fs::read(process.path().join("cmdline")).unwrap_or_default());
    }
    seen
}

#[cfg(unix)]
mod signals {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};

    /// As a power failure, or the kernel out of memory.
    pub fn kill(pid: i32) {
        send(pid, Signal::KILL);
    }

    /// The same for a whole group, named by its first process.
    pub(crate) fn kill_group(pid: i32) {
        if let Some(pid) = Pid::from_raw(pid) {
            // A refusal means that all of it has ended meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// As Ctrl-C at a terminal.
    pub fn interrupt(pid: i32) {
        send(pid, Signal::INT);
    }

    /// As a host that has lost its patience.
    pub fn terminate(pid: i32) {
        send(pid, Signal::TERM);
    }

    fn send(pid: i32, signal: Signal) {
        if let Some(pid) = Pid::from_raw(pid) {
            // A refusal means that it has ended by itself meanwhile.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(unix)]
pub(crate) use signals::kill_group;
#[cfg(unix)]
pub use signals::{interrupt, kill, terminate};

#[cfg(not(unix))]
pub(crate) fn kill(_pid: i32) {}
