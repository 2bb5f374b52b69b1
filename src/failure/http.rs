//! What a person can do about the network, its proxies and its certificates.

use crate::{
    failure::{Exit, Failure},
    http::{BundleFault, Error, ProxyFault, TlsFault},
    text::Foreign,
    time::spoken,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Dns { host } => network(
                "network/dns",
                format!("the name {host} could not be resolved"),
                "check the network or the VPN, and the spelling of the address in your configuration",
            ),
            Error::Connect { host } => network(
                "network/connect",
                format!("{host} could not be reached"),
                "check the network or the VPN; behind a proxy, set HTTPS_PROXY",
            ),
            Error::Timeout { host, after } => network(
                "network/timeout",
                format!("{host} did not answer within {}", spoken(after)),
                "check the network or the VPN, then try again; behind a proxy, set HTTPS_PROXY",
            ),
            Error::Interrupted { host } => network(
                "network/interrupted",
                format!("the connection to {host} broke off before its answer was complete"),
                "try again; if it stays so, a proxy or firewall on the way may cut it",
            ),
            Error::TooLarge { host, limit } => network(
                "network/too_large",
                format!("the answer of {host} is larger than {} KiB and was not read", limit / 1024),
                "check that the address is the right one: no provider answers so much",
            ),
            Error::Proxy { proxy, host, what } => through_proxy(&proxy, &host, what),
            Error::Tls { host, what, issuer } => tls(&host, &what, issuer.as_ref()),
            Error::BadBundle { path, variable, what } => {
                bad_bundle(&path.display().to_string(), variable, what)
            }
            Error::NoRoots => Self::new(
                Exit::Configuration,
                "config/no_roots",
                "this system has no certificate authorities at all",
                "install the package `ca-certificates`, or set `ca_bundle` in the profile",
            ),
            Error::NotSecure { host } => Self::new(
                Exit::Configuration,
                "config/not_secure",
                format!("{host} would be spoken to without encryption"),
                "use an https address; plain http is for this machine only",
            ),
            Error::Internal => Self::new(
                Exit::Internal,
                "internal/request",
                "a request could not be made",
                "run again with `-vv` and report what it says",
            ),
        }
    }
}

fn network(slug: &str, what: String, hint: &str) -> Failure {
    Failure::new(Exit::Network, slug, what, hint)
}

fn through_proxy(proxy: &str, host: &str, what: ProxyFault) -> Failure {
    match what {
        ProxyFault::Unreachable => network(
            "network/proxy_unreachable",
            format!("the proxy {proxy}, which leads to {host}, could not be reached"),
            "check HTTPS_PROXY or the system's proxy setting; list hosts that need no proxy in NO_PROXY",
        ),
        ProxyFault::Authentication => network(
            "network/proxy_authentication",
            format!("the proxy {proxy} wants a user name and password before it leads to {host}"),
            "set HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT, with special characters percent-encoded",
        ),
        ProxyFault::Refused => network(
            "network/proxy_refused",
            format!("the proxy {proxy} refused to lead to {host}"),
            "ask whoever runs the proxy to allow that host, or list it in NO_PROXY",
        ),
    }
}

fn tls(host: &str, what: &TlsFault, issuer: Option<&Foreign>) -> Failure {
    let by = issuer.map_or_else(String::new, |issuer| format!(", issued by \"{}\"", issuer.line()));
    let end = if by.is_empty() { "" } else { "," };
    match what {
        TlsFault::Untrusted => network(
            "network/tls_untrusted",
            format!("the certificate of {host}{by}{end} is not trusted on this machine"),
            "if that is your company's proxy, set `ca_bundle` (or AWS_CA_BUNDLE) to its certificate authority in PEM form",
        ),
        TlsFault::WrongName => network(
            "network/tls_name",
            format!("the certificate presented for {host} was made out to another host{by}"),
            "check the address and the network: a captive portal or a proxy may be answering in its place",
        ),
        TlsFault::Expired => network(
            "network/tls_expired",
            format!("the certificate of {host} has expired{by}"),
            "check this computer's clock; if it is right, tell whoever runs that host or proxy",
        ),
        TlsFault::NotYetValid => network(
            "network/tls_not_yet_valid",
            format!("the certificate of {host} is not valid yet{by}"),
            "check this computer's clock",
        ),
        TlsFault::Revoked => network(
            "network/tls_revoked",
            format!("the certificate of {host} has been revoked{by}"),
            "do not go on; tell whoever runs that host",
        ),
        TlsFault::Certificate(said) => network(
            "network/tls_certificate",
            format!("the certificate of {host} was refused: {}{by}", said.line()),
            "tell whoever runs that host or the proxy before it",
        ),
        TlsFault::Handshake(said) => network(
            "network/tls_handshake",
            format!("no encrypted connection to {host} came about: {}", said.line()),
            "check the address, and whether a proxy or captive portal answers in its place",
        ),
    }
}

fn bad_bundle(path: &str, variable: Option<&str>, what: BundleFault) -> Failure {
    let source = variable.unwrap_or("ca_bundle");
    let wrong = match what {
        BundleFault::Unreadable(kind) => format!("cannot be read: {kind}"),
        BundleFault::NoCertificate => "holds no certificate in PEM form".to_owned(),
    };
    Failure::new(
        Exit::Configuration,
        "config/ca_bundle",
        format!("the certificate bundle {path} {wrong}"),
        format!("point {source} to a PEM file with your company's certificate authority, or unset it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_whose_issuer_is_unknown_makes_a_whole_sentence_too() {
        let untrusted = Error::Tls { host: "login.example".into(), what: TlsFault::Untrusted, issuer: None };
        let what = Failure::from(untrusted).what;
        assert_eq!(what, "the certificate of login.example is not trusted on this machine");
    }

    #[test]
    fn an_intercepting_proxy_is_named_with_the_setting_that_mends_it() {
        let issuer = Some(Foreign::new("Zscaler Root\x1b CA"));
        let failure =
            Failure::from(Error::Tls { host: "login.example".into(), what: TlsFault::Untrusted, issuer });
        assert_eq!(
            failure.to_string(),
            "bedrock-sso: the certificate of login.example, issued by \"Zscaler Root\\u{1b} CA\", is not trusted on \
             this machine [network/tls_untrusted]\n  hint: if that is your company's proxy, set `ca_bundle` (or AWS_CA_BUNDLE) \
             to its certificate authority in PEM form\n"
        );
    }
}
