//! Decisions with their reasons, for whoever has to explain what this program did; off unless asked for.
//!
//! It filters and writes lines. Secrets cannot get in: they are a type that does not print.

use std::{
    fmt,
    io::Write,
    sync::{Mutex, OnceLock},
};

use crate::text;

/// How much a line matters. The order is from rare to frequent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Warn,
    Info,
    Debug,
}

/// Which lines are wanted, as `BEDROCK_SSO_LOG` says it: `debug`, or `info,http=debug,callback=off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// A room, or the empty name for all that have no rule of their own, and the most that is wanted of it.
    rules: Vec<(String, Option<LogLevel>)>,
}

struct Logger {
    filter: LogFilter,
    timestamp: fn() -> String,
    sink: Mutex<Box<dyn Write + Send>>,
}

static LOG: OnceLock<Logger> = OnceLock::new();

/// Starts the log for this process; a second call changes nothing.
pub fn start_logging(filter: LogFilter, stamp: fn() -> String, sink: Box<dyn Write + Send>) {
    // The second caller of a process lost nothing: its lines go where the first one said.
    let _ = LOG.set(Logger { filter, timestamp: stamp, sink: Mutex::new(sink) });
}

pub fn warn(room: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Warn, room, decision);
}

pub fn info(room: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Info, room, decision);
}

pub fn debug(room: &str, decision: fmt::Arguments<'_>) {
    write_line(LogLevel::Debug, room, decision);
}

fn write_line(level: LogLevel, room: &str, decision: fmt::Arguments<'_>) {
    let Some(log) = LOG.get().filter(|log| log.filter.is_enabled(level, room)) else { return };
    // A line is one decision, whatever was written into it: a path may hold a line break, or what a terminal obeys.
    let decision = text::escape_controls(&decision.to_string());
    let line = format!("{} {} {} {room}: {decision}\n", (log.timestamp)(), std::process::id(), level.name());
    if let Ok(mut sink) = log.sink.lock() {
        // A log that cannot be written must not cost anybody their credentials.
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
    /// Everything up to a level.
    pub fn up_to(level: LogLevel) -> Self {
        Self { rules: vec![(String::new(), Some(level))] }
    }

    /// Reads a filter; parts that make no sense are left out, for a typo in a log setting must not stop a sign-in.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (room, level) = part.split_once('=').unwrap_or(("", part));
            filter.rules.extend(parse_level(level).map(|level| (room.to_owned(), level)));
        }
        filter
    }

    fn is_enabled(&self, level: LogLevel, room: &str) -> bool {
        let rule = |room: &str| self.rules.iter().rev().find(|(name, _)| name == room);
        rule(room).or_else(|| rule("")).is_some_and(|(_, most)| most.is_some_and(|most| level <= most))
    }

    /// Whether any line at all could be wanted.
    pub fn is_off(&self) -> bool {
        self.rules.iter().all(|(_, level)| level.is_none())
    }
}

/// `Some(None)` is `off`; `None` is no level at all.
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
    fn a_level_lets_the_rarer_ones_through() {
        let filter = LogFilter::parse("info");
        assert!(filter.is_enabled(LogLevel::Warn, "http") && filter.is_enabled(LogLevel::Info, "http"));
        assert!(!filter.is_enabled(LogLevel::Debug, "http"));
    }

    #[test]
    fn a_room_has_its_own_level() {
        let filter = LogFilter::parse("warn, http=debug ,callback=off");
        assert!(filter.is_enabled(LogLevel::Debug, "http") && !filter.is_enabled(LogLevel::Info, "session"));
        assert!(!filter.is_enabled(LogLevel::Warn, "callback"));
    }

    #[test]
    fn nonsense_is_no_filter() {
        assert!(LogFilter::parse("loud,=,x=y").is_off() && LogFilter::parse("").is_off());
        assert!(!LogFilter::parse("http=info").is_off());
    }
}
