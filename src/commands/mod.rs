//! The commands, with one file for each: they turn arguments into calls of the other modules, and results into output.
//!
//! Only this module writes to stdout and stderr, so the rule that stdout contains nothing but the result can be checked
//! in one place. The exception is `worker`, which copies a worker's log to stderr.

mod bearer;
pub(crate) mod config;
mod credentials;
mod console;
mod context;
mod doctor;
mod qr_code;
mod env;
mod worker;
mod generated;
mod exec;
mod export;
mod wrap;
mod login;
mod logout;
mod one_time_browser;
mod otel_headers;
mod otel_relay;
mod color;
mod progress;
mod quota;
mod client_secret;
mod screen;
mod setup;
mod sign_out_page;
mod status;
mod token;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::error::ErrorKind;
use serde::Serialize;

use crate::{
    cli::{Cli, CliCommand, FastPathCommand, GlobalArgs, OTEL_HEADERS, parse_fast_path},
    config::CallerKind,
    failure::{Exit, Failure},
    hint::Invocation,
    host, secret,
    text::escape_json,
    worker::{CallerLog, report_early_failure},
};
use context::CommandContext;
use screen::SignInScreen;

/// Runs one command line and returns its exit code.
///
/// A panic also ends with a documented exit code and a failure of two lines on stderr, because hosts show that text to
/// users. Before it returns, the function overwrites the stack, on which copies of secrets may remain.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    host::harden_process();
    panic::set_hook(Box::new(|fault| {
        finish_command(Err(fault.into()));
    }));
    let code = catch_panic(|| parse_and_run(words.collect()));
    secret::wipe_stack::<{ secret::WARM_STACK_BYTES }>();
    code
}

fn catch_panic(work: impl FnOnce() -> ExitCode) -> ExitCode {
    // `AssertUnwindSafe` is sound because the process ends: nothing reads data that the panic left half written.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Internal.into())
}

/// Parses the command line and runs its command.
///
/// It must not be inlined: [`secret::wipe_stack`] can only overwrite the frames of a call that has returned.
#[inline(never)]
fn parse_and_run(words: Vec<OsString>) -> ExitCode {
    match words.get(1..).and_then(parse_fast_path) {
        Some(FastPathCommand::Credentials(global)) => {
            return run_in_context(&global, |context| credentials::run_credentials(CallerKind::MayPrompt, context));
        }
        Some(FastPathCommand::OtelHeaders(global)) => {
            return finish_command(otel_headers::run_otel_headers(&global));
        }
        None => {}
    }
    // A host that runs `otel-headers` needs JSON even if the arguments are wrong.
    let must_answer = words.get(1).is_some_and(|verb| verb == OTEL_HEADERS);
    match Cli::parse_args(words) {
        Ok(Cli { command, global }) => run_command(&command, &global),
        Err(error) if must_answer && error.use_stderr() => {
            print_usage(&error);
            finish_command(otel_headers::print_empty_headers())
        }
        Err(error) => print_usage(&error),
    }
}

