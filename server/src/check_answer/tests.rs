//! Golden answers of `GET /check` and `GET /me`, one for each reason.

use bedrock_sso::quota::QuotaUsage;
use serde_json::Value;

use super::*;
use crate::{
    config::GroupRule,
    limits::Limit,
    me_answer::MeAnswer,
    standing::evaluate,
    store::Account,
    usage::{AccountModel, ModelUsage, TokenCounts},
};

const NOW: &str = "2026-11-15T12:30:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::from_rfc3339(text).unwrap()
}

fn alice() -> Person {
    Person::parse("alice@example.com").unwrap()
}

/// Usage of this many tokens, and nine from the cache, at this cost.
fn usage(tokens: u64, cost: &str) -> Usage {
    let Ok(Amount::Usd(cost)) = cost.parse() else { panic!("{cost}") };
    let tokens = TokenCounts { input: tokens / 2, output: tokens - tokens / 2, cache_read: 9, cache_write: 0 };
    Usage { tokens, cost }
}

/// An account with this usage in the hour, on the day and in the month.
fn account(used: [Usage; 3], limits: &[(Scope, Option<&str>, Period, &str, Action)]) -> Account {
    let model_usage = |usage| {
        let mut models = ModelUsage::default();
        let model = "us.anthropic.claude-opus-5-v1:0".to_owned();
        models.add(&AccountModel { account: "123456789012".to_owned(), model }, usage);
        models
    };
    let limit = |(scope, model, period, amount, action): &(Scope, Option<&str>, Period, &str, Action)| Limit {
        scope: scope.clone(),
        model: model.map(str::to_owned),
        period: *period,
        amount: amount.parse().unwrap(),
        action: *action,
    };
    Account { usage: used.map(model_usage).into(), limits: limits.iter().map(limit).collect(), ..Account::default() }
}

fn typical_usage() -> [Usage; 3] {
    [usage(100, "0.25USD"), usage(5000, "3.10USD"), usage(2_060_000, "52.505USD")]
}

fn calendar() -> Calendar {
    "Europe/Berlin".parse().unwrap()
}

fn standing_of(account: &Account) -> Standing {
    evaluate(account, &calendar(), GroupRule::Strictest, at(NOW)).unwrap()
}

fn answer(account: &Account) -> CheckAnswer {
    let calendar = calendar();
    let context = AnswerContext { calendar: &calendar, contact: Some("it-help@example.com") };
    CheckAnswer::from_standing(&alice(), &standing_of(account), context)
}

fn usage_fields(account: &Account) -> Value {
    serde_json::to_value(answer(account).usage).unwrap()
}

#[track_caller]
fn expect_json(path: &str, document: &impl Serialize) {
    let text = serde_json::to_string_pretty(document).unwrap();
    testworld::expect_file(&format!("server/tests/expected/{path}.json"), &format!("{text}\n"));
}

/// Compares the answer with the golden file of this name, and its message with what a terminal shows of it.
#[track_caller]
fn expect_answer(name: &str, account: &Account) {
    let answer = answer(account);
    expect_json(&format!("check/{name}"), &answer);
    assert_eq!(bedrock_sso::text::sanitize_line(&answer.message), answer.message);
}

fn group(name: &str) -> Scope {
    Scope::Group(name.to_owned())
}

#[test]
fn every_exceeded_limit_has_its_reason() {
    for (reason, period, amount) in [
        ("monthly_exceeded", Period::Month, "2M"),
        ("daily_exceeded", Period::Day, "5k"),
        ("hourly_exceeded", Period::Hour, "100"),
        ("monthly_cost_exceeded", Period::Month, "50USD"),
        ("daily_cost_exceeded", Period::Day, "3.10USD"),
        ("hourly_cost_exceeded", Period::Hour, "0.1USD"),
    ] {
        let account = account(typical_usage(), &[(group("engineering"), None, period, amount, Action::Block)]);
        assert_eq!(answer(&account).reason, reason);
        expect_answer(reason, &account);
    }
}

#[test]
fn other_reasons_have_their_answers() {
    let default_month = |amount| [(Scope::Default, None, Period::Month, amount, Action::Block)];
    expect_answer("no_policy", &account(typical_usage(), &[]));
    expect_answer("within_quota", &account(typical_usage(), &default_month("10M")));
    let mut blocked = account(typical_usage(), &default_month("10M"));
    blocked.block = Some(Block {
        person: alice(),
        since: at("2026-11-14T09:00:00Z"),
        until: Some(at("2026-11-16T08:00:00Z")),
        reason: Some("runaway agent".to_owned()),
    });
    expect_answer("blocked", &blocked);
    let mut unblocked = account(typical_usage(), &default_month("2M"));
    unblocked.grants.push(Grant {
        person: alice(),
        since: at("2026-11-14T09:00:00Z"),
        until: at("2026-11-20T23:00:00Z"),
        amount: Some(Amount::Tokens(500_000)),
        reason: "release week".to_owned(),
    });
    expect_answer("unblocked", &unblocked);
    unblocked.grants.iter_mut().for_each(|grant| grant.amount = None);
    expect_answer("unblocked by a grant of everything", &unblocked);
}

