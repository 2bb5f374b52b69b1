//! Where this program's files live on this system.
//!
//! It names places; whether a file exists decides only between two of them.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The places, known or overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPaths {
    /// The user's configuration file, where `directories` puts it.
    pub user_config: PathBuf,
    /// The administrator's.
    pub system_config: PathBuf,
    /// Sealed files, locks and remembered failures; never roams between machines.
    pub data: PathBuf,
    /// The same below the home, where no variable moves it.
    pub home_data: PathBuf,
}

impl HostPaths {
    /// `None` when the system names no home for this user.
    pub fn from_system() -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "bedrock-sso")?;
        let data = dirs.data_local_dir().to_owned();
        Some(Self {
            user_config: choose_user_config(dirs.config_dir().join("config.toml")),
            system_config: system_config_path(),
            home_data: resolve_below_home("XDG_DATA_HOME", ".local/share/bedrock-sso").unwrap_or_else(|| data.clone()),
            data,
        })
    }
}

/// A variable does not hide the file in the home's own place.
fn choose_user_config(named: PathBuf) -> PathBuf {
    let in_home = resolve_below_home("XDG_CONFIG_HOME", ".config/bedrock-sso/config.toml");
    let in_home = in_home.filter(|place| *place != named && place.symlink_metadata().is_ok());
    in_home.unwrap_or(named)
}

/// A place in the home, where the variable is set that may name another. macOS and Windows have no such variables.
fn resolve_below_home(variable: &str, place: &str) -> Option<PathBuf> {
    if cfg!(any(target_os = "macos", windows)) {
        return None;
    }
    super::Environment::Process.var_os(variable)?;
    Some(directories::BaseDirs::new()?.home_dir().join(place))
}

#[cfg(target_os = "macos")]
fn system_config_path() -> PathBuf {
    "/Library/Application Support/bedrock-sso/config.toml".into()
}

/// As Windows itself knows it: the variable `ProgramData` is the caller's to set.
#[cfg(windows)]
fn system_config_path() -> PathBuf {
    use windows_sys::Win32::UI::Shell::FOLDERID_ProgramData;
    super::windows::find_machine_folder(&FOLDERID_ProgramData, r"C:\ProgramData").join(r"bedrock-sso\config.toml")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn system_config_path() -> PathBuf {
    "/etc/bedrock-sso/config.toml".into()
}
