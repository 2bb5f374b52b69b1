//! The relay of telemetry: OpenTelemetry from clients, which goes on under the name of its verified sender.
//!
//! `POST /v1/metrics` and `POST /v1/logs` take what OpenTelemetry's exporters send over HTTP, with an ID token as bearer.
//! Who has sent it stands in the token, and nowhere else: what the sender says about that is removed. Rows for analytics
//! go first, because a repeated export does not change their sums, and the export goes last. So a sender that repeats an
//! export after an error loses nothing, and CloudWatch gets it once.

mod answer;
mod export_body;
mod rates;
mod rows;
mod upstream;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use bedrock_sso::{
    host,
    http::Client,
    log,
    secret::Secret,
    telemetry::{
        IdentityAttributes,
        otlp::{FAILURE_HEADER, HelperState, OtlpSignal, VERSION_HEADER},
    },
    time::Timestamp,
};
use tokio::sync::Semaphore;

use self::{
    answer::{ExportRefusal, RelayAnswer},
    export_body::{MAX_BODY_BYTES, read_format, unpack_body},
    rates::SenderRates,
    upstream::Upstream,
};
use crate::{
    api::{connect_to_aws, create_client, create_service_client, guard_routes, read_bearer},
    config::{Config, RelayConfig},
    failure::Failure,
    person::Person,
    token::{TokenVerifier, read_caller},
};
pub use export_body::parse_body;

/// How many exports are unpacked at the same time. The tree of the largest one takes tens of megabytes.
const PARALLEL_EXPORTS: usize = 4;

/// Passes telemetry on.
#[derive(Debug)]
pub struct Relay {
    tokens: TokenVerifier,
    settings: RelayConfig,
    upstream: Upstream,
    rates: SenderRates,
    unpacking: Semaphore,
    now: fn() -> Timestamp,
}

/// Whom an export is from.
struct Sender {
    person: Person,
    identity: IdentityAttributes,
}

/// What is sent on.
struct PreparedExport {
    rows: Vec<String>,
    export: Vec<u8>,
}

impl Relay {
    /// The relay of the configuration; `None` without `[relay]`. Fails if it needs credentials of AWS, and the environment
    /// has none.
    pub fn from_config(config: &Config) -> Result<Option<Self>, Failure> {
        let Some(settings) = config.relay.clone() else { return Ok(None) };
        let aws = connect_to_aws()?;
        if let (Err(error), true) = (&aws, settings.needs_aws()) {
            return Err(Failure::configuration(
                format!("telemetry cannot be passed on to AWS: {error}"),
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or remove region and stream from [relay]",
            ));
        }
        let upstream = Upstream::new(&create_service_client()?, aws.ok());
        Ok(Some(Self::new(config, settings, create_client()?, upstream)))
    }

    fn new(config: &Config, settings: RelayConfig, client: Client, upstream: Upstream) -> Self {
        Self {
            tokens: TokenVerifier::new(client, &config.issuers),
            settings,
            upstream,
            rates: SenderRates::default(),
            unpacking: Semaphore::new(PARALLEL_EXPORTS),
            now: host::now,
        }
    }

    /// Passes one export on, and returns the answer for its sender.
    async fn pass_on(&self, signal: OtlpSignal, headers: &HeaderMap, body: Body) -> Result<Bytes, ExportRefusal> {
        let sender = self.identify_sender(headers).await?;
        self.rates.admit(&sender.person).map_err(|wait| ExportRefusal::TooOften { wait })?;
        if !self.takes(signal) {
            return Err(ExportRefusal::SignalNotWanted);
        }
        let PreparedExport { rows, export } = self.prepare(signal, headers, body, &sender).await?;
        if let Some(stream) = self.settings.stream.as_ref().filter(|_| !rows.is_empty()) {
            self.upstream.put_rows(stream, &rows).await?;
        }
        let endpoint = match signal {
            OtlpSignal::Metrics => &self.settings.metrics,
            OtlpSignal::Logs => &self.settings.logs,
        };
        match endpoint {
            Some(endpoint) => self.upstream.send(endpoint, export).await,
            None => Ok(Bytes::from_static(b"{}")),
        }
    }

