//! What whoever waits for a sign-in is told: where a person can take part, and how.
//!
//! Words only; what is shown where is for `commands`.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::CancelSignal;
use crate::{oidc::callback::PasteRejection, secret::Secret};

/// Where a person can take part, as the ladder tells whoever waits for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPrompt {
    pub address: String,
    pub way: PromptMethod,
}

/// How the person gets there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptMethod {
    /// A browser was asked to show it.
    Browser,
    ByHand,
    /// It is the sign-in of another process, which opened a browser before; none is opened now.
    Joining,
    /// The person enters a code there, in a browser anywhere. `complete` is the address with the code in it already.
    Device {
        code: String,
        complete: Option<String>,
    },
    /// The person goes to `to` in a browser anywhere, and pastes the address on which it ends. It holds the state, and is
    /// for the terminal alone.
    Paste {
        to: Secret,
    },
}

/// What is said to whoever waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignInEvent {
    Prompt(SignInPrompt),
    /// The person has done their part; what is left is between the provider, AWS and us.
    Answered,
    /// The browser failed, and nobody has come to the address.
    BrowserFailed {
        why: String,
        address: String,
    },
    /// The pasted text is not the answer; the user may paste again.
    PasteRejected(PastedTextError),
}

/// Why a pasted text is not the answer, and how the answer begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastedTextError {
    pub why: PasteRejection,
    pub redirect_uri: String,
}

/// What comes from the person at the terminal of whoever waits.
pub struct UserInput<'a> {
    /// Resolves when they have given up.
    pub cancel_signal: CancelSignal<'a>,
    pub pasted_lines: mpsc::Receiver<Secret>,
}

impl SignInPrompt {
    /// What is to be entered there.
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
            PromptMethod::Joining => {
                "A sign-in is waiting for you in the browser already. If you do not find it, go to "
            }
            PromptMethod::Device { code, .. } => {
                return write!(f, "To sign in, go to {address} in any browser and enter the code {code}");
            }
        })?;
        f.write_str(address)
    }
}

/// The code is for the person alone, and its address may hold it.
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

impl fmt::Debug for UserInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserInput")
    }
}
