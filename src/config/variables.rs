//! The variables that set no key of a profile: which of them count, and why others do not.
//!
//! The one table of them, beside that of the keys. Reading a variable that counts is for the module that needs it.

use std::path::Path;

use serde::Serialize;

use super::{AwsEndpoints, ConfigKey, Profile, key::VariablePolicy, keys, overrides, source_file::display_path};
use crate::{
    host::{Browser, Environment, HostPaths, VariableUse, is_relative_command},
    http::{
        HttpSettings, NO_PROXY_VARIABLES, PROXY_VARIABLES, ProxyChoice, UnusedReason, UnusedVariable, UnusedVariables,
    },
};

/// A variable of the program's own, or of other programs.
#[derive(Debug)]
pub(super) struct KnownVariable {
    pub name: &'static str,
    /// When it counts.
    pub policy: VariablePolicy,
    /// The key of the profile that says the same, and outranks it.
    pub key: Option<&'static ConfigKey>,
    /// What it does where it counts: for docs/variables.md.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is tested against it"))]
    pub effect: &'static str,
}

const fn declare_variable(
    name: &'static str,
    rule: VariablePolicy,
    key: Option<&'static ConfigKey>,
    effect: &'static str,
) -> KnownVariable {
    KnownVariable { name, policy: rule, key, effect }
}

use VariablePolicy::{Always, WithoutFile};

const AUTHORITY_VARIABLES: [&str; 4] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

#[rustfmt::skip]
pub(super) static KNOWN_VARIABLES: [KnownVariable; 25] = [
    declare_variable("BEDROCK_SSO_PROFILE", Always, None, "the profile, as `--profile`"),
    declare_variable("BEDROCK_SSO_CONFIG", WithoutFile, None, "the configuration file, as `--config`; an absolute path, or one that begins with `~/`"),
    declare_variable("BEDROCK_SSO_LOG", Always, None, "what to log"),
    declare_variable("BEDROCK_SSO_LOG_FILE", Always, None, "where to log: the absolute path of a new file or of an earlier log"),
    declare_variable("AWS_ENDPOINT_URL_STS", WithoutFile, Some(keys::STS_ENDPOINT.untyped()), "the address of STS"),
    declare_variable("AWS_ENDPOINT_URL_COGNITO_IDENTITY", WithoutFile, Some(keys::COGNITO_ENDPOINT.untyped()), "the address of Cognito identity pools"),
    declare_variable("AWS_ENDPOINT_URL_BEDROCK", WithoutFile, Some(keys::BEDROCK_ENDPOINT.untyped()), "the address of Amazon Bedrock, for lists of models"),
    declare_variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", WithoutFile, Some(keys::BEDROCK_ENDPOINT.untyped()), "the address of Amazon Bedrock, for answers of models"),
    declare_variable("AWS_ENDPOINT_URL", WithoutFile, Some(keys::STS_ENDPOINT.untyped()), "the address of each of these services that has no variable of its own"),
    declare_variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", WithoutFile, None, "`true`: the variables above do not count"),
    declare_variable("AWS_USE_FIPS_ENDPOINT", Always, None, "`true`: AWS's own host for FIPS"),
    declare_variable("AWS_USE_DUALSTACK_ENDPOINT", Always, None, "`true`: AWS's own host for IPv4 and IPv6"),
    declare_variable("AWS_CA_BUNDLE", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "a PEM file of authorities to trust besides the system's"),
    declare_variable("SSL_CERT_FILE", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "another such file"),
    declare_variable("SSL_CERT_DIR", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "on Linux, a folder of authorities"),
    declare_variable("NODE_EXTRA_CA_CERTS", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "another such file"),
    declare_variable("HTTPS_PROXY", Always, Some(keys::PROXY.untyped()), "the proxy for every connection but those to this machine"),
    declare_variable("https_proxy", Always, Some(keys::PROXY.untyped()), "the same, after HTTPS_PROXY"),
    declare_variable("ALL_PROXY", Always, Some(keys::PROXY.untyped()), "the same, after https_proxy"),
    declare_variable("all_proxy", Always, Some(keys::PROXY.untyped()), "the same, after ALL_PROXY"),
    declare_variable("NO_PROXY", Always, None, "hosts that are reached without a proxy"),
    declare_variable("no_proxy", Always, None, "the same, after NO_PROXY"),
    declare_variable("BROWSER", Always, Some(keys::BROWSER.untyped()), "the program that opens addresses, by its name or its absolute path; `none` opens nothing"),
    declare_variable("XDG_CONFIG_HOME", Always, None, "on Linux, the folder of the user's configuration"),
    declare_variable("XDG_DATA_HOME", Always, None, "on Linux, the folder of what is stored"),
];

