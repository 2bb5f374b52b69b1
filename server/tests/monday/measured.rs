//! What one question and one record cost in DynamoDB.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bedrock_sso::{
    host::Environment,
    http::{Client, HttpSettings},
    time::Timestamp,
};
use bedrock_sso_server::{
    api::Service,
    calendar::{Calendar, Period},
    config::Config,
    ingest::Ingestion,
    limits::{Action, Limit, Scope},
    person::Person,
    prices::PriceList,
    store::{PersonRecord, Store, dynamodb_store::DynamoDbStore},
};
use serde_json::json;

use crate::table::{Consumed, Table};

/// Limits of everybody and of groups, all of which each question reads.
const SHARED_LIMITS: u64 = 20;
/// The models that a person uses in a month.
const MODELS: [&str; 3] = ["opus-5-5-v1", "sonnet-5-5-v1", "haiku-5-5-v1"];

/// The capacity of one operation each, and sizes in bytes.
pub(crate) struct Measured {
    /// `GET /check` with a token that is known.
    pub(crate) check: Consumed,
    /// The same with a new token, which comes once in an hour.
    pub(crate) check_with_new_token: Consumed,
    /// A record that is alone in its delivery, as most are if many people work.
    pub(crate) record: Consumed,
    /// What follows a record if somebody is notified, or blocked, at a limit: the person's standing is computed again.
    pub(crate) evaluation: Consumed,
    /// The largest of a person's items of usage.
    pub(crate) usage_bytes: u64,
    /// What a record leaves for 40 days.
    pub(crate) request_bytes: u64,
    /// A record as it lies in CloudWatch.
    pub(crate) record_bytes: u64,
    pub(crate) shards: usize,
}

pub(crate) async fn measure() -> Measured {
    let table = Table::default();
    let endpoint = table.serve().await;
    let variables: BTreeMap<String, String> = [
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let http = Client::new_for_service(HttpSettings::from_environment(&Environment::Fixed(BTreeMap::new()))).unwrap();
    let store = DynamoDbStore::open("limits", &http, &Environment::Fixed(variables)).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let config = "version = 1\nstore = \"dynamodb:limits\"\n[[issuer]]\nissuer = \"https://acme.okta.com\"\n\
                  audience = [\"0oa1b2c3d4\"]\n";
    let config = Config::parse(config, Path::new("")).unwrap();
    let service = Service { now: fixed_now, ..Service::new(&config, PriceList::shipped(), Arc::clone(&store), http) };
    let person = Person::parse("firstname.lastname@example.com").unwrap();
    for number in 0..SHARED_LIMITS {
        let scope = if number < 2 { Scope::Default } else { Scope::Group(format!("engineering-team-{number:02}")) };
        let period = if number % 2 == 0 { Period::Day } else { Period::Month };
        let amount = "200USD".parse().unwrap();
        store.set_limit(&Limit { scope, model: None, period, amount, action: Action::Block }).await.unwrap();
    }
    let now = fixed_now();
    ingest(store.as_ref(), now, &MODELS.map(|model| record(model, now, model)).concat()).await;

    // The first record of a month enters the person into the index, and is not what most records are.
    table.take_consumed();
    let line = record("the next", now, MODELS[0]);
    ingest(store.as_ref(), now, &line).await;
    let record = table.take_consumed();

    let token = |issued: Timestamp| PersonRecord {
        issuer: "https://acme.okta.com".to_owned(),
        subject: "00u1a2b3c4d5e6f7g8h9".to_owned(),
        groups: (0..5).map(|number| format!("engineering-team-{number:02}")).collect(),
        department: Some("Research and Development".to_owned()),
        team: None,
        token_issued_at: issued,
    };
    let hour = std::time::Duration::from_secs(3600);
    service.load_standing(&person, Some(&token(now))).await.unwrap();
    table.take_consumed();
    service.load_standing(&person, Some(&token(now))).await.unwrap();
    let check = table.take_consumed();
    service.load_standing(&person, Some(&token(now.saturating_add(hour)))).await.unwrap();
    let check_with_new_token = table.take_consumed();
    service.load_standing(&person, None).await.unwrap();
    let evaluation = table.take_consumed();
    Measured {
        check,
        check_with_new_token,
        record,
        evaluation,
        usage_bytes: table.sizes("USAGE#").into_iter().max().unwrap(),
        request_bytes: table.sizes("REQUEST#").into_iter().max().unwrap(),
        record_bytes: line.len() as u64,
        shards: table.partitions("LIMITS#"),
    }
}

/// The same hour for all operations, so that they meet the same items.
fn fixed_now() -> Timestamp {
    Timestamp::from_rfc3339("2026-11-30T09:00:00Z").unwrap()
}

async fn ingest(store: &dyn Store, now: Timestamp, lines: &str) {
    let (prices, calendar) = (PriceList::shipped(), Calendar::utc());
    let ingestion = Ingestion { store, prices: &prices, calendar: &calendar, now };
    let summary = ingestion.ingest(lines.as_bytes()).await.unwrap();
    assert_eq!(summary.accepted, lines.lines().count() as u64);
}

/// A record as Bedrock writes it for Claude Code, without bodies.
fn record(id: &str, now: Timestamp, model: &str) -> String {
    // As long as Bedrock's.
    let id = format!("3c5f2d3e-0001-4f2a-9d0b-{:012x}", id.bytes().fold(0_u64, |sum, byte| sum * 7 + u64::from(byte)));
    let record = json!({
        "timestamp": now.to_string(), "accountId": "123456789012",
        "identity": { "arn": "arn:aws:sts::123456789012:assumed-role/claude-BedrockUser/firstname.lastname@example.com" },
        "region": "eu-central-1", "requestId": id, "operation": "InvokeModelWithResponseStream",
        "modelId": format!("arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-{model}:0"),
        "input": { "inputContentType": "application/json", "inputTokenCount": 1234, "cacheReadInputTokenCount": 54321,
                   "cacheWriteInputTokenCount": 3181 },
        "output": { "outputContentType": "application/json", "outputTokenCount": 1301 },
        "inferenceRegion": "eu-west-1", "schemaType": "ModelInvocationLog", "schemaVersion": "1.0"
    });
    format!("{record}\n")
}
