//! The processes that live in one home, found through `/proc`; elsewhere none are seen.
//!
//! It looks and ends; when to do so is for `desk`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Processes with this `HOME`, but for those that have ended.
pub(crate) fn in_home(home: &Path) -> Vec<(i32, PathBuf)> {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let lives_here = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(lives_here)
        .filter_map(|pid| Some((pid, fs::read_link(format!("/proc/{pid}/exe")).ok()?)))
        .collect()
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
    seen
}

#[cfg(unix)]
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // A refusal means that it has ended by itself meanwhile.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
pub(crate) fn kill(_pid: i32) {}
