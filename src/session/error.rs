//! Why the ladder or a sign-out failed, as typed facts.
//!
//! Code decides by these types and by [`FailureKind`]. `failure` turns them into messages and hints.

use std::{io, time::Duration};

use crate::{
    aws::{self, AlgorithmRefuser, AssignmentError, FailedStep, IdentityCenterError},
    cache::{DestinationChange, FailureKind, FailureReport},
    files,
    hint::Hint,
    http,
    oidc::{
        self, ClientCredentialError, RefreshRefusal, RequestRefusal, TokenRejection, UnmetRequirement, VerifiedToken,
        callback::{BindError, CallbackError},
    },
    quota::QuotaError,
    store,
    time::Timestamp,
    trait_impls::impl_from,
};

/// A failure of the ladder or of a sign-out.
#[derive(Debug)]
pub enum Error {
    Store(store::Error),
    Files(files::Error),
    Http(http::Error),
    /// The AWS client cannot be built from the profile and the environment.
    Aws(aws::Error),
    Provider(oidc::Error),
    Token(TokenRejection),
    /// The provider signs ID tokens only with algorithms of which none can be used.
    NoUsableAlgorithm {
        offered: Vec<String>,
        refuser: AlgorithmRefuser,
    },
    /// The application's client secret or private key is missing or unusable.
    Client(ClientCredentialError),
    Bind(BindError),
    Callback(CallbackError),
    /// The provider offers no sign-in by device code.
    NoDeviceCodes,
    /// AWS did not exchange this token for credentials.
    Exchange {
        failed: FailedStep,
        token: Box<VerifiedToken>,
    },
    /// Identity Center did not answer, or refused a step of the sign-in.
    IdentityCenter(IdentityCenterError),
    /// Identity Center or a role of the chain issued no credentials.
    Assignment(AssignmentError),
    /// The profile signs in at an Identity Center, which issues no ID token.
    NoIdToken,
    /// The quota service did not approve; `now` is the time of the request.
    Quota {
        error: QuotaError,
        now: Timestamp,
    },
    SignInNeeded(SignInNeeded),
    DestinationChanged(DestinationChanged),
    /// The provider did not revoke the session at sign-out.
    NotRevoked(oidc::Error),
    /// The operating system refused a resource that network traffic needs.
    Runtime(io::Error),
    /// The user cancelled at the terminal.
    Interrupted,
    /// An error that was turned into text already, because the browser's page showed it.
    Reported(FailureReport),
}

/// The user has to sign in, and the program cannot prompt now or the prompt failed.
#[derive(Debug)]
pub enum SignInNeeded {
    /// The command, or the profile, does not allow a prompt.
    PromptNotAllowed,
    /// The provider refused to refresh the session, and the command, or the profile, does not allow a prompt.
    RefreshRefused(RefreshRefusal),
    /// The stored sign-in does not meet `require`, and the command, or the profile, does not allow a prompt.
    RequirementUnmet(UnmetRequirement),
    /// The ID token has expired and cannot be refreshed. AWS credentials may still be valid, so only `login --force`
    /// helps.
    IdTokenExpired,
    /// An earlier prompt failed, so automatic callers may not prompt until then. `why` is how it failed, and `hint` what
    /// the user can do about it.
    BackoffActive {
        until: Timestamp,
        now: Timestamp,
        why: Option<String>,
        hint: Option<Hint>,
    },
    /// The user did not finish the sign-in in time.
    SignInTimedOut {
        after: Duration,
        redirect_uri: String,
    },
    /// The provider refuses the request that the browser was opened with, as far as a request without cookies shows. So
    /// the browser probably shows an error page, from which nothing returns to this program.
    RequestRefused {
        refusal: RequestRefusal,
        redirect_uri: String,
    },
    /// No browser could be started, and the caller hides a printed address from the user.
    NoBrowser {
        why: String,
    },
    /// A browser was started and failed, and the user did not open the address.
    BrowserFailed {
        why: String,
    },
    NoMethod(NoSignInMethod),
    /// Another process is prompting the user. `address` is its local address, if the sealed note could be verified.
    PromptElsewhere {
        pid: u32,
        address: Option<String>,
    },
    /// The device code expired before the user entered it.
    CodeExpired {
        after: Duration,
    },
}

