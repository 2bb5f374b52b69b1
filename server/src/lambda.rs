//! The server as a function of AWS Lambda, which has the same answers and the same sums as the stand-alone server.
//!
//! An HTTP API calls the role `check`, and the subscription of a log group calls the role `ingest`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedrock_sso::{failure::Exit, host::Environment, log};
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    api::{Service, build_router_with},
    config::Config,
    failure::Failure,
    ingest::{IngestSummary, Ingestion},
    prices::PriceList,
    signed_requests::build_signed_routes,
    store::Store,
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
            other => Err(Failure::configuration(
                format!("{ROLE_VARIABLE} is \"{}\"", other.unwrap_or_default()),
                "set the variable of the function to check or ingest",
            )),
        }
    }
}

/// Answers events until Lambda ends the process.
pub async fn run(role: FunctionRole, config: &Config, prices: PriceList, store: Arc<dyn Store>) -> Result<(), Failure> {
    let service = Arc::new(Service::with_own_client(config, prices, store)?);
    let ended = match role {
        FunctionRole::Check => lambda_http::run(build_router_with(build_signed_routes(), service)).await,
        FunctionRole::Ingest => {
            let count = async |event: LambdaEvent<Value>| count_event(&service, event.payload).await;
            lambda_runtime::run(service_fn(count)).await
        }
    };
    ended.map_err(|error| {
        Failure::new(
            Exit::Network,
            "lambda/runtime",
            format!("Lambda gives no more events: {error}"),
            "see the log of the function",
        )
    })
}

/// What calls the role `ingest`.
#[derive(Deserialize)]
#[serde(untagged)]
enum IngestEvent {
    Subscription { awslogs: SubscriptionData },
    Records { records: Vec<Value> },
}

#[derive(Deserialize)]
struct SubscriptionData {
    /// The compressed envelope in base64.
    data: String,
}

/// Counts the records of one event. After an error Lambda repeats the event, and no record counts twice.
async fn count_event(service: &Service, event: Value) -> Result<IngestSummary, lambda_http::Error> {
    let Service { store, prices, calendar, now, .. } = service;
    let ingestion = Ingestion { store: store.as_ref(), prices, calendar, now: now() };
    let delivery = read_delivery(&event);
    let counted = ingestion.ingest_and_list_people(&delivery).await;
    let (summary, people) = counted.map_err(|error| Failure::from(error).to_string())?;
    if summary.rejected > 0 {
        log::warn("lambda", format_args!("{} records were rejected", summary.rejected));
    }
    // After the answer Lambda stops the process until the next event.
    service.send_notices(people).await;
    Ok(summary)
}

/// What `POST /ingest` would get. Something else than records stays as it is, so that it is rejected and counted there.
fn read_delivery(event: &Value) -> Vec<u8> {
    match IngestEvent::deserialize(event) {
        Ok(IngestEvent::Subscription { awslogs }) => {
            STANDARD.decode(&awslogs.data).unwrap_or_else(|_| awslogs.data.into_bytes())
        }
        Ok(IngestEvent::Records { records }) => {
            records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
        }
        Err(_) => event.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(value: &str) -> Result<FunctionRole, Failure> {
        let variables = [(ROLE_VARIABLE.to_owned(), value.to_owned())];
        FunctionRole::from_environment(&Environment::Fixed(variables.into()))
    }

    #[test]
    fn a_function_has_one_of_two_roles() {
        assert_eq!(role("check"), Ok(FunctionRole::Check));
        assert_eq!(role("ingest"), Ok(FunctionRole::Ingest));
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

    #[test]
    fn each_event_becomes_a_delivery() {
        let delivery = |event: &Value| String::from_utf8(read_delivery(event)).unwrap();
        assert_eq!(delivery(&json!({ "awslogs": { "data": "e30=" } })), "{}");
        assert_eq!(delivery(&json!({ "records": [{ "a": 1 }, { "b": 2 }] })), "{\"a\":1}\n{\"b\":2}\n");
        // What is rejected is not lost on the way.
        assert_eq!(delivery(&json!({ "awslogs": { "data": "?" } })), "?");
        assert_eq!(delivery(&json!({ "detail": 1 })), "{\"detail\":1}");
    }
}
