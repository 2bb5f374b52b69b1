//! The world as a test uses it: provider, AWS services and control address, with their knobs and their ledger.

use std::{
    io::Read,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, RwLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Datelike, Utc};
use serde_json::json;
use tempfile::TempDir;
use url::form_urlencoded;

use crate::{
    authority::Authority,
    bedrock, claims, client_auth,
    client_keys::ClientKey,
    cloudwatch::{self, CloudWatch, TakenExport},
    cognito::{self, Pool},
    console::{self, Console},
    control,
    fault::Gate,
    identity_center::{self, AWS_START_URL, IdentityCenter, START},
    keys::Keys,
    knobs::{Knob, Knobs},
    ledger::{Endpoint, Entry, Ledger},
    placeholders::Placeholders,
    port::Port,
    provider::{self, Provider},
    quota,
    sts::{self, Sts},
    wire::{Request, Server},
};

pub const CLIENT_ID: &str = "demo-client";
pub const ROLE_ARN: &str = "arn:aws:iam::123456789012:role/BedrockUser";
pub const POOL_ID: &str = "us-east-1:5f0c1d6e-8a3b-4c9d-b2e7-1a2b3c4d5e6f";
/// The role that the pool gives to authenticated users.
pub const POOL_ROLE_ARN: &str = "arn:aws:iam::123456789012:role/PoolUser";
/// Seconds by which the provider's and AWS's clocks are behind after [`World::age_id_tokens`]. Credentials expire as
/// much earlier.
pub const CLOCK_LAG: u32 = 50;
pub(crate) const ACCOUNT: &str = "123456789012";

/// State that the servers share.
#[derive(Default)]
pub(crate) struct Common {
    pub knobs: Knobs,
    pub gate: Gate,
    pub ledger: Ledger,
    pub keys: RwLock<Keys>,
    pub provider: Provider,
    pub sts: Sts,
    pub pool: Pool,
    pub console: Console,
    pub cloudwatch: CloudWatch,
    pub identity_center: IdentityCenter,
    origin: OnceLock<String>,
    identity_center_origin: OnceLock<String>,
    client_secret: Mutex<Option<String>>,
}

pub(crate) struct Servers {
    pub provider: Server,
    pub sts: Server,
    pub cognito: Server,
    pub quota: Server,
    pub bedrock: Server,
    pub console: Server,
    pub cloudwatch: Server,
    pub identity_center: Server,
}

/// All servers stop when this is dropped.
pub struct World {
    common: Arc<Common>,
    servers: Arc<Servers>,
    control: Server,
    authority: Option<Authority>,
    dir: TempDir,
    ports: Mutex<Vec<Port>>,
}

impl World {
    /// Starts a world with plain http.
    pub fn new() -> Self {
        Self::start(false)
    }

    /// Starts a world with https, and a certificate authority of its own.
    pub fn over_tls() -> Self {
        Self::start(true)
    }

    fn start(with_tls: bool) -> Self {
        let dir = TempDir::with_prefix("bedrock-sso-world-").expect("the system's temporary folder can be written");
        let year = DateTime::<Utc>::from(SystemTime::now()).year();
        let authority = with_tls.then(|| Authority::new(dir.path(), year).expect("rcgen makes certificates"));
        let tls = authority.as_ref().map(|authority| authority.config.clone());
        let common = Arc::new(Common::default());
        let provider = Server::start(tls.clone(), provider::serve(common.clone()));
        common.origin.set(provider.origin()).expect("set once");
        let sts = Server::start(tls.clone(), sts::serve(common.clone()));
        let cognito = Server::start(tls.clone(), cognito::serve(common.clone()));
        let quota = Server::start(tls.clone(), quota::serve(common.clone()));
        let bedrock = Server::start(tls.clone(), bedrock::serve(common.clone()));
        let console = Server::start(tls.clone(), console::serve(common.clone()));
        let cloudwatch = Server::start(tls.clone(), cloudwatch::serve(common.clone()));
        let identity_center = Server::start(tls, identity_center::serve(common.clone()));
        common.identity_center_origin.set(identity_center.origin()).expect("set once");
        let servers =
            Arc::new(Servers { provider, sts, cognito, quota, bedrock, console, cloudwatch, identity_center });
        let control = Server::start(None, control::serve(common.clone(), servers.clone()));
        Self { common, servers, control, authority, dir, ports: Mutex::default() }
    }

    pub fn issuer(&self) -> String {
        self.common.issuer()
    }

    pub fn sts_endpoint(&self) -> String {
        self.servers.sts.origin()
    }

