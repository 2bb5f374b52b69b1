//! The report of a store in a file, to which real calls were counted.

use std::sync::Arc;

use super::*;
use crate::{
    limits::Limit,
    limits::Scope,
    store::{CountedCall, file_store::FileStore},
    usage::{AccountModel, MicroUsd, TokenCounts},
};

struct World {
    _folder: tempfile::TempDir,
    store: Arc<FileStore>,
    calendar: Calendar,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FileStore::open(&folder.path().join("usage.redb")).unwrap());
        Self { _folder: folder, store, calendar: "Europe/Berlin".parse().unwrap() }
    }

    async fn count(&self, request: &str, person: &str, model: &str, time: &str, dollars: u64) {
        let time = Timestamp::from_rfc3339(time).unwrap();
        let call = CountedCall {
            request_id: request.to_owned(),
            person: Person::parse(person).unwrap(),
            target: AccountModel { account: "123456789012".to_owned(), model: model.to_owned() },
            periods: Period::ALL.map(|period| self.calendar.key_of(period, time)).into(),
            usage: Usage {
                tokens: TokenCounts { input: 100, ..TokenCounts::default() },
                cost: MicroUsd(dollars * MicroUsd::PER_USD),
            },
            remember_until: time,
        };
        self.store.count(&[call]).await.unwrap();
    }

    async fn name(&self, person: &str, department: Option<&str>, team: Option<&str>) {
        let record = PersonRecord {
            issuer: "https://acme.okta.com".to_owned(),
            subject: person.to_owned(),
            groups: Vec::new(),
            department: department.map(str::to_owned),
            team: team.map(str::to_owned),
            token_issued_at: Timestamp::from_unix(0),
        };
        self.store.save_person(&Person::parse(person).unwrap(), &record).await.unwrap();
    }

    async fn limit(&self, period: Period, dollars: u64, action: Action) {
        let amount = Amount::Usd(MicroUsd(dollars * MicroUsd::PER_USD));
        self.store.set_limit(&Limit { scope: Scope::Default, model: None, period, amount, action }).await.unwrap();
    }

    async fn report(&self, shown: PeopleShown) -> UsageReport {
        let source = ReportSource {
            store: self.store.as_ref(),
            calendar: &self.calendar,
            rule: GroupRule::Strictest,
            now: Timestamp::from_rfc3339("2026-12-01T08:00:00Z").unwrap(),
        };
        source.read(&Calendar::parse_month("2026-11").unwrap(), shown).await.unwrap()
    }
}

const OPUS: &str = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1";

/// Two people in November, and one of them in October.
async fn november() -> World {
    let world = World::new();
    world.name("alice", Some("Engineering"), Some("search")).await;
    world.count("1", "alice", OPUS, "2026-10-31T22:30:00Z", 4).await;
    world.count("2", "alice", OPUS, "2026-10-31T23:30:00Z", 10).await;
    world.count("3", "alice", OPUS, "2026-11-30T22:59:59Z", 30).await;
    world.count("4", "bob", "eu.anthropic.claude-haiku-4-5", "2026-11-15T12:00:00Z", 7).await;
    world
}

fn dollars(rows: &[ReportRow]) -> Vec<(&str, u64)> {
    rows.iter().map(|row| (row.label.as_str(), row.usage.cost.0 / MicroUsd::PER_USD)).collect()
}

#[tokio::test]
async fn a_month_is_that_of_the_zone_and_adds_up() {
    let report = november().await.report(PeopleShown::Names).await;
    assert_eq!((report.total.cost.0 / MicroUsd::PER_USD, report.people_count), (47, 2));
    assert_eq!(report.before.map(|before| before.cost.0 / MicroUsd::PER_USD), Some(4));
    assert_eq!(report.days.len(), 30);
    let spent: Vec<(&str, u64)> = dollars(&report.days).into_iter().filter(|(_, spent)| *spent > 0).collect();
    assert_eq!(spent, [("2026-11-01", 10), ("2026-11-15", 7), ("2026-11-30", 30)]);
    assert!(report.has_all_days && report.is_complete);
    assert_eq!(dollars(&report.departments), [("Engineering", 40), (UNKNOWN, 7)]);
    assert_eq!(dollars(&report.teams), [("search", 40), (UNKNOWN, 7)]);
    assert_eq!(
        dollars(&report.models),
        [("eu.anthropic.claude-opus-4-6-v1", 40), ("eu.anthropic.claude-haiku-4-5", 7)]
    );
    assert_eq!(dollars(&report.people), [("alice", 40), ("bob", 7)]);
}

#[tokio::test]
async fn people_are_shown_as_the_reader_may_see_them() {
    let world = november().await;
    world.limit(Period::Day, 10, Action::Warn).await;
    let report = world.report(PeopleShown::Pseudonyms).await;
    assert_eq!(dollars(&report.people), [("Person 1", 40), ("Person 2", 7)]);
    assert_eq!(report.limits[0].person, "Person 1");
    let report = world.report(PeopleShown::None).await;
    assert_eq!((report.people.len(), report.limits.len(), report.limited_count), (0, 0, 1));
    for shown in [PeopleShown::None, PeopleShown::Pseudonyms] {
        let page = render_page(&world.report(shown).await);
        assert!(!page.contains("alice") && !page.contains("bob"));
    }
}

#[tokio::test]
async fn reached_limits_are_counted_by_day_and_month() {
    let world = november().await;
    world.limit(Period::Day, 10, Action::Warn).await;
    world.limit(Period::Month, 40, Action::Block).await;
    world.limit(Period::Hour, 1, Action::Block).await;
    let report = world.report(PeopleShown::Names).await;
    let reached: Vec<_> = report.limits.iter().map(|it| (it.person.as_str(), it.period, it.action, it.times)).collect();
    assert_eq!(reached, [("alice", Period::Month, Action::Block, 1), ("alice", Period::Day, Action::Warn, 2)]);
    assert_eq!(report.limited_count, 1);
}

#[tokio::test]
async fn a_month_without_usage_is_empty() {
    let report = World::new().report(PeopleShown::Names).await;
    assert_eq!((report.people_count, report.before, report.has_all_days), (0, None, true));
    assert!(render_page(&report).contains("<strong>0.00</strong>"));
}
