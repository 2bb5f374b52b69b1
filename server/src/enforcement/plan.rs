//! Which policy names whom: a plan from what the policies say now and what they should say.
//!
//! People stay in the policy that names them, so a change writes few policies. The plan is pure: it reads and writes
//! nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bedrock_sso::time::Timestamp;

use super::{
    bans::{BanScope, ModelBan},
    document::{MAX_DOCUMENT, PolicyContent, added_length, says},
};
use crate::person::Person;

/// A person whom AWS should refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub person: Person,
    /// When AWS ends it; `None` if somebody has to.
    pub until: Option<Timestamp>,
    pub cause: RefusalCause,
}

/// Who goes first where there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalCause {
    /// An administrator has blocked the person.
    Block,
    /// The person has reached a limit.
    Limit,
}

/// What the policies should say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredRefusals {
    pub refusals: Vec<Refusal>,
    pub bans: Vec<ModelBan>,
}

impl DesiredRefusals {
    /// How many people are refused everything.
    pub fn count_people(&self) -> usize {
        self.refusals.iter().map(|refusal| &refusal.person).collect::<BTreeSet<_>>().len()
    }

    /// How many of them an administrator has blocked. The store has one block of a person at most.
    pub fn count_blocked(&self) -> usize {
        self.refusals.iter().filter(|refusal| refusal.cause == RefusalCause::Block).count()
    }
}

/// A document that differs from what the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWrite {
    /// The place of the policy in the list.
    pub policy: usize,
    pub document: String,
}

/// What to write, in this order, and what found no room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnforcementPlan {
    pub writes: Vec<PolicyWrite>,
    pub left_out: BTreeSet<Person>,
    /// Patterns of models whose bans are not complete.
    pub bans_left_out: BTreeSet<String>,
}

/// One thing that a policy can say. The order is that in which things get room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Blocked(Person, Option<Timestamp>),
    BannedExcept(String, BTreeSet<Person>),
    OverLimit(Person, Option<Timestamp>),
    BannedFor(String, Person),
}

/// What a policy will say, as far as the plan is made.
#[derive(Clone, Debug)]
struct Draft {
    entries: BTreeSet<Entry>,
    /// How many people have each end.
    ends: BTreeMap<Option<Timestamp>, usize>,
    /// The length of the document, so that it need not be written for each person.
    length: usize,
}

/// Plans what the policies should say. `current` has the document of each policy, in their order.
pub fn plan_policies(current: &[String], desired: &DesiredRefusals, partition: &str) -> EnforcementPlan {
    let found: Vec<PolicyContent> = current.iter().map(|document| PolicyContent::read(document)).collect();
    let mut drafts = vec![Draft::new(partition); current.len()];
    let mut waiting = VecDeque::new();
    for entry in list_entries(desired) {
        let place = found.iter().position(|content| entry.is_in(content));
        let stays = place.and_then(|place| drafts.get_mut(place)).is_some_and(|draft| draft.add(&entry, partition));
        if !stays {
            waiting.push_back(entry);
        }
    }
    let mut plan = EnforcementPlan::default();
    while let Some(entry) = waiting.pop_front() {
        if drafts.iter_mut().any(|draft| draft.add(&entry, partition)) {
            continue;
        }
        match make_room(&mut drafts, &entry, partition) {
            // They may find a gap in another policy, after all who wait already.
            Some(displaced) => waiting.extend(displaced),
            None => plan.leave_out(entry),
        }
    }
    let contents: Vec<PolicyContent> = drafts.iter().map(Draft::content).collect();
    plan.writes = order_writes(current, &found, &contents, partition);
    plan
}

impl EnforcementPlan {
    fn leave_out(&mut self, entry: Entry) {
        match entry {
            Entry::Blocked(person, _) | Entry::OverLimit(person, _) => self.left_out.insert(person),
            Entry::BannedExcept(pattern, _) | Entry::BannedFor(pattern, _) => self.bans_left_out.insert(pattern),
        };
    }
}

/// What the policies should say as single entries, the most important first. A person with two refusals has one entry.
fn list_entries(desired: &DesiredRefusals) -> BTreeSet<Entry> {
    let mut people = BTreeMap::<&Person, (RefusalCause, Option<Timestamp>)>::new();
    for Refusal { person, until, cause } in &desired.refusals {
        let merged = match people.get(person) {
            // The later end holds, and none is the latest.
            Some((other, end)) => ((*other).min(*cause), end.zip(*until).map(|(end, until)| end.max(until))),
            None => (*cause, *until),
        };
        people.insert(person, merged);
    }
    let mut entries: BTreeSet<Entry> = people
        .into_iter()
        .map(|(person, (cause, until))| match cause {
            RefusalCause::Block => Entry::Blocked(person.clone(), until),
            RefusalCause::Limit => Entry::OverLimit(person.clone(), until),
        })
        .collect();
    for ModelBan { pattern, scope } in &desired.bans {
        match scope {
            BanScope::These(people) => {
                entries.extend(people.iter().map(|person| Entry::BannedFor(pattern.clone(), person.clone())));
            }
            BanScope::EverybodyExcept(exempt) => {
                entries.insert(Entry::BannedExcept(pattern.clone(), exempt.clone()));
            }
        }
    }
    entries
}

/// Takes the least important entries out of a policy until there is room for this one, if it is a block or a ban for
/// everybody. Returns what was taken out, or `None` if no policy can have the entry.
fn make_room(drafts: &mut [Draft], entry: &Entry, partition: &str) -> Option<Vec<Entry>> {
    if !entry.displaces() {
        return None;
    }
    for draft in drafts {
        let mut reduced = draft.clone();
        let mut displaced = Vec::new();
        while let Some(least) = reduced.entries.last().filter(|least| !least.displaces()).cloned() {
            reduced.remove(&least, partition);
            displaced.push(least);
            if reduced.add(entry, partition) {
                *draft = reduced;
                return Some(displaced);
            }
        }
    }
    None
}

