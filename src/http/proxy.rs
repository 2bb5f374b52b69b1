//! Which proxy stands between this machine and an address: `HTTPS_PROXY`, `NO_PROXY` and the system's settings.
//!
//! It decides, and tells only the proxy's host: a password leaves it towards that proxy and nowhere else.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use openidconnect::url::Url;
use percent_encoding::percent_decode_str;

use super::{Error, proxy_bypass::ProxyBypass};
use crate::{
    host::{Environment, SystemProxy},
    secret::Secret,
    url::SecureUrl,
};

/// The nearer first; capitals before small letters. `HTTP_PROXY` has no say: plain http goes to this machine only.
pub const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Lists of hosts that are reached without a proxy, in the same order.
pub const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

#[derive(Clone, Default)]
pub(super) struct ProxyRules {
    proxy: Option<ProxyEndpoint>,
    bypass: ProxyBypass,
    /// The system would run a script to find one; we do not.
    has_pac_script: bool,
}

#[derive(Clone)]
pub(super) struct ProxyEndpoint {
    /// With user name and password.
    address: Secret,
    /// Host and port, for people.
    pub(super) host_and_port: String,
    pub(super) over_http: bool,
    /// What an HTTP proxy is sent, where there is a user name.
    pub(super) authorization: Option<Secret>,
}

/// What the profile says of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// Nothing: the environment's, else the system's.
    Variables,
    /// The system's, whatever variables say.
    System,
    /// None at all.
    Direct,
    /// This one. It was parsed before, and holds no password.
    At(String),
}

impl ProxyChoice {
    /// `None` for what is no address of a proxy.
    pub fn from_address(address: &str) -> Option<Self> {
        ProxyEndpoint::parse(address).map(|_| Self::At(address.to_owned()))
    }
}

impl ProxyRules {
    /// The profile's proxy, else the environment's, else the system's; with the hosts that `NO_PROXY` and, for the
    /// system's proxy, the system's settings exclude. Fails when the address is not that of a proxy.
    pub(super) fn from_choice(
        choice: &ProxyChoice,
        environment: &Environment,
        system: &SystemProxy,
    ) -> Result<Self, Error> {
        let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, environment.var_text(name)?)));
        let bypass = first(&NO_PROXY_VARIABLES).map_or(String::new(), |(_, list)| list);
        let proxy = match choice {
            ProxyChoice::Direct => return Ok(Self::default()),
            ProxyChoice::At(address) => ProxyEndpoint::parse(address).ok_or(Error::Internal)?,
            ProxyChoice::Variables if let Some((variable, text)) = first(&PROXY_VARIABLES) => {
                ProxyEndpoint::parse(&text).ok_or(Error::BadProxy { variable: Some(variable) })?
            }
            ProxyChoice::Variables | ProxyChoice::System => {
                let address = system.address.as_deref().and_then(select_https_proxy);
                let bad = Error::BadProxy { variable: None };
                let proxy = address.map(|text| ProxyEndpoint::parse(text).ok_or(bad)).transpose()?;
                let bypass = ProxyBypass::parse(&format!("{bypass},{}", system.bypass));
                return Ok(Self { proxy, bypass, has_pac_script: system.has_script });
            }
        };
        Ok(Self { proxy: Some(proxy), bypass: ProxyBypass::parse(&bypass), has_pac_script: false })
    }

    /// The proxy that requests for this address pass through; none for this very machine.
    pub(super) fn proxy_for(&self, target: &SecureUrl) -> Option<&ProxyEndpoint> {
        let url = target.as_url();
        let is_covered = self.bypass.covers(url.host_str()?, url.port_or_known_default()?);
        self.proxy.as_ref().filter(|_| !target.is_loopback() && !is_covered)
    }

    /// Whether this address is tried without a proxy only because nobody runs the system's script.
    pub(super) fn skips_pac_script(&self, target: &SecureUrl) -> bool {
        self.has_pac_script && self.proxy.is_none() && !target.is_loopback()
    }

    /// The client that sends through the proxy, where there is one.
    pub(super) fn build_proxied_client(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> Result<Option<reqwest::Client>, Error> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let through = reqwest::Proxy::all(proxy.address.expose()).map_err(|_| Error::Internal)?;
        builder.proxy(through).build().map(Some).map_err(|_| Error::Internal)
    }
}

