//! Runs one command line: arguments in, rows out.
//!
//! Only this module writes to stdout and stderr.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bedrock_sso::{
    failure::Exit,
    host,
    http::{Client, HttpSettings},
    log::{self, LogFilter, LogLevel},
    text::{describe_io_error, display_path},
    time::Timestamp,
};
use clap::Parser as _;

use crate::{
    administration::{
        AdminAnswer, AdminRequest, Administration, parse_transfer,
        socket::{self, SocketAnswer},
    },
    calendar::{Calendar, Period},
    cli::{BlockArgs, Cli, Command, GrantArgs, LimitsCommand, RemoveLimitsArgs, SetLimitsArgs},
    config::{Config, StoreLocation},
    failure::Failure,
    lambda::{self, FunctionRole},
    limits::{Block, Grant, Limit},
    prices::PriceList,
    serve,
    store::{Store, StoreError, dynamodb_store::DynamoDbStore, file_store::FileStore},
};

/// The text of the configuration, where there are no files.
const CONFIG_VARIABLE: &str = "BEDROCK_SSO_SERVER_CONFIG";

/// Which lines the server logs.
const LOG_VARIABLE: &str = "BEDROCK_SSO_LOG";

/// For how long a command waits for a server that is just starting, and has opened the store but not its socket.
const SERVER_START: Duration = Duration::from_secs(5);

/// The pause before the next attempt to open a store that another process holds for a moment.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

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
        Command::Prices => return Ok(render(&AdminAnswer::of_prices(&prices), cli.json)),
        Command::Limits(LimitsCommand::Set(arguments)) => set_limits(arguments)?,
        Command::Limits(LimitsCommand::List(whose)) => AdminRequest::ListLimits { scope: whose.scope() },
        Command::Limits(LimitsCommand::Remove(arguments)) => remove_limits(arguments),
        Command::Usage(arguments) => AdminRequest::ShowUsage {
            scope: arguments.whose.scope(),
            month: arguments.month.as_deref().and_then(Calendar::parse_month),
            by: arguments.by,
        },
        Command::Grant(arguments) => add_grant(arguments, &config.calendar)?,
        Command::Block(arguments) => set_block(arguments, &config.calendar)?,
        Command::Unblock { person } => AdminRequest::RemoveBlock { person: person.clone() },
        Command::Ingest { files } => AdminRequest::Ingest { deliveries: read_all(files)? },
        Command::Faults => AdminRequest::ShowFaults,
        Command::Export => AdminRequest::Export,
        Command::Import { file } => AdminRequest::Import { rows: read_transfer(file)? },
    };
    let is_export = matches!(cli.command, Command::Export);
    let answer = block_on(carry_out(&config, &prices, request))?;
    Ok(render(&answer, cli.json || is_export))
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

fn set_limits(arguments: &SetLimitsArgs) -> Result<AdminRequest, Failure> {
    let amounts = [(Period::Hour, &arguments.hour), (Period::Day, &arguments.day), (Period::Month, &arguments.month)];
    let limits: Vec<Limit> = amounts
        .into_iter()
        .flat_map(|(period, amounts)| amounts.iter().map(move |amount| (period, *amount)))
        .map(|(period, amount)| Limit {
            scope: arguments.scope.scope(),
            model: arguments.model.clone(),
            period,
            amount,
            action: arguments.action,
        })
        .collect();
    match limits.is_empty() {
        true => Err(Failure::usage("no limit is given", "add --hour, --day or --month with an amount")),
        false => Ok(AdminRequest::SetLimits { limits }),
    }
}

fn remove_limits(arguments: &RemoveLimitsArgs) -> AdminRequest {
    let chosen = [(Period::Hour, arguments.hour), (Period::Day, arguments.day), (Period::Month, arguments.month)];
    AdminRequest::RemoveLimits {
        scope: arguments.scope.scope(),
        model: arguments.model.clone(),
        periods: chosen.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(period, _)| period).collect(),
    }
}

fn add_grant(arguments: &GrantArgs, calendar: &Calendar) -> Result<AdminRequest, Failure> {
    let now = host::now();
    let grant = Grant {
        person: arguments.person.clone(),
        since: now,
        until: parse_future(&arguments.until, calendar, now)?,
        amount: arguments.amount,
        reason: arguments.reason.clone(),
    };
    Ok(AdminRequest::AddGrant { grant })
}

fn set_block(arguments: &BlockArgs, calendar: &Calendar) -> Result<AdminRequest, Failure> {
    let now = host::now();
    let block = Block {
        person: arguments.person.clone(),
        since: now,
        until: arguments.until.as_deref().map(|text| parse_future(text, calendar, now)).transpose()?,
        reason: arguments.reason.clone(),
    };
    Ok(AdminRequest::SetBlock { block })
}

