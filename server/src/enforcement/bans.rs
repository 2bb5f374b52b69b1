//! Models that people may not call: limits of zero for a pattern of models.
//!
//! Like every limit, the nearest decides: a person with a limit of their own for the pattern is not banned by that of
//! everybody.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::GroupRule,
    limits::{Action, Limit, Scope},
    person::Person,
    standing::select_limits,
    store::PersonRecord,
};

/// A pattern of models, and who may not call them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelBan {
    pub pattern: String,
    pub scope: BanScope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanScope {
    These(BTreeSet<Person>),
    /// Everybody else, also people whom no token has named.
    EverybodyExcept(BTreeSet<Person>),
}

/// Whether [`find_model_bans`] needs to know the members of groups.
pub fn needs_people(limits: &[Limit]) -> bool {
    relevant_limits(limits).any(|limit| matches!(limit.scope, Scope::Group(_)))
}

/// The bans that follow from the limits of single models, sorted by pattern. A group's limit is for the members that a token
/// has named.
pub fn find_model_bans(limits: &[Limit], people: &[(Person, PersonRecord)], rule: GroupRule) -> Vec<ModelBan> {
    let relevant: Vec<&Limit> = relevant_limits(limits).collect();
    let owners = relevant.iter().filter_map(|limit| match &limit.scope {
        Scope::Person(person) => Some(person),
        Scope::Group(_) | Scope::Default => None,
    });
    let groups_of: BTreeMap<&Person, &[String]> =
        people.iter().map(|(person, record)| (person, record.groups.as_slice())).collect();
    let is_limited = |groups: &[String]| {
        relevant.iter().any(|limit| matches!(&limit.scope, Scope::Group(group) if groups.contains(group)))
    };
    let members = groups_of.iter().filter(|(_, groups)| is_limited(groups)).map(|(person, _)| *person);
    let candidates: BTreeSet<&Person> = owners.chain(members).collect();
    let everybody = list_banned_patterns(&relevant, rule, |scope| *scope == Scope::Default);
    let mut banned = BTreeMap::<&str, BTreeSet<Person>>::new();
    let mut exempt: BTreeMap<&str, BTreeSet<Person>> =
        everybody.iter().map(|pattern| (*pattern, BTreeSet::new())).collect();
    for person in candidates {
        let groups = groups_of.get(person).copied().unwrap_or_default();
        let patterns = list_banned_patterns(&relevant, rule, |scope| match scope {
            Scope::Person(owner) => owner == person,
            Scope::Group(group) => groups.contains(group),
            Scope::Default => true,
        });
        for (_, people) in exempt.iter_mut().filter(|(pattern, _)| !patterns.contains(*pattern)) {
            people.insert(person.clone());
        }
        for pattern in patterns.difference(&everybody) {
            banned.entry(pattern).or_default().insert(person.clone());
        }
    }
    let mut bans: Vec<ModelBan> = Vec::new();
    bans.extend(banned.into_iter().map(|(pattern, people)| ModelBan::new(pattern, BanScope::These(people))));
    bans.extend(exempt.into_iter().map(|(pattern, people)| ModelBan::new(pattern, BanScope::EverybodyExcept(people))));
    bans.sort_by(|one, other| one.pattern.cmp(&other.pattern));
    bans
}

impl ModelBan {
    fn new(pattern: &str, scope: BanScope) -> Self {
        Self { pattern: pattern.to_owned(), scope }
    }
}

fn is_ban(limit: &Limit) -> bool {
    limit.model.is_some() && limit.amount.is_zero() && limit.action == Action::Block
}

/// The limits whose pattern is banned for somebody. The others cannot change who is banned.
fn relevant_limits(limits: &[Limit]) -> impl Iterator<Item = &Limit> {
    let patterns: BTreeSet<&Option<String>> =
        limits.iter().filter(|limit| is_ban(limit)).map(|limit| &limit.model).collect();
    limits.iter().filter(move |limit| patterns.contains(&limit.model))
}

/// The banned patterns for somebody to whom the limits of these scopes apply.
fn list_banned_patterns<'l>(
    limits: &[&'l Limit],
    rule: GroupRule,
    applies: impl Fn(&Scope) -> bool,
) -> BTreeSet<&'l str> {
    let applicable: Vec<&Limit> = limits.iter().copied().filter(|limit| applies(&limit.scope)).collect();
    let selected = select_limits(&applicable, rule);
    selected.into_iter().filter(|limit| is_ban(limit)).filter_map(|limit| limit.model.as_deref()).collect()
}

