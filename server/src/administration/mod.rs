//! What an administrator asks of the store: limits, usage, grants, blocks, and their transfer.
//!
//! A command becomes a [`AdminRequest`], which the holder of the store carries out: the command itself, or the server, to
//! which the command sends it. Both give the same [`AdminAnswer`].

mod answer;
pub mod socket;
mod transfer;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bedrock_sso::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::{
    answer::{AdminAnswer, Row},
    transfer::{TransferRow, parse_transfer},
};
use crate::{
    calendar::{Calendar, Period, PeriodKey},
    cli::{PeopleShown, UsageBreakdown},
    ingest::{IngestSummary, Ingestion},
    limits::{Amount, Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    prices::PriceList,
    report::ReportSource,
    store::{PersonRecord, Store, StoreResult},
    usage::{AccountModel, ModelUsage, Usage},
    usage_watch::{AffectedPeople, UsageWatch, WakeOutcome},
};

/// One request of an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum AdminRequest {
    SetLimits { limits: Vec<Limit> },
    ListLimits { scope: Option<Scope> },
    RemoveLimits { scope: Scope, model: Option<String>, periods: Vec<Period> },
    ShowUsage { scope: Option<Scope>, month: Option<PeriodKey>, by: UsageBreakdown },
    ShowReport { month: Option<PeriodKey>, people: PeopleShown },
    AddGrant { grant: Grant },
    RemoveGrants { person: Person },
    SetBlock { block: Block },
    RemoveBlock { person: Person },
    Ingest { deliveries: Vec<Vec<u8>> },
    ShowFaults,
    Export,
    ExportPeople,
    Import { rows: Vec<TransferRow> },
}

/// What is said where policies of AWS follow a change, and this process cannot cause it.
const WITHIN_A_MINUTE: &str = "AWS follows within a minute, when the server or its function compares the policies";

/// The store, what its content is read with, and what follows from a change.
#[derive(Clone, Copy, Debug)]
pub struct Administration<'a> {
    pub store: &'a dyn Store,
    pub watch: &'a Arc<UsageWatch>,
    pub calendar: &'a Calendar,
    pub prices: &'a PriceList,
    pub now: Timestamp,
}

impl AdminRequest {
    /// Whether another person may be refused after it, or one less.
    fn changes_refusals(&self) -> bool {
        match self {
            Self::SetLimits { .. }
            | Self::RemoveLimits { .. }
            | Self::AddGrant { .. }
            | Self::RemoveGrants { .. }
            | Self::SetBlock { .. }
            | Self::RemoveBlock { .. }
            | Self::Import { .. } => true,
            Self::ListLimits { .. }
            | Self::ShowUsage { .. }
            | Self::ShowReport { .. }
            | Self::Ingest { .. }
            | Self::ShowFaults
            | Self::Export
            | Self::ExportPeople => false,
        }
    }

    /// Whose usage of before may be over a limit after it.
    fn find_affected_people(&self) -> AffectedPeople {
        match self {
            Self::SetLimits { limits } => AffectedPeople::AllAnd(list_owners(limits)),
            Self::Import { rows } => AffectedPeople::AllAnd(list_owners(rows.iter().filter_map(TransferRow::as_limit))),
            // Without its own limit, a person has that of the group or of everybody.
            Self::RemoveLimits { .. } => AffectedPeople::AllAnd(BTreeSet::new()),
            Self::RemoveGrants { person } => AffectedPeople::These([person.clone()].into()),
            Self::ListLimits { .. }
            | Self::ShowUsage { .. }
            | Self::AddGrant { .. }
            | Self::SetBlock { .. }
            | Self::RemoveBlock { .. }
            | Self::Ingest { .. }
            | Self::ShowReport { .. }
            | Self::ShowFaults
            | Self::Export
            | Self::ExportPeople => AffectedPeople::These(BTreeSet::new()),
        }
    }
}

