//! What a person can do about a pasted text that is not the answer.
//!
//! Whether it is, is for `oidc`.

use std::fmt;

use crate::oidc::callback::{Reason, Unfit};

/// Why it is not, and what the answer looks like.
#[derive(Debug)]
pub struct NotTheAnswer<'a> {
    pub why: Unfit,
    pub redirect_uri: &'a str,
}

impl fmt::Display for NotTheAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, redirect_uri } = self;
        let Unfit::Ignored(reason) = why else {
            return write!(f, "That is no address. The right one begins with {redirect_uri}?");
        };
        match reason {
            Reason::State => {
                f.write_str("That is the answer to another sign-in; this one began at the address above.")
            }
            Reason::Bare | Reason::Incomplete => {
                f.write_str("That address holds no answer: copy all of it, to its very end.")
            }
            Reason::Encoding | Reason::Repeated => f.write_str("That address is damaged: copy it once more."),
            _ => write!(f, "That is not the address on which a sign-in ends: it begins with {redirect_uri}?"),
        }
    }
}
