//! What a fleet's management distributes: the administrator's file, and Claude Code's policy in the form of each system.
//!
//! From one profile to texts, the same on every machine; putting them into a folder is for `folder`.

mod output_folder;
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
    /// Within the folder, with `/` between its parts.
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl FleetFile {
    fn new(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into() }
    }

    /// Whether it tells what was decided; the others say the same in other forms.
    pub fn should_print(&self) -> bool {
        [CONFIGURATION, LINUX].contains(&self.name)
    }
}

const CONFIGURATION: &str = "config.toml";
const LINUX: &str = "linux/managed-settings.json";

/// Where each system's package puts the program: never below anybody's home, for all users run it.
const ON_LINUX: &str = "/usr/bin/bedrock-sso";
const ON_MACOS: &str = "/usr/local/bin/bedrock-sso";
const ON_WINDOWS: &str = r"C:\Program Files\bedrock-sso\bedrock-sso.exe";

/// Everything for the three systems. `configuration` is the administrator's file, in which `profile` stands.
pub fn build_files(configuration: &str, profile: &Profile) -> Vec<FleetFile> {
    let [linux, macos, windows] = [ON_LINUX, ON_MACOS, ON_WINDOWS].map(|program| ClaudePolicy::new(program, profile));
    let organisation = profile.issuer.url().authority();
    vec![
        FleetFile::new(CONFIGURATION, configuration),
        FleetFile::new(LINUX, linux.to_settings_file()),
        FleetFile::new("macos/managed-settings.json", macos.to_settings_file()),
        FleetFile::new("macos/claude-code.mobileconfig", macos::render_profile(&macos, organisation)),
        FleetFile::new("windows/managed-settings.json", windows.to_settings_file()),
        FleetFile::new("windows/claude-code.reg", windows::render_registry(&windows)),
        FleetFile::new("windows/bedrock-sso.admx", windows::ADMX.replace('\n', "\r\n")),
        FleetFile::new("windows/en-US/bedrock-sso.adml", windows::render_adml(&windows)),
        FleetFile::new("windows/Install-Configuration.ps1", windows::render_install_script(configuration)),
    ]
}

/// What Claude Code shall do on one system.
struct ClaudePolicy(Vec<ClaudeSetting>);

impl ClaudePolicy {
    fn new(program: &str, profile: &Profile) -> Self {
        let call = CommandTemplate::new(program.as_ref(), None).expect("these paths mean the same to every shell");
        // No policy for all users can count on a file in the home of one.
        Self(claude::build_settings(profile, &ClaudeCredentialSource::Export, &call))
    }

    /// As Claude Code's managed settings.
    fn to_settings_file(&self) -> String {
        settings::add_settings("", &self.0).expect("there is nothing to stand in the way").after
    }

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
