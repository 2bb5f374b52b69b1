//! What a month has cost, for people who do not log in to AWS: the numbers of the report, from the store's counters.
//!
//! `page` shows them as one HTML page. The store has days of about two months, so a report of an earlier month has no days.

mod chart;
mod page;

use std::collections::BTreeMap;

use bedrock_sso::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::page::render_page;
use crate::{
    calendar::{Calendar, Period, PeriodKey},
    cli::PeopleShown,
    config::GroupRule,
    limits::{Action, Amount},
    person::Person,
    standing::evaluate,
    store::{Account, PersonRecord, Store, StoreResult},
    usage::{ModelUsage, Usage},
};

/// What stands in place of a department, a team or a price that nothing names.
const UNKNOWN: &str = "(unknown)";

/// What a month has cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// The month, as `2026-11`.
    pub month: String,
    /// When the report was made, in the organization's zone.
    pub made_at: String,
    /// Whether the month has ended.
    pub is_complete: bool,
    pub total: Usage,
    /// The month before, if anything was used in it.
    pub before: Option<Usage>,
    /// How many people have used something.
    pub people_count: usize,
    /// Each day of the month, as `2026-11-30`.
    pub days: Vec<ReportRow>,
    /// Whether the days add up to the month. The store forgets days after some weeks.
    pub has_all_days: bool,
    pub departments: Vec<ReportRow>,
    pub teams: Vec<ReportRow>,
    pub models: Vec<ReportRow>,
    /// Empty if no person is shown.
    pub people: Vec<ReportRow>,
    pub limits: Vec<ReachedLimit>,
    /// How many people have reached a limit.
    pub limited_count: usize,
}

/// The usage of a day, a department, a team, a model or a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRow {
    pub label: String,
    pub usage: Usage,
}

/// A limit that a person has reached in the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedLimit {
    /// The name or the pseudonym, as among the people of the report.
    pub person: String,
    pub period: Period,
    pub model: Option<String>,
    pub amount: Amount,
    pub action: Action,
    /// On how many days. Of a limit for the month it is one.
    pub times: usize,
}

/// What the report is read from.
#[derive(Clone, Copy, Debug)]
pub struct ReportSource<'a> {
    pub store: &'a dyn Store,
    pub calendar: &'a Calendar,
    pub rule: GroupRule,
    pub now: Timestamp,
}

