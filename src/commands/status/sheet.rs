//! Facts as one screen: a name and what there is to say, a line each, folded where a terminal is narrow.
//!
//! It lays out and paints; which facts there are, and what kind of news each is, is told to it.

use crate::commands::{
    fold::{folded, room},
    paint::Paint,
};

/// Wide enough for the longest name and a space.
const MARGIN: usize = 12;

/// What kind of news a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Plain,
    Good,
    Doubtful,
    Bad,
}

pub(super) struct Fact {
    name: &'static str,
    text: String,
    news: News,
}

impl Fact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), news: News::Plain }
    }

    pub(super) fn with(self, news: News) -> Self {
        Self { news, ..self }
    }
}

/// The facts in their order. With no columns, for a file or a pipe, each is one line.
pub(super) fn laid_out(facts: &[Fact], columns: Option<usize>, paint: Paint) -> String {
    let width = room(columns, MARGIN);
    let mut sheet = String::new();
    for Fact { name, text, news } in facts {
        for (index, line) in folded(text, width).iter().enumerate() {
            let name = if index == 0 { *name } else { "" };
            sheet.push_str(&paint.faint(&format!("{name:<MARGIN$}")));
            sheet.push_str(&news.painted(line, paint));
            sheet.push('\n');
        }
    }
    sheet
}

impl News {
    fn painted(self, text: &str, paint: Paint) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Good => paint.good(text),
            Self::Doubtful => paint.doubtful(text),
            Self::Bad => paint.bad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> [Fact; 2] {
        [
            Fact::new("Who", "demo"),
            Fact::new("Last error", "the provider refused the sign-in").with(News::Bad),
        ]
    }

    #[test]
    fn a_pipe_gets_a_line_a_fact_and_no_paint() {
        let sheet = laid_out(&facts(), None, Paint::NONE);
        assert_eq!(sheet, "Who         demo\nLast error  the provider refused the sign-in\n");
    }

    #[test]
    fn a_narrow_terminal_gets_folded_lines_each_painted_by_itself() {
        let sheet = laid_out(&facts(), Some(34), Paint::COLOURS);
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
