//! Finds other programs on this machine and reads their versions, for `doctor` and `setup`.
//!
//! It searches only absolute folders of `PATH`: a relative one would run a program from the current repository.

use std::{
    env::consts,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::Environment;

/// The suffixes that Windows adds to a program's name.
const EXECUTABLE_SUFFIXES: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd"] } else { &[""] };

/// How often to check whether a program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Lists every program of this name on `PATH`, in order. The first is the one that a shell starts. Links to the same
/// file count once.
pub fn find_on_path(environment: &Environment, name: &str) -> Vec<PathBuf> {
    let path = environment.var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let programs =
        folders.flat_map(|folder| EXECUTABLE_SUFFIXES.iter().map(move |end| folder.join(format!("{name}{end}"))));
    let mut found: Vec<PathBuf> = Vec::new();
    for program in programs.filter(|program| is_executable(program)) {
        let real = |path: &PathBuf| path.canonicalize().ok();
        if !found.iter().any(|known| real(known) == real(&program)) {
            found.push(program);
        }
    }
    found
}

/// Finds the program that a command names, by its path or, for a bare name, on `PATH`.
pub fn find_program(environment: &Environment, program: &Path) -> Option<PathBuf> {
    match is_bare_name(program) {
        true => find_on_path(environment, &program.to_string_lossy()).into_iter().next(),
        false => program.exists().then(|| program.to_owned()),
    }
}

/// Returns whether the program is named without a folder.
pub(super) fn is_bare_name(program: &Path) -> bool {
    program.parent().is_none_or(|folder| folder.as_os_str().is_empty())
}

/// Returns whether the path leads to this program, possibly through links.
pub fn is_this_program(path: &Path) -> bool {
    let running = std::env::current_exe().and_then(|running| running.canonicalize());
    running.is_ok_and(|running| path.canonicalize().is_ok_and(|path| path == running))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Returns the output of `--version`, or `None` if the program does not end in time; it is then ended. The output must
/// fit into a pipe's buffer, because it is read only after the program has ended.
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
pub fn query_version(program: &Path, patience: Duration) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    for _ in 0..patience.as_millis() / POLL_INTERVAL.as_millis() {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(POLL_INTERVAL),
            Ok(Some(_)) => {
                let said = child.wait_with_output().ok()?;
                return Some(String::from_utf8_lossy(&said.stdout).trim().to_owned());
            }
            Err(_) => break,
        }
    }
    // Ending it fails if the program has ended at this moment.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The name of the operating system and the processor architecture.
pub fn describe_system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'));
    format!("{} ({} {})", name.unwrap_or(consts::OS), consts::OS, consts::ARCH)
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn program_is_found_once_and_reports_its_version() {
        use super::*;
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        for place in [&one, &other] {
            fs::create_dir(place).unwrap();
        }
        let program = one.join("tool");
        fs::copy("/bin/sh", &program).unwrap();
        std::os::unix::fs::symlink(&program, other.join("tool")).unwrap();
        crate::files::write_atomically(&other.join("plain"), b"").unwrap();
        let path = std::env::join_paths([&one, &other]).unwrap().into_string().unwrap();
        let environment = Environment::fixed([("PATH", &path)]);
        assert_eq!(find_on_path(&environment, "tool"), std::slice::from_ref(&program));
        assert!(find_on_path(&environment, "plain").is_empty());
        let script = folder.path().join("script");
        testworld::write_script(&script, "#!/bin/sh\necho tool 1.2\n");
        assert_eq!(query_version(&script, Duration::from_secs(20)).as_deref(), Some("tool 1.2"));
        testworld::write_script(&script, "#!/bin/sh\nexec sleep 60\n");
        assert_eq!(query_version(&script, Duration::from_millis(50)), None);
    }
}