/// Runs a parsed command. Those that need no configuration get no context, so they work without a home directory too.
fn run_command(command: &CliCommand, global: &GlobalArgs) -> ExitCode {
    match command {
        CliCommand::Credentials { no_login } => {
            let caller = if *no_login { CallerKind::NonInteractive } else { CallerKind::MayPrompt };
            run_in_context(global, |context| credentials::run_credentials(caller, context))
        }
        CliCommand::Login(arguments) => run_in_context(global, |context| login::run_login(arguments, context)),
        CliCommand::Logout { all: true, .. } => run_in_context(global, logout::sign_out_everything),
        CliCommand::Logout { role_only: true, .. } => run_in_context(global, logout::forget_credentials),
        CliCommand::Logout { browser: true, .. } => run_in_context(global, sign_out_page::sign_out_with_browser),
        CliCommand::Logout { .. } => run_in_context(global, logout::sign_out_one),
        CliCommand::Status { json } => run_in_context(global, |context| status::run_status(*json, context)),
        CliCommand::Setup(arguments) => run_in_context(global, |context| setup::run_setup(arguments, context)),
        CliCommand::Doctor(arguments) => {
            run_for_exit_code(CommandContext::new(global), |context| doctor::run_doctor(arguments, context))
        }
        CliCommand::Config(arguments) => run_in_context(global, |context| config::run_config(arguments, context)),
        CliCommand::Exec { command } => run_in_context(global, |context| exec::run_exec(command, context)),
        CliCommand::Env { shell } => run_in_context(global, |context| env::run_env(*shell, context)),
        CliCommand::Console(arguments) => run_in_context(global, |context| console::run_console(arguments, context)),
        CliCommand::Export => run_in_context(global, export::run_export),
        CliCommand::OtelHeaders => finish_command(otel_headers::run_otel_headers(global)),
        CliCommand::OtelRelay { background } => {
            run_in_context(global, |context| otel_relay::run_otel_relay(*background, context))
        }
        CliCommand::Quota(arguments) => run_in_context(global, |context| quota::run_quota(arguments, context)),
        CliCommand::Token { raw } => run_in_context(global, |context| token::run_token(*raw, context)),
        CliCommand::Bearer { json } => run_in_context(global, |context| bearer::run_bearer(*json, context)),
        CliCommand::Completions { shell } => finish_command(generated::print_completions(*shell)),
        CliCommand::Man => finish_command(generated::print_manual()),
        CliCommand::Worker(arguments) => {
            let context = CommandContext::with_log(global, || Box::new(CallerLog));
            let context = context.inspect_err(report_early_failure);
            run_for_exit_code(context, |context| worker::run_worker(arguments, context).map(|()| ExitCode::SUCCESS))
        }
    }
}

/// Runs a command that succeeds with exit code 0.
fn run_in_context(global: &GlobalArgs, run: impl FnOnce(&CommandContext<'_>) -> Result<(), Failure>) -> ExitCode {
    run_for_exit_code(CommandContext::new(global), |context| run(context).map(|()| ExitCode::SUCCESS))
}

/// Runs a command that chooses its exit code also when it succeeds, as `doctor` does. If the command fails, the hint
/// repeats the flags that lead to its profile.
fn run_for_exit_code<'a>(
    context: Result<CommandContext<'a>, Failure>,
    run: impl FnOnce(&CommandContext<'a>) -> Result<ExitCode, Failure>,
) -> ExitCode {
    match context {
        Ok(context) => run(&context).unwrap_or_else(|failure| report_failure(&failure, &context.invocation())),
        Err(failure) => report_failure(&failure, &Invocation::default()),
    }
}

/// Ends a command that needs no profile, and whose hints therefore need no flags.
fn finish_command(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report_failure(&failure, &Invocation::default()),
    }
}

/// Prints the two lines of a failure on stderr and returns its exit code.
fn report_failure(failure: &Failure, invocation: &Invocation) -> ExitCode {
    write_stderr(&failure.render(invocation));
    failure.exit().into()
}

/// Prints clap's help, version or error. `--help` and `--version` print to stdout. A command without its subcommand
/// prints its help to stderr, and any other error becomes a [`Failure`].
fn print_usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return finish_command(Err(error.into()));
    }
    // An error means that the reader has closed the stream, and there is no other place for the text.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

/// Writes a line to stderr.
fn write_stderr_line(text: &str) {
    write_stderr(&format!("{text}\n"));
}

/// Writes to stderr. An error is ignored: a closed stderr must not make a command fail that has done its work.
fn write_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Writes a line to stderr if it is a terminal. Some programs treat any text on stderr as a failure of the command.
fn write_stderr_if_terminal(text: &str) {
    if io::stderr().is_terminal() {
        write_stderr_line(text);
    }
}

/// Formats a report as one line of JSON. Control characters are escaped, so that text from a provider cannot change
/// what a terminal shows.
fn to_json_line(report: &impl Serialize) -> String {
    let mut text = escape_json(serde_json::to_string(report).expect("a report holds texts and numbers"));
    text.push('\n');
    text
}

/// Writes a document that holds secrets to stdout.
fn write_secret(document: &secret::Secret) -> Result<(), Failure> {
    write_stdout(document.expose().as_bytes())
}

/// Writes the bytes to stdout and flushes it. A reader that has closed the pipe is not a failure, as with `| head -1`.
fn write_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::from_stdout_error(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catch_panic_turns_a_panic_into_exit_code_1() {
        assert_eq!(catch_panic(|| panic!("of a test")), ExitCode::from(1));
        assert_eq!(catch_panic(|| ExitCode::from(7)), ExitCode::from(7));
    }
}
