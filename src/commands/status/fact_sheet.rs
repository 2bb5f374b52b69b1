//! Facts as one screen: a name and what there is to say, a line each, folded where a terminal is narrow.
//!
//! It lays out and paints; which facts there are, and what kind of news each is, is told to it.

use crate::commands::{
    color::Palette,
    wrap::{compute_width, wrap_text},
};

/// Wide enough for the longest name and a space.
const MARGIN: usize = 12;

/// What kind of news a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FactTone {
    Plain,
    Good,
    Warning,
    Bad,
}

pub(super) struct StatusFact {
    name: &'static str,
    text: String,
    tone: FactTone,
}

impl StatusFact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), tone: FactTone::Plain }
    }

    pub(super) fn with_tone(self, news: FactTone) -> Self {
        Self { tone: news, ..self }
    }
}

/// The facts in their order. With no columns, for a file or a pipe, each is one line.
pub(super) fn format_facts(facts: &[StatusFact], columns: Option<usize>, paint: Palette) -> String {
    let width = compute_width(columns, MARGIN);
    let mut sheet = String::new();
    for StatusFact { name, text, tone: news } in facts {
        for (index, line) in wrap_text(text, width).iter().enumerate() {
            let name = if index == 0 { *name } else { "" };
            sheet.push_str(&paint.dimmed(&format!("{name:<MARGIN$}")));
            sheet.push_str(&news.apply_color(line, paint));
            sheet.push('\n');
        }
    }
    sheet
}

impl FactTone {
    fn apply_color(self, text: &str, paint: Palette) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Good => paint.success(text),
            Self::Warning => paint.warning(text),
            Self::Bad => paint.error(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> [StatusFact; 2] {
        [
            StatusFact::new("Who", "demo"),
            StatusFact::new("Last error", "the provider refused the sign-in").with_tone(FactTone::Bad),
        ]
    }

    #[test]
    fn a_pipe_gets_a_line_a_fact_and_no_paint() {
        let sheet = format_facts(&facts(), None, Palette::NONE);
        assert_eq!(sheet, "Who         demo\nLast error  the provider refused the sign-in\n");
    }

    #[test]
    fn a_narrow_terminal_gets_folded_lines_each_painted_by_itself() {
        let sheet = format_facts(&facts(), Some(34), Palette::COLOURS);
        let faint = |name: &str| format!("\x1b[2m{name:<12}\x1b[0m");
        let bad = |text: &str| format!("\x1b[31m{text}\x1b[0m\n");
        assert_eq!(
            sheet,
            faint("Who")
                + "demo\n"
                + &faint("Last error")
                + &bad("the provider refused")
                + &faint("")
                + &bad("the sign-in")
        );
    }
}
