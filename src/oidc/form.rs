//! Forms posted to the provider, and its refusals (RFC 6749 §5.2), which every endpoint words alike.
//!
//! What a form holds besides the application's name and proof, and what a good answer means, is for the module that
//! posts it.

use ::http::{HeaderValue, Request, StatusCode, header};
use openidconnect::url::form_urlencoded;
use serde::Deserialize;

use super::{
    Application,
    answer::successful,
    application::Endpoint,
    error::{Document, Error, Source},
};
use crate::{
    http::{self, Answer, Client},
    secret::Secret,
    text::Foreign,
};

/// What is posted, and where.
pub(super) struct Form<'a> {
    /// What a good answer is.
    pub(super) document: Document,
    pub(super) endpoint: Endpoint<'a>,
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// What is secret of it, which a refusal may quote.
    pub(super) secrets: &'a [&'a Secret],
    /// Where a page in a browser would say that it comes from.
    pub(super) origin: Option<&'static str>,
}

impl Form<'_> {
    pub(super) fn source(&self) -> Source {
        Source { document: self.document, host: self.endpoint.url.authority().to_owned() }
    }

    /// Posts it with what proves the application. Refusals, redirects and outages are errors; the rest is the answer.
    pub(super) async fn post(&self, client: &Client, application: &Application<'_>) -> Result<Answer, Error> {
        let answer = client.send(self.request(application)).await?;
        if let Some(refusal) = refusal(application, answer.status, &answer.body) {
            let secrets: Vec<_> = self.secrets.iter().copied().chain(application.secret()).collect();
            return Err(without(refusal, &secrets));
        }
        successful(&self.source(), &answer)?;
        Ok(answer)
    }

    fn request(&self, application: &Application<'_>) -> Request<Vec<u8>> {
        let presented = application.present(&self.endpoint);
        let proof = presented.fields.iter().map(|(name, value)| (*name, value.expose()));
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(self.fields).extend_pairs(proof).finish();
        let mut request = Request::post(self.endpoint.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into_bytes())
            .expect("an address that was parsed makes a request");
        if let Some(header) = &presented.header {
            let mut value = HeaderValue::from_str(header.expose()).expect("base64 is fit for a header");
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        if let Some(origin) = self.origin {
            request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        request
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
    error_uri: Option<String>,
}

/// The provider's refusal, when the answer is one. It comes with 400, or 401, or (Auth0) 403: any client error, and
/// never with a server error, whatever the body of that says.
fn refusal(application: &Application<'_>, status: StatusCode, body: &[u8]) -> Option<Error> {
    if !status.is_client_error() {
        return None;
    }
    let Refusal { error, error_description, error_uri } = http::object(body)?;
    let means = application.means().filter(|_| doubts_the_application(status, &error));
    let (error, description) = (Foreign::new(error), Foreign::new(error_description.unwrap_or_default()));
    Some(match means {
        Some(means) => Error::Unbelieved { means, error, description },
        None => Error::Refused { error, description, uri: error_uri.map(Foreign::new) },
    })
}

/// Whether it was the application's proof that did not please. The standard has one word for it; Keycloak says
/// `unauthorized_client`, and Auth0 `access_denied`, both with 401, which stands for nothing else here.
fn doubts_the_application(status: StatusCode, error: &str) -> bool {
    match error {
        "invalid_client" => true,
        "unauthorized_client" | "access_denied" => status == StatusCode::UNAUTHORIZED,
        _ => false,
    }
}

/// A refusal's words reach terminals, logs and the last failure, and some providers quote what they refuse.
fn without(error: Error, secrets: &[&Secret]) -> Error {
    let blot = |text: Foreign| secrets.iter().fold(text, |text, secret| text.without(secret));
    match error {
        Error::Refused { error, description, uri } => {
            Error::Refused { error, description: blot(description), uri: uri.map(blot) }
        }
        Error::Unbelieved { means, error, description } => {
            Error::Unbelieved { means, error, description: blot(description) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{ClientAuth, Profile, Provider},
        http::{
            Trust,
            testing::{block_on, client},
        },
        oidc::{
            Means,
            testing::{base, metadata, profile, proven, provider},
        },
    };

    /// What becomes of a form posted with a secret and answered so.
    fn refused(status: &str, code: &str) -> Error {
        let body = format!(r#"{{"error":"{code}","error_description":"s3cret is wrong"}}"#);
        let server = provider(status, "", &body);
        let profile = Profile { client_auth: ClientAuth::Secret, ..profile(Provider::Generic) };
        let application = proven(&profile, Some("s3cret"));
        let metadata = metadata(&base(&server));
        let form = Form {
            document: Document::Tokens,
            endpoint: metadata.for_tokens(),
            fields: &[("refresh_token", "rt")],
            secrets: &[],
            origin: None,
        };
        let error = block_on(form.post(&client(&Trust::default()), &application)).unwrap_err();
        let request = server.requests.recv().unwrap();
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("authorization: Basic Y2xpZW50OnMzY3JldA=="), "{head}");
        assert_eq!(sent, "refresh_token=rt");
        error
    }

    #[test]
    fn a_proof_that_does_not_please_is_told_from_every_other_refusal_and_spends_nothing() {
        for (status, code) in [
            ("401 Unauthorized", "invalid_client"),
            ("400 Bad Request", "invalid_client"),
            ("401 Unauthorized", "unauthorized_client"),
            ("401 Unauthorized", "access_denied"),
        ] {
            let error = refused(status, code);
            assert!(!error.is_invalid_grant() && !error.doubts_the_metadata(), "{code}");
            let (code, description) = (Foreign::new(code), Foreign::new("[secret] is wrong"));
            assert_eq!(error, Error::Unbelieved { means: Means::Secret, error: code, description });
        }
        for (status, code) in
            [("400 Bad Request", "unauthorized_client"), ("401 Unauthorized", "invalid_grant")]
        {
            let error = refused(status, code);
            assert!(matches!(error, Error::Refused { .. }), "{code}: {error:?}");
        }
    }
}
