//! `console`: the AWS console in a browser, signed in as the profile's role.
//!
//! The address that signs in is a credential. A browser gets it from this process alone, by a short local address.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use super::{CommandContext, context::ProfileContext, env::fetch_credentials, write_stderr_line, write_stdout};
use crate::{
    aws::{self, ConsolePage},
    cli::ConsoleArgs,
    config::{CallerKind, Partition, Profile},
    credentials::SecretDocument,
    failure::Failure,
    host::{Browser, BrowserLaunch, ExecutionContext, Terminal},
    http::{self, Client},
    log,
    oidc::callback::OneTimeRedirect,
    race::{RaceWinner, race_futures},
    secret::Secret,
    session::{SessionCredentials, await_browser_failure, check_browser},
};

/// How long AWS may take to answer: somebody waits at a terminal.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the local address waits for the browser, unless the profile gives a sign-in even less. A browser that was
/// started opens an address within seconds, and nobody has to type anything first.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run_console(arguments: &ConsoleArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let ConsoleArgs { service, region, no_browser } = arguments;
    let work = context.load_profile(CallerKind::MayPrompt)?;
    let region = choose_region(region.as_deref(), &work.profile)?;
    // Before anybody is asked to sign in for nothing.
    let browser = if *no_browser { None } else { Some(find_browser(&work)?) };
    let ready = fetch_credentials(&work)?;
    let page = ConsolePage { region, service: service.as_deref() };
    let client = Client::new(work.profile.network_settings(&context.host.environment))?;
    let opening = async {
        let client = client.with_total_timeout(ANSWER_TIMEOUT);
        let address = aws::request_console_address(&client, &work.profile, page, &ready.credentials).await?;
        let role = describe_role(&ready, &work.profile);
        match browser {
            Some(browser) => show_in_browser(&browser, address, &role, &work.profile).await,
            None => print_address(&address, &role),
        }
    };
    http::block_on(opening).map_err(Failure::from_runtime_error)?
}

fn choose_region<'r>(named: Option<&'r str>, profile: &'r Profile) -> Result<&'r str, Failure> {
    let own = profile.region.as_str();
    let partition = |region| Partition::from_region(region).name;
    match named {
        None => Ok(own),
        Some(region) if Partition::is_region(region) && partition(region) == partition(own) => Ok(region),
        Some(region) => Err(Failure::from_other_partition(region, own)),
    }
}

fn find_browser(work: &ProfileContext<'_>) -> Result<Browser, Failure> {
    let environment = &work.host().environment;
    let browser = work.profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    check_browser(&work.profile, &browser, &around).map_err(Failure::from_missing_browser)?;
    Ok(browser)
}

fn describe_role(ready: &SessionCredentials, profile: &Profile) -> String {
    match ready.role(profile) {
        Some(role) => format!("{} in account {}", role.name(), role.account()),
        None => "the identity pool's role".to_owned(),
    }
}

fn print_address(address: &Secret, role: &str) -> Result<(), Failure> {
    write_stderr_line(&format!(
        "Anyone who opens this address within 15 minutes is signed in to the AWS console as {role}. Keep it secret:"
    ));
    write_stdout(SecretDocument::from_text(format!("{}\n", address.expose())).expose())
}

/// Starts the browser with a local address, and returns once it has been sent on to AWS.
async fn show_in_browser(browser: &Browser, address: Secret, role: &str, profile: &Profile) -> Result<(), Failure> {
    let report = |event| log::debug("console", format_args!("{event}"));
    let mut redirect =
        OneTimeRedirect::start(address, report).await.map_err(|attempt| Failure::from_missing_address(&attempt))?;
    let (failures, mut failure) = mpsc::channel(1);
    match browser.open_url(redirect.address(), move |why| drop(failures.try_send(why))) {
        BrowserLaunch::Started => {}
        BrowserLaunch::Failed(why) => return Err(Failure::from_failed_browser(&why)),
        BrowserLaunch::Manual => return Err(Failure::from_missing_browser("no browser is named")),
    }
    write_stderr_line(&format!(
        "Opening the AWS console in your browser as {role}. If it does not open, go to {}",
        redirect.address()
    ));
    let limit = profile.login_timeout.min(OPENING_TIMEOUT);
    let opened = race_futures(redirect.wait_until_used(), await_browser_failure(&mut failure));
    match timeout(limit, opened).await {
        Ok(RaceWinner::Left(())) => Ok(()),
        Ok(RaceWinner::Right(why)) => Err(Failure::from_failed_browser(&why)),
        Err(_) => Err(Failure::from_unopened_console(limit)),
    }
}
