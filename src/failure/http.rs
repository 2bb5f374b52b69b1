//! Failures of the network: DNS, connections, proxies and TLS certificates, and settings that make a connection
//! impossible.
//!
//! All connections use one client, so these failures are the same for the provider, AWS and every other host. Whatever
//! the peer itself answers belongs to `failure::oidc` or `failure::aws`. The network's failures end with exit code 9
//! and leave stored tokens untouched; wrong settings end with 3. `docs/networks.md` lists every slug of this file, and
//! a test compares them.

use std::io;

use crate::{
    failure::{Exit, Failure},
    http::{BundleFault, Error, ProxyFault, TlsFault, UnusedReason, UnusedVariable},
    shell::quote_word,
    text::UntrustedText,
    time::format_duration,
};

impl From<Error> for Failure {
    /// Hosts are in the messages as the profile or the provider spells them; `http` has made them safe for a terminal.
    fn from(error: Error) -> Self {
        match error {
            // A name server answered that the name does not exist: a VPN is missing, or the host is spelled wrongly.
            Error::Dns { host } => make_network_failure(
                "network/dns",
                format!("cannot resolve the host name {host}"),
                "check the network or VPN, and the spelling of the host in your configuration",
            ),
            // No name server answered at all. Networks with a mandatory proxy often have no DNS for outside names.
            Error::DnsTimeout { host, after } => make_network_failure(
                "network/dns_timeout",
                format!("no name server resolved {host} within {}", format_duration(after)),
                "check the network or VPN, or set HTTPS_PROXY to a proxy that resolves the name",
            ),
            // The connection was refused, or no route exists. Networks with a mandatory proxy reject direct
            // connections.
            Error::Connect { host } => make_network_failure(
                "network/connect",
                format!("cannot connect to {host}"),
                "check the network or VPN, or set HTTPS_PROXY if you are behind a proxy",
            ),
            Error::Timeout { host, after } => make_network_failure(
                "network/timeout",
                format!("{host} did not answer within {}", format_duration(after)),
                "check the network or VPN, or set HTTPS_PROXY if you are behind a proxy, then try again",
            ),
            // The connection was established, so DNS, VPN and proxy settings are right.
            Error::Interrupted { host } => make_network_failure(
                "network/interrupted",
                format!("the connection to {host} closed before its response was complete"),
                "try again, then check whether a proxy or firewall closes the connection",
            ),
            // The limit protects the memory from a wrong or hostile server.
            Error::TooLarge { host, limit } => make_network_failure(
                "network/too_large",
                format!("the response from {host} is larger than {} KiB", limit / 1024),
                "check that the address is the right one: no provider sends that much",
            ),
            Error::Proxy { proxy, host, fault: what } => describe_proxy_fault(&proxy, &host, what),
            Error::PacScriptNotRun(error) => describe_proxy_script(*error),
            Error::VariableNotUsed { error, variable } => describe_unused_variable(*error, &variable),
            Error::BadProxy { variable } => describe_bad_proxy(variable),
            Error::Tls { host, fault: what, issuer } => describe_tls_fault(&host, &what, issuer.as_ref()),
            Error::BadBundle { path, variable, fault: what } => {
                describe_bundle_fault(&crate::text::display_path(&path), variable, what)
            }
            // Minimal container images have no certificates. Without any, every TLS connection would fail with a
            // misleading message.
            Error::NoRoots => {
                let what = "this system has no trusted certificate authorities";
                let hint = "install the package `ca-certificates`, or set `ca_bundle` in the profile";
                Self::new(Exit::Configuration, "config/no_roots", what, hint)
            }
            // A token or a secret would cross a network in plain text.
            Error::NotSecure { host } => {
                let what = format!("the connection to {host} would not be encrypted");
                let hint = "use an https address: plain http is allowed only to this computer";
                Self::new(Exit::Configuration, "config/not_secure", what, hint)
            }
            // A bug of this program. The log of `-vv` has the client's own error.
            Error::Internal => {
                let hint = "run the command again with `-vv`, and report its output as a bug";
                Self::new(Exit::Internal, "internal/request", "the HTTP client could not build a request", hint)
            }
        }
    }
}

/// A failure with exit code 9, after which the same command may succeed without any change on this computer.
fn make_network_failure(slug: &str, what: String, hint: &'static str) -> Failure {
    Failure::new(Exit::Network, slug, what, hint)
}