/// The people who have one of these limits of their own.
fn list_owners<'l>(limits: impl IntoIterator<Item = &'l Limit>) -> BTreeSet<Person> {
    let owner = |limit: &Limit| match &limit.scope {
        Scope::Person(person) => Some(person.clone()),
        Scope::Group(_) | Scope::Default => None,
    };
    limits.into_iter().filter_map(owner).collect()
}

impl Administration<'_> {
    /// Carries the request out, and makes the policies of AWS follow it.
    pub async fn carry_out(&self, request: AdminRequest) -> StoreResult<AdminAnswer> {
        let changes_refusals = request.changes_refusals();
        let affected = request.find_affected_people();
        let answer = self.change_or_show(request).await?;
        if !changes_refusals {
            return Ok(answer);
        }
        self.watch.review_after_change(affected).await?;
        Ok(match self.watch.wake_enforcement().await {
            WakeOutcome::NoEnforcement | WakeOutcome::Woken => answer,
            WakeOutcome::WithinAMinute => answer.with_remark(WITHIN_A_MINUTE),
        })
    }

    async fn change_or_show(&self, request: AdminRequest) -> StoreResult<AdminAnswer> {
        match request {
            AdminRequest::SetLimits { limits } => {
                for limit in &limits {
                    self.store.set_limit(limit).await?;
                }
                Ok(AdminAnswer::new(limits.iter().map(describe_limit)))
            }
            AdminRequest::ListLimits { scope } => {
                let limits = self.store.list_limits(scope.as_ref()).await?;
                Ok(AdminAnswer::new(limits.iter().map(describe_limit)).or_note("there are no limits"))
            }
            AdminRequest::RemoveLimits { scope, model, periods } => self.remove_limits(&scope, model, &periods).await,
            AdminRequest::ShowUsage { scope, month, by } => self.show_usage(scope.as_ref(), month, by).await,
            AdminRequest::ShowReport { month, people } => self.show_report(month, people).await,
            AdminRequest::AddGrant { grant } => {
                self.store.add_grant(&grant).await?;
                Ok(AdminAnswer::new([describe_grant(&grant)]))
            }
            AdminRequest::RemoveGrants { person } => {
                let removed = self.store.remove_grants(&person).await?;
                let held = removed.iter().filter(|grant| grant.holds_at(self.now));
                Ok(AdminAnswer::new(held.map(describe_grant)).or_note(&format!("{person} has no grant")))
            }
            AdminRequest::SetBlock { block } => {
                self.store.set_block(&block).await?;
                Ok(AdminAnswer::new([describe_block(&block)]))
            }
            AdminRequest::RemoveBlock { person } => {
                let was_blocked = self.store.remove_block(&person).await?;
                let row = vec![("person", json!(person)), ("was_blocked", json!(was_blocked))];
                Ok(AdminAnswer::new([row]))
            }
            AdminRequest::Ingest { deliveries } => self.ingest(&deliveries).await,
            AdminRequest::ShowFaults => self.show_faults().await,
            AdminRequest::Export => self.export().await,
            AdminRequest::ExportPeople => self.export_people().await,
            AdminRequest::Import { rows } => {
                for row in &rows {
                    match row {
                        TransferRow::Limit(limit) => self.store.set_limit(limit).await?,
                        TransferRow::Grant(grant) => self.store.add_grant(grant).await?,
                        TransferRow::Block(block) => self.store.set_block(block).await?,
                    }
                }
                Ok(AdminAnswer::new(rows.iter().map(describe_transfer)).or_note("the file contains nothing to import"))
            }
        }
    }

    /// Removes the limits of a scope: all, or those for one pattern of models and for these periods.
    async fn remove_limits(
        &self,
        scope: &Scope,
        model: Option<String>,
        periods: &[Period],
    ) -> StoreResult<AdminAnswer> {
        let limits = self.store.list_limits(Some(scope)).await?;
        let selected = limits.into_iter().filter(|limit| {
            (model.is_none() || limit.model == model) && (periods.is_empty() || periods.contains(&limit.period))
        });
        let selected: Vec<Limit> = selected.collect();
        let keys: Vec<LimitKey> = selected.iter().map(Limit::key).collect();
        self.store.remove_limits(&keys).await?;
        Ok(AdminAnswer::new(selected.iter().map(describe_limit)).or_note("there was no such limit"))
    }

    async fn show_usage(
        &self,
        scope: Option<&Scope>,
        month: Option<PeriodKey>,
        by: UsageBreakdown,
    ) -> StoreResult<AdminAnswer> {
        let month = month.unwrap_or_else(|| self.calendar.key_of(Period::Month, self.now));
        let mut usage = self.store.list_usage(&month).await?;
        let needs_people = matches!(scope, Some(Scope::Group(_))) || by == UsageBreakdown::Group;
        let people = if needs_people { self.store.list_people().await? } else { Vec::new() };
        let groups: BTreeMap<&Person, &[String]> =
            people.iter().map(|(person, record)| (person, record.groups.as_slice())).collect();
        let groups_of = |person: &Person| groups.get(person).copied().unwrap_or_default();
        match scope {
            Some(Scope::Person(person)) => usage.retain(|(other, _)| other == person),
            Some(Scope::Group(group)) => usage.retain(|(person, _)| groups_of(person).contains(group)),
            Some(Scope::Default) | None => {}
        }
        let label = |person: &Person, key: &AccountModel| match by {
            UsageBreakdown::Person => vec![Some(person.to_string())],
            UsageBreakdown::Group => match groups_of(person) {
                // Otherwise the groups together would have used less than their people.
                [] => vec![None],
                groups => groups.iter().cloned().map(Some).collect(),
            },
            UsageBreakdown::Model => vec![Some(key.model.clone())],
            UsageBreakdown::Account => vec![Some(key.account.clone())],
        };
        let sums = sum_by(&usage, label);
        let column = match by {
            UsageBreakdown::Person => "person",
            UsageBreakdown::Group => "group",
            UsageBreakdown::Model => "model",
            UsageBreakdown::Account => "account",
        };
        let rows = sums.into_iter().map(|(label, usage)| describe_usage(column, label.as_deref(), &month, &usage));
        Ok(AdminAnswer::new(rows).or_note("no usage is known"))
    }

    async fn show_report(&self, month: Option<PeriodKey>, people: PeopleShown) -> StoreResult<AdminAnswer> {
        let Self { store, watch, calendar, now, .. } = *self;
        let month = month.unwrap_or_else(|| calendar.key_of(Period::Month, now));
        let source = ReportSource { store, calendar, rule: watch.group_rule, now };
        Ok(AdminAnswer::of_report(source.read(&month, people).await?))
    }

    /// Counts the records of several files, and sums up what became of them.
    async fn ingest(&self, deliveries: &[Vec<u8>]) -> StoreResult<AdminAnswer> {
        let Self { store, watch, calendar, prices, now } = *self;
        let mut sum = IngestSummary::default();
        for delivery in deliveries {
            let ingestion = Ingestion { store, prices, calendar, now };
            let (summary, people) = ingestion.ingest_and_list_people(delivery).await?;
            sum += summary;
            watch.send_notices(watch.review(&people).await?).await;
        }
        let row = vec![
            ("accepted", json!(sum.accepted)),
            ("repeated", json!(sum.repeated)),
            ("rejected", json!(sum.rejected)),
        ];
        Ok(AdminAnswer::new([row]))
    }

    async fn show_faults(&self) -> StoreResult<AdminAnswer> {
        let faults = self.store.load_faults().await?;
        let row = |kind: &str, what: &str, count: u64| -> Row {
            vec![("fault", json!(kind)), ("what", json!(what)), ("count", json!(count))]
        };
        let rows = faults.list().into_iter().map(|(kind, what, count)| row(kind, &what, count));
        Ok(AdminAnswer::new(rows).or_note("every record was counted, for a person whom a token has named"))
    }

    async fn export(&self) -> StoreResult<AdminAnswer> {
        let limits = self.store.list_limits(None).await?.into_iter().map(TransferRow::Limit);
        let grants = self.store.list_grants(self.now).await?.into_iter().map(TransferRow::Grant);
        let blocks = self.store.list_blocks(self.now).await?.into_iter().map(TransferRow::Block);
        let rows: Vec<TransferRow> = limits.chain(grants).chain(blocks).collect();
        Ok(AdminAnswer::new(rows.iter().map(describe_transfer)))
    }

    async fn export_people(&self) -> StoreResult<AdminAnswer> {
        Ok(AdminAnswer::new(self.store.list_people().await?.iter().map(describe_person)))
    }
}

