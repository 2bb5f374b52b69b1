//! A store in one table of Amazon DynamoDB, for a server in AWS Lambda or on several machines.
//!
//! All reads are consistent: they see every write that was acknowledged before. DynamoDB limits the requests for one
//! partition key, so no item is read or written for the whole fleet: what belongs to all is stored in `SHARDS` parts or
//! copies, and a person's name selects one of them.
//!
//! | PK | SK | Attributes |
//! |---|---|---|
//! | `LAYOUT` | `-` | `version`: that of this list |
//! | `REQUEST#id` | `-` | `expires` |
//! | `USAGE#person` | kind `#` period | `kind/account/model` for each kind of token and the cost, `expires` for hours and days |
//! | `MONTH#period#shard` | person | none: it says that there is usage |
//! | `SETTINGS#shard` | person`#record`, `#block`, `#grant#`…, `#limit#`… | `json`; for a record also `issued` |
//! | `LIMITS#shard` | `default#`…, `group#`… | `json`; every shard has all of these limits |
//! | `NOTICE#name` | `-` | `claim`, `expires` |
//! | `FAULTS#shard` | kind `#` reason or model | `count` |
//!
//! The table's time-to-live attribute is `expires`, so DynamoDB deletes what has expired, and does so without charge.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        AppName, BehaviorVersion, Credentials, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem, Update},
};
use bedrock_sso::{
    host::{self, Environment},
    http,
    time::Timestamp,
    url::SecureUrl,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Account, CountOutcome, CountedCall, DAYS_ARE_STORED, HOURS_ARE_STORED, IngestFaults, PersonRecord, Store,
    StoreError, StoreResult,
};
use crate::{
    calendar::{Period, PeriodKey},
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    usage::{AccountModel, ModelUsage, Usage},
};

const LAYOUT_VERSION: u64 = 1;

/// One partition key serves 3,000 reads and 1,000 writes a second. Sixteen are enough for 100,000 people who all start
/// within the same minutes, and few enough to be read one by one for a list.
const SHARDS: u64 = 16;

/// DynamoDB's limit for one transaction.
const MAX_ACTIONS: usize = 100;
/// DynamoDB's limit for one `BatchGetItem`.
const MAX_KEYS: usize = 100;
/// An expression may have 4 KB, and a model takes about 50 bytes of it.
const MAX_MODELS_PER_UPDATE: usize = 40;
/// How many people's transactions run at a time.
const MAX_CONCURRENT: usize = 16;
/// The names of (month, person) that are known to be in the index. More would only save requests.
const MAX_INDEXED: usize = 100_000;

/// How long a request is repeated while DynamoDB is busy. A client that waits for `/check` gives up soon after.
const DEADLINE: Duration = Duration::from_secs(8);
const FIRST_BACKOFF: Duration = Duration::from_millis(25);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

const PK: &str = "PK";
const SK: &str = "SK";
/// The sort key of an item that is alone under its partition key.
const ALONE: &str = "-";
const EXPIRES: &str = "expires";
const JSON: &str = "json";
const ISSUED: &str = "issued";

type Item = HashMap<String, AttributeValue>;

/// A table. Cloning is cheap.
#[derive(Clone)]
pub struct DynamoDbStore(Arc<Table>);

struct Table {
    client: Client,
    name: String,
    deadline: Duration,
    /// The entries of the index of months that this process has written.
    indexed: Mutex<HashSet<(String, Person)>>,
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("table", &self.0.name).finish_non_exhaustive()
    }
}

impl DynamoDbStore {
    /// Connects to the table with the credentials that Lambda puts into the environment, and that
    /// `aws configure export-credentials --format env` prints. Fails if the table is missing, or of a later version.
    pub async fn open(table: &str, http: &http::Client, environment: &Environment) -> StoreResult<Self> {
        let store = Self(Arc::new(Table {
            client: Client::from_conf(read_settings(http, environment)?),
            name: table.to_owned(),
            deadline: DEADLINE,
            indexed: Mutex::default(),
        }));
        store.0.create_layout().await?;
        store.0.check_layout().await?;
        Ok(store)
    }
}

