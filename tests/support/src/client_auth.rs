//! Authentication of the application at the token endpoint: a public client, or one with a secret or a private key.
//!
//! As strict as the standard (RFC 6749 §2.3): the client uses exactly the registered method, and presents no second
//! identifier or credential besides.

use base64::{Engine, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::{
    client_keys, keys,
    knobs::Knob,
    wire::{Fields, Reply, Request, field},
    world::{CLIENT_ID, Common},
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why a client is not authenticated.
#[derive(Debug)]
pub(crate) struct ClientAuthError(&'static str);

impl ClientAuthError {
    /// RFC 6749 §5.2: status 401, with the scheme if the client used the `Authorization` header.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let body = serde_json::json!({ "error": "invalid_client", "error_description": self.0 });
        match request.header("authorization") {
            Some(_) => Reply::json(401, &body).with("WWW-Authenticate", "Basic realm=\"token\""),
            None => Reply::json(401, &body),
        }
    }
}

/// The registered method under its name in the discovery document; a public client by default.
pub(crate) fn method(world: &Common) -> String {
    let registered = world.knobs.peek(Knob::ClientAuth);
    registered.as_ref().and_then(|method| method.as_str()).unwrap_or("none").to_owned()
}

/// Returns the form of a request whose client is authenticated.
pub(crate) fn form(world: &Common, request: &Request) -> Result<Fields, ClientAuthError> {
    let form = request.form().ok_or(ClientAuthError("the body is not a form"))?;
    let once = |name: &str| form.iter().filter(|(key, _)| key == name).count() <= 1;
    if !["client_id", "client_secret", "client_assertion"].into_iter().all(once) {
        return Err(ClientAuthError("a parameter is repeated"));
    }
    let seen = PresentedCredentials {
        header: request.header("authorization"),
        id: field(&form, "client_id"),
        secret: field(&form, "client_secret"),
        assertion: field(&form, "client_assertion"),
    };
    let is_assertion = field(&form, "client_assertion_type") == Some(ASSERTION);
    if seen.assertion.is_some() != is_assertion {
        return Err(ClientAuthError("client_assertion and its type must come together"));
    }
    check_client(world, &seen, request.path())?;
    Ok(form)
}

/// The parameters by which a client can authenticate.
struct PresentedCredentials<'a> {
    header: Option<&'a str>,
    id: Option<&'a str>,
    secret: Option<&'a str>,
    assertion: Option<&'a str>,
}

fn check_client(world: &Common, seen: &PresentedCredentials<'_>, path: &str) -> Result<(), ClientAuthError> {
    let secret = world.client_secret();
    match (method(world).as_str(), seen) {
        ("none", PresentedCredentials { header: None, id: Some(CLIENT_ID), secret: None, assertion: None }) => Ok(()),
        ("none", _) => Err(ClientAuthError("unknown client, or a public client with a credential")),
        (
            "client_secret_basic",
            PresentedCredentials { header: Some(header), id: None, secret: None, assertion: None },
        ) => {
            world.ledger.record_secret("client credentials", (*header).to_owned());
            match parse_basic_header(header) {
                Some((id, given)) if id == CLIENT_ID && given == secret => Ok(()),
                Some(_) => Err(ClientAuthError("unknown client, or its secret is wrong")),
                None => Err(ClientAuthError("no Basic header")),
            }
        }
        (
            "client_secret_post",
            PresentedCredentials { header: None, id: Some(CLIENT_ID), secret: Some(given), assertion: None },
        ) => {
            if *given == secret {
                Ok(())
            } else {
                Err(ClientAuthError("the secret is wrong"))
            }
        }
        (
            "private_key_jwt",
            PresentedCredentials { header: None, id: Some(CLIENT_ID), secret: None, assertion: Some(given) },
        ) => {
            world.ledger.record_secret("client assertion", (*given).to_owned());
            client_keys::check_assertion(world, given, path).map_err(ClientAuthError)
        }
        _ => Err(ClientAuthError("the client is registered for another method, or used two")),
    }
}

/// The client id and secret of a Basic header, each encoded as in a form (RFC 6749 §2.3.1).
fn parse_basic_header(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |text: &str| Some(form_urlencoded::parse(text.as_bytes()).next()?.0.into_owned());
    Some((plain(id)?, plain(secret)?))
}

/// A secret with all characters that programs tend to encode wrongly.
pub(crate) fn new_secret() -> String {
    format!("{}+/ %41:é&=~", keys::unguessable(16))
}
