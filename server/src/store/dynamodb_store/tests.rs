//! The store in DynamoDB, against an emulator that `server/tests/dynamodb` starts, and what it does when DynamoDB is busy:
//! a server in between answers some of the requests as DynamoDB does under load.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
};
use bedrock_sso::http::HttpSettings;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    items::{expiry_of, request_key},
    requests::{CONDITION_FAILED, LAYOUT_VERSION},
    *,
};
use crate::{
    calendar::Period,
    store::{
        StoreError,
        contract::{self, START, after, call, contract_tests, periods, person, usage},
    },
};

/// Names the emulator's endpoint.
const ENDPOINT: &str = "BEDROCK_SSO_TEST_DYNAMODB";

fn environment(endpoint: &str) -> BTreeMap<String, String> {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn http_client() -> http::Client {
    http::Client::new_for_service(HttpSettings::from_environment(&Environment::Fixed(BTreeMap::new()))).unwrap()
}

fn emulator() -> String {
    Environment::Process.var_text(ENDPOINT).expect("server/tests/dynamodb starts these tests")
}

async fn connect(endpoint: &str, table: &str) -> StoreResult<DynamoDbStore> {
    DynamoDbStore::open(table, &http_client(), &Environment::Fixed(environment(endpoint))).await
}

/// Creates a table as the template does, and returns its name.
async fn create_table() -> String {
    let name = format!("usage-{:016x}", random_number());
    let client =
        Client::from_conf(read_settings(&http_client(), &Environment::Fixed(environment(&emulator()))).unwrap());
    let mut request = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [(PK, KeyType::Hash), (SK, KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S);
        let element = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        request = request.attribute_definitions(definition.build().unwrap()).key_schema(element.build().unwrap());
    }
    request.send().await.unwrap();
    name
}

async fn open_new() -> (Arc<dyn Store>, ()) {
    (Arc::new(connect(&emulator(), &create_table().await).await.unwrap()), ())
}

// An emulator is a process beside the tests, which a plain `cargo test` must not need; `.ci/run server` runs all of these.
contract_tests!(open_new().await, ignore = "server/tests/dynamodb starts the emulator that it needs");

// Without an emulator

#[tokio::test]
async fn an_endpoint_off_loopback_is_refused() {
    for endpoint in ["https://dynamodb.example.com", "http://10.0.0.1:8000", "nonsense"] {
        for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"] {
            let mut variables = environment("http://127.0.0.1:1");
            variables.remove("AWS_ENDPOINT_URL_DYNAMODB");
            variables.insert(name.to_owned(), endpoint.to_owned());
            let error = read_settings(&http_client(), &Environment::Fixed(variables)).unwrap_err();
            assert!(matches!(&error, StoreError::Unavailable(text) if text.contains(name)), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        let mut variables = environment("http://127.0.0.1:1");
        variables.remove(name);
        let error = read_settings(&http_client(), &Environment::Fixed(variables)).unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains(name)), "{error:?}");
    }
}

#[test]
fn people_are_spread_over_all_shards() {
    let mut people = [0; SHARDS as usize];
    for number in 0..1600 {
        people[usize::try_from(shard_of(&person(&format!("person-{number}@example.com")))).unwrap()] += 1;
    }
    assert!(people.iter().all(|people| (60..140).contains(people)), "{people:?}");
    // It decides where data is stored, so it never changes.
    assert_eq!(hash("alice@example.com"), 0x6702_3fc4_a7ff_2a46);
}

#[test]
fn usage_expires_after_its_period() {
    let expiry = |period, text: &str| expiry_of(&PeriodKey { period, text: text.to_owned() });
    let at = |text| Some(Timestamp::from_rfc3339(text).unwrap());
    assert_eq!(expiry(Period::Hour, "2026-11-30T14+01:00"), at("2026-12-03T13:00:00Z"));
    assert_eq!(expiry(Period::Day, "2026-11-30"), at("2027-02-08T14:00:00Z"));
    assert_eq!(expiry(Period::Month, "2026-11"), None);
}

