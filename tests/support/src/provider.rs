//! The OpenID provider: discovery, keys, the authorization code flow with PKCE, refresh with rotation, revocation.
//!
//! It refuses what a careful provider refuses; it leniently bends only where a knob asks for it.

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
    fault::Fault,
    keys::{self, Algorithm},
    knobs::{Knob, merge},
    ledger::Endpoint,
    page,
    wire::{Ending, Fields, Reply, Request, Serve, field},
    world::{CLIENT_ID, Common},
};

const CODE_LIFETIME: i64 = 60;
const SCOPES: [&str; 7] = ["openid", "email", "profile", "groups", "phone", "address", "offline_access"];

#[derive(Default)]
pub(crate) struct Provider(Mutex<State>);

#[derive(Default)]
struct State {
    /// Authorization requests whose person has not answered yet, by ticket.
    waiting: HashMap<String, Wish>,
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, RefreshToken>,
    grants: Vec<Grant>,
}

/// An authorization request that was found good.
#[derive(Clone)]
struct Wish {
    redirect_uri: String,
    state: String,
    nonce: Option<String>,
    challenge: String,
    scope: String,
    session: String,
}

struct Code {
    wish: Wish,
    grant: Option<usize>,
    expires: i64,
}

struct RefreshToken {
    grant: usize,
    spent: bool,
}

struct Grant {
    revoked: bool,
    offline: bool,
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let endpoint = endpoint(&world, request);
        world.note(endpoint, request);
        let fault = knob(endpoint).and_then(|knob| world.knobs.fault(knob));
        match Fault::around(fault, || answer(&world, endpoint, request)) {
            Ending::Answer(reply) => {
                Ending::Answer(reply.with("Date", &world.http_date(world.provider_now())))
            }
            ending => ending,
        }
    })
}

