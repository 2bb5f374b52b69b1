//! OpenID Connect: what the provider says of itself, the question, the exchanges, the judgement of the answer.
//!
//! It speaks to the provider only; what may be kept and when to ask a person is for `session`.

mod answer;
mod application;
pub mod callback;
mod claims;
mod device;
mod discovery;
mod error;
mod form;
mod keys;
mod knock;
pub mod page;
mod provider;
mod rejection;
mod request;
mod revoke;
#[cfg(test)]
mod testing;
mod token;
mod verify;

pub use self::{
    application::{Application, BadFile, ClientFiles, Flaw, Keepsakes, Means, Unproven},
    device::{DeviceCode, Polled, ask_device_code, poll_device_code},
    discovery::{Metadata, describe, discover, document_address},
    error::{Document, Error, Pending, Source},
    keys::{Keys, fetch_keys, is_verified},
    knock::knock,
    provider::{issuer_alias, organization},
    rejection::{Part, Rejection, Skew},
    request::{Request, request},
    revoke::revoke,
    token::{Tokens, exchange_code, refresh},
    verify::{Expected, Unverified, VerifiedToken, verify},
};
