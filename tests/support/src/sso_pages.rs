//! The pages of IAM Identity Center: the authorization endpoint, its sign-in page, and the page for device codes.

use serde_json::Value;
use url::Url;

use crate::{
    identity_center::{PortalAuthorization, PortalCode, PortalDevice, RegisteredClient, USER},
    keys,
    knobs::Knob,
    page,
    provider::{error_fields, redirect_with_fields, send_forged_callbacks},
    sso_oidc::AUTHORIZATION_CODE,
    wire::{Fields, Reply, Request, field},
    world::Common,
};

pub(crate) const LOGIN: &str = "/login";
pub(crate) const DEVICE: &str = "/device";

const CODE_LIFETIME: i64 = 60;
const HTML: &str = "text/html; charset=utf-8";

pub(crate) fn show_portal() -> Reply {
    Reply::new(200, HTML, &page::portal())
}

pub(crate) fn authorize(world: &Common, query: &Fields) -> Reply {
    let refused = |what| Reply::new(400, HTML, &page::refusal(what));
    let client_id = field(query, "client_id").unwrap_or_default();
    let client = world.identity_center.0.lock().unwrap().clients.get(client_id).cloned();
    let Some(client) = client.filter(|client| world.now() < client.expires) else {
        return refused("No such client, or its registration has expired.");
    };
    let redirect_uri = field(query, "redirect_uri").unwrap_or_default();
    if !is_registered(&client, redirect_uri) {
        return refused("The redirect address is not registered for this client.");
    }
    match parse_authorization(&client, query) {
        Err((error, description)) => {
            let state = field(query, "state").unwrap_or_default();
            redirect_with_fields(world, redirect_uri, error_fields(state, error, description))
        }
        Ok(authorization) => {
            world.ledger.record_secret("SSO state", authorization.state.clone());
            let (ticket, browser) = (keys::unguessable(12), authorization.browser.clone());
            world.identity_center.0.lock().unwrap().waiting.insert(ticket.clone(), authorization);
            Reply::redirect(302, &format!("{LOGIN}?ticket={ticket}"))
                .with("Set-Cookie", &format!("portal={browser}; Path=/; HttpOnly; SameSite=Lax"))
        }
    }
}

/// Any port is allowed (RFC 8252 §7.3). Everything else must be as registered.
fn is_registered(client: &RegisteredClient, uri: &str) -> bool {
    let Ok(mut url) = Url::parse(uri) else { return false };
    client.redirects.iter().any(|registered| {
        // An error means that this URL cannot have a port. It is not equal then.
        url.set_port(registered.port()).is_ok() && url == *registered
    })
}

fn parse_authorization(
    client: &RegisteredClient,
    query: &Fields,
) -> Result<PortalAuthorization, (&'static str, &'static str)> {
    let needed = |name| field(query, name).filter(|value| !value.is_empty());
    if needed("response_type") != Some("code") {
        return Err(("unsupported_response_type", "only code is supported"));
    }
    if !client.grants.iter().any(|grant| grant == AUTHORIZATION_CODE) {
        return Err(("unauthorized_client", "the client is not registered for authorization_code"));
    }
    let scopes = needed("scopes").ok_or(("invalid_scope", "scopes is missing"))?;
    if scopes.split(' ').any(|scope| !client.scopes.iter().any(|registered| registered == scope)) {
        return Err(("invalid_scope", "the client is not registered for this scope"));
    }
    if needed("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "PKCE with S256 is required"));
    }
    let challenge = needed("code_challenge").filter(|challenge| keys::decode(challenge).is_some_and(|h| h.len() == 32));
    Ok(PortalAuthorization {
        client_id: needed("client_id").unwrap_or_default().to_owned(),
        redirect_uri: needed("redirect_uri").unwrap_or_default().to_owned(),
        state: needed("state").ok_or(("invalid_request", "state is missing"))?.to_owned(),
        challenge: challenge.ok_or(("invalid_request", "code_challenge is missing or malformed"))?.to_owned(),
        browser: keys::unguessable(12),
    })
}

pub(crate) fn answer_login(world: &Common, request: &Request) -> Reply {
    let fields = if request.method == "POST" { request.form().unwrap_or_default() } else { request.query() };
    let ticket = field(&fields, "ticket").unwrap_or_default();
    let authorization = world.identity_center.0.lock().unwrap().waiting.get(ticket).cloned();
    let is_same_browser = |authorization: &PortalAuthorization| {
        let cookie = format!("portal={}", authorization.browser);
        request.header("cookie").is_some_and(|cookies| cookies.split("; ").any(|each| each == cookie))
    };
    let Some(authorization) = authorization.filter(is_same_browser) else {
        return Reply::new(400, HTML, &page::refusal("This sign-in has ended, or began in another browser."));
    };
    if request.method == "GET" && world.knobs.text(Knob::Login).as_deref() == Some("page") {
        return Reply::new(200, HTML, &page::sign_in(ticket, &next_user(world)));
    }
    let denies = field(&fields, "choice") == Some("deny") || request.header("x-person") == Some("denies");
    world.identity_center.0.lock().unwrap().waiting.remove(ticket);
    send_forged_callbacks(world, &authorization.redirect_uri);
    let fields = decide(world, &authorization, denies);
    redirect_with_fields(world, &authorization.redirect_uri, fields)
}

fn decide(world: &Common, authorization: &PortalAuthorization, denies: bool) -> Fields {
    if let Some(error) = world.knobs.take(Knob::AuthorizeError) {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        return error_fields(&authorization.state, &text("error"), &text("description"));
    }
    if denies {
        return error_fields(&authorization.state, "access_denied", "the user denied the request");
    }
    let code = world.ledger.record_secret("SSO authorization code", keys::unguessable(96));
    let issued = PortalCode {
        authorization: authorization.clone(),
        user: sign_in(world),
        session: None,
        expires: world.now() + CODE_LIFETIME,
    };
    world.identity_center.0.lock().unwrap().codes.insert(code.clone(), issued);
    vec![("code".into(), code), ("state".into(), authorization.state.clone())]
}

/// The page on which the user enters the code.
pub(crate) fn answer_device_page(world: &Common, request: &Request) -> Reply {
    if request.method == "GET" {
        let query = request.query();
        let code = field(&query, "user_code").unwrap_or_default();
        let typed: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        return Reply::new(200, HTML, &page::enter_code(&typed));
    }
    let form = request.form().unwrap_or_default();
    let typed = field(&form, "user_code").unwrap_or_default();
    let mut state = world.identity_center.0.lock().unwrap();
    let now = world.now();
    let is_open =
        |device: &&mut PortalDevice| device.user_code == typed && device.choice.is_none() && now < device.expires;
    match state.devices.values_mut().find(is_open) {
        Some(device) => {
            device.choice = Some((field(&form, "choice") == Some("sign-in")).then(|| sign_in(world)));
            Reply::new(200, HTML, &page::code_taken())
        }
        None => Reply::new(400, HTML, &page::refusal("No such code.")),
    }
}

/// The name of the user who signs in now.
fn sign_in(world: &Common) -> String {
    world.knobs.text(Knob::PortalUser).unwrap_or_else(|| USER.to_owned())
}

fn next_user(world: &Common) -> String {
    world.knobs.peek(Knob::PortalUser).as_ref().and_then(Value::as_str).unwrap_or(USER).to_owned()
}