fn parse_future(text: &str, calendar: &Calendar, now: Timestamp) -> Result<Timestamp, Failure> {
    let refuse = |what: String| Failure::usage(what, "write 2026-12-01T08:00:00Z, 2026-12-01T09:00 or 2026-12-01");
    let time = calendar.parse_time(text).ok_or_else(|| refuse(format!("--until {text} is not a time")))?;
    match time > now {
        true => Ok(time),
        false => Err(refuse(format!("--until {text} is not in the future"))),
    }
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    files.iter().map(|path| read_file(path)).collect()
}

fn read_transfer(path: &Path) -> Result<Vec<crate::administration::TransferRow>, Failure> {
    let text = read_file(path)?;
    parse_transfer(&String::from_utf8_lossy(&text)).map_err(|what| {
        Failure::usage(
            format!("{} cannot be imported: {what}", display_path(path)),
            "nothing was imported; correct the file and try again",
        )
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::usage(
            format!("{} cannot be read: {}", display_path(path), describe_io_error(&error)),
            "name a file that exists and that this user may read",
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
    let store = open_store(&runtime, &config.store)?;
    runtime.block_on(lambda::run(role, &config, prices, store))
}

fn open_store(runtime: &tokio::runtime::Runtime, location: &StoreLocation) -> Result<Arc<dyn Store>, Failure> {
    Ok(match location {
        StoreLocation::File(path) => Arc::new(open_when_free(path)?),
        StoreLocation::DynamoDb { table } => Arc::new(runtime.block_on(open_table(table))?),
    })
}

async fn open_table(table: &str) -> Result<DynamoDbStore, Failure> {
    let environment = host::Environment::Process;
    let client = Client::new_for_service(HttpSettings::from_environment(&environment)).map_err(|error| {
        Failure::configuration(
            format!("requests to AWS are impossible: {error:?}"),
            "correct the proxy or the CA bundle in the environment",
        )
    })?;
    Ok(DynamoDbStore::open(table, &client, &environment).await?)
}

/// Warnings go to stderr; `BEDROCK_SSO_LOG` chooses other lines, as in the client. No line has a token or a body.
fn start_log() {
    let chosen = host::Environment::Process.var_text(LOG_VARIABLE).map(|text| LogFilter::parse(&text));
    let filter = chosen.unwrap_or_else(|| LogFilter::up_to(LogLevel::Warn));
    log::start_logging(filter, || host::now().to_string(), Box::new(io::stderr()));
}

/// Opens the store. An administrator's command may have opened it for a moment.
fn open_when_free(path: &Path) -> Result<FileStore, Failure> {
    let deadline = Instant::now() + SERVER_START;
    loop {
        match FileStore::open(path) {
            // The lock of a file reports no event when it becomes free.
            Err(StoreError::InUse(_)) if Instant::now() < deadline => thread::sleep(RETRY_PAUSE),
            opened => return opened.map_err(Failure::from),
        }
    }
}

/// Carries the request out here, or in the server that has opened the store.
async fn carry_out(config: &Config, prices: &PriceList, request: AdminRequest) -> Result<AdminAnswer, Failure> {
    match &config.store {
        StoreLocation::File(path) => match FileStore::open(path) {
            Ok(store) => carry_out_here(&store, config, prices, request).await,
            Err(StoreError::InUse(_)) => send_to_server(path, &request).await,
            Err(error) => Err(error.into()),
        },
        StoreLocation::DynamoDb { table } => carry_out_here(&open_table(table).await?, config, prices, request).await,
    }
}

async fn carry_out_here(
    store: &dyn Store,
    config: &Config,
    prices: &PriceList,
    request: AdminRequest,
) -> Result<AdminAnswer, Failure> {
    let administration = Administration { store, calendar: &config.calendar, prices, now: host::now() };
    Ok(administration.carry_out(request).await?)
}

async fn send_to_server(store: &Path, request: &AdminRequest) -> Result<AdminAnswer, Failure> {
    let unreachable = |error: io::Error| {
        Failure::new(
            Exit::Busy,
            "store/in_use",
            format!(
                "another program has opened the store {}, and does not answer: {}",
                display_path(store),
                describe_io_error(&error)
            ),
            "wait until it has ended, or see whether the server runs as another user",
        )
    };
    let sent = tokio::time::timeout(SERVER_START, async {
        loop {
            match socket::connect(store).await {
                // The server opens its socket right after the store, and nothing reports that.
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
                Ok(stream) => return stream,
            }
        }
    })
    .await
    .map_err(|_| unreachable(io::ErrorKind::TimedOut.into()))?;
    match socket::send(sent, request).await.map_err(unreachable)? {
        SocketAnswer::Done(answer) => Ok(answer),
        SocketAnswer::Refused(error) => Err(error.into()),
    }
}

fn render(answer: &AdminAnswer, json: bool) -> String {
    if json { format!("{}\n", answer.to_json()) } else { answer.to_table() }
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
