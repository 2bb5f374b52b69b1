//! Separates the document that the provider was asked for from redirects, outages and web pages.
//!
//! It judges status and JSON syntax. The calling module checks the members.

use ::http::header;
use serde::de::DeserializeOwned;

use super::error::{Error, ProviderEndpoint, ResponseSource};
use crate::{
    http::{self, Client, FullResponse},
    text::UntrustedText,
    url::SecureUrl,
};

/// Fetches a public JSON document: discovery or the key set. The request carries no secret.
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

/// Fails for redirects and for every status that is not a success. Redirects are never followed (see
/// [`Error::Redirected`]).
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

/// Parses the body as a JSON object. The parser's error text is dropped, because it quotes the input, which may be a
/// token.
pub(super) fn parse_body<T: DeserializeOwned>(source: ResponseSource, body: &[u8]) -> Result<T, Error> {
    http::parse_json_object(body).ok_or_else(|| {
        if body.trim_ascii_start().first().is_none_or(|first| *first == b'{') {
            Error::Malformed { source }
        } else {
            Error::NotJson { source }
        }
    })
}

/// The target of a redirect without its query and fragment, which may hold secrets.
fn read_redirect_target(answer: &FullResponse) -> Option<UntrustedText> {
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    location.split(['?', '#']).next().map(UntrustedText::new)
}