    pub fn quota_endpoint(&self) -> String {
        self.servers.quota.origin()
    }

    /// The quota service for requests that the credentials of an Identity Center sign.
    pub fn signed_quota_endpoint(&self) -> String {
        format!("{}/signed", self.servers.quota.origin())
    }

    pub fn cognito_endpoint(&self) -> String {
        self.servers.cognito.origin()
    }

    /// The console's federation endpoint, for the key `console_endpoint`.
    pub fn console_endpoint(&self) -> String {
        format!("{}/federation", self.servers.console.origin())
    }

    /// Bedrock's endpoint, for the key `bedrock_endpoint`.
    pub fn bedrock_endpoint(&self) -> String {
        format!("{}/{{service}}", self.servers.bedrock.origin())
    }

    /// Bedrock's two services as AWS's variables name them. Each has a path, as behind a gateway.
    pub fn bedrock_endpoints(&self) -> [(&'static str, String); 2] {
        let origin = self.servers.bedrock.origin();
        [
            ("AWS_ENDPOINT_URL_BEDROCK", format!("{origin}/bedrock")),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", format!("{origin}/bedrock-runtime")),
        ]
    }

    /// CloudWatch's endpoint for telemetry, for the key `telemetry.relay_endpoint`.
    pub fn telemetry_endpoint(&self) -> String {
        format!("{}/{{service}}", self.servers.cloudwatch.origin())
    }

    /// What CloudWatch has taken, in the order of its arrival.
    pub fn taken_telemetry(&self) -> Vec<TakenExport> {
        self.common.cloudwatch.taken()
    }

    /// The endpoint of IAM Identity Center, for the key `identity_center_endpoint`. `oidc` and `portal.sso` are its
    /// services.
    pub fn identity_center_endpoint(&self) -> String {
        format!("{}/{{service}}", self.servers.identity_center.origin())
    }

    /// The two services of IAM Identity Center as AWS's variables name them.
    pub fn identity_center_endpoints(&self) -> [(&'static str, String); 2] {
        let origin = self.servers.identity_center.origin();
        [
            ("AWS_ENDPOINT_URL_SSO_OIDC", format!("{origin}/oidc")),
            ("AWS_ENDPOINT_URL_SSO", format!("{origin}/portal.sso")),
        ]
    }

    /// The address of the access portal.
    pub fn start_url(&self) -> String {
        format!("{}{START}", self.servers.identity_center.origin())
    }

    pub fn control_url(&self) -> String {
        self.control.origin()
    }

    /// The authority's certificate, if the world uses TLS.
    pub fn ca_bundle(&self) -> Option<&Path> {
        self.authority.as_ref().map(|authority| authority.pem.as_path())
    }

    /// A folder for files of this world.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Placeholders for the addresses and the folder of this world.
    pub(crate) fn placeholders(&self) -> Placeholders {
        let Servers { provider, sts, cognito, quota, bedrock, console, cloudwatch, identity_center } = &*self.servers;
        let servers = [
            (provider, "{provider}"),
            (sts, "{sts}"),
            (cognito, "{cognito}"),
            (quota, "{quota}"),
            (bedrock, "{bedrock}"),
            (console, "{console}"),
            (cloudwatch, "{cloudwatch}"),
            (identity_center, "{identity center}"),
        ];
        let folder = (self.dir.path().display().to_string(), "{world}");
        servers.into_iter().map(|(server, name)| (server.address(), name)).chain([folder]).collect()
    }

    /// A port for the program to listen on. It is free, and reserved while this world lives.
    pub fn free_port(&self) -> u16 {
        let port = Port::reserve();
        let number = port.number();
        self.ports.lock().unwrap().push(port);
        number
    }

    /// How often an endpoint was called.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.ledger().count(endpoint)
    }

    /// How often each of these endpoints was called.
    pub fn counts<const N: usize>(&self, endpoints: [Endpoint; N]) -> [usize; N] {
        endpoints.map(|endpoint| self.count(endpoint))
    }

    pub fn ledger(&self) -> &Ledger {
        &self.common.ledger
    }

    /// The time that provider and STS have spent on requests so far.
    pub fn time_serving(&self) -> Duration {
        self.servers.provider.time_serving() + self.servers.sts.time_serving()
    }

    /// Seconds since 1970 by the world's clock.
    pub fn now(&self) -> i64 {
        self.common.now()
    }

    /// The application's secret, if `Knob::ClientAuth` gives it one.
    pub fn client_secret(&self) -> String {
        self.common.client_secret()
    }

    /// Gives the application another secret.
    pub fn change_client_secret(&self) {
        *self.common.client_secret.lock().unwrap() = None;
    }

    /// Writes one of the application's private keys to a file.
    pub fn client_key(&self, key: ClientKey) -> PathBuf {
        key.write(&self.common, self.dir.path())
    }

    /// Signs an ID token without a sign-in, for programs that only verify tokens. The knobs change it as usual.
    pub fn issue_id_token(&self) -> String {
        claims::id_token(&self.common, None, "no access token")
    }

    /// Makes the provider sign with a new key.
    pub fn rotate_keys(&self) {
        self.common.keys.write().unwrap().rotate();
    }

    /// Revokes all AWS credentials issued so far.
    pub fn revoke_credentials(&self) {
        self.common.sts.revoke_all();
    }

    /// Makes the console's federation endpoint refuse connections.
    pub fn stop_console(&self) {
        self.servers.console.stop();
    }

    pub fn stop_quota(&self) {
        self.servers.quota.stop();
    }

    pub fn start_quota(&self) {
        self.servers.quota.start_again();
    }

    /// Deletes the identities of the identity pool. The next caller gets a new one.
    pub fn forget_identities(&self) {
        self.common.pool.forget_all();
    }

    /// Revokes all refresh tokens issued so far.
    pub fn revoke_grants(&self) {
        self.common.provider.revoke_all();
    }

    /// Ends all sessions at IAM Identity Center. Their access tokens and refresh tokens no longer work.
    pub fn end_portal_sessions(&self) {
        self.common.identity_center.end_sessions();
    }

    /// The number of sessions at IAM Identity Center that have not ended.
    pub fn live_portal_sessions(&self) -> usize {
        self.common.identity_center.live_sessions()
    }

    /// Deletes all client registrations at IAM Identity Center before they expire.
    pub fn forget_registrations(&self) {
        self.common.identity_center.forget_clients();
    }

    /// The number of sign-ins with a valid refresh token.
    pub fn live_grants(&self) -> usize {
        self.common.provider.live_grants()
    }

    /// Makes every new ID token too old for the program, which sends no token to AWS in its last fifteen seconds. The
    /// provider and AWS, whose clocks are [`CLOCK_LAG`] behind from now on, accept it for a minute.
    pub fn age_id_tokens(&self) {
        self.set(Knob::Clock, -i64::from(CLOCK_LAG));
        self.set(Knob::IdTokenLifetime, 60);
    }

    /// The same for the next ID token only.
    pub fn age_next_id_token(&self) {
        self.set(Knob::Clock, -i64::from(CLOCK_LAG));
        self.next(1, Knob::IdTokenLifetime, 60);
    }

    /// Lets held requests continue ([`Fault::Hold`](crate::Fault::Hold)), and holds no more.
    pub fn release(&self) {
        self.common.gate.open();
    }

    /// Makes the provider refuse connections until it is started again.
    pub fn stop_provider(&self) {
        self.servers.provider.stop();
    }

    pub fn start_provider(&self) {
        self.servers.provider.start_again();
    }

    /// Makes IAM Identity Center refuse connections until it is started again.
    pub fn stop_identity_center(&self) {
        self.servers.identity_center.stop();
    }

    pub fn start_identity_center(&self) {
        self.servers.identity_center.start_again();
    }

    pub fn stop_sts(&self) {
        self.servers.sts.stop();
    }

    pub fn start_sts(&self) {
        self.servers.sts.start_again();
    }

    /// The configuration of one profile, `claude`, with these further lines of TOML.
    pub fn configuration(&self, more: &str) -> String {
        let lines: String = self.facts().iter().map(|(key, value)| format!("{key} = {}\n", json!(value))).collect();
        format!("version = 1\n\n[profiles.claude]\n{lines}{more}\n")
    }

    /// The configuration of one profile, `claude`, for IAM Identity Center. `more` has further lines for this profile,
    /// and after them tables of other profiles: see [`World::identity_center_profile`].
    pub fn identity_center_configuration(&self, more: &str) -> String {
        let profile = self.identity_center_profile("claude", ACCOUNT, "BedrockUser", more);
        format!("version = 1\n\n{profile}")
    }

    /// The tables of one profile for IAM Identity Center. `more` has further lines for it.
    pub fn identity_center_profile(&self, name: &str, account: &str, permission_set: &str, more: &str) -> String {
        let mut facts = vec![
            ("federation", "identity-center".to_owned()),
            ("region", "us-east-1".to_owned()),
            ("sts_endpoint", self.sts_endpoint()),
            ("identity_center_endpoint", self.identity_center_endpoint()),
            ("storage", "file".to_owned()),
        ];
        facts.extend(self.ca_bundle().map(|path| ("ca_bundle", path.display().to_string())));
        let assigned = [
            ("start_url", self.start_url()),
            ("region", "us-east-1".to_owned()),
            ("account_id", account.to_owned()),
            ("permission_set", permission_set.to_owned()),
        ];
        let lines = |facts: &[(&str, String)]| -> String {
            facts.iter().map(|(key, value)| format!("{key} = {}\n", json!(value))).collect()
        };
        let (facts, assigned) = (lines(&facts), lines(&assigned));
        format!("[profiles.{name}]\n{facts}{more}\n\n[profiles.{name}.identity_center]\n{assigned}")
    }

    /// The keys of the usual profile and their values, which are all strings.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("issuer", self.issuer()),
            ("client_id", CLIENT_ID.to_owned()),
            ("role_arn", ROLE_ARN.to_owned()),
            ("region", "us-east-1".to_owned()),
            ("sts_endpoint", self.sts_endpoint()),
            ("storage", "file".to_owned()),
        ];
        facts.extend(self.ca_bundle().map(|path| ("ca_bundle", path.display().to_string())));
        facts
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// `world.set(…)` and `world.next(…)` set the knobs.
impl Deref for World {
    type Target = Knobs;