/// Windows may name a proxy for each protocol.
fn select_https_proxy(address: &str) -> Option<&str> {
    if !address.contains('=') {
        return Some(address);
    }
    address.split([';', ' ']).find_map(|part| part.trim().strip_prefix("https="))
}

impl ProxyEndpoint {
    /// `None` for what is no address of a proxy. A password with a sign that ends an address is such a case.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let url = match text.contains("://") {
            true => Url::parse(text),
            false => Url::parse(&format!("http://{text}")),
        };
        let url = url.ok().filter(|url| SCHEMES.contains(&url.scheme()))?;
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| is_bare && !host.is_empty())?;
        let shown = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Some(Self {
            host_and_port: shown,
            over_http: url.scheme() == "http",
            authorization: build_authorization(&url),
            address: Secret::new(url.to_string()),
        })
    }

    /// Where to reach it by TCP.
    pub(super) fn socket_address(&self) -> String {
        if self.host_and_port.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            return self.host_and_port.clone();
        }
        format!("{}:80", self.host_and_port)
    }
}

fn build_authorization(url: &Url) -> Option<Secret> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let pair = [url.username(), url.password().unwrap_or_default()];
    let pair = pair.map(|part| percent_decode_str(part).collect::<Vec<u8>>()).join(&b':');
    Some(Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair))))
}

/// Without addresses: they may hold a password.
impl fmt::Debug for ProxyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyRules").field(&self.proxy.as_ref().map(|proxy| &proxy.host_and_port)).finish()
    }
}

