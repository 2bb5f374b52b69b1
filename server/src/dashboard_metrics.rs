//! Numbers for a dashboard: after each run of the enforcement a line on standard output, in CloudWatch's embedded metric
//! format. CloudWatch makes metrics of the lines that a function of Lambda prints. No line names a person.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use bedrock_sso::{log, time::Timestamp};
use serde_json::{Map, Value, json};

use crate::{
    calendar::Period,
    enforcement::{EnforcementInputs, EnforcementReport},
    limits::Scope,
    person::Person,
    standing::evaluate,
    store::{Account, PersonRecord, StoreResult},
    usage::{MicroUsd, ModelUsage},
};

/// How often the spending is summed, because it needs the usage of everybody.
const SPENDING_INTERVAL_SECONDS: i64 = 15 * 60;

/// From which share of a limit on a person is near it, in percent.
const NEAR_LIMIT_PERCENT: f64 = 80.0;

/// Writes the numbers of the runs of this process.
#[derive(Debug)]
pub struct DashboardMetrics {
    /// The namespace of the metrics in CloudWatch.
    namespace: String,
    /// The interval in which this process has summed the spending.
    summed_interval: Mutex<Option<i64>>,
}

/// What everybody has spent in this month, against the monthly limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MonthlySpending {
    pub people: usize,
    pub cost: MicroUsd,
    /// People who have used most of a monthly limit, or all of it.
    pub near_limit: usize,
    /// The largest used share of a monthly limit, in percent.
    pub highest_percent: f64,
}

/// A metric: its name, its unit in CloudWatch, and its value.
type Metric = (&'static str, &'static str, Value);

impl DashboardMetrics {
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), summed_interval: Mutex::new(None) }
    }

    /// Writes the numbers of a run. The policies are written already, so nothing fails if a number is missing.
    pub async fn publish(&self, inputs: &EnforcementInputs, report: &EnforcementReport) {
        let mut metrics = list_run_metrics(report);
        if self.is_spending_due(inputs.now) {
            match sum_monthly_spending(inputs).await {
                Ok(spending) => metrics.extend(list_spending_metrics(&spending)),
                Err(error) => log::warn("metrics", format_args!("the spending of the month is missing: {error:?}")),
            }
        }
        let line = self.render(inputs.now, &metrics);
        if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
            log::warn("metrics", format_args!("the numbers of a run cannot be written: {error}"));
        }
    }

    fn is_spending_due(&self, now: Timestamp) -> bool {
        let interval = now.unix_seconds().div_euclid(SPENDING_INTERVAL_SECONDS);
        let mut summed = self.summed_interval.lock().unwrap_or_else(PoisonError::into_inner);
        summed.replace(interval) != Some(interval)
    }

    /// One line in the embedded metric format, without dimensions.
    fn render(&self, now: Timestamp, metrics: &[Metric]) -> String {
        let declared: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.unix_seconds().saturating_mul(1000),
                "CloudWatchMetrics": [{ "Namespace": self.namespace, "Dimensions": [[]], "Metrics": declared }],
            }),
        );
        line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
        Value::Object(line).to_string()
    }
}

fn list_run_metrics(report: &EnforcementReport) -> Vec<Metric> {
    let EnforcementReport { refused, blocked, left_out, written: _ } = report;
    vec![
        ("RefusedPeople", "Count", json!(refused)),
        ("BlockedPeople", "Count", json!(blocked)),
        ("PeopleWithoutRoom", "Count", json!(left_out)),
    ]
}

fn list_spending_metrics(spending: &MonthlySpending) -> [Metric; 4] {
    let MonthlySpending { people, cost, near_limit, highest_percent } = spending;
    [
        ("SpendThisMonth", "None", json!(cost.as_dollars())),
        ("PeopleThisMonth", "Count", json!(people)),
        ("PeopleNearLimit", "Count", json!(near_limit)),
        ("HighestLimitShare", "Percent", json!(highest_percent)),
    ]
}

