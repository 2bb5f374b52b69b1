//! The environment variables that do not belong to a single key, including those of other programs: when each of them
//! counts, and why it does not.
//!
//! This table is the only place that decides it; the module that needs a variable reads it only if this file allows
//! that. Users set variables such as `AWS_CA_BUNDLE` for other programs. So `status`, `doctor` and failures name the
//! variables that this program does not use, and the reason.

use std::path::Path;

use serde::Serialize;

use super::{AwsEndpoints, ConfigKey, Profile, key::VariablePolicy, keys, overrides, source_file::display_path};
use crate::{
    host::{Browser, Environment, HostPaths, VariableUse, is_relative_command},
    http::{
        HttpSettings, NO_PROXY_VARIABLES, PROXY_VARIABLES, ProxyChoice, UnusedReason, UnusedVariable, UnusedVariables,
    },
};

/// An environment variable that affects this program: one of its own, or one of another program, such as HTTPS_PROXY.
#[derive(Debug)]
pub(super) struct KnownVariable {
    pub name: &'static str,
    /// When the variable counts.
    pub policy: VariablePolicy,
    /// The key with the same effect. A profile that sets this key wins over the variable.
    pub key: Option<&'static ConfigKey>,
    /// What the variable does if it counts, for docs/variables.md.
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

/// The variables that add certificate authorities.
const AUTHORITY_VARIABLES: [&str; 4] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

#[rustfmt::skip]
pub(super) static KNOWN_VARIABLES: [KnownVariable; 27] = [
    declare_variable("BEDROCK_SSO_PROFILE", Always, None, "chooses the profile, like `--profile`"),
    declare_variable("BEDROCK_SSO_CONFIG", WithoutFile, None, "names the configuration file, like `--config`; an absolute path, or one that begins with `~/`"),
    declare_variable("BEDROCK_SSO_LOG", Always, None, "chooses what the program logs"),
    declare_variable("BEDROCK_SSO_LOG_FILE", Always, None, "names the log file: the absolute path of a new file or of an earlier log"),
    declare_variable("AWS_ENDPOINT_URL_STS", WithoutFile, Some(keys::STS_ENDPOINT.untyped()), "sets the address of AWS STS"),
    declare_variable("AWS_ENDPOINT_URL_COGNITO_IDENTITY", WithoutFile, Some(keys::COGNITO_ENDPOINT.untyped()), "sets the address of Cognito identity pools"),
    declare_variable("AWS_ENDPOINT_URL_BEDROCK", WithoutFile, Some(keys::BEDROCK_ENDPOINT.untyped()), "sets the address of Amazon Bedrock for lists of models"),
    declare_variable("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", WithoutFile, Some(keys::BEDROCK_ENDPOINT.untyped()), "sets the address of Amazon Bedrock for requests to models"),
    declare_variable("AWS_ENDPOINT_URL_SSO_OIDC", WithoutFile, Some(keys::IDENTITY_CENTER_ENDPOINT.untyped()), "sets the address of IAM Identity Center for sign-ins"),
    declare_variable("AWS_ENDPOINT_URL_SSO", WithoutFile, Some(keys::IDENTITY_CENTER_ENDPOINT.untyped()), "sets the address of IAM Identity Center's access portal"),
    declare_variable("AWS_ENDPOINT_URL", WithoutFile, Some(keys::STS_ENDPOINT.untyped()), "sets the address of each of these services whose own variable is not set"),
    declare_variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", WithoutFile, None, "`true` disables the variables above"),
    declare_variable("AWS_USE_FIPS_ENDPOINT", Always, None, "`true` selects AWS's host for FIPS"),
    declare_variable("AWS_USE_DUALSTACK_ENDPOINT", Always, None, "`true` selects AWS's host for IPv4 and IPv6"),
    declare_variable("AWS_CA_BUNDLE", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "names a PEM file with certificate authorities to trust besides the system's"),
    declare_variable("SSL_CERT_FILE", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "names a further PEM file of this kind"),
    declare_variable("SSL_CERT_DIR", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "names a folder with certificate authorities, on Linux only"),
    declare_variable("NODE_EXTRA_CA_CERTS", WithoutFile, Some(keys::CA_BUNDLE.untyped()), "names a further PEM file of this kind"),
    declare_variable("HTTPS_PROXY", Always, Some(keys::PROXY.untyped()), "sets the proxy for all connections to other computers"),
    declare_variable("https_proxy", Always, Some(keys::PROXY.untyped()), "has the same effect if HTTPS_PROXY is not set"),
    declare_variable("ALL_PROXY", Always, Some(keys::PROXY.untyped()), "has the same effect if https_proxy is not set either"),
    declare_variable("all_proxy", Always, Some(keys::PROXY.untyped()), "has the same effect if ALL_PROXY is not set either"),
    declare_variable("NO_PROXY", Always, None, "lists hosts that the program reaches without a proxy"),
    declare_variable("no_proxy", Always, None, "has the same effect if NO_PROXY is not set"),
    declare_variable("BROWSER", Always, Some(keys::BROWSER.untyped()), "names the program that opens addresses, by its name or its absolute path; `none` opens nothing"),
    declare_variable("XDG_CONFIG_HOME", Always, None, "sets the folder of the user's configuration, on Linux only"),
    declare_variable("XDG_DATA_HOME", Always, None, "sets the folder of the stored data, on Linux only"),
];

/// The name of the configuration key with the same effect as a variable; `None` if there is no such key.
pub fn find_variable_key(name: &str) -> Option<&'static str> {
    KNOWN_VARIABLES.iter().find(|declared| declared.name == name)?.key.map(|key| key.name)
}

