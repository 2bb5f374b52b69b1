//! What a person can do about a pasted text that is not the answer.
//!
//! Whether it is, is for `oidc`.

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
                write!(f, "That is no address. The right one begins with {redirect_uri}?")
            }
            PasteRejection::Ignored(IgnoreReason::WrongState) => {
                f.write_str("That is the answer to another sign-in; this one began at the address above.")
            }
            PasteRejection::Ignored(IgnoreReason::NoQuery | IgnoreReason::Incomplete) => {
                f.write_str("That address holds no answer: copy all of it, to its very end.")
            }
            PasteRejection::Ignored(IgnoreReason::Encoding | IgnoreReason::Repeated) => {
                f.write_str("That address is damaged: copy it once more.")
            }
            PasteRejection::Ignored(
                IgnoreReason::ForeignHost
                | IgnoreReason::Method
                | IgnoreReason::HeadRequest
                | IgnoreReason::UnknownPath
                | IgnoreReason::OtherUser,
            ) => write!(f, "That is not the address on which a sign-in ends: it begins with {redirect_uri}?"),
        }
    }
}
