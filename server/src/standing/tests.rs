//! The limit cases of `cases.toml`: what holds for `alice`, and what `/check` says.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::*;
use crate::{
    check_answer::{AnswerContext, CheckAnswer},
    person::Person,
    usage::{AccountModel, TokenCounts},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Case>,
}

/// One case. The head of `cases.toml` explains the members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "default_zone")]
    zone: String,
    #[serde(default = "default_now")]
    now: String,
    #[serde(default)]
    rule: GroupRule,
    #[serde(default)]
    limits: Vec<String>,
    #[serde(default)]
    calls: Vec<String>,
    #[serde(default)]
    grants: Vec<String>,
    block: Option<String>,
    reason: String,
    rows: Option<Vec<String>>,
    resets: Option<Vec<String>>,
}

fn default_zone() -> String {
    "UTC".to_owned()
}

fn default_now() -> String {
    "2026-11-15T12:30:00Z".to_owned()
}

fn alice() -> Person {
    Person::parse("alice").unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_rfc3339(text).unwrap_or_else(|| panic!("{text} is not a time"))
}

fn parse_limit(text: &str) -> Limit {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap_or_else(|| panic!("{text} is too short"));
    let scope = match next() {
        "alice" => Scope::Person(alice()),
        "default" => Scope::Default,
        group => Scope::Group(group.to_owned()),
    };
    let period = Period::ALL.into_iter().find({
        let name = next();
        move |period| period.name() == name
    });
    let mut limit =
        Limit { scope, model: None, period: period.unwrap(), amount: next().parse().unwrap(), action: Action::Block };
    for word in words {
        match word {
            "warn" => limit.action = Action::Warn,
            model => limit.model = Some(model.to_owned()),
        }
    }
    limit
}

fn parse_call(text: &str) -> (Timestamp, AccountModel, Usage) {
    let mut words = text.split(' ');
    let (time, model) = (at(words.next().unwrap()), words.next().unwrap().to_owned());
    let key = AccountModel { account: "123456789012".to_owned(), model };
    let mut usage = Usage::default();
    for word in words {
        let (kind, count) = word.split_once(':').unwrap_or_else(|| panic!("{text}: {word}"));
        let tokens = &mut usage.tokens;
        match (kind, count.parse().unwrap()) {
            ("in", Amount::Tokens(count)) => tokens.input = count,
            ("out", Amount::Tokens(count)) => tokens.output = count,
            ("read", Amount::Tokens(count)) => tokens.cache_read = count,
            ("write", Amount::Tokens(count)) => tokens.cache_write = count,
            ("cost", Amount::Usd(money)) => usage.cost = money,
            other => panic!("{text}: {other:?}"),
        }
    }
    (time, key, usage)
}

fn parse_grant(text: &str) -> Grant {
    let (amount, until) = text.split_once(" until ").unwrap();
    let amount = (amount != "everything").then(|| amount.parse().unwrap());
    Grant { person: alice(), since: at("2026-01-01T00:00:00Z"), until: at(until), amount, reason: "release".to_owned() }
}

fn parse_block(text: &str) -> Block {
    let until = (text != "forever").then(|| at(text));
    Block { person: alice(), since: at("2026-01-01T00:00:00Z"), until, reason: None }
}

impl Case {
    fn calendar(&self) -> Calendar {
        self.zone.parse().unwrap()
    }

    /// What a store would return.
    fn account(&self) -> Account {
        let calendar = self.calendar();
        let usage_in = |key: &PeriodKey| {
            let mut usage = ModelUsage::default();
            for (time, model, used) in self.calls.iter().map(|call| parse_call(call)) {
                if calendar.key_of(key.period, time) == *key {
                    usage.add(&model, used);
                }
            }
            usage
        };
        Account {
            record: None,
            usage: current_periods(&calendar, at(&self.now)).iter().map(usage_in).collect(),
            limits: self.limits.iter().map(|limit| parse_limit(limit)).collect(),
            grants: self.grants.iter().map(|grant| parse_grant(grant)).collect(),
            block: self.block.as_deref().map(parse_block),
        }
    }
}