/// The documents that differ, additions before removals: a person who moves is named in the new place first.
fn order_writes(
    current: &[String],
    found: &[PolicyContent],
    contents: &[PolicyContent],
    partition: &str,
) -> Vec<PolicyWrite> {
    let differs = |(place, content): &(usize, &PolicyContent)| {
        current.get(*place).is_some_and(|document| !says(document, content, partition))
    };
    let mut open: Vec<usize> = contents.iter().enumerate().filter(differs).map(|(place, _)| place).collect();
    let mut writes = Vec::new();
    while !open.is_empty() {
        // A policy can be written if all whom it stops naming are named elsewhere already, or nowhere in future.
        let waits_for =
            |place: usize| open.iter().any(|other| *other != place && moves_between(place, *other, found, contents));
        // Two policies that exchange people wait for each other: then the first of them is written.
        let next = open.iter().position(|place| !waits_for(*place)).unwrap_or(0);
        let policy = open.remove(next);
        if let Some(content) = contents.get(policy) {
            writes.push(PolicyWrite { policy, document: content.render(partition) });
        }
    }
    writes
}

/// Whether something that the one policy says now is something that the other will say, and does not yet.
fn moves_between(from: usize, to: usize, found: &[PolicyContent], contents: &[PolicyContent]) -> bool {
    let (Some(from_now), Some(from_then), Some(to_now), Some(to_then)) =
        (found.get(from), contents.get(from), found.get(to), contents.get(to))
    else {
        return false;
    };
    let moves = |entry: &Entry| entry.is_in(to_then) && !entry.is_in(to_now) && !entry.is_in(from_then);
    list_found(from_now).iter().any(moves)
}

impl Entry {
    /// Whether less important entries give way to it.
    fn displaces(&self) -> bool {
        match self {
            Self::Blocked(..) | Self::BannedExcept(..) => true,
            Self::OverLimit(..) | Self::BannedFor(..) => false,
        }
    }

    /// The person whom a document refuses everything, and until when.
    fn as_refusal(&self) -> Option<(&Person, Option<Timestamp>)> {
        match self {
            Self::Blocked(person, until) | Self::OverLimit(person, until) => Some((person, *until)),
            Self::BannedExcept(..) | Self::BannedFor(..) => None,
        }
    }

    /// Whether the policy names the same person or models, until whatever time.
    fn is_in(&self, content: &PolicyContent) -> bool {
        match self {
            Self::Blocked(person, _) | Self::OverLimit(person, _) => content.refused.contains_key(person),
            Self::BannedExcept(pattern, _) => content.banned_except.contains_key(pattern),
            Self::BannedFor(pattern, person) => {
                content.banned_for.get(pattern).is_some_and(|people| people.contains(person))
            }
        }
    }
}

/// The entries of a policy. A document does not say why somebody is refused.
fn list_found(content: &PolicyContent) -> Vec<Entry> {
    let refused = content.refused.iter().map(|(person, until)| Entry::OverLimit(person.clone(), *until));
    let except = content.banned_except.iter();
    let except = except.map(|(pattern, exempt)| Entry::BannedExcept(pattern.clone(), exempt.clone()));
    let banned = content
        .banned_for
        .iter()
        .flat_map(|(pattern, people)| people.iter().map(|person| Entry::BannedFor(pattern.clone(), person.clone())));
    refused.chain(except).chain(banned).collect()
}

impl Draft {
    fn new(partition: &str) -> Self {
        let length = PolicyContent::default().render(partition).len();
        Self { entries: BTreeSet::new(), ends: BTreeMap::new(), length }
    }

    /// Adds the entry if the document has room for it. Returns whether it was added.
    fn add(&mut self, entry: &Entry, partition: &str) -> bool {
        let known_end = entry.as_refusal().filter(|(_, until)| self.ends.contains_key(until));
        if let Some((person, _)) = known_end {
            let length = self.length + added_length(person);
            if length > MAX_DOCUMENT {
                return false;
            }
            self.insert(entry);
            self.length = length;
            return true;
        }
        self.insert(entry);
        let length = self.content().render(partition).len();
        if length > MAX_DOCUMENT {
            // The length is that of before.
            self.take(entry);
            return false;
        }
        self.length = length;
        true
    }

    fn remove(&mut self, entry: &Entry, partition: &str) {
        self.take(entry);
        self.length = self.content().render(partition).len();
    }

    fn insert(&mut self, entry: &Entry) {
        if let Some((_, until)) = entry.as_refusal() {
            *self.ends.entry(until).or_default() += 1;
        }
        self.entries.insert(entry.clone());
    }

    fn take(&mut self, entry: &Entry) {
        if let Some((_, until)) = entry.as_refusal()
            && let Some(count) = self.ends.get_mut(&until)
        {
            *count -= 1;
            self.ends.retain(|_, count| *count > 0);
        }
        self.entries.remove(entry);
    }

    fn content(&self) -> PolicyContent {
        let mut content = PolicyContent::default();
        for entry in self.entries.iter().cloned() {
            match entry {
                Entry::Blocked(person, until) | Entry::OverLimit(person, until) => {
                    content.refused.insert(person, until);
                }
                Entry::BannedExcept(pattern, exempt) => {
                    content.banned_except.insert(pattern, exempt);
                }
                Entry::BannedFor(pattern, person) => {
                    content.banned_for.entry(pattern).or_default().insert(person);
                }
            }
        }
        content
    }
}

#[cfg(test)]
mod tests;