#[test]
fn answers_without_an_end_or_a_contact_say_so() {
    let mut account = account(typical_usage(), &[(Scope::Default, None, Period::Month, "0", Action::Block)]);
    expect_answer("a limit of zero", &account);
    account.block = Some(Block { person: alice(), since: at(NOW), until: None, reason: None });
    expect_answer("blocked for ever", &account);
    let calendar = calendar();
    let context = AnswerContext { calendar: &calendar, contact: None };
    let answer = CheckAnswer::from_standing(&alice(), &standing_of(&account), context);
    assert!(answer.message.ends_with("Ask your administrator."), "{}", answer.message);
}

#[test]
fn missing_identity_names_the_claims() {
    let calendar = calendar();
    let context = AnswerContext { calendar: &calendar, contact: None };
    let claims = ["email", "upn"].map(str::to_owned);
    expect_json("check/missing_identity", &CheckAnswer::missing_identity(&claims, context));
}

#[test]
fn warnings_and_models_are_described() {
    let alerted = account(typical_usage(), &[(Scope::Default, None, Period::Month, "1M", Action::Warn)]);
    expect_answer("a limit that only warns", &alerted);
    let opus = [(Scope::Person(alice()), Some("*claude-opus*"), Period::Month, "50USD", Action::Block)];
    expect_answer("a spent limit of a model", &account(typical_usage(), &opus));
    let ban = [(Scope::Default, Some("*claude-opus*"), Period::Month, "0", Action::Block)];
    expect_answer("a banned model", &account(typical_usage(), &ban));
}

#[test]
fn clients_warn_when_any_limit_is_nearly_spent() {
    let is_almost_spent = |period, amount: &str| {
        let account = account(typical_usage(), &[(Scope::Default, None, period, amount, Action::Block)]);
        assert!(answer(&account).allowed, "{amount}");
        let fields = usage_fields(&account);
        let percent_alone = ["monthly_percent", "daily_percent"]
            .iter()
            .any(|name| fields[name].as_f64().is_some_and(|percent| percent >= 80.0));
        let usage: QuotaUsage = serde_json::from_value(fields).unwrap();
        assert_eq!(usage.is_almost_spent(), percent_alone, "{amount}");
        percent_alone
    };
    assert!(is_almost_spent(Period::Month, "60USD"));
    assert!(is_almost_spent(Period::Day, "3.2USD"));
    assert!(is_almost_spent(Period::Month, "2.1M"));
    assert!(!is_almost_spent(Period::Month, "600USD"));
    assert!(!is_almost_spent(Period::Day, "5M"));
}

#[test]
fn percent_is_of_the_limit_nearest_to_being_spent() {
    let limits = [
        (Scope::Default, None, Period::Month, "100M", Action::Block),
        (Scope::Default, None, Period::Month, "100USD", Action::Block),
        (Scope::Default, Some("*opus*"), Period::Month, "3M", Action::Block),
        (Scope::Default, Some("*haiku*"), Period::Month, "0", Action::Block),
    ];
    let usage = usage_fields(&account(typical_usage(), &limits));
    // 2,060,000.9 of 3,000,000, rounded down.
    assert_eq!(usage["monthly_percent"], 68.6);
    assert_eq!(usage["monthly_limit"], 100_000_000);
    assert_eq!(usage["monthly_cost_limit"], 100.0);
    assert_eq!(usage.get("daily_percent"), None);
}

#[test]
fn a_limit_that_is_not_reached_never_shows_100_percent() {
    assert_eq!([99.96, 99.99999, 100.0, 103.27].map(floor_percent), [99.9, 99.9, 100.0, 103.2]);
}

#[test]
fn me_answer_lists_the_limits_that_hold() {
    let me = |account: &Account, contact| MeAnswer::new(alice(), &standing_of(account), contact);
    let limits = [
        (Scope::Default, None, Period::Month, "200USD", Action::Block),
        (group("engineering"), None, Period::Day, "5M", Action::Warn),
        (Scope::Person(alice()), None, Period::Hour, "200k", Action::Block),
        (Scope::Default, Some("*claude-opus*"), Period::Month, "20USD", Action::Block),
    ];
    let mut account = account(typical_usage(), &limits);
    expect_json("me/limits", &me(&account, None));
    let grant = |amount: Option<&str>, until| Grant {
        person: alice(),
        since: at("2026-11-01T00:00:00Z"),
        until: at(until),
        amount: amount.map(|amount| amount.parse().unwrap()),
        reason: "release".to_owned(),
    };
    account.grants = vec![
        grant(None, "2026-11-20T00:00:00Z"),
        grant(None, "2026-11-24T00:00:00Z"),
        grant(Some("50USD"), "2026-12-24T00:00:00Z"),
        grant(None, "2026-11-14T00:00:00Z"),
    ];
    expect_json("me/lifted", &me(&account, None));
    account.grants.clear();
    account.limits.clear();
    account.block = Some(Block { person: alice(), since: at(NOW), until: None, reason: Some("left".to_owned()) });
    expect_json("me/blocked", &me(&account, Some("it-help@example.com")));
}

#[test]
fn numbers_of_a_message_have_commas() {
    assert_eq!([0, 999, 1000, 2_060_000].map(group_digits), ["0", "999", "1,000", "2,060,000"]);
}
