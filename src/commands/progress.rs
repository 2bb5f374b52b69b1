//! The progress line: one line in a terminal that the program replaces as time passes, and removes at the end.
//!
//! It is not shown if stdout is not a terminal with escape sequences, if the terminal is too narrow, or if the log goes
//! to the same terminal and would interrupt the line.

use super::{
    color::{Palette, Tone},
    write_stdout,
};
use crate::{
    cli::GlobalArgs,
    host::{Environment, Terminal},
};

/// The maximum length of a progress line. A narrower terminal would wrap it to two lines, of which the escape sequence
/// clears only the last.
const WIDTH: usize = 60;

/// Moves the cursor to the start of the line and clears the line.
const CLEAR_LINE: &str = "\r\x1b[K";

/// A progress line on stdout. Dropping it clears the line.
pub(super) struct ProgressLine {
    /// `None`: the line is never shown.
    palette: Option<Palette>,
    /// The text on the screen, to avoid writing the same text again and clearing a line that is empty.
    shown_text: Option<String>,
}

impl ProgressLine {
    /// A line that is never shown, for automatic callers. It makes no system call, because calls that only read the
    /// cache must stay fast.
    pub(super) fn hidden() -> Self {
        Self { palette: None, shown_text: None }
    }

    /// A line that is shown if stdout is suitable.
    pub(super) fn for_stdout(environment: &Environment, global: &GlobalArgs) -> Self {
        let logs = global.verbose > 0 || environment.var_os("BEDROCK_SSO_LOG").is_some();
        let logs_here = logs && environment.var_os("BEDROCK_SSO_LOG_FILE").is_none();
        let fits = Terminal::stdout_size().is_none_or(|(columns, _)| columns > WIDTH);
        let is_wanted = !logs_here && fits && Terminal::stdout_supports_escapes(environment);
        Self { palette: is_wanted.then(|| Palette::for_stdout(environment)), shown_text: None }
    }

    /// Replaces the line by `text`, which must have at most [`WIDTH`] characters.
    pub(super) fn show_text(&mut self, text: &str) {
        let Some(palette) = self.palette.filter(|_| self.shown_text.as_deref() != Some(text)) else { return };
        // The sign-in continues even if the terminal has been closed.
        let _ = write_stdout(format!("{CLEAR_LINE}{}", palette.paint(Tone::Dimmed, text)).as_bytes());
        self.shown_text = Some(text.to_owned());
    }

    /// Removes the line, so that other output can take its place.
    pub(super) fn clear(&mut self) {
        if self.shown_text.take().is_some() {
            let _ = write_stdout(CLEAR_LINE.as_bytes());
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}
