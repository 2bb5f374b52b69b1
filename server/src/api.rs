//! The HTTP service: which request gets which answer. `serve` has the connections, and AWS Lambda has its own.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bedrock_sso::{
    host::{self, Environment},
    http::{self, Client, HttpSettings},
    log,
    secret::Secret,
    time::Timestamp,
};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde_json::json;
use tokio::{sync::Notify, time::timeout};

use crate::{
    aws_calls::{AwsCallError, AwsClient},
    calendar::Calendar,
    check_answer::{AnswerContext, CheckAnswer},
    config::{Config, GroupRule, TrustedAssignment},
    dashboard_metrics::DashboardMetrics,
    enforcement::Enforcer,
    failure::Failure,
    ingest::Ingestion,
    me_answer::MeAnswer,
    name_alarms::{NameAlarms, NameFault},
    notices::Notifier,
    person::Person,
    prices::PriceList,
    standing::{Standing, current_periods, evaluate},
    store::{PersonRecord, Store, StoreError, StoreResult},
    token::{Caller, TokenError, TokenVerifier},
    usage_watch::{Enforcement, EnforcementWaker, UsageWatch},
};

/// How long one request may take. A client waits five seconds by default; a batch of records takes longer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// The largest delivery of records. CloudWatch sends at most 1 MB at once.
const MAX_DELIVERY_BYTES: usize = 8 * 1024 * 1024;

/// What all requests share.
#[derive(Debug)]
pub struct Service {
    pub store: Arc<dyn Store>,
    pub tokens: TokenVerifier,
    pub calendar: Calendar,
    pub prices: PriceList,
    pub group_rule: GroupRule,
    /// Whose signed requests are believed.
    pub identity_center: Vec<TrustedAssignment>,
    /// Whom a person can ask for more.
    pub contact: Option<String>,
    /// `None` if nobody may send records.
    pub ingest_token: Option<ExpectedBearer>,
    /// What follows when usage grows.
    pub watch: Arc<UsageWatch>,
    /// Calls of AWS; `None` without credentials in the environment.
    pub aws: Option<AwsClient>,
    pub now: fn() -> Timestamp,
}

/// Who writes the policies of refused people, if the configuration names no function for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementRunner {
    /// This process, which serves until it is ended.
    ThisProcess,
    /// The server, or a function that runs each minute.
    Elsewhere,
}

/// Why a request gets no answer about a person.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no bearer token, or several.
    NoToken,
    Token(TokenError),
    Store(StoreError),
}

/// A secret that a request must present. It is compared in constant time.
pub struct ExpectedBearer {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Service {
    /// The service with HTTP clients of its own, by the variables of the environment. Fails if the configuration needs AWS,
    /// and the environment has no credentials.
    pub fn with_own_client(
        config: &Config,
        prices: PriceList,
        store: Arc<dyn Store>,
        runner: EnforcementRunner,
    ) -> Result<Self, Failure> {
        let aws = connect_to_aws()?;
        if let (Err(error), true) = (&aws, config.needs_aws()) {
            return Err(Failure::configuration(
                format!("calls of AWS are impossible: {error}"),
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or remove [enforce] and topic",
            ));
        }
        Ok(Self::with_aws(config, prices, store, create_client()?, aws.ok(), runner))
    }

    /// The service of one command. It only wakes the enforcement, so it needs no credentials.
    pub fn for_command(config: &Config, prices: PriceList, store: Arc<dyn Store>) -> Result<Self, Failure> {
        let aws = connect_to_aws()?.ok();
        Ok(Self::with_aws(config, prices, store, create_client()?, aws, EnforcementRunner::Elsewhere))
    }

    /// The service without AWS.
    pub fn new(config: &Config, prices: PriceList, store: Arc<dyn Store>, client: Client) -> Self {
        Self::with_aws(config, prices, store, client, None, EnforcementRunner::Elsewhere)
    }