/// Sums the usage of this month, and compares each person's with the monthly limits that hold for them.
async fn sum_monthly_spending(inputs: &EnforcementInputs) -> StoreResult<MonthlySpending> {
    let EnforcementInputs { store, calendar, group_rule, now } = inputs;
    let month = calendar.key_of(Period::Month, *now);
    let (usage, people, limits, grants) = tokio::try_join!(
        store.list_usage(&month),
        store.list_people(),
        store.list_limits(None),
        store.list_grants(*now)
    )?;
    let records: BTreeMap<Person, PersonRecord> = people.into_iter().collect();
    let mut spending = MonthlySpending::default();
    for (person, of_month) in usage {
        let record = records.get(&person);
        let groups: BTreeSet<&String> = record.into_iter().flat_map(|record| &record.groups).collect();
        let applies = |scope: &Scope| match scope {
            Scope::Person(owner) => *owner == person,
            Scope::Group(group) => groups.contains(group),
            Scope::Default => true,
        };
        spending.people += 1;
        spending.cost.0 = spending.cost.0.saturating_add(of_month.total().cost.0);
        let account = Account {
            record: record.cloned(),
            // Only the limits of the month are compared below.
            usage: vec![ModelUsage::default(), ModelUsage::default(), of_month],
            limits: limits.iter().filter(|limit| applies(&limit.scope)).cloned().collect(),
            grants: grants.iter().filter(|grant| grant.person == person).cloned().collect(),
            block: None,
        };
        let standing = evaluate(&account, calendar, *group_rule, *now)?;
        let of_month = standing.limits.iter().filter(|limit| limit.period == Period::Month);
        let share = of_month.filter_map(|limit| limit.percent()).fold(0.0, f64::max);
        spending.near_limit += usize::from(share >= NEAR_LIMIT_PERCENT);
        spending.highest_percent = spending.highest_percent.max(share);
    }
    Ok(spending)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        calendar::Calendar,
        config::GroupRule,
        limits::{Action, Amount, Grant, Limit},
        store::{CountedCall, Store, file_store::FileStore},
        usage::{AccountModel, TokenCounts, Usage},
    };

    const NOW: Timestamp = Timestamp::from_unix(1_796_040_000);

    fn person(name: &str) -> Person {
        Person::parse(name).unwrap()
    }

    #[test]
    fn a_line_declares_each_metric_and_has_its_value() {
        let report = EnforcementReport { refused: 3, blocked: 2, left_out: 1, written: 0 };
        let spending = MonthlySpending { people: 7, cost: MicroUsd(12_345_678), near_limit: 2, highest_percent: 97.5 };
        let mut metrics = list_run_metrics(&report);
        metrics.extend(list_spending_metrics(&spending));
        let line: Value = serde_json::from_str(&DashboardMetrics::new("limits").render(NOW, &metrics)).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_796_040_000_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "limits",
                        "Dimensions": [[]],
                        "Metrics": [
                            { "Name": "RefusedPeople", "Unit": "Count" },
                            { "Name": "BlockedPeople", "Unit": "Count" },
                            { "Name": "PeopleWithoutRoom", "Unit": "Count" },
                            { "Name": "SpendThisMonth", "Unit": "None" },
                            { "Name": "PeopleThisMonth", "Unit": "Count" },
                            { "Name": "PeopleNearLimit", "Unit": "Count" },
                            { "Name": "HighestLimitShare", "Unit": "Percent" },
                        ],
                    }],
                },
                "RefusedPeople": 3, "BlockedPeople": 2, "PeopleWithoutRoom": 1, "SpendThisMonth": 12.345_678,
                "PeopleThisMonth": 7, "PeopleNearLimit": 2, "HighestLimitShare": 97.5,
            })
        );
    }

    #[test]
    fn the_spending_is_summed_once_in_a_quarter_of_an_hour() {
        let metrics = DashboardMetrics::new("limits");
        let due = |seconds: i64| metrics.is_spending_due(Timestamp::from_unix(1_796_040_000 + seconds));
        assert_eq!([0, 60, 899, 900, 901, 1800].map(due), [true, false, false, true, false, true]);
    }

    #[tokio::test]
    async fn spending_is_compared_with_the_limits_that_hold() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(&folder.path().join("usage.redb")).unwrap();
        let calendar = Calendar::utc();
        let usd = |dollars: u64| Amount::Usd(MicroUsd(dollars * MicroUsd::PER_USD));
        // ann has 90 of 100 USD, ben 30 of 60 of his group, cid 20 of 200 with a grant, dan 5 USD of the default 100.
        for (name, dollars) in [("ann", 90), ("ben", 30), ("cid", 20), ("dan", 5)] {
            let call = CountedCall {
                request_id: name.to_owned(),
                person: person(name),
                target: AccountModel { account: "123456789012".to_owned(), model: "m".to_owned() },
                periods: Period::ALL.map(|period| calendar.key_of(period, NOW)).into(),
                usage: Usage { tokens: TokenCounts::default(), cost: MicroUsd(dollars * MicroUsd::PER_USD) },
                remember_until: NOW,
            };
            store.count(&[call]).await.unwrap();
        }
        let record = json!({
            "issuer": "https://acme.okta.com", "subject": "00u1", "groups": ["ml"], "token_issued_at": NOW,
        });
        let record: PersonRecord = serde_json::from_value(record).unwrap();
        store.save_person(&person("ben"), &record).await.unwrap();
        for (scope, period, amount) in [
            (Scope::Default, Period::Month, usd(100)),
            (Scope::Group("ml".to_owned()), Period::Month, usd(60)),
            (Scope::Person(person("cid")), Period::Month, usd(10)),
            // A limit of another period does not count here, although it is exceeded.
            (Scope::Default, Period::Day, usd(1)),
        ] {
            store.set_limit(&Limit { scope, model: None, period, amount, action: Action::Block }).await.unwrap();
        }
        let grant = Grant {
            person: person("cid"),
            since: NOW,
            until: Timestamp::from_unix(NOW.unix_seconds() + 60),
            amount: Some(usd(190)),
            reason: "a release".to_owned(),
        };
        store.add_grant(&grant).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let inputs = EnforcementInputs { store, calendar, group_rule: GroupRule::Strictest, now: NOW };
        let spending = sum_monthly_spending(&inputs).await.unwrap();
        let expected = MonthlySpending {
            people: 4,
            cost: MicroUsd(145 * MicroUsd::PER_USD),
            near_limit: 1,
            highest_percent: 90.0,
        };
        assert_eq!(spending, expected);
    }
}
