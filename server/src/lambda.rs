//! The server as a function of AWS Lambda, which has the same answers and the same sums as the stand-alone server.
//!
//! An HTTP API calls the role `check`. The subscription of a log group, or a bucket with the log, calls the role `ingest`. A
//! schedule and the other roles call the role `enforce`. Another HTTP API calls the role `relay`.

use std::sync::Arc;

use bedrock_sso::{failure::Exit, host::Environment, log};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{
    api::{EnforcementRunner, Service, build_router_with},
    aws_calls::AwsCallError,
    config::Config,
    enforcement::EnforcementError,
    failure::Failure,
    ingest::{IngestSummary, Ingestion},
    lambda_events::{EventContent, LogObject},
    prices::PriceList,
    relay::{Relay, build_relay_router},
    signed_requests::build_signed_routes,
    store::{Faults, Store, StoreError},
};

/// Lambda names the address of its runtime API here.
const RUNTIME_VARIABLE: &str = "AWS_LAMBDA_RUNTIME_API";

const ROLE_VARIABLE: &str = "BEDROCK_SSO_SERVER_ROLE";

/// What the function does. Each role is a function of its own, with no more permissions than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionRole {
    /// Answers the requests of clients.
    Check,
    /// Counts the records of the invocation log.
    Ingest,
    /// Writes the policies of refused people.
    Enforce,
    /// Passes telemetry on.
    Relay,
}

/// Whether this process was started by Lambda.
pub fn is_function(environment: &Environment) -> bool {
    environment.var_os(RUNTIME_VARIABLE).is_some()
}

impl FunctionRole {
    pub fn from_environment(environment: &Environment) -> Result<Self, Failure> {
        match environment.var_text(ROLE_VARIABLE).as_deref() {
            Some("check") => Ok(Self::Check),
            Some("ingest") => Ok(Self::Ingest),
            Some("enforce") => Ok(Self::Enforce),
            Some("relay") => Ok(Self::Relay),
            other => Err(Failure::configuration(
                format!("{ROLE_VARIABLE} is \"{}\"", other.unwrap_or_default()),
                "set the variable of the function to check, ingest, enforce or relay",
            )),
        }
    }
}

/// Answers events until Lambda ends the process.
pub async fn run(role: FunctionRole, config: &Config, prices: PriceList, store: Arc<dyn Store>) -> Result<(), Failure> {
    let with_service = || {
        let service = Service::with_own_client(config, prices, store, EnforcementRunner::Elsewhere);
        service.map(Arc::new)
    };
    let ended = match role {
        FunctionRole::Check => lambda_http::run(build_router_with(build_signed_routes(), with_service()?)).await,
        FunctionRole::Ingest => {
            let service = with_service()?;
            let count = async |event: LambdaEvent<Value>| count_event(&service, event.payload).await;
            lambda_runtime::run(service_fn(count)).await
        }
        FunctionRole::Enforce => {
            let service = with_service()?;
            // Each event, of whatever origin and content, means that the policies should be compared now.
            let enforce = async |_: LambdaEvent<Value>| service.watch.enforce().await.map_err(fail_run);
            lambda_runtime::run(service_fn(enforce)).await
        }
        FunctionRole::Relay => return run_relay(config).await,
    };
    ended.map_err(|error| describe_end(&error))
}

/// Does the same for the role `relay`, which needs no store.
pub async fn run_relay(config: &Config) -> Result<(), Failure> {
    let relay = Relay::from_config(config)?.ok_or_else(|| {
        Failure::configuration("the configuration has no [relay]", "add the table, or set another role")
    })?;
    lambda_http::run(build_relay_router(relay)).await.map_err(|error| describe_end(&error))
}

fn describe_end(error: &lambda_http::Error) -> Failure {
    Failure::new(
        Exit::Network,
        "lambda/runtime",
        format!("Lambda gives no more events: {error}"),
        "see the log of the function",
    )
}

/// Counts the records of one event. After an error Lambda repeats the event, and no record counts twice.
async fn count_event(service: &Service, event: Value) -> Result<IngestSummary, lambda_http::Error> {
    let mut sum = IngestSummary::default();
    match EventContent::read(&event) {
        EventContent::Delivery(delivery) => sum += count_delivery(service, &delivery).await?,
        EventContent::Objects(objects) => {
            for object in &objects {
                match fetch_object(service, object).await? {
                    Some(delivery) => sum += count_delivery(service, &delivery).await?,
                    None => sum.rejected += 1,
                }
            }
        }
    }
    if sum.rejected > 0 {
        log::warn("lambda", format_args!("{} records were rejected", sum.rejected));
    }
    Ok(sum)
}

async fn count_delivery(service: &Service, delivery: &[u8]) -> Result<IngestSummary, lambda_http::Error> {
    let Service { store, prices, calendar, now, .. } = service;
    let ingestion = Ingestion { store: store.as_ref(), prices, calendar, now: now() };
    let counted = async {
        let (summary, people) = ingestion.ingest_and_list_people(delivery).await?;
        Ok((summary, service.watch.review(&people).await?))
    };
    let (summary, due) = counted.await.map_err(|error: StoreError| Failure::from(error).to_string())?;
    // After the answer Lambda stops the process until the next event.
    service.watch.send_notices(due).await;
    Ok(summary)
}

/// The content of an object; `None`, which is counted, for one that no repetition can read.
async fn fetch_object(service: &Service, object: &LogObject) -> Result<Option<Vec<u8>>, lambda_http::Error> {
    let aws = service.aws.as_ref().ok_or("the environment has no credentials for S3")?;
    let LogObject { region, bucket, key } = object;
    let error = match aws.get_object(region, bucket, key).await {
        Ok(content) => return Ok(Some(content)),
        Err(error) => error,
    };
    log::warn("lambda", format_args!("an object of the log cannot be read: {error}"));
    let reason = match &error {
        AwsCallError::TooLarge { .. } => "too_large",
        // It was deleted before the event arrived.
        error if error.has_code("NoSuchKey") => "missing_object",
        _ => return Err(error.into()),
    };
    let faults = Faults { rejected: [(reason.to_owned(), 1)].into(), ..Faults::default() };
    service.store.add_faults(&faults).await.map_err(|error| Failure::from(error).to_string())?;
    Ok(None)
}

/// Lambda reports that a run has failed, and the function logs why.
fn fail_run(error: EnforcementError) -> lambda_http::Error {
    log::warn("lambda", format_args!("the policies may not refuse whom they should: {error}"));
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(value: &str) -> Result<FunctionRole, Failure> {
        let variables = [(ROLE_VARIABLE.to_owned(), value.to_owned())];
        FunctionRole::from_environment(&Environment::Fixed(variables.into()))
    }

    #[test]
    fn a_function_has_one_of_four_roles() {
        assert_eq!(role("check"), Ok(FunctionRole::Check));
        assert_eq!(role("ingest"), Ok(FunctionRole::Ingest));
        assert_eq!(role("enforce"), Ok(FunctionRole::Enforce));
        assert_eq!(role("relay"), Ok(FunctionRole::Relay));
        for wrong in ["", "Check", "enforce "] {
            assert_eq!(role(wrong).unwrap_err().exit, Exit::Configuration, "{wrong}");
        }
    }

    #[test]
    fn lambda_is_recognized_by_its_runtime_api() {
        let function = [(RUNTIME_VARIABLE.to_owned(), "127.0.0.1:9001".to_owned())];
        assert!(is_function(&Environment::Fixed(function.into())));
        assert!(!is_function(&Environment::Fixed([].into())));
    }
}