#[test]
fn a_sum_beyond_ours_is_the_largest_number() {
    let sum = |digits: &str| read_sum(&AttributeValue::N(digits.to_owned()));
    assert_eq!(sum("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(sum("36893488147419103230"), Ok(u64::MAX));
    for wrong in ["-1", "1.5", "", "1E+30"] {
        assert!(matches!(sum(wrong), Err(StoreError::Damaged(_))), "{wrong}");
    }
}

/// Of a delivery for several people, the others are counted. Otherwise one item that DynamoDB refuses would stop them all.
#[tokio::test]
async fn a_person_who_cannot_be_counted_stops_nobody_else() {
    let counted = Arc::new(AtomicUsize::new(0));
    let handler = {
        let counted = Arc::clone(&counted);
        async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
            match parts.headers["x-amz-target"].to_str().unwrap().split('.').next_back().unwrap() {
                "GetItem" => Response::new(Body::from(r#"{"Item":{"version":{"N":"1"}}}"#)),
                "TransactWriteItems" if body.contains("USAGE#person-00") => {
                    refuse(400, "ValidationException", json!({}))
                }
                "TransactWriteItems" => {
                    counted.fetch_add(1, Ordering::SeqCst);
                    Response::new(Body::from("{}"))
                }
                _ => Response::new(Body::from("{}")),
            }
        }
    };
    let store = connect(&serve(Router::new().fallback(handler)).await, "usage").await.unwrap();
    let calls: Vec<_> =
        (0..60).map(|number| call(&format!("{number}"), &format!("person-{number:02}"), "opus", START, 1)).collect();
    let error = store.count(&calls).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("ValidationException")), "{error:?}");
    assert_eq!(counted.load(Ordering::SeqCst), 59);
}

// With the emulator

#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn a_missing_table_is_not_created() {
    let error = connect(&emulator(), "absent").await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("absent")), "{error:?}");
}

#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn a_later_layout_is_named() {
    let table = create_table().await;
    let store = connect(&emulator(), &table).await.unwrap();
    connect(&emulator(), &table).await.unwrap();
    let mut item = key("LAYOUT", ALONE);
    item.insert("version".to_owned(), number(LAYOUT_VERSION + 1));
    store.0.put(item).await.unwrap();
    let error = connect(&emulator(), &table).await.unwrap_err();
    assert!(matches!(&error, StoreError::LaterVersion(text) if text.contains("layout 2")), "{error:?}");
    assert!(matches!(store.check().await, Err(StoreError::LaterVersion(_))));
    // A running server does not take an emptied table for a new one.
    let request = store.0.client.delete_item().table_name(&table).set_key(Some(key("LAYOUT", ALONE)));
    request.send().await.unwrap();
    assert!(matches!(store.check().await, Err(StoreError::Damaged(_))));
}

/// DynamoDB deletes an item by its attribute `expires`; what should stay has none.
#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn what_can_be_deleted_says_when() {
    let table = create_table().await;
    let store = connect(&emulator(), &table).await.unwrap();
    let counted = call("id", "alice", "opus", START, 1);
    store.count(std::slice::from_ref(&counted)).await.unwrap();
    assert!(store.claim_notice("notice", after(5)).await.unwrap());
    let expires = async |key: Item| -> Option<i64> {
        let item = store.0.get(key).await.unwrap().expect("the item exists");
        item.get(EXPIRES).map(|value| value.as_n().unwrap().parse().unwrap())
    };
    let [hour, day, month] = [0, 1, 2].map(|place| usage_key(&counted.person, &counted.periods[place]));
    assert_eq!(expires(request_key("id")).await, Some(counted.remember_until.unix_seconds()));
    assert_eq!(expires(key("NOTICE#notice", ALONE)).await, Some(after(5).unix_seconds()));
    assert_eq!(expires(hour).await, expiry_of(&counted.periods[0]).map(Timestamp::unix_seconds));
    assert_eq!(expires(day).await, expiry_of(&counted.periods[1]).map(Timestamp::unix_seconds));
    assert_eq!(expires(month).await, None);
}

