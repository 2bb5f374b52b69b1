//! The token endpoint: a code, or a refresh token, for tokens (RFC 6749 §4.1.3 and §6), as a public client.
//!
//! It tells the provider's refusal from everything that merely went wrong; what comes back is still unverified.
//! The library's own exchange is not used: it fails on an `expires_in` in quotes, decodes the ID token on the way,
//! and takes for one kind of error what decides here whether a refresh token is lost.

use ::http::{Request as HttpRequest, header};
use openidconnect::url::form_urlencoded;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Metadata, Request, Unverified,
    answer::{json, successful},
    error::{Document, Error, Source},
};
use crate::{
    config::Profile,
    http::{Answer, Client},
    secret::Secret,
    text::Foreign,
    time::Moment,
};

/// What an exchange brings. Nothing in it may be believed before `verify`.
#[derive(Debug)]
pub struct Tokens {
    /// Always there after [`exchange_code`]; providers may leave it out of a refresh (OIDC Core §12.2).
    pub id_token: Option<Unverified>,
    pub access_token: Secret,
    /// `None` from a refresh: the old one stays good.
    pub refresh_token: Option<Secret>,
    /// The provider's clock, for `Expected`.
    pub server_date: Option<Moment>,
}

/// Exchanges the code that answers `request`.
pub async fn exchange_code(
    client: &Client,
    profile: &Profile,
    metadata: &Metadata,
    request: &Request,
    code: &Secret,
) -> Result<Tokens, Error> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", &request.redirect_uri),
        ("client_id", &profile.client_id),
        ("code_verifier", request.verifier.expose()),
    ];
    let tokens = post(client, metadata, &form).await?;
    match tokens.id_token {
        Some(_) => Ok(tokens),
        None => Err(Error::Incomplete { source: source(metadata), lacks: "id_token" }),
    }
}

/// Renews. Ask [`Error::is_invalid_grant`] before giving up a refresh token; no other error spends it.
pub async fn refresh(
    client: &Client,
    profile: &Profile,
    metadata: &Metadata,
    refresh_token: &Secret,
) -> Result<Tokens, Error> {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
        ("client_id", &profile.client_id),
    ];
    post(client, metadata, &form).await
}

async fn post(client: &Client, metadata: &Metadata, form: &[(&str, &str)]) -> Result<Tokens, Error> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = HttpRequest::post(metadata.token_endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into_bytes())
        .expect("an address that was parsed makes a request");
    read(source(metadata), client.send(request).await?)
}

fn source(metadata: &Metadata) -> Source {
    Source { document: Document::Tokens, host: metadata.token_endpoint.authority().to_owned() }
}

/// The members that are used; `expires_in` is not, for the tokens say better themselves how long they hold.
#[derive(Deserialize)]
struct Granted {
    access_token: Option<Secret>,
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
}

fn read(source: Source, mut answer: Answer) -> Result<Tokens, Error> {
    let server_date = answer.date();
    let body = Zeroizing::new(std::mem::take(&mut answer.body));
    if answer.status.is_client_error()
        && let Some(refusal) = refusal(&body)
    {
        return Err(refusal);
    }
    successful(&source, &answer)?;
    let Granted { access_token, id_token, refresh_token } = json(source.clone(), &body)?;
    let written = |token: &Secret| !token.expose().is_empty();
    Ok(Tokens {
        id_token: id_token.filter(written).map(Unverified::new),
        access_token: access_token
            .filter(written)
            .ok_or(Error::Incomplete { source, lacks: "access_token" })?,
        refresh_token: refresh_token.filter(written),
        server_date,
    })
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
    error_uri: Option<String>,
}

/// The provider's refusal, when the body is one. It comes with 400, or 401, or (Auth0) 403: any client error, and
/// never with a server error, whatever the body of that says.
fn refusal(body: &[u8]) -> Option<Error> {
    let Refusal { error, error_description, error_uri } = serde_json::from_slice(body).ok()?;
    Some(Error::Refused {
        error: Foreign::new(error),
        description: Foreign::new(error_description.unwrap_or_default()),
        uri: error_uri.map(Foreign::new),
    })
}