/// Why no sign-in method can work here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSignInMethod {
    /// A build machine (CI), which has no user.
    Unattended,
    /// There is neither a browser nor a terminal.
    NoTerminal,
    /// The profile wants the user to paste an address, and there is no terminal to paste it at.
    NoTerminalToPaste,
}

/// The configuration or the provider names hosts that the user has not accepted for the stored sign-in. Nothing was
/// sent to them.
#[derive(Debug)]
pub struct DestinationChanged {
    pub changes: Vec<DestinationChange>,
}

impl Error {
    /// The part of the failure that other processes decide by.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::SignInNeeded(reason) => reason.kind(),
            Self::DestinationChanged(_) | Self::Bind(_) => FailureKind::SignInNeeded,
            Self::Quota { error: QuotaError::Denied(_), .. } => FailureKind::Quota,
            Self::Interrupted => FailureKind::Interrupted,
            Self::Reported(report) => report.kind,
            Self::Store(_)
            | Self::Files(_)
            | Self::Http(_)
            | Self::Aws(_)
            | Self::Provider(_)
            | Self::Token(_)
            | Self::Client(_)
            | Self::NoUsableAlgorithm { .. }
            | Self::Callback(_)
            | Self::NoDeviceCodes
            | Self::Exchange { .. }
            | Self::IdentityCenter(_)
            | Self::Assignment(_)
            | Self::NoIdToken
            | Self::Quota { error: QuotaError::NoAnswer(_), .. }
            | Self::NotRevoked(_)
            | Self::Runtime(_) => FailureKind::Other,
        }
    }

    /// Whether the provider was not reached, or something else on the network answered in its place (a proxy, a captive
    /// portal). Such a failure says nothing about the token.
    pub(super) fn is_network(&self) -> bool {
        match self {
            Self::Http(error) => error.is_network(),
            Self::Provider(error) => error.is_network(),
            Self::IdentityCenter(error) | Self::Assignment(AssignmentError::Portal(error)) => error.is_network(),
            Self::Store(_)
            | Self::Files(_)
            | Self::Aws(_)
            | Self::Token(_)
            | Self::NoUsableAlgorithm { .. }
            | Self::Client(_)
            | Self::Bind(_)
            | Self::Callback(_)
            | Self::NoDeviceCodes
            | Self::Exchange { .. }
            | Self::Assignment(AssignmentError::Exchange(_))
            | Self::NoIdToken
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
    /// The part of the reason that other processes decide by.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::PromptNotAllowed | Self::RefreshRefused(_) | Self::RequirementUnmet(_) => {
                FailureKind::PromptNotAllowed
            }
            Self::IdTokenExpired
            | Self::BackoffActive { .. }
            | Self::SignInTimedOut { .. }
            | Self::RequestRefused { .. }
            | Self::NoBrowser { .. }
            | Self::BrowserFailed { .. }
            | Self::NoMethod(_)
            | Self::PromptElsewhere { .. }
            | Self::CodeExpired { .. } => FailureKind::SignInNeeded,
        }
    }
}

impl_from!(Error:
    Store(store::Error),
    Files(files::Error),
    Http(http::Error),
    Aws(aws::Error),
    Provider(oidc::Error),
    IdentityCenter(IdentityCenterError),
    Assignment(AssignmentError),
    Token(TokenRejection),
    Client(ClientCredentialError),
    Bind(BindError),
    Callback(CallbackError),
    SignInNeeded(SignInNeeded),
    DestinationChanged(DestinationChanged),
);
