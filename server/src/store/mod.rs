//! What the server remembers: usage, limits, grants, blocks and people.
//!
//! Two stores fulfil the promises of [`Store`]: a file on one machine, and Amazon DynamoDB. One suite of tests checks both. A
//! store decides nothing: it counts, remembers and returns. `standing` decides.

pub mod dynamodb_store;
pub mod file_store;

#[cfg(test)]
mod contract;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bedrock_sso::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::PeriodKey,
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    usage::{AccountModel, ModelUsage, Usage},
};

/// How long the usage of an hour is stored: a limit of the hour needs it for an hour, and an administrator who asks what
/// happened needs it after a weekend.
pub const HOURS_ARE_STORED: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long the usage of a day is stored: for this month and the one before.
pub const DAYS_ARE_STORED: Duration = Duration::from_secs(70 * 24 * 3600);

/// One call to a model, priced, with the periods that it counts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedCall {
    /// `requestId` of the invocation log. A call is counted once, however often its record arrives.
    pub request_id: String,
    pub person: Person,
    /// The model, and the account that is billed.
    pub target: AccountModel,
    /// The hour, the day and the month of the call, by the organization's calendar.
    pub periods: Vec<PeriodKey>,
    pub usage: Usage,
    /// Until when the request id is remembered.
    pub remember_until: Timestamp,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOutcome {
    Counted,
    /// Its request id was counted before, in this batch or earlier. No sum has changed.
    Repeated,
}

/// What verified tokens have said about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    pub issuer: String,
    pub subject: String,
    pub groups: Vec<String>,
    pub department: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// When the latest of these tokens was issued. An older token changes nothing.
    pub token_issued_at: Timestamp,
}

/// Everything that decides whether a person may spend, read at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub record: Option<PersonRecord>,
    /// The usage in each of the periods that the caller has named, in their order.
    pub usage: Vec<ModelUsage>,
    /// The limits of the person, of the groups in `record`, and the default ones.
    pub limits: Vec<Limit>,
    pub grants: Vec<Grant>,
    pub block: Option<Block>,
}

/// A note that a person has reached a limit which refuses. Whether that is still so, only the person's [`Account`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverLimitMark {
    pub person: Person,
    /// When the limit starts again. The mark ends then.
    pub until: Timestamp,
    /// Another one each time the person is marked.
    pub stamp: u64,
}

/// Counts by name, of one kind of fault.
pub type FaultCounts = BTreeMap<String, u64>;

/// What could not be counted as it should, and names that somebody should check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Records that were rejected, by reason.
    pub rejected: FaultCounts,
    /// Calls of models without a price, which counted at the dearest known one.
    pub unknown_models: FaultCounts,
    /// People who spend, and whom no verified token has named.
    pub no_verified_token: FaultCounts,
    /// Names that two subjects have used.
    pub two_subjects: FaultCounts,
    /// People whose tokens name no groups because there are too many.
    pub missing_groups: FaultCounts,
}

type SelectCounts = fn(&mut Faults) -> &mut FaultCounts;

impl Faults {
    /// Each kind with the name under which the stores count it.
    pub const KINDS: [(&'static str, SelectCounts); 5] = [
        ("rejected", |faults| &mut faults.rejected),
        ("unknown_model", |faults| &mut faults.unknown_models),
        ("no_verified_token", |faults| &mut faults.no_verified_token),
        ("two_subjects", |faults| &mut faults.two_subjects),
        ("missing_groups", |faults| &mut faults.missing_groups),
    ];

    /// All counts, as kind, name and count.
    pub fn list(&self) -> Vec<(&'static str, String, u64)> {
        let mut copy = self.clone();
        let counts = |(kind, select): (&'static str, SelectCounts)| {
            let counts = std::mem::take(select(&mut copy));
            counts.into_iter().map(move |(name, count)| (kind, name, count))
        };
        Self::KINDS.into_iter().flat_map(counts).collect()
    }

    /// Adds to the count of a name. Fails for a kind that is not known.
    pub fn add(&mut self, kind: &str, name: String, count: u64) -> Result<(), UnknownFaultKind> {
        let (_, select) = Self::KINDS.into_iter().find(|(known, _)| *known == kind).ok_or(UnknownFaultKind)?;
        let sum = select(self).entry(name).or_default();
        *sum = sum.saturating_add(count);
        Ok(())
    }
}

/// No fault is of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFaultKind;

/// The store gave no answer, or one that cannot be right. It is never a reason to allow anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreError {
    /// No answer: the disk is full, or the service does not respond.
    Unavailable(String),
    /// Another process has opened the file that is named here: nearly always the running server.
    InUse(String),
    /// The store's content is not what this program writes.
    Damaged(String),
    /// A later version of this program has written the store, in a form that this version does not know.
    LaterVersion(String),
}

pub type StoreResult<T> = Result<T, StoreError>;

