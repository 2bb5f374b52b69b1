//! Why the ladder or a sign-out did not reach its end, as facts.
//!
//! The words for them are `failure`'s.

use std::{io, time::Duration};

use crate::{
    aws::{self, FailedStep},
    cache::{DestinationChange, FailureKind, FailureReport},
    files, http,
    oidc::{
        self, ClientCredentialError, TokenRejection, VerifiedToken,
        callback::{BindError, CallbackError},
    },
    quota::QuotaError,
    store,
    time::Timestamp,
};

#[derive(Debug)]
pub enum Error {
    Store(store::Error),
    Files(files::Error),
    Http(http::Error),
    /// The AWS client cannot be built from the profile and the environment.
    Aws(aws::Error),
    Provider(oidc::Error),
    Token(TokenRejection),
    /// What proves the application to the provider is missing or unusable.
    Client(ClientCredentialError),
    Bind(BindError),
    Callback(CallbackError),
    /// The provider offers no sign-in by device code.
    NoDeviceCodes,
    /// AWS gave no credentials for this token.
    Exchange {
        failed: FailedStep,
        token: Box<VerifiedToken>,
    },
    /// The quota service did not approve at this time.
    Quota {
        error: QuotaError,
        now: Timestamp,
    },
    SignInNeeded(SignInNeeded),
    DestinationChanged(DestinationChanged),
    /// The provider did not revoke the session at sign-out.
    NotRevoked(oidc::Error),
    /// The system refused what is needed for network traffic.
    Runtime(io::Error),
    /// The user cancelled at the terminal.
    Interrupted,
    /// An error that is in words already, because the browser's page showed it.
    Reported(FailureReport),
}

/// The user would have to sign in, and cannot be prompted now.
#[derive(Debug)]
pub enum SignInNeeded {
    /// The command, or the profile, does not allow a prompt.
    PromptNotAllowed,
    /// There is no valid ID token. AWS credentials may still be valid, so that a plain `login` would find nothing to do.
    IdTokenExpired,
    /// Automatic callers wait until the user runs `login`. `why` is how the last sign-in failed.
    BackoffActive {
        until: Timestamp,
        now: Timestamp,
        why: Option<String>,
    },
    /// The sign-in was not finished in time.
    SignInTimedOut {
        after: Duration,
    },
    /// No browser could be started, and nobody would see the address.
    NoBrowser {
        why: String,
    },
    /// A browser was started and failed, and the address was not opened.
    BrowserFailed {
        why: String,
    },
    NoMethod(NoSignInMethod),
    /// Another process waits for the user at this moment; `address` is its local one, if it can be verified.
    PromptElsewhere {
        pid: u32,
        address: Option<String>,
    },
    /// The device code expired before it was entered.
    CodeExpired {
        after: Duration,
    },
}

/// Why no sign-in method can work here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSignInMethod {
    /// A build machine without a user.
    Unattended,
    /// There is neither a browser nor a terminal.
    NoTerminal,
    /// An address would have to be pasted, and there is no terminal for it.
    NoTerminalToPaste,
}

/// The configuration, or the provider, names hosts that the stored sign-in was not made for. Nothing was sent to them.
#[derive(Debug)]
pub struct DestinationChanged {
    pub changes: Vec<DestinationChange>,
}

impl Error {
    /// What other processes decide by.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::SignInNeeded(reason) => reason.kind(),
            Self::DestinationChanged(_) | Self::Bind(_) => FailureKind::SignInNeeded,
            Self::Quota { .. } => FailureKind::Quota,
            Self::Interrupted => FailureKind::Interrupted,
            Self::Reported(report) => report.kind,
            Self::Store(_)
            | Self::Files(_)
            | Self::Http(_)
            | Self::Aws(_)
            | Self::Provider(_)
            | Self::Token(_)
            | Self::Client(_)
            | Self::Callback(_)
            | Self::NoDeviceCodes
            | Self::Exchange { .. }
            | Self::NotRevoked(_)
            | Self::Runtime(_) => FailureKind::Other,
        }
    }

    /// Whether the provider was not reached, or something on the way answered in its place.
    pub(super) fn is_network(&self) -> bool {
        match self {
            Self::Http(error) => error.is_network(),
            Self::Provider(error) => error.is_network(),
            Self::Store(_)
            | Self::Files(_)
            | Self::Aws(_)
            | Self::Token(_)
            | Self::Client(_)
            | Self::Bind(_)
            | Self::Callback(_)
            | Self::NoDeviceCodes
            | Self::Exchange { .. }
            | Self::Quota { .. }
            | Self::SignInNeeded(_)
            | Self::DestinationChanged(_)
            | Self::NotRevoked(_)
            | Self::Runtime(_)
            | Self::Interrupted
            | Self::Reported(_) => false,
        }
    }
}

impl SignInNeeded {
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::PromptNotAllowed => FailureKind::PromptNotAllowed,
            Self::IdTokenExpired
            | Self::BackoffActive { .. }
            | Self::SignInTimedOut { .. }
            | Self::NoBrowser { .. }
            | Self::BrowserFailed { .. }
            | Self::NoMethod(_)
            | Self::PromptElsewhere { .. }
            | Self::CodeExpired { .. } => FailureKind::SignInNeeded,
        }
    }
}

/// `From` for the variants of an error that only wrap another one.
macro_rules! impl_from {
    ($error:ty: $($variant:ident($source:ty)),+ $(,)?) => {
        $(impl From<$source> for $error {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        })+
    };
}
pub(crate) use impl_from;

impl_from!(Error:
    Store(store::Error),
    Files(files::Error),
    Http(http::Error),
    Aws(aws::Error),
    Provider(oidc::Error),
    Token(TokenRejection),
    Client(ClientCredentialError),
    Bind(BindError),
    Callback(CallbackError),
    SignInNeeded(SignInNeeded),
    DestinationChanged(DestinationChanged),
);