// With an emulator that is busy

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Forward,
    /// The table's or the account's limit.
    Throttle,
    /// Another transaction has one of the items; other requests meet an internal error.
    Conflict,
    /// DynamoDB does what is asked for, but the answer gets lost.
    LoseAnswer,
}

/// Serves on a port of loopback, and decides by the number of the request and its operation. Returns its endpoint and
/// counts how many requests it has refused.
async fn start_interference(
    endpoint: String,
    decide: impl Fn(usize, &str) -> Fate + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(AtomicUsize::new(0));
    let client = http_client();
    let handler = {
        let refused = Arc::clone(&refused);
        async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let target = parts.headers["x-amz-target"].to_str().unwrap();
            let operation = target.split('.').next_back().unwrap();
            let fate = decide(requests.fetch_add(1, Ordering::SeqCst), operation);
            if !matches!(fate, Fate::Forward) {
                refused.fetch_add(1, Ordering::SeqCst);
            }
            match fate {
                Fate::Forward => forward(&client, &endpoint, parts.headers, body.to_vec()).await,
                Fate::Throttle => refuse(400, "ThrottlingException", json!({})),
                Fate::Conflict if operation == "TransactWriteItems" => {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let mut reasons = vec![json!({ "Code": "None" }); body["TransactItems"].as_array().unwrap().len()];
                    *reasons.last_mut().unwrap() = json!({ "Code": "TransactionConflict", "Message": "busy" });
                    refuse(400, "TransactionCanceledException", json!({ "CancellationReasons": reasons }))
                }
                Fate::Conflict => refuse(500, "InternalServerError", json!({})),
                Fate::LoseAnswer => {
                    forward(&client, &endpoint, parts.headers, body.to_vec()).await;
                    refuse(503, "ServiceUnavailable", json!({}))
                }
            }
        }
    };
    (serve(Router::new().fallback(handler)).await, refused)
}

/// Serves on a port of loopback until the test ends, and returns the endpoint.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    endpoint
}

async fn forward(client: &http::Client, endpoint: &str, headers: HeaderMap, body: Vec<u8>) -> Response<Body> {
    let mut request = axum::http::Request::post(endpoint).body(body).unwrap();
    for name in ["content-type", "x-amz-target", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let answer = client.send(request).await.unwrap();
    Response::builder().status(answer.status).body(Body::from(answer.body)).unwrap()
}

fn refuse(status: u16, name: &str, mut body: Value) -> Response<Body> {
    body["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{name}"));
    body["message"] = json!("injected");
    let status = StatusCode::from_u16(status).unwrap();
    Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
}

/// Every second request fails, each time in another way.
async fn open_busy() -> (Arc<dyn Store>, Arc<AtomicUsize>) {
    let (endpoint, refused) = start_interference(emulator(), |number, _| match number % 6 {
        1 => Fate::Throttle,
        3 => Fate::Conflict,
        5 => Fate::LoseAnswer,
        _ => Fate::Forward,
    })
    .await;
    let store = connect(&endpoint, &create_table().await).await.unwrap();
    (Arc::new(store), refused)
}

macro_rules! tests_on_a_busy_store {
    ($($name:ident)*) => {
        mod busy {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                #[ignore = "server/tests/dynamodb starts the emulator that it needs"]
                async fn $name() {
                    let (store, refused) = open_busy().await;
                    contract::$name(store).await;
                    assert!(refused.load(Ordering::SeqCst) > 1);
                }
            )*
        }
    };
}

tests_on_a_busy_store! {
    calls_are_summed_by_person_period_and_model
    a_repeated_id_changes_nothing
    a_large_batch_is_counted_in_order
    order_repetition_and_batches_do_not_change_sums
    usage_is_listed_by_month
    a_limit_replaces_the_one_with_its_key
    the_latest_token_wins
    grants_add_up_until_they_end
    a_block_replaces_the_earlier_one
    one_of_eight_claims_a_notice
    limits_of_models_are_listed_without_the_others
    a_mark_holds_until_its_latest_end
    a_mark_that_was_renewed_is_not_removed
    marks_of_many_writers_end_as_the_latest
    one_of_eight_acquires_a_lease
    a_lease_ends_or_is_given_back
    faults_are_summed_by_name
}

