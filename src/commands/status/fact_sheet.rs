//! Facts as one screen: a name and what there is to say, a line each, folded where a terminal is narrow.
//!
//! It lays out and paints; which facts there are, and what kind of news each is, is told to it.

use crate::commands::{
    color::{Palette, Tone},
    wrap::{compute_width, wrap_text},
};

/// Wide enough for the longest name and a space.
const MARGIN: usize = 12;

pub(super) struct StatusFact {
    name: &'static str,
    text: String,
    tone: Tone,
}

impl StatusFact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), tone: Tone::Plain }
    }

    pub(super) fn with_tone(self, news: Tone) -> Self {
        Self { tone: news, ..self }
    }
}

/// The facts in their order. With no columns, for a file or a pipe, each is one line.
pub(super) fn format_facts(facts: &[StatusFact], columns: Option<usize>, palette: Palette) -> String {
    let width = compute_width(columns, MARGIN);
    let mut sheet = String::new();
    for StatusFact { name, text, tone: news } in facts {
        for (index, line) in wrap_text(text, width).iter().enumerate() {
            let name = if index == 0 { *name } else { "" };
            sheet.push_str(&palette.paint(Tone::Dimmed, &format!("{name:<MARGIN$}")));
            sheet.push_str(&palette.paint(*news, line));
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
            StatusFact::new("Who", "demo"),
            StatusFact::new("Last error", "the provider refused the sign-in").with_tone(Tone::Bad),
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
