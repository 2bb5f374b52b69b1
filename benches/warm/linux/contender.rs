//! One command of the comparison, and how it is started.

use std::{ffi::OsString, path::PathBuf};

/// A command that is compared with others.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub name: String,
    pub environment: Vec<(OsString, OsString)>,
    pub without_kernel_keyring: bool,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// The longest time that it may take, as a multiple of `cat`.
    pub limit: Option<f64>,
    pub is_ours: bool,
    pub is_shipped: bool,
    pub in_crowd: bool,
}

impl Contender {
    pub(super) fn new(name: &str, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            without_kernel_keyring: false,
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            limit: None,
            is_ours: false,
            is_shipped: false,
            in_crowd: false,
        }
    }

    /// The command as the arguments of `turns`.
    pub(super) fn words(&self) -> Vec<OsString> {
        let variable = |(name, value): &(OsString, OsString)| {
            let mut word = name.clone();
            word.push("=");
            word.push(value);
            word
        };
        let mut words: Vec<OsString> = self.environment.iter().map(variable).collect();
        words.extend(self.without_kernel_keyring.then(|| "-k".into()));
        words.push(self.program.clone().into());
        words.extend(self.arguments.iter().cloned());
        words
    }

    pub(super) fn size(&self) -> u64 {
        self.program.metadata().map_or(0, |found| found.len())
    }
}
