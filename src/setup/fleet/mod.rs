//! What a fleet's management distributes: the administrator's file, and Claude Code's policy in the form of each system.
//!
//! From one profile to texts, the same on every machine; putting them into a folder is for `folder`.

mod folder;
mod macos;
mod script;
mod windows;

use serde_json::{Map, Value};

use super::{
    call::Call,
    claude::{self, Source},
    settings::{self, Key, Setting},
};
use crate::config::{ClaudeCode, Profile};

pub use folder::{Change, Fate, Folder};

/// A file to distribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Within the folder, with `/` between its parts.
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Piece {
    fn new(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name, bytes: bytes.into() }
    }

    /// Whether it tells what was decided; the others say the same in other forms.
    pub fn tells(&self) -> bool {
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
pub fn pieces(configuration: &str, profile: &Profile, claude: &ClaudeCode) -> Vec<Piece> {
    let [linux, macos, windows] =
        [ON_LINUX, ON_MACOS, ON_WINDOWS].map(|program| Policy::new(program, profile, claude));
    let organisation = profile.issuer.url().authority();
    vec![
        Piece::new(CONFIGURATION, configuration),
        Piece::new(LINUX, linux.file()),
        Piece::new("macos/managed-settings.json", macos.file()),
        Piece::new("macos/claude-code.mobileconfig", macos::profile(&macos, organisation)),
        Piece::new("windows/managed-settings.json", windows.file()),
        Piece::new("windows/claude-code.reg", windows::registry(&windows)),
        Piece::new("windows/bedrock-sso.admx", windows::ADMX.replace('\n', "\r\n")),
        Piece::new("windows/en-US/bedrock-sso.adml", windows::adml(&windows)),
        Piece::new("windows/Install-Configuration.ps1", script::text(configuration)),
    ]
}

/// What Claude Code shall do on one system.
struct Policy(Vec<Setting>);

impl Policy {
    fn new(program: &str, profile: &Profile, claude: &ClaudeCode) -> Self {
        let call = Call::new(program.as_ref(), None).expect("these paths mean the same to every shell");
        // No policy for all users can count on a file in the home of one.
        Self(claude::settings(profile, claude, &Source::Export, &call))
    }

    /// As Claude Code's managed settings.
    fn file(&self) -> String {
        let edit = settings::with("", &self.0).expect("there is nothing to stand in the way");
        edit.after
    }

    fn value(&self) -> Value {
        let (mut top, mut env) = (Map::new(), Map::new());
        for Setting { key, value } in &self.0 {
            match key {
                Key::Top(name) => top.insert((*name).to_owned(), value.clone().into()),
                Key::Env(name) => env.insert(name.clone(), value.clone().into()),
            };
        }
        top.insert("env".to_owned(), env.into());
        top.into()
    }

    /// As a policy of Windows holds it: one line.
    fn line(&self) -> String {
        self.value().to_string()
    }
}
