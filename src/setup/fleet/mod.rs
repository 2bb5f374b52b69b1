//! Builds the files that a device management distributes: the administrator's configuration, and Claude Code's managed
//! settings in the formats of Linux, macOS and Windows. For a profile with an Identity Center also Claude Desktop's own
//! sign-in there.
//!
//! The same configuration gives the same bytes on every computer, so an administrator can put the files under version
//! control. The module `output_folder` writes them.

mod output_folder;
mod desktop;
mod macos;
mod windows;

use serde_json::{Map, Value};

use super::{
    claude::{self, ClaudeCredentialSource},
    command_line::CommandTemplate,
    settings::{self, ClaudeSetting, ClaudeSettingKey},
};
use crate::config::Profile;

pub use output_folder::{FleetFolder, FolderChange, FolderChangeKind};

/// A file to distribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetFile {
    /// The path in the folder, with `/` as the separator on every system.
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl FleetFile {
    fn new(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into() }
    }

    /// Whether to show the content to the user. Only two files are shown: the others contain the same settings in other
    /// formats.
    pub fn should_print(&self) -> bool {
        [CONFIGURATION, LINUX].contains(&self.name)
    }

    /// Whether Claude Desktop reads the file.
    pub fn is_for_desktop(&self) -> bool {
        [MACOS_DESKTOP, WINDOWS_DESKTOP].contains(&self.name)
    }
}

/// Claude Desktop's settings. Only a profile with an Identity Center has them.
const MACOS_DESKTOP: &str = "macos/claude-desktop.mobileconfig";
const WINDOWS_DESKTOP: &str = "windows/claude-desktop.reg";

/// The administrator's configuration. Every folder contains it, so it also identifies the list of an earlier run.
const CONFIGURATION: &str = "config.toml";
/// Claude Code's managed settings for Linux.
const LINUX: &str = "linux/managed-settings.json";

/// Where the package for each system installs the program. Never in a user's home, because all users run it.
const ON_LINUX: &str = "/usr/bin/bedrock-sso";
const ON_MACOS: &str = "/usr/local/bin/bedrock-sso";
const ON_WINDOWS: &str = r"C:\Program Files\bedrock-sso\bedrock-sso.exe";

/// Builds the files for all three systems. `configuration` is the text of the administrator's file, and `profile` is
/// the one of its profiles that Claude Code uses.
pub fn build_files(configuration: &str, profile: &Profile) -> Vec<FleetFile> {
    let [linux, macos, windows] = [ON_LINUX, ON_MACOS, ON_WINDOWS].map(|program| ClaudePolicy::new(program, profile));
    let organisation = profile.sign_in_host();
    let mut files = vec![
        FleetFile::new(CONFIGURATION, configuration),
        FleetFile::new(LINUX, linux.to_settings_file()),
        FleetFile::new("macos/managed-settings.json", macos.to_settings_file()),
        FleetFile::new(
            "macos/claude-code.mobileconfig",
            macos::render_profile(&macos::CLAUDE_CODE, &macos.to_json(), organisation),
        ),
        FleetFile::new("windows/managed-settings.json", windows.to_settings_file()),
        FleetFile::new("windows/claude-code.reg", windows::render_registry(&windows)),
        FleetFile::new("windows/bedrock-sso.admx", windows::ADMX.replace('\n', "\r\n")),
        FleetFile::new("windows/en-US/bedrock-sso.adml", windows::render_adml(&windows)),
        FleetFile::new("windows/Install-Configuration.ps1", windows::render_install_script(configuration)),
    ];
    if let Some(settings) = desktop::build_desktop_settings(profile) {
        let macos = macos::render_profile(&macos::CLAUDE_DESKTOP, &settings, organisation);
        files.push(FleetFile::new(MACOS_DESKTOP, macos));
        files.push(FleetFile::new(WINDOWS_DESKTOP, windows::render_desktop_registry(&settings)));
    }
    files
}

/// Claude Code's managed settings on one system. They differ only in the path of the program.
struct ClaudePolicy(Vec<ClaudeSetting>);

impl ClaudePolicy {
    fn new(program: &str, profile: &Profile) -> Self {
        let call = CommandTemplate::new(program.as_ref(), None).expect("these paths mean the same to every shell");
        // Managed settings cannot rely on an AWS profile in each user's home, so they use `export`.
        Self(claude::build_settings(profile, &ClaudeCredentialSource::Export, &call))
    }

    /// The text of `managed-settings.json`.
    fn to_settings_file(&self) -> String {
        settings::add_settings("", &self.0).expect("an empty file accepts every setting").after
    }

    /// The settings as one JSON value, for formats that embed them.
    fn to_json(&self) -> Value {
        let (mut top, mut env) = (Map::new(), Map::new());
        for ClaudeSetting { key, value } in &self.0 {
            match key {
                ClaudeSettingKey::Top(name) => top.insert((*name).to_owned(), value.clone().into()),
                ClaudeSettingKey::Env(name) => env.insert(name.clone(), value.clone().into()),
            };
        }
        top.insert("env".to_owned(), env.into());
        top.into()
    }
}