    pub fn with_aws(
        config: &Config,
        prices: PriceList,
        store: Arc<dyn Store>,
        client: Client,
        aws: Option<AwsClient>,
        runner: EnforcementRunner,
    ) -> Self {
        let enforcement = config.enforcement.as_ref().map(|settings| Enforcement {
            enforcer: aws.clone().map(|aws| Enforcer::new(aws, settings.policies.clone())),
            waker: match (settings.function.clone(), aws.clone(), runner) {
                (Some(function), Some(aws), _) => EnforcementWaker::Function { aws: Box::new(aws), function },
                (None, _, EnforcementRunner::ThisProcess) => EnforcementWaker::Loop(Notify::new()),
                (Some(_), None, _) | (None, _, EnforcementRunner::Elsewhere) => EnforcementWaker::Schedule,
            },
        });
        let watch = UsageWatch {
            store: Arc::clone(&store),
            calendar: config.calendar.clone(),
            group_rule: config.group_rule,
            names: NameAlarms::default(),
            expects_tokens: !config.issuers.is_empty(),
            notifier: Notifier::from_config(config, &client, aws.as_ref()),
            enforcement,
            metrics: config
                .enforcement
                .as_ref()
                .and_then(|settings| settings.metrics.as_deref())
                .map(DashboardMetrics::new),
            now: host::now,
        };
        Self {
            store,
            prices,
            tokens: TokenVerifier::new(client, &config.issuers),
            calendar: config.calendar.clone(),
            group_rule: config.group_rule,
            identity_center: config.identity_center.clone(),
            contact: config.contact.clone(),
            ingest_token: config.ingest_token.as_ref().map(ExpectedBearer::new),
            watch: Arc::new(watch),
            aws,
            now: host::now,
        }
    }

    /// What holds for a person now. `record` is what the token of this request says; it is remembered if no later token
    /// is known.
    pub async fn load_standing(&self, person: &Person, record: Option<&PersonRecord>) -> StoreResult<Standing> {
        let now = (self.now)();
        let periods = current_periods(&self.calendar, now);
        let mut account = self.store.load_account(person, &periods).await?;
        if let Some(record) = record.filter(|record| is_news(record, account.record.as_ref())) {
            self.save_record(person, record, account.record.as_ref()).await?;
            let known_groups = account.record.as_ref().map_or(&[][..], |known| &known.groups);
            // The limits of other groups hold from now on.
            if known_groups != record.groups {
                account = self.store.load_account(person, &periods).await?;
            }
        }
        evaluate(&account, &self.calendar, self.group_rule, now)
    }

    async fn save_record(
        &self,
        person: &Person,
        record: &PersonRecord,
        known: Option<&PersonRecord>,
    ) -> StoreResult<()> {
        if let Some(known) = known.filter(|known| known.subject != record.subject) {
            let fault = NameFault::TwoSubjects { known: known.subject.clone(), new: record.subject.clone() };
            self.watch.report_name(person, &fault).await;
        }
        self.store.save_person(person, record).await
    }

    async fn identify_caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = read_bearer(headers).ok_or(Refusal::NoToken)?;
        self.tokens.identify_caller(&Secret::new(token), (self.now)()).await.map_err(Refusal::Token)
    }

    async fn load_caller_standing(&self, headers: &HeaderMap) -> Result<(Person, Standing), Refusal> {
        let mut caller = self.identify_caller(headers).await?;
        if caller.are_groups_missing {
            self.complete_groups(&mut caller).await.map_err(Refusal::Store)?;
        }
        let Caller { person, record, .. } = caller;
        let standing = self.load_standing(&person, Some(&record)).await.map_err(Refusal::Store)?;
        Ok((person, standing))
    }

    /// Adds the groups that an earlier token has named, because this one leaves groups out: otherwise a person of many
    /// groups would lose the limits of all of them.
    async fn complete_groups(&self, caller: &mut Caller) -> StoreResult<()> {
        let known = self.store.load_account(&caller.person, &[]).await?.record;
        let known_groups = known.map(|known| known.groups).unwrap_or_default();
        let fault = NameFault::MissingGroups { known_groups: known_groups.len() };
        self.watch.report_name(&caller.person, &fault).await;
        let groups = &mut caller.record.groups;
        groups.extend(known_groups);
        groups.sort();
        groups.dedup();
        Ok(())
    }

