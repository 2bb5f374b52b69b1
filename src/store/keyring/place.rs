//! What kind of place this is, as far as it explains why there is no keyring.
//!
//! It is looked at only when there is a fault to explain.

use std::path::Path;

use super::{Place, secret_service::is_kwallet};
use crate::{files, host::Environment};

/// The kernel's name for itself.
const KERNEL: &str = "/proc/sys/kernel/osrelease";
/// What Docker and Podman leave in each container of theirs.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

pub(super) fn place(environment: &Environment) -> Place {
    if is_kwallet(environment) {
        return Place::KWallet;
    }
    let kernel = files::read(Path::new(KERNEL)).ok().flatten().unwrap_or_default();
    let has_mark = MARKS.iter().any(|mark| Path::new(mark).exists());
    told_by(environment, &String::from_utf8_lossy(&kernel), has_mark)
}

fn told_by(environment: &Environment, kernel: &str, has_mark: bool) -> Place {
    let any = |names: &[&str]| names.iter().any(|name| environment.os(name).is_some());
    let is_wsl = || any(&["WSL_DISTRO_NAME", "WSL_INTEROP"]) || kernel.contains("microsoft");
    // `container` is what systemd-nspawn, Podman and LXC say to the processes in them.
    let is_container = || any(&["container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES"]);
    match () {
        () if any(&["SSH_CONNECTION", "SSH_TTY"]) => Place::Ssh,
        () if has_mark || is_container() => Place::Container,
        () if is_wsl() => Place::Wsl,
        () => Place::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = "6.1.0-28-amd64\n";

    fn told<const N: usize>(variables: [(&str, &str); N]) -> Place {
        told_by(&Environment::fixed(variables), KERNEL, false)
    }

    #[test]
    fn a_place_is_told_by_what_it_leaves_in_the_environment() {
        assert_eq!(told([]), Place::Plain);
        assert_eq!(told([("WSL_DISTRO_NAME", "Debian")]), Place::Wsl);
        assert_eq!(told([("container", "podman")]), Place::Container);
        assert_eq!(told([("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), Place::Container);
        assert_eq!(told([("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")]), Place::Ssh);
    }

    #[test]
    fn a_place_is_told_by_its_kernel_and_its_marks_where_the_environment_was_cleared() {
        let nothing = Environment::fixed([]);
        assert_eq!(told_by(&nothing, "5.15.153.1-microsoft-standard-WSL2\n", false), Place::Wsl);
        assert_eq!(told_by(&nothing, KERNEL, true), Place::Container);
        assert_eq!(told_by(&nothing, "5.15.153.1-microsoft-standard-WSL2\n", true), Place::Container);
        assert_eq!(told_by(&nothing, "", false), Place::Plain);
    }
}