/// A person as analytics groups by them. The subject stays in the store.
fn describe_person((person, record): &(Person, PersonRecord)) -> Row {
    vec![
        ("person", json!(person)),
        ("department", json!(record.department)),
        ("team", json!(record.team)),
        ("groups", json!(record.groups)),
    ]
}

/// The sums for each label, sorted. A person of two groups counts in both, and one of no known group under `None`.
fn sum_by(
    usage: &[(Person, ModelUsage)],
    labels: impl Fn(&Person, &AccountModel) -> Vec<Option<String>>,
) -> BTreeMap<Option<String>, Usage> {
    let mut sums = BTreeMap::<Option<String>, Usage>::new();
    for (person, models) in usage {
        for (key, part) in &models.0 {
            for label in labels(person, key) {
                *sums.entry(label).or_default() += *part;
            }
        }
    }
    sums
}

fn describe_usage(column: &'static str, label: Option<&str>, month: &PeriodKey, usage: &Usage) -> Row {
    vec![
        (column, json!(label)),
        ("month", json!(month.text)),
        ("input_tokens", json!(usage.tokens.input)),
        ("output_tokens", json!(usage.tokens.output)),
        ("cache_read_tokens", json!(usage.tokens.cache_read)),
        ("cache_write_tokens", json!(usage.tokens.cache_write)),
        ("micro_usd", json!(usage.cost)),
    ]
}

