//! Turns the export of a program into a signed request to CloudWatch: loads the profile, states who the user is, and
//! signs with the stored credentials.
//!
//! It reads the configuration and the stored session for every export, so that a sign-out, another user and a changed
//! configuration count at once. It never prompts. If the credentials are about to expire, it starts the same worker as
//! every other command.

use ::http::Request;

use super::{
    chunks::{DivisionFault, JoinedExport, WHOLE_BYTES, for_each_part},
    response::RelayResponse,
};
use crate::{
    aws::resolve_telemetry_endpoints,
    cache::{Cache, Freshness, assess_credentials},
    config::{self, CallerKind, ConfigInputs, LaptopRelay, Profile, TelemetryRelay},
    credentials::AwsCredentials,
    failure::Failure,
    host::Host,
    log,
    session::{CredentialsPurpose, LadderPurpose, check_destinations, find_credentials},
    signature::sign_request,
    telemetry::{
        IdentityAttributes,
        otlp::{HelperState, OtlpExport, OtlpFormat, OtlpSignal, StampPlace},
    },
    text::sanitize_line,
    time::Timestamp,
    worker::WorkerClient,
};

/// What an exporter sent, with what its token and `otel-headers` said.
pub(super) struct Export {
    pub(super) profile: String,
    pub(super) signal: OtlpSignal,
    pub(super) body: Vec<u8>,
    pub(super) helper: Option<HelperState>,
}

/// A request that is ready to be sent.
pub(super) struct PreparedExport {
    pub(super) profile: Profile,
    pub(super) request: Request<Vec<u8>>,
}

impl Export {
    /// Prepares the request. The error is the answer to the exporter.
    pub(super) fn prepare(self, host: &Host, port: u16) -> Result<PreparedExport, RelayResponse> {
        let profile = load_profile(host, &self.profile)?;
        let relay = match &profile.telemetry.relay {
            TelemetryRelay::Laptop(relay) if relay.port == port => relay.clone(),
            TelemetryRelay::Laptop(_) | TelemetryRelay::Remote(_) | TelemetryRelay::None => {
                return Err(RelayResponse::retry_later("the configuration of the profile names another relay"));
            }
        };
        let now = (host.now)();
        let cache = Cache::for_profile(&profile, &host.paths.data, CallerKind::NonInteractive);
        let identity = find_identity(&profile, &cache)?;
        let credentials = find_valid_credentials(host, &profile, &cache, now)?;
        let signal = self.signal;
        let body = self.stamp(&identity, now)?;
        let request = build_request(host, &profile, &relay, signal, body)?;
        let service = service_of(signal);
        let request = sign_request(request, &credentials, service, &profile.region, now);
        Ok(PreparedExport { profile, request })
    }

    /// The export with the verified identity in place of what the sender says. It consumes the sender's body, since
    /// other exports need the memory while this one is sent.
    fn stamp(self, identity: &IdentityAttributes, now: Timestamp) -> Result<Vec<u8>, RelayResponse> {
        let add_helper = |export: &mut OtlpExport| {
            let Some(helper) = &self.helper else { return };
            let seconds = u64::try_from(now.unix_seconds()).unwrap_or_default();
            export.add_helper_state(helper, identity, seconds * 1_000_000_000);
        };
        if self.body.len() <= WHOLE_BYTES {
            let mut export = stamp_part(self.signal, &self.body, identity)?;
            add_helper(&mut export);
            return Ok(export.to_json());
        }
        let mut joined = JoinedExport::new(self.signal, self.body.len());
        for_each_part(self.signal, &self.body, |part| {
            joined.append(stamp_part(self.signal, part.as_bytes(), identity)?.resources());
            Ok::<_, RelayResponse>(())
        })?;
        let mut helper = stamp_part(self.signal, b"{}", identity)?;
        add_helper(&mut helper);
        joined.append(helper.resources());
        Ok(joined.finish())
    }
}

fn stamp_part(signal: OtlpSignal, text: &[u8], identity: &IdentityAttributes) -> Result<OtlpExport, RelayResponse> {
    let mut export = OtlpExport::parse(signal, OtlpFormat::Json, text)
        .map_err(|fault| RelayResponse::refuse(400, &format!("the export is not valid OTLP in JSON: {fault}")))?;
    export.stamp(identity, StampPlace::Resource);
    Ok(export)
}

