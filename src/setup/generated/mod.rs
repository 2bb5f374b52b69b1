//! Files that nobody has written yet, by the thousand: what must hold for each of them, whatever its shape.
//!
//! Each is made of a number, and a failure names it. What is read from them is read by readers of their own, written
//! apart from the editors.

mod aws;
mod claude;

use std::fmt::Write as _;

pub(super) use aws::generate_config;
pub(super) use claude::generate_settings;

/// How many files of each kind.
const MANY: u64 = 3000;

/// Throws that depend on the number it began with alone (xorshift64*).
pub(super) struct SeededRandom {
    state: u64,
    /// Comments so far: each is another, so that none can be lost unnoticed.
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
        let throw = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(throw).unwrap() % limit
    }

    /// Once in so many throws.
    fn once_in(&mut self, throws: usize) -> bool {
        self.next_below(throws) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next_below(all.len())]
    }

    fn next_comment(&mut self) -> String {
        self.comments += 1;
        format!("note {} of mine = [ü]", self.comments)
    }

    /// With the endings of lines that a file may have, with or without the last of them, and with or without a mark.
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

/// Every comment that was there is there, and in its order.
#[track_caller]
fn assert_comments_unchanged(before: &str, after: &str, what: &str) {
    let notes = |text: &str| -> Vec<String> {
        text.split("note ").skip(1).filter_map(|rest| rest.split(' ').next().map(str::to_owned)).collect()
    };
    assert_eq!(notes(before), notes(after), "{what}");
}

#[test]
fn the_dice_throw_the_same_again_and_reach_every_side() {
    let throws = |seed| {
        let mut dice = SeededRandom::new(seed);
        (0..60).map(|_| dice.next_below(6)).collect::<Vec<_>>()
    };
    assert_eq!(throws(7), throws(7));
    assert_ne!(throws(7), throws(8));
    assert!((0..6).all(|side| throws(7).contains(&side)));
}
