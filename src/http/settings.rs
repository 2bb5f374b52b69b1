//! The settings of the HTTP client: proxy, CA bundle, and which environment variables may change them.
//!
//! `config` makes these decisions. This module carries them and reads no variable.

use std::path::Path;

use super::{Error, ProxyChoice, TlsFault, UnusedVariable};
use crate::{
    host::{Environment, VariableUse},
    url::SecureUrl,
};

/// Everything that creates a [`super::Client`].
#[derive(Clone, Debug)]
pub struct HttpSettings<'s> {
    pub environment: &'s Environment,
    pub ca_bundle: Option<&'s Path>,
    pub proxy: ProxyChoice,
    /// Whether `AWS_CA_BUNDLE`, `SSL_CERT_FILE` and similar variables may add authorities.
    pub authority_variables: VariableUse,
    /// The variables that are set but not used, for the log and for messages.
    pub unused: UnusedVariables,
}

impl<'s> HttpSettings<'s> {
    /// Settings without a profile, for example in `setup`: the environment's variables are used.
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

/// The variables that are set but not used.
#[derive(Clone, Debug, Default)]
pub struct UnusedVariables {
    /// A variable that would add authorities.
    pub authorities: Option<UnusedVariable>,
    /// Variables that would change the endpoint of an AWS service, each with the first label of that service's hosts.
    pub endpoints: Vec<(&'static str, UnusedVariable)>,
}

impl UnusedVariables {
    pub(super) fn iter(&self) -> impl Iterator<Item = &UnusedVariable> {
        self.authorities.iter().chain(self.endpoints.iter().map(|(_, variable)| variable))
    }

    /// Adds the unused variable that might have prevented this failure, so that the message can name it.
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
