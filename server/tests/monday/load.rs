//! How many requests each service gets in each second of a day.

use std::ops::Range;

pub(crate) const HOUR: i64 = 3600;
const DAY: usize = 86_400;

/// The services that the laptops ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Check,
    Sts,
    Provider,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Check, Self::Sts, Self::Provider];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "`/check`",
            Self::Sts => "AWS STS",
            Self::Provider => "identity provider",
        }
    }
}

/// The requests of one service, second by second.
pub(crate) struct Seconds(Vec<u32>);

impl Seconds {
    pub(crate) fn new() -> Self {
        Self(vec![0; DAY])
    }

    /// What happens after midnight is of no interest.
    pub(crate) fn add(&mut self, second: i64) {
        if let Some(count) = usize::try_from(second).ok().and_then(|second| self.0.get_mut(second)) {
            *count += 1;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// Requests in a second, on average.
    pub(crate) fn mean(&self, hours: &Range<i64>) -> f64 {
        let window = self.window(hours);
        window.iter().copied().map(f64::from).sum::<f64>() / window.len() as f64
    }

    pub(crate) fn busiest_second(&self, hours: &Range<i64>) -> f64 {
        self.window(hours).iter().copied().max().map_or(0.0, f64::from)
    }

    /// Requests in a second, on average over the minute that has the most.
    pub(crate) fn busiest_minute(&self, hours: &Range<i64>) -> f64 {
        let minutes = self.window(hours).chunks(60).map(|minute| minute.iter().copied().map(f64::from).sum::<f64>());
        minutes.fold(0.0, f64::max) / 60.0
    }

    fn window(&self, seconds: &Range<i64>) -> &[u32] {
        let [start, end] = [seconds.start, seconds.end].map(|second| usize::try_from(second).unwrap());
        &self.0[start..end]
    }
}
