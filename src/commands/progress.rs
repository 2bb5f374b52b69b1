//! The one line at a terminal that is replaced as time goes by, and gone in the end.
//!
//! Where stdout is no terminal that obeys, or where the log would come in between, it is nothing at all.

use super::{paint::Paint, print};
use crate::{
    cli::Global,
    host::{Environment, Terminal},
};

/// No line of ours is longer; in a narrower terminal it would be folded, and could not be taken back.
const WIDTH: usize = 60;

/// To the beginning of the line, and the rest of it away.
const AWAY: &str = "\r\x1b[K";

pub(super) struct Progress {
    /// `None`: nothing is shown.
    paint: Option<Paint>,
    shows: Option<String>,
}

impl Progress {
    /// For a caller that comes by itself; the system is not asked a thing, for warm calls pass here.
    pub(super) fn none() -> Self {
        Self { paint: None, shows: None }
    }

    pub(super) fn of_stdout(environment: &Environment, global: &Global) -> Self {
        let logs = global.verbose > 0 || environment.os("BEDROCK_SSO_LOG").is_some();
        let logs_here = logs && environment.os("BEDROCK_SSO_LOG_FILE").is_none();
        let fits = Terminal::size_of_stdout().is_none_or(|(columns, _)| columns > WIDTH);
        let is_wanted = !logs_here && fits && Terminal::stdout_obeys(environment);
        Self { paint: is_wanted.then(|| Paint::of_stdout(environment)), shows: None }
    }

    /// Shows this in place of what was shown before.
    pub(super) fn show(&mut self, text: &str) {
        let Some(paint) = self.paint.filter(|_| self.shows.as_deref() != Some(text)) else { return };
        // A terminal that is gone needs no telling.
        let _ = print(format!("{AWAY}{}", paint.faint(text)).as_bytes());
        self.shows = Some(text.to_owned());
    }

    /// Makes room for a line that stays.
    pub(super) fn clear(&mut self) {
        if self.shows.take().is_some() {
            let _ = print(AWAY.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