/// A variable that is set, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariableStatus {
    pub name: String,
    /// Why it is not used; `None`: it is.
    pub not_used: Option<String>,
}

impl Profile {
    /// What decides about connections on behalf of this profile.
    pub fn network_settings<'s>(&'s self, environment: &'s Environment) -> HttpSettings<'s> {
        let unused = |name| self.find_unused_variable(name, environment);
        let services = [
            ("sts", "AWS_ENDPOINT_URL_STS"),
            ("cognito-identity", "AWS_ENDPOINT_URL_COGNITO_IDENTITY"),
            ("bedrock", "AWS_ENDPOINT_URL_BEDROCK"),
            ("bedrock-runtime", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        ];
        let endpoint = |(service, name)| {
            let found = unused(name).or_else(|| unused("AWS_ENDPOINT_URL"))?;
            let key = KNOWN_VARIABLES.iter().find(|declared| declared.name == name)?.key?.name;
            Some((service, UnusedVariable { key, ..found }))
        };
        HttpSettings {
            environment,
            ca_bundle: self.ca_bundle.as_deref().map(Path::new),
            proxy: self.proxy.clone(),
            authority_variables: match self.find_blocking_reason(&keys::CA_BUNDLE) {
                None => VariableUse::Honored,
                Some(_) => VariableUse::Ignored,
            },
            unused: UnusedVariables {
                authorities: AUTHORITY_VARIABLES.into_iter().find_map(unused),
                endpoints: services.into_iter().filter_map(endpoint).collect(),
            },
        }
    }

    /// The program that shows addresses.
    pub fn chosen_browser(&self, environment: &Environment) -> Browser {
        let is_silenced = self.is_enforced(&keys::BROWSER);
        let variable = if is_silenced { VariableUse::Ignored } else { VariableUse::Honored };
        Browser::from_settings(&self.browser, variable, environment)
    }

    /// Whether AWS's own variables may say where its services are.
    pub fn uses_endpoint_variables(&self) -> bool {
        self.find_blocking_reason(&keys::STS_ENDPOINT).is_none()
    }

    /// Whether the administrator's file enforces a key.
    pub(super) fn is_enforced(&self, key: &ConfigKey) -> bool {
        self.enforced_keys.contains(key.name)
    }

    /// Every variable that is set and has, or would have, an effect.
    pub fn list_variables(&self, environment: &Environment, paths: &HostPaths) -> Vec<VariableStatus> {
        let own =
            overrides::list_key_variables(environment).into_iter().map(|name| VariableStatus { name, not_used: None });
        let set = KNOWN_VARIABLES.iter().filter(|declared| has_effect(declared.name, environment));
        let others = set.map(|declared| {
            let not_used = self.describe_unused(declared, environment, paths);
            VariableStatus { name: declared.name.to_owned(), not_used }
        });
        own.chain(others).collect()
    }

    fn describe_unused(
        &self,
        declared: &KnownVariable,
        environment: &Environment,
        paths: &HostPaths,
    ) -> Option<String> {
        if let Some(why) = self.find_unused_reason(declared) {
            return Some(why.to_string());
        }
        let value = environment.var_path(declared.name).unwrap_or_default();
        let is_set = |name: &&&str| environment.var_os(name).is_some();
        let before = |names: &'static [&str]| {
            let nearer = names.iter().take_while(|name| **name != declared.name).find(is_set);
            nearer.map(|name| format!("{name} is set"))
        };
        match declared.name {
            "BROWSER" if is_relative_command(&value.to_string_lossy()) => Some("its path is relative".to_owned()),
            "HTTPS_PROXY" | "https_proxy" | "ALL_PROXY" | "all_proxy" => before(&PROXY_VARIABLES),
            "NO_PROXY" | "no_proxy" => before(&NO_PROXY_VARIABLES),
            "XDG_CONFIG_HOME" if !paths.user_config.starts_with(&value) => {
                Some(format!("{} is used", display_path(&paths.user_config, environment)))
            }
            "XDG_DATA_HOME" if !paths.data.starts_with(&value) => {
                Some(format!("{} is used", display_path(&paths.data, environment)))
            }
            _ => None,
        }
    }

