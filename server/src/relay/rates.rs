//! How many exports one person may send.
//!
//! Claude Code exports metrics each minute and logs each five seconds at most, per process. The limit leaves room for
//! twenty processes, and bounds what one person can cost. It is counted in this process: API Gateway bounds the whole.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::person::Person;

/// How many exports a person may send at once, after a pause.
const BURST: f64 = 300.0;

/// How many exports a person may send in the long run.
const PER_SECOND: f64 = 5.0;

/// With more people than this, those who have sent nothing for a while are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// How many exports each person has left.
#[derive(Debug, Default)]
pub(super) struct SenderRates(Mutex<HashMap<Person, Allowance>>);

#[derive(Debug)]
struct Allowance {
    left: f64,
    counted_at: Instant,
}

impl Allowance {
    fn refill(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.counted_at).as_secs_f64() * PER_SECOND;
        self.left = (self.left + grown).min(BURST);
        self.counted_at = now;
    }
}

impl SenderRates {
    /// Counts one export. The error says when the next one is admitted.
    pub(super) fn admit(&self, person: &Person) -> Result<(), Duration> {
        self.admit_at(person, Instant::now())
    }

    fn admit_at(&self, person: &Person, now: Instant) -> Result<(), Duration> {
        let mut allowances = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if allowances.len() >= MAX_REMEMBERED && !allowances.contains_key(person) {
            allowances.retain(|_, allowance| {
                allowance.refill(now);
                allowance.left < BURST
            });
        }
        let allowance = allowances.entry(person.clone()).or_insert(Allowance { left: BURST, counted_at: now });
        allowance.refill(now);
        if allowance.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - allowance.left) / PER_SECOND));
        }
        allowance.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> Person {
        Person::parse(name).unwrap()
    }

    #[test]
    fn each_person_has_an_allowance_that_grows_again() {
        let (rates, start) = (SenderRates::default(), Instant::now());
        let admitted = (0..400).filter(|_| rates.admit_at(&person("alice"), start).is_ok()).count();
        assert_eq!(admitted, 300);
        assert!(rates.admit_at(&person("bob"), start).is_ok());
        let wait = rates.admit_at(&person("alice"), start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200));
        assert!(rates.admit_at(&person("alice"), start + wait).is_ok());
        assert!(rates.admit_at(&person("alice"), start + wait).is_err());
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..400).filter(|_| rates.admit_at(&person("alice"), later).is_ok()).count(), 300);
    }

    #[test]
    fn people_who_have_stopped_are_forgotten() {
        let (rates, start) = (SenderRates::default(), Instant::now());
        for number in 0..MAX_REMEMBERED {
            rates.admit_at(&person(&format!("p{number}")), start).unwrap();
        }
        let later = start + Duration::from_secs(60);
        rates.admit_at(&person("alice"), later).unwrap();
        assert_eq!(rates.0.lock().unwrap().len(), 1);
    }
}
