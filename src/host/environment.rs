//! The environment variables: the process's own, or a fixed set in a test.
//!
//! Reading only. Nothing in this program ever changes the environment.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

/// Where variables are looked up. Empty values count as absent, as most programs treat them.
#[derive(Clone, Debug)]
pub enum Environment {
    Process,
    Fixed(BTreeMap<String, String>),
}

/// Whether variables of the environment may decide something, or the administrator's files alone do.
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

    /// The names of all variables that are set.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn var_names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Process => std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
            Self::Fixed(values) => values.keys().cloned().collect(),
        };
        names.sort();
        names
    }

    /// The variable as text; one that is not Unicode counts as absent.
    pub fn var_text(&self, name: &str) -> Option<String> {
        self.var_os(name)?.into_string().ok()
    }

    pub fn var_path(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).map(PathBuf::from)
    }

    /// Whether a variable says yes, as AWS's own switches do.
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
