//! Colour, where a person looks at it: on a terminal that obeys it and whose owner does not mind.
//!
//! It only lays weight on words that say the same without it; whether they are good or bad news is the caller's to know.

use crate::host::{Environment, Terminal};

/// What one stream is painted with: colours, or nothing at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    colours: bool,
}

impl Paint {
    /// `NO_COLOR` with any value at all is a wish for none (no-color.org).
    pub(super) fn of_stdout(environment: &Environment) -> Self {
        Self { colours: environment.os("NO_COLOR").is_none() && Terminal::stdout_obeys(environment) }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Not wrong yet.
    pub(super) fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What stands aside of the news: names, hints.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
impl Paint {
    pub(super) const NONE: Self = Self { colours: false };
    pub(super) const COLOURS: Self = Self { colours: true };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_under_the_paint() {
        assert_eq!(Paint::COLOURS.bad("no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Paint::NONE.bad("no"), "no");
    }
}