    /// Why the files, rather than the variable, decide.
    fn find_unused_reason(&self, declared: &KnownVariable) -> Option<UnusedReason> {
        let key = declared.key?;
        match declared.policy {
            WithoutFile => self.find_blocking_reason(key),
            Always => self.is_enforced(key).then_some(UnusedReason::Enforced(key.name)),
        }
        .or_else(|| self.outranks_variable(declared.name).then_some(UnusedReason::ProfileKey(key.name)))
    }

    /// Whether the profile's own value stands in the variable's place.
    fn outranks_variable(&self, variable: &str) -> bool {
        // No variable names the sign-in to the console.
        let AwsEndpoints { sts, cognito, bedrock, console: _ } = &self.aws_endpoints;
        match variable {
            "AWS_ENDPOINT_URL_STS" => sts.is_some(),
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY" => cognito.is_some(),
            "AWS_ENDPOINT_URL_BEDROCK" | "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" => bedrock.is_some(),
            "AWS_ENDPOINT_URL" => sts.is_some() && cognito.is_some() && bedrock.is_some(),
            "AWS_CA_BUNDLE" => self.ca_bundle.is_some(),
            "BROWSER" => !self.browser.is_empty(),
            "HTTPS_PROXY" | "https_proxy" | "ALL_PROXY" | "all_proxy" => self.proxy != ProxyChoice::Variables,
            _ => false,
        }
    }

    fn find_unused_variable(&self, name: &'static str, environment: &Environment) -> Option<UnusedVariable> {
        environment.var_os(name)?;
        let declared = KNOWN_VARIABLES.iter().find(|declared| declared.name == name)?;
        let because =
            self.find_unused_reason(declared).filter(|because| !matches!(because, UnusedReason::ProfileKey(_)))?;
        Some(UnusedVariable { name, key: declared.key?.name, reason: because })
    }

    /// Why no variable says what this key could say.
    fn find_blocking_reason(&self, key: &'static ConfigKey) -> Option<UnusedReason> {
        if let Some(file) = &self.deciding_file {
            return Some(UnusedReason::DefiningFile(file.clone()));
        }
        let keys = if ENDPOINT_KEYS.contains(&key) { &ENDPOINT_KEYS[..] } else { &[key] };
        let enforced = keys.iter().find(|key| self.is_enforced(key))?;
        Some(UnusedReason::Enforced(enforced.name))
    }
}

/// The keys of AWS's endpoints. Where the administrator enforces one of them, no variable counts for any.
static ENDPOINT_KEYS: [&ConfigKey; 3] =
    [keys::STS_ENDPOINT.untyped(), keys::COGNITO_ENDPOINT.untyped(), keys::BEDROCK_ENDPOINT.untyped()];

/// Whether it is set, and to something else than what holds without it.
fn has_effect(name: &str, environment: &Environment) -> bool {
    let Some(value) = environment.var_path(name) else { return false };
    let in_home = match name {
        "XDG_CONFIG_HOME" => ".config",
        "XDG_DATA_HOME" => ".local/share",
        _ => return true,
    };
    environment.var_path("HOME").is_none_or(|home| home.join(in_home) != value)
}
