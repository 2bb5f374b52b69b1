//! The variables that set no key of a profile: which of them count, and why others do not.
//!
//! The one table of them, beside that of the keys. Reading a variable that counts is for the module that needs it.

use std::path::Path;

use serde::Serialize;

use super::{AwsEndpoints, Profile, endpoints, key::Variable, overrides, source::shown};
use crate::{
    host::{Browser, BrowserVariable, Environment, Paths, is_relative},
    http::{NotUsed, ProxyChoice, Settings, UnusedVariable},
};

/// A variable of the program's own, or of other programs.
#[derive(Debug)]
pub(super) struct Declared {
    pub name: &'static str,
    /// When it counts. `Never` is none of them.
    pub rule: Variable,
    /// The key of the profile that says the same, and outranks it.
    pub key: Option<&'static str>,
    /// What it does where it counts: for docs/variables.md.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is tested against it"))]
    pub effect: &'static str,
}

const fn declared(
    name: &'static str,
    rule: Variable,
    key: Option<&'static str>,
    effect: &'static str,
) -> Declared {
    Declared { name, rule, key, effect }
}

use Variable::{Always, WithoutFile};

const AUTHORITIES: [&str; 4] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

#[rustfmt::skip]
pub(super) static DECLARED: [Declared; 25] = [
    declared("BEDROCK_SSO_PROFILE", Always, None, "the profile, as `--profile`"),
    declared("BEDROCK_SSO_CONFIG", WithoutFile, None, "the configuration file, as `--config`; an absolute path, or one that begins with `~/`"),
    declared("BEDROCK_SSO_LOG", Always, None, "what to log"),
    declared("BEDROCK_SSO_LOG_FILE", Always, None, "where to log: the absolute path of a new file or of an earlier log"),
    declared("AWS_ENDPOINT_URL_STS", WithoutFile, Some("sts_endpoint"), "the address of STS"),
    declared("AWS_ENDPOINT_URL_COGNITO_IDENTITY", WithoutFile, Some("cognito_endpoint"), "the address of Cognito identity pools"),
    declared("AWS_ENDPOINT_URL_BEDROCK", WithoutFile, Some("bedrock_endpoint"), "the address of Amazon Bedrock, for lists of models"),
    declared("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", WithoutFile, Some("bedrock_endpoint"), "the address of Amazon Bedrock, for answers of models"),
    declared("AWS_ENDPOINT_URL", WithoutFile, Some("sts_endpoint"), "the address of each of these services that has no variable of its own"),
    declared("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", WithoutFile, None, "`true`: the variables above do not count"),
    declared("AWS_USE_FIPS_ENDPOINT", Always, None, "`true`: AWS's own host for FIPS"),
    declared("AWS_USE_DUALSTACK_ENDPOINT", Always, None, "`true`: AWS's own host for IPv4 and IPv6"),
    declared("AWS_CA_BUNDLE", WithoutFile, Some("ca_bundle"), "a PEM file of authorities to trust besides the system's"),
    declared("SSL_CERT_FILE", WithoutFile, Some("ca_bundle"), "another such file"),
    declared("SSL_CERT_DIR", WithoutFile, Some("ca_bundle"), "on Linux, a folder of authorities"),
    declared("NODE_EXTRA_CA_CERTS", WithoutFile, Some("ca_bundle"), "another such file"),
    declared("HTTPS_PROXY", Always, Some("proxy"), "the proxy for every connection but those to this machine"),
    declared("https_proxy", Always, Some("proxy"), "the same, after HTTPS_PROXY"),
    declared("ALL_PROXY", Always, Some("proxy"), "the same, after https_proxy"),
    declared("all_proxy", Always, Some("proxy"), "the same, after ALL_PROXY"),
    declared("NO_PROXY", Always, None, "hosts that are reached without a proxy"),
    declared("no_proxy", Always, None, "the same, after NO_PROXY"),
    declared("BROWSER", Always, Some("browser"), "the program that opens addresses, by its name or its absolute path; `none` opens nothing"),
    declared("XDG_CONFIG_HOME", Always, None, "on Linux, the folder of the user's configuration"),
    declared("XDG_DATA_HOME", Always, None, "on Linux, the folder of what is stored"),
];

/// A variable that is set, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub name: String,
    /// Why it is not used; `None`: it is.
    pub not_used: Option<String>,
}

