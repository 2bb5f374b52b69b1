//! What a person can do about the network, its proxies and its certificates.
//!
//! Which fault it was is for `http` to tell; what an answer says is not looked at.

use crate::{
    failure::{Exit, Failure},
    http::{BundleFault, Error, ProxyFault, TlsFault, UnusedReason, UnusedVariable},
    text::UntrustedText,
    time::format_duration,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Dns { host } => make_network_failure(
                "network/dns",
                format!("the name {host} could not be resolved"),
                "check the network or the VPN, and the spelling of the address in your configuration",
            ),
            Error::DnsTimeout { host, after } => make_network_failure(
                "network/dns_timeout",
                format!("no name server said within {} where {host} is", format_duration(after)),
                "check the network or the VPN; behind a proxy, set HTTPS_PROXY: it looks names up itself",
            ),
            Error::Connect { host } => make_network_failure(
                "network/connect",
                format!("{host} could not be reached"),
                "check the network or the VPN; behind a proxy, set HTTPS_PROXY",
            ),
            Error::Timeout { host, after } => make_network_failure(
                "network/timeout",
                format!("{host} did not answer within {}", format_duration(after)),
                "check the network or the VPN, then try again; behind a proxy, set HTTPS_PROXY",
            ),
            Error::Interrupted { host } => make_network_failure(
                "network/interrupted",
                format!("the connection to {host} broke off before its answer was complete"),
                "try again; if it stays so, a proxy or firewall on the way may cut it",
            ),
            Error::TooLarge { host, limit } => make_network_failure(
                "network/too_large",
                format!("the answer of {host} is larger than {} KiB and was not read", limit / 1024),
                "check that the address is the right one: no provider answers so much",
            ),
            Error::Proxy { proxy, host, fault: what } => describe_proxy_fault(&proxy, &host, what),
            Error::PacScriptNotRun(error) => describe_proxy_script(*error),
            Error::VariableNotUsed { error, variable } => describe_unused_variable(*error, &variable),
            Error::BadProxy { variable } => describe_bad_proxy(variable),
            Error::Tls { host, fault: what, issuer } => describe_tls_fault(&host, &what, issuer.as_ref()),
            Error::BadBundle { path, variable, fault: what } => {
                describe_bundle_fault(&crate::text::display_path(&path), variable, what)
            }
            Error::NoRoots => {
                let what = "this system has no certificate authorities at all";
                let hint = "install the package `ca-certificates`, or set `ca_bundle` in the profile";
                Self::new(Exit::Configuration, "config/no_roots", what, hint)
            }
            Error::NotSecure { host } => {
                let what = format!("{host} would be spoken to without encryption");
                let hint = "use an https address; plain http is for this machine only";
                Self::new(Exit::Configuration, "config/not_secure", what, hint)
            }
            Error::Internal => {
                let hint = "run again with `-vv` and report what it says";
                Self::new(Exit::Internal, "internal/request", "a request could not be made", hint)
            }
        }
    }
}

fn make_network_failure(slug: &str, what: String, hint: &'static str) -> Failure {
    Failure::new(Exit::Network, slug, what, hint)
}

/// What failed stands, but what to do is another thing.
fn describe_proxy_script(error: Error) -> Failure {
    let hint = "this system leaves the choice of a proxy to a script (PAC), which is not run here: set HTTPS_PROXY to the \
                proxy that the script names";
    Failure::from(error).with_hint(hint)
}

/// What failed stands. The variable's value is not repeated: whoever planted it would have it obeyed.
fn describe_unused_variable(error: Error, variable: &UnusedVariable) -> Failure {
    let UnusedVariable { name, key, reason: because } = variable;
    let what_to_do = match because {
        UnusedReason::DefiningFile(_) => format!("set `{key}` there if you trust it"),
        UnusedReason::Enforced(_) => "ask your administrator".to_owned(),
        UnusedReason::ProfileKey(_) => format!("check `{key}`"),
    };
    let hint = format!("{name} is set but not used, because {because}: {what_to_do}");
    Failure::from(error).with_hint(hint)
}

fn describe_bad_proxy(variable: Option<&str>) -> Failure {
    let what = format!("{} is not the address of a proxy", variable.unwrap_or("the system's proxy setting"));
    let hint = "write it as http://USER:PASSWORD@HOST:PORT (or socks5h://…), with special characters percent-encoded";
    Failure::new(Exit::Configuration, "config/proxy", what, hint)
}

