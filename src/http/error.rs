//! What can go wrong between a request and its answer, as facts.
//!
//! It reads the causes beneath the client's errors; advice for people is `failure`'s.

use std::{error, fmt, io, path::PathBuf, time::Duration};

use crate::{files::FileKind, text::UntrustedText};

/// Hosts are as the address writes them, with the port where it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host's name could not be resolved.
    Dns { host: String },
    /// No name server answered within `after`.
    DnsTimeout { host: String, after: Duration },
    /// Nothing listens there, or the network has no way to it.
    Connect { host: String },
    /// `after` is the deadline that passed: the one to connect, or the one for everything.
    Timeout { host: String, after: Duration },
    /// The way to the host leads through a proxy, and ended there.
    Proxy { proxy: String, host: String, fault: ProxyFault },
    /// There was no way without a proxy, and the system leaves the choice of one to a script, which we do not run.
    PacScriptNotRun(Box<Self>),
    /// A variable that is set might have prevented it, and does not count.
    VariableNotUsed { error: Box<Self>, variable: UnusedVariable },
    /// `issuer` is who signed the refused certificate: behind an intercepting proxy, the proxy's authority.
    Tls { host: String, fault: TlsFault, issuer: Option<UntrustedText> },
    /// The answer has more than `limit` bytes.
    TooLarge { host: String, limit: usize },
    /// The connection ended, or stopped being HTTP, before the answer was whole.
    Interrupted { host: String },
    /// A setting does not hold the address of a proxy. `variable` is the one, or else it is the system's.
    BadProxy { variable: Option<&'static str> },
    /// A bundle of authorities that was asked for cannot be used. `variable` is the one that named it, if any.
    BadBundle { path: PathBuf, variable: Option<&'static str>, fault: BundleFault },
    /// The system has no root certificates at all.
    NoRoots,
    /// Plain http to another machine, or no address at all.
    NotSecure { host: String },
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

/// A variable that is set and does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedVariable {
    pub name: &'static str,
    /// The key that would say the same in a file.
    pub key: &'static str,
    pub reason: UnusedReason,
}

/// Why a variable does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusedReason {
    /// This file defines the profile, and decides.
    DefiningFile(String),
    /// The administrator enforces this key.
    Enforced(&'static str),
    /// The profile sets this key, which outranks it.
    ProfileKey(&'static str),
}

impl Error {
    /// Whether the host closed the connection before its answer was complete.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.cause(), Self::Interrupted { .. })
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
        matches!(self.cause(), Self::Dns { .. } | Self::DnsTimeout { .. } | Self::Connect { .. } | Self::Timeout { .. })
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

impl error::Error for Error {}

/// For logs; what people read is written in `failure`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Display for UnusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefiningFile(file) => write!(f, "{file} defines the profile"),
            Self::ProfileKey(key) => write!(f, "the profile sets `{key}`"),
            Self::Enforced(key) => write!(f, "the administrator enforces `{key}`"),
        }
    }
}
