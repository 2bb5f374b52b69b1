//! Forms posted to the provider, and its refusals (RFC 6749 §5.2), which every endpoint words alike.
//!
//! What a form holds, and what an answer that is no refusal means, is for the module that posts it.

use ::http::{Request, StatusCode, header};
use openidconnect::url::form_urlencoded;
use serde::Deserialize;

use super::error::Error;
use crate::{
    http::{Answer, Client},
    secret::Secret,
    text::Foreign,
    url::SecureUrl,
};

pub(super) async fn post(client: &Client, to: &SecureUrl, form: &[(&str, &str)]) -> Result<Answer, Error> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(to.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into_bytes())
        .expect("an address that was parsed makes a request");
    Ok(client.send(request).await?)
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
    error_uri: Option<String>,
}

/// The provider's refusal, when the answer is one. It comes with 400, or 401, or (Auth0) 403: any client error, and
/// never with a server error, whatever the body of that says.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Option<Error> {
    if !status.is_client_error() {
        return None;
    }
    let Refusal { error, error_description, error_uri } = serde_json::from_slice(body).ok()?;
    Some(Error::Refused {
        error: Foreign::new(error),
        description: Foreign::new(error_description.unwrap_or_default()),
        uri: error_uri.map(Foreign::new),
    })
}

/// A refusal's words reach terminals, logs and the last failure, and some providers quote what they refuse.
pub(super) fn without(error: Error, secrets: &[&Secret]) -> Error {
    let blot = |text: Foreign| secrets.iter().fold(text, |text, secret| text.without(secret));
    match error {
        Error::Refused { error, description, uri } => {
            Error::Refused { error, description: blot(description), uri: uri.map(blot) }
        }
        other => other,
    }
}
