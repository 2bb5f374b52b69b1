//! Tests the editors with thousands of random files, and checks the properties that hold for every file.
//!
//! Each file is generated from a seed, and a failing test prints the seed. The checks read the files with parsers of
//! their own, so an error in an editor's parser cannot hide itself.

mod aws;
mod claude;

use std::fmt::Write as _;

pub(super) use aws::generate_config;
pub(super) use claude::generate_settings;

/// The number of files of each kind.
const MANY: u64 = 3000;

/// A random number generator (xorshift64*). The same seed gives the same numbers, so a failure can be repeated.
pub(super) struct SeededRandom {
    state: u64,
    /// The number of comments so far. Each comment contains its number, so a lost one is noticed.
    comments: u32,
}

impl SeededRandom {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, comments: 0 }
    }

    fn next_below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    /// True once in `times` calls, on average.
    fn once_in(&mut self, times: usize) -> bool {
        self.next_below(times) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next_below(all.len())]
    }

    fn next_comment(&mut self) -> String {
        self.comments += 1;
        format!("note {} of mine = [ü]", self.comments)
    }

    /// Gives a text the line endings of Unix, of Windows or of both, with or without a final one, and sometimes a byte
    /// order mark.
    fn vary_line_endings(&mut self, text: &str) -> String {
        let mut file = String::new();
        if self.once_in(8) {
            file.push('\u{feff}');
        }
        let endings = self.pick(&[&["\n"][..], &["\n"], &["\r\n"], &["\n", "\r\n"]]);
        for line in text.lines() {
            let ending = self.pick(endings);
            write!(file, "{line}{ending}").unwrap();
        }
        if self.once_in(3) {
            let cut = file.trim_end_matches(['\r', '\n']).len();
            file.truncate(cut);
        }
        file
    }
}

fn strip_bom(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// Asserts that both texts have the same comments in the same order.
#[track_caller]
fn assert_comments_unchanged(before: &str, after: &str, what: &str) {
    let notes = |text: &str| -> Vec<String> {
        text.split("note ").skip(1).filter_map(|rest| rest.split(' ').next().map(str::to_owned)).collect()
    };
    assert_eq!(notes(before), notes(after), "{what}");
}

#[test]
fn seeded_random_repeats_and_reaches_every_number() {
    let numbers = |seed| {
        let mut dice = SeededRandom::new(seed);
        (0..60).map(|_| dice.next_below(6)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(7), numbers(7));
    assert_ne!(numbers(7), numbers(8));
    assert!((0..6).all(|number| numbers(7).contains(&number)));
}
