//! Calls of AWS's services: policies in IAM, notices by SNS, the enforcing function, objects of the invocation log in S3,
//! and telemetry for CloudWatch and Firehose.
//!
//! Each is one signed request over the HTTP client that the program has anyway. SDKs instead would add minutes of
//! compilation and megabytes to the function. Text from AWS is escaped before it becomes part of an error.

mod endpoint;
mod error;
mod iam;
mod messaging;
mod objects;
mod rows;
mod telemetry;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, Request};
use bedrock_sso::{
    credentials::AwsCredentials,
    host::{self, Environment},
    http::{Client, FullResponse},
    secret::Secret,
    signature::{sign_request, sign_s3_request},
    time::Timestamp,
    url::SecureUrl,
};
use tokio::time::{Instant, sleep};

use self::{endpoint::Destination, error::read_refusal};
pub use self::{
    error::AwsCallError,
    iam::{PolicyArn, PolicyVersion},
    messaging::{FunctionName, TopicArn},
    rows::StreamName,
    telemetry::OtlpDestination,
};

/// How long a call is repeated while the service is busy. Lambda ends a function after its timeout, which is longer.
const DEADLINE: Duration = Duration::from_secs(15);
/// For one attempt. A larger answer than a policy is an object of the log, which Lambda reads within its own network.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// A service that is called, by the name that AWS signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalledService {
    Iam,
    Sns,
    Lambda,
    S3,
    CloudWatch,
    CloudWatchLogs,
    Firehose,
}

/// Makes signed calls with the credentials of the environment. Cloning is cheap.
#[derive(Clone)]
pub struct AwsClient {
    http: Client,
    credentials: AwsCredentials,
    region: String,
    /// Emulators that take the places of services.
    endpoints: BTreeMap<CalledService, SecureUrl>,
    deadline: Duration,
    now: fn() -> Timestamp,
}

impl fmt::Debug for AwsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsClient").field("region", &self.region).finish_non_exhaustive()
    }
}

/// One request, before it is signed.
struct AwsCall<'c> {
    service: CalledService,
    /// The name in errors, such as `CreatePolicyVersion`.
    operation: &'static str,
    method: Method,
    /// The Region of the resource.
    region: &'c str,
    /// Encoded, with a slash in front.
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl AwsClient {
    /// The client with the credentials that Lambda puts into the environment, and that
    /// `aws configure export-credentials --format env` prints. Fails if a variable is missing or names an endpoint that
    /// may not take a service's place.
    pub fn from_environment(
        http: Client,
        environment: &Environment,
        now: fn() -> Timestamp,
    ) -> Result<Self, AwsCallError> {
        let required = |names: &[&str]| {
            let value = names.iter().find_map(|name| environment.var_text(name));
            value.ok_or_else(|| AwsCallError::NotConfigured(format!("{} is not set", names.join(" or "))))
        };
        Ok(Self {
            http,
            credentials: AwsCredentials {
                access_key_id: required(&["AWS_ACCESS_KEY_ID"])?,
                secret_access_key: Secret::new(required(&["AWS_SECRET_ACCESS_KEY"])?),
                session_token: Secret::new(environment.var_text("AWS_SESSION_TOKEN").unwrap_or_default()),
                // The environment does not say it, and nothing here depends on it.
                expiration: Timestamp::from_unix(i64::MAX),
            },
            region: required(&["AWS_REGION", "AWS_DEFAULT_REGION"])?,
            endpoints: endpoint::read_overrides(environment)?,
            deadline: DEADLINE,
            now,
        })
    }

    /// Makes the call, and repeats it while the service is busy and the deadline has not passed. The backoff doubles, and
    /// is random, so that several callers do not return at the same moment.
    async fn call(&self, call: &AwsCall<'_>) -> Result<Vec<u8>, AwsCallError> {
        let deadline = Instant::now() + self.deadline;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match self.attempt(call, left.min(ATTEMPT_TIMEOUT)).await {
                Err(error) if error.is_transient() => error,
                settled => return settled,
            };
            let pause = backoff / 1000 * random_thousandths();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            // A service that throttles answers again only if its callers wait, and not all of them equally long.
            sleep(pause).await;
            backoff = (2 * backoff).min(LONGEST_BACKOFF);
        }
    }

    async fn attempt(&self, call: &AwsCall<'_>, timeout: Duration) -> Result<Vec<u8>, AwsCallError> {
        let answer = self.send(call, timeout).await?;
        match answer.status.is_success() {
            true => Ok(answer.body),
            false => Err(read_refusal(call, &answer)),
        }
    }

    /// Sends the request once, and returns whatever the service answers.
    async fn send(&self, call: &AwsCall<'_>, timeout: Duration) -> Result<FullResponse, AwsCallError> {
        let destination = Destination::find(call.service, call.region, self.endpoints.get(&call.service));
        let address = format!("{}{}", destination.origin, call.path);
        let mut request = Request::new(call.body.clone());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = address.parse().map_err(|_| AwsCallError::unreadable(call, "its address is not valid"))?;
        request.headers_mut().extend(call.headers.iter().cloned());
        let (credentials, region, now) = (&self.credentials, &destination.signing_region, (self.now)());
        let signed = match call.service {
            CalledService::S3 => sign_s3_request(request, credentials, region, now),
            other => sign_request(request, credentials, other.signing_name(), region, now),
        };
        let answer = self.http.with_total_timeout(timeout).send(signed).await;
        answer.map_err(|error| AwsCallError::from_http(call, &error))
    }
}

impl CalledService {
    const ALL: [Self; 7] =
        [Self::Iam, Self::Sns, Self::Lambda, Self::S3, Self::CloudWatch, Self::CloudWatchLogs, Self::Firehose];

    fn signing_name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sns => "sns",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::CloudWatch => "monitoring",
            Self::CloudWatchLogs => "logs",
            Self::Firehose => "firehose",
        }
    }

    /// The name in messages.
    fn title(self) -> &'static str {
        match self {
            Self::Iam => "IAM",
            Self::Sns => "SNS",
            Self::Lambda => "Lambda",
            Self::S3 => "S3",
            Self::CloudWatch => "CloudWatch",
            Self::CloudWatchLogs => "CloudWatch Logs",
            Self::Firehose => "Firehose",
        }
    }
}

fn random_thousandths() -> u32 {
    let mut random = [0; 4];
    host::fill_random(&mut random);
    u32::from_ne_bytes(random) % 1000
}