/// Configures everything explicitly, so that the SDK reads no file and no variable of its own.
fn read_settings(http: &http::Client, environment: &Environment) -> StoreResult<Config> {
    let required = |names: &[&str]| {
        let value = names.iter().find_map(|name| environment.var_text(name));
        value.ok_or_else(|| StoreError::Unavailable(format!("{} is not set", names.join(" or "))))
    };
    let credentials = Credentials::new(
        required(&["AWS_ACCESS_KEY_ID"])?,
        required(&["AWS_SECRET_ACCESS_KEY"])?,
        environment.var_text("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let builder = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(required(&["AWS_REGION", "AWS_DEFAULT_REGION"])?))
        .credentials_provider(credentials)
        .http_client(SharedHttpClient::new(http.clone()))
        // Here are the retries: they know what a cancelled transaction means.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .app_name(AppName::new("bedrock-sso-server").expect("the name contains only valid characters"));
    let endpoint = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| Some((name, environment.var_text(name)?)));
    let Some((name, endpoint)) = endpoint else {
        return Ok(builder.use_fips(environment.is_true("AWS_USE_FIPS_ENDPOINT")).build());
    };
    // It decides everybody's limits, so only an emulator of this machine may take DynamoDB's place.
    match SecureUrl::parse(&endpoint) {
        Ok(url) if url.is_loopback() => Ok(builder.endpoint_url(url.as_str()).build()),
        _ => Err(StoreError::Unavailable(format!("{name} is \"{endpoint}\", which is not on this machine's loopback"))),
    }
}

// Keys and values

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    [(PK.to_owned(), text(partition)), (SK.to_owned(), text(sort))].into()
}

/// FNV-1a: the same on every machine and in every version, because it decides where something is stored.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn shard_of(person: &Person) -> u64 {
    hash(person.as_str()) % SHARDS
}

fn random_number() -> u64 {
    let mut random = [0; 8];
    host::fill_random(&mut random);
    u64::from_ne_bytes(random)
}

fn settings_partition(shard: u64) -> String {
    format!("SETTINGS#{shard:02}")
}

fn limits_partition(shard: u64) -> String {
    format!("LIMITS#{shard:02}")
}

fn faults_partition(shard: u64) -> String {
    format!("FAULTS#{shard:02}")
}

fn month_partition(month: &PeriodKey, shard: u64) -> String {
    format!("MONTH#{month}#{shard:02}")
}

fn request_key(id: &str) -> Item {
    key(format!("REQUEST#{id}"), ALONE)
}

fn usage_key(person: &Person, period: &PeriodKey) -> Item {
    key(format!("USAGE#{person}"), format!("{}#{period}", period.period.name()))
}

/// `#` is in no person's name, so no name begins another one's keys.
fn settings_key(person: &Person, rest: &str) -> Item {
    key(settings_partition(shard_of(person)), format!("{person}#{rest}"))
}

/// Where a limit is stored: once for a person, in every shard for everybody else.
fn limit_keys(limit: &LimitKey) -> Vec<Item> {
    let shared = |kind: &str| {
        let sort = format!("{kind}#{}", to_json(limit));
        (0..SHARDS).map(|shard| key(limits_partition(shard), &sort)).collect()
    };
    match &limit.scope {
        Scope::Person(person) => {
            vec![settings_key(person, &format!("limit#{}", to_json(&(limit.period, limit.unit, &limit.model))))]
        }
        Scope::Group(_) => shared("group"),
        Scope::Default => shared("default"),
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types have only keys that are text")
}

fn damaged(reason: impl fmt::Display) -> StoreError {
    StoreError::Damaged(reason.to_string())
}

fn read_text<'i>(item: &'i Item, name: &str) -> StoreResult<&'i str> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| damaged(format_args!("an item has no text \"{name}\"")))
}

fn read_json<T: DeserializeOwned>(item: &Item) -> StoreResult<T> {
    serde_json::from_str(read_text(item, JSON)?)
        .map_err(|error| damaged(format_args!("an item cannot be read: {error}")))
}

/// DynamoDB's sums go on beyond ours, which stop at the largest number.
fn read_sum(value: &AttributeValue) -> StoreResult<u64> {
    let digits = value.as_n().map_err(|_| damaged("a sum is not a number"))?;
    match digits.parse::<u64>() {
        Ok(sum) => Ok(sum),
        Err(_) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => Ok(u64::MAX),
        Err(_) => Err(damaged(format_args!("\"{digits}\" is not a sum"))),
    }
}

fn parse_person(name: &str) -> StoreResult<Person> {
    Person::parse(name).map_err(|reason| damaged(format_args!("a person is called {name:?}: {reason}")))
}

type UsageField = fn(&mut Usage) -> &mut u64;

const KINDS: [(&str, UsageField); 5] = [
    ("input", |usage| &mut usage.tokens.input),
    ("output", |usage| &mut usage.tokens.output),
    ("cache_read", |usage| &mut usage.tokens.cache_read),
    ("cache_write", |usage| &mut usage.tokens.cache_write),
    ("micro_usd", |usage| &mut usage.cost.0),
];

