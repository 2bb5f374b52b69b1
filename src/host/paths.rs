//! The paths of this program's files on this system.
//!
//! It only computes paths. It checks for one file: a configuration in the home folder takes precedence over one that a
//! variable names.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The paths. Tests replace them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPaths {
    /// The user's configuration file.
    pub user_config: PathBuf,
    /// The administrator's configuration file.
    pub system_config: PathBuf,
    /// The folder for sealed files, locks and stored failures. It does not roam between machines.
    pub data: PathBuf,
    /// The same folder in the home folder, which no variable moves.
    pub home_data: PathBuf,
}

impl HostPaths {
    /// Returns `None` if the system does not name a home folder for this user.
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

/// Chooses the user's file. `XDG_CONFIG_HOME` cannot hide a file in the home folder: otherwise a repository that sets
/// the variable could replace the configuration.
fn choose_user_config(named: PathBuf) -> PathBuf {
    let in_home = resolve_below_home("XDG_CONFIG_HOME", ".config/bedrock-sso/config.toml");
    let in_home = in_home.filter(|place| *place != named && place.symlink_metadata().is_ok());
    in_home.unwrap_or(named)
}

/// Returns the default path in the home folder if the variable that moves it is set. macOS and Windows have no such
/// variables.
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

/// Asks Windows for the folder, because the caller controls the variable `ProgramData`.
#[cfg(windows)]
fn system_config_path() -> PathBuf {
    use windows_sys::Win32::UI::Shell::FOLDERID_ProgramData;
    super::windows::find_machine_folder(&FOLDERID_ProgramData, r"C:\ProgramData").join(r"bedrock-sso\config.toml")
}

#[cfg(not(any(target_os = "macos", windows)))]
fn system_config_path() -> PathBuf {
    "/etc/bedrock-sso/config.toml".into()
}