#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn a_store_that_stays_busy_is_unavailable() {
    let table = create_table().await;
    for fate in [Fate::Throttle, Fate::Conflict] {
        let (endpoint, refused) = start_interference(emulator(), move |_, operation| match operation {
            "GetItem" | "PutItem" => Fate::Forward,
            _ => fate,
        })
        .await;
        let settings = read_settings(&http_client(), &Environment::Fixed(environment(&endpoint))).unwrap();
        let store = DynamoDbStore(Arc::new(Table {
            client: Client::from_conf(settings),
            name: table.clone(),
            deadline: Duration::from_millis(400),
            indexed: Mutex::default(),
        }));
        let begin = Instant::now();
        let error = store.count(&[call("id", "alice", "opus", START, 1)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let error = store.load_account(&person("alice"), &periods(START)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        assert!(refused.load(Ordering::SeqCst) > 3, "it has not repeated the request");
    }
    let store = connect(&emulator(), &table).await.unwrap();
    let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
    assert_eq!(account.usage, [(); 3].map(|()| ModelUsage::default()));
}

/// The request is repeated, and has done already what it asks for.
#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn a_lost_answer_does_not_change_the_outcome() {
    let table = create_table().await;
    let lost = Arc::new(AtomicUsize::new(0));
    let decide = {
        let lost = Arc::clone(&lost);
        move |number, operation: &str| {
            // Of each kind of write, the first after the two requests that open the table.
            let bit = match operation {
                "PutItem" => 1,
                "TransactWriteItems" => 2,
                _ => 0,
            };
            match number > 1 && bit & !lost.fetch_or(bit, Ordering::SeqCst) != 0 {
                true => Fate::LoseAnswer,
                false => Fate::Forward,
            }
        }
    };
    let (endpoint, refused) = start_interference(emulator(), decide).await;
    let store = connect(&endpoint, &table).await.unwrap();
    assert!(store.claim_notice("notice", after(5)).await.unwrap());
    assert!(!store.claim_notice("notice", after(5)).await.unwrap());
    let counted = [call("id", "alice", "opus", START, 1)];
    assert_eq!(store.count(&counted).await.unwrap(), [CountOutcome::Counted]);
    assert_eq!(store.count(&counted).await.unwrap(), [CountOutcome::Repeated]);
    assert_eq!(refused.load(Ordering::SeqCst), 2);
}

/// An answer that says both: one id was counted before, and another transaction was in the way.
#[tokio::test]
#[ignore = "server/tests/dynamodb starts the emulator that it needs"]
async fn a_repetition_amid_a_conflict_is_left_out() {
    let table = create_table().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let refusal = {
        let answers = Arc::clone(&answers);
        async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let target = parts.headers["x-amz-target"].to_str().unwrap();
            if target.ends_with("TransactWriteItems") && answers.fetch_add(1, Ordering::SeqCst) == 0 {
                let codes = ["TransactionConflict", CONDITION_FAILED, "None", "None", "None"];
                let reasons = codes.map(|code| json!({ "Code": code }));
                return refuse(400, "TransactionCanceledException", json!({ "CancellationReasons": reasons }));
            }
            forward(&http_client(), &emulator(), parts.headers, body.to_vec()).await
        }
    };
    let endpoint = serve(Router::new().fallback(refusal)).await;
    let store = connect(&endpoint, &table).await.unwrap();
    let calls = [call("both-1", "alice", "opus", START, 1), call("both-2", "alice", "opus", START, 10)];
    assert_eq!(store.count(&calls).await.unwrap(), [CountOutcome::Counted, CountOutcome::Repeated]);
    let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
    assert_eq!(account.usage[2].total(), usage(1));
    assert_eq!(answers.load(Ordering::SeqCst), 2);
}