/// A limit as `rows` of a case describe it.
fn describe(limit: &LimitStanding) -> String {
    let tenths = limit.used.tokens.weigh_in_tenths();
    let (used, amount) = match (limit.unit(), tenths % 10) {
        (Unit::Tokens, 0) => ((tenths / 10).to_string(), limit.amount.to_string()),
        (Unit::Tokens, tenth) => (format!("{}.{tenth}", tenths / 10), limit.amount.to_string()),
        (Unit::Usd, _) => (limit.used.cost.to_string(), limit.amount.to_string()),
    };
    let mut text = format!("{} {}: {} of {amount}", limit.scope, limit.period.name(), used.trim_end_matches(" USD"));
    if let Some(model) = &limit.model {
        text.push_str(&format!(" on {model}"));
    }
    for (word, holds) in
        [("warns", limit.action == Action::Warn), ("lifted", limit.is_lifted), ("exceeded", limit.is_exceeded())]
    {
        if holds {
            text.push_str(&format!(", {word}"));
        }
    }
    text
}

#[test]
fn every_limit_case_holds() {
    let file: CaseFile = toml::from_str(include_str!("cases.toml")).unwrap();
    let mut failures = Vec::new();
    for case in &file.case {
        let calendar = case.calendar();
        let standing = evaluate(&case.account(), &calendar, case.rule, at(&case.now)).unwrap();
        let context = AnswerContext { calendar: &calendar, contact: None };
        let answer = CheckAnswer::from_standing(&alice(), &standing, context);
        let rows: Vec<String> = standing.limits.iter().map(describe).collect();
        let resets: Vec<String> = standing.limits.iter().map(|limit| limit.resets_at.to_string()).collect();
        let mut differs = |what: &str, expected: &str, actual: &str| {
            if expected != actual {
                failures.push(format!("{}: {what}\n  expected {expected}\n  actual   {actual}", case.name));
            }
        };
        differs("reason", &case.reason, answer.reason);
        let is_allowed = ["within_quota", "no_policy", "unblocked"].contains(&answer.reason);
        differs("allowed", &is_allowed.to_string(), &answer.allowed.to_string());
        if let Some(expected) = &case.rows {
            differs("rows", &format!("{expected:#?}"), &format!("{rows:#?}"));
        }
        if let Some(expected) = &case.resets {
            differs("resets", &format!("{expected:?}"), &format!("{resets:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases\n{}", failures.len(), file.case.len(), failures.join("\n"));
    let names: BTreeSet<&str> = file.case.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), file.case.len(), "two cases have the same name");
    assert!(names.len() >= 100, "{} cases", names.len());
}

#[test]
fn order_of_limits_does_not_matter() {
    let file: CaseFile = toml::from_str(include_str!("cases.toml")).unwrap();
    for case in &file.case {
        let (calendar, now) = (case.calendar(), at(&case.now));
        let mut account = case.account();
        let forwards = evaluate(&account, &calendar, case.rule, now).unwrap();
        account.limits.reverse();
        assert_eq!(evaluate(&account, &calendar, case.rule, now).unwrap(), forwards, "{}", case.name);
    }
}

#[test]
fn missing_usage_is_an_error_and_not_zero() {
    let calendar = Calendar::utc();
    for count in [0, 1, 2, 4] {
        let account = Account { usage: vec![ModelUsage::default(); count], ..Account::default() };
        let standing = evaluate(&account, &calendar, GroupRule::Strictest, at("2026-11-15T12:30:00Z"));
        assert!(matches!(standing, Err(StoreError::Damaged(_))), "{count}");
    }
}

#[test]
fn huge_usage_and_grants_neither_overflow_nor_allow() {
    let huge = Usage {
        tokens: TokenCounts { input: u64::MAX, output: u64::MAX, cache_read: u64::MAX, cache_write: u64::MAX },
        cost: MicroUsd(u64::MAX),
    };
    let mut usage = ModelUsage::default();
    usage.add(&parse_call("2026-11-15T12:30:00Z opus").1, huge);
    let grant = |amount| Grant { amount: Some(amount), ..parse_grant("everything until 2027-01-01T00:00:00Z") };
    let account = Account {
        usage: vec![usage; 3],
        limits: vec![parse_limit("default month 1M"), parse_limit("default day 1USD")],
        grants: vec![grant(Amount::Tokens(u64::MAX)), grant(Amount::Usd(MicroUsd(u64::MAX)))],
        ..Account::default()
    };
    let standing = evaluate(&account, &Calendar::utc(), GroupRule::Strictest, at("2026-11-15T12:30:00Z")).unwrap();
    assert!(standing.limits.iter().all(LimitStanding::refuses), "{standing:?}");
}