fn read_usage(item: &Item) -> StoreResult<ModelUsage> {
    let mut usage = ModelUsage::default();
    for (name, value) in item {
        // Keys and expiry have no slash.
        let Some((kind, target)) = name.split_once('/') else { continue };
        let Some((_, field)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            return Err(damaged(format_args!("usage has an attribute \"{name}\"")));
        };
        let target = AccountModel::try_from(target.to_owned()).map_err(damaged)?;
        *field(usage.0.entry(target).or_default()) = read_sum(value)?;
    }
    Ok(usage)
}

/// When DynamoDB may delete the usage of a period: `None` for a month.
fn expiry_of(period: &PeriodKey) -> Option<Timestamp> {
    // An hour's key ends with its offset from UTC. A day's is at most 14 hours from the same day in UTC.
    let (start, stored) = match period.period {
        Period::Hour => {
            let (hour, offset) = period.text.split_at_checked("2026-11-30T14".len())?;
            (format!("{hour}:00:00{offset}"), HOURS_ARE_STORED)
        }
        Period::Day => (format!("{period}T00:00:00Z"), DAYS_ARE_STORED + Duration::from_secs(14 * 3600)),
        Period::Month => return None,
    };
    Some(Timestamp::from_rfc3339(&start)?.saturating_add(stored))
}

// Requests

/// Whether the same request may succeed a moment later.
fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    const BUSY: [&str; 7] = [
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    ];
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(context) => {
            context.raw().status().as_u16() >= 500 || context.err().code().is_some_and(|code| BUSY.contains(&code))
        }
        // The request could not be built.
        _ => false,
    }
}

/// Why each action of a transaction failed, in the order of the actions.
fn cancellation_codes(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<&str>> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return None;
    };
    Some(cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect())
}

