//! The callback server: a loopback HTTP server that receives the authorization response from the browser (RFC 8252
//! §7.3) and then shows the result of the sign-in.
//!
//! Every web page and every local program can connect to it, so it trusts one thing only: the `state` of this sign-in.
//! Requests without it get a page and change nothing (RFC 6749 §10.12). It accepts one response. PKCE, `nonce` and
//! `verify` check the code afterwards.

mod connections;
mod listener;
mod port_holder;
mod verdict;
mod one_time_address;
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
    listener::{BindAttempt, BindError, BindObstacle, CallbackListener, bind_address, is_start_address},
    one_time_address::{OneTimeAddress, OneTimeAnswer},
    open_listener::{OpenListener, PasteRejection},
    peer_user::ConnectionOwners,
    port_holder::PortHolder,
    verdict::{CallbackAddresses, RequestVerdict, classify_request, is_own_host},
};
pub use super::page::SignInEnding;

/// What the authorization response must contain, and the authorization request that the browser must open for it.
#[derive(Clone, Debug)]
pub struct AwaitedCallback {
    /// The address of the authorization request. It contains the state, and is therefore a secret.
    pub authorize_url: Secret,
    pub state: Secret,
    /// `None` if the service has no issuer identifier to compare.
    pub issuer: Option<String>,
    /// The provider promises to send `iss` (RFC 9207 §3). A response without it is then rejected.
    pub iss_required: bool,
}

/// Why a response with the right `state` contains no usable code. Either case ends the sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackError {
    /// The provider sent an error instead of a code (RFC 6749 §4.1.2.1).
    Refused { error: UntrustedText, description: UntrustedText },
    /// `iss` names another provider, or is missing although the provider promises it (RFC 9207 §2.4): a mix-up attack.
    WrongIssuer { expected: String, actual: Option<UntrustedText> },
}

/// Why a request does not affect the sign-in. None of these ends it, so that an attacker cannot abort a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IgnoreReason {
    /// `Host` is missing or is not a loopback name. A web page made its own host name resolve to this machine, in
    /// order to read the answers of this server (DNS rebinding).
    ForeignHost,
    /// Neither GET nor HEAD.
    Method,
    /// HEAD on an address that acts: a link scanner, which must not consume the response.
    HeadRequest,
    /// Not a path of this server: a favicon, an old tab or a port scan.
    UnknownPath,
    /// The callback has no query. The provider may have used a fragment, which the browser never sends.
    NoQuery,
    Encoding,
    /// A parameter occurs twice (RFC 6749 §3.1 forbids it).
    Repeated,
    /// `state` is missing or wrong: an older tab, or cross-site request forgery (RFC 6749 §10.12).
    WrongState,
    /// The state is right, but the query has neither a code nor an error, or both.
    Incomplete,
    /// Another user of this machine opened the start address, which the program gave only to this user's browser.
    OtherUser,
}

/// An event for the log. It never contains a code, a state or a secret path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackEvent {
    Started,
    CodeReceived,
    ErrorReceived,
    WrongIssuer,
    Duplicate,
    Ignored(IgnoreReason),
    Malformed(MalformedRequest),
    /// The request head is longer than 64 KB.
    TooLarge,
    /// No complete request arrived before the timeout.
    TooSlow,
    /// The server closed the connection that had been silent longest, because too many were open.
    ConnectionEvicted,
    ResultShown,
    Redirected,
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
