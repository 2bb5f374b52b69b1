//! SSO OIDC of IAM Identity Center: RegisterClient, StartDeviceAuthorization and CreateToken.
//!
//! Refresh tokens rotate, and the use of an old one ends the session.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::{Host, Url};

use crate::{
    devices,
    identity_center::{
        AWS_START_URL, PortalAccessToken, PortalCode, PortalDevice, PortalRefreshToken, PortalSession, PortalState,
        RegisteredClient, START, SsoRefusal, check_is_unsigned, refuse,
    },
    keys,
    knobs::{Knob, merge},
    ledger::Endpoint,
    sso_pages,
    wire::{Reply, Request},
    world::Common,
};

pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
pub(crate) const DEVICE_CODE: &str = devices::GRANT;
pub(crate) const ACCOUNT_ACCESS: &str = "sso:account:access";

/// Ninety days.
const REGISTRATION_LIFETIME: i64 = 7_776_000;
/// RFC 8628 §3.5: `slow_down` adds five seconds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The two sides may measure an interval slightly differently.
const TOLERANCE: Duration = Duration::from_millis(100);

/// The errors of botocore's model: name, OAuth error, status.
const ERRORS: [(&str, &str, u16); 14] = [
    ("AccessDeniedException", "access_denied", 400),
    ("AuthorizationPendingException", "authorization_pending", 400),
    ("ExpiredTokenException", "expired_token", 400),
    ("InternalServerException", "server_error", 500),
    ("InvalidClientException", "invalid_client", 401),
    ("InvalidClientMetadataException", "invalid_client_metadata", 400),
    ("InvalidGrantException", "invalid_grant", 400),
    ("InvalidRedirectUriException", "invalid_redirect_uri", 400),
    ("InvalidRequestException", "invalid_request", 400),
    ("InvalidScopeException", "invalid_scope", 400),
    ("SlowDownException", "slow_down", 400),
    ("UnauthorizedClientException", "unauthorized_client", 400),
    ("UnrecognizedClientException", "invalid_client", 403),
    ("UnsupportedGrantTypeException", "unsupported_grant_type", 400),
];

/// What a session gives to a client: the session's number and the client.
struct Granted {
    session: usize,
    client_id: String,
    /// Whether the client is entitled to a refresh token.
    with_refresh_token: bool,
}

fn reject(code: &'static str, message: impl Into<String>) -> SsoRefusal {
    let (_, _, status) = find_error(code).unwrap_or_else(|| panic!("SSO OIDC has no error {code}"));
    SsoRefusal { status, code, message: message.into() }
}

fn find_error(code: &str) -> Option<(&'static str, &'static str, u16)> {
    ERRORS.into_iter().find(|(name, ..)| *name == code)
}

/// The status and the document of an error of this service.
pub(crate) fn describe_error(code: &str, message: &str) -> Option<(u16, Value)> {
    let (_, error, status) = find_error(code)?;
    Some((status, json!({ "error": error, "error_description": message })))
}

pub(crate) fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    let result =
        check_is_unsigned(request).and_then(|()| parse_question(request)).and_then(|question| match endpoint {
            Endpoint::RegisterClient => register(world, &question),
            Endpoint::PortalDeviceCode => begin_device_sign_in(world, &question),
            _ => create_token(world, &question),
        });
    match result {
        Ok(value) => Reply::json(200, &value),
        Err(SsoRefusal { code, message, .. }) => {
            let (status, body) = describe_error(code, &message).expect("made by `reject`");
            refuse(status, code, &body)
        }
    }
}

/// Parses the JSON object of a request.
pub(crate) fn parse_question(request: &Request) -> Result<Value, SsoRefusal> {
    let is_json = request.header("content-type") == Some("application/json");
    let body = serde_json::from_slice(&request.body).ok().filter(|body: &Value| is_json && body.is_object());
    body.ok_or_else(|| reject("InvalidRequestException", "The request is not a JSON object"))
}