fn describe_limit(limit: &Limit) -> Row {
    let (kind, identifier) = match &limit.scope {
        Scope::Person(person) => ("person", json!(person)),
        Scope::Group(group) => ("group", json!(group)),
        Scope::Default => ("default", json!(null)),
    };
    vec![
        ("scope", json!(kind)),
        ("identifier", identifier),
        ("model", json!(limit.model)),
        ("period", json!(limit.period)),
        ("unit", json!(limit.amount.unit())),
        ("limit", describe_amount(limit.amount)),
        ("action", json!(limit.action)),
    ]
}

fn describe_grant(grant: &Grant) -> Row {
    vec![
        ("person", json!(grant.person)),
        ("since", json!(grant.since.to_string())),
        ("until", json!(grant.until.to_string())),
        ("unit", json!(grant.amount.map(Amount::unit))),
        ("amount", grant.amount.map_or(json!(null), describe_amount)),
        ("reason", json!(grant.reason)),
    ]
}

fn describe_block(block: &Block) -> Row {
    vec![
        ("person", json!(block.person)),
        ("since", json!(block.since.to_string())),
        ("until", json!(block.until.map(|until| until.to_string()))),
        ("reason", json!(block.reason)),
    ]
}

/// Tokens as a whole number, money in dollars.
fn describe_amount(amount: Amount) -> serde_json::Value {
    match amount {
        Amount::Tokens(count) => json!(count),
        Amount::Usd(money) => json!(money.as_dollars()),
    }
}

fn describe_transfer(row: &TransferRow) -> Row {
    let (kind, mut described) = match row {
        TransferRow::Limit(limit) => ("limit", describe_limit(limit)),
        TransferRow::Grant(grant) => ("grant", describe_grant(grant)),
        TransferRow::Block(block) => ("block", describe_block(block)),
    };
    described.insert(0, ("kind", json!(kind)));
    described
}
