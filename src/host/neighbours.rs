//! Files of other programs that work together with ours: where they lie on this system.
//!
//! It names places, as those programs find them; it creates and reads nothing.

use std::path::{Path, PathBuf};

use super::Environment;

/// The files of AWS's tools and of Claude Code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    pub aws_config: PathBuf,
    pub aws_credentials: PathBuf,
    pub claude_settings: PathBuf,
    /// The organisation's, which users cannot override.
    pub claude_managed: PathBuf,
}

impl Neighbours {
    pub fn of(environment: &Environment, home: &Path) -> Self {
        let aws = home.join(".aws");
        let named = |variable, place: PathBuf| environment.path(variable).unwrap_or(place);
        Self {
            aws_config: named("AWS_CONFIG_FILE", aws.join("config")),
            aws_credentials: named("AWS_SHARED_CREDENTIALS_FILE", aws.join("credentials")),
            claude_settings: named("CLAUDE_CONFIG_DIR", home.join(".claude")).join("settings.json"),
            claude_managed: managed().join("managed-settings.json"),
        }
    }
}

/// The user's home; `None` when the system names none.
pub fn home() -> Option<PathBuf> {
    directories::UserDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

#[cfg(target_os = "macos")]
fn managed() -> PathBuf {
    "/Library/Application Support/ClaudeCode".into()
}

#[cfg(windows)]
fn managed() -> PathBuf {
    let root = Environment::Process.path("ProgramFiles").unwrap_or_else(|| r"C:\Program Files".into());
    root.join("ClaudeCode")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn managed() -> PathBuf {
    "/etc/claude-code".into()
}

/// This program's path as other programs shall call it: one that an upgrade keeps. A package manager's link on `PATH`
/// outlives the versioned folder that it points into.
pub fn lasting_path(environment: &Environment) -> std::io::Result<PathBuf> {
    let itself = std::env::current_exe()?;
    let (Some(name), Ok(real)) = (itself.file_name(), itself.canonicalize()) else { return Ok(itself) };
    let folders = environment.os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut links = folders.unwrap_or_default().into_iter().filter(|folder| folder.is_absolute());
    let link = links.find_map(|folder| {
        let link = folder.join(name);
        (link.canonicalize().ok()? == real).then_some(link)
    });
    Ok(link.unwrap_or(itself))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_outrank_the_usual_places() {
        let home = Path::new("/home/jane");
        let usual = Neighbours::of(&Environment::fixed([]), home);
        assert_eq!(usual.aws_config, home.join(".aws/config"));
        assert_eq!(usual.claude_settings, home.join(".claude/settings.json"));
        let moved = Environment::fixed([
            ("AWS_CONFIG_FILE", "/x/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/x/credentials"),
            ("CLAUDE_CONFIG_DIR", "/x/claude"),
        ]);
        let moved = Neighbours::of(&moved, home);
        assert_eq!(
            (moved.aws_config, moved.aws_credentials, moved.claude_settings),
            ("/x/config".into(), "/x/credentials".into(), "/x/claude/settings.json".into())
        );
    }
}
