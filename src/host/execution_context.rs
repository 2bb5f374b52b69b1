//! Detects where the program runs: display, terminal, SSH, container, WSL or CI.
//!
//! It only collects facts. `session` chooses from them how to prompt the user.

use std::{fs, path::Path};

use super::Environment;

/// The facts about this process's machine and session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionContext {
    /// A terminal that the program may write to and read from.
    pub terminal: bool,
    /// macOS or Windows, which always have a desktop.
    pub desktop: bool,
    /// An X or Wayland display.
    pub display: bool,
    /// The session came through SSH.
    pub ssh: bool,
    /// A terminal of an editor such as VS Code whose window is on another machine, including Codespaces.
    pub remote_editor: bool,
    pub wsl: bool,
    /// WSL can start programs of its Windows host.
    pub windows_interop: bool,
    pub container: bool,
    /// A build machine.
    pub ci: bool,
}

/// Variables of build machines that do not set `CI`.
const CI_VARIABLES: [&str; 4] = ["TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "CODEBUILD_BUILD_ID"];

/// Variables that an editor's server on this machine sets.
const REMOTE_EDITOR_VARIABLES: [&str; 4] =
    ["CODESPACES", "REMOTE_CONTAINERS", "REMOTE_CONTAINERS_IPC", "VSCODE_IPC_HOOK_CLI"];

/// Files that Docker and Podman create in every container.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Variables in containers. systemd-nspawn, Podman and LXC set `container`.
const CONTAINER_VARIABLES: [&str; 4] = ["container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES"];

/// Contains the kernel's version, which names Microsoft under WSL.
const KERNEL_RELEASE_FILE: &str = "/proc/sys/kernel/osrelease";

/// The kernel's registrations that let Linux start Windows programs.
const INTEROP_FILES: [&str; 2] = ["/proc/sys/fs/binfmt_misc/WSLInterop", "/proc/sys/fs/binfmt_misc/WSLInterop-late"];

impl ExecutionContext {
    /// Collects the facts. The caller passes `terminal`, because a worker process does not have the user's terminal
    /// itself.
    pub fn detect(environment: &Environment, terminal: bool) -> Self {
        let kernel = fs::read_to_string(KERNEL_RELEASE_FILE).unwrap_or_default();
        let desktop = cfg!(any(windows, target_os = "macos"));
        Self { terminal, desktop, ..Self::detect_with(environment, &kernel, |file| Path::new(file).exists()) }
    }

    fn detect_with(environment: &Environment, kernel: &str, exists: impl Fn(&str) -> bool) -> Self {
        let any = |names: &[&str]| names.iter().any(|name| environment.var_os(name).is_some());
        let says_wsl = any(&["WSL_DISTRO_NAME", "WSL_INTEROP"]);
        Self {
            terminal: false,
            desktop: false,
            display: any(&["DISPLAY", "WAYLAND_DISPLAY"]),
            ssh: any(&["SSH_CONNECTION", "SSH_TTY"]),
            remote_editor: any(&REMOTE_EDITOR_VARIABLES),
            wsl: says_wsl || kernel.contains("microsoft"),
            // A container under WSL may see the registration, but cannot start Windows programs.
            windows_interop: says_wsl && INTEROP_FILES.iter().any(|file| exists(file)),
            container: any(&CONTAINER_VARIABLES) || CONTAINER_FILES.iter().any(|file| exists(file)),
            ci: any(&CI_VARIABLES) || environment.var_text("CI").is_some_and(|said| !is_false(&said)),
        }
    }
}

fn is_false(said: &str) -> bool {
    said == "0" || said.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<const N: usize>(variables: [(&str, &str); N], files: &[&str]) -> ExecutionContext {
        seen_on("6.1.0-28-amd64\n", variables, files)
    }

    fn seen_on<const N: usize>(kernel: &str, variables: [(&str, &str); N], files: &[&str]) -> ExecutionContext {
        ExecutionContext::detect_with(&Environment::fixed(variables), kernel, |file| files.contains(&file))
    }

    #[test]
    fn context_without_signs_is_empty() {
        assert_eq!(seen([], &[]), ExecutionContext::default());
    }

    #[test]
    fn each_sign_of_the_context_is_detected() {
        assert!(seen([("SSH_TTY", "/dev/pts/1")], &[]).ssh && seen([("SSH_CONNECTION", "a 1 b 2")], &[]).ssh);
        assert!(seen([("DISPLAY", ":0")], &[]).display && seen([("WAYLAND_DISPLAY", "w")], &[]).display);
        assert!(seen([("CODESPACES", "true")], &[]).remote_editor);
        assert!(seen([], &["/.dockerenv"]).container && seen([], &["/run/.containerenv"]).container);
        assert!(seen([("KUBERNETES_SERVICE_HOST", "10.0.0.1")], &[]).container);
        assert!(seen([("container", "podman")], &[]).container);
    }

    #[test]
    fn wsl_is_detected_by_its_kernel_without_variables() {
        let files = ["/proc/sys/fs/binfmt_misc/WSLInterop"];
        let seen = seen_on("5.15.153.1-microsoft-standard-WSL2\n", [], &files);
        assert!(seen.wsl && !seen.windows_interop && !seen.container);
    }

    #[test]
    fn windows_interop_needs_wsl_and_the_registration() {
        let wsl = [("WSL_DISTRO_NAME", "Debian")];
        assert!(seen(wsl, &["/proc/sys/fs/binfmt_misc/WSLInterop"]).windows_interop);
        let without = seen(wsl, &[]);
        assert!(without.wsl && !without.windows_interop);
        assert!(!seen([], &["/proc/sys/fs/binfmt_misc/WSLInterop"]).windows_interop, "no WSL at all");
    }

    #[test]
    fn false_ci_variable_is_not_a_build_machine() {
        for (said, ci) in [("true", true), ("1", true), ("false", false), ("False", false), ("0", false), ("", false)] {
            assert_eq!(seen([("CI", said)], &[]).ci, ci, "{said}");
        }
        assert!(seen([("TF_BUILD", "True")], &[]).ci);
    }
}