#[cfg(test)]
impl ProxyRules {
    pub(super) fn from_https_proxy(proxy: &str) -> Self {
        let environment = Environment::fixed([("HTTPS_PROXY", proxy)]);
        Self::from_choice(&ProxyChoice::Variables, &environment, &SystemProxy::default()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(variables: &[(&str, &str)], system: &SystemProxy) -> Option<String> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let proxies =
            ProxyRules::from_choice(&ProxyChoice::Variables, &Environment::Fixed(owned.collect()), system).unwrap();
        let target = SecureUrl::parse("https://sso.acme.com/").unwrap();
        proxies.proxy_for(&target).map(|proxy| proxy.host_and_port.clone())
    }

    fn system(address: &str, bypass: &str) -> SystemProxy {
        SystemProxy { address: Some(address.into()), bypass: bypass.into(), has_script: false }
    }

    #[test]
    fn the_nearer_setting_goes_first_and_http_proxy_has_no_say() {
        let none = SystemProxy::default();
        let all = [
            ("HTTPS_PROXY", "http://a:1"),
            ("https_proxy", "b:2"),
            ("ALL_PROXY", "socks5h://c:3"),
            ("all_proxy", "socks5://d:4"),
        ];
        for (first, expected) in ["a:1", "b:2", "c:3", "d:4"].iter().enumerate() {
            assert_eq!(shown(&all[first..], &none).as_deref(), Some(*expected));
        }
        assert_eq!(shown(&[("HTTP_PROXY", "http://e:5"), ("http_proxy", "http://e:5")], &none), None);
        assert_eq!(shown(&[("HTTPS_PROXY", "")], &none), None);
        assert_eq!(shown(&all[..1], &system("f:6", "")).as_deref(), Some("a:1"));
        assert_eq!(shown(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "acme.com")], &none), None);
    }

    #[test]
    fn the_systems_proxy_is_the_one_for_https_with_its_own_exceptions() {
        for (settings, expected) in [
            (system("proxy:8080", "*.acme.org;<local>"), Some("proxy:8080")),
            (system("http=a:1;https=b:2;socks=c:3", ""), Some("b:2")),
            (system("http=a:1", ""), None),
            (system("proxy:8080", "10.*;*.acme.com"), None),
        ] {
            assert_eq!(shown(&[], &settings).as_deref(), expected, "{settings:?}");
        }
        assert_eq!(shown(&[("NO_PROXY", ".acme.com")], &system("proxy:8080", "")), None);
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_never_passed_over() {
        for text in [
            "http://me:pa#ss@proxy:1", "http://me:pa/ss@proxy:1", "ftp://proxy:1", "http://", "proxy:x", "pac+http://a",
        ] {
            let refused = ProxyRules::from_choice(
                &ProxyChoice::Variables,
                &Environment::fixed([("ALL_PROXY", text)]),
                &SystemProxy::default(),
            );
            assert_eq!(refused.unwrap_err(), Error::BadProxy { variable: Some("ALL_PROXY") }, "{text}");
        }
        let refused =
            ProxyRules::from_choice(&ProxyChoice::Variables, &Environment::fixed([]), &system("https=proxy:x", ""));
        assert_eq!(refused.unwrap_err(), Error::BadProxy { variable: None });
    }

    #[test]
    fn user_name_and_password_are_for_the_proxy_only() {
        let proxies = ProxyRules::from_https_proxy("http://me:p%40ss%3a%zz%+f@proxy:3128/");
        let proxy = proxies.proxy.as_ref().unwrap();
        assert_eq!(
            proxy.authorization,
            Some(Secret::new(format!("Basic {}", BASE64_STANDARD.encode("me:p@ss:%zz%+f"))))
        );
        assert_eq!(
            (proxy.host_and_port.as_str(), format!("{proxies:?}")),
            ("proxy:3128", "ProxyRules(Some(\"proxy:3128\"))".into())
        );
        assert_eq!(ProxyRules::from_https_proxy("proxy").proxy.unwrap().socket_address(), "proxy:80");
        assert_eq!(ProxyRules::from_https_proxy("[2001:db8::1]").proxy.unwrap().socket_address(), "[2001:db8::1]:80");
    }

    #[test]
    fn a_script_that_nobody_runs_makes_the_way_a_guess() {
        let scripted = SystemProxy { has_script: true, ..SystemProxy::default() };
        let [far, near] = ["https://sso.acme.com/", "http://localhost:1/"].map(|url| SecureUrl::parse(url).unwrap());
        let proxies = ProxyRules::from_choice(&ProxyChoice::Variables, &Environment::fixed([]), &scripted).unwrap();
        assert!(proxies.skips_pac_script(&far) && !proxies.skips_pac_script(&near));
        let proxies = ProxyRules::from_choice(
            &ProxyChoice::Variables,
            &Environment::fixed([("HTTPS_PROXY", "proxy:1")]),
            &scripted,
        )
        .unwrap();
        assert!(!proxies.skips_pac_script(&far));
    }

    #[test]
    fn profiles_choice_outranks_variables_and_system() {
        let environment = Environment::fixed([("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "own.example")]);
        let through = |choice: ProxyChoice, address: &str| {
            let proxies = ProxyRules::from_choice(&choice, &environment, &system("f:6", "")).unwrap();
            proxies.proxy_for(&SecureUrl::parse(address).unwrap()).map(|proxy| proxy.host_and_port.clone())
        };
        let far = "https://sso.acme.com/";
        let own = || ProxyChoice::from_address("socks5h://p:2").unwrap();
        assert_eq!(through(ProxyChoice::Variables, far).as_deref(), Some("a:1"));
        assert_eq!(through(ProxyChoice::System, far).as_deref(), Some("f:6"));
        assert_eq!(through(ProxyChoice::Direct, far), None);
        assert_eq!(through(own(), far).as_deref(), Some("p:2"));
        assert_eq!(through(own(), "https://own.example/"), None);
        assert_eq!(ProxyChoice::from_address("ftp://p:2"), None);
    }
}
