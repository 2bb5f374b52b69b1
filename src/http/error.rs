//! What can go wrong between a request and its answer, as facts.
//!
//! It reads the causes beneath the client's errors; advice for people is `failure`'s.

use std::{error, fmt, io, path::PathBuf, time::Duration};

use rustls::CertificateError;

use super::{
    RequestTimeouts, UnusedVariable, proxy::ProxyEndpoint, resolver::NameServerTimeout,
    verifier::RefusedCertificate,
};
use crate::{files::FileKind, text::UntrustedText};

/// Hosts are as the address writes them, with the port where it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host's name could not be resolved.
    Dns {
        host: String,
    },
    /// No name server answered within `after`.
    DnsTimeout {
        host: String,
        after: Duration,
    },
    /// Nothing listens there, or the network has no way to it.
    Connect {
        host: String,
    },
    /// `after` is the deadline that passed: the one to connect, or the one for everything.
    Timeout {
        host: String,
        after: Duration,
    },
    /// The way to the host leads through a proxy, and ended there.
    Proxy {
        proxy: String,
        host: String,
        fault: ProxyFault,
    },
    /// There was no way without a proxy, and the system leaves the choice of one to a script, which we do not run.
    PacScriptNotRun(Box<Self>),
    /// A variable that is set might have prevented it, and does not count.
    VariableNotUsed {
        error: Box<Self>,
        variable: UnusedVariable,
    },
    /// `issuer` is who signed the refused certificate: behind an intercepting proxy, the proxy's authority.
    Tls {
        host: String,
        fault: TlsFault,
        issuer: Option<UntrustedText>,
    },
    TooLarge {
        host: String,
        limit: usize,
    },
    /// The connection ended, or stopped being HTTP, before the answer was whole.
    Interrupted {
        host: String,
    },
    /// A setting does not hold the address of a proxy. `variable` is the one, or else it is the system's.
    BadProxy {
        variable: Option<&'static str>,
    },
    /// A bundle of authorities that was asked for cannot be used. `variable` is the one that named it, if any.
    BadBundle {
        path: PathBuf,
        variable: Option<&'static str>,
        fault: BundleFault,
    },
    /// The system has no root certificates at all.
    NoRoots,
    /// Plain http to another machine, or no address at all.
    NotSecure {
        host: String,
    },
    /// A request or a client that our own code made wrongly.
    Internal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    Unreachable,
    /// It had not opened the way to the host within this time.
    Timeout(Duration),
    /// It wants a user name and password (407), and none was set.
    PasswordMissing,
    /// It wants others than it was given.
    PasswordRefused,
    /// It lets people sign in by these ways only, and we know none of them.
    UnsupportedSchemes(UntrustedText),
    /// It would not, or could not, open the way to the host, or cut it off in the handshake; with its status and its
    /// words, where it gave any.
    Refused(Option<(u16, UntrustedText)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Signed by nobody this machine trusts.
    Untrusted,
    /// Made out to another host.
    WrongName,
    Expired,
    NotYetValid,
    Revoked,
    /// Refused for another reason.
    Certificate(UntrustedText),
    /// No agreement was reached; plain http on the other side among the reasons.
    Handshake(UntrustedText),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleFault {
    Unreadable(io::ErrorKind),
    NotRegular(FileKind),
    TooLarge,
    Empty,
    /// A variable names it by a path that depends on the folder of the call.
    Relative,
    /// A certificate, but not as text.
    Binary,
    NoCertificate,
}

/// What is known of a request when it fails.
pub(super) struct RequestContext<'a> {
    pub(super) host: &'a str,
    /// The proxy on the way.
    pub(super) proxy: Option<&'a ProxyEndpoint>,
    pub(super) timeouts: RequestTimeouts,
}

impl RequestContext<'_> {
    /// The fact beneath the client's error, whose own message hides it.
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
            () if error.is_timeout() && error.is_connect() => {
                Error::Timeout { host: host(), after: self.timeouts.connect }
            }
            () if error.is_timeout() => Error::Timeout { host: host(), after: self.timeouts.total },
            () if error.is_dns() || has_cause_starting_with(error, "dns error") => {
                Error::Dns { host: strip_port(self.host).to_owned() }
            }
            () if has_cause_starting_with(error, "tcp ") => Error::Connect { host: host() },
            () => Error::Interrupted { host: host() },
        }
    }

    /// A failure on this side of the proxy's tunnel, or in its making.
    fn classify_proxy_fault(&self, error: &reqwest::Error) -> Option<Error> {
        let proxy = self.proxy?;
        let says = |phrases: &[&str]| phrases.iter().any(|words| has_cause_starting_with(error, words));
        let what = match () {
            () if says(&PROXY_AUTH_PHRASES) && proxy.authorization.is_some() => ProxyFault::PasswordRefused,
            () if says(&PROXY_AUTH_PHRASES) => ProxyFault::PasswordMissing,
            () if error.is_timeout() && error.is_connect() => ProxyFault::Timeout(self.timeouts.connect),
            () if says(&PROXY_UNREACHABLE_PHRASES) => ProxyFault::Unreachable,
            () if error.is_connect() && find_cause::<rustls::Error>(error).is_none() => {
                ProxyFault::Refused(None)
            }
            () => return None,
        };
        Some(Error::Proxy { proxy: proxy.host_and_port.clone(), host: self.host.to_owned(), fault: what })
    }
}

