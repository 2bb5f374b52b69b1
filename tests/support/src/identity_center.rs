//! AWS IAM Identity Center: one server with two services by path, as behind a gateway, and the user's pages.
//!
//! `/oidc` is SSO OIDC (`sso_oidc`), `/portal.sso` is the access portal (`sso_portal`), and `sso_pages` shows the pages.
//! Status codes, error names and members are those of botocore's models.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use url::Url;

use crate::{
    fault::Fault,
    keys,
    knobs::Knob,
    ledger::Endpoint,
    sso_oidc, sso_pages, sso_portal,
    wire::{Ending, Reply, Request, Serve},
    world::Common,
};

/// The user who signs in, unless `Knob::PortalUser` names another one.
pub(crate) const USER: &str = "jane@example.com";
pub(crate) const START: &str = "/start";
/// A second name of this instance. The AWS CLI accepts only start URLs of AWS's domains, or that redirect there.
pub const AWS_START_URL: &str = "https://acme.awsapps.com/start";

#[derive(Default)]
pub(crate) struct IdentityCenter(pub(crate) Mutex<PortalState>);

#[derive(Default)]
pub(crate) struct PortalState {
    /// Registered clients, by client ID.
    pub clients: HashMap<String, RegisteredClient>,
    /// Authorization requests that the user has not answered yet, by ticket.
    pub waiting: HashMap<String, PortalAuthorization>,
    pub codes: HashMap<String, PortalCode>,
    /// Sign-ins with a device code, by that code.
    pub devices: HashMap<String, PortalDevice>,
    pub refresh_tokens: HashMap<String, PortalRefreshToken>,
    pub access_tokens: HashMap<String, PortalAccessToken>,
    pub sessions: Vec<PortalSession>,
}

#[derive(Clone)]
pub(crate) struct RegisteredClient {
    pub secret: String,
    pub grants: Vec<String>,
    pub redirects: Vec<Url>,
    pub scopes: Vec<String>,
    pub expires: i64,
}

/// A valid authorization request.
#[derive(Clone)]
pub(crate) struct PortalAuthorization {
    pub client_id: String,
    pub redirect_uri: String,
    pub state: String,
    pub challenge: String,
    /// The cookie of the browser in which the sign-in began.
    pub browser: String,
}

pub(crate) struct PortalCode {
    pub authorization: PortalAuthorization,
    pub user: String,
    /// The session that the code was exchanged for.
    pub session: Option<usize>,
    pub expires: i64,
}

pub(crate) struct PortalDevice {
    pub client_id: String,
    pub user_code: String,
    pub expires: i64,
    pub interval: Duration,
    pub last_poll: Option<Instant>,
    /// Whether the client has polled too early once, which is tolerated.
    pub was_early: bool,
    /// The user's choice, once there is one: who signed in, or `None` if the user denied the request.
    pub choice: Option<Option<String>>,
}

pub(crate) struct PortalRefreshToken {
    pub client_id: String,
    pub session: usize,
    pub spent: bool,
}

pub(crate) struct PortalAccessToken {
    pub session: usize,
    pub expires: i64,
}

/// What a user's sign-in starts, and what signing out at the portal or an administrator ends.
pub(crate) struct PortalSession {
    pub user: String,
    pub ended: bool,
}

/// How one of the two services refuses a request.
pub(crate) struct SsoRefusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let endpoint = endpoint(request);
        world.note(endpoint, request);
        let fault = fault_knobs(endpoint).iter().find_map(|knob| world.knobs.fault(*knob));
        match Fault::around(fault, &world.gate, || answer(&world, endpoint, request)) {
            Ending::Answer(reply) => Ending::Answer(
                reply.with("Date", &world.http_date(world.now())).with("x-amzn-RequestId", &keys::unguessable(12)),
            ),
            ending => ending,
        }
    })
}

fn endpoint(request: &Request) -> Endpoint {
    match (request.method.as_str(), request.path()) {
        // The AWS CLI sends HEAD before it signs in.
        ("GET" | "HEAD", START) => Endpoint::PortalPage,
        ("GET" | "POST", sso_pages::LOGIN) => Endpoint::PortalLogin,
        ("GET" | "POST", sso_pages::DEVICE) => Endpoint::PortalDevicePage,
        // The AWS CLI drops the path of its endpoint here.
        ("GET", "/oidc/authorize" | "/authorize") => Endpoint::PortalAuthorize,
        ("POST", "/oidc/client/register") => Endpoint::RegisterClient,
        ("POST", "/oidc/device_authorization") => Endpoint::PortalDeviceCode,
        ("POST", "/oidc/token") => match sso_oidc::parse_question(request).unwrap_or_default()["grantType"].as_str() {
            Some(sso_oidc::REFRESH_TOKEN) => Endpoint::PortalRefresh,
            Some(sso_oidc::DEVICE_CODE) => Endpoint::PortalPoll,
            _ => Endpoint::PortalCode,
        },
        ("GET", "/portal.sso/federation/credentials") => Endpoint::RoleCredentials,
        ("GET", "/portal.sso/assignment/accounts") => Endpoint::PortalAccounts,
        ("GET", "/portal.sso/assignment/roles") => Endpoint::PortalRoles,
        ("POST", "/portal.sso/logout") => Endpoint::PortalLogout,
        _ => Endpoint::Unknown,
    }
}