fn describe_proxy_fault(proxy: &str, host: &str, what: ProxyFault) -> Failure {
    match what {
        ProxyFault::Unreachable => make_network_failure(
            "network/proxy_unreachable",
            format!("the proxy {proxy}, which leads to {host}, could not be reached"),
            "check HTTPS_PROXY or the system's proxy setting; list hosts that need no proxy in NO_PROXY",
        ),
        ProxyFault::Timeout(after) => make_network_failure(
            "network/proxy_timeout",
            format!("the proxy {proxy} opened no way to {host} within {}", format_duration(after)),
            "try again; if it stays so, check HTTPS_PROXY, or list the host in NO_PROXY if it needs no proxy",
        ),
        ProxyFault::PasswordMissing => make_network_failure(
            "network/proxy_authentication",
            format!("the proxy {proxy} wants a user name and password before it leads to {host}"),
            "set HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT, with special characters percent-encoded",
        ),
        ProxyFault::PasswordRefused => make_network_failure(
            "network/proxy_authentication",
            format!("the proxy {proxy} refused the user name and password that it was given, and leads nowhere"),
            "correct them in HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT, with special characters percent-encoded",
        ),
        ProxyFault::UnsupportedSchemes(schemes) => make_network_failure(
            "network/proxy_scheme",
            format!("the proxy {proxy} lets people in by {} only, which is not supported", schemes.to_safe_line()),
            "run a local proxy that signs in there for you (cntlm, px), and set HTTPS_PROXY to its address",
        ),
        ProxyFault::Refused(said) => describe_proxy_refusal(proxy, host, said),
    }
}

/// A gateway's error is the way's fault; anything else is the proxy's will.
fn describe_proxy_refusal(proxy: &str, host: &str, said: Option<(u16, UntrustedText)>) -> Failure {
    let words = said.as_ref().map_or_else(String::new, |(_, words)| format!(": {}", words.to_safe_line()));
    if said.is_some_and(|(status, _)| status >= 500) {
        let what = format!("the proxy {proxy} found no way to {host}{words}");
        let hint = "check the spelling of the address, then try again; list the host in NO_PROXY if it needs no proxy";
        return make_network_failure("network/proxy_gateway", what, hint);
    }
    let hint = "ask whoever runs the proxy to allow that host, or list it in NO_PROXY";
    make_network_failure("network/proxy_refused", format!("the proxy {proxy} refused to lead to {host}{words}"), hint)
}

fn describe_tls_fault(host: &str, what: &TlsFault, issuer: Option<&UntrustedText>) -> Failure {
    let by = issuer.map_or_else(String::new, |issuer| format!(", issued by \"{}\"", issuer.to_safe_line()));
    let comma = if by.is_empty() { "" } else { "," };
    let (slug, what, hint) = match what {
        TlsFault::Untrusted => (
            "network/tls_untrusted",
            format!("the certificate of {host}{by}{comma} is not trusted on this machine"),
            "if that is your company's proxy, add its certificate authority to this system's, or name its PEM file \
             in `ca_bundle`",
        ),
        TlsFault::WrongName => (
            "network/tls_name",
            format!("the certificate presented for {host} was made out to another host{by}"),
            "check the address and the network: a captive portal or a proxy may be answering in its place",
        ),
        TlsFault::Expired => (
            "network/tls_expired",
            format!("the certificate of {host} has expired{by}"),
            "check this computer's clock; if it is right, tell whoever runs that host or proxy",
        ),
        TlsFault::NotYetValid => {
            let what = format!("the certificate of {host} is not valid yet{by}");
            ("network/tls_not_yet_valid", what, "check this computer's clock")
        }
        TlsFault::Revoked => {
            let what = format!("the certificate of {host} has been revoked{by}");
            ("network/tls_revoked", what, "do not go on; tell whoever runs that host")
        }
        TlsFault::Certificate(said) => {
            let what = format!("the certificate of {host} was refused: {}{by}", said.to_safe_line());
            ("network/tls_certificate", what, "tell whoever runs that host or the proxy before it")
        }
        TlsFault::Handshake(said) => (
            "network/tls_handshake",
            format!("no encrypted connection to {host} came about: {}", said.to_safe_line()),
            "check the address, and whether a proxy or captive portal answers in its place",
        ),
    };
    make_network_failure(slug, what, hint)
}

