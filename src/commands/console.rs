//! `console`: opens the AWS console in a browser, signed in as the profile's role.
//!
//! AWS exchanges the credentials for an address that signs in anyone who opens it. The address is therefore a
//! credential itself and must not become an argument of the browser, which other programs can read in the process list.
//! The browser gets a short local address, and this process redirects it once to the one from AWS.

use std::time::Duration;

use super::{
    CommandContext,
    context::ProfileContext,
    env::fetch_credentials,
    one_time_browser::{BrowserNotServed, OPENING_TIMEOUT, serve_browser_once},
    write_secret, write_stderr_line,
};
use crate::{
    aws::{self, ConsolePage},
    cli::ConsoleArgs,
    config::{CallerKind, Partition, Profile, is_region},
    failure::Failure,
    host::{Browser, ExecutionContext, Terminal},
    http::{self, Client},
    oidc::callback::OneTimeAnswer,
    secret::Secret,
    session::{SessionCredentials, check_browser},
};

/// How long AWS may take to answer. A user is waiting in a terminal, so this is shorter than the usual limit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Signs in if needed, requests the console's address from AWS, and opens or prints it.
pub(super) fn run_console(arguments: &ConsoleArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let ConsoleArgs { service, region, no_browser } = arguments;
    let work = context.load_profile(CallerKind::MayPrompt)?;
    let region = choose_region(region.as_deref(), &work.profile)?;
    // Checked first: without a usable browser, the user would sign in and then get an error.
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

/// The region to open: `named`, the value of `--region`, or else the region of the profile.
///
/// Both must belong to the same partition. Another partition has another console and other accounts, so the credentials
/// are not valid there.
fn choose_region<'r>(named: Option<&'r str>, profile: &'r Profile) -> Result<&'r str, Failure> {
    let own = profile.region.as_str();
    let partition = |region| Partition::from_region(region).name;
    match named {
        None => Ok(own),
        Some(region) if is_region(region) && partition(region) == partition(own) => Ok(region),
        Some(region) => Err(Failure::from_other_partition(region, own)),
    }
}

/// The browser of the profile. Fails if it cannot show a page here, for example in an SSH session without a display.
fn find_browser(work: &ProfileContext<'_>) -> Result<Browser, Failure> {
    let environment = &work.host().environment;
    let browser = work.profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    check_browser(&work.profile, &browser, &around).map_err(Failure::from_missing_browser)?;
    Ok(browser)
}

/// Names the role in messages. An identity pool chooses the role, and AWS does not always return its name.
fn describe_role(ready: &SessionCredentials, profile: &Profile) -> String {
    match ready.role(profile) {
        Some(role) => format!("{} in account {}", role.name(), role.account()),
        None => "the identity pool's role".to_owned(),
    }
}

/// Prints the address on stdout, so that a script can use it, and the warning on stderr.
fn print_address(address: &Secret, role: &str) -> Result<(), Failure> {
    write_stderr_line(&format!(
        "Do not share this address. Anyone who opens it within 15 minutes is signed in to the AWS console as {role}:"
    ));
    write_secret(&Secret::new(format!("{}\n", address.expose())))
}

/// Opens the browser with a local address, and returns after this process has redirected the browser to AWS.
async fn show_in_browser(browser: &Browser, address: Secret, role: &str, profile: &Profile) -> Result<(), Failure> {
    let limit = profile.login_timeout.min(OPENING_TIMEOUT);
    let announce = |address: &str| {
        write_stderr_line(&format!(
            "Opening the AWS console in your browser as {role}. If it does not open, go to {address}"
        ));
    };
    let served = serve_browser_once(browser, OneTimeAnswer::Redirect(address), limit, "console", announce).await;
    served.map_err(|failed| match failed {
        BrowserNotServed::NoPort(attempt) => Failure::from_missing_address(&attempt),
        BrowserNotServed::NotConfigured => Failure::from_missing_browser("no browser is configured"),
        BrowserNotServed::Failed(why) => Failure::from_failed_browser(&why),
        BrowserNotServed::NotOpened => Failure::from_unopened_console(limit),
    })
}
