//! Requests to DynamoDB: which are repeated, for how long, and what a refusal means.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt,
    time::Duration,
};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem},
};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Table,
    items::{ALONE, Item, JSON, PK, SHARDS, SK, damaged, key, number, random_number, read_sum, text, to_json},
};
use crate::store::{StoreError, StoreResult};

pub(super) const LAYOUT_VERSION: u64 = 1;

/// DynamoDB's limit for one transaction.
pub(super) const MAX_ACTIONS: usize = 100;
/// DynamoDB's limit for one `BatchGetItem`.
const MAX_KEYS: usize = 100;

const FIRST_BACKOFF: Duration = Duration::from_millis(25);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

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
pub(super) fn cancellation_codes(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<&str>> {
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

pub(super) const CONDITION_FAILED: &str = "ConditionalCheckFailed";

impl Table {
    pub(super) fn unavailable(&self, cause: impl fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("table {}: {cause}", self.name))
    }

    /// What DynamoDB has said, or why it has said nothing. The rest of the answer is left out: it may contain items.
    pub(super) fn refused<E: Error + ProvideErrorMetadata + 'static>(&self, error: &SdkError<E>) -> StoreError {
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
    pub(super) async fn transact(
        &self,
        actions: Vec<TransactWriteItem>,
    ) -> StoreResult<Result<(), SdkError<TransactWriteItemsError>>> {
        let token = format!("{:016x}{:016x}", random_number(), random_number());
        let request = self.client.transact_write_items().client_request_token(token).set_transact_items(Some(actions));
        let answer = self.repeat(is_transient_transaction, || request.clone().send()).await?;
        Ok(answer.map(|_| ()))
    }

    pub(super) async fn get(&self, key: Item) -> StoreResult<Option<Item>> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        Ok(self.ask(|| request.clone().send()).await?.item)
    }

    /// Reads items by their keys, in no order. Keys without an item are left out.
    pub(super) async fn get_all(&self, keys: BTreeMap<String, Item>) -> StoreResult<Vec<Item>> {
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
    pub(super) async fn query(&self, partition: String, prefix: &str) -> StoreResult<Vec<Item>> {
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
    pub(super) async fn query_shards(&self, partition: impl Fn(u64) -> String) -> StoreResult<Vec<Item>> {
        let mut items = Vec::new();
        for shard in 0..SHARDS {
            items.extend(self.query(partition(shard), "").await?);
        }
        Ok(items)
    }

    /// Writes an item, unless the condition forbids it. Returns whether it was written.
    pub(super) async fn put_if(
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

    pub(super) async fn put(&self, item: Item) -> StoreResult<()> {
        self.put_if(item, None, None, None).await.map(|_| ())
    }

    /// Writes the same value under several keys, or under none of them.
    pub(super) async fn put_all(&self, keys: Vec<Item>, value: &impl Serialize) -> StoreResult<()> {
        let json = to_json(value);
        let mut actions = Vec::new();
        for mut item in keys {
            item.insert(JSON.to_owned(), text(&json));
            let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
            let put = put.map_err(|error| self.unavailable(error))?;
            actions.push(TransactWriteItem::builder().put(put).build());
        }
        self.transact(actions).await?.map_err(|error| self.refused(&error))
    }

    /// Deletes an item whose attribute has this value, and returns whether it was deleted.
    pub(super) async fn delete_if(&self, key: Item, attribute: &str, value: AttributeValue) -> StoreResult<bool> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression("#attribute = :value")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", value);
        let delete = delete.build().map_err(|error| self.unavailable(error))?;
        self.delete_together(vec![TransactWriteItem::builder().delete(delete).build()]).await
    }

    /// Deletes items, and returns whether they existed.
    pub(super) async fn delete_existing(&self, keys: Vec<Item>) -> StoreResult<bool> {
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
        self.delete_together(actions).await
    }

    /// Returns whether all conditions held. It is a transaction, whose token makes a repetition after a lost answer give the
    /// same answer.
    async fn delete_together(&self, actions: Vec<TransactWriteItem>) -> StoreResult<bool> {
        match self.transact(actions).await? {
            Ok(()) => Ok(true),
            Err(error) if cancellation_codes(&error).is_some_and(|codes| codes.contains(&CONDITION_FAILED)) => {
                Ok(false)
            }
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Writes the version into a table that has none.
    pub(super) async fn create_layout(&self) -> StoreResult<()> {
        let mut item = key("LAYOUT", ALONE);
        item.insert("version".to_owned(), number(LAYOUT_VERSION));
        let names = [("#pk".to_owned(), PK.to_owned())];
        self.put_if(item, Some("attribute_not_exists(#pk)"), Some(names.into()), None).await.map(|_| ())
    }

    pub(super) async fn check_layout(&self) -> StoreResult<()> {
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