impl Error {
    /// Whether the host closed the connection before its answer was complete.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::PacScriptNotRun(error) | Self::VariableNotUsed { error, .. } => error.is_interrupted(),
            other => matches!(other, Self::Interrupted { .. }),
        }
    }

    /// Whether the network or a machine on the way is at fault, not this machine's settings.
    pub fn is_network(&self) -> bool {
        match self {
            Self::PacScriptNotRun(error) | Self::VariableNotUsed { error, .. } => error.is_network(),
            Self::Dns { .. }
            | Self::DnsTimeout { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Proxy { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::Interrupted { .. } => true,
            Self::BadProxy { .. }
            | Self::BadBundle { .. }
            | Self::NoRoots
            | Self::NotSecure { .. }
            | Self::Internal => false,
        }
    }

    /// What could not be reached, when a script may know a way.
    pub(super) fn with_pac_script_note(self) -> Self {
        if self.is_unreachable() { Self::PacScriptNotRun(Box::new(self)) } else { self }
    }

    /// The failure itself, without the notes about a script or a variable that wrap it. Match on this one.
    pub fn cause(&self) -> &Self {
        let mut error = self;
        while let Self::PacScriptNotRun(inner) | Self::VariableNotUsed { error: inner, .. } = error {
            error = inner;
        }
        error
    }

    /// Whether the host itself was not reached.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(
            self.cause(),
            Self::Dns { .. } | Self::DnsTimeout { .. } | Self::Connect { .. } | Self::Timeout { .. }
        )
    }

    /// Whether neither the host answered nor, through a proxy, anything behind that: another host may.
    pub fn is_unanswered(&self) -> bool {
        let is_proxy = |fault: &ProxyFault| matches!(fault, ProxyFault::Timeout(_) | ProxyFault::Refused(_));
        self.is_transient()
            || self.is_unreachable()
            || matches!(self.cause(), Self::Proxy { fault, .. } if is_proxy(fault))
    }

    /// Whether another try a moment later may find the way open.
    pub fn is_transient(&self) -> bool {
        matches!(self.cause(), Self::Dns { .. } | Self::Connect { .. } | Self::Interrupted { .. })
    }
}

/// The client's words for 407, and for what SOCKS has in its place.
const PROXY_AUTH_PHRASES: [&str; 3] = [
    "tunnel error: proxy authorization required",
    "SOCKS error: credentials not accepted",
    "SOCKS error: server does not support user/pass authentication",
];

/// The client's words when not even the proxy was reached, whether it speaks HTTP or SOCKS.
const PROXY_UNREACHABLE_PHRASES: [&str; 4] = [
    "tunnel error: failed to create underlying connection",
    "SOCKS error: failed to create underlying connection",
    "tcp connect error",
    "dns error",
];

fn classify_tls_error(error: &rustls::Error) -> (TlsFault, Option<UntrustedText>) {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<RefusedCertificate>() {
                Some(RefusedCertificate { reason, issuer }) => {
                    (classify_certificate_error(reason), issuer.clone())
                }
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
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::Revoked => TlsFault::Revoked,
        other => TlsFault::Certificate(UntrustedText::new(other.to_string())),
    }
}

/// The first cause of this type. An `io::Error` skips its own content when asked for a source, so it is opened.
fn find_cause<'a, T: error::Error + 'static>(error: &'a (dyn error::Error + 'static)) -> Option<&'a T> {
    iterate_causes(error).find_map(|cause| cause.downcast_ref())
}

/// Whether a cause says so in words: some of the client's error types are private to it.
fn has_cause_starting_with(error: &(dyn error::Error + 'static), words: &str) -> bool {
    iterate_causes(error).any(|cause| cause.to_string().starts_with(words))
}

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

impl error::Error for Error {}

/// For logs; what people read is written in `failure`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