/// The direct connection failed, and the system has a proxy script (PAC), which this program does not run. The message
/// stays, but the hint changes: the script probably chooses a proxy for this host.
fn describe_proxy_script(error: Error) -> Failure {
    let hint = "set HTTPS_PROXY to the proxy that this system's PAC script chooses: bedrock-sso runs no PAC scripts";
    Failure::from(error).with_hint(hint)
}

/// A variable might have prevented the failure, but a file decides the setting. The hint does not repeat the variable's
/// value: a repository can set variables, and a user who copied the value into the configuration would trust it.
fn describe_unused_variable(error: Error, variable: &UnusedVariable) -> Failure {
    let UnusedVariable { name, key, reason } = variable;
    let hint = match reason {
        UnusedReason::DefiningFile(file) => format!(
            "set `{key}` in {file} if you trust the value of {name}: that file defines the profile, \
             so the variable is ignored"
        ),
        UnusedReason::Enforced(enforced) => {
            format!("ask your administrator to change `{enforced}`: it is enforced, so {name} is ignored")
        }
        UnusedReason::ProfileKey(set) => format!("check `{set}` in the profile: it is set, so {name} is ignored"),
    };
    Failure::from(error).with_hint(hint)
}

/// `variable`: the one that holds the address, or `None` for the settings of Windows or macOS. The message does not
/// quote the address, because it may contain a password.
fn describe_bad_proxy(variable: Option<&str>) -> Failure {
    let what = format!("{} is not a valid proxy address", variable.unwrap_or("the system's proxy setting"));
    let hint = "write it as http://USER:PASSWORD@HOST:PORT (or socks5h://…), with special characters percent-encoded";
    Failure::new(Exit::Configuration, "config/proxy", what, hint)
}

/// The proxy was needed for `host` and did not connect to it.
fn describe_proxy_fault(proxy: &str, host: &str, what: ProxyFault) -> Failure {
    match what {
        // A proxy of the office while the user is at home, mostly.
        ProxyFault::Unreachable => make_network_failure(
            "network/proxy_unreachable",
            format!("cannot connect to the proxy {proxy} for {host}"),
            "check HTTPS_PROXY or the system's proxy setting, or list the host in NO_PROXY if it needs no proxy",
        ),
        ProxyFault::Timeout(after) => make_network_failure(
            "network/proxy_timeout",
            format!("the proxy {proxy} did not connect to {host} within {}", format_duration(after)),
            "try again, then check HTTPS_PROXY, or list the host in NO_PROXY if it needs no proxy",
        ),
        // HTTP status 407, or a SOCKS proxy that accepts no anonymous client.
        ProxyFault::PasswordMissing => make_network_failure(
            "network/proxy_authentication",
            format!("the proxy {proxy} requires a user name and password"),
            "set HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT, with special characters percent-encoded",
        ),
        ProxyFault::PasswordRefused => make_network_failure(
            "network/proxy_authentication",
            format!("the proxy {proxy} rejected the proxy user name and password"),
            "correct them in HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT, with special characters percent-encoded",
        ),
        // Negotiate, NTLM and Kerberos need the user's domain sign-in, which only a local proxy such as cntlm can
        // supply.
        ProxyFault::UnsupportedSchemes(schemes) => make_network_failure(
            "network/proxy_scheme",
            format!("the proxy {proxy} requires unsupported authentication: {}", schemes.to_safe_line()),
            "run a local proxy that authenticates for you (cntlm, px), and set HTTPS_PROXY to its address",
        ),
        ProxyFault::Refused(said) => describe_proxy_refusal(proxy, host, said),
    }
}

/// The proxy answered CONNECT with another status than 2xx. A 5xx status (502, 504) says that the proxy did not reach
/// the host; anything else, such as 403, is a rule that the proxy's administrator can change.
fn describe_proxy_refusal(proxy: &str, host: &str, said: Option<(u16, UntrustedText)>) -> Failure {
    let words = said.as_ref().map_or_else(String::new, |(_, words)| format!(": {}", words.to_safe_line()));
    if said.is_some_and(|(status, _)| status >= 500) {
        let what = format!("the proxy {proxy} could not reach {host}{words}");
        let hint = "check the spelling of the host, then try again, or list it in NO_PROXY if it needs no proxy";
        return make_network_failure("network/proxy_gateway", what, hint);
    }
    let hint = "ask the proxy's administrator to allow the host, or list it in NO_PROXY if it needs no proxy";
    make_network_failure(
        "network/proxy_refused",
        format!("the proxy {proxy} refused to connect to {host}{words}"),
        hint,
    )
}

