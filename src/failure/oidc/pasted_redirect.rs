//! What the terminal says when the user pastes something else than the address on which the sign-in ended.
//!
//! In `flow = "paste"` the browser runs on another computer, where nothing listens at the redirect URI. The user copies
//! that address from the browser. A wrong one is no failure: the terminal says why and prompts again.

use std::fmt;

use crate::{
    oidc::callback::{IgnoreReason, PasteRejection},
    session::PastedTextError,
};

impl fmt::Display for PastedTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, redirect_uri } = self;
        match why {
            PasteRejection::NotAnAddress => {
                write!(f, "That is not an address. The right one begins with {redirect_uri}?")
            }
            // The `state` differs: mostly the address of an earlier sign-in that is still in the clipboard.
            PasteRejection::Ignored(IgnoreReason::WrongState) => {
                f.write_str("That address is from another sign-in. Finish the one that began at the address above.")
            }
            PasteRejection::Ignored(IgnoreReason::NoQuery | IgnoreReason::Incomplete) => {
                f.write_str("That address is incomplete. Copy all of it, to the very end.")
            }
            PasteRejection::Ignored(IgnoreReason::Encoding | IgnoreReason::Repeated) => {
                f.write_str("That address is damaged. Copy it once more.")
            }
            // Mostly the address of the provider's own page, copied before the sign-in was complete.
            PasteRejection::Ignored(
                IgnoreReason::ForeignHost
                | IgnoreReason::Method
                | IgnoreReason::HeadRequest
                | IgnoreReason::UnknownPath
                | IgnoreReason::OtherUser,
            ) => write!(f, "That is not the address on which the sign-in ends. It begins with {redirect_uri}?"),
        }
    }
}
