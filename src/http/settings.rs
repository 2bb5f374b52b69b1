//! What decides about connections besides the address: authorities, and the variables that count.
//!
//! It carries what was decided elsewhere; no variable is read here.

use std::{fmt, path::Path};

use super::{Error, ProxyChoice, TlsFault};
use crate::{host::Environment, url::SecureUrl};

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct HttpSettings<'s> {
    pub environment: &'s Environment,
    pub ca_bundle: Option<&'s Path>,
    pub proxy: ProxyChoice,
    /// Whether the variables of other programs may add authorities.
    pub with_authority_variables: bool,
    /// A variable that would add authorities, and does not count.
    pub unused_authorities: Option<UnusedVariable>,
    /// Variables that would name another address of an AWS service, by the first label of its hosts.
    pub unused_endpoints: Vec<(&'static str, UnusedVariable)>,
}

impl<'s> HttpSettings<'s> {
    /// Where no profile is known: the variables of the environment count.
    pub fn from_environment(environment: &'s Environment) -> Self {
        Self {
            environment,
            ca_bundle: None,
            proxy: ProxyChoice::Variables,
            with_authority_variables: true,
            unused_authorities: None,
            unused_endpoints: Vec::new(),
        }
    }
}

/// A variable that is set and does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedVariable {
    pub name: &'static str,
    /// The key that would say the same in a file.
    pub key: &'static str,
    pub reason: UnusedReason,
}

/// Why a variable does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusedReason {
    /// This file defines the profile, and decides.
    DefiningFile(String),
    /// The administrator enforces this key.
    Enforced(&'static str),
    /// The profile sets this key, which outranks it.
    ProfileKey(&'static str),
}

impl fmt::Display for UnusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefiningFile(file) => write!(f, "{file} defines the profile"),
            Self::ProfileKey(key) => write!(f, "the profile sets `{key}`"),
            Self::Enforced(key) => write!(f, "the administrator enforces `{key}`"),
        }
    }
}

/// The variables that would have changed something, and do not count.
#[derive(Debug, Default)]
pub(super) struct UnusedVariables {
    pub(super) authorities: Option<UnusedVariable>,
    pub(super) endpoints: Vec<(&'static str, UnusedVariable)>,
}

impl UnusedVariables {
    pub(super) fn iter(&self) -> impl Iterator<Item = &UnusedVariable> {
        self.authorities.iter().chain(self.endpoints.iter().map(|(_, variable)| variable))
    }

    /// The failure with the variable that might have prevented it.
    pub(super) fn explain_error(&self, error: Error, target: &SecureUrl) -> Error {
        let host = target.as_url().host_str().unwrap_or_default();
        let service = host.split('.').next().unwrap_or_default();
        let service = service.strip_suffix("-fips").unwrap_or(service);
        let of_host = || self.endpoints.iter().find(|(name, _)| *name == service).map(|(_, it)| it);
        let is_untrusted = matches!(error, Error::Tls { fault: TlsFault::Untrusted, .. });
        let variable = self.authorities.as_ref().filter(|_| is_untrusted);
        match variable
            .or_else(|| of_host().filter(|_| error.is_unreachable() || error.is_proxy_error()))
            .cloned()
        {
            Some(variable) => Error::VariableNotUsed { error: Box::new(error), variable },
            None => error,
        }
    }
}