    pub(crate) fn answer_context(&self) -> AnswerContext<'_> {
        AnswerContext { calendar: &self.calendar, contact: self.contact.as_deref() }
    }
}

pub(crate) fn create_client() -> Result<Client, Failure> {
    let client = Client::new(HttpSettings::from_environment(&Environment::Process));
    client.map_err(|error| describe_client_error("the identity provider", &error))
}

/// Calls of AWS by the variables of the environment. The inner result says whether it has credentials.
pub(crate) fn connect_to_aws() -> Result<Result<AwsClient, AwsCallError>, Failure> {
    let client = create_service_client()?;
    Ok(AwsClient::from_environment(client, &Environment::Process, host::now))
}

/// The client for many requests to one host, all of which can be repeated.
pub(crate) fn create_service_client() -> Result<Client, Failure> {
    let client = Client::new_for_service(HttpSettings::from_environment(&Environment::Process));
    client.map_err(|error| describe_client_error("AWS and the next place of telemetry", &error))
}

fn describe_client_error(whom: &str, error: &http::Error) -> Failure {
    Failure::configuration(
        format!("requests to {whom} are impossible: {error:?}"),
        "correct the proxy or the CA bundle in the environment",
    )
}

/// Whether a record says something that the store does not know, and no later token is known.
fn is_news(record: &PersonRecord, known: Option<&PersonRecord>) -> bool {
    known.is_none_or(|known| record.token_issued_at >= known.token_issued_at && record != known)
}

/// The bearer token of a request; `None` without one, and if there are several.
pub fn read_bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The routes of the stand-alone server. Every answer forbids caches to store it, and none takes longer than the
/// deadline.
pub fn build_router(service: Arc<Service>) -> Router {
    build_router_with(Router::new(), service)
}

/// The same with further routes.
pub fn build_router_with(more: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    let routes = more
        .route("/check", get(answer_check))
        .route("/me", get(answer_me))
        .route("/ingest", post(answer_ingest))
        .route("/healthz", get(answer_health));
    guard_routes(routes).with_state(service)
}

/// Answers every other request with an error, forbids caches to store answers, and limits the time of each.
pub(crate) fn guard_routes<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .method_not_allowed_fallback(async || answer_error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
        .fallback(async || answer_error(StatusCode::NOT_FOUND, "Not Found"))
        .layer(middleware::from_fn(guard_request))
}