#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Counts calls, each at most once. For each call, its request id and its sums are stored in one transaction. When the
    /// method returns, the sums survive a crash. An error may have counted some of the calls, so the caller repeats the
    /// whole batch. A call that has used nothing, such as one that failed, leaves its request id only: a person could name
    /// any number of models in such calls.
    async fn count(&self, calls: &[CountedCall]) -> StoreResult<Vec<CountOutcome>>;

    /// Everything about one person. `periods` names the periods whose usage is wanted.
    async fn load_account(&self, person: &Person, periods: &[PeriodKey]) -> StoreResult<Account>;

    /// The usage of all people in one month, sorted by person.
    async fn list_usage(&self, month: &PeriodKey) -> StoreResult<Vec<(Person, ModelUsage)>>;

    /// Remembers what a token says, unless a later token is known.
    async fn save_person(&self, person: &Person, record: &PersonRecord) -> StoreResult<()>;

    /// All people that a token has named, sorted.
    async fn list_people(&self) -> StoreResult<Vec<(Person, PersonRecord)>>;

    /// Sets a limit, and replaces one with the same key.
    async fn set_limit(&self, limit: &Limit) -> StoreResult<()>;

    /// Removes limits, and returns how many of them existed.
    async fn remove_limits(&self, keys: &[LimitKey]) -> StoreResult<usize>;

    /// The limits of one scope, or of all, sorted by key.
    async fn list_limits(&self, scope: Option<&Scope>) -> StoreResult<Vec<Limit>>;

    async fn add_grant(&self, grant: &Grant) -> StoreResult<()>;

    /// All grants that have not ended, sorted by person.
    async fn list_grants(&self, now: Timestamp) -> StoreResult<Vec<Grant>>;

    /// Ends all grants of a person, and returns them, also those that had ended already.
    async fn remove_grants(&self, person: &Person) -> StoreResult<Vec<Grant>>;

    /// Blocks a person, and replaces an earlier block.
    async fn set_block(&self, block: &Block) -> StoreResult<()>;

    /// Ends a person's block, and returns whether there was one.
    async fn remove_block(&self, person: &Person) -> StoreResult<bool>;

    /// All blocks that have not ended, sorted by person.
    async fn list_blocks(&self, now: Timestamp) -> StoreResult<Vec<Block>>;

    /// The limits of single models, of all scopes, sorted by key. Unlike [`Self::list_limits`], it does not read what is
    /// stored about each person.
    async fn list_model_limits(&self) -> StoreResult<Vec<Limit>>;

    /// Notes that the person has reached a limit. Of several marks of one person, the latest end holds.
    async fn mark_over_limit(&self, person: &Person, until: Timestamp) -> StoreResult<()>;

    /// All marks that have not ended, sorted by person.
    async fn list_over_limit(&self, now: Timestamp) -> StoreResult<Vec<OverLimitMark>>;

    /// Removes a mark, unless the person was marked again since it was listed. Returns whether it was removed.
    async fn unmark_over_limit(&self, mark: &OverLimitMark) -> StoreResult<bool>;

    /// Makes `holder` the only one who does what the lease is for, until that time. Returns `false` if it belongs to
    /// another holder, whose time has not passed. Who has the lease may extend it.
    async fn acquire_lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> StoreResult<bool>;

    /// Gives the lease back, if it belongs to this holder.
    async fn release_lease(&self, name: &str, holder: &str) -> StoreResult<()>;

    /// Claims the right to send a notice: of all callers with the same name, one gets `true`.
    async fn claim_notice(&self, name: &str, remember_until: Timestamp) -> StoreResult<bool>;

    async fn add_faults(&self, faults: &Faults) -> StoreResult<()>;

    async fn load_faults(&self) -> StoreResult<Faults>;

    /// Forgets request ids, notices, marks and leases that have expired, hours of usage after [`HOURS_ARE_STORED`] and days after
    /// [`DAYS_ARE_STORED`]. All of them may stay somewhat longer. Usage of months stays.
    async fn remove_expired(&self, now: Timestamp) -> StoreResult<()>;

    /// Whether the store answers.
    async fn check(&self) -> StoreResult<()>;
}

/// The hours whose key is smaller than this text are forgotten.
fn oldest_hour_to_store(now: Timestamp) -> String {
    oldest_text_to_store(now, HOURS_ARE_STORED, "2026-11-30T14".len())
}

/// The days whose key is smaller than this text are forgotten.
fn oldest_day_to_store(now: Timestamp) -> String {
    oldest_text_to_store(now, DAYS_ARE_STORED, "2026-11-30".len())
}

/// Keys are in the organization's time, which the store does not know. It is at most 14 hours ahead of UTC, and 12
/// behind, so no key that is smaller than the text of twelve hours earlier is too young.
fn oldest_text_to_store(now: Timestamp, stored: Duration, length: usize) -> String {
    let age = i64::try_from(stored.as_secs()).unwrap_or(i64::MAX).saturating_add(12 * 3600);
    let mut text = Timestamp::from_unix(now.unix_seconds().saturating_sub(age)).to_string();
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Calendar, Period};

    #[test]
    fn no_zone_forgets_a_period_too_early() {
        let now = contract::START;
        let before =
            |stored: Duration| Timestamp::from_unix(now.unix_seconds() - i64::try_from(stored.as_secs()).unwrap());
        for zone in ["Etc/GMT+12", "America/Denver", "UTC", "Pacific/Kiritimati"] {
            let calendar: Calendar = zone.parse().unwrap();
            let hour = calendar.key_of(Period::Hour, before(HOURS_ARE_STORED));
            assert!(hour.text >= oldest_hour_to_store(now), "{zone}: {hour}");
            let day = calendar.key_of(Period::Day, before(DAYS_ARE_STORED));
            assert!(day.text >= oldest_day_to_store(now), "{zone}: {day}");
        }
    }
}