/// A cancelled transaction is transient if it met another one or a limit, and nothing else is wrong with it.
fn is_transient_transaction(error: &SdkError<TransactWriteItemsError>) -> bool {
    const BUSY: [&str; 4] =
        ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError", "ReplicatedWriteConflict"];
    match cancellation_codes(error) {
        Some(codes) => {
            codes.iter().any(|code| BUSY.contains(code))
                && codes.iter().all(|code| BUSY.contains(code) || *code == "None")
        }
        None => is_transient(error),
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

impl Table {
    fn unavailable(&self, cause: impl fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("table {}: {cause}", self.name))
    }

    /// What DynamoDB has said, or why it has said nothing. The rest of the answer is left out: it may contain items.
    fn refused<E: Error + ProvideErrorMetadata + 'static>(&self, error: &SdkError<E>) -> StoreError {
        if let Some(refusal) = error.as_service_error() {
            let code = refusal.code().unwrap_or("an error without a code");
            return self.unavailable(format_args!("{code}: {}", refusal.message().unwrap_or_default()));
        }
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        self.unavailable(causes.join(": "))
    }

    /// Sends a request, and repeats it while DynamoDB is busy and the deadline has not passed. The backoff doubles, and is
    /// random, so that the writers that met each other do not meet again.
    async fn repeat<T, E, F>(
        &self,
        is_transient: fn(&SdkError<E>) -> bool,
        request: impl Fn() -> F,
    ) -> StoreResult<Result<T, SdkError<E>>>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        let deadline = Instant::now() + self.deadline;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let answer = timeout_at(deadline, request())
                .await
                .map_err(|_| self.unavailable(format_args!("no answer within {:?}", self.deadline)))?;
            let error = match answer {
                Err(error) if is_transient(&error) => error,
                settled => return Ok(settled),
            };
            let thousandths = u32::try_from(random_number() % 1000).unwrap_or_default();
            let pause = backoff / 1000 * thousandths;
            if Instant::now() + pause >= deadline {
                return Err(self.refused(&error));
            }
            // A busy table recovers only if its clients wait, and not all of them equally long.
            sleep(pause).await;
            backoff = (2 * backoff).min(LONGEST_BACKOFF);
        }
    }

    /// Sends a request whose refusal is an error in every case.
    async fn ask<T, E, F>(&self, request: impl Fn() -> F) -> StoreResult<T>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        self.repeat(is_transient, request).await?.map_err(|error| self.refused(&error))
    }

    /// Runs the actions in one transaction. A repetition after a lost answer has the same token, so it changes nothing
    /// twice.
    async fn transact(
        &self,
        actions: Vec<TransactWriteItem>,
    ) -> StoreResult<Result<(), SdkError<TransactWriteItemsError>>> {
        let token = format!("{:016x}{:016x}", random_number(), random_number());
        let request = self.client.transact_write_items().client_request_token(token).set_transact_items(Some(actions));
        let answer = self.repeat(is_transient_transaction, || request.clone().send()).await?;
        Ok(answer.map(|_| ()))
    }

    async fn get(&self, key: Item) -> StoreResult<Option<Item>> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        Ok(self.ask(|| request.clone().send()).await?.item)
    }

    /// Reads items by their keys, in no order. Keys without an item are left out.
    async fn get_all(&self, keys: BTreeMap<String, Item>) -> StoreResult<Vec<Item>> {
        let deadline = Instant::now() + self.deadline;
        let mut items = Vec::new();
        let mut wanted: Vec<Item> = keys.into_values().collect();
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(MAX_KEYS));
            let keys = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(wanted)).build();
            let keys = keys.map_err(|error| self.unavailable(error))?;
            let request = self.client.batch_get_item().request_items(&self.name, keys);
            let answer = self.ask(|| request.clone().send()).await?;
            let before = items.len();
            items.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let answered = items.len() - before;
            let unprocessed: Vec<Item> =
                answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys).collect();
            if !unprocessed.is_empty() {
                // DynamoDB is throttling, or the answer has reached its largest size.
                if answered == 0 && Instant::now() >= deadline {
                    return Err(self.unavailable("it answers no more keys"));
                }
                // A throttled table answers more keys after a pause.
                sleep(FIRST_BACKOFF).await;
            }
            wanted = unprocessed;
            wanted.extend(rest);
        }
        Ok(items)
    }

    /// Reads all items of a partition whose sort key has this prefix.
    async fn query(&self, partition: String, prefix: &str) -> StoreResult<Vec<Item>> {
        let mut request = self.client.query().table_name(&self.name).consistent_read(true);
        request = request.expression_attribute_names("#pk", PK).expression_attribute_values(":pk", text(partition));
        request = match prefix {
            "" => request.key_condition_expression("#pk = :pk"),
            prefix => request
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)")
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":sk", text(prefix)),
        };
        let mut items = Vec::new();
        loop {
            let answer = self.ask(|| request.clone().send()).await?;
            items.extend(answer.items.into_iter().flatten());
            match answer.last_evaluated_key {
                Some(last) if !last.is_empty() => request = request.set_exclusive_start_key(Some(last)),
                _ => return Ok(items),
            }
        }
    }

    /// Reads all shards of something, one after the other: for an administrator's list.
    async fn query_shards(&self, partition: impl Fn(u64) -> String) -> StoreResult<Vec<Item>> {
        let mut items = Vec::new();
        for shard in 0..SHARDS {
            items.extend(self.query(partition(shard), "").await?);
        }
        Ok(items)
    }

    /// Writes an item, unless the condition forbids it. Returns whether it was written.
    async fn put_if(
        &self,
        item: Item,
        condition: Option<&str>,
        names: Option<HashMap<String, String>>,
        values: Option<Item>,
    ) -> StoreResult<bool> {
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        match self.repeat(is_transient, || request.clone().send()).await? {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    async fn put(&self, item: Item) -> StoreResult<()> {
        self.put_if(item, None, None, None).await.map(|_| ())
    }

    /// Deletes items, and returns whether they existed. It is a transaction, whose token makes a repetition after a lost
    /// answer give the same answer.
    async fn delete_existing(&self, keys: Vec<Item>) -> StoreResult<bool> {
        let mut actions = Vec::new();
        for key in keys {
            let delete = Delete::builder()
                .table_name(&self.name)
                .set_key(Some(key))
                .condition_expression("attribute_exists(#pk)")
                .expression_attribute_names("#pk", PK);
            let delete = delete.build().map_err(|error| self.unavailable(error))?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        match self.transact(actions).await? {
            Ok(()) => Ok(true),
            Err(error) if cancellation_codes(&error).is_some_and(|codes| codes.contains(&CONDITION_FAILED)) => {
                Ok(false)
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Writes the version into a table that has none.
    async fn create_layout(&self) -> StoreResult<()> {
        let mut item = key("LAYOUT", ALONE);
        item.insert("version".to_owned(), number(LAYOUT_VERSION));
        let names = [("#pk".to_owned(), PK.to_owned())];
        self.put_if(item, Some("attribute_not_exists(#pk)"), Some(names.into()), None).await.map(|_| ())
    }

    async fn check_layout(&self) -> StoreResult<()> {
        let item = self.get(key("LAYOUT", ALONE)).await?;
        let version = item.as_ref().and_then(|item| item.get("version"));
        match read_sum(version.ok_or_else(|| damaged(format_args!("table {} has no layout", self.name)))?)? {
            LAYOUT_VERSION => Ok(()),
            version => Err(StoreError::LaterVersion(format!(
                "table {} has layout {version}, and this program knows layout {LAYOUT_VERSION}",
                self.name
            ))),
        }
    }
}

// Counting

impl Table {
    /// Counts one person's calls, each of which has another id. Returns the places of those that were counted.
    async fn count_for(&self, person: &Person, calls: Vec<(usize, CountedCall)>) -> StoreResult<Vec<usize>> {
        // First the index, then the usage: so no usage is missing from it, whatever happens in between.
        self.index_months(person, &calls).await?;
        let mut counted = Vec::with_capacity(calls.len());
        let mut part = Vec::new();
        let mut actions = BTreeMap::<PeriodKey, BTreeSet<AccountModel>>::new();
        for (place, call) in calls {
            let mut extended = actions.clone();
            for period in &call.periods {
                extended.entry(period.clone()).or_default().insert(call.target.clone());
            }
            let fits = part.len() + 1 + extended.len() <= MAX_ACTIONS
                && extended.values().all(|models| models.len() <= MAX_MODELS_PER_UPDATE);
            if !fits && !part.is_empty() {
                counted.extend(self.count_part(person, std::mem::take(&mut part)).await?);
                extended = BTreeMap::new();
                for period in &call.periods {
                    extended.entry(period.clone()).or_default().insert(call.target.clone());
                }
            }
            actions = extended;
            part.push((place, call));
        }
        counted.extend(self.count_part(person, part).await?);
        Ok(counted)
    }

    /// Counts in one transaction. An id that was counted before cancels it, and it is repeated without that call.
    async fn count_part(&self, person: &Person, mut calls: Vec<(usize, CountedCall)>) -> StoreResult<Vec<usize>> {
        while !calls.is_empty() {
            let error = match self.transact(self.count_actions(person, &calls)?).await? {
                Ok(()) => break,
                Err(error) => error,
            };
            // The ids are the first actions of the transaction.
            let codes = cancellation_codes(&error).unwrap_or_default();
            let mut is_new = codes.iter().map(|code| *code != CONDITION_FAILED);
            let before = calls.len();
            calls.retain(|_| is_new.next().unwrap_or(true));
            if calls.len() == before {
                return Err(self.refused(&error));
            }
        }
        Ok(calls.into_iter().map(|(place, _)| place).collect())
    }

    fn count_actions(&self, person: &Person, calls: &[(usize, CountedCall)]) -> StoreResult<Vec<TransactWriteItem>> {
        let mut actions = Vec::with_capacity(calls.len() + 3);
        let mut sums = BTreeMap::<&PeriodKey, ModelUsage>::new();
        for (_, call) in calls {
            let mut item = request_key(&call.request_id);
            item.insert(EXPIRES.to_owned(), number(call.remember_until.unix_seconds()));
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK);
            let put = put.build().map_err(|error| self.unavailable(error))?;
            actions.push(TransactWriteItem::builder().put(put).build());
            for period in &call.periods {
                sums.entry(period).or_default().add(&call.target, call.usage);
            }
        }
        for (period, usage) in sums {
            let update = self.add_usage(usage_key(person, period), expiry_of(period), usage)?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(actions)
    }

    fn add_usage(&self, key: Item, expires: Option<Timestamp>, usage: ModelUsage) -> StoreResult<Update> {
        let mut update = Update::builder().table_name(&self.name).set_key(Some(key));
        let mut parts = Vec::new();
        for (target, mut usage) in usage.0 {
            for (kind, field) in KINDS {
                let (name, value) = (format!("#{}", parts.len()), format!(":{}", parts.len()));
                parts.push(format!("{name} {value}"));
                update = update
                    .expression_attribute_names(name, format!("{kind}/{target}"))
                    .expression_attribute_values(value, number(*field(&mut usage)));
            }
        }
        let mut expression = format!("ADD {}", parts.join(","));
        if let Some(expires) = expires {
            expression.push_str(" SET #expires = :expires");
            update = update
                .expression_attribute_names("#expires", EXPIRES)
                .expression_attribute_values(":expires", number(expires.unix_seconds()));
        }
        update.update_expression(expression).build().map_err(|error| self.unavailable(error))
    }

    /// Enters the person into the index of each month. A scan of the table instead would read the request ids of forty
    /// days to find the people of a month, and a write with every count would double the cost.
    async fn index_months(&self, person: &Person, calls: &[(usize, CountedCall)]) -> StoreResult<()> {
        let periods = calls.iter().flat_map(|(_, call)| &call.periods);
        let months: BTreeSet<&PeriodKey> = periods.filter(|key| key.period == Period::Month).collect();
        for month in months {
            let entry = (month.text.clone(), person.clone());
            if self.indexed.lock().unwrap_or_else(PoisonError::into_inner).contains(&entry) {
                continue;
            }
            self.put(key(month_partition(month, shard_of(person)), person.as_str())).await?;
            let mut indexed = self.indexed.lock().unwrap_or_else(PoisonError::into_inner);
            if indexed.len() >= MAX_INDEXED {
                indexed.clear();
            }
            indexed.insert(entry);
        }
        Ok(())
    }

    async fn load_usage(&self, person: &Person, periods: &[PeriodKey]) -> StoreResult<Vec<ModelUsage>> {
        // A key that occurs twice would be refused.
        let keys = periods.iter().map(|period| (period.text.clone(), usage_key(person, period))).collect();
        let mut usage = BTreeMap::new();
        for item in self.get_all(keys).await? {
            usage.insert(read_text(&item, SK)?.to_owned(), read_usage(&item)?);
        }
        let sort_key = |period: &PeriodKey| format!("{}#{period}", period.period.name());
        Ok(periods.iter().map(|period| usage.get(&sort_key(period)).cloned().unwrap_or_default()).collect())
    }

    /// The settings of all people, as pairs of a person and the rest of the sort key.
    async fn list_settings(&self) -> StoreResult<Vec<(Person, String, Item)>> {
        let mut settings = Vec::new();
        for item in self.query_shards(settings_partition).await? {
            let (name, rest) = read_text(&item, SK)?.split_once('#').ok_or_else(|| damaged("a setting has no kind"))?;
            settings.push((parse_person(name)?, rest.to_owned(), item));
        }
        settings.sort_by(|(person, rest, _), (other, other_rest, _)| (person, rest).cmp(&(other, other_rest)));
        Ok(settings)
    }
}

#[async_trait]
impl Store for DynamoDbStore {
    async fn count(&self, calls: &[CountedCall]) -> StoreResult<Vec<CountOutcome>> {
        // Of several calls with one id, the first counts.
        let mut ids = HashSet::new();
        let mut people = BTreeMap::<Person, Vec<(usize, CountedCall)>>::new();
        for (place, call) in calls.iter().enumerate() {
            if ids.insert(call.request_id.as_str()) {
                people.entry(call.person.clone()).or_default().push((place, call.clone()));
            }
        }
        let mut outcomes = vec![CountOutcome::Repeated; calls.len()];
        let mut tasks = JoinSet::new();
        let mut waiting = people.into_iter();
        loop {
            // The transactions of one person would conflict with each other, those of different people do not.
            while tasks.len() < MAX_CONCURRENT
                && let Some((person, calls)) = waiting.next()
            {
                let table = Arc::clone(&self.0);
                tasks.spawn(async move { table.count_for(&person, calls).await });
            }
            let Some(finished) = tasks.join_next().await else { return Ok(outcomes) };
            for place in finished.map_err(|error| self.0.unavailable(error))?? {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = CountOutcome::Counted;
                }
            }
        }
    }

    /// Three requests at a time, each of which is consistent. No rule connects what they read, so it does no harm that
    /// their moments differ by milliseconds.
    async fn load_account(&self, person: &Person, periods: &[PeriodKey]) -> StoreResult<Account> {
        let shard = shard_of(person);
        let prefix = format!("{person}#");
        let (settings, shared, usage) = tokio::try_join!(
            self.0.query(settings_partition(shard), &prefix),
            self.0.query(limits_partition(shard), ""),
            self.0.load_usage(person, periods),
        )?;
        let mut account = Account { usage, ..Account::default() };
        for item in settings {
            let sort = read_text(&item, SK)?;
            let rest = sort.strip_prefix(&prefix).unwrap_or(sort);
            match rest.split('#').next() {
                Some("record") => account.record = Some(read_json(&item)?),
                Some("block") => account.block = Some(read_json(&item)?),
                Some("grant") => account.grants.push(read_json(&item)?),
                Some("limit") => account.limits.push(read_json(&item)?),
                _ => return Err(damaged(format_args!("a setting is called {sort:?}"))),
            }
        }
        for item in shared {
            let limit: Limit = read_json(&item)?;
            let holds = match &limit.scope {
                Scope::Person(_) => return Err(damaged("a person's limit is among those of everybody")),
                Scope::Group(group) => account.record.as_ref().is_some_and(|record| record.groups.contains(group)),
                Scope::Default => true,
            };
            if holds {
                account.limits.push(limit);
            }
        }
        Ok(account)
    }

    async fn list_usage(&self, month: &PeriodKey) -> StoreResult<Vec<(Person, ModelUsage)>> {
        let mut keys = BTreeMap::new();
        for entry in self.0.query_shards(|shard| month_partition(month, shard)).await? {
            let person = parse_person(read_text(&entry, SK)?)?;
            keys.insert(person.as_str().to_owned(), usage_key(&person, month));
        }
        let mut people = Vec::new();
        for item in self.0.get_all(keys).await? {
            let partition = read_text(&item, PK)?;
            let name = partition.strip_prefix("USAGE#").ok_or_else(|| damaged(format_args!("usage of {partition}")))?;
            people.push((parse_person(name)?, read_usage(&item)?));
        }
        people.sort_by(|(person, _), (other, _)| person.cmp(other));
        Ok(people)
    }

    async fn save_person(&self, person: &Person, record: &PersonRecord) -> StoreResult<()> {
        // Every check of a client contains a token, nearly always a known one: a read costs a fifth of a write.
        if let Some(item) = self.0.get(settings_key(person, "record")).await? {
            let stored: PersonRecord = read_json(&item)?;
            if stored == *record || stored.token_issued_at > record.token_issued_at {
                return Ok(());
            }
        }
        let mut item = settings_key(person, "record");
        let issued = number(record.token_issued_at.unix_seconds());
        item.insert(JSON.to_owned(), text(to_json(record)));
        item.insert(ISSUED.to_owned(), issued.clone());
        // If a later token arrives in between, the condition fails, and nothing is to be done.
        let condition = "attribute_not_exists(#pk) OR #issued <= :issued";
        let names = [("#pk", PK), ("#issued", ISSUED)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let values = [(":issued".to_owned(), issued)];
        self.0.put_if(item, Some(condition), Some(names.into()), Some(values.into())).await?;
        Ok(())
    }

    async fn list_people(&self) -> StoreResult<Vec<(Person, PersonRecord)>> {
        let settings = self.0.list_settings().await?.into_iter();
        let records = settings.filter(|(_, rest, _)| rest == "record");
        records.map(|(person, _, item)| Ok((person, read_json(&item)?))).collect()
    }

    async fn set_limit(&self, limit: &Limit) -> StoreResult<()> {
        let mut actions = Vec::new();
        for mut item in limit_keys(&limit.key()) {
            item.insert(JSON.to_owned(), text(to_json(limit)));
            let put = Put::builder().table_name(&self.0.name).set_item(Some(item)).build();
            let put = put.map_err(|error| self.0.unavailable(error))?;
            actions.push(TransactWriteItem::builder().put(put).build());
        }
        self.0.transact(actions).await?.map_err(|error| self.0.refused(&error))
    }

    async fn remove_limits(&self, keys: &[LimitKey]) -> StoreResult<usize> {
        let mut removed = 0;
        for limit in keys {
            removed += usize::from(self.0.delete_existing(limit_keys(limit)).await?);
        }
        Ok(removed)
    }

    async fn list_limits(&self, scope: Option<&Scope>) -> StoreResult<Vec<Limit>> {
        let mut items = match scope {
            Some(Scope::Person(person)) => {
                self.0.query(settings_partition(shard_of(person)), &format!("{person}#limit#")).await?
            }
            // Every shard has all of them.
            Some(Scope::Group(_) | Scope::Default) | None => self.0.query(limits_partition(0), "").await?,
        };
        if scope.is_none() {
            let settings = self.0.list_settings().await?.into_iter();
            items.extend(settings.filter(|(_, rest, _)| rest.starts_with("limit#")).map(|(_, _, item)| item));
        }
        let mut limits = items.iter().map(read_json).collect::<StoreResult<Vec<Limit>>>()?;
        limits.retain(|limit| scope.is_none_or(|scope| limit.scope == *scope));
        limits.sort_by_cached_key(Limit::key);
        Ok(limits)
    }

    async fn add_grant(&self, grant: &Grant) -> StoreResult<()> {
        // The same grant has the same key, so a repetition adds nothing.
        let json = to_json(grant);
        let mut item = settings_key(&grant.person, &format!("grant#{:016x}", hash(&json)));
        item.insert(JSON.to_owned(), text(json));
        self.0.put(item).await
    }

    async fn list_grants(&self, now: Timestamp) -> StoreResult<Vec<Grant>> {
        let settings = self.0.list_settings().await?.into_iter();
        let grants = settings.filter(|(_, rest, _)| rest.starts_with("grant#"));
        let mut grants = grants.map(|(_, _, item)| read_json(&item)).collect::<StoreResult<Vec<Grant>>>()?;
        grants.retain(|grant| grant.holds_at(now));
        Ok(grants)
    }

    async fn set_block(&self, block: &Block) -> StoreResult<()> {
        let mut item = settings_key(&block.person, "block");
        item.insert(JSON.to_owned(), text(to_json(block)));
        self.0.put(item).await
    }

    async fn remove_block(&self, person: &Person) -> StoreResult<bool> {
        self.0.delete_existing(vec![settings_key(person, "block")]).await
    }

    async fn list_blocks(&self, now: Timestamp) -> StoreResult<Vec<Block>> {
        let settings = self.0.list_settings().await?.into_iter();
        let blocks = settings.filter(|(_, rest, _)| rest == "block");
        let mut blocks = blocks.map(|(_, _, item)| read_json(&item)).collect::<StoreResult<Vec<Block>>>()?;
        blocks.retain(|block| block.holds_at(now));
        Ok(blocks)
    }

    async fn claim_notice(&self, name: &str, remember_until: Timestamp) -> StoreResult<bool> {
        // The answer may get lost. The repetition then finds its own claim, and not that of another caller.
        let claim = number(random_number());
        let mut item = key(format!("NOTICE#{name}"), ALONE);
        item.insert("claim".to_owned(), claim.clone());
        item.insert(EXPIRES.to_owned(), number(remember_until.unix_seconds()));
        let condition = "attribute_not_exists(#pk) OR #claim = :claim";
        let names = [("#pk", PK), ("#claim", "claim")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.0.put_if(item, Some(condition), Some(names.into()), Some([(":claim".to_owned(), claim)].into())).await
    }

    async fn add_faults(&self, faults: &IngestFaults) -> StoreResult<()> {
        let partition = faults_partition(random_number() % SHARDS);
        let mut actions = Vec::new();
        for (kind, counts) in [(REJECTED, &faults.rejected), (UNKNOWN_MODEL, &faults.unknown_models)] {
            for (name, count) in counts {
                let update = Update::builder()
                    .table_name(&self.0.name)
                    .set_key(Some(key(&partition, format!("{kind}#{name}"))))
                    .update_expression("ADD #count :count")
                    .expression_attribute_names("#count", "count")
                    .expression_attribute_values(":count", number(*count));
                let update = update.build().map_err(|error| self.0.unavailable(error))?;
                actions.push(TransactWriteItem::builder().update(update).build());
            }
        }
        while !actions.is_empty() {
            let rest = actions.split_off(actions.len().min(MAX_ACTIONS));
            self.0.transact(actions).await?.map_err(|error| self.0.refused(&error))?;
            actions = rest;
        }
        Ok(())
    }

    async fn load_faults(&self) -> StoreResult<IngestFaults> {
        let mut faults = IngestFaults::default();
        for item in self.0.query_shards(faults_partition).await? {
            let (kind, name) = read_text(&item, SK)?.split_once('#').ok_or_else(|| damaged("a fault has no kind"))?;
            let counts = match kind {
                REJECTED => &mut faults.rejected,
                UNKNOWN_MODEL => &mut faults.unknown_models,
                _ => return Err(damaged(format_args!("a fault is of the kind {kind:?}"))),
            };
            let count = item.get("count").ok_or_else(|| damaged("a fault has no count"))?;
            let sum = counts.entry(name.to_owned()).or_default();
            *sum = sum.saturating_add(read_sum(count)?);
        }
        Ok(faults)
    }

    /// DynamoDB does it, by the attribute `expires`.
    async fn remove_expired(&self, _now: Timestamp) -> StoreResult<()> {
        Ok(())
    }

    async fn check(&self) -> StoreResult<()> {
        self.0.check_layout().await
    }
}

const REJECTED: &str = "rejected";
const UNKNOWN_MODEL: &str = "unknown_model";

#[cfg(test)]
mod tests;
