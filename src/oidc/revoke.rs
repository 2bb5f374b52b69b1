//! The revocation endpoint: a refresh token ended before its time (RFC 7009).
//!
//! It asks and tells whether it was done; what is forgotten here meanwhile is for `session`.

use super::{
    Application, Metadata,
    error::{Document, Error},
    form::Form,
};
use crate::{http::Client, secret::Secret, url::SecureUrl};

/// Ends what the refresh token stands for. One that the provider does not know, or has ended before, is ended as well
/// (RFC 7009 §2.2); see [`Error::revokes_no_such_token`] for a provider that cannot.
pub async fn revoke(
    client: &Client,
    application: &Application<'_>,
    metadata: &Metadata,
    endpoint: &SecureUrl,
    refresh_token: &Secret,
) -> Result<(), Error> {
    let form = Form {
        document: Document::Revocation,
        endpoint: metadata.for_revocation(endpoint),
        fields: &[("token", refresh_token.expose()), ("token_type_hint", "refresh_token")],
        secrets: &[refresh_token],
        origin: None,
    };
    let answer = form.post(client, application).await?;
    // The status says it all, and the body of a success nothing (RFC 7009 §2.2). Only a web page is believed to come from
    // somebody else: a captive portal greets everybody with 200.
    match answer.body.trim_ascii_start().first() {
        Some(b'<') => Err(Error::NotJson { source: form.source() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::http::StatusCode;
    use openidconnect::url::form_urlencoded;

    use super::*;
    use crate::{
        config::Provider,
        http::{
            Trust,
            testing::{Server, block_on, client},
        },
        oidc::error::Source,
        oidc::testing::{base, host, metadata, profile, proven, provider},
        text::Foreign,
    };

    fn revoked(server: &Server) -> Result<(), Error> {
        let endpoint = SecureUrl::parse(&format!("{}/revoke", base(server))).unwrap();
        let (profile, metadata) = (profile(Provider::Generic), metadata(&base(server)));
        let application = proven(&profile, None);
        block_on(revoke(&client(&Trust::default()), &application, &metadata, &endpoint, &Secret::new("r+t")))
    }

    fn source(server: &Server) -> Source {
        Source { document: Document::Revocation, host: host(server) }
    }

    #[test]
    fn the_token_its_kind_and_the_client_are_sent_and_nothing_else() {
        let server = provider("200 OK", "", "");
        assert_eq!(revoked(&server), Ok(()));
        let request = server.requests.recv().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with("post /revoke http/1.1\r\n") && !head.contains("authorization"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
        let sent: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let wanted = [("token", "r+t"), ("token_type_hint", "refresh_token"), ("client_id", "client")];
        assert_eq!(sent, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn the_body_of_a_success_says_nothing() {
        for (status, body) in [("200 OK", "{}"), ("200 OK", "{\"error\":\"x\"}"), ("204 No Content", "")] {
            assert_eq!(revoked(&provider(status, "", body)), Ok(()), "{status} {body}");
        }
    }

    #[test]
    fn a_captive_portals_page_is_no_success() {
        let server = provider("200 OK", "Content-Type: text/html\r\n", "\n<html>Welcome to the hotel</html>");
        assert_eq!(revoked(&server), Err(Error::NotJson { source: source(&server) }));
    }

    #[test]
    fn a_refusal_keeps_the_providers_words_but_not_the_token() {
        let body = r#"{"error":"unsupported_token_type","error_description":"r+t is opaque"}"#;
        let error = revoked(&provider("400 Bad Request", "", body)).unwrap_err();
        assert!(error.revokes_no_such_token());
        let (error_code, description) =
            (Foreign::new("unsupported_token_type"), Foreign::new("[secret] is opaque"));
        assert_eq!(error, Error::Refused { error: error_code, description, uri: None });
    }

    #[test]
    fn an_outage_is_told_by_its_status_and_a_redirect_is_not_followed() {
        let server = provider("503 Service Unavailable", "Retry-After: 9\r\n", r#"{"error":"x"}"#);
        let fact = Error::Status { source: source(&server), status: StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(revoked(&server), Err(fact));
        let server = provider("307 Temporary Redirect", "Location: https://other.example/?a\r\n", "");
        let to = Some(Foreign::new("https://other.example/"));
        assert_eq!(revoked(&server), Err(Error::Redirected { source: source(&server), to }));
    }
}
