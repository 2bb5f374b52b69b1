//! Finds the processes of one desk through `/proc`, and signals them. On systems without `/proc` it finds none.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Processes with this `HOME`, if the kernel shows their environment.
pub(crate) fn in_home(home: &Path) -> Vec<i32> {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let lives_here = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    };
    process_ids().filter(lives_here).collect()
}

/// Kills the processes that `list` finds and their descendants, as a power failure would: none reacts to the end of
/// another.
///
/// A caller that sees its worker die starts another worker. Killed one after the other, a caller that is still alive
/// does so between the kills, and its new worker is in no list. Therefore all are stopped before the first one is
/// killed. Descendants are killed first, because the end of a parent can make the kernel continue a stopped child
/// (orphaned process groups get SIGCONT).
#[cfg(unix)]
pub(crate) fn kill_at_once(list: impl Fn() -> Vec<i32>) {
    let mut stopped = Vec::new();
    loop {
        let new: Vec<i32> = with_descendants(&list()).into_iter().filter(|pid| !stopped.contains(pid)).collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|pid| signals::stop(*pid));
        stopped.extend(new);
    }
    // A process that was starting another one when it was stopped can leave that one behind.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut left = with_descendants(&stopped);
    while !left.is_empty() && Instant::now() < deadline {
        left.into_iter().rev().for_each(kill);
        thread::sleep(Duration::from_millis(2));
        left = with_descendants(&list());
    }
}

/// These processes, without those that have ended, and all of their descendants. Each comes after its parent.
///
/// A process in the middle of `execve` shows neither arguments nor environment, but it has a parent.
#[cfg(unix)]
fn with_descendants(named: &[i32]) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = process_ids().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let is_alive = |pid: &i32| parents.iter().any(|(alive, _)| alive == pid);
    let is_named = |pid: &i32| named.contains(pid) && is_alive(pid);
    let has_named_parent = |pid: &i32| parents.iter().any(|(child, above)| child == pid && is_named(above));
    let mut found: Vec<i32> = Vec::new();
    let mut next: Vec<i32> = named.iter().copied().filter(|pid| is_alive(pid) && !has_named_parent(pid)).collect();
    while let Some(pid) = next.pop() {
        if !found.contains(&pid) {
            found.push(pid);
            next.extend(parents.iter().filter(|(_, above)| *above == pid).map(|(child, _)| *child));
        }
    }
    found
}

/// The parent of a process, or `None` if the process has ended.
#[cfg(unix)]
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses, and can itself contain parentheses and spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    if has_ended { None } else { fields.next()?.parse().ok() }
}

#[cfg(not(unix))]
pub(crate) fn kill_at_once(_list: impl Fn() -> Vec<i32>) {}

/// Processes that were started by this path.
pub(crate) fn called_by_path(program: &Path) -> Vec<i32> {
    let wanted = program.as_os_str().as_encoded_bytes();
    let is_one = |pid: &i32| arguments(*pid).split(|byte| *byte == 0).next() == Some(wanted);
    process_ids().filter(is_one).collect()
}

/// The arguments of a process; empty if it has ended, or belongs to the kernel.
fn arguments(pid: i32) -> Vec<u8> {
    let began = Instant::now();
    loop {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A program can also erase its arguments, so this wait is limited.
        if !arguments.is_empty() || !may_be_loading(pid) || began.elapsed() > Duration::from_millis(100) {
            return arguments;
        }
        thread::yield_now();
    }
}

/// Whether a process without arguments may be in the middle of `execve`: its parent can continue, and even end, before
/// the kernel has set them. Ended processes and kernel threads have no memory.
fn may_be_loading(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("VmSize:"))
}

fn process_ids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Everything that other users of this machine can see of this process, its ancestors, and the other processes of the
/// same programs: arguments and environment.
pub(crate) fn visible_to_others() -> Vec<u8> {
    let mut seen = Vec::new();
    let mut programs = Vec::new();
    let mut pid = "self".to_owned();
    for _ in 0..4 {
        for view in ["cmdline", "environ"] {
            seen.extend(fs::read(format!("/proc/{pid}/{view}")).unwrap_or_default());
        }
        programs.extend(fs::read_link(format!("/proc/{pid}/exe")));
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let Some(parent) = status.lines().find_map(|line| line.strip_prefix("PPid:")) else { break };
        pid = parent.trim().to_owned();
    }
    // A process list shows the arguments of all processes. Those of other programs on this machine say nothing here.
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let program = arguments.split(|&byte| byte == 0).next().unwrap_or_default();
        if programs.iter().any(|ours| ours.as_os_str().as_encoded_bytes() == program) {
            seen.extend(arguments);
        }
    }
    seen
}

#[cfg(unix)]
mod signals {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};

    /// As in a power failure, or when the kernel is out of memory.
    pub fn kill(pid: i32) {
        send(pid, Signal::KILL);
    }

    /// The same for a process group, named by its first process.
    pub(crate) fn kill_group(pid: i32) {
        if let Some(pid) = Pid::from_raw(pid) {
            // An error means that all of its processes have ended meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Stops a process until it is continued or killed.
    pub(super) fn stop(pid: i32) {
        send(pid, Signal::STOP);
    }

    /// As Ctrl-C in a terminal.
    pub fn interrupt(pid: i32) {
        send(pid, Signal::INT);
    }

    /// As a host does that stops waiting.
    pub fn terminate(pid: i32) {
        send(pid, Signal::TERM);
    }

    fn send(pid: i32, signal: Signal) {
        if let Some(pid) = Pid::from_raw(pid) {
            // An error means that the process has ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(unix)]
pub(crate) use signals::kill_group;
#[cfg(unix)]
pub use signals::{interrupt, kill, terminate};