fn required<'a>(question: &'a Value, name: &str) -> Result<&'a str, SsoRefusal> {
    let text = question[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| reject("InvalidRequestException", format!("{name} is missing")))
}

fn list(question: &Value, name: &str) -> Result<Vec<String>, SsoRefusal> {
    let malformed = || reject("InvalidRequestException", format!("{name} is not a list of strings"));
    match &question[name] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(malformed)).collect()
        }
        _ => Err(malformed()),
    }
}

// RegisterClient

fn register(world: &Common, question: &Value) -> Result<Value, SsoRefusal> {
    required(question, "clientName")?;
    if required(question, "clientType")? != "public" {
        return Err(reject("InvalidClientMetadataException", "The only client type is public"));
    }
    let scopes = list(question, "scopes")?;
    if let Some(unknown) = scopes.iter().find(|scope| *scope != ACCOUNT_ACCESS) {
        return Err(reject("InvalidScopeException", format!("Unknown scope {unknown}")));
    }
    let grants = registered_grants(question)?;
    let redirects = list(question, "redirectUris")?.iter().map(|uri| parse_redirect(uri)).collect::<Result<_, _>>()?;
    let client = RegisteredClient {
        secret: world.ledger.record_secret("SSO client secret", new_client_secret()),
        grants,
        redirects,
        scopes,
        expires: world.now() + world.knobs.number(Knob::RegistrationLifetime, REGISTRATION_LIFETIME),
    };
    if client.grants.iter().any(|grant| grant == AUTHORIZATION_CODE) {
        if client.redirects.is_empty() {
            return Err(reject("InvalidRequestException", "authorization_code needs redirectUris"));
        }
        if !is_start_url(world, required(question, "issuerUrl")?) {
            return Err(reject("InvalidRequestException", "issuerUrl is not the URL of this instance"));
        }
    }
    let client_id = keys::unguessable(24);
    let registered = json!({
        "clientId": client_id,
        "clientSecret": client.secret,
        "clientIdIssuedAt": world.now(),
        "clientSecretExpiresAt": client.expires,
    });
    world.identity_center.0.lock().unwrap().clients.insert(client_id, client);
    Ok(registered)
}

/// Clients of old register no grant types. They sign in with device codes.
fn registered_grants(question: &Value) -> Result<Vec<String>, SsoRefusal> {
    let grants = list(question, "grantTypes")?;
    if let Some(unknown) = grants.iter().find(|grant| !is_known_grant(grant)) {
        return Err(reject("UnsupportedGrantTypeException", format!("Unknown grant type {unknown}")));
    }
    if grants.is_empty() { Ok([DEVICE_CODE, REFRESH_TOKEN].map(str::to_owned).to_vec()) } else { Ok(grants) }
}

fn is_known_grant(grant: &str) -> bool {
    [AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE].contains(&grant)
}

/// RFC 8252 §7.3. `localhost` is refused, as §8.3 recommends.
fn parse_redirect(uri: &str) -> Result<Url, SsoRefusal> {
    let url = Url::parse(uri).ok().filter(|url| {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        is_loopback
            && url.scheme() == "http"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
    });
    url.ok_or_else(|| reject("InvalidRedirectUriException", format!("The redirect URI {uri} is not supported")))
}

/// As long as a real one, which is a JWT.
fn new_client_secret() -> String {
    format!("eyJ{}.eyJ{}.{}", keys::unguessable(60), keys::unguessable(900), keys::unguessable(48))
}

/// Users copy the start URL from their browser, which adds a fragment.
fn is_start_url(world: &Common, url: &str) -> bool {
    let url = url.trim_end_matches(['/', '#']);
    url == AWS_START_URL || url == format!("{}{START}", world.identity_center_origin())
}

/// The client whose ID and secret are in the request.
fn authenticate(world: &Common, state: &PortalState, question: &Value) -> Result<RegisteredClient, SsoRefusal> {
    let (id, secret) = (required(question, "clientId")?, required(question, "clientSecret")?);
    let client = state.clients.get(id).filter(|client| client.secret == secret && world.now() < client.expires);
    client.cloned().ok_or_else(|| reject("InvalidClientException", "The client is unknown, or its secret has expired"))
}