fn describe_bundle_fault(path: &str, variable: Option<&str>, what: BundleFault) -> Failure {
    let source = variable.unwrap_or("ca_bundle");
    let mut hint = format!("point {source} to a PEM file with your company's certificate authority, or unset it");
    let wrong = match what {
        BundleFault::Unreadable(kind) => format!("cannot be read: {kind}"),
        BundleFault::NotRegular(kind) => format!("is {kind}, not a regular file"),
        BundleFault::TooLarge => "is too large for a bundle of certificates".to_owned(),
        BundleFault::Empty => "is empty".to_owned(),
        BundleFault::Relative => "is named by a relative path".to_owned(),
        BundleFault::Binary => {
            hint = format!(
                "convert it with `openssl x509 -inform der -in FILE -out FILE.pem`, and point {source} to that"
            );
            "is in binary form (DER)".to_owned()
        }
        BundleFault::NoCertificate => "holds no certificate in PEM form".to_owned(),
    };
    Failure::new(Exit::Configuration, "config/ca_bundle", format!("the certificate bundle {path} {wrong}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn an_intercepting_proxy_is_named_with_the_setting_that_trusts_it() {
        let issuer = Some(UntrustedText::new("Zscaler Root\x1b CA"));
        let failure = Failure::from(Error::Tls { host: "login.example".into(), fault: TlsFault::Untrusted, issuer });
        assert_eq!((failure.exit, failure.slug.as_str()), (Exit::Network, "network/tls_untrusted"));
        assert!(
            failure.what.contains("login.example") && failure.what.contains("Zscaler Root\\u{1b} CA"),
            "{failure:?}"
        );
        assert!(failure.hint.render(&Invocation::default()).contains("`ca_bundle`"), "{failure:?}");
    }

    fn proxy(what: ProxyFault) -> (String, String) {
        let error = Error::Proxy { proxy: "proxy:3128".into(), host: "sso.acme.com".into(), fault: what };
        let Failure { exit, slug, what, hint } = error.into();
        let hint = hint.render(&Invocation::default());
        assert_eq!(exit, Exit::Network);
        assert!(hint.contains("HTTPS_PROXY") || hint.contains("NO_PROXY"), "{hint}");
        (slug, what)
    }

    #[test]
    fn each_fault_of_a_proxy_is_one_sentence_that_names_it() {
        let said = |status, words: &str| ProxyFault::Refused(Some((status, UntrustedText::new(words))));
        for (fault, slug, fact) in [
            (ProxyFault::PasswordRefused, "network/proxy_authentication", ""),
            (
                ProxyFault::UnsupportedSchemes(UntrustedText::new("Negotiate, NTLM")),
                "network/proxy_scheme",
                "Negotiate, NTLM",
            ),
            (ProxyFault::Timeout(std::time::Duration::from_secs(10)), "network/proxy_timeout", "10 s"),
            (said(403, "403 Filtered\u{1b}"), "network/proxy_refused", "sso.acme.com: 403 Filtered\\u{1b}"),
            (said(502, "502 Bad Gateway"), "network/proxy_gateway", "sso.acme.com: 502 Bad Gateway"),
            (ProxyFault::Refused(None), "network/proxy_refused", "sso.acme.com"),
        ] {
            let (found, what) = proxy(fault);
            assert!(found == slug && what.contains("proxy:3128") && what.contains(fact), "{found}: {what}");
        }
    }

    #[test]
    fn where_a_script_chooses_the_proxy_the_failure_stays_and_the_advice_is_another() {
        let unreached = Error::Connect { host: "sso.acme.com".into() };
        let plain = Failure::from(unreached.clone());
        let scripted = Failure::from(Error::PacScriptNotRun(Box::new(unreached)));
        assert_eq!((&scripted.slug, &scripted.what), (&plain.slug, &plain.what));
        let hint = scripted.hint.render(&Invocation::default());
        assert!(hint.contains("PAC") && hint.contains("HTTPS_PROXY"), "{hint}");
    }
}
