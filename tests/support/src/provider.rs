//! The OpenID provider: discovery, keys and the authorization endpoint, and the state of all its endpoints.
//!
//! It refuses what a careful provider refuses, unless a knob changes that. `tokens` has the token endpoint.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    claims,
    client::Browser,
    client_auth, client_keys,
    devices::{self, Device},
    fault::Fault,
    keys::{self, Algorithm},
    knobs::{Knob, merge},
    ledger::Endpoint,
    page, tokens, vendor_rules,
    wire::{Ending, Fields, Reply, Request, Serve, field},
    world::{CLIENT_ID, Common},
};

const CODE_LIFETIME: i64 = 60;

#[derive(Default)]
pub(crate) struct Provider(pub(crate) Mutex<State>);

#[derive(Default)]
pub(crate) struct State {
    /// Authorization requests that the user has not answered yet, by ticket.
    pub waiting: HashMap<String, AuthorizationRequest>,
    pub codes: HashMap<String, Code>,
    pub refresh_tokens: HashMap<String, RefreshToken>,
    pub grants: Vec<Grant>,
    /// Assertions that the application has used.
    pub assertions: client_keys::UsedAssertions,
    /// Sign-ins with a device code, by that code.
    pub devices: HashMap<String, Device>,
}

/// A valid authorization request.
#[derive(Clone)]
pub(crate) struct AuthorizationRequest {
    pub redirect_uri: String,
    state: String,
    pub nonce: Option<String>,
    pub challenge: String,
    pub offline: bool,
    session: String,
}

pub(crate) struct Code {
    pub authorization: AuthorizationRequest,
    pub grant: Option<usize>,
    pub expires: i64,
}

pub(crate) struct RefreshToken {
    pub grant: usize,
    pub spent: bool,
}

pub(crate) struct Grant {
    pub revoked: bool,
    pub offline: bool,
}

impl Grant {
    pub(crate) fn new(offline: bool) -> Self {
        Self { revoked: false, offline }
    }
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let endpoint = endpoint(&world, request);
        world.note(endpoint, request);
        let fault = knob(endpoint).and_then(|knob| world.knobs.fault(knob));
        match Fault::around(fault, &world.gate, || answer(&world, endpoint, request)) {
            Ending::Answer(reply) => Ending::Answer(reply.with("Date", &world.http_date(world.provider_now()))),
            ending => ending,
        }
    })
}

fn endpoint(world: &Common, request: &Request) -> Endpoint {
    let path = request.path().strip_prefix(world.issuer_path().as_str()).unwrap_or(request.path());
    // Cognito has its pages below this path of another domain.
    let path = path.strip_prefix("/oauth2").unwrap_or(path);
    match (request.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration") => Endpoint::Discovery,
        ("GET", "/keys") => Endpoint::Keys,
        ("GET", "/authorize") => Endpoint::Authorize,
        ("GET" | "POST", "/login") => Endpoint::Login,
        ("POST", "/device_authorization") => Endpoint::DeviceCode,
        ("GET" | "POST", "/device") => Endpoint::DevicePage,
        ("POST", "/revoke") => Endpoint::Revoke,
        ("GET", "/userinfo") => Endpoint::UserInfo,
        ("POST", "/token") => {
            let form = request.form().unwrap_or_default();
            match field(&form, "grant_type") {
                Some("refresh_token") => Endpoint::Refresh,
                Some(devices::GRANT) => Endpoint::Poll,
                _ => Endpoint::Code,
            }
        }
        _ => Endpoint::Unknown,
    }
}

fn knob(endpoint: Endpoint) -> Option<Knob> {
    Some(match endpoint {
        Endpoint::Discovery => Knob::DiscoveryFault,
        Endpoint::Keys => Knob::KeysFault,
        Endpoint::Authorize => Knob::AuthorizeFault,
        Endpoint::Code => Knob::CodeFault,
        Endpoint::Refresh => Knob::RefreshFault,
        Endpoint::Revoke => Knob::RevokeFault,
        Endpoint::UserInfo => Knob::UserInfoFault,
        Endpoint::DeviceCode => Knob::DeviceCodeFault,
        Endpoint::Poll => Knob::PollFault,
        _ => return None,
    })
}

fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    match endpoint {
        Endpoint::Discovery => Reply::json(200, &discovery(world)),
        Endpoint::Keys => {
            let mut document = world.keys.read().unwrap().document();
            merge(&mut document, world.knobs.take(Knob::KeysDocument));
            Reply::json(200, &document)
        }
        Endpoint::Authorize => authorize(world, &request.query()),
        Endpoint::Login => login(world, request),
        Endpoint::UserInfo => claims::user_info(world, request),
        Endpoint::DevicePage => devices::answer_page(world, request),
        Endpoint::Code | Endpoint::Refresh | Endpoint::Revoke | Endpoint::DeviceCode | Endpoint::Poll => {
            tokens::answer(world, endpoint, request)
        }
        _ => Reply::new(404, "text/plain", "not found"),
    }
}

fn discovery(world: &Common) -> Value {
    let origin = world.provider_origin();
    let mut document = json!({
        "issuer": world.issuer(),
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "jwks_uri": format!("{origin}/keys"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::name),
        "scopes_supported": vendor_rules::scopes(world),
        "token_endpoint_auth_methods_supported": [client_auth::method(world)],
        "token_endpoint_auth_signing_alg_values_supported": client_keys::algorithms(world),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    if world.knobs.peek(Knob::DeviceCodes).is_some() {
        document["device_authorization_endpoint"] = json!(format!("{origin}/device_authorization"));
        document["grant_types_supported"] = json!(["authorization_code", "refresh_token", devices::GRANT]);
    }
    if world.knobs.peek(Knob::UserInfo).is_some() {
        document["userinfo_endpoint"] = json!(format!("{origin}/userinfo"));
    }
    merge(&mut document, world.knobs.take(Knob::DiscoveryDocument));
    document
}

// Authorization (RFC 6749 §4.1, RFC 7636, RFC 8252 §7.3, RFC 9207)

fn authorize(world: &Common, query: &Fields) -> Reply {
    if field(query, "client_id") != Some(CLIENT_ID) {
        return Reply::new(400, "text/html", &page::refusal("No such client."));
    }
    let redirect_uri = field(query, "redirect_uri").unwrap_or_default();
    if !is_registered(world, redirect_uri) {
        let what = "The redirect address is not registered for this client.";
        return Reply::new(400, "text/html", &page::refusal(what));
    }
    let state = field(query, "state").unwrap_or_default();
    match parse_authorization(world, query) {
        Err((error, description)) => {
            redirect_to_callback(world, redirect_uri, &error_fields(state, error, description))
        }
        Ok(authorization) => {
            world.ledger.record_secret("state", authorization.state.clone());
            world.ledger.record_secret("nonce", authorization.nonce.clone().unwrap_or_default());
            let (ticket, session) = (keys::unguessable(12), authorization.session.clone());
            world.provider.0.lock().unwrap().waiting.insert(ticket.clone(), authorization);
            Reply::redirect(302, &format!("/login?ticket={ticket}"))
                .with("Set-Cookie", &format!("session={session}; Path=/; HttpOnly; SameSite=Lax"))
        }
    }
}

fn is_registered(world: &Common, uri: &str) -> bool {
    if let Some(Value::Array(exact)) = world.knobs.peek(Knob::RedirectUris) {
        return exact.iter().any(|registered| registered == uri);
    }
    Url::parse(uri).is_ok_and(|url| {
        url.scheme() == "http"
            && matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
            && url.path() == "/callback"
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

fn parse_authorization(world: &Common, query: &Fields) -> Result<AuthorizationRequest, (&'static str, &'static str)> {
    let needed = |name| field(query, name).filter(|value| !value.is_empty());
    if needed("response_type") != Some("code") {
        return Err(("unsupported_response_type", "only code is supported"));
    }
    let scope = needed("scope").unwrap_or_default();
    if !vendor_rules::are_known(world, scope) {
        return Err(("invalid_scope", "openid is needed, and every scope must be a known one"));
    }
    if needed("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "PKCE with S256 is required"));
    }
    let challenge = needed("code_challenge").filter(|challenge| keys::decode(challenge).is_some_and(|h| h.len() == 32));
    Ok(AuthorizationRequest {
        redirect_uri: needed("redirect_uri").unwrap_or_default().to_owned(),
        state: needed("state").ok_or(("invalid_request", "state is missing"))?.to_owned(),
        nonce: Some(needed("nonce").ok_or(("invalid_request", "nonce is missing"))?.to_owned()),
        challenge: challenge.ok_or(("invalid_request", "code_challenge is missing or malformed"))?.to_owned(),
        offline: vendor_rules::is_offline(world, query),
        session: keys::unguessable(12),
    })
}

fn login(world: &Common, request: &Request) -> Reply {
    let fields = if request.method == "POST" { request.form().unwrap_or_default() } else { request.query() };
    let ticket = field(&fields, "ticket").unwrap_or_default();
    let authorization = world.provider.0.lock().unwrap().waiting.get(ticket).cloned();
    let is_same_browser = |authorization: &AuthorizationRequest| {
        let cookie = format!("session={}", authorization.session);
        request.header("cookie").is_some_and(|cookies| cookies.split("; ").any(|each| each == cookie))
    };
    let Some(authorization) = authorization.filter(is_same_browser) else {
        return Reply::new(400, "text/html", &page::refusal("This sign-in has ended, or began in another browser."));
    };
    let choice = field(&fields, "choice");
    if request.method == "GET" && world.knobs.text(Knob::Login).as_deref() == Some("page") {
        return Reply::new(200, "text/html; charset=utf-8", &page::sign_in(ticket, "demo@example.com"));
    }
    let denies = choice == Some("deny") || request.header("x-person") == Some("denies");
    world.provider.0.lock().unwrap().waiting.remove(ticket);
    send_forged_callbacks(world, &authorization.redirect_uri);
    redirect_to_callback(world, &authorization.redirect_uri, &decide(world, &authorization, denies))
}

/// Sends forged requests to the callback, as another program on this machine could.
pub(crate) fn send_forged_callbacks(world: &Common, redirect_uri: &str) {
    let Some(Value::Array(queries)) = world.knobs.take(Knob::Forged) else { return };
    for query in queries.iter().filter_map(Value::as_str) {
        let browser = Browser::new(None).patience(Duration::from_secs(5));
        drop(browser.fetch("GET", &format!("{redirect_uri}?{query}"), &[], b""));
    }
}

fn decide(world: &Common, authorization: &AuthorizationRequest, denies: bool) -> Fields {
    if let Some(error) = world.knobs.take(Knob::AuthorizeError) {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        return error_fields(&authorization.state, &text("error"), &text("description"));
    }
    if denies {
        return error_fields(&authorization.state, "access_denied", "the user denied the request");
    }
    let code = world.ledger.record_secret("authorization code", keys::unguessable(24));
    let expires = world.now() + CODE_LIFETIME;
    let mut provider = world.provider.0.lock().unwrap();
    provider.codes.insert(code.clone(), Code { authorization: authorization.clone(), grant: None, expires });
    vec![("code".into(), code), ("state".into(), authorization.state.clone())]
}

pub(crate) fn error_fields(state: &str, error: &str, description: &str) -> Fields {
    vec![
        ("error".into(), error.into()),
        ("error_description".into(), description.into()),
        ("state".into(), state.into()),
    ]
}

/// Redirects the browser to the callback, with the issuer's name (RFC 9207).
fn redirect_to_callback(world: &Common, redirect_uri: &str, fields: &Fields) -> Reply {
    let issuer = ("iss".to_owned(), world.issuer());
    redirect_with_fields(world, redirect_uri, fields.iter().cloned().chain([issuer]))
}

/// Redirects the browser to the callback. Status 303 makes it send a GET, even after a form.
pub(crate) fn redirect_with_fields(
    world: &Common,
    redirect_uri: &str,
    fields: impl IntoIterator<Item = (String, String)>,
) -> Reply {
    let mut query: Value =
        fields.into_iter().map(|(name, value)| (name, json!(value))).collect::<serde_json::Map<_, _>>().into();
    merge(&mut query, world.knobs.take(Knob::CallbackQuery));
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.as_object().into_iter().flatten() {
        encoded.append_pair(name, value.as_str().unwrap_or_default());
    }
    Reply::redirect(303, &format!("{redirect_uri}?{}", encoded.finish()))
}

impl Provider {
    /// Revokes every grant, as an administrator can.
    pub(crate) fn revoke_all(&self) {
        self.0.lock().unwrap().grants.iter_mut().for_each(|grant| grant.revoked = true);
    }

    /// The number of grants that can still be refreshed.
    pub(crate) fn live_grants(&self) -> usize {
        self.0.lock().unwrap().grants.iter().filter(|grant| !grant.revoked && grant.offline).count()
    }

    pub(crate) fn is_offline(&self, grant: usize) -> bool {
        self.0.lock().unwrap().grants[grant].offline
    }

    pub(crate) fn new_refresh_token(&self, world: &Common, grant: usize) -> String {
        let token = world.ledger.record_secret("refresh token", keys::unguessable(32));
        self.0.lock().unwrap().refresh_tokens.insert(token.clone(), RefreshToken { grant, spent: false });
        token
    }
}
