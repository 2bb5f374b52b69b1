//! Chooses the proxy for an address by the profile, by `HTTPS_PROXY` and `NO_PROXY`, and by the system's settings.
//!
//! A proxy's password goes only to that proxy: messages, logs and `Debug` output show only host and port. Loopback
//! addresses never use a proxy.

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

/// The variables that name a proxy, the first that is set wins. `HTTP_PROXY` is not used: plain http goes only to this
/// machine. (In a CGI process, a client could set `HTTP_PROXY` by a request header.)
pub const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The variables that list hosts without a proxy, in the same order.
pub const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The proxy and the hosts that do not use it. The default connects directly.
#[derive(Clone, Default)]
pub(super) struct ProxyRules {
    proxy: Option<ProxyEndpoint>,
    bypass: ProxyBypass,
    /// The system's settings choose the proxy by a script (PAC), which this program does not run.
    has_pac_script: bool,
}

/// A proxy's address and credentials.
#[derive(Clone)]
pub(super) struct ProxyEndpoint {
    /// Contains user name and password.
    address: Secret,
    /// Host and port, for messages and logs.
    pub(super) host_and_port: String,
    pub(super) over_http: bool,
    /// The `Proxy-Authorization` header for an HTTP proxy, if the address has a user name.
    pub(super) authorization: Option<Secret>,
}

/// The profile's choice of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// No choice: use the environment's proxy, or else the system's.
    Variables,
    /// Use the system's proxy and ignore the variables.
    System,
    /// Use no proxy.
    Direct,
    /// Use this proxy. The address is valid and contains no password.
    At(String),
}

impl ProxyChoice {
    /// Returns `None` if the text is not the address of a proxy.
    pub fn from_address(address: &str) -> Option<Self> {
        ProxyEndpoint::parse(address).map(|_| Self::At(address.to_owned()))
    }
}

impl ProxyRules {
    /// Combines the profile's choice with environment and system. The system's list of excluded hosts applies only to
    /// the system's proxy. Fails if the address is invalid: ignoring it could send requests around the proxy.
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

    /// Returns the proxy for this address. Loopback addresses have none, or the proxy would see local secrets.
    pub(super) fn proxy_for(&self, target: &SecureUrl) -> Option<&ProxyEndpoint> {
        let url = target.as_url();
        let is_covered = self.bypass.covers(url.host_str()?, url.port_or_known_default()?);
        self.proxy.as_ref().filter(|_| !target.is_loopback() && !is_covered)
    }

    /// Returns whether the client connects directly only because it does not run the system's proxy script.
    pub(super) fn skips_pac_script(&self, target: &SecureUrl) -> bool {
        self.has_pac_script && self.proxy.is_none() && !target.is_loopback()
    }

    /// Builds the client that uses the proxy, if there is one.
    pub(super) fn build_proxied_client(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> Result<Option<reqwest::Client>, Error> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let through = reqwest::Proxy::all(proxy.address.expose()).map_err(|_| Error::Internal)?;
        builder.proxy(through).build().map(Some).map_err(|_| Error::Internal)
    }
}

/// Windows may list one proxy per protocol: `http=a:80;https=b:81`.
fn select_https_proxy(address: &str) -> Option<&str> {
    if !address.contains('=') {
        return Some(address);
    }
    address.split([';', ' ']).find_map(|part| part.trim().strip_prefix("https="))
}

impl ProxyEndpoint {
    /// Returns `None` if the text is not the address of a proxy. An unescaped `/`, `?` or `#` in a password is one
    /// cause: the rest of the password would otherwise become a part of the host.
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

    /// Host and port for a TCP connection.
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

/// Shows only host and port, because the address may contain a password.
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
    fn proxy_variables_have_their_order_without_http_proxy() {
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
    fn system_proxy_for_https_applies_with_its_exceptions() {
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
    fn invalid_proxy_address_is_an_error() {
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
    fn proxy_credentials_are_decoded_and_not_shown() {
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
    fn skipped_pac_script_is_noted_for_direct_connections() {
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
    fn profiles_proxy_precedes_variables_and_system() {
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
