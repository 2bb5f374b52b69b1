//! Colour, where a person looks at it: on a terminal that obeys it and whose owner does not mind.
//!
//! It only lays weight on words that say the same without it; whether they are good or bad news is the caller's to know.

use crate::host::{Environment, Terminal};

/// What kind of news a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    /// Not wrong yet.
    Warning,
    Bad,
    /// What stands aside of the news: names, hints.
    Dimmed,
}

/// What one stream is painted with: colours, or nothing at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    is_enabled: bool,
}

impl Palette {
    /// `NO_COLOR` with any value at all is a wish for none (no-color.org).
    pub(super) fn for_stdout(environment: &Environment) -> Self {
        Self { is_enabled: environment.var_os("NO_COLOR").is_none() && Terminal::stdout_supports_escapes(environment) }
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Dimmed => "2",
        };
        if self.is_enabled { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
impl Palette {
    pub(super) const NONE: Self = Self { is_enabled: false };
    pub(super) const COLOURS: Self = Self { is_enabled: true };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_under_the_paint() {
        assert_eq!(Palette::COLOURS.paint(Tone::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Palette::NONE.paint(Tone::Bad, "no"), "no");
    }
}
