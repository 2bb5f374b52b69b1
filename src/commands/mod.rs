//! One file a verb: arguments into a call, the result into output.
//!
//! The only room that speaks on stdout and stderr; an errand beside it passes on what its worker logs.

mod bearer;
pub(crate) mod config;
mod credentials;
mod desk;
mod doctor;
mod drawing;
mod env;
mod errand;
mod generated;
mod exec;
mod export;
mod fold;
mod login;
mod logout;
mod otel_headers;
mod paint;
mod progress;
mod proof;
mod screen;
mod setup;
mod spelt;
mod status;
mod token;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::error::ErrorKind;
use serde::Serialize;

use crate::{
    cli::{Cli, Command, CommonCall, Credentials, Global, OTEL_HEADERS, common_call},
    failure::{Denied, Exit, Failure},
    host, secret,
    text::escape_json,
};
use desk::Desk;
use screen::Screen;
use spelt::spelt;

/// Runs one command line to its end. Even a fault of our own ends in two lines and a documented code.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    host::guard();
    panic::set_hook(Box::new(|fault| {
        end(Err(fault.into()));
    }));
    let code = guarded(|| understood(words.collect()));
    secret::sweep::<{ secret::WARM }>();
    code
}

fn guarded(work: impl FnOnce() -> ExitCode) -> ExitCode {
    // Nothing outlives the work, so nothing half done can be seen.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Internal.into())
}

/// A frame of its own, below which nothing is left when it is done: see [`secret::sweep`].
#[inline(never)]
fn understood(words: Vec<OsString>) -> ExitCode {
    match words.get(1..).and_then(common_call) {
        Some(CommonCall::Credentials(global)) => {
            return ended(credentials::run(&Credentials::default(), &global), &global);
        }
        Some(CommonCall::OtelHeaders(global)) => return end(otel_headers::run(&global)),
        None => {}
    }
    let must_answer = words.get(1).is_some_and(|verb| verb == OTEL_HEADERS);
    match Cli::read(words) {
        Ok(Cli { command, global }) => {
            obey(&command, &global).unwrap_or_else(|failure| ended(Err(failure), &global))
        }
        Err(error) if must_answer && error.use_stderr() => {
            usage(&error);
            end(otel_headers::nothing())
        }
        Err(error) => usage(&error),
    }
}

fn obey(command: &Command, global: &Global) -> Result<ExitCode, Failure> {
    match command {
        // What it found is said already, and the code is all that is left to say.
        Command::Doctor(arguments) => return doctor::run(arguments, global),
        Command::Credentials(arguments) => credentials::run(arguments, global),
        Command::Login(arguments) => login::run(arguments, global),
        Command::Logout(arguments) => logout::run(arguments, global),
        Command::Status(arguments) => status::run(arguments, global),
        Command::Setup(arguments) => setup::run(arguments, global),
        Command::Config(arguments) => config::run(arguments, global),
        Command::Exec(arguments) => exec::run(arguments, global),
        Command::Env(arguments) => env::run(arguments, global),
        Command::Export => export::run(global),
        Command::OtelHeaders => otel_headers::run(global),
        Command::Token(arguments) => token::run(arguments, global),
        Command::Bearer(arguments) => bearer::run(arguments, global),
        Command::Completions(arguments) => generated::completions(arguments),
        Command::Man => generated::man(),
        Command::Errand(arguments) => errand::run(arguments, global),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// The end of a command for a profile, to which its advice leads.
fn ended(result: Result<(), Failure>, global: &Global) -> ExitCode {
    end(result.map_err(|failure| Failure { hint: spelt(&failure.hint, global), ..failure }))
}

fn end(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.to_string());
            failure.exit.into()
        }
    }
}

/// Help and version are asked for and go to stdout; who typed half a command gets its help on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return end(Err(error.into()));
    }
    // Whoever closed the stream does not want the text.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

/// Tells people a line on stderr.
fn say_line(text: &str) {
    say(&format!("{text}\n"));
}

/// Tells people something on stderr. What was done is done, whether anybody reads of it or not.
fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// The one line of JSON that a program is answered with.
fn document(report: &impl Serialize) -> String {
    let mut text = escape_json(serde_json::to_string(report).expect("a report holds texts and numbers"));
    text.push('\n');
    text
}

/// Writes to stdout, whole and at once. A reader that has gone away is not our failure, and nobody is left to tell.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Denied::Stdout(error).into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_our_own_ends_in_a_documented_code() {
        assert_eq!(guarded(|| panic!("of a test")), ExitCode::from(1));
        assert_eq!(guarded(|| ExitCode::from(7)), ExitCode::from(7));
    }
}
