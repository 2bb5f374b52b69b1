//! The provider's answers: which of them are the document that was asked for.
//!
//! It knows statuses and JSON; what a document must say is for the module that asked.

use ::http::header;
use serde::de::DeserializeOwned;

use super::error::{Error, ProviderEndpoint, ResponseSource};
use crate::{
    http::{self, Client, FullResponse},
    text::UntrustedText,
    url::SecureUrl,
};

/// Fetches a public document.
pub(super) async fn fetch_document<T: DeserializeOwned>(
    client: &Client,
    document: ProviderEndpoint,
    url: &SecureUrl,
) -> Result<T, Error> {
    let answer = client.get(url.as_str(), "application/json").await?;
    let source = ResponseSource { endpoint: document, host: url.authority().to_owned() };
    check_status(&source, &answer)?;
    parse_body(source, &answer.body)
}

/// Whether the answer is an answer at all: not a redirect, not an outage.
pub(super) fn check_status(source: &ResponseSource, answer: &FullResponse) -> Result<(), Error> {
    let source = || source.clone();
    match answer.status {
        status if status.is_redirection() => {
            Err(Error::Redirected { source: source(), location: read_redirect_target(answer) })
        }
        status if !status.is_success() => Err(Error::UnexpectedStatus { source: source(), status }),
        _ => Ok(()),
    }
}

/// Reads the body. A parser's own words are dropped: they quote what they stumble over, which may be a token.
pub(super) fn parse_body<T: DeserializeOwned>(source: ResponseSource, body: &[u8]) -> Result<T, Error> {
    http::parse_json_object(body).ok_or_else(|| {
        if body.trim_ascii_start().first().is_none_or(|first| *first == b'{') {
            Error::Malformed { source }
        } else {
            Error::NotJson { source }
        }
    })
}

/// Where a redirect leads, without its query, which may carry what is nobody's business.
fn read_redirect_target(answer: &FullResponse) -> Option<UntrustedText> {
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    location.split(['?', '#']).next().map(UntrustedText::new)
}
