//! The address on this machine at which the browser brings the provider's answer, and shows how it all ended.
//!
//! It takes one answer with the right `state`; what the code in it is worth is for the exchange to find out.

mod bind;
mod holder;
mod judge;
mod open;
mod peer;
mod query;
mod request;
mod respond;
mod serve;
mod sockets;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{secret::Secret, text::Foreign};

pub use self::{
    bind::{Attempt, BindError, Listener, Obstacle, is_start_address},
    holder::Holder,
    judge::{Places, Reason, Verdict, judge},
    open::{Open, OpenPage, Unfit},
    request::{Malformed, Method, Request, parse},
};
pub use super::page::Ending;

/// What the one right answer must carry, and where the browser is sent to fetch it.
#[derive(Clone)]
pub struct Awaited {
    pub authorize_url: String,
    pub state: Secret,
    pub issuer: String,
    /// The provider says that it names itself in its answers (RFC 9207 §3).
    pub iss_required: bool,
}

/// RFC 6749 §4.1.2.1: what the provider said instead of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error: Foreign,
    pub description: Foreign,
}

/// Why an answer with the right `state` brings no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    Refused(Refusal),
    /// RFC 9207 §2.4: it names another provider than the one that was asked, or none although that one promises to.
    WrongIssuer {
        expected: String,
        actual: Option<Foreign>,
    },
}

/// What happened at the listener, for the log: never a code, a state or an address that leads to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The start address was opened, and the browser sent on to the provider.
    Started,
    /// The code came.
    Answered,
    /// The provider's refusal came.
    Refused,
    /// An answer in another issuer's name came.
    WrongIssuer,
    /// The right state once more, after the answer.
    Duplicate,
    Ignored(Reason),
    Malformed(Malformed),
    /// The head is longer than 64 KB.
    TooLarge,
    /// No complete request within the deadline.
    TooSlow,
    /// Closed unread, the oldest of too many connections.
    Crowded,
    /// The page with the end was sent in full.
    Shown,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "start address opened: browser sent to the provider",
            Self::Answered => "the provider's answer came, with a code",
            Self::Refused => "the provider's answer came, with an error",
            Self::WrongIssuer => "an answer came that does not name the issuer that was asked",
            Self::Duplicate => "ignored: the same answer once more",
            Self::Ignored(reason) => return write!(f, "ignored: {reason}"),
            Self::Malformed(Malformed::Syntax) => "ignored: not HTTP",
            Self::Malformed(Malformed::Target) => "ignored: a target that is no path",
            Self::Malformed(Malformed::Host) => "ignored: two hosts, or one that is no text",
            Self::Malformed(Malformed::TooManyHeaders) => "ignored: too many headers",
            Self::TooLarge => "ignored: a request over 64 KB",
            Self::TooSlow => "ignored: no complete request in time",
            Self::Crowded => "closed unread: too many connections",
            Self::Shown => "the final page was delivered",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForeignHost => "the host is not this machine's loopback name with our port",
            Self::Method => "the method is not GET",
            Self::Probe => "a HEAD request",
            Self::Elsewhere => "no such address",
            Self::Bare => "the callback without a query",
            Self::Encoding => "the query is not UTF-8",
            Self::Repeated => "a parameter came twice",
            Self::State => "the state is missing or another",
            Self::Incomplete => "neither code nor error, or both",
            Self::Stranger => "the start address, opened by another user",
        })
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The authorization URL contains the state.
        f.debug_struct("Awaited").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