fn fault_knobs(endpoint: Endpoint) -> &'static [Knob] {
    match endpoint {
        Endpoint::PortalAuthorize => &[Knob::PortalAuthorizeFault],
        Endpoint::RegisterClient => &[Knob::RegisterClientFault, Knob::SsoOidcFault],
        Endpoint::PortalDeviceCode => &[Knob::PortalDeviceCodeFault, Knob::SsoOidcFault],
        Endpoint::PortalCode => &[Knob::PortalCodeFault, Knob::SsoOidcFault],
        Endpoint::PortalRefresh => &[Knob::PortalRefreshFault, Knob::SsoOidcFault],
        Endpoint::PortalPoll => &[Knob::PortalPollFault, Knob::SsoOidcFault],
        Endpoint::RoleCredentials => &[Knob::RoleCredentialsFault, Knob::PortalFault],
        Endpoint::PortalLogout => &[Knob::PortalLogoutFault, Knob::PortalFault],
        Endpoint::PortalAccounts | Endpoint::PortalRoles => &[Knob::PortalFault],
        _ => &[],
    }
}

fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    match endpoint {
        Endpoint::PortalPage => sso_pages::show_portal(),
        Endpoint::PortalAuthorize => sso_pages::authorize(world, &request.query()),
        Endpoint::PortalLogin => sso_pages::answer_login(world, request),
        Endpoint::PortalDevicePage => sso_pages::answer_device_page(world, request),
        Endpoint::Unknown => Reply::new(404, "text/plain", "not found"),
        _ if request.path().starts_with("/oidc/") => sso_oidc::answer(world, endpoint, request),
        _ => sso_portal::answer(world, endpoint, request),
    }
}

/// Refuses signed requests. These calls are unsigned: a signed one has taken credentials from somewhere.
pub(crate) fn check_is_unsigned(request: &Request) -> Result<(), SsoRefusal> {
    let is_signed = request.header("authorization").is_some()
        || request.header("x-amz-security-token").is_some()
        || request.target.contains("X-Amz-Signature");
    if !is_signed {
        return Ok(());
    }
    let message = "The security token included in the request is invalid.".to_owned();
    Err(SsoRefusal { status: 403, code: "UnrecognizedClientException", message })
}

/// An error of AWS's REST JSON protocol.
pub(crate) fn refuse(status: u16, code: &str, body: &Value) -> Reply {
    Reply::json(status, body).with("x-amzn-ErrorType", code)
}

impl PortalSession {
    pub(crate) fn new(user: String) -> Self {
        Self { user, ended: false }
    }
}

impl IdentityCenter {
    /// Ends all sessions, as an administrator can. Access tokens and refresh tokens no longer work.
    pub(crate) fn end_sessions(&self) {
        self.0.lock().unwrap().sessions.iter_mut().for_each(|session| session.ended = true);
    }

    /// Deletes all client registrations.
    pub(crate) fn forget_clients(&self) {
        self.0.lock().unwrap().clients.clear();
    }

    pub(crate) fn live_sessions(&self) -> usize {
        self.0.lock().unwrap().sessions.iter().filter(|session| !session.ended).count()
    }
}

/// The accounts and permission sets that are assigned to the user, unless `Knob::Assignments` has others.
pub(crate) fn assignments(world: &Common) -> Vec<Value> {
    let usual = json!([
        { "account_id": "123456789012", "name": "Acme Sandbox", "email": "aws+sandbox@example.com",
          "roles": ["BedrockUser", "ReadOnly"] },
        { "account_id": "210987654321", "name": "Acme Production", "email": "aws+production@example.com",
          "roles": ["BedrockUser"] },
    ]);
    match world.knobs.peek(Knob::Assignments).unwrap_or(usual) {
        Value::Array(accounts) => accounts,
        other => panic!("Knob::Assignments is not a list: {other}"),
    }
}
