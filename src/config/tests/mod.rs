//! Tests of the whole configuration through its public functions. The golden list `config` contains the messages.
//!
//! The files are real. They are in a temporary directory that serves as the home directory.

mod additions;
mod choice;
mod defaults;
mod example;
mod faults;
mod federation;
mod files;
mod identity_center;
mod issuer;
mod layers;
mod reference;
mod require;
mod shown;
mod telemetry;
mod trust;
mod variables;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{ConfigInputs, Error, FlagOverride, Profile, keys::find_key};
use crate::{
    failure::Failure,
    hint::Invocation,
    host::{Environment, HostPaths},
};

/// An absolute path on this system.
const KEY_FILE: &str = if cfg!(windows) { "C:/k.pem" } else { "/k.pem" };

pub(super) const GOOD: &str = r#"
version = 1
[profiles.claude]
issuer = "https://acme.okta.com"
client_id = "0oa1b2c3d4"
role_arn = "arn:aws:iam::123456789012:role/BedrockUser"
region = "us-east-1"
"#;

/// The same file, but variables may set every key.
pub(super) const TRUSTING: &str = r#"trust_environment = true
version = 1
[profiles.claude]
issuer = "https://acme.okta.com"
client_id = "0oa1b2c3d4"
role_arn = "arn:aws:iam::123456789012:role/BedrockUser"
region = "us-east-1"
"#;

/// A home directory with configuration files, and the environment and flags of a call.
pub(super) struct Home {
    folder: TempDir,
    paths: HostPaths,
    variables: BTreeMap<String, String>,
    file: Option<PathBuf>,
    profile: Option<String>,
    flags: Vec<FlagOverride>,
}

impl Home {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        Self {
            paths: HostPaths {
                user_config: folder.path().join("user.toml"),
                system_config: folder.path().join("system.toml"),
                data: folder.path().join("data"),
                home_data: folder.path().join("data"),
            },
            variables: ["HOME", "USERPROFILE"].map(|name| (name.to_owned(), home.clone())).into(),
            folder,
            file: None,
            profile: None,
            flags: Vec::new(),
        }
    }

    pub(super) fn user(self, text: impl AsRef<[u8]>) -> Self {
        self.with("user.toml", text)
    }

    pub(super) fn system(self, text: impl AsRef<[u8]>) -> Self {
        self.with("system.toml", text)
    }

    #[expect(clippy::disallowed_methods, reason = "scratch files of a test need no privacy")]
    pub(super) fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.at(name), text).unwrap();
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn flag(mut self, key: &'static str, value: &'static str, name: &'static str) -> Self {
        let key = find_key(key).unwrap();
        self.flags.push(FlagOverride { key, value, name });
        self
    }

    pub(super) fn profile(mut self, name: &str) -> Self {
        self.profile = Some(name.to_owned());
        self
    }

    pub(super) fn file(mut self, name: &str) -> Self {
        self.file = Some(self.at(name));
        self
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn ask<T>(&self, question: impl Fn(&ConfigInputs<'_>) -> T) -> T {
        let environment = Environment::Fixed(self.variables.clone());
        question(&ConfigInputs {
            environment: &environment,
            paths: &self.paths,
            file: self.file.clone(),
            profile: self.profile.clone(),
            flags: &self.flags,
            with_user_layers: true,
        })
    }

    pub(super) fn load(&self) -> Result<Profile, Error> {
        self.ask(super::load_profile)
    }

    /// Every problem in a line of its own. Compares the lines with the golden list.
    #[track_caller]
    pub(super) fn lines(&self) -> Vec<String> {
        let error = self.load().expect_err("this configuration is wrong");
        let lines: Vec<_> = error.problem_lines().iter().map(|line| line.replace("~\\", "~/")).collect();
        let failure = Failure::from(error).render(&Invocation::default());
        let without_version = |text: &str| text.replace("~\\", "~/").replace(env!("CARGO_PKG_VERSION"), "{version}");
        lines.iter().for_each(|line| testworld::expect_wording("config", "problems", &without_version(line)));
        testworld::expect_failure(&without_version(&failure));
        lines
    }

    /// The problem of a configuration that has exactly one.
    #[track_caller]
    pub(super) fn line(&self) -> String {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

/// Asserts that the line contains each of these facts: a place, a key, a value.
#[track_caller]
pub(super) fn assert_has(line: &str, facts: &[&str]) {
    for fact in facts {
        assert!(line.contains(fact), "{fact:?} is not in {line:?}");
    }
}
