//! Converts an error of `reqwest` into a fact, by the causes that the error wraps.
//!
//! The outer message of `reqwest` says only that sending failed. Some inner error types are private, so this module
//! recognises those by the start of their text. The tests of `http` fail if an update changes such a text.

use std::{error, io, time::Duration};

use rustls::CertificateError;

use super::{
    CONNECT_TIMEOUT, Error, ProxyFault, TlsFault, proxy::ProxyEndpoint, resolver::NameServerTimeout,
    verifier::RefusedCertificate,
};
use crate::text::UntrustedText;

/// The facts about a request that its error does not contain.
pub(super) struct RequestContext<'a> {
    pub(super) host: &'a str,
    /// The proxy that the request used.
    pub(super) proxy: Option<&'a ProxyEndpoint>,
    pub(super) total_timeout: Duration,
}

impl RequestContext<'_> {
    /// Classifies an error. The order matters: a failure of the proxy also looks like a failed connection, and a
    /// timeout of the name server like a timeout of the connection.
    pub(super) fn classify_error(&self, error: &reqwest::Error) -> Error {
        let host = || self.host.to_owned();
        if let Some(what) = self.classify_proxy_fault(error) {
            return what;
        }
        if let Some(tls) = find_cause::<rustls::Error>(error) {
            let (what, issuer) = classify_tls_error(tls);
            return Error::Tls { host: host(), fault: what, issuer };
        }
        match () {
            () if let Some(NameServerTimeout(after)) = find_cause(error) => {
                Error::DnsTimeout { host: strip_port(self.host).to_owned(), after: *after }
            }
            () if error.is_timeout() && error.is_connect() => Error::Timeout { host: host(), after: CONNECT_TIMEOUT },
            () if error.is_timeout() => Error::Timeout { host: host(), after: self.total_timeout },
            () if error.is_dns() || has_cause_starting_with(error, "dns error") => {
                Error::Dns { host: strip_port(self.host).to_owned() }
            }
            () if has_cause_starting_with(error, "tcp ") => Error::Connect { host: host() },
            () => Error::Interrupted { host: host() },
        }
    }

    /// Returns the fault if the proxy failed or refused. After the tunnel stands, TLS errors concern the host, not the
    /// proxy.
    fn classify_proxy_fault(&self, error: &reqwest::Error) -> Option<Error> {
        let proxy = self.proxy?;
        let says = |phrases: &[&str]| phrases.iter().any(|words| has_cause_starting_with(error, words));
        let what = match () {
            () if says(&PROXY_AUTH_PHRASES) && proxy.authorization.is_some() => ProxyFault::PasswordRefused,
            () if says(&PROXY_AUTH_PHRASES) => ProxyFault::PasswordMissing,
            () if error.is_timeout() && error.is_connect() => ProxyFault::Timeout(CONNECT_TIMEOUT),
            () if says(&PROXY_UNREACHABLE_PHRASES) => ProxyFault::Unreachable,
            () if error.is_connect() && find_cause::<rustls::Error>(error).is_none() => ProxyFault::Refused(None),
            () => return None,
        };
        Some(Error::Proxy { proxy: proxy.host_and_port.clone(), host: self.host.to_owned(), fault: what })
    }
}

/// The texts of `reqwest` for status 407 and for the equivalent in SOCKS.
const PROXY_AUTH_PHRASES: [&str; 3] = [
    "tunnel error: proxy authorization required",
    "SOCKS error: credentials not accepted",
    "SOCKS error: server does not support user/pass authentication",
];

/// The texts of `reqwest` when it did not reach the proxy (HTTP or SOCKS).
const PROXY_UNREACHABLE_PHRASES: [&str; 4] = [
    "tunnel error: failed to create underlying connection",
    "SOCKS error: failed to create underlying connection",
    "tcp connect error",
    "dns error",
];

/// Classifies a TLS error. A refused certificate also yields the name of its issuer.
fn classify_tls_error(error: &rustls::Error) -> (TlsFault, Option<UntrustedText>) {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<RefusedCertificate>() {
                Some(RefusedCertificate { reason, issuer }) => (classify_certificate_error(reason), issuer.clone()),
                None => (TlsFault::Certificate(UntrustedText::new(other.0.to_string())), None),
            }
        }
        rustls::Error::InvalidCertificate(reason) => (classify_certificate_error(reason), None),
        other => (TlsFault::Handshake(UntrustedText::new(other.to_string())), None),
    }
}

fn classify_certificate_error(reason: &CertificateError) -> TlsFault {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::Revoked => TlsFault::Revoked,
        other => TlsFault::Certificate(UntrustedText::new(other.to_string())),
    }
}

/// Finds the first cause of this type.
fn find_cause<'a, T: error::Error + 'static>(error: &'a (dyn error::Error + 'static)) -> Option<&'a T> {
    iterate_causes(error).find_map(|cause| cause.downcast_ref())
}

/// Returns whether a cause's text starts with these words.
fn has_cause_starting_with(error: &(dyn error::Error + 'static), words: &str) -> bool {
    iterate_causes(error).any(|cause| cause.to_string().starts_with(words))
}

/// Iterates the error and its causes. `io::Error::source` skips the error that it wraps, so that one is unwrapped here.
fn iterate_causes<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| match cause.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn error::Error + 'static)),
        None => cause.source(),
    })
}

/// The host without its port.
fn strip_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}