    /// Whether exports of this signal go anywhere.
    fn takes(&self, signal: OtlpSignal) -> bool {
        let endpoint = match signal {
            OtlpSignal::Metrics => &self.settings.metrics,
            OtlpSignal::Logs => &self.settings.logs,
        };
        endpoint.is_some() || self.settings.stream.is_some()
    }

    async fn identify_sender(&self, headers: &HeaderMap) -> Result<Sender, ExportRefusal> {
        let token = read_bearer(headers).ok_or(ExportRefusal::NoToken)?;
        let verified = self.tokens.verify(&Secret::new(token), (self.now)()).await;
        let (issuer, token) = verified.map_err(ExportRefusal::from_token)?;
        let person = read_caller(issuer, &token).map_err(ExportRefusal::from_token)?.person;
        let provider = issuer.issuer.provider();
        let identity = IdentityAttributes::from_claims(&token, provider, &self.settings.attributes);
        Ok(Sender { person, identity })
    }

    /// Reads the export, writes the identity of its sender on it, and makes rows of it.
    async fn prepare(
        &self,
        signal: OtlpSignal,
        headers: &HeaderMap,
        body: Body,
        sender: &Sender,
    ) -> Result<PreparedExport, ExportRefusal> {
        let encoding = export_body::read_encoding(headers)?;
        let format = read_format(headers)?;
        let packed = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| ExportRefusal::TooLarge)?;
        // Nobody closes the semaphore.
        let _permit = self.unpacking.acquire().await.map_err(|_| ExportRefusal::Busy)?;
        let Sender { person, identity } = sender;
        let mut export = parse_body(signal, format, &unpack_body(encoding, &packed)?)?;
        export.remove_claimed_identity(identity);
        let rows = match self.settings.stream {
            Some(_) => rows::write_rows(&export, person, identity, (self.now)()),
            None => Vec::new(),
        };
        export.stamp(identity, self.settings.place);
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(state) = HelperState::from_headers(header(VERSION_HEADER), header(FAILURE_HEADER)) {
            export.add_helper_state(&state, identity, to_nanos((self.now)()));
        }
        Ok(PreparedExport { rows, export: export.to_json() })
    }
}

fn to_nanos(time: Timestamp) -> u64 {
    let since_1970 = time.duration_since(Timestamp::from_unix(0));
    u64::try_from(since_1970.as_nanos()).unwrap_or_default()
}

/// The routes, for [`build_router_with`](crate::api::build_router_with); none without a relay.
pub fn build_relay_routes<S: Clone + Send + Sync + 'static>(relay: Option<Relay>) -> Router<S> {
    let Some(relay) = relay.map(Arc::new) else { return Router::new() };
    let signal_route = |signal: OtlpSignal| {
        post(async move |State(relay): State<Arc<Relay>>, headers: HeaderMap, body: Body| {
            answer_export(&relay, signal, &headers, body).await
        })
    };
    let [metrics, logs] = [OtlpSignal::Metrics, OtlpSignal::Logs];
    Router::new().route(metrics.path(), signal_route(metrics)).route(logs.path(), signal_route(logs)).with_state(relay)
}

/// A server of these routes alone.
pub fn build_relay_router(relay: Relay) -> Router {
    guard_routes(build_relay_routes(Some(relay)))
}

async fn answer_export(relay: &Relay, signal: OtlpSignal, headers: &HeaderMap, body: Body) -> Response {
    let outcome = relay.pass_on(signal, headers, body).await;
    if let Err(refusal) = &outcome {
        match refusal.is_fault_of_sender() {
            true => log::info("relay", format_args!("telemetry refused: {refusal}")),
            false => log::warn("relay", format_args!("telemetry not forwarded: {refusal}")),
        }
    }
    RelayAnswer { signal, format: read_format(headers).ok(), outcome }.into_response()
}
