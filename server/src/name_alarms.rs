//! Reports names that somebody should check: limits hold for names, so a name that nobody has proven evades them.
//!
//! Each report is one line of the log with fixed words, which alarms search for, and a count among the store's faults.
//! Names come from outside and may be many, so their number is bounded everywhere.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use bedrock_sso::{log, text::sanitize_line, time::Timestamp};

use crate::{
    person::Person,
    store::{Faults, Store, StoreResult},
};

/// How many names of one kind the store counts one by one.
const MAX_STORED_NAMES: usize = 100;

/// The name under which all further ones are counted.
const FURTHER_NAMES: &str = "(further names)";

/// How many reports a process writes on one day.
const MAX_REPORTS: usize = 1000;

/// How many names this process remembers as proven, so that it does not ask the store each time.
const MAX_PROVEN: usize = 100_000;

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameFault {
    /// The person spends, and no verified token has named them.
    NoVerifiedToken,
    /// Two subjects of providers have used the name.
    TwoSubjects { known: String, new: String },
    /// The provider leaves the groups out of the token.
    MissingGroups { known_groups: usize },
}

/// Writes each report once a day.
#[derive(Debug, Default)]
pub struct NameAlarms {
    reported: Mutex<ReportsOfADay>,
    proven: Mutex<HashSet<Person>>,
}

#[derive(Debug, Default)]
struct ReportsOfADay {
    day: i64,
    reports: HashSet<(&'static str, Person)>,
}

impl NameFault {
    /// The kind under which the store counts it.
    fn kind(&self) -> &'static str {
        match self {
            Self::NoVerifiedToken => "no_verified_token",
            Self::TwoSubjects { .. } => "two_subjects",
            Self::MissingGroups { .. } => "missing_groups",
        }
    }

    /// One line, whose words alarms search for.
    fn describe(&self, person: &Person) -> String {
        match self {
            Self::NoVerifiedToken => format!("no verified token has named {person}, who spends"),
            Self::TwoSubjects { known, new } => {
                format!("{person} has two subjects: {} and {}", sanitize_line(known), sanitize_line(new))
            }
            Self::MissingGroups { known_groups } => {
                format!("the token of {person} omits the groups; the {known_groups} known ones stay")
            }
        }
    }
}

impl NameAlarms {
    /// Whether it is known without asking the store that a token has named the person.
    pub fn is_proven(&self, person: &Person) -> bool {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(person)
    }

    pub fn remember_proven(&self, person: &Person) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        // The store still knows them.
        if proven.len() >= MAX_PROVEN {
            proven.clear();
        }
        proven.insert(person.clone());
    }

    /// Logs and counts the fault, unless this process has done so today.
    pub async fn report(
        &self,
        store: &dyn Store,
        person: &Person,
        fault: &NameFault,
        now: Timestamp,
    ) -> StoreResult<()> {
        if !self.is_first_today(person, fault, now) {
            return Ok(());
        }
        log::warn("names", format_args!("{}", fault.describe(person)));
        let mut stored = store.load_faults().await?.list().into_iter().filter(|(kind, ..)| *kind == fault.kind());
        let mut count = 0;
        let is_known = stored.any(|(_, name, _)| {
            count += 1;
            name == person.as_str()
        });
        let name = if is_known || count < MAX_STORED_NAMES { person.as_str() } else { FURTHER_NAMES };
        let mut faults = Faults::default();
        faults.add(fault.kind(), name.to_owned(), 1).expect("the store knows each kind of these faults");
        store.add_faults(&faults).await
    }

    fn is_first_today(&self, person: &Person, fault: &NameFault, now: Timestamp) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let day = now.unix_seconds().div_euclid(24 * 3600);
        if reported.day != day {
            *reported = ReportsOfADay { day, ..ReportsOfADay::default() };
        }
        reported.reports.len() < MAX_REPORTS && reported.reports.insert((fault.kind(), person.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file_store::FileStore;

    fn person(name: &str) -> Person {
        Person::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_fault_is_counted_once_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(&folder.path().join("usage.redb")).unwrap();
        let alarms = NameAlarms::default();
        let [today, tomorrow] = [0, 24 * 3600].map(|seconds| Timestamp::from_unix(1_796_040_000 + seconds));
        let fault = NameFault::NoVerifiedToken;
        for (name, now) in [("alice", today), ("alice", today), ("bob", today), ("alice", tomorrow)] {
            alarms.report(&store, &person(name), &fault, now).await.unwrap();
        }
        let other = NameFault::MissingGroups { known_groups: 2 };
        alarms.report(&store, &person("alice"), &other, tomorrow).await.unwrap();
        let faults = store.load_faults().await.unwrap();
        assert_eq!(faults.no_verified_token, [("alice".to_owned(), 2), ("bob".to_owned(), 1)].into());
        assert_eq!(faults.missing_groups, [("alice".to_owned(), 1)].into());
    }

    #[tokio::test]
    async fn many_names_share_one_count() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(&folder.path().join("usage.redb")).unwrap();
        let now = Timestamp::from_unix(1_796_040_000);
        let fault = NameFault::NoVerifiedToken;
        // Each by a process of its own, as functions of Lambda are.
        for number in 0..MAX_STORED_NAMES + 20 {
            let alarms = NameAlarms::default();
            alarms.report(&store, &person(&format!("name-{number:04}")), &fault, now).await.unwrap();
        }
        NameAlarms::default().report(&store, &person("name-0000"), &fault, now).await.unwrap();
        let counts = store.load_faults().await.unwrap().no_verified_token;
        assert_eq!((counts.len(), counts[FURTHER_NAMES], counts["name-0000"]), (MAX_STORED_NAMES + 1, 20, 2));
    }

    #[test]
    fn a_process_writes_a_bounded_number_of_reports() {
        let alarms = NameAlarms::default();
        let now = Timestamp::from_unix(1_796_040_000);
        let is_first =
            |number: usize| alarms.is_first_today(&person(&format!("name-{number}")), &NameFault::NoVerifiedToken, now);
        assert_eq!((0..2 * MAX_REPORTS).filter(|number| is_first(*number)).count(), MAX_REPORTS);
    }

    #[test]
    fn each_fault_has_the_words_that_alarms_search_for() {
        let subjects = NameFault::TwoSubjects { known: "00u1".to_owned(), new: "00u2\u{1b}[2J".to_owned() };
        let groups = NameFault::MissingGroups { known_groups: 3 };
        let alice = person("alice");
        assert!(NameFault::NoVerifiedToken.describe(&alice).contains("no verified token"));
        assert!(
            subjects.describe(&alice).contains("alice has two subjects")
                && !subjects.describe(&alice).contains('\u{1b}')
        );
        assert!(groups.describe(&alice).contains("omits the groups"));
        for fault in [NameFault::NoVerifiedToken, subjects, groups] {
            assert_eq!(Faults::default().add(fault.kind(), "alice".to_owned(), 1), Ok(()));
        }
    }
}
