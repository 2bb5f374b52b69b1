//! Runs one command line: arguments in, rows out.
//!
//! Only this module writes to stdout and stderr.

mod requests;
mod store_access;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use bedrock_sso::{
    failure::Exit,
    host,
    log::{self, LogFilter, LogLevel},
    text::{describe_io_error, display_path},
};
use clap::Parser as _;

use self::{
    requests::{add_grant, read_all, read_file, read_transfer, remove_limits, set_block, set_limits, write_report},
    store_access::{carry_out, open_store},
};
use crate::{
    administration::{AdminAnswer, AdminRequest},
    calendar::Calendar,
    cli::{Cli, Command, ExportedRows, LimitsCommand},
    config::Config,
    failure::Failure,
    lambda::{self, FunctionRole},
    prices::PriceList,
    report::render_page,
    serve,
};

/// The text of the configuration, where there are no files.
const CONFIG_VARIABLE: &str = "BEDROCK_SSO_SERVER_CONFIG";

/// Which lines the server logs.
const LOG_VARIABLE: &str = "BEDROCK_SSO_LOG";

/// Runs one command line and returns its exit code.
///
/// In AWS Lambda there is no command line: the environment says what the function does.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    if lambda::is_function(&host::Environment::Process) {
        return match run_function() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                print_failure(&failure);
                failure.exit.into()
            }
        };
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    match run_command(&cli) {
        Ok(text) => print_result(&text),
        Err(failure) => {
            print_failure(&failure);
            failure.exit.into()
        }
    }
}

/// Runs the command, and returns what belongs on stdout.
fn run_command(cli: &Cli) -> Result<String, Failure> {
    let config = load_config(cli.config.as_deref())?;
    let prices = load_prices(&config)?;
    let request = match &cli.command {
        Command::Serve => return run_server(&config, prices).map(|()| String::new()),
        Command::Export { what: ExportedRows::Prices } => {
            let answer = AdminAnswer::of_exported_prices(&prices);
            return Ok(render_lines(&answer, &config.calendar, cli.json));
        }
        Command::Prices => return Ok(render(&AdminAnswer::of_prices(&prices), &config.calendar, cli.json)),
        Command::Limits(LimitsCommand::Set(arguments)) => set_limits(arguments)?,
        Command::Limits(LimitsCommand::List(whose)) => AdminRequest::ListLimits { scope: whose.scope() },
        Command::Limits(LimitsCommand::Remove(arguments)) => remove_limits(arguments),
        Command::Usage(arguments) => AdminRequest::ShowUsage {
            scope: arguments.whose.scope(),
            month: arguments.month.as_deref().and_then(Calendar::parse_month),
            by: arguments.by,
        },
        Command::Report(arguments) => AdminRequest::ShowReport {
            month: arguments.month.as_deref().and_then(Calendar::parse_month),
            people: arguments.people,
        },
        Command::Grant(arguments) => add_grant(arguments, &config.calendar)?,
        Command::Revoke { person } => AdminRequest::RemoveGrants { person: person.clone() },
        Command::Block(arguments) => set_block(arguments, &config.calendar)?,
        Command::Unblock { person } => AdminRequest::RemoveBlock { person: person.clone() },
        Command::Ingest { files } => AdminRequest::Ingest { deliveries: read_all(files)? },
        Command::Faults => AdminRequest::ShowFaults,
        Command::Export { what: ExportedRows::Limits } => AdminRequest::Export,
        Command::Export { what: ExportedRows::People } => AdminRequest::ExportPeople,
        Command::Import { file } => AdminRequest::Import { rows: read_transfer(file)? },
    };
    let answer = block_on(carry_out(&config, prices, request))?;
    if let Some(remark) = answer.remark() {
        print_remark(remark);
    }
    if let (Command::Report(arguments), Some(report), false) = (&cli.command, answer.report(), cli.json) {
        return write_report(arguments, &render_page(report));
    }
    if let Command::Export { what } = &cli.command {
        return Ok(match what {
            ExportedRows::Limits => render(&answer, &config.calendar, true),
            ExportedRows::People | ExportedRows::Prices => render_lines(&answer, &config.calendar, cli.json),
        });
    }
    Ok(render(&answer, &config.calendar, cli.json))
}