impl Profile {
    /// What decides about connections on behalf of this profile.
    pub fn network<'s>(&'s self, environment: &'s Environment) -> Settings<'s> {
        let unused = |name| self.unused(name, environment);
        let services = [
            ("sts", "AWS_ENDPOINT_URL_STS"),
            ("cognito-identity", "AWS_ENDPOINT_URL_COGNITO_IDENTITY"),
            ("bedrock", "AWS_ENDPOINT_URL_BEDROCK"),
            ("bedrock-runtime", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        ];
        let endpoint = |(service, name)| {
            let found = unused(name).or_else(|| unused("AWS_ENDPOINT_URL"))?;
            let key = DECLARED.iter().find(|declared| declared.name == name)?.key?;
            Some((service, UnusedVariable { key, ..found }))
        };
        Settings {
            environment,
            ca_bundle: self.ca_bundle.as_deref().map(Path::new),
            proxy: self.proxy.clone(),
            with_authority_variables: self.silences("ca_bundle").is_none(),
            unused_authorities: AUTHORITIES.into_iter().find_map(unused),
            unused_endpoints: services.into_iter().filter_map(endpoint).collect(),
        }
    }

    /// The program that shows addresses.
    pub fn chosen_browser(&self, environment: &Environment) -> Browser {
        let is_silenced = self.is_enforced("browser");
        let variable = if is_silenced { BrowserVariable::Silenced } else { BrowserVariable::Counts };
        Browser::choose(&self.browser, variable, environment)
    }

    /// Whether AWS's own variables may say where its services are.
    pub fn uses_endpoint_variables(&self) -> bool {
        self.silences("sts_endpoint").is_none()
    }

    /// Whether the administrator's file enforces a key.
    pub fn is_enforced(&self, key: &str) -> bool {
        self.enforced.contains(key)
    }

    /// Every variable that is set and has, or would have, an effect.
    pub fn variables(&self, environment: &Environment, paths: &Paths) -> Vec<Seen> {
        let own = overrides::variables(environment).into_iter().map(|name| Seen { name, not_used: None });
        let set = DECLARED.iter().filter(|declared| changes_something(declared.name, environment));
        let others = set.map(|declared| {
            let not_used = self.why_not_used(declared, environment, paths);
            Seen { name: declared.name.to_owned(), not_used }
        });
        own.chain(others).collect()
    }

    fn why_not_used(&self, declared: &Declared, environment: &Environment, paths: &Paths) -> Option<String> {
        if let Some(why) = self.not_used(declared) {
            return Some(why.to_string());
        }
        let value = environment.path(declared.name).unwrap_or_default();
        let is_set = |name: &&&str| environment.os(name).is_some();
        let before = |names: &'static [&str]| {
            let nearer = names.iter().take_while(|name| **name != declared.name).find(is_set);
            nearer.map(|name| format!("{name} is set"))
        };
        match declared.name {
            "BROWSER" if is_relative(&value.to_string_lossy()) => Some("its path is relative".to_owned()),
            "HTTPS_PROXY" | "https_proxy" | "ALL_PROXY" | "all_proxy" => before(&PROXIES),
            "NO_PROXY" | "no_proxy" => before(&EXCEPTIONS),
            "XDG_CONFIG_HOME" if !paths.user_config.starts_with(&value) => {
                Some(format!("{} is used", shown(&paths.user_config, environment)))
            }
            "XDG_DATA_HOME" if !paths.data.starts_with(&value) => {
                Some(format!("{} is used", shown(&paths.data, environment)))
            }
            _ => None,
        }
    }

    /// Why the files, rather than the variable, decide.
    fn not_used(&self, declared: &Declared) -> Option<NotUsed> {
        let key = declared.key?;
        match declared.rule {
            WithoutFile => self.silences(key),
            Always | Variable::Never => self.is_enforced(key).then_some(NotUsed::Enforced(key)),
        }
        .or_else(|| self.outranks(declared.name).then_some(NotUsed::Key(key)))
    }

    /// Whether the profile's own value stands in the variable's place.
    fn outranks(&self, variable: &str) -> bool {
        let AwsEndpoints { sts, cognito, bedrock } = &self.aws_endpoints;
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

    fn unused(&self, name: &'static str, environment: &Environment) -> Option<UnusedVariable> {
        environment.os(name)?;
        let declared = DECLARED.iter().find(|declared| declared.name == name)?;
        let because = self.not_used(declared).filter(|because| !matches!(because, NotUsed::Key(_)))?;
        Some(UnusedVariable { name, key: declared.key?, because })
    }

    /// Why no variable says what this key could say.
    fn silences(&self, key: &'static str) -> Option<NotUsed> {
        if let Some(file) = &self.decided_by {
            return Some(NotUsed::File(file.clone()));
        }
        let keys = if endpoints::KEYS.contains(&key) { &endpoints::KEYS[..] } else { &[key] };
        let enforced = keys.iter().find(|key| self.is_enforced(key))?;
        Some(NotUsed::Enforced(enforced))
    }
}

/// The nearer first.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Whether it is set, and to something else than what holds without it.
fn changes_something(name: &str, environment: &Environment) -> bool {
    let Some(value) = environment.path(name) else { return false };
    let in_home = match name {
        "XDG_CONFIG_HOME" => ".config",
        "XDG_DATA_HOME" => ".local/share",
        _ => return true,
    };
    environment.path("HOME").is_none_or(|home| home.join(in_home) != value)
}