#[cfg(test)]
mod tests {
    use bedrock_sso::time::Timestamp;

    use super::*;
    use crate::{calendar::Period, limits::Amount};

    fn person(name: &str) -> Person {
        Person::parse(name).unwrap()
    }

    /// `SCOPE PATTERN TOKENS`, where the scope is a person, `@group` or `-` for everybody.
    fn limit(text: &str) -> Limit {
        let [scope, pattern, tokens] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let scope = match scope.strip_prefix('@') {
            Some(group) => Scope::Group(group.to_owned()),
            None if scope == "-" => Scope::Default,
            None => Scope::Person(person(scope)),
        };
        let amount = Amount::Tokens(tokens.parse().unwrap());
        Limit { scope, model: Some(pattern.to_owned()), period: Period::Day, amount, action: Action::Block }
    }

    fn member(name: &str, groups: &[&str]) -> (Person, PersonRecord) {
        let record = PersonRecord {
            issuer: "https://acme.okta.com".to_owned(),
            subject: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            department: None,
            team: None,
            token_issued_at: Timestamp::from_unix(0),
        };
        (person(name), record)
    }

    fn bans(limits: &[Limit], rule: GroupRule) -> Vec<String> {
        let people =
            [member("ann", &["ml"]), member("ben", &["ml", "web"]), member("cid", &["web"]), member("dan", &[])];
        let shown = find_model_bans(limits, &people, rule).into_iter().map(|ban| {
            let names = |people: BTreeSet<Person>| people.iter().map(Person::as_str).collect::<Vec<_>>().join(",");
            match ban.scope {
                BanScope::These(people) => format!("{} only {}", ban.pattern, names(people)),
                BanScope::EverybodyExcept(people) => format!("{} all but {}", ban.pattern, names(people)),
            }
        });
        shown.collect()
    }

    #[test]
    fn the_nearest_limit_decides_who_is_banned() {
        for (limits, expected) in [
            (&["- *opus* 0"][..], &["*opus* all but "][..]),
            (&["- *opus* 1"], &[]),
            (&["ann *opus* 0"], &["*opus* only ann"]),
            (&["@ml *opus* 0"], &["*opus* only ann,ben"]),
            (&["- *opus* 0", "ann *opus* 5"], &["*opus* all but ann"]),
            (&["- *opus* 0", "@ml *opus* 5"], &["*opus* all but ann,ben"]),
            (&["- *opus* 0", "@ml *opus* 5", "ann *opus* 0"], &["*opus* all but ben"]),
            (&["- *opus* 5", "@ml *opus* 0", "ann *opus* 9"], &["*opus* only ben"]),
            // Another pattern is another limit.
            (&["- *opus* 0", "ann *opus-4* 5"], &["*opus* all but "]),
            (&["- *opus* 0", "dan *haiku* 0"], &["*haiku* only dan", "*opus* all but "]),
            // Nobody has shown a token with this group.
            (&["@absent *opus* 0"], &[]),
            // A person whom no token has named can have a limit.
            (&["new *opus* 0"], &["*opus* only new"]),
        ] {
            let limits: Vec<Limit> = limits.iter().map(|text| limit(text)).collect();
            assert_eq!(bans(&limits, GroupRule::Strictest), expected, "{limits:?}");
        }
    }

    #[test]
    fn several_groups_follow_the_configured_rule() {
        let limits = ["@ml *opus* 0", "@web *opus* 5"].map(limit);
        assert_eq!(bans(&limits, GroupRule::Strictest), ["*opus* only ann,ben"]);
        assert_eq!(bans(&limits, GroupRule::MostGenerous), ["*opus* only ann"]);
    }

    #[test]
    fn a_warning_bans_nobody_and_any_period_can() {
        let warning = Limit { action: Action::Warn, ..limit("- *opus* 0") };
        assert_eq!(bans(std::slice::from_ref(&warning), GroupRule::Strictest), [""; 0]);
        // A limit of another period has no nearer one.
        let monthly = Limit { period: Period::Month, ..limit("- *opus* 0") };
        assert_eq!(bans(&[monthly, limit("ann *opus* 5")], GroupRule::Strictest), ["*opus* all but "]);
    }

    #[test]
    fn people_are_needed_for_banned_patterns_of_groups_only() {
        assert!(!needs_people(&["- *opus* 0", "ann *opus* 5", "@ml *haiku* 5"].map(limit)));
        assert!(needs_people(&["- *opus* 0", "@ml *opus* 5"].map(limit)));
    }
}