async fn guard_request(request: Request, next: Next) -> Response {
    let late = |_| answer_error(StatusCode::SERVICE_UNAVAILABLE, "the request took too long");
    let mut answer = timeout(REQUEST_DEADLINE, next.run(request)).await.unwrap_or_else(late);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn answer_check(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    let context = service.answer_context();
    match service.load_caller_standing(&headers).await {
        Ok((person, standing)) => Json(CheckAnswer::from_standing(&person, &standing, context)).into_response(),
        // As the sample answers: the token is true, but nobody can be looked up.
        Err(Refusal::Token(TokenError::NobodyNamed { claims })) => {
            Json(CheckAnswer::missing_identity(&claims, context)).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer_me(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    match service.load_caller_standing(&headers).await {
        Ok((person, standing)) => Json(MeAnswer::new(person, &standing, service.contact.as_deref())).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Counts the records of the body. A sender without the token learns nothing about the body's limit.
async fn answer_ingest(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Response {
    if !service.ingest_token.as_ref().is_some_and(|expected| expected.is_in(&headers)) {
        return Refusal::NoToken.into_response();
    }
    let Ok(delivery) = to_bytes(body, MAX_DELIVERY_BYTES).await else {
        return answer_error(StatusCode::PAYLOAD_TOO_LARGE, "the delivery is larger than 8 MiB, or broke off");
    };
    let Service { store, prices, calendar, now, .. } = &*service;
    let ingestion = Ingestion { store: store.as_ref(), prices, calendar, now: now() };
    let counted = async {
        let (summary, people) = ingestion.ingest_and_list_people(&delivery).await?;
        Ok((summary, service.watch.review(&people).await?))
    };
    match counted.await {
        Ok((summary, due)) => {
            // The sender does not wait for the webhook.
            let watch = Arc::clone(&service.watch);
            tokio::spawn(async move { watch.send_notices(due).await });
            Json(summary).into_response()
        }
        Err(error) => Refusal::Store(error).into_response(),
    }
}

async fn answer_health(State(service): State<Arc<Service>>) -> Response {
    match service.store.check().await {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(error) => Refusal::Store(error).into_response(),
    }
}

pub(crate) fn answer_error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

impl IntoResponse for Refusal {
    /// The cause goes to the log only. An answer without `allowed` is neither a yes nor a no.
    fn into_response(self) -> Response {
        let unauthorized = || {
            let mut answer = answer_error(StatusCode::UNAUTHORIZED, "Unauthorized");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        };
        match self {
            Self::NoToken => unauthorized(),
            Self::Token(TokenError::NotBelieved(why)) => {
                log::info("api", format_args!("a token is not believed: {why}"));
                unauthorized()
            }
            Self::Token(TokenError::NobodyNamed { claims }) => {
                log::info("api", format_args!("a token has none of the claims {}", claims.join(", ")));
                unauthorized()
            }
            Self::Token(TokenError::NoKeys { issuer, cause }) => {
                log::warn("api", format_args!("no keys of {issuer}: {cause}"));
                answer_error(StatusCode::SERVICE_UNAVAILABLE, "the keys of the identity provider are not available")
            }
            Self::Store(error) => {
                log::warn("api", format_args!("the store gives no answer: {error:?}"));
                answer_error(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
            }
        }
    }
}

impl ExpectedBearer {
    pub fn new(secret: &Secret) -> Self {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).expect("the operating system provides randomness");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let tag = hmac::sign(&key, secret.expose().as_bytes());
        Self { key, tag }
    }

    /// Whether the request presents the secret as its bearer.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        // The comparison is of two digests under a random key, so its time says nothing about the secret.
        read_bearer(headers)
            .is_some_and(|presented| hmac::verify(&self.key, presented.as_bytes(), self.tag.as_ref()).is_ok())
    }
}

impl fmt::Debug for ExpectedBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn bearer_is_read_from_one_header() {
        for (values, expected) in [
            (&["Bearer a.b.c"][..], Some("a.b.c")),
            (&["bearer a.b.c"], Some("a.b.c")),
            (&["Bearer  a.b.c "], Some("a.b.c")),
            (&["Bearer "], None),
            (&["Bearer"], None),
            (&["Basic a.b.c"], None),
            (&["a.b.c"], None),
            (&["Bearer a", "Bearer a"], None),
            (&[], None),
        ] {
            assert_eq!(read_bearer(&headers(values)), expected, "{values:?}");
        }
    }

    #[test]
    fn only_the_expected_bearer_is_accepted() {
        let expected = ExpectedBearer::new(&Secret::new("hunter22"));
        assert!(expected.is_in(&headers(&["Bearer hunter22"])));
        for wrong in ["Bearer hunter2", "Bearer hunter222", "Bearer Hunter22", "hunter22", "Basic hunter22"] {
            assert!(!expected.is_in(&headers(&[wrong])), "{wrong}");
        }
        assert!(!expected.is_in(&headers(&["Bearer hunter22", "Bearer hunter22"])));
        assert_eq!(format!("{expected:?}"), "[secret]");
    }

    #[test]
    fn a_record_is_news_unless_a_later_token_is_known() {
        let record = |issued, groups: &[&str]| PersonRecord {
            issuer: "https://acme.okta.com".to_owned(),
            subject: "00u1".to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            department: None,
            team: None,
            token_issued_at: Timestamp::from_unix(issued),
        };
        let known = record(100, &["a"]);
        assert!(is_news(&known, None));
        assert!(!is_news(&known, Some(&known)));
        assert!(is_news(&record(101, &["a"]), Some(&known)));
        assert!(is_news(&record(100, &["b"]), Some(&known)));
        assert!(!is_news(&record(99, &["b"]), Some(&known)));
    }
}
