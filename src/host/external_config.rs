//! The paths of files that belong to other programs: AWS's tools and Claude Code.
//!
//! It computes the paths by the rules of those programs, and reads and creates no file.

use std::path::{Path, PathBuf};

use super::{Environment, programs::find_on_path};

/// The configuration files of AWS's tools and of Claude Code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalConfigPaths {
    pub aws_config: PathBuf,
    pub aws_credentials: PathBuf,
    pub claude_settings: PathBuf,
    /// The organisation's managed settings, which users cannot override.
    pub claude_managed: PathBuf,
    /// The file with Claude Code's own sign-ins. `None` on macOS, where the keychain has them.
    pub claude_logins: Option<PathBuf>,
}

impl ExternalConfigPaths {
    pub fn from_environment(environment: &Environment, home: &Path) -> Self {
        let aws = home.join(".aws");
        let named = |variable, place: PathBuf| environment.var_path(variable).unwrap_or(place);
        let of_aws = |variable, place| expand_home(named(variable, place), home);
        let claude = named("CLAUDE_CONFIG_DIR", home.join(".claude"));
        Self {
            aws_config: of_aws("AWS_CONFIG_FILE", aws.join("config")),
            aws_credentials: of_aws("AWS_SHARED_CREDENTIALS_FILE", aws.join("credentials")),
            claude_settings: claude.join("settings.json"),
            claude_managed: claude_managed_folder().join("managed-settings.json"),
            claude_logins: (!cfg!(target_os = "macos")).then(|| claude.join(".credentials.json")),
        }
    }
}

/// Replaces a leading `~/`, as the AWS SDKs do for their variables. Managed settings contain one value for all users,
/// and no shell expands it.
fn expand_home(path: PathBuf, home: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => home.join(rest),
        Err(_) => path,
    }
}

/// The user's home folder; `None` if the system does not name one.
pub fn find_home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

#[cfg(target_os = "macos")]
fn claude_managed_folder() -> PathBuf {
    "/Library/Application Support/ClaudeCode".into()
}

#[cfg(windows)]
fn claude_managed_folder() -> PathBuf {
    use windows_sys::Win32::UI::Shell::FOLDERID_ProgramFiles;
    super::windows::find_machine_folder(&FOLDERID_ProgramFiles, r"C:\Program Files").join("ClaudeCode")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn claude_managed_folder() -> PathBuf {
    "/etc/claude-code".into()
}

/// Returns the path by which other programs should call this one. It prefers a link on `PATH` to the versioned folder
/// that a package manager replaces with each upgrade.
pub fn find_stable_program_path(environment: &Environment) -> std::io::Result<PathBuf> {
    let itself = std::env::current_exe()?;
    let name = itself.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Ok(real) = itself.canonicalize() else { return Ok(itself) };
    let mut links = find_on_path(environment, name).into_iter();
    let link = links.find(|link| link.canonicalize().is_ok_and(|link| link == real));
    Ok(link.unwrap_or(itself))
}

/// Returns whether another user, except root, can replace the program: in a folder of its path, or of the path that
/// its links lead to. `setup --system` warns then, because every user would run the program.
#[cfg(unix)]
pub fn can_others_replace(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let trusted = [0, rustix::process::geteuid().as_raw()];
    let is_open = |path: &Path| {
        std::fs::metadata(path)
            .is_ok_and(|found| crate::files::is_open_to_others(&found) || !trusted.contains(&found.uid()))
    };
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    program.ancestors().chain(real.ancestors()).any(is_open)
}

/// On Windows, only administrators can write into the folders for programs, by inherited rights.
#[cfg(not(unix))]
pub fn can_others_replace(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn program_in_a_writable_folder_is_replaceable() {
        use std::{fs, os::unix::fs::PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let [links, open] = ["links", "open"].map(|name| folder.path().join(name));
        fs::create_dir(&links).unwrap();
        fs::create_dir_all(open.join("in")).unwrap();
        let [program, link] = [open.join("in/program"), links.join("program")];
        fs::copy("/bin/sh", &program).unwrap();
        std::os::unix::fs::symlink(&program, &link).unwrap();
        assert!(![&program, &link].map(|path| can_others_replace(path)).contains(&true));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!([&program, &link].map(|path| can_others_replace(path)), [true; 2]);
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(!can_others_replace(&link));
    }

    #[test]
    fn tilde_in_an_aws_variable_is_the_home() {
        let home = Path::new("/home/jane");
        let pinned = Environment::fixed([
            ("AWS_CONFIG_FILE", "~/.aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~other/credentials"),
        ]);
        let found = ExternalConfigPaths::from_environment(&pinned, home);
        assert_eq!(found.aws_config, home.join(".aws/config"));
        assert_eq!(found.aws_credentials, Path::new("~other/credentials"));
    }

    #[test]
    fn variables_precede_the_default_paths() {
        let home = Path::new("/home/jane");
        let usual = ExternalConfigPaths::from_environment(&Environment::fixed([]), home);
        assert_eq!(usual.aws_config, home.join(".aws/config"));
        assert_eq!(usual.claude_settings, home.join(".claude/settings.json"));
        let moved = Environment::fixed([
            ("AWS_CONFIG_FILE", "/x/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/x/credentials"),
            ("CLAUDE_CONFIG_DIR", "/x/claude"),
        ]);
        let moved = ExternalConfigPaths::from_environment(&moved, home);
        assert_eq!(
            (moved.aws_config, moved.aws_credentials, moved.claude_settings),
            ("/x/config".into(), "/x/credentials".into(), "/x/claude/settings.json".into())
        );
    }
}
