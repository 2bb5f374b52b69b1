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
//! | `MODEL_LIMITS` | person`#`… | `json`: a copy of a person's limit of single models |
//! | `BLOCKS` | person | `json`: a copy of the person's block |
//! | `MARKS` | person | `stamp`, `expires` |
//! | `LEASE#name` | `-` | `holder`, `expires` |
//! | `NOTICE#name` | `-` | `claim`, `expires` |
//! | `FAULTS#shard` | kind `#` reason or model | `count` |
//!
//! The copies exist so that enforcement, which runs each minute, does not read what is stored about everybody.
//!
//! The table's time-to-live attribute is `expires`, so DynamoDB deletes what has expired, and does so without charge.

mod settings;
mod requests;
mod counting;
mod enforcement;
mod items;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    types::{TransactWriteItem, Update},
};
use bedrock_sso::{host::Environment, http, time::Timestamp};
use tokio::task::JoinSet;

use self::{
    items::{
        ALONE, BLOCKS, EXPIRES, ISSUED, Item, JSON, MODEL_LIMITS, PK, SHARDS, SK, block_keys, damaged,
        faults_partition, hash, key, limit_keys, limits_partition, month_partition, number, parse_person,
        random_number, read_json, read_sum, read_text, read_usage, settings_key, settings_partition, shard_of, text,
        to_json, usage_key,
    },
    requests::MAX_ACTIONS,
    settings::read_settings,
};
use super::{Account, CountOutcome, CountedCall, Faults, OverLimitMark, PersonRecord, Store, StoreResult};
use crate::{
    calendar::PeriodKey,
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    usage::ModelUsage,
};

/// How many people's transactions run at a time.
const MAX_CONCURRENT: usize = 16;

/// One person who cannot be counted hinders nobody else. If so many cannot, the table is the cause.
const MAX_FAILURES: usize = 4;

/// How long a request is repeated while DynamoDB is busy. A client that waits for `/check` gives up soon after.
const DEADLINE: Duration = Duration::from_secs(8);

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

impl Table {
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
        let mut failures = Vec::new();
        loop {
            // The transactions of one person would conflict with each other, those of different people do not.
            while tasks.len() < MAX_CONCURRENT
                && failures.len() < MAX_FAILURES
                && let Some((person, calls)) = waiting.next()
            {
                let table = Arc::clone(&self.0);
                tasks.spawn(async move { table.count_for(&person, calls).await });
            }
            let Some(finished) = tasks.join_next().await else { break };
            match finished.map_err(|error| self.0.unavailable(error))? {
                Ok(counted) => {
                    for place in counted {
                        if let Some(outcome) = outcomes.get_mut(place) {
                            *outcome = CountOutcome::Counted;
                        }
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        failures.pop().map_or(Ok(outcomes), Err)
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
        self.0.put_all(limit_keys(&limit.key()), limit).await
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

    async fn remove_grants(&self, person: &Person) -> StoreResult<Vec<Grant>> {
        let items = self.0.query(settings_partition(shard_of(person)), &format!("{person}#grant#")).await?;
        let mut grants = Vec::new();
        for item in items {
            grants.push(read_json(&item)?);
            let key = key(read_text(&item, PK)?, read_text(&item, SK)?);
            self.0.delete_existing(vec![key]).await?;
        }
        Ok(grants)
    }

    async fn set_block(&self, block: &Block) -> StoreResult<()> {
        self.0.put_all(block_keys(&block.person), block).await
    }

    async fn remove_block(&self, person: &Person) -> StoreResult<bool> {
        self.0.delete_existing(block_keys(person)).await
    }

    async fn list_blocks(&self, now: Timestamp) -> StoreResult<Vec<Block>> {
        let items = self.0.query(BLOCKS.to_owned(), "").await?;
        let mut blocks = items.iter().map(read_json).collect::<StoreResult<Vec<Block>>>()?;
        blocks.retain(|block| block.holds_at(now));
        Ok(blocks)
    }

    async fn list_model_limits(&self) -> StoreResult<Vec<Limit>> {
        let (shared, own) =
            tokio::try_join!(self.0.query(limits_partition(0), ""), self.0.query(MODEL_LIMITS.to_owned(), ""))?;
        let mut limits = shared.iter().chain(&own).map(read_json).collect::<StoreResult<Vec<Limit>>>()?;
        limits.retain(|limit| limit.model.is_some());
        limits.sort_by_cached_key(Limit::key);
        Ok(limits)
    }

    async fn mark_over_limit(&self, person: &Person, until: Timestamp) -> StoreResult<()> {
        self.0.mark_over_limit(person, until).await
    }

    async fn list_over_limit(&self, now: Timestamp) -> StoreResult<Vec<OverLimitMark>> {
        self.0.list_over_limit(now).await
    }

    async fn unmark_over_limit(&self, mark: &OverLimitMark) -> StoreResult<bool> {
        self.0.unmark_over_limit(mark).await
    }

    async fn acquire_lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> StoreResult<bool> {
        self.0.acquire_lease(name, holder, now, until).await
    }

    async fn release_lease(&self, name: &str, holder: &str) -> StoreResult<()> {
        self.0.release_lease(name, holder).await
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

    async fn add_faults(&self, faults: &Faults) -> StoreResult<()> {
        let partition = faults_partition(random_number() % SHARDS);
        let mut actions = Vec::new();
        for (kind, name, count) in faults.list() {
            let update = Update::builder()
                .table_name(&self.0.name)
                .set_key(Some(key(&partition, format!("{kind}#{name}"))))
                .update_expression("ADD #count :count")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":count", number(count));
            let update = update.build().map_err(|error| self.0.unavailable(error))?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        while !actions.is_empty() {
            let rest = actions.split_off(actions.len().min(MAX_ACTIONS));
            self.0.transact(actions).await?.map_err(|error| self.0.refused(&error))?;
            actions = rest;
        }
        Ok(())
    }

    async fn load_faults(&self) -> StoreResult<Faults> {
        let mut faults = Faults::default();
        for item in self.0.query_shards(faults_partition).await? {
            let (kind, name) = read_text(&item, SK)?.split_once('#').ok_or_else(|| damaged("a fault has no kind"))?;
            let count = item.get("count").ok_or_else(|| damaged("a fault has no count"))?;
            faults
                .add(kind, name.to_owned(), read_sum(count)?)
                .map_err(|_| damaged(format_args!("a fault is of the kind {kind:?}")))?;
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

#[cfg(test)]
mod tests;
