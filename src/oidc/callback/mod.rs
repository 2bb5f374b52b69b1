//! The address on this machine at which the browser brings the provider's answer, and shows how it all ended.
//!
//! It takes one answer with the right `state`; what the code in it is worth is for the exchange to find out.

mod connections;
mod listener;
mod port_holder;
mod verdict;
mod one_time_redirect;
mod open_listener;
mod peer_user;
mod query;
mod http_request;
mod http_response;
mod server;
mod socket_table;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{secret::Secret, text::UntrustedText};

pub use self::{
    http_request::{CallbackRequest, MalformedRequest, parse_request},
    listener::{BindAttempt, BindError, BindObstacle, CallbackListener, is_start_address},
    one_time_redirect::OneTimeRedirect,
    open_listener::{OpenListener, PasteRejection},
    port_holder::PortHolder,
    verdict::{CallbackAddresses, RequestVerdict, classify_request},
};
pub use super::page::SignInEnding;

/// What the one right answer must carry, and where the browser is sent to fetch it.
#[derive(Clone, Debug)]
pub struct AwaitedCallback {
    /// Contains the state.
    pub authorize_url: Secret,
    pub state: Secret,
    pub issuer: String,
    /// The provider says that it names itself in its answers (RFC 9207 §3).
    pub iss_required: bool,
}

/// Why an answer with the right `state` brings no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackError {
    /// RFC 6749 §4.1.2.1: what the provider said instead of a code.
    Refused { error: UntrustedText, description: UntrustedText },
    /// RFC 9207 §2.4: it names another provider than the one that was asked, or none although that one promises to.
    WrongIssuer { expected: String, actual: Option<UntrustedText> },
}

/// Why a request is of no consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IgnoreReason {
    /// `Host` is missing or names another machine: a page elsewhere pointed its own name here (DNS rebinding).
    ForeignHost,
    /// Neither GET nor HEAD.
    Method,
    /// HEAD of an address that acts: a link scanner, not the person.
    HeadRequest,
    /// No address of ours: a favicon, a stray tab, a port scan.
    UnknownPath,
    /// The callback without a query: nothing was sent, or in a fragment, which never leaves the browser.
    NoQuery,
    /// Bytes of the query are no UTF-8.
    Encoding,
    /// A parameter came twice.
    Repeated,
    /// `state` is missing or another one: an older tab, or a forgery.
    WrongState,
    /// The right state with neither code nor error, or with both.
    Incomplete,
    /// Another user of this machine opens the start address, which only our own browser was given.
    OtherUser,
}

/// What happened at the listener, for the log: never a code, a state or an address that leads to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackEvent {
    /// The start address was opened, and the browser sent on to the provider.
    Started,
    /// The code came.
    CodeReceived,
    /// The provider's refusal came.
    ErrorReceived,
    /// An answer in another issuer's name came.
    WrongIssuer,
    /// The right state once more, after the answer.
    Duplicate,
    Ignored(IgnoreReason),
    Malformed(MalformedRequest),
    /// The head is longer than 64 KB.
    TooLarge,
    /// No complete request within the deadline.
    TooSlow,
    /// Closed unread, the oldest of too many connections.
    ConnectionEvicted,
    /// The page with the end was sent in full.
    ResultShown,
    /// A one-time address was opened, and the browser sent on.
    Redirected,
    /// The same one-time address once more.
    RedirectReused,
}

impl fmt::Display for CallbackEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "the browser opened the start address and was redirected to the provider",
            Self::CodeReceived => "the provider's response arrived with a code",
            Self::ErrorReceived => "the provider's response arrived with an error",
            Self::WrongIssuer => "a response arrived that does not name the expected issuer",
            Self::Duplicate => "ignored: the same response arrived again",
            Self::Ignored(reason) => return write!(f, "ignored: {reason}"),
            Self::Malformed(MalformedRequest::Syntax) => "ignored: the request is not HTTP",
            Self::Malformed(MalformedRequest::Target) => "ignored: the request target is not a path",
            Self::Malformed(MalformedRequest::Host) => {
                "ignored: the request has several Host headers, or one that is not text"
            }
            Self::Malformed(MalformedRequest::TooManyHeaders) => "ignored: the request has too many headers",
            Self::TooLarge => "ignored: the request is larger than 64 KB",
            Self::TooSlow => "ignored: no complete request arrived in time",
            Self::ConnectionEvicted => "closed a connection without reading it: there are too many",
            Self::ResultShown => "the browser received the result page",
            Self::Redirected => "the browser opened the one-time address and was redirected",
            Self::RedirectReused => "ignored: the one-time address was already opened",
        })
    }
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForeignHost => "the host is not a loopback name with the callback's port",
            Self::Method => "the method is not GET",
            Self::HeadRequest => "the method is HEAD",
            Self::UnknownPath => "the path is unknown",
            Self::NoQuery => "the callback has no query",
            Self::Encoding => "the query is not UTF-8",
            Self::Repeated => "a parameter occurs twice",
            Self::WrongState => "the state is missing or differs",
            Self::Incomplete => "it has neither a code nor an error, or both",
            Self::OtherUser => "another user opened the start address",
        })
    }
}