    fn deref(&self) -> &Knobs {
        &self.common.knobs
    }
}

/// The whole of the `world` example: it prints one line of JSON and serves until stdin ends.
pub fn serve_until_stdin_closes(with_tls: bool) {
    let world = World::start(with_tls);
    let addresses = json!({
        "issuer": world.issuer(),
        "client_id": CLIENT_ID,
        "role_arn": ROLE_ARN,
        "sts_endpoint": world.sts_endpoint(),
        "cognito_endpoint": world.cognito_endpoint(),
        "bedrock_endpoints": world.bedrock_endpoints(),
        "console_endpoint": world.console_endpoint(),
        "start_url": world.start_url(),
        "aws_start_url": AWS_START_URL,
        "identity_center_endpoint": world.identity_center_endpoint(),
        "identity_center_endpoints": world.identity_center_endpoints(),
        "control": world.control_url(),
        "ca_bundle": world.ca_bundle(),
        "configuration": world.configuration(""),
        "identity_center_configuration": world.identity_center_configuration(""),
    });
    println!("{addresses}");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("stdin can be read");
}

impl Common {
    pub(crate) fn now(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
        real.cast_signed() + self.knobs.number(Knob::Clock, 0)
    }

    pub(crate) fn provider_now(&self) -> i64 {
        self.now() + self.knobs.number(Knob::ProviderClock, 0)
    }

