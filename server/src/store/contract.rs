//! The tests of the promises of [`Store`]. Each store passes all of them.
//!
//! A test uses names of its own, because a store may contain what other tests have written: a table of DynamoDB costs
//! seconds to create.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bedrock_sso::time::Timestamp;
use proptest::{
    collection::vec,
    prelude::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::{runtime::Handle, task::JoinSet};

use super::{CountOutcome, CountedCall, Faults, OverLimitMark, PersonRecord, Store};
use crate::{
    calendar::{Calendar, Period, PeriodKey},
    limits::{Action, Amount, Block, Grant, Limit, Scope},
    person::Person,
    usage::{AccountModel, MicroUsd, ModelUsage, TokenCounts, Usage},
};

/// Turns the functions below into tests. The expression opens a store: a pair of it and of what must outlive it.
macro_rules! contract_tests {
    ($open:expr $(, $attribute:meta)?) => {
        contract_tests! {
            @each $open, [$($attribute)?]
            calls_are_summed_by_person_period_and_model
            accounts_are_counted_separately
            a_repeated_id_changes_nothing
            a_call_without_usage_leaves_its_id_only
            a_large_batch_is_counted_in_order
            sums_stop_at_the_largest_number
            order_repetition_and_batches_do_not_change_sums
            sixteen_writers_give_exact_sums
            usage_is_listed_by_month
            an_account_has_the_limits_of_person_groups_and_default
            a_limit_replaces_the_one_with_its_key
            limits_are_listed_by_key
            the_latest_token_wins
            people_are_listed_by_name
            grants_add_up_until_they_end
            grants_of_one_person_are_removed
            a_block_replaces_the_earlier_one
            one_of_eight_claims_a_notice
            limits_of_models_are_listed_without_the_others
            a_mark_holds_until_its_latest_end
            a_mark_that_was_renewed_is_not_removed
            marks_of_many_writers_end_as_the_latest
            one_of_eight_acquires_a_lease
            a_lease_ends_or_is_given_back
            faults_are_summed_by_name
            what_is_young_does_not_expire
            a_store_answers_the_check
        }
    };
    (@each $open:expr, [$($attribute:meta)?]) => {};
    (@each $open:expr, [$($attribute:meta)?] $name:ident $($rest:ident)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        $(#[$attribute])?
        async fn $name() {
            let (store, _guard) = $open;
            $crate::store::contract::$name(store).await;
        }
        contract_tests! { @each $open, [$($attribute)?] $($rest)* }
    };
}
pub(super) use contract_tests;

/// What a test builds its calls from. All of them were made in the minutes after this moment.
pub(super) const START: Timestamp = Timestamp::from_unix(1_796_040_000); // 2026-11-30T12:00:00Z

const OPUS: &str = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-5";
const HAIKU: &str = "anthropic.claude-haiku-5";

pub(super) fn person(name: &str) -> Person {
    Person::parse(name).unwrap()
}

pub(super) fn after(seconds: u64) -> Timestamp {
    START.saturating_add(Duration::from_secs(seconds))
}

pub(super) fn days_before(days: i64) -> Timestamp {
    Timestamp::from_unix(START.unix_seconds() - days * 24 * 3600)
}

pub(super) fn periods(time: Timestamp) -> Vec<PeriodKey> {
    Period::ALL.map(|period| Calendar::utc().key_of(period, time)).into()
}

/// A usage whose five numbers differ, so that none can be taken for another.
pub(super) fn usage(factor: u64) -> Usage {
    let tokens = TokenCounts { input: factor, output: 2 * factor, cache_read: 3 * factor, cache_write: 5 * factor };
    Usage { tokens, cost: MicroUsd(7 * factor) }
}

pub(super) fn call(id: &str, name: &str, model: &str, time: Timestamp, factor: u64) -> CountedCall {
    CountedCall {
        request_id: id.to_owned(),
        person: person(name),
        target: target(model),
        periods: periods(time),
        usage: usage(factor),
        remember_until: time.saturating_add(Duration::from_secs(40 * 24 * 3600)),
    }
}

fn target(model: &str) -> AccountModel {
    AccountModel { account: "123456789012".to_owned(), model: model.to_owned() }
}

fn by_model<const N: usize>(entries: [(&str, u64); N]) -> ModelUsage {
    ModelUsage(entries.map(|(model, factor)| (target(model), usage(factor))).into())
}

async fn usage_of(store: &dyn Store, name: &str, time: Timestamp) -> Vec<ModelUsage> {
    store.load_account(&person(name), &periods(time)).await.unwrap().usage
}

pub(super) async fn calls_are_summed_by_person_period_and_model(store: Arc<dyn Store>) {
    let (first, second) = ("sum-1@example.com", "sum-1@example.com,x");
    let calls = [
        call("sum-a", first, OPUS, START, 1),
        call("sum-b", first, OPUS, after(60), 10),
        call("sum-c", first, HAIKU, after(3600), 100),
        call("sum-d", second, OPUS, START, 1000),
    ];
    assert_eq!(store.count(&calls).await.unwrap(), [CountOutcome::Counted; 4]);
    let both = by_model([(OPUS, 11), (HAIKU, 100)]);
    assert_eq!(usage_of(&*store, first, START).await, [by_model([(OPUS, 11)]), both.clone(), both.clone()]);
    assert_eq!(usage_of(&*store, second, START).await, [(); 3].map(|()| by_model([(OPUS, 1000)])));
    // Usage has the order of the question, whatever was used.
    let [mut hour, day, month] = Period::ALL.map(|period| Calendar::utc().key_of(period, START));
    let asked = [month.clone(), hour.clone(), day];
    let account = store.load_account(&person(first), &asked).await.unwrap();
    assert_eq!(account.usage, [both.clone(), by_model([(OPUS, 11)]), both]);
    hour.text = "2026-11-30T12+05:30".to_owned();
    let account = store.load_account(&person(first), &[hour, month]).await.unwrap();
    assert_eq!(account.usage[0], ModelUsage::default());
}

pub(super) async fn accounts_are_counted_separately(store: Arc<dyn Store>) {
    let name = "accounts@example.com";
    let other = AccountModel { account: "210987654321".to_owned(), ..target(OPUS) };
    let calls = [
        call("accounts-a", name, OPUS, START, 1),
        CountedCall { target: other.clone(), ..call("accounts-b", name, OPUS, START, 10) },
        CountedCall { target: other.clone(), ..call("accounts-c", name, OPUS, START, 100) },
    ];
    store.count(&calls).await.unwrap();
    let expected = ModelUsage([(target(OPUS), usage(1)), (other, usage(110))].into());
    assert_eq!(usage_of(&*store, name, START).await, [(); 3].map(|()| expected.clone()));
}

pub(super) async fn a_repeated_id_changes_nothing(store: Arc<dyn Store>) {
    let name = "repeated@example.com";
    let first = call("repeated-a", name, OPUS, START, 1);
    let other = call("repeated-a", "somebody-else", HAIKU, after(7200), 1000);
    let second = call("repeated-b", name, OPUS, START, 20);
    use CountOutcome::{Counted, Repeated};
    assert_eq!(
        store.count(&[first.clone(), other.clone(), first.clone()]).await.unwrap(),
        [Counted, Repeated, Repeated]
    );
    assert_eq!(store.count(&[first.clone(), second.clone(), other]).await.unwrap(), [Repeated, Counted, Repeated]);
    assert_eq!(store.count(&[second, first]).await.unwrap(), [Repeated, Repeated]);
    assert_eq!(usage_of(&*store, name, START).await, [(); 3].map(|()| by_model([(OPUS, 21)])));
    assert_eq!(usage_of(&*store, "somebody-else", after(7200)).await, [(); 3].map(|()| ModelUsage::default()));
}

/// A person who may call models can name as many as they like in calls that fail.
pub(super) async fn a_call_without_usage_leaves_its_id_only(store: Arc<dyn Store>) {
    // A month that no other test uses.
    let time = Timestamp::from_rfc3339("2032-05-05T00:00:00Z").unwrap();
    let failed = |number: usize| CountedCall {
        usage: Usage::default(),
        ..call(&format!("failed-{number}"), "failing", &format!("no-such-model-{number}"), time, 0)
    };
    let calls: Vec<CountedCall> = (0..150).map(failed).collect();
    assert_eq!(store.count(&calls).await.unwrap(), [CountOutcome::Counted; 150]);
    assert_eq!(store.count(&calls).await.unwrap(), [CountOutcome::Repeated; 150]);
    assert_eq!(usage_of(&*store, "failing", time).await, [(); 3].map(|()| ModelUsage::default()));
    assert_eq!(store.list_usage(&Calendar::utc().key_of(Period::Month, time)).await.unwrap(), []);
    // Beside a call that has used something.
    let both = [failed(150), call("failed-none", "failing", OPUS, time, 1)];
    assert_eq!(store.count(&both).await.unwrap(), [CountOutcome::Counted; 2]);
    assert_eq!(usage_of(&*store, "failing", time).await, [(); 3].map(|()| by_model([(OPUS, 1)])));
}

/// More calls than one transaction of DynamoDB has room for, of several people in turn.
pub(super) async fn a_large_batch_is_counted_in_order(store: Arc<dyn Store>) {
    let names = ["large-0", "large-1", "large-2"];
    let batch = |numbers: std::ops::Range<usize>| -> Vec<CountedCall> {
        numbers.map(|number| call(&format!("large-{number}"), names[number % 3], OPUS, START, 1)).collect()
    };
    assert_eq!(store.count(&[]).await.unwrap(), []);
    assert_eq!(store.count(&batch(0..450)).await.unwrap(), [CountOutcome::Counted; 450]);
    let mut expected = vec![CountOutcome::Repeated; 150];
    expected.extend([CountOutcome::Counted; 300]);
    assert_eq!(store.count(&batch(300..750)).await.unwrap(), expected);
    for name in names {
        assert_eq!(usage_of(&*store, name, START).await, [(); 3].map(|()| by_model([(OPUS, 250)])), "{name}");
    }
}

pub(super) async fn sums_stop_at_the_largest_number(store: Arc<dyn Store>) {
    let largest = |id: &str| CountedCall {
        usage: Usage {
            tokens: TokenCounts { input: u64::MAX, output: 1, cache_read: u64::MAX, cache_write: u64::MAX },
            cost: MicroUsd(u64::MAX),
        },
        ..call(id, "saturated", OPUS, START, 0)
    };
    store.count(&[largest("saturated-1")]).await.unwrap();
    store.count(&[largest("saturated-2"), largest("saturated-3")]).await.unwrap();
    for usage in usage_of(&*store, "saturated", START).await {
        let Usage { tokens, cost } = usage.total();
        assert_eq!(tokens, TokenCounts { input: u64::MAX, output: 3, cache_read: u64::MAX, cache_write: u64::MAX });
        assert_eq!(cost, MicroUsd(u64::MAX));
    }
}

/// Batches of calls, by number, and how many writers take turns with them.
#[derive(Clone, Debug)]
struct Deliveries {
    batches: Vec<Vec<usize>>,
    writers: usize,
}

pub(super) async fn order_repetition_and_batches_do_not_change_sums(store: Arc<dyn Store>) {
    let cases = AtomicUsize::new(0);
    let strategy = (vec(vec(0..40_usize, 0..30), 1..12), 1..5_usize)
        .prop_map(|(batches, writers)| Deliveries { batches, writers });
    let configuration = Config { cases: 16, failure_persistence: None, ..Config::default() };
    let handle = Handle::current();
    let result = tokio::task::block_in_place(|| {
        TestRunner::new(configuration).run(&strategy, |deliveries| {
            let case = cases.fetch_add(1, Ordering::Relaxed);
            handle.block_on(check_deliveries(&store, case, deliveries)).map_err(TestCaseError::fail)
        })
    });
    result.unwrap();
}

async fn check_deliveries(store: &Arc<dyn Store>, case: usize, deliveries: Deliveries) -> Result<(), String> {
    // Case and number determine a call, so that repetitions are equal.
    let numbered = move |number: usize| {
        let name = format!("order-{case}-{}", number % 3);
        let model = if number.is_multiple_of(2) { OPUS } else { HAIKU };
        let number = u64::try_from(number).unwrap();
        call(&format!("order-{case}-{number}"), &name, model, after(900 * number), 10 + number)
    };
    let mut writers = JoinSet::new();
    let mut expected = BTreeMap::<(Person, PeriodKey), ModelUsage>::new();
    let distinct: BTreeSet<usize> = deliveries.batches.iter().flatten().copied().collect();
    for call in distinct.iter().copied().map(numbered) {
        for period in call.periods {
            expected.entry((call.person.clone(), period)).or_default().add(&call.target, call.usage);
        }
    }
    for writer in 0..deliveries.writers {
        let batches: Vec<Vec<CountedCall>> = deliveries
            .batches
            .iter()
            .skip(writer)
            .step_by(deliveries.writers)
            .map(|batch| batch.iter().copied().map(numbered).collect())
            .collect();
        let store = Arc::clone(store);
        writers.spawn(async move {
            let mut counted = 0;
            for batch in batches {
                let outcomes = store.count(&batch).await.unwrap();
                counted += outcomes.iter().filter(|outcome| **outcome == CountOutcome::Counted).count();
            }
            counted
        });
    }
    let counted: usize = writers.join_all().await.into_iter().sum();
    if counted != distinct.len() {
        return Err(format!("{counted} calls were counted, but {} are distinct", distinct.len()));
    }
    for ((person, period), expected) in expected {
        let account = store.load_account(&person, std::slice::from_ref(&period)).await.unwrap();
        if account.usage != [expected.clone()] {
            return Err(format!("{person} in {period}: {:?} instead of {expected:?}", account.usage));
        }
    }
    Ok(())
}

pub(super) async fn sixteen_writers_give_exact_sums(store: Arc<dyn Store>) {
    const WRITERS: usize = 16;
    const CALLS: usize = 1000;
    let numbered = |number: usize| {
        let number = number % (WRITERS * CALLS);
        call(&format!("sixteen-{number}"), &format!("sixteen-{}", number % 4), HAIKU, START, 1)
    };
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        // A thousand of its own, and half of the next writer's.
        let calls: Vec<_> = (writer * CALLS..(writer + 1) * CALLS + CALLS / 2).map(numbered).collect();
        writers.spawn(async move {
            let mut counted = 0;
            for batch in calls.chunks(50 + writer) {
                let outcomes = store.count(batch).await.unwrap();
                counted += outcomes.iter().filter(|outcome| **outcome == CountOutcome::Counted).count();
            }
            counted
        });
    }
    assert_eq!(writers.join_all().await.into_iter().sum::<usize>(), WRITERS * CALLS);
    for number in 0..4 {
        let usage = usage_of(&*store, &format!("sixteen-{number}"), START).await;
        assert_eq!(usage, [(); 3].map(|()| by_model([(HAIKU, 4000)])));
    }
}

pub(super) async fn usage_is_listed_by_month(store: Arc<dyn Store>) {
    // A month that no other test uses, between two others.
    let [before, within, behind] = ["2031-01-31T23:59:59Z", "2031-02-01T00:00:00Z", "2031-03-01T00:00:00Z"]
        .map(|time| Timestamp::from_rfc3339(time).unwrap());
    let calls = [
        call("listed-a", "zoe", OPUS, within, 1),
        call("listed-b", "adam", HAIKU, within, 2),
        call("listed-c", "adam", OPUS, within, 3),
        call("listed-d", "adam", OPUS, before, 100),
        call("listed-e", "adam,", OPUS, within, 4),
        call("listed-f", "eve", OPUS, behind, 100),
    ];
    store.count(&calls).await.unwrap();
    let month = Calendar::utc().key_of(Period::Month, within);
    assert_eq!(
        store.list_usage(&month).await.unwrap(),
        [
            (person("adam"), by_model([(OPUS, 3), (HAIKU, 2)])),
            (person("adam,"), by_model([(OPUS, 4)])),
            (person("zoe"), by_model([(OPUS, 1)])),
        ]
    );
    let empty = PeriodKey { period: Period::Month, text: "2031-04".to_owned() };
    assert_eq!(store.list_usage(&empty).await.unwrap(), []);
}

fn limit(scope: Scope, model: Option<&str>, period: Period, amount: Amount) -> Limit {
    Limit { scope, model: model.map(str::to_owned), period, amount, action: Action::Block }
}

fn group(name: &str) -> Scope {
    Scope::Group(name.to_owned())
}

fn record<const N: usize>(groups: [&str; N], issued: Timestamp) -> PersonRecord {
    PersonRecord {
        issuer: "https://acme.okta.com".to_owned(),
        subject: "00u1".to_owned(),
        groups: groups.map(str::to_owned).into(),
        department: None,
        team: None,
        token_issued_at: issued,
    }
}

pub(super) async fn an_account_has_the_limits_of_person_groups_and_default(store: Arc<dyn Store>) {
    let member = person("account-member");
    let tokens = Amount::Tokens(1);
    let own = limit(Scope::Person(member.clone()), None, Period::Day, tokens);
    let of_groups = ["account/#1 ä", "account-2"].map(|name| limit(group(name), None, Period::Hour, tokens));
    let default = limit(Scope::Default, Some("account-*"), Period::Month, tokens);
    let foreign = [
        limit(Scope::Person(person("account-member2")), None, Period::Day, tokens),
        limit(group("account/#1"), None, Period::Day, tokens),
        limit(group("account-member"), None, Period::Day, tokens),
        limit(group("account-20"), None, Period::Day, tokens),
    ];
    for limit in [&own, &default].into_iter().chain(&of_groups).chain(&foreign) {
        store.set_limit(limit).await.unwrap();
    }
    let limits = async || -> BTreeSet<String> {
        let account = store.load_account(&member, &[]).await.unwrap();
        let limits = account
            .limits
            .iter()
            .filter(|limit| limit.scope != Scope::Default || limit.model.as_deref() == Some("account-*"));
        limits.map(|limit| format!("{limit:?}")).collect()
    };
    let expected =
        |limits: &[&Limit]| -> BTreeSet<String> { limits.iter().map(|limit| format!("{limit:?}")).collect() };
    // Groups are known from a token only.
    assert_eq!(limits().await, expected(&[&own, &default]));
    assert_eq!(store.load_account(&member, &[]).await.unwrap().record, None);
    let record = record(["account/#1 ä", "account-2", "without-limits"], START);
    store.save_person(&member, &record).await.unwrap();
    assert_eq!(limits().await, expected(&[&own, &default, &of_groups[0], &of_groups[1]]));
    let account = store.load_account(&member, &[]).await.unwrap();
    assert_eq!((account.record, account.grants, account.block), (Some(record), vec![], None));
}

pub(super) async fn a_limit_replaces_the_one_with_its_key(store: Arc<dyn Store>) {
    let scope = Scope::Person(person("limited"));
    let first = limit(scope.clone(), None, Period::Day, Amount::Tokens(5));
    let replaced = Limit { amount: Amount::Tokens(0), action: Action::Warn, ..first.clone() };
    let others = [
        limit(scope.clone(), None, Period::Day, Amount::Usd(MicroUsd(5))),
        limit(scope.clone(), None, Period::Hour, Amount::Tokens(5)),
        limit(scope.clone(), Some("*opus*"), Period::Day, Amount::Tokens(5)),
    ];
    for limit in [&first, &others[0], &others[1], &others[2], &replaced] {
        store.set_limit(limit).await.unwrap();
    }
    let stored = store.list_limits(Some(&scope)).await.unwrap();
    assert_eq!(stored.len(), 4);
    assert!(stored.contains(&replaced) && !stored.contains(&first));
    assert!(others.iter().all(|limit| stored.contains(limit)));
    let absent = limit(scope.clone(), Some("*haiku*"), Period::Day, Amount::Tokens(5));
    let removed = [replaced.key(), absent.key(), others[2].key()];
    assert_eq!(store.remove_limits(&removed).await.unwrap(), 2);
    assert_eq!(store.remove_limits(&removed).await.unwrap(), 0);
    assert_eq!(store.list_limits(Some(&scope)).await.unwrap(), [others[1].clone(), others[0].clone()]);
}

pub(super) async fn limits_are_listed_by_key(store: Arc<dyn Store>) {
    let names = ["b", "a", "ab"].map(|end| Scope::Person(person(&format!("listed-{end}"))));
    let amount = Amount::Tokens(1);
    let mut limits: Vec<Limit> = names
        .into_iter()
        .chain([group("listed-a"), group("listed-b")])
        .flat_map(|scope| {
            [
                limit(scope.clone(), None, Period::Month, amount),
                limit(scope.clone(), None, Period::Hour, amount),
                limit(scope, Some("listed-*"), Period::Hour, Amount::Usd(MicroUsd(1))),
            ]
        })
        .chain([limit(Scope::Default, Some("listed-*"), Period::Hour, amount)])
        .collect();
    for limit in &limits {
        store.set_limit(limit).await.unwrap();
    }
    limits.sort_by_key(Limit::key);
    let is_ours = |limit: &Limit| match &limit.scope {
        Scope::Person(person) => person.as_str().starts_with("listed-"),
        Scope::Group(group) => group.starts_with("listed-"),
        Scope::Default => limit.model.as_deref() == Some("listed-*"),
    };
    let mut listed = store.list_limits(None).await.unwrap();
    assert!(listed.is_sorted_by_key(Limit::key));
    listed.retain(is_ours);
    assert_eq!(listed, limits);
    // Neither what else is stored about the person, nor the limits of another whose name begins with this one.
    let first = person("listed-a");
    store.save_person(&first, &record(["listed-b"], START)).await.unwrap();
    let of_person = store.list_limits(Some(&Scope::Person(first.clone()))).await.unwrap();
    limits.retain(|limit| limit.scope == Scope::Person(first.clone()));
    assert_eq!(of_person, limits);
    let of_group = store.list_limits(Some(&group("listed-a"))).await.unwrap();
    assert_eq!(of_group.len(), 3);
    assert!(of_group.is_sorted_by_key(Limit::key));
}

pub(super) async fn the_latest_token_wins(store: Arc<dyn Store>) {
    let name = person("token-owner");
    let stored = async || store.load_account(&name, &[]).await.unwrap().record.unwrap();
    let second = record(["second"], after(2));
    store.save_person(&name, &second).await.unwrap();
    store.save_person(&name, &record(["first"], after(1))).await.unwrap();
    assert_eq!(stored().await, second);
    let third = PersonRecord { department: Some("Research".to_owned()), ..record([], after(3)) };
    store.save_person(&name, &third).await.unwrap();
    assert_eq!(stored().await, third);
    // In the same second, the token that arrives last.
    let fourth = record(["fourth"], after(3));
    store.save_person(&name, &fourth).await.unwrap();
    assert_eq!(stored().await, fourth);
    let mut savers = JoinSet::new();
    for number in 0..8 {
        let (store, name) = (Arc::clone(&store), name.clone());
        savers.spawn(async move {
            let group = number.to_string();
            store.save_person(&name, &record([group.as_str()], after(10 + number * 3 % 8))).await.unwrap();
        });
    }
    savers.join_all().await;
    // 5 * 3 % 8 is 7, the largest of all.
    assert_eq!(stored().await, record(["5"], after(17)));
}

pub(super) async fn people_are_listed_by_name(store: Arc<dyn Store>) {
    for name in ["people-c", "people-a,b", "people-a"] {
        store.save_person(&person(name), &record([name], START)).await.unwrap();
    }
    // Usage alone says nothing about who the person is.
    store.count(&[call("people-x", "people-b", OPUS, START, 1)]).await.unwrap();
    let mut listed = store.list_people().await.unwrap();
    listed.retain(|(person, _)| person.as_str().starts_with("people-"));
    let expected = ["people-a", "people-a,b", "people-c"].map(|name| (person(name), record([name], START)));
    assert_eq!(listed, expected);
}

pub(super) async fn grants_add_up_until_they_end(store: Arc<dyn Store>) {
    let grant = |name: &str, until: u64, reason: &str| Grant {
        person: person(name),
        since: START,
        until: after(until),
        amount: Some(Amount::Tokens(5)),
        reason: reason.to_owned(),
    };
    let grants = [
        grant("granted-b", 100, "release"),
        grant("granted-b", 50, "trial"),
        grant("granted-a", 60, ""),
        Grant { amount: None, ..grant("granted-a,b", 60, "any \"text\"\n/#") },
    ];
    for grant in &grants {
        store.add_grant(grant).await.unwrap();
    }
    // A command that is repeated after a lost answer must not grant twice as much.
    store.add_grant(&grants[0]).await.unwrap();
    let mut account = store.load_account(&person("granted-b"), &[]).await.unwrap();
    account.grants.sort_by_key(|grant| grant.until);
    assert_eq!(account.grants, [grants[1].clone(), grants[0].clone()]);
    let listed = async |time| -> Vec<Grant> {
        let mut listed = store.list_grants(time).await.unwrap();
        assert!(listed.is_sorted_by(|one, next| one.person <= next.person));
        listed.retain(|grant| grant.person.as_str().starts_with("granted-"));
        listed
    };
    let mut at_start = listed(START).await;
    at_start.sort_by(|one, next| (&one.person, one.until).cmp(&(&next.person, next.until)));
    assert_eq!(at_start, [&grants[2], &grants[3], &grants[1], &grants[0]].map(Clone::clone));
    assert_eq!(listed(after(60)).await, [grants[0].clone()]);
    assert_eq!(listed(after(100)).await, []);
}

pub(super) async fn grants_of_one_person_are_removed(store: Arc<dyn Store>) {
    let grant = |name: &str, until: u64| Grant {
        person: person(name),
        since: START,
        until: after(until),
        amount: None,
        reason: "~ \u{10ffff}".to_owned(),
    };
    let [first, second] = [grant("revoked", 10), grant("revoked", 20)];
    let others = ["revoke", "revoked,", "revoked-b"].map(|name| grant(name, 20));
    for grant in [&first, &second].into_iter().chain(&others) {
        store.add_grant(grant).await.unwrap();
    }
    let mut removed = store.remove_grants(&person("revoked")).await.unwrap();
    removed.sort_by_key(|grant| grant.until);
    assert_eq!(removed, [first, second]);
    assert_eq!(store.remove_grants(&person("revoked")).await.unwrap(), []);
    assert_eq!(store.load_account(&person("revoked"), &[]).await.unwrap().grants, []);
    let listed = store.list_grants(START).await.unwrap();
    assert!(others.iter().all(|other| listed.contains(other)), "{listed:?}");
}

pub(super) async fn a_block_replaces_the_earlier_one(store: Arc<dyn Store>) {
    let block = |name: &str, until: Option<u64>| Block {
        person: person(name),
        since: START,
        until: until.map(after),
        reason: Some("lost laptop".to_owned()),
    };
    let forever = block("blocked-b", None);
    for block in [&block("blocked-b", Some(10)), &forever, &block("blocked-a", Some(20))] {
        store.set_block(block).await.unwrap();
    }
    let listed = async |time| -> Vec<Block> {
        let mut listed = store.list_blocks(time).await.unwrap();
        listed.retain(|block| block.person.as_str().starts_with("blocked-"));
        listed
    };
    assert_eq!(listed(START).await, [block("blocked-a", Some(20)), forever.clone()]);
    assert_eq!(listed(after(20)).await, std::slice::from_ref(&forever));
    let name = person("blocked-b");
    assert_eq!(store.load_account(&name, &[]).await.unwrap().block, Some(forever));
    assert!(store.remove_block(&name).await.unwrap());
    assert!(!store.remove_block(&name).await.unwrap());
    assert_eq!(store.load_account(&name, &[]).await.unwrap().block, None);
    assert_eq!(listed(START).await, [block("blocked-a", Some(20))]);
}

pub(super) async fn one_of_eight_claims_a_notice(store: Arc<dyn Store>) {
    for name in ["notice/alice/2026-11/80", "notice/alice/2026-11/100"] {
        let mut claims = JoinSet::new();
        for _ in 0..8 {
            let store = Arc::clone(&store);
            claims.spawn(async move { store.claim_notice(name, after(3600)).await.unwrap() });
        }
        let granted = claims.join_all().await.into_iter().filter(|granted| *granted).count();
        assert_eq!(granted, 1, "{name}");
    }
}

pub(super) async fn limits_of_models_are_listed_without_the_others(store: Arc<dyn Store>) {
    let owner = Scope::Person(person("model-owner"));
    let amount = Amount::Tokens(0);
    let models = [
        limit(owner.clone(), Some("models-a*"), Period::Day, amount),
        limit(owner.clone(), Some("models-b*"), Period::Month, Amount::Usd(MicroUsd(5))),
        limit(group("models"), Some("models-a*"), Period::Day, amount),
        limit(Scope::Default, Some("models-a*"), Period::Hour, amount),
    ];
    let others = [limit(owner.clone(), None, Period::Day, amount), limit(group("models"), None, Period::Day, amount)];
    for limit in models.iter().chain(&others) {
        store.set_limit(limit).await.unwrap();
    }
    let listed = async || -> Vec<Limit> {
        let mut listed = store.list_model_limits().await.unwrap();
        assert!(listed.is_sorted_by_key(Limit::key));
        listed.retain(|limit| limit.model.as_deref().is_some_and(|model| model.starts_with("models-")));
        listed
    };
    assert_eq!(listed().await, models);
    let raised = Limit { amount: Amount::Tokens(7), ..models[0].clone() };
    store.set_limit(&raised).await.unwrap();
    assert_eq!(listed().await[0], raised);
    assert_eq!(store.remove_limits(&[models[0].key(), models[3].key(), others[0].key()]).await.unwrap(), 3);
    assert_eq!(listed().await, models[1..3]);
}

async fn marks_of(store: &dyn Store, prefix: &str, now: Timestamp) -> Vec<OverLimitMark> {
    let mut marks = store.list_over_limit(now).await.unwrap();
    assert!(marks.is_sorted_by(|one, next| one.person < next.person));
    marks.retain(|mark| mark.person.as_str().starts_with(prefix));
    marks
}

pub(super) async fn a_mark_holds_until_its_latest_end(store: Arc<dyn Store>) {
    for (name, until) in [("marked-b", 50), ("marked-a", 20), ("marked-b", 100), ("marked-b", 60), ("marked-a,b", 20)] {
        store.mark_over_limit(&person(name), after(until)).await.unwrap();
    }
    let listed = async |now| -> Vec<(String, Timestamp)> {
        let marks = marks_of(&*store, "marked-", now).await.into_iter();
        marks.map(|mark| (mark.person.to_string(), mark.until)).collect()
    };
    let b = ("marked-b".to_owned(), after(100));
    let ended = [("marked-a".to_owned(), after(20)), ("marked-a,b".to_owned(), after(20))];
    assert_eq!(listed(after(19)).await, [&ended[..], std::slice::from_ref(&b)].concat());
    assert_eq!(listed(after(20)).await, [b]);
    assert_eq!(listed(after(100)).await, []);
}

pub(super) async fn a_mark_that_was_renewed_is_not_removed(store: Arc<dyn Store>) {
    let name = person("renewed");
    store.mark_over_limit(&name, after(50)).await.unwrap();
    let [first] = marks_of(&*store, "renewed", START).await.try_into().unwrap();
    // The second mark ends earlier, and still says that the person has reached a limit again.
    store.mark_over_limit(&name, after(10)).await.unwrap();
    assert!(!store.unmark_over_limit(&first).await.unwrap());
    let [second] = marks_of(&*store, "renewed", START).await.try_into().unwrap();
    assert_eq!(second.until, after(50));
    assert!(store.unmark_over_limit(&second).await.unwrap());
    assert!(!store.unmark_over_limit(&second).await.unwrap());
    assert_eq!(marks_of(&*store, "renewed", START).await, []);
    store.mark_over_limit(&name, after(10)).await.unwrap();
    assert!(!store.unmark_over_limit(&second).await.unwrap());
}

pub(super) async fn marks_of_many_writers_end_as_the_latest(store: Arc<dyn Store>) {
    let mut writers = JoinSet::new();
    for number in 0..16 {
        let store = Arc::clone(&store);
        // Four people, each marked by four writers.
        let name = person(&format!("crowd-{}", number % 4));
        writers.spawn(async move { store.mark_over_limit(&name, after(100 + number * 7 % 16)).await.unwrap() });
    }
    writers.join_all().await;
    let ends: Vec<_> = marks_of(&*store, "crowd-", START).await.into_iter().map(|mark| mark.until).collect();
    let latest = |first: u64| (0..4).map(|turn| after(100 + (first + 4 * turn) * 7 % 16)).max().unwrap();
    assert_eq!(ends, [0, 1, 2, 3].map(latest));
}

pub(super) async fn one_of_eight_acquires_a_lease(store: Arc<dyn Store>) {
    for turn in 0..3 {
        let name = format!("contended-{turn}");
        let mut holders = JoinSet::new();
        for number in 0..8 {
            let (store, name) = (Arc::clone(&store), name.clone());
            let holder = format!("holder-{number}");
            holders.spawn(async move { store.acquire_lease(&name, &holder, START, after(60)).await.unwrap() });
        }
        let acquired = holders.join_all().await.into_iter().filter(|acquired| *acquired).count();
        assert_eq!(acquired, 1, "{name}");
    }
}

pub(super) async fn a_lease_ends_or_is_given_back(store: Arc<dyn Store>) {
    let acquire = async |holder: &str, now: u64, until: u64| -> bool {
        store.acquire_lease("lease", holder, after(now), after(until)).await.unwrap()
    };
    assert!(acquire("one", 0, 60).await);
    assert!(!acquire("two", 59, 120).await);
    // The holder extends it.
    assert!(acquire("one", 59, 90).await);
    assert!(!acquire("two", 60, 120).await);
    assert!(acquire("two", 90, 120).await);
    // It belongs to another one now.
    store.release_lease("lease", "one").await.unwrap();
    assert!(!acquire("one", 91, 120).await);
    store.release_lease("lease", "two").await.unwrap();
    store.release_lease("lease", "two").await.unwrap();
    assert!(acquire("one", 92, 120).await);
    assert!(store.acquire_lease("another", "two", after(92), after(120)).await.unwrap());
}

pub(super) async fn faults_are_summed_by_name(store: Arc<dyn Store>) {
    let counts = |entries: &[(&str, u64)]| entries.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let faults =
        |rejected, models| Faults { rejected: counts(rejected), unknown_models: counts(models), ..Faults::default() };
    assert_eq!(store.load_faults().await.unwrap(), Faults::default());
    store.add_faults(&faults(&[("schema", 1), ("future", 2)], &[])).await.unwrap();
    store.add_faults(&faults(&[("schema", 10)], &[("schema", 100), (OPUS, u64::MAX)])).await.unwrap();
    store.add_faults(&Faults::default()).await.unwrap();
    store.add_faults(&faults(&[], &[(OPUS, 1)])).await.unwrap();
    let names = Faults {
        no_verified_token: counts(&[("alice", 1)]),
        two_subjects: counts(&[("alice", 2), ("bob", 3)]),
        missing_groups: counts(&[("carl", 4)]),
        ..Faults::default()
    };
    store.add_faults(&names).await.unwrap();
    let expected = Faults {
        rejected: counts(&[("schema", 11), ("future", 2)]),
        unknown_models: counts(&[("schema", 100), (OPUS, u64::MAX)]),
        ..names
    };
    assert_eq!(store.load_faults().await.unwrap(), expected);
}

/// What must stay. When the rest goes is up to the store: DynamoDB deletes it within days.
pub(super) async fn what_is_young_does_not_expire(store: Arc<dyn Store>) {
    let name = "young@example.com";
    let (recent, old) = (days_before(2), days_before(69));
    let calls = [call("young-1", name, OPUS, recent, 1), call("young-2", name, OPUS, old, 10)];
    let mut calls = calls.to_vec();
    for call in &mut calls {
        call.remember_until = after(3600);
    }
    store.count(&calls).await.unwrap();
    assert!(store.claim_notice("young", after(3600)).await.unwrap());
    store.mark_over_limit(&person(name), after(3600)).await.unwrap();
    assert!(store.acquire_lease("young", "holder", START, after(3600)).await.unwrap());
    store.remove_expired(START).await.unwrap();
    assert_eq!(store.count(&calls).await.unwrap(), [CountOutcome::Repeated; 2]);
    assert!(!store.claim_notice("young", after(3600)).await.unwrap());
    assert_eq!(marks_of(&*store, name, START).await.len(), 1);
    assert!(!store.acquire_lease("young", "other", START, after(3600)).await.unwrap());
    assert_eq!(usage_of(&*store, name, recent).await, [(); 3].map(|()| by_model([(OPUS, 1)])));
    assert_eq!(usage_of(&*store, name, old).await[1..], [by_model([(OPUS, 10)]), by_model([(OPUS, 10)])]);
}

pub(super) async fn a_store_answers_the_check(store: Arc<dyn Store>) {
    store.check().await.unwrap();
}