fn load_config(path: Option<&Path>) -> Result<Config, Failure> {
    if let Some(path) = path {
        return Config::load(path);
    }
    let text = host::Environment::Process.var_text(CONFIG_VARIABLE).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "usage/no_configuration",
            format!("neither --config nor {CONFIG_VARIABLE} names a configuration"),
            "name the file with --config FILE",
        )
    })?;
    Config::parse(&text, Path::new("")).map_err(|what| {
        Failure::configuration(format!("{CONFIG_VARIABLE}: {what}"), "correct the variable of the function")
    })
}

fn load_prices(config: &Config) -> Result<PriceList, Failure> {
    let Some(path) = &config.prices else { return Ok(PriceList::shipped()) };
    let text = read_file(path)?;
    PriceList::parse(&String::from_utf8_lossy(&text)).map_err(|what| {
        Failure::configuration(
            format!("the prices {}: {what}", display_path(path)),
            "correct the file; `bedrock-sso-server prices` without it shows those that ship",
        )
    })
}

fn run_server(config: &Config, prices: PriceList) -> Result<(), Failure> {
    start_log();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| internal("no threads", &error))?;
    let store = open_store(&runtime, &config.store)?;
    runtime.block_on(serve::serve(config, prices, store))
}

fn run_function() -> Result<(), Failure> {
    let role = FunctionRole::from_environment(&host::Environment::Process)?;
    let config = load_config(None)?;
    let prices = load_prices(&config)?;
    start_log();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| internal("no threads", &error))?;
    if role == FunctionRole::Relay {
        return runtime.block_on(lambda::run_relay(&config));
    }
    let store = open_store(&runtime, &config.store)?;
    runtime.block_on(lambda::run(role, &config, prices, store))
}

/// Warnings go to stderr; `BEDROCK_SSO_LOG` chooses other lines, as in the client. No line has a token or a body.
fn start_log() {
    let chosen = host::Environment::Process.var_text(LOG_VARIABLE).map(|text| LogFilter::parse(&text));
    let filter = chosen.unwrap_or_else(|| LogFilter::up_to(LogLevel::Warn));
    log::start_logging(filter, || host::now().to_string(), Box::new(io::stderr()));
}

fn render(answer: &AdminAnswer, calendar: &Calendar, json: bool) -> String {
    if json { format!("{}\n", answer.to_json()) } else { answer.to_table(calendar) }
}

/// Rows for analytics, whose tables are lines.
fn render_lines(answer: &AdminAnswer, calendar: &Calendar, json: bool) -> String {
    if json { render(answer, calendar, true) } else { answer.to_json_lines() }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| internal("no event loop", &error))?.block_on(work)
}

fn internal(what: &str, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Internal,
        "internal",
        format!("{what}: {}", describe_io_error(error)),
        "see whether the system has memory and threads left",
    )
}

/// Prints help and version on stdout, and a wrong command line on stderr.
#[expect(clippy::print_stderr, reason = "the one place for failures")]
fn print_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return print_result(&error.to_string());
    }
    eprint!("{error}");
    Exit::Usage.into()
}

#[expect(clippy::print_stderr, reason = "stdout has the rows only")]
fn print_remark(remark: &str) {
    eprintln!("bedrock-sso-server: {remark}");
}

#[expect(clippy::print_stderr, reason = "the one place for failures")]
fn print_failure(failure: &Failure) {
    eprintln!("{failure}");
}

/// Prints the result. A reader that has closed the pipe has read enough.
fn print_result(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Internal.into(),
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}