    /// Generates the secret at the first call.
    pub(crate) fn client_secret(&self) -> String {
        let mut secret = self.client_secret.lock().unwrap();
        let secret = secret.get_or_insert_with(client_auth::new_secret).clone();
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        self.ledger.record_secret("client secret, as it is posted", encoded);
        self.ledger.record_secret("client secret", secret)
    }

    pub(crate) fn provider_origin(&self) -> &str {
        self.origin.get().expect("set when the world starts")
    }

    pub(crate) fn identity_center_origin(&self) -> &str {
        self.identity_center_origin.get().expect("set when the world starts")
    }

    pub(crate) fn issuer(&self) -> String {
        let suffix = self.knobs.peek(Knob::IssuerSuffix);
        format!("{}{}", self.provider_origin(), suffix.as_ref().and_then(|s| s.as_str()).unwrap_or_default())
    }

    /// The issuer's path without a final slash.
    pub(crate) fn issuer_path(&self) -> String {
        let issuer = self.issuer();
        issuer[self.provider_origin().len()..].trim_end_matches('/').to_owned()
    }

    pub(crate) fn http_date(&self, moment: i64) -> String {
        self.formatted(moment, "%a, %d %b %Y %H:%M:%S GMT")
    }

    pub(crate) fn iso_date(&self, moment: i64) -> String {
        self.formatted(moment, "%Y-%m-%dT%H:%M:%SZ")
    }

    fn formatted(&self, moment: i64, format: &str) -> String {
        DateTime::from_timestamp(moment, 0).expect("a moment of our era").format(format).to_string()
    }

    pub(crate) fn note(&self, endpoint: Endpoint, request: &Request) {
        self.ledger.note(Entry {
            endpoint,
            method: request.method.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            at: Instant::now(),
        });
    }
}
