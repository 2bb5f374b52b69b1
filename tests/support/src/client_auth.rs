//! Whether the application is what it says it is: a public client, or one with a secret, as it was registered.
//!
//! Strict as the standards are (RFC 6749 §2.3): one way only, the registered one, and no second name or proof beside it.

use base64::{Engine, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::{
    client_keys, keys,
    knobs::Knob,
    wire::{Fields, Reply, Request, field},
    world::{CLIENT_ID, Common},
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why an application is not believed.
#[derive(Debug)]
pub(crate) struct Doubt(&'static str);

impl Doubt {
    /// RFC 6749 §5.2: 401, naming the scheme, when the application came with a header.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let body = serde_json::json!({ "error": "invalid_client", "error_description": self.0 });
        match request.header("authorization") {
            Some(_) => Reply::json(401, &body).with("WWW-Authenticate", "Basic realm=\"token\""),
            None => Reply::json(401, &body),
        }
    }
}

/// How the application is registered, as discovery calls it; a public client by default.
pub(crate) fn method(world: &Common) -> String {
    let registered = world.knobs.peek(Knob::ClientAuth);
    registered.as_ref().and_then(|method| method.as_str()).unwrap_or("none").to_owned()
}

/// The form, once the application behind it is known.
pub(crate) fn form(world: &Common, request: &Request) -> Result<Fields, Doubt> {
    let form = request.form().ok_or(Doubt("the body is not a form"))?;
    let once = |name: &str| form.iter().filter(|(key, _)| key == name).count() <= 1;
    if !["client_id", "client_secret", "client_assertion"].into_iter().all(once) {
        return Err(Doubt("a parameter stands there twice"));
    }
    let seen = Seen {
        header: request.header("authorization"),
        id: field(&form, "client_id"),
        secret: field(&form, "client_secret"),
        assertion: field(&form, "client_assertion"),
    };
    let is_assertion = field(&form, "client_assertion_type") == Some(ASSERTION);
    if seen.assertion.is_some() != is_assertion {
        return Err(Doubt("client_assertion and its type belong together"));
    }
    judge(world, &seen, request.path())?;
    Ok(form)
}

/// What an application can come with.
struct Seen<'a> {
    header: Option<&'a str>,
    id: Option<&'a str>,
    secret: Option<&'a str>,
    assertion: Option<&'a str>,
}

fn judge(world: &Common, seen: &Seen<'_>, path: &str) -> Result<(), Doubt> {
    let secret = world.client_secret();
    match (method(world).as_str(), seen) {
        ("none", Seen { header: None, id: Some(CLIENT_ID), secret: None, assertion: None }) => Ok(()),
        ("none", _) => Err(Doubt("unknown client, or a proof from a public one")),
        ("client_secret_basic", Seen { header: Some(header), id: None, secret: None, assertion: None }) => {
            world.ledger.keep("client credentials", (*header).to_owned());
            match pair(header) {
                Some((id, given)) if id == CLIENT_ID && given == secret => Ok(()),
                Some(_) => Err(Doubt("unknown client, or its secret is wrong")),
                None => Err(Doubt("no Basic header")),
            }
        }
        ("client_secret_post", Seen { header: None, id: Some(CLIENT_ID), secret: Some(given), assertion: None }) => {
            if *given == secret {
                Ok(())
            } else {
                Err(Doubt("the secret is wrong"))
            }
        }
        ("private_key_jwt", Seen { header: None, id: Some(CLIENT_ID), secret: None, assertion: Some(given) }) => {
            world.ledger.keep("client assertion", (*given).to_owned());
            client_keys::judge(world, given, path).map_err(Doubt)
        }
        _ => Err(Doubt("the application is registered for another method, or came with two")),
    }
}

/// Name and secret of a Basic header, each encoded as in a form (RFC 6749 §2.3.1).
fn pair(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |text: &str| Some(form_urlencoded::parse(text.as_bytes()).next()?.0.into_owned());
    Some((plain(id)?, plain(secret)?))
}

/// A secret with everything in it that is encoded wrongly somewhere.
pub(crate) fn new_secret() -> String {
    format!("{}+/ %41:é&=~", keys::unguessable(16))
}
