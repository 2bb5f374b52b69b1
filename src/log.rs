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
pub enum Level {
    Warn,
    Info,
    Debug,
}

/// Which lines are wanted, as `BEDROCK_SSO_LOG` says it: `debug`, or `info,http=debug,callback=off`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    default: Option<Level>,
    rooms: Vec<(String, Option<Level>)>,
}

struct Log {
    filter: Filter,
    stamp: fn() -> String,
    sink: Mutex<Box<dyn Write + Send>>,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Starts the log for this process; a second call changes nothing.
pub fn start(filter: Filter, stamp: fn() -> String, sink: Box<dyn Write + Send>) {
    // The second caller of a process lost nothing: its lines go where the first one said.
    let _ = LOG.set(Log { filter, stamp, sink: Mutex::new(sink) });
}

pub fn warn(room: &str, decision: fmt::Arguments<'_>) {
    write(Level::Warn, room, decision);
}

pub fn info(room: &str, decision: fmt::Arguments<'_>) {
    write(Level::Info, room, decision);
}

pub fn debug(room: &str, decision: fmt::Arguments<'_>) {
    write(Level::Debug, room, decision);
}

fn write(level: Level, room: &str, decision: fmt::Arguments<'_>) {
    let Some(log) = LOG.get().filter(|log| log.filter.wants(level, room)) else { return };
    // A line is one decision, whatever was written into it: a path may hold a line break, or what a terminal obeys.
    let decision = text::verbatim(&decision.to_string());
    let line = format!("{} {} {} {room}: {decision}\n", (log.stamp)(), std::process::id(), level.name());
    if let Ok(mut sink) = log.sink.lock() {
        // A log that cannot be written must not cost anybody their credentials.
        let _ = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
    }
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Filter {
    /// Everything up to a level.
    pub fn up_to(level: Level) -> Self {
        Self { default: Some(level), rooms: Vec::new() }
    }

    /// Reads a filter; parts that make no sense are left out, for a typo in a log setting must not stop a sign-in.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((room, level)) => {
                    filter.rooms.extend(parse_level(level).map(|level| (room.to_owned(), level)));
                }
                None => filter.default = parse_level(part).unwrap_or(filter.default),
            }
        }
        filter
    }

    fn wants(&self, level: Level, room: &str) -> bool {
        let named = self.rooms.iter().rev().find(|(name, _)| name == room);
        named.map_or(self.default, |(_, level)| *level).is_some_and(|most| level <= most)
    }

    /// Whether any line at all could be wanted.
    pub fn is_off(&self) -> bool {
        self.default.is_none() && self.rooms.iter().all(|(_, level)| level.is_none())
    }
}

/// `Some(None)` is `off`; `None` is no level at all.
fn parse_level(text: &str) -> Option<Option<Level>> {
    match text.trim().to_ascii_lowercase().as_str() {
        "off" | "0" | "none" => Some(None),
        "error" | "warn" => Some(Some(Level::Warn)),
        "info" | "1" | "true" => Some(Some(Level::Info)),
        "debug" | "trace" => Some(Some(Level::Debug)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_lets_the_rarer_ones_through() {
        let filter = Filter::parse("info");
        assert!(filter.wants(Level::Warn, "http") && filter.wants(Level::Info, "http"));
        assert!(!filter.wants(Level::Debug, "http"));
    }

    #[test]
    fn a_room_has_its_own_level() {
        let filter = Filter::parse("warn, http=debug ,callback=off");
        assert!(filter.wants(Level::Debug, "http") && !filter.wants(Level::Info, "session"));
        assert!(!filter.wants(Level::Warn, "callback"));
    }

    #[test]
    fn nonsense_is_no_filter() {
        assert!(Filter::parse("loud,=,x=y").is_off() && Filter::parse("").is_off());
        assert!(!Filter::parse("http=info").is_off());
    }
}
