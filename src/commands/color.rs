//! Colours for output in a terminal.
//!
//! Colour only adds emphasis: the text must say the same without it, because pipes, files and users with `NO_COLOR` get
//! none. The caller chooses the tone of each text.

use crate::host::{Environment, Terminal};

/// How a text is emphasised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// Green: it works.
    Good,
    /// Yellow: it still works, but needs attention.
    Warning,
    /// Red: it does not work.
    Bad,
    /// Faint: labels and progress, which are less important than the text beside them.
    Dimmed,
}

/// Colours texts for one stream, or returns them unchanged if that stream must not get colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    is_enabled: bool,
}

impl Palette {
    /// The palette for stdout. Colours are on in a terminal that supports escape sequences, unless `NO_COLOR` is set.
    /// Any value of that variable counts, even an empty one (no-color.org).
    pub(super) fn for_stdout(environment: &Environment) -> Self {
        Self { is_enabled: environment.var_os("NO_COLOR").is_none() && Terminal::stdout_supports_escapes(environment) }
    }

    /// Returns `text` with the escape sequences for `tone` around it. It must be free of escape sequences itself.
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
    fn paint_adds_escapes_only_when_enabled() {
        assert_eq!(Palette::COLOURS.paint(Tone::Bad, "no"), "\x1b[31mno\x1b[0m");
        assert_eq!(Palette::NONE.paint(Tone::Bad, "no"), "no");
    }
}