fn endpoint(world: &Common, request: &Request) -> Endpoint {
    let path = request.path().strip_prefix(world.issuer_path().as_str()).unwrap_or(request.path());
    match (request.method.as_str(), path) {
        ("GET", "/.well-known/openid-configuration") => Endpoint::Discovery,
        ("GET", "/keys") => Endpoint::Keys,
        ("GET", "/authorize") => Endpoint::Authorize,
        ("GET" | "POST", "/login") => Endpoint::Login,
        ("POST", "/revoke") => Endpoint::Revoke,
        ("POST", "/token") => {
            let form = request.form().unwrap_or_default();
            if field(&form, "grant_type") == Some("refresh_token") {
                Endpoint::Refresh
            } else {
                Endpoint::Code
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
        Endpoint::Code => token_answer(client_form(request).and_then(|form| redeem(world, &form))),
        Endpoint::Refresh => token_answer(client_form(request).and_then(|form| refresh(world, &form))),
        Endpoint::Revoke => token_answer(client_form(request).map(|form| revoke(world, &form))),
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
        "scopes_supported": SCOPES,
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
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
    match wish(query) {
        Err((error, description)) => back(world, redirect_uri, &refused(state, error, description)),
        Ok(wish) => {
            world.ledger.keep("state", wish.state.clone());
            world.ledger.keep("nonce", wish.nonce.clone().unwrap_or_default());
            let (ticket, session) = (keys::unguessable(12), wish.session.clone());
            world.provider.0.lock().unwrap().waiting.insert(ticket.clone(), wish);
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

fn wish(query: &Fields) -> Result<Wish, (&'static str, &'static str)> {
    let needed = |name| field(query, name).filter(|value| !value.is_empty());
    if needed("response_type") != Some("code") {
        return Err(("unsupported_response_type", "only code is supported"));
    }
    let scope = needed("scope").unwrap_or_default();
    if !scope.split(' ').any(|word| word == "openid") || !scope.split(' ').all(|word| SCOPES.contains(&word))
    {
        return Err(("invalid_scope", "openid is needed, and every scope must be a known one"));
    }
    if needed("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "PKCE with S256 is required"));
    }
    let challenge =
        needed("code_challenge").filter(|challenge| keys::decode(challenge).is_some_and(|h| h.len() == 32));
    Ok(Wish {
        redirect_uri: needed("redirect_uri").unwrap_or_default().to_owned(),
        state: needed("state").ok_or(("invalid_request", "state is missing"))?.to_owned(),
        nonce: Some(needed("nonce").ok_or(("invalid_request", "nonce is missing"))?.to_owned()),
        challenge: challenge.ok_or(("invalid_request", "code_challenge is missing or malformed"))?.to_owned(),
        scope: scope.to_owned(),
        session: keys::unguessable(12),
    })
}

fn login(world: &Common, request: &Request) -> Reply {
    let fields = if request.method == "POST" { request.form().unwrap_or_default() } else { request.query() };
    let ticket = field(&fields, "ticket").unwrap_or_default();
    let wish = world.provider.0.lock().unwrap().waiting.get(ticket).cloned();
    let is_same_browser = |wish: &Wish| {
        let cookie = format!("session={}", wish.session);
        request.header("cookie").is_some_and(|cookies| cookies.split("; ").any(|each| each == cookie))
    };
    let Some(wish) = wish.filter(is_same_browser) else {
        return Reply::new(
            400,
            "text/html",
            &page::refusal("This sign-in has ended, or began in another browser."),
        );
    };
    let choice = field(&fields, "choice");
    if request.method == "GET" && world.knobs.text(Knob::Login).as_deref() == Some("page") {
        return Reply::new(200, "text/html; charset=utf-8", &page::sign_in(ticket, "demo@example.com"));
    }
    let denies = choice == Some("deny") || request.header("x-person") == Some("denies");
    world.provider.0.lock().unwrap().waiting.remove(ticket);
    visit_as_a_neighbour(world, &wish.redirect_uri);
    back(world, &wish.redirect_uri, &verdict(world, &wish, denies))
}

/// Another program on this machine tries the callback first.
fn visit_as_a_neighbour(world: &Common, redirect_uri: &str) {
    let Some(Value::Array(queries)) = world.knobs.take(Knob::Forged) else { return };
    for query in queries.iter().filter_map(Value::as_str) {
        let browser = Browser::new(None).patience(Duration::from_secs(5));
        drop(browser.fetch("GET", &format!("{redirect_uri}?{query}"), &[], b""));
    }
}

fn verdict(world: &Common, wish: &Wish, denies: bool) -> Fields {
    if let Some(error) = world.knobs.take(Knob::AuthorizeError) {
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        return refused(&wish.state, &text("error"), &text("description"));
    }
    if denies {
        return refused(&wish.state, "access_denied", "the person said no");
    }
    let code = world.ledger.keep("authorization code", keys::unguessable(24));
    let expires = world.now() + CODE_LIFETIME;
    let mut provider = world.provider.0.lock().unwrap();
    provider.codes.insert(code.clone(), Code { wish: wish.clone(), grant: None, expires });
    vec![("code".into(), code), ("state".into(), wish.state.clone())]
}

fn refused(state: &str, error: &str, description: &str) -> Fields {
    vec![
        ("error".into(), error.into()),
        ("error_description".into(), description.into()),
        ("state".into(), state.into()),
    ]
}

/// Sends the browser to the callback; 303 so that a posted form is not posted on.
fn back(world: &Common, redirect_uri: &str, fields: &Fields) -> Reply {
    let mut query: Value = fields
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    query["iss"] = json!(world.issuer());
    merge(&mut query, world.knobs.take(Knob::CallbackQuery));
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.as_object().into_iter().flatten() {
        encoded.append_pair(name, value.as_str().unwrap_or_default());
    }
    Reply::redirect(303, &format!("{redirect_uri}?{}", encoded.finish()))
}

// The token endpoint (RFC 6749 §4.1.3, §6, RFC 9700 §4.14)

type Refused = (&'static str, &'static str);

fn token_answer(result: Result<Value, Refused>) -> Reply {
    match result {
        Ok(value) => Reply::json(200, &value),
        Err((error, why)) => Reply::json(400, &json!({ "error": error, "error_description": why })),
    }
}

/// The form of a public client: named, and with no secret.
fn client_form(request: &Request) -> Result<Fields, Refused> {
    let form = request.form().ok_or(("invalid_request", "the body is not a form"))?;
    let is_public = request.header("authorization").is_none() && field(&form, "client_secret").is_none();
    match field(&form, "client_id") {
        Some(CLIENT_ID) if is_public => Ok(form),
        _ => Err(("invalid_client", "unknown client, or a secret from a public one")),
    }
}

fn redeem(world: &Common, form: &Fields) -> Result<Value, Refused> {
    if field(form, "grant_type") != Some("authorization_code") {
        return Err(("unsupported_grant_type", "authorization_code or refresh_token"));
    }
    let verifier = field(form, "code_verifier").ok_or(("invalid_request", "code_verifier is missing"))?;
    world.ledger.keep("PKCE verifier", verifier.to_owned());
    let (grant, wish) = {
        let mut state = world.provider.0.lock().unwrap();
        let State { codes, grants, .. } = &mut *state;
        let code = codes.get_mut(field(form, "code").unwrap_or_default());
        let code = code.ok_or(("invalid_grant", "no such code"))?;
        if let Some(grant) = code.grant {
            // RFC 6749 §4.1.2: a code that comes twice has been stolen once.
            grants[grant].revoked = true;
            return Err(("invalid_grant", "the code was used before"));
        }
        if code.expires < world.now() {
            return Err(("invalid_grant", "the code has expired"));
        }
        if field(form, "redirect_uri") != Some(&code.wish.redirect_uri) {
            return Err(("invalid_grant", "redirect_uri differs from the authorization request's"));
        }
        if keys::sha256(verifier) != code.wish.challenge || !(43..=128).contains(&verifier.len()) {
            return Err(("invalid_grant", "code_verifier does not match the challenge"));
        }
        grants.push(Grant {
            revoked: false,
            offline: code.wish.scope.split(' ').any(|s| s == "offline_access"),
        });
        code.grant = Some(grants.len() - 1);
        (grants.len() - 1, code.wish.clone())
    };
    let mut tokens = tokens(world, wish.nonce.as_deref(), true);
    if world.provider.is_offline(grant) && !world.knobs.flag(Knob::WithoutRefreshToken) {
        tokens["refresh_token"] = json!(world.provider.new_refresh_token(world, grant));
    }
    Ok(tokens)
}

fn refresh(world: &Common, form: &Fields) -> Result<Value, Refused> {
    let stays = world.knobs.flag(Knob::WithoutRotation);
    let grant = {
        let mut state = world.provider.0.lock().unwrap();
        let State { refresh_tokens, grants, .. } = &mut *state;
        let token = refresh_tokens.get_mut(field(form, "refresh_token").unwrap_or_default());
        let token = token.ok_or(("invalid_grant", "no such refresh token"))?;
        if token.spent {
            grants[token.grant].revoked = true;
            return Err(("invalid_grant", "the refresh token was used before; its grant is revoked"));
        }
        if grants[token.grant].revoked {
            return Err(("invalid_grant", "the grant is revoked"));
        }
        token.spent = !stays;
        token.grant
    };
    let mut tokens = tokens(world, None, !world.knobs.flag(Knob::RefreshWithoutIdToken));
    if !stays && !world.knobs.flag(Knob::WithoutRefreshToken) {
        tokens["refresh_token"] = json!(world.provider.new_refresh_token(world, grant));
    }
    Ok(tokens)
}

fn tokens(world: &Common, nonce: Option<&str>, with_id_token: bool) -> Value {
    let access = world.ledger.keep("access token", keys::unguessable(32));
    let mut tokens = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600 });
    if with_id_token {
        tokens["id_token"] = json!(claims::id_token(world, nonce, &access));
    }
    tokens
}

/// RFC 7009: an unknown token is as revoked as can be.
fn revoke(world: &Common, form: &Fields) -> Value {
    let mut state = world.provider.0.lock().unwrap();
    let known = state.refresh_tokens.get(field(form, "token").unwrap_or_default()).map(|token| token.grant);
    if let Some(grant) = known {
        state.grants[grant].revoked = true;
    }
    json!({})
}

impl Provider {
    /// Ends every grant, as an administrator would.
    pub(crate) fn revoke_all(&self) {
        self.0.lock().unwrap().grants.iter_mut().for_each(|grant| grant.revoked = true);
    }

    /// Grants that can still be refreshed.
    pub(crate) fn live_grants(&self) -> usize {
        self.0.lock().unwrap().grants.iter().filter(|grant| !grant.revoked && grant.offline).count()
    }

    fn is_offline(&self, grant: usize) -> bool {
        self.0.lock().unwrap().grants[grant].offline
    }

    fn new_refresh_token(&self, world: &Common, grant: usize) -> String {
        let token = world.ledger.keep("refresh token", keys::unguessable(32));
        self.0.lock().unwrap().refresh_tokens.insert(token.clone(), RefreshToken { grant, spent: false });
        token
    }
}