fn check_grant(client: &RegisteredClient, grant: &str) -> Result<(), SsoRefusal> {
    if client.grants.iter().any(|registered| registered == grant) {
        return Ok(());
    }
    Err(reject("UnauthorizedClientException", format!("The client is not registered for {grant}")))
}

// StartDeviceAuthorization

/// Issues a code. The interval is a second, as AWS's is.
fn begin_device_sign_in(world: &Common, question: &Value) -> Result<Value, SsoRefusal> {
    let mut state = world.identity_center.0.lock().unwrap();
    let client = authenticate(world, &state, question)?;
    check_grant(&client, DEVICE_CODE)?;
    if !is_start_url(world, required(question, "startUrl")?) {
        return Err(reject("InvalidRequestException", "startUrl is not the URL of this instance"));
    }
    let device_code = world.ledger.record_secret("SSO device code", keys::unguessable(48));
    let user_code = devices::user_code();
    let page = format!("{}{}", world.identity_center_origin(), sso_pages::DEVICE);
    let mut given = json!({
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": format!("{page}?user_code={user_code}"),
        "expiresIn": 600,
        "interval": 1,
    });
    merge(&mut given, world.knobs.peek(Knob::PortalDeviceCodes));
    let number = |name: &str, otherwise| given[name].as_u64().unwrap_or(otherwise);
    let device = PortalDevice {
        client_id: required(question, "clientId")?.to_owned(),
        user_code,
        expires: world.now() + number("expiresIn", 600).cast_signed(),
        interval: Duration::from_secs(number("interval", 5)),
        last_poll: None,
        was_early: false,
        choice: None,
    };
    state.devices.insert(device_code, device);
    Ok(given)
}

// CreateToken

fn create_token(world: &Common, question: &Value) -> Result<Value, SsoRefusal> {
    let granted = {
        let mut state = world.identity_center.0.lock().unwrap();
        let client = authenticate(world, &state, question)?;
        let grant = required(question, "grantType")?;
        if !is_known_grant(grant) {
            return Err(reject("UnsupportedGrantTypeException", format!("Unknown grant type {grant}")));
        }
        check_grant(&client, grant)?;
        if list(question, "scope")?.iter().any(|scope| !client.scopes.contains(scope)) {
            return Err(reject("InvalidScopeException", "The client is not registered for this scope"));
        }
        let session = match grant {
            AUTHORIZATION_CODE => redeem(world, &mut state, question)?,
            REFRESH_TOKEN => refresh(world, &mut state, question)?,
            _ => poll(world, &mut state, question)?,
        };
        let client_id = required(question, "clientId")?.to_owned();
        let may_refresh = client.grants.iter().any(|grant| grant == REFRESH_TOKEN);
        let has_scope = client.scopes.iter().any(|scope| scope == ACCOUNT_ACCESS);
        Granted { session, client_id, with_refresh_token: may_refresh && has_scope }
    };
    Ok(issue_tokens(world, granted))
}

fn redeem(world: &Common, state: &mut PortalState, question: &Value) -> Result<usize, SsoRefusal> {
    let invalid = |message: &str| reject("InvalidGrantException", message);
    let (code, redirect) = (required(question, "code")?, required(question, "redirectUri")?);
    let verifier = required(question, "codeVerifier")?;
    world.ledger.record_secret("SSO PKCE verifier", verifier.to_owned());
    let PortalState { codes, sessions, .. } = state;
    let code = codes.get_mut(code).ok_or_else(|| invalid("No such code"))?;
    let PortalCode { authorization, user, session, expires } = code;
    if authorization.client_id != question["clientId"] {
        return Err(invalid("The code was issued to another client"));
    }
    if let Some(session) = session {
        // RFC 6749 §4.1.2: a code that is presented twice may have been stolen, so its tokens are revoked.
        sessions[*session].ended = true;
        return Err(invalid("The code was used before"));
    }
    if *expires < world.now() {
        return Err(invalid("The code has expired"));
    }
    if redirect != authorization.redirect_uri {
        return Err(invalid("redirectUri differs from the authorization request's"));
    }
    if keys::sha256(verifier) != authorization.challenge || !(43..=128).contains(&verifier.len()) {
        return Err(invalid("codeVerifier does not match the challenge"));
    }
    sessions.push(PortalSession::new(user.clone()));
    *session = Some(sessions.len() - 1);
    Ok(sessions.len() - 1)
}

