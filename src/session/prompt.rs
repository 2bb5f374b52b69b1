//! The events of a sign-in that a worker reports to its caller: where and how the user signs in, and what happened
//! since.
//!
//! The types travel over the worker's pipe. `commands` decides what is shown, and where.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::CancelSignal;
use crate::{oidc::callback::PasteRejection, secret::Secret, trait_impls::impl_debug};

/// Where and how the user signs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPrompt {
    /// The address to open. It holds no secret, except that a device address can contain the user code.
    pub address: String,
    pub way: PromptMethod,
}

/// How the user gets to the address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptMethod {
    /// The worker has started a browser with it.
    Browser,
    /// The user opens it in a browser on this machine.
    ByHand,
    /// It belongs to a sign-in of another process, which has opened a browser already. No second one is opened.
    Joining,
    /// The user opens it in any browser and enters a code. `complete` is the address that contains the code already.
    Device { code: String, complete: Option<String> },
    /// The user opens `to` in any browser, and pastes the address at which the browser ends. `to` contains the `state`
    /// of the request, so it is shown at the terminal and nowhere else.
    Paste { to: Secret },
}

/// How the service returns the result of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptFlow {
    /// The browser is redirected to this program, or the user pastes the address.
    Callback,
    /// This program polls while the user enters a code.
    DeviceCode,
}

/// An event that the waiting caller can show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignInEvent {
    /// The user has to act.
    Prompt(SignInPrompt),
    /// The user has signed in; the token, the quota and the exchange follow.
    Answered,
    /// The browser failed, and the address has not been opened.
    BrowserFailed { why: String, address: String },
    /// The provider probably shows an error page in the browser. The texts are those of the failure that follows if
    /// nobody finishes the sign-in.
    RequestRefused { message: String, hint: String },
    /// The provider issued no refresh token although the request asked for one. So the user has to sign in again when the
    /// credentials expire.
    NoRefreshToken,
    /// The pasted text is not the expected address; the user may paste again.
    PasteRejected(PastedTextError),
}

/// Why a pasted text was rejected, and how the expected address begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastedTextError {
    pub why: PasteRejection,
    pub redirect_uri: String,
}

/// The input of the user at the caller's terminal.
pub struct UserInput<'a> {
    /// Resolves when the user presses Ctrl-C.
    pub cancel_signal: CancelSignal<'a>,
    /// Lines that the user pastes. They can contain an authorization code.
    pub pasted_lines: mpsc::Receiver<Secret>,
}

impl SignInPrompt {
    /// The code that the user enters at the address, if the method needs one.
    pub fn user_code(&self) -> Option<&str> {
        match &self.way {
            PromptMethod::Device { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for SignInPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, way } = self;
        f.write_str(match way {
            PromptMethod::Browser => "Opening your browser to sign in. If it does not open, go to ",
            PromptMethod::ByHand | PromptMethod::Paste { .. } => "To sign in, go to ",
            PromptMethod::Joining => "A sign-in is already open in your browser. If you do not find it, go to ",
            PromptMethod::Device { code, .. } => {
                return write!(f, "To sign in, go to {address} in any browser and enter the code {code}");
            }
        })?;
        f.write_str(address)
    }
}

/// Leaves out the method, because a device code must not reach a log.
impl fmt::Debug for SignInPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInPrompt").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for PromptMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Browser => "Browser",
            Self::ByHand => "ByHand",
            Self::Joining => "Joining",
            Self::Device { .. } => "Device",
            Self::Paste { .. } => "Paste",
        })
    }
}

impl_debug!(UserInput<'_>, |_| "UserInput");
