//! What decides about connections besides the address: authorities, and the variables that count.
//!
//! It carries what was decided elsewhere; no variable is read here.

use std::path::Path;

use super::{Error, ProxyChoice, TlsFault, UnusedVariable};
use crate::{
    host::{Environment, VariableUse},
    url::SecureUrl,
};

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct HttpSettings<'s> {
    pub environment: &'s Environment,
    pub ca_bundle: Option<&'s Path>,
    pub proxy: ProxyChoice,
    /// Whether `AWS_CA_BUNDLE`, `SSL_CERT_FILE` and the like may add authorities.
    pub authority_variables: VariableUse,
    pub unused: UnusedVariables,
}

impl<'s> HttpSettings<'s> {
    /// Where no profile is known: the variables of the environment count.
    pub fn from_environment(environment: &'s Environment) -> Self {
        Self {
            environment,
            ca_bundle: None,
            proxy: ProxyChoice::Variables,
            authority_variables: VariableUse::Honored,
            unused: UnusedVariables::default(),
        }
    }
}

/// The variables that are set and do not count.
#[derive(Clone, Debug, Default)]
pub struct UnusedVariables {
    /// One that would add authorities.
    pub authorities: Option<UnusedVariable>,
    /// Those that would name another address of an AWS service, each with the first label of that service's hosts.
    pub endpoints: Vec<(&'static str, UnusedVariable)>,
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
        let variable = if matches!(error, Error::Tls { fault: TlsFault::Untrusted, .. }) {
            self.authorities.as_ref()
        } else if error.is_unreachable() || matches!(error, Error::Proxy { .. }) {
            self.endpoints.iter().find(|(name, _)| *name == service).map(|(_, variable)| variable)
        } else {
            None
        };
        match variable.cloned() {
            Some(variable) => Error::VariableNotUsed { error: Box::new(error), variable },
            None => error,
        }
    }
}