fn refresh(world: &Common, state: &mut PortalState, question: &Value) -> Result<usize, SsoRefusal> {
    let invalid = |message: &str| reject("InvalidGrantException", message);
    let PortalState { refresh_tokens, sessions, .. } = state;
    let token = refresh_tokens.get_mut(required(question, "refreshToken")?);
    let token = token.ok_or_else(|| invalid("No such refresh token"))?;
    if token.client_id != question["clientId"] {
        return Err(invalid("The refresh token was issued to another client"));
    }
    if token.spent {
        sessions[token.session].ended = true;
        return Err(invalid("The refresh token was used before; its session has ended"));
    }
    if sessions[token.session].ended {
        return Err(invalid("The session has ended"));
    }
    token.spent = !world.knobs.flag(Knob::WithoutRotation);
    Ok(token.session)
}

fn poll(world: &Common, state: &mut PortalState, question: &Value) -> Result<usize, SsoRefusal> {
    let code = required(question, "deviceCode")?;
    let PortalState { devices, sessions, .. } = state;
    let device = devices.get_mut(code).filter(|device| device.client_id == question["clientId"]);
    let device = device.ok_or_else(|| reject("InvalidGrantException", "No such device code"))?;
    if device.expires <= world.now() {
        return Err(reject("ExpiredTokenException", "The device code has expired"));
    }
    if is_too_early(device) {
        device.interval += SLOW_DOWN;
        return Err(reject("SlowDownException", "Polled too soon"));
    }
    let user = match &device.choice {
        None => return Err(reject("AuthorizationPendingException", "The user has not answered yet")),
        Some(None) => return Err(reject("AccessDeniedException", "The user denied the request")),
        Some(Some(user)) => user.clone(),
    };
    devices.remove(code);
    sessions.push(PortalSession::new(user));
    Ok(sessions.len() - 1)
}

/// AWS tolerates one early poll. The AWS CLI starts with two polls at once.
fn is_too_early(device: &mut PortalDevice) -> bool {
    let pause = device.last_poll.replace(Instant::now()).map(|last| last.elapsed() + TOLERANCE);
    let is_early = pause.is_some_and(|pause| pause < device.interval);
    is_early && std::mem::replace(&mut device.was_early, true)
}

fn issue_tokens(world: &Common, granted: Granted) -> Value {
    let Granted { session, client_id, with_refresh_token } = granted;
    let lifetime = world.knobs.take(Knob::PortalTokenLifetime).and_then(|value| value.as_i64()).unwrap_or(3600);
    let access_token = world.ledger.record_secret("SSO access token", new_token("aoaAAAAAG"));
    let mut tokens = json!({ "accessToken": access_token, "tokenType": "Bearer", "expiresIn": lifetime });
    let expires = world.now() + lifetime;
    let mut state = world.identity_center.0.lock().unwrap();
    state.access_tokens.insert(access_token, PortalAccessToken { session, expires });
    if with_refresh_token && !world.knobs.flag(Knob::WithoutRefreshToken) {
        let refresh_token = world.ledger.record_secret("SSO refresh token", new_token("aorAAAAAG"));
        tokens["refreshToken"] = json!(refresh_token);
        state.refresh_tokens.insert(refresh_token, PortalRefreshToken { client_id, session, spent: false });
    }
    tokens
}

/// As long as a real one, and with the colon that real ones have.
fn new_token(start: &str) -> String {
    format!("{start}{}:{}", keys::unguessable(120), keys::unguessable(78))
}
