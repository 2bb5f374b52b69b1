//! The log: decisions of the program with their reasons, for users who diagnose a problem. It is off by default.
//!
//! A line cannot contain a secret, because the type [`Secret`](crate::secret::Secret) does not print its text.

use std::{
    fmt,
    io::Write,
    sync::{Mutex, OnceLock},
};

use crate::text;

/// The level of a line. The order is from rare to frequent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Warn,
    Info,
    Debug,
}

/// The lines to write, in the syntax of `BEDROCK_SSO_LOG`: `debug`, or `info,http=debug,callback=off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The name of an area with its most frequent level; `None` is off. The empty name is for all areas without a rule.
    rules: Vec<(String, Option<LogLevel>)>,
}

/// The log of this process. The clock is a parameter, because only `host` may read it.
struct Logger {
    filter: LogFilter,
    timestamp: fn() -> String,
    sink: Mutex<Box<dyn Write + Send>>,
}

static LOG: OnceLock<Logger> = OnceLock::new();

/// Starts the log for this process; a second call changes nothing.
pub fn start_logging(filter: LogFilter, stamp: fn() -> String, sink: Box<dyn Write + Send>) {
    // The lines of a second caller go to the sink of the first one, so the failure of `set` does not matter.
    let _ = LOG.set(Logger { filter, timestamp: stamp, sink: Mutex::new(sink) });
}

/// Writes a line about something unusual. `area` is usually the name of the module.
pub fn warn(area: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Warn, area, decision);
}

/// Writes a line about a decision that a user would want to know.
pub fn info(area: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Info, area, decision);
}

/// Writes a line about a detail.
pub fn debug(area: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Debug, area, decision);
}

fn write_line(level: LogLevel, area: &str, decision: fmt::Arguments<'_>) {
    let Some(log) = LOG.get().filter(|log| log.filter.is_enabled(level, area)) else { return };
    // A path or another text from outside may contain a line break, and could forge a line of the log.
    let decision = text::escape_controls(&decision.to_string());
    let line = format!("{} {} {} {area}: {decision}\n", (log.timestamp)(), std::process::id(), level.name());
    if let Ok(mut sink) = log.sink.lock() {
        // A log that cannot be written must not make a request for credentials fail.
        let _ = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
    }
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl LogFilter {
    /// A filter that writes all lines up to this level.
    pub fn up_to(level: LogLevel) -> Self {
        Self { rules: vec![(String::new(), Some(level))] }
    }

    /// Parses a filter. Parts with an unknown level are ignored, because a typo in a log setting must not prevent a
    /// sign-in.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (area, level) = part.split_once('=').unwrap_or(("", part));
            filter.rules.extend(parse_level(level).map(|level| (area.to_owned(), level)));
        }
        filter
    }

    /// Whether a line is written. The last rule for an area wins.
    fn is_enabled(&self, level: LogLevel, area: &str) -> bool {
        let rule = |area: &str| self.rules.iter().rev().find(|(name, _)| name == area);
        rule(area).or_else(|| rule("")).is_some_and(|(_, most)| most.is_some_and(|most| level <= most))
    }

    /// Whether the filter writes no lines at all.
    pub fn is_off(&self) -> bool {
        self.rules.iter().all(|(_, level)| level.is_none())
    }
}

/// Parses a level. `Some(None)` is `off`, and `None` is a text that is not a level.
fn parse_level(text: &str) -> Option<Option<LogLevel>> {
    match text.trim().to_ascii_lowercase().as_str() {
        "off" | "0" | "none" => Some(None),
        "error" | "warn" => Some(Some(LogLevel::Warn)),
        "info" | "1" | "true" => Some(Some(LogLevel::Info)),
        "debug" | "trace" => Some(Some(LogLevel::Debug)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_level_includes_the_rarer_levels() {
        let filter = LogFilter::parse("info");
        assert!(filter.is_enabled(LogLevel::Warn, "http") && filter.is_enabled(LogLevel::Info, "http"));
        assert!(!filter.is_enabled(LogLevel::Debug, "http"));
    }

    #[test]
    fn log_area_has_its_own_level() {
        let filter = LogFilter::parse("warn, http=debug ,callback=off");
        assert!(filter.is_enabled(LogLevel::Debug, "http") && !filter.is_enabled(LogLevel::Info, "session"));
        assert!(!filter.is_enabled(LogLevel::Warn, "callback"));
    }

    #[test]
    fn malformed_log_filter_is_ignored() {
        assert!(LogFilter::parse("loud,=,x=y").is_off() && LogFilter::parse("").is_off());
        assert!(!LogFilter::parse("http=info").is_off());
    }
}
