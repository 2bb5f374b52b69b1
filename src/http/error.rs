//! What can go wrong between a request and its answer, as facts.
//!
//! It reads the causes beneath the client's errors; advice for people is `failure`'s.

use std::{error, fmt, io, path::PathBuf, time::Duration};

use rustls::CertificateError;

use super::{UnusedVariable, names::Unanswered, verifier::Refused};
use crate::{files::FileKind, text::Foreign};

/// Hosts are as the address writes them, with the port where it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host's name could not be resolved.
    Dns {
        host: String,
    },
    /// No name server answered within `after`.
    DnsSilent {
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
        what: ProxyFault,
    },
    /// There was no way without a proxy, and the system leaves the choice of one to a script, which we do not run.
    Unscripted(Box<Self>),
    /// A variable that is set might have prevented it, and does not count.
    VariableNotUsed {
        error: Box<Self>,
        variable: UnusedVariable,
    },
    /// `issuer` is who signed the refused certificate: behind an intercepting proxy, the proxy's authority.
    Tls {
        host: String,
        what: TlsFault,
        issuer: Option<Foreign>,
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
        what: BundleFault,
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
    Silent(Duration),
    /// It wants a user name and password (407), and none was set.
    PasswordMissing,
    /// It wants others than it was given.
    PasswordRefused,
    /// It lets people sign in by these ways only, and we know none of them.
    Schemes(Foreign),
    /// It would not, or could not, open the way to the host, or cut it off in the handshake; with its status and its
    /// words, where it gave any.
    Refused(Option<(u16, Foreign)>),
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
    Certificate(Foreign),
    /// No agreement was reached; plain http on the other side among the reasons.
    Handshake(Foreign),
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
pub(super) struct Journey<'a> {
    pub(super) host: &'a str,
    /// Host and port of the proxy on the way, and whether it was given a user name.
    pub(super) proxy: Option<(&'a str, bool)>,
    pub(super) connect: Duration,
    pub(super) whole: Duration,
}

impl Journey<'_> {
    /// The fact beneath the client's error, whose own message hides it.
    pub(super) fn failed(&self, error: &reqwest::Error) -> Error {
        let host = || self.host.to_owned();
        if let Some(what) = self.proxy_fault(error) {
            return what;
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            let (what, issuer) = tls_fault(tls);
            return Error::Tls { host: host(), what, issuer };
        }
        match () {
            () if let Some(Unanswered(after)) = find(error) => {
                Error::DnsSilent { host: bare(self.host).to_owned(), after: *after }
            }
            () if error.is_timeout() && error.is_connect() => {
                Error::Timeout { host: host(), after: self.connect }
            }
            () if error.is_timeout() => Error::Timeout { host: host(), after: self.whole },
            () if error.is_dns() || says(error, "dns error") => {
                Error::Dns { host: bare(self.host).to_owned() }
            }
            () if says(error, "tcp ") => Error::Connect { host: host() },
            () => Error::Interrupted { host: host() },
        }
    }

    /// A failure on this side of the proxy's tunnel, or in its making.
    fn proxy_fault(&self, error: &reqwest::Error) -> Option<Error> {
        let (proxy, has_password) = self.proxy?;
        let says = |phrases: &[&str]| phrases.iter().any(|words| says(error, words));
        let what = match () {
            () if says(&WANTS_PASSWORD) && has_password => ProxyFault::PasswordRefused,
            () if says(&WANTS_PASSWORD) => ProxyFault::PasswordMissing,
            () if error.is_timeout() && error.is_connect() => ProxyFault::Silent(self.connect),
            () if says(&NO_WAY_TO_PROXY) => ProxyFault::Unreachable,
            () if error.is_connect() && find::<rustls::Error>(error).is_none() => ProxyFault::Refused(None),
            () => return None,
        };
        Some(Error::Proxy { proxy: proxy.to_owned(), host: self.host.to_owned(), what })
    }
}

impl Error {
    /// What could not be reached, when a script may know a way.
    pub(super) fn without_script(self) -> Self {
        if self.is_unreached() { Self::Unscripted(Box::new(self)) } else { self }
    }

    /// Whether the host itself was not reached.
    pub(super) fn is_unreached(&self) -> bool {
        if let Self::Unscripted(error) = self {
            return error.is_unreached();
        }
        matches!(
            self,
            Self::Dns { .. } | Self::DnsSilent { .. } | Self::Connect { .. } | Self::Timeout { .. }
        )
    }

    pub(super) fn is_of_proxy(&self) -> bool {
        matches!(self, Self::Proxy { .. })
    }

    /// Whether nobody answered, neither the host nor, where a proxy leads to it, anybody behind that: another host may.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Unscripted(error) | Self::VariableNotUsed { error, .. } => error.is_silence(),
            Self::Proxy { what, .. } => matches!(what, ProxyFault::Silent(_) | ProxyFault::Refused(_)),
            Self::DnsSilent { .. } | Self::Timeout { .. } => true,
            other => other.may_pass(),
        }
    }

    /// Whether another try a moment later may find the way open.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unscripted(error) | Self::VariableNotUsed { error, .. } => error.may_pass(),
            Self::Dns { .. } | Self::Connect { .. } | Self::Interrupted { .. } => true,
            _ => false,
        }
    }
}

/// The client's words for 407, and for what SOCKS has in its place.
const WANTS_PASSWORD: [&str; 3] = [
    "tunnel error: proxy authorization required",
    "SOCKS error: credentials not accepted",
    "SOCKS error: server does not support user/pass authentication",
];

/// The client's words when not even the proxy was reached, whether it speaks HTTP or SOCKS.
const NO_WAY_TO_PROXY: [&str; 4] = [
    "tunnel error: failed to create underlying connection",
    "SOCKS error: failed to create underlying connection",
    "tcp connect error",
    "dns error",
];

fn tls_fault(error: &rustls::Error) -> (TlsFault, Option<Foreign>) {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<Refused>() {
                Some(Refused { reason, issuer }) => (certificate_fault(reason), issuer.clone()),
                None => (TlsFault::Certificate(Foreign::new(other.0.to_string())), None),
            }
        }
        rustls::Error::InvalidCertificate(reason) => (certificate_fault(reason), None),
        other => (TlsFault::Handshake(Foreign::new(other.to_string())), None),
    }
}

fn certificate_fault(reason: &CertificateError) -> TlsFault {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::Untrusted,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::Revoked => TlsFault::Revoked,
        other => TlsFault::Certificate(Foreign::new(other.to_string())),
    }
}

/// The first cause of this type. An `io::Error` skips its own content when asked for a source, so it is opened.
fn find<'a, T: error::Error + 'static>(error: &'a (dyn error::Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Whether a cause says so in words: some of the client's error types are private to it.
fn says(error: &(dyn error::Error + 'static), words: &str) -> bool {
    causes(error).any(|cause| cause.to_string().starts_with(words))
}

fn causes<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| match cause.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn error::Error + 'static)),
        None => cause.source(),
    })
}

/// The host without its port.
fn bare(authority: &str) -> &str {
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
