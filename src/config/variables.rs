//! The variables of other programs that this one reads: which of them count for a profile, and why others do not.
//!
//! The one table of them. Reading a variable that counts is for the module that needs it.

use std::path::Path;

use super::{Profile, endpoints, key::Variable, overrides};
use crate::{
    host::{Browser, BrowserVariable, Environment},
    http::{NotUsed, Settings, UnusedVariable},
};

/// A variable of other programs.
#[derive(Debug)]
pub struct Foreign {
    pub name: &'static str,
    /// When it counts. `Never` is none of them.
    pub(super) rule: Variable,
    /// The key of the profile that says the same, and outranks it.
    pub key: Option<&'static str>,
    /// What it does where it counts.
    pub effect: &'static str,
}

const fn foreign(
    name: &'static str,
    rule: Variable,
    key: Option<&'static str>,
    effect: &'static str,
) -> Foreign {
    Foreign { name, rule, key, effect }
}

use Variable::{Always, WithoutFile};

const AUTHORITIES: [&str; 4] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

#[rustfmt::skip]
pub static FOREIGN: [Foreign; 21] = [
    foreign("AWS_ENDPOINT_URL_STS", WithoutFile, Some("sts_endpoint"), "the address of STS"),
    foreign("AWS_ENDPOINT_URL_COGNITO_IDENTITY", WithoutFile, Some("cognito_endpoint"), "the address of Cognito identity pools"),
    foreign("AWS_ENDPOINT_URL_BEDROCK", WithoutFile, Some("bedrock_endpoint"), "the address of Amazon Bedrock, for lists of models"),
    foreign("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", WithoutFile, Some("bedrock_endpoint"), "the address of Amazon Bedrock, for answers of models"),
    foreign("AWS_ENDPOINT_URL", WithoutFile, Some("sts_endpoint"), "the address of each of these services that has no variable of its own"),
    foreign("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", WithoutFile, None, "`true`: the variables above do not count"),
    foreign("AWS_USE_FIPS_ENDPOINT", Always, None, "`true`: AWS's own host for FIPS"),
    foreign("AWS_USE_DUALSTACK_ENDPOINT", Always, None, "`true`: AWS's own host for IPv4 and IPv6"),
    foreign("AWS_CA_BUNDLE", WithoutFile, Some("ca_bundle"), "a PEM file of authorities to trust besides the system's"),
    foreign("SSL_CERT_FILE", WithoutFile, Some("ca_bundle"), "another such file"),
    foreign("SSL_CERT_DIR", WithoutFile, Some("ca_bundle"), "on Linux, a folder of authorities"),
    foreign("NODE_EXTRA_CA_CERTS", WithoutFile, Some("ca_bundle"), "another such file"),
    foreign("HTTPS_PROXY", Always, Some("proxy"), "the proxy for every connection but those to this machine"),
    foreign("https_proxy", Always, Some("proxy"), "the same, after HTTPS_PROXY"),
    foreign("ALL_PROXY", Always, Some("proxy"), "the same, after https_proxy"),
    foreign("all_proxy", Always, Some("proxy"), "the same, after ALL_PROXY"),
    foreign("NO_PROXY", Always, None, "hosts that are reached without a proxy"),
    foreign("no_proxy", Always, None, "the same, after NO_PROXY"),
    foreign("BROWSER", Always, Some("browser"), "the program that opens addresses, by its name or its absolute path; `none` opens nothing"),
    foreign("XDG_CONFIG_HOME", Always, None, "on Linux, the folder of the user's configuration"),
    foreign("XDG_DATA_HOME", Always, None, "on Linux, the folder of what is stored"),
];

/// A variable that is set, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            let key = FOREIGN.iter().find(|foreign| foreign.name == name)?.key?;
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
    pub fn variables(&self, environment: &Environment) -> Vec<Seen> {
        let own = overrides::variables(environment).into_iter().map(|name| Seen { name, not_used: None });
        let set = FOREIGN.iter().filter(|foreign| environment.os(foreign.name).is_some());
        let others = set.map(|foreign| {
            let why = self.not_used(foreign);
            Seen { name: foreign.name.to_owned(), not_used: why.map(|why| why.to_string()) }
        });
        own.chain(others).collect()
    }

    fn not_used(&self, foreign: &Foreign) -> Option<NotUsed> {
        foreign.key.filter(|_| foreign.rule == WithoutFile).and_then(|key| self.silences(key))
    }

    fn unused(&self, name: &'static str, environment: &Environment) -> Option<UnusedVariable> {
        environment.os(name)?;
        let foreign = FOREIGN.iter().find(|foreign| foreign.name == name)?;
        let because = self.not_used(foreign)?;
        Some(UnusedVariable { name, key: foreign.key?, because })
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
