//! The layout of `status`: a column of names and a column of values, with long values wrapped to the terminal's width.
//!
//! `status` chooses the facts and their tones. This file only aligns, wraps and colours them.

use crate::commands::{
    color::{Palette, Tone},
    wrap::{compute_width, wrap_text},
};

/// The width of the first column: the longest name and a space.
const MARGIN: usize = 12;

/// One line of `status`. An empty name continues the fact above it.
pub(super) struct StatusFact {
    name: &'static str,
    text: String,
    tone: Tone,
}

impl StatusFact {
    /// A fact without emphasis. `text` must be sanitised, because it can contain text from the provider.
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), tone: Tone::Plain }
    }

    /// The same fact with a colour for its value.
    pub(super) fn with_tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Formats the facts in the given order. `columns` is the terminal's width. For a file or a pipe it is `None`, and each
/// fact is one line, so that scripts can search it.
pub(super) fn format_facts(facts: &[StatusFact], columns: Option<usize>, palette: Palette) -> String {
    let width = compute_width(columns, MARGIN);
    let mut sheet = String::new();
    for StatusFact { name, text, tone } in facts {
        for (index, line) in wrap_text(text, width).iter().enumerate() {
            let name = if index == 0 { *name } else { "" };
            sheet.push_str(&palette.paint(Tone::Dimmed, &format!("{name:<MARGIN$}")));
            // Each line is coloured separately, so that the name column of the next line stays uncoloured.
            sheet.push_str(&palette.paint(*tone, line));
            sheet.push('\n');
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> [StatusFact; 2] {
        [
            StatusFact::new("User", "demo"),
            StatusFact::new("Last error", "the provider refused the sign-in").with_tone(Tone::Bad),
        ]
    }

    #[test]
    fn pipe_gets_one_uncoloured_line_for_each_fact() {
        let sheet = format_facts(&facts(), None, Palette::NONE);
        assert_eq!(sheet, "User        demo\nLast error  the provider refused the sign-in\n");
    }

    #[test]
    fn narrow_terminal_gets_wrapped_and_coloured_lines() {
        let sheet = format_facts(&facts(), Some(34), Palette::COLOURS);
        let faint = |name: &str| format!("\x1b[2m{name:<12}\x1b[0m");
        let bad = |text: &str| format!("\x1b[31m{text}\x1b[0m\n");
        assert_eq!(
            sheet,
            faint("User")
                + "demo\n"
                + &faint("Last error")
                + &bad("the provider refused")
                + &faint("")
                + &bad("the sign-in")
        );
    }
}