impl From<DivisionFault> for RelayResponse {
    fn from(fault: DivisionFault) -> Self {
        Self::refuse(
            400,
            match fault {
                DivisionFault::Shape => "the export is not valid OTLP in JSON",
                DivisionFault::TooManyOwners => "the export has too many resources or scopes",
            },
        )
    }
}

fn load_profile(host: &Host, name: &str) -> Result<Profile, RelayResponse> {
    let inputs = ConfigInputs {
        environment: &host.environment,
        paths: &host.paths,
        file: None,
        profile: Some(name.to_owned()),
        flags: &[],
        with_user_layers: true,
    };
    config::load_profile(&inputs).map_err(|error| reject_for_now("the configuration", error))
}

/// Who the user is: by the verified ID token, or by the name of the session in an Identity Center.
fn find_identity(profile: &Profile, cache: &Cache) -> Result<IdentityAttributes, RelayResponse> {
    let not_signed_in = || RelayResponse::retry_later("the user is not signed in");
    if profile.oidc().is_none() {
        let record = cache.load_credentials().map_err(|error| reject_for_now("the stored session", error))?;
        let name = record.session_name.ok_or_else(not_signed_in)?;
        return Ok(IdentityAttributes::from_user_name(&name, profile));
    }
    let sign_in = cache.load_sign_in().map_err(|error| reject_for_now("the stored session", error))?;
    let token = sign_in.recall_token().ok_or_else(not_signed_in)?;
    Ok(IdentityAttributes::from_profile(&token, profile))
}

/// The stored credentials if they are still valid. Starts a worker in the background if they expire soon or have
/// expired.
fn find_valid_credentials(
    host: &Host,
    profile: &Profile,
    cache: &Cache,
    now: Timestamp,
) -> Result<AwsCredentials, RelayResponse> {
    let stored = cache.load_credentials().map_err(|error| reject_for_now("the stored session", error))?;
    check_destinations(&stored.destinations, profile, &host.environment).map_err(|_| {
        RelayResponse::retry_later("the configuration names an AWS endpoint that the user has not accepted yet")
    })?;
    let found = find_credentials(&stored, profile, now).map(|found| found.credentials);
    let freshness = found.as_ref().map_or(Freshness::Spent, |credentials| assess_credentials(credentials, now));
    if freshness != Freshness::Fresh {
        let client = WorkerClient::new(host, profile, cache, CallerKind::NonInteractive, None, 0);
        client.refresh_beside_service(LadderPurpose::Credentials(CredentialsPurpose::Renewal));
    }
    match freshness {
        Freshness::Fresh | Freshness::RenewSoon | Freshness::RenewNow => found,
        Freshness::Spent => None,
    }
    .ok_or_else(|| RelayResponse::retry_later("the AWS credentials have expired"))
}

/// The unsigned request to the service that takes this signal.
fn build_request(
    host: &Host,
    profile: &Profile,
    relay: &LaptopRelay,
    signal: OtlpSignal,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, RelayResponse> {
    let endpoints = match &relay.endpoints {
        Some(endpoints) => endpoints.clone(),
        None => resolve_telemetry_endpoints(profile, &host.environment)
            .map_err(|error| reject_for_now("the address of CloudWatch", error))?,
    };
    let (endpoint, path) = match signal {
        OtlpSignal::Metrics => (&endpoints.metrics, "metrics"),
        OtlpSignal::Logs => (&endpoints.logs, "logs"),
    };
    let address = endpoint.extend_path(&["v1", path]);
    let mut request = Request::post(address.as_str()).header("content-type", "application/json");
    if signal == OtlpSignal::Logs {
        let Some(group) = &relay.log_group else {
            return Err(RelayResponse::refuse(400, "the profile names no `telemetry.log_group` for events"));
        };
        request = request.header("x-aws-log-group", group).header("x-aws-log-stream", &relay.log_stream);
    }
    Ok(request.body(body).expect("a parsed address and checked names form a valid request"))
}

/// The name that AWS signs with.
fn service_of(signal: OtlpSignal) -> &'static str {
    match signal {
        OtlpSignal::Metrics => "monitoring",
        OtlpSignal::Logs => "logs",
    }
}

/// Logs an obstacle that the user can remove, and lets the exporter try again.
fn reject_for_now(subject: &str, error: impl Into<Failure>) -> RelayResponse {
    let failure = error.into();
    log::warn("relay", format_args!("{subject}: {} [{}]", failure.what(), failure.slug()));
    RelayResponse::retry_later(&format!("{subject} cannot be used: {}", sanitize_line(failure.slug())))
}
