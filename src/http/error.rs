//! The errors of sending a request, as typed facts.
//!
//! `request_error` creates them, and `failure` turns them into messages and hints.

use std::{error, fmt, io, path::PathBuf, time::Duration};

use crate::{files::FileKind, text::UntrustedText};

/// Why no answer arrived. A host is written as in the address, with the port if the address has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host's name could not be resolved.
    Dns { host: String },
    /// No name server answered within `after`.
    DnsTimeout { host: String, after: Duration },
    /// Nothing listens at the address, or the network has no route to it.
    Connect { host: String },
    /// The timeout `after` ended: the one for connecting or the total one.
    Timeout { host: String, after: Duration },
    /// The request uses a proxy, and the proxy failed or refused.
    Proxy { proxy: String, host: String, fault: ProxyFault },
    /// The direct connection failed, and the system's settings choose a proxy by a script (PAC), which the program
    /// does not run.
    PacScriptNotRun(Box<Self>),
    /// A variable is set that might have prevented the failure, but the program does not use it.
    VariableNotUsed { error: Box<Self>, variable: UnusedVariable },
    /// The TLS handshake failed. `issuer` signed the rejected certificate. Behind a TLS-intercepting proxy it is the
    /// proxy's CA.
    Tls { host: String, fault: TlsFault, issuer: Option<UntrustedText> },
    /// The answer is larger than `limit` bytes.
    TooLarge { host: String, limit: usize },
    /// The connection ended, or its data stopped being HTTP, before the answer was complete.
    Interrupted { host: String },
    /// A proxy setting is not a valid address. `variable` contains it; `None` means the system's settings.
    BadProxy { variable: Option<&'static str> },
    /// A configured CA bundle is unusable. `variable` named it; `None` means the configuration.
    BadBundle { path: PathBuf, variable: Option<&'static str>, fault: BundleFault },
    /// The system has no root certificates.
    NoRoots,
    /// The address is plain http to another machine, or not an address.
    NotSecure { host: String },
    /// This program built an invalid request or client.
    Internal,
}

/// Why the proxy did not connect to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    Unreachable,
    /// The proxy did not connect to the host within this time.
    Timeout(Duration),
    /// The proxy demands a user name and password (407), and none is configured.
    PasswordMissing,
    /// The proxy rejected the configured user name and password.
    PasswordRefused,
    /// The proxy accepts only these authentication schemes, and the program supports none of them.
    UnsupportedSchemes(UntrustedText),
    /// The proxy refused or failed to connect to the host, or closed the tunnel during the handshake. Contains the
    /// proxy's status and reason if it sent any.
    Refused(Option<(u16, UntrustedText)>),
}

/// Why the TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// This machine does not trust the certificate's issuer.
    Untrusted,
    /// The certificate is for another host.
    WrongName,
    Expired,
    NotYetValid,
    Revoked,
    /// The certificate is invalid for another reason.
    Certificate(UntrustedText),
    /// The two sides did not agree, for example because the server speaks plain http.
    Handshake(UntrustedText),
}

/// Why a CA bundle is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleFault {
    Unreadable(io::ErrorKind),
    NotRegular(FileKind),
    TooLarge,
    Empty,
    /// A variable names it by a relative path, which depends on the working directory: a repository could provide the
    /// file.
    Relative,
    /// The file is a certificate in DER, not in PEM.
    Binary,
    NoCertificate,
}

/// A variable that is set but not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedVariable {
    pub name: &'static str,
    /// The configuration key with the same effect.
    pub key: &'static str,
    pub reason: UnusedReason,
}

/// Why a variable is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusedReason {
    /// This file defines the profile, so variables cannot change it.
    DefiningFile(String),
    /// The administrator enforces this key.
    Enforced(&'static str),
    /// The profile sets this key, which takes precedence.
    ProfileKey(&'static str),
}

impl Error {
    /// Returns whether the connection ended before the answer was complete.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.cause(), Self::Interrupted { .. })
    }

    /// Returns whether the network or a machine on the way caused the failure, not this machine's settings.
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

    /// Notes, on a failed connection, that a proxy script might have chosen a working proxy.
    pub(super) fn with_pac_script_note(self) -> Self {
        if self.is_unreachable() { Self::PacScriptNotRun(Box::new(self)) } else { self }
    }

    /// The failure itself, without the notes that wrap it. Match on this one.
    pub fn cause(&self) -> &Self {
        let mut error = self;
        while let Self::PacScriptNotRun(inner) | Self::VariableNotUsed { error: inner, .. } = error {
            error = inner;
        }
        error
    }

    /// Returns whether no connection to the host was established.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self.cause(), Self::Dns { .. } | Self::DnsTimeout { .. } | Self::Connect { .. } | Self::Timeout { .. })
    }

    /// Returns whether the host did not answer, directly or through the proxy, so that another host may answer.
    pub fn is_unanswered(&self) -> bool {
        let is_proxy = |fault: &ProxyFault| matches!(fault, ProxyFault::Timeout(_) | ProxyFault::Refused(_));
        self.is_transient()
            || self.is_unreachable()
            || matches!(self.cause(), Self::Proxy { fault, .. } if is_proxy(fault))
    }

    /// Returns whether an immediate retry may succeed. A timeout does not count, because the caller has already waited.
    pub fn is_transient(&self) -> bool {
        matches!(self.cause(), Self::Dns { .. } | Self::Connect { .. } | Self::Interrupted { .. })
    }
}

impl error::Error for Error {}

/// For logs only. `failure` writes the messages for users.
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
