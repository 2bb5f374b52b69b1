//! The provider's answers: which of them are the document that was asked for.
//!
//! It knows statuses and JSON; what a document must say is for the module that asked.

use ::http::{Request, header};
use serde::de::DeserializeOwned;

use super::error::{Document, Error, Source};
use crate::{
    http::{self, Answer, Client},
    text::Foreign,
    url::SecureUrl,
};

/// Fetches a public document.
pub(super) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    document: Document,
    url: &SecureUrl,
) -> Result<T, Error> {
    let request = Request::get(url.as_str())
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
        .expect("an address that was parsed makes a request");
    let answer = client.send(request).await?;
    let source = Source { document, host: url.authority().to_owned() };
    successful(&source, &answer)?;
    json(source, &answer.body)
}

/// Whether the answer is an answer at all: not a redirect, not an outage.
pub(super) fn successful(source: &Source, answer: &Answer) -> Result<(), Error> {
    let source = || source.clone();
    match answer.status {
        status if status.is_redirection() => {
            Err(Error::Redirected { source: source(), to: destination(answer) })
        }
        status if !status.is_success() => Err(Error::Status { source: source(), status }),
        _ => Ok(()),
    }
}

/// Reads the body. A parser's own words are dropped: they quote what they stumble over, which may be a token.
pub(super) fn json<T: DeserializeOwned>(source: Source, body: &[u8]) -> Result<T, Error> {
    http::object(body).ok_or_else(|| {
        if body.trim_ascii_start().first().is_none_or(|first| *first == b'{') {
            Error::Malformed { source }
        } else {
            Error::NotJson { source }
        }
    })
}

/// Where a redirect leads, without its query, which may carry what is nobody's business.
fn destination(answer: &Answer) -> Option<Foreign> {
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    location.split(['?', '#']).next().map(Foreign::new)
}