/// A variable that is set, and whether the program uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariableStatus {
    pub name: String,
    /// Why the program does not use it; `None` if it uses it.
    pub not_used: Option<String>,
}

impl Profile {
    /// The settings for connections of this profile: proxy, certificate authorities, and the variables that are
    /// ignored. A failed connection names an ignored variable that would have helped.
    pub fn network_settings<'s>(&'s self, environment: &'s Environment) -> HttpSettings<'s> {
        let unused = |name| self.find_unused_variable(name, environment);
        let services = [
            ("sts", "AWS_ENDPOINT_URL_STS"),
            ("cognito-identity", "AWS_ENDPOINT_URL_COGNITO_IDENTITY"),
            ("bedrock", "AWS_ENDPOINT_URL_BEDROCK"),
            ("bedrock-runtime", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
            ("oidc", "AWS_ENDPOINT_URL_SSO_OIDC"),
            ("portal", "AWS_ENDPOINT_URL_SSO"),
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

    /// The browser for sign-ins. If the administrator enforces `browser`, the variable `BROWSER` does not count.
    pub fn chosen_browser(&self, environment: &Environment) -> Browser {
        let is_silenced = self.is_enforced(&keys::BROWSER);
        let variable = if is_silenced { VariableUse::Ignored } else { VariableUse::Honored };
        Browser::from_settings(&self.browser, variable, environment)
    }

    /// Whether the variables of AWS may set the addresses of AWS's services.
    pub fn uses_endpoint_variables(&self) -> bool {
        self.find_blocking_reason(&keys::STS_ENDPOINT).is_none()
    }

    /// Whether the administrator's file enforces a key.
    pub(super) fn is_enforced(&self, key: &ConfigKey) -> bool {
        self.enforced_keys.contains(key.name)
    }

    /// Every variable that is set and has an effect, or would have one if the files allowed it.
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

    /// The reason why a variable is not used, for users; `None` if it is used.
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

    /// Why the files win over this variable; `None` if it counts.
    fn find_unused_reason(&self, declared: &KnownVariable) -> Option<UnusedReason> {
        let key = declared.key?;
        match declared.policy {
            WithoutFile => self.find_blocking_reason(key),
            Always => self.is_enforced(key).then_some(UnusedReason::Enforced(key.name)),
        }
        .or_else(|| self.outranks_variable(declared.name).then_some(UnusedReason::ProfileKey(key.name)))
    }

    /// Whether the profile sets the key with the same effect.
    fn outranks_variable(&self, variable: &str) -> bool {
        // No variable sets the console endpoint.
        let AwsEndpoints { sts, cognito, bedrock, console: _, identity_center } = &self.aws_endpoints;
        match variable {
            "AWS_ENDPOINT_URL_STS" => sts.is_some(),
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY" => cognito.is_some(),
            "AWS_ENDPOINT_URL_BEDROCK" | "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" => bedrock.is_some(),
            "AWS_ENDPOINT_URL_SSO" | "AWS_ENDPOINT_URL_SSO_OIDC" => identity_center.is_some(),
            "AWS_ENDPOINT_URL" => {
                let needs_portal = self.identity_center().is_some();
                let named = sts.is_some() && cognito.is_some() && bedrock.is_some();
                named && (!needs_portal || identity_center.is_some())
            }
            "AWS_CA_BUNDLE" => self.ca_bundle.is_some(),
            "BROWSER" => !self.browser.is_empty(),
            "HTTPS_PROXY" | "https_proxy" | "ALL_PROXY" | "all_proxy" => self.proxy != ProxyChoice::Variables,
            _ => false,
        }
    }

    /// A variable that is set but that the files rule out. A variable that merely repeats a key of the profile is not
    /// reported, because the user has made that choice in the file.
    fn find_unused_variable(&self, name: &'static str, environment: &Environment) -> Option<UnusedVariable> {
        environment.var_os(name)?;
        let declared = KNOWN_VARIABLES.iter().find(|declared| declared.name == name)?;
        let because =
            self.find_unused_reason(declared).filter(|because| !matches!(because, UnusedReason::ProfileKey(_)))?;
        Some(UnusedVariable { name, key: declared.key?.name, reason: because })
    }

    /// Why no variable may set this key; `None` if variables may.
    fn find_blocking_reason(&self, key: &'static ConfigKey) -> Option<UnusedReason> {
        if let Some(file) = &self.deciding_file {
            return Some(UnusedReason::DefiningFile(file.clone()));
        }
        let keys = if ENDPOINT_KEYS.contains(&key) { &ENDPOINT_KEYS[..] } else { &[key] };
        let enforced = keys.iter().find(|key| self.is_enforced(key))?;
        Some(UnusedReason::Enforced(enforced.name))
    }
}

/// The keys of AWS's endpoints. If the administrator enforces one of them, variables set none of them: a variable such
/// as `AWS_ENDPOINT_URL` would otherwise redirect the others.
static ENDPOINT_KEYS: [&ConfigKey; 4] = [
    keys::STS_ENDPOINT.untyped(),
    keys::COGNITO_ENDPOINT.untyped(),
    keys::BEDROCK_ENDPOINT.untyped(),
    keys::IDENTITY_CENTER_ENDPOINT.untyped(),
];

/// Whether the variable is set to a value that differs from its default. Some Linux desktops set `XDG_CONFIG_HOME` to
/// its default, which changes nothing.
fn has_effect(name: &str, environment: &Environment) -> bool {
    let Some(value) = environment.var_path(name) else { return false };
    let in_home = match name {
        "XDG_CONFIG_HOME" => ".config",
        "XDG_DATA_HOME" => ".local/share",
        _ => return true,
    };
    environment.var_path("HOME").is_none_or(|home| home.join(in_home) != value)
}