impl ReportSource<'_> {
    /// Reads the report of a month.
    pub async fn read(&self, month: &PeriodKey, shown: PeopleShown) -> StoreResult<UsageReport> {
        let mut usage = self.store.list_usage(month).await?;
        // The person who has spent most comes first. Pseudonyms are numbers in this order.
        usage.sort_by(|(one, spent), (other, more)| {
            more.total().cost.cmp(&spent.total().cost).then_with(|| one.cmp(other))
        });
        let records: BTreeMap<Person, PersonRecord> = self.store.list_people().await?.into_iter().collect();
        let days = self.calendar.days_of(month);
        let mut by_day: Vec<Usage> = vec![Usage::default(); days.len()];
        let mut limits = Vec::new();
        let mut limited_count = 0;
        for (rank, (person, in_month)) in usage.iter().enumerate() {
            let account = self.store.load_account(person, &days).await?;
            for (sum, in_day) in by_day.iter_mut().zip(&account.usage) {
                *sum += in_day.total();
            }
            let reached = self.list_reached_limits(account, in_month, &show_person(person, rank, shown))?;
            limited_count += usize::from(!reached.is_empty());
            limits.extend(reached);
        }
        if shown == PeopleShown::None {
            limits.clear();
        }
        let total: Usage = usage.iter().map(|(_, models)| models.total()).sum();
        let before = match self.calendar.month_before(month) {
            Some(before) => self.store.list_usage(&before).await?,
            None => Vec::new(),
        };
        let before: Usage = before.iter().map(|(_, models)| models.total()).sum();
        let of_record = |select: fn(&PersonRecord) -> Option<&String>| {
            let usage = usage.iter().map(|(person, models)| {
                let label = records.get(person).and_then(select).map_or(UNKNOWN, String::as_str);
                (label.to_owned(), models.total())
            });
            sum_rows(usage)
        };
        Ok(UsageReport {
            month: month.text.clone(),
            made_at: self.calendar.describe(self.now),
            is_complete: self.calendar.key_of(Period::Month, self.now).text > month.text,
            total,
            before: (before != Usage::default()).then_some(before),
            people_count: usage.len(),
            has_all_days: by_day.iter().copied().sum::<Usage>() == total,
            days: days.iter().zip(by_day).map(|(day, usage)| ReportRow { label: day.text.clone(), usage }).collect(),
            departments: of_record(|record| record.department.as_ref()),
            teams: of_record(|record| record.team.as_ref()),
            models: sum_rows(usage.iter().flat_map(|(_, models)| {
                models.0.iter().map(|(key, usage)| (shorten_model(&key.model).to_owned(), *usage))
            })),
            people: match shown {
                PeopleShown::None => Vec::new(),
                PeopleShown::Pseudonyms | PeopleShown::Names => (usage.iter().enumerate())
                    .map(|(rank, (person, models))| ReportRow {
                        label: show_person(person, rank, shown),
                        usage: models.total(),
                    })
                    .collect(),
            },
            limits,
            limited_count,
        })
    }

    /// The limits that hold today and that the usage of the month, or of one of its days, has reached. `account` has the
    /// usage of the days.
    fn list_reached_limits(
        &self,
        mut account: Account,
        in_month: &ModelUsage,
        person: &str,
    ) -> StoreResult<Vec<ReachedLimit>> {
        let days = std::mem::take(&mut account.usage);
        let nothing = ModelUsage::default();
        let moments = std::iter::once((Period::Month, in_month)).chain(days.iter().map(|day| (Period::Day, day)));
        let mut reached = Vec::<ReachedLimit>::new();
        for (period, usage) in moments {
            account.usage = match period {
                Period::Month => vec![nothing.clone(), nothing.clone(), usage.clone()],
                Period::Day | Period::Hour => vec![nothing.clone(), usage.clone(), nothing.clone()],
            };
            let standing = evaluate(&account, self.calendar, self.rule, self.now)?;
            // A model that nobody may use is no limit that somebody reaches.
            let of_period = standing.limits.into_iter().filter(|limit| {
                limit.period == period && limit.used != Usage::default() && limit.is_exceeded() && !limit.is_model_ban()
            });
            for limit in of_period {
                let row = ReachedLimit {
                    person: person.to_owned(),
                    period,
                    model: limit.model,
                    amount: limit.amount,
                    action: limit.action,
                    times: 1,
                };
                match reached.iter_mut().find(|known| ReachedLimit { times: 1, ..(*known).clone() } == row) {
                    Some(known) => known.times += 1,
                    None => reached.push(row),
                }
            }
        }
        Ok(reached)
    }
}

fn show_person(person: &Person, rank: usize, shown: PeopleShown) -> String {
    match shown {
        PeopleShown::Names => person.to_string(),
        PeopleShown::Pseudonyms | PeopleShown::None => format!("Person {}", rank + 1),
    }
}

/// The sums for each label, the most expensive first.
fn sum_rows(parts: impl Iterator<Item = (String, Usage)>) -> Vec<ReportRow> {
    let mut sums = BTreeMap::<String, Usage>::new();
    for (label, usage) in parts {
        *sums.entry(label).or_default() += usage;
    }
    let mut rows: Vec<ReportRow> = sums.into_iter().map(|(label, usage)| ReportRow { label, usage }).collect();
    rows.sort_by(|one, other| other.usage.cost.cmp(&one.usage.cost).then_with(|| one.label.cmp(&other.label)));
    rows
}

/// The model without the account and the Region of its profile: the part of the ARN after the last slash.
fn shorten_model(model: &str) -> &str {
    model.rsplit_once('/').map_or(model, |(_, name)| name)
}

#[cfg(test)]
mod tests;
