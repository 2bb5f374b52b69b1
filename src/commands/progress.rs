//! The one line at a terminal that is replaced as time goes by, and gone in the end.
//!
//! Where stdout is no terminal that obeys, or where the log would come in between, it is nothing at all.

use super::{
    color::{Palette, Tone},
    write_stdout,
};
use crate::{
    cli::GlobalArgs,
    host::{Environment, Terminal},
};

/// No line of ours is longer; in a narrower terminal it would be folded, and could not be taken back.
const WIDTH: usize = 60;

/// To the beginning of the line, and the rest of it away.
const CLEAR_LINE: &str = "\r\x1b[K";

pub(super) struct ProgressLine {
    /// `None`: nothing is shown.
    palette: Option<Palette>,
    shown_text: Option<String>,
}

impl ProgressLine {
    /// For a caller that comes by itself; the system is not asked a thing, for warm calls pass here.
    pub(super) fn hidden() -> Self {
        Self { palette: None, shown_text: None }
    }

    pub(super) fn for_stdout(environment: &Environment, global: &GlobalArgs) -> Self {
        let logs = global.verbose > 0 || environment.var_os("BEDROCK_SSO_LOG").is_some();
        let logs_here = logs && environment.var_os("BEDROCK_SSO_LOG_FILE").is_none();
        let fits = Terminal::stdout_size().is_none_or(|(columns, _)| columns > WIDTH);
        let is_wanted = !logs_here && fits && Terminal::stdout_supports_escapes(environment);
        Self { palette: is_wanted.then(|| Palette::for_stdout(environment)), shown_text: None }
    }

    /// Shows this in place of what was shown before.
    pub(super) fn show_text(&mut self, text: &str) {
        let Some(palette) = self.palette.filter(|_| self.shown_text.as_deref() != Some(text)) else { return };
        // A terminal that is gone needs no telling.
        let _ = write_stdout(format!("{CLEAR_LINE}{}", palette.paint(Tone::Dimmed, text)).as_bytes());
        self.shown_text = Some(text.to_owned());
    }

    /// Makes room for a line that stays.
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
