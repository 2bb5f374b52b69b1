//! Random numbers that are the same in each run.

/// SplitMix64: small, fast, and good enough for arrivals and pauses.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn is(&mut self, share: f64) -> bool {
        self.share() < share
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    pub(crate) fn seconds(&mut self, from: f64, to: f64) -> i64 {
        (from + self.share() * (to - from)) as i64
    }

    /// The time until the next event of those that happen once in `mean` seconds on average.
    pub(crate) fn pause(&mut self, mean: f64) -> i64 {
        (-mean * (1.0 - self.share()).ln()) as i64
    }

    /// Around `center`, two thirds of them within `spread`.
    pub(crate) fn around(&mut self, center: f64, spread: f64) -> i64 {
        let sum: f64 = (0..12).map(|_| self.share()).sum();
        (center + spread * (sum - 6.0)) as i64
    }
}
