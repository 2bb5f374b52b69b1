//! Reads environment variables: those of the process, or a fixed set in a test.
//!
//! The program never changes its environment, because that is unsafe while other threads run.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

/// The source of variables. An empty value counts as absent, as in most programs.
#[derive(Clone, Debug)]
pub enum Environment {
    Process,
    Fixed(BTreeMap<String, String>),
}

/// Whether this program obeys the variables that another program defined, such as SSL_CERT_FILE. It ignores them if a
/// configuration file defines the profile, because the host may have taken the environment from an untrusted repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableUse {
    Honored,
    Ignored,
}

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn var_os(&self, name: &str) -> Option<OsString> {
        let value = match self {
            Self::Process => std::env::var_os(name),
            Self::Fixed(values) => values.get(name).map(OsString::from),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Returns the names of all variables, sorted.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn var_names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Process => std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
            Self::Fixed(values) => values.keys().cloned().collect(),
        };
        names.sort();
        names
    }

    /// Returns the variable as text. A value that is not Unicode counts as absent.
    pub fn var_text(&self, name: &str) -> Option<String> {
        self.var_os(name)?.into_string().ok()
    }

    pub fn var_path(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).map(PathBuf::from)
    }

    /// Returns whether the value is `true`, in any case, as the AWS SDKs read their switches.
    pub fn is_true(&self, name: &str) -> bool {
        self.var_text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
impl Environment {
    pub fn fixed<const N: usize>(values: [(&str, &str); N]) -> Self {
        Self::Fixed(values.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}