/// Verification of the server's certificate failed, or the handshake before it. `issuer` is who signed the certificate:
/// behind a TLS-intercepting proxy it names the proxy's certificate authority, which identifies the cause at once. No
/// hint suggests to switch verification off, because this program cannot.
fn describe_tls_fault(host: &str, what: &TlsFault, issuer: Option<&UntrustedText>) -> Failure {
    let by = issuer.map_or_else(String::new, |issuer| format!(", issued by \"{}\"", issuer.to_safe_line()));
    let (slug, what, hint) = match what {
        TlsFault::Untrusted => (
            "network/tls_untrusted",
            format!("this computer does not trust the certificate of {host}{by}"),
            "if your company's proxy issued it, add its CA to the system's trust store, or set `ca_bundle` to its PEM file",
        ),
        TlsFault::WrongName => (
            "network/tls_name",
            format!("{host} presented a certificate for another host name{by}"),
            "check the address for typing errors, and the network for a captive portal or proxy",
        ),
        // A wrong clock is more likely than an expired certificate at a public provider.
        TlsFault::Expired => (
            "network/tls_expired",
            format!("the certificate of {host} has expired{by}"),
            "check this computer's clock, then report the certificate to the administrator of the host or proxy",
        ),
        TlsFault::NotYetValid => {
            let what = format!("the certificate of {host} is not valid yet{by}");
            ("network/tls_not_yet_valid", what, "check this computer's clock")
        }
        // The key may be stolen, so the user must not continue.
        TlsFault::Revoked => {
            let what = format!("the certificate of {host} has been revoked{by}");
            ("network/tls_revoked", what, "do not sign in there, and report this to the host's administrator")
        }
        TlsFault::Certificate(said) => {
            let what = format!("the certificate of {host} is invalid: {}{by}", said.to_safe_line());
            (
                "network/tls_certificate",
                what,
                "report this to the administrator of that host, or of the proxy before it",
            )
        }
        // No common version or cipher, or the peer does not use TLS at all.
        TlsFault::Handshake(said) => (
            "network/tls_handshake",
            format!("the TLS handshake with {host} failed: {}", said.to_safe_line()),
            "check the address, and whether a captive portal or proxy answers in its place",
        ),
    };
    make_network_failure(slug, what, hint)
}

/// A file with certificate authorities cannot be used. It is an error and not skipped: without the file, the connection
/// would fail later with a message about an untrusted certificate. `variable` is the one that names the file, `None`
/// for the profile.
fn describe_bundle_fault(path: &str, variable: Option<&str>, what: BundleFault) -> Failure {
    let source = variable.unwrap_or("`ca_bundle`");
    let remove = if variable.is_some() { "unset" } else { "remove" };
    let mut hint = format!("set {source} to a PEM file with your company's certificate authority, or {remove} it");
    let wrong = match what {
        BundleFault::Unreadable(io::ErrorKind::NotFound) => "does not exist".to_owned(),
        BundleFault::Unreadable(kind) => format!("cannot be read: {kind}"),
        BundleFault::NotRegular(kind) => format!("is {kind}, not a regular file"),
        BundleFault::TooLarge => "is too large for a certificate bundle".to_owned(),
        BundleFault::Empty => "is empty".to_owned(),
        // A relative path would let the current folder, such as a cloned repository, choose the authorities.
        BundleFault::Relative => {
            hint = format!("set {source} to the absolute path of the file, or {remove} it");
            "is named by a relative path".to_owned()
        }
        BundleFault::Binary => {
            hint = format!(
                "run `openssl x509 -inform der -in {} -out NEW.pem`, and set {source} to NEW.pem",
                quote_word(path)
            );
            "is in binary form (DER), not PEM".to_owned()
        }
        BundleFault::NoCertificate => "contains no certificate in PEM form".to_owned(),
    };
    Failure::new(Exit::Configuration, "config/ca_bundle", format!("the certificate bundle {path} {wrong}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn untrusted_certificate_names_its_issuer_and_ca_bundle() {
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
    fn each_proxy_fault_names_the_proxy_and_the_cause() {
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
    fn pac_script_changes_the_hint_and_not_the_message() {
        let unreached = Error::Connect { host: "sso.acme.com".into() };
        let plain = Failure::from(unreached.clone());
        let scripted = Failure::from(Error::PacScriptNotRun(Box::new(unreached)));
        assert_eq!((&scripted.slug, &scripted.what), (&plain.slug, &plain.what));
        let hint = scripted.hint.render(&Invocation::default());
        assert!(hint.contains("PAC") && hint.contains("HTTPS_PROXY"), "{hint}");
    }
}
