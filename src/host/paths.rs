//! Where this program's files live on this system.
//!
//! It names places; it creates and reads nothing.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The places, known or overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The user's configuration file, where `directories` puts it.
    pub user_config: PathBuf,
    /// The administrator's.
    pub system_config: PathBuf,
    /// Sealed files, locks and remembered failures; never roams between machines.
    pub data: PathBuf,
}

impl Paths {
    /// `None` when the system names no home for this user.
    pub fn of_system() -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "bedrock-sso")?;
        Some(Self {
            user_config: dirs.config_dir().join("config.toml"),
            system_config: system_config(),
            data: dirs.data_local_dir().to_owned(),
        })
    }
}

#[cfg(target_os = "macos")]
fn system_config() -> PathBuf {
    "/Library/Application Support/bedrock-sso/config.toml".into()
}

#[cfg(windows)]
fn system_config() -> PathBuf {
    let root = super::Environment::Process.path("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
    root.join("bedrock-sso").join("config.toml")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn system_config() -> PathBuf {
    "/etc/bedrock-sso/config.toml".into()
}
